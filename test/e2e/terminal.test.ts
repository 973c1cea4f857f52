/** What only a person at a terminal sees: questions for missing inputs and the view that redraws. Needs `script` of util-linux. */
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { project, root, weave } from "../support/cli.js";

const PROGRAM = `model small { provider: "sim", name: "small" }
agent Say(n: int) -> string(..40) { model: small, prompt: "{{n}}" }
flow main(n: int(1..5), who: string) -> string {
  let said = @parallel(2) map i in range(n) { Say(i) }
  "{{who}}: {{len said}}"
}
`;

const DEAR = `model small { provider: "sim", price: { input: $1.00, output: $5.00 }, context: 20k, max_output: 500 }
agent Say(n: int) -> string(..40) { model: small, prompt: "{{n}}" }
@cost($0.01) tool slow_one(n: int) -> int = module("./slow.ts")
@budget($0.50)
flow main() -> string { Say(1) }
@budget($0.50)
flow slow() -> string {
  let n = slow_one(1)
  let xs = @parallel(1) map i in range(4) { @budget($0.10, calls: 3) Say(i + n) }
  xs[0] ?? ""
}
`;
const SLOW = "export const slow_one = ({ n }: { n: number }) => new Promise((done) => setTimeout(() => done(n), 400));\n";

const here = spawnSync("script", ["--version"], { encoding: "utf8" }).stdout?.includes("util-linux") === true;

/** Runs the command line in a terminal of its own; each answer is typed when the question before it is there. */
function typed(cwd: string, args: readonly string[], answers: readonly (readonly [question: string, keys: string])[]): Promise<string> {
  const command = [process.execPath, join(root, "bin", "weave.js"), ...args].map((part) => `'${part}'`).join(" ");
  const child = spawn("script", ["-qec", `stty cols 100 rows 40; ${command}`, "/dev/null"], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", TERM: "xterm" },
  });
  let seen = "";
  let from = 0;
  const open = [...answers];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    seen += text;
    const [next] = open;
    if (next === undefined || !seen.slice(from).includes(next[0])) return;
    from = seen.length;
    open.shift();
    child.stdin.write(next[1]);
  });
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", () => done(seen));
  });
}

describe.runIf(here)("at a terminal", () => {
  test("missing inputs are asked for until they fit, and progress is redrawn", async () => {
    const cwd = project({ "a.weave": PROGRAM });
    const seen = await typed(
      cwd,
      ["run", "a.weave"],
      [
        ["nt(1..5)", "9\r"],
        ["must be int(1..5)", "\u007f4\r"],
        ["who", "me\r"],
      ],
    );
    expect(seen).toContain("me: 4");
    expect(seen).toContain("completed");
    expect(seen).toMatch(/\u001b\[\d+A\u001b\[0J/);
  });

  test.each<[string, string, boolean]>([
    ["y", "y", true],
    ["n", "n", false],
    ["return, which is no", "\r", false],
    ["Ctrl-C", "\u0003", false],
  ])("a run that may cost much is asked about, and begins only when that is wanted: %s", async (_, keys, begins) => {
    const cwd = project({ "a.weave": DEAR });
    const seen = await typed(cwd, ["run", "a.weave", "--confirm-above", "0.01"], [["This run may cost up to $0.0", keys]]);
    expect(seen).toContain("No, spend nothing");
    expect(seen.includes("Nothing was started, and nothing was spent.")).toBe(!begins);
    expect(seen.includes("completed")).toBe(begins);
    const runs = await weave(["runs", "--json"], { cwd });
    expect(JSON.parse(runs.out)).toHaveLength(begins ? 1 : 0);
  });

  test("what a run may cost below the limit is not asked about, and neither is a simulated one", async () => {
    const cwd = project({ "a.weave": DEAR });
    expect(await typed(cwd, ["run", "a.weave"], [])).toContain("completed");
    expect(await typed(cwd, ["run", "a.weave", "--sim", "--confirm-above", "0.01"], [])).toContain("completed");
  });

  test("what is spent, held and left of each budget is drawn", async () => {
    const seen = await typed(project({ "a.weave": DEAR, "slow.ts": SLOW }), ["run", "a.weave", "slow"], []);
    expect(seen).toMatch(/budget slow .*░.* \$0\.010 spent, \$0\.490 left/);
    expect(seen).toMatch(/budget slow .* \$0\.0\d+ spent, \$0\.0\d+ held, \$0\.4\d+ left/);
    expect(seen).toMatch(/budget Say .*▒.* \$0\.00 spent, \$0\.0\d+ held, \$0\.09\d left · 0 of/);
  });

  test("Ctrl-C at a question ends the command", async () => {
    const seen = await typed(project({ "a.weave": PROGRAM }), ["run", "a.weave"], [["nt(1..5)", "\u0003"]]);
    expect(seen).not.toContain("started");
    expect(seen).not.toMatch(/\n\s+at /);
  });
});
