/** `@isolate` with real git: attempts of their own, merged in order, conflicts, what is not tracked, nothing left behind. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compile, memoryStore, type RunError, resume, run, type ToolFunction } from "../../src/index.js";

const git = (directory: string, ...args: readonly string[]): string =>
  execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd: directory, encoding: "utf8" }).trimEnd();

/** A repository with a commit and with changes that are not committed. */
function repository(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "weave-wt-")));
  git(directory, "init", "-q");
  const put = (path: string, text: string | Buffer): void => writeFileSync(join(directory, path), text);
  mkdirSync(join(directory, "src"));
  put("a.txt", "one\ntwo\nthree\n");
  put("src/b.txt", "b\n");
  put("gone.txt", "gone\n");
  put("bytes.bin", Buffer.from([0, 1, 2, 255]));
  put(".gitignore", "ignored.txt\n.weave/\n");
  git(directory, "add", "-A");
  git(directory, "commit", "-q", "-m", "first");
  put("a.txt", "one\ntwo\nthree\nmine\n");
  put("new.txt", "not tracked\n");
  put("ignored.txt", "ignored\n");
  rmSync(join(directory, "gone.txt"));
  return directory;
}
const text = (directory: string, path: string): string => readFileSync(join(directory, path), "utf8");

/** What a run must not leave behind. */
function expectClean(directory: string): void {
  expect(git(directory, "worktree", "list").split("\n")).toHaveLength(1);
  const left = join(directory, ".weave", "worktrees");
  expect(existsSync(left) ? readdirSync(left) : []).toEqual([]);
}

const declared = `
effect tool edit(path: string, find: string, put: string) -> string = module("./none.ts")
effect tool act(what: string) -> string = module("./none.ts")
tool combine(conflict: { path: string, base: string, ours: string, theirs: string }) -> string = module("./none.ts")
`;
const tools: Record<string, ToolFunction> = {
  edit: ({ path, find, put }, { cwd }) => {
    const file = join(cwd, String(path));
    writeFileSync(file, readFileSync(file, "utf8").replace(String(find), String(put)));
    return cwd;
  },
  combine: ({ conflict }) => {
    const { ours, theirs } = conflict as { ours: string; theirs: string };
    return `${ours}${theirs}`;
  },
};

async function start(source: string, directory: string, more: Parameters<typeof run>[2] = {}, inputs: Record<string, unknown> = {}) {
  const program = await compile("main.weave", { sources: { "main.weave": declared + source } });
  return run(program.flow("main"), inputs, { directory, ...more, tools: { ...tools, ...more.tools } });
}

