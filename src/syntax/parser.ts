/**
 * The parser. `parse` is total: it never throws, always returns a `Module`, and reports each mistake once, at its own
 * place. Rules only build nodes; how they survive mistakes is in `recovery.ts`. Here are the rules of files, declarations
 * and tests; Chevrotain wants one class, so the others are what this one extends.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../diagnostics/problems.js";
import type { SourceFile } from "../source/source.js";
import type * as A from "./ast.js";
import { ExpressionRules } from "./expression-rules.js";
import * as L from "./landmarks.js";
import { BUNDLE, NAMES, NONE, nothing, PARAMETERS, PROPERTIES } from "./recovery.js";
import { readNumber } from "./text.js";
import * as T from "./tokens.js";
import { INSIDE } from "./type-rules.js";

const { K } = T;

type Bare<D> = D extends unknown ? Omit<D, "annotations" | "doc" | "span"> : never;
class WeaveParser extends ExpressionRules {
  constructor(recorded: boolean) {
    super(recorded);
    this.ready();
  }

  run(file: SourceFile, lexed: T.Lexed, problems: Problems): A.Module {
    this.begin(file, lexed, problems);
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
    if (this.RECORDING_PHASE || this.is(T.At)) this.MANY(() => annotations.push(this.SUBRULE(this.annotation, { ARGS: [true] })));
    if (!this.RECORDING_PHASE && annotations.length > 0 && this.is(T.Name)) this.foreignDeclaration(this.LA(1));
    const doc = outer ?? this.doc(this.at());
    if (!this.RECORDING_PHASE && !L.has(L.declarationWords, this.LA(1))) {
      const last = annotations[annotations.length - 1];
      if (last !== undefined && !this.ended() && !this.newLine()) this.expected("a declaration");
      else this.say(d.danglingAnnotation, last?.span ?? this.place(), { name: last?.name.text ?? "" });
      if (!this.is(K.import)) this.lose();
      return { kind: "MissingDecl", name: { text: "", span: this.empty() }, annotations, doc, span: this.span(start) };
    }
    const made = this.choose<Bare<A.Declaration>>(0, this.kinds);
    return { ...made, annotations, doc, span: this.span(start) } as A.Declaration;
  });

  private readonly kinds: { ALT: () => Bare<A.Declaration> }[] = [
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
  ];

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
      this.MANY({ GATE: () => this.moreBundle(at), DEF: () => bundle.push(this.SUBRULE(this.annotation, INSIDE)) });
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
    const properties = this.OPTION({ GATE: () => !this.newLine(), DEF: () => this.SUBRULE(this.properties) }) ?? NONE;
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
    const annotations = this.annotations(0);
    const doc = this.docOf(start, annotations);
    const name = this.name(1, "a parameter");
    let type: A.TypeNode = { kind: "MissingType", span: this.empty() };
    if (!this.RECORDING_PHASE && !this.is(T.Colon)) {
      this.say(d.missingParameterType, name.text === "" ? this.place() : name.span, { name: name.text });
      // `name type` without the colon.
      if (!this.newLine() && L.has(L.typeStarts, this.LA(1)) && !this.is(T.LParen)) type = this.SUBRULE(this.type);
    } else {
      this.CONSUME(T.Colon);
      type = this.SUBRULE(this.type);
    }
    const value = this.OPTION(() => {
      this.CONSUME(T.Assign);
      return this.SUBRULE(this.expression);
    });
    return { name, annotations, type, default: value, doc, span: this.span(start) };
  });

  private typeParameters(index: number): readonly A.Name[] {
    if (!this.RECORDING_PHASE && !this.is(T.Less)) return NONE;
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
  private readonly properties = this.rule<readonly A.Property[]>("properties", () => {
    if (!this.RECORDING_PHASE && !this.is(T.LBrace)) {
      this.say(d.missingBody, this.place(), { what: "This declaration" });
      this.lose();
      return NONE;
    }
    return this.items(1, PROPERTIES, T.LBrace, () => {
      const start = this.at();
      const name = this.word(2, "a property");
      this.colon(3, `\`${name.text}\``);
      const value = this.SUBRULE(this.expression);
      return { name, value, doc: this.doc(start), span: this.span(start) };
    });
  });

  // -------------------------------------------------------------------------------------------------- tests

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
    let params: readonly A.Name[] | undefined;
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

/** The grammar as Chevrotain records it, with its own checks of it: for the files that are made from it. */
export function recordedGrammar(): Readonly<Record<string, T.Rule>> {
  return new WeaveParser(true).getGAstProductions();
}
