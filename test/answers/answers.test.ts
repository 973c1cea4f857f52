/** The reader of answers against its corpus, and what holds for every value, every form and every hostile text. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compile } from "../../src/compile.js";
import { fileHost } from "../../src/host/files.js";
import type { TypeIR } from "../../src/plan/ir.js";
import { type Read, readAs } from "../../src/runtime/lenient.js";
import { deepEqual } from "../../src/runtime/values.js";
import { around, type Case, corpus, formsOf, type Group, REFUSED } from "./corpus.js";

interface Typed {
  readonly type: TypeIR;
  readonly types: Readonly<Record<string, TypeIR>>;
}

/** The type of a group, as an agent asks for it. */
function typed({ type, declarations }: Pick<Group, "type" | "declarations">): Typed {
  const source = `model m { provider: "sim" }
${declarations ?? ""}
agent Ask() -> ${type} { model: m, prompt: "?" }
flow main() { Ask() }
`;
  const { graph, problems } = compile("main.weave", fileHost(new Map([["main.weave", source]])));
  const agent = Object.values(graph?.agents ?? {})[0];
  if (graph === undefined || agent === undefined) throw new Error(`${type}: ${problems.map((each) => each.title).join("; ")}`);
  return { type: agent.result, types: graph.types };
}

type Verdict = "right" | "asked again" | "wrong" | "lost";

function verdict(read: Read, expected: unknown): Verdict {
  if (!read.ok) return expected === REFUSED ? "right" : "asked again";
  if (expected === REFUSED) return "wrong";
  if (deepEqual(read.value, expected)) return "right";
  return isLess(read.value, expected) ? "lost" : "wrong";
}

/** Whether something that should be there is null, absent or empty. */
function isLess(found: unknown, expected: unknown): boolean {
  if (expected === null || expected === undefined) return false;
  if (found === null || found === undefined || found === "") return expected !== "";
  if (Array.isArray(expected)) return Array.isArray(found) && expected.some((each, i) => isLess(found[i], each));
  if (typeof expected !== "object" || typeof found !== "object") return false;
  return Object.entries(expected).some(([key, each]) => isLess((found as Readonly<Record<string, unknown>>)[key], each));
}

const all = corpus.map((group) => {
  const cases: Case[] = around.map(([form, write]) => [form, write(group.plain), JSON.parse(group.plain)]);
  return { group, of: typed(group), cases: [...cases, ...formsOf(group), ...group.cases] };
});

describe("the corpus of answers", () => {
  it.each(all.map((each) => [each.group.type, each] as const))("is read as %s", (_, { of, cases }) => {
    const failed = cases.flatMap(([form, answer, expected]) => {
      const read = readAs(answer, of.type, of.types);
      return verdict(read, expected) === "right" ? [] : [{ form, answer, expected: expected === REFUSED ? "a refusal" : expected, read }];
    });
    expect(failed).toEqual([]);
  });

  it("has at least 300 answers, none read wrong, none lost", () => {
    const rows = all.map(({ group, of, cases }) => {
      const count: Record<Verdict, number> = { right: 0, "asked again": 0, wrong: 0, lost: 0 };
      for (const [, answer, expected] of cases) count[verdict(readAs(answer, of.type, of.types), expected)]++;
      return { type: group.type, answers: cases.length, ...count };
    });
    const sum = (key: "answers" | Verdict): number => rows.reduce((total, row) => total + row[key], 0);
    const total = {
      type: "all",
      answers: sum("answers"),
      right: sum("right"),
      "asked again": sum("asked again"),
      wrong: sum("wrong"),
      lost: sum("lost"),
    };
    console.table([...rows, total]);
    expect(total).toMatchObject({ right: total.answers, "asked again": 0, wrong: 0, lost: 0 });
    expect(total.answers).toBeGreaterThanOrEqual(300);
  });

  it("tells every mend", () => {
    for (const { of, cases } of all)
      for (const [form, answer] of cases) {
        const read = readAs(answer, of.type, of.types);
        if (!read.ok || read.mends.length > 0) continue;
        expect(
          deepEqual(strict(answer), read.value) || form === "extra field" || deepEqual(without(strict(answer)), without(read.value)),
          `${form}: ${answer}`,
        ).toBe(true);
      }
  });
});

function strict(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A record without what is null or was not asked for. */
function without(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([key, each]) => each !== null && !["radius", "confidence"].includes(key)));
}

// ------------------------------------------------------------------------------------------------ properties

interface Sample {
  readonly type: TypeIR;
  readonly value: unknown;
}

const safe = fc.string({ unit: fc.constantFrom(..."abcXYZ 019,:'\"{}[]#/\\\n-é👍"), maxLength: 12 });

