/** The oldest Node that `engines` allows does what the newest does: its SQLite and its modules differ in more than speed. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { project, root } from "../support/cli.js";

const node = process.env["WEAVE_OLDEST_NODE"];
const why = node === undefined ? " (skipped: WEAVE_OLDEST_NODE names no Node; `.ci/run` installs it)" : "";

const PROGRAM = `import { read_text } from "std/fs"
tool twice(n: int) -> int = module("./tools.ts")
effect tool put(n: int) -> int = module("./tools.ts")
model m { provider: "sim" }
agent Guess(n: int) -> { n: int(0..9), why: string(..20) } { model: m, prompt: "{{n}}" }
flow main(size: int(1..500)) -> string {
  let all = @parallel(20) map n in range(size) { twice(n) }
  let guess = Guess(sum(all))
  let ok = ask "Put {{sum all}}?" as bool
  assert ok
  let put_there = put(sum(all))
  "{{put_there}} {{read_text("a.txt") |> len}} {{guess.n >= 0}}"
}
test "adds up" {
  stub Guess(_) => { n: 1, why: "so" }
  stub put(n) => n
  stub twice(n) => n * 2
  expect len(calls(twice)) == 0
}
`;

test.skipIf(node === undefined)(`keeps, asks, carries on and tests${why}`, () => {
  const cwd = project({
    "a.weave": PROGRAM.replace('{{read_text("a.txt") |> len}} {{guess.n >= 0}}', "{{len text}} {{fine}}").replace(
      "  let put_there",
      '  let text = read_text("a.txt")\n  let fine = guess.n >= 0\n  let put_there',
    ),
    "a.txt": "four",
    "tools.ts": "export const twice = ({ n }: { n: number }): number => n * 2;\nexport const put = ({ n }: { n: number }): number => n;\n",
  });
  const weave = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(node ?? "", [join(root, "bin", "weave.js"), ...args], { cwd, encoding: "utf8" });
    return { code: status, out: stdout, err: stderr };
  };
  const version = spawnSync(node ?? "", ["--version"], { encoding: "utf8" }).stdout.trim();
  const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { engines: { node: string } };
  expect(version).toMatch(new RegExp(`^v${engines.node.replace(">=", "").replaceAll(".", "\\.")}\\.`));
  expect(weave("check", "a.weave")).toMatchObject({ code: 0 });
  expect(weave("test", "a.weave")).toMatchObject({ code: 0, out: expect.stringContaining("1 passed") });
  expect(weave("run", "a.weave", "--size", "300")).toMatchObject({ code: 5, err: expect.not.stringContaining("Warning") });
  expect(weave("show")).toMatchObject({ code: 0, out: expect.stringContaining("Put 89700?") });
  const [{ run } = { run: "" }] = JSON.parse(weave("runs", "--json").out) as { run: string }[];
  expect(weave("answer", run, "yes")).toMatchObject({ code: 0 });
  expect(weave("resume")).toMatchObject({ code: 0, out: "89700 4 true\n" });
  expect(weave("run", "a.weave", "--size", "300", "--reuse", run)).toMatchObject({ code: 5 });
  expect(weave("doctor")).toMatchObject({ code: 0 });
  expect(weave("runs", "prune", "--keep", "0")).toMatchObject({ code: 0 });
});
