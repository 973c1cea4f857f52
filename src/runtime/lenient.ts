/**
 * Reads the JSON of a model's answer the way a patient person would: text and fences around it, comments, trailing
 * commas, single quotes, names without quotes, a list that was meant as its only element. Every mend is recorded, and
 * nothing that was present is dropped or made null; what stays ambiguous is refused with a reason.
 */
import type { TypeIR } from "../plan/ir.js";
import { setField } from "./values.js";

export type Read =
  | { readonly ok: true; readonly value: unknown; readonly mends: readonly string[] }
  | { readonly ok: false; readonly reason: string };

/** Reads an answer as JSON. */
export function readJson(text: string): Read {
  const trimmed = text.trim();
  if (trimmed === "") return { ok: false, reason: "the answer is empty" };
  const strict = parseStrict(trimmed);
  if (strict !== undefined) return { ok: true, value: strict.value, mends: [] };
  const fenced = fencedParts(trimmed);
  if (fenced.length > 1) {
    const found = fenced.map(readLoose).filter((read) => read.ok);
    if (found.length > 1) return { ok: false, reason: `the answer has ${found.length} blocks of JSON, one is expected` };
  }
  const [block] = fenced;
  if (block !== undefined) {
    const inner = parseStrict(block.trim());
    if (inner !== undefined) return { ok: true, value: inner.value, mends: ["removed the text around the JSON"] };
    const loose = readLoose(block);
    if (loose.ok) return { ...loose, mends: ["removed the text around the JSON", ...loose.mends] };
  }
  return readLoose(trimmed);
}

function parseStrict(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

function fencedParts(text: string): readonly string[] {
  return [...text.matchAll(/```[a-zA-Z0-9_-]*[ \t]*\r?\n([\s\S]*?)```/g)].map((match) => match[1] ?? "");
}

/** Finds the JSON in a text and reads it with every allowance. */
function readLoose(text: string): Read {
  const found: { value: unknown; mends: Set<string> }[] = [];
  let reason = "the answer holds no JSON";
  for (let at = 0; at < text.length; ) {
    const start = nextOpening(text, at);
    if (start < 0) break;
    const mends = new Set<string>();
    const reader = looseReader(text, start, mends);
    const result = reader.value(0);
    if (result.ok) {
      if (/\S/.test(text.slice(0, start)) || /\S/.test(text.slice(reader.at()))) mends.add("removed the text around the JSON");
      // A bracket in a sentence is not an answer.
      if (typeof result.value === "object" && result.value !== null && (start === 0 || !isAside(result.value)))
        found.push({ value: result.value, mends });
      at = Math.max(reader.at(), start + 1);
    } else {
      reason = result.reason;
      if (found.length === 0 && result.reason.startsWith("the JSON ends")) return { ok: false, reason };
      at = start + 1;
    }
  }
  if (found.length > 1) return { ok: false, reason: `the answer has ${found.length} JSON values, one is expected` };
  const [only] = found;
  if (only !== undefined) return { ok: true, value: only.value, mends: [...only.mends] };
  return { ok: false, reason };
}

/** Things like `[1]` or `[see above]` in prose. */
function isAside(value: unknown): boolean {
  return Array.isArray(value) && value.length <= 1 && typeof value[0] !== "object";
}

function nextOpening(text: string, from: number): number {
  for (let i = from; i < text.length; i++) if (text[i] === "{" || text[i] === "[") return i;
  return -1;
}

type Part = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: string };

const quotes: Readonly<Record<string, string>> = { '"': '"', "'": "'", "“": "”", "`": "`" };
const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" };

