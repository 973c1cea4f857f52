/**
 * One streamed answer, collected: its text told on the way, tool calls with arguments that are JSON or say why they are
 * not, usage where the other side reports it, and what the model wants to see again. An answer without its end is none.
 */
import type { LanguageModelV4, LanguageModelV4FinishReason, LanguageModelV4Usage, SharedV4ProviderMetadata } from "@ai-sdk/provider";
import { failure, thrownMessage } from "../../runtime/failure.js";
import type { ModelAnswer, ModelRequest, RequestContext, ToolCallRequest, Usage } from "../../runtime/provider.js";
import { type AnswerForm, unwrapped } from "./answer-form.js";
import { type AssistantPart, callPart, replayKey } from "./conversation.js";

/** Longer than any model writes: what sends more does not end. */
const longestAnswer = 16_000_000;

export interface Collected {
  readonly parts: readonly AssistantPart[];
  readonly calls: readonly ToolCallRequest[];
  readonly text: string;
  readonly finish: { readonly reason: LanguageModelV4FinishReason; readonly usage: LanguageModelV4Usage } | undefined;
}

type Streamed = Awaited<ReturnType<LanguageModelV4["doStream"]>>["stream"];

/** The whole of a streamed answer, its text told on the way. */
export async function collect(stream: Streamed, context: RequestContext): Promise<Collected> {
  const parts: AssistantPart[] = [];
  const open = new Map<string, Extract<AssistantPart, { type: "text" | "reasoning" }>>();
  const calls: ToolCallRequest[] = [];
  let text = "";
  let size = 0;
  let finish: Collected["finish"];
  for await (const part of stream) {
    switch (part.type) {
      case "text-start":
      case "reasoning-start": {
        const made = { type: part.type === "text-start" ? ("text" as const) : ("reasoning" as const), text: "" };
        remember(made, part.providerMetadata);
        open.set(`${made.type} ${part.id}`, made);
        parts.push(made);
        break;
      }
      case "text-delta":
      case "reasoning-delta": {
        const found = open.get(`${part.type === "text-delta" ? "text" : "reasoning"} ${part.id}`);
        size += part.delta.length;
        if (size > longestAnswer) throw failure("invalid_output", "the answer does not end: more than 16 million characters came");
        if (found !== undefined) {
          found.text += part.delta;
          remember(found, part.providerMetadata);
        }
        if (part.type === "text-delta") {
          text += part.delta;
          if (part.delta !== "") context.onDelta(part.delta);
        }
        break;
      }
      case "text-end":
      case "reasoning-end": {
        const found = open.get(`${part.type === "text-end" ? "text" : "reasoning"} ${part.id}`);
        if (found !== undefined) remember(found, part.providerMetadata);
        break;
      }
      case "tool-call": {
        if (part.providerExecuted === true) break;
        const call = toolCall(part.toolCallId, part.toolName, part.input);
        const made = callPart(call);
        remember(made, part.providerMetadata);
        calls.push(call);
        parts.push(made);
        break;
      }
      case "finish":
        finish = { reason: part.finishReason, usage: part.usage };
        break;
      case "error":
        throw part.error;
      default:
        // Citations, files and the like have no place in an answer.
        break;
    }
  }
  return { parts, calls, text, finish };
}

/** What a provider says about a part, it wants to be told again with it. */
function remember(part: AssistantPart, metadata: SharedV4ProviderMetadata | undefined): void {
  if (metadata === undefined) return;
  const before = part.providerOptions ?? {};
  part.providerOptions = Object.fromEntries(
    [...new Set([...Object.keys(before), ...Object.keys(metadata)])].map((name) => [name, { ...before[name], ...metadata[name] }]),
  );
}

function toolCall(id: string, name: string, input: string): ToolCallRequest {
  if (input.trim() === "") return { id, name, arguments: {} };
  try {
    return { id, name, arguments: JSON.parse(input) as unknown };
  } catch (thrown) {
    // Never mended: what a tool does with half of its arguments cannot be taken back.
    return { id, name, arguments: input, invalid: thrownMessage(thrown) };
  }
}

/** The answer as the runtime reads it; undefined where it was cut off. */
export function answered(collected: Collected, request: ModelRequest, form: AnswerForm): ModelAnswer | undefined {
  const { calls, finish, parts, text } = collected;
  const usage = finish === undefined ? undefined : usageOf(finish.usage);
  if (finish === undefined || finish.reason.unified === "interrupted") return undefined;
  if (finish.reason.unified === "other" && finish.reason.raw === undefined && usage === undefined) return undefined;
  const { unified, raw } = finish.reason;
  const told = finishOf(unified, raw, calls.length > 0);
  // Some servers say that an answer has ended where its limit ended it.
  const full = told === "stop" && usage !== undefined && usage.outputTokens >= request.maxOutput;
  const replays = parts.some((part) => part.type === "reasoning" || part.providerOptions !== undefined);
  return {
    text: form.wrapped ? unwrapped(text) : text,
    toolCalls: calls,
    usage,
    finish: full ? "unknown" : told,
    ...(/^(?:MALFORMED|UNEXPECTED)_/.test(raw ?? "")
      ? { flaw: "a tool call could not be read: its arguments must be JSON that fits" }
      : {}),
    ...(replays ? { replay: { by: replayKey(request), parts } } : {}),
  };
}

/** Words of servers that say "it ended by itself" in their own way. */
const ends = /^(?:eos|eos_token|end|end_turn|stop_sequence|complete|completed|finished|done)$/i;

function finishOf(reason: LanguageModelV4FinishReason["unified"], raw: string | undefined, calls: boolean): ModelAnswer["finish"] {
  if (reason === "content-filter") return "refused";
  if (reason === "length") return "length";
  if (calls) return "tools";
  return reason === "stop" || reason === "tool-calls" || ends.test(raw ?? "") ? "stop" : "unknown";
}

function usageOf({ inputTokens, outputTokens }: LanguageModelV4Usage): Usage | undefined {
  if (inputTokens.total === undefined || outputTokens.total === undefined) return undefined;
  return {
    inputTokens: inputTokens.total,
    outputTokens: outputTokens.total,
    ...(inputTokens.cacheRead ? { cachedInputTokens: inputTokens.cacheRead } : {}),
    ...(inputTokens.cacheWrite ? { cacheWriteTokens: inputTokens.cacheWrite } : {}),
    ...(outputTokens.reasoning ? { reasoningTokens: outputTokens.reasoning } : {}),
  };
}
