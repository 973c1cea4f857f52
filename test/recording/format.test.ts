/** Recordings as files: what is written is read back the same, the text depends on the content alone, nothing secret is in it. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { whyMissing } from "../../src/host/recording/difference.js";
import { readRecording, writeRecording } from "../../src/host/recording/format.js";
import { type Answer, cleaner, type Outcome, type Question } from "../../src/host/recording/questions.js";
import { canonical } from "../../src/runtime/hash.js";

const json = fc.jsonValue({ maxDepth: 3 }).filter((value) => !JSON.stringify(value).includes("__proto__"));
const text = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.constantFrom(
    "",
    " ",
    "\n",
    "a\n",
    "a\n\n",
    "\ta: b",
    "- x",
    "'",
    '"',
    "#",
    "{{x}}",
    "true",
    "null",
    "1e3",
    "~",
    "a \nb",
    "\r\n",
    "  x\n y",
  ),
  fc.array(fc.constantFrom("Judge this:", "", "  code {", "}", "trailing ", "emoji 🎉"), { maxLength: 6 }).map((lines) => lines.join("\n")),
);
const usage = fc.option(
  fc.oneof(
    fc.constant("unknown" as const),
    fc.record({ inputTokens: fc.nat(9999), outputTokens: fc.nat(9999) }),
    fc.record({ inputTokens: fc.nat(9999), outputTokens: fc.nat(9999), cachedInputTokens: fc.integer({ min: 1, max: 99 }) }),
  ),
  { nil: undefined },
);
const calls = fc.array(fc.record({ id: fc.string({ minLength: 1 }), name: fc.constantFrom("read", "write"), arguments: json }), {
  maxLength: 2,
});
const said: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({ kind: fc.constant("answer" as const), text, toolCalls: calls, usage }).map((of) => ({
    ...of,
    finish: of.toolCalls.length > 0 ? ("tools" as const) : ("stop" as const),
  })),
  fc.record({
    kind: fc.constant("failure" as const),
    failure: fc.record({ kind: fc.constantFrom("timeout" as const, "rate_limit" as const), message: text.filter((each) => each !== "") }),
    usage,
  }),
  fc.record({ kind: fc.constant("unanswered" as const), afterMs: fc.nat() }),
  fc.constant({ kind: "withheld" as const }),
);
const given: fc.Arbitrary<Outcome> = json.map((value) => ({ kind: "value" as const, value }));
const answers = (outcome: fc.Arbitrary<Outcome>): fc.Arbitrary<Answer[]> =>
  fc
    .array(fc.tuple(fc.constantFrom("main/a", "main/b[x]", "main/b[y]", "main/c~2"), outcome), { minLength: 1, maxLength: 3 })
    .map((all) => all.map(([at, of]): Answer => ({ at, outcome: of, tookMs: undefined, next: undefined })));
const question: fc.Arbitrary<Question> = fc.oneof(
  fc.record({
    kind: fc.constant("agent" as const),
    name: fc.constantFrom("Judge", "Write"),
    base: fc.record({ model: fc.constant({ provider: "anthropic", name: "m" }), system: text, schema: json }),
    asked: fc.array(
      text.map((user) => ({ user })),
      { minLength: 1, maxLength: 2 },
    ),
    answers: answers(said),
  }),
  fc.record({
    kind: fc.constant("tool" as const),
    name: fc.constantFrom("read", "write"),
    base: fc.constant({}),
    asked: fc.dictionary(fc.constantFrom("path", "text"), json),
    answers: answers(given),
  }),
  fc.record({ kind: fc.constant("person" as const), name: fc.constant(""), base: fc.constant({}), asked: text, answers: answers(given) }),
);

const identity = (each: Question): string => canonical([each.kind, each.name, each.base, each.asked]);
/** One question with all its answers for each thing that was asked. */
function merged(all: readonly Question[]): Question[] {
  const byIdentity = new Map<string, Question>();
  for (const each of all) {
    const found = byIdentity.get(identity(each));
    if (found === undefined) byIdentity.set(identity(each), { ...each, answers: [...each.answers] });
    else found.answers.push(...each.answers);
  }
  return [...byIdentity.values()];
}
const facts = (all: readonly Question[]): string[] =>
  all.flatMap((each) => each.answers.map(({ at, outcome }) => canonical([identity(each), at, outcome]))).sort();

