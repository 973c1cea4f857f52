/** What ours and the peers are given alike: graphs of layers where each node waits for two of the layer before, and a clean start. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Collects what loading and compiling left behind, whose collection would fall into one measure and not into another by chance. */
export function settled(): void {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as (options: { readonly type: "minor" }) => void;
  gc({ type: "minor" });
}

export const wait = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

export function layered(size: number): { readonly width: number } {
  return { width: Math.min(20, size) };
}

/** What a node waits for, by the numbers of the nodes. */
export function predecessors(at: number, width: number): readonly number[] {
  if (at < width) return [];
  const layer = Math.floor(at / width) - 1;
  const column = at % width;
  return [layer * width + column, layer * width + ((column * 7 + 3) % width)];
}

/** Waits between 5 and 45 ms, the same in every run. */
export function latencies(size: number): readonly number[] {
  let state = 42;
  return Array.from({ length: size }, () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return 5 + ((state >> 8) % 41);
  });
}

/** The longest way through the layers. */
export function criticalPath(size: number): number {
  const { width } = layered(size);
  const table = latencies(size);
  const ends: number[] = [];
  for (let at = 0; at < size; at++) ends.push((table[at] ?? 0) + Math.max(0, ...predecessors(at, width).map((p) => ends[p] ?? 0)));
  return Math.max(...ends);
}

/** Five tools, one after the other. */
export const fiveTools = (module: string): string => `tool step(n: int) -> int = module("${module}")
flow main(size: int) -> int { size |> step |> step |> step |> step |> step }
`;
