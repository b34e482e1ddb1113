/**
 * Statements of SQLite whose table or column comes later than they are first tried.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SqlTransactor from "../../src/sql/SqlTransactor.js"
import * as Sqlite from "../support/Sqlite.js"

it.effect("a statement that failed for want of a table or a column runs when that is there, also in a transaction (TX-1)", () =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    const { transact } = yield* SqlTransactor.make()
    const missing = {
      "create table t (id integer primary key)": sql`insert into t (id) values (1)`,
      "alter table t add column later integer": sql`update t set later = 7`,
      "alter table t add column other integer": sql`select other from t`
    }
    for (const [change, statement] of Object.entries(missing)) {
      yield* Effect.flip(transact(statement))
      yield* sql.unsafe(change)
      yield* transact(statement)
    }
    assert.deepStrictEqual(yield* sql`select * from t`.unprepared, [{ id: 1, later: 7, other: null }])
  }).pipe(Effect.provide(Sqlite.layer)))
