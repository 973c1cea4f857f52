/** The compiler on a generated program of 1,000 types, agents and flows, against `baml-cli check` on the like of it. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { generatedBaml, generatedProgram } from "./generate.js";
import { type Effort, type Figure, measured, medians, peerFolder, peersPresent, processMs, weave } from "./measure.js";

/** Figures of compiling; `write` makes a file and gives its path, `child` is the program that measures in process. */
export function compileFigures({ rounds, smoke }: Effort, child: string, write: (name: string, text: string) => string): Figure[] {
  const size = smoke ? 50 : 1000;
  const text = generatedProgram(size);
  const lines = text.split("\n").length;
  const path = write("large.weave", text);
  const node = process.execPath;
  const check = (): number => processMs(node, [weave, "check", path]);
  const baml = join(peerFolder, "node_modules", "@boundaryml", "baml", "cli.js");
  const project = join(path, "..", "baml");
  if (peersPresent) {
    mkdirSync(join(project, "baml_src"), { recursive: true });
    write(join("baml", "baml_src", "main.baml"), generatedBaml(size));
  }
  const nothing = (): number => processMs(node, ["-e", "0"]);
  const peer = peersPresent ? (): number => processMs(node, [baml, "check"], project) : nothing;
  check();
  const taken = medians({ check, peer, nothing }, rounds);
  const { ms } = measured([child, "compile", path]);
  const { mb } = measured([child, "compile once", path]);
  const name = `weave check of ${lines.toLocaleString("en-US")} lines, a whole process`;
  return [
    peersPresent
      ? {
          name: `${name}, times baml-cli check`,
          value: taken.check / taken.peer,
          unit: "x",
          limit: 1,
          against: `${taken.check.toFixed(0)} ms, baml-cli ${taken.peer.toFixed(0)} ms`,
        }
      : { name, value: taken.check, unit: "ms", limit: undefined, against: `node -e 0: ${taken.nothing.toFixed(0)} ms` },
    {
      name: "text to graph, warm",
      value: (lines / ms) * 1000,
      unit: "lines/s",
      limit: 200_000,
      atLeast: true,
      yardstick: peersPresent ? { name: "baml-cli", there: 233, here: taken.peer, unit: "ms" } : undefined,
    },
    { name: "memory of a process that compiles it", value: mb, unit: "MB", limit: 300 },
  ];
}