describe("an isolated call", () => {
  test("works in a copy of the files as they are, and its changes come back: edits, new files, deletions, bytes, modes, links", async () => {
    const directory = repository();
    let seen: readonly string[] = [];
    const handle = await start(`flow main() -> string { @isolate("worktree") act("x") }`, directory, {
      tools: {
        act: (_args, { cwd }) => {
          seen = readdirSync(cwd).sort();
          expect(text(cwd, "a.txt")).toBe("one\ntwo\nthree\nmine\n");
          writeFileSync(join(cwd, "a.txt"), "ONE\ntwo\nthree\nmine\n");
          mkdirSync(join(cwd, "deep/er"), { recursive: true });
          writeFileSync(join(cwd, "deep/er/made.txt"), "made\n");
          rmSync(join(cwd, "src"), { recursive: true });
          writeFileSync(join(cwd, "bytes.bin"), Buffer.from([0, 9, 255]));
          chmodSync(join(cwd, "new.txt"), 0o755);
          symlinkSync("a.txt", join(cwd, "link"));
          // What it commits is merged like what it leaves uncommitted.
          git(cwd, "add", "-A");
          git(cwd, "commit", "-q", "-m", "inside");
          return cwd;
        },
      },
    });
    const { value } = await handle.result;
    expect(String(value)).toContain(join(directory, ".weave", "worktrees"));
    expect(seen).toEqual([".git", ".gitignore", "a.txt", "bytes.bin", "new.txt", "src"]);
    expect(text(directory, "a.txt")).toBe("ONE\ntwo\nthree\nmine\n");
    expect(text(directory, "deep/er/made.txt")).toBe("made\n");
    expect(existsSync(join(directory, "src"))).toBe(false);
    expect([...readFileSync(join(directory, "bytes.bin"))]).toEqual([0, 9, 255]);
    expect(statSync(join(directory, "new.txt")).mode & 0o111).not.toBe(0);
    expect(text(directory, "link")).toBe("ONE\ntwo\nthree\nmine\n");
    expect(text(directory, "ignored.txt")).toBe("ignored\n");
    // Nothing was committed or added for the user.
    expect(git(directory, "log", "--format=%s")).toBe("first");
    expect(git(directory, "diff", "--cached", "--name-only")).toBe("");
    expectClean(directory);
  });

  test("that fails leaves the tree as it was; a further attempt starts anew, and only the success is merged", async () => {
    const directory = repository();
    const trees: string[] = [];
    const handle = await start(
      `flow main() -> string { @retry(2, backoff: 1ms, on: ["tool_error"]) @isolate("worktree") act("x") }`,
      directory,
      {
        tools: {
          act: (_args, { cwd, attempt }) => {
            trees.push(cwd);
            expect(existsSync(join(cwd, "half.txt"))).toBe(false);
            writeFileSync(join(cwd, "half.txt"), `attempt ${attempt}\n`);
            if (attempt < 3) throw new Error("not yet");
            return "done";
          },
        },
      },
    );
    expect((await handle.result).value).toBe("done");
    expect(new Set(trees).size).toBe(3);
    expect(text(directory, "half.txt")).toBe("attempt 3\n");
    expectClean(directory);
    const failing = await start(`flow main() -> string { @isolate("worktree") act("x") }`, directory, {
      tools: {
        act: (_args, { cwd }) => {
          writeFileSync(join(cwd, "a.txt"), "spoilt");
          throw new Error("no");
        },
      },
    });
    await expect(failing.result).rejects.toMatchObject({ failure: { message: "no" } });
    expect(text(directory, "a.txt")).toBe("one\ntwo\nthree\nmine\n");
    expectClean(directory);
  });

  test("outside of a repository is a clear error", async () => {
    const directory = mkdtempSync(join(tmpdir(), "weave-plain-"));
    const handle = await start(`flow main() -> string { @isolate("worktree") act("x") }`, directory, { tools: { act: () => "x" } });
    await expect(handle.result).rejects.toMatchObject({
      failure: {
        kind: "tool_error",
        message: `@isolate("worktree") needs a git repository, and ${directory} is in none: run \`git init\` there`,
      },
    });
  });

  test("works before the first commit, and in a folder of the repository", async () => {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), "weave-wt-")));
    git(directory, "init", "-q");
    mkdirSync(join(directory, "part"));
    writeFileSync(join(directory, "part", "a.txt"), "one\n");
    const handle = await start(`flow main() -> string { @isolate("worktree") edit("a.txt", "one", "two") }`, join(directory, "part"));
    expect(String((await handle.result).value)).toMatch(/\/part$/);
    expect(text(directory, "part/a.txt")).toBe("two\n");
    expectClean(directory);
  });

  test("can be another inside of it", async () => {
    const directory = repository();
    const source = `flow main() -> string { @isolate("worktree") { let x = edit("a.txt", "one", "1")\n @isolate("worktree") edit("src/b.txt", "b", x) } }`;
    await (await start(source, directory)).result;
    expect(text(directory, "a.txt")).toContain("1\ntwo");
    expect(text(directory, "src/b.txt")).toContain(".weave/worktrees");
    expectClean(directory);
  });
});

