/**
 * Errors that need a database with clients of its own, workers, or a process that lost its job: provoked as they happen to
 * people, on PostgreSQL.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { CsvItemReader } from "../../src/file/index.js"
import { ItemWriter, Job, JobOperator, Partition, PartitionWorker, Step } from "../../src/index.js"
import { SqlItemReader, SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import { MemoryFiles } from "../file/support.js"
import { type Provoke, reading, writing } from "./provoke.js"

export const files = new MemoryFiles()
  .set("short.csv", "id,cents\n1,100\n2,50\nTOTAL,3,150\n")
  .set("sum.csv", "id,cents\n1,100\n2,50\nTOTAL,2,151\n")
  .set("cut.csv", "id,cents\n1,100\n2,50\n")
  .set("behind.csv", "id,cents\n1,100\nTOTAL,1,100\n2,50\n")

const trailing = (path: string): Provoke =>
  reading(
    `trailer-${path}`,
    CsvItemReader.make(path, {
      schema: Schema.Struct({ id: Schema.String, cents: Schema.NumberFromString }),
      trailer: ["TOTAL", { count: "rows" }, { sum: "cents" }]
    })
  )

const run = (...texts: ReadonlyArray<string>) =>
  Effect.flatMap(SqlClient, (sql) => Effect.forEach(texts, (text) => sql.unsafe(text), { discard: true }))

const tableOf = (table: string, ...statements: ReadonlyArray<string>) => (provoke: Provoke): Provoke =>
  Effect.zipRight(
    run(`create table ${table} (id int primary key, name text, cents int not null)`, ...statements),
    provoke
  )

const keyset = (table: string, key: string, schema: Schema.Schema<any, any>) =>
  SqlItemReader.keyset({ name: table, select: (sql) => sql`select * from ${sql(table)}`, key: [key], schema })

const Row = Schema.Struct({ id: Schema.Number, name: Schema.NullOr(Schema.String), cents: Schema.Number })

const numbers = [{ id: 1 }, { id: 2 }]

const own = (text: string) => SqlItemWriter.statement("own", (_, sql) => sql.unsafe(text))

/** A job whose partitions are left to workers. */
const left = (
  name: string,
  options: { readonly version?: string; readonly plan?: ReadonlyArray<string> },
  body: Provoke
) =>
  Job.make(name, {
    flow: Step.partition("load", {
      plan: Partition.values([...options.plan ?? ["a"]]),
      input: Schema.String,
      step: () => Step.tasklet("note", body as Effect.Effect<void>),
      concurrency: 0,
      version: options.version
    })
  })

