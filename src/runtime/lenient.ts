/**
 * Reads the answer of a model as a type: thoughts, text and fences around it, JSON as people write it, a value in a
 * sentence. Of several candidates the one that fits counts; several that fit and differ are ambiguous, which is an error
 * with its reason. Every mend is told, nothing that was present is lost, and the time is linear in the length.
 */
import type { TypeIR } from "../plan/ir.js";
import { type Fit, fitter, plainValue } from "./fit.js";
import { CLOSERS, CUT, type Fuel, type LooseNode, readLoose } from "./loose-json.js";
import { named, shapes, type Types } from "./shape.js";
import { deepEqual } from "./values.js";

export type Read =
  | { readonly ok: true; readonly value: unknown; readonly mends: readonly string[] }
  /** `value` is what was read although it does not fit, for an explanation. */
  | { readonly ok: false; readonly reason: string; readonly value?: unknown };

interface Candidate {
  readonly node: LooseNode;
  readonly start: number;
  readonly end: number;
  readonly mends: readonly string[];
}

interface Found {
  readonly candidates: readonly Candidate[];
  readonly reason: string;
  readonly cut: boolean;
}

const THOUGHTS = "removed the thoughts before the answer";
const LINES = "made a list of the lines";
const RECORDS = "put the values into a list";
/** Mends of answers that may go on: after each of their parts they look whole. */
const OPEN_ENDED: ReadonlySet<string> = new Set([CLOSERS, LINES, RECORDS]);
const AROUND = "removed the text around the JSON";
/** How much cheaper a reading must be than another to count although both fit. */
const MARGIN = 10;
const OUTSIDE_FENCE = 20;
const MOST_CANDIDATES = 200;

/** Reads an answer as JSON of any form. */
export function readJson(text: string): Read {
  const trimmed = text.trim();
  if (trimmed === "") return { ok: false, reason: "the answer is empty" };
  const strict = parseStrict(trimmed);
  if (strict !== undefined) return { ok: true, value: strict.value, mends: [] };
  const { candidates, reason } = candidatesIn(trimmed);
  const [only, second] = candidates;
  if (only === undefined) return { ok: false, reason };
  if (second !== undefined) return { ok: false, reason: `the answer has ${candidates.length} JSON values, one is expected` };
  return { ok: true, value: plainValue(only.node), mends: only.mends };
}

/** What a text says without the thoughts that a model with open reasoning writes before it, and the mend of that. */
export function withoutThinking(text: string): { readonly rest: string; readonly removed: readonly string[] } {
  const block = /^\s*<(think|thinking)>[\s\S]*?<\/\1>\s*/i.exec(text)?.[0];
  return block === undefined ? { rest: text, removed: [] } : { rest: text.slice(block.length), removed: [THOUGHTS] };
}

/** Reads an answer as a type; where nobody says that it has ended, it must be seen from the answer itself. */
export function readAs(text: string, type: TypeIR, types: Types, ended = true): Read {
  const read = readEnded(text, type, types);
  return ended || !read.ok || !read.mends.some((mend) => OPEN_ENDED.has(mend)) ? read : { ok: false, reason: CUT };
}

