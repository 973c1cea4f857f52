/**
 * Which token begins what: the lookahead of the parser. Chevrotain's own enumerates paths for any number of tokens; one
 * token is enough here, so the first tokens of each rule are collected once, when a choice is first met, and every choice is
 * a look into a table. It makes the parser ready sooner, which is what a small file spends most on. The checks of the
 * grammar stay Chevrotain's.
 */
import type { TokenType } from "./tokens.js";
import * as T from "./tokens.js";

/** The tokens that can begin something, and whether nothing at all will do as well. */
interface First {
  readonly tokens: ReadonlySet<TokenType>;
  readonly empty: boolean;
}
type Productions = readonly T.Production[];

/** Lookahead by one token. Choices with conditions and parts that may be empty are left to Chevrotain. */
export function firstTokens(): T.LookaheadStrategy {
  const chevrotain = new T.LLkLookaheadStrategy({ maxLookahead: 1 });
  const rules = new Map<T.Rule, First>();

  /** The first tokens of productions in a row. */
  function firstOfRow(row: Productions): First {
    const tokens = new Set<TokenType>();
    for (const production of row) {
      const next = firstOf(production);
      for (const type of next.tokens) tokens.add(type);
      if (!next.empty) return { tokens, empty: false };
    }
    return { tokens, empty: true };
  }

  function firstOf(production: T.Production): First {
    if (production instanceof T.Terminal) return { tokens: new Set([production.terminalType]), empty: false };
    if (production instanceof T.NonTerminal) return firstOfRule(production.referencedRule);
    if (production instanceof T.Alternation) {
      const each = production.definition.map(firstOf);
      return { tokens: new Set(each.flatMap((first) => [...first.tokens])), empty: each.some((first) => first.empty) };
    }
    const inner = firstOfRow(inside(production));
    return production instanceof T.Alternative ? inner : { tokens: inner.tokens, empty: true };
  }

  function firstOfRule(rule: T.Rule): First {
    let known = rules.get(rule);
    if (known === undefined) {
      known = firstOfRow(rule.definition);
      rules.set(rule, known);
    }
    return known;
  }

  return {
    validate: (grammar) => chevrotain.validate(grammar),
    buildLookaheadForAlternation(options) {
      if (options.hasPredicates) return chevrotain.buildLookaheadForAlternation(options);
      let table: number[] | undefined;
      let other: ReturnType<T.LookaheadStrategy["buildLookaheadForAlternation"]> | undefined;
      return function (this: T.Ahead): number | undefined {
        if (table === undefined) {
          table = [];
          const firsts = find(options.rule.definition, T.Alternation, options.prodOccurrence)?.definition.map(firstOf) ?? [];
          if (firsts.some((first) => first.empty)) other = chevrotain.buildLookaheadForAlternation(options);
          for (const [alternative, { tokens }] of firsts.entries())
            for (const type of tokens) for (const index of indices(type)) table[index] ??= alternative;
        }
        return other === undefined ? table[this.LA(1).tokenTypeIdx] : other.call(this as never);
      };
    },
    buildLookaheadForOptional(options) {
      let table: boolean[] | undefined;
      let other: ReturnType<T.LookaheadStrategy["buildLookaheadForOptional"]> | undefined;
      return function (this: T.Ahead): boolean {
        if (table === undefined) {
          table = [];
          const optional = find(options.rule.definition, options.prodType === "Option" ? T.Option : T.Repetition, options.prodOccurrence);
          const first = optional === undefined ? undefined : firstOfRow(optional.definition);
          if (first === undefined || first.empty) other = chevrotain.buildLookaheadForOptional(options);
          else for (const type of first.tokens) for (const index of indices(type)) table[index] = true;
        }
        return other === undefined ? table[this.LA(1).tokenTypeIdx] === true : other.call(this as never);
      };
    },
  };
}

function inside(production: T.Production): Productions {
  return "definition" in production ? (production.definition as Productions) : [];
}

/** A type of token and the types of its category. */
function indices(type: TokenType): readonly number[] {
  return [type.tokenTypeIdx ?? 0, ...(type.categoryMatches ?? [])];
}

/** The production of a class with that number, anywhere in a row. */
function find<P extends T.Production & { readonly idx: number }>(
  row: Productions,
  of: new (...args: never[]) => P,
  idx: number,
): P | undefined {
  for (const production of row) {
    if (production instanceof of && production.idx === idx) return production;
    const found = production instanceof T.NonTerminal ? undefined : find(inside(production), of, idx);
    if (found !== undefined) return found;
  }
  return undefined;
}
