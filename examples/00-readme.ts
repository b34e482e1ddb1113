import { NodeFileSystem, NodeRuntime } from "@effect/platform-node"
import { SqlClient } from "@effect/sql"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Console, Effect, Layer, Schema } from "effect"
import { ItemProcessor, ItemReader, Job, JobOperator, JobParameters, Step } from "effect-batch"
import { CsvItemReader } from "effect-batch/file"
import { SqlItemWriter, SqlJobRepository } from "effect-batch/sql"

class ImportParams extends JobParameters.Tag<ImportParams>()("ImportParams", { file: Schema.String }) {}

const Payment = Schema.Struct({ id: Schema.NumberFromString, account: Schema.String, amount: Schema.NumberFromString })
type Payment = typeof Payment.Type

const load = Step.chunk("load", {
  reader: ItemReader.unwrap(Effect.map(ImportParams, ({ file }) => CsvItemReader.make(file, { schema: Payment }))),
  processor: ItemProcessor.map(({ account, amount, id }: Payment) => ({
    id,
    account,
    cents: Math.round(amount * 100)
  })),
  writer: SqlItemWriter.insertInto("payment"),
  chunkSize: 1000 // rows per transaction; the position in the file commits with them
}).pipe(Step.skip("CsvError", { limit: 10 }))

const importPayments = Job.make("import-payments", { parameters: ImportParams, flow: load })

const program = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`create table if not exists payment (id integer primary key, account text not null, cents integer not null)`
  const execution = yield* JobOperator.runOrFail(importPayments, { file: process.argv[2] ?? "payments.csv" })
  const [step] = yield* JobOperator.steps(execution.id)
  yield* Console.log(`${execution.status}: ${step!.counts.write} written, ${step!.counts.readSkip} skipped`)
})

const database = SqlJobRepository.layer.pipe(
  Layer.provideMerge(SqliteClient.layer({ filename: process.argv[3] ?? "payments.db" }))
)

NodeRuntime.runMain(Effect.provide(program, [database, NodeFileSystem.layer]))
