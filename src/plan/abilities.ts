/** What agents ask of their models that those cannot do: it is told when the program is compiled, not when it is paid for. */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../diagnostics/problems.js";
import type { AgentIR, ExprIR, Graph, MediaKind, ModelIR, TemplatePartIR } from "./ir.js";
import { modelsBehind } from "./media.js";
import { forEachExpr } from "./walk.js";

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
function mediaIn(prompt: ExprIR): ReadonlySet<MediaKind> {
  const found = new Set<MediaKind>();
  const inParts = (parts: readonly TemplatePartIR[]): void => {
    for (const part of parts) {
      if (part.kind === "value") {
        if (part.as === "image" || part.as === "audio" || part.as === "document") found.add(part.as);
      } else if (part.kind !== "text") {
        inParts(part.kind === "if" ? part.then : part.body);
        inParts(part.else);
      }
    }
  };
  forEachExpr(prompt, (e) => {
    if (e.kind === "template") inParts(e.parts);
  });
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
