/**
 * Compiles a graph into what runs: bodies with slots and closures, callables with their checks, call sites with their
 * policies. Compilation is lazy, so that only what a run reaches is compiled.
 */
import type { AgentIR, Body, CalleeRef, ExprIR, FlowIR, Graph, NodeIR, ParamIR, ToolIR } from "../plan/ir.js";
import { declarationOf, isBare, neededNodes } from "../plan/walk.js";
import { performAgent } from "./agent.js";
import { compileAsk } from "./ask.js";
import { binding } from "./binding.js";
import { nodeDone, stopRound } from "./body.js";
import { compileBranching } from "./branch.js";
import { executeCall } from "./call.js";
import { performCapability } from "./choose.js";
import { compileExpr, type EvalContext } from "./evaluate.js";
import { failure } from "./failure.js";
import { compileFork, compileRace } from "./fork.js";
import { type Eval, type Frame, type Layout, layout, slotFor } from "./frame.js";
import { contentHashAfter } from "./hash.js";
import { compileFold, compileLoop, compileReduce } from "./iterate.js";
import type { Attempt, CallSite, CompiledBody, CompiledCallable, CompiledNode, Instance, Intercept, Program } from "./machine.js";
import { compileMap } from "./map.js";
import { analysis, type RegionNeeds } from "./needs.js";
import { performFlow, performTool } from "./perform.js";
import { choiceReads, type PolicySource, pipeline, type Subject, siteReads } from "./policy.js";
import { withRate } from "./rate.js";
import { redactor } from "./redact.js";
import { executeRegion, guarded } from "./region.js";
import type { Shapes } from "./shape.js";
import { assertNever } from "./values.js";
import { compileVote } from "./vote.js";

/** What carries a capability out counts by itself. */
const SUBJECTS: Readonly<Record<CompiledCallable["ir"]["kind"], Subject>> = {
  flow: "flow",
  capability: "flow",
  tool: "tool",
  agent: "agent",
};

export interface ProgramOptions {
  readonly graph: Graph;
  readonly shapes: Shapes;
  readonly context: EvalContext;
  readonly intercept: Intercept | undefined;
}

/** What compiling a node needs besides the node. */
export interface Compiler {
  readonly expr: (expr: ExprIR, scope: Layout) => Eval;
  /** A body with ids of its own; its layout may be given when something else was compiled in it before. */
  readonly body: (body: Body, outer: Layout | undefined, ids?: readonly string[], given?: Layout) => CompiledBody;
  /** What a region needs at least when it begins, and what one part of it does. */
  readonly needs: (node: NodeIR, scope: Layout) => (frame: Frame) => RegionNeeds;
}

