/**
 * Keyset paging: the statement for the rows behind a key, and what a key looks like in a checkpoint.
 *
 * A key is a list of texts, one per column, that the database itself writes and reads back. JavaScript never sees the
 * values as numbers or dates, so 64-bit integers and microseconds survive.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Fragment, Statement } from "@effect/sql/Statement"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { quoted } from "../base/text.js"
import { columnOf } from "./identifiers.js"
import { Misread } from "./readValue.js"

/** @internal */
export interface KeyColumn {
  readonly column: string
  readonly direction: "asc" | "desc"
}

/**
 * The columns of a key with their directions.
 *
 * @internal
 */
export const columnsOf = (key: ReadonlyArray<string | KeyColumn>): ReadonlyArray<KeyColumn> =>
  key.map((each) => typeof each === "string" ? { column: each, direction: "asc" } : each)

/**
 * What is wrong with the options of a reader, also of programs that were not checked by the compiler.
 *
 * @internal
 */
export const defects = (
  reader: string,
  key: ReadonlyArray<KeyColumn>,
  pageSize: number
): ReadonlyArray<string> => {
  const names = key.map(({ column }) => column)
  const wrong = key.find(({ column, direction }) =>
    typeof column !== "string" || (direction !== "asc" && direction !== "desc")
  )
  return [
    ...(Number.isInteger(pageSize) && pageSize >= 1
      ? []
      : [`the page size of reader "${reader}" must be a whole number of at least 1`]),
    ...(key.length > 0 ? [] : [`the key of reader "${reader}" has no column`]),
    ...(new Set(names).size === names.length ? [] : [`the key of reader "${reader}" names a column twice`]),
    ...(wrong === undefined
      ? []
      : [`a column of the key of reader "${reader}" has to be a name with the direction "asc" or "desc"`])
  ]
}

/** @internal */
export type Key = ReadonlyArray<string>

/** @internal */
export type Sign = "<" | "<=" | "=" | ">=" | ">"

/**
 * How one database writes the columns of a key as text and reads them back.
 *
 * @internal
 */
export interface KeyCodec {
  /** The expression that is selected for a key column. */
  readonly select: (index: number) => Fragment
  /** What that expression gave, as text; null when the column is NULL. */
  readonly encode: (value: unknown) => string | null
  /** The value of a key column, as a bound parameter. */
  readonly bind: (index: number, text: string) => Fragment
  /**
   * The operator of the order that a column has, from its sign: found wherever the type is, where a sign alone might be that of
   * another type.
   */
  readonly operator: (index: number, sign: Sign) => string
  /** The text as a person knows the value. */
  readonly show: (text: string) => string
  /**
   * One form for all texts of a column that are the same key to the database. Undefined when the database must be asked
   * whether neighbours are the same.
   */
  readonly form: ((index: number, text: string) => string) | undefined
}

/** @internal */
export interface KeyQuery {
  readonly sql: SqlClient
  readonly rows: Fragment
  readonly keys: ReadonlyArray<KeyColumn>
}

/** @internal */
export type Row = { readonly [column: string]: unknown }

/** @internal */
export const keyAlias = (index: number): string => `__key_${index}`

/** Whether a row has the key of the one in front, in a result of a codec that asks. */
const sameAlias = "__same_key"

/**
 * Names of columns that a page has beside those of the query.
 *
 * @internal
 */
export const aliasesOf = (keys: ReadonlyArray<KeyColumn>): ReadonlyArray<string> => [
  ...keys.map((_, index) => keyAlias(index)),
  sameAlias
]

/**
 * The statement for the rows behind `after`, at most `limit`, each with its key as texts.
 *
 * @internal
 */
