/**
 * Matching of exit codes against transition patterns.
 *
 * A pattern may contain `*` (any run of characters) and `?` (one character).
 * When several patterns match, the most specific one wins, whatever the order
 * in which they were declared.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import * as Order_ from "effect/Order"

/**
 * Where to go when the exit code matches the pattern (FLOW-3).
 *
 * @since 0.1.0
 * @category models
 */
export interface Transition<out To> {
  readonly pattern: string
  readonly to: To
}

/**
 * A transition.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <To>(pattern: string, to: To): Transition<To> => ({ pattern, to })

const count = (char: string) => (transition: Transition<unknown>): number => transition.pattern.split(char).length - 1

const hasAsterisk = (transition: Transition<unknown>): boolean => transition.pattern.includes("*")

/**
 * Most specific first (FLOW-4): patterns without `*`; then more `*` first, since
 * more of them usually stand around more text; fewer `?`; longer; alphabetical.
 *
 * @since 0.1.0
 * @category instances
 */
export const Order: Order_.Order<Transition<unknown>> = Order_.combineAll([
  Order_.mapInput(Order_.boolean, hasAsterisk),
  Order_.mapInput(Order_.reverse(Order_.number), count("*")),
  Order_.mapInput(Order_.number, count("?")),
  Order_.mapInput(Order_.reverse(Order_.number), (transition) => transition.pattern.length),
  Order_.mapInput(Order_.string, (transition) => transition.pattern)
])

/**
 * Whether the pattern matches the whole exit code, case-sensitively (FLOW-3).
 *
 * @example
 * ```ts
 * import { Transition } from "effect-batch"
 *
 * assert.strictEqual(Transition.matches("COMPLETED*", "COMPLETED WITH SKIPS"), true)
 * assert.strictEqual(Transition.matches("c?t", "count"), false)
 * ```
 *
 * @since 0.1.0
 * @category predicates
 */
export const matches: {
  (exitCode: string): (pattern: string) => boolean
  (pattern: string, exitCode: string): boolean
} = dual(2, (pattern: string, exitCode: string): boolean => toRegExp(pattern).test(exitCode))

/**
 * Selects the transition for an exit code: the first that matches, in the order
 * of `Order`, so the order of declaration plays no part (FLOW-4).
 *
 * @example
 * ```ts
 * import { Option } from "effect"
 * import { Transition } from "effect-batch"
 *
 * const table = [Transition.make("*", "review"), Transition.make("COMPLETED*", "archive")]
 *
 * assert.deepStrictEqual(
 *   Option.map(Transition.select(table, "COMPLETED"), ({ to }) => to),
 *   Option.some("archive")
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const select: {
  (exitCode: string): <To>(transitions: ReadonlyArray<Transition<To>>) => Option.Option<Transition<To>>
  <To>(transitions: ReadonlyArray<Transition<To>>, exitCode: string): Option.Option<Transition<To>>
} = dual(
  2,
  <To>(transitions: ReadonlyArray<Transition<To>>, exitCode: string): Option.Option<Transition<To>> =>
    Option.liftPredicate(
      Arr.filter(transitions, (transition) => matches(transition.pattern, exitCode)),
      Arr.isNonEmptyArray
    ).pipe(Option.map((candidates) => Arr.min(candidates, Order)))
)

/**
 * What is wrong with the transitions of one state, in words: a pattern that
 * occurs twice, of which one could never be taken (FLOW-5), or an empty one.
 *
 * @example
 * ```ts
 * import { Transition } from "effect-batch"
 *
 * assert.deepStrictEqual(
 *   Transition.defects([Transition.make("*", 1), Transition.make("*", 2)]),
 *   [`the pattern "*" is declared 2 times`]
 * )
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const defects = (transitions: ReadonlyArray<Transition<unknown>>): ReadonlyArray<string> =>
  Arr.dedupe(transitions.map((transition) => transition.pattern)).flatMap((pattern) => {
    const times = transitions.filter((transition) => transition.pattern === pattern).length
    return [
      ...(pattern === "" ? ["a pattern is empty"] : []),
      ...(times > 1 ? [`the pattern "${pattern}" is declared ${times} times`] : [])
    ]
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const toRegExp = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".")}$`, "su")
