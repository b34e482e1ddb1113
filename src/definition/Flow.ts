/**
 * How steps follow each other. A flow is a value: a step is a flow, and flows are composed by combinators.
 *
 * A flow ends with an exit code, and what follows is chosen by it: `match` by the code, `andThen` by success. The codes
 * are part of the type, so a code without a way on does not compile. `end`, `fail` and `stop` leave the flow for good:
 * that of the job, or of the split branch or `Step.flow` around them.
 *
 * The same flow may be used in several jobs.
 *
 * @see FLOW-73
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type { Inspectable } from "effect/Inspectable"
import type * as Option from "effect/Option"
import type { Pipeable } from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import type * as Types from "effect/Types"
import { prototype } from "../base/values.js"
import * as Transition from "../decisions/Transition.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"
import type { FlowNode } from "./tree.js"
import { nodeOf, withTree } from "./tree.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-batch/Flow")

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

/**
 * A flow that ends with one of the exit codes `Code`, may fail with `E` and needs `R`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Flow<out Code extends string, out E = never, out R = never> extends Pipeable, Inspectable {
  readonly [TypeId]: Flow.Variance<Code, E, R>
}

/**
 * A code with which the surrounding flow has ended for good, by `end` or `fail`: nothing follows, so no `match` has to
 * expect it.
 *
 * @since 0.1.0
 * @category models
 */
export type Ended<Code extends string> = Code & { readonly [EndedTypeId]: Code }

/**
 * A code with which a `stop` leaves the flow.
 *
 * @since 0.1.0
 * @category models
 */
export type Stopped<Code extends string> = Code & { readonly [StoppedTypeId]: Code }

/**
 * @since 0.1.0
 * @category type ids
 */
export declare const EndedTypeId: unique symbol

/**
 * @since 0.1.0
 * @category type ids
 */
export declare const StoppedTypeId: unique symbol

/**
 * What a decider sees: the job execution with its context as it is now, and the step that ran, or was skipped, last
 * in this flow; none at the start and after a split. Behind a split `branches` has the last step of each of its branches,
 * in their order; a branch in which none was met has none there.
 *
 * @see FLOW-50, FLOW-65, OWN-28
 * @since 0.1.0
 * @category models
 */
export interface Decision {
  readonly job: JobExecution
  readonly last: Option.Option<StepExecution>
  readonly branches: ReadonlyArray<StepExecution>
}

/**
 * @since 0.1.0
 */
export declare namespace Flow {
  /**
   * @since 0.1.0
   * @category models
   */
  export interface Variance<out Code extends string, out E, out R> {
    readonly _Code: Types.Covariant<Code>
    readonly _E: Types.Covariant<E>
    readonly _R: Types.Covariant<R>
  }

  /**
   * Any flow.
   *
   * @since 0.1.0
   * @category models
   */
  export type Any = Flow<string, any, any>

  /**
   * The exit codes of a flow.
   *
   * @since 0.1.0
   * @category models
   */
  export type Code<F> = F extends Flow<infer C, any, any> ? C : never

  /**
   * The errors of a flow.
   *
   * @since 0.1.0
   * @category models
   */
  export type Error<F> = F extends Flow<any, infer E, any> ? E : never

  /**
   * What a flow needs.
   *
   * @since 0.1.0
   * @category models
   */
  export type Context<F> = F extends Flow<any, any, infer R> ? R : never

  /**
   * The codes with which a job ends that consists of a flow with these codes.
   *
   * @since 0.1.0
   * @category models
   */
  export type Final<C extends string> = C extends { readonly [EndedTypeId]: infer X extends string } ? X
    : C extends { readonly [StoppedTypeId]: infer X extends string } ? X
    : C

  /**
   * The codes with which a step ends that runs a flow with these codes. A stop is not among them: it stops the job.
   *
   * @since 0.1.0
   * @category models
   */
  export type Inner<C extends string> = Final<Exclude<C, { readonly [StoppedTypeId]: string }>>
}

