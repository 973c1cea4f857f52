/**
 * Answers in the forms that models are known to give, over every form of type. They are written by hand after those
 * forms, none is a recording. Each case has the form it stands for and what must be read: a value, or a refusal.
 */

/** It can be read in two ways, does not fit or is not whole: the model is asked again. */
export const REFUSED = Symbol("refused");

export type Case = readonly [form: string, answer: string, expected: unknown];

export interface Group {
  /** Weave source: what stands behind `type Answer =`, with declarations of its own. */
  readonly type: string;
  readonly declarations?: string;
  /** A value of the type as JSON, put into every form of `around`. */
  readonly plain: string;
  readonly cases: readonly Case[];
}

/** Forms that do not depend on the type. */
export const around: readonly (readonly [form: string, write: (json: string) => string])[] = [
  ["plain", (json) => json],
  ["white space", (json) => `\n\n  ${json}\n`],
  ["fence", (json) => `\`\`\`json\n${json}\n\`\`\``],
  ["fence without a name", (json) => `\`\`\`\n${json}\n\`\`\``],
  ["fence in prose", (json) => `Here is the answer you asked for:\n\n\`\`\`json\n${json}\n\`\`\`\n\nLet me know if you need more!`],
  ["thoughts", (json) => `<think>\nThe user wants JSON. Perhaps {"x": 1}? No.\n</think>\n\n${json}`],
  ["thoughts, then a fence", (json) => `<thinking>Let me see [1].</thinking>\n\`\`\`json\n${json}\n\`\`\``],
  ["tags around", (json) => `<answer>\n${json}\n</answer>`],
  ["fence that never closes", (json) => `\`\`\`json\n${json}`],
];

const mood = '"glad" | "sad" | "very sad"';
const kind = '"bug" | "feature_request" | "question"';
const person = "{ name: string, age: int, email: string? }";
const shape = '{ kind: "circle", radius: float } | { kind: "square", side: float }';

