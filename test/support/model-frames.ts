/**
 * Answers of models as the frames that four interfaces stream them in: Anthropic messages, OpenAI responses, Google
 * generateContent, and the chat completions that most others speak.
 */
export const protocols = ["anthropic", "openai", "google", "openai_compatible"] as const;
export type Protocol = (typeof protocols)[number];

export interface Answer {
  readonly text?: string;
  readonly reasoning?: string;
  /** `arguments` is sent as it is, so it need not be JSON. */
  readonly calls?: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
  /** `refused` by the model, `filtered` by what stands around it. */
  readonly finish?: "stop" | "length" | "refused" | "filtered";
  readonly usage?: Tokens | "none";
}

export interface Tokens {
  /** All of the input, cached and written included. */
  readonly input: number;
  readonly output: number;
  readonly cached?: number;
  readonly written?: number;
  readonly reasoning?: number;
}

export const usualTokens: Tokens = { input: 100, output: 20 };

/** One frame of a stream: its event, where the interface names them, and its data. */
export interface Frame {
  readonly event?: string;
  readonly data: unknown;
}

/** The frames of a whole answer; the last of them is what an interface ends with. */
export function framesOf(protocol: Protocol, answer: Answer): readonly Frame[] {
  const tokens = answer.usage === "none" ? undefined : (answer.usage ?? usualTokens);
  switch (protocol) {
    case "anthropic":
      return anthropic(answer, tokens);
    case "openai":
      return openai(answer, tokens);
    case "google":
      return google(answer, tokens);
    case "openai_compatible":
      return chat(answer, tokens);
  }
}

/** An error in the middle of a stream. */
export function errorFrame(protocol: Protocol, type: string, message: string): Frame {
  switch (protocol) {
    case "anthropic":
      return { event: "error", data: { type: "error", error: { type, message } } };
    case "openai":
      return { event: "error", data: { type: "error", sequence_number: 9, error: { type, code: type, message, param: null } } };
    case "google":
      return { data: { error: { code: 503, status: type.toUpperCase(), message } } };
    case "openai_compatible":
      return { data: { error: { type, code: type, message, param: null } } };
  }
}

/** The body of an HTTP error. */
export function errorBody(protocol: Protocol, status: number, type: string, message: string): unknown {
  switch (protocol) {
    case "anthropic":
      return { type: "error", error: { type, message } };
    case "google":
      return { error: { code: status, status: type, message, details: [] } };
    default:
      return { error: { type, code: type, message, param: null } };
  }
}

/** A text in three pieces, as it would come. */
function pieces(text: string): readonly string[] {
  const third = Math.ceil(text.length / 3);
  return [text.slice(0, third), text.slice(third, 2 * third), text.slice(2 * third)].filter((piece) => piece !== "");
}

function anthropic({ text, reasoning, calls = [], finish = "stop" }: Answer, tokens: Tokens | undefined): readonly Frame[] {
  const frames: Frame[] = [];
  const add = (data: { readonly type: string } & Record<string, unknown>): void => void frames.push({ event: data.type, data });
  add({
    type: "message_start",
    message: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude-test",
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: {
        input_tokens: (tokens?.input ?? 0) - (tokens?.cached ?? 0) - (tokens?.written ?? 0),
        cache_read_input_tokens: tokens?.cached ?? 0,
        cache_creation_input_tokens: tokens?.written ?? 0,
        output_tokens: 1,
      },
    },
  });
  let index = 0;
  const block = (start: unknown, deltas: readonly unknown[]): void => {
    add({ type: "content_block_start", index, content_block: start });
    for (const delta of deltas) add({ type: "content_block_delta", index, delta });
    add({ type: "content_block_stop", index });
    index++;
  };
  if (reasoning !== undefined)
    block({ type: "thinking", thinking: "", signature: "" }, [
      { type: "thinking_delta", thinking: reasoning },
      { type: "signature_delta", signature: "signed-by-the-model" },
    ]);
  if (text !== undefined)
    block(
      { type: "text", text: "" },
      pieces(text).map((piece) => ({ type: "text_delta", text: piece })),
    );
  for (const call of calls)
    block(
      { type: "tool_use", id: call.id, name: call.name, input: {} },
      pieces(call.arguments).map((piece) => ({ type: "input_json_delta", partial_json: piece })),
    );
  const reason =
    finish === "length"
      ? "max_tokens"
      : finish === "refused" || finish === "filtered"
        ? "refusal"
        : calls.length > 0
          ? "tool_use"
          : "end_turn";
  const output = {
    output_tokens: tokens?.output ?? 0,
    ...(tokens?.reasoning ? { output_tokens_details: { thinking_tokens: tokens.reasoning } } : {}),
  };
  add({ type: "message_delta", delta: { stop_reason: reason, stop_sequence: null }, usage: output });
  add({ type: "message_stop" });
  return frames;
}

