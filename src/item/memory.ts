/**
 * Collecting in memory, with rollback.
 */
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Transactor from "../ports/Transactor.js"
import type { Sink } from "./ItemWriter.js"

/** @internal */
export const collect = <A>(target: Array<A> | Ref.Ref<ReadonlyArray<A>>): Sink<A> => ({
  write: (items) =>
    Effect.uninterruptible(
      Effect.zipRight(Transactor.onRollback(update(target, (all) => without(all, items))), append(target, items))
    )
})

/**
 * Takes each item out once, the last one that is the same. Others may have added theirs in the meantime, so cutting the
 * collection to its former length would take theirs away too.
 *
 * @internal
 */
export const without = <A>(all: ReadonlyArray<A>, items: ReadonlyArray<A>): ReadonlyArray<A> => {
  const left = all.slice()
  for (let i = items.length - 1; i >= 0; i--) {
    const index = left.findLastIndex((item) => Object.is(item, items[i]))
    if (index >= 0) {
      left.splice(index, 1)
    }
  }
  return left
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const append = <A>(target: Array<A> | Ref.Ref<ReadonlyArray<A>>, items: ReadonlyArray<A>): Effect.Effect<void> =>
  Array.isArray(target)
    ? Effect.sync(() => items.forEach((item) => target.push(item)))
    : Ref.update(target, (all) => [...all, ...items])

const update = <A>(
  target: Array<A> | Ref.Ref<ReadonlyArray<A>>,
  f: (all: ReadonlyArray<A>) => ReadonlyArray<A>
): Effect.Effect<void> =>
  Array.isArray(target)
    ? Effect.sync(() => {
      const kept = f(target)
      target.length = 0
      kept.forEach((item) => target.push(item))
    })
    : Ref.update(target, f)
