/**
 * Values of a type drawn from a seed, for the simulator and for tests: always valid (bounds, patterns, tags), short and
 * plausible. With `full` every length is taken to its limit.
 */
import type { TypeIR } from "../plan/ir.js";
import type { Reference } from "../plan/references.js";
import { failure } from "./failure.js";
import { sampleText } from "./sample-text.js";
import { named, type Types } from "./shape.js";
import { assertNever, type Fields, isPlain, setField } from "./values.js";

export interface SampleOptions {
  readonly types: Types;
  readonly random: () => number;
  /** Lists and texts as long as they may be. */
  readonly full?: boolean;
  /** Fields by which the records of a list name each other: they name records before them. */
  readonly references?: readonly Reference[];
}

/** Nesting after which the shortest value is taken, so that recursive types end. */
const deep = 4;

export function sample(type: TypeIR, options: SampleOptions): unknown {
  return drawn(type, options, 0, "");
}

function between(random: () => number, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

function drawn(type: TypeIR, options: SampleOptions, depth: number, name: string): unknown {
  const { random } = options;
  switch (type.kind) {
    case "string":
      return sampleText(type, random, options.full === true, name);
    case "int": {
      const low = Math.ceil(type.min ?? Math.min(0, type.max ?? 0));
      const high = Math.floor(type.max ?? Math.max(low + 100, low));
      return between(random, low, high);
    }
    case "float": {
      const low = type.min ?? Math.min(0, type.max ?? 0);
      const high = type.max ?? low + 100;
      const exact = low + random() * (high - low);
      const rounded = Math.round(exact * 100) / 100;
      return rounded >= low && rounded <= high ? rounded : exact;
    }
    case "bool":
      return random() < 0.5;
    case "null":
      return null;
    case "json":
      return { note: sampleText({ kind: "string" }, random, false, "note") };
    case "duration":
      return between(random, 1, 60) * 1000;
    case "money":
      return between(random, 1, 500) / 100;
    case "image":
    case "audio":
    case "document":
      return `sample-${type.kind}`;
    case "literal":
      return type.value;
    case "list":
      return listOf(type, options, depth, name);
    case "map": {
      const out: Record<string, unknown> = {};
      const size = depth >= deep ? 0 : between(random, 1, 3);
      for (let i = 0; i < size; i++) setField(out, `key_${i + 1}`, drawn(type.of, options, depth + 1, name));
      return out;
    }
    case "record": {
      const out: Record<string, unknown> = {};
      for (const field of type.fields) setField(out, field.name, drawn(field.type, options, depth + 1, field.name));
      return out;
    }
    case "union":
      return memberOf(type, options, depth, name);
    case "ref":
      return drawn(named(options.types, type.name), options, depth + 1, name);
    case "secret":
      return drawn(type.of, options, depth, name);
    case "never":
      throw failure("invalid_output", "no value has the type `never`");
    default:
      return assertNever(type);
  }
}

function listOf(type: Extract<TypeIR, { kind: "list" }>, options: SampleOptions, depth: number, name: string): unknown[] {
  const { random } = options;
  const low = type.min ?? 0;
  const most = type.max ?? Math.max(low, 3);
  const usual = Math.min(most, Math.max(low, 4));
  const size = options.full === true ? most : depth >= deep ? low : between(random, Math.max(low, Math.min(1, most)), usual);
  const draw = (): unknown => drawn(type.of, options, depth + 1, name);
  const items = Array.from({ length: size }, draw);
  for (const reference of options.references ?? []) refer(items, reference, options.random, draw);
  return items;
}

/** Gives records of a list names of their own where they can have them, and has each need some of those before it. */
function refer(items: unknown[], { key, needs }: Reference, random: () => number, draw: () => unknown): void {
  const before = new Set<unknown>();
  for (let i = 0; i < items.length; i++) {
    for (let tries = 0; tries < 5 && isPlain(items[i]) && before.has((items[i] as Fields)[key]); tries++) items[i] = draw();
    const item = items[i];
    if (!isPlain(item) || typeof item[key] !== "string" || !Array.isArray(item[needs])) return;
    const most = Math.min(before.size, item[needs].length);
    const rest = [...before];
    items[i] = { ...item, [needs]: Array.from({ length: most }, () => rest.splice(between(random, 0, rest.length - 1), 1)[0]) };
    before.add(item[key]);
  }
}

function memberOf(type: Extract<TypeIR, { kind: "union" }>, options: SampleOptions, depth: number, name: string): unknown {
  const { random } = options;
  const withoutNull = type.of.filter((member) => member.kind !== "null");
  const hasNull = withoutNull.length < type.of.length;
  if (hasNull && (depth >= deep || (options.full !== true && random() < 0.2))) return null;
  const chosen = withoutNull[between(random, 0, withoutNull.length - 1)];
  return chosen === undefined ? null : drawn(chosen, options, depth, name);
}
