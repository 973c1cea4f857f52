/**
 * An agent's attempt: its prompt, turns with tools, and an answer that fits its type. Answers are read leniently with
 * every mend told; one that does not fit goes back with the reasons, a bounded number of times. Tools that the model
 * asks for go through the same path as any call. Under a budget a last turn without tools is kept back: an agent that
 * gets short answers with what it has.
 */
import type { AgentIR } from "../plan/ir.js";
import { answerSchema } from "../plan/json-schema.js";
import { referencesOf } from "../plan/references.js";
import { LAST_TURN, outputLimit, quotedBytes, REFUSED_CALLS, REPAIR_BYTES, turnBytes } from "../plan/request-size.js";
import { describeTools, isShort, useTools } from "./agent-tools.js";
import { pump } from "./body.js";
import { checkArgs } from "./call.js";
import { compileExpr, type EvalContext } from "./evaluate.js";
import { type CallFailure, failure, toFailure } from "./failure.js";
import { type Frame, newFrame } from "./frame.js";
import { readAs, withoutThinking } from "./lenient.js";
import type { Attempt, CompiledCallable, Run, Step } from "./machine.js";
import { askModel } from "./model.js";
import type { Asking } from "./model-request.js";
import type { Message, ModelAnswer, Repeated } from "./provider.js";
import { messageBytes } from "./request-bytes.js";
import { exampleMessages, promptMessage, repeatedOf, shownAfter } from "./said.js";
import { cancelled } from "./scope.js";
import { shrunk } from "./shrink.js";
import { fitted, rootOf, stopped } from "./step.js";
import { shortened, shown } from "./values.js";

interface Compiled {
  readonly ir: AgentIR;
  readonly callee: CompiledCallable;
  readonly prompt: (frame: Frame) => unknown;
  readonly system: ((frame: Frame) => unknown) | undefined;
  readonly examples: ((frame: Frame) => unknown) | undefined;
  readonly repeated: Repeated;
  /** What every request asks for alike, worked out with the first one. */
  standing: Standing | undefined;
}

export function performAgent(ir: AgentIR, callee: CompiledCallable, context: EvalContext): Attempt {
  const compile = (expr: AgentIR["prompt"]) => compileExpr(expr, callee.params, context);
  const compiled: Compiled = {
    ir,
    callee,
    prompt: compile(ir.prompt),
    system: ir.system === undefined ? undefined : compile(ir.system),
    examples: ir.examples === undefined ? undefined : compile(ir.examples),
    repeated: repeatedOf(ir),
    standing: undefined,
  };
  return (step, done) => {
    // What was sent is awaited when the region around fails, with the turns that belong to it.
    step.sealed = true;
    converse(step, compiled).then(
      (value) => {
        done(undefined, value);
        pump(step.run);
      },
      (thrown: unknown) => {
        done(step.halt === cancelled ? stopped(step) : toFailure(thrown, "unavailable", false), null);
        pump(step.run);
      },
    );
  };
}

/** A conversation as far as it has come. */
interface Talk {
  readonly step: Step;
  readonly agent: Compiled;
  readonly standing: Standing;
  readonly attempt: number;
  readonly messages: Message[];
  /** How often each tool was called. */
  readonly counts: Map<string, number>;
  args: Readonly<Record<string, unknown>>;
  system: string | undefined;
  /** How many of the messages are the examples and the prompt. */
  opening: number;
  turn: number;
  /** How many turns it may take. */
  turns: number;
  last: boolean;
  shrinks: number;
  repairs: number;
  landed: boolean;
  /** How much had been said when a last turn was kept back. */
  paidFor: number | undefined;
}

const lastWords: Message = { role: "user", text: LAST_TURN };

/**
 * All but the waiting is in functions of their own: an engine learns how an asynchronous function is used only once one
 * has ended, and many agents that start together are all on their way by then.
 */
async function converse(step: Step, agent: Compiled): Promise<unknown> {
  const talk = begun(step, agent, await checkedArgs(step, agent.callee));
  for (;;) {
    const asking = nextTurn(talk);
    let answer: ModelAnswer;
    try {
      answer = await askModel(step, agent.ir.model, asking);
    } catch (thrown) {
      const failed = toFailure(thrown, "unavailable", false);
      const less = failed.kind === "context_too_long" ? await shrunk(step, agent.ir, talk.args, talk.shrinks, asking) : undefined;
      if (less === undefined) giveWay(talk, failed);
      else sayLess(talk, less);
      continue;
    }
    const said = wanting(talk, answer);
    let read: ReadAnswer;
    if (said === undefined) read = await readAnswer(step.run, agent, answer);
    else if (isModest(said, agent.ir, talk.standing.output)) {
      useThem(talk, said, await useTools(step, agent.ir, talk.standing.tools, answer.toolCalls, talk));
      continue;
    } else read = { ok: false, reasons: ["the calls of tools are too many or too long: ask for less at once"] };
    if (read.ok) {
      if (read.mends.length > 0) step.run.emit({ kind: "answer.mended", path: step.path, mends: [...read.mends] });
      return read.value;
    }
    askAgain(talk, answer, read.reasons);
  }
}

