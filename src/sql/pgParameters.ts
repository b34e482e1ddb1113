/**
 * The types that PostgreSQL gives the parameters of a statement.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import { innermost } from "./pgCatalog.js"
import type { PgType } from "./pgValue.js"

/**
 * Asks the server, in the transaction that is open: the statement is parsed and not run.
 *
 * @internal
 */
export const typesOf = (sql: SqlClient, text: string): Effect.Effect<ReadonlyArray<PgType | undefined>, SqlError> =>
  Effect.flatMap(
    parameterIds(sql, text),
    (ids) =>
      ids.length === 0 ? Effect.succeed([]) : Effect.map(described(sql, ids), (known) => ids.map((id) => known.get(id)))
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** The part of the driver's connection that speaks the protocol. */
interface Wire {
  readonly stream: { readonly cork: () => void; readonly uncork: () => void }
  readonly parse: (
    query: { readonly text: string; readonly name: string; readonly types: ReadonlyArray<never> }
  ) => void
  readonly describe: (what: { readonly type: "S"; readonly name: string }) => void
  readonly sync: () => void
  readonly on: (event: "parameterDescription", listener: Listener) => void
  readonly removeListener: (event: "parameterDescription", listener: Listener) => void
}

type Listener = (message: { readonly dataTypeIDs: ReadonlyArray<number> }) => void

/** A query of the driver `pg`. `callback` is set by the driver. */
class DescribeQuery {
  declare callback: (error: unknown, result?: unknown) => void
  private ids: ReadonlyArray<number> = []
  private wire: Wire | undefined
  constructor(private readonly statement: string) {}
  private readonly listen: Listener = ({ dataTypeIDs }) => {
    this.ids = dataTypeIDs
  }
  submit(wire: Wire): void {
    this.wire = wire
    wire.on("parameterDescription", this.listen)
    wire.stream.cork()
    try {
      wire.parse({ text: this.statement, name: "", types: [] })
      wire.describe({ type: "S", name: "" })
      wire.sync()
    } finally {
      wire.stream.uncork()
    }
  }
  handleRowDescription(): void {}
  handleError(error: unknown): void {
    this.end()
    this.callback(error)
  }
  handleReadyForQuery(): void {
    this.end()
    this.callback(null, { rows: this.ids })
  }
  private end(): void {
    this.wire?.removeListener("parameterDescription", this.listen)
  }
  /** For the span of the statement. */
  toString(): string {
    return this.statement
  }
}

// The client hands what stands in the place of the text to the driver.
const parameterIds = (sql: SqlClient, text: string): Effect.Effect<ReadonlyArray<number>, SqlError> =>
  Effect.suspend(() => {
    const statement = Object.create(sql.unsafe(text), {
      compile: { value: () => [new DescribeQuery(text), []] }
    }) as { readonly raw: Effect.Effect<{ readonly rows: ReadonlyArray<number> }, SqlError> }
    return Effect.map(statement.raw, ({ rows }) => rows)
  })

// All as text, whatever parsers the user gave the driver.
interface Row {
  readonly id: string
  readonly base: string
  readonly category: string
  readonly builtin: string
  readonly arrays: string
  readonly modifier: string
  readonly delimiter: string
}

const described = (
  sql: SqlClient,
  ids: ReadonlyArray<number>
): Effect.Effect<ReadonlyMap<number, PgType>, SqlError> =>
  Effect.map(
    sql<Row>`
      with recursive ${
      innermost(
        sql,
        "id",
        sql`select o as id, o as oid, -1 as typmod, 0 as arrays, 0 as depth
          from unnest(${`{${[...new Set(ids)]}}`}::oid[]) as o`
      )
    }
      select base.id::text as id, t.typname::text as base, t.typcategory::text as category,
        (t.oid < 16384)::text as builtin, base.arrays::text as arrays, base.typmod::text as modifier,
        t.typdelim::text as delimiter
      from base join pg_catalog.pg_type t on t.oid = base.oid`.withoutTransform,
    (rows) =>
      new Map(rows.map((row) => [Number(row.id), {
        base: row.base,
        category: row.category,
        builtin: row.builtin === "true",
        array: row.arrays !== "0",
        modifier: Number(row.modifier),
        delimiter: row.delimiter
      }]))
  )
