/**
 * The columns of a query as its rows can hold them: an object has each name once, so of two columns of one name only the
 * last would be read, without a word (OWN-24).
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Fragment } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import { repeated } from "../base/repeated.js"
import { quoted } from "../base/text.js"
import { afresh } from "./afresh.js"
import { SqlStatementError } from "./SqlFailure.js"

/**
 * Columns whose names occur more than once, one that no object can have, or floats that the server shows with fewer digits
 * than they have.
 *
 * @internal
 */
export type Problem = "repeated" | "noMember" | "digits"

/**
 * What cannot be read of a query.
 *
 * @internal
 */
export class Unreadable {
  constructor(readonly columns: ReadonlyArray<string>, readonly problem: Problem = "repeated") {}
}

/** @internal */
export const refused = (reader: string, { columns, problem }: Unreadable): SqlStatementError => {
  const one = columns.length === 1
  const which = one
    ? "a column of the query has a name that occurs"
    : `columns (${quoted(columns)}) of the query have names that occur`
  return new SqlStatementError({
    operation: `read by "${reader}"`,
    kind: "other",
    column: one ? columns[0] : undefined,
    problem: problem === "noMember"
      ? "the driver of SQLite gives no value of a column with this name: give it an alias (`as`)"
      : problem === "digits"
      ? "the server cuts the digits of floats, as its setting extra_float_digits is below 1: set it to 1 for this user " +
        "or database"
      : `${which} more than once, and only the last of them could be read: give it an alias (\`as\`)`
  })
}

/**
 * What is wrong with names as the server gives them, one for each column.
 *
 * @internal
 */
export const inNames = (names: ReadonlyArray<string>): Unreadable | undefined => {
  const twice = repeated(names)
  return twice.length === 0 ? undefined : new Unreadable(twice)
}

/**
 * What is wrong with the columns of a query of SQLite whose rows have been read.
 *
 * @internal
 */
export const inSqliteRows = (
  sql: SqlClient,
  query: Fragment,
  rows: ReadonlyArray<object>
): Effect.Effect<Unreadable | undefined> =>
  rows.length === 0 ? Effect.succeed(undefined) : Effect.map(
    inSubquery(sql, query),
    (found) => found && (found.noMember ?? lost(found.names, Object.keys(rows[0]!)))
  )

/**
 * What is wrong with the columns of a query that is read as a subquery of SQLite, which gives columns names of their own
 * then: the second `id` is `id:1`, and so is `ID`.
 *
 * @param taken names that the reader gives columns of its own
 *
 * @internal
 */
export const inSqliteSubquery = (
  sql: SqlClient,
  query: Fragment,
  taken: ReadonlyArray<string>
): Effect.Effect<Unreadable | undefined> =>
  Effect.gen(function*() {
    const { names, noMember } = (yield* inSubquery(sql, query)) ?? { names: [], noMember: undefined }
    const own = names.filter((name) => taken.includes(name))
    const renamed = names.filter(renamedIn(names))
    if (noMember !== undefined || own.length > 0 || renamed.length === 0) {
      return noMember ?? (own.length === 0 ? undefined : new Unreadable(own))
    }
    // An alias may look like that, too: the query itself tells.
    const [row = {}] = yield* Effect.orElseSucceed(afresh(sql<object>`${query} limit 1`), () => [])
    const clashing = renamed.filter((name) => !Object.hasOwn(row, name))
    return clashing.length === 0 ? undefined : new Unreadable(distinct(clashing))
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Subquery {
  /** As the subquery has them. */
  readonly names: ReadonlyArray<string>
  readonly noMember: Unreadable | undefined
}

/** The columns of a query as a subquery, without a row of it; undefined where it can be none, such as a pragma. */
const inSubquery = (sql: SqlClient, query: Fragment): Effect.Effect<Subquery | undefined> => {
  const columns = sql<object>`
    select q.* from (select 1 as one) as o left join (select * from (${query}) as r limit 0) as q`
  return Effect.gen(function*() {
    const [row = {}] = yield* afresh(columns)
    const [values = []] = yield* columns.values
    const names = Object.keys(row)
    return {
      names,
      noMember: values.length > names.length ? new Unreadable(["__proto__"], "noMember") : undefined
    }
  }).pipe(Effect.orElseSucceed(() => undefined))
}

/** More columns than members: those that have got another name as columns of a subquery are the ones in trouble. */
const lost = (names: ReadonlyArray<string>, members: ReadonlyArray<string>): Unreadable | undefined => {
  if (names.length <= members.length) {
    return undefined
  }
  const known = new Set(members)
  return new Unreadable(distinct(names.filter((name) => !known.has(name))))
}

const suffix = /:\d+$/

const before = (name: string): string => name.replace(suffix, "")

const distinct = (names: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(names.map(before))]

const renamedIn = (names: ReadonlyArray<string>): (name: string) => boolean => {
  const known = new Set(names.map((name) => name.toLowerCase()))
  return (name) => suffix.test(name) && known.has(before(name).toLowerCase())
}
