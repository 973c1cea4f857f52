/** Opening stores, and who owns their runs. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { type Lease, type Store, StoreError } from "../../runtime/store.js";
import { codeOf } from "../files.js";
import { FILE, FOLDER } from "./place.js";
import { sqliteStore } from "./sqlite.js";

/** Opens a store, made when it is not there; its folder keeps itself out of version control. */
export function openStore(file: string): Store {
  const folder = dirname(resolve(file));
  if (!existsSync(folder) && folder.endsWith(FOLDER)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, ".gitignore"), "*\n");
  }
  // What is kept as a result is what the events hide: all of it is sealed.
  return sqliteStore(file, { sensitive: () => true, hasEnded });
}

/** A store that is only looked at: also one in a place that may not be written. */
export function lookAt(file: string): Store {
  try {
    return openStore(file);
  } catch (thrown) {
    if (!(thrown instanceof StoreError) || thrown.reason !== "read_only" || !existsSync(file)) throw thrown;
    return readOnlyStore(file);
  }
}

/** The runs of a store in a place that may not be written. */
export function readOnlyStore(file: string): Store {
  return sqliteStore(file, { database: readOnly });
}

/** The database as it is, from a copy where a log beside it holds more; nothing is written to either. */
function readOnly(file: string): DatabaseSync {
  const logged = existsSync(`${file}-wal`);
  if (!logged) {
    const url = pathToFileURL(file);
    url.search = "?mode=ro&immutable=1";
    try {
      return new DatabaseSync(url, { readOnly: true });
    } catch (thrown) {
      // Node 22.13 opens no addresses.
      if (!(thrown instanceof TypeError)) throw thrown;
    }
  }
  const copy = join(mkdtempSync(join(tmpdir(), "weave-store-")), FILE);
  for (const end of logged ? ["", "-wal"] : [""]) copyFileSync(`${file}${end}`, `${copy}${end}`);
  // The copy may be as little writable as the original was, and is folded into one file first.
  chmodSync(copy, 0o600);
  new DatabaseSync(copy).close();
  return new DatabaseSync(copy, { readOnly: true });
}

/** Who carries runs out here, for those who ask. */
export function ownerHere(): string {
  return `process ${process.pid} on ${hostname()}`;
}

/** Takes a run over; from a process of this machine that has ended without waiting for its time to pass. */
export function takeOver(store: Store, run: string, leaseMs: number): Lease {
  const first = store.acquire(run, ownerHere(), leaseMs);
  if (first.kind === "held" || !hasEnded(first.owner)) return first;
  const inItsPlace = store.acquire(run, first.owner, leaseMs);
  if (inItsPlace.kind === "held") store.release(run, inItsPlace.fence);
  return store.acquire(run, ownerHere(), leaseMs);
}

/** Whether a process of this machine has ended; false of those elsewhere. */
export function hasEnded(owner: string): boolean {
  const match = /^process (\d+) on (.*)$/.exec(owner);
  if (match === null || match[2] !== hostname()) return false;
  try {
    process.kill(Number(match[1]), 0);
    // One that was killed and not yet buried by its parent answers all the same.
    const stat = `/proc/${match[1]}/stat`;
    return existsSync(stat) && /\) Z /.test(readFileSync(stat, "utf8"));
  } catch (thrown) {
    return codeOf(thrown) === "ESRCH";
  }
}
