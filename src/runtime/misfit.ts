/** Whether an answer fits a question of a stored run, before it is given: what the run itself would say when it goes on. */
import type { Graph } from "../plan/ir.js";
import type { RunEvent } from "./events.js";
import { validate } from "./schema.js";

/** Why an answer does not fit the question that a run asks at a path; undefined where it does, or nothing is known of it. */
export function misfit(events: readonly RunEvent[], types: Graph["types"], path: string, value: unknown): string | undefined {
  const asked = events.findLast((event) => event.kind === "question.asked" && event.path === path);
  if (asked?.kind !== "question.asked" || asked.type === undefined) return undefined;
  const checked = validate(asked.type, value, types);
  return checked.ok ? undefined : checked.message;
}
