/**
 * Recordings on the disk. Each answer is appended at once to a file beside the recording (`…​.part`), so that a process
 * that is killed loses none; the recording itself is written whole, by renaming, when the work is over.
 */
import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { Graph } from "../../plan/ir.js";
import { variables } from "../providers/ai-sdk.js";
import { readRecording, writeRecording } from "./format.js";
import { type Answer, keyOf, type Question } from "./questions.js";
import { type Recording, recording } from "./recording.js";

export interface OpenRecording {
  readonly recording: Recording;
  /** Whether the file was there. */
  readonly found: boolean;
  /** Writes it when something changed; says whether it did. */
  readonly save: () => boolean;
}

export type Opened =
  | ({ readonly ok: true } & OpenRecording)
  | { readonly ok: false; readonly missing: true }
  | { readonly ok: false; readonly missing: false; readonly text: string; readonly offset: number; readonly reason: string };

export interface OpenOptions {
  /** Begins with nothing, whatever stands in the file. */
  readonly fresh?: boolean;
  /** It must be there. */
  readonly required?: boolean;
  /** Answers are added, so those of a process that was killed are taken up. */
  readonly records: boolean;
  /** The command that writes it, for the first line. */
  readonly command: string;
}

/** Opens a recording. */
export function openRecording(file: string, options: OpenOptions): Opened {
  const part = `${file}.part`;
  const found = existsSync(file);
  if (!found && options.required === true) return { ok: false, missing: true };
  let header = "";
  let questions: readonly Question[] = [];
  if (found && options.fresh !== true) {
    const text = readFileSync(file, "utf8");
    const read = readRecording(text);
    if (!read.ok) return { ok: false, missing: false, text, offset: read.offset, reason: read.reason };
    ({ header, questions } = read);
  }
  let leftOver: readonly Question[] = [];
  if (options.records && existsSync(part)) {
    if (options.fresh === true) rmSync(part);
    else leftOver = unfinished(readFileSync(part, "utf8"), questions);
  }
  const onAnswer = (question: Question, answer: Answer): void => {
    const { kind, name, base, asked, hash } = question;
    appendFileSync(
      part,
      `${JSON.stringify({ kind, name, base, asked, hash, at: answer.at, outcome: answer.outcome, tookMs: answer.tookMs })}\n`,
    );
  };
  const made = recording([...questions, ...leftOver], options.records ? onAnswer : undefined);
  return {
    ok: true,
    recording: made,
    found,
    save() {
      const changed = made.changed() || leftOver.length > 0 || (options.fresh === true && options.records);
      if (changed) {
        if (!options.fresh && !made.questions().some(({ answers }) => answers.some((each) => each.outcome !== undefined))) {
          rmSync(file, { force: true });
          return true;
        }
        const text = writeRecording(headerOf(header, made, options.command), made.questions());
        writeFileSync(`${file}.tmp`, text);
        renameSync(`${file}.tmp`, file);
      }
      rmSync(part, { force: true });
      return changed;
    },
  };
}

/** What a process that was killed had written; a last line that was cut off is left out. */
function unfinished(text: string, known: readonly Question[]): readonly Question[] {
  const places = new Set(known.flatMap((question) => question.answers.map((each) => `${keyOf(question)} ${each.at}`)));
  return text.split("\n").flatMap((line): Question[] => {
    let read: Omit<Question, "answers"> & Pick<Answer, "at" | "outcome"> & { tookMs?: number };
    try {
      read = JSON.parse(line);
    } catch {
      return [];
    }
    const { at, outcome, tookMs, ...question } = read;
    const whole: Question = { ...question, answers: [{ at, outcome, tookMs, next: undefined }] };
    return places.has(`${keyOf(whole)} ${at}`) ? [] : [whole];
  });
}

const OURS = /^# (?:Recorded|Made up) by `weave/;

/** The first lines: who answered. Those that a person wrote stay. */
function headerOf(before: string, made: Recording, command: string): string {
  if (before !== "" && !OURS.test(before)) return before;
  const answers = made
    .questions()
    .flatMap((question) => question.answers.flatMap(({ outcome }) => (outcome?.kind === "answer" ? [outcome] : [])));
  const simulated = answers.filter((each) => each.simulated === true).length;
  const first =
    simulated > 0 && simulated === answers.length
      ? `# Made up by \`${command}\`: the answers are the simulator's, no model was asked.`
      : simulated > 0
        ? `# Recorded by \`${command}\`; the answers marked \`simulated\` are made up by the simulator.`
        : `# Recorded by \`${command}\` from real calls.`;
  return `${first}\n# Found by what was asked, wherever it stands in the program. No key or secret is in it.\n`;
}

/** Values that must be in no recording: those of the program's secrets, and the keys of providers. */
export function secretsOf(graph: Graph, environment: (name: string) => string | undefined): readonly string[] {
  const names = [
    ...graph.globals.flatMap((each) => (each.kind === "secret" ? [each.name] : [])),
    ...Object.values(variables).flatMap(({ key }) => (key === undefined ? [] : [key])),
  ];
  return names.flatMap((name) => {
    const value = environment(name)?.trim();
    return value === undefined || value === "" ? [] : [value];
  });
}
