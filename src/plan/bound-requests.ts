/**
 * What an agent's attempt can send: one request for each turn and repair, each with everything that was said before. A
 * later request holds the prompt, what earlier turns wrote, and what tools gave back, as long as limits allow; it is
 * never more than the model's context.
 */
import { utf8Length } from "../source/utf8.js";
import { type Count, isNumber, larger, plus, sum, times } from "./bound-algebra.js";
import { type Amounts, add, NOTHING } from "./bound-amounts.js";
import { itemsOf, leastBytes, plainBytes, type Shape } from "./bound-sizes.js";
import type { AgentIR, Graph, MediaKind, ModelIR } from "./ir.js";
import { answerSchema, parametersSchema } from "./json-schema.js";
import { mediaCounts, mediaTaken } from "./media.js";
import {
  dearest,
  inputLimit,
  LAST_TURN,
  MEDIA_LABEL_BYTES,
  MESSAGE_BYTES,
  mediaBytes,
  outputLimit,
  overhead,
  perRequest,
  quotedBytes,
  REFUSAL_BYTES,
  REFUSED_CALLS,
  REPAIR_BYTES,
  requestCost,
  SHRINKS,
  SUMMARIES,
  SUMMARY_BYTES,
  TOOL_ERROR_BYTES,
  tokenFactor,
  turnBytes,
} from "./request-size.js";
import { declarationOf } from "./walk.js";

/** What requests use: at most, at least with the shortest texts, and what is kept back for the one that must be sent. */
export interface Requests {
  readonly most: Amounts;
  readonly least: Amounts<number>;
  readonly keep: Amounts<number>;
}

/** Bytes of what an agent says before its first answer. */
export interface PromptBytes {
  readonly most: Count;
  readonly least: number;
}

/** Bytes of an agent's messages, answer schema and tools, with the shapes of its texts. */
export function promptBytes(
  agent: AgentIR,
  graph: Graph,
  texts: { readonly prompt: Shape; readonly system: Shape | undefined; readonly examples: Shape | undefined },
): PromptBytes {
  const fixed = fixedBytes(agent, graph);
  const { prompt, system, examples } = texts;
  const given = examples === undefined ? { most: 0, least: 0 } : exampleBytes(examples);
  return {
    most: sum([plainBytes(prompt), system === undefined ? 0 : plainBytes(system), given.most, fixed]),
    least: leastBytes(prompt) + (system === undefined ? 0 : leastBytes(system)) + given.least + fixed,
  };
}

const fixedOf = new WeakMap<AgentIR, number>();

/** Framing, schema and tool definitions: the same for every call of the agent. */
function fixedBytes(agent: AgentIR, graph: Graph): number {
  let bytes = fixedOf.get(agent);
  if (bytes !== undefined) return bytes;
  bytes = MESSAGE_BYTES;
  const schema = answerSchema(agent.result, graph.types);
  if (schema !== undefined) bytes += utf8Length(JSON.stringify(schema));
  for (const ref of agent.tools) {
    const tool =
      ref.kind === "agent"
        ? graph.agents[ref.id]
        : ref.kind === "tool"
          ? graph.tools[ref.id]
          : ref.kind === "flow"
            ? graph.flows[ref.id]
            : graph.capabilities[ref.id];
    if (tool === undefined) continue;
    bytes += utf8Length(JSON.stringify([tool.name, tool.doc ?? "", parametersSchema(tool.params, graph.types)]));
  }
  fixedOf.set(agent, bytes);
  return bytes;
}

function exampleBytes(examples: Shape): { readonly most: Count; readonly least: number } {
  const { of, min, max } = itemsOf(examples);
  // An example is two messages, which together are no longer than its JSON.
  const most = times(max, plus(plainBytes(of), 2 * MESSAGE_BYTES));
  return { most, least: min * 2 * MESSAGE_BYTES };
}

/** The requests of one attempt whose answers fit, to the first model of a fallback: every turn, no repairs. */
export function plainRequests(agent: AgentIR, graph: Graph, prompt: PromptBytes): Amounts {
  const longest = longestOutput(agent.model, graph, agent.maxOutput);
  return askedOf(agent.model, graph, (model) =>
    conversation(agent, model, prompt.most, longest, { repairs: 0, shrinks: 0, shown: shownByTools(agent, graph) }),
  ).keep;
}

