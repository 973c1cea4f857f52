/**
 * Reads one JSON value out of a text the way a patient person would: comments, trailing and missing commas, other
 * quotes, names and texts without quotes, closers that were forgotten. Words keep the form in which they were written, so
 * that the wanted type decides what they are. Nothing is dropped: what could be read in two ways is an error, and so is
 * everything that may have been cut off in the middle.
 */

export type LooseNode =
  | { readonly kind: "text"; readonly text: string }
  /** A word or number without quotes, as it was written. */
  | { readonly kind: "word"; readonly text: string }
  | { readonly kind: "list"; readonly of: readonly LooseNode[] }
  | { readonly kind: "record"; readonly fields: ReadonlyMap<string, LooseNode> };

export type LooseRead =
  | { readonly ok: true; readonly node: LooseNode; readonly end: number; readonly mends: ReadonlySet<string> }
  | { readonly ok: false; readonly reason: string; readonly cut: boolean };

/** Steps that reading may still take; it keeps hostile texts from being read again and again. */
export interface Fuel {
  left: number;
}

type Part = { readonly ok: true; readonly node: LooseNode } | { readonly ok: false; readonly reason: string; readonly cut: boolean };

/** Why something that may go on is not read, and the mend where the text ends after a whole value. */
export const CLOSERS = "added closing brackets";
export const CUT = "the JSON ends in the middle: it may have been cut off";
const MAX_DEPTH = 500;
const quotes: Readonly<Record<string, string>> = { '"': '"', "'": "'", "“": "”", "`": "`" };
const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" };
const closers = ",}]:";

const bad = (reason: string, cut = false): Part => ({ ok: false, reason, cut });

/** Reads the value that begins with the bracket at `start`. */
export function readLoose(text: string, start: number, fuel: Fuel): LooseRead {
  const mends = new Set<string>();
  let at = start;

  function space(): void {
    for (;;) {
      while (at < text.length && isSpace(text.charCodeAt(at))) at++;
      if (text.startsWith("//", at) || text[at] === "#") {
        mends.add("removed comments");
        const end = text.indexOf("\n", at);
        at = end < 0 ? text.length : end;
      } else if (text.startsWith("/*", at)) {
        mends.add("removed comments");
        const end = text.indexOf("*/", at + 2);
        at = end < 0 ? text.length : end + 2;
      } else return;
    }
  }

  function value(depth: number, inRecord: boolean): Part {
    space();
    const c = text[at];
    if (c === undefined) return bad(CUT, true);
    if (depth > MAX_DEPTH) return bad("the JSON is nested too deeply");
    if (c === "{") return record(depth);
    if (c === "[") return list(depth);
    if (quotes[c] === undefined) return word();
    return quoted(inRecord);
  }

  function record(depth: number): Part {
    at++;
    const fields = new Map<string, LooseNode>();
    for (;;) {
      space();
      if (text[at] === "}") {
        at++;
        return { ok: true, node: { kind: "record", fields } };
      }
      if (at >= text.length) return bad(CUT, true);
      const name = fieldName();
      if (!name.ok) return name;
      const key = name.node.kind === "text" ? name.node.text : "";
      space();
      if (at >= text.length) return bad(CUT, true);
      if (text[at] !== ":") return bad(`a \`:\` is missing after ${JSON.stringify(key)}`);
      at++;
      const found = value(depth + 1, true);
      if (!found.ok) return found;
      const before = fields.get(key);
      if (before !== undefined && !sameNode(before, found.node)) return bad(`the field ${JSON.stringify(key)} is there twice`);
      fields.set(key, found.node);
      const next = separator("}", found.node, () => nameFollows(text, at));
      if (next === "end") return { ok: true, node: { kind: "record", fields } };
      if (next !== undefined) return next;
    }
  }

  function fieldName(): Part {
    const close = quotes[text[at] ?? ""];
    if (close !== undefined) {
      if (text[at] !== '"') mends.add("replaced quotes");
      return quotedName(close);
    }
    const match = /[\p{L}_$][\p{L}\p{N}_$-]*/uy;
    match.lastIndex = at;
    const found = match.exec(text)?.[0];
    if (found === undefined) return bad(`a field name is expected, found ${JSON.stringify(text.slice(at, at + 10))}`);
    mends.add("put quotes around field names");
    at += found.length;
    fuel.left -= found.length;
    return { ok: true, node: { kind: "text", text: found } };
  }

  function quotedName(close: string): Part {
    at++;
    let out = "";
    while (at < text.length && text[at] !== close) {
      if (text[at] === "\\") out += escaped();
      else out += text[at++];
    }
    if (at >= text.length) return bad(CUT, true);
    at++;
    fuel.left -= out.length;
    return { ok: true, node: { kind: "text", text: out } };
  }

  function list(depth: number): Part {
    at++;
    const of: LooseNode[] = [];
    for (;;) {
      space();
      if (text[at] === "]") {
        at++;
        return { ok: true, node: { kind: "list", of } };
      }
      const found = value(depth + 1, false);
      if (!found.ok) return found;
      of.push(found.node);
      const next = separator("]", found.node, () => lineBroke(text, at));
      if (next === "end") return { ok: true, node: { kind: "list", of } };
      if (next !== undefined) return next;
    }
  }

  /** Takes a comma, or leaves the closing bracket; `end` where the text ends after a whole value. */
  function separator(close: string, last: LooseNode, missing: () => boolean): Part | "end" | undefined {
    fuel.left--;
    if (fuel.left < 0) return bad("the answer is too tangled to be read");
    space();
    if (text[at] === ",") {
      at++;
      space();
      if (text[at] === close) mends.add("removed trailing commas");
      return undefined;
    }
    if (text[at] === close) return undefined;
    const ends = at >= text.length || text.startsWith("```", at) || /^<\/\w+>\s*$/.test(text.slice(at, at + 40));
    if (ends) {
      // A word may go on behind the cut, a bracket or a quote has ended.
      if (last.kind === "word") return bad(CUT, true);
      mends.add(CLOSERS);
      return "end";
    }
    if (missing()) {
      mends.add("added missing commas");
      return undefined;
    }
    return bad(`a comma or \`${close}\` is expected, found ${JSON.stringify(text.slice(at, at + 10))}`);
  }

  function quoted(inRecord: boolean): Part {
    const open = text[at] ?? '"';
    const triple = (open === '"' || open === "'") && text.startsWith(open.repeat(3), at);
    const close = triple ? open.repeat(3) : (quotes[open] ?? '"');
    if (triple || open !== '"') mends.add("replaced quotes");
    at += close.length;
    const from = at;
    let out = "";
    let run = at;
    while (at < text.length) {
      const c = text[at] ?? "";
      if (c === "\\") {
        out += text.slice(run, at) + escaped();
        run = at;
      } else if (c === close[0] && (close.length === 1 || text.startsWith(close, at))) {
        const how = triple ? "close" : closing(text, at + 1, inRecord);
        if (how === "unclear") return bad(`it is not clear where the text ${JSON.stringify(text.slice(from, from + 20))} ends`);
        if (how === "close") {
          out += text.slice(run, at);
          at += close.length;
          fuel.left -= at - from;
          return { ok: true, node: { kind: "text", text: out } };
        }
        mends.add("escaped quotes in texts");
        at++;
      } else {
        if (c === "\n") mends.add("escaped line breaks in texts");
        at++;
      }
    }
    fuel.left -= at - from;
    return bad("the JSON ends in the middle of a text: it may have been cut off", true);
  }

  function escaped(): string {
    const e = text[at + 1] ?? "";
    const code = text.slice(at + 2, at + 6);
    if (e === "u" && /^[0-9a-fA-F]{4}$/.test(code)) {
      at += 6;
      return String.fromCharCode(Number.parseInt(code, 16));
    }
    at += 2;
    const known = escapes[e];
    if (known !== undefined) return known;
    if (e === '"' || e === "\\" || e === "/") return e;
    mends.add("read stray backslashes");
    return /[\p{L}\p{N}]/u.test(e) ? `\\${e}` : e;
  }

  /** Everything up to the next comma, closer or line break. */
  function word(): Part {
    const from = at;
    while (at < text.length) {
      const c = text[at] ?? "";
      if (c === "," || c === "}" || c === "]" || c === "\n") break;
      if (c === "{" || c === "[" || c === '"')
        return bad(`${JSON.stringify(text.slice(from, Math.min(at + 1, from + 40)))} is not a JSON value`);
      if ((c === "#" || text.startsWith("//", at)) && isSpace(text.charCodeAt(at - 1))) break;
      if (text.startsWith("/*", at) || text.startsWith("```", at)) break;
      at++;
    }
    const found = text.slice(from, at).trim();
    fuel.left -= at - from;
    if (found === "") return bad(`a value is expected, found ${JSON.stringify(text.slice(from, from + 10))}`);
    if (/^(?:\.\.\.|…)/.test(found)) return bad("something was left out (`...`)");
    return { ok: true, node: { kind: "word", text: found } };
  }

  const found = value(0, false);
  fuel.left -= at - start;
  return found.ok ? { ok: true, node: found.node, end: at, mends } : found;
}

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13) || code === 0xa0 || code === 0xfeff;
}

