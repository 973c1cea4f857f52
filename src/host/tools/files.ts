/**
 * The module `std/fs`. Paths are relative to the working directory and stay inside the project, links followed, unless
 * more was allowed. A search leaves out `.git` and `node_modules` unless it starts inside them.
 */
import { isUtf8 } from "node:buffer";
import {
  appendFile,
  glob as globFiles,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  stat as statFile,
  writeFile,
} from "node:fs/promises";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { failure } from "../../runtime/failure.js";
import type { ToolFunction } from "../../runtime/tool.js";
import { codeOf } from "../files.js";

export interface FileOptions {
  /** The working directory. */
  readonly directory: string;
  /** Paths outside it that may be used. */
  readonly allowed: readonly string[];
  /** Hosts that media may be read from although they are not of the public internet: `name` or `name:port`. */
  readonly hosts?: readonly string[];
}

const leftOut = [".git", ".weave", "node_modules"];
const mostMatches = 1_000;
const mostLinks = 40;

export function fileTools(options: FileOptions): Readonly<Record<string, ToolFunction>> {
  const at = (path: unknown): Promise<string> => confined(String(path), options);
  const shown = (path: string): string => relative(options.directory, path).split(sep).join("/") || ".";

  async function search(dir: unknown, pattern: unknown): Promise<string[]> {
    const root = await at(dir);
    const text = String(pattern);
    if (isAbsolute(text) || text.split(/[\\/]/).includes(".."))
      throw failure("tool_error", `the pattern ${text} leads out of ${String(dir)}`);
    const info = await statFile(root).catch(told(shown(root)));
    if (!info.isDirectory()) throw failure("tool_error", `${shown(root)} is not a folder`);
    const found: string[] = [];
    // A pattern can name a link to a folder elsewhere.
    const folders = new Map<string, Promise<boolean>>();
    const isInside = (folder: string): Promise<boolean> => {
      let known = folders.get(folder);
      if (known === undefined) {
        known = confined(folder, options).then(
          () => true,
          () => false,
        );
        folders.set(folder, known);
      }
      return known;
    };
    const out = leftOut.filter((name) => !root.split(sep).includes(name) && !text.split("/").includes(name));
    for await (const entry of globFiles(text, { cwd: root, withFileTypes: true, exclude: (entry) => out.includes(entry.name) })) {
      if (entry.isFile() && (await isInside(entry.parentPath))) found.push(shown(join(entry.parentPath, entry.name)));
    }
    return found.sort();
  }

  return {
    glob: ({ dir, pattern }) => search(dir, pattern),
    grep: async ({ dir, pattern, text }, { signal, log }) => {
      const matches: { path: string; line: number; text: string }[] = [];
      const wanted = String(text);
      for (const path of await search(dir, pattern)) {
        signal.throwIfAborted();
        const bytes = await readFile(resolve(options.directory, path)).catch(told(path));
        if (!bytes.includes(wanted)) continue;
        if (!isUtf8(bytes)) {
          log(`grep: ${path} is not a text in UTF-8; it is left out`);
          continue;
        }
        const content = bytes.toString("utf8");
        for (const [i, line] of content.split(/\r?\n/).entries()) {
          if (!line.includes(wanted)) continue;
          if (matches.length === mostMatches) {
            log(`grep: more than ${mostMatches} lines contain ${JSON.stringify(wanted)}; the rest is left out`);
            return matches;
          }
          matches.push({ path, line: i + 1, text: line });
        }
      }
      return matches;
    },
    read_text: async ({ path }) => {
      const bytes = await readFile(await at(path)).catch(told(String(path)));
      try {
        return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      } catch {
        throw failure("tool_error", `${String(path)} is not a text in UTF-8`);
      }
    },
    stat: async ({ path }) => {
      try {
        const info = await statFile(await at(path));
        return { size: info.size, modified: info.mtime.toISOString(), is_dir: info.isDirectory() };
      } catch (thrown) {
        if (codeOf(thrown) === "ENOENT" || codeOf(thrown) === "ENOTDIR") return null;
        return told(String(path))(thrown);
      }
    },
    list_dir: async ({ path }) => {
      const entries = await readdir(await at(path), { withFileTypes: true }).catch(told(String(path)));
      return entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort();
    },
    write_text: async ({ path, text }) => {
      const target = await at(path);
      await mkdir(dirname(target), { recursive: true }).catch(told(String(path)));
      await writeFile(target, String(text)).catch(told(String(path)));
      return null;
    },
    append_text: async ({ path, text }) => {
      const target = await at(path);
      await mkdir(dirname(target), { recursive: true }).catch(told(String(path)));
      await appendFile(target, String(text)).catch(told(String(path)));
      return null;
    },
    remove: async ({ path }) => {
      const target = await at(path);
      if (target === (await realpath(options.directory))) throw failure("tool_error", "the project itself cannot be removed");
      await rm(target, { recursive: true, force: true }).catch(told(String(path)));
      return null;
    },
    make_dir: async ({ path }) => {
      await mkdir(await at(path), { recursive: true }).catch(told(String(path)));
      return null;
    },
  };
}

/** The real place of a path, which must be inside the project or what was allowed. */
export async function confined(path: string, { directory, allowed }: FileOptions): Promise<string> {
  if (path.includes("\0")) throw failure("tool_error", "a path cannot hold a zero byte");
  const wanted = await real(resolve(directory, path));
  for (const root of [directory, ...allowed]) {
    const within = relative(await real(resolve(directory, root)), wanted);
    if (within === "" || (within !== ".." && !within.startsWith(`..${sep}`) && !isAbsolute(within))) return wanted;
  }
  throw failure("denied", `${path} is outside the project; \`--allow-path ${path}\` allows it`);
}

/** Follows links as far as the path exists. */
async function real(path: string, hops = 0): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    // A link to what is not there yet leads to where it would be made.
    const target = await readlink(path).catch(() => undefined);
    if (target !== undefined && hops < mostLinks) return real(resolve(dirname(path), target), hops + 1);
    const parent = dirname(path);
    return parent === path ? path : join(await real(parent, hops), path.slice(parent.length).replace(/^[\\/]+/, ""));
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is not a folder",
  EACCES: "it may not be accessed",
  EPERM: "it may not be changed",
  ENOSPC: "the disk is full",
};

function told(path: string): (thrown: unknown) => never {
  return (thrown) => {
    const code = codeOf(thrown);
    const committed =
      code === "ENOENT" || code === "EACCES" || code === "EISDIR" || code === "ENOTDIR" || code === "EPERM" ? "no" : "unknown";
    throw failure(
      "tool_error",
      `${path}: ${(code === undefined ? undefined : reasons[code]) ?? (thrown instanceof Error ? thrown.message : String(thrown))}`,
      { committed },
    );
  };
}
