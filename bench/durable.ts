/**
 * What keeping runs costs: a kept run beside the same records inserted bare, in the same process and with the same
 * settings, one after the other; resuming; what is on the disk; and the peers that keep runs, where they are installed.
 */
import { join } from "node:path";
import { type Effort, type Figure, measuredAs, medianOf, peerFolder, peersPresent, root, shown } from "./measure.js";

interface Written {
  readonly ms: number;
  readonly bareMs: number;
  readonly recordBytes: number;
  readonly diskBytes: number;
}

/** LangGraph's store in a file needs a native module that is not built here. */
const PEERS = ["Mastra"] as const;

/** Figures of runs that are kept. */
export function durableFigures({ rounds, smoke }: Effort): Figure[] {
  const scale = (size: number): number => (smoke ? Math.max(5, size / 20) : size);
  const once = <T extends object>(name: string, size: number): T =>
    measuredAs<T>([join(root, "bench", "durable-case.ts"), name, String(size)]);
  const written = (name: string, size: number): Written => {
    const all = Array.from({ length: rounds }, () => once<Written>(name, size));
    // Each run is compared with what was inserted right after it, when the disk was as busy.
    const ratio = medianOf(all.map((each) => each.ms / each.bareMs));
    const ms = medianOf(all.map((each) => each.ms));
    return {
      ms,
      bareMs: ms / ratio,
      recordBytes: medianOf(all.map((e) => e.recordBytes)),
      diskBytes: medianOf(all.map((e) => e.diskBytes)),
    };
  };
  const peers = (name: string, size: number): string =>
    (peersPresent ? PEERS : [])
      .map((each) => {
        const args = [join(peerFolder, "measure.ts"), each, `kept ${name}`, String(size)];
        const ms = medianOf(Array.from({ length: Math.min(rounds, 3) }, () => measuredAs<{ ms: number }>(args).ms));
        return `, ${each} ${shown((ms / size) * 1000)} µs`;
      })
      .join("");
  const figures: Figure[] = [];
  const beside = ({ ms, bareMs }: Written, size: number): string =>
    `${shown((ms / size) * 1000)} µs a call, bare ${shown((bareMs / size) * 1000)} µs`;

  const calls = scale(1000);
  const chain = written("chain", calls);
  figures.push({
    name: `kept chain of ${calls.toLocaleString("en-US")}, times single inserts`,
    value: chain.ms / chain.bareMs,
    unit: "x",
    limit: 1.5,
    against: `${beside(chain, calls)}${peers("chain", scale(200))}`,
  });
  const short = once<Written>("chain", scale(200));
  figures.push({
    name: "bytes of a call in the longer chain, times a shorter one",
    value: chain.recordBytes / short.recordBytes,
    unit: "x",
    limit: 1.05,
    against: `${shown(chain.recordBytes)} bytes`,
  });
  for (const size of [calls, scale(10_000)]) {
    const fanOut = written("fan-out", size);
    figures.push({
      name: `kept fan-out of ${size.toLocaleString("en-US")} at 100, times inserts in batches`,
      value: fanOut.ms / fanOut.bareMs,
      unit: "x",
      limit: 1.5,
      against: `${beside(fanOut, size)}${size === calls ? peers("fan-out", size) : ""}`,
    });
  }
  figures.push({
    name: "bytes on disk of a call, times those of its records",
    value: chain.diskBytes / chain.recordBytes,
    unit: "x",
    limit: 3,
    against: `${shown(chain.diskBytes)} bytes`,
  });
  const many = scale(100_000);
  const resumed = once<{ ms: number; mb: number }>("resume", many);
  figures.push({ name: `resume of ${many.toLocaleString("en-US")} finished calls`, value: resumed.ms, unit: "ms", limit: 2000 });
  figures.push({ name: "memory of a process that keeps such a run and resumes it", value: resumed.mb, unit: "MB", limit: undefined });
  const large = once<{ mb: number }>("kept", many);
  figures.push({
    name: `kept map of ${many.toLocaleString("en-US")} items, memory of the process`,
    value: large.mb,
    unit: "MB",
    limit: 400,
  });
  return figures;
}
