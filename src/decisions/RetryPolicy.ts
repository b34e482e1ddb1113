/**
 * Which failures of a read, a process or a write are tried again, how often and after which pause.
 *
 * A policy is driven by a `Schedule`, which starts at the first failure of each operation (one read, one item's
 * processing, one write) and steps once per retry: when it is done the retries are exhausted and the error goes to the
 * skip policy. Its delay is the pause, spent with no transaction open. A retry that succeeds leaves no trace in the
 * counts of items.
 *
 * A policy that names no kinds is about every error except those that say that the run itself is over, such as
 * `OwnershipLost`. Defects and interruptions are never retried.
 *
 * @see RETRY-5, RETRY-8, SKIP-8, LIFE-14
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { constFalse, dual } from "effect/Function"
import type { Inspectable } from "effect/Inspectable"
import type { Pipeable } from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import { prototype } from "../base/values.js"
import * as ErrorKind from "./errorKind.js"
import * as PolicyRun from "./policyRun.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-batch/RetryPolicy")

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

/**
 * Decides about errors of type `E`. `RetryPolicy<unknown>` fits every step.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryPolicy<in E = never, out R = never> extends Pipeable, Inspectable {
  readonly [TypeId]: TypeId
  /** Whether errors of this kind are retried at all; total, counts nothing. */
  readonly matches: (error: E) => boolean
  /** Started at the first failure of each operation (one read, one item's processing, one write). */
  readonly start: Effect.Effect<RetryRun<E, R>, never, R>
}

/**
 * A policy with its counters, for one operation.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryRun<in E, out R = never> {
  /** Waits as the schedule says; true = try again, false = exhausted. The error must match. */
  readonly next: (error: E) => Effect.Effect<boolean, never, R>
}

/**
 * Kinds of errors: a tag, which must be one of `E` when `E` is known, a class, or a predicate.
 *
 * @since 0.1.0
 * @category models
 */
export type Kind<E> = ErrorKind.Kind<E>

/**
 * Kinds that are in and kinds that are out. Without `include`, whatever is not excluded is in; with an empty one,
 * nothing is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Classification<E> extends ErrorKind.Classification<E> {}

/**
 * Whether the value is a `RetryPolicy`.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isRetryPolicy = (value: unknown): value is RetryPolicy => Predicate.hasProperty(value, TypeId)

const Proto = prototype<RetryPolicy>(TypeId, TypeId, () => ({ _id: "RetryPolicy" }))

/**
 * Makes a policy of your own. `matches` must be total and count nothing; `start` returns fresh counters.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R = never>(
  matches: (error: E) => boolean,
  start: Effect.Effect<RetryRun<E, R>, never, R>
): RetryPolicy<E, R> => Object.assign(Object.create(Proto), { matches, start })

/**
 * Retries as long as the schedule continues, each time after its delay: `Schedule.recurs(3)` is three retries after the
 * first attempt. The schedule gets the errors, so `Schedule.whileInput` may look at them.
 *
 * @example
 * ```ts
 * import { Schedule } from "effect"
 * import { RetryPolicy } from "effect-batch"
 *
 * const backOff = Schedule.exponential("50 millis").pipe(Schedule.jittered, Schedule.intersect(Schedule.recurs(5)))
 * const policy = RetryPolicy.fromSchedule(backOff).pipe(RetryPolicy.tags("RateUnavailable"))
 *
 * assert.strictEqual(policy.matches({ _tag: "RateUnavailable" }), true)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromSchedule = <Out, E, R = never>(schedule: Schedule.Schedule<Out, E, R>): RetryPolicy<E, R> =>
  make<E, R>(
    ErrorKind.isOrdinary,
    Effect.map(Schedule.driver(schedule), (driver) => ({ next: PolicyRun.fromDriver(driver) }))
  )

/**
 * Retries at once, this often after the first attempt: `recurs(3)` makes at most four attempts. `times` is a whole
 * number of at least 0; anything else throws `JobDefinitionError`.
 *
 * @example
 * ```ts
 * import { RetryPolicy } from "effect-batch"
 * import { Effect } from "effect"
 *
 * const decisions = Effect.gen(function*() {
 *   const run = yield* RetryPolicy.recurs(1).start
 *   return [yield* run.next("first attempt failed"), yield* run.next("second attempt failed")]
 * })
 *
 * assert.deepStrictEqual(Effect.runSync(decisions), [true, false])
 * ```
 *
 * @see RETRY-3
 * @since 0.1.0
 * @category constructors
 */
export const recurs = <E = unknown>(times: number): RetryPolicy<E> =>
  counted(PolicyRun.checkedLimit("the number of retries", 0, times))

/**
 * Retries at once until that many attempts were made, the first one included: `maxAttempts(3)` is `recurs(2)`.
 * `attempts` is a whole number of at least 1; anything else throws `JobDefinitionError`.
 *
 * @example
 * ```ts
 * import { RetryPolicy } from "effect-batch"
 *
 * const policy = RetryPolicy.maxAttempts(3).pipe(RetryPolicy.tags("Deadlock"))
 *
 * assert.strictEqual(policy.matches({ _tag: "Deadlock" }), true)
 * ```
 *
 * @see RETRY-2
 * @since 0.1.0
 * @category constructors
 */