function readEnded(text: string, type: TypeIR, types: Types): Read {
  const whole = text.trim();
  if (whole === "") return { ok: false, reason: "the answer is empty" };
  const exact = parseStrict(whole);
  // A text that JSON writes in the same way hides no second field of a name and no digits.
  if (exact !== undefined && shapes(types).exactly(type)(exact.value) && JSON.stringify(exact.value) === whole)
    return { ok: true, value: exact.value, mends: [] };
  const { rest: answer, removed } = withoutThoughts(whole);
  if (answer === "") return { ok: false, reason: "the answer holds only thoughts" };
  const fit = fitter(types);
  if (typeof exact?.value === "string") {
    const quoted = fit({ kind: "text", text: exact.value }, type);
    if (quoted.ok) return { ok: true, value: quoted.value, mends: quoted.mends };
  }
  const found = candidatesIn(answer);
  const fences = found.candidates.some(({ start }) => inFence(answer, start));
  const weighed = found.candidates.map((candidate) => {
    const read = fit(candidate.node, type);
    const outside = fences && !inFence(answer, candidate.start) ? OUTSIDE_FENCE : 0;
    return { candidate, read: read.ok ? { ...read, cost: read.cost + outside, mends: [...candidate.mends, ...read.mends] } : read };
  });
  const best = choose(weighed.map(({ read }) => read));
  const told = (read: Read): Read => (read.ok && removed ? { ...read, mends: [...new Set([...read.mends, THOUGHTS])] } : read);
  if (typeof best === "string") {
    const lines = linesAsList(answer, found, type, fit, types);
    return told(lines ?? { ok: false, reason: best });
  }
  if (best?.ok) {
    if (!fences && standsBeside(answer, found.candidates, best.value, type, types, fit))
      return told({ ok: false, reason: "the answer has another value that fits in a line of its own, one is expected" });
    const lines = found.candidates.length > 1 ? linesAsList(answer, found, type, fit, types) : undefined;
    return told(lines ?? { ok: true, value: best.value, mends: best.mends });
  }
  const [first] = found.candidates;
  // What looks like JSON is not read as a sentence.
  if (first === undefined && !found.cut) {
    const sentence = readSentence(answer, type, types, fit);
    if (sentence !== undefined) return told(sentence);
  }
  if (first === undefined) return exact === undefined ? { ok: false, reason: found.reason } : { ok: false, reason: "", value: exact.value };
  const ambiguous = weighed.map(({ read }) => (read.ok ? undefined : read.ambiguous)).find((each) => each !== undefined);
  if (ambiguous !== undefined) return { ok: false, reason: ambiguous };
  if (found.candidates.length > 1)
    return {
      ok: false,
      reason: `the answer has ${found.candidates.length} JSON values, none of which fits`,
      value: plainValue(first.node),
    };
  return { ok: false, reason: "", value: exact === undefined ? plainValue(first.node) : exact.value };
}

