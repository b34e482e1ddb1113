/**
 * The job that is killed: rows of a CSV file into a table with skips and scans, from there into two files, and in
 * batches, by a tasklet, into another table. Everything it leaves behind can be computed from the number of rows.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Path from "node:path"
import { CsvItemReader, CsvItemWriter, NdjsonItemWriter } from "../../src/file/index.js"
import { ExecutionContext, Flow, ItemWriter, Job, Step, StepScope, Tasklet } from "../../src/index.js"
import { SqlItemReader, SqlItemWriter } from "../../src/sql/index.js"

/** A row without a currency that exists; the processor refuses it. */
class UnknownCurrency extends Data.TaggedError("UnknownCurrency")<{ readonly currency: string }> {}

const Payment = Schema.Struct({ id: Schema.NumberFromString, cents: Schema.NumberFromString, currency: Schema.String })

const Account = Schema.Struct({ id: Schema.Number, cents: Schema.Number })

export const chunkSize = 5
export const batchSize = 7

// -- what goes in -------------------------------------------------------------------------------------------------------

const isUnreadable = (id: number): boolean => id % 41 === 0
const isUnknown = (id: number): boolean => !isUnreadable(id) && id % 29 === 0
/** Two of them in one chunk, and whole chunks without any. */
const isRefused = (id: number): boolean => !isUnreadable(id) && !isUnknown(id) && (id % 23 === 0 || id % 37 === 1)

const idsTo = (rows: number): ReadonlyArray<number> => Array.from({ length: rows }, (_, index) => index + 1)

const centsOf = (id: number): number => (id * 7919) % 10_007

const inputRow = (id: number): string =>
  isUnreadable(id)
    ? `${id},many,EUR`
    : `${id},${isRefused(id) ? -1 : centsOf(id)},${isUnknown(id) ? "ZZZ" : "EUR"}`

export const input = (rows: number): string => ["id,cents,currency", ...idsTo(rows).map(inputRow), ""].join("\n")

export const tables = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.all([
    // No key: a row that is written twice has to show up.
    sql`create table account (id integer not null, cents integer not null check (cents >= 0))`,
    sql`create table archive (id integer not null, cents integer not null)`
  ], { discard: true }))

// -- what comes out -----------------------------------------------------------------------------------------------------

const goodIds = (rows: number): ReadonlyArray<number> =>
  idsTo(rows).filter((id) => !isUnreadable(id) && !isUnknown(id) && !isRefused(id))

export const expected = (rows: number) => {
  const good = goodIds(rows).map((id) => ({ id, cents: centsOf(id) }))
  const count = (isOne: (id: number) => boolean): number => idsTo(rows).filter(isOne).length
  return {
    rows: good,
    ndjson: good.map((row) => `${JSON.stringify(row)}\n`).join(""),
    csv: ["id,cents\n", ...good.map(({ cents, id }) => `${id},${cents}\n`), `# ${good.length} rows\n`].join(""),
    skipped: {
      read: count(isUnreadable),
      process: count(isUnknown),
      write: count(isRefused)
    }
  }
}

// -- the job ------------------------------------------------------------------------------------------------------------

export const outputs = (directory: string) => ({
  csvIn: Path.join(directory, "in.csv"),
  csvOut: Path.join(directory, "out.csv"),
  ndjson: Path.join(directory, "out.ndjson")
})

export const jobName = "crash"

export const makeJob = (directory: string) => {
  const files = outputs(directory)
  const load = Step.chunk("load", {
    reader: CsvItemReader.make(files.csvIn, { schema: Payment }),
    processor: ({ cents, currency, id }) =>
      currency === "EUR" ? Effect.succeed({ id, cents }) : Effect.fail(new UnknownCurrency({ currency })),
    writer: SqlItemWriter.insertInto<{ readonly id: number; readonly cents: number }>("account"),
    chunkSize,
    prefetch: true
  }).pipe(Step.skip(["CsvError", "UnknownCurrency", "SqlDataError"], { limit: 10_000 }), Step.quarantine())
  const export_ = Step.chunk("export", {
    reader: SqlItemReader.keyset({
      select: (sql) => sql`select id, cents from account`,
      key: ["id"],
      schema: Account
    }),
    writer: ItemWriter.tee(
      NdjsonItemWriter.make<typeof Account.Type>(files.ndjson),
      CsvItemWriter.make<typeof Account.Type>(files.csvOut, { footer: ({ items }) => `# ${items} rows\n` })
    ),
    chunkSize
  })
  return Job.make(jobName, {
    flow: load.pipe(Flow.andThen(export_), Flow.andThen(Step.tasklet("archive", archive)))
  })
}

// internal

const Last = ExecutionContext.key("last", Schema.Number)

/** One batch per call; how far it came is remembered in the transaction of the rows. */
const archive = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const last = Option.getOrElse(yield* StepScope.get(Last), () => 0)
  const batch = yield* sql<typeof Account.Type>`
    select id, cents from account where id > ${last} order by id limit ${batchSize}`
  if (batch.length > 0) {
    yield* sql`insert into archive ${sql.insert(batch.map(({ cents, id }) => ({ id, cents })))}`
    yield* StepScope.set(Last, batch[batch.length - 1]!.id)
    yield* StepScope.contribute({ read: batch.length, write: batch.length })
  }
  return Tasklet.continueIf(batch.length === batchSize)
})
