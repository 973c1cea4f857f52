/** W05: annotations. */
import { error, note, warning } from "./define.js";

export const annotationProblems = {
  // @retrry(3) agent A() -> string { … }
  unknownAnnotation: error<{ name: string; near: string | undefined }>("W0501", {
    title: ({ name }) => `There is no annotation \`@${name}\``,
    label: ({ near }) => (near === undefined ? "no such annotation or policy" : `did you mean \`@${near}\`?`),
    help: ({ name, near }) =>
      near === undefined ? `Declare a bundle of annotations with \`policy ${name} { … }\`, or remove it.` : undefined,
  }),
  // @min_success(80%) agent A() -> string { … }
  annotationTarget: error<{ name: string; target: string; place: string }>("W0502", {
    title: ({ name, target }) => `\`@${name}\` cannot stand before ${target}`,
    label: ({ place }) => `it stands before ${place}`,
  }),
  // @timeout(1s) @timeout(2s) A()
  annotationTwice: error<{ name: string }>("W0503", {
    title: ({ name }) => `\`@${name}\` is written twice`,
    label: "again here",
    help: "One place has one policy of a kind: remove one of the two.",
  }),
  // @retry agent A() -> string { … }
  annotationArgumentMissing: error<{ name: string; argument: string | undefined; form: string }>("W0504", {
    title: ({ name, argument }) =>
      argument === undefined ? `\`@${name}\` needs an argument` : `\`@${name}\` needs its argument \`${argument}\``,
    help: ({ form }) => `It is written \`${form}\`.`,
  }),
  // @retry(3, wait: 1s) A()
  annotationArgumentUnknown: error<{ name: string; argument: string; near: string | undefined; form: string }>("W0505", {
    title: ({ name, argument }) => `\`@${name}\` has no argument \`${argument}\``,
    label: ({ near }) => (near === undefined ? undefined : `did you mean \`${near}\`?`),
    help: ({ form }) => `It is written \`${form}\`.`,
  }),
  // @retry(3, backoff: 1s, backoff: 2s) A()
  annotationArgumentTwice: error<{ name: string; argument: string }>("W0506", {
    title: ({ name, argument }) => `\`@${name}\` is given \`${argument}\` twice`,
  }),
  // @timeout(1s, 2s) A()
  annotationArgumentsMany: error<{ name: string; form: string }>("W0507", {
    title: ({ name }) => `\`@${name}\` takes fewer arguments`,
    label: "nothing takes this one",
    help: ({ form }) => `It is written \`${form}\`.`,
  }),
  // @timeout(5) A()
  annotationArgumentType: error<{ name: string; argument: string; wanted: string; found: string; mend: string | undefined }>("W0508", {
    title: ({ name, argument, wanted }) => `\`${argument}\` of \`@${name}\` must be ${wanted}`,
    label: ({ found, mend }) => (mend === undefined ? `this is ${found}` : `this is ${found}; did you mean \`${mend}\`?`),
  }),
  // @parallel(0) map x in xs { A(x) }
  annotationArgumentRange: error<{ name: string; argument: string; wanted: string; found: string; mend: string | undefined }>("W0509", {
    title: ({ name, argument, wanted }) => `\`${argument}\` of \`@${name}\` must be ${wanted}`,
    label: ({ found, mend }) => (mend === undefined ? `${found} is outside` : `${found} is outside; did you mean \`${mend}\`?`),
  }),
  // @parallel(len(xs)) map x in xs { A(x) }
  annotationUnbounded: error<{ name: string }>("W0510", {
    title: ({ name }) => `\`@${name}\` needs a number with a known upper end`,
    label: "this has none",
    help: "Write a number, a constant, or a parameter whose type has an upper end, such as `n: int(1..5)`.",
  }),
  // @retry(3, on: ["cancelled"]) A()
  neverRetried: error<{ kind: string }>("W0512", {
    title: ({ kind }) => `\`${kind}\` is never retried`,
    label: "remove this kind",
    help: "A cancelled call, one that a person refused and one that its budget does not allow would only end the same way again.",
  }),
  // @reads effect tool t() -> string = …
  annotationsContradict: error<{ first: string; second: string; why: string }>("W0513", {
    title: ({ first, second }) => `\`${first}\` and \`${second}\` contradict each other`,
    help: ({ why }) => why,
  }),
  // @timeout(2s) @hedge(after: 5s) A()
  annotationIdle: warning<{ name: string; why: string; mend: string }>("W0514", {
    title: ({ name }) => `\`@${name}\` can never take effect here`,
    label: ({ why }) => why,
    help: ({ mend }) => mend,
  }),
  // @fallback(B) agent A(x: int) -> string { … }     agent B(x: string) -> string { … }
  fallbackSignature: error<{ name: string; instead: string; reason: string }>("W0515", {
    title: ({ name, instead }) => `\`${instead}\` cannot stand in for \`${name}\`: its signature differs`,
    label: ({ reason }) => reason,
    help: "A fallback takes the same parameters and its result fits where the first one's does.",
  }),
  // @compensate(undo) make()     effect tool undo(n: int) -> null = …
  undoSignature: error<{ undo: string; result: string; reason: string }>("W0516", {
    title: ({ undo, result }) => `\`${undo}\` cannot undo this: it does not take its result \`${result}\``,
    label: ({ reason }) => reason,
    help: "What undoes a call is called with the call's result and nothing else.",
  }),
  // @isolate("worktree", resolve: f) Build(t)
  resolveSignature: error<{ name: string; reason: string }>("W0517", {
    title: ({ name }) => `\`${name}\` cannot resolve a merge conflict`,
    label: ({ reason }) => reason,
    help: "It must be `(conflict: { path: string, base: string, ours: string, theirs: string }) -> string`.",
  }),
  // @min_success(80) map x in xs { A(x) }     with xs: T[..20]
  minSuccessCount: note<{ found: number; most: number; percent: string | undefined }>("W0518", {
    title: ({ found, most }) => `${found} successes cannot be reached with at most ${most} ${most === 1 ? "item" : "items"}`,
    label: ({ percent }) => (percent === undefined ? undefined : `did you mean \`${percent}\`?`),
    help: "A whole number counts successes, a percentage or a number from 0 to 1 is a share of the items.",
  }),
  // policy a { @b }   policy b { @a }
  policyCycle: error<{ cycle: readonly string[] }>("W0519", {
    title: "These policies hold each other",
    help: ({ cycle }) => `${cycle.map((name) => `@${name}`).join(" → ")}.`,
  }),
  // policy p { @min_success(80%) }   @p agent A() -> string { … }
  policyTarget: error<{ policy: string; name: string; target: string; place: string }>("W0520", {
    title: ({ policy, name, target }) => `\`@${policy}\` holds \`@${name}\`, which cannot stand before ${target}`,
    label: ({ place, name }) => `\`@${name}\` stands before ${place}`,
  }),
  // @careful(3) A()
  policyArguments: error<{ name: string }>("W0521", {
    title: ({ name }) => `The policy \`@${name}\` takes no arguments`,
    label: "remove them",
  }),
  // @after(f(x)) g()
  afterNotName: error("W0522", {
    title: "`@after` takes the name of a `let` above",
    label: "this is no such name",
  }),
  // @max_cost($1) main()
  notACapability: error<{ name: string; callee: string; kind: string }>("W0523", {
    title: ({ name }) => `\`@${name}\` chooses among the implementations of a capability`,
    label: ({ callee, kind }) => `\`${callee}\` is ${kind}`,
    help: "Remove it, or declare a `capability` that this implements and call that.",
  }),

  // ------------------------------------------------------------------------------------ annotations and effects
  // @cache(1h) effect tool pay() -> null = …
  cachedEffect: error<{ subject: string }>("W0530", {
    title: ({ subject }) => `\`@cache\` would skip the effects of ${subject}`,
    label: "a result with effects cannot be reused",
    help: "Put `@cache` on the calls without effects that it makes.",
  }),
  // @hedge(after: 2s) pay()
  hedgedEffect: error<{ subject: string }>("W0531", {
    title: ({ subject }) => `\`@hedge\` would carry out the effects of ${subject} twice`,
    label: "only a call without effects may be started a second time",
  }),
  // @retry(3) pay()
  repeatedEffect: error<{ annotation: string; subject: string; effects: readonly string[] }>("W0532", {
    title: ({ annotation, subject }) => `\`@${annotation}\` could carry out the effects of ${subject} twice`,
    label: ({ effects }) =>
      `reaches ${effects
        .slice(0, 3)
        .map((e) => `\`${e}\``)
        .join(", ")}${effects.length > 3 ? " …" : ""}`,
    help: ({ effects }) =>
      `Declare ${effects.length === 1 ? "the effect" : "these effects"} \`@idempotent(key: …)\` so that repeating is harmless, or run this under \`@isolate("worktree")\`, where only a success is kept.`,
  }),
  // @compensate(undo) read(x)
  nothingToAct: warning<{ annotation: string; subject: string; purpose: string }>("W0533", {
    title: ({ annotation, subject }) => `\`@${annotation}\` has no effect to act on: ${subject} has none`,
    label: ({ purpose }) => purpose,
    help: "If it changes something outside, declare the tool with `effect tool`; otherwise remove the annotation.",
  }),
} as const;
