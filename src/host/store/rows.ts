/**
 * How records lie in the rows of a table. What is committed together stands in one row, a record on each line, so that a
 * commit costs one insert however many calls ended in it; a record whose text is large has a row of its own, whose body
 * may be kept elsewhere by its hash. Stores of earlier versions have a row for every record.
 */
import { crc32 } from "node:zlib";
import { hash53 } from "../../runtime/hash.js";

export interface RecordText {
  readonly kind: "event" | "result";
  readonly text: string;
}

export interface Row {
  readonly kind: "batch" | "event" | "result";
  readonly body: string;
}

/** Texts longer than this many characters have a row of their own. */
export const LARGE = 4096;
/** A row is not made longer, so that damage to one costs little. */
const MOST = 65_536;
/** A line of a batch that is a result; an event starts with a brace. */
const RESULT = ">";

/** What stands beside a row to tell whether it is as it was written. */
export function checksum(n: number, kind: Row["kind"], body: string): number {
  return kind === "batch" ? crc32(body, n) : hash53(`${n} ${body}`, 7);
}

/** Rows for records that are committed together, in their order. */
export function rowsOf(records: readonly RecordText[]): readonly Row[] {
  const rows: Row[] = [];
  let lines = "";
  const close = (): void => {
    if (lines !== "") rows.push({ kind: "batch", body: lines });
    lines = "";
  };
  for (const { kind, text } of records) {
    if (text.length > LARGE) {
      close();
      rows.push({ kind, body: text });
      continue;
    }
    // JSON has no line ends, and what is sealed is base64.
    const line = kind === "event" ? text : RESULT + text;
    if (lines.length + line.length > MOST) close();
    lines = lines === "" ? line : `${lines}\n${line}`;
  }
  close();
  return rows;
}

/** The records of a row, in their order. */
export function recordsIn({ kind, body }: Row): readonly RecordText[] {
  if (kind !== "batch") return [{ kind, text: body }];
  return body
    .split("\n")
    .map((line): RecordText => (line.startsWith(RESULT) ? { kind: "result", text: line.slice(1) } : { kind: "event", text: line }));
}
