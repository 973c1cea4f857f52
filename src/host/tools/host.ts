/** The tools of a run on a real machine: modules of the project, the standard modules, programs and web requests. */
import { resolve } from "node:path";
import type { ToolIR } from "../../plan/ir.js";
import type { ToolFunction, ToolHost, Worktrees } from "../../runtime/tool.js";
import type { McpPool } from "../mcp/pool.js";
import type { FileOptions } from "./files.js";
import { moduleLoader } from "./module.js";
import { standardModule } from "./std.js";

export interface ToolOptions extends FileOptions {
  /** How long a module may take to load; 30 seconds. */
  readonly loadMs?: number;
  /** Functions that stand in for modules, by name of the tool: what an embedding program passes in. */
  readonly functions?: Readonly<Record<string, ToolFunction>>;
  /** What `@isolate` makes: a worktree of the project's git repository, or in tests an empty folder. */
  readonly isolation?: "git" | "temporary";
}

/** A tool that whoever embeds the program supplies has a module of this form. */
export const HOST = "host:";

export function toolHost(options: ToolOptions): ToolHost {
  const loadModule = moduleLoader(options);
  const load = async (tool: ToolIR): Promise<ToolFunction> => {
    const { binding } = tool;
    const functions = options.functions ?? {};
    const given = Object.hasOwn(functions, tool.name) ? functions[tool.name] : undefined;
    if (given !== undefined) return given;
    if (binding.kind === "module" && binding.file.startsWith(HOST))
      throw new Error(
        `It is supplied by the program that runs this one: give it to \`run\` as \`tools: { ${tool.name}: … }\`, or to \`registerTool\`. \`weave test\` stubs it.`,
      );
    if (binding.kind !== "module" || !binding.file.startsWith("std:")) return loadModule(tool);
    const name = binding.file.slice("std:".length);
    const module = await standardModule(name, options);
    const found = module?.[binding.export];
    if (found === undefined) throw new Error(`The standard module ${name} has no function \`${binding.export}\`.`);
    // The same function for another folder, made for each worktree that it is used in.
    return async (args, context) => {
      if (context.cwd === options.directory) return found(args, context);
      const elsewhere = await standardModule(name, { directory: context.cwd, allowed: allowed });
      return elsewhere?.[binding.export]?.(args, context);
    };
  };
  const allowed = options.allowed.map((path) => resolve(options.directory, path));
  // Made when a run first calls a tool of a server, and not even imported before.
  let pool: Promise<McpPool> | undefined;
  let worktrees: Promise<Worktrees> | undefined;
  const made = (): Promise<Worktrees> => {
    worktrees ??=
      options.isolation === "temporary"
        ? import("../worktree/temporary.js").then(({ temporaryWorktrees }) => temporaryWorktrees)
        : import("../worktree/worktrees.js").then(({ gitWorktrees }) => gitWorktrees(options.directory));
    return worktrees;
  };
  return {
    directory: options.directory,
    worktrees: {
      open: async (asked) => (await made()).open(asked),
      finish: async (asked) => (await made()).finish(asked),
      sweep: async (run) => (await made()).sweep(run),
    },
    load,
    exec: async (request, context) => (await import("./exec.js")).execTool(request, context, context.cwd),
    http: async (request, context) => (await import("./http.js")).httpTool(request, context),
    mcp: async (request, context) => {
      pool ??= import("../mcp/pool.js").then(({ mcpPool }) => mcpPool());
      return (await pool).call(request, context.cwd, context);
    },
    close: async (run, directory) => {
      await (await pool)?.close(run, directory);
    },
  };
}
