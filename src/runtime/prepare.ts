/** Finds and loads everything that a run needs, its inputs first; what stands in the way is told before anything is spent. */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { type Problem, problems } from "../diagnostics/problems.js";
import { bounds } from "../plan/bounds.js";
import { tooMuchToKeep } from "../plan/budgets.js";
import type { CalleeRef, FlowIR, Graph } from "../plan/ir.js";
import { compileExpr, type EvalContext } from "./evaluate.js";
import { thrownMessage } from "./failure.js";
import { layout, newFrame } from "./frame.js";
import type { RunOptions } from "./options.js";
import { program } from "./program.js";
import type { Provider } from "./provider.js";
import { reach } from "./reach.js";
import { shapes } from "./shape.js";
import type { ToolFunction } from "./tool.js";
import { typeProse } from "./type-prose.js";
import { unsupported } from "./unsupported.js";
import type { Fields } from "./values.js";

export interface Prepared {
  readonly graph: Graph;
  readonly globals: ReadonlyMap<string, unknown>;
  readonly tools: Map<string, ToolFunction>;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly simulated: boolean;
  readonly problems: readonly Problem[];
}

/** Checks and loads everything that a run of this flow needs, its inputs first. */
export async function prepare(
  graph: Graph,
  flow: FlowIR,
  inputs: Fields,
  options: RunOptions,
): Promise<Prepared & { readonly inputs: Fields }> {
  const found = problems();
  const checked = await checkInputs(graph, flow, inputs, found);
  const prepared = await prepareProgram(graph, [{ kind: "flow", id: flow.id }], options);
  // What was begun goes on as far as its budget allows.
  if (options.past === undefined && flow.policies.budget !== undefined && !found.hasErrors()) checkBudget(graph, flow, checked, found);
  return { ...prepared, inputs: checked, problems: [...prepared.problems, ...found.list()] };
}

/** Whether the budget of a flow pays for what these inputs need at least. */
function checkBudget(graph: Graph, flow: FlowIR, inputs: Fields, found: Sink): void {
  const { budget } = bounds(graph, inputs).of(flow);
  const kept = budget === undefined ? undefined : tooMuchToKeep(budget);
  if (kept !== undefined) found.report(d.budgetCannotEnd, flow.span, kept.facts, { related: kept.related });
}

/** Checks and loads everything that calling these needs. */
export async function prepareProgram(graph: Graph, roots: readonly CalleeRef[], options: RunOptions): Promise<Prepared> {
  const found = problems();
  const stubbed = isStubbed(graph, options);
  const missing = unsupported(graph, roots, stubbed);
  const never = missing.find((each) => !each.needsStore);
  if (never !== undefined) found.report(d.unsupportedConstruct, never.span, { construct: never.construct });
  // A test is alone, and what is replayed locks nothing out.
  const isAlone = options.intercept !== undefined || options.tape?.replays === true;
  const unkept = options.journal !== undefined || isAlone ? undefined : missing.find((each) => each.needsStore);
  if (unkept !== undefined) found.report(d.needsStore, unkept.span, { construct: unkept.construct });
  const globals = readGlobals(graph, options, found);
  const { callables, models } = found.hasErrors() ? { callables: [], models: [] } : reach(graph, roots, stubbed);
  const tools = await loadTools(graph, callables, options, stubbed, found);
  const providers = findProviders(graph, models, options, found);
  const simulated = [...providers.values()].some((provider) => provider.simulated);
  return { graph, globals, tools, providers, simulated, problems: found.list().filter((problem) => problem.severity === "error") };
}

/** Stubs need neither their module nor a provider. */
function isStubbed(graph: Graph, options: RunOptions): (ref: CalleeRef) => boolean {
  const { intercept } = options;
  if (intercept === undefined) return () => false;
  const bare = program({ graph, shapes: shapes(graph.types), context: bareContext(graph, new Map()), intercept: undefined });
  return (ref) => intercept(bare.callable(ref)) !== undefined;
}

type Sink = ReturnType<typeof problems>;

