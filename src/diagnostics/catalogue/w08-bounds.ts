/** W08: bounds, budgets and what is chosen by them. */
import { error, note, warning } from "./define.js";

export interface BudgetFacts {
  /** What the budget stands before. */
  readonly name: string;
  /** As it is written: `$2.00`, `100,000 tokens`. */
  readonly cap: string;
}

export interface KeepFacts extends BudgetFacts {
  readonly needed: string;
  /** What it is for, each with the fields that have no limit. */
  readonly from: readonly string[];
}

export const boundProblems = {
  budgetTooSmall: error<BudgetFacts & { readonly least: string; readonly from: readonly string[]; readonly models: boolean }>("W0801", {
    title: ({ name }) => `The budget of \`${name}\` is smaller than what it needs at least`,
    label: ({ cap, least }) => `${cap} are allowed, at least ${least} are needed`,
    help: ({ from, least, models }) =>
      `${from.length === 0 ? "" : `Where it comes from: ${from.join("; ")}. `}${models ? `A model is asked only if its longest answer can still be paid for. Allow ${least} or more, or make answers shorter with \`max_output\`.` : `Allow ${least} or more.`}`,
  }),
  budgetMayRunShort: note<
    BudgetFacts & { readonly most: string | undefined; readonly enough: string | undefined; readonly nothing: string | undefined }
  >("W0802", {
    title: ({ name, enough }) =>
      enough === undefined ? `The budget of \`${name}\` may run short` : `The budget of \`${name}\` is enough for ${enough}`,
    label: ({ cap, most }) => (most === undefined ? `${cap}, and nothing limits what is used` : `${cap}, and up to ${most} may be used`),
    help: ({ enough, nothing }) =>
      `${enough !== undefined || nothing === undefined ? "" : `Even where lists are empty up to ${nothing} may be used. `}The run never uses more than its budget; when it gets short it ends as well as its types allow.`,
  }),
  unpricedUnderBudget: error<{ readonly model: string; readonly name: string }>("W0803", {
    title: ({ model }) => `\`${model}\` has no price and is used under a budget of money`,
    label: ({ model }) => `nobody can say what \`${model}\` costs here`,
    help: ({ model }) =>
      `Write what it costs for a million tokens into the model \`${model}\`: \`price: { input: $1.00, output: $5.00 }\`, or \`$0.00\` where it costs nothing.`,
  }),
  noCandidate: error<{ readonly capability: string; readonly reasons: readonly string[] }>("W0804", {
    title: ({ capability }) => `No implementation of \`${capability}\` can fit this call`,
    label: ({ reasons }) => (reasons.length === 0 ? "nothing implements it" : "every implementation is too dear or too slow"),
    help: ({ capability, reasons }) =>
      reasons.length === 0
        ? `Declare an agent, tool or flow that \`implements ${capability}\`, or import the file that has one: a call picks among those in the files that this program imports.`
        : `${reasons.join("; ")}.`,
  }),
  prefersNothing: warning<{ readonly capability: string; readonly candidates: readonly string[] }>("W0805", {
    title: ({ capability }) => `What is preferred here is no implementation of \`${capability}\` that fits`,
    label: "the choice is made as if nothing were preferred",
    help: ({ candidates }) =>
      `\`@prefer\` takes an implementation or the model of one. The implementations: ${candidates.map((name) => `\`${name}\``).join(", ")}.`,
  }),
  budgetMayNotEnd: note<KeepFacts>("W0806", {
    title: ({ name }) => `The budget of \`${name}\` may be smaller than what a run needs to come to its end`,
    label: ({ cap, needed }) => `${cap} are allowed, up to ${needed} must be kept back`,
    help: ({ from }) =>
      `${from.length === 0 ? "" : `Where it comes from: ${from.join("; ")}. `}A run that needs more than its budget at least is refused before it spends. Give texts and lists a limit, \`string(..2_000)\` say, or allow more.`,
  }),
} as const;
