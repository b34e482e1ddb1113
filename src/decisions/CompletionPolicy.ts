/**
 * Decides when a chunk is full: after a number of items, after a time, or at an item that ends a group.
 *
 * A policy is three limits and nothing else, so that the engine can request a
 * whole page at once and compare numbers; only a predicate is called per item.
 *
 * @see CP-1
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import { dual } from "effect/Function"
import type { Inspectable } from "effect/Inspectable"
import * as Option from "effect/Option"
import type { Pipeable } from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import * as Monoid from "../base/monoid.js"
import { prototype } from "../base/values.js"
import { JobDefinitionError } from "../vocabulary/BatchError.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-batch/CompletionPolicy")

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

/**
 * A chunk is full as soon as any of the limits is reached.
 *
 * - `maxItems`: number of items, `Infinity` for no limit.
 * - `maxMillis`: milliseconds since the chunk began, `Infinity` for no limit.
 * - `until`: called after each item, with that item and the number of items so
 *   far, it included.
 *
 * @since 0.1.0
 * @category models
 */
export interface CompletionPolicy<in A> extends Pipeable, Inspectable {
  readonly [TypeId]: TypeId
  readonly maxItems: number
  readonly maxMillis: number
  readonly until: Option.Option<(item: A, count: number) => boolean>
}

/**
 * The last item of a chunk, how many items the chunk has with it, and the milliseconds since it began.
 *
 * @since 0.1.0
 * @category models
 */
export interface Moment<out A> {
  readonly item: A
  readonly count: number
  readonly millis: number
}

interface Limits<in A> extends Pick<CompletionPolicy<A>, "maxItems" | "maxMillis" | "until"> {}

const Proto = prototype<CompletionPolicy<unknown>>(TypeId, TypeId, ({ maxItems, maxMillis, until }) => ({
  _id: "CompletionPolicy",
  maxItems,
  maxMillis,
  until: Option.isSome(until) ? "a predicate" : "none"
}))

/** Limits that are not given are none. Declared here because `never` needs it. */
const limited = <A = unknown>(limits: Partial<Limits<A>>): CompletionPolicy<A> =>
  Object.assign(Object.create(Proto), {
    maxItems: limits.maxItems ?? Infinity,
    maxMillis: limits.maxMillis ?? Infinity,
    until: limits.until ?? Option.none()
  })

/**
 * Whether the value is a `CompletionPolicy`.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isCompletionPolicy = (value: unknown): value is CompletionPolicy<never> =>
  Predicate.hasProperty(value, TypeId)

/**
 * Full after `items` items. Throws `JobDefinitionError` unless it is a whole
 * number of at least 1.
 *
 * @example
 * ```ts
 * import { CompletionPolicy } from "effect-batch"
 *
 * const policy = CompletionPolicy.or(CompletionPolicy.count(1000), CompletionPolicy.time("5 seconds"))
 * assert.strictEqual(policy.maxMillis, 5000)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const count = (items: number): CompletionPolicy<unknown> => {
  if (!Number.isSafeInteger(items) || items < 1) {
    throw new JobDefinitionError({ defects: [`the chunk size must be a whole number of at least 1, not ${items}`] })
  }
  return limited({ maxItems: items })
}

/**
 * Full once the duration has passed since the chunk began, with however many
 * items it then has. Combine it with `count` to bound memory. Throws
 * `JobDefinitionError` unless the duration is positive and finite.
 *
 * @since 0.1.0
 * @category constructors
 */
export const time = (duration: Duration.DurationInput): CompletionPolicy<unknown> => {
  const millis = Duration.toMillis(duration)
  if (!Number.isFinite(millis) || millis <= 0) {
    throw new JobDefinitionError({
      defects: [`the time of a chunk must be positive and finite, not ${Duration.format(duration)}`]
    })
  }
  return limited({ maxMillis: millis })
}

/**
 * Full with the item for which the predicate holds; `count` is the number of
 * items so far, that one included. Combine it with `count` to bound memory.
 *
 * @example
 * ```ts
 * import { CompletionPolicy } from "effect-batch"
 *
 * const endOfGroup = CompletionPolicy.predicate((row: { readonly last: boolean }) => row.last)
 * assert.strictEqual(CompletionPolicy.isComplete(endOfGroup, { item: { last: true }, count: 3, millis: 0 }), true)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const predicate = <A>(until: (item: A, count: number) => boolean): CompletionPolicy<A> =>
  limited({ until: Option.some(until) })

/**
 * Never full: the chunk ends with the input. Neutral for `or`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const never: CompletionPolicy<unknown> = limited({})

/**
 * Full as soon as either is.
 *
 * @since 0.1.0
 * @category combinators
 */
export const or: {
  <B>(that: CompletionPolicy<B>): <A>(self: CompletionPolicy<A>) => CompletionPolicy<A & B>
  <A, B>(self: CompletionPolicy<A>, that: CompletionPolicy<B>): CompletionPolicy<A & B>
} = dual(2, <A, B>(self: CompletionPolicy<A>, that: CompletionPolicy<B>): CompletionPolicy<A & B> =>
  limited({
    maxItems: Math.min(self.maxItems, that.maxItems),
    maxMillis: Math.min(self.maxMillis, that.maxMillis),
    until: either<A & B>(self.until, that.until)
  }))

/**
 * Full as soon as any of them is.
 *
 * @since 0.1.0
 * @category combinators
 */
export const any = <A>(...policies: ReadonlyArray<CompletionPolicy<A>>): CompletionPolicy<A> =>
  Monoid.combineAll<CompletionPolicy<A>>((self, that) => or(self, that), never)(policies)

/**
 * Whether a chunk is full after the item that is its `count`th, `millis`
 * milliseconds after the chunk began.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isComplete: {
  <A>(at: Moment<A>): (self: CompletionPolicy<A>) => boolean
  <A>(self: CompletionPolicy<A>, at: Moment<A>): boolean
} = dual(
  2,
  <A>(self: CompletionPolicy<A>, at: Moment<A>): boolean =>
    at.count >= self.maxItems || at.millis >= self.maxMillis ||
    (Option.isSome(self.until) && self.until.value(at.item, at.count))
)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Until<A> = (item: A, count: number) => boolean

const either = <A>(self: Option.Option<Until<A>>, that: Option.Option<Until<A>>): Option.Option<Until<A>> => {
  if (Option.isNone(self) || Option.isNone(that)) {
    return Option.orElse(self, () => that)
  }
  return Option.some((item, index) => self.value(item, index) || that.value(item, index))
}
