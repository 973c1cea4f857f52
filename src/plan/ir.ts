/**
 * The graph of a program: plain JSON, versioned, complete. It runs without the source: types for validation, prompts,
 * tools and every flow as a body of nodes with their dependencies. `lower` makes it, `plan/graph.ts` validates and
 * draws it, `runtime/` carries it out.
 *
 * Names. A *body* is a set of nodes evaluated in one *frame*; a region (map, fork, loop …) holds bodies, evaluated once
 * for each item, branch or round. Everything an expression can refer to (a parameter, a node's value, an item, a loop
 * state, a caught failure) has an id that is unique in its callable; a body sees the ids of the bodies around it.
 */
import type { Span } from "../source/source.js";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface Graph {
  readonly version: 1;
  /** The file that was compiled. */
  readonly file: string;
  /** Flows that can be started by name, in source order: name → flow id. */
  readonly entries: Readonly<Record<string, string>>;
  readonly flows: Readonly<Record<string, FlowIR>>;
  readonly agents: Readonly<Record<string, AgentIR>>;
  readonly tools: Readonly<Record<string, ToolIR>>;
  readonly capabilities: Readonly<Record<string, CapabilityIR>>;
  readonly models: Readonly<Record<string, ModelIR>>;
  readonly mcps: Readonly<Record<string, McpIR>>;
  readonly states: Readonly<Record<string, StateIR>>;
  readonly channels: Readonly<Record<string, ChannelIR>>;
  readonly handlers: readonly HandlerIR[];
  readonly tests: readonly TestIR[];
  /** Named types that are recursive; everything else is written out in place. */
  readonly types: Readonly<Record<string, TypeIR>>;
  /** Top-level constants that must be read when a run starts (`env`, `secret`), by id; others are folded in. */
  readonly globals: readonly GlobalIR[];
}

export type GlobalIR =
  | { readonly kind: "env"; readonly id: string; readonly name: string; readonly default: string | undefined; readonly span: Span }
  | { readonly kind: "secret"; readonly id: string; readonly name: string; readonly span: Span }
  /** A constant computed from other globals. */
  | { readonly kind: "value"; readonly id: string; readonly value: ExprIR };

// ----------------------------------------------------------------------------------------------------- types

/** What models look at and listen to beside texts. */
export type MediaKind = "image" | "audio" | "document";

export type TypeIR =
  | { readonly kind: "string"; readonly min?: number; readonly max?: number; readonly pattern?: string }
  | { readonly kind: "int" | "float"; readonly min?: number; readonly max?: number }
  /** `duration` is a number of milliseconds, `money` of US dollars. */
  | { readonly kind: "bool" | "null" | "json" | "duration" | "money" | MediaKind }
  | { readonly kind: "literal"; readonly value: string | number | boolean }
  | { readonly kind: "list"; readonly of: TypeIR; readonly min?: number; readonly max?: number }
  | { readonly kind: "map"; readonly of: TypeIR }
  | { readonly kind: "record"; readonly fields: readonly FieldIR[] }
  /** `tag` names the literal-typed field that tells its records apart. */
  | { readonly kind: "union"; readonly of: readonly TypeIR[]; readonly docs?: readonly (string | null)[]; readonly tag?: string }
  | { readonly kind: "ref"; readonly name: string }
  | { readonly kind: "secret"; readonly of: TypeIR }
  /** The value of something that never returns. */
  | { readonly kind: "never" };

export interface FieldIR {
  readonly name: string;
  readonly type: TypeIR;
  /** May be absent, which is `null`: its type is a union with `null`. */
  readonly optional: boolean;
  readonly redact?: boolean;
  /** Declared `untrusted`. */
  readonly untrusted?: boolean;
  readonly doc?: string;
}

// ------------------------------------------------------------------------------------------------- callables

export interface CalleeRef {
  readonly kind: "agent" | "tool" | "flow" | "capability" | "channel";
  readonly id: string;
}

export interface ParamIR {
  /** The name, as callers write it. */
  readonly name: string;
  /** The id its value has inside the callable. */
  readonly id: string;
  readonly type: TypeIR;
  /** Evaluated where the other parameters are in scope. */
  readonly default?: ExprIR;
  readonly redact?: boolean;
  /** Declared `untrusted`. */
  readonly untrusted?: boolean;
  readonly doc?: string;
}

interface CallableIR {
  readonly id: string;
  readonly name: string;
  readonly params: readonly ParamIR[];
  readonly result: TypeIR;
  readonly doc?: string;
  readonly span: Span;
  /** Annotations of the declaration; expressions see the parameters. */
  readonly policies: Policies;
  /** What calling it can reach. */
  readonly effect: EffectKind;
  /** Hash of the definition with everything it reaches: prompt, model settings, types, tools. */
  readonly hash: string;
}

