/** `weave eval` as a process: cases that are checked, scored, graded, compared, kept and gone on with. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { project, start, weave } from "../support/cli.js";
import { type ModelServer, modelServer, type Reply } from "../support/model-server.js";

const env = { KEY: "test-key-0123456789abcdef" };

const program = (server: Pick<ModelServer, "url">): string => `
model fast {
  provider: "anthropic"
  name: "claude-haiku-4-5-20251001"
  base_url: "${server.url("anthropic")}"
  api_key: secret("KEY")
  price: { input: $1.00, output: $5.00 }
  context: 1k
  max_output: 100
}

type Kind = "bug" | "wish"
type Sure = { kind: Kind, sure: float(0.5..1) }

agent Classify(text: string) -> { kind: Kind, sure: float } {
  model: fast
  prompt: "Classify: {{text}}"
}

agent Critic(output: { kind: Kind }, text: string) -> { score: float(0..1), reason: string } {
  model: fast
  prompt: "Judge {{output.kind}} for {{text}}"
}

agent Wordy(output: { kind: Kind }) -> string {
  model: fast
  prompt: "{{output.kind}}"
}

agent Strict(output: { kind: Kind, sure: float(0..1) }) -> bool {
  model: fast
  prompt: "{{output.kind}}"
}

agent Counting(output: { kind: Kind }, times: int(1..3)) -> bool {
  model: fast
  prompt: "{{output.kind}} {{times}}"
}

agent Wanting(output: { kind: Kind }, expected: int) -> bool {
  model: fast
  prompt: "{{output.kind}} {{expected}}"
}

agent Blind(something: string) -> bool {
  model: fast
  prompt: "{{something}}"
}

flow main(text: string, times: int(1..5) = 1) -> { kind: Kind, sure: float } {
  Classify("{{text}} {{times}}")
}
`;

const CASES = Array.from({ length: 12 }, (_, i) => ({
  id: `c${i}`,
  text: i % 2 === 0 ? `it crashes ${i}` : `could it ${i}?`,
  expected: { kind: i % 2 === 0 ? "bug" : "wish" },
}));
const jsonl = (cases: readonly object[]): string => cases.map((each) => `${JSON.stringify(each)}\n`).join("");
const said = (value: unknown): Reply => ({ kind: "answer", text: JSON.stringify(value), usage: { input: 100, output: 10 } });
const promptOf = (body: { readonly messages: unknown }): string => JSON.stringify(body.messages);

/** Classifies right, but for texts that `wrong` names. */
const classifier = (wrong: (text: string) => boolean = () => false): Promise<ModelServer> =>
  modelServer(({ body }) => {
    const text = promptOf(body);
    if (text.includes("Judge"))
      return said({ score: text.includes("Judge bug") === text.includes("crash") ? 1 : 0.2, reason: "as it seems" });
    return said({ kind: text.includes("crash") !== wrong(text) ? "bug" : "wish", sure: 0.9 });
  });

const data = { "cases.jsonl": jsonl(CASES) };
const ARGS = ["eval", "a.weave", "--data", "cases.jsonl"];

