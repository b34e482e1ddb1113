/**
 * What comes of the outcomes of a script.
 */
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Page } from "../item/ItemReader.js"
import type { Die, Fail, Ok } from "./Scripted.js"

export const exitOf = <A, E>(outcome: Ok<A> | Fail<E> | Die): Exit.Exit<A, E> =>
  outcome._tag === "Ok"
    ? Exit.succeed(outcome.value)
    : outcome._tag === "Fail"
    ? Exit.fail(outcome.error)
    : Exit.die(outcome.defect)

/** The next page: it stops behind a bad record, and in front of a defect, which then is a page of its own. */
export const read = <A, E>(
  script: ReadonlyArray<Ok<A> | Fail<E> | Die>,
  died: Set<number>,
  from: number,
  max: number
): Exit.Exit<Page<A, E> & { readonly position: number }> => {
  const items: Array<A> = []
  let failure = Option.none<E>()
  let next = from
  while (next < script.length && items.length < max && Option.isNone(failure)) {
    const outcome = script[next]!
    if (outcome._tag === "Die" && !died.has(next)) {
      if (items.length > 0) {
        break
      }
      died.add(next)
      return Exit.die(outcome.defect)
    }
    if (outcome._tag === "Ok") {
      items.push(outcome.value)
    } else if (outcome._tag === "Fail") {
      failure = Option.some(outcome.error)
    }
    next++
  }
  return Exit.succeed({ items, position: next, failure, done: next >= script.length })
}
