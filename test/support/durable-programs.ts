/** Small programs that together use every construct that runs, with tools that count, for tests of resuming. */

export interface DurableProgram {
  readonly source: string;
  readonly answers?: Readonly<Record<string, unknown>>;
  /** Ends with this failure instead of a value. */
  readonly fails?: string;
}

export const durableHead = `
model m { provider: "sim", name: "m", price: { input: $1.00, output: $5.00 }, context: 20k, max_output: 500 }
tool t(x: int) -> int = module("./tools.ts")
tool slow(x: int) -> int = module("./tools.ts")
tool odd(x: int) -> int = module("./tools.ts")
tool flaky(x: int) -> int = module("./tools.ts")
@cost($0.01) tool paid(x: int) -> int = module("./tools.ts")
effect tool put(x: int) -> int = module("./tools.ts")
effect tool unput(x: int) -> null = module("./tools.ts")
effect tool refuse(x: int) -> int = module("./tools.ts")
@idempotent effect tool post(x: int) -> int = module("./tools.ts")
agent Guess(x: int) -> { n: int(0..9), why: string(..20) } { model: m, prompt: "Guess {{x}}" }
agent Judge(x: int) -> bool { model: m, prompt: "Judge {{x}}" }
agent Tooled(x: int) -> int(0..9) { model: m, prompt: "Use {{x}}", tools: [t, slow] }
`;

const bodies: Readonly<Record<string, string | DurableProgram>> = {
  chain: "flow main() -> int {\n  let a = t(1)\n  let b = put(a)\n  let c = slow(b)\n  c + t(c)\n}",
  "map with a limit": "flow main() -> int[] {\n  @parallel(3) map x in range(8) { t(slow(x)) }\n}",
  "settled map": "flow main() -> float {\n  let s = settle map x in range(7) { odd(x) }\n  s.rate + t(len(s.ok))\n}",
  "dropped items": "flow main() -> int {\n  let s = @min_success(50%) map x in range(6) { odd(x) }\n  t(len(s))\n}",
  "map with needs":
    'flow main() -> int[] {\n  let tasks = [{ id: "a", needs: [] }, { id: "b", needs: ["a"] }, { id: "c", needs: ["a", "b"] }]\n  map task in tasks by task.id after task.needs giving before: int[] { t(len(before)) }\n}',
  "fork and settle fork":
    "flow main() -> int {\n  let f = fork { a: t(1), b: slow(2), c: Guess(3).n }\n  let s = settle fork { x: odd(1), y: odd(2) }\n  f.a + f.b + f.c + (if s.x.ok { 1 } else { 2 })\n}",
  race: "flow main() -> int {\n  let w = race { slow(1), t(2), odd(1) }\n  put(w)\n}",
  vote: "flow main() -> bool {\n  let e = vote 5 early 90% { Judge(1) }\n  let f = vote 3 { Judge(2) }\n  e.value == f.value\n}",
  loop: "flow main() -> int {\n  loop n = t(0) up to 4 {\n    let g = t(n)\n    stop when g > 3\n    next g\n  }\n}",
  reduce:
    'tool add(a: int, b: int) -> int = module("./tools.ts")\nflow main() -> int? {\n  let xs = map x in range(5) { t(x) }\n  reduce xs with add\n}',
  "try and match":
    "flow main() -> int {\n  let a = try { odd(1) } recover err { t(len(err.kind)) }\n  let g = Guess(a).n\n  match g { 0 => t(1), 1..4 => slow(2), _ => t(3) }\n}",
  policies:
    "flow main() -> int {\n  let a = @retry(3, backoff: 1s) flaky(1)\n  let b = @fallback(t) odd(1)\n  let c = @timeout(1m) slow(2)\n  let d = @retry(2, backoff: 1s) @fallback(slow) odd(3)\n  a + b + c + d\n}",
  budget:
    "@budget($0.60, calls: 40)\nflow main() -> int {\n  let xs = @min_success(1) map x in range(6) { @budget($0.10) work(x) }\n  len(xs)\n}\nflow work(x: int) -> int { paid(x) + Guess(x).n }",
  capabilities: {
    source: `capability Look(x: int) -> { n: int(0..9), why: string(..20) }
@timeout(1m) @quality(90%) agent Best(x: int) -> { n: int(0..9), why: string(..20) } implements Look { model: m, prompt: "Look {{x}}" }
@cost($0.001) tool cheap(x: int) -> { n: int(0..9), why: string(..20) } implements Look = module("./tools.ts")
@budget($0.08)
flow main() -> int {
  let a = map x in range(4) { Look(x).n }
  let b = @retry(1) @fallback(cheap) Look(9)
  t(len(a)) + (if b.n < 20 { 1 } else { 2 })
}`,
  },
  agents: "flow main() -> int {\n  let a = Tooled(1)\n  let b = map x in range(3) { Tooled(x) }\n  a + len(b)\n}",
  cached: "flow main() -> int {\n  let a = @cache(1h) t(1)\n  let b = @after(a) @cache(1h) t(1)\n  a + b\n}",
  locked: 'flow main() -> int[] {\n  map x in range(4) { @lock("one") post(x) }\n}',
  "locked across runs":
    'flow main() -> int {\n  let xs = map x in range(3) { @lock("one", scope: "global") post(x) }\n  let a = @lock("one", scope: "global") pair(len(xs))\n  let w = race { t(1), @lock("two", scope: "global") slow(2) }\n  a + w\n}\nflow pair(x: int) -> int {\n  let a = @lock("two", scope: "global") put(x)\n  t(a)\n}',
  "asked and approved": {
    source:
      'flow main() -> int {\n  let a = ask "How many?" as int\n  let b = @approve("Put {{a}}?") put(a)\n  let c = ask "Late?" as int within 1h else 7\n  a + b + c\n}',
    answers: { "How many?": 4, "Put 4?": true },
  },
  saga: {
    source:
      "flow main() -> int {\n  let a = @compensate(unput) put(1)\n  let b = try { inner(a) } recover err { t(5) }\n  let c = @compensate(unput) put(3)\n  b + refuse(c)\n}\nflow inner(x: int) -> int {\n  let p = @compensate(unput) put(x + 10)\n  let q = @compensate(unput) put(p)\n  refuse(q)\n}",
    fails: "tool_error",
  },
  "effects in a race":
    "flow main() -> int {\n  let w = race { later(1), @compensate(unput) put(2) }\n  t(w)\n}\nflow later(x: int) -> int {\n  let a = @compensate(unput) put(x)\n  slow(a)\n}",
};

/** Every program by its name. */
export const durablePrograms: ReadonlyMap<string, DurableProgram> = new Map(
  Object.entries(bodies).map(([name, body]) => {
    const program = typeof body === "string" ? { source: body } : body;
    return [name, { ...program, source: `${durableHead}${program.source}\n` }];
  }),
);
