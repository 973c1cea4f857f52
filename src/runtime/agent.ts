/**
 * An agent's attempt: its prompt, turns with tools, and an answer that fits its type. Answers are read leniently with
 * every mend told; one that does not fit goes back with the reasons, a bounded number of times. Tools that the model
 * asks for go through the same path as any call. Under a budget a last turn without tools is kept back: an agent that
 * gets short answers with what it has.
 */
import type { AgentIR, CalleeRef, Json, TypeIR } from "../plan/ir.js";
import { answerSchema, parametersSchema } from "../plan/json-schema.js";
import { mediaTaken } from "../plan/media.js";
import { LAST_TURN, outputLimit, quotedBytes, REFUSED_CALLS, REPAIR_BYTES, TOOL_ERROR_BYTES, turnBytes } from "../plan/request-size.js";
import { beginWork, endWork, enter, giveBack, rest, type Worker, wake, wasBegun } from "./admission.js";
import { pump } from "./body.js";
import { checkArgs, startCall, withDefaults } from "./call.js";
import { compileExpr, type EvalContext } from "./evaluate.js";
import { type CallFailure, failure, failureValue, toFailure } from "./failure.js";
import { type Frame, newFrame } from "./frame.js";
import { type Account, type Claim, expiry, nothing, within } from "./ledger.js";
import { readAs, withoutThinking } from "./lenient.js";
import type { Attempt, CompiledCallable, Done, Run, Step } from "./machine.js";
import { askModel } from "./model.js";
import type { Message, ModelAnswer, Repeated, ToolCallRequest, ToolDescription, UserPart } from "./provider.js";
import { messageBytes } from "./request-bytes.js";
import { exampleMessages, promptMessage, repeatedOf, shownAfter } from "./said.js";
import type { Checked } from "./schema.js";
import { cancelled, detach } from "./scope.js";
import { shrunk } from "./shrink.js";
import { attemptOf, rootOf, stopped, withSchemas } from "./step.js";
import { takeMedia } from "./tool-media.js";
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
        const used = await useTools(step, agent, tools, answer.toolCalls, { attempt, counts });
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
  return { schema, tools, descriptions: tools.map((tool) => tool.description), output: longestOutput(run, ir) };
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

/** A value as a type wants it; what explains a misfit is loaded when there is one. */
async function fitted(run: Run, type: TypeIR, value: unknown): Promise<Checked> {
  const { exactly, cut } = run.program.shapes;
  const fits = exactly(type);
  if (fits(value)) return { ok: true, value };
  const rest = cut(type)(value);
  if (fits(rest)) return { ok: true, value: rest };
  const schemas = await new Promise<NonNullable<Run["schemas"]>>((resolve) => withSchemas(run, resolve));
  return schemas.validate(type, value, run.program.graph.types);
}

interface AgentTool {
  readonly callee: CompiledCallable;
  readonly description: ToolDescription;
}

function describeTools(run: Run, refs: readonly CalleeRef[]): readonly AgentTool[] {
  const types = run.program.graph.types;
  return refs.map((ref) => {
    const callee = run.program.callable(ref);
    const { ir } = callee;
    const parameters: Json = parametersSchema(ir.params, types);
    const parameterTypes = ir.params.map((param) => ({ name: param.name, type: param.type, optional: param.default !== undefined }));
    return { callee, description: { name: ir.name, description: ir.doc ?? "", parameters, parameterTypes } };
  });
}

/** Whether a budget around the step is short, and not of time. */
function isShort(failed: CallFailure, step: Step): boolean {
  const { kind, account } = failed;
  return (
    kind === "budget_exceeded" &&
    account !== undefined &&
    within(step.context.account, account as Account) &&
    expiry(step.context.account) === undefined
  );
}

/** What a tool gave; `short`: why a budget around did not allow it. */
interface Used {
  readonly message: Message;
  readonly media: readonly UserPart[];
  readonly short: string | undefined;
}

/** What tells the calls of an agent apart: its attempt, since two may go on at once, and how often each tool was called. */
interface Numbers {
  readonly attempt: number;
  readonly counts: Map<string, number>;
}

/** Carries out what the model asked for: together, but in order where something has effects. */
async function useTools(
  step: Step,
  agent: Compiled,
  tools: readonly AgentTool[],
  calls: readonly ToolCallRequest[],
  numbers: Numbers,
): Promise<readonly Used[]> {
  const { run, context } = step;
  // The tools stand for the agent meanwhile.
  rest(run, context.worker);
  try {
    return await useEach(step, agent, tools, calls, numbers);
  } finally {
    wake(run, context.worker);
  }
}