export type EffectKind = "none" | "reads" | "effect";

export interface FlowIR extends CallableIR {
  readonly kind: "flow";
  readonly body: Body;
}

export interface AgentIR extends CallableIR {
  readonly kind: "agent";
  /** Id in `models`. */
  readonly model: string;
  readonly system?: ExprIR;
  readonly prompt: ExprIR;
  readonly tools: readonly CalleeRef[];
  readonly maxTurns: number;
  readonly maxCallsPerTurn: number;
  /** Characters of a tool's result that reach the model. */
  readonly maxToolResult: number;
  readonly repairs: number;
  readonly temperature?: number;
  readonly maxOutput?: number;
  /** A list of `{ input, output }`, where given. */
  readonly examples?: ExprIR;
  /** Parameters that may be made shorter when the prompt is too long for the model. */
  readonly shrink?: readonly ShrinkIR[];
}

export interface ShrinkIR {
  readonly param: string;
  readonly how: "truncate" | "summarise";
}

export interface ToolIR extends CallableIR {
  readonly kind: "tool";
  readonly binding: BindingIR;
  readonly untrusted: boolean;
}

export type BindingIR =
  /** `file` is a path relative to the project or `std:name` for what ships with Weave. */
  | { readonly kind: "module"; readonly file: string; readonly export: string }
  | {
      readonly kind: "exec";
      readonly argv: readonly ExprIR[];
      readonly cwd?: ExprIR;
      readonly input?: ExprIR;
      readonly env?: ExprIR;
      readonly parse: "text" | "json" | "lines";
    }
  | {
      readonly kind: "http";
      readonly method: "get" | "post" | "put" | "patch" | "delete";
      /** A template; every interpolated value but a leading base is percent-encoded. */
      readonly url: ExprIR;
      readonly query?: ExprIR;
      readonly headers?: ExprIR;
      readonly body?: ExprIR;
      readonly pick?: string;
    }
  /** `args` is what is sent, where that is not the parameters under their own names. */
  | { readonly kind: "mcp"; readonly server: string; readonly tool: string; readonly args?: ExprIR };

export interface CapabilityIR extends CallableIR {
  readonly kind: "capability";
  readonly implementations: readonly CalleeRef[];
}

export interface ModelIR {
  readonly id: string;
  readonly name: string;
  readonly span: Span;
  readonly provider?: string;
  /** The provider's name of the model. */
  readonly model?: string;
  readonly baseUrl?: ExprIR;
  readonly apiKey?: ExprIR;
  /** A program that answers, with its arguments; what of the environment it is given beside the usual. */
  readonly command?: readonly ExprIR[];
  readonly env?: ExprIR;
  /** US dollars per million tokens, and for a request. */
  readonly price?: {
    readonly input: number;
    readonly output: number;
    readonly cachedInput?: number;
    readonly cacheWrite?: number;
    readonly request?: number;
  };
  /** Tokens that one of each kind is at most; what is absent it does not take. */
  readonly media?: Readonly<Partial<Record<MediaKind, number>>>;
  /** Tokens. */
  readonly context?: number;
  readonly maxOutput?: number;
  readonly temperature?: number;
  /** Upper bound of tokens for one byte of input, and tokens of framing for one request. */
  readonly tokenFactor?: number;
  readonly overhead?: number;
  readonly fallback?: readonly string[];
  readonly balance?: readonly string[];
  /** Per second. */
  readonly rate?: number;
  /** Shared by all requests to the model. */
  readonly breaker?: Policies["breaker"];
  readonly maxConcurrent?: number;
  readonly tokensPerMinute?: number;
  /** Everything else that was written, for the provider. */
  readonly options: Readonly<Record<string, Json>>;
}

export interface McpIR {
  readonly id: string;
  readonly name: string;
  readonly span: Span;
  readonly command?: ExprIR;
  readonly url?: ExprIR;
  readonly env?: ExprIR;
  readonly headers?: ExprIR;
  /** Requests per second. */
  readonly rate?: number;
}

export interface StateIR {
  readonly id: string;
  readonly name: string;
  readonly span: Span;
  readonly type: TypeIR;
  readonly initial: ExprIR;
  readonly scope: "run" | "session" | "persistent";
}

export interface ChannelIR {
  readonly id: string;
  readonly name: string;
  readonly span: Span;
  readonly message: TypeIR;
  readonly reply?: TypeIR;
}

