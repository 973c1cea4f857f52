/** `--model name=provider/model`: another model under a name that the program uses. */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import { answering } from "../plan/definition.js";
import { hashOf } from "../plan/hash.js";
import type { AgentIR, FlowIR, Graph, ModelIR } from "../plan/ir.js";
import { reach } from "../runtime/reach.js";
import { loadProgram } from "./program.js";

/** The graph with models replaced; what cannot be is reported. */
export function overrideModels(graph: Graph, overrides: readonly string[], found: Problems): Graph {
  if (overrides.length === 0) return graph;
  const models: Record<string, ModelIR> = { ...graph.models };
  const known = [...Object.values(graph.models), ...Object.values(loadProgram("std:models").compiled.graph?.models ?? {})];
  const names = Object.values(graph.models).map((model) => model.name);
  for (const override of overrides) {
    const match = /^([^=]+)=([^/]+)\/(.+)$/.exec(override);
    const [, name = override, provider, model] = match ?? [];
    const ids = Object.keys(models).filter((id) => models[id]?.name === name);
    if (match === null || provider === undefined || model === undefined) {
      found.report(d.modelOption, { file: "", start: 0, end: 0 }, { text: override });
      continue;
    }
    if (ids.length === 0)
      found.report(d.unknownModel, { file: graph.file, start: 0, end: 0 }, { name, models: names, near: nearest(name, names) });
    for (const id of ids) {
      const before = models[id];
      if (before === undefined) continue;
      const after = replaced(before, provider, model, known);
      models[id] = after;
      if (after.price === undefined) found.report(d.overrideWithoutPrice, before.span, { name, model: `${provider}/${model}` });
    }
  }
  return redefined({ ...graph, models }, new Set(Object.keys(models).filter((id) => models[id] !== graph.models[id])));
}

/** Whatever can reach a replaced model is something else now: its results are not used for one another. */
function redefined(graph: Graph, replaced: ReadonlySet<string>): Graph {
  if (replaced.size === 0) return graph;
  const anew = <T extends AgentIR | FlowIR>(all: Readonly<Record<string, T>>): Readonly<Record<string, T>> =>
    Object.fromEntries(
      Object.entries(all).map(([id, ir]) => {
        const used = reach(graph, [{ kind: ir.kind, id: ir.id }]).models.filter((model) => replaced.has(model));
        const hash = used.length === 0 ? ir.hash : hashOf([ir.hash, used.map((model) => answering(model, (other) => graph.models[other]))]);
        return [id, { ...ir, hash }];
      }),
    );
  return { ...graph, agents: anew(graph.agents), flows: anew(graph.flows) };
}

/**
 * Limits and prices are those of the model that is now used, where the program or `std/models` has it; never those of
 * the old one. Another model of the same provider is asked at the same address, with the same key.
 */
function replaced(before: ModelIR, provider: string, model: string, known: readonly ModelIR[]): ModelIR {
  const same = known.find((each) => each.provider === provider && each.model === model);
  const { id, name, span, temperature, baseUrl, apiKey } = before;
  const kept = {
    ...(temperature === undefined ? {} : { temperature }),
    ...(before.provider !== provider || baseUrl === undefined ? {} : { baseUrl }),
    ...(before.provider !== provider || apiKey === undefined ? {} : { apiKey }),
  };
  return { ...(same ?? { options: {} }), id, name, span, provider, model, ...kept };
}
