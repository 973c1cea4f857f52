/** What scorers name in a program: judges (an agent or flow, called with what a run gave as a run of its own) and types. */
import { resolve } from "node:path";
import { compile } from "../compile.js";
import { fileHost, shown } from "../host/files.js";
import type { AgentIR, FlowIR, Graph, NodeIR, TypeIR } from "../plan/ir.js";
import { typeText } from "../plan/text.js";
import { random } from "../runtime/hash.js";
import { sample } from "../runtime/sample.js";
import { validate } from "../runtime/schema.js";

export interface Judge {
  /** Of the flow that is run. */
  readonly flow: FlowIR;
  readonly wants: ReadonlySet<string>;
}

/** The graph with a flow for each judge, or why one of them cannot judge what the flow gives. */
export function withJudges(
  graph: Graph,
  flow: FlowIR,
  names: readonly string[],
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
    const misfit = mayNotFit(flow.result, output.type, graph.types);
    if (misfit !== undefined)
      return `the judge ${name} takes ${typeText(output.type, 100)} as \`output\`, and ${flow.name} gives ${typeText(flow.result, 100)}: ${misfit}`;
    const wants = new Set(callable.params.map((param) => param.name).filter((param) => known.includes(param)));
    const made = agent === undefined ? (own as FlowIR) : calling(agent, wants);
    flows[made.id] = made;
    entries[made.name] = made.id;
    judges.set(name, { flow: made, wants });
  }
  return { graph: { ...graph, flows, entries }, judges };
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

/** Why a value of one type may not fit another, found by trying some. */
function mayNotFit(given: TypeIR, wanted: TypeIR, types: Readonly<Record<string, TypeIR>>): string | undefined {
  for (let seed = 1; seed <= 20; seed++) {
    const checked = validate(wanted, sample(given, { types, random: random(seed), full: seed % 2 === 0 }), types);
    if (!checked.ok) return checked.message;
  }
  return undefined;
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