/**
 * Whether the value is a `Flow`; every step is one.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isFlow = (value: unknown): value is Flow.Any => Predicate.hasProperty(value, TypeId)

/**
 * Continues with `that` when the batch status of `self` is COMPLETED, whatever its exit code; otherwise the flow ends
 * as `self` did.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Flow, Job, Step } from "effect-batch"
 *
 * const load = Step.tasklet("load", Effect.log("loading"))
 * const report = Step.tasklet("report", Effect.log("reporting"))
 *
 * assert.strictEqual(Job.make("nightly", { flow: load.pipe(Flow.andThen(report)) }).name, "nightly")
 * ```
 *
 * @see SIMPLE-1
 * @since 0.1.0
 * @category combinators
 */
export const andThen: {
  <C2 extends string, E2, R2>(
    that: Flow<C2, E2, R2>
  ): <C extends string, E, R>(self: Flow<C, E, R>) => Flow<C2 | Left<C> | Extract<C, "FAILED">, E | E2, R | R2>
  <C extends string, E, R, C2 extends string, E2, R2>(
    self: Flow<C, E, R>,
    that: Flow<C2, E2, R2>
  ): Flow<C2 | Left<C> | Extract<C, "FAILED">, E | E2, R | R2>
} = dual(
  2,
  (self: Flow.Any, that: Flow.Any): Flow.Any => fromNode({ _tag: "AndThen", self: nodeOf(self), that: nodeOf(that) })
)

/**
 * Chooses what follows by the exit code with which `self` ends.
 *
 * The keys are exact codes or patterns with `*` (any run of characters) and `?` (one character). The most specific key
 * wins, whatever the order: exact before `COMPLETED*` before `*`.
 *
 * Every code of `self` must have a key or the program does not compile; patterns with `?` do not count towards that. A
 * key that is not a code of `self` does not compile either. FAILED may be left out: the flow then fails, with the error
 * of the step. A code that only turns up at run time, set by a listener, fails the job with `UnroutedExitCode` unless a
 * pattern takes it; `declare` makes such codes known.
 *
 * A failed step that another step follows becomes ABANDONED before that one starts: a restart does not run it again but
 * follows the same way. A step that was stopped stops the flow, whatever the keys.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Flow, Job, Step } from "effect-batch"
 *
 * const load = Step.tasklet("load", Effect.log("loading"))
 * const archive = Step.tasklet("archive", Effect.log("archiving"))
 *
 * const job = Job.make("import", {
 *   flow: load.pipe(Flow.match({ COMPLETED: archive, FAILED: Flow.fail("EARLY TERMINATION") }))
 * })
 * assert.strictEqual(job.name, "import")
 * ```
 *
 * @see FLOW-3, FLOW-4, FLOW-6, FLOW-25, FLOW-44
 * @since 0.1.0
 * @category combinators
 */
export const match: {
  <const Cases extends Readonly<Record<string, Flow.Any>>>(
    cases: Cases
  ): <Code extends string, E, R>(
    self: Flow<Code, E, R> & CheckCases<Code, KeyOf<Cases>>
  ) => Flow<
    MatchedCode<Code, Cases>,
    E | Flow.Error<Cases[keyof Cases]>,
    R | Flow.Context<Cases[keyof Cases]>
  >
  <Code extends string, E, R, const Cases extends Readonly<Record<string, Flow.Any>>>(
    self: Flow<Code, E, R> & CheckCases<Code, KeyOf<Cases>>,
    cases: Cases
  ): Flow<
    MatchedCode<Code, Cases>,
    E | Flow.Error<Cases[keyof Cases]>,
    R | Flow.Context<Cases[keyof Cases]>
  >
} = dual(
  2,
  (self: Flow.Any, cases: Readonly<Record<string, Flow.Any>>): Flow.Any =>
    fromNode({
      _tag: "Match",
      self: nodeOf(self),
      cases: Object.entries(cases).map(([pattern, flow]) => Transition.make(pattern, nodeOf(flow)))
    })
)

