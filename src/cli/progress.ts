/**
 * How a run looks while it runs, from its events alone. On a terminal a few lines are drawn over and over: the regions
 * and calls in flight, items done and failed, spend against the budget, time. Elsewhere a line is written when a region
 * begins or ends, and for whatever a person would want to know: failures, retries, mended answers, a breaker opening.
 */
import type { RunEvent } from "../runtime/events.js";
import { grouped } from "../source/digits.js";
import { counted, money, seconds } from "./figures.js";
import { type Gauge, gauge, type Scope } from "./gauge.js";
import { bold, cyan, dim, green, red, type Terminal, yellow } from "./terminal.js";

export interface Progress {
  readonly event: (event: RunEvent) => void;
  /** Takes the live view away; nothing is drawn after it. */
  readonly stop: () => void;
}

interface Line {
  readonly path: string;
  readonly label: string;
  readonly depth: number;
  readonly size: number | undefined;
  readonly startedAt: number;
  done: number;
  failed: number;
  running: number;
  /** How often items failed in each way. */
  readonly ways: Map<string, number>;
}

interface State {
  readonly title: string;
  simulated: boolean;
  /** Time of the last event, in the run's own time. */
  at: number;
  /** Regions that are open, in the order in which they began. */
  readonly regions: Map<string, Line>;
  /** Calls in flight by what is called. */
  readonly calls: Map<string, Line>;
  readonly gauge: Gauge;
}

const FRAME_MS = 80;
const ROWS = 12;
const BAR = 20;
/** Budgets that are shown; those inside of them are counted. */
const BUDGETS = 3;

/** The view for a run of `title`; one that is carried on begins with what happened before. */
export function progress(title: string, to: Terminal, before: readonly RunEvent[] = []): Progress {
  const state: State = { title, simulated: false, at: 0, regions: new Map(), calls: new Map(), gauge: gauge() };
  for (const event of before) apply(state, event, true);
  for (const call of state.calls.values()) call.running = 0;
  const say = (line: string): void => {
    drawn = clear(to, drawn);
    to.err(`${line}\n`);
  };
  let drawn = 0;
  let timer: NodeJS.Timeout | undefined;
  const began = performance.now();
  const draw = (): void => {
    const lines = live(state, (performance.now() - began) / 1000, to);
    drawn = clear(to, drawn);
    to.err(`${lines.join("\n")}\n`);
    drawn = lines.length;
  };
  if (to.live) {
    timer = setInterval(draw, FRAME_MS);
    timer.unref();
  }
  return {
    event: (event) => {
      const news = apply(state, event, to.live);
      if (news !== undefined) say(paintNews(news, state, to));
    },
    stop: () => {
      clearInterval(timer);
      drawn = clear(to, drawn);
    },
  };
}

function clear(to: Terminal, lines: number): number {
  if (lines > 0) to.err(`\u001b[${lines}A\u001b[0J`);
  return 0;
}

interface News {
  readonly sign: "·" | "✓" | "✗" | "!";
  readonly text: string;
}

function paintNews({ sign, text }: News, state: State, to: Terminal): string {
  const paint = { "·": dim, "✓": green, "✗": red, "!": yellow }[sign];
  return `${dim(seconds(state.at).padStart(7), to.color)} ${paint(sign, to.color)} ${text}`;
}

