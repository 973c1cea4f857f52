/** Untrusted text: where it may not go, and what takes the mark off. */
import { describe, expect, test } from "vitest";
import { compiledCodes } from "../semantics/program.js";

const prelude = `
type Mail = { from: string, kind: "spam" | "work", size: int }
@untrusted tool fetch_text(url: string) -> string = module("./t.ts")
@untrusted tool fetch_mail(id: string) -> Mail = module("./t.ts")
tool tidy(text: string) -> string = module("./t.ts")
effect tool write(text: string) -> null = module("./t.ts")
effect tool label(kind: "spam" | "work", size: int) -> null = module("./t.ts")
@approve("write?") effect tool write_approved(text: string) -> null = module("./t.ts")
model m { provider: "sim", context: 100k, max_output: 1k }
agent Read(text: string) -> { summary: string, kind: "spam" | "work" } { model: m, prompt: "{{text}}" }
agent Surf(question: string) -> string { model: m, tools: [fetch_text], prompt: "{{question}}" }
agent Clean(question: string) -> string { model: m, prompt: "{{question}}" }
`;

const codes = (body: string): readonly string[] => compiledCodes(prelude + body, "W06").map((code) => code.slice(0, 5));

describe("may not become an argument of an effect:", () => {
  test.each([
    ["what an untrusted tool returned", "flow f(u: string) { write(fetch_text(u)) }"],
    [
      "its text through a template",
      'flow f(u: string) { write("got {{fetch_text(u)}}") }'
        .replace("{{fetch_text(u)}}", "{{x}}")
        .replace("{ write", "{ let x = fetch_text(u)\n write"),
    ],
    ["a text field of it", "flow f(u: string) { write(fetch_mail(u).from) }"],
    ["what a tool made of it", "flow f(u: string) { write(tidy(fetch_text(u))) }"],
    ["what an agent that read it says in free text", "flow f(u: string) { write(Read(fetch_text(u)).summary) }"],
    ["what an agent that can fetch it says", "flow f(u: string) { write(Surf(u)) }"],
    ["through a flow", "flow g(t: string) { write(t) }\nflow f(u: string) { g(fetch_text(u)) }"],
    ["as the result of a flow", "flow g(u: string) -> string { fetch_text(u) }\nflow f(u: string) { write(g(u)) }"],
    [
      "through a function that is passed",
      "flow each(xs: string[], use: (string) -> string) -> string[] { map x in xs { use(x) } }\nflow f(u: string) { write(join(each([u], x => fetch_text(x)), ' ')) }".replaceAll(
        "' '",
        '" "',
      ),
    ],
    ["an item of a map", "flow f(us: string[]) { let xs = map u in us { fetch_text(u) }\n map x in xs { write(x) } }"],
    [
      "through a loop",
      'flow f(u: string) { write(loop s = "" up to 2 { next "{{s}} {{x}}" }) }'.replace("{ write", "{ let x = fetch_text(u)\n write"),
    ],
    ["bound by a pattern", 'flow f(u: string) { match fetch_mail(u) { { kind: "spam", from } => write(from), _ => null } }'],
    ["one branch of two", "flow f(u: string, c: bool) { write(if c { fetch_text(u) } else { u }) }"],
    ["recovered from", "flow f(u: string) { write(try fetch_text(u) recover e { e.kind }) }"],
    ["a parameter that is typed so", "flow f(t: untrusted string) { write(t) }"],
    ["a field that is typed so", "type Ticket = { id: string, body: untrusted string }\nflow f(t: Ticket) { write(t.body) }"],
  ])("%s", (_name, source) => expect(codes(source)).toEqual(["W0601"]));
});

describe("is no concern:", () => {
  test.each([
    ["enums and numbers of it", "flow f(u: string) { let x = fetch_mail(u)\n label(x.kind, x.size) }"],
    ["an enum that an agent chose", "flow f(u: string) { label(Read(fetch_text(u)).kind, 1) }"],
    ["a length, a test", 'flow f(u: string) { label(if contains(fetch_text(u), "x") { "spam" } else { "work" }, len(fetch_text(u))) }'],
    ["what the program trusts", 'flow f(u: string) { write(trust(fetch_text(u), "ours")) }'],
    ["what a person approves", "flow f(u: string) { write_approved(fetch_text(u)) }"],
    ["approval at the call", 'flow f(u: string) { @approve("sure?") write(fetch_text(u)) }'],
    ["another field of the same record", "type Ticket = { id: string, body: untrusted string }\nflow f(t: Ticket) { write(t.id) }"],
    ["a record made anew", "flow f(u: string) { let r = { own: u, theirs: fetch_text(u) }\n write(r.own) }"],
    ["showing it to an agent without effects, and returning it", "flow f(u: string) -> string { Clean(fetch_text(u)) }"],
    ["text of an agent that saw none", "flow f(u: string) { write(Clean(u)) }"],
    [
      "the same flow called with clean text",
      "flow g(t: string) -> string { t }\nflow f(u: string) -> string { write(g(u))\n g(fetch_text(u)) }",
    ],
  ])("%s", (_name, source) => expect(codes(source)).toEqual([]));
});

describe("an agent that sees it may hold no effects:", () => {
  test.each([
    [
      "among its tools, when it can fetch",
      'agent A(q: string) -> string { model: m, tools: [fetch_text, write], prompt: "{{q}}" }\nflow f(q: string) -> string { A(q) }',
      ["W0602"],
    ],
    [
      "when it is given it",
      'agent A(q: string) -> string { model: m, tools: [write], prompt: "{{q}}" }\nflow f(u: string) -> string { A(fetch_text(u)) }',
      ["W0602"],
    ],
    [
      "unless a person approves each",
      'agent A(q: string) -> string { model: m, tools: [fetch_text, write_approved], prompt: "{{q}}" }\nflow f(q: string) -> string { A(q) }',
      [],
    ],
    [
      "nor through an agent of its team",
      'agent B(t: string) -> string { model: m, tools: [write], prompt: "{{t}}" }\nagent A(q: string) -> string { model: m, tools: [fetch_text, B], prompt: "{{q}}" }\nflow f(q: string) -> string { A(q) }',
      ["W0602"],
    ],
  ])("%s", (_name, source, expected) => expect(codes(source)).toEqual(expected));
});

describe("effects where results are thrown away", () => {
  test.each([
    ["an effect in a race", "flow f(a: string) { race { write(a), write(a) } }", ["W0603"]],
    [
      "through a flow in a vote",
      "flow g(a: string) -> int { write(a)\n 1 }\nflow f(a: string) -> int { (vote 3 { g(a) }).value }",
      ["W0603"],
    ],
    [
      "undone",
      'effect tool undo(r: null) -> null = module("./t.ts")\nflow f(a: string) { race { @compensate(undo) write(a), @compensate(undo) write(a) } }',
      [],
    ],
    [
      "harmless to repeat",
      '@idempotent(key: "{{t}}") effect tool put(t: string) -> null = module("./t.ts")\nflow f(a: string) { race { put(a), put(a) } }',
      [],
    ],
  ])("%s", (_name, source, expected) => expect([...new Set(codes(source))]).toEqual(expected));
});
