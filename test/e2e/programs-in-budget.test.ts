/**
 * The programs with a budget run to their end on the simulator, with real files, git and a web server: within the budget
 * that they state, and within the least one that the compiler takes for enough, where they land.
 */
import { execFileSync } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { project, root, weave } from "../support/cli.js";

interface Told {
  readonly kind: string;
  readonly region?: string;
  readonly path?: string;
  readonly callee?: string;
  readonly account?: string;
  readonly spend?: { readonly costUsd: number };
  readonly failure?: { readonly kind: string; readonly message: string };
}

/** A copy of the programs in a repository of its own, with sources to review. */
function programs(): string {
  const cwd = project({
    "src/one.ts": "export const one = 1;\n",
    "src/two.ts": "export const two = 1 + 1;\n",
    "src/three.ts": "// three\n",
  });
  cpSync(join(root, "examples", "programs"), cwd, { recursive: true });
  const git = (...args: readonly string[]) => execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd });
  git("init", "-q");
  git("add", "-A");
  git("commit", "-q", "-m", "first");
  return cwd;
}

/** Serves what the web tools ask for. */
async function web(): Promise<string> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://127.0.0.1");
    const query = searchParams.get("q") ?? searchParams.get("url") ?? "";
    const hits = Array.from({ length: 4 }, (_, i) => ({ url: `https://example.org/${encodeURIComponent(query)}/${i}`, title: `hit ${i}` }));
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(pathname === "/search" ? hits : { url: query, text: `what is known about ${query}. `.repeat(20) }));
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const BUDGET = /@budget\(\$([0-9.]+)/;

/** Gives the program another amount for its budget. */
function withBudget(cwd: string, file: string, amount: string): void {
  const source = readFileSync(join(cwd, file), "utf8");
  const changed = source.replace(BUDGET, () => `@budget(${amount}`);
  expect(source).toMatch(BUDGET);
  writeFileSync(join(cwd, file), changed);
}

async function ran(cwd: string, file: string, args: readonly string[], seed: number) {
  const env = { SEARCH_URL: await web() };
  const { code, out, err } = await weave(["run", file, "--sim", "--no-store", "--events", "--seed", String(seed), ...args], { cwd, env });
  const events = out
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { readonly event: Told }).event);
  const end = events.findLast(({ kind }) => kind.startsWith("run."));
  return { code, err, events, end: end?.kind, spent: end?.spend?.costUsd ?? Number.NaN };
}

/** `tight`: where how much there is to do is known only when it runs, what is enough for its sizes. */
const cases = [
  { file: "code_review.weave", args: ["--dir", "src"], budget: 2, tight: "$1.06" },
  { file: "research_desk.weave", args: ["--question", "why is the sky blue", "--depth", "2"], budget: 1.5, tight: "$1.00" },
  { file: "scout_plan_build_review.weave", args: ["--goal", "a login"], budget: 5, tight: undefined },
  { file: "triage.weave", args: ["--issue", '{"id":"7","title":"data loss","body":"rows vanish"}'], budget: 0.5, tight: undefined },
] as const;

describe.each(cases)("$file", ({ file, args, budget, tight }) => {
  test.each([1, 2])("runs to its end within its budget, seed %i", async (seed) => {
    const { code, err, events, end, spent } = await ran(programs(), file, args, seed);
    expect(err).not.toContain("W0");
    expect([code, end]).toEqual([0, "run.completed"]);
    expect(events.filter(({ kind }) => kind === "budget.refused")).toEqual([]);
    expect(spent).toBeGreaterThan(0);
    expect(spent).toBeLessThanOrEqual(budget);
  });

  test(tight === undefined ? "runs to its end within the least budget that is accepted" : `lands within ${tight}`, async () => {
    const cwd = programs();
    withBudget(cwd, file, tight ?? "$0.001");
    for (let asked = 0; tight === undefined && asked < 3; asked++) {
      const { err } = await weave(["run", file, "--sim", "--no-store", ...args], { cwd });
      const needed = /\$([0-9.]+) (?:are needed|must be kept back)/.exec(err)?.[1];
      if (needed === undefined) break;
      withBudget(cwd, file, `$${(Number(needed) + 0.005).toFixed(4)}`);
    }
    const least = Number(readFileSync(join(cwd, file), "utf8").match(BUDGET)?.[1]);
    expect(least).toBeGreaterThan(0.1);
    expect(least).toBeLessThan(budget);
    const { code, end, spent } = await ran(cwd, file, args, 1);
    expect([code, end]).toEqual([0, "run.completed"]);
    expect(spent).toBeLessThanOrEqual(least);
  });
});