/** Counts an event in, and gives what is worth a line of its own. */
function apply(state: State, event: RunEvent, live: boolean): News | undefined {
  state.at = event.at;
  state.gauge.event(event);
  switch (event.kind) {
    case "run.started":
      state.simulated = event.simulated;
      return live
        ? undefined
        : {
            sign: "·",
            text: `${event.flow} started${event.simulated ? "; answers of agents are simulated" : ""}${event.replayed ? "; answers come from a recording" : ""}`,
          };
    case "region.started": {
      if (event.region === "scope") return undefined;
      const depth = [...state.regions.keys()].filter(
        (path) => event.path.startsWith(`${path}/`) || event.path.startsWith(`${path}[`),
      ).length;
      const name = last(event.path);
      const label = name === event.region ? name : `${event.region} ${name}`;
      state.regions.set(event.path, {
        path: event.path,
        label,
        depth,
        size: event.size,
        startedAt: event.at,
        done: 0,
        failed: 0,
        running: 0,
        ways: new Map(),
      });
      return live || depth > 0 ? undefined : { sign: "·", text: `${label}${event.size === undefined ? "" : `: ${event.size} to do`}` };
    }
    case "item.completed":
    case "item.failed": {
      const region = state.regions.get(event.path) ?? state.regions.get(event.path.replace(/\[[^[\]]*\]$/, ""));
      if (region !== undefined) region[event.kind === "item.completed" ? "done" : "failed"]++;
      if (event.kind === "item.completed") return undefined;
      // The same failure again is only counted.
      const way = describe(event.failure);
      const before = region?.ways.get(way) ?? 0;
      region?.ways.set(way, before + 1);
      return before > 0 ? undefined : { sign: "✗", text: `${last(event.path)}[${event.key}] failed: ${way}` };
    }
    case "region.completed": {
      const region = state.regions.get(event.path);
      state.regions.delete(event.path);
      if (region === undefined || live || region.depth > 0) return undefined;
      const counts =
        region.done + region.failed === 0
          ? ""
          : `: ${region.done} done${region.failed > 0 ? `, ${region.failed} failed` : ""}${again(region)}`;
      return { sign: "✓", text: `${region.label}${counts} in ${seconds(event.elapsedMs)}` };
    }
    case "region.failed": {
      const region = state.regions.get(event.path);
      state.regions.delete(event.path);
      return region === undefined || region.depth > 0
        ? undefined
        : { sign: "✗", text: `${region.label} failed: ${describe(event.failure)}${again(region)}` };
    }
    case "call.started": {
      const line = state.calls.get(event.callee);
      if (line !== undefined) line.running++;
      else if (event.of !== "flow") {
        state.calls.set(event.callee, {
          path: event.path,
          label: event.callee,
          depth: 0,
          size: undefined,
          startedAt: event.at,
          done: 0,
          failed: 0,
          running: 1,
          ways: new Map(),
        });
      }
      return undefined;
    }
    case "call.completed":
    case "call.failed": {
      const line = state.calls.get(event.callee);
      if (line !== undefined) {
        line.running = Math.max(0, line.running - 1);
        line[event.kind === "call.completed" ? "done" : "failed"]++;
      }
      return undefined;
    }
    case "call.retried":
      return { sign: "!", text: `${event.path} is tried again (attempt ${event.attempt}) after ${seconds(event.waitedMs)}` };
    case "call.attempt_failed":
      return { sign: "!", text: `${event.path}: attempt ${event.attempt} failed: ${describe(event.failure)}` };
    case "call.fell_back":
      return { sign: "!", text: `${event.path} falls back to ${event.to}: ${describe(event.failure)}` };
    case "breaker.opened":
      return {
        sign: "!",
        text: `${event.callee} failed ${event.failures === 1 ? "once" : `${event.failures} times`}: no more calls for ${seconds(event.cooldownMs)}`,
      };
    case "answer.mended":
      return { sign: "!", text: `${event.path}: the answer was mended: ${event.mends.join(", ")}` };
    case "answer.rejected":
      return { sign: "!", text: `${event.path}: the answer does not fit (${event.reasons[0] ?? "invalid"}); the model is asked again` };
    case "question.refused":
      return { sign: "!", text: `${event.path}: the answer does not fit: ${event.why}` };
    case "budget.refused":
      return { sign: "!", text: `${event.path}: the budget has not enough ${event.dimension} left` };
    case "budget.overran":
      return {
        sign: "!",
        text: `${event.path} cost ${money(event.costUsd)}, more than the ${money(event.reservedUsd)} it could have: the price table may be out of date`,
      };
    case "budget.landed":
      return { sign: "!", text: `${last(event.path)} ends early to stay within the budget: ${event.message}` };
    case "tool.log":
      return { sign: "·", text: `${event.path}: ${event.message}` };
    case "events.dropped":
      return {
        sign: "!",
        text: event.count === 1 ? "an event came too fast to be shown" : `${event.count} events came too fast to be shown`,
      };
    default:
      return undefined;
  }
}

/** What was left out above because it had been told once. */
function again({ ways }: Line): string {
  const repeated = [...ways].filter(([, count]) => count > 1);
  return repeated.length === 0 ? "" : ` (${repeated.map(([way, count]) => `${count} times ${way}`).join("; ")})`;
}

const describe = (failure: { readonly kind: string; readonly message: string }): string =>
  `${failure.kind}: ${failure.message.split("\n")[0] ?? ""}`;

/** The last name of a path: `main/findings` is `findings`. */
const last = (path: string): string => /(?:^|\/)([^/[\]]+)(?:\[[^\]]*\])?$/.exec(path)?.[1] ?? path;

