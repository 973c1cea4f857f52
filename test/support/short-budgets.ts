/** Small programs whose budgets run short, each in another construct; one call at a time, so that what they give is fixed. */
import { type DurableProgram, durableHead } from "./durable-programs.js";

const bodies: Readonly<Record<string, string>> = {
  "a map that may drop items":
    "@budget($0.03) flow main() -> int {\n  let xs = @parallel(1) @min_success(1) map x in range(6) { paid(x) }\n  len(xs)\n}",
  "a settled map, then a report":
    "@budget(calls: 4) flow main() -> int {\n  let s = @parallel(1) settle map x in range(6) { slow(x) }\n  t(len(s.ok))\n}",
  "a map whose items have two steps":
    "@budget(calls: 5) flow main() -> int {\n  let xs = @parallel(1) @min_success(1) map x in range(6) { t(slow(x)) }\n  len(xs)\n}",
  "a settled map and two reports":
    "@budget(calls: 6) flow main() -> int {\n  let s = @parallel(1) settle map x in range(6) { slow(x) }\n  t(len(s.ok)) + t(len(s.failed))\n}",
  "a loop": "@budget($0.03) flow main() -> int {\n  loop n = 1 up to 9 { next paid(n + 1) }\n}",
  "a vote": "@budget($0.03) flow main() -> int {\n  let e = @parallel(1) vote 5 { paid(1) }\n  e.runs\n}",
  "half a fork":
    "@budget($0.02) flow main() -> int {\n  let f = @parallel(1) @min_success(1) fork { a: paid(1), b: paid(2), c: paid(3) }\n  (f.a ?? 0) + (f.b ?? 0) + (f.c ?? 0)\n}",
  "an agent":
    "@budget(calls: 6) flow main() -> int {\n  let xs = @parallel(1) @min_success(1) map x in range(4) { Tooled(x) }\n  len(xs)\n}",
  "a budget in each item":
    "flow main() -> int {\n  let xs = @parallel(1) map x in range(2) { @budget($0.02) part(x) }\n  sum(xs)\n}\nflow part(x: int) -> int { len(@parallel(1) @min_success(1) map y in range(4) { paid(x + y) }) }",
};

export const shortBudgets: ReadonlyMap<string, DurableProgram> = new Map(
  Object.entries(bodies).map(([name, body]) => [name, { source: `${durableHead}${body}\n` }]),
);
