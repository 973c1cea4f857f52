/**
 * A sample of the crash matrix: every program is killed with SIGKILL at a few moments of its run, resumed, and compared with
 * a run that nobody killed. `npm run crash-matrix` kills at every commit and at every call.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { crashMatrix, type Matrix } from "../support/crash-matrix.js";
import { crashPrograms } from "../support/crash-programs.js";

let matrix: Matrix;
beforeAll(async () => {
  matrix = await crashMatrix();
});
afterAll(() => matrix.close());

describe("killed with SIGKILL and resumed", () => {
  test.each([...crashPrograms])(
    "%s: 0 repeated calls, 0 lost results",
    async (name, program) => {
      const whole = await matrix.whole(program);
      const moments = matrix.moments(whole);
      // Another moment for each program, so that together they are of every kind.
      const moment = moments[(name.length * 7) % moments.length];
      if (moment === undefined) throw new Error("there is no moment to die");
      const { repeated, lost, problems } = await matrix.die(program, whole, moment);
      expect({ repeated, lost, problems }, JSON.stringify(moment)).toEqual({ repeated: [], lost: [], problems: [] });
    },
    60_000,
  );
});
