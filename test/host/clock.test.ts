import { describe, expect, it } from "vitest";
import { realClock, virtualClock } from "../../src/host/clock.js";

describe.each([
  ["real", realClock],
  ["virtual", virtualClock],
])("the %s clock", (_, make) => {
  it("fires in order of time, never early, and not what was cancelled", async () => {
    const clock = make();
    const fired: string[] = [];
    const began = clock.now();
    const early: boolean[] = [];
    await new Promise<void>((resolve) => {
      const set = (name: string, ms: number) =>
        clock.after(ms, () => {
          fired.push(name);
          early.push(clock.now() < began + ms);
        });
      set("c", 30);
      set("a", 10);
      const cancel = set("x", 10);
      set("b", 10);
      cancel();
      cancel();
      clock.after(40, resolve);
    });
    expect(fired).toEqual(["a", "b", "c"]);
    expect(early).toEqual([false, false, false]);
  });

  it("can be told after it fired that a timer is not wanted", async () => {
    const clock = make();
    let fired = 0;
    const cancel = clock.after(1, () => {
      fired++;
    });
    await new Promise<void>((resolve) => void clock.after(5, resolve));
    cancel();
    clock.after(1, () => {
      fired++;
    });
    await new Promise<void>((resolve) => void clock.after(5, resolve));
    expect(fired).toBe(2);
  });
});

describe("virtual time", () => {
  it("stands still while something outside goes on", async () => {
    const clock = virtualClock();
    let fired = false;
    clock.after(1000, () => {
      fired = true;
    });
    clock.hold();
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect([fired, clock.now()]).toEqual([false, 0]);
    clock.release();
    await new Promise((resolve) => setImmediate(resolve));
    expect([fired, clock.now()]).toEqual([true, 1000]);
  });
});
