/**
 * Results above a few kB: each is kept once, by the hash of its content, however many calls of whichever runs gave it; a
 * record only names it. What is sealed is named by a hash that needs the key, so that its name tells nothing either.
 */
import type { StatementSync } from "node:sqlite";
import type { StoredResult } from "../../runtime/store.js";
import { sha256 } from "../sha256.js";
import { openText, SEALED, type Sealing } from "./sealing.js";

type Outcome = StoredResult["outcome"];

/** Longer texts, in characters, stand beside their row. */
export const LARGE = 4096;

export interface LargeResults {
  /** The name under which an outcome is kept; undefined where it is small enough to stand in its row. */
  keep(run: string, outcome: Outcome, sealed: boolean): string | undefined;
  /** The outcome of that name; undefined where it cannot be read as it was written. */
  find(name: string): Outcome | undefined;
}

export function largeResults(sql: (text: string) => StatementSync, seals: Sealing): LargeResults {
  const textOf = (name: string): string | undefined => {
    const body = sql("SELECT body FROM contents WHERE hash = ?").get(name)?.["body"];
    return body === undefined ? undefined : textNamed(name, String(body), seals);
  };
  /** Names that were given again and could be read: what is kept is read once here, not for each call that gives it. */
  const sound = new Set<string>();
  /** What cannot be read is not kept: it is written once more. */
  const isKept = (name: string): boolean => {
    if (sql("SELECT 1 FROM contents WHERE hash = ?").get(name) === undefined) return false;
    if (!sound.has(name) && textOf(name) !== undefined) sound.add(name);
    return sound.has(name);
  };
  return {
    keep(run, outcome, sealed) {
      if (!isLarge(outcome)) return undefined;
      const text = JSON.stringify(outcome);
      const name = sealed ? seals.name(text) : sha256(text);
      if (!isKept(name))
        sql("INSERT OR REPLACE INTO contents (hash, body) VALUES (?, ?)").run(name, sealed ? SEALED + seals.seal(text) : text);
      sql("INSERT OR IGNORE INTO large_results (hash, run) VALUES (?, ?)").run(name, run);
      return name;
    },
    find(name) {
      const text = textOf(name);
      if (text !== undefined) return JSON.parse(text) as Outcome;
      sound.delete(name);
      return undefined;
    },
  };
}

/** The text that is kept under a name; undefined where it is another or cannot be opened with the key. */
export function textNamed(name: string, body: string, seals: Sealing): string | undefined {
  const text = openText(body, seals);
  if (text === undefined) return undefined;
  return name === (body.startsWith(SEALED) ? seals.name(text) : sha256(text)) ? text : undefined;
}

/** Whether something is longer than `LARGE` as JSON, about; no more of it is looked at than that. */
function isLarge(value: unknown): boolean {
  let left = LARGE;
  const walk = (part: unknown): void => {
    left -= typeof part === "string" ? part.length + 3 : 4;
    if (left < 0 || typeof part !== "object" || part === null) return;
    for (const key in part) {
      left -= Array.isArray(part) ? 0 : key.length + 3;
      walk((part as Readonly<Record<string, unknown>>)[key]);
      if (left < 0) return;
    }
  };
  walk(value);
  return left < 0;
}
