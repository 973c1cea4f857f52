/** What no test has reached: agents, arms, `recover` branches and fallbacks, counted and listed with their places. */
import { agentKey, type Coverable, fallbackKey } from "../plan/coverage.js";
import type { RunEvent } from "../runtime/events.js";
import { bold, dim, green, type Terminal, yellow } from "./terminal.js";
import { placeOf, type TestedFile } from "./tested.js";

const TITLES: Readonly<Record<Coverable["kind"], string>> = {
  agent: "agents",
  arm: "arms of match and if",
  recover: "recover branches",
  fallback: "fallbacks",
};
const KINDS: readonly Coverable["kind"][] = ["agent", "arm", "recover", "fallback"];

interface Missed {
  readonly kind: Coverable["kind"];
  readonly text: string;
  readonly at: string;
}

export interface Coverage {
  readonly counts: Readonly<Record<Coverable["kind"], { readonly reached: number; readonly total: number }>>;
  readonly missed: readonly Missed[];
}

/** Keys of the agents and fallbacks that the events tell of. */
export function keysOf(events: readonly RunEvent[]): readonly string[] {
  const callees = new Map<string, string>();
  return events.flatMap((event) => {
    if (event.kind === "call.started") {
      callees.set(event.path, event.callee);
      return event.of === "agent" ? [agentKey(event.callee)] : [];
    }
    return event.kind === "call.fell_back" ? [fallbackKey(callees.get(event.path) ?? "", event.to)] : [];
  });
}

/** What the tests of some files reached, all together: a file may be tested from another one that imports it. */
export function coverageOf(tested: readonly TestedFile[]): Coverage {
  const places = new Map<string, { readonly point: Coverable; readonly file: TestedFile }>();
  const reached = new Set<string>();
  for (const file of tested) {
    for (const point of file.coverable) places.set(point.key, { point, file });
    for (const key of file.reached) reached.add(key);
    for (const result of file.results) for (const key of keysOf(result.events)) reached.add(key);
  }
  const counts = {
    agent: { reached: 0, total: 0 },
    arm: { reached: 0, total: 0 },
    recover: { reached: 0, total: 0 },
    fallback: { reached: 0, total: 0 },
  };
  const missed: (Missed & { readonly file: string; readonly start: number })[] = [];
  for (const { point, file } of places.values()) {
    const count = counts[point.kind];
    count.total++;
    if (reached.has(point.key)) count.reached++;
    else {
      const { span } = point;
      missed.push({ kind: point.kind, text: describe(point, file), at: placeOf(span, file.compiled), file: span.file, start: span.start });
    }
  }
  missed.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.start - b.start));
  return { counts, missed: missed.map(({ kind, text, at }) => ({ kind, text, at })) };
}

/** `else of if score > 3 {`: what it is, and the beginning of its line. */
function describe({ kind, name, span }: Coverable, { compiled }: TestedFile): string {
  if (kind === "agent" || kind === "fallback") return `${kind} ${name}`;
  const [line = ""] = (compiled.files.get(span.file)?.text.slice(span.start, span.end) ?? "").split("\n");
  const code = line.length > 60 ? `${line.slice(0, 59)}…` : line;
  return `${kind}${name === "" ? "" : ` ${name}`}: ${code}`;
}

/** The coverage as text. */
export function coverageText({ counts, missed }: Coverage, to: Terminal): string {
  const lines = [bold("coverage", to.outColor)];
  for (const kind of KINDS) {
    const { reached, total } = counts[kind];
    if (total === 0) continue;
    const paint = reached === total ? green : yellow;
    lines.push(`  ${TITLES[kind].padEnd(22)}${paint(`${reached} of ${total}`, to.outColor)}`);
  }
  if (lines.length === 1) lines.push("  nothing to reach: no agents, arms, recover branches or fallbacks");
  if (missed.length > 0) lines.push("", "not reached by any test");
  for (const each of missed) lines.push(`  ${dim(each.at, to.outColor)}  ${each.text}`);
  return `${lines.join("\n")}\n`;
}
