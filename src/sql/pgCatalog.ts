/**
 * What the catalog of PostgreSQL says about the columns of a table.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import type { TableName } from "./identifiers.js"
import { tableText } from "./identifiers.js"
import type { PgType } from "./pgValue.js"

/** @internal */
export interface PgColumn extends PgType {
  readonly name: string
  /** The type without length or precision, so that a value too long is an error and not cut off by the cast. */
  readonly type: string
  /** The type with length or precision. */
  readonly fullType: string
  /**
   * Values travel as text and are cast row by row: arrays and composites, which `unnest` would take apart, types that have no
   * array type, and those whose arrays have another delimiter, such as boxes and geometries.
   */
  readonly viaText: boolean
  /** Whether texts that differ are different to the collation of the column. */
  readonly deterministic: boolean
  /** The collation of the column when it is not that of its type, quoted. */
  readonly collation: string | undefined
  /**
   * The operator of equality, written so that it is found wherever it is: that of citext may be in a schema that is not searched,
   * and then the texts would be compared.
   */
  readonly equals: string
  /** The database computes the value, and takes none. */
  readonly generated: boolean
  /** An identity column that takes a value only from who overrides it. */
  readonly identityAlways: boolean
}

/** @internal */
export const describe = (
  sql: SqlClient,
  table: TableName
): Effect.Effect<ReadonlyArray<PgColumn>, SqlError> => columnsIn(sql, sql`to_regclass(${tableText(table)}::text)`)

/** The columns of a relation; a composite type is one, too. */
const columnsIn = (sql: SqlClient, relation: Fragment): Effect.Effect<ReadonlyArray<PgColumn>, SqlError> =>
  Effect.flatMap(
    sql<Row>`
      with recursive col as (
        select a.attnum, a.attname, a.atttypid, a.atttypmod, a.attidentity, a.attcollation,
          to_jsonb(a) ->> 'attgenerated' as generated
        from pg_catalog.pg_attribute a
        where a.attrelid = ${relation} and a.attnum > 0 and not a.attisdropped
      ), ${
      innermost(
        sql,
        "attnum",
        sql`select attnum, atttypid as oid, atttypmod as typmod, 0 as arrays, 0 as depth from col`
      )
    }
      select col.attname::text as name, format_type(col.atttypid, -1)::text as type,
        format_type(col.atttypid, col.atttypmod)::text as full_type, t.typname::text as base, t.oid::text as oid,
        t.typcategory::text as category, (t.oid < 16384)::text as builtin, base.arrays::text as arrays,
        base.typmod::text as modifier, (base.arrays > 0 or t.typtype = 'c' or own.typarray = 0 or own.typdelim <> ',')::text as via_text,
        t.typdelim::text as delimiter,
        coalesce(to_jsonb(co) ->> 'collisdeterministic', 'true') as deterministic,
        case when col.attcollation not in (0, own.typcollation)
          then quote_ident(n.nspname) || '.' || quote_ident(co.collname) end as collation,
        case when base.arrays = 0 then ${operatorSchema(sql, sql`t.oid`)} end as equality,
        coalesce(col.generated, '') as generated, col.attidentity::text as identity
      from col
      join base using (attnum)
      join pg_catalog.pg_type own on own.oid = col.atttypid
      join pg_catalog.pg_type t on t.oid = base.oid
      left join pg_catalog.pg_collation co on co.oid = col.attcollation
      left join pg_catalog.pg_namespace n on n.oid = co.collnamespace
      order by col.attnum`,
    (rows) =>
      Effect.forEach(rows, (row) =>
        row.category !== "C" ? Effect.succeed(columnOf(row)) : Effect.map(
          columnsIn(sql, sql`(select typrelid from pg_catalog.pg_type where oid = ${row.oid}::oid)`),
          (fields) => ({ ...columnOf(row), fields })
        ))
  )

/**
 * The tables `chain` and `base` of a recursive query: through domains and arrays to the type that holds the values. `start`
 * gives a `key`, `oid`, `typmod`, `arrays` and `depth` for each type to begin with.
 *
 * @internal
 */
export const innermost = (sql: SqlClient, key: string, start: Fragment): Fragment => {
  const of = sql.literal(key)
  return sql`chain as (
        ${start}
        union all
        select c.${of}, case when t.typtype = 'd' then t.typbasetype else t.typelem end,
          case when t.typtype = 'd' and t.typtypmod >= 0 then t.typtypmod else c.typmod end,
          c.arrays + case when t.typtype = 'd' then 0 else 1 end, c.depth + 1
        from chain c join pg_catalog.pg_type t on t.oid = c.oid
        where t.typtype = 'd'
          or t.typelem <> 0 and exists (select from pg_catalog.pg_type e where e.oid = t.typelem and e.typarray = t.oid)
      ), base as (
        select distinct on (${of}) * from chain order by ${of}, depth desc
      )`
}

/**
 * The schema of the operators that compare values of a type which does not come with the server, quoted; NULL for others.
 *
 * @internal
 */
export const operatorSchema = (sql: SqlClient, type: Fragment): Fragment =>
  sql`(select quote_ident(s.nspname) from pg_catalog.pg_opclass c
    join pg_catalog.pg_am m on m.oid = c.opcmethod and m.amname = 'btree'
    join pg_catalog.pg_amop p on p.amopfamily = c.opcfamily and p.amoplefttype = c.opcintype
      and p.amoprighttype = c.opcintype and p.amopstrategy = 3
    join pg_catalog.pg_operator o on o.oid = p.amopopr and o.oprname = '='
    join pg_catalog.pg_namespace s on s.oid = o.oprnamespace
    where c.opcintype = ${type} and c.opcdefault and c.opcintype >= 16384)`

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

// All as text, whatever parsers the user gave the driver.
interface Row {
  readonly name: string
  readonly type: string
  readonly full_type: string
  readonly base: string
  readonly oid: string
  readonly category: string
  readonly builtin: string
  readonly arrays: string
  readonly modifier: string
  readonly via_text: string
  readonly delimiter: string
  readonly deterministic: string
  readonly collation: string | null
  readonly equality: string | null
  readonly generated: string
  readonly identity: string
}

const columnOf = (row: Row): PgColumn => ({
  name: row.name,
  type: row.type,
  fullType: row.full_type,
  base: row.base,
  category: row.category,
  builtin: row.builtin === "true",
  array: row.arrays !== "0",
  modifier: Number(row.modifier),
  viaText: row.via_text === "true",
  delimiter: row.delimiter,
  deterministic: row.deterministic === "true",
  collation: row.collation ?? undefined,
  equals: row.equality === null ? "=" : `operator(${row.equality}.=)`,
  generated: row.generated !== "",
  identityAlways: row.identity === "a"
})
