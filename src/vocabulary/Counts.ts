/**
 * What a step has counted so far. Counts of a chunk are added to those of the step when the chunk commits, so stored
 * counts are always those of committed work, and the number of rollbacks.
 *
 * @see EXEC-8
 * @since 0.1.0
 */
import { dual } from "effect/Function"
import * as Schema from "effect/Schema"
import * as Monoid from "../base/monoid.js"

/**
 * Numbers of items read, written, filtered out and skipped (by phase), and of transactions committed and rolled back.
 *
 * @see EXEC-5
 * @since 0.1.0
 * @category models
 */
export interface Counts {
  readonly read: number
  readonly write: number
  readonly filter: number
  readonly readSkip: number
  readonly processSkip: number
  readonly writeSkip: number
  readonly commit: number
  readonly rollback: number
}

/**
 * @since 0.1.0
 * @category schemas
 */
export const Counts: Schema.Schema<Counts> = Schema.Struct({
  read: Schema.NonNegativeInt,
  write: Schema.NonNegativeInt,
  filter: Schema.NonNegativeInt,
  readSkip: Schema.NonNegativeInt,
  processSkip: Schema.NonNegativeInt,
  writeSkip: Schema.NonNegativeInt,
  commit: Schema.NonNegativeInt,
  rollback: Schema.NonNegativeInt
})

/**
 * Nothing counted yet.
 *
 * @since 0.1.0
 * @category constructors
 */
export const empty: Counts = {
  read: 0,
  write: 0,
  filter: 0,
  readSkip: 0,
  processSkip: 0,
  writeSkip: 0,
  commit: 0,
  rollback: 0
}

/**
 * Counts with the given ones set and all others 0.
 *
 * @example
 * ```ts
 * import { Counts } from "effect-batch"
 *
 * const chunk = Counts.make({ read: 10, write: 9, filter: 1, commit: 1 })
 * assert.strictEqual(Counts.add(chunk, chunk).write, 18)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (counts: Partial<Counts>): Counts => ({
  read: counts.read ?? 0,
  write: counts.write ?? 0,
  filter: counts.filter ?? 0,
  readSkip: counts.readSkip ?? 0,
  processSkip: counts.processSkip ?? 0,
  writeSkip: counts.writeSkip ?? 0,
  commit: counts.commit ?? 0,
  rollback: counts.rollback ?? 0
})

/**
 * Adds two counts, each to each.
 *
 * @see EXEC-8
 * @since 0.1.0
 * @category combinators
 */
export const add: {
  (that: Counts): (self: Counts) => Counts
  (self: Counts, that: Counts): Counts
} = dual(2, (self: Counts, that: Counts): Counts => ({
  read: self.read + that.read,
  write: self.write + that.write,
  filter: self.filter + that.filter,
  readSkip: self.readSkip + that.readSkip,
  processSkip: self.processSkip + that.processSkip,
  writeSkip: self.writeSkip + that.writeSkip,
  commit: self.commit + that.commit,
  rollback: self.rollback + that.rollback
}))

/**
 * Adds up the counts of many steps or chunks.
 *
 * @since 0.1.0
 * @category combinators
 */
export const combineAll: (counts: Iterable<Counts>) => Counts = Monoid.combineAll(add, empty)

/**
 * Number of items skipped in any phase.
 *
 * @see EXEC-6
 * @since 0.1.0
 * @category utils
 */
export const skips = (self: Counts): number => self.readSkip + self.processSkip + self.writeSkip
