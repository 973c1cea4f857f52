/**
 * What is known of a run from its events alone. `evolve` is pure: the same events give the same state, live, from a
 * journal or in a test. Calls and regions are kept in the order in which they began.
 */
import type { RunEvent, SpendReport } from "./events.js";
import type { FailureValue } from "./failure.js";

export type CallStatus = "running" | "completed" | "failed" | "reused";

export interface CallState {
  readonly path: string;
  readonly callee: string;
  readonly of: string;
  readonly status: CallStatus;
  readonly startedAt: number;
  readonly elapsedMs: number | undefined;
  readonly attempts: number;
  readonly costUsd: number;
  readonly failure: FailureValue | undefined;
  /** What it waited for, was repaired, retried or replaced by, in words. */
  readonly notes: readonly string[];
}

export interface RegionState {
  readonly path: string;
  readonly region: string;
  readonly size: number | undefined;
  readonly done: number;
  readonly failed: number;
  readonly status: "running" | "completed" | "failed";
  readonly startedAt: number;
  readonly elapsedMs: number | undefined;
}

export interface RunState {
  readonly status: "starting" | "running" | "completed" | "failed" | "cancelled";
  readonly flow: string;
  readonly simulated: boolean;
  readonly calls: ReadonlyMap<string, CallState>;
  readonly regions: ReadonlyMap<string, RegionState>;
  readonly value: unknown;
  readonly failure: FailureValue | undefined;
  readonly spend: SpendReport | undefined;
  readonly elapsedMs: number | undefined;
}

export const initialState: RunState = {
  status: "starting",
  flow: "",
  simulated: false,
  calls: new Map(),
  regions: new Map(),
  value: null,
  failure: undefined,
  spend: undefined,
  elapsedMs: undefined,
};

/** The state after one more event. */
export function evolve(state: RunState, event: RunEvent): RunState {
  switch (event.kind) {
    case "run.started":
      return { ...state, status: "running", flow: event.flow, simulated: event.simulated };
    case "run.resumed":
      return { ...state, status: "running", failure: undefined };
    case "run.completed":
      return { ...state, status: "completed", value: event.value, spend: event.spend, elapsedMs: event.elapsedMs };
    case "run.failed":
      return { ...state, status: "failed", failure: event.failure, spend: event.spend, elapsedMs: event.elapsedMs };
    case "run.cancelled":
      return { ...state, status: "cancelled", spend: event.spend, elapsedMs: event.elapsedMs };
    case "call.started":
    case "call.reused": {
      const status = event.kind === "call.reused" ? "reused" : "running";
      const { path, callee, of, at } = event;
      const begun: CallState = {
        path,
        callee,
        of,
        status,
        startedAt: at,
        elapsedMs: undefined,
        attempts: 0,
        costUsd: 0,
        failure: undefined,
        notes: [],
      };
      return { ...state, calls: new Map(state.calls).set(path, begun) };
    }
    case "call.completed":
    case "call.failed":
      return withCall(state, event.path, (call) => ({
        ...call,
        status: event.kind === "call.completed" ? "completed" : "failed",
        elapsedMs: event.elapsedMs,
        attempts: event.attempts,
        costUsd: event.bill?.costUsd ?? 0,
        failure: event.kind === "call.failed" ? event.failure : undefined,
      }));
    case "region.started": {
      const { path, region, size, at } = event;
      const begun: RegionState = { path, region, size, done: 0, failed: 0, status: "running", startedAt: at, elapsedMs: undefined };
      return { ...state, regions: new Map(state.regions).set(path, begun) };
    }
    case "region.completed":
    case "region.failed":
      return withRegion(state, event.path, (region) => ({
        ...region,
        status: event.kind === "region.completed" ? "completed" : "failed",
        elapsedMs: event.elapsedMs,
      }));
    case "item.completed":
      return withRegion(state, event.path, (region) => ({ ...region, done: region.done + 1 }));
    case "item.failed":
      return withRegion(state, event.path, (region) => ({ ...region, failed: region.failed + 1 }));
    default: {
      const note = noteOf(event);
      return note === undefined || !("path" in event)
        ? state
        : withCall(state, event.path, (call) => ({ ...call, notes: [...call.notes, note] }));
    }
  }
}

/** What is worth telling about a call besides how it ended. */
function noteOf(event: RunEvent): string | undefined {
  switch (event.kind) {
    case "call.queued":
      return `waited for ${event.for}${event.run === undefined ? "" : ` of ${event.run}`}`;
    case "lock.taken_over":
      return `took the lock over from ${event.run}, which had died`;
    case "call.attempt_failed":
      return `attempt ${event.attempt} failed: ${event.failure.kind}: ${event.failure.message}`;
    case "call.retried":
      return `attempt ${event.attempt} after ${event.waitedMs} ms`;
    case "call.fell_back":
      return `fell back to ${event.to}: ${event.failure.message}`;
    case "call.hedged":
      return `a second attempt after ${event.afterMs} ms`;
    case "call.cached":
      return `took the result of ${event.from}`;
    case "answer.mended":
      return `mended: ${event.mends.join(", ")}`;
    case "answer.rejected":
      return `answer rejected: ${event.reasons.join("; ")}`;
    case "budget.refused":
      return `refused by the budget of ${event.account}`;
    case "budget.overran":
      return "used more than was reserved";
    default:
      return undefined;
  }
}

function withCall(state: RunState, path: string, change: (call: CallState) => CallState): RunState {
  const call = state.calls.get(path);
  return call === undefined ? state : { ...state, calls: new Map(state.calls).set(path, change(call)) };
}

function withRegion(state: RunState, path: string, change: (region: RegionState) => RegionState): RunState {
  const region = state.regions.get(path);
  return region === undefined ? state : { ...state, regions: new Map(state.regions).set(path, change(region)) };
}
