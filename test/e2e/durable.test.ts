/** Runs that survive, as a user meets them: killed, stopped, asked, edited, looked at from another terminal. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { project, start, weave } from "../support/cli.js";

const TOOLS = `import { appendFileSync, existsSync } from "node:fs";
const told = (line: string) => appendFileSync("calls.log", line + "\\n");
export function work({ n }: { n: number }, { log }: { log: (text: string) => void }) { told("work " + n); log("did " + n); return n * 2; }
export async function put({ n }: { n: number }, { log, signal }: { log: (text: string) => void; signal: AbortSignal }) {
  told("put " + n); log("putting");
  while (!existsSync("go")) await new Promise((resolve) => setTimeout(resolve, 20));
  return n;
}
export function unput({ n }: { n: number }) { told("unput " + n); return null; }
export async function wait({ n }: { n: number }, { log, signal }: { log: (text: string) => void; signal: AbortSignal }) {
  told("wait " + n); log("waiting");
  while (!existsSync("go")) { if (signal.aborted) throw new Error("aborted"); await new Promise((resolve) => setTimeout(resolve, 20)); }
  return n;
}
`;
const HEAD = `tool work(n: int) -> int = module("./t.ts")
tool wait(n: int) -> int = module("./t.ts")
effect tool put(n: int) -> int = module("./t.ts")
effect tool unput(n: int) -> null = module("./t.ts")
`;
const files = (body: string, more: Readonly<Record<string, string>> = {}) => ({ "a.weave": `${HEAD}${body}\n`, "t.ts": TOOLS, ...more });
const calls = (cwd: string): string[] => readFileSync(join(cwd, "calls.log"), "utf8").trimEnd().split("\n");
const go = (cwd: string): void => writeFileSync(join(cwd, "go"), "");

describe("a run that was killed", () => {
  test("goes on where it was, makes no finished call again and gives the same value", async () => {
    const cwd = project(files("flow main() -> int {\n  let xs = map n in range(5) { work(n) }\n  wait(sum(xs))\n}"));
    const run = start(["run", "a.weave"], { cwd });
    await run.said("waiting");
    run.signal("SIGKILL");
    await run.ended;
    go(cwd);
    const resumed = await weave(["resume", "--json"], { cwd });
    expect(resumed.code).toBe(0);
    expect(JSON.parse(resumed.out)).toMatchObject({ status: "completed", value: 20 });
    expect(resumed.err).toContain("5 calls are done");
    expect(calls(cwd)).toEqual(["work 0", "work 1", "work 2", "work 3", "work 4", "wait 20", "wait 20"]);
    const shown = await weave(["show", "--json"], { cwd });
    expect(JSON.parse(shown.out)).toMatchObject({ status: "completed", value: 20 });
    expect((await weave(["doctor"], { cwd })).err).toContain("1 run, all readable");
  });

  test("in an effect asks whether it happened, and believes the answer", async () => {
    const cwd = project(files("flow main() -> int {\n  let a = work(1)\n  put(a)\n}"));
    const run = start(["run", "a.weave"], { cwd });
    await run.said("putting");
    run.signal("SIGKILL");
    await run.ended;
    const waiting = await weave(["resume"], { cwd });
    expect(waiting.code).toBe(5);
    expect(waiting.err).toContain("main/put waits for an answer");
    const id = JSON.parse((await weave(["runs", "--json"], { cwd })).out)[0].run as string;
    expect((await weave(["answer", id, "maybe"], { cwd })).code).toBe(2);
    expect((await weave(["answer", id, "yes", "--value", "7"], { cwd })).code).toBe(0);
    const resumed = await weave(["resume"], { cwd });
    expect([resumed.code, resumed.out]).toEqual([0, "7\n"]);
    expect(calls(cwd)).toEqual(["work 1", "put 2"]);
  });
});

describe("a run that is interrupted", () => {
  test("says how it goes on, and does", async () => {
    const cwd = project(files("flow main() -> int { wait(work(1)) }"));
    const run = start(["run", "a.weave"], { cwd });
    await run.said("waiting");
    run.signal("SIGINT");
    const { code, err } = await run.ended;
    expect(code).toBe(130);
    expect(err).toMatch(/weave resume r\w+ goes on from here/);
    go(cwd);
    expect(await weave(["resume"], { cwd })).toMatchObject({ code: 0, out: "2\n" });
    expect(calls(cwd)).toEqual(["work 1", "wait 2", "wait 2"]);
  });

  test("is owned by one process at a time, and can be paused from another terminal", async () => {
    const cwd = project(files("flow main() -> int { work(wait(1)) }"));
    const run = start(["run", "a.weave"], { cwd });
    await run.said("waiting");
    const second = await weave(["resume"], { cwd });
    expect(second.code).toBe(1);
    expect(second.err).toContain("is being carried out by process");
    expect((await weave(["pause"], { cwd })).code).toBe(0);
    go(cwd);
    const { code, err } = await run.ended;
    // The tool may have ended before the request was seen: then the run is over.
    if (code === 130) {
      expect(err).toContain("paused");
      expect(await weave(["resume"], { cwd })).toMatchObject({ code: 0, out: "2\n" });
    } else expect(code).toBe(0);
    expect(calls(cwd)).toEqual(["wait 1", "work 1"]);
  });

  test("is undone when it is cancelled, also when nobody carries it out", async () => {
    const cwd = project(files("flow main() -> int {\n  let a = @compensate(unput) put(1)\n  wait(a)\n}"));
    const run = start(["run", "a.weave"], { cwd });
    await run.said("putting");
    go(cwd);
    await run.ended;
    const again = project(
      files('flow main() -> int {\n  let a = @compensate(unput) put(1)\n  let ok = ask "Keep it?" as bool\n  if ok { a } else { 0 }\n}', {
        go: "",
      }),
    );
    expect((await weave(["run", "a.weave"], { cwd: again })).code).toBe(5);
    const cancelled = await weave(["cancel"], { cwd: again });
    expect(cancelled).toMatchObject({ code: 0, err: expect.stringContaining("is cancelled") });
    expect(calls(again)).toEqual(["put 1", "unput 1"]);
    expect((await weave(["resume"], { cwd: again })).code).toBe(2);
  });
});

describe("a question", () => {
  test("ends the run as waiting, and its answer carries it on", async () => {
    const cwd = project(
      files(
        'flow main() -> string {\n  let n = work(4)\n  let go = ask "Use {{n}}?" as ("yes" | "later")\n  let p = @approve("Put it?") put(n)\n  "{{go}} {{p}}"\n}',
        { go: "" },
      ),
    );
    const first = await weave(["run", "a.weave", "--json"], { cwd });
    expect(first.code).toBe(5);
    const { run: id, status } = JSON.parse(first.out);
    expect(status).toBe("waiting");
    expect((await weave(["show"], { cwd })).out).toContain("Use 8?");
    const misfit = await weave(["answer", id, "soon"], { cwd });
    expect(misfit).toMatchObject({ code: 2, err: 'error: the answer does not fit: expected "yes" | "later", found "soon"\n' });
    expect((await weave(["answer", id, "later"], { cwd })).code).toBe(0);
    expect((await weave(["resume"], { cwd })).code).toBe(5);
    expect(await weave(["answer", id, "later"], { cwd })).toMatchObject({ code: 2, err: expect.stringContaining('found "later"') });
    expect((await weave(["answer", id, "yes"], { cwd })).code).toBe(0);
    expect(await weave(["resume"], { cwd })).toMatchObject({ code: 0, out: "later 8\n" });
    const told = (await weave(["why", id, "work"], { cwd })).out;
    expect(told).toContain("Its result was kept when the run was resumed, 2 times.");
    expect(calls(cwd)).toEqual(["work 4", "put 8"]);
  });
});

describe("after an edit", () => {
  const body = (factor: number, effect: string) =>
    `flow main() -> int {\n  let a = work(1)\n  let b = work(a + ${factor})\n  ${effect}\n  assert b > 100, "too small"\n  b\n}`;

  test("what changed runs again, the rest is reused, a changed effect is refused with a choice", async () => {
    const cwd = project(files(body(1, "let p = put(a)\n  assert p > 0"), { go: "" }));
    expect((await weave(["run", "a.weave"], { cwd })).code).toBe(1);
    expect(calls(cwd)).toEqual(["work 1", "work 3", "put 2"]);
    writeFileSync(join(cwd, "a.weave"), `${HEAD}${body(100, "let p = put(a)\n  assert p > 0")}\n`);
    expect(await weave(["resume", "--edited"], { cwd })).toMatchObject({ code: 0, out: "204\n" });
    expect(calls(cwd)).toEqual(["work 1", "work 3", "put 2", "work 102"]);
    const id = JSON.parse((await weave(["runs", "--json"], { cwd })).out)[0].run as string;
    expect((await weave(["why", id, "main/b/work"], { cwd })).out + (await weave(["why", id], { cwd })).out).toContain(
      "It ran again because of its input n.",
    );
  });

  test("a committed effect that changed or went away is refused", async () => {
    const cwd = project(files(body(1, "let p = put(a)\n  assert p > 0"), { go: "" }));
    expect((await weave(["run", "a.weave"], { cwd })).code).toBe(1);
    writeFileSync(join(cwd, "a.weave"), `${HEAD}${body(100, "let p = put(a + 1)\n  assert p > 0")}\n`);
    const refused = await weave(["resume", "--edited"], { cwd });
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("--keep main/put");
    expect(calls(cwd).filter((line) => line.startsWith("put"))).toEqual(["put 2"]);
    writeFileSync(join(cwd, "a.weave"), `${HEAD}${body(100, "")}\n`);
    expect(await weave(["resume", "--edited"], { cwd })).toMatchObject({ code: 2, err: expect.stringContaining("no such call") });
    expect(await weave(["resume", "--edited", "--keep", "main/put"], { cwd })).toMatchObject({ code: 0, out: "204\n" });
  });

  test("a new run reuses pure calls of another", async () => {
    const cwd = project(files("flow main() -> int { work(work(1)) }"));
    expect((await weave(["run", "a.weave"], { cwd })).code).toBe(0);
    const id = JSON.parse((await weave(["runs", "--json"], { cwd })).out)[0].run as string;
    const again = await weave(["run", "a.weave", "--reuse", id, "--json"], { cwd });
    expect(JSON.parse(again.out)).toMatchObject({ value: 4, spend: { calls: 0 } });
    expect(calls(cwd)).toEqual(["work 1", "work 2"]);
    writeFileSync(join(cwd, "a.weave"), `${HEAD}flow main() -> int { work(work(2)) }\n`);
    const third = JSON.parse((await weave(["run", "a.weave", "--json"], { cwd })).out).run as string;
    const compared = JSON.parse((await weave(["diff", id, third, "--json"], { cwd })).out) as { path: string; what: string }[];
    expect(compared).toContainEqual({ path: "main/work", what: "input n; result 2 → 4" });
  });
});

describe("a store", () => {
  test("that cannot be made stops the run before anything is called", async () => {
    const cwd = project(files("flow main() -> int { work(1) }", { file: "not a folder" }));
    const { code, err } = await weave(["run", "a.weave", "--store", "file/weave.db"], { cwd });
    expect(code).toBe(1);
    expect(err).toContain("the store cannot be used");
    expect(() => calls(cwd)).toThrow();
    expect(await weave(["run", "a.weave", "--no-store"], { cwd })).toMatchObject({ code: 0, out: "2\n" });
  });
});
