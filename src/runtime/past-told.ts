/** Which events a resumed run comes to again in the same way, so that they are told once. */
import type { RunEvent } from "./events.js";

export type Told = RunEvent extends infer E ? (E extends unknown ? Omit<E, "seq" | "at"> : never) : never;

export interface Retellings {
  readonly add: (event: Told) => void;
  readonly has: (event: Told) => boolean;
}

/** Remembers events; those of items by their region and place, since there may be very many. */
export function retellings(): Retellings {
  const texts = new Set<string>();
  const items = { "item.completed": new Map<string, Map<number, string>>(), "item.failed": new Map<string, Map<number, string>>() };
  return {
    add: (event) => {
      if (event.kind === "item.completed" || event.kind === "item.failed") {
        const known = items[event.kind].get(event.path);
        if (known === undefined) items[event.kind].set(event.path, new Map([[event.index, event.key]]));
        else known.set(event.index, event.key);
        return;
      }
      const text = textOf(event);
      if (text !== undefined) texts.add(text);
    },
    has: (event) => {
      if (event.kind === "item.completed" || event.kind === "item.failed")
        return items[event.kind].get(event.path)?.get(event.index) === event.key;
      const text = textOf(event);
      return text !== undefined && texts.has(text);
    },
  };
}

/** What happens again in the same way when a run is carried out again, by a text that is the same both times. */
function textOf(event: Told): string | undefined {
  switch (event.kind) {
    case "region.started":
    case "region.completed":
    case "region.failed":
    case "budget.opened":
    case "question.asked":
    case "question.answered":
    case "question.expired":
      return `${event.kind} ${event.path}`;
    case "choice":
      return `choice ${event.of} ${event.path} ${event.of === "model" ? event.chosen : (event.implementation ?? "")}`;
    case "answer.mended":
      return `${event.kind} ${event.path} ${event.mends.join()}`;
    case "answer.rejected":
      return `${event.kind} ${event.path} ${event.repair} ${event.reasons.join()}`;
    case "call.cached":
      return `${event.kind} ${event.path}`;
    case "budget.landed":
      if (event.region === "call" || event.region === "agent") return undefined;
      return `${event.kind} ${event.path}`;
    case "undo.started":
      return `${event.kind} ${event.path}`;
    default:
      return undefined;
  }
}
