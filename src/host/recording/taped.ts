/** A run with a tape, and recordings as programs that embed Weave use them: opened, given to runs, written when these end. */
import type { Graph } from "../../plan/ir.js";
import type { RunEvent } from "../../runtime/events.js";
import type { RunOptions } from "../../runtime/options.js";
import { virtualClock } from "../clock.js";
import type { FileOptions } from "../tools/files.js";
import { openRecording, secretsOf } from "./file.js";
import type { RecordingTape } from "./recording.js";

/** The options of a run, with its tape. */
export function taped(options: RunOptions, tape: RecordingTape): RunOptions {
  const { ask, onEvent } = options;
  return {
    ...options,
    tape,
    ask: (question, signal) => tape.ask(question, signal) ?? ask?.(question, signal),
    onEvent: (event) => {
      tape.observe(event);
      onEvent?.(event);
    },
  };
}

/** Tells a tape the questions that were asked before, for the answers that come now. */
export function remember(tape: RecordingTape, events: readonly RunEvent[]): void {
  for (const event of events) if (event.kind === "question.asked") tape.observe(event);
}

/** `replay` answers from the file only, `record` asks for everything anew, `fill` asks for what is not there. */
export type RecordingMode = "replay" | "record" | "fill";

export interface HostRecording {
  readonly file: string;
  readonly mode: RecordingMode;
  /** The options of a run with its tape; `before` is what happened in it so far. */
  readonly options: (options: RunOptions, graph: Graph, files: FileOptions, before: readonly RunEvent[]) => RunOptions;
  /** Writes what was recorded; says whether anything was. */
  readonly save: () => boolean;
}

/** Opens a recording. Throws an error that says what is wrong with the file. */
export function hostRecording(file: string, mode: RecordingMode): HostRecording {
  const opened = openRecording(file, {
    fresh: mode === "record",
    required: mode === "replay",
    records: mode !== "replay",
    command: "weave-lang",
  });
  if (!opened.ok) {
    if (opened.missing) throw new Error(`there is no recording ${file}; the mode "record" makes it`);
    const line = opened.text.slice(0, opened.offset).split("\n").length;
    throw new Error(`the recording ${file} cannot be read (line ${line}): ${opened.reason}`);
  }
  const { recording, save } = opened;
  return {
    file,
    mode,
    options: (options, graph, files, before) => {
      const tape = recording.tape({
        replay: mode !== "record",
        record: mode !== "replay",
        secrets: secretsOf(graph, options.environment),
        files,
        remedy: `Opened with the mode "record", ${file} is recorded anew; with "fill" only what is missing is asked for.`,
      });
      remember(tape, before);
      return taped(mode === "replay" ? { ...options, clock: virtualClock(Date.now()) } : options, tape);
    },
    save: () => mode !== "replay" && save(),
  };
}
