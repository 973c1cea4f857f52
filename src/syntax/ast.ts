/**
 * The syntax tree. It is total: whatever was typed, `parse` returns a `Module`, and where something was expected and
 * not found stands a `Missing` node, so later stages need no special cases. Nodes are plain readonly data; what later
 * stages learn about a node lives in side tables keyed by the node. Comments are kept beside the tree, in order.
 */
import type { Span } from "../source/source.js";

export interface Module {
  readonly kind: "Module";
  readonly file: string;
  readonly imports: readonly Import[];
  readonly declarations: readonly Declaration[];
  readonly comments: readonly Comment[];
  readonly span: Span;
}

export interface Comment {
  /** `doc` is a `///` line; its text is also on the node that it documents. */
  readonly kind: "line" | "block" | "doc";
  /** As written, with its delimiters. */
  readonly text: string;
  readonly span: Span;
  /** True when nothing but white space stands before it on its line. */
  readonly ownLine: boolean;
}

/** A name as written. `text` is empty where one was expected and none found. */
export interface Name {
  readonly text: string;
  readonly span: Span;
}

export interface Import {
  readonly kind: "Import";
  readonly names: readonly ImportedName[];
  readonly from: Text;
  readonly span: Span;
}

export interface ImportedName {
  readonly name: Name;
  readonly alias: Name | undefined;
  readonly span: Span;
}

// ---------------------------------------------------------------------------------------------- declarations

interface Declared {
  readonly annotations: readonly Annotation[];
  /** The text of the `///` lines before it, without the slashes. */
  readonly doc: string | undefined;
  readonly span: Span;
}

export interface Signature {
  readonly name: Name;
  readonly typeParams: readonly Name[];
  readonly params: readonly Parameter[];
  readonly result: TypeNode | undefined;
  readonly implements: Name | undefined;
  readonly span: Span;
}

export interface Parameter {
  readonly name: Name;
  readonly annotations: readonly Annotation[];
  readonly type: TypeNode;
  readonly default: Expr | undefined;
  readonly doc: string | undefined;
  readonly span: Span;
}

export interface Property {
  readonly name: Name;
  readonly value: Expr;
  readonly doc: string | undefined;
  readonly span: Span;
}

export interface TypeDecl extends Declared {
  readonly kind: "TypeDecl";
  readonly name: Name;
  readonly typeParams: readonly Name[];
  readonly type: TypeNode;
}
export interface ModelDecl extends Declared {
  readonly kind: "ModelDecl";
  readonly name: Name;
  readonly properties: readonly Property[];
}
export interface McpDecl extends Declared {
  readonly kind: "McpDecl";
  readonly name: Name;
  readonly properties: readonly Property[];
}
export interface ToolDecl extends Declared {
  readonly kind: "ToolDecl";
  readonly effect: boolean;
  readonly name: Name;
  readonly signature: Signature;
  readonly binding: Expr;
}
export interface AgentDecl extends Declared {
  readonly kind: "AgentDecl";
  readonly name: Name;
  readonly signature: Signature;
  readonly properties: readonly Property[];
}
export interface FlowDecl extends Declared {
  readonly kind: "FlowDecl";
  readonly name: Name;
  readonly signature: Signature;
  /** A `Block`, a `RecordExpr` (one rule for braces) or `Missing`. */
  readonly body: Expr;
}
export interface CapabilityDecl extends Declared {
  readonly kind: "CapabilityDecl";
  readonly name: Name;
  readonly signature: Signature;
}
export interface ComposeDecl extends Declared {
  readonly kind: "ComposeDecl";
  readonly name: Name;
  readonly stages: readonly Stage[];
}
export interface PolicyDecl extends Declared {
  readonly kind: "PolicyDecl";
  readonly name: Name;
  /** The annotations between its braces. */
  readonly bundle: readonly Annotation[];
}
export interface LetDecl extends Declared {
  readonly kind: "LetDecl";
  readonly name: Name;
  readonly type: TypeNode | undefined;
  readonly value: Expr;
}
export interface StateDecl extends Declared {
  readonly kind: "StateDecl";
  readonly name: Name;
  readonly type: TypeNode;
  readonly value: Expr;
  readonly properties: readonly Property[];
}
export interface ChannelDecl extends Declared {
  readonly kind: "ChannelDecl";
  readonly name: Name;
  readonly message: TypeNode;
  readonly reply: TypeNode | undefined;
}
export interface OnDecl extends Declared {
  readonly kind: "OnDecl";
  /** `reviewer`, or `state` / `event` with `field`. */
  readonly name: Name;
  readonly field: Name | undefined;
  readonly param: Name;
  readonly body: Expr;
}
export interface TestDecl extends Declared {
  readonly kind: "TestDecl";
  /** Its title; the span is that of the text. */
  readonly name: Name;
  readonly statements: readonly TestStatement[];
}
/** Something at the top level that is no declaration; already reported. */
export interface MissingDecl extends Declared {
  readonly kind: "MissingDecl";
  readonly name: Name;
}

