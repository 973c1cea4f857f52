/**
 * Loaded before the command line (`--import`): ends the process with SIGKILL right before or right after the n-th commit of
 * its store (`KILL_AT="before 3"`), or writes how many there were to a file (`KILL_AT="count FILE"`). With `CLOCK_AHEAD` the
 * calendar of the process is so many milliseconds ahead.
 */
import { writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

const ahead = Number(process.env["CLOCK_AHEAD"] ?? 0);
const { now } = Date;
Date.now = () => now() + ahead;

const [when, which] = (process.env["KILL_AT"] ?? "").split(" ");
const { exec } = DatabaseSync.prototype;
let commits = 0;
DatabaseSync.prototype.exec = function (sql) {
  if (sql !== "COMMIT") return exec.call(this, sql);
  commits++;
  if (when === "before" && commits === Number(which)) process.kill(process.pid, "SIGKILL");
  exec.call(this, sql);
  if (when === "after" && commits === Number(which)) process.kill(process.pid, "SIGKILL");
};
if (when === "count" && which !== undefined) process.on("exit", () => writeFileSync(which, String(commits)));
