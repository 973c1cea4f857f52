/** What can go wrong with a file that holds a store, in a sentence for the user. */
import { StoreError, type StoreFailure } from "../../runtime/store.js";

/** SQLite's result codes, as reasons. */
const REASONS: Readonly<Record<number, StoreFailure>> = {
  5: "locked",
  6: "locked",
  8: "read_only",
  10: "io",
  11: "corrupt",
  13: "full",
  14: "io",
  26: "corrupt",
};

const SENTENCES: Readonly<Record<StoreFailure, string>> = {
  full: "the disk is full",
  read_only: "it may only be read",
  locked: "another process keeps it locked",
  corrupt: "the file is damaged; `weave doctor` tells what can be read",
  newer: "it was made by a newer version",
  fenced: "another process has taken the run over",
  io: "the disk gave an error",
};

/** Does something with a database; what it throws becomes a `StoreError`. */
export function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw failureOf(thrown);
  }
}

/** What a database or a disk said, as a `StoreError`. */
export function failureOf(thrown: unknown): StoreError {
  if (thrown instanceof StoreError) return thrown;
  const code = typeof thrown === "object" && thrown !== null && "errcode" in thrown ? Number(thrown.errcode) & 0xff : 0;
  const system = typeof thrown === "object" && thrown !== null && "code" in thrown ? String(thrown.code) : "";
  const reason = REASONS[code] ?? (system === "ENOSPC" ? "full" : system === "EROFS" || system === "EACCES" ? "read_only" : "io");
  return new StoreError(reason, `the store cannot be used: ${SENTENCES[reason]}`, { cause: thrown });
}
