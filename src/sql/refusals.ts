/**
 * What is known about the refused rows of a chunk, once the database was asked: the error names the first of them, and those
 * behind it are remembered until the engine comes to them.
 */
import { SqlDataError, withRefused } from "./SqlFailure.js"

/** @internal */
export interface Refusals<A> {
  /** The error of a chunk of which it is known beforehand that it would be refused. */
  readonly foreseen: (items: ReadonlyArray<A>) => SqlDataError | undefined
  /** The error of a refused chunk with the item it is about, as far as the answer tells. */
  readonly named: (items: ReadonlyArray<A>, error: SqlDataError, answer: Answer) => SqlDataError
}

/**
 * What the database says of a refused chunk when it is asked.
 *
 * @internal
 */
export interface Answer {
  readonly rows: ReadonlyArray<SqlDataError>
  /**
   * Whether it was asked with all in place that the transaction had written before: otherwise a row may have been refused for
   * want of that.
   */
  readonly proven: boolean
}

/** @internal */
export const unasked: Answer = { rows: [], proven: false }

/**
 * A row is foreseen only in a chunk without the one that was refused before it: that one has been set apart then, which
 * nobody does but who searches for refused rows. Whoever tries a chunk again as it was, asks the database again. And only
 * once, as the next answer may be another one. A row alone is never foreseen: it is for the database to say.
 *
 * @internal
 */
export const make = <A>(): Refusals<A> => {
  let known = new Map<A, { readonly error: SqlDataError; readonly before: A }>()
  return {
    foreseen: (items) => {
      if (known.size === 0 || items.length < 2) {
        return undefined
      }
      const item = items.findIndex((item) => known.has(item))
      const found = item < 0 ? undefined : known.get(items[item]!)!
      if (found === undefined || items.includes(found.before)) {
        return undefined
      }
      known.delete(items[item]!)
      return withItem(found.error, item)
    },
    named: (items, error, { proven, rows: found }) => {
      // What was found out about others still holds.
      if (items.length === 1) {
        return withItem(found[0] ?? error, 0)
      }
      known = new Map()
      const first = found.findIndex((one) => isSame(one, error))
      if (first < 0) {
        return error
      }
      found.slice(first + 1).forEach((one, index) => {
        known.set(items[one.item!]!, { error: one, before: items[found[first + index]!.item!]! })
      })
      const named = withItem(found[first]!, found[first]!.item!)
      return proven && first === 0 ? withRefused(named, found) : named
    }
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const withItem = (error: SqlDataError, item: number): SqlDataError =>
  new SqlDataError({
    operation: error.operation,
    kind: error.kind,
    table: error.table,
    column: error.column,
    constraint: error.constraint,
    sqlState: error.sqlState,
    problem: error.problem,
    detail: error.detail,
    item
  })

// A key is quoted in full. Other details quote the row, in which defaults are new each time.
const isSame = (one: SqlDataError, other: SqlDataError): boolean =>
  one.sqlState === other.sqlState && one.constraint === other.constraint &&
  (one.kind === "check" || one.kind === "notNull" || one.detail === other.detail)
