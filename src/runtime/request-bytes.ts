/** How large a request is: what its worst case is reserved by before it is sent. */
import type { ModelIR } from "../plan/ir.js";
import { MESSAGE_BYTES, mediaBytes } from "../plan/request-size.js";
import { utf8Length } from "../source/utf8.js";
import type { Message, ModelRequest } from "./provider.js";

/** Bytes of the texts that a request sends. */
export function requestBytes(asking: Pick<ModelRequest, "system" | "messages" | "schema" | "tools">): number {
  let bytes = utf8Length(asking.system ?? "");
  for (const message of asking.messages) bytes += messageBytes(message) + MESSAGE_BYTES;
  if (asking.schema !== undefined) bytes += jsonBytes(Object(asking.schema), asking.schema);
  for (const tool of asking.tools) bytes += jsonBytes(tool, [tool.name, tool.description, tool.parameters]);
  return bytes;
}

/** Bytes of the JSON of what an agent sends with every request, by the object that stands for it. */
const sizes = new WeakMap<object, number>();

function jsonBytes(of: object, value: unknown): number {
  const bytes = sizes.get(of) ?? utf8Length(JSON.stringify(value));
  sizes.set(of, bytes);
  return bytes;
}

/** What the media of messages counts as for a model, in bytes of text. */
export function mediaIn(model: ModelIR, messages: readonly Message[]): number {
  let bytes = 0;
  for (const message of messages)
    if (message.role === "user") for (const part of message.parts ?? []) if (part.kind === "media") bytes += mediaBytes(model, part.of);
  return bytes;
}

/** The text of a message, with the calls of tools that it asks for. */
export function messageText(message: Message): string {
  return message.role === "assistant" && message.toolCalls.length > 0
    ? `${message.text}${JSON.stringify(message.toolCalls)}`
    : message.text;
}

/** Bytes of everything of a message that is sent. */
export function messageBytes(message: Message): number {
  if (message.role === "user" && message.parts !== undefined)
    return message.parts.reduce((bytes, part) => bytes + (part.kind === "text" ? utf8Length(part.text) : 0), 0);
  const text = utf8Length(messageText(message));
  if (message.role === "tool") return text + utf8Length(message.name) + utf8Length(message.callId);
  if (message.role === "user" || message.replay === undefined) return text;
  return text + utf8Length(JSON.stringify(message.replay));
}
