/**
 * The crash matrix: a program runs as a process of its own and is killed with SIGKILL at one moment: right before or
 * after a commit of its journal, when the n-th call has come to the server, or when that was answered. Then it is
 * resumed, asked questions are answered with what the server knows, and the run is compared with one that nobody
 * killed: value, calls that were made, what was charged, and the invariants of its journal.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { sqliteStore } from "../../src/host/store/sqlite.js";
import type { StoredRun } from "../../src/runtime/store.js";
import { type CrashProgram, TOOLS } from "./crash-programs.js";
import { type Arrival, type CrashServer, crashServer } from "./crash-server.js";
import { broken } from "./invariants.js";

const root = join(import.meta.dirname, "..", "..");

export type Moment =
  | { readonly kind: "commit"; readonly when: "before" | "after"; readonly n: number }
  | { readonly kind: "call"; readonly when: "arrived" | "answered"; readonly n: number };

export interface Whole {
  readonly value: unknown;
  readonly costUsd: number;
  readonly commits: number;
  readonly arrivals: readonly Arrival[];
  readonly events: number;
}

/** What one death and what followed it came to; problems are sentences. */
export interface Outcome {
  readonly killed: boolean;
  /** Calls that were finished when the process died and were made again. */
  readonly repeated: readonly string[];
  /** Results that were finished and are not in the journal of the resumed run, or another value. */
  readonly lost: readonly string[];
  /** Calls in flight at the death that were made again, as they may be. */
  readonly again: number;
  readonly problems: readonly string[];
}

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Matrix {
  readonly whole: (program: CrashProgram) => Promise<Whole>;
  readonly moments: (whole: Whole) => readonly Moment[];
  readonly die: (program: CrashProgram, whole: Whole, moment: Moment) => Promise<Outcome>;
  readonly close: () => Promise<void>;
}

export async function crashMatrix(): Promise<Matrix> {
  const server = await crashServer();
  const folders: string[] = [];
  const folderOf = (program: CrashProgram): string => {
    const folder = mkdtempSync(join(tmpdir(), "weave-crash-"));
    folders.push(folder);
    mkdirSync(join(folder, ".weave"));
    writeFileSync(join(folder, "a.weave"), program.source);
    writeFileSync(join(folder, "t.ts"), TOOLS);
    for (const [path, text] of Object.entries(program.files ?? {})) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    if (program.git) {
      writeFileSync(join(folder, ".gitignore"), ".weave\ncommits\n");
      for (const args of [
        ["init", "-q"],
        ["add", "-A"],
        ["commit", "-q", "-m", "first"],
      ])
        spawnSync("git", ["-c", "user.name=w", "-c", "user.email=w@example.com", ...args], { cwd: folder });
    }
    return folder;
  };
  return {
    async whole(program) {
      server.reset();
      const cwd = folderOf(program);
      const count = join(cwd, "commits");
      const first = await (await begun(program, cwd, server, `count ${count}`)).ended;
      const commits = Number(readFileSync(count, "utf8"));
      const last = await finish(first, program, cwd, server);
      if (last.code !== 0) throw new Error(`without a death it ended with ${last.code}: ${last.out}${last.err}`);
      const result = resultOf(last);
      const events = stored(cwd)?.events.length ?? 0;
      const found = { value: result.value, costUsd: result.spend.cost_usd, commits, arrivals: [...server.arrivals], events };
      rmSync(cwd, { recursive: true, force: true });
      return found;
    },
    moments: ({ commits, arrivals }) => [
      ...from1(commits).flatMap((n) => (["before", "after"] as const).map((when) => ({ kind: "commit", when, n }) as const)),
      ...from1(arrivals.length).flatMap((n) => (["arrived", "answered"] as const).map((when) => ({ kind: "call", when, n }) as const)),
    ],
    die: async (program, whole, moment) => {
      server.reset();
      const cwd = folderOf(program);
      try {
        return await death(program, whole, moment, cwd, server);
      } finally {
        rmSync(cwd, { recursive: true, force: true });
      }
    },
    async close() {
      await server.close();
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Process {
  readonly ended: Promise<Ended>;
  readonly kill: () => void;
}

const from1 = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i + 1);

function command(
  args: readonly string[],
  cwd: string,
  server: CrashServer,
  { killAt, aheadMs = 0 }: { readonly killAt?: string | undefined; readonly aheadMs?: number } = {},
): Process {
  const preload = killAt === undefined && aheadMs === 0 ? [] : ["--import", pathToFileURL(join(import.meta.dirname, "kill-at.mjs")).href];
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: process.env["HOME"] ?? "",
    CI: "1",
    CALLS: server.url,
    KILL_AT: killAt ?? "",
    CLOCK_AHEAD: String(aheadMs),
  };
  const child = spawn(process.execPath, [...preload, join(root, "bin", "weave.js"), ...args], {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  return {
    ended: new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve({ code, out, err }));
    }),
    kill: () => child.kill("SIGKILL"),
  };
}

