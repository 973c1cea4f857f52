/** Which provider answers for a model: the simulator for `provider: "sim"` or for all with `--sim`; others by name. */
import type { ModelIR } from "../../plan/ir.js";
import type { Provider } from "../../runtime/provider.js";
import type { Models } from "../../runtime/run.js";
import { type SimOptions, simulator } from "./sim.js";

export interface ModelOptions {
  /** Every model is simulated. */
  readonly simulateAll: boolean;
  readonly sim?: SimOptions;
  readonly environment: (name: string) => string | undefined;
  /** Providers beyond those that ship, by name. */
  readonly providers?: Readonly<Record<string, Provider>>;
}

/** Where each provider's key is looked for. */
const keys: Readonly<Record<string, string>> = {
  anthropic: "ANTHROPIC_API_KEY",
  openai: "OPENAI_API_KEY",
  google: "GOOGLE_GENERATIVE_AI_API_KEY",
};

export function models(options: ModelOptions): Models {
  const simulated = simulator(options.sim ?? {});
  return {
    provider(model: ModelIR) {
      if (options.simulateAll || model.provider === "sim") return simulated;
      const name = model.provider ?? "";
      const given = options.providers?.[name];
      if (given !== undefined) return given;
      const variable = keys[name];
      if (variable !== undefined && model.apiKey === undefined && (options.environment(variable) ?? "") === "")
        return { missing: "key", variable };
      return { missing: "provider", known: ["sim", ...Object.keys(options.providers ?? {})] };
    },
  };
}
