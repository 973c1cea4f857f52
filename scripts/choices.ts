/**
 * The tables of the parser's lookahead, from the grammar as Chevrotain records it: which tokens begin each alternative of
 * a choice and each optional part. One token has to be enough; Chevrotain's own checks see to that.
 */
import { Alternation, Alternative, type IProduction, NonTerminal, Option, Repetition, type Rule, Terminal } from "chevrotain";
import { recordedGrammar } from "../src/syntax/parser.js";

/** The tokens that can begin something, and whether nothing at all will do as well. */
interface First {
  readonly tokens: readonly string[];
  readonly empty: boolean;
}

/** Where Chevrotain keeps the lookahead of a part of a rule: its kind, and its number in the lower eight bits. */
const KEYS = { alternation: 1 << 8, option: 2 << 8, repetition: 3 << 8 } as const;

/** The first tokens of productions in a row. */
function firstOfRow(row: readonly IProduction[]): First {
  const tokens = new Set<string>();
  for (const production of row) {
    const next = firstOf(production);
    for (const name of next.tokens) tokens.add(name);
    if (!next.empty) return { tokens: [...tokens], empty: false };
  }
  return { tokens: [...tokens], empty: true };
}

function firstOf(production: IProduction): First {
  if (production instanceof Terminal) return { tokens: [production.terminalType.name], empty: false };
  if (production instanceof NonTerminal) return firstOfRow(production.referencedRule.definition);
  if (production instanceof Alternation) {
    const each = production.definition.map(firstOf);
    return { tokens: [...new Set(each.flatMap((first) => first.tokens))], empty: each.some((first) => first.empty) };
  }
  const inner = firstOfRow(inside(production));
  return production instanceof Alternative ? inner : { tokens: inner.tokens, empty: true };
}

const inside = (production: IProduction): readonly IProduction[] =>
  "definition" in production ? (production.definition as readonly IProduction[]) : [];

const written = ({ tokens, empty }: First): string => [...tokens, ...(empty ? ["*"] : [])].join(" ");

/** Every choice of a rule: the key of its lookahead, and its alternatives as `lookahead.ts` reads them. */
function choicesOf(rule: Rule): Map<number, string> {
  const found = new Map<number, string>();
  const visit = (production: IProduction): void => {
    if (production instanceof NonTerminal || production instanceof Terminal) return;
    if (production instanceof Alternation) {
      if ("hasPredicates" in production && production.hasPredicates === true) throw new Error(`an alternative of ${rule.name} has a gate`);
      found.set(KEYS.alternation | production.idx, production.definition.map(firstOf).map(written).join("|"));
    } else if (production instanceof Option || production instanceof Repetition) {
      const kind = production instanceof Option ? KEYS.option : KEYS.repetition;
      found.set(kind | production.idx, `${written(firstOfRow(production.definition))}?`);
    } else if (!(production instanceof Alternative)) throw new Error(`${rule.name} has a part that has no lookahead yet`);
    inside(production).forEach(visit);
  };
  rule.definition.forEach(visit);
  return found;
}

/** `src/syntax/choices.ts`. */
export function choicesFile(): string {
  const rules = Object.values(recordedGrammar()).flatMap((rule) => {
    const choices = [...choicesOf(rule)].map(([key, text]) => `    ${key}: ${JSON.stringify(text)},\n`);
    return choices.length === 0 ? [] : [`  ${rule.name}: {\n${choices.join("")}  },\n`];
  });
  return `/** Which tokens begin what, by rule and Chevrotain's key of the choice; \`lookahead.ts\` reads it. Made by \`npm run grammar\`. */
// biome-ignore format: made
export const CHOICES: Readonly<Record<string, Readonly<Record<number, string>>>> = {
${rules.join("")}};
`;
}