export const corpus: readonly Group[] = [
  {
    type: "int",
    plain: "42",
    cases: [
      ["sentence", "The answer is 42.", 42],
      ["label", "Answer: 42", 42],
      ["emphasis", "**42**", 42],
      ["label with emphasis", "**Answer:** 42", 42],
      ["code", "`42`", 42],
      ["boxed", "\\boxed{42}", 42],
      ["text", '"42"', 42],
      ["record around", '{"answer": 42}', 42],
      ["record around, as text", '{"result": "42"}', 42],
      ["list around", "[42]", 42],
      ["explanation behind", "42 because six times seven is that", 42],
      ["explanation behind a dash", "42 - the usual answer", 42],
      ["thousands", "1,234,567", 1234567],
      ["thousands, one group", "1,234", 1234],
      ["underscores", "1_000", 1000],
      ["plus sign", "+5", 5],
      ["negative", "-5", -5],
      ["minus sign of print", "−5", -5],
      ["word", "three", 3],
      ["final stop", "42.", 42],
      ["fraction that is whole", "42.0", 42],
      ["fraction", "42.5", REFUSED],
      ["two numbers", "It is 42 or 43.", REFUSED],
      ["two fences", "```json\n1\n```\nor\n```json\n2\n```", REFUSED],
      ["share of unknown whole", "42%", REFUSED],
      ["no number", "I cannot tell.", REFUSED],
      ["null", "null", REFUSED],
      ["digits beyond precision", "12345678901234567890", REFUSED],
      ["number in the middle", "There are 3 reasons not to answer that.", REFUSED],
    ],
  },
  {
    type: "int(0..100)",
    plain: "85",
    cases: [
      ["percent", "85%", 85],
      ["out of", "85/100", 85],
      ["out of, words", "85 out of 100", 85],
      ["out of another whole", "4/5", REFUSED],
      ["too large", "101", REFUSED],
      ["label", "Score: 85", 85],
      ["label and whole", "Score: 85/100", 85],
    ],
  },
  {
    type: "float",
    plain: "0.5",
    cases: [
      ["no zero", ".5", 0.5],
      ["sentence", "The value is 0.5", 0.5],
      ["exponent", "5e-1", 0.5],
      ["thousands", "1,234.5", 1234.5],
      ["comma, fraction or thousands", "1,234", REFUSED],
      ["not a number", "NaN", REFUSED],
      ["text", '"0.5"', 0.5],
    ],
  },
  {
    type: "float(0..1)",
    plain: "0.85",
    cases: [
      ["percent", "85%", 0.85],
      ["too large", "85", REFUSED],
      ["fraction of ten", "8/10", REFUSED],
    ],
  },
  {
    type: "bool",
    plain: "true",
    cases: [
      ["Python", "True", true],
      ["capitals", "FALSE", false],
      ["yes", "Yes", true],
      ["no with a stop", "No.", false],
      ["explanation", "Yes, because the claim holds.", true],
      ["explanation behind a dash", "No — the source says otherwise.", false],
      ["label", "Answer: true", true],
      ["emphasis", "**Yes**", true],
      ["text", '"true"', true],
      ["record around", '{"answer": false}', false],
      ["both", "Yes and no", REFUSED],
      ["both, with a comma", "Yes, but also no.", REFUSED],
      ["neither", "maybe", REFUSED],
      ["number", "1", REFUSED],
      ["negated later", "true, or maybe false", REFUSED],
    ],
  },
  {
    type: mood,
    plain: '"glad"',
    cases: [
      ["no quotes", "glad", "glad"],
      ["final stop", "glad.", "glad"],
      ["capital", "Glad", "glad"],
      ["capitals", "GLAD", "glad"],
      ["emphasis", "**glad**", "glad"],
      ["label", "Sentiment: glad", "glad"],
      ["lead", "The answer is glad.", "glad"],
      ["explanation", "glad: the text is full of joy", "glad"],
      ["explanation, next line", "sad\n\nThe author writes about a loss.", "sad"],
      ["explanation in brackets", "Glad (the tone is cheerful)", "glad"],
      ["longer one of two", "very sad", "very sad"],
      ["longer one, underscore", "very_sad", "very sad"],
      ["longer one, camel", "VerySad", "very sad"],
      ["single quotes", "'glad'", "glad"],
      ["record around", '{"mood": "glad"}', "glad"],
      ["record around, other case", '{"mood": "Glad"}', "glad"],
      ["record with reasons", '{"reasoning": "joy", "answer": "glad"}', "glad"],
      ["two", "glad or sad", REFUSED],
      ["negated", "not glad", REFUSED],
      ["explanation that names another", "glad, not sad", REFUSED],
      ["another", "angry", REFUSED],
      ["two in a record", '{"a": "glad", "b": "sad"}', REFUSED],
      ["number", "1", REFUSED],
      ["null", "null", REFUSED],
    ],
  },
  {
    type: kind,
    plain: '"feature_request"',
    cases: [
      ["space", "feature request", "feature_request"],
      ["hyphen", "Feature-Request", "feature_request"],
      ["camel", "featureRequest", "feature_request"],
      ["as text, space", '"Feature Request"', "feature_request"],
      ["explanation", "Feature request - they want dark mode", "feature_request"],
      ["heading", "Category: **bug**", "bug"],
      ["longer word", "bugs", REFUSED],
      ["part of a word", "debugging", REFUSED],
    ],
  },
  {
    type: '"yes" | "no" | "unsure"',
    plain: '"unsure"',
    cases: [
      ["explanation", "Unsure. There is too little to go by.", "unsure"],
      ["truth value", "true", REFUSED],
      ["capital", "No", "no"],
    ],
  },
  {
    type: person,
    plain: '{"name":"Ada","age":36,"email":null}',
    cases: [
      ["absent optional", '{"name": "Ada", "age": 36}', { name: "Ada", age: 36, email: null }],
      ["trailing comma", '{"name": "Ada", "age": 36,}', { name: "Ada", age: 36, email: null }],
      ["line comment", '{\n  "name": "Ada", // the first\n  "age": 36\n}', { name: "Ada", age: 36, email: null }],
      ["block comment", '{"name": "Ada", /* years */ "age": 36}', { name: "Ada", age: 36, email: null }],
      ["hash comment", '{\n  "name": "Ada", # the first\n  "age": 36\n}', { name: "Ada", age: 36, email: null }],
      ["single quotes", "{'name': 'Ada', 'age': 36}", { name: "Ada", age: 36, email: null }],
      ["Python", "{'name': 'Ada', 'age': 36, 'email': None}", { name: "Ada", age: 36, email: null }],
      ["apostrophe in single quotes", "{'name': 'Ada's', 'age': 36}", { name: "Ada's", age: 36, email: null }],
      ["print quotes", "{“name”: “Ada”, “age”: 36}", { name: "Ada", age: 36, email: null }],
      ["names without quotes", '{name: "Ada", age: 36}', { name: "Ada", age: 36, email: null }],
      ["nothing in quotes", "{name: Ada Lovelace, age: 36}", { name: "Ada Lovelace", age: 36, email: null }],
      ["nothing in quotes, lines", "{\n  name: Ada Lovelace\n  age: 36\n}", { name: "Ada Lovelace", age: 36, email: null }],
      ["no commas", '{\n  "name": "Ada"\n  "age": 36\n}', { name: "Ada", age: 36, email: null }],
      ["no comma, one line", '{"name": "Ada" "age": 36}', { name: "Ada", age: 36, email: null }],
      ["number as text", '{"name": "Ada", "age": "36"}', { name: "Ada", age: 36, email: null }],
      ["number as word", '{"name": "Ada", "age": "three"}', { name: "Ada", age: 3, email: null }],
      ["text as number", '{"name": 1815, "age": 36}', { name: "1815", age: 36, email: null }],
      ["text as number with zeros", '{"name": 1.50, "age": 36}', { name: "1.50", age: 36, email: null }],
      ["capital names", '{"Name": "Ada", "Age": 36}', { name: "Ada", age: 36, email: null }],
      ["capital name of an optional field", '{"name": "Ada", "age": 36, "Email": "a@b.c"}', { name: "Ada", age: 36, email: "a@b.c" }],
      ["extra field", '{"name": "Ada", "age": 36, "confidence": 0.9}', { name: "Ada", age: 36, email: null }],
      ["record around", '{"person": {"name": "Ada", "age": 36}}', { name: "Ada", age: 36, email: null }],
      ["list around", '[{"name": "Ada", "age": 36}]', { name: "Ada", age: 36, email: null }],
      ["JSON in a text", '"{\\"name\\": \\"Ada\\", \\"age\\": 36}"', { name: "Ada", age: 36, email: null }],
      ["prose around", 'Sure! {"name": "Ada", "age": 36} Hope this helps.', { name: "Ada", age: 36, email: null }],
      ["prose with brackets", 'As in [1] and {see}, it is {"name": "Ada", "age": 36}.', { name: "Ada", age: 36, email: null }],
      ["quotes in a text", '{"name": "Ada "the first" Lovelace", "age": 36}', { name: 'Ada "the first" Lovelace', age: 36, email: null }],
      ["line break in a text", '{"name": "Ada\nLovelace", "age": 36}', { name: "Ada\nLovelace", age: 36, email: null }],
      ["escaped apostrophe", '{"name": "Ada\\\'s", "age": 36}', { name: "Ada's", age: 36, email: null }],
      ["stray backslash", '{"name": "C:\\Dir", "age": 36}', { name: "C:\\Dir", age: 36, email: null }],
      ["missing closer", '{"age": 36, "name": "Ada"', { name: "Ada", age: 36, email: null }],
      ["same value twice", '{"name": "Ada", "age": 36}\n\n{"name": "Ada", "age": 36}', { name: "Ada", age: 36, email: null }],
      ["example that does not fit before", 'The form is {"x": 1}. So: {"name": "Ada", "age": 36}', { name: "Ada", age: 36, email: null }],
      ["semicolon behind", '{"name": "Ada", "age": 36};', { name: "Ada", age: 36, email: null }],
      ["assignment", 'const answer = {"name": "Ada", "age": 36};', { name: "Ada", age: 36, email: null }],
      [
        "example before a fence",
        'Such as {"name": "Bob", "age": 1}:\n```json\n{"name": "Ada", "age": 36}\n```',
        { name: "Ada", age: 36, email: null },
      ],
      ["triple quotes", '{"name": """Ada""", "age": 36}', { name: "Ada", age: 36, email: null }],
      ["template quotes", '{"name": `Ada`, "age": 36}', { name: "Ada", age: 36, email: null }],
      ["cut in a text", '{"age": 36, "name": "Ad', REFUSED],
      ["cut in a number", '{"name": "Ada", "age": 3', REFUSED],
      ["cut behind a comma", '{"name": "Ada", "age": 36,', REFUSED],
      ["cut behind a name", '{"name": "Ada", "age"', REFUSED],
      ["missing field", '{"name": "Ada"}', REFUSED],
      ["field that is null", '{"name": null, "age": 36}', REFUSED],
      ["two that differ", '{"name": "Ada", "age": 36} or {"name": "Bob", "age": 2}', REFUSED],
      ["two fences that differ", '```json\n{"name": "Ada", "age": 36}\n```\n```json\n{"name": "Bob", "age": 2}\n```', REFUSED],
      ["field twice", '{"name": "Ada", "name": "Bob", "age": 36}', REFUSED],
      ["name in two spellings", '{"Name": "Ada", "NAME": "Bob", "age": 36}', REFUSED],
      ["optional that does not fit", '{"name": "Ada", "age": 36, "email": {"a": 1, "b": 2}}', REFUSED],
      ["left out", '{"name": "Ada", ...}', REFUSED],
      ["schema instead of value", '{"type": "object", "properties": {"name": {"type": "string"}}}', REFUSED],
      ["prose alone", "I am sorry, I cannot help with that.", REFUSED],
      ["broken outside, whole inside", '{"a": %%, "b": {"name": "Ada", "age": 36}', REFUSED],
    ],
  },
  {
    type: "string[]",
    plain: '["a","b"]',
    cases: [
      ["lone value", '"a"', ["a"]],
      ["record around", '{"items": ["a", "b"]}', ["a", "b"]],
      ["bullets", "- a\n- b", ["a", "b"]],
      ["bullets under a line", "The tags:\n\n* a\n* b", ["a", "b"]],
      ["numbered", "1. a\n2. b", ["a", "b"]],
      ["trailing comma", '["a", "b",]', ["a", "b"]],
      ["single quotes", "['a', 'b']", ["a", "b"]],
      ["no quotes", "[a, b c]", ["a", "b c"]],
      ["no commas, lines", '[\n"a"\n"b"\n]', ["a", "b"]],
      ["empty", "[]", []],
      ["missing closer", '["a", "b"', ["a", "b"]],
      ["quotes in a text", '["say "hi" now", "b"]', ['say "hi" now', "b"]],
      ["comma in a text", '["a, b", "c"]', ["a, b", "c"]],
      ["fence and label", 'Tags:\n```\n["a", "b"]\n```', ["a", "b"]],
      ["lead", 'The answer is ["a", "b"]', ["a", "b"]],
      ["numbers", "[1, 2.50]", ["1", "2.50"]],
      ["lone text with commas", '"a, b"', REFUSED],
      ["no commas, one line", '["a" "b"]', REFUSED],
      ["left out", '["a", ...]', REFUSED],
      ["null", "null", REFUSED],
      ["null inside", '["a", null]', REFUSED],
      ["cut in a text", '["a", "b', REFUSED],
      ["cut behind a comma", '["a",', REFUSED],
      ["aside in prose", "I found nothing in [1].", REFUSED],
      ["prose", "apples and pears", REFUSED],
      ["two lists", '["a"]\nor perhaps\n["b"]', REFUSED],
    ],
  },
  {
    type: "int[]",
    plain: "[1,2,3]",
    cases: [
      ["texts", '["1", "2", "3"]', [1, 2, 3]],
      ["lone value", "7", [7]],
      ["commas in a text", '"1, 2, 3"', [1, 2, 3]],
      ["two lists", "Of [1, 2, 3] the even ones are [2]", REFUSED],
      ["word inside", '[1, "many"]', REFUSED],
      ["bullets", "- 1\n- 2", [1, 2]],
    ],
  },
  {
    type: `(${mood})[]`,
    plain: '["glad","sad"]',
    cases: [
      ["other case", '["Glad", "SAD"]', ["glad", "sad"]],
      ["lone value", '"glad"', ["glad"]],
      ["commas in a text", '"glad, sad"', ["glad", "sad"]],
      ["no quotes", "[glad, very sad]", ["glad", "very sad"]],
      ["one that is none", '["glad", "angry"]', REFUSED],
    ],
  },
  {
    type: `Person[]`,
    declarations: `type Person = ${person}`,
    plain: '[{"name":"Ada","age":36,"email":null}]',
    cases: [
      ["lone record", '{"name": "Ada", "age": 36}', [{ name: "Ada", age: 36, email: null }]],
      [
        "lines of records",
        '{"name": "Ada", "age": 36}\n{"name": "Bob", "age": 2}',
        [
          { name: "Ada", age: 36, email: null },
          { name: "Bob", age: 2, email: null },
        ],
      ],
      [
        "records with commas",
        '{"name": "Ada", "age": 36},\n{"name": "Bob", "age": 2}',
        [
          { name: "Ada", age: 36, email: null },
          { name: "Bob", age: 2, email: null },
        ],
      ],
      ["record around", '{"people": [{"name": "Ada", "age": 36}]}', [{ name: "Ada", age: 36, email: null }]],
      ["missing closers", '[{"name": "Ada", "age": 36, "email": "a"', [{ name: "Ada", age: 36, email: "a" }]],
      ["one that does not fit", '[{"name": "Ada", "age": 36}, {"name": "Bob"}]', REFUSED],
      ["records in prose", 'First {"name": "Ada", "age": 36} and then {"name": "Bob", "age": 2}', REFUSED],
      ["names without quotes", "[{name: 'Ada', age: 36,},]", [{ name: "Ada", age: 36, email: null }]],
    ],
  },
  {
    type: "map<int>",
    plain: '{"a":1,"b":2}',
    cases: [
      ["texts", '{"a": "1"}', { a: 1 }],
      ["names without quotes", "{a: 1, b: 2}", { a: 1, b: 2 }],
      ["list of pairs", '[{"key": "a", "value": 1}]', { a: 1 }],
      ["key twice", '{"a": 1, "a": 2}', REFUSED],
      ["does not fit", '{"a": "x"}', REFUSED],
      ["empty", "{}", {}],
    ],
  },
  {
    type: shape,
    plain: '{"kind":"circle","radius":1.5}',
    cases: [
      ["tag in other case", '{"kind": "Circle", "radius": 1.5}', { kind: "circle", radius: 1.5 }],
      ["tag named in other case", '{"Kind": "circle", "radius": 1.5}', { kind: "circle", radius: 1.5 }],
      ["tag outside", '{"circle": {"radius": 1.5}}', { kind: "circle", radius: 1.5 }],
      ["no tag", '{"radius": 1.5}', { kind: "circle", radius: 1.5 }],
      ["fields of both", '{"kind": "square", "side": 2, "radius": 1}', { kind: "square", side: 2 }],
      ["no tag, fields of both", '{"side": 2, "radius": 1}', REFUSED],
      ["tag and field that do not belong", '{"kind": "square", "radius": 1}', REFUSED],
      ["other tag", '{"kind": "triangle", "side": 1}', REFUSED],
      ["number as text", '{"kind": "square", "side": "2"}', { kind: "square", side: 2 }],
      ["record around", '{"shape": {"kind": "square", "side": 2}}', { kind: "square", side: 2 }],
      ["list around", '[{"kind": "square", "side": 2}]', { kind: "square", side: 2 }],
      ["tag alone", '{"kind": "square"}', REFUSED],
    ],
  },
  {
    type: "int | string",
    plain: "42",
    cases: [
      ["text of digits", '"42"', "42"],
      ["text", '"a"', "a"],
      ["record around", '{"answer": 7}', 7],
      ["bare text", "forty", "forty"],
    ],
  },
  {
    type: "int?",
    plain: "null",
    cases: [
      ["number", "3", 3],
      ["Python", "None", null],
      ["text", '"3"', 3],
      ["null as text", '"null"', null],
      ["not available", "N/A", REFUSED],
      ["word", '"unknown"', REFUSED],
      ["empty text", '""', REFUSED],
    ],
  },
  {
    type: "{ limit: int?, note: string? }",
    plain: '{"limit":null,"note":"x"}',
    cases: [
      ["does not fit", '{"limit": "many", "note": "x"}', REFUSED],
      ["nothing known", '{"max": 3}', REFUSED],
      ["empty", "{}", { limit: null, note: null }],
      ["other spelling", '{"Limit": 3, "NOTE": "x"}', { limit: 3, note: "x" }],
      ["null as text of a text", '{"note": "null"}', { limit: null, note: "null" }],
      ["record around", '{"result": {"limit": 3}}', { limit: 3, note: null }],
    ],
  },
  {
    type: "json",
    plain: '{"a":[1,"x",null]}',
    cases: [
      ["names without quotes", "{a: [1, x, null]}", { a: [1, "x", null] }],
      ["two", '{"a": 1} {"a": 2}', REFUSED],
      ["prose", "nothing", REFUSED],
      ["Python", "{'a': True}", { a: true }],
      ["digits beyond precision", '{"a": 12345678901234567890}', REFUSED],
    ],
  },
  {
    type: "money",
    plain: "4.5",
    cases: [
      ["dollars", "$4.50", 4.5],
      ["dollars, text", '"$4.50"', 4.5],
      ["code behind", "4.50 USD", 4.5],
      ["thousands", "$1,234.50", 1234.5],
      ["another currency", "€4.50", REFUSED],
      ["label", "Total: $4.50", 4.5],
    ],
  },
  {
    type: "duration",
    plain: "5000",
    cases: [
      ["short", "5s", 5000],
      ["text", '"1h 30m"', 5_400_000],
      ["words", "2 minutes", 120_000],
      ["word alone", "soon", REFUSED],
    ],
  },
  {
    type: "{ scores: float[], best: { name: string, tags: string[] } }",
    plain: '{"scores":[0.5],"best":{"name":"a","tags":[]}}',
    cases: [
      ["lone values inside", '{"scores": 0.5, "best": {"name": "a", "tags": "x"}}', { scores: [0.5], best: { name: "a", tags: ["x"] } }],
      [
        "JSON in a text inside",
        '{"scores": "[0.5]", "best": "{\\"name\\": \\"a\\", \\"tags\\": []}"}',
        { scores: [0.5], best: { name: "a", tags: [] } },
      ],
      ["missing closers", '{"scores": [0.5], "best": {"name": "a", "tags": ["x"', { scores: [0.5], best: { name: "a", tags: ["x"] } }],
      ["one closer too few", '{"scores": [0.5], "best": {"name": "a", "tags": ["x"]}', { scores: [0.5], best: { name: "a", tags: ["x"] } }],
      ["closers too many", '{"scores": [0.5], "best": {"name": "a", "tags": ["x"]}}}', { scores: [0.5], best: { name: "a", tags: ["x"] } }],
      [
        "everything at once",
        "Sure:\n```js\n{\n  scores: ['0.5',], // one\n  best: {name: 'a', tags: x,},\n}\n```",
        { scores: [0.5], best: { name: "a", tags: ["x"] } },
      ],
      ["list of lists", '{"scores": [[0.5]], "best": {"name": "a", "tags": []}}', { scores: [0.5], best: { name: "a", tags: [] } }],
    ],
  },
  {
    type: "Tree",
    declarations: "type Tree = { label: string, children: Tree[] }",
    plain: '{"label":"a","children":[{"label":"b","children":[]}]}',
    cases: [
      [
        "lone child",
        '{"label": "a", "children": {"label": "b", "children": []}}',
        { label: "a", children: [{ label: "b", children: [] }] },
      ],
      ["child that does not fit", '{"label": "a", "children": [{"children": []}]}', REFUSED],
      ["names without quotes", "{label: a, children: []}", { label: "a", children: [] }],
    ],
  },
  {
    type: "string(/^[A-Z]{2}-\\d+$/)",
    plain: '"AB-12"',
    cases: [
      ["without quotes", "AB-12", "AB-12"],
      ["code", "`AB-12`", "AB-12"],
      ["lead", "The answer is AB-12.", "AB-12"],
      ["record around", '{"id": "AB-12"}', "AB-12"],
      ["another form", '"ab12"', REFUSED],
    ],
  },
  {
    type: "{ id: string(/^[a-z]+$/), note: string(..10) }",
    plain: '{"id":"ab","note":"short"}',
    cases: [
      ["too long", '{"id": "ab", "note": "much too long for this"}', REFUSED],
      ["another form", '{"id": "AB", "note": "short"}', REFUSED],
      ["quotes of another kind", "{'id': 'ab', 'note': 'short'}", { id: "ab", note: "short" }],
    ],
  },
  {
    type: "int[2..3]",
    plain: "[1,2]",
    cases: [
      ["too few", "[1]", REFUSED],
      ["too many", "[1, 2, 3, 4]", REFUSED],
      ["lone value", "1", REFUSED],
      ["record around", '{"values": [1, 2, 3]}', [1, 2, 3]],
      ["texts", '["1", "2"]', [1, 2]],
      ["missing closer", "[1, 2", REFUSED],
    ],
  },
  {
    type: '1 | 2 | true | "none"',
    plain: "2",
    cases: [
      ["text", '"2"', 2],
      ["word", "none", "none"],
      ["truth", "true", true],
      ["sentence", "The answer is 2.", 2],
      ["another", "3", REFUSED],
    ],
  },
  {
    type: "map<string[]>",
    plain: '{"a":["x","y"],"b":[]}',
    cases: [
      ["lone value inside", '{"a": "x"}', { a: ["x"] }],
      ["names without quotes", '{a: ["x"], b: []}', { a: ["x"], b: [] }],
      ["numbers for texts", '{"a": [1]}', { a: ["1"] }],
      ["value that does not fit", '{"a": [{}]}', REFUSED],
      ["list of pairs", '[{"key": "a", "value": ["x"]}]', { a: ["x"] }],
    ],
  },
  {
    type: "Page<int>",
    declarations: "type Page<T> = { items: T[], next: string? }",
    plain: '{"items":[1,2],"next":null}',
    cases: [
      ["absent field", '{"items": [1]}', { items: [1], next: null }],
      ["bare list", "[1, 2]", REFUSED],
      ["null of another language", '{"items": [1], "next": None}', { items: [1], next: null }],
    ],
  },
  {
    type: "string[]?",
    plain: '["a","b"]',
    cases: [
      ["null", "null", null],
      ["lone value", '"a"', ["a"]],
      ["empty", "[]", []],
      ["lines", "- a\n- b", ["a", "b"]],
    ],
  },
  {
    type: '{ event: "sent", to: string[], at: duration } | { event: "failed", why: string, cost: money? }',
    plain: '{"event":"sent","to":["a"],"at":5000}',
    cases: [
      ["tag in another case", '{"event": "Failed", "why": "gone"}', { event: "failed", why: "gone", cost: null }],
      ["amount as text", '{"event": "failed", "why": "gone", "cost": "$0.50"}', { event: "failed", why: "gone", cost: 0.5 }],
      ["duration as text", '{"event": "sent", "to": "a", "at": "5s"}', { event: "sent", to: ["a"], at: 5000 }],
      ["tag of neither", '{"event": "lost", "why": "gone"}', REFUSED],
      ["cut in a text", '{"event": "failed", "why": "go', REFUSED],
    ],
  },
];

