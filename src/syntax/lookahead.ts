/**
 * Which token begins what: the lookahead of the parser. One token is enough, so every choice is a look into a table. The
 * tables stand in `choices.ts`, which `npm run grammar` makes from the grammar as Chevrotain records it: without them each
 * start would record it anew, which takes longer than all else in the check of a small file.
 */
import { CHOICES } from "./choices.js";
import type { TokenType } from "./tokens.js";
import * as T from "./tokens.js";

type Lookahead = (this: T.Ahead) => number | boolean | undefined;
type SetLookahead = (rule: string, key: number, lookahead: Lookahead) => void;

/**
 * A choice as text: the names of the tokens that begin each alternative, `|` between alternatives; an alternative that
 * begins with nothing, and so is always possible, has the name `*`. An optional part is one alternative and a `?`.
 */
type Choice = string;

/** Gives the parser its lookahead, each table made when its choice is first met. */
export function setLookahead(set: SetLookahead): void {
  for (const [rule, choices] of Object.entries(CHOICES))
    for (const [key, choice] of Object.entries(choices))
      set(rule, Number(key), choice.endsWith("?") ? optional(choice) : alternatives(choice));
}

function alternatives(choice: Choice): Lookahead {
  let table: number[] | undefined;
  let otherwise: number | undefined;
  return function () {
    if (table === undefined) {
      table = [];
      for (const [alternative, names] of choice.split("|").entries()) {
        for (const index of indices(names)) table[index] ??= alternative;
        if (!names.includes("*")) continue;
        otherwise = alternative;
        break;
      }
    }
    return table[this.LA(1).tokenTypeIdx] ?? otherwise;
  };
}

function optional(choice: Choice): Lookahead {
  if (choice.includes("*")) return () => true;
  let table: boolean[] | undefined;
  return function () {
    if (table === undefined) {
      table = [];
      for (const index of indices(choice.slice(0, -1))) table[index] = true;
    }
    return table[this.LA(1).tokenTypeIdx] === true;
  };
}

let known: ReadonlyMap<string, TokenType> | undefined;

/** The types of tokens, and those of their categories. */
function indices(names: string): number[] {
  known ??= new Map(T.vocabulary.map((type) => [type.name, type]));
  return names.split(" ").flatMap((name) => {
    const type = known?.get(name);
    return type === undefined ? [] : [type.tokenTypeIdx ?? 0, ...(type.categoryMatches ?? [])];
  });
}
