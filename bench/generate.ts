/**
 * Large programs to measure the compiler with, each in two languages: records that refer to each other, agents with
 * prompts over them, and flows that wire the agents together. BAML has no flows, so each is one more function there.
 */

/** Some thousand lines of Weave: `count` types, half as many agents and half as many flows, about 20 lines for each type. */
export function generatedProgram(count: number): string {
  const parts = ['import { haiku, sonnet } from "std/models"\n'];
  for (let i = 0; i < count; i++) {
    parts.push(`
/// A record of kind ${i}.
type Record${i} = {
  id: string
  /// What it is about.
  title: string(..200)
  level: "low" | "medium" | "high"
  score: float(0..1)
  tags: string[..10]
  parent: Record${i - (i % 10)}?
}
`);
    parts.push(i % 2 === 0 ? agent(i) : flow(i));
  }
  return parts.join("");
}

const agent = (i: number): string => `
@retry(2) @timeout(30s)
agent Judge${i}(item: Record${i}, hint: string) -> { keep: bool, reason: string(..200) } {
  model: ${i % 3 === 0 ? "sonnet" : "haiku"}
  prompt: """
    You judge records of kind ${i}. Keep what is worth reading again.
    Judge {{item.id}}, "{{item.title}}" ({{item.level}}, {{item.score}}). A hint: {{hint}}.
    {{#each item.tags}}
    - {{this}}
    {{/each}}
    {{#if item.parent}}It is a part of another one.{{/if}}
  """
}
`;

const flow = (i: number): string => `
/// The reasons for keeping records of kind ${i - 1}.
flow pick${i}(items: Record${i - 1}[..100], hint: string) -> string[] {
  let fresh = items |> filter(item => item.score > 0.1 && len(item.title) > 3)
  let judged = @parallel(10) map item in fresh { Judge${i - 1}(item, hint) }
  let kept = judged |> filter(one => one.keep) |> sort_by(one => len(one.reason)) |> take(5)
  if len(kept) == 0 { ["nothing of kind ${i - 1}"] } else { map one in kept { "{{one.reason}}" } }
}
`;

/** The same for BAML: as many classes, and a function for every agent and flow. */
export function generatedBaml(count: number): string {
  const parts = [
    `client<llm> Haiku {
  provider anthropic
  options {
    model "claude-haiku-4-5"
    api_key env.ANTHROPIC_API_KEY
  }
}
`,
  ];
  for (let i = 0; i < count; i++) {
    parts.push(`
/// A record of kind ${i}.
class Record${i} {
  id string
  title string @description("What it is about.")
  level "low" | "medium" | "high"
  score float
  tags string[]
  parent Record${i - (i % 10)}?
}

class Verdict${i} {
  keep bool
  reason string
}

function Judge${i}(item: Record${i}, hint: string) -> Verdict${i} {
  client Haiku
  prompt #"
    You judge records of kind ${i}. Keep what is worth reading again.
    Judge {{ item.id }}, "{{ item.title }}" ({{ item.level }}, {{ item.score }}). A hint: {{ hint }}.
    {% for tag in item.tags %}
    - {{ tag }}
    {% endfor %}
    {% if item.parent %}It is a part of another one.{% endif %}
    {{ ctx.output_format }}
  "#
}
`);
  }
  return parts.join("");
}