export type Declaration =
  | TypeDecl
  | ModelDecl
  | McpDecl
  | ToolDecl
  | AgentDecl
  | FlowDecl
  | CapabilityDecl
  | ComposeDecl
  | PolicyDecl
  | LetDecl
  | StateDecl
  | ChannelDecl
  | OnDecl
  | TestDecl
  | MissingDecl;

/** `name >> @retry(2) g(content: .html)` or what stands right of `|>`. */
export interface Stage {
  readonly kind: "Stage";
  readonly annotations: readonly Annotation[];
  readonly callee: Name;
  /** Undefined when no parentheses were written. */
  readonly args: readonly Argument[] | undefined;
  readonly span: Span;
}

export interface Annotation {
  readonly kind: "Annotation";
  /** Without the `@`. */
  readonly name: Name;
  /** Undefined when no parentheses were written. */
  readonly args: readonly Argument[] | undefined;
  readonly span: Span;
}

export interface Argument {
  readonly name: Name | undefined;
  readonly value: Expr;
  readonly span: Span;
}

// ----------------------------------------------------------------------------------------------------- types

export type TypeNode =
  | NamedType
  | MapType
  | LiteralType
  | RecordType
  | UnionType
  | ListType
  | OptionalType
  | CallableType
  | QualifiedType
  | MissingType;

export interface Bounds {
  /** As written, `undefined` for an open end; `n` alone is `{ low: n, high: n }`. */
  readonly low: number | undefined;
  readonly high: number | undefined;
  readonly span: Span;
}
/** `int`, `Page<int>`, `int(1..5)`, `string(/re/)`. */
export interface NamedType {
  readonly kind: "NamedType";
  readonly name: Name;
  readonly args: readonly TypeNode[];
  readonly bounds: Bounds | undefined;
  /** The source between the slashes. */
  readonly pattern: { readonly source: string; readonly span: Span } | undefined;
  readonly span: Span;
}
export interface MapType {
  readonly kind: "MapType";
  readonly value: TypeNode;
  readonly span: Span;
}
export interface LiteralType {
  readonly kind: "LiteralType";
  readonly value: string | number | boolean | null;
  readonly span: Span;
}
export interface RecordType {
  readonly kind: "RecordType";
  readonly fields: readonly FieldType[];
  readonly span: Span;
}
export interface FieldType {
  readonly name: Name;
  readonly annotations: readonly Annotation[];
  readonly type: TypeNode;
  readonly doc: string | undefined;
  readonly span: Span;
}
export interface UnionType {
  readonly kind: "UnionType";
  readonly members: readonly { readonly type: TypeNode; readonly doc: string | undefined }[];
  readonly span: Span;
}
export interface ListType {
  readonly kind: "ListType";
  readonly element: TypeNode;
  readonly bounds: Bounds | undefined;
  readonly span: Span;
}
export interface OptionalType {
  readonly kind: "OptionalType";
  readonly inner: TypeNode;
  readonly span: Span;
}
export interface CallableType {
  readonly kind: "CallableType";
  readonly params: readonly TypeNode[];
  readonly result: TypeNode;
  readonly span: Span;
}
export interface QualifiedType {
  readonly kind: "QualifiedType";
  readonly qualifier: "secret" | "untrusted";
  readonly inner: TypeNode;
  readonly span: Span;
}
export interface MissingType {
  readonly kind: "MissingType";
  readonly span: Span;
}

// ------------------------------------------------------------------------------------------------ statements

