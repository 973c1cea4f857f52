/**
 * Git worktrees for `@isolate`. Each is made from the files of the run's current tree as they are, uncommitted changes
 * included, under `.weave/worktrees` of the repository. What changed in it is merged back as a whole: the plan of a merge is on
 * disk before the first file is written, so that one that was cut off is finished, never left in the middle.
 */
import { existsSync } from "node:fs";
import { mkdir, open as openFile, readdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { failure } from "../../runtime/failure.js";
import type { Worktree, WorktreeAsked, Worktrees } from "../../runtime/tool.js";
import { sha256 } from "../sha256.js";
import { git, gitText } from "./git.js";
import { apply, type Change, changes, merged, type Snapshot, snapshot } from "./merge.js";

/** What is known of a worktree beside it, so that another process can go on. */
interface Record {
  /** The working tree that it was made from. */
  readonly from: string;
  readonly base: Snapshot;
  /** A merge that was begun. */
  readonly plan?: { readonly tree: string; readonly changes: readonly Change[] };
}

const MARK = ".json";
/** How often a merge is made anew because the tree changed while a resolver worked. */
const mostTries = 5;
const folderOf = (home: string): string => join(home, ".weave", "worktrees");
const hashOf = (text: string): string => sha256(text).slice(0, 12);
const prefixOf = (run: string): string => `${run.replace(/[^A-Za-z0-9_-]/g, "_")}.`;
const nameOf = ({ run, key }: Pick<WorktreeAsked, "run" | "key">): string => `${prefixOf(run)}${hashOf(key)}`;

/** Worktrees of a project; `directory` is where its runs work. */
export function gitWorktrees(directory: string): Worktrees {
  let home: Promise<string> | undefined;
  // Git locks its own files for each command: one at a time waits for them in order.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work, work);
    last = next.catch(() => undefined);
    return next;
  };
  const homeOf = (): Promise<string> => {
    home ??= topOf(directory);
    home.catch(() => {
      home = undefined;
    });
    return home;
  };

  return {
    open: (asked) =>
      inTurn(async () => {
        const root = await homeOf();
        const top = await topOf(asked.from);
        const inner = relative(top, await realpath(asked.from));
        const place = join(folderOf(root), nameOf(asked));
        const before = await recordOf(place);
        if (before !== undefined && asked.keep && existsSync(place)) return worktree(root, place, before, inner, true, inTurn);
        await removed(root, place);
        const head = await gitText(top, ["rev-parse", "-q", "--verify", "HEAD"], { also: [1] });
        await mkdir(folderOf(root), { recursive: true });
        if (!existsSync(join(root, ".weave", ".gitignore"))) await writeFile(join(root, ".weave", ".gitignore"), "*\n");
        const base = await snapshot(top, head === "" ? undefined : head);
        const record: Record = { from: top, base };
        await written(place, record);
        await git(root, ["worktree", "add", "-q", "--detach", "-f", place, base.commit]);
        await mkdir(join(place, inner), { recursive: true });
        return worktree(root, place, record, inner, false, inTurn);
      }),
    finish: async (asked, resolve) => {
      const root = await homeOf();
      const place = join(folderOf(root), nameOf(asked));
      const record = await recordOf(place);
      // The process died between the intent and the plan: what was done is still in the worktree.
      if (record !== undefined && record.plan === undefined && existsSync(place))
        await worktree(root, place, record, "", true, inTurn).merge(resolve, () => Promise.resolve());
      else await inTurn(() => finished(root, place));
    },
    sweep: (run, but = new Set()) =>
      inTurn(async () => {
        const root = await homeOf().catch(() => undefined);
        if (root === undefined) return 0;
        const kept = new Set([...but].map((key) => nameOf({ run, key })));
        return swept(root, prefixOf(run), kept);
      }),
  };
}

/** The names of runs that left worktrees behind in the repository of a folder. */
export async function leftovers(directory: string): Promise<readonly string[]> {
  const root = await topOf(directory).catch(() => undefined);
  const names = root === undefined ? [] : await readdir(folderOf(root)).catch(() => []);
  return [...new Set(names.map((name) => name.replace(/\.[^.]+(?:\.json)?$/, "")))];
}

