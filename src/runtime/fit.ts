/**
 * Fits what was read loosely to the wanted type: each reading has a cost and tells its mends, the cheapest one counts,
 * and two that cost the same but differ are ambiguous. What is present is used, or the reading fails: a field in another
 * spelling is found, and nothing turns into null because it does not fit.
 */
import type { FieldIR, TypeIR } from "../plan/ir.js";
import { type LooseNode, readLoose } from "./loose-json.js";
import { choiceIn, durationIn, type Meant, moneyIn, numberIn, plainText, spelling, truthIn, wholeIn } from "./loose-words.js";
import { named, shapes, type Types } from "./shape.js";
import { assertNever, deepEqual, setField } from "./values.js";

export type Fit =
  | { readonly ok: true; readonly value: unknown; readonly cost: number; readonly mends: readonly string[] }
  | { readonly ok: false; readonly ambiguous?: string };

/** A change of the spelling, of the form around a value, and of what there is. */
const LIGHT = 1;
const HEAVY = 10;
const EXTRA = 5;
const NO: Fit = { ok: false };

const wrappers = new Set(["answer", "result", "output", "response", "value", "data", "json", "final answer", "items", "results"]);
const comments = new Set([
  "reasoning",
  "thought",
  "thoughts",
  "thinking",
  "explanation",
  "rationale",
  "notes",
  "analysis",
  "comment",
  "confidence",
]);

