/** What is sent to a model: what an agent wants to ask, its worst case, and the request that comes of it and is told. */
import type { ModelIR } from "../plan/ir.js";
import { inputLimit, outputLimit, requestCost } from "../plan/request-size.js";
import { compileExpr } from "./evaluate.js";
import { layout, newFrame } from "./frame.js";
import { type Amount, dollars } from "./ledger.js";
import type { Run, Step } from "./machine.js";
import type { Message, ModelRequest } from "./provider.js";
import { mediaIn, messageText, requestBytes } from "./request-bytes.js";
import { isFields, plainText } from "./values.js";

/** What an agent wants to ask, before a model is chosen. */
export type Asking = Omit<ModelRequest, "model" | "maxOutput" | "inputBound" | "temperature" | "apiKey" | "baseUrl" | "command"> & {
  readonly temperature: number | undefined;
  readonly maxOutput: number | undefined;
  readonly hidePrompt: boolean;
  readonly hideAnswer: boolean;
  /** What the turn after which no tools are used would send: under a budget it is kept back. */
  readonly last: readonly Message[] | undefined;
};

/** Tokens that a request is charged for at most. */
export function worstCase(
  model: ModelIR,
  asking: Asking,
): { readonly amount: Amount; readonly inputBound: number; readonly maxOutput: number } {
  const inputBound = inputLimit(model, requestBytes(asking) + mediaIn(model, asking.messages));
  const maxOutput = outputLimit(model, asking.maxOutput);
  const cost = requestCost(model, inputBound, maxOutput);
  return { amount: { cost, tokens: inputBound + maxOutput, calls: 0 }, inputBound, maxOutput };
}

/** What is sent to the provider. */
export function requestOf(run: Run, model: ModelIR, asking: Asking, inputBound: number, maxOutput: number): ModelRequest {
  // Field by field: leaving some out of a copy takes longer than all else about a request.
  return {
    model,
    agent: asking.agent,
    path: asking.path,
    attempt: asking.attempt,
    turn: asking.turn,
    seed: asking.seed,
    system: asking.system,
    messages: asking.messages,
    repeated: asking.repeated,
    schema: asking.schema,
    answer: asking.answer,
    types: asking.types,
    references: asking.references,
    tools: asking.tools,
    limits: asking.limits,
    maxOutput,
    inputBound,
    hidden: { prompt: asking.hidePrompt, answer: asking.hideAnswer },
    temperature: asking.temperature ?? model.temperature,
    apiKey: globalValue(run, model.apiKey),
    baseUrl: globalValue(run, model.baseUrl),
    command: commandOf(run, model),
  };
}

export function tellRequest({ run, path, context }: Step, model: ModelIR, asking: Asking, amount: Amount, inputBound: number): void {
  run.emit({
    kind: "model.requested",
    path,
    model: model.name,
    turn: asking.turn,
    inputTokens: inputBound,
    prompt: asking.hidePrompt ? "[redacted]" : run.scrub.text(promptText(asking.messages)),
    reserved: { costUsd: dollars(amount.cost), tokens: amount.tokens },
  });
  if (context.account.capped)
    run.emit({
      kind: "budget.reserved",
      path,
      account: context.account.path,
      costUsd: dollars(amount.cost),
      tokens: amount.tokens,
    });
}

function promptText(messages: readonly Message[]): string {
  const last = messages.at(-1);
  return last === undefined ? "" : messageText(last);
}

export function globalValue(run: Run, expr: ModelIR["apiKey"]): unknown {
  if (expr === undefined) return undefined;
  const scope = layout(undefined);
  const never = () => (value: unknown) => value;
  return compileExpr(expr, scope, { globals: run.globals, cast: never, cut: never })(newFrame(scope, undefined));
}

/** The program of a model, with its arguments and variables filled in. */
function commandOf(run: Run, model: ModelIR): ModelRequest["command"] {
  if (model.command === undefined) return undefined;
  const env: Record<string, string> = {};
  const given = globalValue(run, model.env);
  if (isFields(given)) for (const [name, value] of Object.entries(given)) if (value !== null) env[name] = plainText(value);
  const secrets = run.program.graph.globals.flatMap((global) =>
    global.kind === "secret" ? [String(run.globals.get(global.id) ?? "")] : [],
  );
  return { argv: model.command.map((part) => plainText(globalValue(run, part))), env, secrets };
}
