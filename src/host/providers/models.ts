/**
 * Which provider answers for a model: the simulator for `provider: "sim"` or for all with `--sim`, the AI SDK's for
 * those it has, others by name. A key that is missing is told here, before anything runs.
 */
import type { ModelIR } from "../../plan/ir.js";
import type { Provider } from "../../runtime/provider.js";
import type { Models } from "../../runtime/run.js";
import { aiSdk, isSdkProvider, sdkProviders, variables } from "./ai-sdk.js";
import { findProgram } from "./find-program.js";
import { type SimOptions, simulator } from "./sim.js";

export interface ModelOptions {
  /** Every model is simulated. */
  readonly simulateAll: boolean;
  readonly sim?: SimOptions;
  /** Where programs that are models work; the current one. */
  readonly directory?: string;
  /** Paths outside of it that images and documents may be read from. */
  readonly allowed?: readonly string[];
  /** Hosts that they may be read from besides those of the public internet. */
  readonly hosts?: readonly string[];
  readonly environment: (name: string) => string | undefined;
  /** Providers beyond those that ship, by name. */
  readonly providers?: Readonly<Record<string, Provider>>;
}

export function models(options: ModelOptions): Models {
  const simulated = simulator(options.sim ?? {});
  return {
    provider(model: ModelIR) {
      if (options.simulateAll || model.provider === "sim") return simulated;
      const name = model.provider ?? "";
      const given = options.providers?.[name];
      if (given !== undefined) return given;
      if (name === "command" && model.command !== undefined) {
        const directory = options.directory ?? process.cwd();
        const program = findProgram(model, directory, options.environment("PATH"));
        return program === undefined ? commandLine(directory) : { missing: "program", program };
      }
      if (isSdkProvider(name)) {
        const { key, required, address } = variables[name];
        const given = (variable: string | undefined): string | undefined =>
          variable === undefined ? undefined : options.environment(variable)?.trim() || undefined;
        // An address that a program names gets no key from the environment that was meant for another.
        const addressed = address !== undefined && model.baseUrl !== undefined;
        const settings = { key: addressed ? undefined : given(key), baseUrl: given(address) };
        if (required && model.apiKey === undefined && settings.key === undefined) return { missing: "key", variable: key };
        if (address !== undefined && !addressed && settings.baseUrl === undefined) return { missing: "address", variable: address };
        return aiSdk(name, settings, {
          directory: options.directory ?? process.cwd(),
          allowed: options.allowed ?? [],
          hosts: options.hosts ?? [],
        });
      }
      return { missing: "provider", known: ["sim", ...sdkProviders, "command", ...Object.keys(options.providers ?? {})] };
    },
  };
}

function commandLine(directory: string): Provider {
  const ask: Provider["ask"] = async (request, context) =>
    (await import("./command.js")).askProgram(request, context, context.directory ?? directory);
  return { name: "command", simulated: false, timed: false, ask };
}
