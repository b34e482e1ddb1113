/**
 * Writes with every component, every way of having a client and all at once, and kills itself when all of them stand between
 * their two commits.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as FaultPoint from "../../src/engine/session/faultPoint.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import type { Kind } from "../engine/twoDatabases.js"
import { cellsOf, runAll } from "../engine/twoDatabases.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

/** The repository's database first. */
export interface Database {
  readonly kind: Kind
  readonly at: string
}

export const clientAt = ({ at, kind }: Database) =>
  Effect.map(
    Layer.build(Layer.fresh(
      (kind === "SQLite" ? Sqlite.layerFile(at) : Postgres.layerUrl(at, { maxConnections: 20 })) as Layer.Layer<
        SqlClient,
        unknown
      >
    )),
    Context.get(SqlClient)
  )

const main = (databases: readonly [Database, Database]) =>
  Effect.gen(function*() {
    const [a, b] = yield* Effect.all([clientAt(databases[0]), clientAt(databases[1])])
    const cells = cellsOf([databases[0].kind, databases[1].kind])
    let missing = cells.length
    const kill = (name: FaultPoint.Name): Effect.Effect<void> => {
      if (name !== "beforeCheckpoint") {
        return Effect.void
      }
      missing--
      return missing > 0 ? Effect.never : Effect.sync(() => process.kill(process.pid, "SIGKILL"))
    }
    yield* runAll(cells, a, b).pipe(
      Effect.provideService(FaultPoint.FaultPoint, kill),
      Effect.provide(SqlJobRepository.layer),
      Effect.provideService(SqlClient, a)
    )
  })

const [given] = process.argv.slice(2)
if (given?.startsWith("[") === true) {
  Effect.runPromise(Effect.scoped(main(JSON.parse(given))) as Effect.Effect<void, unknown>).then(
    () => process.stderr.write("it was not killed"),
    (error) => process.stderr.write(`it failed: ${error}`)
  )
}
