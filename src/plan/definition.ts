/**
 * What a definition depends on beyond its own text: the callables that it names, recursive types, and of a model what
 * shapes its answers. It is part of the hash that guards the reuse of a result, so that an edit far below is noticed;
 * what only limits or prices requests is not.
 */
import type { CalleeRef, ModelIR, TypeIR } from "./ir.js";

export interface Mentions {
  readonly callees: ReadonlyMap<string, CalleeRef>;
  readonly types: ReadonlySet<string>;
}

const CALLABLES: ReadonlySet<unknown> = new Set(["flow", "agent", "tool", "capability"]);

/** Callables and recursive types that occur anywhere in a piece of a graph. */
export function mentions(piece: unknown): Mentions {
  const callees = new Map<string, CalleeRef>();
  const types = new Set<string>();
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) walk(item);
    else if (typeof value === "object" && value !== null) {
      const { kind, id, name } = value as Readonly<Record<string, unknown>>;
      if (typeof id === "string" && CALLABLES.has(kind)) callees.set(`${String(kind)} ${id}`, value as CalleeRef);
      else if (kind === "ref" && typeof name === "string") types.add(name);
      for (const inner of Object.values(value)) walk(inner);
    }
  };
  walk(piece);
  return { callees, types };
}

/** Recursive types with all that they mention, in the order of their names. */
export function writtenOut(types: Iterable<string>, named: Readonly<Record<string, TypeIR>>): readonly unknown[] {
  const seen = new Map<string, TypeIR | undefined>();
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.set(name, named[name]);
    for (const inner of mentions(named[name]).types) visit(inner);
  };
  for (const name of types) visit(name);
  return [...seen].sort(([a], [b]) => (a < b ? -1 : 1)).flat();
}

/** What of a model, and of the models of its group, shapes the answers. */
export function answering(id: string, models: (id: string) => ModelIR | undefined): readonly unknown[] {
  const found = models(id);
  if (found === undefined) return [id];
  const { provider, model, baseUrl, temperature, maxOutput, options, fallback, balance } = found;
  const others = [...(fallback ?? []), ...(balance ?? [])];
  return [{ provider, model, baseUrl, temperature, maxOutput, options }, ...others.map((other) => answering(other, models))];
}
