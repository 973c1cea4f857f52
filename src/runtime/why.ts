/**
 * Why a call ran, ran again or was reused, read off a journal; and how two runs differ, call by call. A call that runs
 * again is compared with how it was made before: its inputs by name, its definition by what the two graphs say.
 */
import type { Graph } from "../plan/ir.js";
import type { RunEvent } from "./events.js";
import { canonical } from "./hash.js";
import { declaration } from "./reach.js";
import { isFields } from "./values.js";

type Started = Extract<RunEvent, { kind: "call.started" }>;

/** What happened to the call at a path, in sentences. */
export function why(events: readonly RunEvent[], path: string): readonly string[] {
  const out: string[] = [];
  let before: Started | undefined;
  let cause = "";
  for (const event of events) {
    if (event.kind === "run.resumed") cause = "the run was resumed";
    if (!("path" in event) || event.path !== path) continue;
    switch (event.kind) {
      case "call.started":
        out.push(before === undefined ? "It ran because nothing was known of it." : again(before, event, cause));
        before = event;
        break;
      case "call.reused":
        out.push("Its result was taken from another run: definition and inputs are the same.");
        break;
      case "call.cached":
        out.push(`Its result was taken from ${event.from}: same definition and inputs, still fresh.`);
        break;
      case "call.attempt_failed":
        out.push(`Attempt ${event.attempt} failed: ${event.failure.kind}: ${event.failure.message}.`);
        break;
      case "call.fell_back":
        out.push(`It went on to ${event.to}, because of ${event.failure.kind}: ${event.failure.message}.`);
        break;
      case "answer.mended":
        out.push(`The answer was mended: ${event.mends.join(", ")}.`);
        break;
      case "answer.rejected":
        out.push(`The answer did not fit: ${event.reasons.join("; ")}.`);
        break;
      case "choice":
        if (event.candidates !== undefined) out.push(...chosenText(event.chosen, event.candidates));
        else out.push(`It took ${event.chosen}${event.of === "recover" ? " and recovered" : ""}.`);
        break;
      case "question.asked":
        out.push(`It asked: ${event.question}`);
        break;
      case "question.answered":
        out.push(`The answer was ${JSON.stringify(event.value)}.`);
        break;
      case "budget.refused":
        out.push(`The budget of ${event.account} had not enough ${event.dimension} left.`);
        break;
      case "call.completed":
        out.push(`It completed after ${event.attempts} attempt${event.attempts === 1 ? "" : "s"}.`);
        break;
      case "call.failed":
        out.push(`It failed with ${event.failure.kind}: ${event.failure.message}.`);
        break;
      default:
    }
  }
  return out;
}

function chosenText(chosen: string, candidates: NonNullable<Extract<RunEvent, { kind: "choice" }>["candidates"]>): readonly string[] {
  const [first] = candidates.filter((each) => each.name === chosen);
  const others = candidates.filter((each) => each !== first);
  return [
    `It chose ${chosen}${first === undefined ? "" : `: ${first.why}`}.`,
    ...others.map((each) =>
      each.fits ? `${each.name} ${each.why}.` : `Not ${each.name}: ${each.why.replace(`\`${each.name}\` `, "it ")}.`,
    ),
  ];
}

function again(before: Started, now: Started, cause: string): string {
  if (before.guard === now.guard) return `It ran again because ${cause === "" ? "it was tried again" : cause} before its result was known.`;
  const changed = changedInputs(before.args, now.args);
  return changed.length > 0
    ? `It ran again because of its input ${changed.join(", ")}.`
    : `It ran again because the definition of ${now.callee} changed: its prompt, model, types, tools or what it reaches.`;
}

function changedInputs(before: unknown, now: unknown): readonly string[] {
  if (!isFields(before) || !isFields(now)) return [];
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].filter((name) => canonical(before[name]) !== canonical(now[name]));
}

export interface Difference {
  readonly path: string;
  readonly what: string;
}

/** A run as it is compared: its program and its events. */
export interface Compared {
  readonly graph: Graph;
  readonly events: readonly RunEvent[];
}

/** Calls that only one of two runs made, or that they made differently. */
export function differences(first: Compared, second: Compared): readonly Difference[] {
  const [a, b] = [callsOf(first.events), callsOf(second.events)];
  const out: Difference[] = [];
  for (const path of new Set([...a.keys(), ...b.keys()])) {
    const [left, right] = [a.get(path), b.get(path)];
    if (left === undefined || right === undefined) {
      out.push({ path, what: left === undefined ? "only in the second" : "only in the first" });
      continue;
    }
    const inputs = changedInputs(left.started?.args, right.started?.args);
    const facts = [
      ...inputs.map((name) => `input ${name}`),
      ...(left.started?.guard !== right.started?.guard && inputs.length === 0
        ? definition(first, second, left.started, right.started)
        : []),
      ...(canonical(left.outcome) !== canonical(right.outcome) ? [`result ${short(left.outcome)} → ${short(right.outcome)}`] : []),
    ];
    if (facts.length > 0) out.push({ path, what: facts.join("; ") });
  }
  return out;
}

interface Call {
  started: Started | undefined;
  outcome: unknown;
}

function callsOf(events: readonly RunEvent[]): ReadonlyMap<string, Call> {
  const calls = new Map<string, Call>();
  for (const event of events) {
    if (event.kind === "call.started") calls.set(event.path, { started: event, outcome: null });
    else if (event.kind === "call.reused") calls.set(event.path, { started: undefined, outcome: event.value });
    else if (event.kind === "call.completed" || event.kind === "call.failed") {
      const call = calls.get(event.path);
      if (call !== undefined) call.outcome = event.kind === "call.completed" ? event.value : { failed: event.failure.kind };
    }
  }
  return calls;
}

const short = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
};

/** Which parts of a definition differ, by the names that a program gives them. */
function definition(first: Compared, second: Compared, a: Started | undefined, b: Started | undefined): readonly string[] {
  if (a === undefined || b === undefined) return [];
  const of = ({ graph }: Compared, call: Started): Readonly<Record<string, unknown>> | undefined => {
    const all = call.of === "agent" ? graph.agents : call.of === "tool" ? graph.tools : call.of === "flow" ? graph.flows : {};
    const found = Object.values(all).find((each) => each.name === call.callee);
    if (found === undefined) return undefined;
    const ir = declaration(graph, { kind: found.kind, id: found.id });
    return ir.kind === "agent" ? { ...ir, model: graph.models[ir.model] } : { ...ir };
  };
  const [left, right] = [of(first, a), of(second, b)];
  if (left === undefined || right === undefined) return [`definition of ${b.callee}`];
  const names = Object.keys({ ...left, ...right }).filter(
    (name) => !["hash", "span", "id"].includes(name) && withoutSpans(left[name]) !== withoutSpans(right[name]),
  );
  return [names.length === 0 ? `what ${b.callee} reaches` : `${names.join(", ")} of ${b.callee}`];
}

const withoutSpans = (value: unknown): string => JSON.stringify(value, (key, inner: unknown) => (key === "span" ? undefined : inner)) ?? "";
