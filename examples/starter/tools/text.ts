/** How many words a text has. */
export function count_words({ text }: { text: string }): number {
  return text.split(/\s+/).filter(Boolean).length;
}