/** The requests of one attempt. */
export function requestsOf(agent: AgentIR, graph: Graph, prompt: PromptBytes): Requests {
  const output = (model: ModelIR): number => outputLimit(model, agent.maxOutput);
  const longest = longestOutput(agent.model, graph, agent.maxOutput);
  const single = askedOf(agent.model, graph, (model) => request(model, prompt.least, output(model)));
  // An agent that gets short answers in its first turn, and is told that it is the last.
  const first = askedOf(agent.model, graph, (model) => request(model, plus(prompt.most, lastBytes(agent)), output(model)));
  return {
    most: askedOf(agent.model, graph, (model) =>
      conversation(agent, model, prompt.most, longest, {
        repairs: agent.repairs,
        shrinks: agent.shrink === undefined ? 0 : SHRINKS,
        shown: shownByTools(agent, graph),
      }),
    ).most,
    least: numbers(single.least),
    keep: numbers(first.keep),
  };
}

function numbers(amounts: Amounts): Amounts<number> {
  const number = (count: Count): number => (isNumber(count) ? count : Number.POSITIVE_INFINITY);
  return {
    calls: 0,
    toolCalls: 0,
    requests: number(amounts.requests),
    inputTokens: number(amounts.inputTokens),
    outputTokens: number(amounts.outputTokens),
    cost: number(amounts.cost),
  };
}

/** What asking a model or group uses: a fallback may ask all of its models, a balanced group asks one of them. */
function askedOf(
  id: string,
  graph: Graph,
  one: (model: ModelIR) => Amounts,
): { readonly most: Amounts; readonly least: Amounts; readonly keep: Amounts } {
  const model = graph.models[id];
  if (model === undefined) return { most: NOTHING, least: NOTHING, keep: NOTHING };
  const group = (ids: readonly string[]) => ids.map((each) => askedOf(each, graph, one));
  if (model.fallback !== undefined) {
    const all = group(model.fallback);
    const [first] = all;
    return {
      most: all.reduce<Amounts>((out, each) => add(out, each.most), NOTHING),
      least: first?.least ?? NOTHING,
      keep: first?.keep ?? NOTHING,
    };
  }
  if (model.balance !== undefined) {
    const all = group(model.balance);
    return {
      most: extreme(
        all.map((each) => each.most),
        larger,
      ),
      least: extreme(
        all.map((each) => each.least),
        smaller,
      ),
      keep: extreme(
        all.map((each) => each.keep),
        larger,
      ),
    };
  }
  const amounts = one(model);
  return { most: amounts, least: amounts, keep: amounts };
}

const smaller = (a: Count, b: Count): Count => (isNumber(a) && isNumber(b) ? Math.min(a, b) : isNumber(a) ? a : b);

function extreme(all: readonly Amounts[], of: (a: Count, b: Count) => Count): Amounts {
  const [first, ...rest] = all;
  if (first === undefined) return NOTHING;
  return rest.reduce<Amounts>(
    (out, each) => ({
      calls: 0,
      toolCalls: 0,
      requests: of(out.requests, each.requests),
      inputTokens: of(out.inputTokens, each.inputTokens),
      outputTokens: of(out.outputTokens, each.outputTokens),
      cost: of(out.cost, each.cost),
    }),
    first,
  );
}

/** One request of so many bytes. */
function request(model: ModelIR, bytes: Count, output: number): Amounts {
  const inputTokens = inputTokensOf(model, bytes);
  return { calls: 0, toolCalls: 0, requests: 1, inputTokens, outputTokens: output, cost: costOf(model, inputTokens, output) };
}

function costOf(model: ModelIR, input: Count, output: number): Count {
  if (isNumber(input))
    return Number.isFinite(input) ? requestCost(model, input, output) : dearest(model).input === 0 ? requestCost(model, 0, output) : input;
  const rate = dearest(model);
  // Rounding up happens for each request, so it is counted for each.
  return plus(times(input, rate.input), output * rate.output + perRequest(model) + 1);
}

/** Where sizes are not numbers the context is the bound, if the model has one. */
function inputTokensOf(model: ModelIR, bytes: Count): Count {
  if (isNumber(bytes)) return inputLimit(model, bytes);
  return model.context ?? plus(times(bytes, tokenFactor(model)), overhead(model) + 1);
}

/** Tokens of output that any model of a group can write: what it wrote may go back to another. */
function longestOutput(id: string, graph: Graph, wanted: number | undefined): number {
  const model = graph.models[id];
  if (model === undefined) return 0;
  const group = model.fallback ?? model.balance;
  return group === undefined ? outputLimit(model, wanted) : Math.max(0, ...group.map((each) => longestOutput(each, graph, wanted)));
}

/** What media counts as, in bytes of text, for whichever model of a group is asked. */
export function mediaWeights(graph: Graph, id: string): Readonly<Record<MediaKind, number>> {
  const model = graph.models[id];
  const group = model?.fallback ?? model?.balance;
  if (model === undefined) return { image: 0, audio: 0, document: 0 };
  const of = (kind: MediaKind): number =>
    group === undefined ? mediaBytes(model, kind) : Math.max(0, ...group.map((each) => mediaWeights(graph, each)[kind]));
  return { image: of("image"), audio: of("audio"), document: of("document") };
}

