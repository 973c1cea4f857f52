/**
 * The providers `anthropic`, `openai`, `google` and `openai_compatible`, on the model interface of the AI SDK. One
 * request is one streamed answer: the SDK neither retries nor runs tools, the runtime does. Text is told as it comes;
 * usage is what the other side reports, and nothing where it does not, so that the runtime charges in full. An answer
 * without its end is a failure, never a short answer. Packages are loaded with the first request.
 */
import type { JSONObject, LanguageModelV4 } from "@ai-sdk/provider";
import type { Json } from "../../plan/ir.js";
import { failure } from "../../runtime/failure.js";
import type { ModelAnswer, ModelRequest, Provider, RequestContext } from "../../runtime/provider.js";
import { type AnswerForm, answerForm, type Enforcement } from "./answer-form.js";
import { callOptions, sdkOptions } from "./conversation.js";
import { type Circumstances, cutOff, providerFailure } from "./provider-failure.js";
import { answered, collect } from "./streamed-answer.js";

interface Settings {
  readonly apiKey: string | undefined;
  readonly baseUrl: string | undefined;
  readonly fetch: typeof fetch;
}

interface Kind {
  readonly load: (model: string, settings: Settings) => Promise<LanguageModelV4>;
  /** Where it looks for its key. */
  readonly variable: string | undefined;
  readonly enforcement: Enforcement;
  /** The name of its options in the SDK. */
  readonly optionsKey: string;
  readonly options: (written: Json | undefined) => JSONObject;
}

const named = ({ apiKey, baseUrl, fetch }: Settings) => ({
  fetch,
  apiKey: apiKey ?? "",
  ...(baseUrl === undefined ? {} : { baseURL: baseUrl }),
});

const kinds = {
  anthropic: {
    load: async (model, settings) => (await import("@ai-sdk/anthropic")).createAnthropic(named(settings))(model),
    variable: "ANTHROPIC_API_KEY",
    enforcement: "enforced",
    optionsKey: "anthropic",
    options: sdkOptions,
  },
  openai: {
    load: async (model, settings) => (await import("@ai-sdk/openai")).createOpenAI(named(settings)).responses(model),
    variable: "OPENAI_API_KEY",
    enforcement: "enforced",
    optionsKey: "openai",
    // Nothing is left with the provider for later turns: they send everything that they need.
    options: (written) => ({ store: false, ...sdkOptions(written) }),
  },
  google: {
    load: async (model, settings) => (await import("@ai-sdk/google")).createGoogle(named(settings))(model),
    variable: "GOOGLE_GENERATIVE_AI_API_KEY",
    enforcement: "enforced",
    optionsKey: "google",
    options: sdkOptions,
  },
  openai_compatible: {
    load: async (model, { apiKey, baseUrl, fetch }) =>
      (await import("@ai-sdk/openai-compatible"))
        .createOpenAICompatible({
          name: "compatible",
          baseURL: baseUrl ?? "",
          includeUsage: true,
          supportsStructuredOutputs: true,
          fetch,
          ...(apiKey === undefined ? {} : { apiKey }),
        })
        .chatModel(model),
    variable: undefined,
    enforcement: "uncertain",
    optionsKey: "compatible",
    // What its own interface calls an option is written in the program and sent as it is.
    options: (written) =>
      typeof written === "object" && written !== null && !Array.isArray(written) ? { ...(written as JSONObject) } : {},
  },
} as const satisfies Readonly<Record<string, Kind>>;

export type SdkProvider = keyof typeof kinds;

export const sdkProviders = Object.keys(kinds) as readonly SdkProvider[];

export function isSdkProvider(name: string): name is SdkProvider {
  return Object.hasOwn(kinds, name);
}

/** The environment variable that a provider's key is read from, where a model names none. */
export function keyVariable(name: SdkProvider): string | undefined {
  return kinds[name].variable;
}

/** A provider with the key of the environment; a model's own `api_key` goes before it. */
export function aiSdk(name: SdkProvider, environmentKey: string | undefined): Provider {
  const kind: Kind = kinds[name];
  const loaded = new Map<string, Promise<LanguageModelV4>>();
  /** Models whose interface takes no schema after all. */
  const unenforced = new Set<string>();

  const ask = async (request: ModelRequest, context: RequestContext): Promise<ModelAnswer> => {
    const { model } = request;
    const own = textOf(request.apiKey);
    const apiKey = own ?? environmentKey;
    const baseUrl = textOf(request.baseUrl);
    const id = model.model ?? "";
    const options = kind.options(model.options["options"]);
    const at = (begun: boolean): Circumstances => ({
      provider: name,
      model: id,
      keyFrom: own === undefined ? (kind.variable ?? "`api_key`") : "`api_key`",
      key: apiKey,
      begun,
      aborted: context.signal.aborted,
      wall: context.clock.wall(),
    });
    if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey))
      throw failure("auth", `the key in ${at(false).keyFrom} holds characters that no key has`);

    const handle = JSON.stringify([id, baseUrl, apiKey]);
    let language = loaded.get(handle);
    if (language === undefined) {
      language = kind.load(id, { apiKey, baseUrl, fetch: withoutRedirects });
      loaded.set(handle, language);
    }
    const send = async (form: AnswerForm): Promise<ModelAnswer> => {
      let begun = false;
      try {
        const { stream } = await (await language).doStream(callOptions(request, form, kind.optionsKey, options, context.signal));
        begun = true;
        const collected = await collect(stream, context);
        return answered(collected, request, form) ?? Promise.reject(cutOff(at(true)));
      } catch (thrown) {
        throw providerFailure(thrown, at(begun));
      }
    };

    const form = answerForm(request.schema, unenforced.has(handle) ? "none" : kind.enforcement);
    try {
      return await send(form);
    } catch (thrown) {
      if (form.schema === undefined || !refusesSchema(thrown)) throw thrown;
      unenforced.add(handle);
      return send(answerForm(request.schema, "none"));
    }
  };
  return { name, simulated: false, timed: false, ask };
}

/** A key goes to the address it was meant for and to no other. */
const withoutRedirects: typeof fetch = (input, init) => fetch(input, { ...init, redirect: "manual" });

function textOf(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const text = value.trim();
  return text === "" ? undefined : text;
}

/** Whether an interface takes no schema of answers; such a request costs nothing. */
function refusesSchema(thrown: unknown): boolean {
  if (typeof thrown !== "object" || thrown === null || !("kind" in thrown) || thrown.kind !== "refused" || !("message" in thrown))
    return false;
  return (
    /\((?:400|404|422|501)\)/.test(String(thrown.message)) &&
    /response_?format|json_?schema|output_config|structured output|guided/i.test(String(thrown.message))
  );
}
