/**
 * What skip and retry policies have in common once they run: each asks "once more?" and counts.
 */
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import { JobDefinitionError } from "../vocabulary/BatchError.js"
import type { Test } from "./errorKind.js"
import * as ErrorKind from "./errorKind.js"

/** @internal */
export type Next<in E, out R> = (error: E) => Effect.Effect<boolean, never, R>

/** @internal */
export const yes: Effect.Effect<boolean> = Effect.succeed(true)

/** @internal */
export const no: Effect.Effect<boolean> = Effect.succeed(false)

/**
 * Says yes that many times. A plain counter, because one record in ten may be bad.
 *
 * @internal
 */
export const countdown = (times: number): Next<unknown, never> => {
  let left = times
  return () => Effect.sync(() => left > 0 && left-- > 0)
}

/**
 * Says yes, after its delay, as long as the schedule goes on.
 *
 * @internal
 */
export const fromDriver = <Out, E, R>(driver: Schedule.ScheduleDriver<Out, E, R>): Next<E, R> => (error) =>
  Effect.match(driver.next(error), { onFailure: () => false, onSuccess: () => true })

/**
 * Says no, without counting, to errors that fail the test.
 *
 * @internal
 */
export const onlyWhen = <E, R>(next: Next<E, R>, test: Test<E>): Next<E, R> => (error) =>
  Effect.suspend(() => test(error) ? next(error) : no)

/**
 * Asks the first policy, then the second; each only about its own kinds.
 *
 * @internal
 */
export const either = <E, R, E2, R2>(self: Next<E, R>, that: Next<E2, R2>): Next<E & E2, R | R2> => (error) =>
  Effect.flatMap(self(error), (allowed) => allowed ? yes : that(error))

/**
 * What both are made of: the errors that they are about, and how they begin to count.
 *
 * @internal
 */
export interface Policy<in E, out R, out Run> {
  readonly matches: (error: E) => boolean
  readonly start: Effect.Effect<Run, never, R>
}

/**
 * The same for fewer errors; `kept` is what else the run says.
 *
 * @internal
 */
export const restrict = <E, R, Run extends { readonly next: Next<E, R> }, Kept>(
  self: Policy<E, R, Run>,
  test: Test<E>,
  kept: (run: Run) => Kept
): readonly [
  matches: (error: E) => boolean,
  start: Effect.Effect<Kept & { readonly next: Next<E, R> }, never, R>
] => [
  ErrorKind.and(self.matches, ErrorKind.total(test)),
  Effect.map(self.start, (run) => ({ ...kept(run), next: onlyWhen((error) => run.next(error), test) }))
]

/**
 * What either allows; `joined` is what else the run says.
 *
 * @internal
 */
export const or = <
  E,
  R,
  E2,
  R2,
  Run extends { readonly next: Next<E, R> },
  Run2 extends { readonly next: Next<E2, R2> },
  Joined
>(
  self: Policy<E, R, Run>,
  that: Policy<E2, R2, Run2>,
  joined: (first: Run, second: Run2) => Joined
): readonly [
  matches: (error: E & E2) => boolean,
  start: Effect.Effect<Joined & { readonly next: Next<E & E2, R | R2> }, never, R | R2>
] => [
  (error) => self.matches(error) || that.matches(error),
  Effect.zipWith(self.start, that.start, (first, second) => ({
    ...joined(first, second),
    next: either(
      onlyWhen((error: E) => first.next(error), self.matches),
      onlyWhen((error: E2) => second.next(error), that.matches)
    )
  }))
]

/** @internal */
export const both = <E, R, E2, R2>(self: Next<E, R>, that: Next<E2, R2>): Next<E & E2, R | R2> => (error) =>
  Effect.flatMap(self(error), (allowed) => allowed ? that(error) : no)

/**
 * A limit as it is given, or a defect of the definition, thrown where the mistake is.
 *
 * @internal
 */
export const checkedLimit = (what: string, least: number, limit: number): number => {
  if (limit >= least && (Number.isInteger(limit) || limit === Number.POSITIVE_INFINITY)) {
    return limit
  }
  throw new JobDefinitionError({ defects: [`${what} is ${limit}, give a whole number of at least ${least}`] })
}
