/**
 * Texts that have the form of a key, whosever it is. The one list: what runs tell, journals, recordings and reports of
 * servers are kept clean by it.
 */

/** What a key of each kind looks like, as the source of a regular expression. */
export const keyForms: Readonly<Record<string, string>> = {
  /** OpenAI, Anthropic, OpenRouter, Stripe and many that write theirs alike. */
  models: "\\b(?:sk|rk|pk)[-_](?:ant-|proj-|live_|test_|or-)?[A-Za-z0-9_-]{20,}",
  google: "\\bAIza[A-Za-z0-9_-]{30,}",
  github: "\\bgh[pousr]_[A-Za-z0-9]{30,}",
  githubFine: "\\bgithub_pat_[A-Za-z0-9_]{30,}",
  gitlab: "\\bglpat-[A-Za-z0-9_-]{20,}",
  aws: "\\b(?:AKIA|ASIA)[0-9A-Z]{16}\\b",
  slack: "\\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
  huggingFace: "\\bhf_[A-Za-z0-9]{30,}",
  npm: "\\bnpm_[A-Za-z0-9]{30,}",
  /** A JSON Web Token. */
  signed: "\\beyJ[A-Za-z0-9_-]{8,}\\.eyJ[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]{8,}",
  private: "-----BEGIN [A-Z ]*PRIVATE KEY-----[\\s\\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
  /** Of an authorization header. */
  bearer: "(?<=[Bb]earer )[A-Za-z0-9._~+/-]{20,}=*",
};