function openai({ text, reasoning, calls = [], finish = "stop" }: Answer, tokens: Tokens | undefined): readonly Frame[] {
  const frames: Frame[] = [];
  const add = (data: { readonly type: string } & Record<string, unknown>): void => void frames.push({ event: data.type, data });
  const response = { id: "resp_1", created_at: 1_700_000_000, model: "gpt-test", object: "response" };
  add({ type: "response.created", response });
  add({ type: "response.in_progress", response });
  let index = 0;
  const item = (
    added: Record<string, unknown>,
    done: Record<string, unknown>,
    between: readonly ({ type: string } & Record<string, unknown>)[],
  ): void => {
    add({ type: "response.output_item.added", output_index: index, item: added });
    for (const each of between) add({ output_index: index, ...each });
    add({ type: "response.output_item.done", output_index: index, item: done });
    index++;
  };
  if (reasoning !== undefined)
    item(
      { type: "reasoning", id: "rs_1", summary: [], encrypted_content: null },
      { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "sealed-by-the-model" },
      [],
    );
  if (text !== undefined && finish === "refused") {
    item(
      { type: "message", id: "msg_1", role: "assistant", status: "in_progress", content: [] },
      { type: "message", id: "msg_1", role: "assistant", status: "completed", content: [{ type: "refusal", refusal: text }] },
      [
        { type: "response.refusal.delta", item_id: "msg_1", content_index: 0, delta: text },
        { type: "response.refusal.done", item_id: "msg_1", content_index: 0, refusal: text },
      ],
    );
  } else if (text !== undefined) {
    item(
      { type: "message", id: "msg_1", role: "assistant", status: "in_progress", content: [] },
      { type: "message", id: "msg_1", role: "assistant", status: "completed", content: [{ type: "output_text", text, annotations: [] }] },
      pieces(text).map((piece) => ({ type: "response.output_text.delta", item_id: "msg_1", content_index: 0, delta: piece })),
    );
  }
  for (const [i, call] of calls.entries()) {
    const shared = { type: "function_call", id: `fc_${i}`, call_id: call.id, name: call.name };
    item(
      { ...shared, arguments: "", status: "in_progress" },
      { ...shared, arguments: call.arguments, status: "completed" },
      pieces(call.arguments).map((piece) => ({ type: "response.function_call_arguments.delta", item_id: `fc_${i}`, delta: piece })),
    );
  }
  const usage =
    tokens === undefined
      ? null
      : {
          input_tokens: tokens.input,
          input_tokens_details: { cached_tokens: tokens.cached ?? 0 },
          output_tokens: tokens.output,
          output_tokens_details: { reasoning_tokens: tokens.reasoning ?? 0 },
          total_tokens: tokens.input + tokens.output,
        };
  if (finish === "length")
    add({ type: "response.incomplete", response: { ...response, incomplete_details: { reason: "max_output_tokens" }, usage } });
  else if (finish === "filtered")
    add({ type: "response.incomplete", response: { ...response, incomplete_details: { reason: "content_filter" }, usage } });
  else add({ type: "response.completed", response: { ...response, incomplete_details: null, usage } });
  return frames;
}

function google({ text, reasoning, calls = [], finish = "stop" }: Answer, tokens: Tokens | undefined): readonly Frame[] {
  const usageMetadata =
    tokens === undefined
      ? undefined
      : {
          promptTokenCount: tokens.input,
          candidatesTokenCount: tokens.output - (tokens.reasoning ?? 0),
          thoughtsTokenCount: tokens.reasoning ?? 0,
          cachedContentTokenCount: tokens.cached ?? 0,
          totalTokenCount: tokens.input + tokens.output,
        };
  const candidate = (parts: readonly unknown[], finishReason?: string) => ({
    data: {
      candidates: [{ index: 0, content: { role: "model", parts }, ...(finishReason === undefined ? {} : { finishReason }) }],
      ...(finishReason === undefined || usageMetadata === undefined ? {} : { usageMetadata }),
      modelVersion: "gemini-test",
    },
  });
  const reason =
    finish === "length" ? "MAX_TOKENS" : finish === "refused" ? "SAFETY" : finish === "filtered" ? "PROHIBITED_CONTENT" : "STOP";
  return [
    ...(reasoning === undefined ? [] : [candidate([{ text: reasoning, thought: true }])]),
    ...(text === undefined ? [] : pieces(text).map((piece) => candidate([{ text: piece }]))),
    ...(calls.length === 0
      ? []
      : [
          candidate(
            calls.map((call) => ({
              functionCall: { id: call.id, name: call.name, args: JSON.parse(call.arguments) as unknown },
              thoughtSignature: "signed-by-the-model",
            })),
          ),
        ]),
    candidate([], reason),
  ];
}

function chat({ text, reasoning, calls = [], finish = "stop" }: Answer, tokens: Tokens | undefined): readonly Frame[] {
  const chunk = (delta: unknown, finish_reason: string | null = null): Frame => ({
    data: {
      id: "chat_1",
      object: "chat.completion.chunk",
      created: 1_700_000_000,
      model: "local",
      choices: [{ index: 0, delta, finish_reason }],
    },
  });
  const reason = finish === "length" ? "length" : finish === "filtered" ? "content_filter" : calls.length > 0 ? "tool_calls" : "stop";
  return [
    chunk({ role: "assistant", content: "" }),
    ...(reasoning === undefined ? [] : [chunk({ reasoning_content: reasoning })]),
    ...(text === undefined ? [] : pieces(text).map((piece) => chunk(finish === "refused" ? { refusal: piece } : { content: piece }))),
    ...calls.flatMap((call, index) => [
      chunk({ tool_calls: [{ index, id: call.id, type: "function", function: { name: call.name, arguments: "" } }] }),
      ...pieces(call.arguments).map((piece) => chunk({ tool_calls: [{ index, function: { arguments: piece } }] })),
    ]),
    chunk({}, reason),
    ...(tokens === undefined
      ? []
      : [
          {
            data: {
              id: "chat_1",
              object: "chat.completion.chunk",
              created: 1_700_000_000,
              model: "local",
              choices: [],
              usage: {
                prompt_tokens: tokens.input,
                completion_tokens: tokens.output,
                total_tokens: tokens.input + tokens.output,
                prompt_tokens_details: { cached_tokens: tokens.cached ?? 0 },
                completion_tokens_details: { reasoning_tokens: tokens.reasoning ?? 0 },
              },
            },
          },
        ]),
    { data: "[DONE]" },
  ];
}
