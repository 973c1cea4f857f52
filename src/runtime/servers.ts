/** The MCP servers of a program, to be asked what they have. */
import type { Problems } from "../diagnostics/problems.js";
import type { Graph, McpIR } from "../plan/ir.js";
import { mcpServer } from "./mcp-server.js";
import { bareContext, readGlobals } from "./prepare.js";
import type { McpServer } from "./tool.js";

/** The servers of a program; one that needs a variable that is not set is reported and left out. */
export function serversOf(graph: Graph, environment: (name: string) => string | undefined, found: Problems): readonly McpServer[] {
  return Object.values(graph.mcps).flatMap((ir) => {
    const needed = globalsIn(graph, ir);
    const globals = graph.globals.filter(({ id }) => needed.has(id));
    const before = found.list().length;
    const values = readGlobals({ ...graph, globals }, { environment }, found);
    return found.list().length > before ? [] : [mcpServer(ir, bareContext(graph, values))()];
  });
}

/** Ids of the constants that a server's texts are made of. */
function globalsIn(graph: Graph, ir: McpIR): ReadonlySet<string> {
  const needed = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const { kind, id } = value as { kind?: unknown; id?: unknown };
    if (kind === "ref" && typeof id === "string" && !needed.has(id)) {
      needed.add(id);
      for (const global of graph.globals) if (global.id === id) visit(global);
    }
    for (const each of Object.values(value)) visit(each);
  };
  visit(ir);
  return needed;
}
