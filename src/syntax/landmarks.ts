/**
 * Where parsing can start again after a mistake: the first words of declarations and statements, recognised by their
 * first two or three tokens so that a property `model: haiku` or a field `type` is never taken for one. Also the tables
 * that say which tokens can begin what. Everything here only looks at tokens.
 */

import type { Token, TokenType } from "./tokens.js";
import * as T from "./tokens.js";

/** A set of token types, by their index. */
export type Starts = readonly boolean[];

function starts(...types: readonly TokenType[]): Starts {
  const table: boolean[] = [];
  for (const type of types) {
    table[type.tokenTypeIdx ?? 0] = true;
    for (const inner of type.categoryMatches ?? []) table[inner] = true;
  }
  return table;
}

const { K } = T;
const words = Object.values(K);
export const names: Starts = starts(T.Name, ...T.CONTEXTUAL.map((word) => K[word]));
export const anyWords: Starts = starts(T.Name, ...words);
const operands = [
  T.Name, ...T.CONTEXTUAL.map((word) => K[word]), T.Num, T.Str, T.Regex, K.true, K.false, K.null,
  T.LParen, T.LBracket, T.LBrace, K.if, K.match, K.settle, K.map, K.fork, K.race, K.vote, K.loop, K.reduce, K.try, K.ask, K.send,
  K.orchestrate,
]; // biome-ignore format: a list of tokens
export const primaryStarts: Starts = starts(...operands);
export const exprStarts: Starts = starts(...operands, T.Not, T.Minus, T.At);
export const elementStarts: Starts = starts(...operands, T.Not, T.Minus, T.At, T.Ellipsis);
export const argumentStarts: Starts = starts(...operands, T.Not, T.Minus, T.At, T.Dot, T.Name, ...words);
export const statementWords: Starts = starts(K.let, K.set, K.assert, K.stop, K.next);
export const statementStarts: Starts = starts(...operands, T.Not, T.Minus, T.At, K.let, K.set, K.assert, K.stop, K.next);
export const keyStarts: Starts = starts(T.Name, ...words, T.Str);
export const entryStarts: Starts = starts(T.Name, ...words, T.Str, T.Ellipsis);
export const fieldStarts: Starts = starts(T.Name, ...words, T.Str, T.At);
export const parameterStarts: Starts = starts(T.Name, ...words, T.At);
export const atStarts: Starts = starts(T.At);
// biome-ignore format: a list of tokens
const typePrimaryTokens = [
  T.Name,
  ...T.CONTEXTUAL.map((word) => K[word]),
  K.map,
  T.Str,
  T.Minus,
  T.Num,
  K.true,
  K.false,
  K.null,
  T.LBrace,
  T.LParen,
];
/** Without the `|` that a union may begin with. */
export const typePrimaryStarts: Starts = starts(...typePrimaryTokens);
export const typeStarts: Starts = starts(T.Bar, ...typePrimaryTokens);
export const patternStarts: Starts = starts(
  T.Str, T.Minus, T.Num, T.DotDot, K.true, K.false, K.null, T.Name, ...T.CONTEXTUAL.map((word) => K[word]), T.LBrace,
); // biome-ignore format: a list of tokens
export const postfixStarts: Starts = starts(T.Dot, T.QuestionDot, T.LParen, T.LBracket);
export const declarationWords: Starts = starts(
  K.type, K.model, K.mcp, K.effect, K.tool, K.agent, K.flow, K.capability, K.compose, K.policy, K.let, K.state, K.channel, K.on, K.test,
); // biome-ignore format: a list of tokens
const clauseWords: Starts = starts(K.where, K.by, K.after, K.early, K.within, K.in, K.to);
/** What `startsDeclaration` looks for first. */
export const landmarkWords: Starts = starts(
  K.type, K.model, K.mcp, K.effect, K.tool, K.agent, K.flow, K.capability, K.compose, K.policy, K.state, K.channel, K.on, K.test,
  K.import, T.At,
); // biome-ignore format: a list of tokens

export function has(table: Starts, token: Token): boolean {
  return table[token.tokenTypeIdx] === true;
}

export function isOpener(type: TokenType): boolean {
  return type === T.LParen || type === T.LBracket || type === T.LBrace;
}
export function isCloser(type: TokenType): boolean {
  return type === T.RParen || type === T.RBracket || type === T.RBrace;
}
export function closerOf(opener: TokenType): TokenType {
  return opener === T.LParen ? T.RParen : opener === T.LBracket ? T.RBracket : T.RBrace;
}

const afterName: ReadonlyMap<TokenType, readonly TokenType[]> = new Map<TokenType, readonly TokenType[]>([
  [K.type, [T.Assign, T.Less]],
  [K.model, [T.LBrace]],
  [K.mcp, [T.LBrace]],
  [K.tool, [T.LParen, T.Less]],
  [K.agent, [T.LParen, T.Less]],
  [K.flow, [T.LParen, T.Less]],
  [K.capability, [T.LParen, T.Less]],
  [K.compose, [T.Assign]],
  [K.policy, [T.LBrace]],
  [K.state, [T.Colon]],
  [K.channel, [T.LParen]],
  [K.on, [T.LParen, T.Dot]],
]);

/**
 * Whether a declaration surely starts at that token: no statement, property or field looks like one. Annotations before
 * it are part of it.
 */
