/**
 * Checks a whole program: every declaration of every file, once, filling the side tables that lowering and editors
 * read. Signatures are made on demand, so declarations may stand in any order; the result of a flow that does not
 * declare one is inferred when somebody first needs it.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { type Problems, writing } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import type { Span } from "../source/source.js";
import type {
  AnnotatedExpr,
  CallExpr,
  ComposeDecl,
  Declaration,
  Expr,
  FlowDecl,
  Name,
  Parameter,
  PolicyDecl,
  Signature,
  TypeNode,
} from "../syntax/ast.js";
import { sourceOffset } from "../syntax/text.js";
import { walk } from "../syntax/walk.js";
import { annotationTarget, callableType, callTarget, checkAnnotationsAt, reachOfSymbol } from "./annotation-places.js";
import { type AnnotationTarget, checkMinSuccess } from "./annotations.js";
import { inferAsk, inferOrchestrate, inferSend } from "./asking.js";
import { callableOf, inferCall, inferStage } from "./calls.js";
import type { Checker, Context, Tables } from "./checker.js";
import { checkAgent, checkMcp, checkModel, checkState, checkToolBinding, modelNamed } from "./declarations.js";
import { effectOfSymbol, referenceCycles } from "./effects.js";
import { inferChain, inferIf, inferList, inferName, inferRecord, WHAT } from "./expressions.js";
import { reportMismatch } from "./mismatch.js";
import { inferBinary, inferUnary } from "./operators.js";
import { inferMatch } from "./patterns.js";
import { inferFork, inferLoop, inferMap, inferRace, inferReduce, inferSettle, inferTry, inferVote, modeOf, PLAIN_MODE } from "./regions.js";
import { assignable, castable, mismatch } from "./relate.js";
import type { Resolved } from "./resolve.js";
import { inferBlock } from "./statements.js";
import {
  type Callable,
  type CallableParam,
  childEnv,
  type DeclSymbol,
  declareLocal,
  type Env,
  isCallableDecl,
  type Local,
  type ModuleScope,
} from "./symbols.js";
import { inferTemplate } from "./templates.js";
import { checkTest, inferCalls } from "./tests.js";
import { typeReader } from "./type-nodes.js";
import { DURATION, ERROR, expand, isError, literal, MONEY, NULL, optional, STRING, type Type, typeText } from "./types.js";

/** A program that has been checked: names, types and everything in the side tables. */
export interface Typed {
  readonly resolved: Resolved;
  readonly tables: Tables;
  readonly checker: Checker;
}

/** How many expressions may stand in each other: later stages go down step by step. */
const DEEPEST = 500;

/** Through how many flows a result is inferred. */
const FARTHEST = 100;

