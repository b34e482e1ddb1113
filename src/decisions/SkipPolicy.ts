/**
 * Which bad records a step may leave out, and how many.
 *
 * A policy is about some kinds of errors and allows a number of skips. The number is for the step execution and is
 * shared by reading, processing and writing; a restart starts at zero. Beyond it the step fails with
 * `SkipLimitExceeded`.
 *
 * A policy is driven by a `Schedule`, which steps once per skip: when it is done the limit is exceeded, and its delay
 * is the pause before the step continues. `limit`, `always` and `never` need no schedule and cost next to nothing.
 *
 * A policy that names no kinds is about every error except those that say that the run itself is over, such as
 * `OwnershipLost`. Defects and interruptions are never skipped.
 *
 * @see SKIP-4, SKIP-5, SKIP-8, LIFE-14
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
export const TypeId: unique symbol = Symbol.for("effect-batch/SkipPolicy")

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

/**
 * Decides about errors of type `E`. `SkipPolicy<unknown>` fits every step.
 *
 * @since 0.1.0
 * @category models
 */
export interface SkipPolicy<in E = never, out R = never> extends Pipeable, Inspectable {
  readonly [TypeId]: TypeId
  /**
   * Whether errors of this kind may be skipped at all; total, counts nothing.
   *
   * @see SKIP-10
   */
  readonly matches: (error: E) => boolean
  /**
   * Started once per step execution: its counters are fresh.
   *
   * @see SKIP-5
   */
  readonly start: Effect.Effect<SkipRun<E, R>, never, R>
}

/**
 * A policy with its counters, for one step execution.
 *
 * @since 0.1.0
 * @category models
 */
