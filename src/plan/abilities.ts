/** What agents ask of their models that those cannot do: it is told when the program is compiled, not when it is paid for. */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../diagnostics/problems.js";
import type { AgentIR, Graph, ModelIR } from "./ir.js";

/** Reports agents whose models cannot carry them out. */
export function checkAbilities(graph: Graph, problems: Problems): void {
  for (const agent of Object.values(graph.agents)) {
    if (agent.span.file.startsWith("std:")) continue;
    for (const model of modelsBehind(graph, agent.model)) checkTools(agent, model, problems);
  }
}

function checkTools(agent: AgentIR, model: ModelIR, problems: Problems): void {
  if (model.provider !== "command" || agent.tools.length === 0) return;
  problems.report(
    d.toolsOfCommand,
    agent.span,
    { agent: agent.name, model: model.name },
    { related: [{ span: model.span, message: "this model" }] },
  );
}

/** The models that an agent may be answered by: those of a group, or the one. */
function modelsBehind(graph: Graph, id: string, seen: Set<string> = new Set()): readonly ModelIR[] {
  const model = graph.models[id];
  if (model === undefined || seen.has(id)) return [];
  seen.add(id);
  const group = model.fallback ?? model.balance;
  return group === undefined ? [model] : group.flatMap((each) => modelsBehind(graph, each, seen));
}
