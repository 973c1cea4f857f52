/**
 * A conversation as one text, for a model that is a program: what it is told first, then the turns. Whoever spoke is
 * named only where there is more than one turn.
 */
import type { Message, ModelRequest } from "../../runtime/provider.js";

/** The text of a request; the names of those who speak are shorter than what a message is counted as. */
export function conversationText(request: ModelRequest, instruction: string | undefined): string {
  const first = [request.system, instruction].filter((part) => part !== undefined && part !== "");
  const [only, second] = request.messages;
  const turns = only !== undefined && second === undefined ? [only.text] : request.messages.map(spoken);
  return [...first, ...turns].join("\n\n");
}

function spoken(message: Message): string {
  return `${message.role === "assistant" ? "Assistant" : "User"}:\n${message.text}`;
}
