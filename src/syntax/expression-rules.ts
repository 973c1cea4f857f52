/**
 * The rules of statements and expressions. Operands and operators are read as one flat row that `operators.ts` shapes, so
 * the depth of the parser is the depth of the brackets.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Definition } from "../diagnostics/problems.js";
import type * as A from "./ast.js";
import * as L from "./landmarks.js";
import { shape, type Tail } from "./operators.js";
import { ARMS, BRANCHES, ELEMENTS, ENTRIES, NAMES, NONE, nothing, RUNNERS } from "./recovery.js";
import { readNumber } from "./text.js";
import type { Token, TokenType } from "./tokens.js";
import * as T from "./tokens.js";
import { TypeRules } from "./type-rules.js";

const { K } = T;

/** A sign before an operand. */
interface Prefix {
  readonly op: "!" | "-";
  readonly start: number;
}

/** What follows an operand. */
type Link =
  | { readonly kind: "Member"; readonly name: A.Name; readonly optional: boolean }
  | { readonly kind: "Call"; readonly args: readonly A.Argument[] }
  | { readonly kind: "Index"; readonly index: A.Expr };

export abstract class ExpressionRules extends TypeRules {
  // --------------------------------------------------------------------------------------------- statements

  /** `= value`, where a missing `=` or value leaves the rest of the line alone. */
  protected defined(index: number): A.Expr {
    if (this.want(index, T.Assign) === undefined && !this.RECORDING_PHASE) {
      if (this.is(T.Equal) || this.is(T.FatArrow) || this.is(T.Colon)) this.skip();
      else if (this.newLine() || !L.has(L.exprStarts, this.LA(1))) this.lose();
    }
    return this.subrule(index, this.expression);
  }

  protected declarationBody(index: number, what: string): A.Expr {
    const body = this.body(index, what);
    if (body.kind === "Missing") this.lose();
    return body;
  }
  protected body(index: number, what: string): A.Expr {
    if (this.RECORDING_PHASE || this.is(T.LBrace)) return this.subrule(index, this.braces);
    this.say(d.missingBody, this.place(), { what });
    return { kind: "Missing", span: this.empty() };
  }

  /** `{ … }`: a record or a block, by one rule everywhere. */
  protected readonly braces = this.rule<A.Expr>("braces", () => {
    const start = this.at();
    const at = this.currIdx + 1;
    const record = this.isRecord();
    const beforeElse = this.beforeElse;
    this.beforeElse = false;
    this.CONSUME(T.LBrace);
    this.opened(T.RBrace);
    const entries = this.RECORDING_PHASE || record ? this.elements(0, ENTRIES, T.RBrace, at, this.oneEntry) : NONE;
    const statements = this.RECORDING_PHASE || !record ? this.statements(at, beforeElse) : NONE;
    this.close(1, T.RBrace, at);
    const span = this.span(start);
    return record ? { kind: "Record", entries, span } : { kind: "Block", statements, span };
  });
  private readonly oneEntry = (): A.RecordEntry => this.SUBRULE(this.entry);
  private statements(opener: number, beforeElse: boolean): readonly A.Statement[] {
    if (this.RECORDING_PHASE) {
      this.MANY1(() => this.SUBRULE(this.statement));
      return NONE;
    }
    const statements: A.Statement[] = [];
    while (this.moreStatements(opener, beforeElse)) {
      const before = this.currIdx;
      statements.push(this.SUBRULE(this.statement));
      if (this.currIdx === before) break;
    }
    return this.listed(statements);
  }
  /** After `{` comes `}`, `...`, or a key and then `:` or `,`. */
  protected isRecord(): boolean {
    const second = this.LA(2);
    if (second.tokenType === T.RBrace || second.tokenType === T.Ellipsis) return true;
    if (!L.has(L.keyStarts, second)) return false;
    const third = this.LA(3).tokenType;
    return third === T.Colon || third === T.Comma;
  }

