/**
 * The parser. `parse` is total: it never throws, always returns a `Module`, and reports each mistake once, at its own
 * place. Rules only build nodes. How it survives mistakes:
 * - A missing token is reported and left out (`want`), a missing value or type becomes a `Missing` node (`hole`).
 * - Where nothing sensible can follow, a rule is `lost`: until a list, block or the module finds the next place to go on,
 *   every lookahead sees the end of the file and nothing more is reported, so all rules between unwind at once.
 * - Lists, blocks and brackets are those places. What they skip is silent, and so is a second complaint about one token.
 * This file is longer than others because Chevrotain wants one class; everything that needs no rule lives elsewhere.
 */
import { EmbeddedActionsParser, type ParserMethod } from "chevrotain";
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Definition, Fix, Problems, Related } from "../diagnostics/problems.js";
import { problems as newProblems } from "../diagnostics/problems.js";
import type { SourceFile, Span } from "../source/source.js";
import type * as A from "./ast.js";
import * as L from "./landmarks.js";
import { shape, type Tail } from "./operators.js";
import { readNumber, readText, regexMistake } from "./text.js";
import type { Token, TokenType } from "./tokens.js";
import * as T from "./tokens.js";

const { K } = T;
/** How deep expressions, types and patterns nest. */
export const MAX_DEPTH = 150;

type Separator = "comma" | "line";
/** What a list needs to know to go on: how its elements start and are called. */
interface ListOf {
  readonly starts: L.Starts;
  readonly between: string;
  readonly one: string;
  readonly separator: Separator;
}
const list = (starts: L.Starts, one: string, between: string, separator: Separator): ListOf => ({ starts, one, between, separator });
const ARGUMENTS = list(L.argumentStarts, "an argument", "arguments", "comma");
const PARAMETERS = list(L.parameterStarts, "a parameter", "parameters", "comma");
const ELEMENTS = list(L.elementStarts, "an element", "elements", "comma");
const NAMES = list(L.anyWords, "a name", "names", "comma");
const TYPES = list(L.typeStarts, "a type", "types", "comma");
const PROPERTIES = list(L.anyWords, "a property", "properties", "line");
const FIELDS = list(L.fieldStarts, "a field", "fields", "line");
const ENTRIES = list(L.entryStarts, "a field", "fields", "line");
const ARMS = list(L.patternStarts, "a pattern", "arms", "line");
const BRANCHES = list(L.keyStarts, "a branch", "branches", "line");
const RUNNERS = list(L.exprStarts, "an expression", "branches", "line");
const BUNDLE = list(L.atStarts, "an annotation", "annotations", "line");

type Bare<D> = D extends unknown ? Omit<D, "annotations" | "doc" | "span"> : never;
/** What a rule gives while Chevrotain records the grammar and nothing is parsed. */
const nothing = undefined as never;

class WeaveParser extends EmbeddedActionsParser {
  private file = "";
  private text = "";
  private tokens: Token[] = [];
  private docs: ReadonlyMap<number, string> = new Map();
  private broken: readonly number[] = [];
  private problems: Problems = newProblems();
  /** Index of the token about which something was said last. */
  private saidAt = -1;
  /** Where the parser stood when it got lost, or -2. */
  private lostAt = -2;
  private depth = 0;
  /** How many brackets of each kind are open. */
  private open = new Map<TokenType, number>();
  /** Index of a token that counts as the first of its line, since what stood before it was reported and left out. */
  private lineAt = -1;
  /** Whether the next block belongs to an `if`, so an `else` inside it means that its `}` is missing. */
  private beforeElse = false;
  /** Index of the first token of the statement being read. */
  private statementAt = -1;
  /** Chevrotain's index of the last token that was consumed. */
  declare private currIdx: number;
  declare private tokVectorLength: number;

  constructor(validate: boolean) {
    super(T.vocabulary, { maxLookahead: 1, recoveryEnabled: false, skipValidations: !validate });
    this.performSelfAnalysis();
  }

  run(file: SourceFile, lexed: T.Lexed, problems: Problems): A.Module {
    this.file = file.path;
    this.text = file.text;
    this.tokens = lexed.tokens;
    this.docs = lexed.docs;
    this.broken = lexed.broken;
    this.problems = problems;
    this.saidAt = -1;
    this.lostAt = -2;
    this.lineAt = -1;
    this.statementAt = -1;
    this.depth = 0;
    this.open.clear();
    this.input = lexed.tokens;
    const items = this.module();
    // A safety net: rules guard what they consume, so Chevrotain itself has nothing to say.
    const first = this.errors[0];
    if (first !== undefined && !problems.hasErrors()) {
      const start = Number.isNaN(first.token.startOffset) ? file.text.length : first.token.startOffset;
      problems.report(
        d.expected,
        { file: file.path, start, end: start + first.token.image.length },
        { expected: "something else", found: first.token.image },
      );
    }
    return {
      kind: "Module",
      file: file.path,
      imports: items?.imports ?? [],
      declarations: items?.declarations ?? [],
      comments: lexed.comments,
      span: { file: file.path, start: 0, end: file.text.length },
    };
  }

  release(): void {
    this.tokens = [];
    this.input = [];
    this.text = "";
    this.problems = newProblems();
  }

  /** Chevrotain's `RULE` and `OR`, with the type of the node that they give. */
  private rule<R>(name: string, build: () => R): ParserMethod<[], R> {
    return this.RULE(name, build);
  }
  private ruleOf<P, R>(name: string, build: (parameter: P) => R): ParserMethod<[P], R> {
    return this.RULE(name, build);
  }
  private choose<R>(index: number, alternatives: { ALT: () => R }[]): R {
    return this.or(index, alternatives);
  }

  // -------------------------------------------------------------------------------------- places and reports

  private get last(): number {
    return this.lostAt === -2 ? this.currIdx : this.lostAt;
  }
  private is(type: TokenType, ahead = 1): boolean {
    return this.LA(ahead).tokenType === type;
  }
  /** Whether a declaration surely starts here, on a line of its own: nothing before it goes on. */
  private declares(): boolean {
    return this.newLine() && L.startsDeclaration(this.tokens, this.currIdx + 1, this.text);
  }
  private ended(): boolean {
    return this.currIdx + 1 >= this.tokVectorLength;
  }
  /** Chevrotain pads the list at its end, so ask the length first. */
  private token(index: number): Token | undefined {
    return index < this.tokVectorLength ? this.tokens[index] : undefined;
  }
  /** Offset of the next token. */
  private at(): number {
    return this.token(this.last + 1)?.startOffset ?? this.text.length;
  }
  /** Offset after the last token. */
  private end(): number {
    const token = this.tokens[this.last];
    return token === undefined ? 0 : token.startOffset + token.image.length;
  }
  private span(start: number): Span {
    return { file: this.file, start, end: Math.max(start, this.end()) };
  }
  private spanOf(token: Token): Span {
    return { file: this.file, start: token.startOffset, end: token.startOffset + token.image.length };
  }
  private empty(): Span {
    const at = Math.min(this.at(), Math.max(this.end(), 0));
    return { file: this.file, start: at, end: at };
  }
  /** Whether a token (an index ahead) stands on a later line than the one before it. */
  private newLine(ahead = 1): boolean {
    const index = this.currIdx + ahead;
    if (index === this.lineAt) return true;
    const token = this.token(index);
    const before = this.tokens[index - 1];
    if (token === undefined || before === undefined) return true;
    const from = before.startOffset + before.image.length;
    if (token.startOffset - from < 1) return false;
    const at = this.text.indexOf("\n", from);
    return at >= 0 && at < token.startOffset;
  }
  private glued(): boolean {
    return this.at() === this.end();
  }
  private found(): string {
    return this.token(this.last + 1)?.image ?? "";
  }
  /** The next token when it stands on this line, else the place after the last one. */
  private place(): Span {
    const token = this.token(this.last + 1);
    if (token !== undefined && (this.last < 0 || !this.newLine())) return this.spanOf(token);
    const end = this.end();
    return { file: this.file, start: end, end };
  }
  /** Reports something about the next token, unless something was said about it, or the lexer said something here. */
  private say<P>(definition: Definition<P>, span: Span, params: P, more?: { related?: readonly Related[]; fixes?: readonly Fix[] }): void {
    if (this.lostAt !== -2 || this.RECORDING_PHASE) return;
    const index = this.currIdx + 1;
    if (this.saidAt === index) return;
    this.saidAt = index;
    const before = this.tokens[index - 1]?.startOffset ?? 0;
    const next = this.token(index)?.startOffset ?? this.text.length;
    if (this.broken.some((offset) => offset >= before && offset <= next)) return;
    this.problems.report(definition, span, params, more);
  }
  private expected(what: string): void {
    this.say(d.expected, this.place(), { expected: what, found: this.found() });
  }
  private fix(title: string, span: Span, text: string): { fixes: readonly Fix[] } {
    return { fixes: [{ title, edits: [{ span, text }] }] };
  }
  private want(index: number, type: TokenType): Token | undefined {
    if (this.RECORDING_PHASE) return this.consume(index, type);
    const token = this.LA(1);
    if (token.tokenType === type) {
      this.currIdx++;
      return token;
    }
    this.expected(type.LABEL ?? type.name);
    return undefined;
  }
  /** Takes the next token whatever it is. */
  private skip(): void {
    if (!this.ended()) this.currIdx++;
  }
  /** Gives the next token another type: what was meant, after the report. */
  private retag(type: TokenType): void {
    const token = this.token(this.currIdx + 1);
    if (token === undefined) return;
    token.tokenType = type;
    token.tokenTypeIdx = type.tokenTypeIdx ?? 0;
  }

  // ------------------------------------------------------------------------------------------------ recovery

