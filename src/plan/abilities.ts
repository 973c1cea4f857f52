/** What agents ask of their models that those cannot do: it is told when the program is compiled, not when it is paid for. */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../diagnostics/problems.js";
import type { AgentIR, Graph, MediaKind, ModelIR } from "./ir.js";
import { modelsBehind } from "./media.js";

/** Reports agents whose models cannot carry them out. */
export function checkAbilities(graph: Graph, problems: Problems): void {
  for (const agent of Object.values(graph.agents)) {
    if (agent.span.file.startsWith("std:")) continue;
    const media = mediaIn(agent.prompt);
    for (const model of modelsBehind(graph, agent.model)) {
      checkTools(agent, model, problems);
      checkMedia(agent, model, media, problems);
    }
  }
}

/** What stands in a prompt beside texts. */
function mediaIn(prompt: unknown, found: Set<MediaKind> = new Set()): ReadonlySet<MediaKind> {
  if (typeof prompt !== "object" || prompt === null) return found;
  const as = "as" in prompt ? prompt.as : undefined;
  if (as === "image" || as === "audio" || as === "document") found.add(as);
  for (const each of Object.values(prompt)) mediaIn(each, found);
  return found;
}

function checkMedia(agent: AgentIR, model: ModelIR, media: ReadonlySet<MediaKind>, problems: Problems): void {
  if (model.provider === "sim") return;
  for (const kind of media) {
    if (model.media?.[kind] !== undefined && model.provider !== "command") continue;
    problems.report(
      d.mediaOfModel,
      agent.span,
      { agent: agent.name, model: model.name, kind, command: model.provider === "command" },
      { related: [{ span: model.span, message: "this model" }] },
    );
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
