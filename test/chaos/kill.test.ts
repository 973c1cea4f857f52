/**
 * The crash matrix on real processes: a program is killed with SIGKILL when its journal has a given number of records,
 * resumed, and compared with a run that nobody killed: value, and tool calls as a log file counts them. In CI a sample;
 * `CHAOS_RUNS=all` kills at every record.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { project, start, weave } from "../support/cli.js";

const TOOLS = `import { appendFileSync } from "node:fs";
const slow = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const told = (line: string) => appendFileSync("calls.log", line + "\\n");
export async function work({ n }: { n: number }, { call }: { call: string }) { told(call); await slow(15); return n * 2; }
export async function odd({ n }: { n: number }, { call }: { call: string }) { told(call); await slow(10); if (n % 2) throw new Error("odd"); return n; }
export async function put({ n }: { n: number }, { call }: { call: string }) { told(call); await slow(15); return n; }
export async function unput({ n }: { n: number }, { call }: { call: string }) { told(call); await slow(5); return null; }
`;
const HEAD = `tool work(n: int) -> int = module("./t.ts")
tool odd(n: int) -> int = module("./t.ts")
@idempotent effect tool put(n: int) -> int = module("./t.ts")
@idempotent effect tool unput(n: int) -> null = module("./t.ts")
model m { provider: "sim", name: "m", price: { input: $1.00, output: $5.00 }, context: 20k, max_output: 200 }
agent Guess(n: int) -> int(0..9) { model: m, prompt: "Guess {{n}}" }
`;
const PROGRAMS: Readonly<Record<string, string>> = {
  chain: "flow main() -> int { work(put(work(1))) }",
  map: "flow main() -> int[] { @parallel(4) map n in range(12) { work(n) } }",
  settle: "flow main() -> int { let s = settle map n in range(6) { odd(n) }\n work(len(s.ok)) }",
  fork: "flow main() -> int { let f = fork { a: work(1), b: put(2), c: Guess(3) }\n f.a + f.b + work(4) }",
  vote: "flow main() -> int { let e = vote 4 { Guess(1) }\n work(e.planned) }",
  loop: "flow main() -> int {\n  loop n = work(1) up to 4 {\n    stop when n > 9\n    next work(n)\n  }\n}",
  recover: "flow main() -> int { let a = try { odd(1) } recover err { work(len(err.kind)) }\n put(a) }",
  saga: "flow main() -> int {\n  try { doomed() } recover err { work(3) }\n}\nflow doomed() -> int {\n  let a = @compensate(unput) put(1)\n  let b = @compensate(unput) put(a + 1)\n  odd(b + 1)\n}",
  agents: "@budget($1.00)\nflow main() -> int { let xs = map n in range(6) { Guess(n) }\n work(len(xs)) }",
  nested: "flow main() -> int[] { map n in range(4) { step(n) } }\nflow step(n: int) -> int { work(work(n) + put(n)) }",
  retry: 'flow main() -> int { let a = @retry(2, backoff: 20ms, on: ["tool_error"]) @fallback(work) odd(1)\n work(a) }',
  reduce:
    'tool add(a: int, b: int) -> int = module("./add.ts")\nflow main() -> int? { let xs = map n in range(4) { work(n) }\n reduce xs with add }',
};
const ADD = `import { appendFileSync } from "node:fs";
export function add({ a, b }: { a: number; b: number }, { call }: { call: string }) { appendFileSync("calls.log", call + "\\n"); return a + b; }
`;

const logged = (cwd: string): string[] => {
  const file = join(cwd, "calls.log");
  return existsSync(file)
    ? readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line !== "")
    : [];
};
const files = (body: string) => ({ "a.weave": `${HEAD}${body}\n`, "t.ts": TOOLS, "add.ts": ADD });

/** Records of the journal, as another process sees them. */
function records(cwd: string): number {
  const file = join(cwd, ".weave", "weave.db");
  if (!existsSync(file)) return 0;
  try {
    const db = new DatabaseSync(file, { readOnly: true });
    try {
      return Number(db.prepare("SELECT count(*) AS n FROM records").get()?.["n"] ?? 0);
    } finally {
      db.close();
    }
  } catch {
    return 0;
  }
}

function finished(cwd: string): Set<string> {
  const db = new DatabaseSync(join(cwd, ".weave", "weave.db"));
  const found = new Set<string>();
  for (const { body } of db.prepare("SELECT body FROM records WHERE kind = 'event'").all()) {
    const event = JSON.parse(String(body)) as { kind: string; of?: string; path?: string };
    if ((event.kind === "call.completed" || event.kind === "call.failed") && event.of === "tool" && event.path !== undefined)
      found.add(event.path);
  }
  db.close();
  return found;
}

async function killedAt(body: string, count: number): Promise<{ readonly cwd: string; readonly killed: boolean }> {
  const cwd = project(files(body));
  const run = start(["run", "a.weave", "--seed", "3"], { cwd });
  let over = false;
  void run.ended.then(() => {
    over = true;
  });
  while (!over && records(cwd) < count) await new Promise((resolve) => setTimeout(resolve, 1));
  run.signal("SIGKILL");
  const { code } = await run.ended;
  return { cwd, killed: code === null };
}

const all = process.env["CHAOS_RUNS"] === "all";

describe("killed with SIGKILL and resumed", () => {
  test.each(Object.entries(PROGRAMS))(
    "%s: 0 repeated calls, 0 lost results",
    async (_name, body) => {
      const whole = project(files(body));
      const first = await weave(["run", "a.weave", "--seed", "3", "--json"], { cwd: whole });
      expect(first.code, first.err).toBe(0);
      const expected = JSON.parse(first.out) as { value: unknown; spend: { cost_usd: number } };
      const total = records(whole);
      const cuts = all ? Array.from({ length: total - 2 }, (_, i) => i + 2) : [Math.ceil(total / 2)];
      for (const cut of cuts) {
        const { cwd, killed } = await killedAt(body, cut);
        if (!killed) continue;
        const before = finished(cwd);
        const made = logged(cwd).length;
        const resumed = await weave(["resume", "--json"], { cwd });
        // Killed after its end was written, before the process had gone: the result is in the store.
        const over = resumed.code === 2 && resumed.err.includes("no run is unfinished");
        const second = over ? await weave(["show", "--json"], { cwd }) : resumed;
        expect(second.code, `${second.err} after ${cut} records`).toBe(0);
        const result = JSON.parse(second.out) as typeof expected;
        expect(result.value).toEqual(expected.value);
        expect(result.spend.cost_usd).toBeGreaterThanOrEqual(expected.spend.cost_usd - 1e-9);
        const again = logged(cwd).slice(made);
        expect(again.filter((path) => before.has(path))).toEqual([]);
      }
    },
    all ? 600_000 : 60_000,
  );
});
