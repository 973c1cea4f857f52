/**
 * The lexer. It is total: every character of a file ends up in a token, a comment or white space, and what is wrong
 * with a token (unterminated text, unknown characters) is reported here once. Words are lexed as one token and then
 * sorted into reserved words, contextual keywords and names, which keeps the lexer small and quick to start.
 * This file is the only door to Chevrotain.
 */
import { createToken, type IToken, Lexer, type TokenType } from "chevrotain";
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../diagnostics/problems.js";
import type { SourceFile, Span } from "../source/source.js";
import type { Comment } from "./ast.js";

export { EmbeddedActionsParser, type ParserMethod, type Rule } from "chevrotain";
export type Token = IToken;
export type { TokenType };
/** What a lookahead function is called on: the parser. */
export interface Ahead {
  LA(howMuch: number): Token;
}

/** The characters from one to another: what a token may begin with, which Chevrotain would find out at each start. */
const range = (from: string, to: string): string[] => {
  const codes: string[] = [];
  for (let code = from.charCodeAt(0); code <= to.charCodeAt(0); code++) codes.push(String.fromCharCode(code));
  return codes;
};
const DIGITS = range("0", "9");
const LETTERS = [...range("A", "Z"), "_", ...range("a", "z")];

/** Any word: a name, a contextual keyword or a reserved word. */
export const Word = createToken({ name: "Word", pattern: Lexer.NA });
/** A word that may name a value: a name or a contextual keyword. */
export const Name = createToken({ name: "Name", pattern: /[A-Za-z_][A-Za-z0-9_]*/y, start_chars_hint: LETTERS, categories: [Word] });

/** Words that begin or continue an expression; they cannot name a value. */
export const RESERVED = [
  "true", "false", "null", "if", "else", "match", "map", "settle", "fork", "race", "vote", "loop", "reduce", "try", "recover",
  "ask", "orchestrate", "let", "assert", "set", "stop", "next", "as", "send",
] as const; // biome-ignore format: a list of words

/** Words with a meaning in one place only; everywhere else they are names. */
export const CONTEXTUAL = [
  "import", "from", "type", "model", "mcp", "effect", "tool", "agent", "flow", "capability", "compose", "policy", "state",
  "channel", "on", "test", "implements", "secret", "untrusted", "in", "where", "by", "after", "giving", "early", "up", "to",
  "groups", "of", "with", "when", "within", "stub", "expect", "crash", "order", "before", "fails", "times", "then", "one_of",
  "takes", "costs",
] as const; // biome-ignore format: a list of words

type Reserved = (typeof RESERVED)[number];
type Contextual = (typeof CONTEXTUAL)[number];

function keywords<K extends string>(words: readonly K[], category: TokenType): Record<K, TokenType> {
  const made: Partial<Record<K, TokenType>> = {};
  for (const word of words)
    made[word] = createToken({ name: `Kw_${word}`, label: `\`${word}\``, pattern: Lexer.NA, categories: [category] });
  return made as Record<K, TokenType>;
}
/** The token type of each keyword: `K.flow`, `K.let`. */
export const K: Record<Reserved | Contextual, TokenType> = { ...keywords(RESERVED, Word), ...keywords(CONTEXTUAL, Name) };
const keywordOf: ReadonlyMap<string, TokenType> = new Map(Object.entries(K));
const reserved: ReadonlySet<string> = new Set(RESERVED);

/** Whether a word is reserved as a name of values. */
export function isReserved(word: string): boolean {
  return reserved.has(word);
}

/** The binary operators, all of one flat rule; `operators.ts` has their precedence. */
export const Infix = createToken({ name: "Infix", pattern: Lexer.NA });

const sign = (name: string, pattern: string): TokenType => createToken({ name, pattern, label: `\`${pattern}\`` });
const infix = (name: string, image: string, pattern: string | RegExp = image): TokenType =>
  createToken({ name, pattern, start_chars_hint: [image.charAt(0)], label: `\`${image}\``, categories: [Infix] });

