/** What scorers name in a program: judges (an agent or flow, called with what a run gave as a run of its own) and types. */
import { resolve } from "node:path";
import { compile } from "../compile.js";
import { fileHost, shown } from "../host/files.js";
import type { AgentIR, FlowIR, Graph, NodeIR, TypeIR } from "../plan/ir.js";
import type { Typed } from "../semantics/check.js";
import { assignable, mismatch } from "../semantics/relate.js";
import { type Callable, isCallableDecl } from "../semantics/symbols.js";
import { expand, fieldOf, members, type Type, typeText } from "../semantics/types.js";

export interface Judge {
  /** Of what is expected, where the judge wants that. */
  readonly expected: TypeIR | undefined;
  /** Of the flow that is run. */
  readonly flow: FlowIR;
  readonly wants: ReadonlySet<string>;
}

/** The graph with a flow for each judge, or why one of them cannot judge what the flow gives. */
export function withJudges(
  graph: Graph,
  flow: FlowIR,
  names: readonly string[],
  typed: Typed,
): { readonly graph: Graph; readonly judges: ReadonlyMap<string, Judge> } | string {
  const judges = new Map<string, Judge>();
  const flows: Record<string, FlowIR> = { ...graph.flows };
  const entries: Record<string, string> = { ...graph.entries };
  for (const name of new Set(names)) {
    const agent = Object.values(graph.agents).find((each) => each.name === name);
    const own = Object.values(graph.flows).find((each) => each.name === name);
    const callable = agent ?? own;
    if (callable === undefined) {
      const known = [...Object.values(graph.agents), ...Object.values(graph.flows)].map((each) => each.name);
      return `the program has no agent or flow ${name} to judge with; it has ${[...new Set(known)].join(", ")}`;
    }
    const inputs = flow.params.map((param) => param.name);
    const known = ["output", "expected", ...inputs];
    const foreign = callable.params.find((param) => !known.includes(param.name) && param.default === undefined);
    if (foreign !== undefined)
      return `the judge ${name} wants \`${foreign.name}\`; a judge takes \`output\`, \`expected\` and inputs of the flow (${inputs.join(", ")})`;
    const output = callable.params.find((param) => param.name === "output");
    if (output === undefined) return `the judge ${name} has no parameter \`output\` for what the flow gave`;
    const wrong = misfit(name, callable, flow, typed);
    if (wrong !== undefined) return wrong;
    const wants = new Set(callable.params.map((param) => param.name).filter((param) => known.includes(param)));
    const made = agent === undefined ? (own as FlowIR) : calling(agent, wants);
    flows[made.id] = made;
    entries[made.name] = made.id;
    const expected = callable.params.find((param) => param.name === "expected")?.type;
    judges.set(name, { flow: made, wants, expected });
  }
  return { graph: { ...graph, flows, entries }, judges };
}

/** What does not fit between a judge and the flow that it judges; undefined when all does. */
function misfit(name: string, judge: AgentIR | FlowIR, flow: FlowIR, typed: Typed): string | undefined {
  const [its, judged] = [signatureOf(typed, judge), signatureOf(typed, flow)];
  if (its === undefined || judged === undefined) return undefined;
  for (const param of its.params) {
    const given = param.name === "output" ? judged.result() : judged.params.find((each) => each.name === param.name)?.type;
    if (given === undefined || param.name === "expected" || assignable(given, param.type)) continue;
    const what = param.name === "output" ? `${flow.name} gives` : `${flow.name} takes`;
    return `the judge ${name} takes ${typeText(param.type)} as \`${param.name}\`, and ${what} ${typeText(given)}: ${mismatch(given, param.type)}`;
  }
  const result = its.result();
  return isJudgement(result)
    ? undefined
    : `the judge ${name} gives ${typeText(result)}; a judge gives a bool, a number from 0 to 1, or a record with such a \`score\``;
}

/** A flow that does nothing but call an agent. */
function calling(agent: AgentIR, wants: ReadonlySet<string>): FlowIR {
  const params = agent.params.filter((param) => wants.has(param.name));
  const id = `judge ${agent.id}`;
  const call: NodeIR = {
    id: `${id} call`,
    segment: agent.name,
    span: agent.span,
    type: agent.result,
    deps: [],
    after: [],
    effect: agent.effect,
    needed: true,
    policies: {},
    kind: "call",
    callee: { kind: "agent", id: agent.id },
    args: params.map((param) => ({ param: param.name, value: { kind: "ref", id: param.id } })),
  };
  return {
    kind: "flow",
    id,
    name: `judge ${agent.name}`,
    params,
    result: agent.result,
    span: agent.span,
    policies: {},
    effect: agent.effect,
    hash: agent.hash,
    body: { nodes: [call], result: { kind: "ref", id: call.id } },
  };
}

/** The signature of an agent or flow, by where it is declared: the graph has its types written out. */
function signatureOf({ checker, resolved }: Typed, { span }: AgentIR | FlowIR): Callable | undefined {
  for (const { names } of resolved.scopes)
    for (const symbol of names.values())
      if (isCallableDecl(symbol.decl) && symbol.scope.module.file === span.file && contains(symbol.decl, span.start))
        return checker.signature(symbol);
  return undefined;
}

const contains = ({ span }: { readonly span: { readonly start: number; readonly end: number } }, at: number): boolean =>
  span.start <= at && at < span.end;

/** Whether what a judge gives is a judgement: a bool, a number, or a record with such a `score` or `pass`. */
function isJudgement(type: Type): boolean {
  const of = expand(type);
  switch (of.kind) {
    case "bool":
    case "int":
    case "float":
    case "error":
      return true;
    case "literal":
      return typeof of.value !== "string";
    case "union":
      return members(of).every(isJudgement);
    case "record": {
      const said = fieldOf(of, "score") ?? fieldOf(of, "pass");
      return said !== undefined && expand(said).kind !== "record" && isJudgement(said);
    }
    default:
      return false;
  }
}

export interface NamedType {
  readonly type: TypeIR;
  readonly types: Graph["types"];
}

/** A type by the name that it has in a program: the graph has types written out, so a parameter of it is compiled. */
export function typeIn(file: string, name: string): NamedType | undefined {
  if (!/^[A-Za-z_]\w*$/.test(name)) return undefined;
  const path = shown(resolve(file));
  const text = fileHost().read(path);
  if (text === undefined) return undefined;
  const flow = "the_type_that_a_scorer_names";
  const { graph } = compile(path, fileHost(new Map([[path, `${text}\n\nflow ${flow}(value: ${name}) -> null {\n  null\n}\n`]])));
  const type = graph?.flows[graph.entries[flow] ?? ""]?.params[0]?.type;
  return graph === undefined || type === undefined ? undefined : { type, types: graph.types };
}
