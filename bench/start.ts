/** How long the command line takes to start, against Node doing nothing. */
import { join } from "node:path";
import { type Figure, medians, processMs } from "./measure.js";

const root = join(import.meta.dirname, "..");
export const weave = join(root, "bin", "weave.js");

/** Figures of starting, each the median of some rounds. */
export function startFigures(rounds: number): Figure[] {
  const node = process.execPath;
  const first = join(root, "examples", "programs", "code_review.weave");
  const measured = medians(
    {
      nothing: () => processMs(node, ["-e", "0"]),
      version: () => processMs(node, [weave, "--version"]),
      check: () => processMs(node, [weave, "check", first]),
    },
    rounds,
  );
  const against = `node -e 0: ${measured.nothing.toFixed(1)} ms`;
  return [
    { name: "weave --version, times node -e 0", value: measured.version / measured.nothing, unit: "x", limit: 1.5, against },
    { name: "weave check of the first example, times node -e 0", value: measured.check / measured.nothing, unit: "x", limit: 3, against },
  ];
}
