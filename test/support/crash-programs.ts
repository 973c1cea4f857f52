/** The programs of the crash matrix: together they use every construct that runs. */

/** A program, with the answers to its questions by path. */
export interface CrashProgram {
  readonly source: string;
  readonly answers?: Readonly<Record<string, string>>;
  /** The first question, which nobody answers: the processes after the one that asks it begin when its time is over. */
  readonly expires?: string;
  /** How often something is called, or what comes of it, depends on what comes first. */
  readonly racing?: boolean;
  /** Its budgets run short: what was in flight at a death stays charged, and may leave out something more. */
  readonly short?: boolean;
  /** Files that are there before the run starts. */
  readonly files?: Readonly<Record<string, string>>;
  /** The folder is a git repository. */
  readonly git?: boolean;
}

export const TOOLS = `import { writeFileSync } from "node:fs";
import { join } from "node:path";
async function ask(tool: string, n: number, { call, attempt, signal }: { call: string; attempt: number; signal: AbortSignal }) {
  const response = await fetch(process.env["CALLS"] + "/tool", { method: "POST", body: JSON.stringify({ tool, call, attempt, n }), signal });
  const found = (await response.json()) as { value?: unknown; failed?: string };
  if (found.failed !== undefined) throw Object.assign(new Error(found.failed), { kind: found.failed, committed: "no" });
  return found.value;
}
type Args = { n: number };
type Context = Parameters<typeof ask>[2];
export const work = ({ n }: Args, context: Context) => ask("work", n, context);
export const slow = ({ n }: Args, context: Context) => ask("slow", n, context);
export const odd = ({ n }: Args, context: Context) => ask("odd", n, context);
export const flaky = ({ n }: Args, context: Context) => ask("flaky", n, context);
export const refuse = ({ n }: Args, context: Context) => ask("refuse", n, context);
export const post = ({ n }: Args, context: Context) => ask("post", n, context);
export const undo_post = ({ n }: Args, context: Context) => ask("undo_post", n, context);
export const put = ({ n }: Args, context: Context) => ask("put", n, context);
export const unput = ({ n }: Args, context: Context) => ask("unput", n, context);
export const down = ({ n }: Args, context: Context) => ask("down", n, context);
export async function edit({ n }: Args, context: Context & { cwd: string }) {
  const found = await ask("work", n, context);
  writeFileSync(join(context.cwd, "n" + n + ".txt"), "n is " + found + "\\n");
  return found;
}
export const add = ({ a, b }: { a: number; b: number }, context: Context) => ask("add", a + b - 1, context);
export const total = ({ xs }: { xs: number[] }, context: Context) => ask("add", xs.reduce((a, b) => a + b, 0) - 1, context);
`;

const HEAD = `import { glob, make_dir, read_text } from "std/fs"
let CALLS = env("CALLS")
tool work(n: int) -> int = module("./t.ts")
tool slow(n: int) -> int = module("./t.ts")
tool odd(n: int) -> int = module("./t.ts")
tool flaky(n: int) -> int = module("./t.ts")
@cost($0.001) tool paid(n: int) -> int = module("./t.ts", export: "work")
effect tool refuse(n: int) -> int = module("./t.ts")
effect tool post(n: int) -> int = module("./t.ts")
effect tool undo_post(n: int) -> null = module("./t.ts")
tool down(n: int) -> int = module("./t.ts")
@idempotent effect tool edit(n: int) -> int = module("./t.ts")
@idempotent effect tool put(n: int) -> int = module("./t.ts")
@idempotent effect tool unput(n: int) -> null = module("./t.ts")
tool add(a: int, b: int) -> int = module("./t.ts")
tool total(xs: int[]) -> int = module("./t.ts")
tool web(n: int) -> { value: int } = http(get: "{{CALLS}}/web/{{n}}")
model m { provider: "openai_compatible", name: "m", base_url: "{{CALLS}}/v1", price: { input: $1.00, output: $5.00 }, context: 20k, max_output: 200 }
model busy { provider: "openai_compatible", name: "busy", base_url: "{{CALLS}}/v1", price: { input: $1.00, output: $5.00 }, context: 20k, max_output: 200 }
model sloppy { provider: "openai_compatible", name: "sloppy", base_url: "{{CALLS}}/v1", price: { input: $1.00, output: $5.00 }, context: 20k, max_output: 200 }
model twin { provider: "openai_compatible", name: "twin", base_url: "{{CALLS}}/v1", price: { input: $1.00, output: $5.00 }, context: 20k, max_output: 200 }
model spare { fallback: [busy, m] }
model pool { balance: [m, twin] }
agent Spared(n: int) -> int(0..9) { model: spare, prompt: "Spare {{n}}" }
agent Pooled(n: int) -> int(0..9) { model: pool, prompt: "Pool {{n}}" }
agent Sloppy(n: int) -> int(0..9) { model: sloppy, prompt: "Sloppy {{n}}" }
agent Putter(n: int) -> int(0..9) { model: m, prompt: "Put {{n}}", tools: [put] }
agent Poster(n: int) -> int(0..9) { model: m, prompt: "Post {{n}}", tools: [post] }
agent Boss(n: int) -> int(0..9) { model: m, prompt: "Have it done: {{n}}", tools: [errand] }
flow errand(n: int) -> int { put(work(n)) + Guess(n) }
agent Guess(n: int) -> int(0..9) { model: m, prompt: "Guess {{n}}" }
agent Tooled(n: int) -> int(0..9) { model: m, prompt: "Use {{n}}", tools: [work] }
agent Lead(n: int) -> int(0..9) { model: m, prompt: "Lead {{n}}", tools: [Guess] }
capability Double(n: int) -> int
@quality(90%) tool fine(n: int) -> int implements Double = module("./t.ts", export: "work")
@quality(10%) tool rough(n: int) -> int implements Double = module("./t.ts", export: "work")
compose twice = work >> work
flow each<T>(xs: T[], f: (T) -> int) -> int[] { map x in xs { f(x) } }
`;

