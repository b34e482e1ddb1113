/**
 * The rows of a result that were read, recognised in the result of the same query at a restart (OWN-22).
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import type { Json } from "../base/json.js"
import * as position_ from "../item/position.js"
import { UnreadablePosition } from "../vocabulary/BatchError.js"
import type { Row } from "./keyset.js"

/** @internal */
export interface ResultRows {
  /** How many rows were read. */
  readonly read: () => number
  /** Counts a row as read, as it came from the database. */
  readonly pass: (row: Row) => void
  readonly position: () => Json
}

/**
 * Goes to the place in the result at which an earlier run stopped. Drafts of version 0.1 stored the number of rows alone.
 *
 * @internal
 */
export const open = (
  reader: string,
  rows: ReadonlyArray<Row>,
  key: ReadonlyArray<string> | undefined,
  from: Option.Option<Json>
): Effect.Effect<ResultRows, UnreadablePosition> =>
  Effect.gen(function*() {
    const missing = rows.length === 0 ? undefined : key?.find((column) => !Object.hasOwn(rows[0]!, column))
    if (missing !== undefined) {
      return yield* unreadable(reader, `the query has no column "${missing}", which is to tell its rows`, WITH_KEY)
    }
    const stored = Option.getOrElse(yield* position_.decode(reader, Place)(from), () => 0)
    const { read, sum = undefined } = typeof stored === "number" ? { read: stored } : stored
    if (rows.length < read) {
      return yield* position_.shortened(reader, read, rows.length)
    }
    const hash = createHash("sha256")
    let count = 0
    const pass = (row: Row) => {
      hash.update(textOf(key === undefined ? Object.values(row) : key.map((column) => row[column])))
      count++
    }
    const now = () => hash.copy().digest("base64url").slice(0, 22)
    rows.slice(0, read).forEach(pass)
    if (sum !== undefined && sum !== now()) {
      return yield* unreadable(reader, `the first ${read} rows are not those that were read before`, SAME_ROWS)
    }
    return { read: () => count, pass, position: () => ({ read: count, sum: now() }) }
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const Place = Schema.Union(position_.Count, Schema.Struct({ read: position_.Count, sum: Schema.String }))

const WITH_KEY = "give columns of the query in `key`"

const SAME_ROWS =
  "give the query an `order by`; name in `key` the columns that a job does not change; or abandon the " +
  "execution and run the job with another identifying parameter"

const unreadable = (reader: string, detail: string, advice: string) =>
  new UnreadablePosition({ reader, detail, advice })

/** Each value with its kind and length, so that no two rows share a text. */
const textOf = (values: ReadonlyArray<unknown>): string => {
  let text = `${values.length}`
  for (const value of values) {
    const shown = value instanceof Uint8Array
      ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64")
      : typeof value === "object" && value !== null
      ? JSON.stringify(value)
      : String(value)
    text += `\n${value === null ? "null" : typeof value} ${shown.length} ${shown}`
  }
  return text
}
