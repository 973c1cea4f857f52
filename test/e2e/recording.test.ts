/** Recording and replaying as a process: real requests to a server on this machine, then without it. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { project, start, weave } from "../support/cli.js";
import { type ModelServer, modelServer, type Reply } from "../support/model-server.js";

const KEY = "test-key-0123456789abcdef";
const TOKEN = "a-token-of-the-desk-0987";

const program = (server: Pick<ModelServer, "url">, prompt = "Judge this word: {{word}}"): string => `
import { read_text } from "std/fs"

model fast {
  provider: "anthropic"
  name: "claude-haiku-4-5-20251001"
  base_url: "${server.url("anthropic")}"
  api_key: secret("DESK_KEY")
  price: { input: $1.00, output: $5.00 }
  context: 200k
  max_output: 1k
}

/// How long a word is.
tool size(word: string) -> int = module("./tools.ts")

let TOKEN = secret("DESK_TOKEN")
effect tool tell(token: secret string, text: string) -> string = module("./tools.ts")

type Verdict = { label: "good" | "bad", size: int }

@retry(2, backoff: 10ms)
agent Judge(word: string) -> Verdict {
  model: fast
  tools: [size]
  system: "You judge words."
  prompt: "${prompt}"
}

flow main(file: string = "words.txt") -> { labels: string[], told: string } {
  let words = lines(read_text(file))
  let verdicts = map word in words { Judge(word) }
  let told = tell(TOKEN, "{{len verdicts}} words")
  { labels: map v in verdicts { v.label }, told: told }
}
`;

const TOOLS = `import { appendFileSync } from "node:fs";
export const size = ({ word }: { word: string }) => word.length;
export const tell = ({ token, text }: { token: string; text: string }) => {
  appendFileSync("told.txt", text + "\\n");
  return \`told \${text} as \${token}\`;
};
`;
const env = { DESK_KEY: KEY, DESK_TOKEN: TOKEN };

/** Asks for the size first, then answers by it; the first request for "beta" is turned away. */
function replies(): (asked: { readonly body: { readonly messages: readonly unknown[] } }, n: number) => Reply {
  let turnedAway = false;
  return ({ body }) => {
    const text = JSON.stringify(body.messages);
    if (text.includes("beta") && !turnedAway) {
      turnedAway = true;
      return { kind: "status", status: 529, type: "overloaded_error" };
    }
    const word = /word: (\w+)/.exec(text)?.[1] ?? "";
    if (!text.includes("tool_result"))
      return {
        kind: "answer",
        calls: [{ id: `c-${word}`, name: "size", arguments: JSON.stringify({ word }) }],
        usage: { input: 100, output: 10 },
      };
    return {
      kind: "answer",
      text: `{"label":"${word.length > 4 ? "good" : "bad"}","size":${word.length}}`,
      usage: { input: 200, output: 20 },
    };
  };
}

function folder(server: Pick<ModelServer, "url">): string {
  return project({ "a.weave": program(server), "tools.ts": TOOLS, "words.txt": "alpha\nbeta" });
}

const nowhere = { url: () => "http://127.0.0.1:9/v1" };