/**
 * Says that `self` may also end with these exit codes, which a listener or the code inside a step sets, so that `match`
 * accepts and requires them.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Flow, Step } from "effect-batch"
 *
 * const load = Step.tasklet("load", Effect.log("loading"))
 * const review = Step.tasklet("review", Effect.log("reviewing"))
 *
 * const flow = load.pipe(
 *   Flow.withCodes(["COMPLETED WITH SKIPS"]),
 *   Flow.match({ "COMPLETED WITH SKIPS": review, COMPLETED: Flow.end() })
 * )
 * assert.ok(flow)
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const withCodes: {
  <const C2 extends string>(
    codes: ReadonlyArray<C2>
  ): <C extends string, E, R>(self: Flow<C, E, R>) => Flow<C | C2, E, R>
  <C extends string, E, R, const C2 extends string>(
    self: Flow<C, E, R>,
    codes: ReadonlyArray<C2>
  ): Flow<C | C2, E, R>
} = dual(
  2,
  (self: Flow.Any, codes: ReadonlyArray<string>): Flow.Any => fromNode({ _tag: "Declare", self: nodeOf(self), codes })
)

/**
 * Ends with the code that an effect decides on. The possible codes are given as a value, so that the compiler, the
 * checks and the picture of the job know them.
 *
 * The answer is stored: a restart follows it, and asks again only when a step in front of the decider has run again, or when
 * the answer was FAILED and nothing followed it. A decider that fails, fails the job. It may ask for the parameters, for
 * `JobScope` and for services.
 *
 * @example
 * ```ts
 * import { Clock, Effect } from "effect"
 * import { Flow, Step } from "effect-batch"
 *
 * const isMonthEnd = Flow.decide("is-month-end", ["MONTH_END", "ORDINARY"], () =>
 *   Effect.map(Clock.currentTimeMillis, (now) => new Date(now).getUTCDate() >= 28 ? "MONTH_END" : "ORDINARY"))
 *
 * const statements = Step.tasklet("statements", Effect.log("printing"))
 * const flow = isMonthEnd.pipe(Flow.match({ MONTH_END: statements, ORDINARY: Flow.end() }))
 * assert.ok(flow)
 * ```
 *
 * @see FLOW-41, FLOW-33
 * @since 0.1.0
 * @category constructors
 */
export const decide = <const C extends string, E, R>(
  name: string,
  codes: ReadonlyArray<C>,
  f: (decision: Decision) => Effect.Effect<Types.NoInfer<C>, E, R>
): Flow<C, E, R> => fromNode({ _tag: "Decide", decider: { name, codes, decide: f } })

/**
 * Runs flows side by side and ends when all of them have ended: as FAILED if one failed, as STOPPED if one was stopped,
 * otherwise as COMPLETED.
 *
 * - `concurrency`: how many branches run at once. Default 1: in sequence.
 * - `onBranchFailure`: `wait` (the default) lets the others run to their ends, `interrupt` stops them: their running
 *   steps roll back the chunk they are at and end as STOPPED, restartable.
 * - `name`: for pictures; default made of the first steps.
 *
 * A restart runs the branches again that had not completed. An `end`, `fail` or `stop` inside a branch ends the branch.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Flow, Step } from "effect-batch"
 *
 * const ledger = Step.tasklet("ledger", Effect.log("posting"))
 * const search = Step.tasklet("search", Effect.log("indexing"))
 *
 * const flow = Flow.split([ledger, search], { concurrency: 2 })
 * assert.ok(flow)
 * ```
 *
 * @see FLOW-60 to FLOW-63
 * @since 0.1.0
 * @category constructors
 */
export const split = <const Flows extends ReadonlyArray<Flow.Any>>(
  flows: Flows,
  options: {
    readonly concurrency?: number | "unbounded" | undefined
    readonly onBranchFailure?: "wait" | "interrupt" | undefined
    readonly name?: string | undefined
  } = {}
): Flow<"COMPLETED" | "FAILED", Flow.Error<Flows[number]>, Flow.Context<Flows[number]>> =>
  fromNode({
    _tag: "Split",
    branches: flows.map(nodeOf),
    settings: {
      name: options.name,
      concurrency: options.concurrency ?? 1,
      onBranchFailure: options.onBranchFailure ?? "wait"
    }
  })

/**
 * Ends the surrounding flow as COMPLETED, with this exit code, even if a step has FAILED on the way. A job that ends so
 * can't be restarted.
 *
 * @see FLOW-20
 * @since 0.1.0
 * @category constructors
 */
