/** What the build does to the library changes when functions are compiled, and nothing else. */
import { expect, test } from "vitest";
import { eager } from "../scripts/eager.js";

const PROGRAM = `
import { basename } from "node:path";
const early = later(2);
function later(n) { return inner(n) + helper(n); function inner(m) { return m * 10; } }
function helper(n, twice = (x) => x * 2) { function own() { return twice(n); } return own(); }
function* counting() { yield* [1, 2].map((n) => n + 1); }
const named = () => 1, kept = function () { return named.name; };
async function slow(a) { const f = async ({ b }) => b + a; return await f({ b: 1 }); }
class Box { #n = 3; make = () => this.#n; get n() { return (() => this.#n)(); } static of() { return new Box(); } grow() { function by() { return 4; } this.#n += by(); return this; } }
const record = { method() { return this.value; }, get got() { return "got"; }, value: 5, async *many() { yield 6; }, ["computed"]: (x) => ({ x }) };
if (early > 0) { function inBlock() { return "block"; } record.block = inBlock(); }
let tagged = \`\${(() => "in a template")()} \${[1].map(n => n => n)[0](7)}\`;
const chain = a => b => c => a + b + c;
export default function shown() { return "default"; }
export { later as result, record };
const all = [early, later(3), [...counting()], named.name, kept(), await slow(1), Box.of().grow().n, new Box().make(), record.method(), record.got, record.computed(8), record.block, tagged, chain(1)(2)(3), basename("a/b"), later.name, helper.length];
export const found = JSON.stringify(all);
`;

const load = async (text: string): Promise<Record<string, unknown>> =>
  (await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(text)}`)) as Record<string, unknown>;

test("a program whose functions are marked does the same", async () => {
  const marked = eager(PROGRAM);
  const [before, after] = [await load(PROGRAM), await load(marked)];
  expect(before["found"]).toContain("in a template");
  expect(after["found"]).toBe(before["found"]);
  expect(Object.keys(after).sort()).toEqual(Object.keys(before).sort());
  expect(marked).toContain("later=(function later(n)");
  expect(marked).toContain("(async ({ b }) => b + a)");
  expect(marked).toContain("inner=(function inner(m)");
});