describe("several at once", () => {
  const all = `flow main() -> string[] { map n in ["one", "two", "three"] { @isolate("worktree") act(n) } }`;

  test("are merged in the order of the items, whichever ends first", async () => {
    const directory = repository();
    const merged: string[] = [];
    let release: () => void = () => undefined;
    const last = new Promise<void>((resolve) => {
      release = resolve;
    });
    const handle = await start(all, directory, {
      onEvent: (event) => {
        if (event.kind === "worktree.merged") merged.push(event.path);
      },
      tools: {
        act: async ({ what }, { cwd }) => {
          writeFileSync(
            join(cwd, `${String(what)}.txt`),
            readdirSync(cwd)
              .filter((name) => /^(?:one|two|three)/.test(name))
              .join(),
          );
          if (what === "one") await last;
          if (what === "three") release();
          return String(what);
        },
      },
    });
    expect((await handle.result).value).toEqual(["one", "two", "three"]);
    expect(merged.map((path) => /\[(\w+)\]/.exec(path)?.[1])).toEqual(["one", "two", "three"]);
    expect(["one", "two", "three"].map((name) => text(directory, `${name}.txt`))).toEqual(["", "", ""]);
    expectClean(directory);
  });

  test("put edits of different places of one file together", async () => {
    const directory = repository();
    const source = `flow main() -> string[] { map n in ["one", "mine"] { @isolate("worktree") edit("a.txt", n, "{{n}} changed") } }`;
    await (await start(source, directory)).result;
    expect(text(directory, "a.txt")).toBe("one changed\ntwo\nthree\nmine changed\n");
  });

  test("that change one place fail, with the first in the tree and the other on a branch", async () => {
    const directory = repository();
    const source = `flow main() -> string[] { map n in ["first", "second"] { @isolate("worktree") edit("a.txt", "two", n) } }`;
    const failed = await (await start(source, directory)).result.then(
      () => undefined,
      (error: RunError) => error,
    );
    expect(failed?.failure).toMatchObject({
      kind: "tool_error",
      committed: "no",
      message: expect.stringMatching(/both sides changed a\.txt/) as unknown,
    });
    expect(text(directory, "a.txt")).toBe("one\nfirst\nthree\nmine\n");
    const branch = /branch (weave\/\w+)/.exec(failed?.failure?.message ?? "")?.[1] ?? "";
    expect(git(directory, "show", `${branch}:a.txt`)).toBe("one\nsecond\nthree\nmine");
    expectClean(directory);
  });

  test("that change one place go to the resolver", async () => {
    const directory = repository();
    const source = `flow main() -> string[] { map n in ["first", "second"] { @isolate("worktree", resolve: combine) edit("a.txt", "two", n) } }`;
    await (await start(source, directory)).result;
    expect(text(directory, "a.txt")).toBe("one\nfirst\nthree\nmine\none\nsecond\nthree\nmine\n");
    expectClean(directory);
  });

  test("one that deletes what another changed is no question for the resolver", async () => {
    const directory = repository();
    const handle = await start(
      `flow main() -> string[] { map n in ["one", "two"] { @isolate("worktree", resolve: combine) act(n) } }`,
      directory,
      {
        tools: {
          act: ({ what }, { cwd }) => {
            if (what === "one") writeFileSync(join(cwd, "a.txt"), "changed\n");
            else rmSync(join(cwd, "a.txt"));
            return "";
          },
        },
      },
    );
    await expect(handle.result).rejects.toThrow("both sides changed a.txt");
    expect(text(directory, "a.txt")).toBe("changed\n");
  });

  test("leave nothing when the run is cancelled", async () => {
    const directory = repository();
    let working = 0;
    const handle = await start(
      all.replace("act(n)", "pure(n)").concat('\ntool pure(n: string) -> string = module("./none.ts")'),
      directory,
      {
        tools: {
          pure: (_args, { signal, cwd }) => {
            writeFileSync(join(cwd, "a.txt"), "spoilt");
            if (++working === 3) queueMicrotask(() => handle.cancel());
            return new Promise((_, fail) => signal.addEventListener("abort", () => fail(new Error("stopped"))));
          },
        },
      },
    );
    await expect(handle.result).rejects.toMatchObject({ status: "cancelled" });
    expect(text(directory, "a.txt")).toBe("one\ntwo\nthree\nmine\n");
    expectClean(directory);
  });
});

