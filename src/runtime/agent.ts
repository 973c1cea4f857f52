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
import { failure, toFailure } from "./failure.js";
import { type Frame, newFrame } from "./frame.js";
import { readAs, withoutThinking } from "./lenient.js";
import type { Attempt, CompiledCallable, Run, Step } from "./machine.js";
import { askModel } from "./model.js";
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
  standing: ReturnType<typeof standingOf> | undefined;
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

async function converse(step: Step, agent: Compiled): Promise<unknown> {
  const { run } = step;
  const { ir, callee } = agent;
  let args = await checkedArgs(step, callee);
  const types = run.program.graph.types;
  agent.standing ??= standingOf(run, ir);
  const { schema, tools, descriptions, output } = agent.standing;
  let { system, said: opening } = openingOf(agent, args);
  const messages: Message[] = [...opening];
  let shrinks = 0;
  const attempt = rootOf(step).attempts;
  const counts = new Map<string, number>();
  const lastWords: Message = { role: "user", text: LAST_TURN };
  let turns = tools.length === 0 ? 1 : ir.maxTurns;
  let repairs = 0;
  let landed = false;
  /** How much had been said when a last turn was kept back. */
  let paidFor: number | undefined;
  const land = (turn: number, why: string): void => {
    turns = turn;
    if (!landed)
      run.emit({
        kind: "budget.landed",
        path: step.path,
        region: "agent",
        after: turn - 1,
        message: `it answers without more tools: ${why}`,
      });
    landed = true;
  };

  const before = run.past?.landed.get(step.path);
  for (let turn = 1; ; turn++) {
    // An earlier part of the run answered here without more tools.
    if (before !== undefined && turn === before.after + 1 && turn < turns) {
      turns = turn;
      landed = true;
    }
    const left = turns - turn;
    const last = left <= 0;
    if (left === 0 && (turn > 1 || landed)) messages.push(lastWords);
    const asking = {
      agent: ir.name,
      path: step.path,
      attempt,
      turn,
      seed: run.seed,
      system,
      messages,
      repeated: agent.repeated,
      last: last ? undefined : [...messages, lastWords],
      schema,
      answer: ir.result,
      types,
      references: agent.standing.references,
      tools: descriptions,
      temperature: ir.temperature,
      maxOutput: ir.maxOutput,
      limits: { calls: ir.maxCallsPerTurn, turns: Math.max(0, left), repairs: ir.repairs - repairs },
      hidePrompt: callee.redact.args !== undefined,
      hideAnswer: callee.redact.result !== undefined,
    };
    let answer: ModelAnswer;
    try {
      answer = await askModel(step, ir.model, asking);
    } catch (thrown) {
      const failed = toFailure(thrown, "unavailable", false);
      const less = failed.kind === "context_too_long" ? await shrunk(step, ir, args, shrinks, asking) : undefined;
      if (less !== undefined) {
        shrinks++;
        args = less;
        const again = openingOf(agent, args);
        if (messages.at(-1) === lastWords) messages.pop();
        messages.splice(0, opening.length, ...again.said);
        ({ system, said: opening } = again);
        turn--;
        continue;
      }
      if (!isShort(failed, step) || (last && paidFor === undefined)) throw failed;
      // What its tools gave last may be more than was kept back for.
      if (last) messages.length = paidFor ?? messages.length;
      if (last) paidFor = undefined;
      land(turn, failed.message);
      turn--;
      continue;
    }
    paidFor = last ? undefined : messages.length;
    if (step.halt === cancelled) throw stopped(step);
    if (answer.finish === "refused") throw failure("refused", `the model refused: ${shown(answer.text, 200)}`);
    let read: ReadAnswer;
    if (answer.toolCalls.length > 0 && !last) {
      const said: Message = { role: "assistant", text: answer.text, toolCalls: answer.toolCalls, replay: answer.replay };
      if (isModest(said, ir, output)) {
        const used = await useTools(step, agent.ir, tools, answer.toolCalls, { attempt, counts });
        messages.push(said, ...shownAfter(used));
        const short = used.find((each) => each.short !== undefined)?.short;
        if (short !== undefined) land(turn + 1, short);
        continue;
      }
      read = { ok: false, reasons: ["the calls of tools are too many or too long: ask for less at once"] };
    } else read = await readAnswer(run, agent, answer);
    if (read.ok) {
      if (read.mends.length > 0) run.emit({ kind: "answer.mended", path: step.path, mends: [...read.mends] });
      return read.value;
    }
    repairs++;
    run.emit({ kind: "answer.rejected", path: step.path, reasons: [...read.reasons], repair: repairs });
    if (repairs > ir.repairs)
      throw failure(
        "invalid_output",
        `the answer does not fit after ${ir.repairs === 1 ? "1 repair" : `${ir.repairs} repairs`}: ${read.reasons.join("; ")}`,
      );
    messages.push(quoted(answer, output), { role: "user", text: repairText(read.reasons, ir.result.kind === "string") });
  }
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
