/** What stands in the way of a run, found before it starts and before anything is spent. */

import { error } from "./define.js";
import type { KeepFacts } from "./w08-bounds.js";

export const runProblems = {
  unsupportedConstruct: error<{ construct: string }>("W0901", {
    title: ({ construct }) => `This version cannot run ${construct}`,
    label: "needed here",
    help: "The program is checked in full, but a run would have to leave this out, so it is not started.",
  }),
  toolNotLoaded: error<{ tool: string; reason: string }>("W0902", {
    title: ({ tool }) => `The tool \`${tool}\` cannot be loaded`,
    label: "declared here",
    help: ({ reason }) => reason,
  }),
  missingEnvironment: error<{ name: string; secret: boolean }>("W0903", {
    title: ({ name }) => `The environment variable ${name} is not set`,
    label: ({ secret }) => (secret ? "this secret is read from it" : "this constant is read from it"),
    help: ({ name, secret }) =>
      secret ? `Set ${name} before the run.` : `Set ${name} before the run, or give a default: env("${name}", "…").`,
  }),
  missingKey: error<{ model: string; provider: string; variable: string }>("W0904", {
    title: ({ model, variable }) => `The model \`${model}\` needs a key: ${variable} is not set`,
    label: "declared here",
    help: ({ provider, variable }) =>
      `Set ${variable} to a key of ${provider}, or try the program without a key: \`weave run … --sim\` answers from the declared types.`,
  }),
  providerNotHere: error<{ model: string; provider: string; known: readonly string[] }>("W0905", {
    title: ({ model, provider }) => `The model \`${model}\` names the provider "${provider}", which cannot be used here`,
    label: "declared here",
    help: ({ known }) => `Providers that can be used: ${known.join(", ")}. \`--sim\` runs every agent on the simulator.`,
  }),
  wrongArgument: error<{ flow: string; name: string; reason: string }>("W0906", {
    title: ({ flow, name }) => `The input \`${name}\` of the flow \`${flow}\` does not fit`,
    label: "declared here",
    help: ({ reason }) => `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`,
  }),
  missingArgument: error<{ flow: string; name: string; type: string }>("W0907", {
    title: ({ flow, name }) => `The flow \`${flow}\` needs the input \`${name}\``,
    label: "declared here",
    help: ({ name, type }) => `Give \`${name}\` (${type}).`,
  }),
  unknownArgument: error<{ flow: string; name: string; known: readonly string[] }>("W0908", {
    title: ({ flow, name }) => `The flow \`${flow}\` has no input \`${name}\``,
    label: "declared here",
    help: ({ known }) => (known.length === 0 ? "It takes no inputs." : `Its inputs are: ${known.join(", ")}.`),
  }),
  missingAddress: error<{ model: string; variable: string }>("W0909", {
    title: ({ model, variable }) => `The model \`${model}\` needs an address: ${variable} is not set`,
    label: "declared here",
    help: ({ variable }) =>
      `Set ${variable} to the address of the endpoint, for example http://127.0.0.1:11434/v1 for Ollama, or write it as \`base_url\`. \`--sim\` runs every agent on the simulator.`,
  }),
  missingProgram: error<{ model: string; program: string }>("W0920", {
    title: ({ model, program }) => `The model \`${model}\` is the program \`${program}\`, which is not here`,
    label: "declared here",
    help: ({ program }) =>
      program.includes("/")
        ? `There is no program at ${program}; paths are relative to the folder the command runs in. \`--sim\` runs every agent on the simulator.`
        : `Install ${program}, or write its path; it is looked for in PATH. \`--sim\` runs every agent on the simulator.`,
  }),
  storeFailed: error<{ reason: string }>("W0910", {
    title: "The run was stopped because it could not be kept",
    help: ({ reason }) =>
      `${reason[0]?.toUpperCase() ?? ""}${reason.slice(1)}. Nothing was started that is not in the store; \`weave resume\` goes on from there once the store can be written again.`,
  }),
  notRecorded: error<{ of: "agent" | "tool" | "person"; name: string; path: string; reason: string; others: number; remedy: string }>(
    "W0911",
    {
      title: ({ of, name }) =>
        of === "person"
          ? `The recording has no answer to the question \`${name}\``
          : `The recording has no answer for the ${of} \`${name}\``,
      label: ({ path }) => `asked for by ${path}`,
      help: ({ name, reason, others, remedy }) =>
        `${reason}${others === 0 ? "" : `\n${others === 1 ? "One other call" : `${others} other calls`} of ${name} ${others === 1 ? "is" : "are"} not in it either.`}\n${remedy}`,
    },
  ),
  badRecording: error<{ reason: string }>("W0912", {
    title: "This recording cannot be read",
    help: ({ reason }) => reason,
  }),
  budgetCannotEnd: error<KeepFacts>("W0913", {
    title: ({ name }) => `The budget of \`${name}\` cannot pay for what this run needs at least`,
    label: ({ cap, needed }) => `${cap} are allowed, ${needed} must be kept back for these inputs`,
    help: ({ from }) =>
      `${from.length === 0 ? "" : `Where it comes from: ${from.join("; ")}. `}Nothing was spent. Allow more, give less, let fewer items be enough (\`@min_success(80%)\`, \`settle\`), or give texts and lists a limit.`,
  }),
  needsStore: error<{ construct: string }>("W0914", {
    title: ({ construct }) => `${construct} needs a store, and this run is kept in none`,
    label: "needed here",
    help: 'Such a lock is held in the store that the runs share. Run it without `--no-store`, in code with `store`; or write `@lock("…")` without `scope`, which holds within the run.',
  }),
} as const;
