/**
 * Models and tools at their worst: every answer as long as its type allows, in the characters that take most room, every
 * turn and repair used up, more tool calls than are allowed, usage as high as it was reserved, and failures until
 * attempts run out. What happens to a call is drawn from a seed and its path, so that a run can be repeated.
 */
import type { Graph, ParamIR, TypeIR } from "../../src/plan/ir.js";
import type { Clock } from "../../src/runtime/clock.js";
import { type FailureKind, failure } from "../../src/runtime/failure.js";
import { randomFor } from "../../src/runtime/hash.js";
import type { ModelAnswer, ModelRequest, Provider, RequestContext } from "../../src/runtime/provider.js";
import { sample } from "../../src/runtime/sample.js";
import type { ToolFunction } from "../../src/runtime/tool.js";

type Types = Graph["types"];
type Random = () => number;

const characters = ["a", "é", "€", "😀", "\u0001", '"', "\\", "\n"];
/** How long a text or list may be where nothing limits it. */
const OPEN_TEXT = 120;
const OPEN_LIST = 5;

/** A value of a type that takes as much room as it may. */
export function longest(type: TypeIR, types: Types, random: Random): unknown {
  switch (type.kind) {
    case "string": {
      const character = characters[Math.floor(random() * characters.length)] ?? "a";
      return character.repeat(type.max ?? Math.floor(random() * OPEN_TEXT) + 1);
    }
    case "int":
      return random() < 0.5 ? (type.min ?? -1_000_000) : (type.max ?? 1_000_000);
    case "float":
      return type.max ?? 0.123456789012345;
    case "literal":
      return type.value;
    case "list":
      return Array.from({ length: type.max ?? Math.floor(random() * OPEN_LIST) + 1 }, () => longest(type.of, types, random));
    case "record":
      return Object.fromEntries(type.fields.map((field) => [field.name, longest(field.type, types, random)]));
    case "union": {
      const member = type.of[Math.floor(random() * type.of.length)];
      return member === undefined ? null : longest(member, types, random);
    }
    case "ref": {
      const target = types[type.name];
      return target === undefined ? null : longest(target, types, random);
    }
    case "bool":
      return false;
    default:
      return null;
  }
}

const transient: readonly FailureKind[] = ["unavailable", "timeout", "rate_limit", "overloaded"];

/** Fails this time, in one of the ways of the outside, with or without saying what it cost. */
function fail(random: Random, request: ModelRequest): never {
  const kind = transient[Math.floor(random() * transient.length)] ?? "unavailable";
  const usage = random() < 0.5 ? {} : { usage: { inputTokens: request.inputBound, outputTokens: request.maxOutput } };
  throw Object.assign(failure(kind, "it does not work ".repeat(Math.floor(random() * 40))), usage);
}

/** Waits on the run's clock, and stops waiting when aborted. */
function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = (): void => {
      cancelTimer();
      reject(new DOMException("aborted", "AbortError"));
    };
    const cancelTimer = clock.after(ms, () => {
      signal.removeEventListener("abort", gone);
      resolve();
    });
    if (signal.aborted) gone();
    else signal.addEventListener("abort", gone, { once: true });
  });
}

export interface Malice {
  readonly seed: number;
  /** How likely a call fails once more, and how likely an answer is wrong. */
  readonly failing: number;
  readonly wrong: number;
}