describe("a recording", () => {
  test("is read as it was written", () => {
    fc.assert(
      fc.property(fc.array(question, { maxLength: 8 }).map(merged), (all) => {
        const read = readRecording(writeRecording("# by a test\n", all));
        expect(read).toMatchObject({ ok: true, header: "# by a test\n" });
        if (read.ok) expect(facts(read.questions)).toEqual(facts(all));
      }),
      { numRuns: 100 },
    );
  });

  test("has the same text whatever came first", () => {
    fc.assert(
      fc.property(
        fc
          .array(question, { maxLength: 8 })
          .map(merged)
          .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length }))),
        ([all, shuffled]) => {
          expect(writeRecording("", shuffled)).toBe(writeRecording("", all));
        },
      ),
      { numRuns: 60 },
    );
  });

  test("is short where a person writes it", () => {
    const read = readRecording(`# Written by hand.
version: 1
agents:
  - agent: Judge
    asked:
      - prompt: Is it good?
        answers:
          - value: { label: good }
tools:
  - tool: read
    called:
      - args: { path: a }
        results:
          - value: text of a
          - failure: { kind: timeout }
`);
    expect(read.ok).toBe(true);
    if (!read.ok) return;
    expect(read.questions.map(({ name, answers: all }) => [name, all.map(({ outcome }) => outcome)])).toEqual([
      ["Judge", [{ kind: "answer", text: '{"label":"good"}', toolCalls: [], finish: "stop", usage: { inputTokens: 0, outputTokens: 0 } }]],
      [
        "read",
        [
          { kind: "value", value: "text of a" },
          { kind: "failure", failure: { kind: "timeout", message: "timeout" }, usage: undefined },
        ],
      ],
    ]);
  });

  test.each([
    ["version: 1\nagents: [", /not YAML/],
    ["version: 2\n", /At version/],
    ["hello", /At the file/],
    ["version: 1\ntools:\n  - tool: t\n    called:\n      - args: {}\n        results: []\n", /At tools\[0\]\.called\[0\]\.results/],
  ])("says what is wrong with %j", (written, why) => {
    const read = readRecording(written);
    expect(read.ok).toBe(false);
    if (!read.ok) expect(read.reason).toMatch(why);
  });
});

describe("what may not be written down", () => {
  test("is masked wherever it stands", () => {
    const clean = cleaner(["hunter2-very-secret", "pin", "", "[redacted]"]);
    expect(
      clean({
        a: ["x hunter2-very-secret y", { b: "pin" }],
        c: "a spinning pin",
        d: 4,
        e: null,
      }),
    ).toEqual({ a: ["x [redacted] y", { b: "[redacted]" }], c: "a spinning pin", d: 4, e: null });
  });

  test.each([
    `sk-ant-api03-${"a1B2".repeat(10)}`,
    `sk-proj-${"x".repeat(40)}`,
    `AIza${"b".repeat(35)}`,
    `ghp_${"C1".repeat(18)}`,
    `github_pat_${"d_".repeat(20)}`,
    `xoxb-${"1".repeat(12)}`,
    `AKIA${"ABCD".repeat(4)}`,
    `eyJ${"a".repeat(20)}.eyJ${"b".repeat(20)}.${"c".repeat(20)}`,
    `-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----`,
  ])("is known by how it looks: %s", (key) => {
    expect(cleaner([])(`before ${key} after`)).toBe("before [redacted] after");
  });

  test("does not take words for keys", () => {
    const plain = "a task-oriented risk-based desk, sk-1, npm_config, hf_token, bearer of news, AKIA";
    expect(cleaner([])(plain)).toBe(plain);
  });
});

describe("what is missing", () => {
  const asked = (name: string, prompt: string, more: object = {}): Question => ({
    kind: "agent",
    name,
    base: { model: { provider: "p", name: "m" }, ...more },
    asked: [{ user: prompt }],
    answers: [],
  });
  test("is compared with what is nearest, word by word", () => {
    const all = [
      asked("Judge", "Judge the red car now"),
      asked("Judge", "Something else entirely"),
      asked("Write", "Judge the blue car today"),
    ];
    expect(whyMissing(asked("Judge", "Judge the blue car now"), all)).toBe(
      "The prompt is not the one that was recorded:\n  Judge the [-red-]{+blue+} car now",
    );
  });
  test("names the parts that changed", () => {
    const before = asked("Judge", "Judge it", { system: "You are kind.", schema: { type: "string" } });
    const now = {
      ...asked("Judge", "Judge it", { system: "You are strict.", schema: { type: "number" } }),
      base: { model: { provider: "p", name: "n" }, system: "You are strict.", schema: { type: "number" } },
    };
    expect(whyMissing(now, [before])).toBe(
      [
        "The model is not the one that was recorded:",
        "  provider p, name [-m-]{+n+}",
        "The system prompt is not the one that was recorded:",
        "  You are [-kind-]{+strict+}.",
        "The type of the answer is not the one that was recorded:",
        '  {⏎"type": "[-string-]{+number+}"⏎}',
      ].join("\n"),
    );
  });
  test("says when there is nothing of it", () => {
    expect(whyMissing(asked("New", "x"), [asked("Old", "x")])).toBe("The recording has nothing of this agent, only of Old.");
    const tool: Question = { kind: "tool", name: "read", base: {}, asked: { path: "a" }, answers: [] };
    expect(whyMissing({ ...tool, asked: { path: "b", deep: true } }, [tool])).toBe(
      "The argument `path` is not the one that was recorded:\n  [-a-]{+b+}\nThe argument `deep` is not the one that was recorded:\n  [-nothing-]{+true+}",
    );
  });
});
