/**
 * A recording as a file: YAML that a person can read, write and compare. Its text depends on what it holds alone, not on
 * the order in which answers came: agents, tools, questions and places stand in order. Reading what was written gives
 * the same recording; a file that cannot be read says where and why.
 */
import { Document, isMap, LineCounter, parseDocument, visit } from "yaml";
import * as z from "zod";
import { failureKinds } from "../../runtime/failure.js";
import { canonical } from "../../runtime/hash.js";
import { type Answer, type Base, echo, longCall, type Outcome, type Question, type ShortMessage, shortCall } from "./questions.js";

const call = z.strictObject({
  id: z.string().exactOptional(),
  tool: z.string(),
  arguments: z.unknown(),
  invalid: z.string().exactOptional(),
});
const message = z.union([
  z.strictObject({ user: z.string(), media: z.array(z.string()).exactOptional() }),
  z.strictObject({ assistant: z.string(), calls: z.array(call).exactOptional(), replay: z.unknown().exactOptional() }),
  z.strictObject({ tool: z.string(), call: z.string(), text: z.string(), failed: z.literal(true).exactOptional() }),
]);
const usage = z.union([
  z.literal("unknown"),
  z.strictObject({
    input: z.number(),
    output: z.number(),
    cached: z.number().exactOptional(),
    cache_write: z.number().exactOptional(),
    reasoning: z.number().exactOptional(),
    cost_usd: z.number().exactOptional(),
  }),
]);
const failure = z.strictObject({
  kind: z.enum(failureKinds),
  message: z.string().default(""),
  committed: z.enum(["no", "yes", "unknown"]).exactOptional(),
  retry_after_ms: z.number().exactOptional(),
});
const turn = z.strictObject({
  at: z.string().exactOptional(),
  text: z.string().exactOptional(),
  value: z.unknown().exactOptional(),
  calls: z.array(call).exactOptional(),
  finish: z.enum(["stop", "length", "tools", "refused", "unknown"]).exactOptional(),
  flaw: z.string().exactOptional(),
  replay: z.unknown().exactOptional(),
  failure: failure.exactOptional(),
  unanswered_after_ms: z.number().exactOptional(),
  withheld: z.literal(true).exactOptional(),
  took_ms: z.number().exactOptional(),
  usage: usage.exactOptional(),
  cost_usd: z.number().exactOptional(),
  simulated: z.literal(true).exactOptional(),
});
const answer = turn.extend({ then: z.array(turn.extend({ sent: z.array(message) })).exactOptional() });
const result = z.strictObject({
  at: z.string().exactOptional(),
  value: z.unknown().exactOptional(),
  failure: failure.exactOptional(),
  unanswered_after_ms: z.number().exactOptional(),
  withheld: z.literal(true).exactOptional(),
  took_ms: z.number().exactOptional(),
});
const file = z.strictObject({
  version: z.literal(1),
  agents: z
    .array(
      z.strictObject({
        agent: z.string(),
        model: z.record(z.string(), z.unknown()).exactOptional(),
        system: z.string().exactOptional(),
        schema: z.unknown().exactOptional(),
        tools: z.array(z.unknown()).exactOptional(),
        asked: z.array(
          z.strictObject({
            prompt: z.string().exactOptional(),
            media: z.array(z.string()).exactOptional(),
            messages: z.array(message).exactOptional(),
            answers: z.array(answer).min(1),
          }),
        ),
      }),
    )
    .exactOptional(),
  tools: z
    .array(
      z.strictObject({
        tool: z.string(),
        called: z.array(
          z.strictObject({
            args: z.record(z.string(), z.unknown()).default({}),
            args_hash: z.string().exactOptional(),
            results: z.array(result).min(1),
          }),
        ),
      }),
    )
    .exactOptional(),
  people: z
    .array(
      z.strictObject({
        question: z.string(),
        answers: z.array(z.strictObject({ at: z.string().exactOptional(), value: z.unknown() })).min(1),
      }),
    )
    .exactOptional(),
});
type Turn = z.infer<typeof turn>;
type Result = z.infer<typeof result>;