const deferred = (): { readonly done: Promise<void>; readonly end: () => void } => {
  let end: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { done, end };
};

describe("merges and locks do not wait for each other", () => {
  const source = (later: string): string => `
effect tool note(text: string) -> string = module("./none.ts")
flow early() -> string { let a = act("waits")\n @lock("tree") note(a) }
flow main() -> { a: string, b: string } {
  fork { a: @isolate("worktree") early(), b: ${later} }
}`;
  test.each([
    ["a call", `@lock("tree") @isolate("worktree") act("holds")`],
    ["a block around it", `@lock("tree") { let x = @isolate("worktree") act("holds")\n x }`],
    ["one inside of another", `@lock("tree") @isolate("worktree") { let x = @isolate("worktree") act("holds")\n x }`],
  ])("%s that holds a lock which an earlier one needs is merged before it", async (_, later) => {
    const directory = repository();
    const merged: string[] = [];
    const holding = deferred();
    const handle = await start(source(later), directory, {
      onEvent: (event) => {
        if (event.kind === "worktree.merged") merged.push(event.path);
      },
      tools: {
        act: async ({ what }, { cwd }) => {
          if (what === "waits") await holding.done;
          else setImmediate(holding.end);
          writeFileSync(join(cwd, `${String(what)}.txt`), "x");
          return String(what);
        },
        note: (_args, { cwd }) => {
          writeFileSync(join(cwd, "noted.txt"), "x");
          return "noted";
        },
      },
    });
    expect((await handle.result).value).toEqual({ a: "noted", b: "holds" });
    expect(merged.at(-1)).toMatch(/early/);
    expect(["waits", "holds", "noted"].every((name) => existsSync(join(directory, `${name}.txt`)))).toBe(true);
    expectClean(directory);
  });

  test("only as many as must go before it, in their order", async () => {
    const directory = repository();
    const merged: string[] = [];
    const holding = deferred();
    const handle = await start(
      `
effect tool note(text: string) -> string = module("./none.ts")
flow early() -> string { let a = act("waits")\n @lock("tree") note(a) }
flow main() -> { a: string, b: string, c: string, d: string } {
  fork {
    a: @isolate("worktree") early()
    b: @isolate("worktree") act("between")
    c: @lock("tree") @isolate("worktree") act("holds")
    d: @isolate("worktree") act("after")
  }
}`,
      directory,
      {
        onEvent: (event) => {
          if (event.kind === "worktree.merged") merged.push(event.path.replace(/^main\/fork\/(\w+).*/, "$1"));
        },
        tools: {
          act: async ({ what }, { cwd }) => {
            if (what === "waits") await holding.done;
            if (what === "holds") setImmediate(holding.end);
            writeFileSync(join(cwd, `${String(what)}.txt`), "x");
            return String(what);
          },
          note: () => "noted",
        },
      },
    );
    await handle.result;
    expect(merged).toEqual(["b", "c", "a", "d"]);
    expectClean(directory);
  });

  test("a resolver that needs a lock which a later one holds lets that go before", async () => {
    const directory = repository();
    const holding = deferred();
    const handle = await start(
      `
@lock("tree") tool combine_alone(conflict: { path: string, base: string, ours: string, theirs: string }) -> string = module("./none.ts")
flow main() -> { a: string, b: string } {
  fork { a: @isolate("worktree", resolve: combine_alone) act("first"), b: @lock("tree") @isolate("worktree") act("second") }
}`,
      directory,
      {
        tools: {
          act: async ({ what }, { cwd }) => {
            const line = what === "first" ? "one" : "mine";
            if (what === "first") await holding.done;
            else {
              writeFileSync(join(directory, "a.txt"), "user\ntwo\nthree\nmine\n");
              setImmediate(holding.end);
            }
            writeFileSync(join(cwd, "a.txt"), text(cwd, "a.txt").replace(line, String(what)));
            return String(what);
          },
          combine_alone: tools["combine"] as ToolFunction,
        },
      },
    );
    expect((await handle.result).value).toEqual({ a: "first", b: "second" });
    // The second changed the same file meanwhile, so the first was put together with it once more.
    expect(text(directory, "a.txt")).toBe("user\ntwo\nthree\nsecond\nfirst\ntwo\nthree\nmine\n");
    expectClean(directory);
  });
});

