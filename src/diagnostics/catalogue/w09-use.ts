/** W0950 to W0979: files, flows and inputs as they are named when a command is started. */
import { error, warning } from "./define.js";

export const useProblems = {
  noSuchFile: error<{ near: string | undefined }>("W0950", {
    title: "There is no such file",
    help: ({ near }) => (near === undefined ? "Paths are relative to the folder the command runs in." : `Did you mean \`${near}\`?`),
  }),
  folderNotFile: error<{ holds: string | undefined }>("W0951", {
    title: "This is a folder, not a `.weave` file",
    help: ({ holds }) => (holds === undefined ? "Name a file in it." : `Name a file in it, for example \`${holds}\`.`),
  }),
  notText: error<{ offset: number }>("W0952", {
    title: "This file is not UTF-8 text",
    help: ({ offset }) => `The byte at offset ${offset} begins no UTF-8 character. Save the file as UTF-8.`,
  }),
  unreadableFile: error<{ reason: string }>("W0953", {
    title: "This file cannot be read",
    help: ({ reason }) => `The system says: ${reason}.`,
  }),
  noSuchFlow: error<{ name: string; flows: readonly string[]; near: string | undefined }>("W0954", {
    title: ({ name }) => `There is no flow \`${name}\` in this file`,
    help: ({ flows, near }) =>
      near !== undefined
        ? `Did you mean \`${near}\`?`
        : flows.length === 0
          ? "The file declares no flow: write `flow main() { … }`."
          : `It has ${flows.map((flow) => `\`${flow}\``).join(", ")}.`,
  }),
  whichFlow: error<{ flows: readonly string[] }>("W0955", {
    title: "Which flow is meant?",
    help: ({ flows }) =>
      `The file has several and none is called \`main\`: name one of ${flows.map((flow) => `\`${flow}\``).join(", ")} after the file.`,
  }),
  missingInput: error<{ name: string; type: string; option: string }>("W0956", {
    title: ({ name }) => `The input \`${name}\` is missing`,
    label: ({ type }) => `needs a value of type \`${type}\``,
    help: ({ option }) => `Write \`${option} …\`, or give all inputs as JSON with \`--input file.json\`.`,
  }),
  wrongInput: error<{ name: string; found: string; reason: string }>("W0957", {
    title: ({ name }) => `The input \`${name}\` does not fit its type`,
    label: ({ found }) => `given \`${found}\``,
    help: ({ reason }) => reason,
  }),
  unknownInput: error<{ name: string; inputs: readonly string[]; near: string | undefined }>("W0958", {
    title: ({ name }) => `The flow has no parameter \`${name}\``,
    help: ({ inputs, near }) =>
      near !== undefined
        ? `Did you mean \`--${near}\`?`
        : inputs.length === 0
          ? "It takes no inputs."
          : `It takes ${inputs.map((input) => `\`--${input}\``).join(", ")}.`,
  }),
  inputNotJson: error<{ reason: string }>("W0959", {
    title: "The inputs are not a JSON object",
    help: ({ reason }) => `${reason} They are written \`{ "parameter": value, … }\`.`,
  }),
  unknownModel: error<{ name: string; models: readonly string[]; near: string | undefined }>("W0960", {
    title: ({ name }) => `The program has no model \`${name}\` to override`,
    help: ({ models, near }) =>
      near !== undefined
        ? `Did you mean \`${near}\`?`
        : models.length === 0
          ? "It uses no model."
          : `It uses ${models.map((model) => `\`${model}\``).join(", ")}.`,
  }),
  modelOption: error<{ text: string }>("W0961", {
    title: ({ text }) => `\`--model ${text}\` does not say which model`,
    help: "It is written `--model name=provider/model`, for example `--model haiku=anthropic/claude-sonnet-4-5`.",
  }),
  overrideWithoutPrice: warning<{ name: string; model: string }>("W0962", {
    title: ({ model }) => `No price is known for ${model}, so what it costs counts as $0`,
    label: ({ name }) => `\`${name}\` is overridden`,
    help: "Declare it as a model with a `price` in the program to have its cost counted.",
  }),
  badCase: error<{ reason: string }>("W0963", {
    title: "This case does not fit",
    help: ({ reason }) => reason,
  }),
} as const;