/** Fits nodes to types; one for each answer, because it remembers what it has seen. */
export function fitter(types: Types): (node: LooseNode, type: TypeIR) => Fit {
  const { exactly } = shapes(types);
  const seen = new WeakMap<LooseNode, Map<TypeIR, Fit>>();

  function fit(node: LooseNode, type: TypeIR): Fit {
    const before = seen.get(node) ?? new Map<TypeIR, Fit>();
    seen.set(node, before);
    const known = before.get(type);
    if (known !== undefined) return known;
    // A type that only refers to itself comes back here.
    before.set(type, NO);
    const direct = fitDirectly(node, type);
    const found = direct.ok || direct.ambiguous !== undefined ? direct : unwrap(node, type);
    before.set(type, found);
    return found;
  }

  function fitDirectly(node: LooseNode, type: TypeIR): Fit {
    switch (type.kind) {
      case "ref":
        return fit(node, named(types, type.name));
      case "secret":
        return fit(node, type.of);
      case "union":
        return fitUnion(node, type);
      case "list":
        return fitList(node, type);
      case "map":
        return fitMap(node, type.of);
      case "record":
        return fitRecord(node, type.fields);
      case "json":
        return fitJson(node);
      case "string":
        return fitText(node, exactly(type), type.pattern !== undefined);
      case "null":
        return fitNull(node);
      case "int":
      case "float":
        return fitScalar(node, exactly(type), (text) => (type.kind === "int" ? wholeIn(text) : undefined) ?? numberIn(text, type));
      case "bool":
        return fitScalar(node, exactly(type), truthIn);
      case "duration":
        return fitScalar(node, exactly(type), (text) => durationIn(text) ?? numberIn(text, {}));
      case "money":
        return fitScalar(node, exactly(type), (text) => moneyIn(text) ?? numberIn(text, {}));
      case "literal":
        return fitScalar(node, exactly(type), (text) => choiceIn(text, [type.value]));
      case "image":
      case "audio":
      case "document": {
        const value = plainValue(node);
        return exactly(type)(value) ? { ok: true, value, cost: 0, mends: [] } : NO;
      }
      case "never":
        return NO;
      default:
        return assertNever(type);
    }
  }

  function fitText(node: LooseNode, fits: (value: unknown) => boolean, hasForm: boolean): Fit {
    if (node.kind !== "text" && node.kind !== "word") return NO;
    if (node.kind === "text") {
      if (fits(node.text)) return { ok: true, value: node.text, cost: 0, mends: [] };
      // A text of a certain form may stand in marks, or behind words that lead to it.
      const plain = hasForm ? plainText(node.text) : "";
      const value = [plain, plain.replace(/\.$/, "")].find((each) => each !== "" && fits(each));
      return value === undefined ? NO : { ok: true, value, cost: 3 * LIGHT, mends: ["removed the text around the value"] };
    }
    if (scalar(node.text)?.value === null) return NO;
    return fits(node.text) ? { ok: true, value: node.text, cost: 2 * LIGHT, mends: ["put quotes around the text"] } : NO;
  }

  function fitNull(node: LooseNode): Fit {
    if (node.kind === "word" && node.text === "null") return { ok: true, value: null, cost: 0, mends: [] };
    const meant =
      (node.kind === "word" && /^(?:None|nil|NULL|Null|undefined)$/.test(node.text)) ||
      (node.kind === "text" && /^(?:null|None)$/.test(node.text));
    return meant ? { ok: true, value: null, cost: 3 * LIGHT, mends: ["replaced words of another language"] } : NO;
  }

  function fitScalar(node: LooseNode, fits: (value: unknown) => boolean, meant: (text: string) => Meant | undefined): Fit {
    if (node.kind !== "text" && node.kind !== "word") return NO;
    const strict = node.kind === "word" ? scalar(node.text) : { value: node.text, mend: undefined };
    if (strict !== undefined && fits(strict.value) && !isImprecise(node.text, strict.value))
      return {
        ok: true,
        value: strict.value,
        cost: strict.mend === undefined ? 0 : LIGHT,
        mends: strict.mend === undefined ? [] : [strict.mend],
      };
    const found = meant(node.text);
    if (found === undefined || !fits(found.value) || isImprecise(node.text, found.value)) return NO;
    return { ok: true, value: found.value, cost: 2 * LIGHT, mends: [found.mend] };
  }

  function fitList(node: LooseNode, type: Extract<TypeIR, { kind: "list" }>): Fit {
    const fits = (value: readonly unknown[]): boolean =>
      value.length >= (type.min ?? 0) && value.length <= (type.max ?? Number.POSITIVE_INFINITY);
    if (node.kind === "list") {
      const all = together(node.of.map((each) => fit(each, type.of)));
      if (all.ok) return fits(all.value) ? all : NO;
      const [only, second] = node.of;
      if (all.ambiguous !== undefined || only?.kind !== "list" || second !== undefined) return all;
      return dearer(fit(only, type), HEAVY, "took the only element out of the list around it");
    }
    const decoded = decode(node);
    if (decoded?.kind === "list") return dearer(fit(decoded, type), HEAVY, "took the JSON out of the text");
    if (node.kind === "record") {
      const inner = wrapped(node);
      if (inner?.kind === "list") {
        const found = fit(inner, type);
        if (found.ok) return dearer(found, HEAVY, "took the list out of the record around it");
      }
    }
    if (node.kind === "word" && scalar(node.text)?.value === null) return NO;
    const lone = fit(node, type.of);
    if (lone.ok && node.kind === "text" && typeof lone.value === "string" && lone.value === node.text && /[,;\n]/.test(node.text))
      return { ok: false, ambiguous: "one text stands where a list is expected: it may be one element or several" };
    if (lone.ok && fits([lone.value])) return dearer({ ...lone, value: [lone.value] }, HEAVY, "put the lone value into a list");
    if (node.kind === "text" && /[,;\n]/.test(node.text)) {
      const parts = node.text.split(/[,;\n]/).map((text): LooseNode => ({ kind: "text", text: text.trim() }));
      const all = together(parts.map((each) => fit(each, type.of)));
      if (all.ok && fits(all.value)) return dearer(all, HEAVY, "split the text into a list");
    }
    return lone.ok ? NO : lone;
  }

  function fitMap(node: LooseNode, of: TypeIR): Fit {
    const decoded = decode(node);
    if (decoded?.kind === "record") return dearer(fitMap(decoded, of), HEAVY, "took the JSON out of the text");
    if (node.kind === "record") {
      const found = entries([...node.fields].map(([key, each]) => [key, fit(each, of)]));
      const [[key, inner] = []] = node.fields;
      const isAround = inner?.kind === "record" && node.fields.size === 1 && key !== undefined && wrappers.has(spelling(key));
      return found.ok || !isAround ? found : dearer(fitMap(inner, of), HEAVY, "took the value out of the record around it");
    }
    if (node.kind !== "list" || node.of.length === 0) return NO;
    const [only] = node.of;
    if (node.of.length === 1 && only?.kind === "record" && !only.fields.has("value"))
      return dearer(fitMap(only, of), HEAVY, "took the only element out of the list around it");
    const pairs: [string, Fit][] = [];
    for (const each of node.of) {
      const key = each.kind === "record" && each.fields.size === 2 ? (each.fields.get("key") ?? each.fields.get("name")) : undefined;
      const value = each.kind === "record" ? each.fields.get("value") : undefined;
      if (key?.kind !== "text" || value === undefined || pairs.some(([other]) => other === key.text)) return NO;
      pairs.push([key.text, fit(value, of)]);
    }
    return dearer(entries(pairs), HEAVY, "made a map of a list of keys and values");
  }

  function fitRecord(node: LooseNode, fields: readonly FieldIR[], tag?: string): Fit {
    const decoded = decode(node);
    if (decoded?.kind === "record") return dearer(fitRecord(decoded, fields, tag), HEAVY, "took the JSON out of the text");
    if (node.kind === "list") return NO;
    if (node.kind !== "record") return NO;
    const pairs: [string, Fit][] = [];
    const used = new Set<string>();
    let [cost, renamed, tagged] = [0, false, false];
    for (const field of fields) {
      const key = node.fields.has(field.name) ? field.name : spelt(node, field.name, fields);
      if (key === "ambiguous") return { ok: false, ambiguous: `several fields may be meant by \`${field.name}\`` };
      const each = key === undefined ? undefined : node.fields.get(key);
      if (key === undefined || each === undefined) {
        const { type } = field;
        if (field.optional || exactly(type)(null)) pairs.push([field.name, { ok: true, value: null, cost: 0.01, mends: [] }]);
        else if (field.name === tag && type.kind === "literal") {
          pairs.push([field.name, { ok: true, value: type.value, cost: HEAVY, mends: ["added the tag"] }]);
          tagged = true;
        } else return NO;
        continue;
      }
      if (key !== field.name) renamed = true;
      used.add(key);
      pairs.push([field.name, fit(each, field.type)]);
    }
    // A record of which nothing is known is not this one, even if all of its fields may be absent.
    if (used.size === 0 && (fields.length > 0 || tagged) && (node.fields.size > 0 || tagged)) return NO;
    cost += EXTRA * (node.fields.size - used.size) + (renamed ? LIGHT : 0);
    const found = entries(pairs);
    return dearer(found, cost, renamed ? "took the names of fields from the type" : undefined);
  }

  function spelt(node: Extract<LooseNode, { kind: "record" }>, name: string, fields: readonly FieldIR[]): string | undefined {
    const want = compact(name);
    const found = [...node.fields.keys()].filter((key) => compact(key) === want && !fields.some((field) => field.name === key));
    return found.length > 1 ? "ambiguous" : found[0];
  }

  function fitUnion(node: LooseNode, type: Extract<TypeIR, { kind: "union" }>): Fit {
    const members = flat(type);
    const choices = members.flatMap((member) => (member.kind === "literal" ? [member.value] : []));
    const options: Fit[] = [];
    if (type.tag !== undefined && node.kind === "record") {
      const tagged = byTag(node, type.tag, members);
      if (tagged !== undefined) return tagged;
    }
    const fitsChoice = (value: unknown): boolean => choices.some((choice) => choice === value);
    if (choices.length > 0) options.push(fitScalar(node, fitsChoice, (text) => choiceIn(text, choices)));
    for (const member of members) if (member.kind !== "literal") options.push(fit(node, member));
    return cheapest(options);
  }

  function byTag(node: Extract<LooseNode, { kind: "record" }>, tag: string, members: readonly TypeIR[]): Fit | undefined {
    const records = members.flatMap((member) => (member.kind === "record" ? [member] : []));
    const tagOf = (member: (typeof records)[number]): TypeIR | undefined => member.fields.find((field) => field.name === tag)?.type;
    const given = node.fields.get(tag) ?? [...node.fields].find(([key]) => compact(key) === compact(tag))?.[1];
    if (given !== undefined) {
      const values = records.flatMap((member) => {
        const own = tagOf(member);
        return own?.kind === "literal" ? [own.value] : [];
      });
      const chosen = fitScalar(
        given,
        (value) => values.some((each) => each === value),
        (text) => choiceIn(text, values),
      );
      if (!chosen.ok) return undefined;
      return cheapest(records.filter((member) => literalOf(tagOf(member)) === chosen.value).map((member) => fit(node, member)));
    }
    const [key, inner] = [...node.fields][0] ?? ["", undefined];
    if (node.fields.size === 1 && inner?.kind === "record") {
      const outside = records.filter((member) => spelling(String(literalOf(tagOf(member)))) === spelling(key));
      const [only] = outside;
      if (only !== undefined && outside.length === 1)
        return dearer(fitRecord(inner, only.fields, tag), HEAVY, "took the tag from the name around it");
    }
    const found = records.map((member) => fitRecord(node, member.fields, tag)).filter((each) => each.ok);
    if (found.length > 1 && found.some((each) => !deepEqual(each.value, found[0]?.value)))
      return { ok: false, ambiguous: `the field \`${tag}\` is missing, and several types fit without it` };
    return found[0];
  }

  function flat(type: TypeIR, within: ReadonlySet<string> = new Set()): readonly TypeIR[] {
    if (type.kind === "ref") return within.has(type.name) ? [] : flat(named(types, type.name), new Set([...within, type.name]));
    if (type.kind === "secret") return flat(type.of, within);
    return type.kind === "union" ? type.of.flatMap((member) => flat(member, within)) : [type];
  }

  /** Takes a value out of a record or list that only stands around it. */
  function unwrap(node: LooseNode, type: TypeIR): Fit {
    if (type.kind === "map" || type.kind === "json" || type.kind === "ref" || type.kind === "secret") return NO;
    if (node.kind === "record") {
      const inner = wrapped(node);
      return inner === undefined ? NO : dearer(fit(inner, type), HEAVY, "took the value out of the record around it");
    }
    const [only, second] = node.kind === "list" ? node.of : [];
    if (only === undefined || second !== undefined || type.kind === "list") return NO;
    return dearer(fit(only, type), HEAVY, "took the only element out of the list around it");
  }

  return fit;
}

