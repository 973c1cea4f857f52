/** A process that is killed while it merges a worktree: the merge is finished later, and nothing inside is made again. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { project, weave } from "../support/cli.js";

const git = (cwd: string, ...args: readonly string[]): string =>
  execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd, encoding: "utf8" }).trimEnd();
const realGit = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim();

const PROGRAM = `effect tool edit(log: string) -> null = exec(["sh", "edit.sh", "{{log}}"], parse: "json")
flow part(log: string) -> null { edit(log) }
flow main(log: string) -> null { @isolate("worktree") part(log) }
`;

/** A repository whose run is killed when git is about to do something for the n-th time. */
function killedAt(command: string, nth = 1) {
  const outside = project({});
  const cwd = project({
    "main.weave": PROGRAM,
    "edit.sh": 'echo made >> "$1"; echo changed > a.txt; rm b.txt; echo new > c.txt; echo null\n',
    "a.txt": "a\n",
    "b.txt": "b\n",
  });
  git(cwd, "init", "-q");
  git(cwd, "add", "-A");
  git(cwd, "commit", "-q", "-m", "first");
  writeFileSync(join(cwd, "mine.txt"), "mine\n");
  const wrapper = `#!/bin/sh
case " $* " in *" ${command} "*) echo >> "${outside}/seen"; if [ "$(wc -l < "${outside}/seen")" -eq ${nth} ]; then kill -9 $PPID; exit 1; fi;; esac
exec "${realGit}" "$@"
`;
  writeFileSync(join(outside, "git"), wrapper);
  chmodSync(join(outside, "git"), 0o755);
  const env = { PATH: `${outside}:${process.env["PATH"] ?? ""}` };
  const log = join(outside, "log");
  return { cwd, env, log, made: (): number => (existsSync(log) ? readFileSync(log, "utf8").trim().split("\n").length : 0) };
}
const files = (cwd: string): readonly string[] =>
  readdirSync(cwd)
    .filter((name) => name.endsWith(".txt"))
    .sort()
    .map((name) => `${name} ${readFileSync(join(cwd, name), "utf8").trim()}`);
const before = ["a.txt a", "b.txt b", "mine.txt mine"];
const after = ["a.txt changed", "c.txt new", "mine.txt mine"];
const left = (cwd: string): readonly string[] => readdirSync(join(cwd, ".weave", "worktrees"));

describe("a run that is killed", () => {
  test("while the files are written goes on from there", async () => {
    const { cwd, env, log, made } = killedAt("checkout-index");
    const killed = await weave(["run", "main.weave", "--log", log], { cwd, env });
    expect(killed.code).toBe(null);
    const resumed = await weave(["resume"], { cwd, env });
    expect([resumed.code, files(cwd), made(), left(cwd)]).toEqual([0, after, 1, []]);
    expect(git(cwd, "worktree", "list").split("\n")).toHaveLength(1);
  });

  test("before that leaves the tree as it was, and goes on in its worktree", async () => {
    const { cwd, env, log, made } = killedAt("diff-tree");
    await weave(["run", "main.weave", "--log", log], { cwd, env });
    expect(files(cwd)).toEqual(before);
    const resumed = await weave(["resume"], { cwd, env });
    expect([resumed.code, files(cwd), made(), left(cwd)]).toEqual([0, after, 1, []]);
  });

  test.each([
    ["", false],
    [", also when the doctor came before the resume", true],
  ])("between the intent to merge and its plan loses nothing%s", async (_, doctored) => {
    // Snapshots: of the tree for the worktree, of the worktree, of the tree before and after the intent.
    const { cwd, env, log, made } = killedAt("add -A", 4);
    await weave(["run", "main.weave", "--log", log], { cwd, env });
    expect(files(cwd)).toEqual(before);
    if (doctored) {
      const { out } = await weave(["doctor"], { cwd, env });
      expect(out).toMatch(/1 worktree of r\w+ waits to be merged: `weave resume r\w+` does it/);
    }
    const resumed = await weave(["resume"], { cwd, env });
    expect([resumed.code, files(cwd), made(), left(cwd)]).toEqual([0, after, 1, []]);
  });

  test("and given up is tidied by the doctor, which finishes what was begun", async () => {
    const { cwd, env, log } = killedAt("checkout-index");
    await weave(["run", "main.weave", "--log", log], { cwd, env });
    const { code, out } = await weave(["doctor"], { cwd, env });
    expect([code, out]).toEqual([0, expect.stringMatching(/removed the worktrees of r\w+/)]);
    expect([files(cwd), left(cwd)]).toEqual([after, []]);
    const early = killedAt("diff-tree");
    await weave(["run", "main.weave", "--log", early.log], { cwd: early.cwd, env: early.env });
    await weave(["doctor"], { cwd: early.cwd, env: early.env });
    expect([files(early.cwd), left(early.cwd)]).toEqual([before, []]);
    // What was done went with the worktree, and is done again.
    const resumed = await weave(["resume"], { cwd: early.cwd, env: early.env });
    expect([resumed.code, files(early.cwd), early.made()]).toEqual([0, after, 2]);
  });
});
