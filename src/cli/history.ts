/** What earlier runs tell about the callables of a program, as its store has it. */
import { existsSync } from "node:fs";
import { openStore, storeFor } from "../host/store/place.js";
import type { Graph } from "../plan/ir.js";
import { type History, historyOf } from "../runtime/history.js";
import type { Tally } from "../runtime/tally.js";

/**
 * Reads stores, each once: gives the history of a program, undefined where nothing is known. Of simulated runs only where
 * there are no real ones. A store that cannot be read tells nothing: history refines what is shown, and no more.
 */
export function histories(named?: string): (file: string, graph: Graph) => History | undefined {
  const read = new Map<string, readonly Tally[]>();
  return (file, graph) => {
    const path = named ?? storeFor(file);
    let tallies = read.get(path);
    if (tallies === undefined) {
      tallies = existsSync(path) ? talliesIn(path) : [];
      read.set(path, tallies);
    }
    return tallies.length === 0 ? undefined : historyOf(graph, tallies);
  };
}

function talliesIn(path: string): readonly Tally[] {
  try {
    const store = openStore(path);
    try {
      return store.history();
    } finally {
      store.close();
    }
  } catch {
    return [];
  }
}
