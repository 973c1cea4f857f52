/**
 * W04: templates. Up to W0419 is their syntax, found when a text is parsed; from W0420 on is what they mean, found when
 * they are checked. The comment before an entry is a text that shows it.
 */
import { error } from "./define.js";

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
  badMustache: error<{ found: string }>("W0407", {
    title: ({ found }) => `\`${found}\` cannot be read`,
    help: "A value is written {{name}} or {{name.field}}, a function {{join xs ', '}}, one inside another with parentheses: {{#if (gt (len xs) 3)}}.",
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
  // "{{(f x) y}}"
  templateCallee: error("W0413", { title: "What is called must be a name", label: "expected the name of a function" }),
  // "{{#each xs}}a{{else}}b{{else}}c{{/each}}"
  doubleTemplateElse: error("W0414", { title: "This block has an `{{else}}` already", label: "one too many" }),
} as const;
