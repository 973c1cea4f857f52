/**
 * What an agent does when its prompt is too long for the model, if it says so with `shrink`: the longest of the
 * parameters that it names is cut to half, or replaced by a summary of the same model, a bounded number of times. Every
 * time is told; what is left out is said in the text that the model sees.
 */
import type { AgentIR } from "../plan/ir.js";
import { SHRINKS, SUMMARIES } from "../plan/request-size.js";
import { utf8Length } from "../source/utf8.js";
import { failure } from "./failure.js";
import type { Step } from "./machine.js";
import { askModel } from "./model.js";
import type { Asking } from "./model-request.js";
import type { Fields } from "./values.js";

/** Shorter texts and lists are left as they are. */
const leastText = 200;
const leastItems = 2;

/** The arguments with one of them shrunk; undefined where none can be, or often enough. */
export async function shrunk(step: Step, ir: AgentIR, args: Fields, times: number, asking: Asking): Promise<Fields | undefined> {
  if (times >= SHRINKS) return undefined;
  const [chosen] = (ir.shrink ?? [])
    .filter(({ param }) => canShrink(args[param]))
    .sort((a, b) => size(args[b.param]) - size(args[a.param]));
  if (chosen === undefined) return undefined;
  const { param, how } = chosen;
  const before = args[param];
  const after = how === "summarise" && typeof before === "string" ? await summary(step, ir, before, times, asking) : half(before);
  const length = (value: unknown): number => (typeof value === "string" || Array.isArray(value) ? value.length : 0);
  step.run.emit({ kind: "prompt.shrunk", path: step.path, param, how, from: length(before), to: length(after) });
  return { ...args, [param]: after };
}

function canShrink(value: unknown): boolean {
  return typeof value === "string" ? value.length > leastText : Array.isArray(value) && value.length >= leastItems;
}

const size = (value: unknown): number => (typeof value === "string" ? value.length : JSON.stringify(value).length);

/** The first half, with a word about the rest where it is a text. */
function half(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, Math.max(1, value.length >> 1));
  const text = String(value);
  const kept = text.slice(0, text.length >> 1).replace(/[\uD800-\uDBFF]$/, "");
  return `${kept}\n[… ${text.length - kept.length} characters left out]`;
}

/** A summary of a text, piece by piece, by the model that was asked; never longer than the text. */
async function summary(step: Step, ir: AgentIR, text: string, times: number, asking: Asking): Promise<string> {
  const length = Math.ceil(text.length / SUMMARIES);
  const pieces = Array.from({ length: SUMMARIES }, (_, i) => text.slice(i * length, (i + 1) * length));
  const said: string[] = [];
  for (const [i, piece] of pieces.entries()) {
    const answer = await askModel(step, ir.model, {
      ...asking,
      // Turns of their own, so that each is found again when the run is resumed.
      turn: -(times * SUMMARIES + i + 1),
      system: undefined,
      messages: [{ role: "user", text: `${SUMMARY_PROMPT}\n\n${piece}` }],
      repeated: { system: false, messages: 0, head: 0 },
      last: undefined,
      schema: undefined,
      answer: { kind: "string" },
      tools: [],
      limits: { calls: 0, turns: 0, repairs: 0 },
    });
    if (answer.finish === "refused") throw failure("refused", "the model refused to summarise a part of its prompt");
    said.push(answer.text.trim());
  }
  const whole = `[A summary of ${text.length} characters]\n${said.join("\n")}`;
  return utf8Length(whole) < utf8Length(text) ? whole : String(half(text));
}

const SUMMARY_PROMPT =
  "Summarise this part of a longer text in at most a fifth of its length. Keep names, numbers and whatever decides a question about it; add nothing.";
