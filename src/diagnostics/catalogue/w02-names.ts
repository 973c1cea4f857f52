/** W02: names, files, imports. */
import { error, warning } from "./define.js";

const list = (names: readonly string[]) => names.map((n) => `\`${n}\``).join(", ");

export const nameProblems = {
  unknownName: error<{ name: string; near: string | undefined }>("W0201", {
    title: ({ name }) => `\`${name}\` is not declared`,
    label: ({ near }) => (near === undefined ? "no such name here" : `did you mean \`${near}\`?`),
    help: ({ near }) => (near === undefined ? "Declare it, import it, or take it as a parameter." : undefined),
  }),
  usedTooEarly: error<{ name: string }>("W0217", {
    title: ({ name }) => `\`${name}\` has no value yet`,
    label: "used above its `let`",
    help: "A name can be used only below the `let` that gives it its value.",
  }),
  unknownType: error<{ name: string; near: string | undefined; instead?: string | undefined }>("W0202", {
    title: ({ name }) => `There is no type \`${name}\``,
    label: ({ near, instead }) =>
      instead !== undefined ? `write \`${instead}\`` : near === undefined ? "no such type" : `did you mean \`${near}\`?`,
    help: ({ near, name, instead }) =>
      near === undefined && instead === undefined ? `Declare it with \`type ${name} = …\` or import it.` : undefined,
  }),
  duplicateName: error<{ name: string; local: boolean }>("W0203", {
    title: ({ name, local }) => `\`${name}\` is declared twice in this ${local ? "block" : "file"}`,
    label: "declared again here",
    help: ({ local }) =>
      local
        ? "A value never changes, so a name gets one value only: give the second one a name of its own."
        : "A file has one namespace for types, callables, models and constants: rename one of them.",
  }),
  importNotFound: error<{ specifier: string }>("W0204", {
    title: ({ specifier }) => `The import \`${specifier}\` was not found`,
    label: "no such file or package",
    help: ({ specifier }) =>
      specifier.startsWith("std/")
        ? "The standard modules are std/models, std/fs, std/git, std/shell, std/http, std/time, std/random, std/log and std/patterns/…"
        : specifier.startsWith(".")
          ? "A relative path is looked up beside the importing file and ends in `.weave`."
          : "A file of your own is imported by a path that starts with `./`.",
  }),
  importedNameUnknown: error<{ name: string; from: string; near: string | undefined; names: readonly string[] }>("W0205", {
    title: ({ name, from }) => `\`${from}\` has no \`${name}\``,
    label: ({ near }) => (near === undefined ? "not declared there" : `did you mean \`${near}\`?`),
    help: ({ names, from }) =>
      names.length === 0 ? `\`${from}\` declares nothing.` : `It has ${list(names.slice(0, 12))}${names.length > 12 ? " …" : ""}.`,
  }),
  privateName: error<{ name: string; from: string }>("W0206", {
    title: ({ name, from }) => `\`${name}\` is private to \`${from}\``,
    label: "a name that begins with `_` cannot be imported",
    help: "Use what the file offers instead, or rename it there without the underscore.",
  }),
  importCycle: error<{ cycle: readonly string[] }>("W0207", {
    title: "These files import each other in a circle",
    label: "this import closes the circle",
    help: ({ cycle }) => `${cycle.join(" → ")}. Move what both need into a third file.`,
  }),
  unusedImport: warning<{ name: string }>("W0208", {
    title: ({ name }) => `\`${name}\` is imported but never used`,
    label: "remove it from the import",
  }),
  unusedName: warning<{ name: string; kind: string; braces?: boolean }>("W0209", {
    title: ({ name, kind }) => `The ${kind} \`${name}\` is never used`,
    label: "nothing reads it",
    help: ({ kind, name, braces }) =>
      braces === true
        ? `\`{${name}}\` is plain text: a value is inserted by \`{{${name}}}\`.`
        : kind === "parameter"
          ? "Use it, or remove it here and at the calls."
          : "Use it or remove it. A name that begins with `_` may stay unused.",
  }),
  builtinTypeName: error<{ name: string }>("W0210", {
    title: ({ name }) => `\`${name}\` is a built-in type`,
    label: "choose another name",
  }),
  shadowsBuiltin: error<{ name: string }>("W0211", {
    title: ({ name }) => `\`${name}\` is a built-in function`,
    label: "a declaration cannot take its name",
    help: "Choose another name. Parameters and `let`s may use it.",
  }),
  notAType: error<{ name: string; kind: string }>("W0212", {
    title: ({ name }) => `\`${name}\` is not a type`,
    label: "a type is needed here",
  }),
  shadowsDeclaration: error<{ name: string; what: string }>("W0213", {
    title: ({ name, what }) => `\`${name}\` already names ${what}`,
    label: "choose another name",
    help: "Inside a body a name stands for one thing only; nothing takes the place of a declaration.",
  }),
  fileNotFound: error<{ path: string; reason: string | undefined }>("W0214", {
    title: ({ path }) => `The file \`${path}\` cannot be read`,
    help: ({ reason }) => `${reason === undefined ? "" : `${reason}. `}A Weave file is a text file in UTF-8 that ends in \`.weave\`.`,
  }),
  callableCycle: error<{ cycle: readonly string[] }>("W0215", {
    title: "These callables call each other in a circle",
    label: "this reference closes the circle",
    help: ({ cycle }) => `${cycle.join(" → ")}. A flow's graph is finite, so nothing may reach itself; repeat with \`loop … up to n\`.`,
  }),
  notAValue: error<{ name: string; what: string }>("W0216", {
    title: ({ name, what }) => `\`${name}\` is ${what}, not a value`,
    label: "a value is needed here",
    help: "A callable may be called, passed to a flow that takes callables, piped into or listed in an agent's `tools`; it is never stored or returned.",
  }),
  modelNotDeclared: error<{ name: string | undefined; near: string | undefined; models: readonly string[] }>("W0219", {
    title: ({ name }) => (name === undefined ? "A model is named here" : `There is no model \`${name}\``),
    label: ({ near }) => (near === undefined ? "no such model" : `did you mean \`${near}\`?`),
    help: ({ models }) =>
      models.length === 0
        ? 'Import one, such as `import { haiku } from "std/models"`, or declare one with `model name { … }`.'
        : `In scope: ${list(models)}.`,
  }),
  constantCycle: error<{ name: string }>("W0218", {
    title: ({ name }) => `The constant \`${name}\` is defined by itself`,
    label: "its value needs its own value",
  }),
} as const;
