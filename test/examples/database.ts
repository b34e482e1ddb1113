/**
 * A database for the crash kit: SQLite in memory, whose writes belong to the transaction of the job that is open, whoever
 * began it, and are gone when that one is rolled back, by a failure or by a kill.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import * as Statement from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Transactor from "../../src/ports/Transactor.js"

/** A new, empty database each time the layer is built. */
export const layer: Layer.Layer<SqlClient.SqlClient> = Layer.scoped(
  SqlClient.SqlClient,
  Effect.gen(function*() {
    const sqlite = yield* SqliteClient.make({ filename: ":memory:" })
    const connection = joining(yield* sqlite.reserve)
    return yield* SqlClient.make({
      acquirer: Effect.succeed(connection),
      compiler: Statement.makeCompilerSqlite(),
      spanAttributes: []
    })
  })
).pipe(Layer.orDie, Layer.provide(Reactivity.layer))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Nobody says when a transaction commits, so its savepoint is released by the first statement behind it. */
const joining = (connection: Connection): Connection => {
  let joined: Transactor.Open | undefined
  const run = (statement: string) => Effect.orDie(connection.executeUnprepared(statement, [], undefined))
  const undo = (transaction: Transactor.Open) =>
    Effect.suspend(() => {
      if (joined !== transaction) {
        return Effect.void
      }
      joined = undefined
      return Effect.zipRight(run("rollback to savepoint job"), run("release savepoint job"))
    })
  const join = Effect.flatMap(Transactor.CurrentTransaction, (current) => {
    if (current === joined) {
      return Effect.void
    }
    const release = joined === undefined ? Effect.void : run("release savepoint job")
    joined = current
    return current === undefined
      ? release
      : Effect.all([release, run("savepoint job"), Transactor.onRollback(undo(current))], { discard: true })
  })
  /** A transaction of its own inside that of the job is a savepoint: SQLite knows no other. */
  const own = (statement: string): ReadonlyArray<string> =>
    /^begin\b/i.test(statement)
      ? ["savepoint own"]
      : /^commit$/i.test(statement)
      ? ["release savepoint own"]
      : /^rollback$/i.test(statement)
      ? ["rollback to savepoint own", "release savepoint own"]
      : []
  const inside = (statement: string): Effect.Effect<Array<never>> | undefined => {
    const savepoints = own(statement)
    return savepoints.length === 0 ? undefined : Effect.as(Effect.forEach(savepoints, run, { discard: true }), [])
  }
  return {
    execute: (...args) => Effect.zipRight(join, connection.execute(...args)),
    executeRaw: (statement, params) =>
      Effect.zipRight(join, inside(statement) ?? connection.executeRaw(statement, params)),
    executeStream: (...args) => connection.executeStream(...args),
    executeValues: (...args) => Effect.zipRight(join, connection.executeValues(...args)),
    executeUnprepared: (statement, ...args) =>
      Effect.zipRight(join, inside(statement) ?? connection.executeUnprepared(statement, ...args))
  }
}
