/** `weave models`: the models of the standard library, or those that a program uses, with limits and prices. */
import type { ModelIR } from "../plan/ir.js";
import { showProblems } from "./problems.js";
import { loadProgram } from "./program.js";
import { bold, EXIT, type ExitCode, type Terminal } from "./terminal.js";

/** Prints a table, or data with `--json`. */
export async function models(file: string | undefined, { json = false }: { json?: boolean }, to: Terminal): Promise<ExitCode> {
  const program = loadProgram(file ?? "std:models");
  showProblems(program.problems, program.compiled.files, to);
  if (!program.ok) return program.missing ? EXIT.usage : EXIT.diagnostics;
  const all = Object.values(program.compiled.graph?.models ?? {});
  if (json) to.out(`${JSON.stringify(all.map(shown))}\n`);
  else to.out(table(all, to));
  const dated = file !== undefined || json ? null : /Table of ([\d-]+)/.exec(program.compiled.files.get("std:models")?.text ?? "");
  if (dated !== null) to.err(`Prices of ${dated[1]}; where yours differ, declare a model of your own.\n`);
  return EXIT.done;
}

const shown = (model: ModelIR) => ({
  name: model.name,
  provider: model.provider ?? null,
  model: model.model ?? null,
  price: model.price === undefined ? null : { input: model.price.input, output: model.price.output },
  context: model.context ?? null,
  max_output: model.maxOutput ?? null,
  fallback: model.fallback ?? null,
  balance: model.balance ?? null,
});

function table(all: readonly ModelIR[], to: Terminal): string {
  const perMillion = (usd: number | undefined): string => (usd === undefined ? "" : `$${usd.toFixed(2)}`);
  const rows = all.map((model) => [
    model.name,
    model.provider ?? (model.fallback === undefined ? "balance" : "fallback"),
    model.model ?? [...(model.fallback ?? []), ...(model.balance ?? [])].join(", "),
    perMillion(model.price?.input),
    perMillion(model.price?.output),
    model.context?.toLocaleString("en-US") ?? "",
    model.maxOutput?.toLocaleString("en-US") ?? "",
  ]);
  const head = ["name", "provider", "model", "input /M", "output /M", "context", "output"];
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i < 3 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  return `${[bold(line(head), to.outColor), ...rows.map(line)].join("\n")}\n`;
}