function live(state: State, elapsed: number, to: Terminal): string[] {
  const { width, color } = to;
  const { total } = state.gauge;
  const held = total.heldUsd > 0 ? ` spent, ${money(total.heldUsd)} held` : "";
  const spent = `${money(total.costUsd)}${held}`;
  const lines = [
    `${bold(state.title, color)}  ${seconds(elapsed * 1000)}  ${cyan(spent, color)}${state.simulated ? `  ${yellow("simulated", color)}` : ""}`,
  ];
  const open = state.gauge.open();
  for (const scope of open.slice(0, BUDGETS)) lines.push(gaugeLine(scope, color));
  if (open.length > BUDGETS) lines.push(dim(`  and ${counted(open.length - BUDGETS, "budget")} inside`, color));
  for (const region of state.regions.values()) {
    if (region.depth > 0) continue;
    const counts =
      region.size === undefined
        ? ""
        : `${bar(region.done, region.failed, region.size, color)} ${region.done + region.failed}/${region.size}`;
    const failed = region.failed > 0 ? red(`  ${region.failed} failed`, color) : "";
    lines.push(`  ${region.label.padEnd(24).slice(0, 40)} ${counts}${failed}`);
  }
  for (const call of state.calls.values()) {
    if (call.running > 0) lines.push(dim(`  ${call.label.padEnd(24).slice(0, 40)} ${call.running} in flight, ${call.done} done`, color));
  }
  const shown = lines.length > ROWS ? [...lines.slice(0, ROWS - 1), dim(`  and ${lines.length - ROWS + 1} more`, color)] : lines;
  return shown.map((line) => cutLine(line, width - 1));
}

/** `budget main  ████▒▒░░░░ $0.20 spent, $0.10 held, $0.70 left`. */
function gaugeLine(scope: Scope, color: boolean): string {
  const { caps } = scope;
  const parts: string[] = [];
  let shares: readonly [spent: number, held: number] = [0, 0];
  const share = (cap: number, spent: number, held: number): void => {
    if (cap > 0 && (spent + held) / cap >= shares[0] + shares[1]) shares = [spent / cap, held / cap];
  };
  if (caps.costUsd !== undefined) {
    const left = Math.max(0, caps.costUsd - scope.costUsd - scope.heldUsd);
    parts.push(`${money(scope.costUsd)} spent${scope.heldUsd > 0 ? `, ${money(scope.heldUsd)} held` : ""}, ${money(left)} left`);
    share(caps.costUsd, scope.costUsd, scope.heldUsd);
  }
  if (caps.tokens !== undefined) {
    const held = scope.heldTokens > 0 ? ` and ${grouped(scope.heldTokens)} held` : "";
    parts.push(`${grouped(scope.tokens)}${held} of ${grouped(caps.tokens)} tokens`);
    share(caps.tokens, scope.tokens, scope.heldTokens);
  }
  if (caps.calls !== undefined) {
    parts.push(`${grouped(scope.calls)} of ${counted(caps.calls, "call")}`);
    share(caps.calls, scope.calls, 0);
  }
  if (parts.length === 0) return dim(`  budget ${last(scope.path)}`, color);
  const cells = (share: number): number => Math.min(BAR, Math.round(share * BAR));
  const spent = cells(shares[0]);
  const held = Math.min(BAR - spent, cells(shares[1]));
  const drawn = `${cyan("█".repeat(spent), color)}${yellow("▒".repeat(held), color)}${dim("░".repeat(BAR - spent - held), color)}`;
  return `  ${`budget ${last(scope.path)}`.padEnd(24).slice(0, 40)} ${drawn} ${parts.join(" · ")}`;
}

function bar(done: number, failed: number, size: number, color: boolean): string {
  const cells = (count: number): number => (size === 0 ? BAR : Math.round((count / size) * BAR));
  const bad = cells(failed);
  const good = Math.min(BAR - bad, cells(done));
  return `${green("█".repeat(good), color)}${red("█".repeat(bad), color)}${dim("░".repeat(BAR - good - bad), color)}`;
}

/** Cuts a line with colours to a width, so that it never wraps. */
function cutLine(line: string, width: number): string {
  let out = "";
  let room = width;
  for (const part of line.split(/(\u001b\[\d+m)/)) {
    if (part.startsWith("\u001b")) out += part;
    else {
      out += part.slice(0, Math.max(0, room));
      room -= part.length;
    }
  }
  return out;
}