export interface HandlerIR {
  readonly id: string;
  readonly span: Span;
  readonly on: { readonly kind: "channel" | "state"; readonly id: string } | { readonly kind: "event"; readonly name: string };
  readonly param: string;
  readonly policies: Policies;
  readonly body: Body;
}

// ----------------------------------------------------------------------------------------------------- nodes

export interface Body {
  /** In source order; `deps` and `after` point only to nodes of this body. */
  readonly nodes: readonly NodeIR[];
  /** The body's value; pure, over everything in scope. */
  readonly result: ExprIR;
}

interface NodeBase {
  /** Unique in its callable; expressions refer to the node's value by it. */
  readonly id: string;
  /** Its part of the stable path, unique in its body: callee or enclosing `let`, field, branch, arm, with `#2` … */
  readonly segment: string;
  readonly span: Span;
  readonly type: TypeIR;
  /** Ids of nodes of this body whose values this one needs, inner bodies included. */
  readonly deps: readonly string[];
  /** Ids of nodes of this body that must have ended before (order of effects, guards, `@after`). */
  readonly after: readonly string[];
  readonly effect: EffectKind;
  /** False for a node that runs only when its value is needed and nothing needs it (never started). */
  readonly needed: boolean;
  readonly policies: Policies;
}

export type NodeIR =
  /** A pure value that is used more than once, or a `let`. */
  | (NodeBase & { readonly kind: "value"; readonly value: ExprIR })
  | (NodeBase & {
      readonly kind: "call";
      readonly callee: CalleeRef;
      readonly args: readonly ArgIR[];
    })
  | (NodeBase & {
      readonly kind: "map";
      readonly over: ExprIR;
      /** How many items `over` has, as far as its type tells. */
      readonly size?: SizeIR;
      readonly item: string;
      readonly index?: string;
      /** Pure, over `item` and `index`. */
      readonly where?: ExprIR;
      readonly key?: ExprIR;
      /** Keys of the items it needs. */
      readonly needs?: ExprIR;
      /** The id bound to the list of results of those needs. */
      readonly giving?: string;
      readonly settle: boolean;
      readonly body: Body;
    })
  | (NodeBase & {
      readonly kind: "fork";
      readonly settle: boolean;
      readonly branches: readonly { readonly name: string; readonly body: Body }[];
    })
  | (NodeBase & { readonly kind: "race"; readonly branches: readonly { readonly name: string; readonly body: Body }[] })
  | (NodeBase & {
      readonly kind: "vote";
      readonly times: ExprIR;
      /** `param` is bound to an answer. */
      readonly key?: { readonly param: string; readonly value: ExprIR };
      readonly early?: ExprIR;
      readonly body: Body;
    })
  | (NodeBase & {
      readonly kind: "loop";
      readonly state: string;
      readonly init: ExprIR;
      readonly times: ExprIR;
      /** Holds `stop` nodes; its result is the next state. */
      readonly body: Body;
    })
  | (NodeBase & {
      readonly kind: "reduce";
      readonly over: ExprIR;
      readonly size?: SizeIR;
      /** Size of a group; without it two items become one. */
      readonly groups?: ExprIR;
      /** `[left, right]`, or `[items]` with groups. */
      readonly params: readonly string[];
      readonly body: Body;
    })
  /** `fold` with a function that calls something: left to right. */
  | (NodeBase & {
      readonly kind: "fold";
      readonly over: ExprIR;
      readonly start: ExprIR;
      readonly acc: string;
      readonly item: string;
      readonly body: Body;
    })
  | (NodeBase & { readonly kind: "if"; readonly test: ExprIR; readonly then: Body; readonly else: Body })
  | (NodeBase & { readonly kind: "match"; readonly value: ExprIR; readonly arms: readonly ArmIR[] })
  | (NodeBase & {
      readonly kind: "try";
      readonly body: Body;
      /** Bound to the `Failure` or `Partial`. */
      readonly error: string;
      /** Whether `error` is a `Partial`: the tried expression is a map, fork or vote. */
      readonly partial: boolean;
      readonly recover: Body;
    })
  /** A block under annotations, or a callable's body that must be entered as one. */
  | (NodeBase & { readonly kind: "scope"; readonly body: Body })
  | (NodeBase & { readonly kind: "assert"; readonly test: ExprIR; readonly message?: ExprIR })
  /** Directly in a loop's body: ends the loop with its current state when true. */
  | (NodeBase & { readonly kind: "stop"; readonly test: ExprIR })
  | (NodeBase & {
      readonly kind: "ask";
      readonly question: ExprIR;
      readonly answer: TypeIR;
      readonly within?: ExprIR;
      readonly otherwise?: Body;
    })
  | (NodeBase & { readonly kind: "read"; readonly state: string })
  | (NodeBase & { readonly kind: "set"; readonly state: string; readonly value: ExprIR })
  | (NodeBase & { readonly kind: "send"; readonly channel: string; readonly value: ExprIR })
  | (NodeBase & {
      readonly kind: "orchestrate";
      readonly goal: ExprIR;
      readonly context?: ExprIR;
      readonly team: readonly CalleeRef[];
      readonly model: string;
      readonly repairs: ExprIR;
    });

