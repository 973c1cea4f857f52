/** `--model name=provider/model`: another model under a name that the program uses. */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import type { Graph, ModelIR } from "../plan/ir.js";
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
  return { ...graph, models };
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