export function program(options: ProgramOptions): Program {
  const { graph, shapes, context } = options;
  const callables = new Map<string, Map<string, CompiledCallable>>();
  const bodies = new Map<string, CompiledBody>();

  const bounded = analysis(graph);
  const compiler: Compiler = { expr: (expr, scope) => compileExpr(expr, scope, context), body: compileBody, needs: bounded.region };

  function callable(ref: CalleeRef): CompiledCallable {
    let ofKind = callables.get(ref.kind);
    if (ofKind === undefined) {
      ofKind = new Map();
      callables.set(ref.kind, ofKind);
    }
    let found = ofKind.get(ref.id);
    if (found === undefined) {
      found = compileCallable(ref);
      ofKind.set(ref.id, found);
    }
    return found;
  }

  function compileCallable(ref: CalleeRef): CompiledCallable {
    const ir = declarationOf(graph, ref);
    const params = layout(
      undefined,
      ir.params.map((param) => param.id),
    );
    const declared: PolicySource = { policies: ir.policies, compile: (expr) => compileExpr(expr, params, context), declared: true };
    let guard: CompiledCallable["guard"] | undefined;
    let site: CallSite | undefined;
    const made = {
      ref,
      ir,
      effect: ir.effect,
      params,
      defaults: ir.params.map((param: ParamIR) => (param.default === undefined ? undefined : compileExpr(param.default, params, context))),
      argTests: ir.params.map((param) => shapes.exactly(param.type)),
      resultTest: shapes.exactly(ir.result),
      resultCut: shapes.cut(ir.result),
      redact: redactor(ir.params, ir.result, graph.types),
      guard: (args: string) => {
        guard ??= contentHashAfter(`${ir.hash}\n`);
        return guard(args);
      },
    };
    // Made when it is first used: a fallback may lead back to what is being compiled. Added afterwards, since an object that
    // is written down with a getter is slow to read, all of it.
    const compiled: CompiledCallable = Object.defineProperty(made, "site", {
      get: (): CallSite => (site ??= siteFor(compiled, [declared], 0)),
    }) as typeof made & { readonly site: CallSite };
    return compiled;
  }

  function siteFor(callee: CompiledCallable, sources: readonly PolicySource[], rank: number): CallSite {
    const stub = options.intercept?.(callee);
    const subject: Subject = SUBJECTS[callee.ir.kind];
    const attempt = pipeline(
      sources,
      stub !== undefined && subject === "flow" ? "agent" : subject,
      callable,
      stub ?? performer(callee, sources),
    );
    return { callee, attempt, rank, ...siteReads(sources, callable) };
  }

  function performer(callee: CompiledCallable, sources: readonly PolicySource[]): Attempt {
    switch (callee.ir.kind) {
      case "flow":
        return performFlow;
      case "tool":
        return rated(callee.ir, performTool(callee, binding(graph, callee.ir, callee, context)));
      case "agent":
        return performAgent(callee.ir satisfies AgentIR, callee, context);
      case "capability":
        return performCapability(callee, choiceReads(sources), callable);
      default:
        return assertNever(callee.ir);
    }
  }

  /** The rate of an MCP server holds for all of its tools together. */
  function rated(tool: ToolIR, next: Attempt): Attempt {
    const server = tool.binding.kind === "mcp" ? graph.mcps[tool.binding.server] : undefined;
    return server?.rate === undefined ? next : withRate(server.rate, next, server.id);
  }

  function flowBody(flow: FlowIR): CompiledBody {
    let found = bodies.get(flow.id);
    if (found === undefined) {
      found = compileBody(
        flow.body,
        undefined,
        flow.params.map((param) => param.id),
      );
      bodies.set(flow.id, found);
    }
    return found;
  }

  function compileBody(body: Body, outer: Layout | undefined, ids: readonly string[] = [], given?: Layout): CompiledBody {
    const scope = given ?? layout(outer, ids);
    const kept = neededNodes(body);
    const slots = kept.map((node) => slotFor(scope, node.id));
    const { dependents, pending } = edgesOf(kept);
    const ranks = ranksOf(kept, dependents);
    const nodes = kept.map(
      (node, i): CompiledNode => ({
        ir: node,
        index: i,
        slot: slots[i] ?? 0,
        dependents: dependents[i] ?? [],
        rank: ranks[i] ?? 0,
        execute: compileNode(node, scope, ranks[i] ?? 0),
      }),
    );
    return {
      ir: body,
      layout: scope,
      nodes,
      roots: pending.flatMap((n, i) => (n === 0 ? [i] : [])),
      pending,
      result: compileExpr(body.result, scope, context),
      keep: bounded.body(body, kept, scope),
    };
  }

  function compileCall(node: Extract<NodeIR, { kind: "call" }>, scope: Layout, rank: number): CompiledNode["execute"] {
    const callee = callable(node.callee);
    const { params, policies } = callee.ir;
    // A call without policies of its own shares the callable's pipeline.
    const site = isBare(node.policies)
      ? callee.site
      : siteFor(
          callee,
          [
            { policies: node.policies, compile: (expr) => compileExpr(expr, scope, context), declared: false },
            { policies, compile: (expr) => compileExpr(expr, callee.params, context), declared: true },
          ],
          rank,
        );
    const names: string[] = [];
    const values: Eval[] = [];
    for (const { param, value } of node.args) {
      names.push(param);
      values.push(compileExpr(value, scope, context));
    }
    return executeCall(site, names, values, names.length === params.length && params.every(({ name }) => names.includes(name)));
  }

  function compileNode(node: NodeIR, scope: Layout, rank: number): CompiledNode["execute"] {
    if (node.kind === "call") return compileCall(node, scope, rank);
    const expr = (inner: ExprIR) => compileExpr(inner, scope, context);
    const policies: PolicySource = { policies: node.policies, compile: expr, declared: false };
    const region = (perform: Attempt, subject: Subject, name: Parameters<typeof executeRegion>[1]) =>
      executeRegion(isBare(node.policies) ? guarded(perform) : pipeline([policies], subject, callable, guarded(perform)), name);
    switch (node.kind) {
      case "value": {
        const value = expr(node.value);
        return (instance, at) => nodeDone(instance, at, undefined, value(instance) ?? null);
      }
      case "map":
        return region(compileMap(node, scope, compiler), "items", "map");
      case "fork":
        return region(compileFork(node, scope, compiler), "items", "fork");
      case "race":
        return region(compileRace(node, scope, compiler), "items", "race");
      case "vote":
        return region(compileVote(node, scope, compiler), "items", "vote");
      case "loop":
        return region(compileLoop(node, scope, compiler), "region", "loop");
      case "reduce":
        return region(compileReduce(node, scope, compiler), "items", "reduce");
      case "fold":
        return region(compileFold(node, scope, compiler), "region", "fold");
      case "if":
      case "match":
      case "try":
      case "scope":
        return region(compileBranching(node, scope, compiler), "region", undefined);
      case "assert": {
        const test = expr(node.test);
        const message = node.message === undefined ? undefined : expr(node.message);
        return (instance, at) => {
          if (test(instance) === true) nodeDone(instance, at, undefined, null);
          else
            nodeDone(
              instance,
              at,
              failure("assertion", message === undefined ? "the assertion does not hold" : String(message(instance))),
              null,
            );
        };
      }
      case "stop": {
        const test = expr(node.test);
        return (instance, at) => {
          const ends = test(instance) === true;
          if (ends) {
            instance.run.emit({ kind: "choice", path: instance.path, of: "stop", chosen: "stop" });
            stopRound(instance);
          }
          nodeDone(instance, at, undefined, null);
        };
      }
      case "ask":
        return compileAsk(node, scope, compiler);
      case "read":
      case "set":
      case "send":
      case "orchestrate":
        return (_instance: Instance) => {
          throw failure("tool_error", `this version cannot carry out ${node.kind}`);
        };
      default:
        return assertNever(node);
    }
  }

  return { graph, shapes, callable, flowBody, body: compileBody, expr: compiler.expr, analysis: bounded };
}