export const end: {
  (): Flow<Ended<"COMPLETED">>
  <const Code extends string>(code: Code): Flow<Ended<Code>>
} = (code = "COMPLETED"): Flow<any> => fromNode({ _tag: "End", status: "COMPLETED", code })

/**
 * Ends the surrounding flow as FAILED, with this exit code, even if every step has COMPLETED. A restart does not run
 * the completed steps again.
 *
 * @see FLOW-21
 * @since 0.1.0
 * @category constructors
 */
export const fail: {
  (): Flow<Ended<"FAILED">>
  <const Code extends string>(code: Code): Flow<Ended<Code>>
} = (code = "FAILED"): Flow<any> => fromNode({ _tag: "End", status: "FAILED", code })

/**
 * Stops the job here, with this exit code, so that somebody can look at it; a restart passes and ends the flow as
 * COMPLETED, or continues with the flow that follows by `andThen`.
 *
 * That the job stopped here is recorded in its context, so whatever ran again before, the stop is passed in later
 * executions. Only a step that fails there again stops the job again.
 *
 * @see FLOW-22
 * @since 0.1.0
 * @category constructors
 */
export const stop: {
  (): Flow<Stopped<"STOPPED"> | "COMPLETED">
  <const Code extends string>(code: Code): Flow<Stopped<Code> | "COMPLETED">
} = (code = "STOPPED"): Flow<any> => fromNode({ _tag: "Stop", code, abandon: false })

/**
 * Stops the job here, with this exit code; a restart continues with `flow`. A step that failed before is not run again,
 * unless it is the one that `flow` begins with.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Flow, Step } from "effect-batch"
 *
 * const prepare = Step.tasklet("prepare", Effect.log("preparing"))
 * const send = Step.tasklet("send", Effect.log("sending"))
 *
 * // somebody checks what was prepared, then restarts the job
 * const flow = prepare.pipe(Flow.match({ COMPLETED: Flow.stopAndRestart(send) }))
 * assert.ok(flow)
 * ```
 *
 * @see FLOW-23
 * @since 0.1.0
 * @category constructors
 */
export const stopAndRestart: {
  <C extends string, E, R>(flow: Flow<C, E, R>): Flow<Stopped<"STOPPED"> | C, E, R>
  <C extends string, E, R, const Code extends string>(
    flow: Flow<C, E, R>,
    code: Code
  ): Flow<Stopped<Code> | C, E, R>
} = (flow: Flow.Any, code = "STOPPED"): any =>
  fromNode({ _tag: "AndThen", self: { _tag: "Stop", code, abandon: true }, that: nodeOf(flow) })

/**
 * Named states and where each of their exit codes leads, for flows that are not trees: loops and joins.
 *
 * - `run`: any flow.
 * - `on`: from codes or patterns, as in `match`, to the name of a state, or to `"END"`, which ends the graph with that
 *   code. FAILED may be left out. Without `on` the graph ends as the state does.
 *
 * A state to which the walk comes back in the same execution runs again.
 *
 * @example
 * ```ts
 * import { Effect, Random } from "effect"
 * import { Flow, Step } from "effect-batch"
 *
 * const poll = Flow.decide("poll", ["READY", "WAIT"], () =>
 *   Effect.map(Random.nextBoolean, (there) => there ? "READY" : "WAIT"))
 * const wait = Step.tasklet("wait", Effect.sleep("1 minute"))
 * const load = Step.tasklet("load", Effect.log("loading"))
 *
 * const flow = Flow.graph("poll", {
 *   poll: { run: poll, on: { READY: "load", WAIT: "wait" } },
 *   wait: { run: wait, on: { COMPLETED: "poll" } },
 *   load: { run: load }
 * })
 * assert.ok(flow)
 * ```
 *
 * @see HAND-3
 * @since 0.1.0
 * @category constructors
 */
export const graph = <const States extends Readonly<Record<string, State>>>(
  start: KeyOf<Types.NoInfer<States>>,
  states: States & CheckStates<Types.NoInfer<States>>
): Flow<
  StatesCode<States>,
  Flow.Error<States[keyof States]["run"]>,
  Flow.Context<States[keyof States]["run"]>
