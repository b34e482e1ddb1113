/**
 * The values that a statement of one's own binds: held to the same as those of the table writers, so that none of them changes
 * on its way into the database without a word (OWN-24).
 *
 * Where a value stands alone for a column, in an insert or an update, the column decides. Elsewhere it is the type that
 * PostgreSQL gives the parameter; SQLite has none for it, and takes numbers as its driver gives them, which is as REAL.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import type { Statement } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import { identityOf, transforming } from "./client.js"
import type { TableName } from "./identifiers.js"
import * as pgCatalog from "./pgCatalog.js"
import { typesOf } from "./pgParameters.js"
import { speaksProtocol } from "./pgQuery.js"
import * as pgValue from "./pgValue.js"
import { SqlColumnError, SqlDataError } from "./SqlFailure.js"
import { sqliteTable } from "./sqliteTable.js"
import * as sqliteValue from "./sqliteValue.js"
import { targetsOf } from "./statementTargets.js"
import { Unfit } from "./unfit.js"

/** @internal */
export interface StatementValues {
  /** Checks what the statements of the effect bind, which writes so many items. */
  readonly checking: <A, E, R>(effect: Effect.Effect<A, E, R>, items: number) => Effect.Effect<A, E, R>
}

/**
 * Knows the statements that it has seen, for as long as a step is open.
 *
 * @internal
 */
export const make = (name: string, client: SqlClient): StatementValues => {
  const identity = identityOf(client)
  const plans = new Map<string, Plan>()
  const planOf = (text: string, isSure: boolean): Effect.Effect<Plan, SqlError> =>
    Effect.suspend(() => {
      const known = plans.get(text)
      if (known !== undefined) {
        return Effect.succeed(known)
      }
      const made: Effect.Effect<Plan, SqlError> = client.onDialectOrElse({
        pg: () => isSure && speaksProtocol(client) ? pgPlan(name, client, text) : Effect.succeed(unknown(name)),
        sqlite: () => sqlitePlan(name, client.withoutTransforms(), text),
        orElse: () => Effect.succeed(unknown(name))
      })
      return Effect.map(made, (plan) => {
        if (plans.size >= REMEMBERED) {
          plans.clear()
        }
        plans.set(text, plan)
        return plan
      })
    })
  const isChecked = (statement: Statement<unknown>, parameters: ReadonlyArray<unknown>): boolean =>
    parameters.length > 0 && (statement as { readonly acquirer?: unknown }).acquirer === identity
  const check = (statement: Statement<unknown>, items: number): Effect.Effect<Statement<unknown>, SqlError> => {
    const [text, parameters] = statement.compile()
    if (!isChecked(statement, parameters)) {
      return Effect.succeed(statement)
    }
    // Without name transforms it may be another text, and which one will run is not known here.
    return Effect.flatMap(planOf(text, text === statement.compile(true)[0]), (plan) => {
      const encoded = encode(plan, parameters, items)
      return Array.isArray(encoded)
        ? Effect.succeed(bound(statement, encoded))
        : Effect.fail(new SqlError({ cause: encoded, message: "A value cannot be bound as it is" }))
    })
  }
  // What was seen before and is in order, as nearly all are.
  const checked = (statement: Statement<unknown>, items: number): Statement<unknown> | undefined => {
    const [text, parameters] = statement.compile()
    if (!isChecked(statement, parameters)) {
      return statement
    }
    const plan = plans.get(text)
    const encoded = plan === undefined ? undefined : encode(plan, parameters, items)
    return Array.isArray(encoded) ? bound(statement, encoded) : undefined
  }
  return {
    checking: (effect, items) =>
      transforming(effect, {
        known: (statement) => checked(statement, items),
        found: (statement) => check(statement, items)
      })
  }
}

/**
 * The error of a value that was refused, out of the error of its statement.
 *
 * @internal
 */
export const refusal = <E>(error: E): E | SqlColumnError | SqlDataError =>
  error instanceof SqlError && (error.cause instanceof SqlColumnError || error.cause instanceof SqlDataError)
    ? error.cause
    : error

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Statements whose texts are remembered: more than most steps have, and few enough for a list that is never the same. */
const REMEMBERED = 200

interface Place {
  readonly encode: (value: unknown) => unknown
  readonly column: string | undefined
  readonly row: number | undefined
}

interface Plan {
  readonly table: string
  readonly rows: number
  readonly place: (parameter: number) => Place
}

const nowhere = (encode: Place["encode"]): Place => ({ encode, column: undefined, row: undefined })

