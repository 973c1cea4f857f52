/**
 * The providers `anthropic`, `openai`, `google` and `openai_compatible`, on the model interface of the AI SDK. One
 * request is one streamed answer: the SDK neither retries nor runs tools, the runtime does. Text is told as it comes;
 * usage is what the other side reports, and nothing where it does not, so that the runtime charges in full. An answer
 * without its end is a failure, never a short answer. A package is loaded when a run needs it.
 */
import type { JSONObject, LanguageModelV4 } from "@ai-sdk/provider";
import type { Json, MediaKind } from "../../plan/ir.js";
import { failure } from "../../runtime/failure.js";
import type { Message, ModelAnswer, ModelRequest, Provider, RequestContext } from "../../runtime/provider.js";
import { outside } from "../outside.js";
import type { FileOptions } from "../tools/files.js";
import { type AnswerForm, answerForm, type Enforcement } from "./answer-form.js";
import { callOptions, sdkOptions } from "./conversation.js";
import type { ReadPart } from "./media.js";
import { type Circumstances, cutOff, nothingUsed, providerFailure } from "./provider-failure.js";
import { answered, collect } from "./streamed-answer.js";

interface Settings {
  readonly apiKey: string | undefined;
  readonly baseUrl: string | undefined;
  readonly fetch: typeof fetch;
}

interface Kind {
  readonly load: () => Promise<(model: string, settings: Settings) => LanguageModelV4>;
  readonly enforcement: Enforcement;
  /** Whether its strict schemas may refer to themselves. */
  readonly recursive?: boolean;
  /** The name of its options in the SDK. */
  readonly optionsKey: string;
  readonly options: (written: Json | undefined) => JSONObject;
  /** What its interface takes beside texts; a model may take less. */
  readonly media: readonly MediaKind[];
}

const named = ({ apiKey, baseUrl, fetch }: Settings) => ({
  fetch,
  apiKey: apiKey ?? "",
  ...(baseUrl === undefined ? {} : { baseURL: baseUrl }),
});