/** A type with a value of it. */
const { sample } = fc.letrec<{ sample: Sample }>((tie) => ({
  sample: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    safe.map((value): Sample => ({ type: { kind: "string" }, value })),
    fc.integer().map((value): Sample => ({ type: { kind: "int" }, value })),
    fc.boolean().map((value): Sample => ({ type: { kind: "bool" }, value })),
    fc.constantFrom("alpha", "beta two").map(
      (value): Sample => ({
        type: { kind: "union", of: ["alpha", "beta two"].map((each) => ({ kind: "literal", value: each })) },
        value,
      }),
    ),
    tie("sample").chain(({ type, value }) =>
      fc
        .integer({ min: 0, max: 3 })
        .map((n): Sample => ({ type: { kind: "list", of: type }, value: Array.from({ length: n }, () => value) })),
    ),
    fc.array(tie("sample"), { minLength: 1, maxLength: 4 }).map(
      (of): Sample => ({
        type: { kind: "record", fields: of.map(({ type }, i) => ({ name: `field_${i}`, type, optional: false })) },
        value: Object.fromEntries(of.map(({ value }, i) => [`field_${i}`, value])),
      }),
    ),
  ),
}));

const form = fc.record({
  comma: fc.boolean(),
  bare: fc.boolean(),
  single: fc.boolean(),
  comment: fc.boolean(),
  lines: fc.boolean(),
  around: fc.integer({ min: 0, max: around.length - 1 }),
});

/** JSON as a careless writer writes it. */
function written(
  value: unknown,
  how: { readonly comma: boolean; readonly bare: boolean; readonly single: boolean; readonly comment: boolean; readonly lines: boolean },
): string {
  const gap = how.comment ? " /* x */ " : how.lines ? "\n  " : " ";
  const end = how.comma ? "," : "";
  if (Array.isArray(value))
    return value.length === 0 ? "[]" : `[${gap}${value.map((each) => written(each, how)).join(`,${gap}`)}${end}${gap}]`;
  if (typeof value === "object" && value !== null)
    return `{${gap}${Object.entries(value)
      .map(([key, each]) => `${how.bare ? key : JSON.stringify(key)}:${gap}${written(each, how)}`)
      .join(`,${gap}`)}${end}${gap}}`;
  const json = JSON.stringify(value);
  if (typeof value !== "string" || !how.single) return json;
  return `'${json.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

describe("reading", () => {
  it("gives back every value in every form", () => {
    fc.assert(
      fc.property(
        sample.filter(({ value }) => typeof value === "object"),
        form,
        ({ type, value }, how) => {
          const text = around[how.around]?.[1](written(value, how)) ?? "";
          const read = readAs(text, type, {});
          if (!read.ok) throw new Error(`${read.reason}: ${text}`);
          expect(read.value).toEqual(value);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it("never takes a beginning of an answer for the answer", () => {
    fc.assert(
      fc.property(
        sample.filter(({ value }) => typeof value === "object"),
        fc.double({ min: 0, max: 1, noNaN: true }),
        ({ type, value }, part) => {
          const json = JSON.stringify(value);
          const read = readAs(json.slice(0, Math.floor(json.length * part)), type, {});
          // Only closers may be missing.
          if (read.ok && !Array.isArray(value)) expect(read.value).toEqual(value);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it("takes nothing that may go on where nobody says that the answer has ended", () => {
    fc.assert(
      fc.property(
        sample.filter(({ value }) => typeof value === "object"),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        ({ type, value }, part) => {
          const json = JSON.stringify(value);
          const cut = json.slice(0, Math.floor(json.length * part));
          for (const text of [cut, `\`\`\`json\n${cut}`, `Here it is:\n${cut}`]) expect(readAs(text, type, {}, false).ok).toBe(false);
          expect(readAs(json, type, {}, false)).toMatchObject({ ok: true });
        },
      ),
      { numRuns: 800 },
    );
    const list: TypeIR = { kind: "list", of: { kind: "string" } };
    expect(readAs("- a\n- b", list, {}, false).ok).toBe(false);
    expect(readAs("- a\n- b", list, {})).toMatchObject({ ok: true, value: ["a", "b"] });
  });

  it("never throws, and what it reads has the type", () => {
    const types: readonly TypeIR[] = all.map(({ of }) => of.type);
    const hostile = fc.string({ unit: fc.constantFrom(..."{}[]\"':,a1 \\/`\n#<>-.%", "```", "<think>", "null", "true"), maxLength: 60 });
    fc.assert(
      fc.property(
        hostile,
        fc.constantFrom(...types),
        (text, type) => void readAs(text, type, all.find(({ of }) => of.type === type)?.of.types ?? {}),
      ),
      {
        numRuns: 3000,
      },
    );
  });

  it.each([
    ["brackets", "["],
    ["braces", "{"],
    ["closed brackets", "[]"],
    ["quotes", '"'],
    ["apostrophes in lists", "['"],
    ["names", '{"a":'],
    ["words in braces", "{a "],
    ["fences", "```json\n"],
    ["backslashes", '["\\'],
    ["comments", "[/*"],
    ["thoughts", "<think>"],
    ["spaces in a list", '["a"                '],
    ["text", "a"],
    ["digits", "1"],
    ["lines", "- a\n"],
    ["words", "glad or "],
    ["spaces", "a                "],
  ])(
    "takes time in proportion to a megabyte of %s",
    (_, part) => {
      const text = `x ${part.repeat(Math.ceil(1_000_000 / part.length))} y`;
      for (const { of } of all.slice(4, 10)) void readAs(text, of.type, of.types);
    },
    60_000,
  );
});