export const maxAttempts = <E = unknown>(attempts: number): RetryPolicy<E> =>
  counted(PolicyRun.checkedLimit("the number of attempts", 1, attempts) - 1)

/**
 * Retries nothing.
 *
 * @since 0.1.0
 * @category constructors
 */
export const never: RetryPolicy<unknown> = make<unknown>(constFalse, Effect.succeed({ next: () => PolicyRun.no }))

/**
 * Restricts a policy to errors with one of these tags, or caused by one. When the error type of the policy is known,
 * a misspelt tag does not compile.
 *
 * @example
 * ```ts
 * import { RetryPolicy } from "effect-batch"
 *
 * const policy = RetryPolicy.tags(RetryPolicy.recurs(3), "Deadlock", "SerializationFailure")
 *
 * assert.strictEqual(policy.matches({ _tag: "Deadlock" }), true)
 * assert.strictEqual(policy.matches(new Error("rejected", { cause: { _tag: "Deadlock" } })), true)
 * assert.strictEqual(policy.matches({ _tag: "UniqueViolation" }), false)
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const tags: {
  <E = unknown>(...tags: ReadonlyArray<ErrorKind.TagOf<E>>): <R>(self: RetryPolicy<E, R>) => RetryPolicy<E, R>
  <E, R>(self: RetryPolicy<E, R>, ...tags: ReadonlyArray<ErrorKind.TagOf<E>>): RetryPolicy<E, R>
} = dual(
  (args) => isRetryPolicy(args[0]),
  <E, R>(self: RetryPolicy<E, R>, ...tags: ReadonlyArray<ErrorKind.TagOf<E>>): RetryPolicy<E, R> =>
    classify(self, { include: tags })
)

/**
 * Restricts a policy to errors that the predicate accepts. A predicate that throws is a defect: it fails the step.
 *
 * @see SKIP-11
 * @since 0.1.0
 * @category combinators
 */
export const when: {
  <E>(predicate: (error: E) => boolean): <R>(self: RetryPolicy<E, R>) => RetryPolicy<E, R>
  <E, R>(self: RetryPolicy<E, R>, predicate: (error: E) => boolean): RetryPolicy<E, R>
} = dual(
  2,
  <E, R>(self: RetryPolicy<E, R>, predicate: (error: E) => boolean): RetryPolicy<E, R> => restrict(self, predicate)
)

/**
 * Restricts a policy by kinds that are included and kinds that are excluded. The nearest kind that fits decides,
 * whatever the order: a tag, a predicate and the class of the error come first, then its superclasses one by one; when
 * both are equally near, excluded wins. If no kind fits the error, its `cause` is looked at, and so on; predicates see
 * the error only.
 *
 * @example
 * ```ts
 * import { RetryPolicy } from "effect-batch"
 *
 * class Rejected extends Error {}
 *
 * const policy = RetryPolicy.recurs(3).pipe(RetryPolicy.classify({ include: [Error], exclude: [Rejected] }))
 *
 * assert.strictEqual(policy.matches(new Error("connection reset")), true)
 * assert.strictEqual(policy.matches(new Rejected("no such account")), false)
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const classify: {
  <E = unknown>(kinds: Classification<NoInfer<E>>): <R>(self: RetryPolicy<E, R>) => RetryPolicy<E, R>
  <E, R>(self: RetryPolicy<E, R>, kinds: Classification<NoInfer<E>>): RetryPolicy<E, R>
} = dual(
  2,
  <E, R>(self: RetryPolicy<E, R>, kinds: Classification<E>): RetryPolicy<E, R> =>
    restrict(self, ErrorKind.classifier(kinds))
)

/**
 * Retries what either policy allows: `self` decides first, then `that`; only the one that allows it counts the
 * retry. With policies about different kinds, each kind has a schedule of its own. `or` forms a monoid with `never`.
 *
 * @example
 * ```ts
 * import { Schedule } from "effect"
 * import { RetryPolicy } from "effect-batch"
 *
 * const policy = RetryPolicy.or(
 *   RetryPolicy.tags(RetryPolicy.recurs(2), "Deadlock"),
 *   RetryPolicy.tags(RetryPolicy.fromSchedule(Schedule.spaced("1 minute")), "RateUnavailable")
 * )
 *
 * assert.strictEqual(policy.matches({ _tag: "Deadlock" }), true)
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const or: {
  <E2, R2>(that: RetryPolicy<E2, R2>): <E, R>(self: RetryPolicy<E, R>) => RetryPolicy<E & E2, R | R2>
  <E, R, E2, R2>(self: RetryPolicy<E, R>, that: RetryPolicy<E2, R2>): RetryPolicy<E & E2, R | R2>
} = dual(
  2,
  <E, R, E2, R2>(self: RetryPolicy<E, R>, that: RetryPolicy<E2, R2>): RetryPolicy<E & E2, R | R2> =>
    make<E & E2, R | R2>(...PolicyRun.or(self, that, () => ({})))
)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const counted = (retries: number): RetryPolicy<unknown> =>
  make<unknown>(ErrorKind.isOrdinary, Effect.sync(() => ({ next: PolicyRun.countdown(retries) })))

const restrict = <E, R>(self: RetryPolicy<E, R>, test: (error: E) => boolean): RetryPolicy<E, R> =>
  make<E, R>(...PolicyRun.restrict(self, test, () => ({})))