async function topOf(directory: string): Promise<string> {
  try {
    return await realpath(await gitText(directory, ["rev-parse", "--show-toplevel"]));
  } catch (thrown) {
    if (/needs the program/.test(String((thrown as { message?: unknown }).message))) throw thrown;
    throw failure("tool_error", `@isolate("worktree") needs a git repository, and ${directory} is in none: run \`git init\` there`, {
      committed: "no",
    });
  }
}

async function recordOf(place: string): Promise<Record | undefined> {
  const text = await readFile(`${place}${MARK}`, "utf8").catch(() => undefined);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Record);
  } catch {
    return undefined;
  }
}

/** Writes what is known, as a whole or not at all. */
async function written(place: string, record: Record): Promise<void> {
  const beside = `${place}${MARK}.tmp`;
  const file = await openFile(beside, "w");
  await file.writeFile(JSON.stringify(record));
  await file.sync();
  await file.close();
  await rename(beside, `${place}${MARK}`);
}

function worktree(
  root: string,
  place: string,
  record: Record,
  inner: string,
  found: boolean,
  inTurn: <T>(work: () => Promise<T>) => Promise<T>,
): Worktree {
  /** Keeps the other side on a branch, and says so. */
  const refused = async (paths: readonly string[], { commit }: Snapshot) => {
    const branch = `weave/${hashOf(place)}`;
    await inTurn(() => git(root, ["branch", "-f", branch, commit]));
    return failure(
      "tool_error",
      `both sides changed ${paths.join(", ")}: the tree is as it was, and the other side is kept on the branch ${branch} (\`git diff ${record.base.commit.slice(0, 12)} ${branch}\`)`,
      { committed: "no" },
    );
  };
  return {
    directory: join(place, inner),
    found,
    discard: () => inTurn(() => removed(root, place)),
    merge: async (resolve, intend) => {
      const { from, base } = record;
      const theirs = await inTurn(() => snapshot(place, base.commit));
      if (theirs.tree === base.tree) {
        await intend(0);
        await inTurn(() => removed(root, place));
        return 0;
      }
      for (let tries = 1; ; tries++) {
        const ours = await inTurn(() => snapshot(from, base.commit));
        const result =
          ours.tree === base.tree
            ? ({ kind: "merged", tree: theirs.tree } as const)
            : await merged(from, ours.commit, theirs.commit, resolve);
        if (result.kind === "conflict") throw await refused(result.paths, theirs);
        const changed = await changes(from, ours.tree, result.tree);
        await intend(changed.length);
        const done = await inTurn(async () => {
          // What was changed while a resolver worked is looked at again before anything is written.
          const now = await snapshot(from, base.commit);
          const touched = new Set((await changes(from, ours.tree, now.tree)).map(({ path }) => path));
          if (changed.some(({ path }) => touched.has(path))) return false;
          await written(place, { ...record, plan: { tree: result.tree, changes: changed } });
          await apply(from, result.tree, changed);
          await removed(root, place);
          return true;
        });
        if (done) return changed.length;
        if (tries === mostTries)
          throw await refused(
            changed.map(({ path }) => path),
            theirs,
          );
      }
    },
  };
}

/** Finishes a merge that was begun, and takes the worktree away. */
async function finished(root: string, place: string): Promise<void> {
  const record = await recordOf(place);
  if (record?.plan !== undefined) await apply(record.from, record.plan.tree, record.plan.changes);
  await removed(root, place);
}

async function removed(root: string, place: string): Promise<void> {
  if (existsSync(place)) {
    await git(root, ["worktree", "remove", "--force", "--force", place]).catch(() => undefined);
    await rm(place, { recursive: true, force: true });
    await git(root, ["worktree", "prune"]).catch(() => undefined);
  }
  await rm(`${place}${MARK}`, { force: true });
}

async function swept(root: string, prefix: string, but: ReadonlySet<string>): Promise<number> {
  const names = await readdir(folderOf(root)).catch(() => []);
  let kept = 0;
  for (const name of new Set(names.filter((each) => each.startsWith(prefix)).map((each) => each.replace(/\.json(?:\.tmp)?$/, "")))) {
    const place = join(folderOf(root), name);
    if (but.has(name) && (await recordOf(place))?.plan === undefined && existsSync(place)) kept++;
    else await finished(root, place);
  }
  return kept;
}