/** Bounds of a list by its type; no `max` means none is known. `symbol` names the list in formulas. */
export interface SizeIR {
  readonly min: number;
  readonly max?: number;
  readonly symbol: string;
}

/** `span` is that of the argument as written, where one was. */
export interface ArgIR {
  readonly param: string;
  readonly value: ExprIR;
  readonly span?: Span;
}

export interface ArmIR {
  /** As written, for paths and drawings. */
  readonly name: string;
  readonly patterns: readonly PatternIR[];
  readonly body: Body;
  readonly span?: Span;
}

export type PatternIR =
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  | { readonly kind: "range"; readonly low?: number; readonly high?: number }
  /** `bind` is the id that gets the field's value. */
  | { readonly kind: "record"; readonly fields: readonly { readonly name: string; readonly pattern?: PatternIR; readonly bind?: string }[] }
  | { readonly kind: "any" };

// ----------------------------------------------------------------------------------------------- expressions

/** Pure expressions: evaluated at once, without waiting. They may fail with `assertion` (casts, `fail`, division). */
export type ExprIR =
  | { readonly kind: "const"; readonly value: Json }
  | { readonly kind: "ref"; readonly id: string }
  /** `optional`: null when `of` is null. An absent field is null. */
  | { readonly kind: "field"; readonly of: ExprIR; readonly name: string; readonly optional?: boolean }
  /** `strict`: a miss fails (in tests); otherwise it is null. */
  | { readonly kind: "index"; readonly of: ExprIR; readonly at: ExprIR; readonly strict?: boolean }
  | {
      readonly kind: "record";
      readonly entries: readonly ({ readonly name: string; readonly value: ExprIR } | { readonly spread: ExprIR })[];
    }
  | { readonly kind: "list"; readonly elements: readonly { readonly value: ExprIR; readonly spread: boolean }[] }
  | { readonly kind: "not" | "negate"; readonly of: ExprIR }
  | {
      readonly kind: "binary";
      readonly op: "+" | "-" | "*" | "/" | "%" | "==" | "!=" | "<" | "<=" | ">" | ">=";
      readonly left: ExprIR;
      readonly right: ExprIR;
      readonly span: Span;
    }
  | { readonly kind: "and" | "or" | "default"; readonly left: ExprIR; readonly right: ExprIR }
  /** `span`: of the `if` that it was written as. */
  | { readonly kind: "cond"; readonly test: ExprIR; readonly then: ExprIR; readonly else: ExprIR; readonly span?: Span }
  | { readonly kind: "let"; readonly id: string; readonly value: ExprIR; readonly body: ExprIR }
  | {
      readonly kind: "switch";
      readonly value: ExprIR;
      readonly arms: readonly { readonly patterns: readonly PatternIR[]; readonly body: ExprIR; readonly span?: Span }[];
    }
  /** Only as an argument of `builtin`. */
  | { readonly kind: "lambda"; readonly params: readonly string[]; readonly body: ExprIR }
  /** A function of `reference.md`, arguments by position; a missing optional one is left out at the end or `const null`. */
  | { readonly kind: "builtin"; readonly name: string; readonly args: readonly ExprIR[]; readonly span: Span }
  | { readonly kind: "cast"; readonly of: ExprIR; readonly type: TypeIR; readonly span: Span }
  /** Cut to a declared type where a value crosses a signature and has more fields than it. */
  | { readonly kind: "cut"; readonly of: ExprIR; readonly type: TypeIR }
  | { readonly kind: "template"; readonly parts: readonly TemplatePartIR[] };

