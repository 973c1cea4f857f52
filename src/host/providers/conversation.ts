/**
 * A request of the runtime as call options of the AI SDK's model interface: system prompt, turns, tools, limits. What a
 * model wants to see again of its own turns (reasoning, signatures) is given back to the model it came from, and to
 * no other.
 */
import type {
  JSONObject,
  JSONSchema7,
  LanguageModelV4CallOptions,
  LanguageModelV4FilePart,
  LanguageModelV4Message,
  LanguageModelV4ReasoningPart,
  LanguageModelV4TextPart,
  LanguageModelV4ToolCallPart,
} from "@ai-sdk/provider";
import type { Json } from "../../plan/ir.js";
import type { Message, ModelRequest, ToolCallRequest } from "../../runtime/provider.js";
import type { AnswerForm } from "./answer-form.js";
import type { ReadMedia, ReadPart } from "./media.js";

export type AssistantPart = LanguageModelV4TextPart | LanguageModelV4ReasoningPart | LanguageModelV4ToolCallPart;

export interface Replay {
  /** The model that it came from. */
  readonly by: string;
  readonly parts: readonly AssistantPart[];
}

/** Who may be given a replay back. */
export function replayKey({ model }: ModelRequest): string {
  return `${model.provider}/${model.model}`;
}

export function callOptions(
  request: ModelRequest,
  form: AnswerForm,
  optionsKey: string,
  options: JSONObject,
  signal: AbortSignal,
  media: ReadMedia,
): LanguageModelV4CallOptions {
  const { tools, limits, temperature, maxOutput } = request;
  const cache = cachePlan(request, form, optionsKey, options);
  const { seed } = request.model.options;
  return {
    prompt: prompt(request, form, cache, media),
    maxOutputTokens: Math.max(1, maxOutput - thinkingBudget(options)),
    ...(temperature === undefined ? {} : { temperature }),
    ...(typeof seed === "number" ? { seed } : {}),
    ...(form.schema === undefined ? {} : { responseFormat: { type: "json" as const, schema: form.schema, name: "answer" } }),
    ...(tools.length === 0
      ? {}
      : {
          tools: tools.map((tool, i) => ({
            type: "function" as const,
            ...(cache.at === "tools" && i === tools.length - 1 ? { providerOptions: MARK } : {}),
            name: tool.name,
            description: tool.description,
            inputSchema: tool.parameters as JSONSchema7,
            strict: false,
          })),
          // Tools that were used before must stay described, even where they may not be used any more.
          toolChoice: { type: limits.turns > 0 ? ("auto" as const) : ("none" as const) },
        }),
    providerOptions: { [optionsKey]: options },
    abortSignal: signal,
  };
}

/** Some providers count a budget for thinking on top of the output; here it is part of it. */
function thinkingBudget(options: JSONObject): number {
  const { thinking } = options;
  const budget =
    typeof thinking === "object" && thinking !== null && !Array.isArray(thinking) ? (thinking as JSONObject)["budgetTokens"] : 0;
  return typeof budget === "number" ? budget : 0;
}

function prompt(request: ModelRequest, form: AnswerForm, cache: CachePlan, media: ReadMedia): LanguageModelV4Message[] {
  const system = systemText(request, form);
  const marked = (here: boolean) => (here ? { providerOptions: MARK } : {});
  const messages: LanguageModelV4Message[] = system === "" ? [] : [{ role: "system", content: system, ...marked(cache.at === "system") }];
  for (const [i, message] of request.messages.entries()) {
    const previous = messages.at(-1);
    if (message.role === "tool" && previous?.role === "tool") previous.content.push(toolResult(message));
    else if (message.role === "user" && message.parts === undefined && cache.at === "head" && i === request.repeated?.messages) {
      const { head } = request.repeated;
      const parts = [message.text.slice(0, head), message.text.slice(head)].filter((part) => part !== "");
      messages.push({ role: "user", content: parts.map((text, at) => ({ type: "text", text, ...marked(at === 0) })) });
    } else
      messages.push({
        ...turn(message, replayKey(request), media),
        ...marked(cache.at === "examples" && i + 1 === request.repeated?.messages),
      });
  }
  const last = messages.at(-1);
  if (cache.turns && last !== undefined && last.role !== "system") messages[messages.length - 1] = { ...last, ...marked(true) };
  return messages;
}

