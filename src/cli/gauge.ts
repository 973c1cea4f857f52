/**
 * What is spent, held and left of every budget that is open, from the events of a run alone. A request holds what it may
 * cost until it is answered; what was in flight when a process died stays charged in full.
 */
import type { RunEvent } from "../runtime/events.js";

export interface Scope {
  readonly path: string;
  readonly caps: {
    readonly costUsd?: number | undefined;
    readonly tokens?: number | undefined;
    readonly calls?: number | undefined;
  };
  costUsd: number;
  tokens: number;
  calls: number;
  /** Held for requests in flight. */
  heldUsd: number;
  heldTokens: number;
}

export interface Gauge {
  /** Everything, then every open budget, the outermost first. */
  readonly total: Scope;
  readonly open: () => readonly Scope[];
  readonly event: (event: RunEvent) => void;
}

interface Held {
  readonly path: string;
  readonly costUsd: number;
  readonly tokens: number;
}

const scope = (path: string, caps: Scope["caps"]): Scope => ({ path, caps, costUsd: 0, tokens: 0, calls: 0, heldUsd: 0, heldTokens: 0 });

export function gauge(): Gauge {
  const total = scope("", {});
  const open = new Map<string, Scope>();
  const requests = new Map<string, Held[]>();
  /** What is counted of attempts of tools in flight already, by path. */
  const counted = new Map<string, number>();

  const around = (path: string): readonly Scope[] => [total, ...[...open.values()].filter((each) => isInside(path, each.path))];
  const spend = (path: string, costUsd: number, tokens: number, calls: number): void => {
    for (const each of around(path)) {
      each.costUsd += costUsd;
      each.tokens += tokens;
      each.calls += calls;
    }
  };
  const hold = ({ path, costUsd, tokens }: Held, sign: 1 | -1): void => {
    for (const each of around(path)) {
      each.heldUsd = Math.max(0, each.heldUsd + sign * costUsd);
      each.heldTokens = Math.max(0, each.heldTokens + sign * tokens);
    }
  };
  const release = (event: { readonly path: string; readonly model: string; readonly turn: number }): void => {
    const first = requests.get(keyOf(event))?.shift();
    if (first !== undefined) hold(first, -1);
  };

  /** The end of blocks is not told: their budgets end with what is around them. */
  const close = (path: string): void => {
    for (const inner of [...open.keys()]) if (isInside(inner, path)) open.delete(inner);
  };

  return {
    total,
    open: () => [...open.values()].sort((a, b) => a.path.length - b.path.length),
    event(event) {
      switch (event.kind) {
        case "run.resumed":
          for (const held of [...requests.values()].flat()) {
            hold(held, -1);
            spend(held.path, held.costUsd, held.tokens, 0);
          }
          requests.clear();
          break;
        case "budget.opened":
          open.set(event.path, scope(event.path, event.caps));
          break;
        case "model.requested": {
          const held: Held = { path: event.path, costUsd: event.reserved.costUsd, tokens: event.reserved.tokens };
          const key = keyOf(event);
          requests.set(key, [...(requests.get(key) ?? []), held]);
          hold(held, 1);
          break;
        }
        case "model.answered":
        case "model.failed":
          release(event);
          spend(event.path, event.costUsd, event.inputTokens + event.outputTokens, 0);
          break;
        case "call.attempted":
          if (event.costUsd === undefined) break;
          spend(event.path, event.costUsd, 0, 0);
          counted.set(event.path, (counted.get(event.path) ?? 0) + event.costUsd);
          break;
        case "call.completed":
        case "call.failed": {
          // What a tool costs is told when it is done, unless its attempts were told.
          const rest = event.of === "tool" ? (event.bill?.costUsd ?? 0) - (counted.get(event.path) ?? 0) : 0;
          const leaf = event.of === "agent" || event.of === "tool";
          spend(event.path, Math.max(0, rest), 0, leaf ? event.attempts : 0);
          counted.delete(event.path);
          close(event.path);
          break;
        }
        case "region.completed":
        case "region.failed":
          close(event.path);
          break;
        default:
      }
    },
  };
}

const keyOf = ({ path, model, turn }: { readonly path: string; readonly model: string; readonly turn: number }): string =>
  `${path} ${model} ${turn}`;

/** Whether a path is another or lies inside it. */
function isInside(path: string, outer: string): boolean {
  if (!path.startsWith(outer)) return false;
  const next = path.charAt(outer.length);
  return next === "" || next === "/" || next === "[" || next === "~";
}
