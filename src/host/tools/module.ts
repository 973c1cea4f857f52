/**
 * Tools that are functions of a TypeScript or JavaScript module. A module is loaded once, when a run first needs it:
 * by the platform where it can, which strips types itself, else through tsx. What goes wrong is told in a sentence.
 */
import { existsSync } from "node:fs";
import { isAbsolute, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { ToolIR } from "../../plan/ir.js";
import { thrownMessage } from "../../runtime/failure.js";
import type { ToolFunction } from "../../runtime/tool.js";
import { outsideOf } from "../files.js";
import { outside } from "../outside.js";

export interface ModuleOptions {
  /** Where relative paths of modules start. */
  readonly directory: string;
  /** How long a module may take to load. */
  readonly loadMs?: number;
}

/** A module that waits for something that never comes would hold the run before it has begun. */
const LOAD_MS = 30_000;

type Loaded = Readonly<Record<string, unknown>>;

export function moduleLoader(options: ModuleOptions): (tool: ToolIR) => Promise<ToolFunction> {
  const loaded = new Map<string, Promise<Loaded>>();
  return async (tool) => {
    const { binding } = tool;
    if (binding.kind !== "module") throw new Error("This tool is not bound to a module.");
    const path = isAbsolute(binding.file) ? binding.file : resolve(options.directory, binding.file);
    const shown = relative(options.directory, path) || path;
    const declaring = resolve(options.directory, tool.span.file);
    const outside = existsSync(path) && existsSync(declaring) ? outsideOf(declaring, path) : undefined;
    if (outside !== undefined) throw new Error(`${shown} lies outside of the project ${outside}.`);
    let module = loaded.get(path);
    if (module === undefined) {
      module = within(options.loadMs ?? LOAD_MS, shown, load(path, shown));
      loaded.set(path, module);
    }
    const exports = await module;
    const found = exports[binding.export] ?? property(exports["default"], binding.export);
    if (typeof found === "function") return found as ToolFunction;
    const names = Object.keys(exports).filter((name) => typeof exports[name] === "function");
    if (found !== undefined) throw new Error(`${shown} exports \`${binding.export}\`, but it is not a function.`);
    throw new Error(
      `${shown} does not export \`${binding.export}\`. ${names.length === 0 ? "It exports no functions." : `It exports ${names.join(", ")}.`}`,
    );
  };
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Loaded)[name] : undefined;
}

async function within(ms: number, shown: string, loading: Promise<Loaded>): Promise<Loaded> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`Loading ${shown} did not end within ${ms / 1000} s.`)), ms);
  });
  try {
    return await Promise.race([loading, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function load(path: string, shown: string): Promise<Loaded> {
  if (!existsSync(path)) throw new Error(`There is no file ${shown}.`);
  const url = pathToFileURL(path).href;
  try {
    return await outside<Loaded>(url);
  } catch (thrown) {
    if (!/\.[cm]?tsx?$/.test(path) || !needsTsx(thrown)) throw new Error(`Loading ${shown} failed: ${firstLines(thrown)}`);
  }
  try {
    const { tsImport } = await outside<typeof import("tsx/esm/api")>("tsx/esm/api");
    return (await tsImport(url, import.meta.url)) as Loaded;
  } catch (thrown) {
    throw new Error(`Loading ${shown} failed: ${firstLines(thrown)}`);
  }
}

/** Whether the platform could not read the module although tsx may: syntax that is not only types, `.js` for `.ts`. */
function needsTsx(thrown: unknown): boolean {
  const code = property(thrown, "code");
  return (
    code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX" ||
    code === "ERR_INVALID_TYPESCRIPT_SYNTAX" ||
    code === "ERR_UNKNOWN_FILE_EXTENSION" ||
    code === "ERR_MODULE_NOT_FOUND" ||
    thrown instanceof SyntaxError
  );
}

function firstLines(thrown: unknown): string {
  const lines = thrownMessage(thrown)
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^\s+at /.test(line));
  return lines.slice(0, 6).join("\n");
}
