/** Short plausible texts within their bounds, and texts that match a pattern (the usual forms of regular expressions). */
import type { TypeIR } from "../plan/ir.js";
import { expression } from "./builtins-text.js";
import { failure } from "./failure.js";
import { textLength } from "./values.js";

type TextType = Extract<TypeIR, { kind: "string" }>;

const words = "the plan covers what was found so far and names each step with its reason before the next one starts in good order".split(
  " ",
);

export function sampleText(type: TextType, random: () => number, full: boolean, name: string): string {
  if (type.pattern !== undefined) return matching(type, type.pattern, random);
  const min = type.min ?? 0;
  const max = type.max ?? Math.max(min, 80);
  const wanted = full
    ? max
    : Math.max(min, Math.min(max, name === "id" || name === "key" || name === "name" ? 8 : 20 + Math.floor(random() * 40)));
  if (name === "id" || name === "key") return fitted(`${name}-${Math.floor(random() * 1e6).toString(36)}`, min, max);
  if (/^(file|path)$/.test(name)) return fitted(`src/${pick(words, random)}.ts`, min, max);
  if (/^url$/.test(name)) return fitted(`https://example.com/${pick(words, random)}`, min, max);
  let text = "";
  while (text.length < wanted) text += `${text === "" ? "" : " "}${pick(words, random)}`;
  return fitted(text.slice(0, Math.max(wanted, 1)).trimEnd(), min, max);
}

function pick<T>(from: readonly T[], random: () => number): T {
  return from[Math.floor(random() * from.length)] as T;
}

function fitted(text: string, min: number, max: number): string {
  const cut = text.slice(0, max);
  return cut.length >= min ? cut : cut.padEnd(min, "x");
}

function matching(type: TextType, pattern: string, random: () => number): string {
  const test = expression(pattern);
  for (let i = 0; i < 50; i++) {
    const drawn = draw(pattern, random, i < 25 ? 3 : 12);
    if (drawn === undefined) break;
    const length = textLength(drawn);
    if (test.test(drawn) && length >= (type.min ?? 0) && length <= (type.max ?? Number.POSITIVE_INFINITY)) return drawn;
  }
  throw failure("invalid_output", `the simulator cannot make a text that matches /${pattern}/: stub this agent or loosen the pattern`);
}

const classes: Readonly<Record<string, string>> = { d: "0123456789", w: "abcdefghijklmnopqrstuvwxyz0123456789_", s: " " };
const printable = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_.,";

/** A text along a pattern; undefined for what is not understood (look-around, references). */
function draw(pattern: string, random: () => number, most: number): string | undefined {
  let at = 0;
  let understood = true;

  function alternatives(): () => string {
    const options = [sequence()];
    while (pattern[at] === "|") {
      at++;
      options.push(sequence());
    }
    return () => pick(options, random)();
  }

  function sequence(): () => string {
    const parts: (() => string)[] = [];
    while (at < pattern.length && pattern[at] !== "|" && pattern[at] !== ")") parts.push(repeated(atom()));
    return () => parts.map((part) => part()).join("");
  }

  function atom(): () => string {
    const c = pattern[at++] ?? "";
    if (c === "^" || c === "$") return () => "";
    if (c === ".") return () => pick([...printable], random);
    if (c === "[") return characters();
    if (c === "\\") return escaped();
    if (c !== "(") return () => c;
    if (pattern.startsWith("?:", at)) at += 2;
    else if (pattern.startsWith("?<", at) && /[a-z]/i.test(pattern[at + 2] ?? "")) at = pattern.indexOf(">", at) + 1;
    else if (pattern[at] === "?") understood = false;
    const inner = alternatives();
    at++;
    return inner;
  }

  function escaped(): () => string {
    const e = pattern[at++] ?? "";
    const set = classes[e];
    if (set !== undefined) return () => pick([...set], random);
    if (/[1-9bBDWSpPk]/.test(e)) {
      if (e === "b") return () => "";
      if (e === "D" || e === "S") return () => "x";
      if (e === "W") return () => "-";
      understood = false;
    }
    const named: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };
    return () => named[e] ?? e;
  }

  function characters(): () => string {
    const negated = pattern[at] === "^";
    if (negated) at++;
    let set = "";
    while (at < pattern.length && pattern[at] !== "]") {
      let c = pattern[at++] ?? "";
      if (c === "\\") {
        const e = pattern[at++] ?? "";
        if (classes[e] !== undefined) {
          set += classes[e];
          continue;
        }
        c = e === "n" ? "\n" : e === "t" ? "\t" : e;
      }
      if (pattern[at] === "-" && pattern[at + 1] !== "]" && at + 1 < pattern.length) {
        const high = (pattern[at + 1] ?? c).codePointAt(0) ?? 0;
        for (let code = c.codePointAt(0) ?? 0; code <= Math.min(high, (c.codePointAt(0) ?? 0) + 256); code++)
          set += String.fromCodePoint(code);
        at += 2;
      } else set += c;
    }
    at++;
    const from = negated ? [...printable].filter((c) => !set.includes(c)) : [...set];
    if (from.length === 0) understood = false;
    return () => pick(from, random);
  }

  function repeated(one: () => string): () => string {
    const match = /^(\?|\*|\+|\{(\d+)(,(\d*))?\})\??/.exec(pattern.slice(at));
    if (match === null) return one;
    at += match[0].length;
    const [, mark = "", low, range, high] = match;
    const least = low === undefined ? (mark === "+" ? 1 : 0) : Number(low);
    const last =
      low === undefined
        ? mark === "?"
          ? 1
          : least + most
        : range === undefined
          ? least
          : high === "" || high === undefined
            ? least + most
            : Number(high);
    return () => Array.from({ length: least + Math.floor(random() * (last - least + 1)) }, one).join("");
  }

  const make = alternatives();
  return understood && at >= pattern.length ? make() : undefined;
}
