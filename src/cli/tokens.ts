/** What the tokens of a run were: how many of the input came from a prompt cache or went into it, how many of the output were thoughts. */
import type { RunEvent } from "../runtime/events.js";
import { grouped } from "../source/digits.js";
import { counted } from "./figures.js";

export interface TokenParts {
  readonly cached: number;
  readonly cacheWrite: number;
  readonly reasoning: number;
}

export const noParts: TokenParts = { cached: 0, cacheWrite: 0, reasoning: 0 };

/** The parts with what an event adds to them. */
export function withParts(before: TokenParts, event: RunEvent): TokenParts {
  if (event.kind !== "model.answered") return before;
  const { cachedInputTokens: cached = 0, cacheWriteTokens: cacheWrite = 0, reasoningTokens: reasoning = 0 } = event;
  if (cached + cacheWrite + reasoning === 0) return before;
  return { cached: before.cached + cached, cacheWrite: before.cacheWrite + cacheWrite, reasoning: before.reasoning + reasoning };
}

/** `1,200 tokens in (1,000 from the cache), 300 out (120 reasoning)`. */
export function tokensText(
  { inputTokens, outputTokens }: { readonly inputTokens: number; readonly outputTokens: number },
  parts: TokenParts,
): string {
  const inside = (texts: readonly string[]): string => (texts.length === 0 ? "" : ` (${texts.join(", ")})`);
  const into = [
    ...(parts.cached > 0 ? [`${grouped(parts.cached)} from the cache`] : []),
    ...(parts.cacheWrite > 0 ? [`${grouped(parts.cacheWrite)} into it`] : []),
  ];
  const out = parts.reasoning > 0 ? [`${grouped(parts.reasoning)} reasoning`] : [];
  return `${counted(inputTokens, "token")} in${inside(into)}, ${grouped(outputTokens)} out${inside(out)}`;
}

/** For `--json`. */
export const partsJson = (parts: TokenParts): Readonly<Record<string, number>> => ({
  cached_input_tokens: parts.cached,
  cache_write_tokens: parts.cacheWrite,
  reasoning_tokens: parts.reasoning,
});