function parseStrict(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

/** The best of those that fit, a reason where several do, undefined where none does. */
function choose(reads: readonly Fit[]): Extract<Fit, { ok: true }> | string | undefined {
  let best: Extract<Fit, { ok: true }> | undefined;
  for (const read of reads) if (read.ok && (best === undefined || read.cost < best.cost)) best = read;
  if (best === undefined) return undefined;
  const { cost, value } = best;
  const rivals = reads.filter((read) => read.ok && read.cost < cost + MARGIN && !deepEqual(read.value, value));
  return rivals.length > 0 ? `the answer has ${rivals.length + 1} JSON values that fit, one is expected` : best;
}

const thoughtTags = /^<(think|thinking|thought|thoughts|reasoning|analysis|scratchpad|reflection)>/i;

/** What stands behind the thoughts that some models write before their answer. */
function withoutThoughts(text: string): { readonly rest: string; readonly removed: boolean } {
  let rest = text;
  for (let blocks = 0; blocks < 20; blocks++) {
    const tag = thoughtTags.exec(rest)?.[1];
    const end = tag === undefined ? -1 : rest.toLowerCase().indexOf(`</${tag.toLowerCase()}>`);
    if (tag === undefined || end < 0) break;
    rest = rest.slice(end + tag.length + 3).trim();
  }
  // Some servers cut the tag that opens.
  const lone = rest.lastIndexOf("</think>");
  if (rest === text && lone >= 0 && !rest.includes("<think>") && !/["}\]]/.test(rest.slice(0, 1))) rest = rest.slice(lone + 8).trim();
  return { rest, removed: rest !== text };
}

function inFence(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 200), at);
  return /```[a-zA-Z0-9_-]*\s*(?:(?:\/\/|#)[^\n]*\n\s*)?$/.test(before);
}

/** Every list and record that stands in a text by itself. */
function candidatesIn(text: string): Found {
  const candidates: Candidate[] = [];
  const fuel: Fuel = { left: 4 * text.length + 1000 };
  const ends = closings(text);
  let [reason, cut] = ["the answer holds no JSON", false];
  for (let at = 0; at < text.length && fuel.left > 0 && candidates.length < MOST_CANDIDATES; ) {
    const c = text[at];
    if (c !== "{" && c !== "[") {
      at++;
      continue;
    }
    const read = readLoose(text, at, fuel);
    if (read.ok) {
      if (!isAside(text, at, read.node)) {
        const mends = new Set(read.mends);
        if (at > 0 || /\S/.test(text.slice(read.end, read.end + 1000))) mends.add(AROUND);
        candidates.push({ node: read.node, start: at, end: read.end, mends: [...mends] });
      }
      at = Math.max(read.end, at + 1);
      continue;
    }
    const serious = /^[{[]\s*(?:["'{[“]|[\w$-]+\s*:)/.test(text.slice(at, at + 200));
    if (candidates.length === 0 || serious) reason = read.reason;
    const end = ends.get(at) ?? -1;
    // What stands inside of something broken is not the answer.
    if (end < 0 && serious) {
      cut = true;
      break;
    }
    if (serious) cut = true;
    at = end < 0 ? at + 1 : end + 1;
  }
  if (fuel.left <= 0) return { candidates: [], reason: "the answer is too tangled to be read", cut: true };
  // A value that cannot be read may be the one that is meant.
  return cut ? { candidates: [], reason, cut } : { candidates, reason, cut };
}

/** Where the bracket that opens at each place is closed, regardless of quotes. */
function closings(text: string): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  const open: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "{" || c === "[") open.push(i);
    else if (c === "}" || c === "]") {
      const at = open.pop();
      if (at !== undefined) found.set(at, i);
    }
  }
  return found;
}

/** Things like `[1]`, `[see above]` or `{x}` in prose. */
function isAside(text: string, start: number, node: LooseNode): boolean {
  if (start === 0 || node.kind !== "list" || node.of.length > 1) return false;
  const [only] = node.of;
  if (only?.kind === "record" || only?.kind === "list") return false;
  const line = text.slice(Math.max(0, start - 200), start).replace(/^[\s\S]*\n/, "");
  return line.trim() !== "" && !/(?:[:=]|\b(?:is|are))\s*[*`]*$/.test(line);
}

/** Several values one after another, where a list of them is wanted. */
function linesAsList(
  text: string,
  found: Found,
  type: TypeIR,
  fit: (node: LooseNode, type: TypeIR) => Fit,
  types: Types,
): Read | undefined {
  const list = resolved(type, types);
  if (list.kind !== "list" || found.candidates.length < 2) return undefined;
  for (const [i, { start }] of found.candidates.entries()) {
    const before = found.candidates[i - 1];
    if (before !== undefined && !/^[\s,;]*$/.test(text.slice(before.end, start))) return undefined;
  }
  const read = fit({ kind: "list", of: found.candidates.map(({ node }) => node) }, list);
  if (!read.ok) return undefined;
  const mends = new Set([...found.candidates.flatMap((each) => each.mends), ...read.mends, RECORDS]);
  return { ok: true, value: read.value, mends: [...mends] };
}

/**
 * Whether a single value is wanted and the first or last line is another one than what was found in brackets: then those
 * may be part of the text around it.
 */
function standsBeside(
  text: string,
  candidates: readonly Candidate[],
  value: unknown,
  type: TypeIR,
  types: Types,
  fit: (node: LooseNode, type: TypeIR) => Fit,
): boolean {
  const wanted = resolved(type, types);
  const members = wanted.kind === "union" ? wanted.of.map((member) => resolved(member, types)) : [wanted];
  if (members.some(({ kind }) => kind === "list" || kind === "record" || kind === "map" || kind === "json")) return false;
  const isText = members.some((member) => member.kind === "string");
  const first = { from: 0, to: text.indexOf("\n") };
  const last = { from: text.lastIndexOf("\n") + 1, to: text.length };
  return [first, last].some(({ from, to }) => {
    if (to < 0 || candidates.some(({ start, end }) => start < to && from < end)) return false;
    const line = text.slice(from, to).trim();
    // Any line is a text; only one that is written as a value counts.
    if (line === "" || (isText && parseStrict(line) === undefined)) return false;
    const read = readSentence(line, type, types, fit);
    return read?.ok === true && !deepEqual(read.value, value);
  });
}