const bodies: Readonly<Record<string, string | CrashProgram>> = {
  "chain of calls and effects": "flow main() -> int { post(work(post(work(1)))) }",
  "map with a limit, some items dropped":
    "flow main() -> int {\n  let xs = @parallel(2) @min_success(50%) map n in range(6) { odd(n) }\n  work(len(xs))\n}",
  "settled map and web requests":
    "flow main() -> float {\n  let s = @parallel(3) settle map n in range(4) { odd(n) + web(n).value }\n  s.rate + work(len(s.ok))\n}",
  "map with needs":
    'flow main() -> int[] {\n  let tasks = [{ id: "a", needs: [] }, { id: "b", needs: ["a"] }, { id: "c", needs: ["a", "b"] }]\n  map task in tasks by task.id after task.needs giving before: int[] { put(len(before)) }\n}',
  "fork, settled fork, compose, a generic flow":
    "flow main() -> int {\n  let f = fork { a: twice(1), b: post(2), c: Guess(3) }\n  let s = settle fork { x: odd(1), y: odd(2) }\n  let g = each([1, 2], n => work(n))\n  f.a + f.b + f.c + sum(g) + (if s.x.ok { 1 } else { 2 })\n}",
  "race with effects to undo": {
    source:
      "flow main() -> int {\n  let w = race { late(1), @compensate(undo_post) post(2) }\n  work(w)\n}\nflow late(n: int) -> int {\n  let a = @compensate(unput) put(n)\n  slow(a)\n}",
    racing: true,
  },
  "vote, stopped early": {
    source: "flow main() -> int {\n  let e = vote 5 early 90% { Guess(1) }\n  let f = vote 3 { Guess(2) }\n  work(e.value + f.value)\n}",
    racing: true,
  },
  "loop, match, if":
    "flow main() -> int {\n  let n = loop n = work(1) up to 4 {\n    stop when n > 9\n    next work(n)\n  }\n  let g = match Guess(n) { 0 => work(1), 1..4 => post(2), _ => put(3) }\n  if g > 3 { work(g) } else { post(g) }\n}",
  "reduce, groups, fold":
    "flow main() -> int {\n  let xs = map n in range(4) { work(n) }\n  let a = (reduce xs with add) ?? 0\n  let b = (reduce xs in groups of 2 with total) ?? 0\n  fold([1, 2], a + b, (acc, n) => add(acc, n))\n}",
  "recover, retry, fallback, timeout, breaker":
    'flow main() -> int {\n  let a = try { odd(1) } recover err { work(len(err.kind)) }\n  let b = @retry(3, backoff: 10ms, jitter: false) flaky(1)\n  let c = @retry(1, backoff: 5ms, on: ["refused"]) @fallback(work) odd(3)\n  let d = @timeout(1m) @breaker(failures: 3) work(2)\n  let e = @retry(1, backoff: 5ms) @fallback(put) put(4)\n  a + b + c + d + e\n}',
  "budgets around agents":
    "@budget($0.60, calls: 40)\nflow main() -> int {\n  let xs = @parallel(2) @min_success(1) map n in range(3) { @budget($0.10) both(n) }\n  len(xs)\n}\nflow both(n: int) -> int { paid(n) + Guess(n) }",
  "agents with tools and sub-agents": "flow main() -> int {\n  let a = Tooled(1)\n  let b = Lead(a)\n  a + post(b)\n}",
  "sagas, one in a try":
    "flow main() -> int {\n  let a = @compensate(unput) put(1)\n  let b = try { inner(a) } recover err { work(5) }\n  post(b)\n}\nflow inner(n: int) -> int {\n  let p = @compensate(unput) put(n + 10)\n  let q = @compensate(undo_post) post(p)\n  refuse(q)\n}",
  "questions and approval": {
    source: 'flow main() -> int {\n  let a = ask "How many?" as int\n  let b = @approve("Post {{a}}?") post(work(a))\n  b + work(b)\n}',
    answers: { "main/a": "4" },
  },
  "cache, lock, rate, priority":
    'flow main() -> int {\n  let a = @cache(1h) work(7)\n  let b = @after(a) @cache(1h) work(7)\n  let xs = map n in range(3) { @lock("one") @rate(50/s) @priority("high") put(n) }\n  a + b + sum(xs)\n}',
  "locks across runs":
    'flow main() -> int {\n  let xs = map n in range(3) { @lock("one", scope: "global") put(n) }\n  let a = @lock("one", scope: "global") pair(sum(xs))\n  let b = @lock("two", scope: "global") @retry(3, backoff: 5ms, jitter: false) flaky(a)\n  a + b\n}\nflow pair(n: int) -> int {\n  let a = @lock("two", scope: "global") post(n)\n  work(a)\n}',
  "capabilities and nested flows":
    "flow main() -> int[] { @parallel(2) map n in range(3) { step(n) } }\nflow step(n: int) -> int { Double(n) + put(work(n)) }",
  "models that fall back, are balanced and are asked to repair":
    "flow main() -> int {\n  let a = Spared(1)\n  let xs = @parallel(2) map n in range(4) { Pooled(n) }\n  let b = Sloppy(2)\n  post(a + sum(xs) + b)\n}",
  "agents whose tools have effects, a team, an approved tool": {
    source: "flow main() -> int {\n  let a = Putter(1)\n  let b = Poster(2)\n  let c = Boss(3)\n  work(a + b + c)\n}",
  },
  "budgets that run short: a map, a settled map, a loop, a vote": {
    source:
      "flow main() -> int {\n  let a = @budget(calls: 3) some()\n  let b = @budget($0.0025) cheap()\n  let c = @budget(calls: 3) rounds()\n  let d = @budget(calls: 3) votes()\n  let e = try { @budget(calls: 1) work(work(1)) } recover err { len(err.kind) }\n  post(a + b + c + d + e)\n}\nflow some() -> int { len(@parallel(1) @min_success(1) map n in range(6) { work(n) }) }\nflow cheap() -> int { len((@parallel(1) settle map n in range(6) { paid(n) }).ok) }\nflow rounds() -> int {\n  loop n = work(1) up to 6 {\n    stop when n > 1_000\n    next work(n)\n  }\n}\nflow votes() -> int { len((@parallel(1) @min_success(1) map n in range(5) { work(n + 20) })) + (vote 3 { work(30) }).value }",
    short: true,
  },
  "a breaker that opens, a timeout, a hedge": {
    source:
      "flow main() -> int {\n  let s = @parallel(1) settle map n in range(5) { @breaker(failures: 2, window: 1h, cooldown: 1h) down(n) }\n  let t = try { @timeout(20ms) slow(len(s.failed)) } recover err { work(len(err.kind)) }\n  let h = @hedge(after: 20ms) slow(t)\n  post(h)\n}",
    racing: true,
  },
  "changes in worktrees": {
    source:
      'flow main() -> string {\n  let xs = map n in range(2) { @isolate("worktree") change(n + 1) }\n  let a = @isolate("worktree") @retry(1, backoff: 5ms) edit(9)\n  let texts = @after(a) map n in [1, 2, 9] { seen(n, a + sum(xs)) }\n  join(texts, "")\n}\nflow change(n: int) -> int { edit(div(work(n), 2)) }\n@reads tool seen(n: int, after: int) -> string = exec(["cat", "n{{n}}.txt"])',
    git: true,
    files: { "a.txt": "a\n" },
  },
  "files, programs, a reserve, half a fork": {
    source:
      '@budget($0.50)\nflow main() -> string {\n  let paths = glob("in", "*.txt")\n  let texts = map p in paths { read_text(p) }\n  make_dir("out")\n  let f = @min_success(50%) fork { a: odd(1), b: @reserve($0.05) Guess(2) }\n  let n = @max_cost($0.05) @prefer(rough) Double(len(texts))\n  let g = reduce texts with both\n  let t = read_text("in/b.txt")\n  "{{default g \'none\'}} {{n}} {{default f.b 0}} {{t}}"\n}\nflow both(a: string, b: string) -> string {\n  let n = work(len(a))\n  "{{a}}{{b}}{{n}}"\n}',
    files: { "in/a.txt": "one", "in/b.txt": "two", "in/c.txt": "three" },
  },
  "a question that expires, one that chooses, a flow that is asked again": {
    source:
      'flow main() -> int {\n  let a = ask "Late?" as int within 1h else { work(7) }\n  let b = ask "Which?" as ("left" | "right")\n  let c = match b { "left" => post(a), "right" => work(a) }\n  let d = try { @approve("Refuse {{c}}?") refuse(c) } recover err { work(len(err.message)) }\n  c + d\n}',
    answers: { "main/b": "left" },
    expires: "main/a",
  },
};

export const crashPrograms: ReadonlyMap<string, CrashProgram> = new Map(
  Object.entries(bodies).map(([name, body]) => {
    const program = typeof body === "string" ? { source: body } : body;
    return [name, { ...program, source: `${HEAD}${program.source}\n` }];
  }),
);

/** 100 calls, 50 at once. */
export const fanOut: CrashProgram = { source: `${HEAD}flow main() -> int[] { @parallel(50) map n in range(100) { work(n) } }\n` };