const kinds = {
  anthropic: {
    load: async () => {
      const { createAnthropic } = await outside<typeof import("@ai-sdk/anthropic")>("@ai-sdk/anthropic");
      return (model, settings) => createAnthropic(named(settings))(model);
    },
    enforcement: "enforced",
    media: ["image", "document"],
    optionsKey: "anthropic",
    // Arguments of tools come checked by the other side instead of piece by piece: nobody looks at the pieces.
    options: (written) => ({ toolStreaming: false, ...sdkOptions(written) }),
  },
  openai: {
    load: async () => {
      const { createOpenAI } = await outside<typeof import("@ai-sdk/openai")>("@ai-sdk/openai");
      return (model, settings) => createOpenAI(named(settings)).responses(model);
    },
    enforcement: "enforced",
    recursive: true,
    media: ["image", "document"],
    optionsKey: "openai",
    // Nothing is left with the provider for later turns: they send everything that they need.
    options: (written) => ({ store: false, ...sdkOptions(written) }),
  },
  google: {
    load: async () => {
      const { createGoogle } = await outside<typeof import("@ai-sdk/google")>("@ai-sdk/google");
      return (model, settings) => createGoogle(named(settings))(model);
    },
    enforcement: "enforced",
    media: ["image", "audio", "document"],
    optionsKey: "google",
    options: sdkOptions,
  },
  openai_compatible: {
    load: async () => {
      const { createOpenAICompatible } = await outside<typeof import("@ai-sdk/openai-compatible")>("@ai-sdk/openai-compatible");
      return (model, { apiKey, baseUrl, fetch }) =>
        createOpenAICompatible({
          name: "compatible",
          baseURL: baseUrl ?? "",
          includeUsage: true,
          supportsStructuredOutputs: true,
          fetch,
          ...(apiKey === undefined ? {} : { apiKey }),
        }).chatModel(model);
    },
    enforcement: "uncertain",
    media: ["image", "audio", "document"],
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

/** The environment variables of each provider, for what a model does not say itself. */
export const variables: Readonly<Record<SdkProvider, { readonly key: string; readonly required: boolean; readonly address?: string }>> = {
  anthropic: { key: "ANTHROPIC_API_KEY", required: true },
  openai: { key: "OPENAI_API_KEY", required: true },
  google: { key: "GOOGLE_GENERATIVE_AI_API_KEY", required: true },
  openai_compatible: { key: "OPENAI_COMPATIBLE_API_KEY", required: false, address: "OPENAI_COMPATIBLE_BASE_URL" },
};

/** What the environment says; a model's own `api_key` and `base_url` go before it. */
export interface Environment {
  readonly key: string | undefined;
  readonly baseUrl: string | undefined;
}

/** One of these providers. */
export function aiSdk(
  name: SdkProvider,
  environment: Environment,
  files: FileOptions = { directory: process.cwd(), allowed: [] },
): Provider {
  const kind: Kind = kinds[name];
  // Loading goes on while the run is prepared; whether it worked is told with the first request.
  const loading = kind.load();
  loading.catch(() => undefined);
  const made = new Map<string, LanguageModelV4>();
  /** Models whose interface takes no schema after all. */
  const unenforced = new Set<string>();

  const ask = async (request: ModelRequest, context: RequestContext): Promise<ModelAnswer> => {
    const { model } = request;
    const own = textOf(request.apiKey);
    const apiKey = own ?? environment.key;
    const baseUrl = textOf(request.baseUrl) ?? environment.baseUrl;
    const id = model.model ?? "";
    const options = kind.options(model.options["options"]);
    const at = (begun: boolean): Circumstances => ({
      provider: name,
      model: id,
      keyFrom: own === undefined ? variables[name].key : "`api_key`",
      key: apiKey,
      begun,
      aborted: context.signal.aborted,
      wall: context.clock.wall(),
    });
    if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey))
      throw failure("auth", `the key in ${at(false).keyFrom} holds characters that no key has`);
    if (baseUrl !== undefined && !URL.canParse(baseUrl))
      throw failure("refused", `the \`base_url\` of the model ${model.name} is no address`);

    const handle = JSON.stringify([id, baseUrl, apiKey]);
    const make = await loading;
    const language = made.get(handle) ?? make(id, { apiKey, baseUrl, fetch: withoutRedirects });
    made.set(handle, language);
    if (context.signal.aborted) throw { ...failure("cancelled", "the request was aborted before it was sent"), usage: nothingUsed };

    const shows = request.messages.some((message) => message.role === "user" && message.parts !== undefined);
    const within = { ...files, directory: context.directory ?? files.directory };
    const media = shows
      ? await (await import("./media.js")).readMedia(request, { provider: name, takes: kind.media, files: within, signal: context.signal })
      : new Map<Message, readonly ReadPart[]>();

    const send = async (form: AnswerForm): Promise<ModelAnswer> => {
      let begun = false;
      try {
        const { stream } = await language.doStream(callOptions(request, form, kind.optionsKey, options, context.signal, media));
        begun = true;
        const answer = answered(await collect(stream, context), request, form);
        if (answer !== undefined) return answer;
      } catch (thrown) {
        throw providerFailure(thrown, at(begun));
      }
      throw cutOff(at(true));
    };

    // A local server that is held to a schema could not call a tool any more.
    const free = kind.enforcement === "uncertain" && request.tools.length > 0 && request.limits.turns > 0;
    const form = answerForm(request.schema, free || unenforced.has(handle) ? "none" : kind.enforcement, kind.recursive);
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
    /response_?format|response_?mime|json_?schema|output_config|structured output|guided|grammar|schema is too|invalid schema|specified schema|tool_choice/i.test(
      String(thrown.message),
    )
  );
}