export function check(resolved: Resolved, problems: Problems): Typed {
  const tables: Tables = {
    types: new Map(),
    refs: new Map(),
    calls: new Map(),
    templates: new Map(),
    templateRefs: new Map(),
    templateTypes: new Map(),
    helperForms: new Map(),
    typeNodes: new Map(),
    reducers: new Map(),
    locals: new Map(),
    references: new Map(),
    effects: new Map(),
  };
  const types = typeReader(resolved, problems, tables.typeNodes);
  const signatures = new Map<DeclSymbol, Callable>();
  const results = new Map<DeclSymbol, Type | "pending">();
  const constants = new Map<DeclSymbol, Type | "pending">();
  const bundles = new Map<ModuleScope, ReadonlyMap<string, PolicyDecl>>();
  const unusedCandidates: { local: Local; owner: Declaration | undefined }[] = [];
  let currentDecl: Declaration | undefined;
  let depth = 0;
  /** How many flows without a declared result are being looked into. */
  let inferring = 0;
  let tooDeep: Declaration | undefined;

  const c: Checker = {
    problems,
    resolved,
    tables,
    infer,
    expect(expr, env, context, expected) {
      const found = infer(expr, env, context, expected);
      if (!assignable(found, expected)) reportMismatch(c, expr, found, expected);
      return found;
    },
    reportMismatch: (expr, found, expected) => reportMismatch(c, expr, found, expected),
    argumentMismatch(expr, found, wanted, where) {
      if (expr.kind === "Record" || expr.kind === "List" || expr.kind === "If" || expr.kind === "Match" || expr.kind === "Block") {
        reportMismatch(c, expr, found, wanted);
        return;
      }
      const related = where.span === undefined ? [] : [{ span: where.span, message: "declared here" }];
      if (expand(found).kind === "secret") {
        problems.report(d.secretInValue, expr.span, { where: `\`${where.param}\` of \`${where.callee}\`` }, { related });
        return;
      }
      problems.report(
        d.argumentType,
        expr.span,
        { param: where.param, callee: where.callee, found: typeText(found), expected: typeText(wanted), reason: mismatch(found, wanted) },
        { related },
      );
    },
    typeOf: (node, scope, vars) => types.read(node, scope, vars),
    signature,
    callableOf: (expr, env, context, quiet) => callableOf(c, expr, env, context, quiet),
    call: (expr, env, context, expected) => inferCall(c, expr, env, context, expected),
    stage(stage, key, piped, env, context, expected) {
      return inferStage(c, stage, key, piped, env, context, expected);
    },
    annotations(annotations, target, env, context) {
      if (annotations.length > 0) checkAnnotationsAt(c, annotations, target, env, context);
    },
    template: (text, env, context) => inferTemplate(c, text, env, context),
    effectOf: (symbol) => effectOfSymbol(c, symbol),
    declared: (symbol, args) => types.declared(symbol, args),
    model: (expr, context) => modelNamed(c, expr, context),
    constant,
    policies,
    bind,
  };

  for (const scope of resolved.scopes) {
    for (const decl of scope.module.declarations) {
      currentDecl = decl;
      checkDeclaration(scope, decl);
    }
  }
  types.finish();
  for (const cycle of referenceCycles(tables.references)) {
    problems.report(d.callableCycle, cycle.span, { cycle: cycle.names });
  }
  reportUnused();
  return { resolved, tables, checker: c };

  // ------------------------------------------------------------------------------------------- expressions

  function infer(expr: Expr, env: Env, context: Context, expected?: Type): Type {
    if (depth >= DEEPEST) {
      if (tooDeep !== currentDecl) problems.report(d.expressionTooLong, expr.span, { most: DEEPEST });
      tooDeep = currentDecl;
      tables.types.set(expr, ERROR);
      return ERROR;
    }
    depth++;
    const type = inferKind(expr, env, context, expected);
    depth--;
    tables.types.set(expr, type);
    return type;
  }

  function inferKind(expr: Expr, env: Env, context: Context, expected: Type | undefined): Type {
    switch (expr.kind) {
      case "Number":
        if (expr.unit === "duration") return DURATION;
        if (expr.unit === "money") return MONEY;
        if (expr.unit === "rate") {
          problems.report(d.rateOutsideAnnotation, expr.span, {});
          return ERROR;
        }
        return literal(expr.value);
      case "Text":
        return expr.value.includes("{{") ? inferTemplate(c, expr, env, context) : literal(expr.value);
      case "Regex":
        return { kind: "string", pattern: expr.source };
      case "Bool":
        return literal(expr.value);
      case "Null":
        return NULL;
      case "NameExpr":
        return inferName(c, expr, env, context, expected);
      case "FieldRef":
        problems.report(d.fieldRefOutsideStage, expr.span, {});
        return ERROR;
      case "Lambda":
        problems.report(d.lambdaPlace, expr.span, {});
        return ERROR;
      case "Record":
        return inferRecord(c, expr, env, context, expected);
      case "List":
        return inferList(c, expr, env, context, expected);
      case "Block":
        return inferBlock(c, expr, env, context, expected);
      case "If":
        return inferIf(c, expr, env, context, expected);
      case "Match":
        return inferMatch(c, expr, env, context, expected);
      case "Settle":
        return inferSettle(c, expr, env, context, expected, []);
      case "Map":
        return inferMap(c, expr, env, context, expected, PLAIN_MODE);
      case "Fork":
        return inferFork(c, expr, env, context, expected, PLAIN_MODE);
      case "Race":
        return inferRace(c, expr, env, context, expected);
      case "Vote":
        return inferVote(c, expr, env, context);
      case "Loop":
        return inferLoop(c, expr, env, context, expected);
      case "Reduce":
        return inferReduce(c, expr, env, context);
      case "Try":
        return inferTry(c, expr, env, context, expected);
      case "Ask":
        return inferAsk(c, expr, env, context);
      case "Send":
        return inferSend(c, expr, env, context);
      case "Orchestrate":
        return inferOrchestrate(c, expr, env, context);
      case "Unary":
        return inferUnary(c, expr, env, context);
      case "Binary":
        return inferBinary(c, expr, env, context, expected);
      case "Cast": {
        const value = infer(expr.value, env, context);
        const type = types.read(expr.type, context.scope, context.vars);
        if (!isError(value) && !isError(type)) checkCast(expr.span, value, type);
        return expand(type).kind === "callable" ? ERROR : type;
      }
      case "Pipe": {
        const left = infer(expr.left, env, context);
        const type = inferStage(c, expr.stage, expr, left, env, context, expected);
        if (expr.stage.annotations.length > 0) c.annotations(expr.stage.annotations, callTarget(c, expr), env, context);
        return type;
      }
      case "Call":
        if (context.inTest && expr.callee.kind === "NameExpr" && expr.callee.name === "calls" && !context.scope.names.has("calls")) {
          return inferCalls(c, expr, env, context);
        }
        if (expr.callee.kind === "NameExpr" && isEnvironment(expr.callee.name, context.scope))
          return environmentCall(expr, expr.callee.name, context);
        return inferCall(c, expr, env, context, expected);
      case "Index":
      case "Member": {
        if (chainLength(expr) > DEEPEST) {
          problems.report(d.expressionTooLong, expr.span, { most: DEEPEST });
          return ERROR;
        }
        const chain = inferChain(c, expr, env, context);
        return chain.short && !isError(chain.type) ? optional(chain.type) : chain.type;
      }
      case "Annotated":
        return inferAnnotated(expr, env, context, expected);
      case "Missing":
        return ERROR;
    }
  }

  /** `x as T` must be able to succeed and to fail; a value that always fits needs no check. */
  function checkCast(span: Span, value: Type, type: Type): void {
    if (expand(type).kind === "callable") {
      problems.report(d.castCallable, span, {});
      return;
    }
    if (expand(value).kind === "json" || expand(type).kind === "json") return;
    if (assignable(value, type)) problems.report(d.castNeedless, span, { found: typeText(value), type: typeText(type) });
    else if (!castable(value, type))
      problems.report(d.castImpossible, span, { found: typeText(value), type: typeText(type), reason: mismatch(value, type) });
  }

  function inferAnnotated(expr: AnnotatedExpr, env: Env, context: Context, expected: Type | undefined): Type {
    const { inner, annotations } = expr;
    let type: Type;
    if (inner.kind === "Settle") {
      c.annotations(annotations, annotationTarget(c, inner, context), env, context);
      type = inferSettle(c, inner, env, context, expected, annotations);
      tables.types.set(inner, type);
      return type;
    }
    if (inner.kind === "Map" || inner.kind === "Fork") {
      c.annotations(annotations, annotationTarget(c, inner, context), env, context);
      const mode = modeOf(annotations, false, c);
      type = inner.kind === "Map" ? inferMap(c, inner, env, context, expected, mode) : inferFork(c, inner, env, context, expected, mode);
      if (inner.kind === "Map") checkMinSuccess(annotations, tables.types.get(inner.over), problems);
      tables.types.set(inner, type);
      return type;
    }
    type = infer(inner, env, context, expected);
    c.annotations(annotations, annotationTarget(c, inner, context), env, context);
    return type;
  }

  function policies(scope: ModuleScope): ReadonlyMap<string, PolicyDecl> {
    const known = bundles.get(scope);
    if (known !== undefined) return known;
    const out = new Map<string, PolicyDecl>();
    for (const [name, symbol] of scope.names) {
      if (symbol.decl.kind === "PolicyDecl") out.set(name, symbol.decl);
    }
    bundles.set(scope, out);
    return out;
  }

  function bind(name: Name, local: Omit<Local, "used" | "name" | "span">, env: Env, context: Context): Local {
    const made: Local = { kind: local.kind, type: local.type, name: name.text, span: name.span, used: false };
    if (name.text === "") return made;
    const declared = context.scope.names.get(name.text);
    if (declared !== undefined && !name.text.startsWith(" ")) {
      problems.report(
        d.shadowsDeclaration,
        name.span,
        { name: name.text, what: WHAT[declared.decl.kind] ?? "a declaration" },
        {
          related: [{ span: declared.decl.name.span, message: "declared here" }],
        },
      );
    } else {
      const same = env.locals.get(name.text);
      if (same !== undefined && name.text !== "_") {
        problems.report(
          d.duplicateName,
          name.span,
          { name: name.text, local: true },
          { related: [{ span: same.span, message: "first declared here" }] },
        );
      }
    }
    declareLocal(env, name.text, made);
    tables.locals.set(name, made);
    if (!name.text.startsWith("_")) unusedCandidates.push({ local: made, owner: currentDecl });
    return made;
  }

  // -------------------------------------------------------------------------------------------- signatures

  function signature(symbol: DeclSymbol): Callable | undefined {
    const known = signatures.get(symbol);
    if (known !== undefined) return known;
    const { decl, scope } = symbol;
    if (!isCallableDecl(decl)) return undefined;
    let made: Callable;
    if (decl.kind === "ComposeDecl") made = composeSignature(symbol, decl);
    else if (decl.kind === "ChannelDecl") {
      const message = types.read(decl.message, scope);
      const reply = decl.reply === undefined ? NULL : types.read(decl.reply, scope);
      made = {
        symbol,
        decl,
        typeParams: [],
        params: [{ name: "message", type: message, default: undefined, span: decl.message.span }],
        result: () => reply,
      };
    } else {
      const own = decl.signature;
      const vars = typeVars(own);
      const params: CallableParam[] = own.params.map((p) => ({
        name: p.name.text,
        type: types.read(p.type, scope, vars),
        default: p.default,
        span: p.span,
      }));
      const declared = own.result === undefined ? undefined : types.read(own.result, scope, vars);
      made = {
        symbol,
        decl,
        typeParams: own.typeParams.map((p) => p.text),
        params,
        result: () => declared ?? (decl.kind === "FlowDecl" ? inferredResult(symbol, decl) : ERROR),
      };
    }
    signatures.set(symbol, made);
    return made;
  }

  function typeVars(own: Signature): ReadonlyMap<string, Type> {
    return new Map(own.typeParams.map((p): [string, Type] => [p.text, { kind: "var", name: p.text }]));
  }

  function inferredResult(symbol: DeclSymbol, decl: FlowDecl): Type {
    const known = results.get(symbol);
    if (known === "pending") return ERROR; // a cycle of flows, reported with its path
    if (known !== undefined) return known;
    if (inferring >= FARTHEST) {
      problems.report(d.resultTooFar, decl.name.span, { name: decl.name.text, most: FARTHEST });
      return ERROR;
    }
    results.set(symbol, "pending");
    const before = { decl: currentDecl, depth };
    currentDecl = decl;
    depth = 0;
    inferring++;
    const type = checkFlowBody(symbol, decl);
    inferring--;
    currentDecl = before.decl;
    depth = before.depth;
    results.set(symbol, type);
    return type;
  }

  function composeSignature(symbol: DeclSymbol, decl: ComposeDecl): Callable {
    const context: Context = { scope: symbol.scope, owner: symbol, inTest: false, secretAllowed: false };
    const [first] = decl.stages;
    const callee =
      first === undefined
        ? undefined
        : callableOf(c, { kind: "NameExpr", name: first.callee.text, span: first.callee.span }, childEnv(undefined), context);
    const given = new Set(first?.args?.flatMap((a) => (a.name === undefined ? [] : [a.name.text])) ?? []);
    const params = callee?.params.filter((p) => !given.has(p.name)) ?? [];
    return { symbol, decl, typeParams: [], params, result: () => composeResult(symbol, decl, callee) };
  }

  function composeResult(symbol: DeclSymbol, decl: ComposeDecl, callee: Callable | undefined): Type {
    const known = results.get(symbol);
    if (known === "pending") return ERROR;
    if (known !== undefined) return known;
    results.set(symbol, "pending");
    const context: Context = { scope: symbol.scope, owner: symbol, inTest: false, secretAllowed: false };
    const env = childEnv(undefined);
    let piped: Type = callee === undefined ? ERROR : callee.result();
    decl.stages.forEach((stage, i) => {
      if (i === 0) {
        for (const arg of stage.args ?? []) {
          const param = callee?.params.find((p) => p.name === arg.name?.text);
          if (arg.name === undefined) problems.report(d.composeFirstArgs, arg.span, {});
          else if (param === undefined && callee !== undefined) {
            const names = callee.params.map((p) => p.name);
            problems.report(d.unknownParameter, arg.name.span, {
              name: arg.name.text,
              callee: callee.symbol.name,
              near: nearest(arg.name.text, names),
              params: names,
            });
          }
          if (param !== undefined) c.expect(arg.value, env, context, param.type);
        }
      } else piped = inferStage(c, stage, stage, piped, env, context);
      c.annotations(stage.annotations, { kind: "stage" }, env, context);
    });
    results.set(symbol, piped);
    return piped;
  }

  function constant(symbol: DeclSymbol): Type {
    const known = constants.get(symbol);
    const { decl } = symbol;
    if (decl.kind !== "LetDecl") return ERROR;
    if (known === "pending") {
      problems.report(d.constantCycle, decl.name.span, { name: decl.name.text });
      return ERROR;
    }
    if (known !== undefined) return known;
    constants.set(symbol, "pending");
    const context: Context = { scope: symbol.scope, owner: symbol, inTest: false, secretAllowed: true, environment: true };
    const declared = decl.type === undefined ? undefined : types.read(decl.type, symbol.scope);
    const type =
      declared === undefined
        ? infer(decl.value, childEnv(undefined), context)
        : c.expect(decl.value, childEnv(undefined), context, declared);
    const result = declared ?? type;
    constants.set(symbol, result);
    return result;
  }

  function isEnvironment(name: string, scope: ModuleScope): boolean {
    return (name === "env" || name === "secret") && !scope.names.has(name);
  }

  /** `env("NAME", default)` and `secret("NAME")`: in top-level constants and properties only. */
  function environmentCall(expr: CallExpr, name: string, context: Context): Type {
    if (context.environment !== true) {
      problems.report(d.environmentPlace, expr.span, { name });
      return ERROR;
    }
    const plain = expr.args.every((arg) => arg.value.kind === "Text" && !arg.value.value.includes("{{") && arg.name === undefined);
    if (!plain || expr.args.length === 0 || expr.args.length > (name === "env" ? 2 : 1)) {
      problems.report(d.environmentName, expr.span, { name });
      return ERROR;
    }
    return name === "env" ? STRING : { kind: "secret", of: STRING };
  }

  // ------------------------------------------------------------------------------------------ declarations

  function checkDeclaration(scope: ModuleScope, decl: Declaration): void {
    const symbol = scope.names.get(decl.name.text);
    const own = symbol?.decl === decl ? symbol : undefined;
    const env = childEnv(undefined);
    const context: Context = { scope, owner: own, inTest: false, secretAllowed: false };
    switch (decl.kind) {
      case "TypeDecl":
        if (own !== undefined)
          types.declared(
            own,
            decl.typeParams.map((p) => ({ kind: "var", name: p.text })),
          ).kind === "named" && expandNow(own, decl);
        c.annotations(decl.annotations, { kind: "type" }, env, context);
        return;
      case "LetDecl":
        if (own !== undefined) constant(own);
        c.annotations(decl.annotations, { kind: "let" }, env, context);
        return;
      case "PolicyDecl":
        c.annotations(decl.bundle, { kind: "bundle" }, env, context);
        c.annotations(decl.annotations, { kind: "policy" }, env, context);
        return;
      case "ModelDecl":
        checkModel(c, decl, context);
        c.annotations(decl.annotations, { kind: "model" }, env, context);
        return;
      case "McpDecl":
        checkMcp(c, decl, context);
        c.annotations(decl.annotations, { kind: "mcp" }, env, context);
        return;
      case "StateDecl":
        types.read(decl.type, scope);
        checkState(c, decl, context);
        c.annotations(decl.annotations, { kind: "state" }, env, context);
        return;
      case "ChannelDecl":
        types.read(decl.message, scope);
        if (decl.reply !== undefined) types.read(decl.reply, scope);
        c.annotations(decl.annotations, { kind: "channel" }, env, context);
        return;
      case "ToolDecl":
      case "AgentDecl":
      case "CapabilityDecl":
        if (own === undefined) return;
        checkSignature(own, decl.signature, decl.kind, env, context);
        if (decl.kind === "ToolDecl") checkToolBinding(c, decl, env, context);
        if (decl.kind === "AgentDecl") checkAgent(c, decl, env, context);
        checkImplements(own, decl.signature);
        c.annotations(decl.annotations, ownTarget(own), env, context);
        return;
      case "FlowDecl": {
        if (own === undefined) return;
        const callable = signature(own);
        callable?.result();
        if (decl.signature.result !== undefined) {
          const wanted = types.read(decl.signature.result, scope, typeVars(decl.signature));
          checkFlowBody(own, decl, wanted);
        }
        checkImplements(own, decl.signature);
        return;
      }
      case "ComposeDecl":
        if (own === undefined) return;
        signature(own)?.result();
        c.annotations(decl.annotations, ownTarget(own), env, context);
        return;
      case "OnDecl":
        checkHandler(scope, decl);
        return;
      case "TestDecl":
        checkTest(c, decl, { scope, owner: undefined, inTest: true, secretAllowed: false });
        return;
      case "MissingDecl":
        return;
    }
  }

  function expandNow(symbol: DeclSymbol, decl: Declaration & { kind: "TypeDecl" }): void {
    expand(
      types.declared(
        symbol,
        decl.typeParams.map((p) => ({ kind: "var", name: p.text })),
      ),
    );
    noCallables(decl.type);
  }

  /** Callables are passed to flows, never stored: a declared type holds none. */
  function noCallables(node: TypeNode): void {
    switch (node.kind) {
      case "CallableType":
        problems.report(d.callableStored, node.span, {});
        return;
      case "ListType":
        noCallables(node.element);
        return;
      case "OptionalType":
      case "QualifiedType":
        noCallables(node.inner);
        return;
      case "MapType":
        noCallables(node.value);
        return;
      case "RecordType":
        for (const f of node.fields) {
          noCallables(f.type);
          if (f.annotations.length === 0) continue;
          c.annotations(f.annotations, { kind: "field" }, childEnv(undefined), {
            scope: resolved.entry,
            owner: undefined,
            inTest: false,
            secretAllowed: false,
          });
        }
        return;
      case "UnionType":
        for (const m of node.members) noCallables(m.type);
        return;
      default:
        return;
    }
  }

  function ownTarget(symbol: DeclSymbol): AnnotationTarget {
    const callable = signature(symbol);
    const { decl } = symbol;
    if (callable === undefined || !isCallableDecl(decl)) return { kind: "scope" };
    const kinds = {
      ToolDecl: "tool",
      AgentDecl: "agent",
      FlowDecl: "flow",
      CapabilityDecl: "capability",
      ComposeDecl: "compose",
      ChannelDecl: "channel",
    } as const;
    return {
      kind: kinds[decl.kind],
      callee: { name: symbol.name, kind: decl.kind, type: callableType(callable), span: decl.name.span },
      reach: () => reachOfSymbol(c, symbol),
      ...(decl.kind === "ToolDecl" && decl.effect ? { declaredEffect: true } : {}),
    };
  }

  function checkSignature(symbol: DeclSymbol, own: Signature, kind: string, env: Env, context: Context): void {
    const callable = signature(symbol);
    const std = symbol.scope.module.file.startsWith("std:") || symbol.scope.module.file.startsWith("stdlib/");
    if (kind !== "FlowDecl" && own.typeParams.length > 0 && !std) {
      problems.report(d.genericOnlyFlow, own.typeParams[0]?.span ?? own.span, { what: WHAT[kind] ?? "this" });
    }
    if (kind !== "FlowDecl" && own.result === undefined)
      problems.report(d.resultMissing, own.name.span, { what: WHAT[kind] ?? "this", name: own.name.text });
    if (own.result !== undefined && own.result.kind === "CallableType") problems.report(d.callableStored, own.result.span, {});
    for (const [i, p] of own.params.entries()) bindParam(p, callable?.params[i]?.type ?? ERROR, kind, env, context);
  }

  function bindParam(p: Parameter, type: Type, kind: string, env: Env, context: Context): void {
    if (expand(type).kind === "callable" && kind !== "FlowDecl")
      problems.report(d.callableParam, p.type.span, { what: WHAT[kind] ?? "this" });
    if (p.default !== undefined) {
      const inner = { ...context, secretAllowed: expand(type).kind === "secret" };
      c.expect(p.default, env, inner, type);
    }
    const local = bind(p.name, { kind: "param", type }, env, context);
    if (kind === "ToolDecl" || kind === "CapabilityDecl") local.used = true;
    c.annotations(p.annotations, { kind: "param" }, env, context);
  }

  /** Checks a flow's body; with `wanted` against the declared result. */
  function checkFlowBody(symbol: DeclSymbol, decl: FlowDecl, wanted?: Type): Type {
    const env = childEnv(undefined);
    const context: Context = { scope: symbol.scope, owner: symbol, inTest: false, secretAllowed: false, vars: typeVars(decl.signature) };
    checkSignature(symbol, decl.signature, "FlowDecl", env, context);
    const before = problems.errorCount();
    const found = infer(decl.body, env, context, wanted);
    if (wanted !== undefined && !assignable(found, wanted) && !isError(found)) {
      if (expand(found).kind === "callable") problems.report(d.callableStored, decl.body.span, {});
      else reportMismatch(c, decl.body, found, wanted);
    }
    if (decl.annotations.length > 0)
      c.annotations(decl.annotations, problems.errorCount() === before ? ownTargetOfFlow(symbol) : { kind: "flow" }, env, context);
    return found;
  }

  function ownTargetOfFlow(symbol: DeclSymbol): AnnotationTarget {
    return results.get(symbol) === "pending" ? { kind: "flow" } : ownTarget(symbol);
  }

  function checkImplements(symbol: DeclSymbol, own: Signature): void {
    const name = own.implements;
    if (name === undefined || name.text === "") return;
    const target = symbol.scope.names.get(name.text);
    if (target?.decl.kind !== "CapabilityDecl") {
      if (symbol.scope.failed.has(name.text)) return;
      const capabilities = [...symbol.scope.names.values()].filter((s) => s.decl.kind === "CapabilityDecl").map((s) => s.name);
      problems.report(d.unknownCapability, name.span, { name: name.text, near: nearest(name.text, capabilities) });
      return;
    }
    symbol.scope.used.add(name.text);
    // A call of the capability may come here.
    const edges = tables.references.get(target) ?? new Map<DeclSymbol, Span>();
    if (!edges.has(symbol)) edges.set(symbol, name.span);
    tables.references.set(target, edges);
    const mine = signature(symbol);
    const theirs = signature(target);
    if (mine === undefined || theirs === undefined) return;
    const from = callableType(mine);
    const to = callableType(theirs);
    const names = theirs.params.every((p, i) => mine.params[i]?.name === p.name);
    if (assignable(from, to) && names) return;
    problems.report(
      d.implementsMismatch,
      name.span,
      { name: symbol.name, capability: target.name, own: typeText(from), wanted: typeText(to), names: assignable(from, to) },
      {
        related: [{ span: target.decl.name.span, message: "declared here" }],
      },
    );
  }

  function checkHandler(scope: ModuleScope, decl: Declaration & { kind: "OnDecl" }): void {
    const env = childEnv(undefined);
    const context: Context = { scope, owner: undefined, inTest: false, secretAllowed: false };
    const { name, field } = decl;
    let type: Type = ERROR;
    let reply: Type | undefined;
    if (field === undefined) {
      const symbol = scope.names.get(name.text);
      if (symbol?.decl.kind === "ChannelDecl") {
        scope.used.add(name.text);
        type = types.read(symbol.decl.message, symbol.scope);
        reply = symbol.decl.reply === undefined ? undefined : types.read(symbol.decl.reply, symbol.scope);
      } else if (name.text !== "" && !scope.failed.has(name.text)) {
        const channels = [...scope.names.values()].filter((s) => s.decl.kind === "ChannelDecl").map((s) => s.name);
        problems.report(d.notAChannel, name.span, { name: name.text, near: nearest(name.text, channels) });
      }
    } else if (name.text === "state") {
      const symbol = scope.names.get(field.text);
      if (symbol?.decl.kind === "StateDecl") {
        scope.used.add(field.text);
        const value = types.read(symbol.decl.type, symbol.scope);
        type = {
          kind: "record",
          fields: [
            { name: "value", type: value },
            { name: "previous", type: value },
          ],
        };
      } else {
        const states = [...scope.names.values()].filter((s) => s.decl.kind === "StateDecl").map((s) => s.name);
        problems.report(d.unknownName, field.span, { name: field.text, near: nearest(field.text, states) });
      }
    } else if (name.text === "event") {
      const failure = resolved.prelude?.names.get("Failure");
      type =
        field.text === "call_failed" && failure !== undefined
          ? types.declared(failure, [])
          : {
              kind: "record",
              fields: [
                { name: "name", type: STRING },
                { name: "call", type: STRING },
                { name: "data", type: { kind: "json" } },
              ],
            };
    } else problems.report(d.handlerTarget, name.span, { name: name.text });
    const local = bind(decl.param, { kind: "event", type }, env, context);
    void local;
    if (reply !== undefined) {
      const found = infer(decl.body, env, context, reply);
      if (!assignable(found, reply)) reportMismatch(c, decl.body, found, reply);
    } else infer(decl.body, env, context);
    c.annotations(decl.annotations, { kind: "on" }, env, context);
  }

  // ------------------------------------------------------------------------------------------------- names

  function reportUnused(): void {
    const broken = new Set<Declaration>();
    const errors = problems.list().filter((p) => p.severity === "error");
    for (const scope of resolved.scopes) {
      const own = errors.filter((p) => p.span.file === scope.module.file);
      if (own.length === 0) continue;
      for (const decl of scope.module.declarations) {
        if (own.some((p) => p.span.start >= decl.span.start && p.span.start <= decl.span.end)) broken.add(decl);
      }
    }
    for (const { local, owner } of unusedCandidates) {
      if (local.used || (owner !== undefined && broken.has(owner)) || local.name.startsWith(" ")) continue;
      const kind = {
        param: "parameter",
        let: "name",
        item: "item",
        index: "index",
        state: "state",
        error: "failure",
        lambda: "parameter",
        pattern: "name",
        giving: "name",
        event: "name",
        stub: "parameter",
      }[local.kind];
      if (local.kind === "event" || local.kind === "error" || local.kind === "stub") continue;
      const braces = owner?.kind === "AgentDecl" ? inSingleBraces(owner, local.name) : undefined;
      const fixes = braces === undefined ? [] : writing(braces, `{{${local.name}}}`);
      problems.report(d.unusedName, local.span, { name: local.name, kind, braces: braces !== undefined }, { fixes });
    }
    for (const scope of resolved.scopes) {
      if (scope.label.startsWith("std/") || broken.size > 0) continue;
      for (const [name, binding] of scope.imports) {
        if (!scope.used.has(name)) problems.report(d.unusedImport, binding.span, { name });
      }
    }
  }
}

/** Where a text of an agent says `{name}`, as templates of other languages do. */
function inSingleBraces(decl: Declaration, name: string): Span | undefined {
  let found: Span | undefined;
  const braces = new RegExp(`(?<!\\{)\\{\\s*${name}\\s*\\}(?!\\})`);
  walk(decl, (node) => {
    if (found !== undefined || !("kind" in node) || node.kind !== "Text") return;
    const match = braces.exec(node.value);
    if (match === null) return;
    found = { file: node.span.file, start: sourceOffset(node, match.index), end: sourceOffset(node, match.index + match[0].length) };
  });
  return found;
}

/** How many fields and indexes follow each other. */
function chainLength(expr: Expr): number {
  let n = 0;
  for (let e = expr; e.kind === "Member" || e.kind === "Index"; e = e.object) n++;
  return n;
}