export type TemplatePartIR =
  | { readonly kind: "text"; readonly text: string }
  /** `as` says how the value becomes text. */
  | { readonly kind: "value"; readonly value: ExprIR; readonly as: TextForm }
  | { readonly kind: "if"; readonly test: ExprIR; readonly then: readonly TemplatePartIR[]; readonly else: readonly TemplatePartIR[] }
  /** Ids bound for each item: the item, its index, its key (for maps), whether it is first or last. */
  | {
      readonly kind: "each";
      readonly over: ExprIR;
      readonly item: string;
      readonly index: string;
      readonly key: string;
      readonly first: string;
      readonly last: string;
      readonly body: readonly TemplatePartIR[];
      readonly else: readonly TemplatePartIR[];
    }
  | {
      readonly kind: "with";
      readonly value: ExprIR;
      readonly id: string;
      readonly body: readonly TemplatePartIR[];
      readonly else: readonly TemplatePartIR[];
    };

/**
 * `plain`: text as it is, numbers and booleans as JSON, null as nothing. Durations and money print their literal. Media
 * stands in the prompts of agents only, and goes to the model as what it is.
 */
export type TextForm = "plain" | "duration" | "money" | MediaKind;

// -------------------------------------------------------------------------------------------------- policies

/** What annotations ask for. On a call they override those of the declaration, one by one. */
export interface Policies {
  readonly cache?: { readonly ttl: ExprIR };
  readonly lock?: { readonly name: ExprIR; readonly scope: "run" | "global" };
  readonly approve?: { readonly why: ExprIR };
  readonly budget?: { readonly cost?: ExprIR; readonly tokens?: ExprIR; readonly calls?: ExprIR; readonly time?: ExprIR };
  readonly reserve?: { readonly cost: ExprIR };
  readonly fallback?: readonly CalleeRef[];
  readonly retry?: {
    readonly times: ExprIR;
    /** Milliseconds. */
    readonly backoff: ExprIR;
    readonly factor: ExprIR;
    readonly max: ExprIR;
    readonly jitter: ExprIR;
    readonly on?: ExprIR;
  };
  readonly isolate?: { readonly mode: "worktree"; readonly resolve?: CalleeRef };
  readonly breaker?: { readonly failures: ExprIR; readonly window: ExprIR; readonly cooldown: ExprIR };
  /** Per second. */
  readonly rate?: { readonly perSecond: number };
  readonly hedge?: { readonly after: ExprIR };
  readonly timeout?: { readonly after: ExprIR };
  readonly parallel?: { readonly max: ExprIR };
  /** A `float` is a share, an `int` a count. */
  readonly minSuccess?: { readonly value: ExprIR; readonly share: boolean };
  readonly priority?: "low" | "normal" | "high" | "urgent";
  readonly idempotent?: { readonly key?: ExprIR };
  readonly compensate?: { readonly callee: CalleeRef };
  readonly cost?: { readonly value: ExprIR };
  readonly latency?: { readonly value: ExprIR };
  readonly quality?: { readonly value: ExprIR };
  readonly maxCost?: { readonly value: ExprIR };
  readonly maxLatency?: { readonly value: ExprIR };
  readonly prefer?: readonly string[];
}

// ----------------------------------------------------------------------------------------------------- tests

export interface TestIR {
  readonly title: string;
  readonly span: Span;
  readonly stubs: readonly StubIR[];
  readonly crashes: readonly { readonly when: "before" | "after"; readonly callee: string }[];
  /** Lets, expressions and expectations in order; each statement may call flows. */
  readonly steps: readonly TestStepIR[];
}

export interface StubIR {
  /** The callable's id, or `ask`, `approve`, `orchestrate`. */
  readonly target: string;
  /** Ids bound to the arguments, in order; null for `_`. */
  readonly params: readonly (string | null)[];
  readonly steps: readonly StubStepIR[];
  readonly span: Span;
}
export interface StubStepIR {
  /** `each`: a list, one value for each call in program order, then again from the start. */
  readonly kind: "value" | "each" | "fails";
  /** In the scope of the test, over the parameters of the stub. */
  readonly body?: Body;
  readonly failure?: string;
  /** For `fails`: how many attempts; undefined is all. */
  readonly times?: number;
  /** Milliseconds and US dollars. */
  readonly takes?: number;
  readonly costs?: number;
}
export type TestStepIR =
  /** Evaluates a body in the test's scope; `id` gets its value. */
  | { readonly kind: "do"; readonly id: string; readonly body: Body; readonly span: Span }
  | {
      readonly kind: "expect";
      readonly body: Body;
      /** The failure kind it must end with. */
      readonly fails?: string;
      /** As written. */
      readonly text: string;
      /** For a comparison, its two sides, to show what was found. */
      readonly sides?: { readonly op: string; readonly left: ExprIR; readonly right: ExprIR };
      readonly span: Span;
    }
  | { readonly kind: "order"; readonly callees: readonly string[]; readonly text: string; readonly span: Span };