function literalOf(type: TypeIR | undefined): unknown {
  return type?.kind === "literal" ? type.value : undefined;
}

function compact(name: string): string {
  return spelling(name).replaceAll(" ", "");
}

/** The value that a record only carries: its one field, or the one named as an answer beside comments. */
function wrapped(node: Extract<LooseNode, { kind: "record" }>): LooseNode | undefined {
  if (node.fields.size === 1) return [...node.fields.values()][0];
  const [answer, second] = [...node.fields].filter(([key]) => !comments.has(spelling(key)));
  return answer !== undefined && second === undefined && wrappers.has(spelling(answer[0])) ? answer[1] : undefined;
}

/** JSON that was written as a text. */
function decode(node: LooseNode): LooseNode | undefined {
  if (node.kind !== "text") return undefined;
  const text = node.text.trim();
  if (!/^[{[]/.test(text)) return undefined;
  const read = readLoose(text, 0, { left: 4 * text.length + 100 });
  return read.ok && read.end === text.length ? read.node : undefined;
}

/** What a word is by itself. */
function scalar(text: string): { readonly value: unknown; readonly mend: string | undefined } | undefined {
  switch (text) {
    case "null":
      return { value: null, mend: undefined };
    case "true":
    case "false":
      return { value: text === "true", mend: undefined };
    case "True":
    case "TRUE":
      return { value: true, mend: "replaced words of another language" };
    case "False":
    case "FALSE":
      return { value: false, mend: "replaced words of another language" };
    case "None":
      return { value: null, mend: "replaced words of another language" };
    default:
      return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text) ? { value: Number(text), mend: undefined } : undefined;
  }
}

/** Whether digits of a whole number would be lost. */
function isImprecise(text: string, value: unknown): boolean {
  return typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value) && /^[+-]?[\d,_]+$/.test(text.trim());
}

