/**
 * What a table writer is asked to do, and the part of it that is the same for every database: which columns are
 * written, and whether each item has exactly those.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { lostMember } from "../base/lostMembers.js"
import { didYouMean, quoted } from "../base/text.js"
import { quoteName } from "./identifiers.js"
import type { TableName } from "./identifiers.js"
import type { Command } from "./pgQuery.js"
import type { SqlFailure } from "./SqlFailure.js"
import { SqlColumnError, SqlDataError, SqlStatementError } from "./SqlFailure.js"
import { Unfit } from "./unfit.js"

/** @internal */
export type Action =
  | { readonly _tag: "insert" }
  | {
    readonly _tag: "upsert"
    readonly key: ReadonlyArray<string>
    readonly update: ReadonlyArray<string> | "all" | "nothing"
  }
  | { readonly _tag: "update"; readonly key: ReadonlyArray<string>; readonly assert: boolean }
  | { readonly _tag: "delete"; readonly key: ReadonlyArray<string>; readonly assert: boolean }

/** @internal */
export type Item = { readonly [field: string]: unknown }

/** @internal */
export interface Table<Column> {
  /** As the user wrote it. */
  readonly name: string
  /** Quoted, for SQL text. */
  readonly text: string
  readonly columns: ReadonlyArray<Column>
}

/**
 * Rows that are encoded and ready to be written.
 *
 * @internal
 */
export interface Written {
  readonly run: Effect.Effect<void, SqlFailure>
  /**
   * Which of the rows the database refuses, in their order, each with its error. Nothing of it stays. Empty when the database
   * cannot tell.
   */
  readonly examine?: ((ask: Ask) => Effect.Effect<ReadonlyArray<SqlDataError>>) | undefined
  /** What is sent, when whether it is refused is all that there is to know about it. */
  readonly pipelined?: {
    readonly commands: Effect.Effect<ReadonlyArray<Command>, SqlFailure>
    readonly refused: (error: SqlError) => SqlFailure
  } | undefined
}

/**
 * Sends commands to a database that undoes all of them.
 *
 * @internal
 */
export type Ask = (commands: ReadonlyArray<Command>) => Effect.Effect<unknown, SqlError>

/** @internal */
export type Write = (items: ReadonlyArray<Item>) => Either.Either<Written, Misfit>

/**
 * An item that was refused before anything was sent.
 *
 * @internal
 */
export type Misfit = SqlColumnError | SqlDataError

/** @internal */
export interface Column {
  readonly name: string
  /** The database computes the value, and takes none. */
  readonly generated: boolean
  /** It takes a value when a row is inserted and never again. */
  readonly identityAlways: boolean
}

/**
 * How one database describes a table and writes to it. `prepare` is called once; what it gives is called per chunk.
 *
 * @internal
 */
export interface TableDialect<C extends Column> {
  readonly describe: (sql: SqlClient, table: TableName) => Effect.Effect<ReadonlyArray<C>, SqlError>
  readonly prepare: (
    sql: SqlClient,
    table: Table<C>,
    action: Action,
    columns: ReadonlyArray<C>
  ) => Write
}

/**
 * The columns an action writes or looks up when the items have these fields.
 *
 * @internal
 */
export const columnsOf = (action: Action, fields: ReadonlyArray<string>): ReadonlyArray<string> => {
  switch (action._tag) {
    case "insert":
      return fields
    case "delete":
      return action.key
    case "upsert":
    case "update":
      return [...new Set([...action.key, ...fields])]
  }
}

/**
 * Finds the columns in the table, or says which is not there and what there is.
 *
 * @internal
 */
export const resolve = <C extends Column>(
  table: Table<C>,
  action: Action,
  fields: ReadonlyArray<string>
): Either.Either<ReadonlyArray<C>, SqlStatementError> => {
  const names = columnsOf(action, fields)
  const known = new Map(table.columns.map((column) => [column.name, column]))
  const updated = action._tag === "upsert" && Array.isArray(action.update) ? action.update : []
  const problem = (problem: string, column?: string, kind: "missingColumn" | "other" = "other") =>
    Either.left(new SqlStatementError({ operation: action._tag, kind, table: table.name, column, problem }))
  const missing = [...names, ...updated].find((name) => !known.has(name))
  if (missing !== undefined) {
    const there = [...known.keys()]
    return problem(
      `there is no such column${didYouMean(missing, there)}, the table has ${quoted(there)}`,
      missing,
      "missingColumn"
    )
  }
  const written = new Set(names)
  const unwritten = updated.find((name) => !written.has(name))
  if (unwritten !== undefined) {
    return problem(`column "${unwritten}" is to be updated but the items do not have it`)
  }
  const [inserted, set] = changedBy(action, names)
  const generated = [...inserted, ...set].find((name) => known.get(name)!.generated)
  if (generated !== undefined) {
    return problem(
      "the database computes the column from others; leave it out of the items, or list the others in " +
        "`columns`",
      generated
    )
  }
  const identity = set.find((name) => known.get(name)!.identityAlways)
  if (identity !== undefined) {
    return problem("an identity column that is generated always cannot be updated; leave it out", identity)
  }
  if (action._tag === "update" && set.length === 0) {
    return problem("there is no column besides the key to update")
  }
  return names.length === 0
    ? problem("there is no column to write")
    : Either.right(names.map((name) => known.get(name)!))
}

/**
 * Whether the items have these fields: never others, and all of them when `complete`. A delete looks only at the key.
 *
 * @internal
 */
