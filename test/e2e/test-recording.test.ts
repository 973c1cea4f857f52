/** `weave test` with a recording beside the file, as a process: asked for once, then offline. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { project, weave } from "../support/cli.js";
import { type ModelServer, modelServer } from "../support/model-server.js";

const env = { ANTHROPIC_API_KEY: "test-key-0123456789abcdef" };

const program = (server: Pick<ModelServer, "url">, prompt = "Is this a bug: {{text}}"): string => `
model fast {
  provider: "anthropic"
  name: "claude-haiku-4-5-20251001"
  base_url: "${server.url("anthropic")}"
  api_key: env("ANTHROPIC_API_KEY", "none")
  price: { input: $1.00, output: $5.00 }
  context: 200k
  max_output: 1k
}
tool size(text: string) -> int = module("./tools.ts")
effect tool page(text: string) -> null = module("./tools.ts")

agent Classify(text: string) -> "bug" | "question" {
  model: fast
  prompt: "${prompt}"
}
flow triage(text: string) -> { kind: string, size: int } {
  let kind = Classify(text)
  let paged = if kind == "bug" { page(text) }
  { kind: kind, size: size(text) }
}

test "a crash is a bug" {
  stub page(_) => null
  let out = triage("it crashes")
  expect out.kind == "bug"
  expect out.size == 10
  expect len(calls(page)) == 1
}

test "a crash is a bug, however it is told" {
  stub page(_) => null
  expect triage("it crashes").kind == "bug"
}

test "a wish is none" {
  expect triage("how do I print?").kind == "question"
  expect spend.cost > $0.00
}
`;
const TOOLS =
  "export const size = ({ text }: { text: string }) => text.length;\nexport const page = () => { throw new Error('nobody is to be paged'); };\n";

const server = (): Promise<ModelServer> =>
  modelServer((asked) => ({
    kind: "answer",
    text: JSON.stringify(asked.body.messages).includes("crash") ? '"bug"' : '"question"',
    usage: { input: 100, output: 5 },
  }));

describe("weave test and the recording beside the file", () => {
  test("asks once, then is offline", async () => {
    const models = await server();
    const cwd = project({ "a.weave": program(models), "tools.ts": TOOLS });
    const none = await weave(["test"], { cwd, env });
    expect(none.code).toBe(1);
    expect(none.out).toContain("or record what it gives with `weave test --record`");
    expect(models.asked.length).toBe(0);

    const first = await weave(["test", "--record"], { cwd, env });
    expect(first.err).toContain("a.recording.yaml was written");
    expect(first.out).toContain("3 passed");
    // Two tests ask the same of the model: it was asked once.
    expect(models.asked.length).toBe(2);
    const recorded = readFileSync(join(cwd, "a.recording.yaml"), "utf8");
    expect(recorded).toContain("tool: size");
    expect(recorded).not.toContain("tool: page");

    const again = await weave(["test", "--record"], { cwd, env });
    expect([again.code, again.err, models.asked.length]).toEqual([0, "", 2]);
    expect(readFileSync(join(cwd, "a.recording.yaml"), "utf8")).toBe(recorded);

    // Without the server, the key and the tools.
    const away = project({ "a.weave": program({ url: () => "http://127.0.0.1:9/v1" }), "a.recording.yaml": recorded });
    const offline = await weave(["test"], { cwd: away });
    expect(offline.out).toContain("3 passed");
    expect(offline.code).toBe(0);
  });

  test("says what changed, and updates", async () => {
    const models = await server();
    const cwd = project({ "a.weave": program(models), "tools.ts": TOOLS });
    expect((await weave(["test", "--record"], { cwd, env })).code).toBe(0);

    writeFileSync(join(cwd, "a.weave"), program(models, "Is this a real bug: {{text}}"));
    const { code, out } = await weave(["test"], { cwd, env });
    expect(code).toBe(1);
    expect(out).toContain("the agent Classify is not stubbed, and the recording has no answer for it");
    expect(out).toContain("Is this a {+real +}bug: it crashes");
    expect(out).toContain("weave test a.weave --record");
    expect(models.asked.length).toBe(2);

    const updated = await weave(["test", "--update"], { cwd, env });
    expect(updated.code).toBe(0);
    expect(updated.err).toContain("2 answers that no test asks for dropped");
    expect(models.asked.length).toBe(4);
    const recorded = readFileSync(join(cwd, "a.recording.yaml"), "utf8");
    expect(recorded).toContain("Is this a real bug: it crashes");
    expect(recorded).not.toContain("Is this a bug");
    expect((await weave(["test"], { cwd })).code).toBe(0);
  });

  test("never drops what tests may still need", async () => {
    const models = await server();
    const cwd = project({ "a.weave": program(models), "tools.ts": TOOLS });
    expect((await weave(["test", "--record"], { cwd, env })).code).toBe(0);
    const recorded = readFileSync(join(cwd, "a.recording.yaml"), "utf8");
    expect((await weave(["test", "--update", "--filter", "wish"], { cwd, env })).code).toBe(0);
    expect(readFileSync(join(cwd, "a.recording.yaml"), "utf8")).toBe(recorded);
    writeFileSync(join(cwd, "a.weave"), program(models).replace("out.size == 10", "out.size == 11"));
    expect((await weave(["test", "--update"], { cwd, env })).code).not.toBe(0);
    expect(readFileSync(join(cwd, "a.recording.yaml"), "utf8")).toBe(recorded);
    expect(existsSync(join(cwd, "a.recording.yaml.part"))).toBe(false);
  });

  test("takes one that was written by hand", async () => {
    const cwd = project({
      "a.weave": program({ url: () => "http://127.0.0.1:9/v1" }),
      "a.recording.yaml": `# Written by hand: no model said this.
version: 1
agents:
  - agent: Classify
    asked:
      - prompt: "Is this a bug: it crashes"
        answers:
          - value: bug
      - prompt: "Is this a bug: how do I print?"
        answers:
          - text: '"question"'
            usage: { input: 10, output: 2 }
tools:
  - tool: size
    called:
      - args: { text: it crashes }
        results: [{ value: 10 }]
      - args: { text: how do I print? }
        results: [{ value: 15 }]
`,
    });
    const { code, out } = await weave(["test"], { cwd });
    expect(out).toContain("3 passed");
    expect(code).toBe(0);
  });
});
