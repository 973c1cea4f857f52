/** W06: effects, information flow, tests. */
import { error } from "./define.js";

const list = (names: readonly string[]) => names.map((n) => `\`${n}\``).join(", ");

export const effectProblems = {
  untrustedToEffect: error<{ param: string; callee: string; source: string }>("W0601", {
    title: ({ callee, param }) => `Untrusted text may not become \`${param}\` of \`${callee}\`, which has effects`,
    label: ({ source }) => `this can hold text from ${source}`,
    help: 'Pass on only values without free text (enums, numbers), let a person agree with `@approve`, or say why it is safe with `trust(x, "why")`.',
  }),
  untrustedAgentEffects: error<{ agent: string; tools: readonly string[]; source: string }>("W0602", {
    title: ({ agent }) => `\`${agent}\` sees untrusted text and may not have effects among its tools`,
    label: ({ tools }) => `${list(tools)} can do something outside`,
    help: ({ source }) =>
      `${source}. Put \`@approve("…")\` on each such tool, or give the effects to another agent that does not see the text.`,
  }),
  speculativeEffect: error<{ name: string; region: string }>("W0603", {
    title: ({ name, region }) => `\`${name}\` has effects, and a \`${region}\` throws results away`,
    label: "a losing attempt could not be undone",
    help: 'Annotate the call with `@compensate(undo)`, or the tool with `@idempotent(key: "…")`.',
  }),
  stubParams: error<{ name: string; params: readonly string[]; found: number }>("W0604", {
    title: ({ name, params }) =>
      `A stub of \`${name}\` names ${params.length === 0 ? "no parameters" : params.length === 1 ? "its parameter" : `its ${params.length} parameters`}`,
    label: ({ found }) => `${found} named here`,
    help: ({ name, params }) =>
      `Write \`stub ${name}(${params.map(() => "_").join(", ")}) => …\`; \`_\` stands for those that are not used${params.length === 0 ? "" : ` (${params.join(", ")})`}.`,
  }),
  oneOfList: error("W0605", { title: "`one_of` takes a list", label: "not a list" }),
  unknownFailureKind: error<{ found: string; near: string | undefined; kinds: readonly string[] }>("W0606", {
    title: ({ found }) => `There is no kind of failure "${found}"`,
    label: ({ near }) => (near === undefined ? "no such kind" : `did you mean "${near}"?`),
    help: ({ kinds }) => `The kinds are ${list(kinds)}.`,
  }),
  secretInValue: error<{ where: string }>("W0607", {
    title: "A secret may not go here",
    label: ({ where }) => `${where} is not declared \`secret\``,
    help: "A secret goes only to a parameter, header or variable that is declared `secret`.",
  }),
} as const;
