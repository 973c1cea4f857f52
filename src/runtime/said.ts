/**
 * What is said to a model: the examples and the prompt as messages, with media where it stands, what tools show beside
 * texts, and how far all of that is the same in every call.
 */
import type { AgentIR } from "../plan/ir.js";
import { forEachRef } from "../plan/walk.js";
import type { Message, Repeated, UserPart } from "./provider.js";
import { mediaText, renderParts } from "./template.js";

/** What is the same in every call: what no parameter stands in, up to the first one that does. */
export function repeatedOf({ system, examples, prompt }: AgentIR): Repeated {
  if (system !== undefined && !isSame(system)) return { system: false, messages: 0, head: 0 };
  const listed =
    examples === undefined ? [] : examples.kind === "list" ? examples.elements : examples.kind === "const" ? examples.value : [];
  if (examples !== undefined && (!Array.isArray(listed) || !isSame(examples))) return { system: true, messages: 0, head: 0 };
  const count = Array.isArray(listed) ? 2 * listed.length : 0;
  const [first] = prompt.kind === "template" ? prompt.parts : [];
  const head = prompt.kind === "const" ? String(prompt.value) : first?.kind === "text" ? first.text : "";
  return { system: true, messages: count, head: head.length };
}

function isSame(expr: AgentIR["prompt"]): boolean {
  let same = true;
  forEachRef(expr, () => {
    same = false;
  });
  return same;
}

/** A prompt as a message. */
export function promptMessage(render: () => string): Message {
  const parts = renderParts(render);
  const text = parts.map((part) => (part.kind === "text" ? part.text : mediaText(part.of, part.value))).join("");
  return parts.some((part) => part.kind === "media") ? { role: "user", text, parts } : { role: "user", text };
}

/** Examples as turns. */
export function exampleMessages(examples: unknown): Message[] {
  if (!Array.isArray(examples)) return [];
  const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
  return examples.flatMap((example: { readonly input: unknown; readonly output: unknown }): Message[] => [
    { role: "user", text: text(example.input) },
    { role: "assistant", text: text(example.output), toolCalls: [] },
  ]);
}

/** What tools gave back, and after all of it what they show: no interface takes every medium inside of a result. */
export function shownAfter(answers: readonly { readonly message: Message; readonly media: readonly UserPart[] }[]): readonly Message[] {
  const messages = answers.map(({ message }) => message);
  const parts = answers.flatMap(({ message, media }): readonly UserPart[] =>
    media.length === 0 || message.role !== "tool" ? [] : [{ kind: "text", text: `What ${message.name.slice(0, 60)} shows:` }, ...media],
  );
  const text = parts.map((part) => (part.kind === "text" ? part.text : mediaText(part.of, part.value))).join(" ");
  return parts.length === 0 ? messages : [...messages, { role: "user", text, parts }];
}
