/** What a run on this machine gets from outside: the real clock, tools, models, the environment. */
import { realClock } from "../host/clock.js";
import { models } from "../host/providers/models.js";
import { parseFaults } from "../host/providers/sim.js";
import { toolHost } from "../host/tools/host.js";
import type { RunOptions as RuntimeOptions } from "../runtime/run.js";
import type { RunOptions } from "./commands.js";
import { doNotWait } from "./terminal.js";

/** The outside of a run, by the options of the command; undefined when `--sim-faults` cannot be read. */
export function runHost(options: Omit<RunOptions, "store"> & { readonly directory?: string }): RuntimeOptions | undefined {
  const environment = (name: string): string | undefined => process.env[name];
  const faults = options.simFaults === undefined ? undefined : parseFaults(options.simFaults);
  if (options.simFaults !== undefined && faults === undefined) return undefined;
  doNotWait();
  return {
    clock: realClock(),
    tools: toolHost({ directory: options.directory ?? process.cwd(), allowed: options.allowPath ?? [] }),
    models: models({
      directory: options.directory ?? process.cwd(),
      allowed: options.allowPath ?? [],
      hosts: options.allowHost ?? [],
      simulateAll: options.sim === true,
      environment,
      ...(faults === undefined ? {} : { sim: { faults } }),
    }),
    environment,
    ...(options.seed === undefined ? {} : { seed: options.seed }),
  };
}
