/** How long the command line takes to start, against Node doing nothing. */
import { join } from "node:path";
import { type Effort, type Figure, medians, processMs, root, weave } from "./measure.js";

/** Figures of starting, each the median of some rounds. */
export function startFigures({ rounds }: Effort): Figure[] {
  const node = process.execPath;
  const first = join(root, "examples", "programs", "code_review.weave");
  const check = (): number => processMs(node, [weave, "check", first]);
  const version = (): number => processMs(node, [weave, "--version"]);
  // Node keeps what it compiled from the first time on.
  check();
  version();
  const taken = medians({ nothing: () => processMs(node, ["-e", "0"]), version, check }, rounds * 3);
  const against = `node -e 0: ${taken.nothing.toFixed(1)} ms`;
  return [
    { name: "weave --version, times node -e 0", value: taken.version / taken.nothing, unit: "x", limit: 1.5, against },
    { name: "weave check of the first example, times node -e 0", value: taken.check / taken.nothing, unit: "x", limit: 3, against },
  ];
}