export type Read =
  | { readonly ok: true; readonly header: string; readonly questions: readonly Question[] }
  | { readonly ok: false; readonly offset: number; readonly reason: string };

/** Reads a recording. */
export function readRecording(text: string): Read {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [mistake] = document.errors;
  if (mistake !== undefined) return { ok: false, offset: mistake.pos[0], reason: `It is not YAML: ${mistake.message}` };
  const checked = file.safeParse(document.toJS());
  if (!checked.success) {
    const issue = checked.error.issues[0];
    const path = (issue?.path ?? []).filter((each) => typeof each !== "symbol");
    const node = path.length === 0 ? document.contents : document.getIn(path, true);
    const range = typeof node === "object" && node !== null && "range" in node ? (node.range as readonly number[] | undefined) : undefined;
    const where =
      path.length === 0
        ? "the file"
        : path.map((part, i) => (typeof part === "number" ? `[${part}]` : `${i > 0 ? "." : ""}${part}`)).join("");
    return { ok: false, offset: range?.[0] ?? 0, reason: `At ${where}: ${issue?.message ?? "it has another form than a recording"}` };
  }
  const header = /^(?:#.*\n)*/.exec(text)?.[0] ?? "";
  return { ok: true, header, questions: questionsOf(checked.data) };
}

function questionsOf(data: z.infer<typeof file>): readonly Question[] {
  const out: Question[] = [];
  for (const { agent, asked, ...base } of data.agents ?? []) {
    const byHand = base.model === undefined;
    for (const { prompt, media, messages, answers } of asked) {
      const first = (messages ?? [{ user: prompt ?? "", ...(media === undefined ? {} : { media }) }]) as readonly ShortMessage[];
      const question: Question = { kind: "agent", name: agent, base, asked: first, answers: [] };
      out.push(question);
      for (const { then = [], ...written } of answers) {
        let last: Answer = { at: written.at, outcome: outcomeOf(written, byHand), tookMs: written.took_ms, next: undefined };
        question.answers.push(last);
        let before = first;
        for (const { sent, ...following } of then) {
          const said = echo(last.outcome);
          const rest = sent as readonly ShortMessage[];
          const whole = said !== undefined && rest[0] !== undefined && !("assistant" in rest[0]) ? [said, ...rest] : rest;
          before = [...before, ...whole];
          const next: Answer = {
            at: following.at ?? last.at,
            outcome: outcomeOf(following, byHand),
            tookMs: following.took_ms,
            next: undefined,
          };
          const own: Question = { kind: "agent", name: agent, base, asked: before, answers: [next] };
          last.next = { sent: rest, question: own, answer: next };
          out.push(own);
          last = next;
        }
      }
    }
  }
  for (const { tool, called } of data.tools ?? [])
    for (const { args, args_hash: hash, results } of called)
      out.push({
        kind: "tool",
        name: tool,
        base: {},
        asked: args,
        ...(hash === undefined ? {} : { hash }),
        answers: results.map((each): Answer => ({ at: each.at, outcome: resultOf(each), tookMs: each.took_ms, next: undefined })),
      });
  for (const { question, answers } of data.people ?? [])
    out.push({
      kind: "person",
      name: "",
      base: {},
      asked: question,
      answers: answers.map(
        ({ at, value }): Answer => ({ at, outcome: { kind: "value", value: value ?? null }, tookMs: undefined, next: undefined }),
      ),
    });
  return out;
}

function failureOf({ retry_after_ms: retryAfterMs, kind, message: said, committed }: z.infer<typeof failure>) {
  return {
    kind,
    message: said === "" ? kind : said,
    ...(committed === undefined ? {} : { committed }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function usageOf(written: Turn["usage"], byHand: boolean): Extract<Outcome, { kind: "answer" }>["usage"] {
  if (written === undefined) return byHand ? { inputTokens: 0, outputTokens: 0 } : undefined;
  if (written === "unknown") return written;
  return {
    inputTokens: written.input,
    outputTokens: written.output,
    ...(written.cached === undefined ? {} : { cachedInputTokens: written.cached }),
    ...(written.cache_write === undefined ? {} : { cacheWriteTokens: written.cache_write }),
    ...(written.reasoning === undefined ? {} : { reasoningTokens: written.reasoning }),
    ...(written.cost_usd === undefined ? {} : { costUsd: written.cost_usd }),
  };
}

function outcomeOf(written: Turn, byHand: boolean): Outcome {
  if (written.withheld) return { kind: "withheld" };
  if (written.unanswered_after_ms !== undefined) return { kind: "unanswered", afterMs: written.unanswered_after_ms };
  const used = usageOf(written.usage, byHand);
  if (written.failure !== undefined) return { kind: "failure", failure: failureOf(written.failure), usage: used };
  const toolCalls = (written.calls ?? []).map(
    (each, i) => longCall({ ...each, id: each.id ?? `call-${i + 1}`, arguments: each.arguments }) as never,
  );
  const text =
    written.text ?? (written.value === undefined ? "" : typeof written.value === "string" ? written.value : JSON.stringify(written.value));
  return {
    kind: "answer",
    text,
    toolCalls,
    finish: written.finish ?? (toolCalls.length > 0 ? "tools" : "stop"),
    ...(written.flaw === undefined ? {} : { flaw: written.flaw }),
    ...(written.replay === undefined ? {} : { replay: written.replay }),
    usage: used,
    ...(written.cost_usd === undefined ? {} : { costUsd: written.cost_usd }),
    ...(written.simulated === undefined ? {} : { simulated: true }),
  };
}

function resultOf(written: Result): Outcome {
  if (written.withheld) return { kind: "withheld" };
  if (written.unanswered_after_ms !== undefined) return { kind: "unanswered", afterMs: written.unanswered_after_ms };
  if (written.failure !== undefined) return { kind: "failure", failure: failureOf(written.failure), usage: undefined };
  return { kind: "value", value: written.value ?? null };
}

/** The text of a recording; questions without a finished answer are left out. */
export function writeRecording(header: string, all: readonly Question[]): string {
  const questions = all.filter((question) => question.answers.some((each) => each.outcome !== undefined));
  const later = new Set(
    questions.flatMap((question) => question.answers.flatMap((each) => (each.next === undefined ? [] : [each.next.answer]))),
  );
  const agents = grouped(
    questions.filter(({ kind }) => kind === "agent"),
    ({ name, base }) => `${name} ${canonical(base)}`,
  ).map((of) => {
    const [first] = of;
    const asked = of.flatMap(({ asked: what, answers }) => {
      const own = inOrder(answers.filter((each) => !later.has(each) && each.outcome !== undefined)).map(withTurns);
      if (own.length === 0) return [];
      const messages = what as readonly ShortMessage[];
      const [only] = messages;
      return [{ ...(messages.length === 1 && only !== undefined && "user" in only ? promptOf(only) : { messages }), answers: own }];
    });
    return { agent: first?.name ?? "", ...(first?.base satisfies Base | undefined), asked };
  });
  const tools = grouped(
    questions.filter(({ kind }) => kind === "tool"),
    ({ name }) => name,
  ).map((of) => ({
    tool: of[0]?.name ?? "",
    called: of.map(({ asked, hash, answers }) => ({
      args: asked,
      ...(hash === undefined ? {} : { args_hash: hash }),
      results: inOrder(answers).map((each) => ({ ...atOf(each), ...written(each) })),
    })),
  }));
  const people = sorted(questions.filter(({ kind }) => kind === "person")).map(({ asked, answers }) => ({
    question: asked,
    answers: inOrder(answers).map((each) => ({ ...atOf(each), ...written(each) })),
  }));
  const body = {
    version: 1,
    ...(agents.length === 0 ? {} : { agents: agents.filter(({ asked }) => asked.length > 0) }),
    ...(tools.length === 0 ? {} : { tools }),
    ...(people.length === 0 ? {} : { people }),
  };
  const document = new Document(body, { aliasDuplicateObjects: false });
  // What is short is read best on one line.
  visit(document, {
    Pair(_, { key, value }) {
      const name = typeof key === "object" && key !== null && "value" in key ? key.value : key;
      if (isMap(value) && (name === "usage" || name === "model")) value.flow = true;
    },
  });
  return `${header}${document.toString({ lineWidth: 0, blockQuote: "literal" })}`;
}

const promptOf = ({ user, media }: Extract<ShortMessage, { readonly user: string }>): object => ({
  prompt: user,
  ...(media === undefined ? {} : { media }),
});

const natural = new Intl.Collator("en", { numeric: true });
const compare = (a: string, b: string): number => natural.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
const sorted = (all: readonly Question[]): Question[] =>
  [...all].sort((a, b) => compare(a.name, b.name) || compare(canonical(a.asked), canonical(b.asked)));

function grouped(all: readonly Question[], by: (question: Question) => string): (readonly Question[])[] {
  const groups = new Map<string, Question[]>();
  for (const question of sorted(all)) {
    const key = by(question);
    const found = groups.get(key);
    if (found === undefined) groups.set(key, [question]);
    else found.push(question);
  }
  return [...groups].sort(([a], [b]) => compare(a, b)).map(([, of]) => of);
}

/** Answers by their place; those of one place as they came. */
const inOrder = (answers: readonly Answer[]): Answer[] =>
  answers.filter((each) => each.outcome !== undefined).sort((a, b) => compare(a.at ?? "", b.at ?? ""));

const atOf = ({ at }: Answer): { readonly at?: string } => (at === undefined ? {} : { at });

const written = ({ outcome, tookMs }: Answer): object => ({
  ...writtenOutcome(outcome),
  ...(tookMs === undefined ? {} : { took_ms: tookMs }),
});

function withTurns(first: Answer): object {
  const then: object[] = [];
  for (let at = first; at.next !== undefined && at.next.answer.outcome !== undefined; at = at.next.answer)
    then.push({ sent: at.next.sent, ...written(at.next.answer) });
  return { ...atOf(first), ...written(first), ...(then.length === 0 ? {} : { then }) };
}

function writtenUsage(used: Extract<Outcome, { kind: "answer" }>["usage"]): object {
  if (used === undefined) return {};
  if (used === "unknown") return { usage: used };
  return {
    usage: {
      input: used.inputTokens,
      output: used.outputTokens,
      ...(used.cachedInputTokens ? { cached: used.cachedInputTokens } : {}),
      ...(used.cacheWriteTokens ? { cache_write: used.cacheWriteTokens } : {}),
      ...(used.reasoningTokens ? { reasoning: used.reasoningTokens } : {}),
      ...(used.costUsd === undefined ? {} : { cost_usd: used.costUsd }),
    },
  };
}

function writtenOutcome(outcome: Outcome | undefined): object {
  switch (outcome?.kind) {
    case undefined:
      return {};
    case "withheld":
      return { withheld: true };
    case "unanswered":
      return { unanswered_after_ms: outcome.afterMs };
    case "value":
      return { value: outcome.value };
    case "failure": {
      const { kind, message: said, committed, retryAfterMs } = outcome.failure;
      return {
        failure: {
          kind,
          message: said,
          ...(committed === undefined ? {} : { committed }),
          ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
        },
        ...writtenUsage(outcome.usage),
      };
    }
    case "answer": {
      const { text, toolCalls, finish, flaw, replay, usage: used, costUsd, simulated } = outcome;
      return {
        ...(text === "" && toolCalls.length > 0 ? {} : { text }),
        ...(toolCalls.length === 0 ? {} : { calls: toolCalls.map(shortCall) }),
        ...(finish === (toolCalls.length > 0 ? "tools" : "stop") ? {} : { finish }),
        ...(flaw === undefined ? {} : { flaw }),
        ...(replay === undefined ? {} : { replay }),
        ...writtenUsage(used),
        ...(costUsd === undefined ? {} : { cost_usd: costUsd }),
        ...(simulated ? { simulated: true } : {}),
      };
    }
    default:
      return outcome satisfies never;
  }
}