interface Edges {
  readonly dependents: readonly (readonly number[])[];
  readonly pending: readonly number[];
}

/** Who waits for each node, and for how many each waits; what does not run is not waited for. */
function edgesOf(nodes: readonly NodeIR[]): Edges {
  const index = new Map<string, number>();
  for (let i = 0; i < nodes.length; i++) index.set(nodes[i]?.id ?? "", i);
  const dependents: number[][] = nodes.map(() => []);
  const pending = new Array<number>(nodes.length).fill(0);
  const wait = (i: number, id: string): void => {
    const on = index.get(id);
    const known = on === undefined ? undefined : dependents[on];
    // The edges of one node are added together, so a repeated one is the last.
    if (known === undefined || known.at(-1) === i) return;
    known.push(i);
    pending[i] = (pending[i] ?? 0) + 1;
  };
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i] as NodeIR;
    for (const id of node.deps) wait(i, id);
    for (const id of node.after) wait(i, id);
  }
  return { dependents, pending };
}

/** Calls and regions on the longest way from each node to the end; nodes are in source order, so dependents come later. */
function ranksOf(nodes: readonly NodeIR[], dependents: readonly (readonly number[])[]): readonly number[] {
  const ranks = new Array<number>(nodes.length).fill(0);
  for (let i = nodes.length - 1; i >= 0; i--) {
    let longest = 0;
    for (const j of dependents[i] ?? []) longest = Math.max(longest, ranks[j] ?? 0);
    ranks[i] = longest + (nodes[i]?.kind === "value" ? 0 : 1);
  }
  return ranks;
}
