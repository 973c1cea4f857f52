/** `@lock(scope: "global")` across runs that share a store: several runs side by side, in virtual time. */
import { describe, expect, test } from "vitest";
import { type VirtualClock, virtualClock } from "../../src/host/clock.js";
import { memoryStore } from "../../src/host/store/memory.js";
import { type Keeping, resumeKept, runKept } from "../../src/runtime/durable.js";
import type { RunEvent } from "../../src/runtime/events.js";
import type { RunOptions } from "../../src/runtime/options.js";
import type { RunHandle } from "../../src/runtime/run.js";
import { type Store, StoreError } from "../../src/runtime/store.js";
import type { ToolFunction } from "../../src/runtime/tool.js";
import { graphOf, optionsIn, world } from "../support/crashing.js";
import { durableHead } from "../support/durable-programs.js";
import { onClock } from "../support/flows.js";
import { broken } from "../support/invariants.js";

/** A store, a clock and tools that several runs share; `log` holds what tools were told, with the time. */
function shared(more: Readonly<Record<string, ToolFunction>> = {}) {
  const clock = virtualClock();
  const jump = { by: 0 };
  const jumping: VirtualClock = { ...clock, wall: () => clock.wall() + jump.by };
  const store = memoryStore(() => jumping.wall());
  const log: string[] = [];
  let inside = 0;
  let most = 0;
  const section = async (ms: number, { clock: time, run }: { readonly clock: RunOptions["clock"]; readonly run: string }) => {
    most = Math.max(most, ++inside);
    log.push(run);
    await onClock(time, ms);
    inside--;
  };
  const hooks = { pause: (): void => undefined };
  const tools: Readonly<Record<string, ToolFunction>> = {
    ...more,
    pause: ({ x }) => {
      log.push("paused");
      hooks.pause();
      return x;
    },
    post: async ({ x }, context) => {
      await section(100, context);
      return x;
    },
    put: async ({ x }, context) => {
      await section(5000, context);
      return x;
    },
  };
  const start = (id: string, source: string, more: Partial<RunOptions> = {}, at: Partial<Keeping> = {}) => {
    const program = { source: `${durableHead}effect tool pause(x: int) -> int = module("./tools.ts")\n${source}\n` };
    const options = { ...optionsIn(program, world(), jumping, tools), ask: () => undefined, id, seed: 5, ...more };
    return runKept(
      graphOf(program),
      "main",
      {},
      options,
      { store, owner: id, soon: setImmediate, ...at },
      { file: "a.weave", options: {} },
    );
  };
  const carryOn = (id: string, more: Partial<RunOptions> = {}): RunHandle => {
    const lease = store.acquire(id, `${id} again`, 15_000);
    const stored = store.load(id);
    if (lease.kind !== "held" || stored === undefined) throw new Error("the run is taken");
    const options = { ...optionsIn({ source: "" }, world(), jumping, tools), ask: () => undefined, ...more };
    return resumeKept(stored, options, { store, owner: `${id} again`, soon: setImmediate }, { fence: lease.fence });
  };
  const eventsOf = (id: string): readonly RunEvent[] => store.load(id)?.events ?? [];
  return { clock, store, log, most: () => most, start, carryOn, eventsOf, jump, hooks };
}

const settled = async (...runs: readonly RunHandle[]) => (await Promise.all(runs.map((run) => run.result))).map(({ status }) => status);
const locked = (tool: "put" | "post" | "pause", n: number): string =>
  `flow main() -> int[] { map x in range(${n}) { @lock("one", scope: "global") ${tool}(x) } }`;

/** Another process took the lock `one` and was never heard of again. */
function deadHolder({ clock, store }: { readonly clock: VirtualClock; readonly store: Store }): number {
  const graph = graphOf({ source: "flow main() -> int { 1 }\n" });
  const start = { run: "dead", file: "a.weave", flow: "main", graph, inputs: {}, seed: 1, options: {}, startedAt: clock.wall() };
  const fence = store.begin(start, "dead", 15_000);
  const turn = store.lock("dead", fence, { name: "one", back: undefined, waiting: ["main/put"], dead: undefined });
  if (turn.kind !== "held") throw new Error("the lock is taken");
  return fence;
}