> =>
  fromNode({
    _tag: "Graph",
    start,
    states: Object.entries(states as Readonly<Record<string, State>>).map(([name, { on, run }]) => ({
      name,
      run: nodeOf(run),
      on: on === undefined ? undefined : Object.entries(on).map(([pattern, to]) => Transition.make(pattern, to))
    }))
  })

/**
 * A state of `graph`.
 *
 * @since 0.1.0
 * @category models
 */
export interface State {
  readonly run: Flow.Any
  readonly on?: Readonly<Record<string, string>> | undefined
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** The codes that have left the flow. */
type Left<C extends string> = Extract<
  C,
  { readonly [EndedTypeId]: string } | { readonly [StoppedTypeId]: string }
>

type Routable<C extends string> = Exclude<C, Left<C>>

/** The keys as strings, which they are at run time even where they look like numbers. */
type KeyOf<T> = `${Extract<keyof T, string | number>}`

/** The codes that a key surely matches: none for a key with `?`. */
type Glob<P extends string> = P extends `${string}?${string}` ? never
  : P extends `${infer A}*${infer B}` ? `${A}${string}${Glob<B>}`
  : P

type Uncovered<C extends string, Keys extends string> = C extends any ? (C extends Glob<Keys> ? never : C) : never

/** The keys that match no code; `*` may stand for codes that only turn up at run time. */
type Unreachable<C extends string, Keys extends string> = Keys extends "*" | `${string}?${string}` ? never
  : [Extract<C, Glob<Keys>>] extends [never] ? Keys
  : never

/** What is wrong with the keys, as a property that the flow does not have. */
type CheckCases<Code extends string, Keys extends string> = string extends Routable<Code> ? unknown
  : [Uncovered<Exclude<Routable<Code>, "FAILED">, Keys>] extends [never]
    ? [Unreachable<Routable<Code>, Keys>] extends [never] ? unknown
    : { readonly "keys that are no exit code of the flow": Unreachable<Routable<Code>, Keys> }
  : { readonly "exit codes without a transition": Uncovered<Exclude<Routable<Code>, "FAILED">, Keys> }

type MatchedCode<Code extends string, Cases extends Readonly<Record<string, Flow.Any>>> =
  | Flow.Code<Cases[keyof Cases]>
  | Left<Code>
  | Uncovered<Extract<Code, "FAILED">, KeyOf<Cases>>

type CheckStates<States extends Readonly<Record<string, State>>> = {
  readonly [K in keyof States]: {
    readonly run: States[K]["run"]
    readonly on?: States[K]["on"] extends Readonly<Record<string, string>>
      ? CheckTargets<Routable<Flow.Code<States[K]["run"]>>, KeyOf<States[K]["on"]>, KeyOf<States>>
      : undefined
  }
}

type CheckTargets<Code extends string, Keys extends string, Names extends string> =
  & {
    readonly [K in Keys]?: string extends Code ? Names | "END"
      : [Unreachable<Code, K>] extends [never] ? Names | "END"
      : never
  }
  & (string extends Code ? unknown
    : { readonly [K in Uncovered<Exclude<Code, "FAILED">, Keys>]: Names | "END" })

type StatesCode<States extends Readonly<Record<string, State>>> = {
  [K in keyof States]: StateCode<Flow.Code<States[K]["run"]>, States[K]["on"]>
}[keyof States]

type StateCode<Code extends string, On> = On extends Readonly<Record<string, string>> ?
    | Left<Code>
    | Uncovered<Extract<Code, "FAILED">, KeyOf<On>>
    | Extract<Routable<Code>, Glob<KeyOf<{ [K in keyof On as On[K] extends "END" ? K : never]: true }>>>
  : Code

const variance: Flow.Variance<never, never, never> = {
  _Code: (_) => _,
  _E: (_) => _,
  _R: (_) => _
}

/** @internal */
export const Proto = prototype<Flow.Any>(TypeId, variance, (self) => ({ _id: "Flow", kind: nodeOf(self)._tag }))

const fromNode = (node: FlowNode): any => withTree(Proto, {}, node)