/** Any JSON as it is written; what had to be rewritten is told, and digits that would be lost are not taken. */
function fitJson(node: LooseNode): Fit {
  const mends = new Set<string>();
  const isWhole = (each: LooseNode): boolean => {
    if (each.kind === "list") return each.of.every(isWhole);
    if (each.kind === "record") return [...each.fields.values()].every(isWhole);
    if (each.kind === "text") return true;
    const known = scalar(each.text);
    if (known === undefined) mends.add("put quotes around the text");
    else if (known.mend !== undefined) mends.add(known.mend);
    return !isImprecise(each.text, known?.value);
  };
  return isWhole(node) ? { ok: true, value: plainValue(node), cost: 0, mends: [...mends] } : NO;
}

/** What a node is without a type. */
export function plainValue(node: LooseNode): unknown {
  switch (node.kind) {
    case "text":
      return node.text;
    case "word": {
      const known = scalar(node.text);
      return known === undefined ? node.text : known.value;
    }
    case "list":
      return node.of.map(plainValue);
    case "record": {
      const out: Record<string, unknown> = {};
      for (const [key, each] of node.fields) setField(out, key, plainValue(each));
      return out;
    }
    default:
      return assertNever(node);
  }
}

function dearer(found: Fit, cost: number, mend: string | undefined): Fit {
  if (!found.ok) return found;
  return { ...found, cost: found.cost + cost, mends: mend === undefined ? found.mends : [...new Set([...found.mends, mend])] };
}

