/** What only a person at a terminal sees: questions for missing inputs and the view that redraws. Needs `script` of util-linux. */
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { project, root } from "../support/cli.js";

const PROGRAM = `model small { provider: "sim", name: "small" }
agent Say(n: int) -> string(..40) { model: small, prompt: "{{n}}" }
flow main(n: int(1..5), who: string) -> string {
  let said = @parallel(2) map i in range(n) { Say(i) }
  "{{who}}: {{len said}}"
}
`;

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

  test("Ctrl-C at a question ends the command", async () => {
    const seen = await typed(project({ "a.weave": PROGRAM }), ["run", "a.weave"], [["nt(1..5)", "\u0003"]]);
    expect(seen).not.toContain("started");
    expect(seen).not.toMatch(/\n\s+at /);
  });
});