export const Ellipsis = sign("Ellipsis", "...");
export const DotDot = sign("DotDot", "..");
export const Dot = sign("Dot", ".");
export const QuestionDot = sign("QuestionDot", "?.");
export const Coalesce = infix("Coalesce", "??");
export const Question = sign("Question", "?");
export const Pipe = sign("Pipe", "|>");
/** A single `&` is lexed as well, and reported by the parser. */
export const Or = infix("Or", "||");
export const Bar = sign("Bar", "|");
export const And = infix("And", "&&", /&&?/y);
export const FatArrow = sign("FatArrow", "=>");
export const Arrow = sign("Arrow", "->");
/** `===` and `!==` are lexed as well, and reported by the parser. */
export const Equal = infix("Equal", "==", /===?/y);
export const NotEqual = infix("NotEqual", "!=", /!==?/y);
export const LessEqual = infix("LessEqual", "<=");
export const GreaterEqual = infix("GreaterEqual", ">=");
export const Assign = sign("Assign", "=");
export const Not = sign("Not", "!");
export const Less = infix("Less", "<");
export const Greater = infix("Greater", ">");
export const Plus = infix("Plus", "+");
export const Minus = infix("Minus", "-");
export const Star = infix("Star", "*");
export const Slash = infix("Slash", "/");
export const Percent = infix("Percent", "%");
export const LParen = sign("LParen", "(");
export const RParen = sign("RParen", ")");
export const LBracket = sign("LBracket", "[");
export const RBracket = sign("RBracket", "]");
export const LBrace = sign("LBrace", "{");
export const RBrace = sign("RBrace", "}");
export const Comma = sign("Comma", ",");
export const Colon = sign("Colon", ":");
export const At = sign("At", "@");
export const Semicolon = sign("Semicolon", ";");
/** With any suffix: what the suffix may be is checked when the number is read. */
export const Num = createToken({
  name: "Number",
  pattern: /\$?\d[\d_]*(?:\.\d[\d_]*)?(?:[A-Za-z_][A-Za-z0-9_]*|%)?/y,
  start_chars_hint: ["$", ...DIGITS],
});

const at = (image: string): [string] => [image];
/** The quotes of other languages and those that word processors make. */
export const closingQuotes: Readonly<Record<string, string>> = { '"': '"', "'": "'", "“": "”", "‘": "’", "`": "`" };
/** The quote that closes a text, by the one that opens it. */
function closingQuote(image: string): string {
  return closingQuotes[image[0] ?? ""] ?? '"';
}
function quoted(text: string, offset: number): [string] | null {
  const quote = closingQuotes[text[offset] ?? ""];
  // Chevrotain asks about characters that only share a bucket with those in the hint.
  if (quote === undefined) return null;
  // Between backticks lines may break; a lone one must not end in the block text of another place.
  const end = quote === "`" ? text.indexOf("`", offset + 1) : -1;
  const breaks = end > 0 && !text.slice(offset, end).includes('"""');
  let i = offset + 1;
  for (; i < text.length; i++) {
    const c = text[i];
    if (c === quote) return at(text.slice(offset, i + 1));
    if (!breaks && (c === "\n" || c === "\r")) break;
    if (c === "\\" && text[i + 1] !== "\n" && text[i + 1] !== "\r") i++;
  }
  return at(text.slice(offset, Math.min(i, text.length)));
}
function text(source: string, offset: number): [string] | null {
  if (!source.startsWith('"""', offset)) return quoted(source, offset);
  let end = source.indexOf('"""', offset + 3);
  if (end < 0) return at(source.slice(offset));
  // Quotes that touch the closing ones belong to the text: the last three close it.
  while (source[end + 3] === '"') end++;
  return at(source.slice(offset, end + 3));
}
function comment(source: string, offset: number): [string] | null {
  if (source.startsWith("//", offset)) {
    let end = source.indexOf("\n", offset);
    if (end < 0) end = source.length;
    if (source[end - 1] === "\r") end--;
    return at(source.slice(offset, end));
  }
  if (!source.startsWith("/*", offset)) return null;
  const end = source.indexOf("*/", offset + 2);
  return at(source.slice(offset, end < 0 ? source.length : end + 2));
}
/** A `/` opens a regular expression directly after `(` or `,` only; anywhere else it divides. */
function regex(source: string, offset: number, before: readonly IToken[]): [string] | null {
  const last = before[before.length - 1]?.tokenType;
  if (last !== LParen && last !== Comma) return null;
  let inClass = false;
  let i = offset + 1;
  for (; i < source.length; i++) {
    const c = source[i];
    if (c === "\n" || c === "\r") break;
    if (c === "\\" && source[i + 1] !== "\n" && source[i + 1] !== "\r") i++;
    else if (c === "[") inClass = true;
    else if (c === "]") inClass = false;
    else if (c === "/" && !inClass) return at(source.slice(offset, i + 1));
  }
  return at(source.slice(offset, Math.min(i, source.length)));
}

const custom = (name: string, pattern: (text: string, offset: number, before: IToken[]) => [string] | null, ...start: string[]) =>
  createToken({ name, pattern, start_chars_hint: start, line_breaks: true });
