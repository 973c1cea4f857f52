/** What the command line keeps between runs to start sooner: compiled code, used only where nobody else could have put it. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { project, weave } from "../support/cli.js";

const PROGRAM = "flow main(n: int) -> int { n + 1 }\n";

/** A project, a folder for its cache, and how to check it. */
function started() {
  const cwd = project({ "main.weave": PROGRAM });
  const cache = join(cwd, "cache");
  const folder = join(cache, `weave-compile-cache-${process.getuid?.() ?? ""}`);
  const kept = (): string[] => readdirSync(folder).filter((name) => name.endsWith(".bin"));
  const check = () => weave(["check", "main.weave"], { cwd, env: { XDG_CACHE_HOME: cache } });
  return { folder, kept, check };
}

test("the first run of a command keeps compiled code, later ones use it, and what is damaged is made anew", async () => {
  const { folder, kept, check } = started();
  const first = await check();
  expect(first).toMatchObject({ code: 0, out: expect.stringContaining("main") });
  const [name = ""] = kept();
  expect(kept()).toEqual([expect.stringMatching(/^[0-9a-f]{16}-v[0-9.]+-\w+-check\.bin$/)]);
  const made = readFileSync(join(folder, name));
  expect(await check()).toEqual(first);
  expect(readFileSync(join(folder, name)).equals(made)).toBe(true);
  for (const damaged of [Buffer.from("damaged"), made.subarray(0, made.length / 2), Buffer.alloc(made.length)]) {
    writeFileSync(join(folder, name), damaged);
    expect(await check()).toEqual(first);
    expect(readFileSync(join(folder, name)).length).toBeGreaterThan(made.length / 2);
    expect(readFileSync(join(folder, name)).equals(damaged)).toBe(false);
  }
});

test("what a command that failed compiled is not kept", async () => {
  const { folder, kept } = started();
  const { code } = await weave(["check", "absent.weave"], { env: { XDG_CACHE_HOME: join(folder, "..") } });
  expect([code, kept()]).toEqual([2, []]);
});

test.skipIf(process.getuid === undefined)("a folder that others may write to is not used", async () => {
  const { folder, check } = started();
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o777);
  expect((await check()).code).toBe(0);
  expect(existsSync(folder) && readdirSync(folder)).toEqual([]);
});
