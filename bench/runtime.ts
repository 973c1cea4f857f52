/**
 * What running costs: first runs in fresh processes, with validation, events and policies on, against bare p-limit, the
 * ideal, and the peers where they are installed.
 */
import { join } from "node:path";
import {
  type Effort,
  type Figure,
  type Measured,
  measured,
  medians,
  peerFolder,
  peersPresent,
  processMs,
  root,
  shown,
  weave,
} from "./measure.js";
import { fiveTools } from "./shapes.js";

const PEERS = ["p-graph", "Mastra", "LangGraph"] as const;
type Peer = (typeof PEERS)[number];
const can: Readonly<Record<string, readonly Peer[]>> = {
  "fan-out": ["Mastra", "LangGraph"],
  "slow fan-out": ["Mastra", "LangGraph"],
  chain: PEERS,
  "five tools": PEERS,
  "layered graph": ["p-graph"],
  "slow layered graph": ["p-graph"],
};

/** Figures of running. */
export function runtimeFigures({ rounds, smoke }: Effort, write: (name: string, text: string) => string): Figure[] {
  const scale = (size: number): number => (smoke ? Math.max(5, size / 20) : size);
  const once = (name: string, size: number): Measured => measured([join(root, "bench", "run-case.ts"), name, String(size)]);
  const peer = (name: string, size: number): string => {
    const who = peersPresent ? (can[name] ?? []) : [];
    return who
      .map((each) => {
        const ms = medians({ it: () => measured([join(peerFolder, "measure.ts"), each, name, String(size)]).ms }, Math.min(rounds, 3)).it;
        return `, ${each} ${shown((ms / size) * 1000)} µs`;
      })
      .join("");
  };
  /** Medians of ours and of what it is compared with, taken in turns. */
  const pair = (name: string, other: string, size: number): { ours: number; other: number } =>
    medians({ ours: () => once(name, size).ms, other: () => once(other, size).ms }, rounds);
  /** The same with p-graph, where it is installed. */
  const beside = (name: string, size: number): { ours: number; yard?: number } => {
    const ours = (): number => once(name, size).ms;
    const yard = (): number => measured([join(peerFolder, "measure.ts"), "p-graph", name, String(size)]).ms;
    return peersPresent ? medians({ ours, yard }, rounds) : medians({ ours }, rounds);
  };
  const figures: Figure[] = [];

  const perCall: number[] = [];
  for (const size of [scale(1000), scale(10_000)]) {
    const { ours, other } = pair("fan-out", "p-limit", size);
    perCall.push((ours / size) * 1000);
    figures.push({
      name: `fan-out of ${size.toLocaleString("en-US")} at 100, a call, times p-limit`,
      value: ours / other,
      unit: "x",
      limit: 3,
      against: `${shown((ours / size) * 1000)} µs, p-limit ${shown((other / size) * 1000)} µs${peer("fan-out", size)}`,
    });
  }
  figures.push({
    name: "a call of the larger fan-out, times one of the smaller",
    value: (perCall[1] ?? 0) / (perCall[0] ?? 1),
    unit: "x",
    limit: 1,
  });
  for (const [name, limit] of [
    ["chain", 20],
    ["layered graph", 30],
  ] as const) {
    const size = scale(1000);
    const { ours, yard } = beside(name, size);
    figures.push({
      name: `${name} of ${size.toLocaleString("en-US")}, a call`,
      value: (ours / size) * 1000,
      unit: "µs",
      limit,
      against: peer(name, size).slice(2),
      yardstick:
        name === "chain" && yard !== undefined ? { name: "p-graph", there: 10, here: (yard / size) * 1000, unit: "µs" } : undefined,
    });
  }

  const calls = scale(1000);
  const slow = pair("slow fan-out", "slow p-limit", calls);
  const ideal = Math.ceil(calls / 100) * 50;
  figures.push({
    name: `${calls.toLocaleString("en-US")} calls of 50 ms at 100, times the ideal`,
    value: slow.ours / ideal,
    unit: "x",
    limit: 1.03,
    against: `p-limit ${(slow.other / ideal).toFixed(3)}${peers("slow fan-out", calls, ideal)}`,
  });
  const path = once("critical path", calls).ms;
  figures.push({
    name: `layered graph of ${calls.toLocaleString("en-US")}, random waits, times its critical path`,
    value: medians({ it: () => once("slow layered graph", calls).ms }, rounds).it / path,
    unit: "x",
    limit: 1.03,
    against: peers("slow layered graph", calls, path).slice(2),
  });
  const agents = scale(100);
  figures.push({
    name: `${agents} agents of 200 ms at once, times the ideal`,
    value: medians({ it: () => once("agents", agents).ms }, rounds).it / 200,
    unit: "x",
    limit: 1.03,
  });

  const large = scale(100_000);
  figures.push({
    name: `map of ${large.toLocaleString("en-US")} items, memory of the process`,
    value: once("fan-out", large).mb,
    unit: "MB",
    limit: 400,
  });
  const five = beside("five tools", 5);
  const yardstick = five.yard === undefined ? undefined : { name: "p-graph", there: 0.8, here: five.yard, unit: "ms" };
  figures.push({
    name: "five tools in a chain, in process",
    value: five.ours,
    unit: "ms",
    limit: 2,
    against: peers("five tools", 5, 1).slice(2),
    yardstick,
  });
  write("step.js", "export const step = ({ n }) => n;\n");
  const file = write("five.weave", fiveTools("./step.js"));
  const whole = (): number => processMs(process.execPath, [weave, "run", file, "--size", "1"]);
  whole();
  figures.push({
    name: "the same with weave run, a whole process",
    value: medians({ whole }, rounds).whole,
    unit: "ms",
    limit: 150,
    yardstick,
  });

  const many = scale(10_000);
  const idle = pair("fan-out with idle policies", "fan-out", many);
  figures.push({ name: "idle policies, a call", value: Math.max(0, ((idle.ours - idle.other) / many) * 1000), unit: "µs", limit: 2 });
  const hundred = scale(100);
  const retried = pair("retried fan-out", "fan-out", hundred);
  figures.push({
    name: `recovery by retry of ${hundred} calls, beyond its backoff`,
    value: Math.max(0, retried.ours - retried.other - 100),
    unit: "ms",
    limit: 200,
  });
  const budgets = pair("with three budgets", "without budgets", many);
  figures.push({
    name: "admission under three nested budgets, a call",
    value: Math.max(0, ((budgets.ours - budgets.other) / many) * 1000),
    unit: "µs",
    limit: 5,
  });
  return figures;

  function peers(name: string, size: number, unit: number): string {
    const who = peersPresent ? (can[name] ?? []) : [];
    return who
      .map(
        (each) =>
          `, ${each} ${(measured([join(peerFolder, "measure.ts"), each, name, String(size)]).ms / unit).toFixed(unit === 1 ? 1 : 3)}`,
      )
      .join("");
  }
}
