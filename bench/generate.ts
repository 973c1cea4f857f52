/** A large program to measure the compiler with: types, agents with prompts over them, flows that wire them together. */

/** `count` types, agents and flows, about 20 lines for each. */
export function generatedProgram(count: number): string {
  const parts = ['import { haiku, sonnet } from "std/models"\n'];
  for (let i = 0; i < count; i++) {
    const other = i === 0 ? 0 : i - 1;
    parts.push(`
/// A record of kind ${i}.
type Record${i} = {
  id: string
  /// What it is about.
  title: string(..200)
  level: "low" | "medium" | "high"
  score: float(0..1)
  tags: string[..10]
  parent: Record${other}?
}

@retry(2) @timeout(30s)
agent Judge${i}(item: Record${i}, hint: string) -> { keep: bool, reason: string(..200) } {
  model: ${i % 3 === 0 ? "sonnet" : "haiku"}
  prompt: """
    Judge {{item.title}} ({{item.level}}), hint: {{hint}}.
    {{#each item.tags}}
    - {{this}}
    {{/each}}
  """
}

flow pick${i}(items: Record${i}[..100], hint: string) -> string[] {
  let judged = @parallel(10) map item in items { Judge${i}(item, hint) }
  judged |> filter(one => one.keep) |> sort_by(one => len(one.reason)) |> take(5) |> reasons${i}
}

flow reasons${i}(kept: { keep: bool, reason: string }[]) -> string[] {
  map one in kept { "{{one.reason}}" }
}
`);
  }
  return parts.join("");
}
