/** Calls as a test sees them, read off the events: arguments, result or failure, attempts, cost, prompt. */
import type { Graph } from "../plan/ir.js";
import type { RunEvent } from "./events.js";
import type { FailureValue } from "./failure.js";

export interface CallRecord {
  /** Id of the callable. */
  readonly id: string;
  readonly callee: string;
  readonly path: string;
  readonly args: unknown;
  readonly value: unknown;
  readonly error: FailureValue | null;
  readonly attempts: number;
  readonly cost: number;
  readonly prompt: string | null;
  /** Whether it has ended. */
  readonly ended: boolean;
}

type Open = { -readonly [K in keyof CallRecord]: CallRecord[K] };

/** Reads events as they are added to the list; call records are in order of start. */
export function recordCalls(
  graph: Graph,
  events: readonly RunEvent[],
  promptOf: (path: string) => string | undefined,
): { readonly calls: () => readonly CallRecord[] } {
  const ids = new Map<string, string>();
  for (const [kind, all] of [
    ["flow", graph.flows],
    ["agent", graph.agents],
    ["tool", graph.tools],
    ["capability", graph.capabilities],
  ] as const) {
    for (const callable of Object.values(all)) ids.set(`${kind} ${callable.name}`, callable.id);
  }
  const records: Open[] = [];
  const open = new Map<string, Open>();
  let read = 0;
  const take = (event: RunEvent): void => {
    switch (event.kind) {
      case "call.started": {
        const id = ids.get(`${event.of} ${event.callee}`) ?? event.callee;
        const record: Open = {
          id,
          callee: event.callee,
          path: event.path,
          args: event.args,
          value: null,
          error: null,
          attempts: 0,
          cost: 0,
          prompt: promptOf(event.path) ?? null,
          ended: false,
        };
        // A flow that a crash cut off is carried on, not called again.
        if (event.of === "flow" && open.get(event.path)?.ended === false) return;
        records.push(record);
        open.set(event.path, record);
        return;
      }
      case "model.requested": {
        const record = open.get(event.path);
        if (record !== undefined) record.prompt ??= event.prompt;
        return;
      }
      case "call.completed":
      case "call.failed": {
        const record = open.get(event.path);
        if (record === undefined) return;
        if (event.kind === "call.completed") record.value = event.value;
        else record.error = event.failure;
        record.attempts = event.attempts;
        record.cost = event.bill?.costUsd ?? 0;
        record.ended = true;
        record.prompt ??= promptOf(event.path) ?? null;
        return;
      }
      default:
    }
  };
  return {
    calls() {
      for (; read < events.length; read++) {
        const event = events[read];
        if (event !== undefined) take(event);
      }
      return records;
    },
  };
}
