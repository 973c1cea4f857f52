/** Measuring: fresh processes with a clean environment, medians, and a line for each figure beside its limit. */
import { spawnSync } from "node:child_process";

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it may be at most, or at least where `atLeast`. */
  readonly limit: number | undefined;
  readonly atLeast?: boolean;
  /** What it was measured against. */
  readonly against?: string;
}

/** Wall time of a process in milliseconds; a failing one stops the benchmark. */
export function processMs(command: string, args: readonly string[], cwd?: string): number {
  const start = performance.now();
  const result = spawnSync(command, args, {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "" },
    encoding: "utf8",
  });
  const ms = performance.now() - start;
  if (result.status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${result.status}: ${result.stderr}`);
  return ms;
}

/** Medians of several measures taken in turns, so that a slow moment of the machine meets all of them. */
export function medians<K extends string>(measures: Readonly<Record<K, () => number>>, rounds: number): Record<K, number> {
  const names = Object.keys(measures) as K[];
  const taken = new Map<K, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) for (const name of names) taken.get(name)?.push(measures[name]());
  const middle = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
  return Object.fromEntries(names.map((name) => [name, middle(taken.get(name) ?? [])])) as Record<K, number>;
}

/** Prints figures as a table, and tells whether each keeps its limit. */
export function report(figures: readonly Figure[]): boolean {
  const number = (value: number): string => (Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3));
  let kept = true;
  for (const { name, value, unit, limit, atLeast = false, against } of figures) {
    const good = limit === undefined || (atLeast ? value >= limit : value <= limit);
    kept &&= good;
    const bound = limit === undefined ? "" : `${atLeast ? "at least" : "at most"} ${number(limit)}`;
    console.log(
      `${good ? "  " : "✗ "}${name.padEnd(58)} ${`${number(value)} ${unit}`.padStart(16)}   ${bound.padEnd(16)} ${against ?? ""}`.trimEnd(),
    );
  }
  return kept;
}