describe("weave eval", () => {
  test("scores, grades, and keeps what it found", async () => {
    const server = await classifier((text) => text.includes("crashes 4 "));
    const cwd = project({ "a.weave": program(server), ...data });
    const { code, out } = await weave([...ARGS, "--score", "exact.kind", "--score", "judge:Critic", "--score", "schema:Sure", "--json"], {
      cwd,
      env,
    });
    expect(code).toBe(0);
    const found = JSON.parse(out);
    expect(found).toMatchObject({
      cases: 12,
      runs: 12,
      passed: 11,
      failed: 0,
      grade: "good",
      simulated: false,
      baseline: null,
      not_made: 0,
    });
    expect(found.scores["exact.kind"]).toBeCloseTo(11 / 12);
    expect(found.scores["schema:Sure"]).toBe(1);
    expect(found.cost_usd.total).toBeCloseTo(12 * 0.00015);
    expect(found.cost_usd.judges).toBeCloseTo(12 * 0.00015);
    expect(found.rows.find((row: { case: string }) => row.case === "c4")).toMatchObject({
      scores: { "exact.kind": { score: 0 }, "judge:Critic": { score: 0.2, reason: "as it seems" } },
    });
    expect(server.asked.length).toBe(24);

    const text = await weave([...ARGS, "--score", "exact.kind", "--require", "excellent"], { cwd, env });
    expect(text.code).toBe(1);
    expect(text.err).toContain("The grade is good, and excellent is required.");
    expect(text.out).toContain('✗ c4  exact.kind 0.00: expected "bug", found "wish"');
    const kept = await weave(["eval"], { cwd });
    expect(kept.out.split("\n").filter((line) => line.includes("a.weave main on cases.jsonl"))).toHaveLength(2);
  });

  test("flags a regression, and compares with the last that was none", async () => {
    let worse = false;
    const server = await classifier(() => worse);
    const cwd = project({ "a.weave": program(server), ...data });
    // How long a run takes here is up to what else the machine does.
    const args = [...ARGS, "--ignore", "time"];
    expect((await weave(args, { cwd, env })).code).toBe(0);
    const same = await weave(args, { cwd, env });
    expect(same.out).toContain("Compared with e");
    expect(same.code).toBe(0);
    worse = true;
    const { code, out } = await weave(args, { cwd, env });
    expect(out).toMatch(/success +100 % → 0 % +worse +p < 0\.0\d+|success +100 % → 0 % +worse +p 0\.00\d, McNemar/);
    expect(out).toContain("This is a regression.");
    expect(code).toBe(1);
    // It is no baseline for the next one.
    expect((await weave(args, { cwd, env })).code).toBe(1);
    expect((await weave([...args, "--baseline", "none"], { cwd, env })).code).toBe(0);
  });

  test("shows every case that does not fit, at its line", async () => {
    const cwd = project({
      "a.weave": program({ url: () => "http://127.0.0.1:9/v1" }),
      "cases.jsonl":
        '{"text": "a", "expected": {"kind": "bug"}}\nnot json\n{"txt": "b"}\n{"text": "c", "times": 9}\n\n{"text": "d", "id": "x"}\n{"text": "e", "id": "x"}\n[1]\n',
      "cases.csv": 'text,times,expected\nfine,2,"{""kind"": ""bug""}"\n"two\nlines",7,\n',
      "empty.jsonl": "\n",
    });
    const { code, err } = await weave(ARGS, { cwd });
    expect(code).toBe(2);
    expect([...err.matchAll(/error\[W0963\].*\n +┌─ cases\.jsonl:(\d+)/g)].map(([, line]) => line)).toEqual(["2", "3", "4", "7", "8"]);
    expect(err).toContain("no parameter `txt`; did you mean `text`?");
    const csv = await weave(["eval", "a.weave", "--data", "cases.csv"], { cwd });
    expect([...csv.err.matchAll(/error\[W0963\].*\n +┌─ cases\.csv:(\d+)/g)].map(([, line]) => line)).toEqual(["3"]);
    expect(csv.err).toContain("The input `times` is not int(1..5)");
    expect((await weave(["eval", "a.weave", "--data", "empty.jsonl"], { cwd })).code).toBe(2);
    writeFileSync(join(cwd, "typo.jsonl"), '{"text": "a", "expected": {"kind": "bugg"}}\n{"text": "b", "expected": {"kimd": "bug"}}\n');
    const typo = await weave(["eval", "a.weave", "--data", "typo.jsonl"], { cwd });
    expect(typo.err).toContain("What is expected is nothing that the flow can give: `kind`: ");
    expect(typo.err).toContain("it has no field `kimd`");
    const unmet = await weave([...ARGS.slice(0, 2), "--data", "cases.csv", "--score", "exact"], { cwd });
    expect(unmet.err).toContain("It has no `expected`, which the scorer compares with.");
  });

  test.each([
    [["--score", "like"], "like is no scorer"],
    [["--score", "judge:Nobody"], "the program has no agent or flow Nobody"],
    [["--score", "judge:Blind"], "the judge Blind wants `something`"],
    [
      ["--score", "judge:Wordy"],
      "the judge Wordy gives string; a judge gives a bool, a number from 0 to 1, or a record with such a `score`",
    ],
    [
      ["--score", "judge:Strict"],
      "the judge Strict takes { kind: Kind, sure: float(0..1) } as `output`, and main gives { kind: Kind, sure: float }: field `sure` is `float` here, `float(0..1)` there",
    ],
    [
      ["--score", "judge:Counting"],
      "the judge Counting takes int(1..3) as `times`, and main takes int(1..5): `int(1..5)` here, `int(1..3)` there",
    ],
    [["--score", "judge:Wanting"], "What is expected is nothing that the judge Wanting takes: "],
    [["--score", "schema:Nothing"], "the program has no type Nothing"],
    [["--require", "superb"], "superb is no grade"],
    [["--ignore", "success"], "--ignore takes score, errors, time, cost; success is none of them"],
    [["--repeat", "0"], "--repeat is a whole number from 1"],
    [["--baseline", "e1"], "there is no evaluation e1"],
    [["--resume"], "no evaluation of this flow on these cases was stopped"],
    [["--sim", "--replay", "x"], "--sim and --replay both say"],
  ])("refuses %j before it asks anything", async (more, message) => {
    const cwd = project({ "a.weave": program({ url: () => "http://127.0.0.1:9/v1" }), ...data });
    const { code, err } = await weave([...ARGS, ...more], { cwd, env });
    expect(err).toContain(message);
    expect(code).toBe(2);
  });

  test("goes on after it was killed, and pays for nothing twice", async () => {
    let hang = true;
    const server = await modelServer(({ body }) => {
      const text = promptOf(body);
      return hang && text.includes("crashes 6 ") ? { kind: "hang" } : said({ kind: text.includes("crash") ? "bug" : "wish", sure: 1 });
    });
    const cwd = project({ "a.weave": program(server), ...data });
    const first = start([...ARGS, "--parallel", "1"], { cwd, env });
    await server.came(7);
    first.signal("SIGKILL");
    await first.ended;
    hang = false;
    const { code, err, out } = await weave([...ARGS, "--resume", "--json"], { cwd, env });
    expect(err).toContain("6 runs are done, 6 are left.");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ runs: 12, passed: 12 });
    expect(server.asked.length).toBe(13);
  });

  test("never spends more than its budget", async () => {
    const server = await classifier();
    const cwd = project({ "a.weave": program(server), ...data });
    const { code, out, err } = await weave([...ARGS, "--budget", "0.001", "--json"], { cwd, env });
    expect(code).toBe(4);
    expect(err).toContain("The budget is used up");
    const found = JSON.parse(out);
    expect(found.cost_usd.total).toBeLessThanOrEqual(0.001);
    expect(found.runs).toBeGreaterThan(0);
    expect(found.not_made).toBe(12 - found.runs);
    const rest = await weave([...ARGS, "--resume", "--json"], { cwd, env });
    expect(rest.code).toBe(0);
    expect(JSON.parse(rest.out).runs).toBe(12);
  });

  test("runs on the simulator and on a recording, and tells what to try", async () => {
    const server = await classifier((text) => text.includes("crashes 4 "));
    const cwd = project({ "a.weave": program(server), ...data });
    const recorded = await weave([...ARGS, "--repeat", "2", "--score", "exact.kind", "--record", "e.yaml", "--json"], { cwd, env });
    expect(recorded.code).toBe(0);
    const asked = server.asked.length;
    expect(asked).toBe(24);
    const replayed = await weave([...ARGS, "--repeat", "2", "--score", "exact.kind", "--replay", "e.yaml", "--json"], { cwd });
    expect(replayed.code).toBe(0);
    const [a, b] = [JSON.parse(recorded.out), JSON.parse(replayed.out)];
    expect(b.rows.map((row: { value: unknown }) => row.value)).toEqual(a.rows.map((row: { value: unknown }) => row.value));
    expect([b.passed, b.cost_usd.total, b.replayed, server.asked.length]).toEqual([a.passed, a.cost_usd.total, true, asked]);
    expect(b.recommendations.map(({ about, callee }: { about: string; callee: string }) => `${about} ${callee}`)).toContain(
      "cache Classify",
    );
    writeFileSync(join(cwd, "cases.jsonl"), readFileSync(join(cwd, "cases.jsonl"), "utf8").replace("crashes 0", "breaks 0"));
    const miss = await weave([...ARGS, "--score", "exact.kind", "--replay", "e.yaml"], { cwd });
    expect(miss.code).toBe(6);
    expect(miss.err).toContain("[-crashes-]{+breaks+}");
    const simulated = await weave([...ARGS, "--sim", "--json"], { cwd, env });
    expect(JSON.parse(simulated.out)).toMatchObject({ simulated: true, runs: 12 });
    expect(simulated.code).toBe(0);
  });
});
