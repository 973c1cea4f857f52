/** A paid archive, made up: what it has on a topic. */
export function look_up({ topic }: { topic: string }): string {
  return `What the archive has on ${topic}: it was first described long ago, and a lot has changed since.`;
}
