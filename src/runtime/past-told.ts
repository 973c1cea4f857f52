/** Which events a resumed run comes to again in the same way, so that they are told once. */
import type { RunEvent } from "./events.js";

export type Told = RunEvent extends infer E ? (E extends unknown ? Omit<E, "seq" | "at"> : never) : never;

/** What happens again in the same way when a run is carried out again, by a text that is the same both times. */
export function retold(event: Told): string | undefined {
  switch (event.kind) {
    case "region.started":
    case "region.completed":
    case "region.failed":
    case "budget.opened":
    case "question.asked":
    case "question.answered":
    case "question.expired":
      return `${event.kind} ${event.path}`;
    case "item.completed":
    case "item.failed":
      return `${event.kind} ${event.path} ${event.index} ${event.key}`;
    case "choice":
      return `choice ${event.of} ${event.path} ${event.implementation ?? ""}`;
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
