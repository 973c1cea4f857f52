/** `std/git` and `std/shell` with the real programs: what they give, and that no value becomes an option, a pattern or a shell. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compile, type RunError, run } from "../../src/index.js";

const git = (directory: string, ...args: readonly string[]): string =>
  execFileSync("git", args, { cwd: directory, encoding: "utf8" }).trimEnd();

function repository(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "weave-git-")));
  git(directory, "init", "-q", "-b", "main");
  git(directory, "config", "user.name", "Test");
  git(directory, "config", "user.email", "test@localhost");
  return directory;
}
const put = (directory: string, path: string, text: string | Buffer): void => {
  mkdirSync(join(directory, path, ".."), { recursive: true });
  writeFileSync(join(directory, path), text);
};

async function call(module: string, name: string, written: string, directory: string, inputs: Record<string, unknown> = {}) {
  const params = Object.keys(inputs)
    .map((each) => `${each}: ${Array.isArray(inputs[each]) ? "string[]" : "string"}`)
    .join(", ");
  const source = `import { ${name} } from "std/${module}"\nflow main(${params}) { ${name}(${written}) }\n`.replace(
    ") { ",
    `) -> ${results[name] ?? "json"} { `,
  );
  const program = await compile("main.weave", { sources: { "main.weave": source } });
  return (await run(program.flow("main"), inputs, { directory }).result).value;
}
const results: Readonly<Record<string, string>> = {
  diff: "string",
  log: "{ id: string, author: string, date: string, subject: string }[]",
  status: "{ path: string, state: string }[]",
  commit: "string",
  apply: "null",
  run: "{ code: int, out: string, err: string }",
};
const failed = (promise: Promise<unknown>) =>
  promise.then(
    (value) => Promise.reject(new Error(`no failure but ${JSON.stringify(value)}`)),
    (error: RunError) => error.failure,
  );

describe("std/git", () => {
  test("before the first commit: no log, and everything is a difference", async () => {
    const directory = repository();
    put(directory, "a.txt", "one\n");
    git(directory, "add", "a.txt");
    expect(await call("git", "log", "", directory)).toEqual([]);
    expect(await call("git", "diff", "", directory)).toContain("+one");
    expect(await call("git", "status", "", directory)).toEqual([{ path: "a.txt", state: "added" }]);
  });

  test("commits everything or the paths that are named, and shows it", async () => {
    const directory = repository();
    put(directory, "a.txt", "one\n");
    put(directory, "sp ace/ü.txt", "two\n");
    const first = await call("git", "commit", "message", directory, { message: "-all\n\n# kept" });
    expect(git(directory, "rev-parse", "HEAD")).toBe(first);
    expect(git(directory, "log", "-1", "--format=%B").trim()).toBe("-all\n\n# kept");
    put(directory, "a.txt", "ONE\n");
    put(directory, "b.txt", "b\n");
    rmSync(join(directory, "sp ace/ü.txt"));
    expect(await call("git", "status", "", directory)).toEqual([
      { path: "a.txt", state: "modified" },
      { path: "sp ace/ü.txt", state: "deleted" },
      { path: "b.txt", state: "untracked" },
    ]);
    await call("git", "commit", `"some", paths`, directory, { paths: ["b.txt", "sp ace/ü.txt"] });
    expect(await call("git", "status", "", directory)).toEqual([{ path: "a.txt", state: "modified" }]);
    expect(await call("git", "log", "", directory)).toMatchObject([
      { subject: "some", author: "Test" },
      { subject: "-all", id: first },
    ]);
    expect(await call("git", "log", `path: "a.txt"`, directory)).toHaveLength(1);
    expect(await call("git", "log", "limit: 1", directory)).toHaveLength(1);
    expect(await call("git", "diff", `from: "HEAD~1", to: "HEAD", path: "b.txt"`, directory)).toMatch(/^diff --git a\/b\.txt b\/b\.txt/);
  });

  test("of a renamed file and one that is in conflict", async () => {
    const directory = repository();
    put(directory, "old.txt", "a\nb\nc\nd\n");
    put(directory, "both.txt", "x\n");
    git(directory, "add", "-A");
    git(directory, "commit", "-q", "-m", "first");
    git(directory, "checkout", "-q", "-b", "other");
    put(directory, "both.txt", "other\n");
    git(directory, "commit", "-q", "-a", "-m", "other");
    git(directory, "checkout", "-q", "main");
    put(directory, "both.txt", "main\n");
    git(directory, "commit", "-q", "-a", "-m", "main");
    git(directory, "mv", "old.txt", "new.txt");
    git(directory, "commit", "-q", "-m", "moved");
    git(directory, "mv", "new.txt", "newer.txt");
    expect(await call("git", "status", "", directory)).toEqual([{ path: "newer.txt", state: "renamed" }]);
    git(directory, "reset", "-q", "--hard");
    expect(() => git(directory, "merge", "other")).toThrow();
    expect(await call("git", "status", "", directory)).toEqual([{ path: "both.txt", state: "conflicted" }]);
  });

  test("in a folder of the repository: paths count from there, a patch reaches all of it", async () => {
    const directory = repository();
    put(directory, "top.txt", "top\n");
    put(directory, "part/in.txt", "in\n");
    git(directory, "add", "-A");
    git(directory, "commit", "-q", "-m", "first");
    put(directory, "top.txt", "TOP\n");
    put(directory, "part/in.txt", "IN\n");
    const part = join(directory, "part");
    expect(await call("git", "status", "", part)).toEqual([
      { path: "in.txt", state: "modified" },
      { path: "../top.txt", state: "modified" },
    ]);
    const patch = String(await call("git", "diff", "", part));
    git(directory, "checkout", "-q", ".");
    expect(await call("git", "apply", "patch", part, { patch })).toBe(null);
    expect([readFileSync(join(directory, "top.txt"), "utf8"), readFileSync(join(part, "in.txt"), "utf8")]).toEqual(["TOP\n", "IN\n"]);
  });

  test("applies a patch as a whole or not at all; an empty one is none", async () => {
    const directory = repository();
    put(directory, "a.txt", "a\n");
    put(directory, "b.txt", "b\n");
    git(directory, "add", "-A");
    git(directory, "commit", "-q", "-m", "first");
    const good = "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-a\n+A\n";
    const bad = "diff --git a/b.txt b/b.txt\n--- a/b.txt\n+++ b/b.txt\n@@ -1 +1 @@\n-not there\n+B\n";
    expect(await failed(call("git", "apply", "patch", directory, { patch: good + bad }))).toMatchObject({
      kind: "tool_error",
      committed: "no",
    });
    expect(await call("git", "status", "", directory)).toEqual([]);
    for (const path of ["../out.txt", "/tmp/out.txt"]) {
      const patch = `diff --git a/x b/${path}\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+x\n`;
      expect(await failed(call("git", "apply", "patch", directory, { patch })), path).toMatchObject({ kind: "tool_error" });
    }
    expect(existsSync(join(directory, "..", "out.txt"))).toBe(false);
    expect(await failed(call("git", "apply", "patch", directory, { patch: "nonsense" }))).toMatchObject({ kind: "tool_error" });
    expect(await call("git", "apply", "patch", directory, { patch: "\n" })).toBe(null);
    await call("git", "apply", "patch", directory, { patch: good });
    expect(readFileSync(join(directory, "a.txt"), "utf8")).toBe("A\n");
  });

  test("takes no value for an option or a pattern", async () => {
    const directory = repository();
    put(directory, "a.txt", "a\n");
    put(directory, "-n", "dash\n");
    await call("git", "commit", `"first"`, directory);
    const made = join(directory, "made");
    for (const x of [`--output=${made}`, "-O", ""])
      for (const written of ["from: x", `to: x`])
        expect(await failed(call("git", "diff", written, directory, { x })), x).toMatchObject({
          message: `${JSON.stringify(x)} is no revision`,
        });
    expect(existsSync(made)).toBe(false);
    put(directory, "a.txt", "A\n");
    put(directory, "-n", "DASH\n");
    // Paths are paths: magic, patterns and dashes have no meaning.
    for (const [x, found] of [
      ["-n", "-n"],
      ["a.txt", "a.txt"],
      [":!a.txt", ""],
      ["*.txt", ""],
      [":/", ""],
    ] as const)
      expect(String(await call("git", "diff", "path: x", directory, { x })).match(/^\+\+\+ b\/(.*)$/m)?.[1] ?? "", x).toBe(found);
    expect(await failed(call("git", "commit", `"x", paths`, directory, { paths: ["*"] }))).toMatchObject({ committed: "no" });
    await call("git", "commit", `"dash", paths`, directory, { paths: ["-n"] });
    expect(await call("git", "status", "", directory)).toEqual([{ path: "a.txt", state: "modified" }]);
  });

  test("is not led by settings: no program for differences, no colours, no other prefixes", async () => {
    const directory = repository();
    put(directory, "a.txt", "a\n");
    put(directory, ".gitattributes", "*.txt diff=mine\n");
    await call("git", "commit", `"first"`, directory);
    const made = join(directory, "..", "ran-by-git");
    for (const [name, value] of [
      ["diff.external", `touch ${made}; echo`],
      ["diff.mine.textconv", `touch ${made}; cat`],
      ["color.ui", "always"],
      ["diff.noprefix", "true"],
      ["log.showSignature", "true"],
    ] as const)
      git(directory, "config", name, value);
    put(directory, "a.txt", "A\n");
    const patch = String(await call("git", "diff", "", directory));
    expect(patch).toMatch(/^diff --git a\/a\.txt b\/a\.txt\n/);
    expect(patch).not.toContain("\u001b");
    expect(existsSync(made)).toBe(false);
    expect(await call("git", "log", "", directory)).toHaveLength(1);
  });

  test("fails on what is no text, and outside of a repository with its reason", async () => {
    const directory = repository();
    put(directory, "a.txt", "caf\n");
    await call("git", "commit", `"first"`, directory);
    put(directory, "a.txt", Buffer.from([0x63, 0xe9, 0x0a]));
    expect(await failed(call("git", "diff", "", directory))).toMatchObject({
      kind: "invalid_output",
      message: "git diff gave something that is not text in UTF-8",
    });
    const plain = mkdtempSync(join(tmpdir(), "weave-plain-"));
    for (const name of ["diff", "log", "status"])
      expect(await failed(call("git", name, "", plain)), name).toMatchObject({
        message: expect.stringContaining("not a git repository") as unknown,
      });
    expect(await failed(call("git", "commit", `" "`, directory))).toMatchObject({ message: "a commit needs a message" });
    git(directory, "checkout", "-q", ".");
    expect(await failed(call("git", "commit", `"again"`, directory))).toMatchObject({
      committed: "no",
      message: expect.stringContaining("nothing to commit") as unknown,
    });
  });
});

describe("std/shell", () => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "weave-shell-")));
  const shell = (argv: readonly string[], more = "", inputs: Record<string, unknown> = {}) =>
    call("shell", "run", `argv${more}`, directory, { argv, ...inputs });

  test("gives what a program wrote and its code, whatever that is", async () => {
    expect(await shell(["sh", "-c", "echo out; echo err >&2; exit 3"])).toEqual({ code: 3, out: "out\n", err: "err\n" });
    mkdirSync(join(directory, "sub"));
    expect(await shell(["pwd"], `, cwd: "sub"`)).toMatchObject({ out: `${join(directory, "sub")}\n` });
    expect(await shell(["cat"], ", input: text", { text: "é\n" })).toMatchObject({ out: "é\n" });
  });

  test("has no shell: arguments stay what they are", async () => {
    const odd = ["$(id)", "`id`", "a; id", "*", "--", "-n", "a\nb", '"', "'", "\\"];
    expect(await shell(["printf", "%s|", ...odd])).toMatchObject({ out: odd.map((each) => `${each}|`).join("") });
  });

  test("passes a small environment", async () => {
    process.env["WEAVE_TEST_KEY"] = "not for programs";
    const { out } = (await shell(["env"])) as { out: string };
    delete process.env["WEAVE_TEST_KEY"];
    expect(out).not.toContain("WEAVE_TEST_KEY");
    expect(out).toContain("PATH=");
  });

  test.each([
    ["out", "printf '\\303'; exit 0"],
    ["err", "printf '\\377' >&2; exit 2"],
  ])("that writes bytes to its %s put is a failure, never a text with other signs", async (_, script) => {
    expect(await failed(shell(["sh", "-c", script]))).toMatchObject({
      kind: "invalid_output",
      committed: "yes",
      message: expect.stringMatching(/^sh did not write text in UTF-8 \(it ended with code \d\)$/) as unknown,
    });
  });

  test.each<[string, readonly string[], string]>([
    ["is not there", ["no-such-program-x"], "there is no program no-such-program-x, or no folder"],
    ["is not named", [], "no program was named"],
    ["has an empty name", [""], "no program was named"],
    ["is given a zero byte", ["echo", "a\0b"], "cannot hold a zero byte"],
    ["is given too much", ["echo", "x".repeat(3_000_000)], "the arguments of echo are longer than this system allows"],
  ])("that %s says so", async (_, argv, message) => {
    expect(await failed(shell(argv))).toMatchObject({
      kind: "tool_error",
      committed: "no",
      message: expect.stringContaining(message) as unknown,
    });
  });

  test("is ended, with all that it started, when its time is over or it writes too much", async () => {
    const source = `import { run } from "std/shell"
flow slow() -> int { let done = @timeout(300ms) run(["sh", "-c", "sleep 77.1 & echo $! > pid; wait"])\n done.code }
flow loud() -> int { let done = run(["yes"])\n done.code }`;
    const program = await compile("main.weave", { sources: { "main.weave": source } });
    expect(await failed(run(program.flow("slow"), {}, { directory }).result)).toMatchObject({ kind: "timeout", committed: "unknown" });
    const pid = Number(readFileSync(join(directory, "pid"), "utf8"));
    await expect.poll(() => isRunning(pid)).toBe(false);
    expect(await failed(run(program.flow("loud"), {}, { directory }).result)).toMatchObject({
      kind: "tool_error",
      message: "yes wrote more than 16 MB",
    });
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // One that nobody waits for stays in the list until it is taken out of it.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