function together(all: readonly Fit[]): Fit & ({ readonly ok: false } | { readonly value: readonly unknown[] }) {
  const values: unknown[] = [];
  const mends = new Set<string>();
  let cost = 0;
  for (const each of all) {
    if (!each.ok) return each;
    values.push(each.value);
    cost += each.cost;
    for (const mend of each.mends) mends.add(mend);
  }
  return { ok: true, value: values, cost, mends: [...mends] };
}

function entries(pairs: readonly (readonly [string, Fit])[]): Fit {
  const all = together(pairs.map(([, each]) => each));
  if (!all.ok) return all;
  const out: Record<string, unknown> = {};
  for (const [i, [key]] of pairs.entries()) setField(out, key, all.value[i]);
  return { ...all, value: out };
}

/** The cheapest of several; two that cost the same and differ are ambiguous if anything was mended for them. */
function cheapest(all: readonly Fit[]): Fit {
  let best: Fit = NO;
  let tie = false;
  for (const each of all) {
    if (!each.ok) {
      if (!best.ok && best.ambiguous === undefined) best = each;
    } else if (!best.ok || each.cost < best.cost) [best, tie] = [each, false];
    else if (each.cost === best.cost && !deepEqual(each.value, best.value) && each.cost >= LIGHT) tie = true;
  }
  return tie ? { ok: false, ambiguous: "the answer fits several types of the union" } : best;
}
