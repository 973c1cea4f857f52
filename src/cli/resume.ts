/**
 * `weave resume`: carries on a run that was cut off, stopped, failed or waits. What is finished is not done again. With
 * `--edited` the program is compiled as it is now: what changed and what depends on it runs again, the rest is reused.
 */

import { problems } from "../diagnostics/problems.js";
import { virtualClock } from "../host/clock.js";
import { takeOver } from "../host/store/open.js";
import type { Graph } from "../plan/ir.js";
import { pastOfRun, resumeKept } from "../runtime/durable.js";
import { vanished } from "../runtime/edited.js";
import { historyOf } from "../runtime/history.js";
import type { StoredRun } from "../runtime/store.js";
import { money } from "./figures.js";
import { runHost } from "./host.js";
import { askerAt, chooseRun, type Grace, keepingIn, storeOf, withStore } from "./kept.js";
import { overrideModels } from "./override.js";
import { showErrors } from "./problems.js";
import { loadProgram } from "./program.js";
import { follow, tapedBy, tapingOf } from "./run.js";
import { figuresOf } from "./spending.js";
import { EXIT, type ExitCode, type Terminal } from "./terminal.js";

export interface ResumeOptions extends Grace {
  readonly store?: string;
  readonly edited?: boolean;
  readonly keep?: readonly string[];
  readonly again?: readonly string[];
  readonly json?: boolean;
  readonly events?: boolean;
}

const simulated = ({ events }: StoredRun): boolean => events.some((event) => event.kind === "run.started" && event.simulated);

/** Carries on a run; the newest unfinished one when none is named. */
export async function resume(named: string | undefined, options: ResumeOptions, to: Terminal): Promise<ExitCode> {
  const store = storeOf(undefined, options.store, to);
  if (store === undefined) return EXIT.usage;
  const code = await withStore(store, to, async (): Promise<ExitCode> => {
    const stored = chooseRun(store, named, (run) => run.status !== "completed" && run.status !== "cancelled", "no run is unfinished", to);
    if (stored === undefined) return EXIT.usage;
    const { start, status } = stored;
    if (status === "completed" || status === "cancelled") {
      to.err(`The run ${start.run} is ${status}: there is nothing left to do. \`weave show ${start.run}\` shows it.\n`);
      return status === "completed" ? EXIT.done : EXIT.usage;
    }
    const graph = options.edited === true ? editedGraph(start.file, start.options, to) : undefined;
    if (options.edited === true && graph === undefined) return EXIT.diagnostics;
    if (graph !== undefined && !mayGoOn(stored, graph, new Set(options.keep), to)) return EXIT.usage;
    const host = hostOf(stored);
    if (host === undefined) return EXIT.usage;
    const text = (name: string): string | undefined => (typeof start.options[name] === "string" ? start.options[name] : undefined);
    const [record, replay] = [text("record"), text("replay")];
    const [directory, allowed] = [text("directory"), text("allowPath")];
    const wishes = {
      ...(record === undefined ? {} : { record }),
      ...(replay === undefined ? {} : { replay }),
      ...(directory === undefined ? {} : { directory }),
      ...(allowed === undefined ? {} : { allowPath: allowed.split("\n") }),
    };
    const taping = await tapingOf(start.file, wishes, graph ?? start.graph, to, true);
    if (taping === "unusable") return EXIT.usage;
    taping?.remember(stored.events);
    const clock = replay !== undefined && record === undefined ? virtualClock(Date.now()) : host.clock;
    const keeping = keepingIn(store);
    // Its owner may have died before it saw that it was asked to cancel.
    const cancelled = store.requested(start.run) === "cancel" ? { replayOnly: "cancelled by a person" } : {};
    const lease = takeOver(store, start.run, 15_000);
    if (lease.kind === "taken") {
      to.err(`error: the run ${start.run} is being carried out by ${lease.owner}; it can be taken over when that has ended\n`);
      return EXIT.failed;
    }
    if (stored.damaged !== undefined)
      to.err(
        `warning: ${stored.damaged}; the run goes on from before it, and asks before it carries out an effect that may have been carried out\n`,
      );
    const past = pastOfRun(stored);
    if (past.cancelling === undefined)
      to.err(`Resuming ${start.run}: ${past.finished} calls are done, ${money(past.totals.cost / 1e9)} spent.\n`);
    else to.err(`The run ${start.run} was being cancelled: what is left to undo is undone.\n`);
    const ask = askerAt(to);
    const now = graph ?? start.graph;
    const flow = now.flows[now.entries[start.flow] ?? start.flow];
    const history = historyOf(now, store.history(), simulated(stored));
    const choices = new Map([
      ...(options.keep ?? []).map((path) => [path, "keep"] as const),
      ...(options.again ?? []).map((path) => [path, "again"] as const),
    ]);
    return follow(
      (onEvent) =>
        resumeKept(
          stored,
          tapedBy(taping, {
            ...host,
            ...cancelled,
            clock,
            past,
            choices,
            onEvent,
            learn: start.options["model"] === undefined && taping === undefined,
            ...(history === undefined ? {} : { experiences: history.means }),
            ...(ask === undefined ? {} : { ask }),
          }),
          keeping,
          {
            graph,
            fence: lease.fence,
          },
        ),
      {
        title: `${start.file} · ${start.flow}`,
        files: new Map(),
        kept: true,
        clock,
        ...(taping === undefined ? {} : { taping }),
        before: stored.events,
        ...(flow === undefined ? {} : { figures: figuresOf(now, flow, start.inputs, history) }),
      },
      options,
      to,
    );
  });
  return code ?? EXIT.failed;
}

/** The outside of a run as it was when it was started. */
export function hostOf({ start }: StoredRun): ReturnType<typeof runHost> {
  const { options } = start;
  return runHost({
    seed: start.seed,
    ...(options["sim"] === true ? { sim: true } : {}),
    ...(typeof options["simFaults"] === "string" ? { simFaults: options["simFaults"] } : {}),
    ...(typeof options["allowPath"] === "string" ? { allowPath: options["allowPath"].split("\n") } : {}),
    ...(typeof options["allowHost"] === "string" ? { allowHost: options["allowHost"].split("\n") } : {}),
    ...(typeof options["directory"] === "string" ? { directory: options["directory"] } : {}),
  });
}

function editedGraph(file: string, options: StoredRun["start"]["options"], to: Terminal): Graph | undefined {
  const program = loadProgram(file);
  showErrors(program.problems, program.compiled.files, file, to);
  const { graph } = program.compiled;
  if (graph === undefined) return undefined;
  const models = typeof options["model"] === "string" ? options["model"].split("\n") : [];
  return overrideModels(graph, models, problems());
}

/** Whether every effect that was carried out still has its place in the program. */
function mayGoOn(stored: StoredRun, graph: Graph, kept: ReadonlySet<string>, to: Terminal): boolean {
  const gone = vanished(stored, graph).filter((path) => !kept.has(path));
  for (const path of gone)
    to.err(`error: ${path} was carried out, and the program as it is now has no such call: \`--keep ${path}\` goes on all the same\n`);
  return gone.length === 0;
}
