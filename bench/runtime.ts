/**
 * What a call costs that does nothing, with validation, events and policies on, against bare p-limit: each measure is
 * the first run in a fresh process (`runtime-case.ts`), taken in turns.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type Figure, medians } from "./measure.js";

/** Milliseconds that a case says it took in a process of its own. */
function caseMs(...args: readonly string[]): number {
  const tsx = join(import.meta.dirname, "..", "node_modules", "tsx", "dist", "cli.mjs");
  const { stdout, stderr, status } = spawnSync(process.execPath, [tsx, join(import.meta.dirname, "runtime-case.ts"), ...args], {
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "" },
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`);
  return Number(stdout);
}

const micros = (ms: number, calls: number): string => ((ms / calls) * 1000).toFixed(1);

/** Figures of running. */
export function runtimeFigures(smoke: boolean): Figure[] {
  const rounds = smoke ? 1 : 5;
  const [small, large, length, slow] = smoke ? [50, 100, 50, 100] : [1000, 10_000, 1000, 1000];
  const run =
    (name: string, size: number): (() => number) =>
    () =>
      caseMs(name, String(size));
  const measured = medians(
    {
      bareSmall: run("p-limit", small),
      small: run("fan-out", small),
      bareLarge: run("p-limit", large),
      large: run("fan-out", large),
      chain: run("chain", length),
      layered: run("layered", length),
      slow: run("slow", slow),
    },
    rounds,
  );
  const fanOut = (size: number, ours: number, bare: number): Figure => ({
    name: `fan-out of ${size.toLocaleString("en-US")} at 100, times p-limit`,
    value: ours / bare,
    unit: "x",
    limit: 3,
    against: `${micros(ours, size)} µs a call, p-limit ${micros(bare, size)} µs`,
  });
  return [
    fanOut(small, measured.small, measured.bareSmall),
    fanOut(large, measured.large, measured.bareLarge),
    {
      name: "a call in the large fan-out, times one in the small",
      value: measured.large / large / (measured.small / small),
      unit: "x",
      limit: 1,
    },
    { name: `chain of ${length.toLocaleString("en-US")}, a call`, value: (measured.chain / length) * 1000, unit: "µs", limit: 20 },
    {
      name: `layered graph of ${length.toLocaleString("en-US")}, a call`,
      value: (measured.layered / length) * 1000,
      unit: "µs",
      limit: 30,
    },
    { name: `${slow} calls of 50 ms at 100, times the ideal`, value: measured.slow / ((slow / 100) * 50), unit: "x", limit: 1.03 },
  ];
}
