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
import * as Pattern from "../base/pattern.js"
import { quoted } from "../base/text.js"

/**
 * Where to go when the exit code matches the pattern.
 *
 * @see FLOW-3
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

/**
 * Most specific first: more literal characters, then fewer `*`, then fewer `?`; alphabetical among patterns of which
 * neither says more, which `defects` refuses when they can match the same code.
 *
 * @see OWN-26
 * @since 0.1.0
 * @category instances
 */
export const Order: Order_.Order<Transition<unknown>> = Order_.combine(
  Order_.mapInput(Pattern.compare, (transition: Transition<unknown>) => transition.pattern),
  Order_.mapInput(Order_.string, (transition: Transition<unknown>) => transition.pattern)
)

/**
 * Whether the pattern matches the whole exit code, case-sensitively.
 *
 * @example
 * ```ts
 * import { Transition } from "effect-batch"
 *
 * assert.strictEqual(Transition.matches("COMPLETED*", "COMPLETED WITH SKIPS"), true)
 * assert.strictEqual(Transition.matches("c?t", "count"), false)
 * ```
 *
 * @see FLOW-3
 * @since 0.1.0
 * @category predicates
 */
export const matches: {
  (exitCode: string): (pattern: string) => boolean
  (pattern: string, exitCode: string): boolean
} = dual(2, (pattern: string, exitCode: string): boolean => Pattern.matches(pattern, exitCode))

/**
 * Selects the transition for an exit code: the first that matches, in the order of `Order`, so the order of declaration
 * plays no part.
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
 * @see FLOW-4
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
 * What is wrong with the transitions of one state, in words: a pattern that occurs twice, of which one could never be
 * taken, an empty one, two of which neither says more although both can match the same code, and one that can never be
 * taken because a more specific one matches whatever it matches.
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
 * @see FLOW-5, OWN-26
 * @since 0.1.0
 * @category utils
 */
export const defects = (transitions: ReadonlyArray<Transition<unknown>>): ReadonlyArray<string> => {
  const patterns = Arr.dedupe(transitions.map((transition) => transition.pattern))
  return patterns.flatMap((pattern, at) => {
    const times = transitions.filter((transition) => transition.pattern === pattern).length
    const others = patterns.filter((other) => other !== pattern)
    const equal = patterns.slice(at + 1).find((other) =>
      Pattern.compare(pattern, other) === 0 && Pattern.overlaps(pattern, other)
    )
    const hiding = others.find((other) => Pattern.compare(other, pattern) < 0 && Pattern.contains(other, pattern))
    return [
      ...(pattern === "" ? ["a pattern is empty"] : []),
      ...(times > 1 ? [`the pattern "${pattern}" is declared ${times} times`] : []),
      ...(equal === undefined ? [] : [
        `the patterns "${pattern}" and "${equal}" can match the same code and neither is more specific`
      ]),
      ...(hiding === undefined ? [] : [hidden(pattern, [hiding])])
    ]
  })
}

/**
 * Says of a pattern that others are always taken instead.
 *
 * @internal
 */
export const hidden = (pattern: string, by: ReadonlyArray<string>): string =>
  `the pattern "${pattern}" is never taken: ${quoted(by)} ${by.length === 1 ? "is" : "are"} more specific and take${
    by.length === 1 ? "s" : ""
  } every code that could lead there`
