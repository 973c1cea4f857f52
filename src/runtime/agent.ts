/**
 * An agent's attempt: its prompt, turns with tools, and an answer that fits its type. Answers are read leniently with
 * every mend told; one that does not fit goes back with the reasons, a bounded number of times. Tools that the model
 * asks for go through the same path as any call.
 */
import type { AgentIR, CalleeRef, Json, TypeIR } from "../plan/ir.js";
import { answerSchema, parametersSchema } from "../plan/json-schema.js";
import { LAST_TURN, outputLimit, quotedBytes, REFUSED_CALLS, REPAIR_BYTES, TOOL_ERROR_BYTES, turnBytes } from "../plan/request-size.js";
import { forEachRef } from "../plan/walk.js";
import { pump } from "./body.js";
import { checkArgs, startCall, withDefaults } from "./call.js";
import { compileExpr, type EvalContext } from "./evaluate.js";
import { type CallFailure, failure, failureValue, toFailure } from "./failure.js";
import { type Frame, newFrame } from "./frame.js";
import { readAs, withoutThinking } from "./lenient.js";
import type { Attempt, CompiledCallable, Run, Step } from "./machine.js";
import { askModel, messageBytes } from "./model.js";
import type { Message, ModelAnswer, Repeated, ToolCallRequest, ToolDescription } from "./provider.js";
import type { Checked } from "./schema.js";
import { cancelled } from "./scope.js";
import { rootOf, stopped, withSchemas } from "./step.js";
import { shortened, shown } from "./values.js";

