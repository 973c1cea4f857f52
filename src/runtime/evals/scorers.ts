/**
 * Scorers: what a run gave becomes a number from 0 to 1. Those that ship compare with the expected value or with a type;
 * a judge is a callable of the program. A scorer may look at one field of the value: `exact.label`.
 */
import { canonical } from "../hash.js";
import { isFields, plainText } from "../values.js";

export type ScorerKind = "exact" | "contains" | "numeric" | "schema" | "judge";

export interface Scorer {
  /** As it was written: what its scores are called. */
  readonly name: string;
  readonly kind: ScorerKind;
  /** Fields on the way to what is looked at. */
  readonly path: readonly string[];
  /** Tolerance, type or callable. */
  readonly argument: string;
}

export interface Score {
  readonly score: number;
  readonly reason?: string;
}

export const scorerForms = ["exact", "contains", "numeric:TOLERANCE", "schema:TYPE", "judge:AGENT_OR_FLOW"] as const;

/** Reads `kind.path:argument`; a text says why it cannot be read. */
export function parseScorer(text: string): Scorer | string {
  const match = /^(exact|contains|numeric|schema|judge)((?:\.[A-Za-z_]\w*)*)(?::(.+))?$/.exec(text);
  if (match === null)
    return `${text} is no scorer; there are ${scorerForms.join(", ")}, and a field can follow the name, as in exact.label`;
  const [, kind = "", path = "", argument = ""] = match;
  const made: Scorer = { name: text, kind: kind as ScorerKind, path: path.split(".").slice(1), argument };
  if ((made.kind === "schema" || made.kind === "judge") && argument === "")
    return `${text} does not say ${made.kind === "schema" ? "which type of the program the value is to fit" : "which agent or flow judges"}: ${text}:NAME`;
  if (made.kind === "numeric" && toleranceOf(argument === "" ? "0" : argument) === undefined)
    return `${argument} is no tolerance: a number such as 0.5, or a share of what is expected such as 5%`;
  if ((made.kind === "exact" || made.kind === "contains") && argument !== "") return `${made.kind} takes no argument`;
  return made;
}

function toleranceOf(text: string): ((expected: number) => number) | undefined {
  const match = /^(\d+(?:\.\d+)?|\.\d+)(%?)$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  const amount = Number(match[1]);
  return match[2] === "%" ? (expected) => (Math.abs(expected) * amount) / 100 : () => amount;
}

/** The field of a value that a scorer looks at. */
export function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((of, name) => (isFields(of) ? of[name] : undefined), value);
}

/** What is expected there: the same field of a record that has it, else the expected value itself. */
export function expectedAt(expected: unknown, path: readonly string[]): unknown {
  const inside = at(expected, path);
  return inside === undefined ? expected : inside;
}

/** The score of a built-in scorer; `fits` says whether a value is of the type, or why not. */
export function scoreOf(scorer: Scorer, value: unknown, expected: unknown, fits: (value: unknown) => string | undefined): Score {
  const found = at(value, scorer.path);
  const wanted = expectedAt(expected, scorer.path);
  switch (scorer.kind) {
    case "exact": {
      const wrong = differs(found, wanted, "");
      return wrong === undefined ? { score: 1 } : { score: 0, reason: wrong };
    }
    case "contains": {
      const text = textOf(found).toLowerCase();
      const parts = (Array.isArray(wanted) ? wanted : [wanted]).map((part) => textOf(part));
      const missing = parts.filter((part) => !text.includes(part.toLowerCase()));
      const score = parts.length === 0 ? 1 : (parts.length - missing.length) / parts.length;
      return missing.length === 0 ? { score } : { score, reason: `without ${missing.map((part) => JSON.stringify(part)).join(", ")}` };
    }
    case "numeric": {
      const tolerance = toleranceOf(scorer.argument === "" ? "0" : scorer.argument);
      if (typeof found !== "number" || typeof wanted !== "number") return { score: 0, reason: `${textOf(found)} is no number` };
      const off = Math.abs(found - wanted);
      return off <= (tolerance?.(wanted) ?? 0) + 1e-12 ? { score: 1 } : { score: 0, reason: `expected ${wanted}, found ${found}` };
    }
    case "schema": {
      const why = fits(found);
      return why === undefined ? { score: 1 } : { score: 0, reason: why };
    }
    case "judge":
      throw new Error("a judge is asked, not worked out");
    default:
      return scorer.kind satisfies never;
  }
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : value === undefined ? "nothing" : JSON.stringify(value));

/** Where a value is not what is expected; of records only the fields that are expected count. */
function differs(found: unknown, wanted: unknown, path: string): string | undefined {
  if (isFields(found) && isFields(wanted)) {
    for (const [name, of] of Object.entries(wanted)) {
      const wrong = differs(found[name] ?? null, of, path === "" ? name : `${path}.${name}`);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
  if (canonical(found ?? null) === canonical(wanted ?? null)) return undefined;
  return `${path === "" ? "" : `${path}: `}expected ${short(wanted)}, found ${short(found)}`;
}

const short = (value: unknown): string => {
  const text = JSON.stringify(value ?? null);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
};

/** What a judge said as a score: a `bool`, a number from 0 to 1, or a record with such a `score` and perhaps a `reason`. */
export function judged(said: unknown): Score | string {
  const value = isFields(said) ? (said["score"] ?? said["pass"]) : said;
  const reason = isFields(said) && said["reason"] !== undefined && said["reason"] !== null ? { reason: plainText(said["reason"]) } : {};
  if (typeof value === "boolean") return { score: value ? 1 : 0, ...reason };
  if (typeof value === "number" && value >= 0 && value <= 1) return { score: value, ...reason };
  return `a judge gives a bool, a number from 0 to 1, or a record with a field \`score\`; this one gave ${short(said)}`;
}