  /** Nothing sensible can follow: unwinds to the list, block or module around. */
  private lose(): void {
    if (this.lostAt !== -2 || this.RECORDING_PHASE) return;
    this.lostAt = this.currIdx;
    this.currIdx = this.tokVectorLength - 1;
  }
  private resume(): void {
    if (this.lostAt === -2) return;
    this.currIdx = this.lostAt;
    this.lostAt = -2;
  }
  /** Skips to a token that `stop` likes, over whole brackets; says nothing about the place where it ends. */
  private skipTo(stop: (token: Token, firstOnLine: boolean) => boolean): void {
    const open: TokenType[] = [];
    for (;;) {
      const token = this.token(this.currIdx + 1);
      if (token === undefined) break;
      const type = token.tokenType;
      const first = this.newLine();
      if (first && this.declares()) break;
      if (first && L.has(L.statementWords, token) && !this.is(T.Colon, 2) && !open.includes(T.RBrace)) open.length = 0;
      if (open.length === 0 && stop(token, first)) break;
      if (L.isOpener(type)) open.push(L.closerOf(type));
      else if (open.includes(type)) while (open.pop() !== type);
      this.currIdx++;
    }
    this.saidAt = this.currIdx + 1;
  }
  private isOpen(closer: TokenType): boolean {
    return (this.open.get(closer) ?? 0) > 0;
  }
  private opened(closer: TokenType): void {
    this.open.set(closer, (this.open.get(closer) ?? 0) + 1);
  }
  /** Skips to the end of an element of a list. */
  private skipElement(of: ListOf, closer: TokenType): void {
    this.skipTo((token, first) => {
      const type = token.tokenType;
      if (type === T.Comma || type === closer) return true;
      if (L.isCloser(type) && this.isOpen(type)) return true;
      return first && (of.separator === "line" ? L.has(of.starts, token) : L.has(L.statementWords, token) && !this.is(T.Colon, 2));
    });
  }
  /** The gate of every list: whether another element follows. Reports and skips what is none. */
  private more(of: ListOf, closer: TokenType, opener: number): boolean {
    if (this.lostAt !== -2) {
      this.resume();
      this.skipElement(of, closer);
      if (this.is(T.Comma)) this.skip();
      else if (of.separator === "comma" && !this.is(closer)) return false;
    }
    for (;;) {
      if (this.ended()) return false;
      const token = this.LA(1);
      const type = token.tokenType;
      const first = this.newLine();
      if (type === closer || (L.isCloser(type) && this.isOpen(type))) return false;
      if (first && this.declares()) return false;
      if (first && L.has(L.statementWords, token) && !this.namesField(of)) return false;
      if (type === K.from && this.is(T.Str, 2)) return false;
      const before = this.tokens[this.currIdx]?.tokenType;
      const separated = this.currIdx === opener || before === T.Comma || before === T.Semicolon || (first && of.separator === "line");
      if (type === T.Semicolon) {
        this.say(
          d.semicolon,
          this.spanOf(token),
          {},
          this.fix(
            of.separator === "line" && !this.newLine(2) ? "Write a comma" : "Remove it",
            this.spanOf(token),
            of.separator === "comma" || !this.newLine(2) ? "," : "",
          ),
        );
        this.skip();
        continue;
      }
      if (L.has(of.starts, token)) {
        if ((of === PARAMETERS || of === NAMES) && T.isReserved(token.image)) {
          this.say(d.reservedName, this.spanOf(token), { word: token.image });
          this.retag(T.Name);
        }
        if (separated) return true;
        if (of.separator === "comma" && !L.closesLater(this.tokens, this.currIdx + 1, closer, this.text)) return false;
        const end = { file: this.file, start: this.end(), end: this.end() };
        if (of.separator === "comma") this.say(d.missingComma, end, { between: of.between }, this.fix("Insert a comma", end, ","));
        else this.say(d.missingSeparator, end, { between: of.between }, this.fix("Insert a comma", end, ","));
        return true;
      }
      if (L.isCloser(type)) this.say(d.unmatched, this.spanOf(token), { closer: token.image });
      else this.expected(separated ? of.one : `\`,\` or ${closer.LABEL ?? ""}`);
      if (type !== T.Comma) {
        if (!L.isOpener(type)) this.skip();
        this.skipElement(of, closer);
      }
      if (this.is(T.Comma)) this.skip();
      else if (!this.is(closer) && of.separator === "comma") return false;
    }
  }
  /** Whether a word such as `let` at the beginning of a line names a field here, and no statement starts. */
  private namesField(of: ListOf): boolean {
    if (this.is(T.Colon, 2)) return true;
    return of.separator === "line" && (this.newLine(2) || this.is(T.Comma, 2) || this.is(T.RBrace, 2));
  }
  /** A bracketed list. `index` must be its own in the rule, and 20 apart from others. */
  private items<E>(index: number, of: ListOf, opener: TokenType, element: () => E): E[] {
    const closer = L.closerOf(opener);
    const items: E[] = [];
    const at = this.currIdx + 1;
    if (this.want(index, opener) === undefined) {
      this.lose();
      return items;
    }
    this.opened(closer);
    this.many(index, {
      GATE: () => this.more(of, closer, at),
      DEF: () => {
        items.push(element());
        this.comma(index);
      },
    });
    this.close(index, closer, at);
    return items;
  }
  private comma(index: number): void {
    if (this.RECORDING_PHASE) this.option(index, () => this.consume(index, T.Comma));
    else if (this.is(T.Comma)) this.currIdx++;
  }
  private close(index: number, closer: TokenType, opener: number): void {
    this.open.set(closer, (this.open.get(closer) ?? 1) - 1);
    if (this.RECORDING_PHASE) {
      this.consume(index, closer);
      return;
    }
    if (this.lostAt !== -2) {
      this.resume();
      this.skipTo(
        (token, first) =>
          token.tokenType === closer ||
          (L.isCloser(token.tokenType) && this.isOpen(token.tokenType)) ||
          (first && L.has(L.statementStarts, token)),
      );
    }
    if (this.is(closer)) {
      this.currIdx++;
      return;
    }
    const token = this.tokens[opener];
    const image = token?.image ?? "";
    const end = { file: this.file, start: this.end(), end: this.end() };
    this.say(
      d.unclosed,
      this.newLine() ? end : this.place(),
      { opener: image, closer: closer.LABEL?.slice(1, -1) ?? "" },
      {
        ...(token === undefined ? {} : { related: [{ span: this.spanOf(token), message: `this \`${image}\` is open` }] }),
        ...(closer === T.RBrace ? {} : this.fix("Close it", end, closer.LABEL?.slice(1, -1) ?? "")),
      },
    );
  }
  /** The gate of blocks: whether another statement follows. */
  private moreStatements(opener: number, beforeElse = false): boolean {
    const skipLine = () =>
      this.skipTo(
        (token, first) => token.tokenType === T.RBrace || token.tokenType === T.Semicolon || (first && L.has(L.statementStarts, token)),
      );
    if (this.lostAt !== -2) {
      this.resume();
      skipLine();
    }
    for (;;) {
      if (this.ended() || this.is(T.RBrace) || (beforeElse && this.is(K.else))) return false;
      const token = this.LA(1);
      const type = token.tokenType;
      const first = this.newLine();
      if (first && this.declares()) {
        if (this.atColumnZero(token)) return false;
        // An indented one was meant to stand in the block.
        this.say(d.nestedDeclaration, this.spanOf(token), { word: token.image });
        this.skip();
        skipLine();
        continue;
      }
      if (type === T.Semicolon) {
        this.say(d.semicolon, this.spanOf(token), {}, this.fix("Remove it", this.spanOf(token), this.newLine(2) ? "" : "\n"));
        this.skip();
        continue;
      }
      if (L.isCloser(type)) {
        if (this.isOpen(type)) return false;
        this.say(d.unmatched, this.spanOf(token), { closer: token.image }, this.fix("Remove it", this.spanOf(token), ""));
        this.skip();
        continue;
      }
      if (!first && this.currIdx !== opener && this.tokens[this.currIdx]?.tokenType !== T.Semicolon) {
        this.say(d.twoOnOneLine, this.spanOf(token), { found: token.image });
        skipLine();
        continue;
      }
      if (type === T.Name && this.foreignStatement(token)) continue;
      if (L.has(L.statementStarts, token)) {
        this.statementAt = this.currIdx + 1;
        return true;
      }
      this.expected("a statement");
      if (!L.isOpener(type)) this.skip();
      skipLine();
    }
  }
  /** Words of other languages at the beginning of a statement; true when the statement must be looked at again. */
  private foreignStatement(token: Token): boolean {
    const word = token.image;
    const next = this.token(this.currIdx + 2);
    const span = this.spanOf(token);
    const alone = next === undefined || this.newLine(2);
    if (word === "return") {
      if (!alone && !L.has(L.exprStarts, next) && next.tokenType !== T.RBrace) return false;
      const start = alone || next === undefined ? span.end : next.startOffset;
      this.say(d.returnWord, span, {}, this.fix("Remove `return`", { ...span, end: start }, ""));
      this.skip();
      // What follows on the line is the statement, as if the word were not there.
      if (!alone) this.lineAt = this.currIdx + 1;
      return true;
    }
    const foreign = Object.hasOwn(L.foreignStatements, word) ? L.foreignStatements[word] : undefined;
    if (foreign === undefined || alone || next === undefined) return false;
    const type = next.tokenType;
    if (!L.has(L.exprStarts, next) || type === T.Minus || type === T.LBracket || (type === T.LBrace && foreign.as !== "let")) return false;
    if (next.tokenType === T.LParen && !this.blockFollows()) return false;
    this.say(
      d.foreignWord,
      span,
      { word, instead: foreign.instead },
      foreign.as === "let" ? this.fix("Write `let`", span, "let") : undefined,
    );
    if (foreign.as === undefined || (foreign.as === "map" && next.tokenType === T.LParen)) {
      this.skip();
      this.skipTo((t, first) => t.tokenType === T.RBrace || (first && L.has(L.statementStarts, t)));
    } else this.retag(K[foreign.as]);
    return true;
  }
  /** Whether `word ( … ) {` stands here. */
  private blockFollows(): boolean {
    let depth = 0;
    for (let i = this.currIdx + 2; i < this.tokens.length; i++) {
      const type = this.tokens[i]?.tokenType;
      if (type === T.LParen) depth++;
      else if (type === T.RParen && --depth === 0) return this.tokens[i + 1]?.tokenType === T.LBrace;
    }
    return false;
  }
  private skipToDeclaration(): void {
    this.skipTo(
      (token, first) =>
        first && this.atColumnZero(token) && (L.has(L.declarationWords, token) || token.tokenType === T.At || token.tokenType === K.import),
    );
  }
  private atColumnZero(token: Token): boolean {
    return token.startOffset === 0 || this.text[token.startOffset - 1] === "\n";
  }
  /** The gate of the module: whether another declaration or import follows. */
  private moreDeclarations(): boolean {
    if (this.lostAt !== -2) {
      this.resume();
      this.depth = 0;
      this.open.clear();
      this.skipToDeclaration();
    }
    for (;;) {
      if (this.ended()) return false;
      const token = this.LA(1);
      const type = token.tokenType;
      const span = this.spanOf(token);
      if (L.has(L.declarationWords, token) || type === T.At || type === K.import) {
        if (this.currIdx >= 0 && !this.newLine() && this.tokens[this.currIdx]?.tokenType !== T.Semicolon && type !== T.At) {
          this.say(d.twoOnOneLine, span, { found: token.image });
        }
        return true;
      }
      if (this.foreignDeclaration(token)) continue;
      if (type === T.Semicolon) this.say(d.semicolon, span, {}, this.fix("Remove it", span, ""));
      else if (L.isCloser(type)) this.say(d.unmatched, span, { closer: token.image }, this.fix("Remove it", span, ""));
      else if (this.currIdx >= 0 && !this.newLine()) this.say(d.twoOnOneLine, span, { found: token.image });
      else this.say(d.notADeclaration, span, { found: token.image, near: undefined });
      const semicolon = type === T.Semicolon;
      if (!L.isOpener(type)) this.skip();
      if (!semicolon) this.skipToDeclaration();
    }
  }
  /** `function`, `export`, a misspelt keyword: reported and read as what was meant. */
  private foreignDeclaration(token: Token): boolean {
    if (token.tokenType !== T.Name) return false;
    const next = this.LA(2);
    if (!L.has(L.anyWords, next) && next.tokenType !== T.LBrace && next.tokenType !== T.Str) return false;
    const span = this.spanOf(token);
    const word = token.image;
    const modifier = Object.hasOwn(L.foreignModifiers, word) ? L.foreignModifiers[word] : undefined;
    if (modifier !== undefined) {
      this.say(d.foreignWord, span, { word, instead: modifier }, this.fix("Remove it", { ...span, end: next.startOffset }, ""));
      this.skip();
      this.lineAt = this.currIdx + 1;
      return true;
    }
    const foreign = Object.hasOwn(L.foreignDeclarations, word) ? L.foreignDeclarations[word] : undefined;
    const near = foreign === undefined ? L.nearKeyword(word) : undefined;
    const meant = foreign ?? near;
    if (meant === undefined) return false;
    if (foreign !== undefined)
      this.say(d.foreignDeclaration, span, { word, instead: foreign }, this.fix(`Write \`${foreign}\``, span, foreign));
    else this.say(d.notADeclaration, span, { found: word, near }, this.fix(`Write \`${meant}\``, span, meant));
    this.retag(K[meant]);
    if (!L.startsDeclaration(this.tokens, this.currIdx + 1, this.text) && meant !== "let") {
      this.skip();
      this.skipToDeclaration();
    }
    return true;
  }

  // ----------------------------------------------------------------------------------------------- small parts

