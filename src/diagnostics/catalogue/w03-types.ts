/** W03: types, calls, wiring, patterns. */
import { error, note, warning } from "./define.js";

const list = (names: readonly string[], most = 12) =>
  names
    .slice(0, most)
    .map((n) => `\`${n}\``)
    .join(", ") + (names.length > most ? " …" : "");
const and = (names: readonly string[]) =>
  names.length < 2 ? names.map((n) => `\`${n}\``).join("") : `${list(names.slice(0, -1))} and \`${names[names.length - 1]}\``;
const article = (text: string) => (/^[aeiou]/i.test(text) ? "an" : "a");
/** A type in a sentence: literals and written-out types stand without an article. */
const a = (type: string) => (/^[A-Za-z]/.test(type) && !/^(true|false|null)$/.test(type) ? `${article(type)} \`${type}\`` : `\`${type}\``);
const plural = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;

export const typeProblems = {
  typeMismatch: error<{ found: string; expected: string; reason: string }>("W0301", {
    title: ({ expected }) => `${upper(a(expected))} is expected here`,
    label: ({ found }) => `this is ${a(found)}`,
    help: more,
  }),
  argumentType: error<{ param: string; callee: string; found: string; expected: string; reason: string }>("W0302", {
    title: ({ callee, param }) => `This argument does not fit \`${param}\` of \`${callee}\``,
    label: ({ found, expected }) => `this is ${a(found)}; ${a(expected)} is expected`,
    help: more,
  }),
  missingFields: error<{ names: readonly string[]; type: string }>("W0303", {
    title: ({ names }) => (names.length === 1 ? `The field \`${names[0]}\` is missing` : `The fields ${and(names)} are missing`),
    label: ({ type }) => `needed for \`${type}\``,
  }),
  duplicateField: error<{ name: string }>("W0304", {
    title: ({ name }) => `\`${name}\` stands twice`,
    label: "a second time here",
  }),
  arithmetic: error<{ op: string; left: string; right: string; help: string | undefined }>("W0305", {
    title: ({ op, left, right }) => `\`${op}\` does not work on \`${left}\` and \`${right}\``,
    label: "no such operation",
    help: ({ help }) => help,
  }),
  operatorType: error<{ op: string; found: string; wanted: string }>("W0306", {
    title: ({ op, wanted }) => `\`${op}\` needs ${wanted}`,
    label: ({ found }) => `this is ${a(found)}`,
  }),
  cannotCompare: error<{ op: string; left: string; right: string }>("W0307", {
    title: ({ left, right }) => `\`${left}\` and \`${right}\` have no order`,
    label: ({ op }) => `\`${op}\` compares two numbers, two amounts of money, two durations or two texts`,
  }),
  neverEqual: error<{ left: string; right: string; near: string | undefined }>("W0308", {
    title: "These two can never be equal",
    label: ({ near }) => (near === undefined ? "the types have no value in common" : `did you mean "${near}"?`),
    help: ({ left, right }) => `One side is \`${left}\`, the other \`${right}\`.`,
  }),
  notBool: error<{ found: string; hint?: string | undefined; fallback?: boolean }>("W0309", {
    title: ({ fallback }) =>
      fallback === true ? "`||` is for tests; the default of what may be null is `??`" : "A `bool` is expected here",
    label: ({ found, fallback }) => (fallback === true ? `before it stands ${a(found)}` : `this is ${a(found)}`),
    help: ({ hint, fallback }) =>
      fallback === true
        ? undefined
        : hint === undefined
          ? "Nothing but `true` and `false` counts as a test."
          : `Nothing but \`true\` and \`false\` counts as a test: ${hint}.`,
  }),
  unknownField: error<{ name: string; near: string | undefined; type: string; subject: string | undefined; fields: readonly string[] }>(
    "W0310",
    {
      title: "This field does not exist",
      label: ({ near, name }) => (near === undefined ? `no field \`${name}\`` : `did you mean \`${near}\`?`),
      help: ({ subject, type, fields }) => {
        const who = subject === undefined ? `It is ${article(type)} \`${type}\`` : `\`${subject}\` is ${article(type)} \`${type}\``;
        if (fields.length === 0) return `${who}. It has no fields.`;
        return `${who}. It has the field${fields.length === 1 ? "" : "s"} ${and(fields)}.`;
      },
    },
  ),
  fieldOfOptional: error<{ name: string; type: string }>("W0311", {
    title: ({ name }) => `\`.${name}\` of something that may be null`,
    label: ({ type }) => `this is \`${type}\``,
    help: "Use `?.`, test it with `!= null` first, or give a default with `??`.",
  }),
  fieldNotInAll: error<{ name: string; without: readonly string[] }>("W0312", {
    title: ({ name }) => `Not every case has a field \`${name}\``,
    label: ({ without }) => `missing in ${list(without, 3)}`,
    help: "Tell the cases apart first, with `match` or a test of the tag.",
  }),
  fieldOfJson: error<{ name: string }>("W0313", {
    title: "Fields of a `json` value are not known",
    label: ({ name }) => `nobody promised a field \`${name}\``,
    help: "Say what it is with `as T`, which is checked at run time.",
  }),
  fieldOfList: error<{ name: string; item: boolean }>("W0314", {
    title: ({ name }) => `A list has no field \`${name}\``,
    label: ({ item }) => (item ? "its items do" : "this is a list"),
    help: ({ name, item }) =>
      item
        ? `Take it from each item: \`map x in … { x.${name} }\`.`
        : "Lists have functions instead: `len(xs)`, `first(xs)`, `filter(xs, …)` …",
  }),
  fieldOfMap: error<{ name: string }>("W0315", {
    title: "The keys of a map are not fields",
    label: ({ name }) => `write \`["${name}"]\``,
  }),
  noFields: error<{ name: string; type: string }>("W0316", {
    title: ({ name }) => `There is no field \`${name}\` here`,
    label: ({ type }) => `${a(type)} has no fields`,
    help: ({ name }) => (/^(length|size|count|len)$/.test(name) ? "The length of a text or a list is `len(…)`." : undefined),
  }),
  notIndexable: error<{ type: string; optional: boolean }>("W0317", {
    title: ({ type }) => `\`[…]\` does not work on \`${type}\``,
    label: "only lists and maps have items",
    help: ({ optional }) =>
      optional
        ? "It may be null: test it with `!= null` first, or give a default with `??`."
        : "A field of a record is written with a dot: `record.name`.",
  }),
  cannotJoin: error<{ first: string; second: string; what: string }>("W0318", {
    title: ({ what }) => `The ${what} have types that cannot stand for each other`,
    label: ({ second }) => `this is \`${second}\``,
    help: ({ first }) =>
      `Before it was \`${first}\`. No later test could tell them apart: give both the same type, or records with a literal tag field.`,
  }),
  spreadNotRecord: error<{ found: string }>("W0319", {
    title: "Only a record can be spread into a record",
    label: ({ found }) => `this is ${a(found)}`,
  }),
  spreadNotList: error<{ found: string }>("W0320", {
    title: "Only a list can be spread into a list",
    label: ({ found }) => `this is ${a(found)}`,
    help: "A single item is written without `...`.",
  }),
  notAList: error<{ found: string; what: string }>("W0321", {
    title: ({ what }) => `\`${what}\` runs over a list`,
    label: ({ found }) => `this is ${a(found)}`,
  }),
  overMap: error<{ what: string }>("W0322", {
    title: ({ what }) => `\`${what}\` runs over a list, and this is a map`,
    label: "use `entries(…)`",
    help: "`entries(m)` is a list of `{ key, value }`.",
  }),
  typeArguments: error<{ name: string; expected: number; found: number }>("W0323", {
    title: ({ name, expected }) =>
      expected === 0 ? `\`${name}\` takes no type arguments` : `\`${name}\` takes ${plural(expected, "type argument")}`,
    label: ({ found }) => `${found} given`,
  }),
  refinementNotAllowed: error<{ name: string }>("W0324", {
    title: ({ name }) => `\`${name}\` cannot be refined like this`,
    label: "ranges fit `int`, `float` and `string` (its length), patterns only `string`",
  }),
  refinedNamed: error<{ name: string }>("W0325", {
    title: ({ name }) => `\`${name}\` cannot be refined where it is used`,
    label: "only the built-in types take a range or a pattern",
    help: "Write the refinement in the declaration of the type.",
  }),
  emptyRange: error<{ low: number; high: number }>("W0326", {
    title: "No value is in this range",
    label: ({ low, high }) => `${low} is above ${high}`,
  }),
  countBounds: error("W0327", { title: "A length is a whole number from 0", label: "not a length" }),
  ambiguousUnion: error<{ first: string; second: string }>("W0329", {
    title: "Two members of this union cannot be told apart",
    label: ({ first }) => `a value could also be \`${first}\``,
    help: 'Give records a field with different literal types, such as `kind: "a"` and `kind: "b"`, or wrap the values in such records.',
  }),
  endlessType: error<{ name: string }>("W0330", {
    title: ({ name }) => `A value of \`${name}\` would have to contain itself`,
    label: "no such value can exist",
    help: "Let the recursion pass through a list, a map or an optional.",
  }),
  callableStored: error("W0331", {
    title: "A callable cannot be stored or returned",
    label: "a callable type stands only for a parameter of a flow",
  }),
  callableParam: error<{ what: string }>("W0332", {
    title: ({ what }) => `Only flows take callables, and this is ${what}`,
    label: "a callable as a parameter",
  }),
  genericOnlyFlow: error<{ what: string }>("W0333", {
    title: ({ what }) => `Only flows and types can be generic, and this is ${what}`,
    label: "remove the type parameters",
  }),
  resultMissing: error<{ what: string; name: string }>("W0334", {
    title: ({ what, name }) => `\`${name}\` is ${what} and needs a result type`,
    label: "write `-> Type` after its parameters",
  }),
  /** `method` is the function that is meant by a call written as a method's, empty where there is none. */
  notCallable: error<{ what: string; name: string | undefined; method?: string; instead?: string | undefined }>("W0335", {
    title: ({ name, method }) =>
      method !== undefined ? "Values have no methods" : name === undefined ? "This cannot be called" : `\`${name}\` cannot be called`,
    label: ({ what, name, method, instead }) => {
      if (method === undefined) return `this is ${what}`;
      if (instead !== undefined) return `write \`${instead}\``;
      if (method === "map") return "write `map x in xs { … }`";
      if (method === "reduce") return "write `reduce xs with f`, or `fold(xs, start, (sum, x) => …)`";
      return method === "" ? `there is no function \`${name}\`` : `write \`${method}(x, …)\` or \`x |> ${method}(…)\``;
    },
    help: ({ method }) =>
      method === undefined
        ? "Agents, tools, flows, composes, channels and capabilities can be called, by their name."
        : "Functions stand before what they take, or behind it in a pipeline: `x |> trim`.",
  }),
  // agent A(x: int) … flow f() { A({ x: 1 }) }
  recordOfArguments: error<{ callee: string; instead: string | undefined }>("W0391", {
    title: ({ callee }) => `\`${callee}\` takes named arguments, not a record of them`,
    label: ({ callee, instead }) => (instead === undefined ? "leave the braces out" : `write \`${callee}(${instead})\``),
  }),
  missingArguments: error<{ callee: string; names: readonly string[]; types: readonly string[] }>("W0336", {
    title: ({ callee, names }) => `\`${callee}\` needs ${names.length === 1 ? `\`${names[0]}\`` : and(names)}`,
    label: "not given",
    help: ({ names, types }) =>
      `${upper(names.map((n, i) => `\`${n}\` is ${/^a /.test(types[i] ?? "") ? types[i] : a(types[i] ?? "")}`).join(", "))}.`,
  }),
  tooManyArguments: error<{ callee: string; expected: number; found: number }>("W0337", {
    title: ({ callee, expected }) => `\`${callee}\` takes ${plural(expected, "argument")}`,
    label: "one too many",
  }),
  unknownParameter: error<{ name: string; callee: string; near: string | undefined; params: readonly string[] }>("W0338", {
    title: ({ name, callee }) => `\`${callee}\` has no parameter \`${name}\``,
    label: ({ near }) => (near === undefined ? "no such parameter" : `did you mean \`${near}\`?`),
    help: ({ params }) => (params.length === 0 ? "It takes no arguments." : `It takes ${and(params)}.`),
  }),
  argumentTwice: error<{ name: string; callee: string }>("W0339", {
    title: ({ name, callee }) => `\`${name}\` of \`${callee}\` is given twice`,
    label: "a second time here",
  }),
  cannotInferType: error<{ name: string; callee: string }>("W0340", {
    title: ({ name, callee }) => `What \`${name}\` stands for in \`${callee}\` cannot be told from the arguments`,
    label: "no argument decides it",
  }),
  needsFunction: error<{ found: string; wanted: string }>("W0341", {
    title: "A function is needed here",
    label: ({ found }) => `this is \`${found}\``,
    help: ({ wanted }) => `\`${wanted}\`: write a lambda such as \`x => …\`, or the name of a callable.`,
  }),
  lambdaParams: error<{ callee: string; expected: number; found: number }>("W0342", {
    title: ({ callee, expected }) => `The function for \`${callee}\` takes ${plural(expected, "parameter")}`,
    label: ({ found }) => `${found} here`,
  }),
  lambdaPlace: error("W0343", {
    title: "A lambda stands only where a callable is passed",
    label: "not an argument of something that takes a function",
  }),
  fieldRefOutsideStage: error("W0344", {
    title: "`.field` stands only among the arguments of a pipeline stage",
    label: "nothing is piped here",
  }),
  cannotWire: error<{
    name: string;
    piped: string;
    params: readonly string[];
    reason: string;
    suggestion: string | undefined;
    fields: readonly string[];
  }>("W0345", {
    title: ({ name }) => `What is piped does not fit \`${name}\``,
    label: ({ suggestion }) => (suggestion === undefined ? "cannot be wired" : `write \`${suggestion}\``),
    help: ({ piped, name, params, reason, suggestion, fields }) =>
      [
        `Piped: \`${piped}\`. \`${name}\` takes (${params.join(", ")}).`,
        ...(reason === "" ? [] : [`${upper(reason)}.`]),
        ...(suggestion !== undefined || fields.length === 0
          ? []
          : [`Name the fields it needs, as in \`name: .field\`. There are ${and(fields.map((f) => `.${f}`))}.`]),
      ].join(" "),
  }),
  settleTarget: error("W0346", {
    title: "`settle` goes with `map` and `fork`",
    label: "nothing to settle here",
    help: "For a single call there is `try … recover err { … }`.",
  }),
  keyType: error<{ found: string }>("W0348", {
    title: "The key of an item is a text or a whole number",
    label: ({ found }) => `this is ${a(found)}`,
  }),
  afterNeedsBy: error("W0349", {
    title: "`after` needs keys to refer to",
    label: "these are keys of other items",
    help: "Say what identifies an item: `map x in xs by x.id after x.needs { … }`.",
  }),
  givingNotList: error<{ found: string }>("W0350", {
    title: "`giving` receives a list",
    label: ({ found }) => `this is \`${found}\``,
    help: "Write the type of the results of an item's needs, such as `giving earlier: Change[]`.",
  }),
  notBounded: error<{ what: string }>("W0351", {
    title: ({ what }) => `How often \`${what}\` runs must be limited before the run`,
    label: "no upper end is known",
    help: "Use a constant, or a parameter with an upper end such as `n: int(1..5)`.",
  }),
  countTooSmall: error<{ what: string; least: number; found: number }>("W0352", {
    title: ({ what, least }) => `\`${what}\` needs at least ${least}`,
    label: ({ found }) => `${found} is too few`,
  }),
  voteBy: error("W0353", {
    title: "`by` takes a function of an answer",
    label: "write a lambda such as `v => v.verdict`",
  }),
  voteNeedsBy: error<{ type: string }>("W0354", {
    title: "Free text is hardly ever the same twice: say what counts as the same answer",
    label: ({ type }) => `an answer is \`${type}\``,
    help: "`vote n by v => v.verdict { … }` groups the answers by a field of few values.",
  }),
  loopState: error<{ found: string; state: string; declared: boolean }>("W0355", {
    title: "The next state does not have the loop's type",
    label: ({ found }) => `this is \`${found}\``,
    help: ({ state, declared }) =>
      `The state is \`${state}\`${declared ? "" : ", from its first value; write `loop s: Type = …` to widen it"}.`,
  }),
  loopWithoutNext: error<{ state: string }>("W0356", {
    title: "This loop never changes its state",
    label: ({ state }) => `\`${state}\` stays what it was`,
    help: "End its block with `next …`.",
  }),
  stopOutsideLoop: error("W0357", { title: "`stop when` stands directly in the block of a loop", label: "not in a loop here" }),
  nextOutsideLoop: error("W0358", { title: "`next` stands at the end of the block of a loop", label: "not in a loop here" }),
  nextNotLast: error("W0359", { title: "`next` must be the last statement of the loop", label: "statements follow" }),
  reduceType: error<{ callee: string; item: string; result: string }>("W0360", {
    title: ({ callee }) => `What \`${callee}\` returns cannot be reduced further`,
    label: ({ result }) => `it returns \`${result}\``,
    help: ({ item }) => `The items are \`${item}\`: merging must give an item again.`,
  }),
  notExhaustive: error<{ names: readonly string[]; type: string }>("W0361", {
    title: "Not every case is handled",
    label: ({ names }) => `missing: ${list(names, 6)}`,
    help: "Add an arm for each, or `_ => …` for all the rest.",
  }),
  unreachableArm: warning("W0362", { title: "This arm can never be reached", label: "everything it matches was matched before" }),
  wildcardHides: note<{ names: readonly string[] }>("W0363", {
    title: "`_` stands for known cases here",
    label: ({ names }) => `hides ${list(names, 6)}`,
    help: "When a case is added to the type, nobody will be told to handle it.",
  }),
  patternNeverMatches: error<{ type: string; near: string | undefined }>("W0364", {
    title: "This pattern can never match",
    label: ({ near }) => (near === undefined ? "no such value" : `did you mean "${near}"?`),
    help: ({ type }) => `The value is \`${type}\`.`,
  }),
  bindInAlternative: error<{ name: string }>("W0365", {
    title: "Alternatives cannot bind names",
    label: ({ name }) => `\`${name}\` would have no value in the others`,
    help: "Give each alternative an arm of its own.",
  }),
  ifWithoutElse: error<{ found: string; expected: string }>("W0366", {
    title: ({ expected }) => `Without \`else\` this may be null, and \`${expected}\` is expected`,
    label: ({ found }) => `this is \`${found}\``,
    help: "Add `else { … }`.",
  }),
  blockWithoutValue: error<{ expected: string }>("W0367", {
    title: ({ expected }) => `This block must end with a \`${expected}\``,
    label: "the last expression of a block is its value",
  }),
  unreachableCode: warning("W0368", { title: "This is never reached", label: "what stands before it always fails" }),
  setNeedsState: error<{ name: string }>("W0369", {
    title: ({ name }) => `\`${name}\` is not a state`,
    label: "only a declared `state` can be set",
    help: 'Values never change. Write `let` for a new one, or declare `state name: Type = … { scope: "run" }`.',
  }),
  notAChannel: error<{ name: string; near: string | undefined }>("W0370", {
    title: ({ name }) => `\`${name}\` is not a channel`,
    label: ({ near }) => (near === undefined ? "no such channel" : `did you mean \`${near}\`?`),
    help: "Declare it with `channel name(Message) -> Reply`.",
  }),
  handlerTarget: error<{ name: string }>("W0371", {
    title: "`on` needs a channel, `state.name` or `event.name`",
    label: ({ name }) => `\`${name}\` is none of them`,
  }),
  teamList: error<{ name: string | undefined }>("W0372", {
    title: "A team is a list of callables",
    label: ({ name }) => `write \`[${name ?? "Scout, Build"}]\``,
  }),
  composeFirstArgs: error("W0373", {
    title: "The first stage of a `compose` takes its arguments by name",
    label: "not named",
    help: "What stays open becomes the parameters of the compose.",
  }),
  unknownCapability: error<{ name: string; near: string | undefined }>("W0374", {
    title: ({ name }) => `There is no capability \`${name}\``,
    label: ({ near }) => (near === undefined ? "declare it with `capability`" : `did you mean \`${near}\`?`),
  }),
  implementsMismatch: error<{ name: string; capability: string; own: string; wanted: string; names: boolean }>("W0375", {
    title: ({ name, capability }) => `\`${name}\` does not have the signature of \`${capability}\``,
    label: ({ wanted }) => `\`${wanted}\` is needed`,
    help: ({ own, names }) => (names ? "Its parameters have other names." : `It is \`${own}\`.`),
  }),
  castImpossible: error<{ found: string; type: string; reason: string }>("W0376", {
    title: ({ found, type }) => `\`${found}\` can never be a \`${type}\``,
    label: "this would always fail",
    help: ({ found, type, reason }) => more({ found, expected: type, reason }),
  }),
  castNeedless: warning<{ found: string; type: string }>("W0377", {
    title: ({ type }) => `This is always ${a(type)}`,
    label: "nothing to check",
    help: ({ found, type }) => (found === type ? undefined : `It is ${a(found)}.`),
  }),
  castCallable: error("W0378", { title: "A callable type cannot be checked at run time", label: "not a type of values" }),
  neverNull: warning<{ type: string }>("W0379", {
    title: "The default is never used",
    label: ({ type }) => `this is \`${type}\` and never null`,
  }),
  rateOutsideAnnotation: error("W0380", { title: "A rate such as `10/s` stands only in `@rate(…)`", label: "not a value" }),
  environmentName: error<{ name: string }>("W0381", {
    title: ({ name }) => `\`${name}\` takes the name of a variable as plain text`,
    label: ({ name }) => (name === "env" ? 'write `env("NAME", "default")`' : 'write `secret("NAME")`'),
  }),
  environmentPlace: error<{ name: string }>("W0382", {
    title: ({ name }) => `\`${name}(…)\` stands only in a top-level \`let\` or a property`,
    label: "not here",
    help: ({ name }) => `Write \`let NAME = ${name}("…")\` at the top of the file and use the name.`,
  }),
  unusedValue: warning<{ what: string }>("W0383", {
    title: ({ what }) => `The value of this ${what} is not used`,
    label: "nothing needs it, so it is not run",
    help: "Use the value with `let`, or remove it.",
  }),
  callInSet: error("W0384", {
    title: "`set` computes its value without calls",
    label: "a call inside a transaction",
    help: "Call first, with `let`, then `set` from the value.",
  }),
  callInFunction: error<{ name: string }>("W0386", {
    title: ({ name }) => `The function given to \`${name}\` may not call anything`,
    label: "it calls an agent, a tool or a flow",
    help: "Compute the values first, with `map x in xs { … }`.",
  }),
  typeTooLarge: error<{ name: string; most: number }>("W0390", {
    title: ({ name, most }) => `\`${name}\` has more than ${most} parts when the types it names are written out`,
    label: "types that hold each other several times multiply",
    help: "Let it hold an id or a summary instead of the whole, or make the recursion explicit with a list.",
  }),
  resultTooFar: error<{ name: string; most: number }>("W0389", {
    title: ({ name, most }) => `What \`${name}\` returns would have to be inferred through more than ${most} flows`,
    label: "write its result type: `-> Type`",
  }),
  expressionTooLong: error<{ most: number }>("W0387", {
    title: ({ most }) => `This expression has more than ${most} operators`,
    label: "too long",
    help: "Take it apart with `let`, or put the parts into a list and use `sum` or `join`.",
  }),
  neverNullTest: warning<{ type: string }>("W0388", {
    title: "This is never null",
    label: ({ type }) => `it is \`${type}\``,
    help: "The test always comes out the same.",
  }),
  shorthandRecord: error<{ name: string; expected: string }>("W0385", {
    title: ({ name, expected }) => `\`{ ${name} }\` is a block whose value is \`${name}\`, and ${a(expected)} is expected here`,
    label: ({ name }) => `for a record write \`{ ${name}: ${name} }\``,
  }),
} as const;

/** What there is to say beyond the two types, which the title and the mark name already. */
function more({
  found,
  expected,
  reason,
}: {
  readonly found: string;
  readonly expected: string;
  readonly reason: string;
}): string | undefined {
  if (reason === `\`${found}\` here, \`${expected}\` there`) {
    if (expected === "string" && /^(int|float|bool|money|duration|-?[\d.]+)$/.test(found))
      return '`to_string(x)` or a template such as `"{{x}}"` makes a text of it.';
    if (expected === "int" && found === "float") return "`round`, `floor` or `ceil` make a whole number of it.";
    return undefined;
  }
  return upper(reason);
}

function upper(text: string): string {
  return text === "" ? text : /^[`"]/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
}