/** What the result of one tool call shows at most beside its text, in bytes of text. */
function shownByTools(agent: AgentIR, graph: Graph): number {
  if (agent.tools.length === 0) return 0;
  const taken = mediaTaken(graph, agent.model);
  const weights = mediaWeights(graph, agent.model);
  const of = (ref: AgentIR["tools"][number]): number => {
    if (ref.kind === "channel") return 0;
    const counts = mediaCounts(declarationOf(graph, ref).result, graph.types);
    let bytes = 0;
    for (const kind of taken) if (counts[kind] > 0) bytes += counts[kind] * weights[kind] + MEDIA_LABEL_BYTES;
    return bytes;
  };
  return taken.size === 0 ? 0 : Math.max(0, ...agent.tools.map(of));
}

/** How a conversation grows: repairs that are asked for, requests that are sent again with less, and what the result of one tool call shows beside its text. */
interface Growth {
  readonly repairs: number;
  readonly shrinks: number;
  readonly shown: number;
}

/** Every request of a conversation: what grows it most comes first, as that is in most of the requests. */
function conversation(agent: AgentIR, model: ModelIR, prompt: Count, longest: number, { repairs, shrinks, shown }: Growth): Amounts {
  const output = outputLimit(model, agent.maxOutput);
  const repair = 2 * MESSAGE_BYTES + quotedBytes(longest) + REPAIR_BYTES;
  const withTools = agent.tools.length > 0;
  // The last turn has no tools.
  const toolTurns = withTools ? Math.max(0, agent.maxTurns - 1) : 0;
  const result = MESSAGE_BYTES + Math.max(3 * agent.maxToolResult, TOOL_ERROR_BYTES) + shown;
  // Names and ids of the tool messages repeat those of the calls.
  const refused = (REFUSED_CALLS - 1) * agent.maxCallsPerTurn * (MESSAGE_BYTES + REFUSAL_BYTES);
  const turn = MESSAGE_BYTES + 2 * turnBytes(longest) + agent.maxCallsPerTurn * result + refused;
  const [large, small] = turn > repair ? [turn, repair] : [repair, turn];
  const larges = turn > repair ? toolTurns : repairs;
  const later = toolTurns + repairs;
  // A request that is too long may be paid for all the same, and is sent again with less in it.
  let total: Amounts = shrinks > 0 && agent.shrink?.some(({ how }) => how === "summarise") ? summaries(model, prompt, output) : NOTHING;
  let bytes: Count = plus(prompt, lastBytes(agent));
  for (let at = 0; at <= later; at++) {
    const amounts = request(model, bytes, output);
    // From here on every request fills the context, or nothing is known of any.
    if (amounts.inputTokens === model.context || bytes === Number.POSITIVE_INFINITY)
      return add(total, repeated(amounts, later + 1 - at + shrinks));
    total = add(total, repeated(amounts, at === later ? 1 + shrinks : 1));
    bytes = plus(bytes, at < larges ? large : small);
  }
  return total;
}

/** What tells an agent with tools that no more can be used. */
const lastBytes = (agent: AgentIR): number => (agent.tools.length === 0 ? 0 : utf8Length(LAST_TURN) + MESSAGE_BYTES);

/** Every summary of a parameter: a piece is no longer than the prompt that it stands in. */
function summaries(model: ModelIR, prompt: Count, output: number): Amounts {
  return repeated(request(model, plus(prompt, SUMMARY_BYTES), output), SHRINKS * SUMMARIES);
}

function repeated(amounts: Amounts, by: number): Amounts {
  const all = (count: Count): Count => times(count, by);
  return {
    calls: 0,
    toolCalls: 0,
    requests: all(amounts.requests),
    inputTokens: all(amounts.inputTokens),
    outputTokens: all(amounts.outputTokens),
    cost: all(amounts.cost),
  };
}

/** How many requests an attempt may send to one model. */
export const requestCount = (agent: AgentIR): number =>
  (agent.tools.length === 0 ? 1 : agent.maxTurns) +
  agent.repairs +
  (agent.shrink === undefined ? 0 : SHRINKS * (agent.shrink.some(({ how }) => how === "summarise") ? 1 + SUMMARIES : 1));
/** How many tool calls an attempt may make. */
export const toolCallCount = (agent: AgentIR): number =>
  agent.tools.length === 0 ? 0 : Math.max(0, agent.maxTurns - 1) * agent.maxCallsPerTurn;