  /** A name of a value, type or callable. */
  private name(index: number, what: string): A.Name {
    const token = this.RECORDING_PHASE ? this.consume(index, T.Name) : this.LA(1);
    if (this.RECORDING_PHASE || (L.has(L.names, token) && !this.declares())) {
      // As `consume` would, which only checks again.
      this.currIdx++;
      return { text: token.image, span: this.spanOf(token) };
    }
    if (T.isReserved(token.image) && L.has(L.anyWords, token) && !(this.newLine() && this.currIdx >= 0)) {
      this.say(d.reservedName, this.spanOf(token), { word: token.image });
      this.skip();
      return { text: token.image, span: this.spanOf(token) };
    }
    this.say(d.missingName, this.place(), { what, found: this.found() });
    return { text: "", span: this.empty() };
  }
  /** Any word: a field, property or argument. */
  private word(index: number, what: string): A.Name {
    const token = this.RECORDING_PHASE ? this.consume(index, T.Word) : this.LA(1);
    if (this.RECORDING_PHASE || (L.has(L.anyWords, token) && !this.declares())) {
      this.currIdx++;
      return { text: token.image, span: this.spanOf(token) };
    }
    this.say(d.missingName, this.place(), { what, found: this.found() });
    return { text: "", span: this.empty() };
  }
  private key(index: number, what: string): A.Name {
    if (!this.RECORDING_PHASE && !this.is(T.Str)) return this.word(index, what);
    return this.or(index, [
      { ALT: () => this.word(index, what) },
      {
        ALT: () => {
          const text = this.string(index);
          return { text: text.value, span: text.span };
        },
      },
    ]);
  }
  private string(index: number): A.Text {
    if (!this.RECORDING_PHASE && !this.is(T.Str)) {
      this.expected("a text");
      return { kind: "Text", value: "", block: false, runs: [{ at: 0, source: this.at() }], span: this.empty() };
    }
    const token = this.consume(index, T.Str);
    if (this.RECORDING_PHASE) return { kind: "Text", value: "", block: false, runs: [], span: this.empty() };
    const text = readText(token.image, this.spanOf(token), this.problems);
    if (!text.block && text.value.lastIndexOf("{{") > text.value.lastIndexOf("}}") && !this.ended() && !this.newLine()) {
      this.say(d.quoteInTemplate, { ...text.span, start: text.span.end - 1 }, {});
      this.lose();
    }
    return text;
  }
  private colon(index: number, what: string): void {
    if (!this.RECORDING_PHASE && !this.is(T.Colon)) {
      this.say(d.expected, this.place(), { expected: `\`:\` after ${what}`, found: this.found() });
      if ((this.is(T.Assign) || this.is(T.FatArrow) || this.is(T.Arrow)) && !this.newLine()) this.skip();
      else if (this.is(T.LParen)) this.lose();
      return;
    }
    this.consume(index, T.Colon);
  }
  private hole(): A.MissingExpr {
    const before = this.tokens[this.last];
    const found = this.found();
    const reserved =
      T.isReserved(found) &&
      found !== "else" &&
      found !== "recover" &&
      found !== "as" &&
      !this.newLine() &&
      !L.has(L.statementWords, this.LA(1));
    if (reserved) this.say(d.reservedName, this.place(), { word: found });
    else if (this.is(T.Dot) && this.is(T.Num, 2) && this.token(this.currIdx + 2)?.startOffset === this.at() + 1) {
      const dot = this.place();
      this.say(
        d.missingDigit,
        { ...dot, end: dot.end + (this.token(this.currIdx + 2)?.image.length ?? 0) },
        {},
        this.fix("Write `0` before it", { ...dot, end: dot.start }, "0"),
      );
      this.skip();
      this.skip();
    } else if (this.saidAt !== this.currIdx || this.lostAt !== -2)
      this.say(d.missingValue, this.place(), { after: before?.image ?? "", found });
    const node: A.MissingExpr = { kind: "Missing", span: this.empty() };
    if (reserved) this.skip();
    return node;
  }
  private tooDeep(): boolean {
    if (this.RECORDING_PHASE || this.depth < MAX_DEPTH) return false;
    this.say(d.tooDeep, this.place(), { limit: MAX_DEPTH });
    this.lose();
    return true;
  }
  private doc(start: number): string | undefined {
    return this.docs.size === 0 ? undefined : this.docs.get(start);
  }

  // ---------------------------------------------------------------------------------------------- the module

  readonly module = this.rule<{ imports: A.Import[]; declarations: A.Declaration[] }>("module", () => {
    const imports: A.Import[] = [];
    const declarations: A.Declaration[] = [];
    this.MANY({
      GATE: () => this.moreDeclarations(),
      DEF: () => {
        this.OR([
          {
            ALT: () => {
              if (this.is(K.import) && declarations.length > 0) this.say(d.lateImport, this.spanOf(this.LA(1)), {});
              imports.push(this.SUBRULE(this.importDecl));
            },
          },
          { ALT: () => declarations.push(this.SUBRULE(this.annotatedDeclaration)) },
        ]);
      },
    });
    return { imports, declarations };
  });

  private readonly importDecl = this.rule<A.Import>("import", () => {
    const start = this.at();
    this.CONSUME(K.import);
    const names = this.items(1, NAMES, T.LBrace, () => {
      const at = this.at();
      const name = this.name(2, "an import");
      const alias = this.OPTION(() => {
        this.CONSUME(K.as);
        return this.name(3, "the import here");
      });
      return { name, alias, span: this.span(at) };
    });
    this.want(4, K.from);
    const from = this.string(5);
    return { kind: "Import", names, from, span: this.span(start) };
  });

  private readonly annotatedDeclaration = this.rule<A.Declaration>("declaration", () => {
    const start = this.at();
    const annotations: A.Annotation[] = [];
    const outer = this.doc(start);
    this.MANY(() => annotations.push(this.SUBRULE(this.annotation, { ARGS: [true] })));
    if (!this.RECORDING_PHASE && annotations.length > 0 && this.is(T.Name)) this.foreignDeclaration(this.LA(1));
    const doc = outer ?? this.doc(this.at());
    if (!this.RECORDING_PHASE && !L.has(L.declarationWords, this.LA(1))) {
      const last = annotations[annotations.length - 1];
      if (last !== undefined && !this.ended() && !this.newLine()) this.expected("a declaration");
      else this.say(d.danglingAnnotation, last?.span ?? this.place(), { name: last?.name.text ?? "" });
      if (!this.is(K.import)) this.lose();
      return { kind: "MissingDecl", name: { text: "", span: this.empty() }, annotations, doc, span: this.span(start) };
    }
    const made = this.choose<Bare<A.Declaration>>(0, [
      { ALT: () => this.SUBRULE(this.typeDecl) },
      { ALT: () => this.SUBRULE(this.modelDecl) },
      { ALT: () => this.SUBRULE(this.mcpDecl) },
      { ALT: () => this.SUBRULE(this.toolDecl) },
      { ALT: () => this.SUBRULE(this.agentDecl) },
      { ALT: () => this.SUBRULE(this.flowDecl) },
      { ALT: () => this.SUBRULE(this.capabilityDecl) },
      { ALT: () => this.SUBRULE(this.composeDecl) },
      { ALT: () => this.SUBRULE(this.policyDecl) },
      { ALT: () => this.SUBRULE(this.letDecl) },
      { ALT: () => this.SUBRULE(this.stateDecl) },
      { ALT: () => this.SUBRULE(this.channelDecl) },
      { ALT: () => this.SUBRULE(this.onDecl) },
      { ALT: () => this.SUBRULE(this.testDecl) },
    ]);
    return { ...made, annotations, doc, span: this.span(start) } as A.Declaration;
  });

  private readonly typeDecl = this.rule<Bare<A.TypeDecl>>("typeDeclaration", () => {
    this.CONSUME(K.type);
    const name = this.name(1, "the type");
    const typeParams = this.typeParameters(2);
    if (this.want(3, T.Assign) === undefined && !L.has(L.typeStarts, this.LA(1))) this.lose();
    return { kind: "TypeDecl", name, typeParams, type: this.SUBRULE(this.type) };
  });

  private readonly modelDecl = this.rule<Bare<A.ModelDecl>>("modelDeclaration", () => {
    this.CONSUME(K.model);
    return { kind: "ModelDecl", name: this.name(1, "the model"), properties: this.SUBRULE(this.properties) };
  });

  private readonly mcpDecl = this.rule<Bare<A.McpDecl>>("mcpDeclaration", () => {
    this.CONSUME(K.mcp);
    return { kind: "McpDecl", name: this.name(1, "the server"), properties: this.SUBRULE(this.properties) };
  });

  private readonly toolDecl = this.rule<Bare<A.ToolDecl>>("toolDeclaration", () => {
    const effect = this.OPTION(() => this.CONSUME(K.effect)) !== undefined;
    if (this.want(1, K.tool) === undefined) this.lose();
    const signature = this.SUBRULE(this.signature, { ARGS: ["the tool"] });
    if (this.want(2, T.Assign) === undefined) this.lose();
    return {
      kind: "ToolDecl",
      effect,
      name: this.RECORDING_PHASE ? nothing : signature.name,
      signature,
      binding: this.SUBRULE(this.expression),
    };
  });

  private readonly agentDecl = this.rule<Bare<A.AgentDecl>>("agentDeclaration", () => {
    this.CONSUME(K.agent);
    const signature = this.SUBRULE(this.signature, { ARGS: ["the agent"] });
    return { kind: "AgentDecl", name: signature?.name, signature, properties: this.SUBRULE(this.properties) };
  });

  private readonly flowDecl = this.rule<Bare<A.FlowDecl>>("flowDeclaration", () => {
    this.CONSUME(K.flow);
    const signature = this.SUBRULE(this.signature, { ARGS: ["the flow"] });
    // `flow f() -> int = …` is not the way to write a body, but what follows is one.
    if (!this.RECORDING_PHASE && this.is(T.Assign) && this.is(T.LBrace, 2)) {
      this.expected("`{`");
      this.skip();
    }
    return { kind: "FlowDecl", name: signature?.name, signature, body: this.declarationBody(1, "The flow") };
  });

  private readonly capabilityDecl = this.rule<Bare<A.CapabilityDecl>>("capabilityDeclaration", () => {
    this.CONSUME(K.capability);
    const signature = this.SUBRULE(this.signature, { ARGS: ["the capability"] });
    return { kind: "CapabilityDecl", name: signature?.name, signature };
  });

  private readonly composeDecl = this.rule<Bare<A.ComposeDecl>>("composeDeclaration", () => {
    this.CONSUME(K.compose);
    const name = this.name(1, "the compose");
    if (this.want(2, T.Assign) === undefined) this.lose();
    const stages = [this.SUBRULE(this.stage)];
    this.MANY({
      GATE: () => this.composes(),
      DEF: () => {
        this.CONSUME3(T.Greater);
        this.CONSUME4(T.Greater);
        stages.push(this.SUBRULE1(this.stage));
      },
    });
    if (!this.RECORDING_PHASE && stages.length < 2) this.say(d.shortCompose, this.place(), {});
    return { kind: "ComposeDecl", name, stages };
  });
  private composes(): boolean {
    if (this.is(T.Greater)) {
      if (this.is(T.Greater, 2)) return true;
      this.expected("`>>`");
      this.skip();
      this.lose();
    } else if (this.is(T.Pipe)) {
      this.expected("`>>`");
      this.lose();
    }
    return false;
  }

