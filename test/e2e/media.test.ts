/** Images in recordings and evaluations: known by what is in them, not by where they lie. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { project, weave } from "../support/cli.js";
import { modelServer } from "../support/model-server.js";

const png = (last: number): Buffer =>
  Buffer.concat([
    Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==", "base64"),
    Buffer.from([last]),
  ]);
const program = (url: string): string => `
model seer {
  provider: "anthropic"
  name: "claude-haiku-4-5-20251001"
  base_url: "${url}"
  api_key: secret("SEER_KEY")
  price: { input: $1.00, output: $5.00 }
  context: 200k
  max_output: 1k
  media: { image: 2k }
}
agent See(photo: image) -> "cat" | "dog" {
  model: seer
  prompt: "What is this? {{photo}}"
}
flow main(photo: image) -> "cat" | "dog" { See(photo) }
test "it is a cat" { expect main("a.png" as image) == "cat" }
`;
const env = { SEER_KEY: "key-of-a-test-012345" };

test("a recording is found by the content of an image: another one at the same path is a miss that says so", async () => {
  const server = await modelServer([{ kind: "answer", text: '"cat"' }]);
  const cwd = project({ "main.weave": program(server.url("anthropic")) });
  writeFileSync(join(cwd, "a.png"), png(1));
  const recorded = await weave(["run", "main.weave", "--photo", "a.png", "--record", "r.yaml"], { cwd, env });
  expect([recorded.code, recorded.out.trim()]).toEqual([0, "cat"]);
  const written = readFileSync(join(cwd, "r.yaml"), "utf8");
  expect(written).toMatch(/- prompt: "What is this\? \[image: a\.png\]"\n\s+media:\n\s+- sha256:[0-9a-f]{64}\n/);
  expect(written).not.toContain("iVBOR");
  const again = (): ReturnType<typeof weave> => weave(["run", "main.weave", "--photo", "a.png", "--replay", "r.yaml"], { cwd, env });
  expect((await again()).out.trim()).toBe("cat");
  writeFileSync(join(cwd, "a.png"), png(2));
  const missed = await again();
  expect(missed.code).toBe(6);
  expect(missed.err).toContain("What it shows is not what was recorded: its content is another.");
  expect(server.asked).toHaveLength(1);

  // The tests of the program use the same; what was written by hand stands for any image.
  writeFileSync(join(cwd, "main.recording.yaml"), written);
  expect((await weave(["test"], { cwd, env })).code).toBe(1);
  writeFileSync(
    join(cwd, "main.recording.yaml"),
    '# Written by hand.\nversion: 1\nagents:\n  - agent: See\n    asked:\n      - prompt: "What is this? [image: a.png]"\n        answers: [{ value: cat }]\n',
  );
  expect((await weave(["test"], { cwd, env })).code).toBe(0);
});

test("a case of an evaluation without an id is known by the content of its image", async () => {
  const cwd = project({ "main.weave": program("http://127.0.0.1:1"), "cases.jsonl": '{"photo": "a.png"}\n' });
  const keyOf = async (): Promise<string> => {
    const { out } = await weave(["eval", "main.weave", "--data", "cases.jsonl", "--sim", "--json", "--baseline", "none"], { cwd, env });
    return (JSON.parse(out) as { rows: readonly { case: string }[] }).rows[0]?.case ?? "";
  };
  writeFileSync(join(cwd, "a.png"), png(1));
  const first = await keyOf();
  expect(await keyOf()).toBe(first);
  writeFileSync(join(cwd, "a.png"), png(2));
  expect(await keyOf()).not.toBe(first);
});
