/**
 * Which errors a policy is about. Kinds are named by tag, class or predicate; of several that fit, the nearest one
 * decides, so the order in which they are listed means nothing (SKIP-6).
 */
import * as Predicate from "effect/Predicate"
import * as BatchError from "../vocabulary/BatchError.js"

/**
 * The tags of the members of `E`; any string as long as `E` is not known.
 *
 * @internal
 */
export type TagOf<E> = unknown extends E ? string : E extends { readonly _tag: infer Tag extends string } ? Tag : never

/** @internal */
export type ErrorClass = abstract new(...args: any) => any

/** @internal */
export type Kind<E> = TagOf<E> | ErrorClass | ((error: E) => boolean)

/** @internal */
export interface Classification<E> {
  readonly include?: ReadonlyArray<Kind<E>> | undefined
  readonly exclude?: ReadonlyArray<Kind<E>> | undefined
}

/** @internal */
export type Test<E> = (error: E) => boolean

/**
 * Errors that say that the run itself is over, not that an item is bad. A policy that names no kinds leaves them
 * alone (SKIP-8): to skip the loss of the execution as if it were a bad line would lose data.
 *
 * @internal
 */
export const isFatal = (error: unknown): boolean => FATAL.some((fatal) => error instanceof fatal)

/**
 * What a policy is about that names no kinds.
 *
 * @internal
 */
export const isOrdinary: Test<unknown> = (error) => !isFatal(error)

/**
 * Whether the error is of an included kind, by the nearest kind that fits (SKIP-6, SKIP-7, D17).
 *
 * Tags, predicates and the class of the error itself are nearest, then come its superclasses one by one. Excluded
 * wins when both are equally near. If no kind fits the error, its cause is looked at, and so on; predicates see the
 * error only, because nothing is known about the type of its cause. If nothing fits at all, the error is included
 * when there is no `include`.
 *
 * A fatal error is included only by its own tag, its own class or a predicate, and its causes do not count.
 *
 * @internal
 */
export const classifier = <E>({ exclude, include }: Classification<E>): Test<E> => {
  const included = (include ?? []) as ReadonlyArray<AnyKind>
  const excluded = (exclude ?? []) as ReadonlyArray<AnyKind>
  const byCause = causeClassifier(included.filter(isNominal), excluded.filter(isNominal))
  return (error) => {
    const no = nearest(error, excluded)
    const yes = nearest(error, included)
    if (isFatal(error)) {
      return yes === 0 && no > 0
    }
    return fits(yes) || fits(no) ? yes < no : byCause(error) ?? include === undefined
  }
}

/**
 * Both tests as one. Naming kinds replaces the default of naming none.
 *
 * @internal
 */
export const and = <E, E2>(self: Test<E>, that: Test<E2>): Test<E & E2> =>
  self === isOrdinary ? that : that === isOrdinary ? self : (error) => self(error) && that(error)

/**
 * A test that throws answers yes, so that the policy is asked, where the test throws again inside an effect and
 * becomes a defect with its stack (SKIP-11).
 *
 * @internal
 */
export const total = <E>(test: Test<E>): Test<E> => (error) => {
  try {
    return test(error)
  } catch {
    return true
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const FATAL: ReadonlyArray<ErrorClass> = [
  BatchError.SkipLimitExceeded,
  BatchError.OwnershipLost,
  BatchError.JobRepositoryError,
  BatchError.TransactionError,
  BatchError.UnreadablePosition
]

/** A kind that can be looked for in any value. */
type Nominal = string | ErrorClass

type AnyKind = Nominal | Test<any>

const NOT_AT_ALL = Number.POSITIVE_INFINITY

const fits = (distance: number): boolean => distance !== NOT_AT_ALL

const causeClassifier = (include: ReadonlyArray<Nominal>, exclude: ReadonlyArray<Nominal>) =>
(
  error: unknown
): boolean | undefined => {
  const seen = new Set([error])
  let cause = causeOf(error)
  while (Predicate.isObject(cause) && !seen.has(cause)) {
    const no = nearest(cause, exclude)
    const yes = nearest(cause, include)
    if (fits(yes) || fits(no)) {
      return yes < no
    }
    seen.add(cause)
    cause = causeOf(cause)
  }
  return undefined
}

const causeOf = (error: unknown): unknown => Predicate.hasProperty(error, "cause") ? error.cause : undefined

const nearest = (error: unknown, kinds: ReadonlyArray<AnyKind>): number => {
  let least = NOT_AT_ALL
  for (const kind of kinds) {
    least = Math.min(least, distance(error, kind))
  }
  return least
}

const distance = (error: unknown, kind: AnyKind): number => {
  if (typeof kind === "string") {
    return Predicate.isTagged(error, kind) ? 0 : NOT_AT_ALL
  }
  if (isClass(kind)) {
    return classDistance(error, kind)
  }
  return kind(error) ? 0 : NOT_AT_ALL
}

const classDistance = (error: unknown, kind: ErrorClass): number => {
  if (!(error instanceof kind)) {
    return NOT_AT_ALL
  }
  let steps = 0
  let prototype: unknown = Object.getPrototypeOf(error)
  while (prototype !== kind.prototype && prototype !== null) {
    prototype = Object.getPrototypeOf(prototype)
    steps++
  }
  return steps
}

/** Of all functions, only classes and built-in constructors have a prototype that cannot be replaced. */
const isClass = (kind: unknown): kind is ErrorClass =>
  typeof kind === "function" &&
  (Object.getOwnPropertyDescriptor(kind, "prototype")?.writable === false || kind.prototype instanceof Error)

const isNominal = (kind: AnyKind): kind is Nominal => typeof kind === "string" || isClass(kind)