interface Compiled {
  readonly ir: AgentIR;
  readonly callee: CompiledCallable;
  readonly prompt: (frame: Frame) => unknown;
  readonly system: ((frame: Frame) => unknown) | undefined;
  readonly examples: ((frame: Frame) => unknown) | undefined;
  readonly repeated: Repeated;
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

/** What is the same in every call: what no parameter stands in, up to the first one that does. */
function repeatedOf({ system, examples, prompt }: AgentIR): Repeated {
  if (system !== undefined && !isSame(system)) return { system: false, messages: 0, head: 0 };
  const listed =
    examples === undefined ? [] : examples.kind === "list" ? examples.elements : examples.kind === "const" ? examples.value : [];
  if (examples !== undefined && (!Array.isArray(listed) || !isSame(examples))) return { system: true, messages: 0, head: 0 };
  const count = Array.isArray(listed) ? 2 * listed.length : 0;
  const [first] = prompt.kind === "template" ? prompt.parts : [];
  const head = prompt.kind === "const" ? String(prompt.value) : first?.kind === "text" ? first.text : "";
  return { system: true, messages: count, head: head.length };
}

function isSame(expr: AgentIR["prompt"]): boolean {
  let same = true;
  forEachRef(expr, () => {
    same = false;
  });
  return same;
}

async function converse(step: Step, agent: Compiled): Promise<unknown> {
  const { run } = step;
  const { ir, callee } = agent;
  const args = await checkedArgs(step, callee);
  const frame = newFrame(callee.params, undefined);
  for (const [i, param] of ir.params.entries()) frame.slots[i] = args[param.name];
  const types = run.program.graph.types;
  const tools = describeTools(run, ir.tools);
  const system = agent.system === undefined ? undefined : String(agent.system(frame));
  const messages: Message[] = [...exampleMessages(agent.examples?.(frame)), { role: "user", text: String(agent.prompt(frame)) }];
  const attempt = rootOf(step).attempts;
  const counts = new Map<string, number>();
  const turns = tools.length === 0 ? 1 : ir.maxTurns;
  const output = longestOutput(run, ir);
  let repairs = 0;

  for (let turn = 1; ; turn++) {
    const left = turns - turn;
    const last = left <= 0;
    if (left === 0 && turn > 1) messages.push({ role: "user", text: LAST_TURN });
    const answer = await askModel(step, ir.model, {
      agent: ir.name,
      path: step.path,
      attempt,
      turn,
      seed: run.seed,
      system,
      messages,
      repeated: agent.repeated,
      schema: answerSchema(ir.result, types),
      answer: ir.result,
      types,
      tools: tools.map((tool) => tool.description),
      temperature: ir.temperature,
      maxOutput: ir.maxOutput,
      limits: { calls: ir.maxCallsPerTurn, turns: Math.max(0, left), repairs: ir.repairs - repairs },
      hidePrompt: callee.redact.args !== undefined,
      hideAnswer: callee.redact.result !== undefined,
    });
    if (step.halt === cancelled) throw stopped(step);
    if (answer.finish === "refused") throw failure("refused", `the model refused: ${shown(answer.text, 200)}`);
    let read: ReadAnswer;
    if (answer.toolCalls.length > 0 && !last) {
      const said: Message = { role: "assistant", text: answer.text, toolCalls: answer.toolCalls, replay: answer.replay };
      if (isModest(said, ir, output)) {
        messages.push(said, ...(await useTools(step, agent, tools, answer.toolCalls, counts)));
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

function checkedArgs(step: Step, callee: CompiledCallable): Promise<Readonly<Record<string, unknown>>> {
  return new Promise((resolve, reject) => {
    checkArgs(step, callee, (failed, args) => (failed === undefined ? resolve(args) : reject(failed)));
  });
}

function exampleMessages(examples: unknown): Message[] {
  if (!Array.isArray(examples)) return [];
  const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
  return examples.flatMap((example: { readonly input: unknown; readonly output: unknown }): Message[] => [
    { role: "user", text: text(example.input) },
    { role: "assistant", text: text(example.output), toolCalls: [] },
  ]);
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

/** Carries out what the model asked for: together, but in order where something has effects. */
async function useTools(
  step: Step,
  agent: Compiled,
  tools: readonly AgentTool[],
  calls: readonly ToolCallRequest[],
  counts: Map<string, number>,
): Promise<readonly Message[]> {
  const byName = new Map(tools.map((tool) => [tool.description.name, tool]));
  const limit = agent.ir.maxCallsPerTurn;
  const one = (call: ToolCallRequest, i: number): Promise<Message> => {
    if (i >= limit)
      return Promise.resolve(toolMessage(call, `At most ${limit} tool calls are allowed in one turn; this one was not made.`, true));
    const tool = byName.get(call.name);
    if (tool === undefined)
      return Promise.resolve(toolMessage(call, `There is no tool ${call.name}. The tools are: ${[...byName.keys()].join(", ")}.`, true));
    return useTool(step, agent.ir, tool.callee, call, counts);
  };
  if (!calls.some((call) => byName.get(call.name)?.callee.effect === "effect")) return Promise.all(calls.map(one));
  const messages: Message[] = [];
  for (const [i, call] of calls.entries()) messages.push(await one(call, i));
  return messages;
}

function toolMessage(call: ToolCallRequest, text: string, failed: boolean): Message {
  return { role: "tool", callId: call.id, name: call.name, text: failed ? shortened(text, TOOL_ERROR_BYTES) : text, failed };
}

async function useTool(
  step: Step,
  ir: AgentIR,
  callee: CompiledCallable,
  call: ToolCallRequest,
  counts: Map<string, number>,
): Promise<Message> {
  const { run } = step;
  if (call.invalid !== undefined) return toolMessage(call, `The arguments are not JSON: ${call.invalid}`, true);
  const fields = callee.ir.params.map((param) => ({ name: param.name, type: param.type, optional: param.default !== undefined }));
  const given = typeof call.arguments === "object" && call.arguments !== null ? call.arguments : {};
  const present = fields.filter((field) => !field.optional || Object.hasOwn(given, field.name));
  const checked = await fitted(run, { kind: "record", fields: present.map((field) => ({ ...field, optional: false })) }, given);
  if (!checked.ok) return toolMessage(call, `The arguments do not fit: ${checked.message}`, true);
  const count = (counts.get(callee.ir.name) ?? 0) + 1;
  counts.set(callee.ir.name, count);
  const attempts = rootOf(step).attempts;
  const path = `${step.path}${attempts > 1 ? `~${attempts}` : ""}/${callee.ir.name}${count > 1 ? `#${count}` : ""}`;
  const args = withDefaults(callee, checked.value as Readonly<Record<string, unknown>>);
  // The agent holds a place in the regions around it already, so its tools need none of their own.
  const context = { ...step.context, gates: undefined };
  const outcome = await new Promise<{ readonly failed: CallFailure | undefined; readonly value: unknown }>((resolve) => {
    startCall({ run, scope: step, context, site: callee.site, frame: step.frame, args, path, rank: 0 }, (failed, value) =>
      resolve({ failed, value }),
    );
    pump(run);
  });
  const { failed, value } = outcome;
  if (failed !== undefined) {
    if (failed.kind === "cancelled" || failed.kind === "budget_exceeded") throw failed;
    const { kind, message } = failureValue(failed);
    return toolMessage(call, `The tool failed (${kind}): ${message}`, true);
  }
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (text.length > ir.maxToolResult)
    return toolMessage(
      call,
      `The result is too large: ${text.length} characters, at most ${ir.maxToolResult} can be shown. Ask for less.`,
      true,
    );
  return toolMessage(call, text, false);
}
