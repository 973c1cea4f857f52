/** What runs learned of what they call, in SQLite: sums by definition, simulated runs apart from real ones. */
import type { StatementSync } from "node:sqlite";
import type { Tally } from "../../runtime/tally.js";

/** Adds what a run learned to what is known. */
export function learn(sql: (text: string) => StatementSync, tally: Tally, now: number): void {
  sql(
    `INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (hash, simulated) DO UPDATE SET
       calls = calls + excluded.calls, succeeded = succeeded + excluded.succeeded, attempts = attempts + excluded.attempts,
       tool_attempts = tool_attempts + excluded.tool_attempts, requests = requests + excluded.requests,
       input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
       cost = cost + excluded.cost, latency = latency + excluded.latency, at = excluded.at`,
  ).run(
    tally.hash,
    tally.simulated ? 1 : 0,
    tally.calls,
    tally.succeeded,
    tally.attempts,
    tally.toolAttempts,
    tally.requests,
    tally.inputTokens,
    tally.outputTokens,
    tally.costUsd,
    tally.latencyMs,
    now,
  );
}

/** A row as it was learned. */
export function tallyOf(row: Record<string, unknown>): Tally {
  const number = (name: string): number => Number(row[name]);
  return {
    hash: String(row["hash"]),
    simulated: row["simulated"] === 1,
    calls: number("calls"),
    succeeded: number("succeeded"),
    attempts: number("attempts"),
    toolAttempts: number("tool_attempts"),
    requests: number("requests"),
    inputTokens: number("input_tokens"),
    outputTokens: number("output_tokens"),
    costUsd: number("cost"),
    latencyMs: number("latency"),
  };
}