export const cases: ReadonlyArray<readonly [what: string, provoke: Provoke, says: string]> = [
  [
    "a trailer that counts other rows",
    trailing("short.csv"),
    "CsvTrailerError: The trailer of \"short.csv\" does not fit: line 4: it says that there are \"3\" rows, but there are 2. The file is not what its sender counted: get it again and restart (what was read has to be the same), or correct the trailer."
  ],
  [
    "a trailer with another sum",
    trailing("sum.csv"),
    "CsvTrailerError: The trailer of \"sum.csv\" does not fit: line 4: it says that the sum of \"cents\" is \"151\", but it is 150. The file is not what its sender counted: get it again and restart (what was read has to be the same), or correct the trailer."
  ],
  [
    "a trailer that is not there",
    trailing("cut.csv"),
    "CsvTrailerError: The trailer of \"cut.csv\" does not fit: it is missing; the file ends with line 3. The file is not what its sender counted: get it again and restart (what was read has to be the same), or correct the trailer."
  ],
  [
    "rows behind the trailer",
    trailing("behind.csv"),
    "CsvTrailerError: The trailer of \"behind.csv\" does not fit: it stands in line 3, but line 4 follows it. The file is not what its sender counted: get it again and restart (what was read has to be the same), or correct the trailer."
  ],
  [
    "a value that no column takes",
    writing("kinds", [{ id: 1, cents: 1 }, { id: 2, cents: new Map() }], SqlItemWriter.insertInto("kinds") as any).pipe(
      tableOf("kinds")
    ),
    "SqlColumnError: Item 2 of the chunk cannot be written to \"kinds\", field \"cents\": an instance of Map is no value of an integer column; convert it in the processor, or by the schema of the writer"
  ],
  [
    "an item without a field that the first one has",
    writing("fields", [{ id: 1, cents: 1 }, { id: 2 }], SqlItemWriter.insertInto("fields") as any).pipe(
      tableOf("fields")
    ),
    "SqlColumnError: Item 2 of the chunk cannot be written to \"fields\", field \"cents\": the item does not have it, and every item needs the key and the fields of the first one; give null, or list the columns in `columns`"
  ],
  [
    "a key that is NULL",
    reading("nulls", keyset("nulls", "name", Row)).pipe(tableOf("nulls", "insert into nulls values (1, null, 1)")),
    "SqlKeyError: Reader \"nulls\" cannot page by the key (\"name\"): \"name\" is NULL in a row; exclude such rows or use a column that is never NULL"
  ],
  [
    "a key that occurs twice",
    reading("doubles", keyset("doubles", "cents", Row)).pipe(
      tableOf("doubles", "insert into doubles values (1, 'a', 5), (2, 'b', 5)")
    ),
    "SqlKeyError: Reader \"doubles\" cannot page by the key (\"cents\"): a value occurs twice; add a column that makes it unique"
  ],
  [
    "a position under another key",
    Effect.gen(function*() {
      const job = (key: string, fails: boolean) =>
        Job.make("keys", {
          flow: Step.chunk("load", {
            reader: keyset("keyed", key, Row),
            processor: ({ id }: { readonly id: number }) => fails && id === 2 ? Effect.fail("no") : Effect.succeed(id),
            writer: ItemWriter.discard,
            chunkSize: 1
          })
        }) as Job.Job<{}, string, any, any>
      yield* JobOperator.run(job("id", true), {})
      return yield* Effect.flip((yield* JobOperator.run(job("name", false), {})).exit as Provoke)
    }).pipe(tableOf("keyed", "insert into keyed values (1, 'a', 5), (2, 'b', 5)")),
    "SqlKeyError: Reader \"keyed\" cannot page by the key (\"name\"): the stored position belongs to the key (\"id\"); restart with the reader that stored it, or abandon the execution and run the job with another identifying parameter"
  ],
  [
    "a row that does not fit the schema",
    reading("rows", keyset("rows", "id", Schema.Struct({ id: Schema.Number, name: Schema.String }))).pipe(
      tableOf("rows", "insert into rows values (1, 'a', 5), (2, null, 5)")
    ),
    "SqlRowError: Reader \"rows\" cannot decode the row with key id = 2: name: Expected string, actual null; correct the row or the schema, or skip SqlRowError"
  ],
  [
    "a lock that another session holds",
    Effect.scoped(Effect.gen(function*() {
      const sql = yield* SqlClient
      yield* sql.unsafe("insert into locked values (1, 'a', 5)")
      const held = yield* Deferred.make<void>()
      const done = yield* Deferred.make<void>()
      const other = yield* Effect.fork(
        sql.withTransaction(
          sql.unsafe("update locked set cents = 6").pipe(
            Effect.zipRight(Deferred.succeed(held, undefined)),
            Effect.zipRight(Deferred.await(done))
          )
        )
      )
      yield* Deferred.await(held)
      const error = yield* writing(
        "locked",
        [{ id: 1 }],
        SqlItemWriter.statement(
          "cents",
          (_, sql) => sql`set local lock_timeout = '50ms'`.pipe(Effect.zipRight(sql`update locked set cents = 7`))
        )
      )
      yield* Deferred.succeed(done, undefined)
      yield* Fiber.join(other)
      return error
    })).pipe(tableOf("locked")),
    "SqlTransientError: SQL write by \"cents\" failed: the data is locked or the statement took too long (55P03); it may succeed when it is tried again: restart the job, or let the step retry SqlTransientError"
  ],
  [
    "two transactions that do not go together",
    writing(
      "serial",
      numbers,
      own("do $$ begin raise exception 'could not serialize access' using errcode = '40001'; end $$")
    ),
    "SqlTransientError: SQL write by \"own\" failed: a concurrent transaction changed the same data (40001); it may succeed when it is tried again: restart the job, or let the step retry SqlTransientError"
  ],
  [
    "a statement that failed and was passed over",
    writing(
      "passed",
      numbers,
      SqlItemWriter.statement("own", (_, sql) => Effect.ignore(sql`select 1 / 0`))
    ),
    "TransactionError: A transaction failed in its body, SQLSTATE 25P02: an earlier statement of this transaction failed and its error was caught by code of the step, after which PostgreSQL takes nothing more: let that error fail, or put the statement into a transaction of its own"
  ],
  [
    "a worker with other code",
    Effect.gen(function*() {
      const refused = yield* Deferred.make<unknown>()
      const worker = PartitionWorker.layer([left("versions", { version: "1" }, Effect.void)], {
        onRefusal: (refusal) => Effect.asVoid(Deferred.succeed(refused, refusal))
      })
      const job = left("versions", { version: "2" }, Effect.void)
      const running = yield* Effect.fork(JobOperator.run(job, {}))
      const error = yield* Effect.provide(Deferred.await(refused), worker)
      yield* Effect.provide(Fiber.join(running), PartitionWorker.layer([job]))
      return error
    }).pipe(Effect.provideService(PartitionWorker.Poll, "10 millis")),
    "PartitionCodeDiffers: This worker's code of step \"load\" of job \"versions\" (H) is not that of execution N (H): its partitions are left to workers with the same code. Deploy the same version, or give both versions the same `version` if they are compatible"
  ],
  [
    "a plan that is to be made anew while parts of the old one are not done",
    Effect.gen(function*() {
      const job = (restart: "keep" | "replan") =>
        Job.make("replans", {
          flow: Step.partition("load", {
            plan: Partition.values(["a", "b"]),
            input: Schema.String,
            step: (input) => Step.tasklet("note", input === "b" ? Effect.fail("no") : Effect.void),
            restart
          })
        }) as Job.Job<{}, string, any, any>
      yield* JobOperator.run(job("keep"), {})
      return yield* Effect.flip((yield* JobOperator.run(job("replan"), {})).exit as Provoke)
    }),
    "ReplanRefused: Step \"load\" can't make its plan anew: 1 of 2 partitions of the old one have not completed, the first is \"b\"; finish them with `restart: \"keep\"`, or give them up with `restart: \"abandonAndReplan\"`"
  ],
  [
    "an execution that another process has taken over",
    Effect.flip(
      JobOperator.run(
        Job.make("taken", {
          flow: Step.tasklet("slow", run("update batch_job_execution set epoch = epoch + 1 where status = 'STARTED'"))
        }) as any,
        {} as any
      ) as Provoke
    ),
    "OwnershipLost: Execution N was taken over by another process, or may be, because this one could not renew its lease (epoch 1): look at the newest execution of the job; if this happens to healthy processes, lengthen the lease"
  ],
  [
    "tables of a newer version",
    Effect.gen(function*() {
      yield* run(
        "insert into batch_migrations (id, name, applied_at) select 99, 'later', max(applied_at) from batch_migrations"
      )
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Layer.fresh(SqlJobRepository.layer))))
      yield* run("delete from batch_migrations where id = 99")
      return error
    }),
    "JobRepositoryError: The job repository failed in migrate: the tables are of version 99, but this version of effect-batch knows only N: upgrade effect-batch in this process (fatal)"
  ],
  [
    "a table that somebody dropped",
    Effect.zipRight(
      run("alter table batch_step_execution rename to gone"),
      Effect.ensuring(
        Effect.flip(JobOperator.run(Job.make("dropped", { flow: Step.tasklet("tidy", Effect.void) }), {})),
        Effect.orDie(run("alter table gone rename to batch_step_execution"))
      )
    ),
    "JobRepositoryError: The job repository failed in launch: a table of the repository is missing: let the layer create the tables, or run the statements of Migrations.statements, and check the prefix and the schema search path [42P01] (fatal)"
  ]
]