/** What the quote before this place is: the end of its text, part of it, or nobody knows. */
function closing(text: string, from: number, inRecord: boolean): "close" | "inner" | "unclear" {
  let next = from;
  while (next < text.length && isSpace(text.charCodeAt(next)) && text[next] !== "\n" && next - from < 200) next++;
  const c = text[next];
  if (c === undefined || c === "\n" || closers.includes(c) || text.startsWith("//", next) || text.startsWith("/*", next)) return "close";
  if (c === "#" && next > from) return "close";
  if (text.startsWith("```", next) || text.startsWith("</", next)) return "close";
  if (inRecord && nameFollows(text, next)) return "close";
  return quotes[c] === undefined ? "inner" : "unclear";
}

/** Whether a field name with its colon stands here. */
function nameFollows(text: string, at: number): boolean {
  return /^(?:"[^"\n]{1,100}"|'[^'\n]{1,100}'|[\p{L}_$][\p{L}\p{N}_$-]{0,100})[ \t]*:/u.test(text.slice(at, at + 120));
}

/** Whether only space with a line break stands before this place. */
function lineBroke(text: string, at: number): boolean {
  let before = at - 1;
  while (before >= 0 && isSpace(text.charCodeAt(before))) {
    if (text[before] === "\n") return true;
    before--;
  }
  return false;
}

/** Whether two values were written alike. */
export function sameNode(a: LooseNode, b: LooseNode): boolean {
  if (a.kind === "list") return b.kind === "list" && a.of.length === b.of.length && a.of.every((x, i) => sameMaybe(x, b.of[i]));
  if (a.kind === "record")
    return b.kind === "record" && a.fields.size === b.fields.size && [...a.fields].every(([k, x]) => sameMaybe(x, b.fields.get(k)));
  return a.kind === b.kind && "text" in b && a.text === b.text;
}

function sameMaybe(a: LooseNode, b: LooseNode | undefined): boolean {
  return b !== undefined && sameNode(a, b);
}
