/** `--record` and `--replay`: the recording of a run, opened before it and written after it. */
import { resolve } from "node:path";
import { d } from "../diagnostics/catalogue/catalogue.js";
import { problems } from "../diagnostics/problems.js";
import { type OpenRecording, openRecording, secretsOf } from "../host/recording/file.js";
import { remember, taped } from "../host/recording/taped.js";
import type { Graph } from "../plan/ir.js";
import type { RunEvent } from "../runtime/events.js";
import type { RunOptions as RuntimeOptions } from "../runtime/run.js";
import { sourceFile } from "../source/source.js";
import { counted } from "./figures.js";
import { reportUnreadable, showProblems } from "./problems.js";
import { dim, type Terminal } from "./terminal.js";

export interface TapeWishes {
  readonly record?: string;
  readonly replay?: string;
  readonly sim?: boolean;
  readonly allowPath?: readonly string[];
  /** Where the run works; the current folder. */
  readonly directory?: string;
}

export interface Taping {
  /** The options of a run with its tape. */
  readonly taped: (options: RuntimeOptions) => RuntimeOptions;
  /** Looks at what happened before the run was resumed. */
  readonly remember: (events: readonly RunEvent[]) => void;
  /** Writes what was recorded. */
  readonly save: (to: Terminal) => void;
}

/** Why these options do not go together; undefined when they do. */
export function contradiction({ record, replay, sim }: TapeWishes): string | undefined {
  if (replay !== undefined && sim === true) return "--sim and --replay both say where answers come from; leave one of them out";
  if (replay !== undefined && record !== undefined && resolve(replay) !== resolve(record))
    return "--replay and --record together fill in what is missing, so both name the same file";
  return undefined;
}

/** Opens a recording; undefined when it cannot be read, which is shown. */
export function openFor(file: string, options: Parameters<typeof openRecording>[1], to: Terminal): OpenRecording | undefined {
  const opened = openRecording(file, options);
  if (opened.ok) return opened;
  const found = problems();
  if (opened.missing) {
    reportUnreadable(file, { kind: "missing" }, found);
    showProblems(found.list(), new Map(), to);
    return undefined;
  }
  found.report(d.badRecording, { file, start: opened.offset, end: opened.offset }, { reason: opened.reason });
  showProblems(found.list(), new Map([[file, sourceFile(file, opened.text)]]), to);
  return undefined;
}

/** The tape that a run is started with; `carriedOn` when it is resumed. */
export function taping(program: string, wishes: TapeWishes, graph: Graph, to: Terminal, carriedOn = false): Taping | undefined {
  const { record, replay } = wishes;
  const file = record ?? replay;
  if (file === undefined) return undefined;
  const records = record !== undefined;
  const open = openFor(
    file,
    {
      fresh: records && replay === undefined && !carriedOn,
      required: replay !== undefined && !records,
      records,
      command: `weave run ${program} --record`,
    },
    to,
  );
  if (open === undefined) return undefined;
  const tape = open.recording.tape({
    replay: replay !== undefined,
    record: records,
    secrets: secretsOf(graph, (name) => process.env[name]),
    files: { directory: wishes.directory ?? process.cwd(), allowed: wishes.allowPath ?? [] },
    remedy: `\`weave run ${program} --record ${file}\` records it anew; \`--replay ${file} --record ${file}\` asks only for what is missing.`,
  });
  return {
    taped: (options) => taped(options, tape),
    remember: (events) => remember(tape, events),
    save: (at) => {
      if (records) save(open, file, at);
    },
  };
}

function save(open: OpenRecording, file: string, to: Terminal): void {
  if (!open.save()) return;
  const answers = open.recording
    .questions()
    .reduce((sum, { answers: all }) => sum + all.filter((each) => each.outcome !== undefined).length, 0);
  to.err(dim(`  ${counted(answers, "answer")} in ${file}\n`, to.color));
}