  private readonly policyDecl = this.rule<Bare<A.PolicyDecl>>("policyDeclaration", () => {
    this.CONSUME(K.policy);
    const name = this.name(1, "the policy");
    const bundle: A.Annotation[] = [];
    const at = this.currIdx + 1;
    if (this.want(2, T.LBrace) === undefined) this.lose();
    else {
      this.opened(T.RBrace);
      this.MANY({ GATE: () => this.moreBundle(at), DEF: () => bundle.push(this.SUBRULE(this.annotation, { ARGS: [false] })) });
      if (bundle.length === 0) this.say(d.emptyConstruct, this.place(), { what: "A policy", needs: "one annotation" });
      this.close(3, T.RBrace, at);
    }
    return { kind: "PolicyDecl", name, bundle };
  });
  /** Annotations of a policy need nothing between them. */
  private moreBundle(opener: number): boolean {
    if (!this.ended() && this.is(T.At) && !L.startsDeclaration(this.tokens, this.currIdx + 1, this.text)) return true;
    if (this.is(T.Comma)) {
      this.expected("an annotation");
      this.skip();
      return this.moreBundle(opener);
    }
    return this.more(BUNDLE, T.RBrace, opener);
  }

  private readonly letDecl = this.rule<Bare<A.LetDecl>>("letDeclaration", () => {
    this.CONSUME(K.let);
    const name = this.name(1, "the constant");
    if (name.text === "" && !this.is(T.Assign) && !this.is(T.Colon)) this.lose();
    const type = this.typeNote(2);
    const value = this.defined(3);
    return { kind: "LetDecl", name, type, value };
  });

  private readonly stateDecl = this.rule<Bare<A.StateDecl>>("stateDeclaration", () => {
    this.CONSUME(K.state);
    const name = this.name(1, "the state");
    let type: A.TypeNode = { kind: "MissingType", span: this.empty() };
    if (this.is(T.Assign)) this.say(d.missingType, this.place(), { found: "=" });
    else {
      this.colon(2, "the name of a state");
      type = this.SUBRULE(this.type);
    }
    const value = this.defined(3);
    const properties = this.OPTION({ GATE: () => !this.newLine(), DEF: () => this.SUBRULE(this.properties) }) ?? [];
    return { kind: "StateDecl", name, type, value, properties };
  });

  private readonly channelDecl = this.rule<Bare<A.ChannelDecl>>("channelDeclaration", () => {
    this.CONSUME(K.channel);
    const name = this.name(1, "the channel");
    const at = this.currIdx + 1;
    let message: A.TypeNode = { kind: "MissingType", span: this.empty() };
    if (this.want(2, T.LParen) === undefined) this.lose();
    else {
      this.opened(T.RParen);
      message = this.SUBRULE(this.type);
      this.close(3, T.RParen, at);
    }
    const reply = this.OPTION(() => {
      this.CONSUME4(T.Arrow);
      return this.SUBRULE4(this.type);
    });
    return { kind: "ChannelDecl", name, message, reply };
  });

  private readonly onDecl = this.rule<Bare<A.OnDecl>>("onDeclaration", () => {
    this.CONSUME(K.on);
    const name = this.name(1, "what the handler is for");
    const field = this.OPTION(() => {
      this.CONSUME2(T.Dot);
      return this.word(2, "a state or an event");
    });
    const at = this.currIdx + 1;
    let param: A.Name = { text: "", span: this.empty() };
    if (this.want(3, T.LParen) === undefined) this.lose();
    else {
      this.opened(T.RParen);
      param = this.name(4, "the parameter");
      this.close(5, T.RParen, at);
    }
    return { kind: "OnDecl", name, field, param, body: this.declarationBody(1, "The handler") };
  });

  private readonly testDecl = this.rule<Bare<A.TestDecl>>("testDeclaration", () => {
    this.CONSUME(K.test);
    const title = this.string(1);
    const at = this.currIdx + 1;
    const statements: A.TestStatement[] = [];
    if (this.want(2, T.LBrace) === undefined) this.lose();
    else {
      this.opened(T.RBrace);
      this.MANY({ GATE: () => this.moreStatements(at), DEF: () => statements.push(this.SUBRULE(this.testStatement)) });
      this.close(3, T.RBrace, at);
    }
    return { kind: "TestDecl", name: this.RECORDING_PHASE ? nothing : { text: title.value, span: title.span }, statements };
  });

  // --------------------------------------------------------------------------------- parts of declarations

  private readonly signature = this.ruleOf<string, A.Signature>("signature", (what) => {
    const start = this.at();
    const name = this.name(1, what);
    const typeParams = this.typeParameters(2);
    const params = this.items(3, PARAMETERS, T.LParen, () => this.SUBRULE(this.parameter));
    const result = this.OPTION4(() => {
      this.CONSUME4(T.Arrow);
      return this.SUBRULE4(this.type);
    });
    if (!this.RECORDING_PHASE && result === undefined && this.is(T.Colon)) {
      this.expected("`->`");
      this.lose();
    }
    const implemented = this.OPTION5(() => {
      this.CONSUME5(K.implements);
      return this.name(5, "the capability");
    });
    return { name, typeParams, params, result, implements: implemented, span: this.span(start) };
  });

  private readonly parameter = this.rule<A.Parameter>("parameter", () => {
    const start = this.at();
    const annotations: A.Annotation[] = [];
    if (this.RECORDING_PHASE || this.is(T.At)) this.MANY(() => annotations.push(this.SUBRULE(this.annotation, { ARGS: [false] })));
    const doc = this.doc(start) ?? this.doc(this.at());
    const name = this.name(1, "a parameter");
    let type: A.TypeNode = { kind: "MissingType", span: this.empty() };
    if (!this.RECORDING_PHASE && !this.is(T.Colon))
      this.say(d.missingParameterType, name.text === "" ? this.place() : name.span, { name: name.text });
    // `name type` without the colon.
    if (!this.newLine() && L.has(L.typeStarts, this.LA(1)) && !this.is(T.LParen)) type = this.SUBRULE1(this.type);
    else {
      this.CONSUME(T.Colon);
      type = this.SUBRULE(this.type);
    }
    const value = this.OPTION(() => {
      this.CONSUME(T.Assign);
      return this.SUBRULE(this.expression);
    });
    return { name, annotations, type, default: value, doc, span: this.span(start) };
  });

  private typeParameters(index: number): A.Name[] {
    const names: A.Name[] = [];
    this.option(index, () => {
      this.consume(index, T.Less);
      names.push(this.name(index + 20, "a type parameter"));
      this.many(index, () => {
        this.consume(index, T.Comma);
        names.push(this.name(index + 40, "a type parameter"));
      });
      this.closeAngle(index);
    });
    return names;
  }
  /** `>`; of `>=` only the first half is taken. */
  private closeAngle(index: number): void {
    const token = this.LA(1);
    if (!this.RECORDING_PHASE && token.tokenType === T.GreaterEqual) {
      const rest: Token = { image: "=", startOffset: token.startOffset + 1, tokenType: T.Assign, tokenTypeIdx: T.Assign.tokenTypeIdx ?? 0 };
      this.tokens.splice(this.currIdx + 2, 0, rest);
      this.tokVectorLength++;
      token.image = ">";
      this.retag(T.Greater);
    }
    this.want(index, T.Greater);
  }

  private readonly properties = this.rule<A.Property[]>("properties", () => {
    if (!this.RECORDING_PHASE && !this.is(T.LBrace)) {
      this.say(d.missingBody, this.place(), { what: "This declaration" });
      this.lose();
      return [];
    }
    return this.items(1, PROPERTIES, T.LBrace, () => {
      const start = this.at();
      const name = this.word(2, "a property");
      this.colon(3, `\`${name.text}\``);
      const value = this.SUBRULE(this.expression);
      return { name, value, doc: this.doc(start), span: this.span(start) };
    });
  });