// ------------------------------------------------------------------------------------------------ forms over every type

type Fields = Readonly<Record<string, unknown>>;
const isRecord = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);
const isWord = (text: string): boolean => /^[A-Za-z]\w*$/.test(text) && !["true", "false", "null"].includes(text);

interface Style {
  readonly name?: (key: string) => string;
  readonly text?: (value: string) => string;
  readonly number?: (value: number) => string;
  readonly word?: (value: boolean | null) => string;
  readonly comma?: string;
  readonly last?: string;
}

/** JSON as a writer of some style writes it. */
function styled(value: unknown, style: Style): string {
  const { name = JSON.stringify, text = JSON.stringify, number = String, word = String, comma = ", ", last = "" } = style;
  if (typeof value === "string") return text(value);
  if (typeof value === "number") return number(value);
  if (typeof value === "boolean" || value === null) return word(value);
  const end = (parts: readonly string[]): string => parts.join(comma) + (parts.length === 0 ? "" : last);
  if (Array.isArray(value)) return `[${end(value.map((each) => styled(each, style)))}]`;
  return `{${end(Object.entries(value as Fields).map(([key, each]) => `${name(key)}: ${styled(each, style)}`))}}`;
}

const holds = (value: unknown, what: (each: unknown) => boolean): boolean =>
  what(value) || (typeof value === "object" && value !== null && Object.values(value).some((each) => holds(each, what)));
