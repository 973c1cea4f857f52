/** Keys and secrets in a run as a process: whatever happens, they stand nowhere but where the program sends them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { project, weave } from "../support/cli.js";
import { modelServer } from "../support/model-server.js";

const MODEL_KEY = "model-key-0123456789abcdef";
const TOKEN = "token/of the+desk=0123456789";
/** Put together here, so that no scanner takes it for a real one. */
const LEAKED = ["sk", "ant", "api03", "L".repeat(40)].join("-");

const program = (url: string): string => `
import { log } from "std/log"
let TOKEN = secret("TOKEN")
model fast { provider: "anthropic", name: "claude-haiku-4-5-20251001", base_url: "${url}", api_key: secret("MODEL_KEY"), price: { input: $1.00, output: $5.00 }, context: 10k, max_output: 100 }

/// Prints what it was started with, and every process of this machine that can be seen.
effect tool look(token: secret string) -> string = exec(["sh", "look.sh"], env: { DESK_TOKEN: token })
effect tool break(token: secret string, text: string) -> string = module("./tools.ts")
agent Say(text: string) -> string { model: fast, prompt: "{{truncate text 40}}" }

flow main() -> { said: string, broke: string } {
  let seen = look(TOKEN)
  let logged = log(seen)
  let broke = try { break(TOKEN, seen) } recover err { err.message }
  { said: Say(seen), broke: broke }
}
flow fails() -> string { break(TOKEN, look(TOKEN)) }
`;

test("keys and secrets are in no output, event, journal, recording, error or list of processes", async () => {
  const server = await modelServer([{ kind: "answer", text: "fine" }]);
  const cwd = project({
    "main.weave": program(server.url("anthropic")),
    "look.sh": `test -n "$DESK_TOKEN" || exit 9\necho "I was given $DESK_TOKEN and found ${LEAKED}"\nfor p in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < "$p" >> processes.txt 2>/dev/null; echo >> processes.txt; done\nexit 0\n`,
    "tools.ts": `export const break_ = 0;\nconst fail = ({ token, text }: { token: string; text: string }) => { throw new Error("cannot use " + token + " for " + text); };\nexport { fail as break };\n`,
  });
  const env = { TOKEN, MODEL_KEY };
  const run = await weave(["run", "main.weave", "main", "--json", "--record", "r.yaml"], { cwd, env });
  expect(run.err).toContain("completed");
  const events = await weave(["show", "--events"], { cwd });
  const shown = await weave(["show"], { cwd });
  const why = await weave(["why", (JSON.parse(run.out) as { run: string }).run], { cwd });
  const failed = await weave(["run", "main.weave", "fails"], { cwd, env });
  expect(failed.err).toContain("cannot use [redacted] for I was given [redacted] and found [redacted]");
  const missing = await weave(["run", "main.weave", "main"], { cwd, env: { TOKEN } });
  expect(missing.err).toContain("MODEL_KEY");

  // The program itself works with what it got; where it prints it, that is its value.
  const { value } = JSON.parse(run.out) as { value: { said: string } };
  expect(value.said).toBe("fine");
  expect(JSON.stringify(server.asked[0]?.headers)).toContain(MODEL_KEY);

  const store = join(cwd, ".weave");
  const kept = readdirSync(store).map((name) => readFileSync(join(store, name)).toString("latin1"));
  const written = [join(cwd, "r.yaml"), join(cwd, "processes.txt")].map((file) => (existsSync(file) ? readFileSync(file, "utf8") : ""));
  expect(written.every((text) => text !== "")).toBe(true);
  const places = [run.out, run.err, events.out, shown.out, why.out, failed.out, failed.err, missing.err, ...kept, ...written];
  for (const secret of [MODEL_KEY, TOKEN, LEAKED])
    for (const form of new Set([secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64")]))
      for (const [i, text] of places.entries()) expect(text.includes(form), `${form} in place ${i}`).toBe(false);
});