export const Str = custom("String", text, '"');
/** Text in the quotes of other languages: reported, then read as text. */
const WrongQuotes = custom("WrongQuotes", quoted, "'", "“", "‘", "`");
export const Regex = custom("Regex", regex, "/");
const CommentToken = createToken({ name: "Comment", pattern: comment, start_chars_hint: ["/"], line_breaks: true, group: "comments" });
const Space = createToken({
  name: "Space",
  pattern: /[ \t\r\n\uFEFF]+/y,
  start_chars_hint: [" ", "\t", "\r", "\n", "\uFEFF"],
  group: Lexer.SKIPPED,
  line_breaks: true,
});
/** Chevrotain puts characters from 256 on into buckets of 255: one of each. */
const BUCKETS = Array.from({ length: 257 }, (_, i) => String.fromCharCode(Math.max(256, (i + 1) * 255)));
const Unknown = createToken({
  name: "Unknown",
  pattern: /[\u0000-\u0008\u000b\u000c\u000e-\u001f#$\\^~\u007f-\uffff]+?/y,
  start_chars_hint: [...range("\u0000", "\u001f"), "#", "$", "\\", "^", "~", ...range("\u007f", "\u00ff"), ...BUCKETS],
  group: "unknown",
  line_breaks: true,
});

const lexed: TokenType[] = [
  Space, CommentToken, Name, Num, Str, WrongQuotes, Regex,
  Ellipsis, DotDot, Dot, QuestionDot, Coalesce, Question, Pipe, Or, Bar, And, FatArrow, Arrow, Equal, NotEqual, LessEqual,
  GreaterEqual, Assign, Not, Less, Greater, Plus, Minus, Star, Slash, Percent, LParen, RParen, LBracket, RBracket, LBrace,
  RBrace, Comma, Colon, At, Semicolon, Unknown,
]; // biome-ignore format: a list of tokens

/** What the parser may meet. */
export const vocabulary: TokenType[] = [
  Word,
  Infix,
  ...lexed.filter((t) => t.GROUP === undefined && t !== WrongQuotes),
  ...Object.values(K),
];

let lexer: Lexer | undefined;

export interface Lexed {
  readonly tokens: Token[];
  readonly comments: readonly Comment[];
  /** The `///` text that stands before the token that starts at this offset. */
  readonly docs: ReadonlyMap<number, string>;
  /** Where the lexer has reported something, in order: the parser says nothing more about these places. */
  readonly broken: readonly number[];
}

/** More tokens than this are no program that a person wrote. */
const MAX_TOKENS = 4_000_000;

/** Splits a file into tokens and comments; mistakes inside a token are reported here. */
export function lex(file: SourceFile, problems: Problems): Lexed {
  lexer ??= new Lexer(lexed, { positionTracking: "onlyOffset", skipValidations: true, ensureOptimizations: true });
  const source = file.text;
  const span = (start: number, end: number): Span => ({ file: file.path, start, end });
  const result = lexer.tokenize(source);
  let tokens = result.tokens;
  const broken: number[] = [];
  if (tokens.length > MAX_TOKENS) {
    problems.report(d.fileTooLarge, span(0, 0), { tokens: tokens.length });
    tokens = [];
  }
  // Each word is kept once, however often it stands in the file: less to keep, and looking it up as a name is quicker.
  const words = new Map<string, Token>();
  // Not `for … of`: a first run is not optimised yet, and makes an object for each step of an iterator.
  tokens.forEach((token) => {
    const type = token.tokenType;
    if (type === Name) {
      const first = words.get(token.image);
      if (first !== undefined) {
        token.image = first.image;
        token.tokenType = first.tokenType;
        token.tokenTypeIdx = first.tokenTypeIdx;
        return;
      }
      words.set(token.image, token);
      const keyword = keywordOf.get(token.image);
      if (keyword !== undefined) {
        token.tokenType = keyword;
        token.tokenTypeIdx = keyword.tokenTypeIdx ?? 0;
      }
    } else if (type === Str || type === WrongQuotes || type === Regex) {
      checkClosed(token, broken, span, problems);
    }
  });
  reportUnknown(result.groups["unknown"] ?? [], source, broken, span, problems);
  for (const error of result.errors) {
    broken.push(error.offset);
    problems.report(d.unknownCharacter, span(error.offset, error.offset + error.length), {
      text: source.slice(error.offset, error.offset + 1),
    });
  }
  const comments = readComments(result.groups["comments"] ?? [], source, broken, span, problems);
  broken.sort((a, b) => a - b);
  return { tokens, comments, docs: attachDocs(comments, tokens, source, problems), broken };
}

type SpanOf = (start: number, end: number) => Span;

function checkClosed(token: Token, broken: number[], span: SpanOf, problems: Problems): void {
  const { image, startOffset, tokenType } = token;
  const report = (definition: typeof d.unterminatedText) => {
    broken.push(startOffset);
    problems.report(definition, span(startOffset, startOffset + image.length), {});
  };
  if (tokenType === Regex) {
    if (image.length < 2 || !closes(image, "/")) report(d.unterminatedRegex);
  } else if (image.startsWith('"""')) {
    if (image.length < 6 || !image.endsWith('"""')) {
      broken.push(startOffset);
      problems.report(d.unterminatedBlockText, span(startOffset, startOffset + 3), {});
    }
  } else if (image.length < 2 || !closes(image, closingQuote(image))) {
    report(tokenType === Str ? d.unterminatedText : d.unterminatedWrongQuotes);
  } else if (tokenType === WrongQuotes) {
    const place = span(startOffset, startOffset + image.length);
    const text = inDoubleQuotes(image);
    const fixes = text === undefined ? [] : [{ title: "Use double quotes", edits: [{ span: place, text }] }];
    problems.report(d.wrongQuotes, place, { backticks: image.startsWith("`") }, { fixes });
  }
  if (tokenType === WrongQuotes) {
    token.tokenType = Str;
    token.tokenTypeIdx = Str.tokenTypeIdx ?? 0;
  }
}

/** A text in wrong quotes as it should be; undefined where a value that it inserts is more than a path. */
function inDoubleQuotes(image: string): string | undefined {
  const inner = image.slice(1, -1);
  if (!image.startsWith("`")) return `"${inner.replaceAll("\\'", "'").replaceAll('"', '\\"')}"`;
  const text = inner.replaceAll("\\`", "`").replace(/\$\{\s*([A-Za-z_][\w.]*)\s*\}/g, "{{$1}}");
  if (text.includes("${")) return undefined;
  return text.includes("\n") ? `"""${text}"""` : `"${text.replaceAll('"', '\\"')}"`;
}

/** Whether the last character is that delimiter and not escaped. */
function closes(image: string, delimiter: string): boolean {
  if (!image.endsWith(delimiter)) return false;
  let slashes = 0;
  for (let i = image.length - 2; i > 0 && image[i] === "\\"; i--) slashes++;
  return slashes % 2 === 0;
}

/** One report for each run of unknown characters. */
function reportUnknown(unknown: readonly Token[], source: string, broken: number[], span: SpanOf, problems: Problems): void {
  for (let i = 0; i < unknown.length; i++) {
    const start = unknown[i]?.startOffset ?? 0;
    let end = start + 1;
    while (unknown[i + 1]?.startOffset === end) {
      end++;
      i++;
    }
    broken.push(start);
    problems.report(d.unknownCharacter, span(start, end), { text: String.fromCodePoint(source.codePointAt(start) ?? 0) });
  }
}

function readComments(found: readonly Token[], source: string, broken: number[], span: SpanOf, problems: Problems): Comment[] {
  return found.map(({ image, startOffset }) => {
    const end = startOffset + image.length;
    if (image.startsWith("/*") && (image.length < 4 || !image.endsWith("*/"))) {
      broken.push(startOffset);
      problems.report(d.unterminatedComment, span(startOffset, startOffset + 2), {});
    }
    let i = startOffset - 1;
    while (source[i] === " " || source[i] === "\t") i--;
    const kind = image.startsWith("/*") ? "block" : image.startsWith("///") && image[3] !== "/" ? "doc" : "line";
    return { kind, text: image, span: span(startOffset, end), ownLine: i < 0 || source[i] === "\n" };
  });
}

/** Consecutive `///` lines belong to the token after them. One that ends a line of code is reported and documents nothing. */
function attachDocs(
  comments: readonly Comment[],
  tokens: readonly Token[],
  source: string,
  problems: Problems,
): ReadonlyMap<number, string> {
  const docs = new Map<number, string>();
  let next = 0;
  for (const comment of comments) {
    if (comment.kind !== "doc") continue;
    while (next < tokens.length && (tokens[next]?.startOffset ?? 0) < comment.span.start) next++;
    const before = tokens[next - 1];
    if (
      !comment.ownLine &&
      before !== undefined &&
      !opensDocumented(before) &&
      !source.slice(before.startOffset + before.image.length, comment.span.start).includes("\n")
    ) {
      problems.report(d.trailingDoc, comment.span, {}, { fixes: [plainComment(comment)] });
      continue;
    }
    const token = tokens[next];
    if (token === undefined) continue;
    const line = comment.text.slice(3).replace(/^ /, "").trimEnd();
    const earlier = docs.get(token.startOffset);
    docs.set(token.startOffset, earlier === undefined ? line : `${earlier}\n${line}`);
  }
  return docs;
}

function opensDocumented(token: Token): boolean {
  const type = token.tokenType;
  return type === LBrace || type === LParen || type === Bar || type === Comma || type === Assign;
}

function plainComment(comment: Comment): { title: string; edits: { span: Span; text: string }[] } {
  const { file, start } = comment.span;
  return { title: "Make it a plain comment", edits: [{ span: { file, start, end: start + 3 }, text: "//" }] };
}