export function startsDeclaration(tokens: readonly Token[], index: number, text: string): boolean {
  let i = index;
  let token = tokens[i];
  if (token === undefined || !has(landmarkWords, token)) return false;
  while (token !== undefined && token.tokenType === T.At) {
    i = afterAnnotation(tokens, i);
    token = tokens[i];
  }
  const second = tokens[i + 1];
  if (token === undefined || second === undefined || !has(landmarkWords, token)) return false;
  if (token.tokenType === K.effect) return second.tokenType === K.tool && has(names, tokens[i + 2] ?? second);
  if (token.tokenType === K.test) return second.tokenType === T.Str;
  if (token.tokenType === K.import) return second.tokenType === T.LBrace;
  const third = tokens[i + 2];
  if (text.slice(token.startOffset, second.startOffset).includes("\n")) return false;
  // A value called `model` before a clause of a map: `xs + model by { … }`.
  if (third?.tokenType === T.LBrace && has(clauseWords, second)) return false;
  return has(names, second) && third !== undefined && (afterName.get(token.tokenType)?.includes(third.tokenType) ?? false);
}

/** How far ahead a closing bracket is looked for: enough for any list, and no file takes for ever. */
const FAR = 1_000;

/** The index after `@name(…)`. */
function afterAnnotation(tokens: readonly Token[], at: number): number {
  const name = tokens[at + 1];
  const open = tokens[at + 2];
  if (name === undefined || !has(anyWords, name)) return at + 1;
  if (open === undefined || open.tokenType !== T.LParen || open.startOffset !== name.startOffset + name.image.length) return at + 2;
  let depth = 0;
  for (let i = at + 2; i < tokens.length && i < at + FAR; i++) {
    const type = tokens[i]?.tokenType;
    if (type === T.LParen) depth++;
    else if (type === T.RParen && --depth === 0) return i + 1;
    else if (type === T.RBrace || type === T.LBrace) break;
  }
  return at + 2;
}

/** Whether that closer comes before the enclosing block ends or a declaration starts: then only a separator is missing. */
export function closesLater(tokens: readonly Token[], from: number, closer: TokenType, text: string): boolean {
  const open: TokenType[] = [];
  for (let i = from; i < tokens.length && i < from + FAR; i++) {
    const token = tokens[i];
    if (token === undefined) return false;
    const type = token.tokenType;
    if (isOpener(type)) open.push(closerOf(type));
    else if (isCloser(type)) {
      if (open.length === 0) return type === closer;
      if (open.pop() !== type) return false;
    } else if (has(statementWords, token) && tokens[i + 1]?.tokenType !== T.Colon && open.length === 0) return false;
    else if (startsDeclaration(tokens, i, text)) return false;
  }
  return false;
}

/** Words of other languages at the place of a declaration keyword. */
export const foreignDeclarations: Readonly<Record<string, keyof typeof K>> = {
  function: "flow", def: "flow", fn: "flow", func: "flow", fun: "flow", proc: "flow", workflow: "flow", pipeline: "flow", task: "flow",
  const: "let", var: "let", val: "let", interface: "type", struct: "type", enum: "type", class: "type", record: "type",
  use: "import", require: "import", include: "import",
}; // biome-ignore format: a table

/** Words that other languages put before a declaration. */
export const foreignModifiers: Readonly<Record<string, string>> = {
  export: "every name that does not start with `_` can be imported",
  pub: "every name that does not start with `_` can be imported",
  public: "every name that does not start with `_` can be imported",
  private: "a name that starts with `_` is private to its file",
  async: "everything runs as soon as its inputs are there",
};

/** Words of other languages at the beginning of a statement, and what is written here. */
export const foreignStatements: Readonly<Record<string, { readonly instead: string; readonly as: keyof typeof K | undefined }>> = {
  const: { instead: "write `let`", as: "let" },
  var: { instead: "write `let`", as: "let" },
  for: { instead: "write `map x in xs { … }`", as: "map" },
  foreach: { instead: "write `map x in xs { … }`", as: "map" },
  while: { instead: "write `loop x = start up to n { … }`", as: undefined },
  switch: { instead: "write `match x { … }`", as: "match" },
  throw: { instead: 'write `fail("…")`', as: undefined },
  parallel: { instead: "statements that do not need each other run in parallel by themselves", as: undefined },
};

/** Words of other languages before an operand. */
export const foreignPrefixes: Readonly<Record<string, string>> = {
  await: "a value is waited for where it is used",
  new: "call the name itself",
  not: "write `!`",
  async: "everything runs as soon as its inputs are there",
  yield: "the last expression of a block is its value",
};

/** The declaration keyword that was probably meant: one letter off, or two swapped. */
export function nearKeyword(word: string): keyof typeof K | undefined {
  if (word.length < 4) return undefined;
  const candidates = [
    "type",
    "model",
    "tool",
    "agent",
    "flow",
    "capability",
    "compose",
    "policy",
    "state",
    "channel",
    "test",
    "import",
  ] as const;
  return candidates.find((candidate) => near(word.toLowerCase(), candidate));
}

function near(a: string, b: string): boolean {
  if (a === b) return true;
  if (Math.abs(a.length - b.length) > 1) return false;
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  const rest = (s: string, from: number) => s.slice(from);
  return (
    rest(a, i + 1) === rest(b, i + 1) ||
    rest(a, i + 1) === rest(b, i) ||
    rest(a, i) === rest(b, i + 1) ||
    (a[i] === b[i + 1] && a[i + 1] === b[i] && rest(a, i + 2) === rest(b, i + 2))
  );
}