  protected readonly entry = this.rule<A.RecordEntry>("entry", () => {
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

  protected readonly statement = this.rule<A.Statement>("statement", () => {
    if (this.RECORDING_PHASE || L.has(L.statementWords, this.LA(1))) return this.choose<A.Statement>(0, this.statementForms);
    const start = this.at();
    const value = this.SUBRULE(this.expression);
    return { kind: "Expr", value, span: this.spanOver(start, value.span) };
  });
  private readonly statementForms: { ALT: () => A.Statement }[] = [
    { ALT: () => this.SUBRULE(this.letStatement) },
    {
      ALT: () => {
        const start = this.at();
        this.CONSUME1(K.set);
        const name = this.name(1, "the state");
        return { kind: "Set", name, value: this.defined(1), span: this.span(start) };
      },
    },
    {
      ALT: () => {
        const start = this.at();
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
        const start = this.at();
        this.CONSUME3(K.stop);
        this.want(3, K.when);
        return { kind: "Stop", test: this.SUBRULE4(this.expression), span: this.span(start) };
      },
    },
    {
      ALT: () => {
        const start = this.at();
        this.CONSUME4(K.next);
        return { kind: "Next", value: this.SUBRULE5(this.expression), span: this.span(start) };
      },
    },
    // Only for the grammar: the rule itself reads it.
    { ALT: () => ({ kind: "Expr", value: this.SUBRULE(this.expression), span: this.empty() }) },
  ];

  protected readonly letStatement = this.rule<A.LetStatement>("letStatement", () => {
    const start = this.at();
    this.CONSUME(K.let);
    const destructured = this.is(T.LBrace);
    const names =
      this.RECORDING_PHASE || destructured
        ? this.choose<readonly A.Name[]>(0, [
            { ALT: () => this.items(20, NAMES, T.LBrace, () => this.name(1, "a field")) },
            { ALT: () => [this.name(2, "the value")] },
          ])
        : [this.name(2, "the value")];
    if (names[0]?.text === "" && !this.is(T.Assign) && !this.is(T.Colon)) this.lose();
    const type = this.typeNote(1);
    const value = this.defined(2);
    return { kind: "Let", names, destructured, type, value, doc: this.doc(start), span: this.span(start) };
  });

  // -------------------------------------------------------------------------------------------- expressions

  /** Operands and operators in a row; `shape` makes the tree. */
  readonly expression = this.rule<A.Expr>("expression", () => {
    const start = this.at();
    const first = this.SUBRULE(this.operand);
    if (!this.RECORDING_PHASE && !this.continues(this.LA(1))) return first;
    const end = this.end();
    const tails = this.tails(start);
    const value = this.RECORDING_PHASE ? first : shape({ value: first, start, end }, tails, this.file, this.problems);
    return this.is(T.Question) ? this.ternary(value) : value;
  });
  private tails(start: number): readonly Tail[] {
    const tails: Tail[] = [];
    this.MANY({
      GATE: () => this.continues(this.LA(1)),
      DEF: () => {
        this.pipedFrom = start;
        const tail = this.choose(0, this.tail);
        if (tail !== undefined) tails.push(tail);
      },
    });
    return tails;
  }
  /** Where the expression begins whose tail is read. */
  private pipedFrom = 0;
  private readonly tail: { ALT: () => Tail | undefined }[] = [
    {
      ALT: () => {
        const token = this.CONSUME(T.Infix);
        const opSpan = this.spanOf(token);
        const start = this.at();
        const right = this.SUBRULE1(this.operand);
        return { kind: "Infix", op: (token.payload ?? token.image) as A.BinaryOp, opSpan, right, start, end: this.end() };
      },
    },
    {
      ALT: () => {
        this.CONSUME(K.as);
        const type = this.SUBRULE(this.typePostfix);
        return { kind: "As", type, end: this.end() };
      },
    },
    {
      ALT: () => {
        const piped = { start: this.pipedFrom, end: this.end() };
        this.CONSUME(T.Pipe);
        return this.pipedRegion(piped) ? undefined : { kind: "Pipe", stage: this.SUBRULE(this.stage) };
      },
    },
  ];

  /** Whether the next token continues the expression; what other languages write there is reported and read as meant. */
  protected continues(token: Token): boolean {
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
      token.payload = "==";
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
  protected changes(token: Token, next: Token): boolean {
    const twice = next.tokenType === token.tokenType && (token.tokenType === T.Plus || token.tokenType === T.Minus);
    const after = this.token(this.currIdx + 3);
    if (next.tokenType !== T.Assign && !(twice && (after === undefined || L.isCloser(after.tokenType) || this.newLine(3)))) return false;
    const name = this.tokens[this.currIdx]?.image ?? "";
    const span = { ...this.spanOf(token), end: next.startOffset + next.image.length };
    this.say(d.changedValue, span, { found: `${token.image}${next.image}`, name });
    this.lose();
    return true;
  }
  protected replaced<P>(definition: Definition<P>, params: P, image: string, type: TokenType): void {
    const token = this.token(this.currIdx + 1);
    if (token === undefined) return;
    const span = this.spanOf(token);
    this.say(definition, span, params, this.fix(`Write \`${image}\``, span, image));
    token.payload = image;
    this.retag(type);
  }
  /** `c ? a : b` is reported and read as an `if`. */
  protected ternary(test: A.Expr): A.Expr {
    if (this.newLine() || !L.has(L.exprStarts, this.LA(2))) return test;
    this.say(d.ternary, this.place(), {});
    this.skip();
    this.lose();
    return test;
  }

  protected readonly operand = this.rule<A.Expr>("operand", () => {
    if (this.tooDeep()) return { kind: "Missing", span: this.empty() };
    this.depth++;
    const depth = this.depth;
    const prefixes = this.RECORDING_PHASE || this.is(T.Not) || this.is(T.Minus) ? this.prefixes() : NONE;
    const annotatedAt = this.at();
    const annotations = this.annotations(1);
    const start = this.at();
    let node =
      this.RECORDING_PHASE || (L.has(L.primaryStarts, this.LA(1)) && !this.declares())
        ? this.choose<A.Expr>(1, this.primaries)
        : this.hole();
    if (this.RECORDING_PHASE || annotations !== NONE || L.has(L.postfixStarts, this.LA(1)))
      node = this.chain(node, start, annotations, annotatedAt);
    if (!this.RECORDING_PHASE) {
      for (let i = prefixes.length - 1; i >= 0; i--) {
        const prefix = prefixes[i];
        if (prefix !== undefined) node = { kind: "Unary", op: prefix.op, operand: node, span: this.span(prefix.start) };
      }
    }
    this.depth = depth - 1;
    return node;
  });
  private prefixes(): readonly Prefix[] {
    const prefixes: Prefix[] = [];
    this.MANY(() => {
      const start = this.at();
      const token = this.OR([{ ALT: () => this.CONSUME(T.Not) }, { ALT: () => this.CONSUME(T.Minus) }]);
      if (this.tooDeep()) return;
      this.depth++;
      prefixes.push({ op: token?.image === "!" ? "!" : "-", start });
    });
    return prefixes;
  }
  /** The fields, calls and indexes after an operand, and the annotations before it: those of the first call. */
  private chain(operand: A.Expr, start: number, annotations: readonly A.Annotation[], annotatedAt: number): A.Expr {
    let node = operand;
    // Where the chain starts that is being built: before its annotations, once they are part of it.
    let from = start;
    let bare = annotations.length > 0;
    // Without a call in the chain the annotations belong to the name itself.
    if (bare && !this.RECORDING_PHASE && (node.kind !== "NameExpr" || !this.callFollows())) {
      node = this.annotated(node, annotations, annotatedAt);
      from = annotatedAt;
      bare = false;
    }
    if (this.RECORDING_PHASE) this.MANY2(() => this.choose(2, this.links));
    while (L.has(L.postfixStarts, this.LA(1)) && (this.is(T.Dot) || this.is(T.QuestionDot) || !this.newLine())) {
      const link = this.choose(2, this.links);
      const span = this.span(from);
      if (link.kind === "Member") node = { kind: "Member", object: node, name: link.name, optional: link.optional, span };
      else if (link.kind === "Index") node = { kind: "Index", object: node, index: link.index, span };
      else node = { kind: "Call", callee: node, args: link.args, span };
      if (bare && node.kind === "Call") {
        node = this.annotated(node, annotations, annotatedAt);
        from = annotatedAt;
        bare = false;
      }
    }
    return bare ? this.annotated(node, annotations, annotatedAt) : node;
  }
  private annotated(inner: A.Expr, annotations: readonly A.Annotation[], start: number): A.Expr {
    return { kind: "Annotated", annotations, inner, span: this.span(start) };
  }
  private readonly links: { ALT: () => Link }[] = [
    {
      ALT: () => {
        this.CONSUME2(T.Dot);
        return { kind: "Member", name: this.word(2, "a field"), optional: false };
      },
    },
    {
      ALT: () => {
        this.CONSUME3(T.QuestionDot);
        return { kind: "Member", name: this.word(3, "a field"), optional: true };
      },
    },
    { ALT: () => ({ kind: "Call", args: this.SUBRULE(this.arguments) }) },
    {
      ALT: () => {
        const at = this.currIdx + 1;
        this.CONSUME4(T.LBracket);
        this.opened(T.RBracket);
        const index = this.SUBRULE(this.expression);
        this.close(5, T.RBracket, at);
        return { kind: "Index", index };
      },
    },
  ];
  /** Whether a call follows in the chain of fields and indexes that starts here. */
  protected callFollows(): boolean {
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
  protected readonly primaries = this.primaryAlternatives();
  protected primaryAlternatives(): { ALT: () => A.Expr }[] {
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

  protected nameOrLambda(): A.Expr {
    const start = this.at();
    const token = this.CONSUME(T.Name);
    const span = this.spanOf(token);
    if (this.RECORDING_PHASE || this.is(T.FatArrow)) {
      const body = this.OPTION(this.lambdaBody);
      if (body !== undefined) return { kind: "Lambda", params: [{ text: token.image, span }], body, span: this.span(start) };
    }
    if (!this.RECORDING_PHASE && L.has(L.names, this.LA(1)) && !this.newLine() && Object.hasOwn(L.foreignPrefixes, token.image)) {
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

  private readonly lambdaBody = (): A.Expr => {
    this.CONSUME(T.FatArrow);
    return this.SUBRULE2(this.expression);
  };

  protected readonly parens = this.rule<A.Expr>("parens", () => {
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
  protected isLambda(): boolean {
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

  protected readonly list = this.rule<A.ListExpr>("list", () => {
    const start = this.at();
    return { kind: "List", elements: this.items(1, ELEMENTS, T.LBracket, this.element), span: this.span(start) };
  });
  private readonly element = (): A.ListExpr["elements"][number] => {
    const spread = (this.RECORDING_PHASE || this.is(T.Ellipsis)) && this.OPTION2(() => this.CONSUME2(T.Ellipsis)) !== undefined;
    return { spread, value: this.SUBRULE(this.expression) };
  };

  protected readonly if = this.rule<A.Expr>("if", () => {
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
  protected thenBody(index: number): A.Expr {
    if (this.foreignThen()) return { kind: "Missing", span: this.empty() };
    this.beforeElse = true;
    const body = this.body(index, "This `if`");
    this.beforeElse = false;
    return body;
  }
  /** The expression between a keyword and its braces, which may have been forgotten. */
  protected head(): A.Expr {
    return !this.RECORDING_PHASE && this.headMissing() ? this.hole() : this.SUBRULE(this.expression);
  }
  protected headMissing(): boolean {
    if (!this.is(T.LBrace)) return false;
    // The arms of a match: what stands before their arrow is no parameter of a lambda.
    const second = this.LA(2);
    if ((this.is(T.FatArrow, 3) || this.is(T.Bar, 3)) && (!L.has(L.names, second) || second.image === "_")) return true;
    let depth = 0;
    for (let i = this.currIdx + 1; ; i++) {
      const type = this.token(i)?.tokenType;
      if (type === undefined) return false;
      if (type === T.LBrace) depth++;
      else if (type === T.RBrace && --depth === 0) {
        const next = this.token(i + 1);
        if (next === undefined || next.tokenType === K.else || L.isCloser(next.tokenType) || next.tokenType === T.Comma) return true;
        if (next.tokenType === T.LBrace) return false;
        const clause = next.tokenType === K.where || next.tokenType === K.by || next.tokenType === K.after || next.tokenType === K.early;
        return this.newLine(i + 1 - this.currIdx) && L.has(L.statementStarts, next) && !clause;
      }
    }
  }
  protected elseFollows(): boolean {
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

  protected readonly match = this.rule<A.MatchExpr>("match", () => {
    const start = this.at();
    this.CONSUME(K.match);
    const value = this.head();
    const errors = this.problems.errorCount();
    const arms = this.items(20, ARMS, T.LBrace, () => this.SUBRULE(this.arm));
    if (arms.length === 0 && errors === this.problems.errorCount())
      this.say(d.emptyConstruct, { file: this.file, start, end: start + 5 }, { what: "A match", needs: "one arm" });
    return { kind: "Match", value, arms, span: this.span(start) };
  });

  protected readonly arm = this.rule<A.MatchArm>("arm", () => {
    const start = this.at();
    const foreign = this.foreignArm();
    const patterns = [this.SUBRULE(this.pattern)];
    this.MANY(() => {
      this.CONSUME(T.Bar);
      patterns.push(this.SUBRULE1(this.pattern));
    });
    if (!this.RECORDING_PHASE && !this.is(T.FatArrow)) {
      if (!foreign || !this.is(T.Colon)) this.expected("`=>`");
      if ((this.is(T.Arrow) || this.is(T.Colon) || this.is(T.Assign)) && !this.newLine()) this.skip();
      else if (this.newLine() || !L.has(L.exprStarts, this.LA(1))) this.lose();
    } else this.CONSUME(T.FatArrow);
    return { patterns, body: this.SUBRULE(this.expression), span: this.span(start) };
  });

  protected readonly pattern: T.ParserMethod<[], A.Pattern> = this.rule<A.Pattern>("pattern", () => {
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

  protected readonly settle = this.rule<A.SettleExpr>("settle", () => {
    const start = this.at();
    this.CONSUME(K.settle);
    return { kind: "Settle", inner: this.SUBRULE(this.operand), span: this.span(start) };
  });

  protected readonly map = this.rule<A.MapExpr | A.MissingExpr>("map", () => {
    const start = this.at();
    this.CONSUME(K.map);
    if (!this.RECORDING_PHASE && this.is(T.LParen) && !this.newLine()) return this.calledRegion("map");
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
              // A brace here opens the body, not the type that was forgotten.
              if (this.is(T.LBrace)) {
                this.expected(`\`: T[]\`, the type of the list of results, after \`${name.text}\``);
                return { name, type: { kind: "MissingType", span: this.empty() } };
              }
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

  protected readonly fork = this.rule<A.ForkExpr>("fork", () => {
    const start = this.at();
    this.CONSUME(K.fork);
    const errors = this.problems.errorCount();
    const branches = this.items(20, BRANCHES, T.LBrace, () => {
      if (this.nameless()) return { name: { text: "", span: this.empty() }, value: this.SUBRULE1(this.expression) };
      const name = this.key(1, "a branch");
      this.colon(2, `\`${name.text}\``);
      return { name, value: this.SUBRULE(this.expression) };
    });
    if (branches.length === 0 && errors === this.problems.errorCount())
      this.say(d.emptyConstruct, { file: this.file, start, end: start + 4 }, { what: "A fork", needs: "one branch" });
    return { kind: "Fork", branches, span: this.span(start) };
  });

  protected readonly race = this.rule<A.RaceExpr>("race", () => {
    const start = this.at();
    this.CONSUME(K.race);
    const errors = this.problems.errorCount();
    const branches = this.items(20, RUNNERS, T.LBrace, () => this.SUBRULE(this.expression));
    if (branches.length === 0 && errors === this.problems.errorCount())
      this.say(d.emptyConstruct, { file: this.file, start, end: start + 4 }, { what: "A race", needs: "one branch" });
    return { kind: "Race", branches, span: this.span(start) };
  });

  protected readonly vote = this.rule<A.VoteExpr>("vote", () => {
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

  protected readonly loop = this.rule<A.LoopExpr>("loop", () => {
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

  protected readonly reduce = this.rule<A.ReduceExpr | A.MissingExpr>("reduce", () => {
    const start = this.at();
    this.CONSUME(K.reduce);
    if (!this.RECORDING_PHASE && this.is(T.LParen) && this.holdsSeveral()) return this.calledRegion("reduce");
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

  protected readonly try = this.rule<A.TryExpr>("try", () => {
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

  protected readonly ask = this.rule<A.AskExpr>("ask", () => {
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

  protected readonly send = this.rule<A.SendExpr>("send", () => {
    const start = this.at();
    this.CONSUME(K.send);
    const channel = this.name(1, "the channel");
    return { kind: "Send", channel, args: this.SUBRULE(this.arguments), span: this.span(start) };
  });

  protected readonly orchestrate = this.rule<A.OrchestrateExpr>("orchestrate", () => {
    const start = this.at();
    this.CONSUME(K.orchestrate);
    const args = this.SUBRULE(this.arguments);
    if (this.want(1, K.as) === undefined) this.lose();
    return { kind: "Orchestrate", args, type: this.SUBRULE(this.typePostfix), span: this.span(start) };
  });

  protected readonly stage = this.rule<A.Stage>("stage", () => {
    const start = this.at();
    const annotations = this.annotations(0);
    const callee = this.name(1, "a callable");
    const args = this.RECORDING_PHASE || !this.newLine() ? this.OPTION(this.someArguments) : undefined;
    return { kind: "Stage", annotations, callee, args, span: this.span(start) };
  });
}
