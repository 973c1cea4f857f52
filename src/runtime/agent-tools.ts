/**
 * The tools of an agent: how the model is told of them, and carrying out what it asks for, through the same path as any
 * call and within its budgets. What goes wrong goes back to the model.
 */
import type { AgentIR, CalleeRef, Json } from "../plan/ir.js";
import { parametersSchema } from "../plan/json-schema.js";
import { mediaTaken } from "../plan/media.js";
import { TOOL_ERROR_BYTES } from "../plan/request-size.js";
import { beginWork, endWork, enter, giveBack, rest, type Worker, wake } from "./admission.js";
import { pump } from "./body.js";
import { startCall, withDefaults } from "./call.js";
import { type CallFailure, failureValue } from "./failure.js";
import { type Account, type Claim, expiry, nothing, within } from "./ledger.js";
import type { CompiledCallable, Done, Run, Step } from "./machine.js";
import type { Message, ToolCallRequest, ToolDescription, UserPart } from "./provider.js";
import { detach } from "./scope.js";
import { attemptOf, fitted, stopped } from "./step.js";
import { takeMedia } from "./tool-media.js";
import { shortened } from "./values.js";

export interface AgentTool {
  readonly callee: CompiledCallable;
  readonly description: ToolDescription;
}

export function describeTools(run: Run, refs: readonly CalleeRef[]): readonly AgentTool[] {
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
export function isShort(failed: CallFailure, step: Step): boolean {
  const { kind, account } = failed;
  return (
    kind === "budget_exceeded" &&
    account !== undefined &&
    within(step.context.account, account as Account) &&
    expiry(step.context.account) === undefined
  );
}

/** What a tool gave; `short`: why a budget around did not allow it. */
export interface Used {
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
export async function useTools(
  step: Step,
  ir: AgentIR,
  tools: readonly AgentTool[],
  calls: readonly ToolCallRequest[],
  numbers: Numbers,
): Promise<readonly Used[]> {
  const { run, context } = step;
  const byName = new Map(tools.map((tool) => [tool.description.name, tool]));
  const limit = ir.maxCallsPerTurn;
  const one = async (call: ToolCallRequest, i: number): Promise<Used> => {
    if (i >= limit) return toolFailed(call, `At most ${limit} tool calls are allowed in one turn; this one was not made.`);
    const tool = byName.get(call.name);
    if (tool === undefined) return toolFailed(call, `There is no tool ${call.name}. The tools are: ${[...byName.keys()].join(", ")}.`);
    const working = beginWork(run, context.account);
    try {
      return await useTool(step, ir, tool, call, numbers, working);
    } finally {
      endWork(run, working);
      pump(run);
    }
  };
  // The tools stand for the agent meanwhile.
  rest(run, context.worker);
  try {
    if (!calls.some((call) => byName.get(call.name)?.callee.effect === "effect")) return await Promise.all(calls.map(one));
    const used: Used[] = [];
    for (const [i, call] of calls.entries()) used.push(await one(call, i));
    return used;
  } finally {
    wake(run, context.worker);
  }
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
  { callee, description }: AgentTool,
  call: ToolCallRequest,
  { attempt, counts }: Numbers,
  working: Worker | undefined,
): Promise<Used> {
  const { run } = step;
  if (call.invalid !== undefined) return toolFailed(call, `The arguments are not JSON: ${call.invalid}`);
  const given = typeof call.arguments === "object" && call.arguments !== null ? call.arguments : {};
  const present = description.parameterTypes.filter((field) => !field.optional || Object.hasOwn(given, field.name));
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
  const takeBack = enter(run, { account, claim: undefined, path }, needs, (refused, own) => {
    if (refused === undefined) start(own);
    else end(refused, null);
  });
  if (takeBack !== undefined)
    scope.onStop = () => {
      takeBack();
      end(stopped(step), null);
    };
}
