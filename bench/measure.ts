/** Measuring: fresh processes with a clean environment, in turns, medians, and a line for each figure beside its limit. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it may be at most, or at least where `atLeast`; undefined where it only stands beside others. */
  readonly limit: number | undefined;
  readonly atLeast?: boolean;
  /** What it was measured against. */
  readonly against?: string;
  /** What tells how fast this machine is beside the one a limit in time was set on. */
  readonly yardstick?: Yardstick | undefined;
}

/** A program that took so long where the limit was set, and was measured here in turns with ours. */
export interface Yardstick {
  readonly name: string;
  readonly there: number;
  readonly here: number;
  readonly unit: string;
}

/** How many times each thing is measured, and whether this run only shows that it works. */
export interface Effort {
  readonly rounds: number;
  readonly smoke: boolean;
}

export const root = join(import.meta.dirname, "..");
export const weave = join(root, "bin", "weave.js");
export const peerFolder = join(root, "bench", "peers");
/** Whether `npm run bench:peers` has been run. */
export const peersPresent = existsSync(join(peerFolder, "node_modules"));

const environment = (): NodeJS.ProcessEnv => ({ PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "" });
/** The command line keeps what Node compiled; a program that measures gets the same, ours and the peers' alike. */
const keeping = (): NodeJS.ProcessEnv => ({ ...environment(), NODE_COMPILE_CACHE: join(tmpdir(), "weave-bench-compile-cache") });

function started(command: string, args: readonly string[], cwd?: string, env = environment()): string {
  const result = spawnSync(command, args, { cwd, env, encoding: "utf8", maxBuffer: 1 << 28 });
  if (result.status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${result.status}: ${result.stderr.slice(-2000)}`);
  return result.stdout;
}

/** Wall time of a process in milliseconds; a failing one stops the benchmark. */
export function processMs(command: string, args: readonly string[], cwd?: string): number {
  const start = performance.now();
  started(command, args, cwd);
  return performance.now() - start;
}

export interface Measured {
  readonly ms: number;
  readonly mb: number;
}

/** What a process of its own measured and printed as JSON. */
export const measured = (args: readonly string[]): Measured => measuredAs<Measured>(args);

export function measuredAs<T extends object>(args: readonly string[]): T {
  return JSON.parse(started(process.execPath, args, undefined, keeping())) as T;
}

export const medianOf = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Medians of several measures taken in turns, so that a slow moment of the machine meets all of them. */
export function medians<K extends string>(measures: Readonly<Record<K, () => number>>, rounds: number): Record<K, number> {
  const names = Object.keys(measures) as K[];
  const taken = new Map<K, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) for (const name of names) taken.get(name)?.push(measures[name]());
  return Object.fromEntries(names.map((name) => [name, medianOf(taken.get(name) ?? [])])) as Record<K, number>;
}

export const shown = (value: number): string =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en-US") : value === 0 ? "0" : value.toPrecision(3);

const within = (value: number, limit: number, atLeast: boolean): boolean => (atLeast ? value >= limit : value <= limit);

/** Whether a figure keeps its limit: as it is, only at the speed of this machine, or not at all. */
export function kept({ value, limit, atLeast = false, yardstick }: Figure): "kept" | "kept here" | "broken" {
  if (limit === undefined || within(value, limit, atLeast)) return "kept";
  const slower = yardstick === undefined ? 1 : Math.max(1, yardstick.here / yardstick.there);
  return within(value, atLeast ? limit / slower : limit * slower, atLeast) ? "kept here" : "broken";
}

const MARKS = { kept: "  ", "kept here": "≈ ", broken: "✗ " } as const;

/** Prints figures as a table, and tells whether each keeps its limit. A short run is not judged. */
export function report(title: string, figures: readonly Figure[], smoke: boolean): boolean {
  console.log(`\n${title}`);
  for (const figure of figures) {
    const { name, value, unit, limit, atLeast = false, against, yardstick } = figure;
    const bound = limit === undefined ? "" : `${atLeast ? "at least" : "at most"} ${shown(limit)}`;
    const mark = smoke ? MARKS.kept : MARKS[kept(figure)];
    const scale =
      yardstick === undefined
        ? undefined
        : `the limit was set where ${yardstick.name} took ${shown(yardstick.there)} ${yardstick.unit}: ${shown(yardstick.here)} here`;
    const beside = [against ?? "", scale ?? ""].filter((text) => text !== "").join("; ");
    console.log(`${mark}${name.padEnd(62)} ${`${shown(value)} ${unit}`.padStart(15)}   ${bound.padEnd(16)} ${beside}`.trimEnd());
  }
  return smoke || figures.every((figure) => kept(figure) !== "broken");
}
