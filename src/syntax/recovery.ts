/**
 * How the parser survives mistakes, so that each is reported once and everything around it is still read:
 * - A missing token is reported and left out (`want`), a missing value or type becomes a `Missing` node (`hole`).
 * - Where nothing sensible can follow, the parser is `lost`: until a list, block or the module finds the next place to go
 *   on, every lookahead sees the end of the file and nothing more is reported, so all rules between unwind at once.
 * - Lists, blocks and brackets are those places; their gates report and skip what does not belong there. What is skipped is
 *   skipped in silence, and so is a second complaint about one token.
 * Rules guard what they consume with these, so Chevrotain's own errors and its recovery are never needed.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Definition, Fix, Problems, Related } from "../diagnostics/problems.js";
import { problems as newProblems } from "../diagnostics/problems.js";
import type { SourceFile, Span } from "../source/source.js";
import type * as A from "./ast.js";
import { type CalledWord, calledArguments, regionInstead } from "./called-region.js";
import { Engine } from "./engine.js";
import * as L from "./landmarks.js";
import { setLookahead } from "./lookahead.js";
import { readText } from "./text.js";
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
export const ARGUMENTS = list(L.argumentStarts, "an argument", "arguments", "comma");
export const PARAMETERS = list(L.parameterStarts, "a parameter", "parameters", "comma");
export const ELEMENTS = list(L.elementStarts, "an element", "elements", "comma");
export const NAMES = list(L.anyWords, "a name", "names", "comma");
export const TYPES = list(L.typeStarts, "a type", "types", "comma");
export const PROPERTIES = list(L.anyWords, "a property", "properties", "line");
export const FIELDS = list(L.fieldStarts, "a field", "fields", "line");
export const ENTRIES = list(L.entryStarts, "a field", "fields", "line");
export const ARMS = list(L.patternStarts, "a pattern", "arms", "line");
export const BRANCHES = list(L.keyStarts, "a branch", "branches", "line");
export const RUNNERS = list(L.exprStarts, "an expression", "branches", "line");
export const BUNDLE = list(L.atStarts, "an annotation", "annotations", "line");

/** What a rule gives while Chevrotain records the grammar and nothing is parsed. */
export const nothing = undefined as never;
/** Every empty list of a tree: most lists of annotations and type arguments are, and a large file has tens of thousands. */
export const NONE: readonly never[] = [];

export abstract class Recovery extends Engine {
  protected file = "";
  protected text = "";
  protected tokens: Token[] = [];
  protected docs: ReadonlyMap<number, string> = new Map();
  protected broken: readonly number[] = [];
  protected problems: Problems = newProblems();
  /** Index of the token about which something was said last. */
  protected saidAt = -1;
  /** Where the parser stood when it got lost, or -2. */
  protected lostAt = -2;
  protected depth = 0;
  /** How many brackets of each kind are open, by the index of the closer. */
  protected open: number[] = [];
  /** Index of a token that counts as the first of its line, since what stood before it was reported and left out. */
  protected lineAt = -1;
  /** Whether the next block belongs to an `if`, so an `else` inside it means that its `}` is missing. */
  protected beforeElse = false;
  /** Index of the first token of the statement being read. */
  protected statementAt = -1;

  /** Chevrotain's own checks of the grammar, and the grammar as it records it, are there when it is `recorded`. */
  constructor(private readonly recorded: boolean) {
    super(T.vocabulary, { maxLookahead: 1, recoveryEnabled: false, skipValidations: !recorded });
  }

  /** Makes the parser ready when all rules are there: what Chevrotain would find out by recording them is known. */
  protected ready(): void {
    if (this.recorded) {
      this.performSelfAnalysis();
      return;
    }
    this.selfAnalysisDone = true;
    setLookahead((rule, key, lookahead) => this.setLaFuncCache(this.fullRuleNameToShort[rule] ?? 0, key, lookahead));
    // An object that is a prototype is one that V8 makes quick to read, however many properties it has.
    Object.create(this);
  }

  /** Takes a file to parse. */
  protected begin(file: SourceFile, lexed: T.Lexed, problems: Problems): void {
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
    this.open = [];
    this.input = lexed.tokens;
  }

