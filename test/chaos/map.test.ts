/** A fan-out of 100 at 50 at once, killed in the middle: what was answered is not asked again, and the order is kept. */
import { expect, test } from "vitest";
import { crashMatrix } from "../support/crash-matrix.js";
import { fanOut } from "../support/crash-programs.js";

test("a map of 100 that is killed in the middle asks only for what was not answered", async () => {
  const matrix = await crashMatrix();
  try {
    const whole = await matrix.whole(fanOut);
    expect(whole.value).toEqual(Array.from({ length: 100 }, (_, i) => 2 * i));
    expect(whole.arrivals).toHaveLength(100);
    const { killed, repeated, lost, problems, again } = await matrix.die(fanOut, whole, { kind: "call", when: "answered", n: 60 });
    expect({ killed, repeated, lost, problems }).toEqual({ killed: true, repeated: [], lost: [], problems: [] });
    expect(again).toBeLessThanOrEqual(50);
  } finally {
    await matrix.close();
  }
}, 60_000);
