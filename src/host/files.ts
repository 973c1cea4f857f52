/**
 * Where the compiler's files come from on a real machine: the project's own, `std/…` from the package, and packages
 * that export `.weave` files (by `"weave"` in their package.json, or a `weave` condition or `.weave` path in its
 * `exports`). Paths are as the user would write them; a standard module is called `std:name`. A file is read once; what
 * could not be read is remembered with the reason, so that nothing unreadable passes as absent.
 */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve as resolvePath, sep } from "node:path";
import { fileURLToPath } from "node:url";

export type Unreadable =
  | { readonly kind: "missing" }
  | { readonly kind: "folder" }
  /** `offset` is that of the first byte that begins no UTF-8 character. */
  | { readonly kind: "binary"; readonly offset: number }
  | { readonly kind: "refused"; readonly reason: string }
  /** An import may not lead out of the project. */
  | { readonly kind: "outside"; readonly project: string };

export interface FileHost {
  /** The text of a file, or undefined when there is none that can be read. */
  read(path: string): string | undefined;
  /** The path of an import, or undefined when nothing can have that name. */
  resolve(from: string, specifier: string): string | undefined;
  /** Why a file that is there cannot be read, as a sentence without its full stop. */
  reason(path: string): string | undefined;
  /** Why a path could not be read. */
  failures(): ReadonlyMap<string, Unreadable>;
}

const STD = "std:";

/** The folder of the installed package: the one that holds `stdlib`, `docs` and `package.json`. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "stdlib")) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/** The version of this package. */
export function packageVersion(): string {
  const manifest: { version: string } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8"));
  return manifest.version;
}

/** A host that reads from the disk; `overlay` has texts that stand in for files (an editor's, a test's). */
export function fileHost(overlay: ReadonlyMap<string, string> = new Map()): FileHost {
  const texts = new Map<string, string | undefined>();
  const failures = new Map<string, Unreadable>();
  const stdlib = join(packageRoot(), "stdlib");

  const read = (path: string): string | undefined => {
    const known = overlay.get(path) ?? texts.get(path);
    if (known !== undefined || texts.has(path) || failures.get(path)?.kind === "outside") return known;
    const result = readText(path.startsWith(STD) ? join(stdlib, `${path.slice(STD.length)}.weave`) : path);
    if (result.kind !== "text") failures.set(path, result);
    const text = result.kind === "text" ? result.text : undefined;
    texts.set(path, text);
    return text;
  };

  /** A path that is there; one that leads out of the project of the file that imports it will not be read. */
  const inProject = (from: string, path: string): string | undefined => {
    if (!existsSync(path)) return undefined;
    const outside = outsideOf(from, path);
    if (outside !== undefined) failures.set(path, { kind: "outside", project: outside });
    return path;
  };

  const resolve = (from: string, specifier: string): string | undefined => {
    if (specifier.startsWith("std/")) return inside(STD + specifier.slice(4));
    if (specifier.startsWith("./") || specifier.startsWith("../")) {
      if (from.startsWith(STD)) return inside(`${STD}${join(dirname(from.slice(STD.length)), specifier).replace(/\.weave$/, "")}`);
      const path = posix(join(dirname(from), specifier));
      return overlay.has(path) ? path : inProject(from, path);
    }
    const file = packageFile(dirname(resolvePath(from)), specifier);
    return file === undefined ? undefined : shown(file);
  };

  const reason = (path: string): string | undefined => {
    const failure = failures.get(path);
    if (failure?.kind === "folder") return "It is a folder";
    if (failure?.kind === "binary") return `The byte at offset ${failure.offset} begins no UTF-8 character`;
    if (failure?.kind === "outside") return `It lies outside of the project ${failure.project}`;
    return failure?.kind === "refused" ? `The system says: ${failure.reason}` : undefined;
  };

  return { read, resolve, reason, failures: () => failures };
}

/**
 * The project of a file: its package where it is installed, else the working directory or the repository, whichever is
 * wider, else its folder. What it names (imports, modules of tools) stays inside, links followed.
 */
export function projectOf(file: string): string {
  const path = real(resolvePath(file));
  const installed = /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(path)?.[1];
  if (installed !== undefined) return installed;
  let project = dirname(path);
  const working = real(process.cwd());
  if (within(working, path)) project = working;
  for (let folder = dirname(path); dirname(folder) !== folder; folder = dirname(folder)) {
    if (!existsSync(join(folder, ".git"))) continue;
    return within(folder, project) ? folder : project;
  }
  return project;
}

