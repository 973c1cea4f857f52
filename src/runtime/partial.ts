/**
 * What an answer holds so far, while it streams: the JSON that has come, closed, as far as it has the wanted type. Fields
 * that have not come are absent, lists and texts may go on; numbers and words of closed lists are shown when they are
 * whole. For whoever watches: an answer is never made of it. Read at lengths that grow, so the time is linear.
 */
import type { TypeIR } from "../plan/ir.js";
import { plainValue } from "./fit.js";
import { type LooseNode, readLoose } from "./loose-json.js";
import { named, type Shapes, type Types } from "./shape.js";
import { setField } from "./values.js";

/** Longer answers are not shown on the way. */
const longest = 200_000;
const step = 24;

/** Takes the pieces of an answer; gives what it holds where that has changed. */
export function partialReader(type: TypeIR, types: Types, shapes: Shapes): (piece: string) => { readonly value: unknown } | undefined {
  let text = "";
  let next = step;
  let last = "";
  return (piece) => {
    if (text.length > longest) return undefined;
    text += piece;
    if (text.length < next) return undefined;
    next = text.length + Math.max(step, text.length >> 3);
    const value = readPartial(text, type, types, shapes);
    if (value === undefined) return undefined;
    const told = JSON.stringify(value);
    if (told === last) return undefined;
    last = told;
    return { value };
  };
}

/** What has come of an answer; undefined where nothing has, or all of it. */
export function readPartial(text: string, type: TypeIR, types: Types, shapes: Shapes): unknown {
  if (/^\s*<think/i.test(text) && !/<\/think\w*>/i.test(text)) return undefined;
  const start = text.search(/\{\s*(?:["'}]|[\w$]+\s*:|$)|\[\s*(?:["'{[\]\d-]|true|false|null|$)/);
  const whole = start < 0 ? undefined : closed(text, start);
  const read = whole === undefined ? undefined : readLoose(whole, 0, { left: 4 * whole.length + 1000 });
  if (read?.ok !== true) return undefined;
  const parts = partsOf(types, shapes);
  const { node } = read;
  const inner = node.kind === "record" && node.fields.size === 1 ? node.fields.get("answer") : undefined;
  const found = parts(inner === undefined || has(resolved(type, types), "answer") ? node : inner, type);
  return found === undefined ? undefined : found.value;
}

const has = (type: TypeIR, name: string): boolean => type.kind === "record" && type.fields.some((field) => field.name === name);

interface Open {
  readonly close: string;
  /** Where its current entry begins, and what of that has come. */
  entry: number;
  state: "name" | "colon" | "value" | "after";
}

/** The text from a bracket on, cut back to what is whole and closed; undefined where it is closed already. */
function closed(text: string, start: number): string | undefined {
  const stack: Open[] = [];
  const open = (c: string, at: number): void => {
    stack.push({ close: c === "{" ? "}" : "]", entry: at + 1, state: c === "{" ? "name" : "value" });
  };
  let at = start;
  for (; at < text.length; at++) {
    const top = stack.at(-1);
    const c = text[at] ?? "";
    if (c === '"') {
      const end = endOfText(text, at);
      if (end < 0) break;
      at = end;
      if (top !== undefined) top.state = top.state === "name" ? "colon" : "after";
    } else if (c === "{" || c === "[") open(c, at);
    else if (c === "}" || c === "]") {
      stack.pop();
      const around = stack.at(-1);
      if (around === undefined) return undefined;
      around.state = "after";
    } else if (c === "," && top !== undefined) {
      top.entry = at;
      top.state = top.close === "}" ? "name" : "value";
    } else if (c === ":" && top?.close === "}" && top.state !== "value") top.state = "value";
  }
  const top = stack.at(-1);
  if (top === undefined) return undefined;
  const inText = at < text.length;
  let whole: string;
  if (inText && top.state !== "name")
    whole = `${text.slice(start).replace(/\\(?:u[0-9a-fA-F]{0,3})?$/, (end) => (isEscape(text, end) ? "" : end))}"`;
  else whole = text.slice(start, top.state === "after" ? text.length : top.entry);
  return (
    whole.replace(/[\s,]+$/, "") +
    stack
      .map(({ close }) => close)
      .reverse()
      .join("")
  );
}

/** Whether the backslash that a text ends with begins an escape: an even number of them stands before it. */
function isEscape(text: string, end: string): boolean {
  const before = /\\*$/.exec(text.slice(0, text.length - end.length))?.[0].length ?? 0;
  return before % 2 === 0;
}

function endOfText(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at;
  }
  return -1;
}

type Part = { readonly value: unknown } | undefined;

/** What of a value has the wanted type so far. */
function partsOf(types: Types, { exactly }: Shapes): (node: LooseNode, type: TypeIR) => Part {
  const whole = (node: LooseNode, type: TypeIR): Part => {
    const value = plainValue(node);
    return exactly(type)(value) ? { value } : undefined;
  };
  const part = (node: LooseNode, type: TypeIR): Part => {
    switch (type.kind) {
      case "string":
        return node.kind === "text" ? { value: node.text } : undefined;
      case "json":
        return { value: plainValue(node) };
      case "list":
        return node.kind === "list"
          ? { value: node.of.map((each) => part(each, type.of)).flatMap((each) => (each === undefined ? [] : [each.value])) }
          : undefined;
      case "map":
        return node.kind === "record" ? fields(node, () => type.of) : undefined;
      case "record":
        return node.kind === "record" ? fields(node, (name) => type.fields.find((field) => field.name === name)?.type) : undefined;
      case "ref":
        return part(node, named(types, type.name));
      case "secret":
        return part(node, type.of);
      case "union":
        return whole(node, type) ?? member(node, type);
      default:
        return whole(node, type);
    }
  };
  const fields = (node: Extract<LooseNode, { kind: "record" }>, typeOf: (name: string) => TypeIR | undefined): Part => {
    const out: Record<string, unknown> = {};
    for (const [name, each] of node.fields) {
      const type = typeOf(name);
      const found = type === undefined ? undefined : part(each, type);
      if (found !== undefined) setField(out, name, found.value);
    }
    return { value: out };
  };
  /** The member of a union that most of the value fits. */
  const member = (node: LooseNode, type: Extract<TypeIR, { kind: "union" }>): Part => {
    let best: Part;
    let most = -1;
    for (const each of type.of) {
      const one = resolved(each, types);
      if (one.kind === "literal" || one.kind === "null") continue;
      if (type.tag !== undefined && node.kind === "record" && !fitsTag(node, type.tag, one)) continue;
      const found = part(node, one);
      const size = found === undefined ? -1 : JSON.stringify(found.value).length;
      if (size > most) [best, most] = [found, size];
    }
    return best;
  };
  return part;
}

/** Whether a record may be this member of a tagged union: its tag has not come, or is this one. */
function fitsTag(node: Extract<LooseNode, { kind: "record" }>, tag: string, type: TypeIR): boolean {
  const given = node.fields.get(tag);
  const own = type.kind === "record" ? type.fields.find((field) => field.name === tag)?.type : undefined;
  return given !== undefined && own?.kind === "literal" && plainValue(given) === own.value;
}

function resolved(type: TypeIR, types: Types): TypeIR {
  if (type.kind === "ref") return resolved(named(types, type.name), types);
  return type.kind === "secret" ? resolved(type.of, types) : type;
}