/** Nearly all are the statement itself. Another one is of a shape of its own, which is slow to make and to run. */
const bound = (statement: Statement<unknown>, parameters: ReadonlyArray<unknown>): Statement<unknown> =>
  statement.compile()[1] === parameters ? statement : Object.create(statement, {
    compile: { value: (withoutTransform?: boolean) => [statement.compile(withoutTransform)[0], parameters] }
  })

/** The parameters as they are bound: the same array where each of them is bound as it is. */
const encode = (
  { place, rows, table }: Plan,
  parameters: ReadonlyArray<unknown>,
  items: number
): ReadonlyArray<unknown> | SqlColumnError | SqlDataError => {
  let isSame = true
  const found: Array<unknown> = new Array(parameters.length)
  for (let i = 0; i < parameters.length; i++) {
    const { column, encode, row } = place(i)
    try {
      found[i] = encode(parameters[i])
      isSame = isSame && Object.is(found[i], parameters[i])
    } catch (error) {
      const problem = error instanceof Unfit ? error.problem : "it cannot be written as JSON"
      const item = items === 1 ? 0 : rows === items ? row : undefined
      const where = { table, item, column: column ?? `parameter ${i + 1}`, problem }
      return error instanceof Unfit && error.isData
        ? new SqlDataError({ operation: "write", kind: "dataType", ...where })
        : new SqlColumnError(where)
    }
  }
  return isSame ? parameters : found
}

/** The columns of the targets in the table, by parameter. */
const columnsOf = <C extends { readonly name: string }>(
  text: string,
  describe: (table: TableName) => Effect.Effect<ReadonlyArray<C>, SqlError>,
  folded: (name: string) => string
) => {
  const targets = targetsOf(text)
  return targets === undefined ? Effect.succeed(undefined) : Effect.map(describe(targets.table), (columns) => {
    const known = new Map(columns.map((column) => [folded(column.name), column]))
    let rows = 0
    const places = new Map<number, { readonly column: C; readonly row: number | undefined }>()
    for (const [parameter, { column: name, row }] of targets.byParameter) {
      const column = known.get(folded(name))
      rows = Math.max(rows, (row ?? -1) + 1)
      if (column !== undefined) {
        places.set(parameter, { column, row })
      }
    }
    return { rows, places, table: targets.table.table }
  })
}

const pgPlan = (name: string, client: SqlClient, text: string): Effect.Effect<Plan, SqlError> => {
  const sql = client.withoutTransforms()
  return Effect.gen(function*() {
    const types = yield* typesOf(sql, text)
    const targets = yield* columnsOf(text, (table) => pgCatalog.describe(sql, table), (name) => name)
    const places = types.map((type, index): Place => {
      const target = targets?.places.get(index)
      // A view may show a column in another type.
      const isSame = target !== undefined && type !== undefined && target.column.base === type.base
      return {
        encode: type === undefined ? anywhere : pgValue.encoder(isSame ? target.column : type),
        column: target?.column.name,
        row: target?.row
      }
    })
    return {
      table: targets?.table ?? name,
      rows: targets?.rows ?? 0,
      place: (index) => places[index] ?? nowhere(anywhere)
    }
  })
}

const sqlitePlan = (name: string, sql: SqlClient, text: string): Effect.Effect<Plan, SqlError> =>
  Effect.map(
    columnsOf(text, (table) => sqliteTable.describe(sql, table), (name) => name.toLowerCase()),
    (targets) => {
      const places = new Map(
        [...targets?.places ?? []].map(([parameter, { column, row }]): readonly [number, Place] => [parameter, {
          encode: sqliteValue.encoder(column.type, column.strict),
          column: column.name,
          row
        }])
      )
      return {
        table: targets?.table ?? name,
        rows: targets?.rows ?? 0,
        place: (index) => places.get(index) ?? nowhere(sqliteAnywhere)
      }
    }
  )

/** Databases that nothing is known about: what is no data is refused, and everything else is left to the driver. */
const anywhere = (value: unknown): unknown => {
  if (typeof value === "string") {
    sqliteValue.encoder("", false)(value)
    return value
  }
  if (typeof value === "number" || value instanceof Date || Array.isArray(value)) {
    return value
  }
  sqliteValue.encoder("", false)(value)
  return value
}

const unknown = (name: string): Plan => ({ table: name, rows: 0, place: () => nowhere(anywhere) })

const free = sqliteValue.encoder("", false)

const sqliteAnywhere = (value: unknown): unknown => {
  const encoded = free(value)
  return typeof value === "number" ? value : encoded
}
