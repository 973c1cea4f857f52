// A model that is a program: it reads the whole prompt from standard input and prints its answer as JSON, with what it
// used and what that cost. A coding agent such as `claude -p --output-format json` does the same with a model behind it.
let prompt = "";
for await (const part of process.stdin) prompt += part;

const text = /Text: (.*)/.exec(prompt)?.[1] ?? "";
const hits = (words) => words.filter((word) => text.toLowerCase().includes(word)).length;
const [bug, wish] = [hits(["crash", "error", "broken", "fails"]), hits(["could", "please", "would like", "wish"])];

if (text === "") {
  console.log(JSON.stringify({ error: { kind: "refused", message: "there is no text" } }));
} else {
  console.log(
    JSON.stringify({
      value: { kind: bug > wish ? "bug" : wish > bug ? "wish" : "question", sure: Math.min(1, 0.5 + 0.25 * Math.abs(bug - wish)) },
      usage: { input_tokens: Math.ceil(prompt.length / 4), output_tokens: 12 },
      cost_usd: 0.0001,
    }),
  );
}
