/**
 * W04: templates. Up to W0419 is their syntax, found when a text is parsed; from W0420 on is what they mean, found when
 * they are checked. The comment before an entry is a text that shows it.
 */
import { error, warning } from "./define.js";

export const templateProblems = {
  // "Hello {{name"
  unclosedMustache: error("W0401", {
    title: "This `{{` has no closing `}}`",
    label: "opened here",
    help: "Write `\\{{` for a literal pair of braces.",
  }),
  // "{{#each xs}} … "
  unclosedTemplateBlock: error<{ helper: string }>("W0402", {
    title: ({ helper }) => `This \`{{#${helper}}}\` has no \`{{/${helper}}}\``,
    label: "opened here",
  }),
  // "{{#each xs}} … {{/if}}"
  wrongTemplateClose: error<{ found: string; expected: string }>("W0403", {
    title: ({ found, expected }) => `\`{{/${found}}}\` closes a block that was opened as \`{{#${expected}}}\``,
    label: ({ expected }) => `expected \`{{/${expected}}}\``,
  }),
  // "… {{/each}}"
  strayTemplateClose: error<{ found: string }>("W0404", {
    title: ({ found }) => `\`{{/${found}}}\` closes nothing`,
    label: "no such block is open",
  }),
  // "a {{else}} b"
  strayTemplateElse: error("W0405", {
    title: "`{{else}}` stands outside a block",
    help: "It belongs into {{#if}}, {{#unless}}, {{#each}} or {{#with}}.",
  }),
  // "{{}}"
  emptyMustache: error("W0406", { title: "There is nothing between `{{` and `}}`", label: "expected a name" }),
  // "{{a b=}}"
  badMustache: error<{ found: string; instead?: string | undefined }>("W0407", {
    title: ({ found }) => `\`${found}\` cannot be read`,
    label: ({ instead }) => (instead === undefined ? undefined : `write \`${instead}\``),
    help: ({ found, instead }) =>
      instead === undefined && /\s[-+*/<>=&|?]+\s/.test(found)
        ? "Templates have no operators: compute the value before, with `let`, and show it by its name."
        : "A value is written {{name}} or {{name.field}}, a function {{join xs ', '}}, one inside another with parentheses: {{#if (gt (len xs) 3)}}.",
  }),
  // "{{> header}}"
  templatePartial: error("W0408", {
    title: "Templates have no partials",
    help: "Put the shared text into a constant or a parameter and insert it with {{name}}.",
  }),
  // "{{* decorate}}"
  templateDecorator: error("W0409", { title: "Templates have no decorators" }),
  // "{{{{raw}}}} … {{{{/raw}}}}"
  templateRawBlock: error("W0410", { title: "Templates have no raw blocks", help: "Write `\\{{` for a literal pair of braces." }),
  // "{{^ok}}no{{/ok}}"
  templateInverse: error<{ name: string }>("W0411", {
    title: ({ name }) => `Write \`{{#unless ${name}}}\` instead of \`{{^${name}}}\``,
  }),
  // "{{#each xs by=id}} … {{/each}}"
  templateBlockArgument: error<{ name: string }>("W0412", {
    title: ({ name }) => `A block takes no named argument, but \`${name}=\` was given`,
  }),
  // "{{person.name x}}"
  templateCallee: error("W0413", { title: "What is called must be a name", label: "expected the name of a function" }),
  // "{{#each xs}}a{{else}}b{{else}}c{{/each}}"
  doubleTemplateElse: error("W0414", { title: "This block has an `{{else}}` already", label: "one too many" }),
  templateUnknown: error<{ name: string; near: string | undefined; names: readonly string[] }>("W0420", {
    title: ({ name }) => `\`${name}\` is not in scope in this template`,
    label: ({ near }) => (near === undefined ? "no such name" : `did you mean \`${near}\`?`),
    help: ({ names }) => (names.length === 0 ? undefined : `In scope: ${names.map((n) => `\`${n}\``).join(", ")}.`),
  }),
  templateOuterName: error<{ name: string; text: string; type: string }>("W0421", {
    title: ({ name }) => `\`${name}\` is outside this block`,
    label: ({ text }) => `write \`${text}\``,
    help: ({ type }) => `Inside the block plain names are fields of the item, which is \`${type}\`.`,
  }),
  templateOptional: error<{ type: string; path: string | undefined }>("W0422", {
    title: "This may be null",
    label: ({ type }) => `it is \`${type}\``,
    help: ({ path }) =>
      path === undefined
        ? "Give a default: `{{default x 'none'}}`."
        : `Guard it: \`{{#if ${path}}}{{${path}}}{{/if}}\`, or give a default: \`{{default ${path} 'none'}}\`.`,
  }),
  templateList: error<{ type: string; path: string | undefined }>("W0423", {
    title: "A list has no text of its own",
    label: ({ type }) => `this is \`${type}\``,
    help: ({ path }) => `Write \`{{join ${path ?? "xs"} ', '}}\`, \`{{json ${path ?? "xs"}}}\` or \`{{#each ${path ?? "xs"}}}…{{/each}}\`.`,
  }),
  templateRecord: error<{ kind: "record" | "map" | "json"; type: string; path: string | undefined }>("W0424", {
    title: ({ kind }) => `${kind === "json" ? "A value of type `json`" : `A ${kind}`} has no text of its own`,
    label: ({ type }) => `this is \`${type}\``,
    help: ({ kind, path }) => `Write \`{{json ${path ?? "x"}}}\`${kind === "record" ? ", or the field you mean" : ""}.`,
  }),
  templateNoText: error<{ type: string }>("W0425", {
    title: "This has no text",
    label: ({ type }) => `it is \`${type}\``,
  }),
  secretInTemplate: error("W0426", {
    title: "A secret may not go into text",
    label: "this is secret",
    help: "Secrets go only where `secret` is declared: a tool's parameter, a header, an environment variable.",
  }),
  templateTooFarUp: error("W0427", { title: "There is no block around this one to go up to", label: "one `../` too many" }),
  templateThis: error("W0428", { title: "`this` stands for the item of an `each` or `with`", label: "not inside one" }),
  templateNotValue: error<{ name: string; what: string }>("W0429", {
    title: ({ name, what }) => `\`${name}\` is ${what}, not a value`,
    label: "a value is needed here",
    help: "A template only shows values: call it before, with `let`.",
  }),
  templateFieldOfOptional: error<{ name: string; type: string }>("W0430", {
    title: ({ name }) => `\`${name}\` of something that may be null`,
    label: ({ type }) => `before it stands a \`${type}\``,
    help: "Put it inside `{{#if …}}` or `{{#with …}}`.",
  }),
  templateHidden: warning<{ name: string }>("W0431", {
    title: ({ name }) => `\`${name}\` is the field of the item here`,
    label: "it hides the name outside",
    help: ({ name }) => `Write \`this.${name}\` for the field or \`../${name}\` for the name outside.`,
  }),
  templateData: error<{ name: string; near: string | undefined; inside: boolean }>("W0432", {
    title: ({ name, inside }) => (inside ? `There is no \`@${name}\`` : `\`@${name}\` has a value only inside \`each\``),
    label: ({ near, inside }) =>
      !inside ? "no `each` around it" : near === undefined ? "only `@index`, `@first`, `@last` and `@key`" : `did you mean \`@${near}\`?`,
  }),
  templateHelper: error<{ name: string; near: string | undefined }>("W0433", {
    title: ({ name }) => `There is no function \`${name}\``,
    label: ({ near }) => (near === undefined ? "no such function" : `did you mean \`${near}\`?`),
  }),
  templateHelperArgs: error<{ name: string; wanted: readonly string[]; found: readonly string[] }>("W0434", {
    title: ({ name }) => `\`${name}\` does not take these`,
    label: ({ found }) => `given: ${found.length === 0 ? "nothing" : found.map((f) => `\`${f}\``).join(", ")}`,
    help: ({ wanted }) => `It is written ${wanted.map((w) => `\`${w}\``).join(" or ")}.`,
  }),
  templateCallsCallable: error<{ name: string }>("W0435", {
    title: ({ name }) => `A template cannot call \`${name}\``,
    label: "only pure functions are called in a template",
    help: "Call it before, with `let`, and show its value.",
  }),
  templateTest: error<{ type: string }>("W0436", {
    title: "This cannot be tested",
    label: ({ type }) => `it is \`${type}\``,
    help: "`if` tests a bool, a list, a text or something that may be null. For a number write `{{#if (gt n 0)}}`.",
  }),
  templateBlock: error<{ name: string; near: string | undefined }>("W0437", {
    title: ({ name }) => `There is no block \`${name}\``,
    label: ({ near }) => (near === undefined ? "only `if`, `unless`, `each` and `with`" : `did you mean \`${near}\`?`),
  }),
  templateBlockArgs: error<{ name: string; found: number }>("W0438", {
    title: ({ name }) => `\`${name}\` takes one value`,
    label: ({ found }) => `${found} given`,
    help: "Put a function call into parentheses: `{{#if (eq a b)}}`.",
  }),
  templateEach: error<{ type: string }>("W0439", {
    title: "`each` runs over a list or a map",
    label: ({ type }) => `this is \`${type}\``,
    help: "For the fields of a record use `{{#with …}}`.",
  }),
  templateBlockParams: error<{ name: string; most: number }>("W0440", {
    title: ({ name, most }) => `\`${name}\` names at most ${most} value${most === 1 ? "" : "s"}`,
    label: "one too many",
  }),
  // tool t(p: image) -> string = exec(["file", "{{p}}"])
  templateMedia: error<{ kind: "image" | "audio" | "document" }>("W0450", {
    title: ({ kind }) => `${{ image: "An image", audio: "Audio", document: "A document" }[kind]} can stand only in the prompt of an agent`,
    label: ({ kind }) => `this is \`${kind}\`, which has no text`,
    help: "Where its path is meant, let the parameter be a `string`.",
  }),
} as const;