const isFilled = (value: unknown): boolean => typeof value === "object" && value !== null && Object.keys(value).length > 0;
const single = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;

/** Undefined where a form means nothing for a value. */
const forms: readonly (readonly [form: string, write: (value: unknown) => string | undefined])[] = [
  ["comments", (value) => (isFilled(value) ? `// as asked\n${styled(value, { comma: ", /* and */ ", last: " // done\n" })}` : undefined)],
  ["trailing commas", (value) => (isFilled(value) ? styled(value, { last: "," }) : undefined)],
  ["missing commas", (value) => (isFilled(value) ? styled(value, { comma: "\n" }) : undefined)],
  [
    "single quotes",
    (value) =>
      holds(value, (each) => typeof each === "string" || isRecord(each)) ? styled(value, { name: single, text: single }) : undefined,
  ],
  ["unquoted names", (value) => (holds(value, isRecord) ? styled(value, { name: (key) => key }) : undefined)],
  [
    "unquoted texts",
    (value) =>
      holds(value, (each) => typeof each === "string" && isWord(each))
        ? styled(value, { text: (each) => (isWord(each) ? each : JSON.stringify(each)) })
        : undefined,
  ],
  ["closers that are missing", (value) => (isFilled(value) ? styled(value, {}).replace(/[\]}\s]+$/, "") : undefined)],
  [
    "numbers as text",
    (value) => (holds(value, (each) => typeof each === "number") ? styled(value, { number: (each) => `"${each}"` }) : undefined),
  ],
  [
    "words of Python",
    (value) =>
      holds(value, (each) => typeof each === "boolean" || each === null)
        ? styled(value, { word: (each) => (each === null ? "None" : each ? "True" : "False") })
        : undefined,
  ],
  [
    "names in another spelling",
    (value) => (isRecord(value) ? styled(value, { name: (key) => `"${key.charAt(0).toUpperCase()}${key.slice(1)}"` }) : undefined),
  ],
  ["texts in capitals", (value) => (typeof value === "string" ? JSON.stringify(value.toUpperCase()) : undefined)],
  ["a lone value for a list", (value) => (Array.isArray(value) && value.length === 1 ? styled(value[0], {}) : undefined)],
  ["a list around", (value) => `[${styled(value, {})}]`],
  ["a record around", (value) => `{"answer": ${styled(value, {})}}`],
  ["JSON in a text", (value) => JSON.stringify(styled(value, {}))],
  ["an example that does not fit before it", (value) => `For example [[["no"]]] would be wrong.\n\n${styled(value, {})}`],
  ["the same twice", (value) => `${styled(value, {})}\n\nOr, in one line: ${styled(value, {})}`],
];

