/**
 * Programs that compile and run, drawn from a seed, for laws about what a run may use: agents with varied limits and
 * tools, models in groups, maps, votes, loops, reductions, races, forks, recovery, policies and flows that call flows.
 * Everything in them is a text or a list of texts, so that any expression can stand nearly anywhere.
 */

export type Random = () => number;

/** A generator of numbers from 0 to 1 that a seed fixes. */
export function randomOf(seed: number): Random {
  let state = (seed * 0x9e3779b1) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface RunnableProgram {
  readonly source: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

interface Signature {
  readonly name: string;
  /** Limit of the text parameter, and of the list of texts. */
  readonly text: number | undefined;
  readonly list: number | undefined;
  readonly result: "text" | "texts" | "note";
  /** Whether its text has no limit. */
  readonly open: boolean;
  readonly kind: "agent" | "tool" | "flow" | "capability";
}

type Value = "text" | "texts";

interface Scope {
  readonly names: { readonly name: string; readonly of: Value }[];
  readonly lines: string[];
}

/** A program of about so many steps, with inputs for its flow `main`. */
export function runnableProgram(seed: number, steps = 7): RunnableProgram {
  const random = randomOf(seed);
  const between = (low: number, high: number): number => low + Math.floor(random() * (high - low + 1));
  const pick = <T>(of: readonly T[]): T => of[between(0, of.length - 1)] as T;
  const chance = (p: number): boolean => random() < p;
  const out: string[] = [];
  const callables: Signature[] = [];
  let fresh = 0;
  const name = (prefix: string): string => `${prefix}${++fresh}`;

  const limit = (): number | undefined => (chance(0.35) ? undefined : between(3, 40));
  const textType = (max: number | undefined): string => (max === undefined ? "string" : `string(..${max})`);
  const textsType = (max: number | undefined, of: number | undefined): string => `${textType(of)}[${max === undefined ? "" : `..${max}`}]`;
  const listLimit = (): number | undefined => (chance(0.3) ? undefined : between(1, 4));

  // ------------------------------------------------------------------------------------------------- models

  const models: string[] = [];
  for (let i = 0; i < between(1, 3); i++) {
    const model = `m${i + 1}`;
    models.push(model);
    const cached = chance(0.4) ? `, cache_write: $${(random() * 3).toFixed(2)}, cached_input: $0.01` : "";
    out.push(
      `model ${model} {`,
      `  provider: "sim"`,
      `  price: { input: $${(random() * 3).toFixed(3)}, output: $${(random() * 9).toFixed(3)}${cached} }`,
      `  context: ${pick(["2k", "20k", "200k"])}`,
      `  max_output: ${between(20, 300)}`,
      ...(chance(0.5) ? [`  token_factor: ${pick(["1", "0.7", "0.35"])}`, `  overhead: ${between(0, 90)}`] : []),
      `}`,
    );
  }
  if (models.length > 1 && chance(0.6)) {
    out.push(`model group { ${pick(["fallback", "balance"])}: [${models.join(", ")}] }`);
    models.push("group");
  }

  // ----------------------------------------------------------------------------------------- tools and agents

  const signature = (kind: Signature["kind"], prefix: string): Signature => {
    const result = kind === "flow" ? pick(["text", "texts"] as const) : pick(["text", "text", "texts", "note"] as const);
    return { kind, name: name(prefix), text: limit(), list: listLimit(), result, open: kind === "flow" || chance(0.35) };
  };
  const params = (s: Signature): string => `(x: ${textType(s.text)}, ys: ${textsType(s.list, undefined)})`;
  const resultType = (s: Signature): string => {
    if (s.result === "text") return textType(s.open ? undefined : between(3, 40));
    if (s.result === "texts") return textsType(listLimit(), limit());
    return `{ label: "a" | "b", words: ${textsType(listLimit(), limit())}, score: int(0..9) }`;
  };
  const retry = (): string => {
    const on = chance(0.4) ? ', on: ["timeout", "unavailable", "invalid_output", "rate_limit", "tool_error"]' : "";
    return `@retry(${between(0, 2)}, backoff: ${pick(["10ms", "1s"])}${on})`;
  };
  const policies = (kind: Signature["kind"], inPlace: boolean): string => {
    const found: string[] = [];
    if (chance(0.3)) found.push(retry());
    if (chance(0.25)) found.push(`@timeout(${pick(["150ms", "2s", "60s", "60s", "60s"])})`);
    if (chance(0.15)) found.push(`@hedge(after: ${pick(["20ms", "100ms", "5s"])})`);
    if (chance(0.08)) found.push("@cache(1h)");
    if (inPlace && chance(0.1)) found.push(`@reserve($${(random() * 0.01).toFixed(4)})`);
    if (kind === "tool" && !inPlace && chance(0.6)) found.push(`@cost($${(random() * 0.01).toFixed(4)})`);
    if (kind === "flow" && !inPlace && chance(0.2)) found.push(`@parallel(${between(1, 3)})`);
    return found.length === 0 ? "" : `${found.join(" ")} `;
  };
  const fallbackFor = (s: Signature): string => {
    const fit = s.open ? callables.filter((each) => each.kind !== "flow" && each.result === "text" && s.result === "text") : [];
    // Only what takes any text and list can stand in for what takes less.
    const wide = fit.filter((each) => each.text === undefined && each.list === undefined && each.name !== s.name);
    return wide.length > 0 && chance(0.4) ? `@fallback(${pick(wide).name}) ` : "";
  };
  const returns = new Map<string, string>();

  /** What a capability says about the callables that implement it. */
  interface Role {
    readonly of: Signature;
    readonly type: string;
  }
  const figures = (role: Role | undefined): string =>
    role === undefined
      ? ""
      : `${chance(0.5) ? `@quality(${between(1, 9) * 10}%) ` : ""}${chance(0.4) ? `@latency(${between(1, 30) * 100}ms) ` : ""}`;
  const tool = (role?: Role): void => {
    const s = role === undefined ? signature("tool", "tool_") : { ...role.of, kind: "tool" as const, name: name("tool_") };
    const type = role?.type ?? resultType(s);
    returns.set(s.name, type);
    const head = `${figures(role)}${policies("tool", false)}tool ${s.name}${params(s)} -> ${type}`;
    out.push(`${head}${role === undefined ? "" : ` implements ${role.of.name}`} = module("./tools.ts")`);
    if (role === undefined) callables.push(s);
  };
  const agent = (role?: Role): void => {
    const s = role === undefined ? signature("agent", "Agent") : { ...role.of, name: name("Agent") };
    const type = role?.type ?? resultType(s);
    const tools = callables.filter((each) => each.kind !== "flow" && chance(0.3)).map((each) => each.name);
    const texts = [
      "Say something about {{x}}.\n{{#each ys}}\n- {{this}} {{@index}}\n{{/each}}",
      'Words: {{join ys ", "}} {{json ys}}',
      "{{#if x}}{{x}} and {{x}}{{else}}nothing{{/if}} {{len ys}}",
      "Short.",
    ];
    out.push(
      `${figures(role)}${policies("agent", false)}agent ${s.name}${params(s)} -> ${type} ${role === undefined ? "" : `implements ${role.of.name} `}{`,
      `  model: ${pick(models)}`,
      `  prompt: """\n${pick(texts)}\n"""`,
      ...(chance(0.3) ? [`  system: "You are {{x}}."`] : []),
      ...(chance(0.2) ? [`  examples: [{ input: "one", output: "two" }, { input: "é", output: "ü" }]`] : []),
      ...(chance(0.5) ? [`  repairs: ${between(0, 3)}`] : []),
      ...(chance(0.4) ? [`  max_output: ${between(10, 120)}`] : []),
      ...(tools.length === 0
        ? []
        : [
            `  tools: [${tools.join(", ")}]`,
            `  max_turns: ${between(1, 3)}`,
            `  max_calls_per_turn: ${between(1, 2)}`,
            ...(chance(0.7) ? [`  max_tool_result: ${between(5, 400)}`] : []),
          ]),
      `}`,
    );
    if (role === undefined) callables.push(s);
  };
  const capability = (): void => {
    const s = signature("capability", "Choice");
    const role: Role = { of: s, type: resultType(s) };
    out.push(`capability ${s.name}${params(s)} -> ${role.type}`);
    for (let i = 0; i < between(1, 3); i++) (chance(0.7) ? agent : tool)(role);
    callables.push(s);
  };
  const selection = (): string =>
    `${chance(0.3) ? `@max_cost($${(random() * 0.02).toFixed(4)}) ` : ""}${chance(0.15) ? `@max_latency(${between(1, 40)}s) ` : ""}`;

  // ---------------------------------------------------------------------------------------------- expressions

  const any = (scope: Scope, of: Value): string => {
    const fit = scope.names.filter((each) => each.of === of);
    return fit.length === 0 ? (of === "text" ? '"word"' : '["one", "two"]') : pick(fit).name;
  };
  const bind = (scope: Scope, of: Value, expression: string, type = ""): string => {
    const made = name("v");
    scope.lines.push(`let ${made}${type} = ${expression}`);
    scope.names.push({ name: made, of });
    return made;
  };
  const callOf = (scope: Scope, s: Signature, annotated = true): string => {
    const x = any(scope, "text");
    const ys = any(scope, "texts");
    const text = s.text === undefined ? x : `truncate(${x}, ${s.text})`;
    const list = s.list === undefined ? ys : `take(${ys}, ${s.list})`;
    const chosen = s.kind === "capability" ? selection() : "";
    const place = annotated && chance(0.35) ? `${fallbackFor(s)}${policies(s.kind, true)}${chosen}` : chosen;
    return `${place}${s.name}(${text}, ${list})`;
  };
  /** A call whose value is of a kind, as a name. */
  const call = (scope: Scope, of: Value): string => {
    const s = pick(callables.filter((each) => each.result === of || each.result === "note"));
    if (s === undefined) return any(scope, of);
    const made = callOf(scope, s);
    if (s.result !== "note") return bind(scope, of, made);
    const note = name("note");
    scope.lines.push(`let ${note} = ${made}`);
    return bind(scope, of, of === "texts" ? `${note}.words` : pick([`"{{${note}.label}} {{${note}.score}}"`, `join(${note}.words, "/")`]));
  };
  const nested = (scope: Scope, names: Scope["names"], depth: number, of: Value, indent: string): string => {
    const inner: Scope = { names: [...scope.names, ...names], lines: [] };
    for (let i = 0; i < between(1, 2); i++) step(inner, depth + 1);
    const result = chance(0.8) ? call(inner, of) : any(inner, of);
    return `{\n${[...inner.lines, result].map((line) => `${indent}${line}`).join("\n")}\n}`;
  };

  function step(scope: Scope, depth: number): void {
    const deep = depth >= 2;
    const forms: (() => void)[] = [
      () => void call(scope, "text"),
      () => void call(scope, "text"),
      () => void call(scope, "texts"),
      () => void bind(scope, "text", `"{{${any(scope, "text")}}} and {{len ${any(scope, "texts")}}}"`),
      () => void bind(scope, "texts", `[${any(scope, "text")}, ${any(scope, "text")}, ...${any(scope, "texts")}]`),
      () =>
        void bind(
          scope,
          "text",
          pick([`join(${any(scope, "texts")}, ", ")`, `upper(${any(scope, "text")})`, `json(${any(scope, "texts")})`]),
        ),
      () =>
        void bind(
          scope,
          "texts",
          pick([`reverse(${any(scope, "texts")})`, `take(${any(scope, "texts")}, 3)`, `filter(${any(scope, "texts")}, t => len(t) > 2)`]),
        ),
    ];
    const regions: (() => void)[] = [
      () => {
        const item = name("item");
        const body = nested(scope, [{ name: item, of: "text" }], depth, "text", "  ");
        const share = chance(0.5) ? `@min_success(${pick(["50%", "1", "0.2"])}) ` : "";
        const many = chance(0.4) ? `@parallel(${between(1, 3)}) ` : "";
        const where = chance(0.2) ? ` where len(${item}) > 1` : "";
        const map = `map ${item} in ${any(scope, "texts")}${where} ${body}`;
        void bind(scope, "texts", chance(0.35) ? `(${many}settle ${map}).ok` : `${share === "@min_success(1) " ? "" : share}${many}${map}`);
      },
      () => {
        const item = name("item");
        void bind(
          scope,
          "texts",
          `flatten(map ${item} in ${any(scope, "texts")} ${nested(scope, [{ name: item, of: "text" }], depth, "texts", "  ")})`,
        );
      },
      () => {
        const [a, b] = [nested(scope, [], depth, "text", "  "), nested(scope, [], depth, "text", "  ")];
        void bind(scope, "text", `if len(${any(scope, "text")}) > ${between(0, 12)} ${a} else ${b}`);
      },
      () => {
        const state = name("state");
        const body = nested(scope, [{ name: state, of: "text" }], depth, "text", "  ");
        const next = body.lastIndexOf("\n  ");
        const looped = `${body.slice(0, next)}\n  next ${body.slice(next + 3)}`;
        const stop = chance(0.4) ? `{\n  stop when len(${state}) > ${between(2, 60)}${looped.slice(1)}` : looped;
        void bind(scope, "text", `loop ${state}: string = ${any(scope, "text")} up to ${between(0, 2)} ${stop}`);
      },
      () =>
        void bind(
          scope,
          "text",
          `(${chance(0.3) ? "@min_success(50%) " : ""}vote ${between(1, 3)} by t => len(t)${chance(0.3) ? " early 80%" : ""} ${nested(scope, [], depth, "text", "  ")}).value`,
        ),
      () => {
        const [a, b] = [nested(scope, [], depth, "text", "    "), nested(scope, [], depth, "text", "    ")];
        void bind(scope, "text", chance(0.5) ? `race {\n  ${a},\n  ${b}\n}` : `(fork { a: ${a}, b: ${b} }).a`);
      },
      () => void bind(scope, "text", `try ${nested(scope, [], depth, "text", "  ")} recover err ${nested(scope, [], depth, "text", "  ")}`),
      () => {
        const s = callables.find(
          (each) => each.kind === "agent" && each.result === "text" && each.text === undefined && each.list === undefined,
        );
        if (s === undefined) return;
        const acc = name("acc");
        const t = name("t");
        void bind(scope, "text", `fold(${any(scope, "texts")}, "start", (${acc}, ${t}) => ${s.name}(${acc}, [${t}]))`);
      },
      () =>
        void bind(
          scope,
          "text",
          `(reduce ${any(scope, "texts")}${chance(0.5) ? ` in groups of ${between(2, 4)} with MergeAll` : " with MergeTwo"}) ?? "none"`,
        ),
      () => {
        const body = nested(scope, [], depth, "text", "  ");
        const budget = `@budget($${(random() * 0.02 + 0.004).toFixed(4)}${chance(0.3) ? `, calls: ${between(3, 30)}` : ""}${chance(0.3) ? `, tokens: ${between(2, 60)}k` : ""})`;
        void bind(scope, "text", `${chance(0.5) ? `@retry(1) ` : ""}${chance(0.5) ? budget : "@timeout(30s)"} ${body}`);
      },
    ];
    pick(deep || chance(0.45) ? forms : regions)();
  }

  // ------------------------------------------------------------------------------------------------- program

  for (let i = 0; i < between(1, 2); i++) tool();
  for (let i = 0; i < between(2, 4); i++) chance(0.75) ? agent() : tool();
  for (let i = 0; i < between(0, 2); i++) capability();
  const plain: Signature = { kind: "agent", name: name("Agent"), text: undefined, list: undefined, result: "text", open: false };
  out.push(`agent ${plain.name}(x: string, ys: string[]) -> string(..30) { model: ${pick(models)}, prompt: "{{x}}: {{len ys}}" }`);
  callables.push(plain);
  out.push(`agent MergeTwo(left: string, right: string) -> string(..25) { model: ${pick(models)}, prompt: "{{left}} {{right}}" }`);
  out.push(`agent MergeAll(all: string[]) -> string { model: ${pick(models)}, prompt: "{{#each all}}- {{this}}{{/each}}" }`);
  for (let i = 0; i < between(0, 2); i++) {
    const s = signature("flow", "helper_");
    const scope: Scope = {
      names: [
        { name: "x", of: "text" },
        { name: "ys", of: "texts" },
      ],
      lines: [],
    };
    for (let at = 0; at < between(1, 3); at++) step(scope, 1);
    const result = any(scope, s.result === "texts" ? "texts" : "text");
    const type = s.result === "texts" ? "string[]" : "string";
    out.push(
      `${policies("flow", false).replace(/@hedge\([^)]*\) /, "")}flow ${s.name}${params(s)} -> ${type} {`,
      ...scope.lines.map((line) => `  ${line}`),
      `  ${result}`,
      `}`,
    );
    callables.push(s);
  }
  // An agent that commands agents and flows.
  const team = callables.filter((each) => each.kind !== "tool" && chance(0.5)).slice(0, 2);
  if (team.length > 0 && chance(0.4)) {
    const s: Signature = { kind: "agent", name: name("Agent"), text: undefined, list: undefined, result: "text", open: true };
    out.push(
      `${policies("agent", false)}agent ${s.name}(x: string, ys: string[]) -> string {`,
      `  model: ${pick(models)}`,
      `  tools: [${team.map((each) => each.name).join(", ")}]`,
      `  max_turns: 2`,
      `  max_calls_per_turn: 1`,
      `  prompt: "{{x}} {{json ys}}"`,
      `}`,
    );
    callables.push(s);
  }
  const inputs = {
    x: chance(0.8) ? pick(["a", "some words", 'é"\n\u0001😀 and more of it']) : "",
    ys: Array.from({ length: between(0, 5) }, (_, i) => `item ${i} ${"ü".repeat(between(0, 9))}`),
  };
  const main: Scope = {
    names: [
      { name: "x", of: "text" },
      { name: "ys", of: "texts" },
    ],
    lines: [],
  };
  for (let i = 0; i < steps; i++) step(main, 0);
  const results = main.names.slice(2).map((each) => (each.of === "text" ? each.name : `join(${each.name}, "+")`));
  out.push(
    `flow main(x: string, ys: string[]) -> string {`,
    ...main.lines.map((line) => `  ${line}`),
    `  join([${["x", ...results].join(", ")}], "|")`,
    `}`,
  );
  return { source: `${out.join("\n")}\n`, inputs };
}
