/** `weave check --online`: asks the MCP servers of a program what they have, and reports where the declarations differ. */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { type Problem, problems } from "../diagnostics/problems.js";
import { compareTools } from "../host/mcp/compare.js";
import { toolsOf } from "../host/mcp/inspect.js";
import type { Graph } from "../plan/ir.js";
import { thrownMessage } from "../runtime/failure.js";
import { scrubber } from "../runtime/scrub.js";
import { serversOf } from "../runtime/servers.js";

/** What differs, in order of place. */
export async function checkOnline(graph: Graph): Promise<readonly Problem[]> {
  const found = problems();
  const environment = (name: string): string | undefined => process.env[name];
  const servers = serversOf(graph, environment, found);
  const { text: clean } = scrubber(servers.flatMap(({ env, headers }) => [...Object.values(env), ...Object.values(headers)]));
  await Promise.all(
    servers.map(async (server) => {
      const declared = Object.values(graph.tools).filter(({ binding }) => binding.kind === "mcp" && binding.server === server.id);
      try {
        const tools = await toolsOf(server, process.cwd());
        compareTools({ server: server.name, declared, found: tools, types: graph.types }, found);
      } catch (thrown) {
        const span = graph.mcps[server.id]?.span ?? { file: graph.file, start: 0, end: 0 };
        found.report(d.serverUnreachable, span, { server: server.name, reason: clean(thrownMessage(thrown)) });
      }
    }),
  );
  return found.list();
}