describe("a lock across runs", () => {
  test("lets one call in at a time, whichever run asked first, and tells who waits for whom", async () => {
    const all = shared();
    expect(await settled(all.start("a", locked("post", 3)), all.start("b", locked("post", 3)))).toEqual(["completed", "completed"]);
    expect(all.most()).toBe(1);
    expect(all.log).toHaveLength(6);
    // The first of the other run came before the later ones of this.
    expect(all.log.indexOf("b")).toBeLessThan(all.log.lastIndexOf("a"));
    const waits = all.eventsOf("b").flatMap((event) => (event.kind === "call.queued" && event.run !== undefined ? [event.run] : []));
    expect(waits).toContain("a");
    for (const id of ["a", "b"]) expect(broken(all.eventsOf(id))).toEqual([]);
    // Nothing of it is left.
    expect(all.store.lock("a", 1, { name: "one", back: undefined, waiting: ["x"], dead: undefined }).kind).toBe("held");
  });

  test("is a lock of the run as well, in the order of asking, and other names are other locks", async () => {
    const all = shared();
    const source = 'flow main() -> int[] { map x in range(4) { @lock("l{{x % 2}}", scope: "global") post(x) } }'
      .replace("{{x % 2}}", "{{n}}")
      .replace("map x in range(4) {", "map x in range(4) {\n  let n = x % 2\n ");
    expect(await settled(all.start("a", source))).toEqual(["completed"]);
    expect([all.most(), all.clock.now()]).toEqual([2, 200]);
  });

  test("is taken from a run that died, when its time is over, and what that one writes is refused", async () => {
    const all = shared();
    const fence = deadHolder(all);
    const before = all.clock.now();
    expect(await settled(all.start("a", locked("post", 1)))).toEqual(["completed"]);
    // 15 s of lease, 2.5 s in which nothing was heard, and the call.
    expect(all.clock.now() - before).toBeGreaterThanOrEqual(15_100);
    expect(all.clock.now() - before).toBeLessThanOrEqual(18_600);
    expect(all.eventsOf("a").filter((event) => event.kind === "lock.taken_over")).toMatchObject([{ run: "dead" }]);
    expect(() => all.store.append("dead", fence, [])).toThrow(StoreError);
  });

  test("is kept by a run that lives when the calendar jumps, and not for longer when it is set back", async () => {
    const all = shared();
    const holder = all.start("a", locked("put", 1));
    const waiting = all.start("b", locked("put", 1));
    all.clock.after(2100, () => {
      all.jump.by = 3_600_000;
    });
    expect(await settled(holder, waiting)).toEqual(["completed", "completed"]);
    expect([all.most(), all.log]).toEqual([1, ["a", "b"]]);
    expect(all.eventsOf("b").some((event) => event.kind === "lock.taken_over")).toBe(false);
    const later = shared();
    deadHolder(later);
    later.jump.by = -24 * 3_600_000;
    const before = later.clock.now();
    expect(await settled(later.start("a", locked("post", 1)))).toEqual(["completed"]);
    expect(later.clock.now() - before).toBeLessThanOrEqual(19_000);
  });

  test("is not waited for any more by a call that was cancelled, and the next one gets it", async () => {
    const all = shared();
    const [a, b, c] = [all.start("a", locked("put", 1)), all.start("b", locked("put", 1)), all.start("c", locked("put", 1))];
    all.clock.after(2000, () => b.cancel());
    const cancelledAt = b.result.then(() => all.clock.now());
    expect(await settled(a, b, c)).toEqual(["completed", "cancelled", "completed"]);
    expect(await cancelledAt).toBeLessThan(2600);
    expect([all.log, all.most()]).toEqual([["a", "c"], 1]);
    const raced = shared();
    const source =
      'flow main() -> int {\n  let w = race { t(1), waits(2) }\n  slow(w)\n}\nflow waits(x: int) -> int { @lock("one", scope: "global") t(x) }';
    const holder = raced.start("a", locked("put", 1));
    const racer = raced.start("b", source);
    const next = raced.start("c", locked("post", 1));
    expect(await settled(holder, racer, next)).toEqual(["completed", "completed", "completed"]);
  });

  test("is held while its run waits for a person, and free when the run is paused", async () => {
    const all = shared();
    const asking =
      'flow main() -> int { @lock("one", scope: "global") asks() }\nflow asks() -> int {\n  let n = ask "How many?" as int\n  post(n)\n}';
    const first = all.start("a", asking);
    expect(await settled(first)).toEqual(["waiting"]);
    const other = all.start("b", locked("post", 1));
    // Long after every lease of the first run the other one waits still.
    all.clock.after(60_000, () => {
      all.log.push("answered");
      all.store.answer("a", "main/asks/n", 3);
      const again = all.carryOn("a", { answers: all.store.answers("a") });
      void again.result;
    });
    expect(await settled(other)).toEqual(["completed"]);
    expect([all.log, all.most()]).toEqual([["answered", "a", "b"], 1]);
    const paused = shared();
    const one = paused.start("a", locked("pause", 2));
    paused.hooks.pause = () => one.pause();
    const two = paused.start("b", locked("post", 1));
    expect(await settled(one, two)).toEqual(["paused", "completed"]);
    expect(paused.log).toEqual(["paused", "b"]);
    expect(await settled(paused.carryOn("a"))).toEqual(["completed"]);
    expect(paused.log).toEqual(["paused", "b", "paused"]);
  });

  test("that waits for one of another run, which waits for it, is told with the names", async () => {
    const all = shared();
    const crossing = (outer: string, inner: string) =>
      `flow main() -> int { @lock("${outer}", scope: "global") holds() }\nflow holds() -> int {\n  let a = post(1)\n  @lock("${inner}", scope: "global") t(a)\n}`;
    const runs = [all.start("a", crossing("X", "Y")), all.start("b", crossing("Y", "X"))];
    const ended = await Promise.all(runs.map((run) => run.result));
    expect(ended.map(({ status }) => status).sort()).toEqual(["completed", "failed"]);
    const [failed] = ended.flatMap((each) => (each.failure === undefined ? [] : [each.failure]));
    expect(failed).toMatchObject({
      kind: "assertion",
      message: expect.stringMatching(/^these locks wait for each other: (X → Y → X|Y → X → Y)$/),
    });
  });

  /**
   * Branches of a run: each takes a lock, works for a while, then wants another: `from>to`, global where the name is a capital.
   * With a number it does so many milliseconds later.
   */
  const branches = (...all: readonly string[]): string => {
    const lock = (name: string): string => `@lock("${name}"${name === name.toUpperCase() ? ', scope: "global"' : ""})`;
    const names = all.map((_, i) => `b${i}`);
    const flows = all.map((branch, i) => {
      const [from = "", to = "", later = "0"] = branch.split(/[>+]/);
      return `flow b${i}(x: int) -> int { ${lock(from)} h${i}(x) }\nflow h${i}(x: int) -> int {\n  let a = post(after(x, ${later}))\n  ${lock(to)} t(a)\n}`;
    });
    return `tool after(x: int, ms: int) -> int = module("./tools.ts")\nflow main() -> int {\n  let f = fork { ${names.map((name) => `${name}: ${name}(1)`).join(", ")} }\n  ${names.map((name) => `f.${name}`).join(" + ")}\n}\n${flows.join("\n")}`;
  };
  const after: ToolFunction = ({ x, ms }, { clock }) => onClock(clock, Number(ms)).then(() => x);

  test.each([
    // One holds G and waits for l, whose holder waits for H, whose holder, another run, waits for G.
    ["of another run through a lock of its own", [["G>l", "l>H"], ["H>G"]], ["G → l → H", "l → H → G", "H → G → l"]],
    ["found when a local lock is the last to be wanted", [["G>l+200", "l>H"], ["H>G"]], ["G → l → H", "l → H → G", "H → G → l"]],
    [
      "through locks of both runs",
      [
        ["G>l", "l>H"],
        ["H>k", "k>G"],
      ],
      ["G → l → H → k", "H → k → G → l"],
    ],
    ["through two locks of one run", [["G>l", "l>m", "m>H"], ["H>G"]], ["G → l → m → H"]],
    ["through three runs", [["G>l", "l>H"], ["H>I"], ["I>G"]], ["G → l → H → I"]],
  ] as const)("is told in a cycle %s", async (_, runs, ways) => {
    const all = shared({ after });
    const started = runs.map((each, i) => all.start(`r${i}`, branches(...each)));
    const ended = await Promise.all(started.map((run) => run.result));
    const failures = ended.flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
    expect(failures).toHaveLength(1);
    // The names of the cycle, wherever it is entered.
    const [first, ...rest] = /^these locks wait for each other: (.*)$/.exec(failures[0]?.message ?? "")?.[1]?.split(" → ") ?? [];
    expect(failures[0]?.kind).toBe("assertion");
    expect(rest.at(-1)).toBe(first);
    const turned = rest.map((__, i) => [...rest.slice(i), ...rest.slice(0, i)].join(" → "));
    expect(turned.some((way) => (ways as readonly string[]).includes(way))).toBe(true);
    expect(ended.filter(({ status }) => status === "completed")).toHaveLength(runs.length - 1);
  });

  test("is only waited for where a lock of the run ends before the cycle is closed", async () => {
    const all = shared({ after });
    // The one with l wants H as well, but l is not wanted by who has G.
    expect(await settled(all.start("a", branches("G>k", "l>H")), all.start("b", branches("H>G")))).toEqual(["completed", "completed"]);
    // Somebody waited for l, and waits no more.
    const given = shared({ after });
    const source = `flow main() -> int {\n  let f = fork { a: try { @timeout(150ms) one(1) } recover err { 0 }, b: two(2) }\n  f.a + f.b\n}\nflow one(x: int) -> int { @lock("G", scope: "global") g(x) }\nflow g(x: int) -> int { @lock("l") t(x) }\nflow two(x: int) -> int { @lock("l") l(x) }\nflow l(x: int) -> int {\n  let a = put(x)\n  @lock("H", scope: "global") t(a)\n}`;
    expect(await settled(given.start("a", source), given.start("b", branches("H>G")))).toEqual(["completed", "completed"]);
  });

  test("stops the run where the store fails, before what it locks starts", async () => {
    const all = shared();
    const full: Store = {
      ...all.store,
      lock: () => {
        throw new StoreError("full", "the store cannot be used: the disk is full");
      },
    };
    const run = await all.start("a", locked("post", 1), {}, { store: full }).result;
    expect(run).toMatchObject({ status: "failed", problems: [{ code: "W0910" }] });
    expect(all.log).toEqual([]);
  });
});
