/**
 * The provider `command`: a coding agent, or any program, as a model. It gets the conversation as text on standard input
 * or as its last argument, never through a shell, with a small environment; what it prints is the answer, or says it
 * (`command-answer.ts`). It and everything it started end with the request. What it used is what it reports, otherwise
 * it is charged in full.
 */
import { failure, isFailure } from "../../runtime/failure.js";
import type { ModelAnswer, ModelRequest, RequestContext } from "../../runtime/provider.js";
import { runProgram } from "../tools/spawn.js";
import { answerForm, unwrapped } from "./answer-form.js";
import { type CommandOutput, deltasOf, failureOf, readOutput } from "./command-answer.js";
import { conversationText } from "./conversation-text.js";
import { hideSecrets, nothingUsed } from "./provider-failure.js";

/** A single argument may not be longer on any system in use. */
const longestArgument = 120_000;

/** Asks a program that works in a folder. */
export async function askProgram(request: ModelRequest, context: RequestContext, directory: string): Promise<ModelAnswer> {
  if (request.messages.some((message) => message.role === "user" && message.parts !== undefined))
    throw { ...failure("refused", "a model that is a program takes text only"), usage: nothingUsed };
  const { argv = [], env = {}, secrets: all = [] } = request.command ?? {};
  const { input, output } = request.model.options;
  const program = argv[0] ?? "";
  // Short ones could be any word.
  const secrets = all.filter((secret) => secret.length >= 8);
  const form = answerForm(request.schema, "none");
  const text = conversationText(request, form.instruction);
  const asArgument = input === "argument";
  if (asArgument && Buffer.byteLength(text) > longestArgument) {
    const why = `the prompt is too long for an argument of ${program} (${longestArgument} bytes at most): give it on standard input`;
    throw { ...failure("context_too_long", why), usage: nothingUsed };
  }
  const as: CommandOutput = output === "text" || output === "json" ? output : "auto";
  const deltas = deltasOf(as, secrets, context.onDelta);
  const ended = await runProgram({
    argv: asArgument ? [...argv, text] : argv,
    cwd: directory,
    input: asArgument ? undefined : text,
    env,
    signal: context.signal,
    onOut: deltas.push,
  }).catch((thrown: unknown) => {
    if (!isFailure(thrown) || thrown.kind !== "tool_error") throw { ...asFailure(thrown), usageUnknown: true };
    const message = hideSecrets(thrown.message, secrets);
    // Where it never ran, it will not the next time.
    if (thrown.committed === "no") throw { ...failure("refused", message), usage: nothingUsed };
    throw { ...failure("unavailable", message), usageUnknown: true };
  });
  deltas.end();
  const read = readOutput(hideSecrets(ended.out, secrets), as, request);
  if (ended.code !== 0 || read.kind === "failed") {
    const said = read.kind === "failed" ? read.message : "";
    throw failureOf({ program, code: ended.code, said, err: hideSecrets(ended.err, secrets), read });
  }
  if (!ended.isText) throw { ...failure("invalid_output", `${program} did not write text in UTF-8`), usageUnknown: true };
  const { answer } = read;
  return form.wrapped ? { ...answer, text: unwrapped(answer.text) } : answer;
}

function asFailure(thrown: unknown) {
  return isFailure(thrown) ? thrown : failure("unavailable", String(thrown));
}
