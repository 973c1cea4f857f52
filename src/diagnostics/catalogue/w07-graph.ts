/** W07: the graph of a flow. */
import { error } from "./define.js";

export const graphProblems = {
  stepsWait: error<{ cycle: readonly string[] }>("W0701", {
    title: "These steps wait for each other",
    label: ({ cycle }) => `\`${cycle[0] ?? ""}\` waits for itself`,
    help: ({ cycle }) =>
      `The order would be ${cycle.map((name) => `\`${name}\``).join(" → ")}. Take one \`@after\` out, or use a value only below the step that makes it.`,
  }),
  unknownStep: error<{ step: string; missing: string }>("W0702", {
    title: ({ step, missing }) => `The compiler made a graph in which \`${step}\` waits for \`${missing}\`, which is not there`,
    help: "This is a mistake in the compiler, not in the program. Please report it with the program.",
  }),
  unstartedStep: error<{ step: string }>("W0703", {
    title: ({ step }) => `The compiler made a graph in which \`${step}\` is needed and would never start`,
    help: "This is a mistake in the compiler, not in the program. Please report it with the program.",
  }),
  programTooDeep: error("W0704", {
    title: "Something in this program goes too deep to be checked",
    help: "Expressions, types or callables refer to each other in a chain of thousands. Take the longest chain apart, or put its parts into a list.",
  }),
} as const;