/** In a test whatever a secret could reach is stubbed, so it need not be set there. */
export function readGlobals(
  graph: Graph,
  { environment, intercept, tape }: Pick<RunOptions, "environment" | "intercept" | "tape">,
  found: Sink,
): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>();
  for (const global of graph.globals) {
    if (global.kind === "value") {
      const scope = layout(undefined);
      values.set(global.id, compileExpr(global.value, scope, bareContext(graph, values))(newFrame(scope, undefined)));
      continue;
    }
    // A recording holds no secret, so none is needed to replay it, and none may make a difference.
    const masked = global.kind === "secret" && tape?.replays === true;
    const given = masked && tape?.offline === true ? undefined : environment(global.name);
    const value = given ?? (global.kind === "env" ? global.default : masked ? "[redacted]" : undefined);
    const needed = global.kind === "env" || intercept === undefined;
    if (value === undefined && needed)
      found.report(d.missingEnvironment, global.span, { name: global.name, secret: global.kind === "secret" });
    values.set(global.id, value ?? "");
  }
  return values;
}

export function bareContext(graph: Graph, globals: ReadonlyMap<string, unknown>): EvalContext {
  const { cut } = shapes(graph.types);
  return { globals, cut, cast: () => (value) => value };
}

/** Inputs as the flow declares them: defaults filled in, cut to their types; what does not fit is reported. */
export async function checkInputs(graph: Graph, flow: FlowIR, inputs: Fields, found: Sink): Promise<Fields> {
  const { exactly } = shapes(graph.types);
  const out: Record<string, unknown> = {};
  const known = flow.params.map((param) => param.name);
  for (const name of Object.keys(inputs)) {
    if (!known.includes(name)) found.report(d.unknownArgument, flow.span, { flow: flow.name, name, known });
  }
  for (const param of flow.params) {
    const value = inputs[param.name];
    if (value === undefined) {
      if (param.default !== undefined) continue;
      if (exactly(param.type)(null)) out[param.name] = null;
      else found.report(d.missingArgument, flow.span, { flow: flow.name, name: param.name, type: typeProse(param.type) });
    } else if (exactly(param.type)(value)) out[param.name] = value;
    else {
      const { validate } = await import("./schema.js");
      const checked = validate(param.type, value, graph.types);
      if (checked.ok) out[param.name] = checked.value;
      else found.report(d.wrongArgument, flow.span, { flow: flow.name, name: param.name, reason: checked.message });
    }
  }
  return out;
}

async function loadTools(
  graph: Graph,
  callables: readonly CalleeRef[],
  options: RunOptions,
  stubbed: (ref: CalleeRef) => boolean,
  found: Sink,
): Promise<Map<string, ToolFunction>> {
  const functions = new Map<string, ToolFunction>();
  await Promise.all(
    callables.map(async (ref) => {
      const tool = ref.kind === "tool" ? graph.tools[ref.id] : undefined;
      if (tool === undefined || tool.binding.kind !== "module" || stubbed(ref)) return;
      if (options.tape?.replays === true) {
        // What is replayed need not be there; what must be asked for really is loaded then.
        functions.set(ref.id, async (args, context) => (await options.tools.load(tool))(args, context));
        return;
      }
      try {
        functions.set(ref.id, await options.tools.load(tool));
      } catch (thrown) {
        found.report(d.toolNotLoaded, tool.span, { tool: tool.name, reason: thrownMessage(thrown) });
      }
    }),
  );
  return functions;
}

function findProviders(
  graph: Graph,
  models: readonly string[],
  { models: from, tape }: RunOptions,
  found: Sink,
): ReadonlyMap<string, Provider> {
  const providers = new Map<string, Provider>();
  for (const id of models) {
    const model = graph.models[id];
    if (model === undefined || model.fallback !== undefined || model.balance !== undefined) continue;
    const provider = tape === undefined ? from.provider(model) : tape.provider(model, from.provider);
    if (!("missing" in provider)) providers.set(id, provider);
    else if (provider.missing === "key")
      found.report(d.missingKey, model.span, { model: model.name, provider: model.provider ?? "", variable: provider.variable });
    else if (provider.missing === "address") found.report(d.missingAddress, model.span, { model: model.name, variable: provider.variable });
    else if (provider.missing === "program") found.report(d.missingProgram, model.span, { model: model.name, program: provider.program });
    else found.report(d.providerNotHere, model.span, { model: model.name, provider: model.provider ?? "", known: provider.known });
  }
  return providers;
}