/** The project of a file, if another path leads out of it. */
export function outsideOf(file: string, path: string): string | undefined {
  const project = projectOf(file);
  return within(project, real(resolvePath(path))) ? undefined : project;
}

function within(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return dirname(path) === path ? path : join(real(dirname(path)), basename(path));
  }
}

/** The module, if the package has it: a name that climbs out of the library is none. */
function inside(name: string): string | undefined {
  const path = join(packageRoot(), "stdlib", `${name.slice(STD.length)}.weave`);
  return name.includes("..") || !existsSync(path) ? undefined : posix(name);
}

/** A path as the user would write it: relative to the working directory where it lies inside. */
export function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near === "" || near.startsWith("..") || isAbsolute(near) ? path : posix(near);
}

const posix = (path: string): string => (sep === "/" ? path : path.split(sep).join("/"));

/** Reads a text file, and says exactly why where that is impossible. */
export function readText(path: string): { readonly kind: "text"; readonly text: string } | Unreadable {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return { kind: "missing" };
    if (code === "EISDIR") return { kind: "folder" };
    return { kind: "refused", reason: code === "EACCES" || code === "EPERM" ? "permission denied" : (code ?? String(error)) };
  }
  try {
    return { kind: "text", text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return { kind: "binary", offset: firstInvalid(bytes) };
  }
}

/** The code of what the system or Node said, such as `ENOENT`. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

/** The longest prefix that is UTF-8 ends where a lossy reading and the bytes part. */
function firstInvalid(bytes: Buffer): number {
  const again = Buffer.from(bytes.toString("utf8"), "utf8");
  for (let i = 0; i < bytes.length; i++) if (again[i] !== bytes[i]) return i;
  return bytes.length;
}

/** The file a package exports under a specifier, searched upwards from a folder. */
function packageFile(from: string, specifier: string): string | undefined {
  const parts = specifier.split("/");
  const name = parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  const inner = parts.slice(specifier.startsWith("@") ? 2 : 1).join("/");
  if (name === "" || parts.includes("..")) return undefined;
  for (let folder = from; ; folder = dirname(folder)) {
    const root = join(folder, "node_modules", name);
    if (existsSync(join(root, "package.json"))) {
      const file = exported(root, inner);
      // A package's table of exports leads to its own files only.
      return file === undefined || !within(real(root), real(file)) ? undefined : file;
    }
    if (dirname(folder) === folder) return undefined;
  }
}

function exported(root: string, inner: string): string | undefined {
  const text = readText(join(root, "package.json"));
  if (text.kind !== "text") return undefined;
  let manifest: unknown;
  try {
    manifest = JSON.parse(text.text);
  } catch {
    return undefined;
  }
  const key = inner === "" ? "." : `./${inner}`;
  const candidates = [pick(manifest, ["weave"], key), pick(manifest, ["exports"], key)];
  const found = candidates.find((path) => path?.endsWith(".weave"));
  if (found !== undefined) return join(root, found);
  const direct = join(root, inner);
  return inner.endsWith(".weave") && pick(manifest, ["exports"], ".") === undefined && existsSync(direct) ? direct : undefined;
}

/** The path that a package.json field gives for a key: a text for the package itself, or a table, with a `weave` condition or not. */
function pick(value: unknown, path: readonly string[], key: string): string | undefined {
  const at = path.reduce<unknown>((object, name) => (isObject(object) ? object[name] : undefined), value);
  if (typeof at === "string") return key === "." ? at : undefined;
  if (!isObject(at)) return undefined;
  const entry = at[key] ?? (key === "." ? at["weave"] : undefined);
  return typeof entry === "string" ? entry : isObject(entry) && typeof entry["weave"] === "string" ? entry["weave"] : undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

const SKIPPED = new Set(["node_modules", "dist", "coverage"]);

/** All `.weave` files under a folder, sorted, without hidden folders and those that are built or installed. */
export function weaveFiles(folder: string): string[] {
  const found: string[] = [];
  const visit = (at: string): void => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (entry.isDirectory() && !SKIPPED.has(entry.name) && !entry.name.startsWith(".")) visit(path);
      else if (entry.isFile() && entry.name.endsWith(".weave")) found.push(posix(path));
    }
  };
  visit(folder);
  return found.sort();
}

/** Whether a path is a folder. */
export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
