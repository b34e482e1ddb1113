/**
 * Every kind of component of a step, with every way in which it can have a client, between two real databases: where its
 * rows are after a commit, after a rollback, and after what breaks between the two
 * commits and the restart. Processes that are really killed there: test/crash/TwoDatabases.test.ts.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as FaultPoint from "../../src/engine/session/faultPoint.js"
import { ItemReader, ItemWriter, Job, JobOperator, Step } from "../../src/index.js"
import { SqlItemReader, SqlJobRepository } from "../../src/sql/index.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"
import type { Kind } from "./twoDatabases.js"
import { components, counted, isPossible, isRepeating, pairs, tables, ways } from "./twoDatabases.js"

const clients = { SQLite: Sqlite.layer, PostgreSQL: Postgres.layer }

const world = (pair: readonly [Kind, Kind]) =>
  Effect.gen(function*() {
    const databases = yield* Effect.forEach(pair, (kind) =>
      Effect.map(Layer.build(Layer.fresh(clients[kind] as Layer.Layer<SqlClient, unknown>)), Context.get(SqlClient)))
    const [a, b] = databases as [SqlClient, SqlClient]
    yield* tables(a)
    yield* tables(b)
    const services = yield* Effect.provideService(Layer.build(Layer.fresh(SqlJobRepository.layer)), SqlClient, a)
    return { a, b, services }
  })

for (const pair of pairs) {
  describe(`the repository on ${pair[0]}, beside it ${pair[1]}`, () => {
    it.scoped(
      "each component reaches the database of its client, after a commit, a rollback, and what breaks between the commits (OWN-10)",
      () =>
        Effect.gen(function*() {
          const { a, b, services } = yield* world(pair)
          for (const way of ways) {
            for (const [kind, make] of Object.entries(components)) {
              if (!isPossible(kind, way, pair)) {
                continue
              }
              const isOwn = way === "the client of the repository"
              const here = { b, way }
              // Without a fault, what can be pipelined is.
              const run = (component: string, fault?: (name: FaultPoint.Name) => Effect.Effect<void>) =>
                JobOperator.run(Job.make(component, { flow: make(here, component) }), {}).pipe(
                  Effect.provideService(FaultPoint.FaultPoint, fault),
                  Effect.provideService(SqlClient, way === "another client in the context" ? b : a),
                  Effect.provide(services)
                ) as unknown as Effect.Effect<{ readonly status: string }, unknown>
              const found = (component: string) => Effect.all([counted(a, component), counted(b, component)])
              const title = `${way}: ${kind}`

              const fine = yield* run(title)
              assert.strictEqual(fine.status, "COMPLETED", title)
              assert.deepStrictEqual(yield* found(title), isOwn ? [4, 0] : [0, 4], title)

              // The first chunk, or the only call, has been written; its transaction does not commit.
              const torn = `torn ${title}`
              const failed = yield* run(
                torn,
                (name) => name === "beforeCheckpoint" ? Effect.die("killed") : Effect.void
              )
              assert.strictEqual(failed.status, "FAILED", torn)
              const written = kind === "tasklet" ? 4 : 2
              assert.deepStrictEqual(yield* found(torn), isOwn ? [0, 0] : [0, written], torn)
              const again = yield* run(torn, () => Effect.void)
              assert.strictEqual(again.status, "COMPLETED", torn)
              // What is written again is there once, where the write says so.
              assert.deepStrictEqual(
                yield* found(torn),
                isOwn ? [4, 0] : [0, isRepeating(kind) ? 4 + written : 4],
                torn
              )
            }
          }
        }),
      300_000
    )

    it.scoped("a reader reads from the database of its client (OWN-10)", () =>
      Effect.gen(function*() {
        const { a, b, services } = yield* world(pair)
        yield* a`insert into rows values ('reader', 1)`
        yield* b`insert into rows values ('reader', 2)`
        const reader = SqlItemReader.keyset({
          select: (sql) => sql`select id from rows`,
          key: ["id"],
          schema: Schema.Struct({ id: Schema.Number })
        })
        const seen: Array<number> = []
        const read = (name: string, reader: ItemReader.ItemReader<{ readonly id: number }, any, any>, sql: SqlClient) =>
          JobOperator.run(
            Job.make(name, {
              flow: Step.chunk("read", {
                reader,
                writer: ItemWriter.fromFunction((items: ReadonlyArray<{ readonly id: number }>) =>
                  Effect.sync(() => items.forEach(({ id }) => seen.push(id)))
                ),
                chunkSize: 2
              })
            }),
            {}
          ).pipe(Effect.provideService(SqlClient, sql), Effect.provide(services)) as unknown as Effect.Effect<
            unknown,
            unknown
          >
        yield* read("own", reader, a)
        yield* read("other", reader, b)
        yield* read("context", ItemReader.provide(reader, Context.make(SqlClient, b)), a)
        yield* read("layer", ItemReader.provide(reader, Layer.succeed(SqlClient, b)), a)
        assert.deepStrictEqual(seen, [1, 2, 2, 2])
      }))
  })
}
