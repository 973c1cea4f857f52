/** The rules of types, and of the annotations and arguments that types and everything else may carry. */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Span } from "../source/source.js";
import type * as A from "./ast.js";
import { calledArguments } from "./called-region.js";
import * as L from "./landmarks.js";
import { ARGUMENTS, FIELDS, NONE, Recovery, TYPES } from "./recovery.js";
import { readNumber, regexMistake } from "./text.js";
import * as T from "./tokens.js";

const { K } = T;
/** How the rule of an annotation is called that stands before no declaration. */
export const INSIDE: { ARGS: [boolean] } = { ARGS: [false] };

export abstract class TypeRules extends Recovery {
  protected abstract readonly expression: T.ParserMethod<[], A.Expr>;

  protected readonly annotation = this.ruleOf<boolean, A.Annotation>("annotation", (declares) => {
    const start = this.at();
    this.CONSUME(T.At);
    const name = this.word(1, "an annotation");
    if (name.text === "" && !this.RECORDING_PHASE) this.lose();
    const args = this.RECORDING_PHASE || this.touches(declares, name) ? this.OPTION(this.someArguments) : undefined;
    const span = this.span(start);
    return { kind: "Annotation", name, args: name.text === "rate" && args !== undefined ? args.map((a) => this.rate(a)) : args, span };
  });
  protected readonly someArguments = (): readonly A.Argument[] => this.SUBRULE(this.arguments);
  /** The annotations before something in a declaration. */
  protected annotations(index: number): readonly A.Annotation[] {
    if (!this.RECORDING_PHASE && !this.is(T.At)) return NONE;
    const annotations: A.Annotation[] = [];
    this.many(index, () => annotations.push(this.subrule(index, this.annotation, INSIDE)));
    return this.listed(annotations);
  }
  /** GLUED; before a declaration a `(` further right can only be meant for the annotation. */
  protected touches(declares: boolean, name: A.Name): boolean {
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
  protected rate(argument: A.Argument): A.Argument {
    const value = argument.value;
    if (value.kind !== "Binary" || value.op !== "/" || value.left.kind !== "Number" || value.right.kind !== "NameExpr") return argument;
    const seconds = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400 }[value.right.name];
    if (seconds === undefined || value.span.end - value.span.start !== value.left.raw.length + 1 + value.right.name.length) return argument;
    const raw = `${value.left.raw}/${value.right.name}`;
    return { ...argument, value: { kind: "Number", value: value.left.value / seconds, unit: "rate", raw, span: value.span } };
  }

  protected readonly arguments = this.rule<readonly A.Argument[]>("arguments", () => this.items(1, ARGUMENTS, T.LParen, this.argument));
  private readonly argument = (): A.Argument => {
    const start = this.at();
    const named = this.RECORDING_PHASE || this.is(T.Colon, 2) || (this.is(T.Assign, 2) && L.has(L.anyWords, this.LA(1)));
    const name = named ? this.OPTION2(this.argumentName) : undefined;
    if (!this.RECORDING_PHASE && !this.is(T.Dot)) {
      const given = this.SUBRULE(this.expression);
      return { name, value: given, span: this.spanOver(start, given.span) };
    }
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
  };

  private readonly argumentName = (): A.Name => {
    const word = this.word(2, "an argument");
    if (!this.RECORDING_PHASE && this.is(T.Assign)) {
      this.say(d.namedArgument, this.place(), { name: word.text }, this.fix("Write `:`", this.place(), ":"));
      this.skip();
    } else this.CONSUME2(T.Colon);
    return word;
  };

  // -------------------------------------------------------------------------------------------------- types

  /** `>`; of `>=` only the first half is taken. */
  protected closeAngle(index: number): void {
    const token = this.LA(1);
    if (!this.RECORDING_PHASE && token.tokenType === T.GreaterEqual) {
      const rest: T.Token = {
        image: "=",
        startOffset: token.startOffset + 1,
        tokenType: T.Assign,
        tokenTypeIdx: T.Assign.tokenTypeIdx ?? 0,
      };
      this.tokens.splice(this.currIdx + 2, 0, rest);
      this.tokVectorLength++;
      token.image = ">";
      this.retag(T.Greater);
    }
    this.want(index, T.Greater);
  }

  protected typeNote(index: number): A.TypeNode | undefined {
    return this.RECORDING_PHASE || this.is(T.Colon) ? this.noted(index) : undefined;
  }
  private noted(index: number): A.TypeNode | undefined {
    return this.option(index, () => {
      this.consume(index, T.Colon);
      return this.subrule(index, this.type);
    });
  }

