/** What earlier runs tell about the callables of a program: what a call takes on average, from what a store keeps. */
import type { Graph } from "../plan/ir.js";
import { type Mean, meanOf, type Tally } from "./tally.js";

export interface History {
  /** By the id of the callable. */
  readonly means: ReadonlyMap<string, Mean>;
  /** The runs were simulated. */
  readonly simulated: boolean;
}

/**
 * The means of the agents and tools of a program that have been called as they are defined now. Real runs and simulated
 * ones are never mixed; where it is not said which are wanted, simulated ones stand in as long as there are no real ones.
 */
export function historyOf(graph: Graph, tallies: readonly Tally[], simulated?: boolean): History | undefined {
  const of = (made: boolean): History | undefined => {
    const byHash = new Map(tallies.filter((tally) => tally.simulated === made).map((tally) => [tally.hash, tally]));
    if (byHash.size === 0) return undefined;
    const means = new Map<string, Mean>();
    for (const ir of [...Object.values(graph.agents), ...Object.values(graph.tools)]) {
      const tally = byHash.get(ir.hash);
      if (tally !== undefined && tally.calls > 0) means.set(ir.id, meanOf(tally));
    }
    return means.size === 0 ? undefined : { means, simulated: made };
  };
  return simulated === undefined ? (of(false) ?? of(true)) : of(simulated);
}