export type Statement = LetStatement | SetStatement | AssertStatement | StopStatement | NextStatement | ExprStatement;

/** `let x = e` has one name; `let { a, b } = e` takes fields. */
export interface LetStatement {
  readonly kind: "Let";
  readonly names: readonly Name[];
  readonly destructured: boolean;
  readonly type: TypeNode | undefined;
  readonly value: Expr;
  readonly doc: string | undefined;
  readonly span: Span;
}
export interface SetStatement {
  readonly kind: "Set";
  readonly name: Name;
  readonly value: Expr;
  readonly span: Span;
}
export interface AssertStatement {
  readonly kind: "Assert";
  readonly test: Expr;
  readonly message: Expr | undefined;
  readonly span: Span;
}
export interface StopStatement {
  readonly kind: "Stop";
  readonly test: Expr;
  readonly span: Span;
}
export interface NextStatement {
  readonly kind: "Next";
  readonly value: Expr;
  readonly span: Span;
}
export interface ExprStatement {
  readonly kind: "Expr";
  readonly value: Expr;
  readonly span: Span;
}

export type TestStatement = Statement | StubStatement | ExpectStatement | ExpectOrderStatement | CrashStatement;

export interface StubStatement {
  readonly kind: "Stub";
  /** What is stubbed: a callable's name, or the words `ask`, `approve`, `orchestrate`. */
  readonly name: Name;
  /** Undefined when no parentheses were written; `_` is a name like any other here. */
  readonly params: readonly Name[] | undefined;
  readonly steps: readonly StubStep[];
  readonly span: Span;
}
export type StubStep =
  | {
      readonly kind: "Value";
      readonly value: Expr;
      /** `one_of [a, b]`. */
      readonly oneOf: boolean;
      readonly takes: Expr | undefined;
      readonly costs: Expr | undefined;
      readonly span: Span;
    }
  | {
      readonly kind: "Fails";
      readonly failure: Text;
      readonly times: Expr | undefined;
      readonly takes: Expr | undefined;
      readonly costs: Expr | undefined;
      readonly span: Span;
    };
export interface ExpectStatement {
  readonly kind: "Expect";
  readonly value: Expr;
  /** `expect f(x) fails "kind"`. */
  readonly fails: Text | undefined;
  readonly span: Span;
}
/** `expect order [undo_b, undo_a]`. */
export interface ExpectOrderStatement {
  readonly kind: "ExpectOrder";
  readonly names: ListExpr;
  readonly span: Span;
}
export interface CrashStatement {
  readonly kind: "Crash";
  readonly when: "after" | "before";
  readonly name: Name;
  readonly span: Span;
}

// ----------------------------------------------------------------------------------------------- expressions

export type Expr =
  | NumberExpr
  | Text
  | RegexExpr
  | BoolExpr
  | NullExpr
  | NameExpr
  | FieldRefExpr
  | LambdaExpr
  | RecordExpr
  | ListExpr
  | BlockExpr
  | IfExpr
  | MatchExpr
  | SettleExpr
  | MapExpr
  | ForkExpr
  | RaceExpr
  | VoteExpr
  | LoopExpr
  | ReduceExpr
  | TryExpr
  | AskExpr
  | SendExpr
  | OrchestrateExpr
  | UnaryExpr
  | BinaryExpr
  | CastExpr
  | PipeExpr
  | CallExpr
  | IndexExpr
  | MemberExpr
  | AnnotatedExpr
  | MissingExpr;

