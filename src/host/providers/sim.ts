/**
 * The provider `sim`: answers from the declared type of the answer, drawn from a seed and the stable path of the call,
 * so that the same run gives the same answers whatever order its calls come in. Latency passes on the run's clock.
 */
import { type FailureKind, failure, isFailureKind } from "../../runtime/failure.js";
import { randomFor } from "../../runtime/hash.js";
import type { ModelAnswer, ModelRequest, Provider, RequestContext, ToolCallRequest } from "../../runtime/provider.js";
import { sample } from "../../runtime/sample.js";
import { isFields } from "../../runtime/values.js";
import { utf8Length } from "../../source/utf8.js";

export interface SimOptions {
  /** Milliseconds of an answer; by default 40 to 160, drawn from the seed. */
  readonly latencyMs?: number | ((request: ModelRequest) => number);
  /** Share of requests that fail with each kind. */
  readonly faults?: readonly { readonly kind: FailureKind; readonly share: number }[];
  /** How many turns an agent with tools spends on them before it answers; 0 by default. */
  readonly toolTurns?: number;
  /** Takes every declared limit to the full: tokens, turns, tool calls, repairs, lengths. */
  readonly adversarial?: boolean;
}

/** Reads `rate_limit:5%,timeout:1%`; undefined where it cannot be read. */
export function parseFaults(text: string): NonNullable<SimOptions["faults"]> | undefined {
  const out: { kind: FailureKind; share: number }[] = [];
  for (const part of text.split(",").filter((each) => each.trim() !== "")) {
    const match = /^\s*([a-z_]+)\s*:\s*(\d+(?:\.\d+)?)(%?)\s*$/.exec(part);
    const kind = match?.[1];
    if (match === null || !isFailureKind(kind)) return undefined;
    const share = Number(match[2]) / (match[3] === "%" ? 100 : 1);
    if (share > 1) return undefined;
    out.push({ kind, share });
  }
  return out;
}

export function simulator(options: SimOptions = {}): Provider {
  return { name: "sim", simulated: true, timed: true, ask: (request, context) => answer(request, context, options) };
}

async function answer(request: ModelRequest, context: RequestContext, options: SimOptions): Promise<ModelAnswer> {
  let drawing: (() => number) | undefined;
  const fate = (): number => {
    drawing ??= randomFor(request.seed, `fate ${request.path} ${request.attempt} ${request.turn}`);
    return drawing();
  };
  const { latencyMs } = options;
  const declared = request.model.options["latency"];
  const usual = typeof declared === "number" ? declared : 40 + fate() * 120;
  const latency = latencyMs === undefined ? usual : typeof latencyMs === "number" ? latencyMs : latencyMs(request);
  const inputTokens = (): number => (options.adversarial === true ? request.inputBound : Math.min(request.inputBound, inputSize(request)));
  // A model works while its latency passes.
  const waited = pause(context, latency, inputTokens);
  // What else is sent now goes out first.
  await undefined;
  const outcome = outcomeOf(request, options, fate(), inputTokens());
  await waited;
  if ("failed" in outcome) throw outcome.failed;
  if (outcome.answer.text !== "" && outcome.shown) context.onDelta(outcome.answer.text);
  return outcome.answer;
}

type Outcome = { readonly failed: unknown } | { readonly answer: ModelAnswer; readonly shown: boolean };

/** What comes of a request; `drawn` decides whether it is one that fails. */
function outcomeOf(request: ModelRequest, options: SimOptions, drawn: number, inputTokens: number): Outcome {
  let left = drawn;
  for (const { kind, share } of options.faults ?? []) {
    if (left < share) {
      if (kind === "invalid_output") {
        const usage = { inputTokens, outputTokens: 8 };
        return { answer: { text: "I would rather not say.", toolCalls: [], usage, finish: "stop" }, shown: false };
      }
      const failed = failure(kind, `simulated ${kind}`, kind === "rate_limit" ? { retryAfterMs: 500 } : {});
      return { failed: Object.assign(failed, { usage: { inputTokens: 0, outputTokens: 0 } }) };
    }
    left -= share;
  }
  const random = randomFor(request.seed, `${request.path} ${request.turn}`);
  try {
    const toolCalls = toolCallsOf(request, options, random);
    const text = toolCalls.length > 0 ? "" : textOf(request, options, random);
    const outputTokens =
      options.adversarial === true
        ? request.maxOutput
        : Math.min(request.maxOutput, Math.ceil(utf8Length(text === "" ? JSON.stringify(toolCalls) : text) / 4));
    const finish = toolCalls.length > 0 ? "tools" : "stop";
    return { answer: { text, toolCalls, usage: { inputTokens, outputTokens }, finish }, shown: true };
  } catch (thrown) {
    return { failed: thrown };
  }
}

function inputSize(request: ModelRequest): number {
  return Math.ceil(
    utf8Length(
      JSON.stringify([
        request.system ?? "",
        request.messages,
        request.schema ?? null,
        request.tools.map((tool) => [tool.name, tool.description, tool.parameters]),
      ]),
    ) / 4,
  );
}

function textOf(request: ModelRequest, options: SimOptions, random: () => number): string {
  if (options.adversarial === true && request.limits.repairs > 0 && request.answer.kind !== "string") return "no JSON";
  const value = sample(request.answer, {
    types: request.types,
    random,
    full: options.adversarial === true,
    references: options.adversarial === true ? [] : (request.references ?? []),
  });
  return typeof value === "string" && request.schema === undefined ? value : JSON.stringify(value);
}

function toolCallsOf(request: ModelRequest, options: SimOptions, random: () => number): readonly ToolCallRequest[] {
  const { tools, limits } = request;
  if (tools.length === 0 || limits.turns <= 0) return [];
  if (options.adversarial !== true && request.turn > (options.toolTurns ?? 0)) return [];
  const count = options.adversarial === true ? limits.calls : 1;
  return Array.from({ length: count }, (_, i): ToolCallRequest => {
    const tool = tools[Math.floor(random() * tools.length)] ?? tools[0];
    const fields = (tool?.parameterTypes ?? []).filter((param) => !param.optional);
    const drawn = sample(
      { kind: "record", fields: fields.map((param) => ({ name: param.name, type: param.type, optional: false })) },
      { types: request.types, random },
    );
    return { id: `call-${request.turn}-${i + 1}`, name: tool?.name ?? "", arguments: isFields(drawn) ? drawn : {} };
  });
}

/** Waits on the run's clock; an abort ends the wait, and what was sent so far is what it cost. */
function pause({ clock, onAbort }: RequestContext, ms: number, inputTokens: () => number): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancelTimer = clock.after(ms, resolve);
    onAbort(() => {
      cancelTimer();
      const usage = { inputTokens: inputTokens(), outputTokens: 0 };
      reject(Object.assign(failure("cancelled", "the request was aborted"), { usage }));
    });
  });
}
