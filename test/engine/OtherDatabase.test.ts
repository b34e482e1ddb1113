/**
 * Every kind of component of a step, with every way in which it can have a client, between two real databases: where its
 * rows are after a commit, after a rollback, and after a kill between the two commits and the restart.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as FaultPoint from "../../src/engine/session/faultPoint.js"
import { ItemProcessor, ItemReader, ItemWriter, Job, JobOperator, Listener, Step, Tasklet } from "../../src/index.js"
import type { Transactor } from "../../src/index.js"
import type { JobRepository } from "../../src/index.js"
import { SqlItemReader, SqlItemWriter, SqlJobRepository, SqlTransactor } from "../../src/sql/index.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

const clients = { SQLite: Sqlite.layer, PostgreSQL: Postgres.layer }

type Kind = keyof typeof clients

/** The repository's database first. */
const pairs: ReadonlyArray<readonly [Kind, Kind]> = [
  ["SQLite", "SQLite"],
  ["PostgreSQL", "PostgreSQL"],
  ["SQLite", "PostgreSQL"],
  ["PostgreSQL", "SQLite"]
]

/** How the component gets its client: that of the repository, or another one. */
type Way =
  | "the client of the repository"
  | "another client in the context"
  | "another client, provided"
  | "another client, provided by a layer"
  | "a captured client"
  | "a captured client, named"

const ways: ReadonlyArray<Way> = [
  "the client of the repository",
  "another client in the context",
  "another client, provided",
  "another client, provided by a layer",
  "a captured client",
  "a captured client, named"
]

interface Row {
  readonly component: string
  readonly id: number
}

interface World {
  readonly a: SqlClient
  readonly b: SqlClient
  readonly services: Context.Context<JobRepository.JobRepository | Transactor.Transactor>
  readonly way: Way
}

type AnyStep = Step.Step<any, any, any>

/** Writes rows with the client that this way gives. Writing a row again changes nothing. */
const put = ({ b, way }: World, rows: ReadonlyArray<Row>) => {
  const insert = (sql: SqlClient) =>
    sql`insert into rows ${sql.insert(rows.map((row) => ({ ...row })))} on conflict do nothing`
  switch (way) {
    case "a captured client":
      return Effect.asVoid(insert(b))
    case "a captured client, named":
      return Effect.asVoid(b.withTransaction(insert(b)).pipe(SqlTransactor.withClient(b)))
    default:
      return Effect.asVoid(Effect.flatMap(SqlClient, insert))
  }
}

const provided = (world: World): Context.Context<SqlClient> | Layer.Layer<SqlClient> | undefined =>
  world.way === "another client, provided"
    ? Context.make(SqlClient, world.b)
    : world.way === "another client, provided by a layer"
    ? Layer.succeed(SqlClient, world.b)
    : undefined

const given = (world: World) => <A, E, R>(writer: ItemWriter.ItemWriter<A, E, R>): ItemWriter.ItemWriter<A, E, any> => {
  const context = provided(world)
  return context === undefined ? writer : ItemWriter.provide(writer, context as Context.Context<SqlClient>)
}

const rowsOf = (component: string): ReadonlyArray<Row> => [1, 2, 3, 4].map((id) => ({ component, id }))

const chunk = (world: World, component: string, writer: ItemWriter.ItemWriter<Row, any, any>): AnyStep =>
  Step.chunk(component, {
    reader: ItemReader.fromIterable(rowsOf(component)),
    writer: given(world)(writer),
    chunkSize: 2
  })

/** The steps that write rows, by what does the writing. */
const components: Record<string, (world: World, component: string) => AnyStep> = {
  "table writer": (world, component) =>
    chunk(world, component, SqlItemWriter.upsertInto<Row>("rows", { key: ["component", "id"] })),
  "COPY": (world, component) => chunk(world, component, SqlItemWriter.copyInto<Row>("copied")),
  "statement writer": (world, component) =>
    chunk(world, component, SqlItemWriter.statement(component, (rows: ReadonlyArray<Row>) => put(world, rows))),
  "function": (world, component) =>
    chunk(world, component, ItemWriter.fromFunction((rows: ReadonlyArray<Row>) => put(world, rows))),
  "tasklet": (world, component) => {
    const tasklet = put(world, rowsOf(component))
    const context = provided(world)
    return Step.tasklet(
      component,
      context === undefined ? tasklet : Tasklet.provide(tasklet, context as Context.Context<SqlClient>)
    )
  },
  "listener": (world, component) => {
    const context = provided(world)
    return Step.chunk(component, {
      reader: ItemReader.fromIterable(rowsOf(component)),
      writer: ItemWriter.discard,
      chunkSize: 2
    }).pipe(Step.listen(Listener.step({
      beforeCommit: (rows: ReadonlyArray<Row>) =>
        rows.length === 0
          ? Effect.void
          : context === undefined
          ? put(world, rows)
          : Effect.provide(put(world, rows), context as Context.Context<SqlClient>)
    })))
  },
  "processor": (world, component) => {
    const context = provided(world)
    const processor = ItemProcessor.mapEffect((row: Row) => Effect.as(put(world, [row]), row))
    return Step.chunk(component, {
      reader: ItemReader.fromIterable(rowsOf(component)),
      processor: context === undefined
        ? processor
        : ItemProcessor.provide(processor, context as Context.Context<SqlClient>),
      writer: ItemWriter.discard,
      chunkSize: 2
    }).pipe(Step.processInTransaction)
  }
}

/** What no step can do: COPY is PostgreSQL's, and a table writer takes its client from the context. */
const isPossible = (component: string, way: Way, [a, b]: readonly [Kind, Kind]): boolean =>
  (component !== "COPY" || (way === "the client of the repository" ? a : b) === "PostgreSQL") &&
  (component !== "COPY" && component !== "table writer" || !way.startsWith("a captured client"))

const counted = (sql: SqlClient, component: string) =>
  Effect.map(
    sql<{ readonly n: number }>`select count(*) as n from (
      select component from rows where component = ${component}
      union all select component from copied where component = ${component}) as found`,
    ([row]) => Number(row!.n)
  )

const tables = (sql: SqlClient) =>
  Effect.zipRight(
    sql`create table rows (component varchar(99) not null, id integer not null, primary key (component, id))`,
    sql`create table copied (component varchar(99) not null, id integer not null)`
  )

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
      "each component reaches the database of its client, after a commit, a rollback, and a kill between the commits (OWN-10)",
      () =>
        Effect.gen(function*() {
          const { a, b, services } = yield* world(pair)
          for (const way of ways) {
            for (const [kind, make] of Object.entries(components)) {
              if (!isPossible(kind, way, pair)) {
                continue
              }
              const isOwn = way === "the client of the repository"
              const here = { a, b, services, way } as unknown as World
              const run = (component: string, fault: (name: FaultPoint.Name) => Effect.Effect<void>) =>
                JobOperator.run(Job.make(component, { flow: make(here, component) }), {}).pipe(
                  Effect.provideService(FaultPoint.FaultPoint, fault),
                  Effect.provideService(SqlClient, way === "another client in the context" ? b : a),
                  Effect.provide(services)
                ) as unknown as Effect.Effect<{ readonly status: string }, unknown>
              const found = (component: string) => Effect.all([counted(a, component), counted(b, component)])
              const title = `${way}: ${kind}`

              const fine = yield* run(title, () => Effect.void)
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
              // What is written again is there once, where the write says so; COPY cannot.
              assert.deepStrictEqual(
                yield* found(torn),
                isOwn ? [4, 0] : [0, kind === "COPY" ? 4 + written : 4],
                torn
              )
            }
          }
        }),
      60_000
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
