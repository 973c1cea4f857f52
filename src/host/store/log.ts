/**
 * The write-ahead log of a database, synced by us. SQLite writes a commit into it and syncs only where the order of writes
 * matters (when the log begins anew, and around moving it into the database); a commit is durable once the log was synced.
 * So the disk works while the next records are made, and one sync is shared by all that was committed before it.
 */
import { closeSync, fdatasync, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from "node:fs";

export interface Log {
  /**
   * Keeps the file longer than what is in it, for so many bytes more: syncing what was written over zeros takes half as long
   * as syncing a file that has grown, since no new blocks are recorded. To be called inside of a transaction, when nobody
   * else writes into it.
   */
  reserve(bytes: number): void;
  /** Makes what was committed durable before it returns. Once a sync has failed, every later one fails with the same. */
  sync(): void;
  /** Calls back when what was committed is durable, or with what the disk says. */
  syncSoon(then: (failed: unknown) => void): void;
  close(): void;
}

/** How a log is synced: the seam where tests put in a disk that fails. */
export interface Disk {
  fdatasync(handle: number, then: (failed: Error | null) => void): void;
  fdatasyncSync(handle: number): void;
}

/**
 * Bytes that are reserved at once: as many as there are, within these. An eighth of the least is longer than a page, and
 * so never zeros where SQLite has written: the number of the page stands before each.
 */
const LEAST = 1 << 16;
const MOST = 1 << 20;
/** What a commit writes besides its records, about. */
const PAGES = 4096;

/** Where a database can have no log, SQLite syncs by itself. */
export const noLog: Log = {
  reserve: () => undefined,
  sync: () => undefined,
  syncSoon: (then) => queueMicrotask(() => then(undefined)),
  close: () => undefined,
};

export function logOf(database: string, disk: Disk = { fdatasync, fdatasyncSync }): Log {
  /** The system tells each handle of a failure once: a sync that waits and one that does not, at the same time, have their own. */
  let handles: { readonly now: number; readonly soon: number } | undefined;
  /** What the first failed sync threw: the system has dropped what it could not write, and would call the next one well. */
  let failure: unknown;
  let going = false;
  let closed = false;
  let waiting: ((failed: unknown) => void)[] = [];
  /** Bytes after which the room in the file is looked at again. */
  let left = 0;
  // It is there as long as the database is open. Some systems sync only what may be written.
  const open = (): { readonly now: number; readonly soon: number } => {
    handles ??= { now: openSync(`${database}-wal`, "r+"), soon: openSync(`${database}-wal`, "r+") };
    return handles;
  };
  const release = (): void => {
    if (handles !== undefined) for (const handle of [handles.now, handles.soon]) closeSync(handle);
    handles = undefined;
  };
  const start = (): void => {
    const served = waiting;
    waiting = [];
    const end = (failed: unknown): void => {
      going = false;
      failure ??= failed ?? undefined;
      if (waiting.length > 0) start();
      else if (closed) release();
      for (const then of served) then(failure);
    };
    going = true;
    try {
      disk.fdatasync(open().soon, end);
    } catch (thrown) {
      end(thrown);
    }
  };
  return {
    reserve(bytes) {
      left -= bytes + PAGES;
      if (left > 0) return;
      try {
        const { now } = open();
        const { size } = fstatSync(now);
        const room = Math.min(Math.max(size, LEAST), MOST);
        // What ends in zeros has room, whoever reserved it.
        const end = Buffer.alloc(room >> 3);
        const read = readSync(now, end, 0, end.length, Math.max(0, size - end.length));
        left = end.length;
        if (read === end.length && end.equals(Buffer.alloc(read))) return;
        writeSync(now, Buffer.alloc(room), 0, room, size);
        left = room;
      } catch {
        // It is only faster with it; what is written says what is wrong.
      }
    },
    sync() {
      try {
        if (failure === undefined) disk.fdatasyncSync(open().now);
      } catch (thrown) {
        failure = thrown;
      }
      if (failure !== undefined) throw failure;
    },
    syncSoon(then) {
      waiting.push(then);
      if (!going) start();
    },
    close() {
      closed = true;
      if (!going) release();
    },
  };
}