export const pageOf = (
  { keys, rows, sql }: KeyQuery,
  codec: KeyCodec,
  after: Key | undefined,
  limit: number
): Statement<Row> => {
  const texts = keys.map((_, index) => sql`${codec.select(index)} as ${sql(keyAlias(index))}`)
  const order = keys.map(({ column, direction }) => sql`${columnOf(sql, "q", column)} ${sql.literal(direction)}`)
  const where = after === undefined
    ? sql.literal("")
    : sql`where ${behind(sql, keys, after.map((text, index) => codec.bind(index, text)), codec.operator)}`
  const page = sql<Row>`
    select q.*, ${sql.csv(texts)} from (${rows}) as q ${where} order by ${sql.csv(order)} limit ${limit}`
  return codec.form === undefined ? comparing(sql, keys, codec.operator, page) : page
}

/** The page with a column that tells whether the key of a row is that of the row in front, to the database (OWN-23). */
const comparing = (
  sql: SqlClient,
  keys: ReadonlyArray<KeyColumn>,
  operator: KeyCodec["operator"],
  page: Statement<Row>
): Statement<Row> => {
  const columns = keys.map(({ column }) => columnOf(sql, "p", column))
  const order = sql.csv(keys.map(({ direction }, index) => sql`${columns[index]} ${sql.literal(direction)}`))
  const same = sql.and(
    columns.map((column, index) => sql`${column} ${sql.literal(operator(index, "="))} lag(${column}) over w`)
  )
  return sql`select p.*, case when ${same} then 1 end as ${sql(sameAlias)} from (${page}) as p
    window w as (order by ${order}) order by ${order}`
}

/**
 * The key columns in which a NULL may hide from `column > value`. Only a leading column that sorts its NULLs first
 * shows them in the first page.
 *
 * @internal
 */
export const nullsMayHide = (keys: ReadonlyArray<KeyColumn>, last: KeyColumn["direction"]): ReadonlyArray<string> =>
  keys.filter(({ direction }, index) => index > 0 || direction === last).map(({ column }) => column)

/**
 * Where a reader is: behind the row with the key `after`, having read `read` rows since the beginning.
 *
 * @internal
 */
export interface Place {
  readonly after: Key | undefined
  readonly read: number
}

/** @internal */
export const encodePlace = (keys: ReadonlyArray<KeyColumn>, { after, read }: Place) => ({
  after: after === undefined ? null : Object.fromEntries(keys.map(({ column }, index) => [column, after[index]!])),
  read
})

/**
 * Reads a stored position back, or says why it is not one of this key.
 *
 * @internal
 */
export const decodePlace = (keys: ReadonlyArray<KeyColumn>, position: unknown): Either.Either<Place, string> => {
  const stored = decodeStored(position)
  if (Either.isLeft(stored)) {
    return Either.left(`the stored position is not one of a keyset reader; ${OTHER_READER}`)
  }
  const { after, read } = stored.right
  if (after === null) {
    return Either.right({ after: undefined, read })
  }
  const names = Object.keys(after)
  return names.length === keys.length && keys.every(({ column }) => names.includes(column))
    ? Either.right({ after: keys.map(({ column }) => after[column]!), read })
    : Either.left(`the stored position belongs to the key (${quoted(names)}); ${OTHER_READER}`)
}

const OTHER_READER =
  "restart with the reader that stored it, or abandon the execution and run the job with another identifying parameter"

/**
 * The rows of a page without the added key columns, and what is known about them.
 *
 * @internal
 */
export interface Fetched {
  readonly rows: ReadonlyArray<Row>
  readonly keys: ReadonlyArray<Key>
  /** Nothing follows these rows. */
  readonly last: boolean
}

/** @internal */
export const nothing: Fetched = { rows: [], keys: [], last: false }

/**
 * Takes apart what the statement for `limit + 1` rows gave. The row too many tells whether more follows and whether
 * its key differs, so that of all neighbouring rows each pair is seen together in one page.
 *
 * @internal
 */
