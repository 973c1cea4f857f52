/** What a run may cost, is expected to cost and did cost, as the command line tells it. */
import { describe, expect, test } from "vitest";
import { project, weave } from "../support/cli.js";

const PROGRAM = `model small { provider: "sim", price: { input: $1.00, output: $5.00 }, context: 200k, max_output: 1k }
@timeout(30s) agent Label(title: string(..200)) -> "bug" | "question" { model: small, prompt: "What is this? {{title}}" }
@timeout(30s) agent Sum(labels: string[..9]) -> string(..200) { model: small, prompt: "Sum up {{len labels}}" }
@budget($1.00)
flow main(titles: string(..200)[..9]) -> string {
  let labels = map title in titles { Label(title) }
  let sure = @approve("Sum up {{len labels}}?") done(labels)
  Sum(sure)
}
effect tool done(labels: string[..9]) -> string[..9] = module("./t.ts")
`;
const FILES = {
  "a.weave": PROGRAM,
  "t.ts": "export const done = ({ labels }: { labels: string[] }) => labels;\n",
  "in.json": '{ "titles": ["one", "two", "three"] }',
};

describe("spending", () => {
  test("is bounded before, expected from earlier runs, and compared after", async () => {
    const cwd = project({ ...FILES, "a.weave": PROGRAM.replace(/@approve\("[^"]*"\) /, "") });
    const args = ["run", "a.weave", "--input", "in.json", "--sim"];
    const first = await weave(args, { cwd });
    expect(first.code).toBe(0);
    expect(first.err).toMatch(/^≤ 5 calls · cost ≤ \$0\.\d+ · budget \$1\.00 is enough$/m);
    expect(first.err).toMatch(/^ {2}.+ % of the most it could cost, \$0\.\d+$/m);
    const second = await weave(args, { cwd });
    expect(second.err).toMatch(/^≤ 5 calls · cost ≤ \$0\.\d+, expected \$0\.0\d+ by simulated runs · budget/m);
    expect(second.err).toMatch(/% of the most it could cost, \$0\.\d+; \$0\.0\d+ was expected$/m);
    const check = await weave(["check", "a.weave"], { cwd });
    expect(check.out).toMatch(
      /^main .*cost ≤ \$0\.\d+, expected \$0\.0\d+·\|titles\| .* by simulated runs|cost ≤ \$0\.\d+, expected \$0\.0\d+ by simulated runs/m,
    );
    const data = JSON.parse((await weave(["check", "a.weave", "--json"], { cwd })).out) as { flows: readonly { expected: unknown }[] };
    expect(data.flows[0]?.expected).toMatchObject({ simulated: true, unknown: [] });
    const plan = await weave(["plan", "a.weave", "--input", "in.json"], { cwd });
    expect(plan.out).toMatch(/^ +needs +expected +at most$/m);
    expect(plan.out).toMatch(/^cost +\$0\.\d+ +\$0\.0\d+ +\$0\.\d+$/m);
    expect(plan.out).toContain("expected by simulated runs, and no limit");
  });

  test("uses the prices of the project where it has its own", async () => {
    const program = (from: string) => `import { haiku } from "${from}"
agent Say(x: string(..20)) -> string(..20) { model: haiku, max_output: 100, repairs: 0, prompt: "{{x}}" }
flow main(x: string(..20)) -> string { Say(x) }
`;
    const own = `model haiku {
  provider: "anthropic"
  name: "claude-haiku-4-5-20251001"
  price: { input: $0.50, output: $2.50 }
  context: 200k
  max_output: 8k
}
`;
    const cwd = project({ "list.weave": program("std/models"), "ours.weave": program("./models.weave"), "models.weave": own });
    const most = async (file: string): Promise<number> => {
      const { out } = await weave(["check", file, "--json"], { cwd });
      const data = JSON.parse(out) as { flows: readonly { bounds: { cost_usd: { max: number } } }[] };
      return data.flows[0]?.bounds.cost_usd.max ?? Number.NaN;
    };
    const [list, ours] = [await most("list.weave"), await most("ours.weave")];
    expect(ours).toBeGreaterThan(0);
    expect(ours).toBeLessThan(list / 1.9);
    expect((await weave(["models", "ours.weave"], { cwd })).out).toMatch(/^haiku .*\$0\.50 +\$2\.50/m);
    expect((await weave(["models", "list.weave"], { cwd })).out).toMatch(/^haiku .*\$1\.00 +\$5\.00/m);
  });

  test("what would be reused, called and asked is part of the plan, and nothing is called for it", async () => {
    const cwd = project(FILES);
    const started = await weave(["run", "a.weave", "--input", "in.json", "--sim"], { cwd });
    expect(started.code).toBe(5);
    const id = /^ {2}run (\S+)$/m.exec(started.err)?.[1] ?? "";
    const plan = await weave(["plan", "a.weave", "--input", "in.json", "--reuse", id], { cwd });
    expect(plan.out).toContain(`from ${id} 3 results (Label 3) would be reused; called is done, and what needs it`);
    expect(plan.out).toContain('a person is asked\n  before done: "Sum up {{len(labels)}}?"');
    const data = JSON.parse((await weave(["plan", "a.weave", "--input", "in.json", "--reuse", id, "--json"], { cwd })).out) as unknown;
    expect(data).toMatchObject({
      asked: [{ kind: "approve", by: "done" }],
      reused: { run: id, results: { Label: 3 }, called: ["done"] },
    });
    const { out } = await weave(["runs", "--json"], { cwd });
    expect(JSON.parse(out)).toHaveLength(1);
  });
});
