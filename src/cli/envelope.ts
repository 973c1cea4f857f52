/** Events as they are written down: each with its run, its time and what has been used so far. */
import type { Envelope, RunEvent } from "../runtime/events.js";

/** Makes envelopes for the events of one run, in their order. */
export function envelopes(run: string, wall: () => number): (event: RunEvent) => Envelope {
  let tokens = 0;
  let spend = 0;
  const began = wall();
  return (event) => {
    if ((event.kind === "call.completed" || event.kind === "call.failed") && event.bill !== undefined) {
      tokens += event.bill.inputTokens + event.bill.outputTokens;
      spend += event.bill.costUsd;
    }
    const path = "path" in event ? event.path : "";
    return {
      version: 1,
      run,
      time: new Date(began + event.at).toISOString(),
      trace: run,
      span: path,
      source: "callee" in event ? event.callee : "agent" in event ? event.agent : "run",
      elapsed: event.at,
      tokens,
      spend,
      event,
    };
  };
}
