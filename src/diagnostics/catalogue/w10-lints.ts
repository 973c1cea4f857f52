/** W10: lints. What compiles and runs, and is still a known bad habit. */
import { note, warning } from "./define.js";

export const lintProblems = {
  // agent reviewCode(path: string) -> string { … }
  nameCase: warning<{ name: string; what: string; style: string; mend: string }>("W1001", {
    title: ({ what, style }) => `Names of ${what} are written in ${style}`,
    label: ({ mend }) => `\`${mend}\` would be usual`,
    help: "In a program that is written alike everywhere, a name tells what it stands for.",
  }),
  // flow f() { let a = Build("a")   let b = Build("b") }     where Build has effects
  needlessOrder: note<{ name: string; together: string }>("W1002", {
    title: ({ name }) => `This call of \`${name}\` waits for the one above only because both have effects`,
    label: "it uses nothing of what stands above",
    help: ({ together }) => `Effects keep their order. If the order does not matter here, run them at once: \`${together}\`.`,
  }),
  // agent Fix(issue: Issue) -> string { model: m, prompt: "{{issue.title}}" }     where Issue has ten fields
  wideContext: note<{ agent: string; param: string; used: readonly string[]; total: number }>("W1003", {
    title: ({ agent, param, used, total }) => `\`${agent}\` is given ${total} fields of \`${param}\`, and its prompt uses ${used.length}`,
    label: ({ used }) => `only ${used.map((f) => `\`${f}\``).join(", ")} ${used.length === 1 ? "is" : "are"} used`,
    help: "A change of any field makes earlier answers unusable. Declare a type with just the fields that the prompt needs; a value with more fields fits it.",
  }),
  // agent Lead(goal: string) -> string { model: m, tools: [Scout, write_text], prompt: "…" }
  busyOrchestrator: warning<{ agent: string; team: readonly string[]; effects: readonly string[] }>("W1004", {
    title: ({ agent }) => `\`${agent}\` leads other agents and does the work as well`,
    label: ({ effects, team }) => `${names(effects)} beside ${names(team)}`,
    help: "An agent that has both tends to do everything itself. Give the effects to an agent of its own and list that one.",
  }),
  // flow f(xs: string[]) { map x in xs { Review(x) } }
  fanOut: warning<{ limit: boolean; policy: boolean; most: string }>("W1005", {
    title: ({ limit, policy, most }) =>
      `This map may start ${most} agents ${limit && policy ? "at once, and one that fails ends it" : limit ? "at once" : "and ends when one of them fails"}`,
    label: ({ limit, policy }) => `no ${[...(limit ? ["limit"] : []), ...(policy ? ["policy for failures"] : [])].join(" and no ")}`,
    help: ({ limit, policy }) =>
      [
        ...(limit ? ["`@parallel(20)` bounds how many run at once."] : []),
        ...(policy ? ["`@min_success(80%)` lets some fail, `settle map` keeps what failed, `@retry` on the agent tries again."] : []),
      ].join(" "),
  }),
  // model m { provider: "openai", name: "gpt-5-mini" }
  floatingModel: warning<{ name: string }>("W1006", {
    title: ({ name }) => `\`${name}\` is a name that moves from one model to the next`,
    label: "answers and costs may change overnight",
    help: "Write the name with its date, as the provider lists it, or import one of std/models.",
  }),
  // model m { provider: "openai", name: "gpt-5-mini-2025-08-07" }
  modelWithoutPrice: warning<{ name: string }>("W1007", {
    title: ({ name }) => `The model \`${name}\` has no price`,
    label: "what it costs is not counted",
    help: "Add `price: { input: $1.00, output: $5.00 }` (per million tokens; zero for a model of your own), or no budget can hold it.",
  }),
  // @retry(2) @fallback(Other) agent A(x: string) -> string { model: robust, … }     where robust has three models
  multipliedAttempts: note<{ agent: string; total: number; parts: readonly string[] }>("W1008", {
    title: ({ agent, total }) => `One call of \`${agent}\` may make ${total} attempts`,
    label: ({ parts }) => parts.join(" × "),
    help: "Retries, fallbacks and the models of a fallback multiply when everything fails. `@budget` or `@timeout` around the call bounds the whole.",
  }),
} as const;

function names(all: readonly string[]): string {
  const shown = all.slice(0, 3).map((name) => `\`${name}\``);
  return `${shown.join(", ")}${all.length > 3 ? " …" : ""}`;
}