test("runs that share locks do not wait for each other through merges", async () => {
  const store = memoryStore();
  const both = [deferred(), deferred()] as const;
  const going = await Promise.all(
    ["one", "other"].map(async (mine, i) => {
      const theirs = i === 0 ? "other" : "one";
      const source = `
effect tool note(text: string) -> string = module("./none.ts")
flow early() -> string { let a = act("waits")\n @lock("${theirs}", scope: "global") note(a) }
flow main() -> { a: string, b: string } {
  fork { a: @isolate("worktree") early(), b: @lock("${mine}", scope: "global") @isolate("worktree") act("holds") }
}`;
      const directory = repository();
      const handle = await start(source, directory, {
        store,
        tools: {
          act: async ({ what }, { cwd }) => {
            writeFileSync(join(cwd, `${String(what)}.txt`), "x");
            if (what === "holds") both[i]?.end();
            // Each asks for the lock of the other when both are held.
            else await Promise.all(both.map(({ done }) => done));
            return String(what);
          },
          note: () => "noted",
        },
      });
      return { directory, result: handle.result };
    }),
  );
  for (const { directory, result } of going) {
    expect((await result).value).toEqual({ a: "noted", b: "holds" });
    expectClean(directory);
  }
});

test("the user's changes during the run are kept: what they touched too is a conflict", async () => {
  const directory = repository();
  const changing = (path: string, put: string) => ({
    act: (_args: unknown, { cwd }: { cwd: string }) => {
      writeFileSync(join(directory, path), put);
      writeFileSync(join(cwd, "a.txt"), "theirs\n");
      return "x";
    },
  });
  const source = `flow main() -> string { @isolate("worktree") act("x") }`;
  await (await start(source, directory, { tools: changing("src/b.txt", "user\n") })).result;
  expect([text(directory, "a.txt"), text(directory, "src/b.txt")]).toEqual(["theirs\n", "user\n"]);
  writeFileSync(join(directory, "a.txt"), "before\n");
  await expect((await start(source, directory, { tools: changing("a.txt", "user\n") })).result).rejects.toThrow("both sides changed a.txt");
  expect(text(directory, "a.txt")).toBe("user\n");
  expectClean(directory);
});

test("what failed in a flow is made again from its beginning when the run is resumed", async () => {
  const directory = repository();
  const store = memoryStore();
  const source = `
effect tool finish() -> string = module("./none.ts")
flow part() -> string { let x = edit("a.txt", "one", "1")\n finish() }
flow main() -> string { @isolate("worktree") part() }`;
  const first = await start(source, directory, {
    store,
    tools: {
      finish: () => {
        throw new Error("not yet");
      },
    },
  });
  await expect(first.result).rejects.toThrow("not yet");
  expect(text(directory, "a.txt")).toBe("one\ntwo\nthree\nmine\n");
  const again = resume(first.runId, { store, directory, tools: { ...tools, finish: () => "done" } });
  expect((await again.result).value).toBe("done");
  expect(text(directory, "a.txt")).toBe("1\ntwo\nthree\nmine\n");
  expectClean(directory);
});
