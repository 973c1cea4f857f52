/**
 * `map(xs, x => …)`, `xs |> map(x => …)` and the like of `reduce`: what other languages call is a region here. What was
 * called is read off the tokens, and what the language writes for it is made of its text.
 */
import * as L from "./landmarks.js";
import type { Token } from "./tokens.js";
import * as T from "./tokens.js";

export type CalledWord = "map" | "reduce";

/** The texts of the arguments of a call, and the index of the token that closes it. */
export interface CalledArguments {
  readonly texts: readonly string[];
  readonly closer: number;
}

/** How far ahead the end of a call is looked for. */
const FAR = 500;

/** Reads the arguments behind the `(` with that index; undefined where nothing closes it. */
export function calledArguments(tokens: readonly Token[], opener: number, text: string): CalledArguments | undefined {
  const open: T.TokenType[] = [];
  const texts: string[] = [];
  let start = tokens[opener]?.startOffset ?? 0;
  const end = (token: Token): void => {
    const argument = text.slice(start + 1, token.startOffset).trim();
    if (argument !== "") texts.push(argument);
    start = token.startOffset;
  };
  for (let i = opener; i < tokens.length && i < opener + FAR; i++) {
    const token = tokens[i];
    if (token === undefined) return undefined;
    const type = token.tokenType;
    if (L.isOpener(type)) open.push(L.closerOf(type));
    else if (L.isCloser(type)) {
      if (open.pop() !== type) return undefined;
      if (open.length > 0) continue;
      end(token);
      return { texts, closer: i };
    } else if (type === T.Comma && open.length === 1) end(token);
  }
  return undefined;
}

/** The region that says what a call of its word would; undefined where that cannot be told on one line. */
export function regionInstead(word: CalledWord, list: string | undefined, args: readonly string[]): string | undefined {
  const inside = word === "map" && list === undefined ? /^(\w+(?:,\s*\w+)?)\s+in\s+(.+)$/.exec(args.join(", ")) : null;
  if (inside !== null) return `map ${inside[1]} in ${inside[2]}`;
  const [over = "", called, ...more] = list === undefined ? args : [list, ...args];
  if (called === undefined || more.length > 0 || over.includes("\n") || called.includes("\n")) return undefined;
  const items = /^[\w.[\]]+$/.test(over) ? over : `(${over})`;
  const name = /^[A-Za-z_]\w*$/.test(called) ? called : undefined;
  if (word === "reduce") return name === undefined ? undefined : `reduce ${items} with ${name}`;
  if (name !== undefined) return `map x in ${items} { ${name}(x) }`;
  const lambda = /^(?:(\w+)|\(\s*(\w+)\s*(?:,\s*(\w+)\s*)?\))\s*=>\s*(.+)$/.exec(called);
  if (lambda === null) return undefined;
  const [, alone, first = alone, index, body = ""] = lambda;
  return `map ${first}${index === undefined ? "" : `, ${index}`} in ${items} ${body.startsWith("{") ? body : `{ ${body} }`}`;
}