/** A provider that uses up what a request allows. */
export function adversary(malice: Malice): Provider {
  return {
    name: "adversary",
    simulated: true,
    timed: true,
    async ask(request: ModelRequest, context: RequestContext): Promise<ModelAnswer> {
      const random = randomFor(malice.seed, `${request.path} ${request.attempt} ${request.turn} ${request.model.id}`);
      await pause(context.clock, Math.floor(random() * 200), context.signal);
      const usage = { inputTokens: request.inputBound, outputTokens: request.maxOutput };
      const { limits, tools } = request;
      const last = limits.turns <= 0 || tools.length === 0;
      if (!last && random() < 0.9) {
        const many = limits.calls + (random() < 0.3 ? Math.floor(random() * 4) : 0);
        const toolCalls = Array.from({ length: many }, (_, i) => {
          const tool = tools[Math.floor(random() * tools.length)];
          const fields = (tool?.parameterTypes ?? []).map((param) => ({ ...param, type: shorter(param.type) }));
          return {
            id: `call-${request.turn}-${i}`,
            name: random() < 0.05 ? "nobody" : (tool?.name ?? ""),
            arguments: longest({ kind: "record", fields }, request.types, random),
          };
        });
        return { text: random() < 0.5 ? "" : "Let me see.", toolCalls, usage, finish: "tools" };
      }
      if (limits.repairs > 0 && random() < malice.wrong) {
        const noise = (characters[Math.floor(random() * characters.length)] ?? "a").repeat(Math.floor(random() * 12 * request.maxOutput));
        return {
          text: `no ${noise}`,
          toolCalls: [],
          usage,
          finish: random() < 0.5 || request.answer.kind === "string" ? "length" : "stop",
        };
      }
      // Where every turn and repair is used up a failure costs most.
      if (random() < malice.failing) fail(random, request);
      const value = longest(request.answer, request.types, random);
      const text = typeof value === "string" && request.schema === undefined ? value : JSON.stringify(value);
      return { text: text === "" ? "a" : text, toolCalls: [], usage, finish: "stop" };
    },
  };
}

/** A provider whose answers fit, each as long as it may be, and that uses up what a request allows; it calls tools as long as it may. */
export function diligent(seed: number): Provider {
  return {
    name: "diligent",
    simulated: true,
    timed: true,
    async ask(request: ModelRequest, context: RequestContext): Promise<ModelAnswer> {
      const random = randomFor(seed, `${request.path} ${request.attempt} ${request.turn}`);
      await pause(context.clock, Math.floor(random() * 200), context.signal);
      const usage = { inputTokens: request.inputBound, outputTokens: request.maxOutput };
      const { limits, tools, types } = request;
      const tool = tools[Math.floor(random() * tools.length)];
      if (limits.turns > 0 && tool !== undefined && random() < 0.7) {
        const fields = tool.parameterTypes.map((param) => ({ ...param, optional: false, type: shorter(param.type) }));
        const given = sample({ kind: "record", fields }, { types, random });
        return { text: "", toolCalls: [{ id: "one", name: tool.name, arguments: given }], usage, finish: "tools" };
      }
      const value = sample(request.answer, { types, random, full: true });
      const text = typeof value === "string" && request.schema === undefined ? value : JSON.stringify(value);
      return { text: text === "" ? "a" : text, toolCalls: [], usage, finish: "stop" };
    },
  };
}

/** A tool that gives as much as it may. */
export function diligentTool(tool: { readonly result: TypeIR }, types: Types, seed: number): ToolFunction {
  return async (_args, context) => {
    const random = randomFor(seed, `${context.call} ${context.attempt}`);
    context.clock.release();
    await pause(context.clock, Math.floor(random() * 150), context.signal).finally(() => context.clock.hold());
    return sample(tool.result, { types, random, full: true });
  };
}

/** Arguments have to be short enough for a model to write them. */
function shorter(type: TypeIR): TypeIR {
  if (type.kind === "string" && type.max === undefined) return { ...type, max: 12 };
  if (type.kind === "list") return { ...type, of: shorter(type.of), max: Math.min(type.max ?? 2, 3) };
  return type;
}

/** A tool that gives as much as it may, or fails, after a while. */
export function adversarialTool(
  tool: { readonly id: string; readonly result: TypeIR; readonly params: readonly ParamIR[] },
  types: Types,
  malice: Malice,
): ToolFunction {
  return async (_args, context) => {
    const random = randomFor(malice.seed, `${context.call} ${context.attempt}`);
    // A tool's promise holds the clock, which has to go on meanwhile.
    context.clock.release();
    await pause(context.clock, Math.floor(random() * 150), context.signal).finally(() => context.clock.hold());
    if (random() < malice.failing)
      throw failure(random() < 0.7 ? "unavailable" : "tool_error", "it failed ".repeat(Math.floor(random() * 300)));
    return longest(tool.result, types, random);
  };
}
