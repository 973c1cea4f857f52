/**
 * How records lie in the rows of a table. What is committed together stands in one row, a JSON list made at once, so that
 * a commit costs one text and one insert however many calls ended in it. Stores of earlier versions have rows with a
 * record on each line, and rows of one record.
 */
import { crc32 } from "node:zlib";
import type { RunEvent } from "../../runtime/events.js";
import { hash53 } from "../../runtime/hash.js";
import type { StoredResult } from "../../runtime/store.js";
import { SEALED } from "./sealing.js";

export interface Row {
  readonly kind: "list" | "batch" | "event" | "result";
  readonly body: string;
}

/** A result that stands beside its row, by its name. */
export interface LargeResult extends Pick<StoredResult, "path" | "guard"> {
  readonly large: string;
}

/** What is kept of a record: an event, a result, one that is kept elsewhere, or the sealed text of results. */
export type Entry = RunEvent | StoredResult | LargeResult | string;

/** A row has no more entries than so many, and is no longer than so many characters where it has several: a row can be read. */
const MOST = 512;
const LONGEST = 1 << 20;
/** A line of a batch that is a result; an event starts with a brace. */
const RESULT = ">";

/** What stands beside a row to tell whether it is as it was written. */
export function checksum(n: number, kind: Row["kind"], body: string): number {
  return kind === "list" || kind === "batch" ? crc32(body, n) : hash53(`${n} ${body}`, 7);
}

/** Rows for entries that are committed together, in their order. */
export function rowsOf(entries: readonly Entry[]): readonly Row[] {
  if (entries.length === 0) return [];
  const body = entries.length > MOST ? undefined : listed(entries);
  if (body !== undefined && (body.length <= LONGEST || entries.length === 1)) return [{ kind: "list", body }];
  const half = Math.min(MOST, Math.ceil(entries.length / 2));
  return [...rowsOf(entries.slice(0, half)), ...rowsOf(entries.slice(half))];
}

/** Undefined of several that are longer than a text can be. */
function listed(entries: readonly Entry[]): string | undefined {
  try {
    return JSON.stringify(entries);
  } catch (thrown) {
    if (thrown instanceof RangeError && entries.length > 1) return undefined;
    throw thrown;
  }
}

/** The entries of a row, in their order. */
export function entriesIn({ kind, body }: Row): readonly Entry[] {
  if (kind === "list") return JSON.parse(body) as readonly Entry[];
  if (kind !== "batch") return [entryOf(body)];
  // JSON has no line ends, and what is sealed is base64.
  return body.split("\n").map((line) => entryOf(line.startsWith(RESULT) ? line.slice(1) : line));
}

function entryOf(text: string): Entry {
  return text.startsWith(SEALED) ? text : (JSON.parse(text) as Entry);
}

export function isEvent(entry: Exclude<Entry, string>): entry is RunEvent {
  return "kind" in entry;
}