function begun(step: Step, agent: Compiled, args: Readonly<Record<string, unknown>>): Talk {
  agent.standing ??= standingOf(step.run, agent.ir);
  const { standing } = agent;
  const { system, said } = openingOf(agent, args);
  return {
    step,
    agent,
    standing,
    attempt: rootOf(step).attempts,
    messages: said,
    counts: new Map(),
    args,
    system,
    opening: said.length,
    turn: 0,
    turns: standing.tools.length === 0 ? 1 : agent.ir.maxTurns,
    last: false,
    shrinks: 0,
    repairs: 0,
    landed: false,
    paidFor: undefined,
  };
}

/** What the next turn asks of the model. */
function nextTurn(talk: Talk): Asking {
  const { step, agent, standing, messages } = talk;
  const { ir, callee } = agent;
  const { run, path } = step;
  talk.turn++;
  const before = run.past?.landed.get(path);
  // An earlier part of the run answered here without more tools.
  if (before !== undefined && talk.turn === before.after + 1 && talk.turn < talk.turns) {
    talk.turns = talk.turn;
    talk.landed = true;
  }
  const left = talk.turns - talk.turn;
  talk.last = left <= 0;
  if (left === 0 && (talk.turn > 1 || talk.landed)) messages.push(lastWords);
  return {
    agent: ir.name,
    path,
    attempt: talk.attempt,
    turn: talk.turn,
    seed: run.seed,
    system: talk.system,
    messages,
    repeated: agent.repeated,
    last: talk.last ? undefined : [...messages, lastWords],
    schema: standing.schema,
    answer: ir.result,
    types: run.program.graph.types,
    references: standing.references,
    tools: standing.descriptions,
    temperature: ir.temperature,
    maxOutput: ir.maxOutput,
    limits: { calls: ir.maxCallsPerTurn, turns: Math.max(0, left), repairs: ir.repairs - talk.repairs },
    hidePrompt: callee.redact.args !== undefined,
    hideAnswer: callee.redact.result !== undefined,
  };
}

/** From this turn on it answers with what it has. */
function land(talk: Talk, turn: number, why: string): void {
  const { run, path } = talk.step;
  talk.turns = turn;
  if (!talk.landed)
    run.emit({ kind: "budget.landed", path, region: "agent", after: turn - 1, message: `it answers without more tools: ${why}` });
  talk.landed = true;
}

/** A turn failed: where the budget was too short for it, it is taken again as the last one. */
function giveWay(talk: Talk, failed: CallFailure): void {
  const { messages, last, paidFor } = talk;
  if (!isShort(failed, talk.step) || (last && paidFor === undefined)) throw failed;
  // What its tools gave last may be more than was kept back for.
  if (last) messages.length = paidFor ?? messages.length;
  if (last) talk.paidFor = undefined;
  land(talk, talk.turn, failed.message);
  talk.turn--;
}

/** A turn was too long: it is taken again with less in its prompt. */
function sayLess(talk: Talk, args: Talk["args"]): void {
  const { agent, messages } = talk;
  const { system, said } = openingOf(agent, args);
  if (messages.at(-1) === lastWords) messages.pop();
  messages.splice(0, talk.opening, ...said);
  talk.shrinks++;
  talk.args = args;
  talk.system = system;
  talk.opening = said.length;
  talk.turn--;
}

/** An answer that wants tools as it is said; undefined where it wants none, or may not have any. */
function wanting(talk: Talk, { finish, text, toolCalls, replay }: ModelAnswer): Extract<Message, { role: "assistant" }> | undefined {
  const { step, last, messages } = talk;
  talk.paidFor = last ? undefined : messages.length;
  if (step.halt === cancelled) throw stopped(step);
  if (finish === "refused") throw failure("refused", `the model refused: ${shown(text, 200)}`);
  return toolCalls.length > 0 && !last ? { role: "assistant", text, toolCalls, replay } : undefined;
}

function useThem(talk: Talk, said: Message, used: Awaited<ReturnType<typeof useTools>>): void {
  talk.messages.push(said, ...shownAfter(used));
  const short = used.find((each) => each.short !== undefined)?.short;
  if (short !== undefined) land(talk, talk.turn + 1, short);
}