  private readonly annotation = this.ruleOf<boolean, A.Annotation>("annotation", (declares) => {
    const start = this.at();
    this.CONSUME(T.At);
    const name = this.word(1, "an annotation");
    if (name.text === "" && !this.RECORDING_PHASE) this.lose();
    const args = this.OPTION({
      GATE: () => this.touches(declares, name),
      DEF: () => this.SUBRULE(this.arguments),
    });
    const span = this.span(start);
    return { kind: "Annotation", name, args: name.text === "rate" && args !== undefined ? args.map((a) => this.rate(a)) : args, span };
  });
  /** GLUED; before a declaration a `(` further right can only be meant for the annotation. */
  private touches(declares: boolean, name: A.Name): boolean {
    if (!this.is(T.LParen) || this.glued()) return true;
    if (!declares || this.newLine()) return false;
    this.say(
      d.annotationGap,
      this.place(),
      { name: name.text },
      this.fix("Remove the space", { file: this.file, start: this.end(), end: this.at() }, ""),
    );
    return true;
  }
  /** `10/s`, written as a division and meant as a rate. */
  private rate(argument: A.Argument): A.Argument {
    const value = argument.value;
    if (value.kind !== "Binary" || value.op !== "/" || value.left.kind !== "Number" || value.right.kind !== "NameExpr") return argument;
    const seconds = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400 }[value.right.name];
    if (seconds === undefined || value.span.end - value.span.start !== value.left.raw.length + 1 + value.right.name.length) return argument;
    const raw = `${value.left.raw}/${value.right.name}`;
    return { ...argument, value: { kind: "Number", value: value.left.value / seconds, unit: "rate", raw, span: value.span } };
  }

  private readonly arguments = this.rule<A.Argument[]>("arguments", () =>
    this.items(1, ARGUMENTS, T.LParen, () => {
      const start = this.at();
      const name = this.OPTION2({
        GATE: () => this.is(T.Colon, 2) || (this.is(T.Assign, 2) && L.has(L.anyWords, this.LA(1))),
        DEF: () => {
          const word = this.word(2, "an argument");
          if (!this.RECORDING_PHASE && this.is(T.Assign)) {
            this.say(d.namedArgument, this.place(), { name: word.text }, this.fix("Write `:`", this.place(), ":"));
            this.skip();
          } else this.CONSUME2(T.Colon);
          return word;
        },
      });
      if (!this.RECORDING_PHASE && !this.is(T.Dot)) return { name, value: this.SUBRULE(this.expression), span: this.span(start) };
      const value = this.choose<A.Expr>(0, [
        {
          ALT: () => {
            const at = this.at();
            this.CONSUME3(T.Dot);
            const path = [this.word(3, "a field")];
            this.MANY3(() => {
              this.CONSUME4(T.Dot);
              path.push(this.word(4, "a field"));
            });
            return { kind: "FieldRef", path, span: this.span(at) };
          },
        },
        { ALT: () => this.SUBRULE(this.expression) },
      ]);
      return { name, value, span: this.span(start) };
    }),
  );

  // -------------------------------------------------------------------------------------------------- types

  private typeNote(index: number): A.TypeNode | undefined {
    return this.option(index, () => {
      this.consume(index, T.Colon);
      return this.subrule(index, this.type);
    });
  }

  private readonly type = this.rule<A.TypeNode>("type", () => {
    const start = this.at();
    let doc = this.doc(start);
    if (this.RECORDING_PHASE || this.is(T.Bar)) this.OPTION(() => this.CONSUME(T.Bar));
    doc ??= this.doc(this.at());
    const first = this.SUBRULE(this.typePostfix);
    if (!this.RECORDING_PHASE && doc === undefined && !this.is(T.Bar)) return first;
    const members = [{ type: first, doc }];
    this.MANY(() => {
      const at = this.at();
      this.CONSUME1(T.Bar);
      const memberDoc = this.doc(at) ?? this.doc(this.at());
      members.push({ type: this.SUBRULE1(this.typePostfix), doc: memberDoc });
    });
    return { kind: "UnionType", members, span: this.span(start) };
  });

  private readonly typePostfix = this.rule<A.TypeNode>("typePostfix", () => {
    const start = this.at();
    if (this.tooDeep()) return { kind: "MissingType", span: this.empty() };
    this.depth++;
    const qualified = this.RECORDING_PHASE || this.is(K.secret) || this.is(K.untrusted);
    const qualifier = !qualified
      ? undefined
      : this.OPTION(() => this.OR([{ ALT: () => this.CONSUME(K.secret) }, { ALT: () => this.CONSUME(K.untrusted) }]));
    const from = this.at();
    let node = this.typePrimary(from);
    if (this.RECORDING_PHASE || this.is(T.LBracket) || this.is(T.Question)) {
      this.MANY1({
        GATE: () => this.is(T.Question) || !this.newLine(),
        DEF: () => {
          this.OR1([
            {
              ALT: () => {
                const at = this.currIdx + 1;
                this.CONSUME1(T.LBracket);
                this.opened(T.RBracket);
                const bounds = this.OPTION1({ GATE: () => !this.is(T.RBracket), DEF: () => this.SUBRULE1(this.bounds) });
                this.close(1, T.RBracket, at);
                node = { kind: "ListType", element: node, bounds, span: this.span(from) };
              },
            },
            {
              ALT: () => {
                this.CONSUME1(T.Question);
                node = { kind: "OptionalType", inner: node, span: this.span(from) };
              },
            },
          ]);
        },
      });
    }
    this.depth--;
    if (qualifier === undefined || this.RECORDING_PHASE) return node;
    return { kind: "QualifiedType", qualifier: qualifier.image === "secret" ? "secret" : "untrusted", inner: node, span: this.span(start) };
  });
  private typePrimary(start: number): A.TypeNode {
    if (!this.RECORDING_PHASE && (!L.has(L.typeStarts, this.LA(1)) || this.declares())) {
      this.say(d.missingType, this.place(), { found: this.found() });
      return { kind: "MissingType", span: this.empty() };
    }
    const literal = (_: unknown, value: string | number | boolean | null): A.TypeNode => ({
      kind: "LiteralType",
      value,
      span: this.span(start),
    });
    return this.choose<A.TypeNode>(2, [
      { ALT: () => this.SUBRULE(this.namedType) },
      {
        ALT: () => {
          this.CONSUME2(K.map);
          if (this.want(3, T.Less) === undefined) return { kind: "MissingType", span: this.span(start) };
          const value = this.SUBRULE2(this.type);
          this.closeAngle(2);
          return { kind: "MapType", value, span: this.span(start) };
        },
      },
      { ALT: () => literal(undefined, this.string(2)?.value) },
      { ALT: () => literal(undefined, this.signed(3)) },
      { ALT: () => literal(this.CONSUME4(K.true), true) },
      { ALT: () => literal(this.CONSUME4(K.false), false) },
      { ALT: () => literal(this.CONSUME4(K.null), null) },
      {
        ALT: () => {
          const fields = this.items(20, FIELDS, T.LBrace, () => this.field());
          return { kind: "RecordType", fields, span: this.span(start) };
        },
      },
      { ALT: () => this.SUBRULE3(this.callableType) },
    ]);
  }

  private field(): A.FieldType {
    const start = this.at();
    const annotations: A.Annotation[] = [];
    if (this.RECORDING_PHASE || this.is(T.At)) this.MANY3(() => annotations.push(this.SUBRULE5(this.annotation, { ARGS: [false] })));
    const doc = this.doc(start) ?? this.doc(this.at());
    const name = this.key(21, "a field");
    if (!this.RECORDING_PHASE && this.is(T.Question)) {
      this.say(d.optionalField, this.place(), { name: name.text });
      this.skip();
    }
    this.colon(22, `\`${name.text}\``);
    const type = this.SUBRULE6(this.type);
    return { name, annotations, type, doc, span: this.span(start) };
  }

  private readonly namedType = this.rule<A.NamedType>("namedType", () => {
    const start = this.at();
    const name = this.name(1, "a type");
    const args: A.TypeNode[] = [];
    if (this.RECORDING_PHASE || this.is(T.Less)) {
      this.OPTION(() => {
        this.CONSUME(T.Less);
        args.push(this.SUBRULE(this.type));
        this.MANY(() => {
          this.CONSUME(T.Comma);
          args.push(this.SUBRULE1(this.type));
        });
        this.closeAngle(1);
      });
    }
    let bounds: A.Bounds | undefined;
    let pattern: A.NamedType["pattern"];
    if (this.RECORDING_PHASE || this.is(T.LParen)) {
      this.OPTION1({
        GATE: () => !this.newLine(),
        DEF: () => {
          const at = this.currIdx + 1;
          this.CONSUME2(T.LParen);
          this.opened(T.RParen);
          if (this.RECORDING_PHASE || this.is(T.Regex)) {
            this.OR([{ ALT: () => (pattern = this.regex(2)) }, { ALT: () => (bounds = this.SUBRULE2(this.bounds)) }]);
          } else bounds = this.SUBRULE2(this.bounds);
          this.close(3, T.RParen, at);
        },
      });
    }
    return { kind: "NamedType", name, args, bounds, pattern, span: this.span(start) };
  });

  private regex(index: number): { source: string; span: Span } {
    const token = this.consume(index, T.Regex);
    const span = this.spanOf(token);
    const source = token.image.slice(1, token.image.endsWith("/") && token.image.length > 1 ? -1 : undefined);
    const closed = token.image.length > 1 && !this.broken.includes(token.startOffset);
    if (closed && !this.RECORDING_PHASE) {
      const reason = regexMistake(source);
      if (reason !== undefined) this.problems.report(d.invalidRegex, span, { reason });
      if (L.has(L.anyWords, this.LA(1)) && this.glued()) {
        this.say(d.regexFlags, this.place(), { flags: this.found() }, this.fix("Remove the flags", this.place(), ""));
        this.skip();
      }
    }
    return { source, span };
  }

  private readonly callableType = this.rule<A.TypeNode>("callableType", () => {
    const start = this.at();
    const params = this.items(1, TYPES, T.LParen, () => this.SUBRULE(this.type));
    const result = this.OPTION(() => {
      this.CONSUME(T.Arrow);
      return this.SUBRULE1(this.type);
    });
    if (result !== undefined) return { kind: "CallableType", params, result, span: this.span(start) };
    const only = params[0];
    if (params.length === 1 && only !== undefined) return only;
    this.expected("`->` and the type of the result");
    return { kind: "MissingType", span: this.span(start) };
  });

  private readonly bounds = this.rule<A.Bounds>("bounds", () => {
    const start = this.at();
    let low: number | undefined;
    let high: number | undefined;
    if (!this.RECORDING_PHASE && !this.is(T.DotDot) && !this.is(T.Num) && !this.is(T.Minus)) {
      this.expected("a number or a range such as `1..10`");
      this.lose();
      return { low, high, span: this.span(start) };
    }
    this.OR([
      {
        ALT: () => {
          low = this.signed(1);
          high = low;
          this.OPTION(() => {
            this.CONSUME(T.DotDot);
            high = this.OPTION1(() => this.signed(2));
          });
        },
      },
      {
        ALT: () => {
          this.CONSUME1(T.DotDot);
          high = this.signed(3);
        },
      },
    ]);
    return { low, high, span: this.span(start) };
  });

  private signed(index: number): number {
    const minus = this.option(index + 30, () => this.consume(index, T.Minus)) !== undefined;
    const token = this.want(index, T.Num);
    if (token === undefined || this.RECORDING_PHASE) return 0;
    const value = readNumber(token.image, this.spanOf(token), this.problems).value;
    return minus ? -value : value;
  }

  // --------------------------------------------------------------------------------------------- statements

  /** `= value`, where a missing `=` or value leaves the rest of the line alone. */
  private defined(index: number): A.Expr {
    if (this.want(index, T.Assign) === undefined && !this.RECORDING_PHASE) {
      if (this.is(T.Equal) || this.is(T.FatArrow) || this.is(T.Colon)) this.skip();
      else if (this.newLine() || !L.has(L.exprStarts, this.LA(1))) this.lose();
    }
    return this.subrule(index, this.expression);
  }

  private declarationBody(index: number, what: string): A.Expr {
    const body = this.body(index, what);
    if (body.kind === "Missing") this.lose();
    return body;
  }
  private body(index: number, what: string): A.Expr {
    if (this.RECORDING_PHASE || this.is(T.LBrace)) return this.subrule(index, this.braces);
    this.say(d.missingBody, this.place(), { what });
    return { kind: "Missing", span: this.empty() };
  }

  /** `{ … }`: a record or a block, by one rule everywhere. */
  private readonly braces = this.rule<A.Expr>("braces", () => {
    const start = this.at();
    const at = this.currIdx + 1;
    const record = this.isRecord();
    const beforeElse = this.beforeElse;
    this.beforeElse = false;
    const entries: A.RecordEntry[] = [];
    const statements: A.Statement[] = [];
    this.CONSUME(T.LBrace);
    this.opened(T.RBrace);
    if (this.RECORDING_PHASE || record) {
      this.MANY({
        GATE: () => this.more(ENTRIES, T.RBrace, at),
        DEF: () => {
          entries.push(this.SUBRULE(this.entry));
          this.comma(0);
        },
      });
    }
    if (this.RECORDING_PHASE || !record) {
      this.MANY1({ GATE: () => this.moreStatements(at, beforeElse), DEF: () => statements.push(this.SUBRULE(this.statement)) });
    }
    this.close(1, T.RBrace, at);
    const span = this.span(start);
    return record ? { kind: "Record", entries, span } : { kind: "Block", statements, span };
  });
  /** After `{` comes `}`, `...`, or a key and then `:` or `,`. */
  private isRecord(): boolean {
    const second = this.LA(2);
    if (second.tokenType === T.RBrace || second.tokenType === T.Ellipsis) return true;
    if (!L.has(L.keyStarts, second)) return false;
    const third = this.LA(3).tokenType;
    return third === T.Colon || third === T.Comma;
  }

  private readonly entry = this.rule<A.RecordEntry>("entry", () => {
    const start = this.at();
    if (!this.RECORDING_PHASE && this.is(T.Ellipsis)) {
      this.skip();
      return { kind: "Spread", value: this.SUBRULE(this.expression), span: this.span(start) };
    }
    return this.choose<A.RecordEntry>(0, [
      {
        ALT: () => {
          this.CONSUME(T.Ellipsis);
          return { kind: "Spread", value: this.SUBRULE(this.expression), span: this.span(start) };
        },
      },
      {
        ALT: () => {
          const name = this.key(1, "a field");
          if (!this.RECORDING_PHASE && (this.is(T.Assign) || this.is(T.FatArrow)) && !this.newLine()) {
            this.say(d.expected, this.place(), { expected: `\`:\` after \`${name.text}\``, found: this.found() });
            this.retag(T.Colon);
          }
          const value = this.OPTION1(() => {
            this.CONSUME1(T.Colon);
            return this.SUBRULE1(this.expression);
          });
          return {
            kind: "Field",
            name,
            value: value ?? { kind: "NameExpr", name: name.text, span: name.span },
            shorthand: value === undefined,
            span: this.span(start),
          };
        },
      },
    ]);
  });

  private readonly statement = this.rule<A.Statement>("statement", () => {
    const start = this.at();
    if (!this.RECORDING_PHASE && !L.has(L.statementWords, this.LA(1)))
      return { kind: "Expr", value: this.SUBRULE(this.expression), span: this.span(start) };
    return this.choose<A.Statement>(0, [
      { ALT: () => this.SUBRULE(this.letStatement) },
      {
        ALT: () => {
          this.CONSUME1(K.set);
          const name = this.name(1, "the state");
          return { kind: "Set", name, value: this.defined(1), span: this.span(start) };
        },
      },
      {
        ALT: () => {
          this.CONSUME2(K.assert);
          const test = this.SUBRULE2(this.expression);
          const message = this.OPTION(() => {
            this.CONSUME2(T.Comma);
            return this.SUBRULE3(this.expression);
          });
          return { kind: "Assert", test, message, span: this.span(start) };
        },
      },
      {
        ALT: () => {
          this.CONSUME3(K.stop);
          this.want(3, K.when);
          return { kind: "Stop", test: this.SUBRULE4(this.expression), span: this.span(start) };
        },
      },
      {
        ALT: () => {
          this.CONSUME4(K.next);
          return { kind: "Next", value: this.SUBRULE5(this.expression), span: this.span(start) };
        },
      },
      { ALT: () => ({ kind: "Expr", value: this.SUBRULE(this.expression), span: this.span(start) }) },
    ]);
  });

  private readonly letStatement = this.rule<A.LetStatement>("letStatement", () => {
    const start = this.at();
    this.CONSUME(K.let);
    const destructured = this.is(T.LBrace);
    let names: A.Name[] = [];
    if (this.RECORDING_PHASE || destructured) {
      this.OR([
        { ALT: () => (names = this.items(20, NAMES, T.LBrace, () => this.name(1, "a field"))) },
        { ALT: () => names.push(this.name(2, "the value")) },
      ]);
    } else names.push(this.name(2, "the value"));
    if (names[0]?.text === "" && !this.is(T.Assign) && !this.is(T.Colon)) this.lose();
    const type = this.typeNote(1);
    const value = this.defined(2);
    return { kind: "Let", names, destructured, type, value, doc: this.doc(start), span: this.span(start) };
  });

  private readonly testStatement = this.rule<A.TestStatement>("testStatement", () => {
    const start = this.at();
    const form = this.is(K.stub) || this.is(K.expect) || this.is(K.crash);
    const special = this.OPTION({
      GATE: () => form,
      DEF: () =>
        this.choose<A.TestStatement>(0, [
          { ALT: () => this.SUBRULE(this.stub) },
          { ALT: () => this.SUBRULE(this.expect) },
          {
            ALT: () => {
              this.CONSUME(K.crash);
              if (!this.RECORDING_PHASE && !this.is(K.after) && !this.is(K.before)) {
                this.expected("`after` or `before`");
                this.lose();
                return { kind: "Crash", when: "after", name: { text: "", span: this.empty() }, span: this.span(start) };
              }
              const when = this.OR1([{ ALT: () => this.CONSUME(K.after) }, { ALT: () => this.CONSUME(K.before) }]);
              const name = this.name(1, "the callable");
              return { kind: "Crash", when: when?.image === "before" ? "before" : "after", name, span: this.span(start) };
            },
          },
        ]),
    });
    const plain = this.OPTION1({ GATE: () => !form, DEF: () => this.SUBRULE(this.statement) });
    return special ?? plain ?? { kind: "Expr", value: this.hole(), span: this.span(start) };
  });

  private readonly stub = this.rule<A.StubStatement>("stub", () => {
    const start = this.at();
    this.CONSUME(K.stub);
    const word = this.is(K.ask) || this.is(K.orchestrate) ? this.word(1, "what is stubbed") : undefined;
    const name = (word ?? this.RECORDING_PHASE) ? this.stubbed(word) : this.name(2, "the callable");
    let params: A.Name[] | undefined;
    if (this.RECORDING_PHASE || this.is(T.LParen)) {
      this.OPTION2(() => {
        params = this.items(20, NAMES, T.LParen, () => this.name(3, "a parameter"));
      });
    }
    const steps = [this.SUBRULE(this.stubStep)];
    // Words of a test are names elsewhere, so a line may begin with one: what follows decides.
    this.MANY({
      GATE: () => this.is(T.FatArrow, 2) || this.is(K.fails, 2) || !this.newLine(),
      DEF: () => {
        this.CONSUME(K.then);
        steps.push(this.SUBRULE1(this.stubStep));
      },
    });
    return { kind: "Stub", name, params, steps, span: this.span(start) };
  });
  private stubbed(word: A.Name | undefined): A.Name {
    return word ?? this.word(1, "what is stubbed");
  }

  private readonly stubStep = this.rule<A.StubStep>("stubStep", () => {
    const start = this.at();
    if (!this.RECORDING_PHASE && !this.is(T.FatArrow) && !this.is(K.fails)) {
      this.expected("`=>` and a value, or `fails` and a kind");
      this.lose();
    }
    let oneOf = false;
    let value: A.Expr | undefined;
    let failure: A.Text | undefined;
    let times: A.Expr | undefined;
    if (this.lostAt === -2) {
      this.OR([
        {
          ALT: () => {
            this.CONSUME(T.FatArrow);
            oneOf =
              this.OPTION({ GATE: () => this.is(T.LBracket, 2) || this.is(T.Name, 2), DEF: () => this.CONSUME(K.one_of) }) !== undefined;
            value = this.SUBRULE(this.expression);
          },
        },
        {
          ALT: () => {
            this.CONSUME(K.fails);
            failure = this.string(1);
            times = this.OPTION1(() => {
              this.CONSUME(K.times);
              return this.number(1);
            });
          },
        },
      ]);
    }
    let takes: A.Expr | undefined;
    let costs: A.Expr | undefined;
    this.MANY(() =>
      this.OR1([
        {
          ALT: () => {
            this.CONSUME(K.takes);
            takes = this.number(2);
          },
        },
        {
          ALT: () => {
            this.CONSUME(K.costs);
            costs = this.number(3);
          },
        },
      ]),
    );
    const span = this.span(start);
    if (failure !== undefined) return { kind: "Fails", failure, times, takes, costs, span };
    return { kind: "Value", value: value ?? { kind: "Missing", span: this.empty() }, oneOf, takes, costs, span };
  });
  private number(index: number): A.Expr {
    const token = this.want(index, T.Num);
    if (token === undefined || this.RECORDING_PHASE) return { kind: "Missing", span: this.empty() };
    return readNumber(token.image, this.spanOf(token), this.problems);
  }

  private readonly expect = this.rule<A.ExpectStatement | A.ExpectOrderStatement>("expect", () => {
    const start = this.at();
    this.CONSUME(K.expect);
    const order = this.is(K.order) && this.is(T.LBracket, 2);
    let names: A.ListExpr | undefined;
    if (this.RECORDING_PHASE || order) {
      this.OPTION({
        GATE: () => order,
        DEF: () => {
          this.CONSUME(K.order);
          names = this.SUBRULE(this.list);
        },
      });
      if (names !== undefined && !this.RECORDING_PHASE) return { kind: "ExpectOrder", names, span: this.span(start) };
    }
    const value = this.SUBRULE(this.expression);
    const fails = this.OPTION1(() => {
      this.CONSUME(K.fails);
      return this.string(1);
    });
    return { kind: "Expect", value, fails, span: this.span(start) };
  });

  // -------------------------------------------------------------------------------------------- expressions

  /** Operands and operators in a row; `shape` makes the tree. */
  readonly expression = this.rule<A.Expr>("expression", () => {
    const start = this.at();
    const first = this.SUBRULE(this.operand);
    if (!this.RECORDING_PHASE && !this.continues(this.LA(1))) return first;
    const tails: Tail[] = [];
    const end = this.end();
    this.MANY({
      GATE: () => this.continues(this.LA(1)),
      DEF: () => {
        this.OR([
          {
            ALT: () => {
              const token = this.CONSUME(T.Infix);
              const opSpan = this.spanOf(token);
              const at = this.at();
              const right = this.SUBRULE1(this.operand);
              tails.push({ kind: "Infix", op: token.image as A.BinaryOp, opSpan, right, start: at, end: this.end() });
            },
          },
          {
            ALT: () => {
              this.CONSUME(K.as);
              const type = this.SUBRULE(this.typePostfix);
              tails.push({ kind: "As", type, end: this.end() });
            },
          },
          {
            ALT: () => {
              this.CONSUME(T.Pipe);
              tails.push({ kind: "Pipe", stage: this.SUBRULE(this.stage) });
            },
          },
        ]);
      },
    });
    const value = this.RECORDING_PHASE ? first : shape({ value: first, start, end }, tails, this.file, this.problems);
    return this.is(T.Question) ? this.ternary(value) : value;
  });

  /** Whether the next token continues the expression; what other languages write there is reported and read as meant. */
  private continues(token: Token): boolean {
    const type = token.tokenType;
    if (type === T.Name) {
      if (token.image !== "and" && token.image !== "or") return false;
      if (this.newLine() || !L.has(L.exprStarts, this.LA(2))) return false;
      const mend = token.image === "and" ? "&&" : "||";
      this.replaced(d.logicalOperator, { found: token.image, mend }, mend, mend === "&&" ? T.And : T.Or);
      return true;
    }
    if (type === T.Minus) return !this.newLine();
    if (type === T.Pipe) return true;
    // A reserved word before a colon is the name of the next field.
    if (type === K.as) return !this.is(T.Colon, 2);
    if (type === T.Assign) {
      const name = this.tokens[this.currIdx];
      if (this.currIdx === this.statementAt && name !== undefined && L.has(L.names, name)) {
        this.say(
          d.assignment,
          this.spanOf(token),
          { name: name.image },
          this.fix("Write `let`", { ...this.spanOf(name), end: name.startOffset }, "let "),
        );
      } else this.replaced(d.singleEqual, {}, "==", T.Equal);
      token.image = "==";
      this.retag(T.Equal);
      return true;
    }
    if (type === T.Bar) {
      this.replaced(d.logicalOperator, { found: "|", mend: "||" }, "||", T.Or);
      return true;
    }
    const next = this.token(this.currIdx + 2);
    if (next !== undefined && next.startOffset === token.startOffset + token.image.length && this.changes(token, next)) return false;
    if (token.image === "&") this.replaced(d.logicalOperator, { found: "&", mend: "&&" }, "&&", T.And);
    else if (token.image === "===") this.replaced(d.tripleEqual, { found: "===", mend: "==" }, "==", T.Equal);
    else if (token.image === "!==") this.replaced(d.tripleEqual, { found: "!==", mend: "!=" }, "!=", T.NotEqual);
    return (type.CATEGORIES ?? []).includes(T.Infix) || type === T.Question;
  }
  /** `x += 1` and `x++`: reported and left out. */
  private changes(token: Token, next: Token): boolean {
    const twice = next.tokenType === token.tokenType && (token.tokenType === T.Plus || token.tokenType === T.Minus);
    const after = this.token(this.currIdx + 3);
    if (next.tokenType !== T.Assign && !(twice && (after === undefined || L.isCloser(after.tokenType) || this.newLine(3)))) return false;
    const name = this.tokens[this.currIdx]?.image ?? "";
    const span = { ...this.spanOf(token), end: next.startOffset + next.image.length };
    this.say(d.changedValue, span, { found: `${token.image}${next.image}`, name });
    this.lose();
    return true;
  }
  private replaced<P>(definition: Definition<P>, params: P, image: string, type: TokenType): void {
    const token = this.token(this.currIdx + 1);
    if (token === undefined) return;
    const span = this.spanOf(token);
    this.say(definition, span, params, this.fix(`Write \`${image}\``, span, image));
    token.image = image;
    this.retag(type);
  }
  /** `c ? a : b` is reported and read as an `if`. */
  private ternary(test: A.Expr): A.Expr {
    if (this.newLine() || !L.has(L.exprStarts, this.LA(2))) return test;
    this.say(d.ternary, this.place(), {});
    this.skip();
    this.lose();
    return test;
  }

  private readonly operand = this.rule<A.Expr>("operand", () => {
    if (this.tooDeep()) return { kind: "Missing", span: this.empty() };
    this.depth++;
    const depth = this.depth;
    const prefixes: { op: "!" | "-"; start: number }[] = [];
    if (this.RECORDING_PHASE || this.is(T.Not) || this.is(T.Minus)) {
      this.MANY(() => {
        const start = this.at();
        const token = this.OR([{ ALT: () => this.CONSUME(T.Not) }, { ALT: () => this.CONSUME(T.Minus) }]);
        if (this.tooDeep()) return;
        this.depth++;
        prefixes.push({ op: token?.image === "!" ? "!" : "-", start });
      });
    }
    const annotations: A.Annotation[] = [];
    const annotatedAt = this.at();
    if (this.RECORDING_PHASE || this.is(T.At)) this.MANY1(() => annotations.push(this.SUBRULE(this.annotation, { ARGS: [false] })));
    const start = this.at();
    // Where the chain starts that is being built: before its annotations, once they are part of it.
    let from = start;
    const annotated = (inner: A.Expr): A.Expr =>
      annotations.length === 0 ? inner : { kind: "Annotated", annotations, inner, span: this.span(annotatedAt) };
    let node =
      this.RECORDING_PHASE || (L.has(L.primaryStarts, this.LA(1)) && !this.declares())
        ? this.choose<A.Expr>(1, this.primaries)
        : this.hole();
    let wrapped = annotations.length === 0;
    if (!wrapped && !this.RECORDING_PHASE && node.kind !== "NameExpr") {
      node = annotated(node);
      wrapped = true;
      from = annotatedAt;
    }
    if (this.RECORDING_PHASE || L.has(L.postfixStarts, this.LA(1))) {
      // No call in the chain: the annotations belong to the name itself.
      if (!wrapped && !this.callFollows()) {
        node = annotated(node);
        wrapped = true;
        from = annotatedAt;
      }
      this.MANY2({
        GATE: () => this.is(T.Dot) || this.is(T.QuestionDot) || !this.newLine(),
        DEF: () => {
          this.OR2([
            {
              ALT: () => {
                this.CONSUME2(T.Dot);
                node = { kind: "Member", object: node, name: this.word(2, "a field"), optional: false, span: this.span(from) };
              },
            },
            {
              ALT: () => {
                this.CONSUME3(T.QuestionDot);
                node = { kind: "Member", object: node, name: this.word(3, "a field"), optional: true, span: this.span(from) };
              },
            },
            {
              ALT: () => {
                const args = this.SUBRULE(this.arguments);
                node = { kind: "Call", callee: node, args, span: this.span(from) };
                if (!wrapped) {
                  node = annotated(node);
                  wrapped = true;
                  from = annotatedAt;
                }
              },
            },
            {
              ALT: () => {
                const at = this.currIdx + 1;
                this.CONSUME4(T.LBracket);
                this.opened(T.RBracket);
                const index = this.SUBRULE(this.expression);
                this.close(5, T.RBracket, at);
                node = { kind: "Index", object: node, index, span: this.span(from) };
              },
            },
          ]);
        },
      });
    }
    if (!wrapped) node = annotated(node);
    if (!this.RECORDING_PHASE) {
      for (let i = prefixes.length - 1; i >= 0; i--) {
        const prefix = prefixes[i];
        if (prefix !== undefined) node = { kind: "Unary", op: prefix.op, operand: node, span: this.span(prefix.start) };
      }
    }
    this.depth = depth - 1;
    return node;
  });
  /** Whether a call follows in the chain of fields and indexes that starts here. */
  private callFollows(): boolean {
    let depth = 0;
    for (let i = this.currIdx + 1; ; i++) {
      const token = this.token(i);
      if (token === undefined) return false;
      const type = token.tokenType;
      if (type === T.LParen && depth === 0) return true;
      if (type === T.LBracket || type === T.LParen || type === T.LBrace) depth++;
      else if (type === T.RBracket || type === T.RParen || type === T.RBrace) depth--;
      else if (
        depth === 0 &&
        type !== T.Dot &&
        type !== T.QuestionDot &&
        this.tokens[i - 1]?.tokenType !== T.Dot &&
        this.tokens[i - 1]?.tokenType !== T.QuestionDot
      )
        return false;
      if (depth < 0) return false;
    }
  }

  /** Made once: Chevrotain reads the alternatives anew for each operand. */
  private readonly primaries = this.primaryAlternatives();
  private primaryAlternatives(): { ALT: () => A.Expr }[] {
    const simple = (kind: "Bool" | "Null", token: Token): A.Expr =>
      kind === "Null" ? { kind, span: this.spanOf(token) } : { kind, value: token.image === "true", span: this.spanOf(token) };
    return [
      { ALT: () => this.nameOrLambda() },
      {
        ALT: () => {
          const token = this.CONSUME2(T.Num);
          return this.RECORDING_PHASE ? nothing : readNumber(token.image, this.spanOf(token), this.problems);
        },
      },
      { ALT: () => this.string(3) },
      {
        ALT: () => {
          const { source, span } = this.regex(3);
          return { kind: "Regex", source, span };
        },
      },
      { ALT: () => simple("Bool", this.CONSUME2(K.true)) },
      { ALT: () => simple("Bool", this.CONSUME2(K.false)) },
      { ALT: () => simple("Null", this.CONSUME2(K.null)) },
      { ALT: () => this.SUBRULE2(this.parens) },
      { ALT: () => this.SUBRULE2(this.list) },
      { ALT: () => this.SUBRULE2(this.braces) },
      { ALT: () => this.SUBRULE2(this.if) },
      { ALT: () => this.SUBRULE2(this.match) },
      { ALT: () => this.SUBRULE2(this.settle) },
      { ALT: () => this.SUBRULE2(this.map) },
      { ALT: () => this.SUBRULE2(this.fork) },
      { ALT: () => this.SUBRULE2(this.race) },
      { ALT: () => this.SUBRULE2(this.vote) },
      { ALT: () => this.SUBRULE2(this.loop) },
      { ALT: () => this.SUBRULE2(this.reduce) },
      { ALT: () => this.SUBRULE2(this.try) },
      { ALT: () => this.SUBRULE2(this.ask) },
      { ALT: () => this.SUBRULE2(this.send) },
      { ALT: () => this.SUBRULE2(this.orchestrate) },
    ];
  }

  private nameOrLambda(): A.Expr {
    const start = this.at();
    const token = this.CONSUME(T.Name);
    const span = this.spanOf(token);
    if (this.RECORDING_PHASE || this.is(T.FatArrow)) {
      const body = this.OPTION(() => {
        this.CONSUME(T.FatArrow);
        return this.SUBRULE2(this.expression);
      });
      if (body !== undefined) return { kind: "Lambda", params: [{ text: token.image, span }], body, span: this.span(start) };
    }
    if (!this.RECORDING_PHASE && Object.hasOwn(L.foreignPrefixes, token.image) && L.has(L.names, this.LA(1)) && !this.newLine()) {
      const end = this.at();
      this.currIdx--;
      this.say(
        d.foreignWord,
        span,
        { word: token.image, instead: L.foreignPrefixes[token.image] ?? "" },
        this.fix("Remove it", { ...span, end }, token.image === "not" ? "!" : ""),
      );
      this.currIdx++;
      return this.SUBRULE3(this.operand);
    }
    return { kind: "NameExpr", name: token.image, span };
  }

  private readonly parens = this.rule<A.Expr>("parens", () => {
    const start = this.at();
    const at = this.currIdx + 1;
    const lambda = !this.RECORDING_PHASE && this.isLambda();
    const params: A.Name[] = [];
    let value: A.Expr | undefined;
    this.CONSUME(T.LParen);
    this.opened(T.RParen);
    if (this.RECORDING_PHASE || lambda) {
      this.MANY({
        GATE: () => lambda,
        DEF: () => {
          params.push(this.name(1, "a parameter"));
          this.OPTION(() => this.CONSUME(T.Comma));
        },
      });
    }
    if (!lambda) {
      if (!this.RECORDING_PHASE && !L.has(L.exprStarts, this.LA(1))) value = this.hole();
      else value = this.OPTION1(() => this.SUBRULE(this.expression));
    }
    this.close(1, T.RParen, at);
    const body = this.OPTION2({
      GATE: () => lambda,
      DEF: () => {
        this.CONSUME(T.FatArrow);
        return this.SUBRULE1(this.expression);
      },
    });
    if (body !== undefined) return { kind: "Lambda", params, body, span: this.span(start) };
    return value ?? { kind: "Missing", span: this.span(start) };
  });
  /** `(a, b) =>` */
  private isLambda(): boolean {
    for (let i = this.currIdx + 2; ; i += 2) {
      const token = this.token(i);
      const next = this.token(i + 1)?.tokenType;
      if (token === undefined) return false;
      if (token.tokenType === T.RParen) return next === T.FatArrow;
      if (!L.has(L.names, token)) return false;
      if (next === T.RParen) return this.token(i + 2)?.tokenType === T.FatArrow;
      if (next !== T.Comma) return false;
    }
  }

  private readonly list = this.rule<A.ListExpr>("list", () => {
    const start = this.at();
    const elements = this.items(1, ELEMENTS, T.LBracket, () => {
      const spread = this.OPTION2(() => this.CONSUME2(T.Ellipsis)) !== undefined;
      return { spread, value: this.SUBRULE(this.expression) };
    });
    return { kind: "List", elements, span: this.span(start) };
  });

  private readonly if = this.rule<A.Expr>("if", () => {
    const start = this.at();
    this.CONSUME(K.if);
    const branches = [{ start, test: this.head(), then: this.thenBody(1) }];
    let otherwise: A.Expr | undefined;
    this.MANY({
      GATE: () => otherwise === undefined && this.elseFollows(),
      DEF: () => {
        this.CONSUME(K.else);
        const at = this.at();
        if (this.RECORDING_PHASE || this.is(K.if)) {
          const nested = this.OPTION(() => {
            this.CONSUME1(K.if);
            return this.SUBRULE1(this.expression);
          });
          if (nested !== undefined && !this.RECORDING_PHASE) {
            branches.push({ start: at, test: nested, then: this.thenBody(2) });
            return;
          }
        }
        otherwise = this.body(2, "This `else`");
      },
    });
    if (this.RECORDING_PHASE) return nothing;
    const end = this.end();
    return (
      branches.reduceRight<A.Expr | undefined>(
        (rest, { start: from, test, then }) => ({ kind: "If", test, then, else: rest, span: { file: this.file, start: from, end } }),
        otherwise,
      ) ?? { kind: "Missing", span: this.empty() }
    );
  });
  private thenBody(index: number): A.Expr {
    this.beforeElse = true;
    const body = this.body(index, "This `if`");
    this.beforeElse = false;
    return body;
  }
  /** The expression between a keyword and its braces, which may have been forgotten. */
  private head(): A.Expr {
    return !this.RECORDING_PHASE && this.headMissing() ? this.hole() : this.SUBRULE(this.expression);
  }
  private headMissing(): boolean {
    if (!this.is(T.LBrace)) return false;
    if (this.is(T.FatArrow, 3) || this.is(T.Bar, 3)) return true;
    let depth = 0;
    for (let i = this.currIdx + 1; ; i++) {
      const type = this.token(i)?.tokenType;
      if (type === undefined) return false;
      if (type === T.LBrace) depth++;
      else if (type === T.RBrace && --depth === 0) {
        const next = this.token(i + 1);
        if (next === undefined || next.tokenType === K.else || L.isCloser(next.tokenType) || next.tokenType === T.Comma) return true;
        return this.newLine(i + 1 - this.currIdx);
      }
    }
  }
  private elseFollows(): boolean {
    const token = this.LA(1);
    if (token.tokenType === T.Name && (token.image === "elif" || token.image === "elsif" || token.image === "elseif")) {
      const span = this.spanOf(token);
      this.say(d.foreignWord, span, { word: token.image, instead: "write `else if`" }, this.fix("Write `else if`", span, "else if"));
      // `elif` stands for two words: it becomes the `if`, and the `else` before it is implied.
      const word: Token = { image: token.image, startOffset: token.startOffset, tokenType: K.if, tokenTypeIdx: K.if.tokenTypeIdx ?? 0 };
      this.tokens.splice(this.currIdx + 2, 0, word);
      this.tokVectorLength++;
      this.retag(K.else);
      return true;
    }
    return token.tokenType === K.else && !this.is(T.Colon, 2);
  }

  private readonly match = this.rule<A.MatchExpr>("match", () => {
    const start = this.at();
    this.CONSUME(K.match);
    const value = this.head();
    const errors = this.problems.errorCount();
    const arms = this.items(20, ARMS, T.LBrace, () => this.SUBRULE(this.arm));
    if (arms.length === 0 && errors === this.problems.errorCount())
      this.say(d.emptyConstruct, { file: this.file, start, end: start + 5 }, { what: "A match", needs: "one arm" });
    return { kind: "Match", value, arms, span: this.span(start) };
  });

  private readonly arm = this.rule<A.MatchArm>("arm", () => {
    const start = this.at();
    const patterns = [this.SUBRULE(this.pattern)];
    this.MANY(() => {
      this.CONSUME(T.Bar);
      patterns.push(this.SUBRULE1(this.pattern));
    });
    if (!this.RECORDING_PHASE && !this.is(T.FatArrow)) {
      this.expected("`=>`");
      if ((this.is(T.Arrow) || this.is(T.Colon) || this.is(T.Assign)) && !this.newLine()) this.skip();
      else if (this.newLine() || !L.has(L.exprStarts, this.LA(1))) this.lose();
    } else this.CONSUME(T.FatArrow);
    return { patterns, body: this.SUBRULE(this.expression), span: this.span(start) };
  });

  private readonly pattern: ParserMethod<[], A.Pattern> = this.rule<A.Pattern>("pattern", () => {
    const start = this.at();
    if (this.tooDeep()) return { kind: "MissingPattern", span: this.empty() };
    if (!this.RECORDING_PHASE && !L.has(L.patternStarts, this.LA(1))) {
      this.expected("a pattern");
      this.lose();
      return { kind: "MissingPattern", span: this.empty() };
    }
    this.depth++;
    const literal = (_: unknown, value: string | boolean | null): A.Pattern => ({ kind: "LiteralPattern", value, span: this.span(start) });
    const made = this.choose<A.Pattern>(0, [
      { ALT: () => literal(undefined, this.string(1)?.value) },
      {
        ALT: () => {
          const range = this.tokens[this.currIdx + 1]?.tokenType === T.DotDot || this.is(T.DotDot, 2) || this.is(T.DotDot, 3);
          const bounds = this.SUBRULE(this.bounds);
          if (this.RECORDING_PHASE) return nothing;
          const ranged = range && this.text.slice(start, this.end()).includes("..");
          return ranged
            ? { kind: "RangePattern", low: bounds.low, high: bounds.high, span: bounds.span }
            : { kind: "LiteralPattern", value: bounds.low ?? 0, span: bounds.span };
        },
      },
      { ALT: () => literal(this.CONSUME(K.true), true) },
      { ALT: () => literal(this.CONSUME(K.false), false) },
      { ALT: () => literal(this.CONSUME(K.null), null) },
      {
        ALT: () => {
          const name = this.name(1, "a pattern");
          if (name.text === "_" || this.RECORDING_PHASE) return { kind: "WildcardPattern", span: name.span };
          this.problems.report(d.namePattern, name.span, { name: name.text });
          return { kind: "MissingPattern", span: name.span };
        },
      },
      {
        ALT: () => {
          const fields = this.items(20, ENTRIES, T.LBrace, () => {
            const name = this.key(2, "a field");
            const pattern = this.OPTION1(() => {
              this.CONSUME1(T.Colon);
              return this.SUBRULE1(this.pattern);
            });
            return { name, pattern };
          });
          return { kind: "RecordPattern", fields, span: this.span(start) };
        },
      },
    ]);
    this.depth--;
    return made;
  });

  private readonly settle = this.rule<A.SettleExpr>("settle", () => {
    const start = this.at();
    this.CONSUME(K.settle);
    return { kind: "Settle", inner: this.SUBRULE(this.operand), span: this.span(start) };
  });

  private readonly map = this.rule<A.MapExpr>("map", () => {
    const start = this.at();
    this.CONSUME(K.map);
    const item = this.name(1, "an item");
    const index = this.OPTION(() => {
      this.CONSUME(T.Comma);
      return this.name(2, "the index");
    });
    if (this.want(3, K.in) === undefined) {
      if ((this.is(T.Assign) || this.is(T.Colon) || this.is(K.of)) && !this.newLine()) this.skip();
      else this.lose();
    }
    const over = this.head();
    let where: A.Expr | undefined;
    let by: A.Expr | undefined;
    let after: A.Expr | undefined;
    let giving: A.MapExpr["giving"];
    let stage = 0;
    const clause = (order: number) => {
      if (order <= stage) this.say(d.clauseOrder, this.place(), { word: this.found() });
      stage = Math.max(stage, order);
    };
    this.MANY(() => {
      this.OR([
        {
          ALT: () => {
            clause(1);
            this.CONSUME(K.where);
            where = this.SUBRULE1(this.expression);
          },
        },
        {
          ALT: () => {
            clause(2);
            this.CONSUME(K.by);
            by = this.SUBRULE2(this.expression);
          },
        },
        {
          ALT: () => {
            clause(3);
            this.CONSUME(K.after);
            after = this.SUBRULE3(this.expression);
            giving = this.OPTION1(() => {
              this.CONSUME(K.giving);
              const name = this.name(4, "the results of the needs");
              this.colon(5, `\`${name.text}\``);
              return { name, type: this.SUBRULE(this.type) };
            });
          },
        },
      ]);
    });
    const body = this.body(4, "This `map`");
    return { kind: "Map", item, index, over, where, by, after, giving, body, span: this.span(start) };
  });

  private readonly fork = this.rule<A.ForkExpr>("fork", () => {
    const start = this.at();
    this.CONSUME(K.fork);
    const errors = this.problems.errorCount();
    const branches = this.items(20, BRANCHES, T.LBrace, () => {
      const name = this.key(1, "a branch");
      this.colon(2, `\`${name.text}\``);
      return { name, value: this.SUBRULE(this.expression) };
    });
    if (branches.length === 0 && errors === this.problems.errorCount())
      this.say(d.emptyConstruct, { file: this.file, start, end: start + 4 }, { what: "A fork", needs: "one branch" });
    return { kind: "Fork", branches, span: this.span(start) };
  });

  private readonly race = this.rule<A.RaceExpr>("race", () => {
    const start = this.at();
    this.CONSUME(K.race);
    const errors = this.problems.errorCount();
    const branches = this.items(20, RUNNERS, T.LBrace, () => this.SUBRULE(this.expression));
    if (branches.length === 0 && errors === this.problems.errorCount())
      this.say(d.emptyConstruct, { file: this.file, start, end: start + 4 }, { what: "A race", needs: "one branch" });
    return { kind: "Race", branches, span: this.span(start) };
  });

  private readonly vote = this.rule<A.VoteExpr>("vote", () => {
    const start = this.at();
    this.CONSUME(K.vote);
    const times = !this.RECORDING_PHASE && this.headMissing() ? this.hole() : this.SUBRULE(this.operand);
    const by = this.OPTION(() => {
      this.CONSUME(K.by);
      return this.SUBRULE(this.expression);
    });
    const early = this.OPTION1(() => {
      this.CONSUME(K.early);
      return this.SUBRULE1(this.expression);
    });
    return { kind: "Vote", times, by, early, body: this.body(1, "This `vote`"), span: this.span(start) };
  });

  private readonly loop = this.rule<A.LoopExpr>("loop", () => {
    const start = this.at();
    this.CONSUME(K.loop);
    const state = this.name(1, "the state of the loop");
    const type = this.typeNote(2);
    let init: A.Expr = { kind: "Missing", span: this.empty() };
    if (this.is(K.up)) this.expected("`=`");
    else init = this.defined(3);
    const up = this.want(4, K.up);
    if (up !== undefined) this.want(5, K.to);
    else if (!this.is(T.LBrace)) this.lose();
    const max: A.Expr = up === undefined && !this.RECORDING_PHASE ? { kind: "Missing", span: this.empty() } : this.SUBRULE(this.expression);
    return { kind: "Loop", state, type, init, max, body: this.body(1, "This `loop`"), span: this.span(start) };
  });

  private readonly reduce = this.rule<A.ReduceExpr>("reduce", () => {
    const start = this.at();
    this.CONSUME(K.reduce);
    const over = this.SUBRULE(this.expression);
    const groups = this.OPTION(() => {
      this.CONSUME(K.in);
      this.want(1, K.groups);
      this.want(2, K.of);
      return this.SUBRULE1(this.expression);
    });
    if (this.want(3, K.with) === undefined) this.lose();
    return { kind: "Reduce", over, groups, with: this.SUBRULE(this.stage), span: this.span(start) };
  });

  private readonly try = this.rule<A.TryExpr>("try", () => {
    const start = this.at();
    this.CONSUME(K.try);
    const tried = this.SUBRULE(this.expression);
    if (this.want(1, K.recover) === undefined) {
      // `catch` is the word of other languages; anything else leaves the rest of the line alone.
      if (this.is(T.Name) && this.LA(1).image === "catch") this.skip();
      else this.lose();
    }
    const error = this.name(2, "the failure");
    return { kind: "Try", tried, error, recover: this.body(3, "This `recover`"), span: this.span(start) };
  });

  private readonly ask = this.rule<A.AskExpr>("ask", () => {
    const start = this.at();
    this.CONSUME(K.ask);
    const question = this.SUBRULE(this.operand);
    if (this.want(1, K.as) === undefined) this.lose();
    const type = this.SUBRULE(this.typePostfix);
    let within: A.Expr | undefined;
    let otherwise: A.Expr | undefined;
    this.OPTION({
      GATE: () => !this.is(T.Colon, 2),
      DEF: () => {
        this.CONSUME(K.within);
        within = this.SUBRULE(this.expression);
        if (this.want(2, K.else) === undefined) this.lose();
        otherwise = this.SUBRULE1(this.expression);
      },
    });
    return { kind: "Ask", question, type, within, otherwise, span: this.span(start) };
  });

  private readonly send = this.rule<A.SendExpr>("send", () => {
    const start = this.at();
    this.CONSUME(K.send);
    const channel = this.name(1, "the channel");
    return { kind: "Send", channel, args: this.SUBRULE(this.arguments), span: this.span(start) };
  });

  private readonly orchestrate = this.rule<A.OrchestrateExpr>("orchestrate", () => {
    const start = this.at();
    this.CONSUME(K.orchestrate);
    const args = this.SUBRULE(this.arguments);
    if (this.want(1, K.as) === undefined) this.lose();
    return { kind: "Orchestrate", args, type: this.SUBRULE(this.typePostfix), span: this.span(start) };
  });

  private readonly stage = this.rule<A.Stage>("stage", () => {
    const start = this.at();
    const annotations: A.Annotation[] = [];
    if (this.RECORDING_PHASE || this.is(T.At)) this.MANY(() => annotations.push(this.SUBRULE(this.annotation, { ARGS: [false] })));
    const callee = this.name(1, "a callable");
    const args = this.OPTION({ GATE: () => !this.newLine(), DEF: () => this.SUBRULE(this.arguments) });
    return { kind: "Stage", annotations, callee, args, span: this.span(start) };
  });
}

let parser: WeaveParser | undefined;

/** Parses a file. Never throws; what is wrong is in `problems`. */
export function parse(file: SourceFile, problems: Problems): A.Module {
  parser ??= new WeaveParser(false);
  try {
    return parser.run(file, T.lex(file, problems), problems);
  } finally {
    parser.release();
  }
}

/** Chevrotain's own checks of the grammar, for the tests, and the grammar as data, for the generated files. */
export function grammar(): ReturnType<WeaveParser["getSerializedGastProductions"]> {
  return new WeaveParser(true).getSerializedGastProductions();
}