function looseReader(text: string, start: number, mends: Set<string>) {
  let at = start;
  const bad = (reason: string): Part => ({ ok: false, reason });

  function space(): void {
    for (;;) {
      while (at < text.length && /\s/.test(text[at] ?? "")) at++;
      if (text.startsWith("//", at)) {
        mends.add("removed comments");
        while (at < text.length && text[at] !== "\n") at++;
      } else if (text.startsWith("/*", at)) {
        mends.add("removed comments");
        const end = text.indexOf("*/", at + 2);
        at = end < 0 ? text.length : end + 2;
      } else return;
    }
  }

  function value(depth: number): Part {
    space();
    const c = text[at];
    if (c === undefined) return bad("the JSON ends in the middle: it may have been cut off");
    if (depth > 500) return bad("the JSON is nested too deeply");
    if (c === "{") return record(depth);
    if (c === "[") return list(depth);
    if (quotes[c] !== undefined) return quoted();
    return bare();
  }

  function record(depth: number): Part {
    at++;
    const out: Record<string, unknown> = {};
    for (;;) {
      space();
      if (text[at] === "}") {
        at++;
        return { ok: true, value: out };
      }
      if (at >= text.length) return bad("the JSON ends in the middle: it may have been cut off");
      const name = fieldName();
      if (!name.ok) return name;
      space();
      if (text[at] !== ":") return bad(`a \`:\` is missing after ${JSON.stringify(name.value)}`);
      at++;
      const found = value(depth + 1);
      if (!found.ok) return found;
      if (Object.hasOwn(out, String(name.value))) return bad(`the field ${JSON.stringify(name.value)} is there twice`);
      setField(out, String(name.value), found.value);
      const next = separator("}");
      if (next !== undefined) return bad(next);
    }
  }

  function fieldName(): Part {
    if (quotes[text[at] ?? ""] !== undefined) return quoted();
    const match = /^[\p{L}_$][\p{L}\p{N}_$-]*/u.exec(text.slice(at, at + 200));
    if (match === null) return bad(`a field name is expected, found ${JSON.stringify(text.slice(at, at + 10))}`);
    mends.add("put quotes around field names");
    at += match[0].length;
    return { ok: true, value: match[0] };
  }

  function list(depth: number): Part {
    at++;
    const out: unknown[] = [];
    for (;;) {
      space();
      if (text[at] === "]") {
        at++;
        return { ok: true, value: out };
      }
      const found = value(depth + 1);
      if (!found.ok) return found;
      out.push(found.value);
      const next = separator("]");
      if (next !== undefined) return bad(next);
    }
  }

  /** Takes a comma, or leaves the closing bracket; undefined when that went well. */
  function separator(close: string): string | undefined {
    space();
    if (text[at] === ",") {
      at++;
      space();
      if (text[at] === close) mends.add("removed trailing commas");
      return undefined;
    }
    if (text[at] === close) return undefined;
    if (at >= text.length) return "the JSON ends in the middle: it may have been cut off";
    return `a comma or \`${close}\` is expected, found ${JSON.stringify(text.slice(at, at + 10))}`;
  }

  function quoted(): Part {
    const open = text[at] ?? '"';
    const close = quotes[open] ?? '"';
    if (open !== '"') mends.add("replaced quotes");
    at++;
    let out = "";
    while (at < text.length) {
      const c = text[at] ?? "";
      if (c === close) {
        at++;
        return { ok: true, value: out };
      }
      if (c === "\\") {
        const e = text[at + 1] ?? "";
        if (e === "u" && /^[0-9a-fA-F]{4}$/.test(text.slice(at + 2, at + 6))) {
          out += String.fromCharCode(Number.parseInt(text.slice(at + 2, at + 6), 16));
          at += 6;
        } else {
          out += escapes[e] ?? e;
          at += 2;
        }
      } else {
        if (c === "\n") mends.add("escaped line breaks in texts");
        out += c;
        at++;
      }
    }
    return bad("the JSON ends in the middle of a text: it may have been cut off");
  }

  function bare(): Part {
    const match = /^[^\s,:{}[\]"']+/.exec(text.slice(at, at + 400));
    if (match === null) return bad(`a value is expected, found ${JSON.stringify(text.slice(at, at + 10))}`);
    const word = match[0];
    const known = parseStrict(word);
    if (known !== undefined && (typeof known.value !== "object" || known.value === null)) {
      at += word.length;
      return { ok: true, value: known.value };
    }
    const named: Readonly<Record<string, unknown>> = { True: true, False: false, None: null, TRUE: true, FALSE: false };
    if (Object.hasOwn(named, word)) {
      mends.add("replaced words of another language");
      at += word.length;
      return { ok: true, value: named[word] };
    }
    if (/^[+-]?(\d[\d_]*\.?\d*|\.\d+)$/.test(word)) {
      mends.add("rewrote numbers");
      at += word.length;
      return { ok: true, value: Number(word.replaceAll("_", "")) };
    }
    return bad(`${JSON.stringify(word)} is not a JSON value`);
  }

  return { value, at: () => at };
}

/** Forms that only make sense with the wanted type: a lone value for a list, a lone text for an answer in one field. */
export function adapt(
  value: unknown,
  type: TypeIR,
  accepts: (value: unknown) => boolean,
): { readonly value: unknown; readonly mend: string } | undefined {
  if (type.kind === "list" && !Array.isArray(value)) {
    if (accepts([value])) return { value: [value], mend: "put the lone value into a list" };
    const inner = onlyField(value);
    if (Array.isArray(inner) && accepts(inner)) return { value: inner, mend: "took the list out of the record around it" };
  }
  if (type.kind !== "list" && Array.isArray(value) && value.length === 1 && accepts(value[0]))
    return { value: value[0], mend: "took the only element out of the list around it" };
  const inner = onlyField(value);
  if (type.kind !== "record" && type.kind !== "map" && inner !== undefined && accepts(inner))
    return { value: inner, mend: "took the value out of the record around it" };
  return undefined;
}

function onlyField(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const values = Object.values(value);
  return values.length === 1 ? values[0] : undefined;
}