/** An answer that does not fit goes back with the reasons. */
function askAgain(talk: Talk, answer: ModelAnswer, reasons: readonly string[]): void {
  const { step, agent, messages, standing } = talk;
  const { ir } = agent;
  talk.repairs++;
  step.run.emit({ kind: "answer.rejected", path: step.path, reasons: [...reasons], repair: talk.repairs });
  if (talk.repairs > ir.repairs)
    throw failure(
      "invalid_output",
      `the answer does not fit after ${ir.repairs === 1 ? "1 repair" : `${ir.repairs} repairs`}: ${reasons.join("; ")}`,
    );
  messages.push(quoted(answer, standing.output), { role: "user", text: repairText(reasons, ir.result.kind === "string") });
}

/** What an agent says before its first answer, for these arguments. */
function openingOf(agent: Compiled, args: Readonly<Record<string, unknown>>) {
  const frame = newFrame(agent.callee.params, undefined);
  for (const [i, param] of agent.ir.params.entries()) frame.slots[i] = args[param.name];
  const system = agent.system === undefined ? undefined : String(agent.system(frame));
  return { system, said: [...exampleMessages(agent.examples?.(frame)), promptMessage(() => String(agent.prompt(frame)))] };
}

function checkedArgs(step: Step, callee: CompiledCallable): Promise<Readonly<Record<string, unknown>>> {
  return new Promise((resolve, reject) => {
    checkArgs(step, callee, (failed, args) => (failed === undefined ? resolve(args) : reject(failed)));
  });
}

type Standing = ReturnType<typeof standingOf>;

function standingOf(run: Run, ir: AgentIR) {
  const tools = describeTools(run, ir.tools);
  const schema = answerSchema(ir.result, run.program.graph.types);
  return {
    schema,
    tools,
    descriptions: tools.map((tool) => tool.description),
    output: longestOutput(run, ir),
    references: referencesOf(run.program.graph),
  };
}

/** Tokens of output that any model the agent may be answered by can write. */
function longestOutput(run: Run, ir: AgentIR): number {
  const { models } = run.program.graph;
  const of = (id: string): number => {
    const model = models[id];
    if (model === undefined) return 0;
    const group = model.fallback ?? model.balance;
    return group === undefined ? outputLimit(model, ir.maxOutput) : Math.max(0, ...group.map(of));
  };
  return of(ir.model);
}

/** Whether what a turn asks for is within what later requests were bounded for. */
function isModest(said: Extract<Message, { role: "assistant" }>, ir: AgentIR, output: number): boolean {
  return said.toolCalls.length <= REFUSED_CALLS * ir.maxCallsPerTurn && messageBytes(said) <= turnBytes(output);
}

/** An answer that does not fit as the model sees it again: whole, or its beginning where it is longer than tokens usually are. */
function quoted(answer: ModelAnswer, output: number): Message {
  const room = quotedBytes(output);
  // Calls that were not carried out are left out, so that nothing need answer them.
  const whole: Message = {
    role: "assistant",
    text: answer.text,
    toolCalls: [],
    ...(answer.toolCalls.length === 0 ? { replay: answer.replay } : {}),
  };
  return messageBytes(whole) <= room ? whole : { role: "assistant", text: shortened(answer.text, room), toolCalls: [] };
}

function repairText(reasons: readonly string[], plain: boolean): string {
  const list = shortened(reasons.map((reason) => `- ${reason}`).join("\n"), REPAIR_BYTES - 200);
  return `Your answer cannot be used:\n${list}\nAnswer again${plain ? "" : ", with JSON that fits the schema and nothing else"}.`;
}

type ReadAnswer =
  | { readonly ok: true; readonly value: unknown; readonly mends: readonly string[] }
  | { readonly ok: false; readonly reasons: readonly string[] };

/** Reads the text of an answer as the agent's type. */
export async function readAnswer(
  run: Run,
  agent: { readonly ir: AgentIR; readonly callee: CompiledCallable },
  { text, finish, flaw }: Pick<ModelAnswer, "text" | "finish" | "flaw">,
): Promise<ReadAnswer> {
  const { ir } = agent;
  if (finish === "length") return { ok: false, reasons: ["the answer was cut off because it is too long: answer more briefly"] };
  if (text.trim() === "") return { ok: false, reasons: [flaw ?? "the answer is empty"] };
  if (ir.result.kind === "string") {
    const { rest, removed } = withoutThinking(text);
    if (rest === "") return { ok: false, reasons: ["the answer holds only thoughts"] };
    const checked = await fitted(run, ir.result, rest);
    return checked.ok ? { ok: true, value: checked.value, mends: removed } : { ok: false, reasons: checked.reasons };
  }
  const read = readAs(text, ir.result, run.program.graph.types, finish !== "unknown");
  if (read.ok) return read;
  if (read.value === undefined) return { ok: false, reasons: [read.reason] };
  const checked = await fitted(run, ir.result, read.value);
  const reasons = checked.ok ? ["the answer does not fit the type"] : checked.reasons;
  return { ok: false, reasons: read.reason === "" ? reasons : [read.reason, ...reasons] };
}
