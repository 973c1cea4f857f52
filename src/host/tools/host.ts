/** The tools of a run on a real machine: modules of the project, the standard modules, programs and web requests. */
import type { ToolIR } from "../../plan/ir.js";
import type { ToolFunction, ToolHost } from "../../runtime/tool.js";
import type { McpPool } from "../mcp/pool.js";
import type { FileOptions } from "./files.js";
import { moduleLoader } from "./module.js";
import { standardModule } from "./std.js";

export interface ToolOptions extends FileOptions {
  /** How long a module may take to load; 30 seconds. */
  readonly loadMs?: number;
  /** Functions that stand in for modules, by name of the tool: what an embedding program passes in. */
  readonly functions?: Readonly<Record<string, ToolFunction>>;
}

export function toolHost(options: ToolOptions): ToolHost {
  const loadModule = moduleLoader(options);
  const load = async (tool: ToolIR): Promise<ToolFunction> => {
    const given = options.functions?.[tool.name];
    if (given !== undefined) return given;
    const { binding } = tool;
    if (binding.kind !== "module" || !binding.file.startsWith("std:")) return loadModule(tool);
    const module = await standardModule(binding.file.slice("std:".length), options);
    const found = module?.[binding.export];
    if (found === undefined)
      throw new Error(`The standard module ${binding.file.slice("std:".length)} has no function \`${binding.export}\`.`);
    return found;
  };
  // Made when a run first calls a tool of a server, and not even imported before.
  let pool: Promise<McpPool> | undefined;
  return {
    load,
    exec: async (request, context) => (await import("./exec.js")).execTool(request, context, options.directory),
    http: async (request, context) => (await import("./http.js")).httpTool(request, context),
    mcp: async (request, context) => {
      pool ??= import("../mcp/pool.js").then(({ mcpPool }) => mcpPool());
      return (await pool).call(request, options.directory, context);
    },
    close: async (run) => {
      await (await pool)?.close(run);
    },
  };
}
