/**
 * The module `std/git`: the repository of the working directory, through the `git` program. What a program passes is never
 * an option or a pattern to it. Settings of the user that would change what is read have no influence; hooks, identity and
 * signing of commits are theirs. Output that is no text is a failure, never replaced.
 */
import { posix } from "node:path";
import { failure } from "../../runtime/failure.js";
import type { ToolContext, ToolFunction } from "../../runtime/tool.js";
import { runProgram } from "./spawn.js";

const states: Readonly<Record<string, string>> = {
  "?": "untracked",
  A: "added",
  M: "modified",
  T: "modified",
  D: "deleted",
  R: "renamed",
  C: "added",
  U: "conflicted",
};

/** Said to every command: paths are paths, and the output is what it would be on any machine. */
const always = [
  "--no-pager",
  "--literal-pathspecs",
  ...["core.quotePath=false", "color.ui=never", "diff.noprefix=false", "diff.mnemonicPrefix=false", "log.showSignature=false"].flatMap(
    (setting) => ["-c", setting],
  ),
];
const plainDiff = ["--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/"];

export function gitTools(directory: string): Readonly<Record<string, ToolFunction>> {
  async function git(
    context: ToolContext,
    args: readonly string[],
    { input, cwd = directory }: { readonly input?: string; readonly cwd?: string } = {},
  ): Promise<string> {
    const command = args[0] ?? "";
    const { code, isText, out, err } = await runProgram({
      argv: ["git", ...always, ...args],
      cwd,
      input,
      env: { GIT_TERMINAL_PROMPT: "0", GIT_OPTIONAL_LOCKS: "0" },
      signal: context.signal,
    });
    if (code !== 0) throw failure("tool_error", `git ${command}: ${(err || out).trim().slice(0, 600)}`, { committed: "no" });
    if (!isText) throw failure("invalid_output", `git ${command} gave something that is not text in UTF-8`, { committed: "no" });
    return out;
  }
  const line = async (context: ToolContext, args: readonly string[]): Promise<string> => (await git(context, args)).replace(/\n$/, "");
  const hasCommits = (context: ToolContext): Promise<boolean> =>
    git(context, ["rev-parse", "-q", "--verify", "HEAD"]).then(
      () => true,
      async () => {
        // Outside of a repository this fails with its reason.
        await git(context, ["rev-parse", "--git-dir"]);
        return false;
      },
    );
  /** A revision that git cannot take for an option. */
  const revision = (value: unknown): string => {
    const text = String(value);
    if (text === "" || text.startsWith("-")) throw failure("tool_error", `${JSON.stringify(text)} is no revision`, { committed: "no" });
    return text;
  };
  const only = (path: unknown): readonly string[] => ["--", ...(path === null || path === undefined ? [] : [String(path)])];
  return {
    diff: async ({ from, to, path }, context) => {
      const first = revision(from);
      // Before the first commit everything is a difference.
      const base =
        first === "HEAD" && !(await hasCommits(context)) ? (await line(context, ["hash-object", "-t", "tree", "--stdin"])).trim() : first;
      return git(context, ["diff", ...plainDiff, base, ...(to === null || to === undefined ? [] : [revision(to)]), ...only(path)]);
    },
    log: async ({ limit, path }, context) => {
      if (!(await hasCommits(context))) return [];
      const out = await git(context, [
        "log",
        "-z",
        "--encoding=UTF-8",
        `-n${Number(limit)}`,
        "--format=%H%x00%an%x00%aI%x00%s",
        ...only(path),
      ]);
      const parts = out.split("\0");
      const commits: { id: string; author: string; date: string; subject: string }[] = [];
      for (let i = 0; i + 3 < parts.length; i += 4) {
        const [id = "", author = "", date = "", subject = ""] = parts.slice(i, i + 4);
        commits.push({ id, author, date, subject });
      }
      return commits;
    },
    status: async (_args, context) => {
      const below = await line(context, ["rev-parse", "--show-prefix"]);
      const parts = (await git(context, ["status", "--porcelain=v1", "-z", "--untracked-files=all"])).split("\0");
      const found: { path: string; state: string }[] = [];
      for (let i = 0; i < parts.length; i++) {
        const part = parts[i] ?? "";
        if (part === "") continue;
        const marks = part.slice(0, 2);
        const conflict = /U|AA|DD/.test(marks);
        // Git counts from the top of the repository, programs from where they work.
        const path = below === "" ? part.slice(3) : posix.relative(below, part.slice(3));
        found.push({ path, state: conflict ? "conflicted" : (states[marks.trim().charAt(0)] ?? "modified") });
        // A renamed file is followed by its old name.
        if (/[RC]/.test(marks)) i++;
      }
      return found;
    },
    commit: async ({ message, paths }, context) => {
      if (String(message).trim() === "") throw failure("tool_error", "a commit needs a message", { committed: "no" });
      const chosen = (paths as readonly unknown[]).map(String);
      await git(context, ["add", ...(chosen.length === 0 ? ["-A"] : ["--", ...chosen])]);
      await git(context, ["commit", "-q", "-m", String(message), ...(chosen.length === 0 ? [] : ["--", ...chosen])]);
      return line(context, ["rev-parse", "HEAD"]);
    },
    apply: async ({ patch }, context) => {
      if (String(patch).trim() === "") return null;
      // From a folder below, git would leave out what lies beside it without a word.
      const cwd = await line(context, ["rev-parse", "--show-toplevel"]);
      await git(context, ["apply", "--whitespace=nowarn", "-"], { input: String(patch), cwd });
      return null;
    },
  };
}