function resolved(type: TypeIR, types: Types): TypeIR {
  if (type.kind === "ref") return resolved(named(types, type.name), types);
  return type.kind === "secret" ? resolved(type.of, types) : type;
}

/** A value that stands in a sentence or in lines of its own. */
function readSentence(text: string, type: TypeIR, types: Types, fit: (node: LooseNode, type: TypeIR) => Fit): Read | undefined {
  const wanted = resolved(type, types);
  const mends: string[] = [];
  let said = text;
  const fence = /^([\s\S]*?)```[a-zA-Z0-9_-]*[ \t]*\r?\n([\s\S]*?)\n?(?:```([\s\S]*)|$)$/.exec(text.slice(0, 20_000));
  const inner = fence?.[2];
  if (inner !== undefined && text.length <= 20_000) {
    if (fence?.[3]?.includes("```")) return undefined;
    said = inner.trim();
    mends.push(AROUND);
  }
  const tagged = /^<(answer|output|result|response|final_answer|json)>\s*([\s\S]*?)\s*<\/\1>$/i.exec(said);
  if (tagged?.[2] !== undefined) {
    said = tagged[2];
    mends.push(AROUND);
  }
  if (wanted.kind === "list") return bullets(said, wanted, fit, mends);
  const lists =
    wanted.kind === "union" ? wanted.of.map((member) => resolved(member, types)).filter((member) => member.kind === "list") : [];
  const lines = lists[0] === undefined || lists.length > 1 || !said.includes("\n") ? undefined : bullets(said, lists[0], fit, mends);
  if (lines?.ok === true) return lines;
  if (wanted.kind === "record" || wanted.kind === "map" || wanted.kind === "json") return undefined;
  const quoted = parseStrict(said);
  const node: LooseNode =
    typeof quoted?.value === "string" ? { kind: "text", text: quoted.value } : { kind: scalarWord(said) ? "word" : "text", text: said };
  const read = fit(node, type);
  if (!read.ok) return read.ambiguous === undefined ? undefined : { ok: false, reason: read.ambiguous };
  const bare = typeof read.value === "string" && typeof quoted?.value !== "string" ? ["put quotes around the text"] : [];
  return { ok: true, value: read.value, mends: [...new Set([...mends, ...read.mends, ...bare])] };
}

function scalarWord(text: string): boolean {
  return /^(?:null|None|true|false|True|False|TRUE|FALSE|-?[\d.eE+-]+)$/.test(text);
}

/** A list in lines that begin with a mark or a number. */
function bullets(
  text: string,
  type: Extract<TypeIR, { kind: "list" }>,
  fit: (node: LooseNode, type: TypeIR) => Fit,
  mends: readonly string[],
): Read | undefined {
  const quoted = parseStrict(text);
  if (quoted !== undefined) {
    const node: LooseNode = typeof quoted.value === "string" ? { kind: "text", text: quoted.value } : { kind: "word", text };
    const lone = fit(node, type);
    if (lone.ok) return { ok: true, value: lone.value, mends: [...mends, ...lone.mends] };
    return lone.ambiguous === undefined ? undefined : { ok: false, reason: lone.ambiguous };
  }
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const rows = /:\s*\**$/.test((lines[0] ?? "").slice(-20)) ? lines.slice(1) : lines;
  const items = rows.map((line) => /^(?:[-*•]|\d{1,3}[.)])\s+(.+)$/.exec(line.trimEnd())?.[1]);
  if (items.length === 0 || items.includes(undefined)) return undefined;
  const of = items.map((item): LooseNode => ({ kind: "text", text: (item ?? "").trim() }));
  const read = fit({ kind: "list", of }, type);
  return read.ok ? { ok: true, value: read.value, mends: [...new Set([...mends, ...read.mends, LINES])] } : undefined;
}
