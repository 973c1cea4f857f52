interface Verdict {
  readonly topic: "billing" | "bug" | "praise" | "other";
  readonly why: string;
}

const signs: readonly (readonly [Verdict["topic"], RegExp])[] = [
  ["billing", /invoice|refund|charge|payment/i],
  ["bug", /crash|error|broken|fails/i],
  ["praise", /thank|great|love/i],
];

/** The topic whose words stand in the message. */
export function by_words({ message }: { readonly message: string }): Verdict {
  const found = signs.find(([, words]) => words.test(message));
  const word = found?.[1].exec(message)?.[0];
  return found === undefined ? { topic: "other", why: "no word that says more" } : { topic: found[0], why: `it says “${word}”` };
}