export const fetched = (
  found: ReadonlyArray<Row>,
  codec: KeyCodec,
  columns: ReadonlyArray<KeyColumn>,
  after: Key | undefined,
  limit: number
): Either.Either<Fetched, string> => {
  const aliases = columns.map((_, index) => keyAlias(index))
  const keys: Array<Key> = []
  let previous = after
  for (const row of found) {
    const unreadable = aliases.findIndex((alias) => row[alias] instanceof Misread)
    if (unreadable >= 0) {
      return Either.left(`"${columns[unreadable]!.column}": ${(row[aliases[unreadable]!] as Misread).problem}`)
    }
    const key = aliases.map((alias) => codec.encode(row[alias]))
    const missing = key.indexOf(null)
    if (missing >= 0) {
      return Either.left(hasNull(columns[missing]!.column))
    }
    if (isSame(codec, row, key as Key, previous)) {
      return Either.left(
        `${key.length === 1 ? "a value occurs" : "values occur"} twice; add a column that makes it unique`
      )
    }
    previous = key as Key
    keys.push(previous)
  }
  const more = found.length > limit
  const rows = strip(more ? found.slice(0, limit) : found, [...aliases, sameAlias])
  return Either.right({ rows, keys, last: !more })
}

/** @internal */
export const hasNull = (column: string): string =>
  `"${column}" is NULL in a row; exclude such rows or use a column that is never NULL`

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const isSame = ({ form }: KeyCodec, row: Row, key: Key, previous: Key | undefined): boolean =>
  previous !== undefined && (form === undefined
    ? row[sameAlias] !== null
    : key.every((text, index) => text === previous[index] || form(index, text) === form(index, previous[index]!)))

// A record of texts, though not Schema.Record, which loses a column named `__proto__`.
const Texts = Schema.declare((input): input is { readonly [column: string]: string } =>
  typeof input === "object" && input !== null && !Array.isArray(input) &&
  Object.values(input).every((text) => typeof text === "string")
)

const decodeStored = Schema.decodeUnknownEither(Schema.Struct({
  after: Schema.NullOr(Texts),
  read: Schema.NonNegativeInt
}))

// A row comparison is what an index on the columns answers best; with mixed directions there is none, and the first
// column bounds the scan.
const behind = (
  sql: SqlClient,
  keys: ReadonlyArray<KeyColumn>,
  values: ReadonlyArray<Fragment>,
  operator: KeyCodec["operator"]
): Fragment => {
  const columns = keys.map(({ column }) => columnOf(sql, "q", column))
  const beyond = keys.map(({ direction }, index) => operator(index, direction === "asc" ? ">" : "<"))
  const compare = (index: number, sign: string) => sql`${columns[index]} ${sql.literal(sign)} ${values[index]}`
  const bare = beyond.every((sign) => sign.length === 1)
  if (bare && keys.length > 1 && beyond.every((sign) => sign === beyond[0])) {
    return sql`(${sql.csv(columns)}) ${sql.literal(beyond[0]!)} (${sql.csv(values)})`
  }
  const from = (index: number): Fragment =>
    index === keys.length - 1
      ? compare(index, beyond[index]!)
      : sql`(${compare(index, beyond[index]!)} or (${compare(index, operator(index, "="))} and ${from(index + 1)}))`
  return keys.length === 1
    ? from(0)
    : sql`${compare(0, operator(0, keys[0]!.direction === "asc" ? ">=" : "<="))} and ${from(0)}`
}

// Rows of one result have the same columns, so a copy in a fixed order keeps one hidden class for all of them.
const strip = (rows: ReadonlyArray<Row>, aliases: ReadonlyArray<string>): ReadonlyArray<Row> => {
  const columns = Object.keys(rows[0] ?? {}).filter((column) => !aliases.includes(column))
  if (columns.includes("__proto__")) {
    // Assignment would set the prototype instead of a member.
    return rows.map((row) => Object.fromEntries(columns.map((column) => [column, row[column]])))
  }
  return rows.map((row) => {
    const copy: Record<string, unknown> = {}
    for (let i = 0; i < columns.length; i++) {
      copy[columns[i]!] = row[columns[i]!]
    }
    return copy
  })
}
