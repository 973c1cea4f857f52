/**
 * Trees of files as git objects: the state of a folder as a commit (what is tracked, changed, untracked and deleted, not
 * what is ignored), three of them merged, and a merged one put into a folder. The user's own index and branches are
 * never touched: every command here has an index of its own.
 */
import { copyFile, mkdtemp, rm, rmdir, stat, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { failure } from "../../runtime/failure.js";
import type { Resolve } from "../../runtime/tool.js";
import { git, gitText } from "./git.js";

export interface Snapshot {
  readonly tree: string;
  readonly commit: string;
}

async function withIndex<T>(work: (env: Readonly<Record<string, string>>, index: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "weave-index-"));
  const index = join(folder, "index");
  try {
    return await work({ GIT_INDEX_FILE: index }, index);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The files of a working tree as they are now. */
export function snapshot(top: string, parent: string | undefined): Promise<Snapshot> {
  return withIndex(async (env, index) => {
    // With the user's index as a start only what has changed is read. Git tells a change within the second in which the
    // index was written by the time of the index file itself, so the copy has the time of the original.
    const own = resolve(top, await gitText(top, ["rev-parse", "--git-path", "index"]));
    const times = await stat(own).catch(() => undefined);
    if (times !== undefined) {
      await copyFile(own, index);
      const second = Math.floor(times.mtimeMs / 1000);
      await utimes(index, second, second);
    }
    await git(top, ["add", "-A"], { env });
    // What runs keep is no part of what they work on, even where somebody has it tracked.
    await git(top, ["rm", "-r", "-q", "--cached", "--ignore-unmatch", "--", ".weave"], { env });
    const tree = await gitText(top, ["write-tree"], { env });
    const commit = await gitText(top, ["commit-tree", tree, ...(parent === undefined ? [] : ["-p", parent]), "-m", "weave"]);
    return { tree, commit };
  });
}

export type Merged =
  | { readonly kind: "merged"; readonly tree: string }
  /** Paths that neither git nor a resolver could put together. */
  | { readonly kind: "conflict"; readonly paths: readonly string[] };

/** Three-way merge of two states that both came from one commit. */
export async function merged(top: string, ours: string, theirs: string, resolve: Resolve | undefined): Promise<Merged> {
  const { code, out } = await git(top, ["merge-tree", "--write-tree", "-z", "--no-messages", ours, theirs], { also: [1] }).catch(
    (thrown: unknown) => {
      throw /usage:|unknown option|not a git command|is not a/.test(String((thrown as { message?: unknown }).message))
        ? failure("tool_error", '@isolate("worktree") needs git 2.38 or newer', { committed: "no" })
        : thrown;
    },
  );
  const [tree = "", ...entries] = out.toString("utf8").split("\0");
  if (code === 0) return { kind: "merged", tree };
  const byPath = new Map<string, Map<number, { readonly mode: string; readonly id: string }>>();
  for (const entry of entries) {
    const found = /^(\d+) ([0-9a-f]+) ([123])\t([\s\S]+)$/.exec(entry);
    if (found === null) continue;
    const [, mode = "", id = "", stage = "", path = ""] = found;
    const stages = byPath.get(path) ?? new Map<number, { readonly mode: string; readonly id: string }>();
    stages.set(Number(stage), { mode, id });
    byPath.set(path, stages);
  }
  const left: string[] = [];
  const settled: { readonly path: string; readonly mode: string; readonly id: string }[] = [];
  for (const [path, stages] of byPath) {
    const [base, one, other] = [stages.get(1), stages.get(2), stages.get(3)];
    const regular = [base, one, other].every((stage) => stage === undefined || stage.mode.startsWith("100"));
    const texts =
      regular && one !== undefined && other !== undefined
        ? await Promise.all([base, one, other].map((stage) => textOf(top, stage?.id)))
        : [];
    const [baseText, oneText, otherText] = texts;
    if (resolve === undefined || one === undefined || baseText === undefined || oneText === undefined || otherText === undefined) {
      left.push(path);
      continue;
    }
    const text = await resolve({ path, base: baseText, ours: oneText, theirs: otherText });
    const id = await gitText(top, ["hash-object", "-w", "--stdin"], { input: text });
    settled.push({ path, mode: base === undefined || one.mode !== base.mode ? one.mode : (other?.mode ?? one.mode), id });
  }
  if (left.length > 0 || byPath.size === 0)
    return { kind: "conflict", paths: left.length > 0 ? left : ["files that stand in each other's way"] };
  return withIndex(async (env) => {
    await git(top, ["read-tree", tree], { env });
    const lines = settled.map(({ mode, id, path }) => `${mode} ${id} 0\t${path}\0`).join("");
    await git(top, ["update-index", "-z", "--index-info"], { env, input: lines });
    return { kind: "merged", tree: await gitText(top, ["write-tree"], { env }) };
  });
}

/** The text of a blob; empty where there is none, undefined for bytes that are no text. */
async function textOf(top: string, id: string | undefined): Promise<string | undefined> {
  if (id === undefined) return "";
  const { out } = await git(top, ["cat-file", "blob", id]);
  if (out.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(out);
  } catch {
    return undefined;
  }
}

export interface Change {
  readonly path: string;
  readonly gone: boolean;
}

/** What makes one tree out of another. */
export async function changes(top: string, from: string, to: string): Promise<readonly Change[]> {
  const { out } = await git(top, ["diff-tree", "-r", "-z", "--no-renames", "--name-status", from, to]);
  const parts = out.toString("utf8").split("\0");
  const found: Change[] = [];
  for (let i = 0; i + 1 < parts.length; i += 2) found.push({ gone: parts[i] === "D", path: parts[i + 1] ?? "" });
  return found;
}

/** Puts what changed into a working tree; to do it twice is to do it once. */
export async function apply(top: string, tree: string, changed: readonly Change[]): Promise<void> {
  for (const { path } of changed.filter(({ gone }) => gone)) {
    await rm(join(top, path), { force: true, recursive: true });
    for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) {
      const emptied = await rmdir(join(top, folder)).then(
        () => true,
        () => false,
      );
      if (!emptied) break;
    }
  }
  const written = changed.filter(({ gone }) => !gone).map(({ path }) => path);
  if (written.length === 0) return;
  await withIndex(async (env) => {
    await git(top, ["read-tree", tree], { env });
    await git(top, ["checkout-index", "-f", "-z", "--stdin"], { env, input: written.map((path) => `${path}\0`).join("") });
  });
}
