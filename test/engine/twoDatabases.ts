/**
 * Every kind of component of a step, with every way in which it can have a client: steps that write rows to one of two
 * databases, whichever that is.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  Flow,
  ItemProcessor,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  Listener,
  Step,
  Tasklet
} from "../../src/index.js"
import { SqlItemWriter, SqlTransactor } from "../../src/sql/index.js"

export type Kind = "SQLite" | "PostgreSQL"

/** The repository's database first. */
export const pairs: ReadonlyArray<readonly [Kind, Kind]> = [
  ["SQLite", "SQLite"],
  ["PostgreSQL", "PostgreSQL"],
  ["SQLite", "PostgreSQL"],
  ["PostgreSQL", "SQLite"]
]

/** How the component gets its client: that of the repository, or another one. */
export type Way =
  | "the client of the repository"
  | "another client in the context"
  | "another client, provided"
  | "another client, provided by a layer"
  | "a captured client"
  | "a captured client, named"

export const ways: ReadonlyArray<Way> = [
  "the client of the repository",
  "another client in the context",
  "another client, provided",
  "another client, provided by a layer",
  "a captured client",
  "a captured client, named"
]

export interface Row {
  readonly component: string
  readonly id: number
}

export interface World {
  readonly b: SqlClient
  readonly way: Way
}

export type AnyStep = Step.Step<any, any, any>

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
export const components: Record<string, (world: World, component: string) => AnyStep> = {
  "table writer": (world, component) =>
    chunk(world, component, SqlItemWriter.upsertInto<Row>("rows", { key: ["component", "id"] })),
  "plain insert": (world, component) => chunk(world, component, SqlItemWriter.insertInto<Row>("copied")),
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
  },
  "reader": (world, component) => {
    const context = provided(world)
    const reader = ItemReader.paged({
      name: "taking",
      cursor: Schema.Number,
      initial: 0,
      fetch: (from) => {
        const items = rowsOf(component).slice(from, from + 2)
        const next = from + 2 < 4 ? Option.some(from + 2) : Option.none<number>()
        return Effect.as(put(world, items), { items, next })
      }
    })
    return Step.chunk(component, {
      reader: context === undefined ? reader : ItemReader.provide(reader, context as Context.Context<SqlClient>),
      writer: ItemWriter.discard,
      chunkSize: 2
    }).pipe(Step.readInTransaction)
  }
}

/** Components that write a row again when they are called again. */
export const isRepeating = (component: string): boolean => component === "COPY" || component === "plain insert"

/** What no step can do: COPY is PostgreSQL's, and a table writer takes its client from the context. */
export const isPossible = (component: string, way: Way, [a, b]: readonly [Kind, Kind]): boolean =>
  (component !== "COPY" || (way === "the client of the repository" ? a : b) === "PostgreSQL") &&
  (!isTableWriter(component) || !way.startsWith("a captured client"))

const isTableWriter = (component: string): boolean => component === "table writer" || isRepeating(component)

export const counted = (sql: SqlClient, component: string) =>
  Effect.map(
    sql<{ readonly n: number }>`select count(*) as n from (
      select component from rows where component = ${component}
      union all select component from copied where component = ${component}) as found`,
    ([row]) => Number(row!.n)
  )

export const tables = (sql: SqlClient) =>
  Effect.zipRight(
    sql`create table rows (component varchar(99) not null, id integer not null, primary key (component, id))`,
    sql`create table copied (component varchar(99) not null, id integer not null)`
  )

/** A component with a way, in a job of all that run beside each other. */
export interface Cell {
  readonly title: string
  readonly kind: string
  readonly way: Way
}

/** A chunk that holds the only connection of a repository on SQLite leaves none for another step. */
export const cellsOf = (pair: readonly [Kind, Kind]): ReadonlyArray<Cell> =>
  ways.flatMap((way) =>
    way === "the client of the repository" && pair[0] === "SQLite" ?
      [] :
      Object.keys(components).flatMap((kind) =>
        isPossible(kind, way, pair) ? [{ title: `${way}: ${kind}`, kind, way }] : []
      )
  )

/** Runs all of them at once. */
export const runAll = (cells: ReadonlyArray<Cell>, a: SqlClient, b: SqlClient) => {
  const run = (name: string, sql: SqlClient, isOne: (cell: Cell) => boolean) =>
    JobOperator.run(
      Job.make(name, {
        flow: Flow.split(
          cells.filter(isOne).map(({ kind, title, way }) => components[kind]!({ b, way }, title)),
          { concurrency: "unbounded" }
        )
      }),
      {}
    ).pipe(Effect.provideService(SqlClient, sql))
  const isOther = ({ way }: Cell) => way === "another client in the context"
  return Effect.all([run("others", b, isOther), run("own", a, (cell) => !isOther(cell))], { concurrency: 2 })
}