const START = ["run", "a.weave", "--seed", "3", "--json"] as const;

/** The process that is to die: the one that starts the run, or of a program with a question that expires the one after it. */
async function begun(program: CrashProgram, cwd: string, server: CrashServer, killAt: string | undefined): Promise<Process> {
  if (program.expires === undefined) return command(START, cwd, server, { killAt });
  const asked = await command(START, cwd, server).ended;
  if (asked.code !== 5 || !asked.err.includes(`${program.expires} waits`)) throw new Error(`it did not wait: ${asked.out}${asked.err}`);
  return command(["resume", "--json"], cwd, server, { killAt, aheadMs: LATER });
}

/** Longer than any question waits. */
const LATER = 2 * 3_600_000;
const aheadOf = (program: CrashProgram): number => (program.expires === undefined ? 0 : LATER);

/**
 * Answers what a run asks until it is over. Time passes where a question is to expire, and only there: what a process comes to
 * does not depend on how fast it is.
 */
async function finish(first: Ended, program: CrashProgram, cwd: string, server: CrashServer): Promise<Ended> {
  let last = first;
  const aheadMs = aheadOf(program);
  for (let round = 0; last.code === 5 && round < 20; round++) {
    const { run } = resultOf(last);
    for (const [, path = ""] of last.err.matchAll(/^\s*(\S+) waits for an answer/gm)) {
      const known = path.endsWith("/approve") ? "yes" : program.answers?.[path];
      const done = server.arrivals.findLast((arrival) => arrival.path === path.replace(/\?\d+$/, ""));
      const words = known !== undefined ? [known] : done === undefined ? ["no"] : ["yes", "--value", JSON.stringify(done.value)];
      await command(["answer", run, path, ...words], cwd, server, { aheadMs }).ended;
    }
    last = await command(["resume", "--json"], cwd, server, { aheadMs }).ended;
  }
  return last;
}

interface Result {
  readonly run: string;
  readonly value: unknown;
  readonly spend: { readonly cost_usd: number };
}

function resultOf({ out, err, code }: Ended): Result {
  try {
    return JSON.parse(out.trim().split("\n").at(-1) ?? "") as Result;
  } catch {
    throw new Error(`exit code ${code}: ${out}${err}`);
  }
}

/** The one run of a folder. */
function stored(cwd: string): StoredRun | undefined {
  const file = join(cwd, ".weave", "weave.db");
  if (!existsSync(file)) return undefined;
  const store = sqliteStore(file);
  try {
    const [only] = store.list(1);
    return only === undefined ? undefined : store.load(only.run);
  } finally {
    store.close();
  }
}

async function death(program: CrashProgram, whole: Whole, moment: Moment, cwd: string, server: CrashServer): Promise<Outcome> {
  const killAt = moment.kind === "commit" ? `${moment.when} ${moment.n}` : undefined;
  const run = await begun(program, cwd, server, killAt);
  if (moment.kind === "call")
    server.onMoment = (when, n) => {
      if (when === moment.when && n === moment.n) run.kill();
    };
  const died = await run.ended;
  await server.quiet();
  server.onMoment = undefined;
  const killed = died.code === null;
  const before = stored(cwd);
  const came = server.arrivals.length;
  const ended = endedIn(before);
  const last = await finish(await carriedOn(died, before, cwd, server, aheadOf(program)), program, cwd, server);
  const problems: string[] = [];
  const inFlight = came - endings(before);
  // An attempt whose intent was journaled is spent, also when the process died before it was made.
  const mayDiffer = program.racing === true || (program.short === true && (inFlight > 0 || attemptsOpen(before)));
  if (last.code === 4 && program.short === true && mayDiffer)
    return { killed, repeated: [], lost: lostIn(before, stored(cwd)), again: 0, problems };
  if (last.code !== 0) return { killed, repeated: [], lost: ["all"], again: 0, problems: [`exit code ${last.code}: ${last.err}`] };
  const result = resultOf(last);
  const after = stored(cwd);
  const later = server.arrivals.slice(came);
  const repeated = later.filter((arrival) => arrival.of === "tool" && ended.has(arrival.path)).map((arrival) => arrival.id);
  const lost = lostIn(before, after);
  if (!mayDiffer && JSON.stringify(result.value) !== JSON.stringify(whole.value))
    lost.push(`value ${JSON.stringify(result.value)}${failuresIn(after)}`);
  const extra = server.arrivals.length - whole.arrivals.length;
  if (!mayDiffer && extra > Math.max(0, inFlight)) problems.push(`${extra} calls more than without a death, ${inFlight} were in flight`);
  const billed = server.arrivals.reduce((sum, arrival) => sum + arrival.billed, 0);
  if (result.spend.cost_usd < billed - 1e-9) problems.push(`${result.spend.cost_usd} was charged, ${billed} was billed`);
  // A request whose intent was journaled counts as its worst case, also when the process died before it was sent.
  const intended = (before?.events ?? []).reduce(
    (n, { kind }) => n + (kind === "model.requested" ? 1 : /^model\.(answered|failed)$/.test(kind) ? -1 : 0),
    0,
  );
  if (!mayDiffer && inFlight <= 0 && intended <= 0 && Math.abs(result.spend.cost_usd - whole.costUsd) > 1e-9)
    problems.push(`${result.spend.cost_usd} was charged, ${whole.costUsd} without a death`);
  problems.push(...broken(after?.events ?? []), ...twice(server.arrivals, program));
  return { killed, repeated, lost, again: Math.max(0, extra), problems };
}