/** `value` is the plain number: `10k` is 10000, `80%` is 0.8, `2s` is 2000 (ms), `$0.05` is 0.05 (US dollars). */
export interface NumberExpr {
  readonly kind: "Number";
  readonly value: number;
  readonly unit: "int" | "float" | "percent" | "duration" | "money" | "rate";
  /** As written, for the formatter. */
  readonly raw: string;
  readonly span: Span;
}
/** Text as written; a template when `value` holds `{{`. */
export interface Text {
  readonly kind: "Text";
  /** With escapes decoded, and for block text with the shared indentation stripped. */
  readonly value: string;
  readonly block: boolean;
  /**
   * Where the characters of `value` stand in the source, as runs: from `value` offset `at` on, the source offset is
   * `source + (i - at)` until the next run. Ordered by `at`; the first has `at` 0.
   */
  readonly runs: readonly { readonly at: number; readonly source: number }[];
  readonly span: Span;
}
export interface RegexExpr {
  readonly kind: "Regex";
  readonly source: string;
  readonly span: Span;
}
export interface BoolExpr {
  readonly kind: "Bool";
  readonly value: boolean;
  readonly span: Span;
}
export interface NullExpr {
  readonly kind: "Null";
  readonly span: Span;
}
export interface NameExpr {
  readonly kind: "NameExpr";
  readonly name: string;
  readonly span: Span;
}
/** `.field.inner` as an argument of a stage. */
export interface FieldRefExpr {
  readonly kind: "FieldRef";
  readonly path: readonly Name[];
  readonly span: Span;
}
export interface LambdaExpr {
  readonly kind: "Lambda";
  readonly params: readonly Name[];
  readonly body: Expr;
  readonly span: Span;
}
export interface RecordExpr {
  readonly kind: "Record";
  readonly entries: readonly RecordEntry[];
  readonly span: Span;
}
export type RecordEntry =
  | { readonly kind: "Field"; readonly name: Name; readonly value: Expr; readonly shorthand: boolean; readonly span: Span }
  | { readonly kind: "Spread"; readonly value: Expr; readonly span: Span };
export interface ListExpr {
  readonly kind: "List";
  readonly elements: readonly { readonly spread: boolean; readonly value: Expr }[];
  readonly span: Span;
}
export interface BlockExpr {
  readonly kind: "Block";
  readonly statements: readonly Statement[];
  readonly span: Span;
}
export interface IfExpr {
  readonly kind: "If";
  readonly test: Expr;
  readonly then: Expr;
  /** A block, a record or another `If`. */
  readonly else: Expr | undefined;
  readonly span: Span;
}
export interface MatchExpr {
  readonly kind: "Match";
  readonly value: Expr;
  readonly arms: readonly MatchArm[];
  readonly span: Span;
}
export interface MatchArm {
  readonly patterns: readonly Pattern[];
  readonly body: Expr;
  readonly span: Span;
}
export type Pattern =
  | { readonly kind: "LiteralPattern"; readonly value: string | number | boolean | null; readonly span: Span }
  | { readonly kind: "RangePattern"; readonly low: number | undefined; readonly high: number | undefined; readonly span: Span }
  | {
      readonly kind: "RecordPattern";
      /** `{ kind: "ok", value }`: a field with a pattern must match it, one without is bound. */
      readonly fields: readonly { readonly name: Name; readonly pattern: Pattern | undefined }[];
      readonly span: Span;
    }
  | { readonly kind: "WildcardPattern"; readonly span: Span }
  | { readonly kind: "MissingPattern"; readonly span: Span };