  protected readonly type = this.rule<A.TypeNode>("type", () => {
    const start = this.at();
    let doc = this.doc(start);
    if (this.RECORDING_PHASE || this.is(T.Bar)) {
      this.OPTION(() => this.CONSUME(T.Bar));
      doc ??= this.doc(this.at());
    }
    const first = this.SUBRULE(this.typePostfix);
    if (!this.RECORDING_PHASE && doc === undefined && !this.is(T.Bar)) return first;
    return this.union(start, first, doc);
  });
  private union(start: number, first: A.TypeNode, doc: string | undefined): A.TypeNode {
    const members = [{ type: first, doc }];
    this.MANY(() => {
      const at = this.at();
      this.CONSUME1(T.Bar);
      const memberDoc = this.doc(at) ?? this.doc(this.at());
      members.push({ type: this.SUBRULE1(this.typePostfix), doc: memberDoc });
    });
    return { kind: "UnionType", members: this.listed(members), span: this.span(start) };
  }

  protected readonly typePostfix = this.rule<A.TypeNode>("typePostfix", () => {
    const start = this.at();
    if (this.tooDeep()) return { kind: "MissingType", span: this.empty() };
    this.depth++;
    const qualified = this.RECORDING_PHASE || this.is(K.secret) || this.is(K.untrusted);
    const qualifier = !qualified
      ? undefined
      : this.OPTION(() => this.OR([{ ALT: () => this.CONSUME(K.secret) }, { ALT: () => this.CONSUME(K.untrusted) }]));
    const from = this.at();
    const primary = this.typePrimary();
    const node = this.RECORDING_PHASE || this.is(T.LBracket) || this.is(T.Question) ? this.suffixed(primary, from) : primary;
    this.depth--;
    if (qualifier === undefined || this.RECORDING_PHASE) return node;
    return { kind: "QualifiedType", qualifier: qualifier.image === "secret" ? "secret" : "untrusted", inner: node, span: this.span(start) };
  });
  /** `T[]` and `T?`. */
  private suffixed(primary: A.TypeNode, from: number): A.TypeNode {
    let node = primary;
    let suffixes = 0;
    this.MANY1({
      GATE: () => (this.is(T.Question) || !this.newLine()) && !this.tooDeep(suffixes),
      DEF: () => {
        suffixes++;
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
    return node;
  }
  protected typePrimary(): A.TypeNode {
    if (!this.RECORDING_PHASE && (!L.has(L.typePrimaryStarts, this.LA(1)) || this.declares())) {
      this.say(d.missingType, this.place(), { found: this.found() });
      return { kind: "MissingType", span: this.empty() };
    }
    // By far the most types are names.
    if (!this.RECORDING_PHASE && L.has(L.names, this.LA(1))) return this.SUBRULE(this.namedType);
    return this.choose<A.TypeNode>(2, this.typePrimaries);
  }
  private readonly typePrimaries: { ALT: () => A.TypeNode }[] = [
    { ALT: () => this.SUBRULE(this.namedType) },
    {
      ALT: () => {
        const start = this.at();
        this.CONSUME2(K.map);
        if (this.want(3, T.Less) === undefined) return { kind: "MissingType", span: this.span(start) };
        let value = this.SUBRULE2(this.type);
        if (!this.RECORDING_PHASE && this.is(T.Comma)) {
          const key = { ...value.span, end: this.token(this.currIdx + 2)?.startOffset ?? this.end() };
          this.say(d.mapKey, value.span, {}, this.fix("Leave the type of the keys out", key, ""));
          this.skip();
          value = this.SUBRULE4(this.type);
        }
        this.closeAngle(2);
        return { kind: "MapType", value, span: this.span(start) };
      },
    },
    { ALT: () => this.literalType(this.at(), this.string(2)?.value) },
    { ALT: () => this.literalType(this.at(), this.signed(3)) },
    { ALT: () => this.literalType(this.at(), this.CONSUME4(K.true) && true) },
    { ALT: () => this.literalType(this.at(), this.CONSUME4(K.false) && false) },
    { ALT: () => this.literalType(this.at(), this.CONSUME4(K.null) && null) },
    {
      ALT: () => {
        const start = this.at();
        if (!this.RECORDING_PHASE && this.is(T.LBracket, 2)) return this.indexSignature();
        const fields = this.items(20, FIELDS, T.LBrace, this.field);
        return { kind: "RecordType", fields, span: this.span(start) };
      },
    },
    { ALT: () => this.SUBRULE3(this.callableType) },
  ];
  /** `{ [key: string]: T }`: reported and left out. */
  private indexSignature(): A.TypeNode {
    const opener = this.currIdx + 1;
    const key = calledArguments(this.tokens, opener + 1, this.text);
    const inside = calledArguments(this.tokens, opener, this.text);
    const from = this.tokens[opener];
    const bracket = this.tokens[opener + 1];
    const colon = key === undefined ? undefined : this.tokens[key.closer + 1];
    const end = inside === undefined ? undefined : this.tokens[inside.closer];
    if (from !== undefined && bracket !== undefined) {
      const value = end === undefined || colon?.tokenType !== T.Colon ? "" : this.text.slice(colon.startOffset + 1, end.startOffset);
      const type = value.trim().replace(/[;,]$/, "");
      const instead = type === "" || /[\n:;]/.test(type) ? undefined : `map<${type}>`;
      const span = { ...this.spanOf(bracket), end: colon?.startOffset ?? bracket.startOffset + 1 };
      const whole = { ...this.spanOf(from), end: (end?.startOffset ?? from.startOffset) + 1 };
      this.say(d.indexSignature, span, { instead }, instead === undefined ? undefined : this.fix(`Write \`${instead}\``, whole, instead));
    }
    if (inside === undefined) this.lose();
    else this.currIdx = inside.closer;
    return { kind: "MissingType", span: this.empty() };
  }
  private literalType(start: number, value: string | number | boolean | null): A.TypeNode {
    return { kind: "LiteralType", value, span: this.span(start) };
  }

  private readonly field = (): A.FieldType => {
    const start = this.at();
    const annotations = this.annotations(3);
    const doc = this.docOf(start, annotations);
    const name = this.key(21, "a field");
    if (!this.RECORDING_PHASE && this.is(T.Question)) {
      this.say(d.optionalField, this.place(), { name: name.text });
      this.skip();
    }
    this.colon(22, `\`${name.text}\``);
    const type = this.SUBRULE6(this.type);
    return { name, annotations, type, doc, span: this.span(start) };
  };

  protected readonly namedType = this.rule<A.NamedType>("namedType", () => {
    const start = this.at();
    const name = this.name(1, "a type");
    const args = this.RECORDING_PHASE || this.is(T.Less) ? this.typeArguments() : NONE;
    const limit = this.RECORDING_PHASE || (this.is(T.LParen) && !this.newLine()) ? this.OPTION1(this.limit) : undefined;
    const bounds = limit !== undefined && "low" in limit ? limit : undefined;
    const pattern = limit !== undefined && "source" in limit ? limit : undefined;
    return { kind: "NamedType", name, args, bounds, pattern, span: this.spanOver(start, name.span) };
  });
  /** The bounds of a type, or the pattern of a text, in parentheses. */
  private readonly limit = (): A.Bounds | NonNullable<A.NamedType["pattern"]> => {
    const at = this.currIdx + 1;
    this.CONSUME2(T.LParen);
    this.opened(T.RParen);
    const limit =
      this.RECORDING_PHASE || this.is(T.Regex)
        ? this.choose<A.Bounds | NonNullable<A.NamedType["pattern"]>>(0, [
            { ALT: () => this.regex(2) },
            { ALT: () => this.SUBRULE2(this.bounds) },
          ])
        : this.SUBRULE2(this.bounds);
    this.close(3, T.RParen, at);
    return limit;
  };
  private typeArguments(): readonly A.TypeNode[] {
    const args: A.TypeNode[] = [];
    this.OPTION(() => {
      this.CONSUME(T.Less);
      args.push(this.SUBRULE(this.type));
      this.MANY(() => {
        this.CONSUME(T.Comma);
        args.push(this.SUBRULE1(this.type));
      });
      this.closeAngle(1);
    });
    return args;
  }

  protected regex(index: number): { source: string; span: Span } {
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

  protected readonly callableType = this.rule<A.TypeNode>("callableType", () => {
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

  protected readonly bounds = this.rule<A.Bounds>("bounds", () => {
    if (!this.RECORDING_PHASE && !this.is(T.DotDot) && !this.is(T.Num) && !this.is(T.Minus)) {
      this.expected("a number or a range such as `1..10`");
      const start = this.at();
      this.lose();
      return { low: undefined, high: undefined, span: this.span(start) };
    }
    return this.choose<A.Bounds>(0, this.boundsForms);
  });
  private readonly boundsForms: { ALT: () => A.Bounds }[] = [
    {
      ALT: () => {
        const start = this.at();
        const low = this.signed(1);
        let high: number | undefined = low;
        this.OPTION(() => {
          this.CONSUME(T.DotDot);
          high = this.OPTION1(() => this.signed(2));
        });
        return { low, high, span: this.span(start) };
      },
    },
    {
      ALT: () => {
        const start = this.at();
        this.CONSUME1(T.DotDot);
        const high = this.signed(3);
        return { low: undefined, high, span: this.span(start) };
      },
    },
  ];

  protected signed(index: number): number {
    const minus = (this.RECORDING_PHASE || this.is(T.Minus)) && this.option(index + 30, () => this.consume(index, T.Minus)) !== undefined;
    const token = this.want(index, T.Num);
    if (token === undefined || this.RECORDING_PHASE) return 0;
    const value = readNumber(token.image, this.spanOf(token), this.problems).value;
    return minus ? -value : value;
  }
}