export interface SkipRun<in E, out R = never> {
  /**
   * One more skip of this error, which must match: true, after the delay of the schedule, when it is allowed, false
   * when the limit is exceeded.
   *
   * @see SKIP-4
   */
  readonly next: (error: E) => Effect.Effect<boolean, never, R>
  /** For messages, such as "10". */
  readonly limit: string
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
 * @see SKIP-3
 * @since 0.1.0
 * @category models
 */
export interface Classification<E> extends ErrorKind.Classification<E> {}

/**
 * Whether the value is a `SkipPolicy`.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isSkipPolicy = (value: unknown): value is SkipPolicy => Predicate.hasProperty(value, TypeId)

const Proto = prototype<SkipPolicy>(TypeId, TypeId, () => ({ _id: "SkipPolicy" }))

/**
 * Makes a policy of your own. `matches` must be total and count nothing; `start` returns fresh counters.
 *
 * @see SKIP-2
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R = never>(
  matches: (error: E) => boolean,
  start: Effect.Effect<SkipRun<E, R>, never, R>
): SkipPolicy<E, R> => Object.assign(Object.create(Proto), { matches, start })

/**
 * Skips as long as the schedule continues, pausing for its delay after each skip. With `matches`, only errors that
 * it accepts.
 *
 * @example
 * ```ts
 * import { Schedule } from "effect"
 * import { SkipPolicy } from "effect-batch"
 *
 * // at most 100 skips, each followed by a pause: a source in trouble is not hammered
 * const policy = SkipPolicy.fromSchedule(Schedule.intersect(Schedule.recurs(100), Schedule.spaced("100 millis")))
 *
 * assert.strictEqual(policy.matches(new Error("bad line")), true)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromSchedule = <Out, E, R = never>(
  schedule: Schedule.Schedule<Out, E, R>,
  matches?: (error: E) => boolean
): SkipPolicy<E, R> => {
  const policy = make<E, R>(
    ErrorKind.isOrdinary,
    Effect.map(Schedule.driver(schedule), (driver) => ({ next: PolicyRun.fromDriver(driver), limit: "its schedule" }))
  )
  return matches === undefined ? policy : restrict(policy, matches)
}

/**
 * Skips `max` times and not once more: with a limit of 10 the eleventh bad record fails the step. `max` is a whole
 * number of at least 0; anything else throws `JobDefinitionError`.
 *
 * @example
 * ```ts
 * import { SkipPolicy } from "effect-batch"
 * import { Effect } from "effect"
 *
 * const decisions = Effect.gen(function*() {
 *   const run = yield* SkipPolicy.limit(1).start
 *   return [yield* run.next("first bad record"), yield* run.next("second bad record")]
 * })
 *
 * assert.deepStrictEqual(Effect.runSync(decisions), [true, false])
 * ```
 *
 * @see SKIP-4
 * @since 0.1.0
 * @category constructors
 */
export const limit = <E = unknown>(max: number): SkipPolicy<E> => {
  const checked = PolicyRun.checkedLimit("the skip limit", 0, max)
  return make<unknown>(
    ErrorKind.isOrdinary,
    Effect.sync(() => ({ next: PolicyRun.countdown(checked), limit: String(checked) }))
  )
}

/**
 * Skips every bad record.
 *
 * @see SKIP-9
 * @since 0.1.0
 * @category constructors
 */
export const always: SkipPolicy<unknown> = make<unknown>(
  ErrorKind.isOrdinary,
  Effect.succeed({ next: () => PolicyRun.yes, limit: "unlimited" })
)

/**
 * Skips nothing.
 *
 * @see SKIP-9
 * @since 0.1.0
 * @category constructors
 */
export const never: SkipPolicy<unknown> = make<unknown>(
  constFalse,
  Effect.succeed({ next: () => PolicyRun.no, limit: "0" })
)

/**
 * Restricts a policy to errors with one of these tags, or caused by one. When the error type of the policy is known, a
 * misspelt tag does not compile.
 *
 * @example
 * ```ts
 * import { SkipPolicy } from "effect-batch"
 *
 * const policy = SkipPolicy.limit(10).pipe(SkipPolicy.tags("CsvError", "DecodeError"))
 *
 * assert.strictEqual(policy.matches({ _tag: "CsvError" }), true)
 * assert.strictEqual(policy.matches({ _tag: "DiskFull" }), false)
 * ```
 *
 * @see SKIP-7
 * @since 0.1.0
 * @category combinators
 */
export const tags: {
  <E = unknown>(...tags: ReadonlyArray<ErrorKind.TagOf<E>>): <R>(self: SkipPolicy<E, R>) => SkipPolicy<E, R>
  <E, R>(self: SkipPolicy<E, R>, ...tags: ReadonlyArray<ErrorKind.TagOf<E>>): SkipPolicy<E, R>
} = dual(
  (args) => isSkipPolicy(args[0]),
  <E, R>(self: SkipPolicy<E, R>, ...tags: ReadonlyArray<ErrorKind.TagOf<E>>): SkipPolicy<E, R> =>
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
  <E>(predicate: (error: E) => boolean): <R>(self: SkipPolicy<E, R>) => SkipPolicy<E, R>
  <E, R>(self: SkipPolicy<E, R>, predicate: (error: E) => boolean): SkipPolicy<E, R>
} = dual(
  2,
  <E, R>(self: SkipPolicy<E, R>, predicate: (error: E) => boolean): SkipPolicy<E, R> => restrict(self, predicate)
)

/**
 * Restricts a policy by kinds that are included and kinds that are excluded. The nearest kind that fits decides,
 * whatever the order: a tag, a predicate and the class of the error come first, then its superclasses one by one; when
 * both are equally near, excluded wins. If no kind fits the error, its `cause` is looked at, and so on; predicates see
 * the error only.
 *
 * @example
 * ```ts
 * import { SkipPolicy } from "effect-batch"
 *
 * class FileMissing extends Error {}
 *
 * const policy = SkipPolicy.always.pipe(SkipPolicy.classify({ include: [Error], exclude: [FileMissing] }))
 *
 * assert.strictEqual(policy.matches(new RangeError("bad line")), true)
 * assert.strictEqual(policy.matches(new FileMissing("payments.csv")), false)
 * ```
 *
 * @see SKIP-6
 * @since 0.1.0
 * @category combinators
 */
export const classify: {
  <E = unknown>(kinds: Classification<NoInfer<E>>): <R>(self: SkipPolicy<E, R>) => SkipPolicy<E, R>
  <E, R>(self: SkipPolicy<E, R>, kinds: Classification<NoInfer<E>>): SkipPolicy<E, R>
} = dual(
  2,
  <E, R>(self: SkipPolicy<E, R>, kinds: Classification<E>): SkipPolicy<E, R> =>
    restrict(self, ErrorKind.classifier(kinds))
)

/**
 * Skips what either policy allows: `self` decides first, then `that`; only the one that allows it counts the skip. With
 * policies about different kinds, each kind has a limit of its own. `or` forms a monoid with `never`.
 *
 * @example
 * ```ts
 * import { SkipPolicy } from "effect-batch"
 *
 * const policy = SkipPolicy.or(
 *   SkipPolicy.tags(SkipPolicy.limit(100), "CsvError"),
 *   SkipPolicy.tags(SkipPolicy.limit(3), "RateUnavailable")
 * )
 *
 * assert.strictEqual(policy.matches({ _tag: "RateUnavailable" }), true)
 * ```
 *
 * @see SKIP-9
 * @since 0.1.0
 * @category combinators
 */
export const or: {
  <E2, R2>(that: SkipPolicy<E2, R2>): <E, R>(self: SkipPolicy<E, R>) => SkipPolicy<E & E2, R | R2>
  <E, R, E2, R2>(self: SkipPolicy<E, R>, that: SkipPolicy<E2, R2>): SkipPolicy<E & E2, R | R2>
} = dual(
  2,
  <E, R, E2, R2>(self: SkipPolicy<E, R>, that: SkipPolicy<E2, R2>): SkipPolicy<E & E2, R | R2> =>
    make<E & E2, R | R2>(
      ...PolicyRun.or(self, that, (first, second) => ({ limit: `${first.limit} or ${second.limit}` }))
    )
)

/**
 * Skips only what both policies allow; each counts. An error that `that` refuses has been counted by `self`. `and`
 * forms a monoid with `always`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const and: {
  <E2, R2>(that: SkipPolicy<E2, R2>): <E, R>(self: SkipPolicy<E, R>) => SkipPolicy<E & E2, R | R2>
  <E, R, E2, R2>(self: SkipPolicy<E, R>, that: SkipPolicy<E2, R2>): SkipPolicy<E & E2, R | R2>
} = dual(
  2,
  <E, R, E2, R2>(self: SkipPolicy<E, R>, that: SkipPolicy<E2, R2>): SkipPolicy<E & E2, R | R2> =>
    make<E & E2, R | R2>(
      ErrorKind.and(self.matches, that.matches),
      Effect.zipWith(self.start, that.start, (first, second) => ({
        next: PolicyRun.both(first.next, second.next),
        limit: `${first.limit} and ${second.limit}`
      }))
    )
)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const restrict = <E, R>(self: SkipPolicy<E, R>, test: (error: E) => boolean): SkipPolicy<E, R> =>
  make<E, R>(...PolicyRun.restrict(self, test, ({ limit }) => ({ limit })))