/** `settle map …` or `settle fork …`; annotations between may make `inner` an `Annotated`. */
export interface SettleExpr {
  readonly kind: "Settle";
  readonly inner: Expr;
  readonly span: Span;
}
export interface MapExpr {
  readonly kind: "Map";
  readonly item: Name;
  readonly index: Name | undefined;
  readonly over: Expr;
  readonly where: Expr | undefined;
  readonly by: Expr | undefined;
  readonly after: Expr | undefined;
  readonly giving: { readonly name: Name; readonly type: TypeNode } | undefined;
  readonly body: Expr;
  readonly span: Span;
}
export interface ForkExpr {
  readonly kind: "Fork";
  readonly branches: readonly { readonly name: Name; readonly value: Expr }[];
  readonly span: Span;
}
export interface RaceExpr {
  readonly kind: "Race";
  readonly branches: readonly Expr[];
  readonly span: Span;
}
export interface VoteExpr {
  readonly kind: "Vote";
  readonly times: Expr;
  readonly by: Expr | undefined;
  readonly early: Expr | undefined;
  readonly body: Expr;
  readonly span: Span;
}
export interface LoopExpr {
  readonly kind: "Loop";
  readonly state: Name;
  readonly type: TypeNode | undefined;
  readonly init: Expr;
  readonly max: Expr;
  readonly body: Expr;
  readonly span: Span;
}
export interface ReduceExpr {
  readonly kind: "Reduce";
  readonly over: Expr;
  readonly groups: Expr | undefined;
  readonly with: Stage;
  readonly span: Span;
}
export interface TryExpr {
  readonly kind: "Try";
  readonly tried: Expr;
  readonly error: Name;
  readonly recover: Expr;
  readonly span: Span;
}
export interface AskExpr {
  readonly kind: "Ask";
  readonly question: Expr;
  readonly type: TypeNode;
  readonly within: Expr | undefined;
  readonly otherwise: Expr | undefined;
  readonly span: Span;
}
export interface SendExpr {
  readonly kind: "Send";
  readonly channel: Name;
  readonly args: readonly Argument[];
  readonly span: Span;
}
export interface OrchestrateExpr {
  readonly kind: "Orchestrate";
  readonly args: readonly Argument[];
  readonly type: TypeNode;
  readonly span: Span;
}
export interface UnaryExpr {
  readonly kind: "Unary";
  readonly op: "!" | "-";
  readonly operand: Expr;
  readonly span: Span;
}
export type BinaryOp = "+" | "-" | "*" | "/" | "%" | "??" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "&&" | "||";
export interface BinaryExpr {
  readonly kind: "Binary";
  readonly op: BinaryOp;
  readonly opSpan: Span;
  readonly left: Expr;
  readonly right: Expr;
  readonly span: Span;
}
export interface CastExpr {
  readonly kind: "Cast";
  readonly value: Expr;
  readonly type: TypeNode;
  readonly span: Span;
}
export interface PipeExpr {
  readonly kind: "Pipe";
  readonly left: Expr;
  readonly stage: Stage;
  readonly span: Span;
}
export interface CallExpr {
  readonly kind: "Call";
  /** Only a `NameExpr` is meaningful; the checker reports others. */
  readonly callee: Expr;
  readonly args: readonly Argument[];
  readonly span: Span;
}
export interface IndexExpr {
  readonly kind: "Index";
  readonly object: Expr;
  readonly index: Expr;
  readonly span: Span;
}
export interface MemberExpr {
  readonly kind: "Member";
  readonly object: Expr;
  readonly name: Name;
  readonly optional: boolean;
  readonly span: Span;
}
/** `@a @b e`: wraps the first call of a postfix chain, else the whole primary. */
export interface AnnotatedExpr {
  readonly kind: "Annotated";
  readonly annotations: readonly Annotation[];
  readonly inner: Expr;
  readonly span: Span;
}
export interface MissingExpr {
  readonly kind: "Missing";
  readonly span: Span;
}

// ------------------------------------------------------------------------------------------------- templates

/** A parsed template: what `template.ts` makes of a `Text` that holds `{{`. All spans are source spans. */
export interface Template {
  readonly parts: readonly TemplatePart[];
}
export type TemplatePart = TemplateText | TemplateValue | TemplateBlock;
export interface TemplateText {
  readonly kind: "TemplateText";
  readonly text: string;
}
/** `{{expr}}`. */
export interface TemplateValue {
  readonly kind: "TemplateValue";
  readonly value: TemplateExpr;
  readonly span: Span;
}
/** `{{#each xs as |x i|}} … {{else}} … {{/each}}`; an `{{else if}}` chain is a nested block in `otherwise`. */
export interface TemplateBlock {
  readonly kind: "TemplateBlock";
  readonly helper: Name;
  readonly args: readonly TemplateExpr[];
  readonly blockParams: readonly Name[];
  readonly body: readonly TemplatePart[];
  readonly otherwise: readonly TemplatePart[] | undefined;
  readonly span: Span;
}
export type TemplateExpr =
  | {
      readonly kind: "TemplatePath";
      /** How many `../` stand before it. */
      readonly up: number;
      /** `this` or `.`; segments may follow. */
      readonly self: boolean;
      /** `@index`, `@first`, `@last`, `@key`: the segments' first is the word without `@`. */
      readonly data: boolean;
      readonly segments: readonly Name[];
      readonly span: Span;
    }
  | { readonly kind: "TemplateLiteral"; readonly value: string | number | boolean | null; readonly span: Span }
  | {
      readonly kind: "TemplateCall";
      readonly helper: Name;
      readonly args: readonly TemplateExpr[];
      readonly hash: readonly { readonly name: Name; readonly value: TemplateExpr }[];
      readonly span: Span;
    };