describe("weave run --record and --replay", () => {
  test("replay without key, server, tools or files what was recorded", async () => {
    const server = await modelServer(replies() as never);
    const cwd = folder(server);
    const first = await weave(["run", "a.weave", "--record", "a.yaml", "--json"], { cwd, env });
    expect(first.err).toContain("completed");
    expect(first.code).toBe(0);
    const recorded = readFileSync(join(cwd, "a.yaml"), "utf8");
    expect(recorded).toMatch(/^# Recorded by `weave run a\.weave --record` from real calls\.\n/);
    for (const secret of [KEY, TOKEN, "127.0.0.1"]) expect(recorded).not.toContain(secret);
    expect(recorded).toContain("kind: overloaded");
    expect(existsSync(join(cwd, "a.yaml.part"))).toBe(false);
    const asked = server.asked.length;

    // Another folder, where none of it is.
    const away = project({ "a.weave": program(nowhere), "a.yaml": recorded });
    const second = await weave(["run", "a.weave", "--replay", "a.yaml", "--json"], { cwd: away });
    expect(second.err).toContain("came from a recording");
    expect(second.code).toBe(0);
    const [before, now] = [JSON.parse(first.out), JSON.parse(second.out)];
    expect(now.value).toEqual({ ...before.value, told: "told 2 words as [redacted]" });
    expect(now.spend).toEqual(before.spend);
    expect([before.replayed, now.replayed, now.simulated]).toEqual([false, true, false]);
    expect(server.asked.length).toBe(asked);
    expect(existsSync(join(away, "told.txt"))).toBe(false);
    const shown = await weave(["show", "--json"], { cwd: away });
    expect(JSON.parse(shown.out)).toMatchObject({ status: "completed", replayed: true });
  });

  test("a recording does not depend on the order of the answers", async () => {
    const texts: string[] = [];
    for (const _ of [1, 2]) {
      const server = await modelServer(replies() as never);
      const cwd = folder(server);
      expect((await weave(["run", "a.weave", "--record", "a.yaml"], { cwd, env })).code).toBe(0);
      texts.push(readFileSync(join(cwd, "a.yaml"), "utf8").replace(/ *took_ms: \d+\n/g, ""));
    }
    expect(texts[1]).toBe(texts[0]);
  });

  test("stop at what is not recorded, say what changed, and fill it in", async () => {
    const server = await modelServer(replies() as never);
    const cwd = folder(server);
    expect((await weave(["run", "a.weave", "--record", "a.yaml"], { cwd, env })).code).toBe(0);
    const told = readFileSync(join(cwd, "told.txt"), "utf8");

    writeFileSync(join(cwd, "words.txt"), "alpha\ngamma");
    const miss = await weave(["run", "a.weave", "--replay", "a.yaml", "--file", "words.txt"], { cwd });
    // The text of the file is recorded as well, so the replay is still of the old words.
    expect(miss.code).toBe(0);

    writeFileSync(join(cwd, "a.weave"), program(server, "Judge this one word: {{word}}"));
    const changed = await weave(["run", "a.weave", "--replay", "a.yaml", "--json"], { cwd });
    expect(changed.code).toBe(6);
    expect(JSON.parse(changed.out)).toMatchObject({ status: "failed", failure: { kind: "denied" }, replayed: true });
    expect(changed.err).toContain("error[W0911]: The recording has no answer for the agent `Judge`");
    expect(changed.err).toContain("Judge this {+one +}word: alpha");
    expect(changed.err).toContain("One other call of Judge is not in it either.");
    expect(changed.err).toContain("weave run a.weave --record a.yaml");

    const asked = server.asked.length;
    const filled = await weave(["run", "a.weave", "--replay", "a.yaml", "--record", "a.yaml"], { cwd, env });
    expect(filled.err).toContain("completed");
    expect(filled.code).toBe(0);
    // Two words, two turns each; the file was not read and nobody was told again.
    expect(server.asked.length).toBe(asked + 4);
    expect(readFileSync(join(cwd, "told.txt"), "utf8")).toBe(told);
    const recorded = readFileSync(join(cwd, "a.yaml"), "utf8");
    expect(recorded).toContain("Judge this one word: beta");
    expect(recorded).toContain("Judge this word: beta");
    expect((await weave(["run", "a.weave", "--replay", "a.yaml"], { cwd })).code).toBe(0);
  });

  test("keep what was answered before the process was killed", async () => {
    const reply = replies();
    const server = await modelServer(((asked: never, n: number) => {
      const text = JSON.stringify((asked as { body: { messages: unknown } }).body.messages);
      return text.includes("beta") ? { kind: "hang" } : reply(asked, n);
    }) as never);
    const cwd = folder(server);
    const run = start(["run", "a.weave", "--record", "a.yaml"], { cwd, env });
    await server.came(3);
    // The second turn for alpha has been answered when its line stands in the file beside the recording.
    await expect
      .poll(() => (existsSync(join(cwd, "a.yaml.part")) ? readFileSync(join(cwd, "a.yaml.part"), "utf8") : ""))
      .toContain('"label\\":\\"good');
    run.signal("SIGKILL");
    await run.ended;

    const again = await modelServer(replies() as never);
    writeFileSync(join(cwd, "a.weave"), program(again));
    const filled = await weave(["run", "a.weave", "--replay", "a.yaml", "--record", "a.yaml"], { cwd, env });
    expect(filled.code).toBe(0);
    expect(again.asked.every(({ body }) => JSON.stringify(body.messages).includes("beta"))).toBe(true);
    expect(existsSync(join(cwd, "a.yaml.part"))).toBe(false);
  });

  test("say that the simulator made it up", async () => {
    const cwd = folder(nowhere);
    const first = await weave(["run", "a.weave", "--sim", "--record", "a.yaml", "--json"], { cwd, env });
    expect(first.code).toBe(0);
    expect(readFileSync(join(cwd, "a.yaml"), "utf8")).toMatch(/^# Made up by .* no model was asked\.\n/);
    const second = await weave(["run", "a.weave", "--replay", "a.yaml", "--json"], { cwd });
    expect(JSON.parse(second.out)).toMatchObject({
      simulated: true,
      replayed: true,
      value: { labels: JSON.parse(first.out).value.labels },
    });
    expect(second.err).toContain("simulated");
  });

  test("answers of people are recorded too", async () => {
    const cwd = project({
      "a.weave": `flow main() -> string {\n  let ok = ask "Go on?" as bool\n  if ok { "went on" } else { "stopped" }\n}\n`,
    });
    const waiting = await weave(["run", "a.weave", "--record", "a.yaml"], { cwd });
    expect(waiting.code).toBe(5);
    const id = /run (r\w+)/.exec(waiting.err)?.[1] ?? "";
    expect((await weave(["answer", id, "true"], { cwd })).code).toBe(0);
    expect((await weave(["resume", id], { cwd })).out).toBe("went on\n");
    expect(readFileSync(join(cwd, "a.yaml"), "utf8")).toContain("question: Go on?");
    expect((await weave(["run", "a.weave", "--replay", "a.yaml"], { cwd })).out).toBe("went on\n");
    writeFileSync(join(cwd, "a.weave"), readFileSync(join(cwd, "a.weave"), "utf8").replace("Go on?", "Go on now?"));
    const { code, err } = await weave(["run", "a.weave", "--replay", "a.yaml"], { cwd });
    expect(code).toBe(6);
    expect(err).toContain("Go on{+ now+}?");
  });

  test.each([
    [["--sim", "--replay", "a.yaml"], "--sim and --replay both say where answers come from", 2],
    [["--replay", "a.yaml", "--record", "b.yaml"], "both name the same file", 2],
    [["--replay", "b.yaml"], "error[W0950]", 2],
    [["--replay", "a.weave"], "error[W0912]", 2],
  ])("refuse %j", async (args, said, expected) => {
    const cwd = project({ "a.weave": `flow main() -> string {\n  "x"\n}\n`, "a.yaml": "version: 1\n" });
    const { code, err } = await weave(["run", "a.weave", ...args], { cwd });
    expect(err).toContain(said);
    expect(code).toBe(expected);
  });
});
