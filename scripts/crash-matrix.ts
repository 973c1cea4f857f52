/**
 * The whole crash matrix, for the night: every program is killed before and after every commit of its journal, and at every
 * call. `npm run crash-matrix -- [part of a program's name] [shard/of]`; exits with 1 when anything was repeated or lost.
 */

import { crashMatrix, type Outcome } from "../test/support/crash-matrix.ts";
import { crashPrograms } from "../test/support/crash-programs.ts";
import { bundleIfStale } from "./build.ts";

await bundleIfStale();
const wanted = process.argv[2] ?? "";
const [shard = 0, of = 1] = (process.argv[3] ?? "0/1").split("/").map(Number);
const matrix = await crashMatrix();
const all: Outcome[] = [];
let events = 0;
let programs = 0;
for (const [i, [name, program]] of [...crashPrograms].entries()) {
  if (!name.includes(wanted) || i % of !== shard) continue;
  programs++;
  const whole = await matrix.whole(program);
  const outcomes: Outcome[] = [];
  for (const moment of matrix.moments(whole)) {
    const outcome = await matrix.die(program, whole, moment);
    outcomes.push(outcome);
    for (const told of [
      ...outcome.problems,
      ...outcome.repeated.map((id) => `repeated: ${id}`),
      ...outcome.lost.map((id) => `lost: ${id}`),
    ])
      console.log(`  ${name}, ${moment.kind} ${moment.when} ${moment.n}: ${told}`);
  }
  events += whole.events;
  all.push(...outcomes);
  console.log(line(name, whole.events, outcomes));
}
await matrix.close();
console.log(`${programs} programs, ${line("together", events, all)}`);
process.exitCode = all.some((each) => each.repeated.length + each.lost.length + each.problems.length > 0) ? 1 : 0;

function line(name: string, count: number, outcomes: readonly Outcome[]): string {
  const sum = (of: (outcome: Outcome) => number): number => outcomes.reduce((total, outcome) => total + of(outcome), 0);
  return [
    `${name}: ${count} events, ${sum((each) => (each.killed ? 1 : 0))} deaths`,
    `${sum((each) => each.repeated.length)} repeated calls, ${sum((each) => each.lost.length)} lost results`,
    `${sum((each) => each.again)} calls that were in flight made again, ${sum((each) => each.problems.length)} other problems`,
  ].join("; ");
}
