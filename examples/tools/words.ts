/** The words of a text, in lower case. */
export function split_words({ text }: { text: string }): { words: string[] } {
  return { words: text.toLowerCase().match(/\p{L}+/gu) ?? [] };
}

/** How often each word stands there. */
export function count_each({ words }: { words: string[] }): { counts: Record<string, number> } {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return { counts: Object.fromEntries(counts) };
}

/** The words, most frequent first, equal ones by the alphabet. */
export function rank({ counts }: { counts: Record<string, number> }): { word: string; count: number }[] {
  return Object.entries(counts)
    .map(([word, count]) => ({ word, count }))
    .sort((a, b) => b.count - a.count || (a.word < b.word ? -1 : 1));
}