export const checkFields = (
  table: string,
  fields: ReadonlyArray<string>,
  items: ReadonlyArray<Item>,
  complete: boolean
): SqlColumnError | undefined => {
  const known = new Set(fields)
  for (let index = 0; index < items.length; index++) {
    const keys = Object.keys(items[index]!)
    const lost = lostMember(items[index]!)
    if (lost !== undefined) {
      return fieldError(table, "", index, `it has ${lost}, which can be no column`)
    }
    if (sameNames(keys, fields)) {
      continue
    }
    const unknown = keys.find((key) => !known.has(key))
    if (unknown !== undefined) {
      return fieldError(
        table,
        unknown,
        index,
        `it is not among the columns that are written (${quoted(fields)}); list it in \`columns\` or leave it out`
      )
    }
    const missing = complete && keys.length < fields.length
      ? fields.find((field) => !Object.hasOwn(items[index]!, field))
      : undefined
    if (missing !== undefined) {
      return fieldError(
        table,
        missing,
        index,
        "the item does not have it, and every item needs the key and the fields of the first one; " +
          "give null, or list the columns in `columns`"
      )
    }
  }
  return undefined
}

/** @internal */
export const fieldError = (table: string, column: string, item: number, problem: string): SqlColumnError =>
  new SqlColumnError({ table, column, item, problem })

/**
 * Encodes the items column by column, or says which value cannot be encoded. An encoder throws `Unfit` for such one.
 *
 * @internal
 */
export const encodeColumns = <A>(
  operation: string,
  table: string,
  fields: ReadonlyArray<{ readonly name: string }>,
  encoders: ReadonlyArray<(value: unknown) => A>,
  items: ReadonlyArray<Item>
): Either.Either<ReadonlyArray<ReadonlyArray<A>>, Misfit> => {
  const columns: Array<ReadonlyArray<A>> = []
  for (let i = 0; i < fields.length; i++) {
    const column = encodeColumn(operation, table, fields[i]!.name, encoders[i]!, items)
    if (Either.isLeft(column)) {
      return Either.left(column.left)
    }
    columns.push(column.right)
  }
  return Either.right(columns)
}

/**
 * The indexes of the items in rounds, so that no key occurs twice in a round: the n-th occurrence of a key is in
 * round n. Rounds written one after the other do what single statements in the order of the items would do.
 *
 * @internal
 */
export const rounds = (keys: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<number>> => {
  const seen = new Map<string, number>()
  const found: Array<Array<number>> = []
  for (let index = 0; index < keys.length; index++) {
    const round = seen.get(keys[index]!) ?? 0
    seen.set(keys[index]!, round + 1)
    if (found[round] === undefined) {
      found[round] = []
    }
    found[round].push(index)
  }
  return found
}

/** @internal */
export const keyIndexes = (
  action: { readonly key: ReadonlyArray<string> },
  columns: ReadonlyArray<{ readonly name: string }>
): ReadonlyArray<number> => {
  const key = new Set(action.key)
  return columns.flatMap(({ name }, index) => key.has(name) ? [index] : [])
}

/**
 * What an insert does about a row that exists, which PostgreSQL and SQLite say alike.
 *
 * @internal
 */
export const conflictClause = (action: Action, columns: ReadonlyArray<{ readonly name: string }>): string => {
  if (action._tag !== "upsert") {
    return ""
  }
  const { key } = action
  const [, names] = changedBy(action, columns.map(({ name }) => name))
  const sets = names.map((name) => `${quoteName(name)} = excluded.${quoteName(name)}`).join(", ")
  return ` on conflict (${key.map(quoteName).join(", ")}) do ${sets === "" ? "nothing" : `update set ${sets}`}`
}

/**
 * An item that an update or a delete found no row for (ITEM-22).
 *
 * @internal
 */
export const missingRow = (table: string, action: Action, item: number): SqlDataError =>
  new SqlDataError({ operation: action._tag, kind: "missingRow", table, item })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Of the columns of an action, those that a new row gets and those that are set in a row that exists. */
const changedBy = (
  action: Action,
  names: ReadonlyArray<string>
): readonly [inserted: ReadonlyArray<string>, set: ReadonlyArray<string>] => {
  if (action._tag === "insert" || action._tag === "delete") {
    return [action._tag === "insert" ? names : [], []]
  }
  const key = new Set(action.key)
  const others = names.filter((name) => !key.has(name))
  if (action._tag === "update") {
    return [[], others]
  }
  return [names, action.update === "nothing" ? [] : action.update === "all" ? others : action.update]
}

const sameNames = (keys: ReadonlyArray<string>, fields: ReadonlyArray<string>): boolean => {
  if (keys.length !== fields.length) {
    return false
  }
  for (let i = 0; i < keys.length; i++) {
    if (keys[i] !== fields[i]) {
      return false
    }
  }
  return true
}

const encodeColumn = <A>(
  operation: string,
  table: string,
  field: string,
  encode: (value: unknown) => A,
  items: ReadonlyArray<Item>
): Either.Either<ReadonlyArray<A>, Misfit> => {
  const encoded: Array<A> = new Array(items.length)
  // What every object inherits is no field of the item.
  const isInherited = field in Object.prototype
  let index = 0
  try {
    for (; index < items.length; index++) {
      const item = items[index]!
      encoded[index] = encode(isInherited && !Object.hasOwn(item, field) ? undefined : item[field])
    }
    return Either.right(encoded)
  } catch (error) {
    if (error instanceof Unfit && error.isData) {
      const { problem } = error
      return Either.left(
        new SqlDataError({ operation, kind: "dataType", table, column: field, item: index, problem })
      )
    }
    // A cycle has no end.
    const problem = error instanceof Unfit ? error.problem : "it cannot be written as JSON"
    return Either.left(fieldError(table, field, index, problem))
  }
}