/** What is read where a form means something else for a type. */
const otherwise: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  // Whatever is written is JSON of some form.
  json: {
    "numbers as text": { a: ["1", "x", null] },
    "names in another spelling": { A: [1, "x", null] },
    "a list around": [{ a: [1, "x", null] }],
    "a record around": { answer: { a: [1, "x", null] } },
    "JSON in a text": '{"a": [1, "x", null]}',
    "an example that does not fit before it": REFUSED,
  },
  // Names of a map are values.
  "map<int>": { "names in another spelling": { A: 1, B: 2 } },
  "map<string[]>": { "names in another spelling": { A: ["x", "y"], B: [] } },
  "int | string": { "numbers as text": "42", "JSON in a text": "42", "the same twice": "42\n\nOr, in one line: 42" },
};

/** Answers in every form that means something for a type, around its plain value. */
export function formsOf({ type, plain }: Group): readonly Case[] {
  const value: unknown = JSON.parse(plain);
  return forms.flatMap(([form, write]): Case[] => {
    const answer = write(value);
    if (answer === undefined) return [];
    const other = otherwise[type];
    if (other !== undefined && form in other) return [[form, answer, other[form]]];
    // A word or a number may go on behind the cut, and so may a list that has only begun.
    if (form === "closers that are missing") return [[form, answer, /["\]}]$/.test(answer) ? value : REFUSED]];
    // A lone value that stands beside something else is not known to be the answer.
    const isSingle = typeof value !== "object" || value === null;
    const isBeside = form === "the same twice" || form === "an example that does not fit before it";
    return [[form, answer, isSingle && isBeside ? REFUSED : value]];
  });
}
