/** What earlier runs tell about the callables of a program, as its store has it. */
import { existsSync } from "node:fs";
import { storeFor } from "../host/store/place.js";
import type { Graph } from "../plan/ir.js";
import { type History, historyOf } from "../runtime/history.js";
import type { Tally } from "../runtime/tally.js";

/**
 * Reads stores, each once: gives the history of a program, undefined where nothing is known. Of simulated runs only where
 * there are no real ones. A store that cannot be read tells nothing: history refines what is shown, and no more.
 */
export function histories(named?: string): (file: string, graph: Graph) => Promise<History | undefined> {
  const read = new Map<string, readonly Tally[]>();
  return async (file, graph) => {
    const path = named ?? storeFor(file);
    let tallies = read.get(path);
    if (tallies === undefined) {
      tallies = existsSync(path) ? await talliesIn(path) : [];
      read.set(path, tallies);
    }
    return tallies.length === 0 ? undefined : historyOf(graph, tallies);
  };
}

async function talliesIn(path: string): Promise<readonly Tally[]> {
  try {
    const { openStore } = await import("../host/store/open.js");
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