function systemText(request: ModelRequest, form: AnswerForm): string {
  return [request.system, form.instruction].filter((part) => part !== undefined && part !== "").join("\n\n");
}

/** Where a prompt cache is told that what stands before will come again. */
interface CachePlan {
  readonly at: "tools" | "system" | "examples" | "head" | undefined;
  /** Each further turn begins with all of this one. */
  readonly turns: boolean;
}

const MARK = { anthropic: { cacheControl: { type: "ephemeral" as const } } };
/** Characters below which no cache keeps a beginning. */
const worthCaching = 3_000;

/** Caches are told of by Anthropic's interface only; the others find beginnings that are repeated by themselves. */
function cachePlan(request: ModelRequest, form: AnswerForm, optionsKey: string, options: JSONObject): CachePlan {
  const { repeated, messages, tools, limits } = request;
  if (optionsKey !== "anthropic" || repeated === undefined || options["cacheControl"] !== undefined || options["promptCache"] === false)
    return { at: undefined, turns: false };
  let size = tools.reduce((all, tool) => all + tool.description.length + JSON.stringify(tool.parameters).length, 0);
  const turns = tools.length > 0 && limits.turns > 0;
  let at: CachePlan["at"] = tools.length > 0 ? "tools" : undefined;
  if (repeated.system) {
    const system = systemText(request, form).length;
    if (system > 0) at = "system";
    if (repeated.messages > 0) at = "examples";
    if (repeated.head > 0) at = "head";
    size += system + repeated.head + messages.slice(0, repeated.messages).reduce((all, message) => all + message.text.length, 0);
  }
  return { at: size < worthCaching ? undefined : at, turns };
}

function turn(message: Message, by: string, media: ReadMedia): LanguageModelV4Message {
  switch (message.role) {
    case "user":
      return { role: "user", content: media.get(message)?.map(userPart) ?? [{ type: "text", text: message.text }] };
    case "tool":
      return { role: "tool", content: [toolResult(message)] };
    case "assistant": {
      if (isReplay(message.replay) && message.replay.by === by) return { role: "assistant", content: [...message.replay.parts] };
      const calls = message.toolCalls.map(callPart);
      // A turn without content is refused by most.
      const text = message.text.trim() === "" && calls.length === 0 ? "(no answer)" : message.text;
      return { role: "assistant", content: [...(text === "" ? [] : [{ type: "text" as const, text }]), ...calls] };
    }
  }
}

function userPart(part: ReadPart): LanguageModelV4TextPart | LanguageModelV4FilePart {
  if (part.kind === "text") return { type: "text", text: part.text };
  const { mediaType, data, name } = part;
  return { type: "file", mediaType, data: { type: "data", data }, filename: name.split(/[\\/]/).at(-1) ?? name };
}

function toolResult(message: Extract<Message, { role: "tool" }>) {
  const { callId, name, text, failed } = message;
  return {
    type: "tool-result" as const,
    toolCallId: callId,
    toolName: name,
    output: { type: failed ? ("error-text" as const) : ("text" as const), value: text },
  };
}

export function callPart({ id, name, arguments: given }: ToolCallRequest): LanguageModelV4ToolCallPart {
  const input = typeof given === "object" && given !== null ? given : {};
  return { type: "tool-call", toolCallId: id, toolName: name, input };
}

function isReplay(value: unknown): value is Replay {
  return typeof value === "object" && value !== null && "by" in value && "parts" in value && Array.isArray(value.parts);
}

/** Options as a program writes them (`reasoning_effort`), named as the SDK has them. */
export function sdkOptions(value: Json | undefined): JSONObject {
  const named = renamed(value ?? {});
  return typeof named === "object" && named !== null && !Array.isArray(named) ? (named as JSONObject) : {};
}

function renamed(value: Json): Json {
  if (Array.isArray(value)) return value.map(renamed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()), renamed(each)]),
  );
}
