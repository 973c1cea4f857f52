/**
 * Why a call ran, ran again or was reused, read off a journal; and how two runs differ, call by call. A call that runs
 * again is compared with how it was made before: its inputs by name, its definition by what the two graphs say.
 */
import type { AgentIR, CapabilityIR, FlowIR, Graph, ModelIR, ToolIR } from "../plan/ir.js";
import type { RunEvent } from "./events.js";
import { canonical } from "./hash.js";
import { reach } from "./reach.js";
import { isFields } from "./values.js";

type Started = Extract<RunEvent, { kind: "call.started" }>;

/** What happened to the call at a path, in sentences. */
export function why(events: readonly RunEvent[], path: string): readonly string[] {
  const out: string[] = [];
  let before: Started | undefined;
  let cause = "";
  let told = false;
  let done = false;
  for (const event of events) {
    if (event.kind === "run.resumed") {
      cause = "the run was resumed";
      if (done) out.push("Its result was kept when the run was resumed.");
    }
    if (!("path" in event) || event.path !== path) continue;
    switch (event.kind) {
      case "call.changed":
        out.push(
          event.run === undefined
            ? `It ran again because of ${listed(event.because)}.`
            : `It ran although the run ${event.run} has a result for it, because of ${listed(event.because)}.`,
        );
        told = true;
        break;
      case "call.started":
        if (!told) out.push(before === undefined ? "It ran because nothing was known of it." : again(before, event, cause));
        before = event;
        told = false;
        done = false;
        break;
      case "call.reused":
        out.push(
          `Its result was taken from ${[event.from, event.run === undefined ? undefined : `the run ${event.run}`].filter((each) => each !== undefined).join(" of ") || "another run"}: definition and inputs are the same.`,
        );
        done = true;
        break;
      case "call.cached":
        out.push(
          `Its result was taken from ${event.from}${event.run === undefined ? "" : ` of the run ${event.run}`}: same definition and inputs, still fresh.`,
        );
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
      case "question.refused":
        out.push(`An answer did not fit: ${event.why}.`);
        break;
      case "question.answered":
        out.push(`The answer was ${JSON.stringify(event.value)}.`);
        break;
      case "budget.refused":
        out.push(`The budget of ${event.account} had not enough ${event.dimension} left.`);
        break;
      case "call.completed":
        out.push(`It completed after ${event.attempts} attempt${event.attempts === 1 ? "" : "s"}.`);
        done = true;
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

const listed = (parts: readonly string[]): string => parts.join(", ");

function changedInputs(before: unknown, now: unknown): readonly string[] {
  if (!isFields(before) || !isFields(now)) return [];
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].filter((name) => canonical(before[name]) !== canonical(now[name]));
}

/** A call as it was made: of which program, and with what. */
export interface Made {
  readonly graph: Graph;
  readonly callee: string;
  readonly of: Started["of"];
  readonly args: unknown;
}

/** What makes two calls at one place different, in the words of the program: inputs first, else parts of the definition. */
export function changes(before: Made, now: Made): readonly string[] {
  if (before.callee !== now.callee) return [`another callee: ${before.callee} before, ${now.callee} now`];
  const inputs = changedInputs(before.args, now.args);
  if (inputs.length > 0) return inputs.map((name) => `its input ${name}`);
  const parts = definitionChanges(before.graph, now.graph, now);
  // Two values that are hidden look the same.
  return parts.length > 0
    ? parts
    : [canonical(now.args).includes("[redacted]") ? "an input that is hidden" : `the definition of ${now.callee}`];
}

type Declared = FlowIR | AgentIR | ToolIR | CapabilityIR;

/** Which parts of a definition differ, and of what it reaches. */
function definitionChanges(before: Graph, now: Graph, { callee, of }: Pick<Made, "callee" | "of">): readonly string[] {
  const [left, right] = [named(before, of, callee), named(now, of, callee)];
  if (left === undefined || right === undefined) return [];
  const own = partsOf(before, now, left, right);
  if (own.length > 0) return own;
  const out: string[] = [];
  for (const ref of reach(now, [{ kind: right.kind, id: right.id }]).callables) {
    if (ref.kind === "channel" || ref.id === right.id) continue;
    const inner = declared(now, ref.kind)[ref.id];
    const was = inner === undefined ? undefined : named(before, ref.kind, inner.name);
    if (inner !== undefined && was !== undefined) out.push(...partsOf(before, now, was, inner));
  }
  return out;
}

function declared(graph: Graph, of: Started["of"]): Readonly<Record<string, Declared>> {
  if (of === "agent") return graph.agents;
  if (of === "tool") return graph.tools;
  return of === "flow" ? graph.flows : of === "capability" ? graph.capabilities : {};
}

const named = (graph: Graph, of: Started["of"], name: string): Declared | undefined =>
  Object.values(declared(graph, of)).find((each) => each.name === name);

/** Names of the parts of a declaration in the words of the language. */
const WORDS: Readonly<Record<string, string>> = {
  params: "parameters",
  result: "result type",
  doc: "description",
  policies: "annotations",
  maxTurns: "max_turns",
  maxCallsPerTurn: "max_calls_per_turn",
  maxToolResult: "max_tool_result",
  shrink: "shrink",
  maxOutput: "max_output",
  binding: "binding",
};
/** Of no meaning for a result: places, names given inside, what follows from other parts. */
const SILENT: ReadonlySet<string> = new Set(["hash", "span", "id", "effect", "kind"]);

function partsOf(before: Graph, now: Graph, left: Declared, right: Declared): readonly string[] {
  const [a, b] = [fieldsOf(left), fieldsOf(right)];
  const names = Object.keys({ ...a, ...b }).filter((name) => !SILENT.has(name) && name !== "model" && plain(a[name]) !== plain(b[name]));
  const parts = names.map((name) => `the ${WORDS[name] ?? name} of ${right.name}`);
  if (left.kind === "agent" && right.kind === "agent") parts.push(...modelChanges(before, now, left.model, right.model, right.name));
  return parts;
}

function modelChanges(before: Graph, now: Graph, was: string, is: string, agent: string): readonly string[] {
  const [a, b] = [before.models[was], now.models[is]];
  if (a === undefined || b === undefined) return [];
  if (a.name !== b.name) return [`the model of ${agent}: ${a.name} before, ${b.name} now`];
  const same = (name: keyof ModelIR): boolean => plain(a[name]) === plain(b[name]);
  if (!same("provider") || !same("model"))
    return [`the model ${b.name}: ${a.provider ?? ""}/${a.model ?? ""} before, ${b.provider ?? ""}/${b.model ?? ""} now`];
  const options = (["baseUrl", "temperature", "maxOutput", "options", "fallback", "balance"] as const).filter((name) => !same(name));
  const inner = [...(b.fallback ?? []), ...(b.balance ?? [])].flatMap((id) =>
    a.name === now.models[id]?.name ? [] : modelChanges(before, now, id, id, agent),
  );
  return [...options.map((name) => `the ${name === "baseUrl" ? "base_url" : (WORDS[name] ?? name)} of the model ${b.name}`), ...inner];
}

const fieldsOf = (ir: Declared): Readonly<Record<string, unknown>> => ({ ...ir });

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
      ...(left.started?.guard !== right.started?.guard && inputs.length === 0 ? definition(first, second, right.started) : []),
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

const plain = (value: unknown): string => JSON.stringify(value, (key, inner: unknown) => (key === "span" ? undefined : inner)) ?? "";

function definition(first: Compared, second: Compared, call: Started | undefined): readonly string[] {
  if (call === undefined) return [];
  const parts = definitionChanges(first.graph, second.graph, call);
  return parts.length > 0 ? parts : [`the definition of ${call.callee}`];
}
