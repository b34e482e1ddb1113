/**
 * Asks PostgreSQL which rows of a chunk it refuses, and why: one message that tries the rows one by one inside of the server
 * and undoes all of it.
 */
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { PgColumn } from "./pgCatalog.js"
import type { Command } from "./pgQuery.js"
import * as pgText from "./pgText.js"
import { SqlDataError } from "./SqlFailure.js"
import { classify } from "./sqlState.js"
import type { Ask } from "./tableWrite.js"

/**
 * Gives the refused rows in their order. None when the database cannot tell: without PL/pgSQL, or when something else than
 * a row stops it.
 *
 * `write` is the statement for the row `r`, whose fields `c0, c1, …` are texts.
 *
 * @internal
 */
export const examiner = (
  at: { readonly operation: string; readonly table: string },
  columns: ReadonlyArray<PgColumn>,
  write: string
) => {
  let text: string | undefined
  return (encoded: ReadonlyArray<ReadonlyArray<string>>, ask: Ask): Effect.Effect<ReadonlyArray<SqlDataError>> =>
    Effect.suspend(() => {
      text = text ?? blockOf(columns, write)
      const settings = columns.map((_, index) => `set_config('effect_batch.v${index}', $${index + 1}, true)`)
      const commands: ReadonlyArray<Command> = [
        // The transaction that failed may still hold locks elsewhere.
        {
          text: `select set_config('lock_timeout', '2000', true), ${settings.join(", ")}`,
          parameters: encoded.map(pgText.literal)
        },
        { text, parameters: [] }
      ]
      return Effect.match(ask(commands), {
        onSuccess: () => [],
        onFailure: (error) => refusalsIn(at, error)
      })
    })
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** The code with which the block gives up, and hands over what it has found. */
const FOUND = "EB001"

const Found = Schema.parseJson(
  Schema.Array(Schema.Struct({
    row: Schema.Number,
    code: Schema.String,
    message: Schema.String,
    detail: Schema.String,
    constraint: Schema.String,
    column: Schema.String,
    table: Schema.String
  }))
)

const decode = Schema.decodeUnknownOption(Found)

const refusalsIn = (
  at: { readonly operation: string; readonly table: string },
  error: SqlError
): ReadonlyArray<SqlDataError> => {
  const said = error.cause as { readonly code?: unknown; readonly detail?: unknown } | null | undefined
  const found = said?.code === FOUND ? decode(said.detail) : undefined
  if (found?._tag !== "Some") {
    return []
  }
  const refusals = found.value.map(({ row, ...rest }) => ({ row, is: classify(rest), table: rest.table }))
  return refusals.some(({ is }) => !is.skippable) ? [] : refusals.map(({ is, row, table }) =>
    new SqlDataError({
      operation: at.operation,
      kind: is.kind,
      table: table === "" ? at.table : table,
      column: is.column,
      constraint: is.constraint,
      sqlState: is.sqlState,
      item: row,
      detail: is.detail
    })
  )
}

// Local variables outlive the block whose exception is caught, so the row at which it stopped is known. A handful of rows
// shares a subtransaction, which costs as much as some rows; those in front of a refused one are written again.
const blockOf = (columns: ReadonlyArray<PgColumn>, write: string): string => {
  const variables = columns.map((_, index) =>
    `eb_v${index} constant text[] := current_setting('effect_batch.v${index}')::text[];`
  )
  const row = columns.map((_, index) => `eb_v${index}[eb_i] as c${index}`).join(", ")
  return `do $effect_batch$
#variable_conflict use_column
declare
  ${variables.join("\n  ")}
  eb_n constant int := coalesce(cardinality(eb_v0), 0);
  eb_i int := 1; eb_from int := 1; eb_to int := 0; eb_good int := 0; eb_found jsonb := '[]';
  eb_state text; eb_message text; eb_detail text; eb_constraint text; eb_column text; eb_table text;
begin
  while eb_from <= eb_n loop
    eb_to := case when eb_good >= eb_from then eb_good else least(eb_from + 31, eb_n) end;
    begin
      eb_i := eb_from;
      while eb_i <= eb_to loop
        with r as (select ${row}) ${write};
        eb_i := eb_i + 1;
      end loop;
      eb_from := case when eb_good >= eb_from then eb_to + 2 else eb_to + 1 end;
    exception when others then
      get stacked diagnostics eb_state = returned_sqlstate, eb_message = message_text, eb_detail = pg_exception_detail,
        eb_constraint = constraint_name, eb_column = column_name, eb_table = table_name;
      if eb_column = '' and eb_table = '' then
        ${columns.map(culprit).join("\n        ")}
      end if;
      eb_found := eb_found || jsonb_build_object('row', eb_i - 1, 'code', eb_state, 'message', eb_message,
        'detail', eb_detail, 'constraint', eb_constraint, 'column', eb_column, 'table', eb_table);
      if eb_i = eb_from then
        eb_from := eb_i + 1;
      else
        eb_good := eb_i - 1;
      end if;
    end;
  end loop;
  raise exception using errcode = '${FOUND}', detail = eb_found::text,
    message = 'effect-batch asked which rows of a chunk are refused, and undid all of it';
end $effect_batch$`
}

/** Names the column whose type does not take the text. An assignment keeps to the length of the type, as a cast does not. */
const culprit = (column: PgColumn, index: number): string => {
  const value = `eb_v${index}[eb_i]`
  const attempt = column.category === "C" && !column.array
    ? `perform ${value}::${column.type};`
    : `declare eb_x ${column.fullType} := ${value}; begin null; end;`
  return `if eb_column = '' then begin ${attempt} exception when others then eb_column := ${
    literal(column.name)
  }; end; end if;`
}

const literal = (text: string): string => `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`