  /** Lets go of the file. */
  release(): void {
    this.tokens = [];
    this.input = [];
    this.text = "";
    this.problems = newProblems();
  }

  // -------------------------------------------------------------------------------------- places and reports

  protected get last(): number {
    return this.lostAt === -2 ? this.currIdx : this.lostAt;
  }
  protected is(type: TokenType, ahead = 1): boolean {
    return this.LA(ahead).tokenType === type;
  }
  /** Whether a declaration surely starts here, on a line of its own: nothing before it goes on. */
  protected declares(): boolean {
    return L.has(L.landmarkWords, this.LA(1)) && this.newLine() && L.startsDeclaration(this.tokens, this.currIdx + 1, this.text);
  }
  protected ended(): boolean {
    return this.currIdx + 1 >= this.tokVectorLength;
  }
  /** Chevrotain pads the list at its end, so ask the length first. */
  protected token(index: number): Token | undefined {
    return index < this.tokVectorLength ? this.tokens[index] : undefined;
  }
  /** Offset of the next token. */
  protected at(): number {
    return this.token(this.last + 1)?.startOffset ?? this.text.length;
  }
  /** Offset after the last token. */
  protected end(): number {
    const token = this.tokens[this.last];
    return token === undefined ? 0 : token.startOffset + token.image.length;
  }
  protected span(start: number): Span {
    return { file: this.file, start, end: Math.max(start, this.end()) };
  }
  /** As `span`, when it is often that of what stands in it. */
  protected spanOver(start: number, inner: Span): Span {
    return inner.start === start && inner.end === this.end() ? inner : this.span(start);
  }
  protected spanOf(token: Token): Span {
    return { file: this.file, start: token.startOffset, end: token.startOffset + token.image.length };
  }
  protected empty(): Span {
    const at = Math.min(this.at(), Math.max(this.end(), 0));
    return { file: this.file, start: at, end: at };
  }
  /** Whether a token (an index ahead) stands on a later line than the one before it. */
  protected newLine(ahead = 1): boolean {
    const index = this.currIdx + ahead;
    if (index === this.lineAt) return true;
    const token = this.token(index);
    const before = this.tokens[index - 1];
    if (token === undefined || before === undefined) return true;
    const from = before.startOffset + before.image.length;
    // Not `indexOf`, which would read the rest of a file without line breaks for every token.
    for (let at = from; at < token.startOffset; at++) if (this.text.charCodeAt(at) === 10) return true;
    return false;
  }
  protected glued(): boolean {
    return this.at() === this.end();
  }
  protected found(): string {
    return this.token(this.last + 1)?.image ?? "";
  }
  /** The next token when it stands on this line, else the place after the last one. */
  protected place(): Span {
    const token = this.token(this.last + 1);
    if (token !== undefined && (this.last < 0 || !this.newLine())) return this.spanOf(token);
    const end = this.end();
    return { file: this.file, start: end, end };
  }
  /** Reports something about the next token, unless something was said about it, or the lexer said something here. */
  protected say<P>(
    definition: Definition<P>,
    span: Span,
    params: P,
    more?: { related?: readonly Related[]; fixes?: readonly Fix[] },
  ): void {
    if (this.lostAt !== -2 || this.RECORDING_PHASE) return;
    const index = this.currIdx + 1;
    if (this.saidAt === index) return;
    this.saidAt = index;
    const before = this.tokens[index - 1]?.startOffset ?? 0;
    const next = this.token(index)?.startOffset ?? this.text.length;
    if (this.broken.some((offset) => offset >= before && offset <= next)) return;
    this.problems.report(definition, span, params, more);
  }
  protected expected(what: string): void {
    this.say(d.expected, this.place(), { expected: what, found: this.found() });
  }
  protected fix(title: string, span: Span, text: string): { fixes: readonly Fix[] } {
    return { fixes: [{ title, edits: [{ span, text }] }] };
  }
  protected want(index: number, type: TokenType): Token | undefined {
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
  protected skip(): void {
    if (!this.ended()) this.currIdx++;
  }
  /** Gives the next token another type: what was meant, after the report. */
  protected retag(type: TokenType): void {
    const token = this.token(this.currIdx + 1);
    if (token === undefined) return;
    token.tokenType = type;
    token.tokenTypeIdx = type.tokenTypeIdx ?? 0;
  }

  // ------------------------------------------------------------------------------------------------ recovery

  /** Nothing sensible can follow: unwinds to the list, block or module around. */
  protected lose(): void {
    if (this.lostAt !== -2 || this.RECORDING_PHASE) return;
    this.lostAt = this.currIdx;
    this.currIdx = this.tokVectorLength - 1;
  }
  protected resume(): void {
    if (this.lostAt === -2) return;
    this.currIdx = this.lostAt;
    this.lostAt = -2;
  }
  /** Skips to a token that `stop` likes, over whole brackets; says nothing about the place where it ends. */
  protected skipTo(stop: (token: Token, firstOnLine: boolean) => boolean): void {
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
  protected isOpen(closer: TokenType): boolean {
    return (this.open[closer.tokenTypeIdx ?? 0] ?? 0) > 0;
  }
  protected opened(closer: TokenType): void {
    const kind = closer.tokenTypeIdx ?? 0;
    this.open[kind] = (this.open[kind] ?? 0) + 1;
  }
  /** Skips to the end of an element of a list. */
  protected skipElement(of: ListOf, closer: TokenType): void {
    this.skipTo((token, first) => {
      const type = token.tokenType;
      if (type === T.Comma || type === closer) return true;
      if (L.isCloser(type) && this.isOpen(type)) return true;
      return first && (of.separator === "line" ? L.has(of.starts, token) : L.has(L.statementWords, token) && !this.is(T.Colon, 2));
    });
  }
  /** The gate of every list: whether another element follows. Reports and skips what is none. */
  protected more(of: ListOf, closer: TokenType, opener: number): boolean {
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
  protected namesField(of: ListOf): boolean {
    if (this.is(T.Colon, 2)) return true;
    return of.separator === "line" && (this.newLine(2) || this.is(T.Comma, 2) || this.is(T.RBrace, 2));
  }
  /** A bracketed list. `index` must be its own in the rule, and 20 apart from others. */
  protected items<E>(index: number, of: ListOf, opener: TokenType, element: () => E): readonly E[] {
    const closer = L.closerOf(opener);
    const at = this.currIdx + 1;
    if (this.want(index, opener) === undefined) {
      this.lose();
      return NONE;
    }
    this.opened(closer);
    const items = this.elements(index, of, closer, at, element);
    this.close(index, closer, at);
    return items;
  }
  /** Chevrotain's `MANY` where the gate alone decides: it costs less, and lists and blocks are most of a file. */
  protected elements<E>(index: number, of: ListOf, closer: TokenType, opener: number, element: () => E): readonly E[] {
    if (this.RECORDING_PHASE) return this.recordElements(index, element);
    const items: E[] = [];
    while (this.more(of, closer, opener)) {
      const before = this.currIdx;
      items.push(element());
      this.comma(index);
      if (this.currIdx === before) break;
    }
    return this.listed(items);
  }
  private recordElements(index: number, element: () => unknown): readonly never[] {
    this.many(index, () => {
      element();
      this.comma(index);
    });
    return NONE;
  }
  /** The list to keep of one that was pushed to, which has room for sixteen more. */
  protected listed<E>(items: readonly E[]): readonly E[] {
    return items.length === 0 ? NONE : items.slice();
  }
  protected comma(index: number): void {
    if (this.RECORDING_PHASE) this.recordComma(index);
    else if (this.is(T.Comma)) this.currIdx++;
  }
  private recordComma(index: number): void {
    this.option(index, () => this.consume(index, T.Comma));
  }
  protected close(index: number, closer: TokenType, opener: number): void {
    const kind = closer.tokenTypeIdx ?? 0;
    this.open[kind] = (this.open[kind] ?? 1) - 1;
    if (this.RECORDING_PHASE) {
      this.consume(index, closer);
      return;
    }
    if (this.lostAt !== -2) {
      this.resume();
      this.skipToCloser(closer);
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
  private skipToCloser(closer: TokenType): void {
    this.skipTo(
      (token, first) =>
        token.tokenType === closer ||
        (L.isCloser(token.tokenType) && this.isOpen(token.tokenType)) ||
        (first && L.has(L.statementStarts, token)),
    );
  }
  /** The gate of blocks: whether another statement follows. */
  protected moreStatements(opener: number, beforeElse = false): boolean {
    if (this.lostAt !== -2) {
      this.resume();
      this.skipLine();
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
        this.skipLine();
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
        this.skipLine();
        continue;
      }
      if (type === T.Name && this.foreignStatement(token)) continue;
      if (L.has(L.statementStarts, token)) {
        this.statementAt = this.currIdx + 1;
        return true;
      }
      this.expected("a statement");
      if (!L.isOpener(type)) this.skip();
      this.skipLine();
    }
  }
  /** Skips to the next statement. */
  protected skipLine(): void {
    this.skipTo(
      (token, first) => token.tokenType === T.RBrace || token.tokenType === T.Semicolon || (first && L.has(L.statementStarts, token)),
    );
  }
  /** Words of other languages at the beginning of a statement; true when the statement must be looked at again. */
  protected foreignStatement(token: Token): boolean {
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
    if (next === undefined || !L.has(L.exprStarts, next) || alone) return false;
    const foreign = Object.hasOwn(L.foreignStatements, word) ? L.foreignStatements[word] : undefined;
    if (foreign === undefined) return false;
    const type = next.tokenType;
    if (type === T.Minus || type === T.LBracket || (type === T.LBrace && foreign.as !== "let")) return false;
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
  protected blockFollows(): boolean {
    let depth = 0;
    for (let i = this.currIdx + 2; i < this.tokens.length; i++) {
      const type = this.tokens[i]?.tokenType;
      if (type === T.LParen) depth++;
      else if (type === T.RParen && --depth === 0) return this.tokens[i + 1]?.tokenType === T.LBrace;
    }
    return false;
  }
  protected skipToDeclaration(): void {
    this.skipTo(
      (token, first) =>
        first && this.atColumnZero(token) && (L.has(L.declarationWords, token) || token.tokenType === T.At || token.tokenType === K.import),
    );
  }
  protected atColumnZero(token: Token): boolean {
    return token.startOffset === 0 || this.text[token.startOffset - 1] === "\n";
  }
  /** The gate of the module: whether another declaration or import follows. */
  protected moreDeclarations(): boolean {
    if (this.lostAt !== -2) {
      this.resume();
      this.depth = 0;
      this.open = [];
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
  protected foreignDeclaration(token: Token): boolean {
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
  protected name(index: number, what: string): A.Name {
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
  protected word(index: number, what: string): A.Name {
    const token = this.RECORDING_PHASE ? this.consume(index, T.Word) : this.LA(1);
    if (this.RECORDING_PHASE || (L.has(L.anyWords, token) && !this.declares())) {
      this.currIdx++;
      return { text: token.image, span: this.spanOf(token) };
    }
    const dot = this.tokens[this.currIdx];
    const place = this.place();
    if (this.is(T.Num) && dot?.tokenType === T.Dot && this.glued()) {
      const index = `[${this.found()}]`;
      this.say(
        d.missingName,
        place,
        { what, found: this.found() },
        this.fix(`Write \`${index}\``, { ...place, start: dot.startOffset }, index),
      );
      this.skip();
    } else this.say(d.missingName, place, { what, found: this.found() });
    return { text: "", span: this.empty() };
  }
  protected key(index: number, what: string): A.Name {
    return !this.RECORDING_PHASE && !this.is(T.Str) ? this.word(index, what) : this.anyKey(index, what);
  }
  private anyKey(index: number, what: string): A.Name {
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
  protected string(index: number): A.Text {
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
  protected colon(index: number, what: string): void {
    if (!this.RECORDING_PHASE && !this.is(T.Colon)) {
      this.say(d.expected, this.place(), { expected: `\`:\` after ${what}`, found: this.found() });
      if ((this.is(T.Assign) || this.is(T.FatArrow) || this.is(T.Arrow)) && !this.newLine()) this.skip();
      else if (this.is(T.LParen)) this.lose();
      return;
    }
    this.consume(index, T.Colon);
  }
  protected hole(): A.MissingExpr {
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
  /**
   * A region that is called like a function, with its word just read: reported and left out. `piped` is where the list
   * begins that a pipeline would pass.
   */
  protected calledRegion(word: CalledWord, piped?: { readonly start: number; readonly end: number }): A.MissingExpr {
    const token = this.tokens[this.currIdx];
    const args = calledArguments(this.tokens, this.currIdx + 1, this.text);
    const closer = args === undefined ? undefined : this.tokens[args.closer];
    if (token !== undefined) {
      const list = piped === undefined ? undefined : this.text.slice(piped.start, piped.end);
      const instead = args === undefined ? undefined : regionInstead(word, list, args.texts);
      const span = this.spanOf(token);
      const whole = closer === undefined ? span : { ...span, start: piped?.start ?? span.start, end: closer.startOffset + 1 };
      const fixes = instead === undefined ? undefined : this.fix(`Write \`${instead}\``, whole, instead);
      this.say(d.calledRegion, span, { word, instead }, fixes);
    }
    if (args !== undefined) this.currIdx = args.closer;
    // The body of `map (x in xs) { … }`.
    if (args === undefined || (this.is(T.LBrace) && !this.newLine())) this.lose();
    return { kind: "Missing", span: this.empty() };
  }
  /** `case "a":` and `default:` are reported; says so, since the `:` was meant as well then. */
  protected foreignArm(): boolean {
    const token = this.LA(1);
    if (this.RECORDING_PHASE || token.tokenType !== T.Name) return false;
    const span = this.spanOf(token);
    if (token.image === "case" && L.has(L.patternStarts, this.LA(2)) && !this.newLine(2)) {
      const whole = { ...span, end: this.LA(2).startOffset };
      this.say(d.foreignWord, span, { word: "case", instead: 'an arm is written `"a" => …`' }, this.fix("Remove it", whole, ""));
      this.skip();
      return true;
    }
    if (token.image !== "default" || !(this.is(T.Colon, 2) || this.is(T.FatArrow, 2))) return false;
    this.say(d.foreignWord, span, { word: "default", instead: "write `_`" }, this.fix("Write `_`", span, "_"));
    token.image = "_";
    return true;
  }
  /** `if c then a`: reported and left out. */
  protected foreignThen(): boolean {
    const token = this.LA(1);
    if (this.RECORDING_PHASE || token.image !== "then" || this.newLine()) return false;
    this.say(d.foreignWord, this.spanOf(token), { word: "then", instead: "write `if c { a } else { b }`" });
    this.lose();
    return true;
  }
  /** A branch of a fork without a name before it. */
  protected nameless(): boolean {
    if (this.RECORDING_PHASE || !L.has(L.names, this.LA(1)) || !(this.is(T.LParen, 2) || this.is(T.Dot, 2))) return false;
    this.say(d.missingName, this.place(), { what: "a branch", found: this.found() });
    return true;
  }
  /** `xs |> map(x => …)`: reported and left out of the pipeline. */
  protected pipedRegion(piped: { readonly start: number; readonly end: number }): boolean {
    const word = this.is(K.map) ? "map" : this.is(K.reduce) ? "reduce" : undefined;
    if (this.RECORDING_PHASE || word === undefined || !this.is(T.LParen, 2)) return false;
    this.skip();
    this.calledRegion(word, piped);
    return true;
  }

  /** Whether the parentheses that follow hold more than one value, and are not those of a lambda. */
  protected holdsSeveral(): boolean {
    const args = calledArguments(this.tokens, this.currIdx + 1, this.text);
    return args !== undefined && args.texts.length > 1 && this.token(args.closer + 1)?.tokenType !== T.FatArrow;
  }
  protected tooDeep(further = 0): boolean {
    if (this.RECORDING_PHASE || this.depth + further < MAX_DEPTH) return false;
    this.say(d.tooDeep, this.place(), { limit: MAX_DEPTH });
    this.lose();
    return true;
  }
  /** What documents something: before its annotations, or after them. */
  protected docOf(start: number, annotations: readonly A.Annotation[]): string | undefined {
    return this.doc(start) ?? (annotations.length === 0 ? undefined : this.doc(this.at()));
  }
  protected doc(start: number): string | undefined {
    return this.docs.size === 0 ? undefined : this.docs.get(start);
  }
}
