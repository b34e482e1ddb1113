/**
 * What a table writer is asked to do, and the part of it that is the same for every database: which columns are
 * written, and whether each item has exactly those.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { didYouMean, quoted } from "../base/text.js"
import { quoteName } from "./identifiers.js"
import type { Command } from "./pgPipeline.js"
import type { SqlFailure } from "./SqlFailure.js"
import { SqlColumnError, SqlDataError, SqlStatementError } from "./SqlFailure.js"

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
  /** What is sent, when whether it is refused is all that there is to know about it. */
  readonly pipelined?: {
    readonly commands: () => ReadonlyArray<Command>
    readonly refused: (error: SqlError) => SqlFailure
  } | undefined
}

/** @internal */
export type Write = (items: ReadonlyArray<Item>) => Either.Either<Written, SqlColumnError>

/**
 * How one database describes a table and writes to it. `prepare` is called once; what it gives is called per chunk.
 *
 * @internal
 */
export interface TableDialect<Column extends { readonly name: string }> {
  readonly describe: (sql: SqlClient, table: string) => Effect.Effect<ReadonlyArray<Column>, SqlError>
  readonly prepare: (
    sql: SqlClient,
    table: Table<Column>,
    action: Action,
    columns: ReadonlyArray<Column>
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
export const resolve = <Column extends { readonly name: string }>(
  table: Table<Column>,
  action: Action,
  fields: ReadonlyArray<string>
): Either.Either<ReadonlyArray<Column>, SqlStatementError> => {
  const names = columnsOf(action, fields)
  const known = table.columns.map(({ name }) => name)
  const wanted = action._tag === "upsert" && Array.isArray(action.update) ? [...names, ...action.update] : names
  const problem = (problem: string, column?: string) =>
    Either.left(
      new SqlStatementError({
        operation: action._tag,
        kind: column === undefined ? "other" : "missingColumn",
        table: table.name,
        column,
        problem
      })
    )
  const missing = wanted.find((name) => !known.includes(name))
  if (missing !== undefined) {
    return problem(`there is no such column${didYouMean(missing, known)}, the table has ${quoted(known)}`, missing)
  }
  if (action._tag === "upsert" && Array.isArray(action.update)) {
    const unwritten = action.update.find((name) => !names.includes(name))
    if (unwritten !== undefined) {
      return problem(`column "${unwritten}" is to be updated but the items do not have it`)
    }
  }
  if (action._tag === "update" && names.every((name) => action.key.includes(name))) {
    return problem("there is no column besides the key to update")
  }
  return names.length === 0
    ? problem("there is no column to write")
    : Either.right(names.map((name) => table.columns[known.indexOf(name)]!))
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
    const missing = complete ? fields.find((field) => !keys.includes(field)) : undefined
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
 * A value no column can hold.
 *
 * @internal
 */
export class Unfit {
  constructor(readonly problem: string) {}
}

/**
 * Encodes the items column by column, or says which value cannot be encoded. An encoder throws `Unfit` for such one.
 *
 * @internal
 */
export const encodeColumns = <A>(
  table: string,
  fields: ReadonlyArray<{ readonly name: string }>,
  encoders: ReadonlyArray<(value: unknown) => A>,
  items: ReadonlyArray<Item>
): Either.Either<ReadonlyArray<ReadonlyArray<A>>, SqlColumnError> => {
  const columns: Array<ReadonlyArray<A>> = []
  for (let i = 0; i < fields.length; i++) {
    const column = encodeColumn(table, fields[i]!.name, encoders[i]!, items)
    if (Either.isLeft(column)) {
      return Either.left(column.left)
    }
    columns.push(column.right)
  }
  return Either.right(columns)
}

/** @internal */
export const json = (value: unknown): string => {
  const text = JSON.stringify(value)
  if (text === undefined) {
    throw new Unfit(`a ${typeof value} is not a value of a column`)
  }
  return text
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
): ReadonlyArray<number> => columns.flatMap(({ name }, index) => action.key.includes(name) ? [index] : [])

/**
 * What an insert does about a row that exists, which PostgreSQL and SQLite say alike.
 *
 * @internal
 */
export const conflictClause = (action: Action, columns: ReadonlyArray<{ readonly name: string }>): string => {
  if (action._tag !== "upsert") {
    return ""
  }
  const { key, update } = action
  const names = update === "nothing"
    ? []
    : update === "all"
    ? columns.map(({ name }) => name).filter((name) => !key.includes(name))
    : update
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
  table: string,
  field: string,
  encode: (value: unknown) => A,
  items: ReadonlyArray<Item>
): Either.Either<ReadonlyArray<A>, SqlColumnError> => {
  const encoded: Array<A> = new Array(items.length)
  let index = 0
  try {
    for (; index < items.length; index++) {
      encoded[index] = encode(items[index]![field])
    }
    return Either.right(encoded)
  } catch (error) {
    // JSON.stringify throws for a bigint or a cycle deep inside a value.
    const problem = error instanceof Unfit ? error.problem : "it cannot be written as JSON"
    return Either.left(fieldError(table, field, index, problem))
  }
}
