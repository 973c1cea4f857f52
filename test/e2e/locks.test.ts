/** `@lock(scope: "global")` between real processes: one waits for the other, whatever becomes of that one. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { project, start, weave } from "../support/cli.js";

const TOOLS = `import { appendFileSync, existsSync } from "node:fs";
export async function deploy({ to }: { to: string }, { log }: { log: (text: string) => void }) {
  appendFileSync("calls.log", "in " + to + "\\n"); log("deploying");
  while (!existsSync("go-" + to)) await new Promise((resolve) => setTimeout(resolve, 10));
  appendFileSync("calls.log", "out " + to + "\\n");
  return to;
}
`;
const files = {
  "a.weave": `tool deploy(to: string) -> string = module("./t.ts")
flow main(to: string) -> string { @lock("deploy", scope: "global") deploy(to) }
`,
  "t.ts": TOOLS,
};
const calls = (cwd: string): readonly string[] => readFileSync(join(cwd, "calls.log"), "utf8").trimEnd().split("\n");
const go = (cwd: string, to: string): void => writeFileSync(join(cwd, `go-${to}`), "");

/** Waits until the newest run of the store tells that it waits for another, which is given. */
async function waitsFor(cwd: string): Promise<string> {
  for (;;) {
    const db = existsSync(join(cwd, ".weave", "weave.db"))
      ? new DatabaseSync(join(cwd, ".weave", "weave.db"), { readOnly: true })
      : undefined;
    const rows = db?.prepare("SELECT body FROM records WHERE body LIKE '%call.queued%'").all() ?? [];
    db?.close();
    for (const { body } of rows) {
      const found = /"for":"lock","run":"(\w+)"/.exec(String(body));
      if (found?.[1] !== undefined) return found[1];
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe("a lock across processes", () => {
  test("lets the second in when the first is done", async () => {
    const cwd = project(files);
    const first = start(["run", "a.weave", "--to", "one"], { cwd });
    await first.said("deploying");
    const second = start(["run", "a.weave", "--to", "two"], { cwd });
    const holder = await waitsFor(cwd);
    go(cwd, "two");
    go(cwd, "one");
    expect([(await first.ended).out, (await second.ended).out]).toEqual(["one\n", "two\n"]);
    expect(calls(cwd)).toEqual(["in one", "out one", "in two", "out two"]);
    const shown = await weave(["show"], { cwd });
    expect(shown.out).toContain(`waited for lock of ${holder}`);
  });

  test("is taken over from a process that was killed, which waits for its turn when it is resumed", async () => {
    const cwd = project(files);
    const first = start(["run", "a.weave", "--to", "one"], { cwd });
    await first.said("deploying");
    const second = start(["run", "a.weave", "--to", "two"], { cwd });
    const killed = await waitsFor(cwd);
    first.signal("SIGKILL");
    await first.ended;
    await second.said("deploying");
    const resumed = start(["resume", killed], { cwd });
    await resumed.said("Resuming");
    go(cwd, "one");
    go(cwd, "two");
    expect([(await second.ended).out, (await resumed.ended).out]).toEqual(["two\n", "one\n"]);
    expect(calls(cwd)).toEqual(["in one", "in two", "out two", "in one", "out one"]);
  });

  test("is lost by a process that was stopped for long, and what that one writes late is refused", async () => {
    const cwd = project(files);
    const first = start(["run", "a.weave", "--to", "one"], { cwd });
    await first.said("deploying");
    const second = start(["run", "a.weave", "--to", "two"], { cwd });
    const stopped = await waitsFor(cwd);
    first.signal("SIGSTOP");
    // As if its time had passed.
    const db = new DatabaseSync(join(cwd, ".weave", "weave.db"));
    db.prepare("UPDATE runs SET lease = 0 WHERE id = ?").run(stopped);
    db.close();
    go(cwd, "two");
    expect((await second.ended).out).toBe("two\n");
    go(cwd, "one");
    first.signal("SIGCONT");
    const late = await first.ended;
    expect(late.out).toBe("");
    expect(late.code).not.toBe(0);
    expect(await weave(["resume", stopped], { cwd })).toMatchObject({ code: 0, out: "one\n" });
    expect((await weave(["doctor"], { cwd })).err).toContain("all readable");
  }, 60_000);
});