async function useEach(
  step: Step,
  agent: Compiled,
  tools: readonly AgentTool[],
  calls: readonly ToolCallRequest[],
  numbers: Numbers,
): Promise<readonly Used[]> {
  const byName = new Map(tools.map((tool) => [tool.description.name, tool]));
  const limit = agent.ir.maxCallsPerTurn;
  const one = async (call: ToolCallRequest, i: number): Promise<Used> => {
    if (i >= limit) return toolFailed(call, `At most ${limit} tool calls are allowed in one turn; this one was not made.`);
    const tool = byName.get(call.name);
    if (tool === undefined) return toolFailed(call, `There is no tool ${call.name}. The tools are: ${[...byName.keys()].join(", ")}.`);
    const working = beginWork(step.run, step.context.account);
    try {
      return await useTool(step, agent.ir, tool.callee, call, numbers, working);
    } finally {
      endWork(step.run, working);
      pump(step.run);
    }
  };
  if (!calls.some((call) => byName.get(call.name)?.callee.effect === "effect")) return Promise.all(calls.map(one));
  const used: Used[] = [];
  for (const [i, call] of calls.entries()) used.push(await one(call, i));
  return used;
}

function toolFailed(call: ToolCallRequest, text: string, short?: string): Used {
  return { message: toolMessage(call, text, true), media: [], short };
}

function toolMessage(call: ToolCallRequest, text: string, failed: boolean): Message {
  return { role: "tool", callId: call.id, name: call.name, text: failed ? shortened(text, TOOL_ERROR_BYTES) : text, failed };
}

async function useTool(
  step: Step,
  ir: AgentIR,
  callee: CompiledCallable,
  call: ToolCallRequest,
  { attempt, counts }: Numbers,
  working: Worker | undefined,
): Promise<Used> {
  const { run } = step;
  if (call.invalid !== undefined) return toolFailed(call, `The arguments are not JSON: ${call.invalid}`);
  const fields = callee.ir.params.map((param) => ({ name: param.name, type: param.type, optional: param.default !== undefined }));
  const given = typeof call.arguments === "object" && call.arguments !== null ? call.arguments : {};
  const present = fields.filter((field) => !field.optional || Object.hasOwn(given, field.name));
  const checked = await fitted(run, { kind: "record", fields: present.map((field) => ({ ...field, optional: false })) }, given);
  if (!checked.ok) return toolFailed(call, `The arguments do not fit: ${checked.message}`);
  const count = (counts.get(callee.ir.name) ?? 0) + 1;
  counts.set(callee.ir.name, count);
  const path = `${step.path}${attempt > 1 ? `~${attempt}` : ""}/${callee.ir.name}${count > 1 ? `#${count}` : ""}`;
  const args = withDefaults(callee, checked.value as Readonly<Record<string, unknown>>);
  rest(run, working);
  const { failed, value } = await new Promise<Outcome>((resolve) => {
    // Whatever follows, somebody stands for it when those who wait are looked at.
    callTool(step, callee, args, path, (failed, value) => {
      wake(run, working);
      resolve({ failed, value });
    });
    pump(run);
  });
  if (failed !== undefined) {
    if (failed.kind === "cancelled") throw failed;
    const { kind, message } = failureValue(failed);
    return toolFailed(call, `The tool failed (${kind}): ${message}`, isShort(failed, step) ? message : undefined);
  }
  const { graph } = run.program;
  const shown = takeMedia(value, callee.ir.result, graph.types, mediaTaken(graph, ir.model));
  const text = typeof shown.value === "string" ? shown.value : JSON.stringify(shown.value);
  if (text.length > ir.maxToolResult)
    return toolFailed(call, `The result is too large: ${text.length} characters, at most ${ir.maxToolResult} can be shown. Ask for less.`);
  return { message: toolMessage(call, text, false), media: shown.media, short: undefined };
}

interface Outcome {
  readonly failed: CallFailure | undefined;
  readonly value: unknown;
}

/** Calls a tool, if a budget can pay for all that it needs. */
function callTool(step: Step, callee: CompiledCallable, args: Readonly<Record<string, unknown>>, path: string, done: Done): void {
  const { run, context } = step;
  const { account } = context;
  const scope = attemptOf(step);
  const end: Done = (failed, value) => {
    detach(scope);
    done(failed, value);
  };
  const start = (own: Claim | undefined): void => {
    scope.onStop = undefined;
    // The agent holds a place in the regions around it already, so its tools need none of their own.
    const inner = { ...context, gates: undefined, claim: own, worker: undefined };
    startCall({ run, scope, context: inner, site: callee.site, frame: step.frame, args, path, rank: 0 }, (failed, value) => {
      giveBack(run, own);
      end(failed, value);
    });
  };
  const needs = account.limited ? run.program.analysis.call(callee.ref, args) : nothing;
  const entered = (refused: CallFailure | undefined, own: Claim | undefined): void => {
    if (refused === undefined) start(own);
    else end(refused, null);
  };
  const takeBack = enter(run, { account, claim: undefined, path }, needs, entered, wasBegun(run, path));
  if (takeBack !== undefined)
    scope.onStop = () => {
      takeBack();
      end(stopped(step), null);
    };
}