/** Goes on after a death: by resuming, by looking where it was over already, or from the start where nothing was kept. */
async function carriedOn(died: Ended, before: StoredRun | undefined, cwd: string, server: CrashServer, aheadMs: number): Promise<Ended> {
  if (died.code !== null) return died;
  if (before === undefined) return command(START, cwd, server).ended;
  if (before.status === "completed") return command(["show", "--json"], cwd, server).ended;
  return command(["resume", "--json"], cwd, server, { aheadMs }).ended;
}

/** Paths of tool calls whose end is in a journal. */
function endedIn(run: StoredRun | undefined): ReadonlySet<string> {
  const ended = new Set<string>();
  for (const event of run?.events ?? []) {
    const over = event.kind === "call.completed" || (event.kind === "call.failed" && event.failure.kind !== "cancelled");
    if (over && event.of === "tool") ended.add(event.path);
  }
  return ended;
}

const HERE: ReadonlySet<string> = new Set(["glob", "read_text", "make_dir", "seen"]);

/** How many calls of tools and models have an end in a journal; every attempt counts. */
function endings(run: StoredRun | undefined): number {
  let count = 0;
  const failed = new Map<string, number>();
  const fellBack = new Set<string>();
  const cached = new Set<string>();
  for (const event of run?.events ?? []) {
    // What is done on this machine does not come to the server.
    if ("callee" in event && HERE.has(event.callee)) continue;
    if (event.kind === "call.fell_back") fellBack.add(event.path);
    else if (event.kind === "call.cached") cached.add(event.path);
    // What was known was not asked for.
    else if (event.kind === "call.completed" && cached.has(event.path)) continue;
    // The attempts of a call that fell back were told already; what ends with it is the call that stood in.
    else if (event.kind.startsWith("call.") && "path" in event && fellBack.has(event.path) && failed.has(event.path)) continue;
    else if (event.kind === "model.answered" || event.kind === "model.failed") count++;
    else if (event.kind === "call.attempt_failed") {
      failed.set(event.path, event.attempt);
      count++;
    } else if ((event.kind === "call.completed" || event.kind === "call.failed") && event.of === "tool")
      if (event.kind === "call.completed" || failed.get(event.path) !== event.attempts)
        // The last attempt of a call that gave up was told already.
        count++;
  }
  return count;
}

/** Whether an attempt was about to be made whose end is not in the journal. */
function attemptsOpen(run: StoredRun | undefined): boolean {
  const open = new Set<string>();
  for (const event of run?.events ?? []) {
    if (event.kind === "call.attempted") open.add(event.path);
    if (event.kind === "call.completed" || event.kind === "call.failed" || event.kind === "call.attempt_failed") open.delete(event.path);
  }
  return open.size > 0;
}

/** What failed or ended early in a run, to tell where another value may come from. */
function failuresIn(run: StoredRun | undefined): string {
  const told = (run?.events ?? []).flatMap((event) =>
    event.kind === "item.failed" || event.kind === "call.failed"
      ? [`${event.path}: ${event.failure.kind}: ${event.failure.message}`]
      : event.kind === "budget.landed"
        ? [`${event.path}: ${event.message}`]
        : [],
  );
  return told.length === 0 ? "" : ` (${told.join("; ")})`;
}

/** Results of a journal that are not in a later state of it. */
function lostIn(before: StoredRun | undefined, after: StoredRun | undefined): string[] {
  const text = (event: unknown): string => JSON.stringify(event);
  const kept = new Set(after?.events.map(text));
  return (before?.events ?? []).filter((event) => !kept.has(text(event))).map((event) => `event ${event.seq}`);
}

/** Effects that are not idempotent and were carried out more than once. */
function twice(arrivals: readonly Arrival[], { source }: CrashProgram): readonly string[] {
  const counts = new Map<string, number>();
  for (const { of, path } of arrivals) if (of === "tool" && /\/post(#\d+)?$/.test(path)) counts.set(path, (counts.get(path) ?? 0) + 1);
  // A fallback or retry of a region has paths of its own, so one path is one effect.
  return source === ""
    ? []
    : [...counts].filter(([, count]) => count > 1).map(([path, count]) => `the effect ${path} was carried out ${count} times`);
}
