/** Says what is missing from a recording: the nearest recorded question, which of its parts differ, and the words that do. */
import { diffWordsWithSpace } from "diff";
import { canonical } from "../../runtime/hash.js";
import { isFields } from "../../runtime/values.js";
import { type Question, type ShortMessage, sameTerms } from "./questions.js";

/** Questions that are compared at most. */
const MOST = 400;
/** Characters around a change that are shown, and changes. */
const AROUND = 30;
const CHANGES = 3;

type Asked = Omit<Question, "answers">;

/** Lines for the user. */
export function whyMissing(asked: Asked, all: readonly Question[]): string {
  const alike = all.filter(({ kind }) => kind === asked.kind);
  const same = alike.filter(({ name }) => name === asked.name);
  if (same.length === 0 && asked.kind !== "person") return `The recording has nothing of this ${asked.kind}${others(alike)}.`;
  const nearest = closest(asked, same.length > 0 ? same : alike);
  if (nearest === undefined) return "The recording has no answer of a person.";
  return described(asked, nearest);
}

function others(alike: readonly Question[]): string {
  const names = [...new Set(alike.map(({ name }) => name))].sort();
  return names.length === 0 ? "" : `, only of ${names.slice(0, 5).join(", ")}${names.length > 5 ? " and others" : ""}`;
}

function words(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of text.split(/\W+/u)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

/** Share of words that two texts have in common. */
function likeness(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  let [common, total] = [0, 0];
  for (const [word, count] of a) {
    common += Math.min(count, b.get(word) ?? 0);
    total += count;
  }
  for (const count of b.values()) total += count;
  return total === 0 ? 1 : (2 * common) / total;
}

function closest(asked: Asked, candidates: readonly Question[]): Question | undefined {
  const wanted = words(textOf(asked));
  let best: Question | undefined;
  let most = -1;
  for (const each of candidates.slice(0, MOST)) {
    // The same prompt on other terms is nearer than another prompt.
    const score = canonical(each.asked) === canonical(asked.asked) ? 2 : likeness(wanted, words(textOf(each)));
    if (score > most) [best, most] = [each, score];
  }
  return best;
}

function textOf({ kind, asked, base }: Pick<Asked, "kind" | "asked" | "base">): string {
  if (kind === "person") return String(asked);
  if (kind === "tool") return lines(asked);
  return [base.system ?? "", ...(asked as readonly ShortMessage[]).map(messageText)].join("\n");
}

const lines = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value, null, 1));

function messageText(message: ShortMessage): string {
  if ("user" in message) return message.user;
  if ("tool" in message) return message.text;
  return message.calls === undefined ? message.assistant : `${message.assistant}\n${lines(message.calls)}`;
}

function described(asked: Asked, nearest: Question): string {
  const out: string[] = [];
  const changed = (what: string, before: string, now: string): void => {
    if (before === now) return;
    out.push(`${what} is not the one that was recorded:`, ...changes(before, now).map((line) => `  ${line}`));
  };
  if (asked.kind === "person") changed("The question", String(nearest.asked), String(asked.asked));
  else if (asked.kind === "tool") {
    const [before, now] = [nearest.asked, asked.asked];
    const names = [...new Set([...Object.keys(isFields(before) ? before : {}), ...Object.keys(isFields(now) ? now : {})])];
    const of = (value: unknown, name: string): string => (isFields(value) && value[name] !== undefined ? lines(value[name]) : "nothing");
    for (const name of names) changed(`The argument \`${name}\``, of(before, name), of(now, name));
    if (out.length === 0) out.push("A redacted argument is not the one that was recorded.");
  } else {
    if (!sameTerms(nearest.base, asked.base)) {
      const [before, now] = [nearest.base, asked.base];
      changed("The model", settings(before.model), settings(now.model));
      changed("The system prompt", before.system ?? "", now.system ?? "");
      changed("The type of the answer", lines(before.schema ?? "text"), lines(now.schema ?? "text"));
      changed("The list of tools", lines(before.tools ?? []), lines(now.tools ?? []));
    }
    const [before, now] = [nearest.asked as readonly ShortMessage[], asked.asked as readonly ShortMessage[]];
    for (let i = 0; i < Math.max(before.length, now.length); i++) {
      const [a, b] = [before[i], now[i]];
      if (canonical(a ?? null) === canonical(b ?? null)) continue;
      if (a === undefined || b === undefined)
        out.push(`The conversation has ${now.length} messages, the one that was recorded ${before.length}.`);
      else {
        const what = now.length === 1 ? "The prompt" : `Message ${i + 1} of the conversation`;
        changed(what, messageText(a), messageText(b));
        out.push(...shownOtherwise(what, a, b));
      }
      break;
    }
  }
  return out.join("\n");
}

/** Which of the images and the like is another one. */
function shownOtherwise(what: string, before: ShortMessage, now: ShortMessage): readonly string[] {
  const [a, b] = [before, now].map((message) => ("user" in message ? (message.media ?? []) : []));
  if (a === undefined || b === undefined || canonical(a) === canonical(b)) return [];
  if (a.length !== b.length) return [`${what} shows ${b.length} images or documents, the one that was recorded ${a.length}.`];
  return b.flatMap((each, i) => {
    if (each === a[i]) return [];
    const place = b.length === 1 ? "What it shows" : `Number ${i + 1} of what it shows`;
    return [each.startsWith("not readable") ? `${place} is ${each}.` : `${place} is not what was recorded: its content is another.`];
  });
}

const settings = (model: Readonly<Record<string, unknown>> | undefined): string =>
  Object.entries(model ?? {})
    .map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");

/** The places where two texts differ, with what stands around: `[-before-]{+now+}`. */
function changes(before: string, now: string): string[] {
  const parts = diffWordsWithSpace(before, now);
  const out: string[] = [];
  let count = 0;
  for (let i = 0; i < parts.length; i++) {
    if (parts[i]?.added !== true && parts[i]?.removed !== true) continue;
    const left = parts[i - 1]?.value ?? "";
    let text = `${left.length > AROUND ? "…" : ""}${left.slice(-AROUND)}`;
    for (; parts[i]?.added === true || parts[i]?.removed === true; i++) {
      const part = parts[i];
      if (part !== undefined) text += part.removed ? `[-${cut(part.value)}-]` : `{+${cut(part.value)}+}`;
    }
    const right = parts[i]?.value ?? "";
    text += `${right.slice(0, AROUND)}${right.length > AROUND ? "…" : ""}`;
    count++;
    if (count <= CHANGES) out.push(text.replace(/\s*\n\s*/g, "⏎"));
  }
  if (count > CHANGES) out.push(`and ${count - CHANGES} more ${count - CHANGES === 1 ? "place" : "places"}`);
  return out;
}

const cut = (text: string): string => (text.length > 120 ? `${text.slice(0, 60)}…${text.slice(-40)}` : text);
