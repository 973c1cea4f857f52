/** W0550 to W0579: properties of declarations and the bindings of tools. */
import { error } from "./define.js";

const list = (names: readonly string[]) => names.map((n) => `\`${n}\``).join(", ");

const MEDIA_WORDS = { image: "images", audio: "audio", document: "documents" } as const;

export const propertyProblems = {
  // agent A() -> string { modell: m, prompt: "x" }
  unknownProperty: error<{ owner: string; name: string; near: string | undefined; names: readonly string[] }>("W0550", {
    title: ({ owner, name }) => `${owner} has no property \`${name}\``,
    label: ({ near }) => (near === undefined ? "nothing reads it" : `did you mean \`${near}\`?`),
    help: ({ names }) => `It may have ${list(names)}.`,
  }),
  // agent A() -> string { prompt: "x", prompt: "y" }
  propertyTwice: error<{ name: string }>("W0551", {
    title: ({ name }) => `\`${name}\` is given twice`,
    label: "again here",
  }),
  // agent A() -> string { prompt: "x" }
  propertyMissing: error<{ owner: string; name: string; form: string }>("W0552", {
    title: ({ owner, name }) => `${owner} needs \`${name}\``,
    help: ({ form }) => `Add \`${form}\`.`,
  }),
  // model m { provider: "antropic", name: "x" }
  propertyChoice: error<{ name: string; found: string; near: string | undefined; of: readonly string[] }>("W0553", {
    title: ({ name, found }) => `${found} is no value of \`${name}\``,
    label: ({ near }) => (near === undefined ? undefined : `did you mean \`"${near}"\`?`),
    help: ({ of }) => `It is one of ${of.map((o) => `"${o}"`).join(", ")}.`,
  }),
  // model m { fallback: a }
  propertyForm: error<{ name: string; wanted: string; form: string }>("W0554", {
    title: ({ name, wanted }) => `\`${name}\` must be ${wanted}`,
    help: ({ form }) => `It is written \`${form}\`.`,
  }),
  // agent A(n: int) -> string { model: m, prompt: "x", max_turns: n }
  propertyConstant: error<{ name: string }>("W0555", {
    title: ({ name }) => `\`${name}\` must be known when the program is compiled`,
    label: "this is known only when it runs",
    help: "Write a literal or the name of a constant.",
  }),
  // model m { fallback: [a], provider: "openai", name: "x" }
  propertiesExclude: error<{ first: string; second: string; why: string }>("W0556", {
    title: ({ first, second }) => `\`${first}\` and \`${second}\` exclude each other`,
    help: ({ why }) => why,
  }),
  // model m { provider: "openai", name: "x", command: ["a"] }
  propertyOfOther: error<{ name: string; needs: string }>("W0557", {
    title: ({ name, needs }) => `\`${name}\` means something only with ${needs}`,
    label: "nothing reads it here",
  }),
  // model m { provider: "command", command: ["m"] } agent A() -> string { model: m, tools: [t], prompt: "x" }
  toolsOfCommand: error<{ agent: string; model: string }>("W0570", {
    title: ({ agent, model }) => `\`${agent}\` has tools, and its model \`${model}\` cannot call them`,
    label: ({ model }) => `\`${model}\` is a program, which only answers`,
    help: "Give the tools to an agent with another model, or leave them out and let the program use its own.",
  }),
  // agent A(p: image) -> string { model: m, prompt: "{{p}}" }
  mediaOfModel: error<{ agent: string; model: string; kind: "image" | "audio" | "document"; command: boolean }>("W0571", {
    title: ({ agent, model, kind }) => `\`${agent}\` shows ${MEDIA_WORDS[kind]} to \`${model}\`, which takes none`,
    label: ({ model, kind }) => `\`${model}\` has no \`media\` for \`${kind}\``,
    help: ({ model, kind, command }) =>
      command
        ? "A model that is a program gets text only. Give it the path of the file, if it can read files itself."
        : `If the model takes ${MEDIA_WORDS[kind]}, write into \`${model}\` how many tokens one is at most: \`media: { ${kind}: ${{ image: "1_600", audio: "120k", document: "200k" }[kind]} }\`. Otherwise use another model.`,
  }),
  // agent A(x: string) -> string { model: m, prompt: "{{x}}", shrink: { y: "truncate" } }
  shrinkUnknown: error<{ agent: string; name: string; near: string | undefined }>("W0572", {
    title: ({ agent, name }) => `\`${agent}\` has no parameter \`${name}\` to shrink`,
    label: ({ near }) => (near === undefined ? "no such parameter" : `did you mean \`${near}\`?`),
  }),
  // agent A(n: int) -> string { model: m, prompt: "{{n}}", shrink: { n: "truncate" } }
  shrinkForm: error<{ name: string; type: string; summarise: boolean }>("W0573", {
    title: ({ name, summarise }) => `\`${name}\` cannot be ${summarise ? "summarised" : "cut"}`,
    label: ({ type }) => `it is \`${type}\``,
    help: ({ summarise }) =>
      summarise
        ? 'Only texts can be summarised; a list can be cut: `"truncate"`.'
        : "Only texts and lists can be cut; a text that must match a pattern would not match any more.",
  }),
  // tool t() -> string = 3
  notABinding: error<{ near: string | undefined }>("W0560", {
    title: "A tool is bound with `module(…)`, `exec(…)`, `http(…)` or `mcp(…)`",
    label: ({ near }) => (near === undefined ? "this is none of them" : `did you mean \`${near}\`?`),
    help: 'For example `= module("./tools.ts")`, which calls the exported function of the tool\'s name.',
  }),
  // tool t() -> string = module()
  bindingArgumentMissing: error<{ binding: string; name: string; form: string }>("W0561", {
    title: ({ binding, name }) => `\`${binding}\` needs ${name}`,
    help: ({ form }) => `It is written \`${form}\`.`,
  }),
  // tool t() -> string = module("./t.ts", exports: "u")
  bindingArgumentUnknown: error<{ binding: string; name: string; near: string | undefined; form: string }>("W0562", {
    title: ({ binding, name }) => `\`${binding}\` has no argument \`${name}\``,
    label: ({ near }) => (near === undefined ? undefined : `did you mean \`${near}\`?`),
    help: ({ form }) => `It is written \`${form}\`.`,
  }),
  // tool t() -> string = module("./t.ts", "u")
  bindingArgumentsMany: error<{ binding: string; form: string }>("W0563", {
    title: ({ binding }) => `\`${binding}\` takes fewer arguments without a name`,
    help: ({ form }) => `It is written \`${form}\`.`,
  }),
  // agent A() -> string { tools: ["search"] }
  nameInQuotes: error<{ name: string | undefined }>("W0558", {
    title: "Callables are listed by their names, without quotes",
    label: ({ name }) => (name === undefined ? "this is a text" : `write \`${name}\``),
  }),
  // tool t() -> string = http(get: "a", post: "b")
  httpMethods: error<{ found: readonly string[] }>("W0564", {
    title: ({ found }) => (found.length === 0 ? "`http` needs a method and an address" : "`http` sends one request, with one method"),
    label: ({ found }) => (found.length === 0 ? undefined : `${list(found)} are given`),
    help: 'Write one of get, post, put, patch, delete: `http(get: "https://example.com/{{id}}")`.',
  }),
  // tool t() -> int = exec(["wc"], parse: "json")
  bindingWithoutProgram: error("W0565", {
    title: "`exec` needs a program to start",
    label: "this list is empty",
    help: 'The first text is the program, the others are its arguments: `exec(["wc", "-w", "{{path}}"])`.',
  }),
} as const;
