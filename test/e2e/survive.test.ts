/** Processes that are told to end, stopped and woken, and stores that were damaged, as a user meets them. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { project, root, start, weave } from "../support/cli.js";

const TOOLS = `import { appendFileSync, existsSync } from "node:fs";
type Context = { log: (text: string) => void };
const told = (line: string) => appendFileSync("calls.log", line + "\\n");
const until = async (file: string) => { while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 20)); };
export function work({ n }: { n: number }) { told("work " + n); return n * 2; }
export async function wait({ n }: { n: number }, { log }: Context) { told("wait " + n); log("waiting"); await until("go"); return n; }
export async function put({ n }: { n: number }, { log }: Context) { told("put " + n); log("putting"); await until("go"); return n; }
`;
const HEAD = `tool work(n: int) -> int = module("./t.ts")
tool wait(n: int) -> int = module("./t.ts")
effect tool put(n: int) -> int = module("./t.ts")
`;
const files = (body: string) => ({ "a.weave": `${HEAD}${body}\n`, "t.ts": TOOLS });
const calls = (cwd: string): string[] => readFileSync(join(cwd, "calls.log"), "utf8").trimEnd().split("\n");
const go = (cwd: string): void => writeFileSync(join(cwd, "go"), "");
const stored = (cwd: string, sql: string): void => {
  const db = new DatabaseSync(join(cwd, ".weave", "weave.db"));
  db.exec(sql);
  db.close();
};

describe("SIGTERM", () => {
  test("lets an effect end, within the grace time, and the run goes on elsewhere", async () => {
    const cwd = project(files("flow main() -> int { work(put(1)) }"));
    const run = start(["run", "a.weave", "--grace", "60"], { cwd });
    await run.said("putting");
    run.signal("SIGTERM");
    await run.said("effects in flight are awaited for at most 60 s");
    go(cwd);
    const { code, err } = await run.ended;
    expect(code).toBe(130);
    expect(err).toMatch(/weave resume r\w+ goes on from here/);
    expect(await weave(["resume"], { cwd })).toMatchObject({ code: 0, out: "2\n" });
    expect(calls(cwd)).toEqual(["put 1", "work 1"]);
  });

  test("ends the process when an effect does not end, and gives the run up at once", async () => {
    const cwd = project(files("flow main() -> int { work(put(1)) }"));
    const run = start(["run", "a.weave", "--grace", "0.2"], { cwd });
    await run.said("putting");
    run.signal("SIGTERM");
    const { code, err } = await run.ended;
    expect(code).toBe(130);
    expect(err).toContain("An effect has not ended within 0.2 s");
    const db = new DatabaseSync(join(cwd, ".weave", "weave.db"));
    expect(db.prepare("SELECT owner FROM runs").get()?.["owner"]).toBeNull();
    db.close();
    const waiting = await weave(["resume"], { cwd });
    expect(waiting).toMatchObject({ code: 5, err: expect.stringContaining("main/put waits for an answer") });
  });
});

describe("an owner that was stopped for longer than its lease", () => {
  test("finds that another has the run, and what it writes late is refused", async () => {
    const cwd = project(files("flow main() -> int { work(wait(work(1))) }"));
    const first = start(["run", "a.weave"], { cwd });
    await first.said("waiting");
    first.signal("SIGSTOP");
    expect((await weave(["resume"], { cwd })).err).toContain("is being carried out by process");
    // As if twice its time had passed.
    stored(cwd, "UPDATE runs SET lease = 0");
    go(cwd);
    const second = await weave(["resume", "--json"], { cwd });
    expect(JSON.parse(second.out)).toMatchObject({ status: "completed", value: 4 });
    first.signal("SIGCONT");
    const late = await first.ended;
    expect(late.code).not.toBe(0);
    const events = (await weave(["show", "--events"], { cwd })).out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { seq: number; kind: string });
    expect(events.map((event) => event.seq)).toEqual(events.map((_, i) => i));
    expect(events.filter((event) => event.kind === "run.completed")).toHaveLength(1);
    expect(events.at(-1)?.kind).toBe("run.completed");
  });
});

describe("a damaged store", () => {
  test("is told by doctor, repaired on request, and the run asks about what may have happened", async () => {
    const cwd = project({ ...files("flow main() -> int {\n  let a = put(work(1))\n  assert a > 5\n  a\n}"), go: "" });
    expect((await weave(["run", "a.weave"], { cwd })).code).toBe(1);
    stored(cwd, "UPDATE records SET body = body || ' ' WHERE n = (SELECT max(n) FROM records WHERE body LIKE '%call.attempted%')");
    const sick = await weave(["doctor"], { cwd });
    expect(sick).toMatchObject({ code: 1, out: expect.stringContaining("does not fit its checksum") });
    expect(sick.err).toContain("weave doctor --repair");
    const repaired = await weave(["doctor", "--repair"], { cwd });
    expect(repaired).toMatchObject({ code: 0, out: expect.stringContaining("lost what stood behind a damaged record") });
    expect(readdirSync(join(cwd, ".weave")).filter((name) => name.startsWith("weave.db.damaged-"))).toHaveLength(1);
    expect((await weave(["doctor"], { cwd })).code).toBe(0);
    const waiting = await weave(["resume"], { cwd });
    expect(waiting).toMatchObject({ code: 5, err: expect.stringContaining("main/put waits for an answer") });
    expect(calls(cwd)).toEqual(["work 1", "put 2"]);
  }, 60_000);
});

test("the example that kills a run and resumes it", async () => {
  const { spawnSync } = await import("node:child_process");
  const script = join(root, "examples", "durable", "kill-and-resume.mjs");
  const { status, stdout } = spawnSync(process.execPath, [script, "10"], { encoding: "utf8" });
  expect(stdout).toContain("0 repeated calls, 0 lost results");
  expect(status).toBe(0);
}, 60_000);
