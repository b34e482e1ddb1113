/**
 * Every error that the library can end with, provoked as it happens to people, and what it says then: what happened, where,
 * and what to do. Those that need several clients, workers or a lost lease are provoked in `ErrorTextsOutside.test.ts`.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { CsvItemReader, CsvItemWriter, JsonItemReader, NdjsonItemReader } from "../../src/file/index.js"
import * as Files from "../../src/file/index.js"
import {
  ExecutionContext,
  Flow,
  ItemProcessor,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobParameters,
  JobRegistry,
  JobRepository,
  JobScope,
  Partition,
  Sensitive,
  StandardListeners,
  Step,
  StepScope,
  SystemCommandTasklet,
  Tasklet,
  Transactor
} from "../../src/index.js"
import * as Index from "../../src/index.js"
import { SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import * as Sql from "../../src/sql/index.js"
import { describeError } from "../../src/vocabulary/failure.js"
import { MemoryFiles } from "../file/support.js"
import * as Sqlite from "../support/Sqlite.js"
import { cases as outside } from "./errorTextsOutside.js"
import { endOf, type Provoke, reading, writing } from "./provoke.js"

/** Gives the error, or a record that tells it. */
class Params extends JobParameters.Tag<Params>()("Params", {
  size: Schema.Number.annotations({ description: "Number of the run" })
}) {}

const tasklet = Step.tasklet("tidy", Effect.void)
const once = Job.make("once", { flow: tasklet })
const numbers = ItemReader.fromIterable([1, 2, 3])

class NoRate extends Data.TaggedError("NoRate")<{ readonly day: number }> {}

const Key = ExecutionContext.key("lastId", Schema.Number)
const TextKey = ExecutionContext.key("lastId", Schema.String)
const Row = Schema.Struct({ id: Schema.NumberFromString, cents: Schema.NumberFromString })

const files = new MemoryFiles()
  .set("bad.csv", "id,cents\n1,100\n2,many\n")
  .set("header.csv", "id,amount\n1,100\n")
  .set("bad.ndjson", "{\"id\":1}\n{\"id\":\"x\"}\n")
  .set("cut.json", "[{\"id\":1},{\"id\":")

const cases: ReadonlyArray<readonly [what: string, provoke: Provoke, says: string]> = [
  [
    "a parameter of another type",
    Effect.flip(JobOperator.run(Job.make("sized", { parameters: Params, flow: tasklet }), { size: "many" as never })),
    "InvalidJobParameters: The parameters of job \"sized\" are not valid: size: Expected number, actual \"many\""
  ],
  [
    "a job that is complete",
    Effect.zipRight(JobOperator.run(once, {}), Effect.flip(JobOperator.run(once, {}))),
    "JobInstanceAlreadyComplete: Job \"once\" without parameters is COMPLETED already (execution 1): change an identifying parameter to run it again"
  ],
  [
    "a job that may run only once",
    Effect.gen(function*() {
      const job = Job.make("single", { flow: Step.tasklet("fails", Effect.fail("no")), restartable: false })
      yield* JobOperator.run(job, {})
      return yield* Effect.flip(JobOperator.run(job, {}))
    }),
    "JobRestartRefused: Job \"single\" cannot be restarted after execution 2: it is defined as not restartable; change an identifying parameter to run it anew"
  ],
  [
    "a step that was started too often",
    Effect.gen(function*() {
      const job = Job.make("often", { flow: Step.startLimit(Step.tasklet("fails", Effect.fail("no")), 1) })
      yield* JobOperator.run(job, {})
      return yield* Effect.flip((yield* JobOperator.run(job, {})).exit as Effect.Effect<unknown, unknown>)
    }),
    "StepStartLimitExceeded: Step \"fails\" has been started 1 time and its start limit is 1: raise the limit or run the job with another identifying parameter"
  ],
  [
    "too many bad records",
    endOf(
      "skips",
      Step.chunk("load", {
        reader: numbers,
        processor: (n: number) => Effect.fail(new NoRate({ day: n })),
        writer: ItemWriter.discard,
        chunkSize: 2
      }).pipe(Step.skip("NoRate", { limit: 1 }))
    ),
    "SkipLimitExceeded: Step \"load\" met a bad item after 1 skip and its skip limit is 1; mend the input or raise the limit, then restart, caused by NoRate: day: 2"
  ],
  [
    "an id that there is not",
    Effect.flip(JobOperator.stop(999)),
    "NoSuchJobExecution: There is no job execution 999: list the executions of the job to find its id"
  ],
  [
    "an instance that there is not",
    Effect.flip(JobOperator.abandon(999)),
    "NoSuchJobExecution: There is no job execution 999: list the executions of the job to find its id"
  ],
  [
    "a job that was stopped and had to complete",
    Effect.flip(JobOperator.runOrFail(Job.make("stopping", { flow: Step.tasklet("one", StepScope.requestStop) }), {})),
    "JobNotCompleted: Job \"stopping\" ended as STOPPED with exit code \"STOPPED\" (execution 6): run it again with the same parameters to go on"
  ],
  [
    "an execution that has ended",
    Effect.flatMap(
      JobOperator.run(Job.make("ended", { flow: tasklet }), {}),
      ({ id }) => Effect.flip(JobOperator.stop(id))
    ),
    "JobExecutionNotRunning: Execution 7 is not running, it is COMPLETED: there is nothing to stop"
  ],
  [
    "a job that is not known",
    Effect.provide(Effect.flip(JobRegistry.run("onec", {})), JobRegistry.layer([once])),
    "NoSuchJob: There is no job \"onec\" (did you mean \"once\"?): the jobs are \"once\""
  ],
  [
    "two jobs of a name",
    Effect.flip(
      Effect.scoped(
        Layer.build(JobRegistry.layer([once, Job.make("once", { flow: tasklet })] as any) as Layer.Layer<any, any, any>)
      )
    ),
    "DuplicateJob: There is a job \"once\" already: the name of a job is part of the identity of its instances, so give one of them another name"
  ],
  [
    "an entry of a context that has another type",
    endOf("context", Step.tasklet("one", StepScope.set(TextKey, "x").pipe(Effect.zipRight(StepScope.get(Key))))),
    "UnreadableContextKey: The entry \"lastId\" of the context of step \"one\" does not fit its schema: Expected number, actual \"x\"; accept the stored form in the schema, or use another key"
  ],
  [
    "an exit code without a way on",
    endOf(
      "codes",
      (Step.tasklet("code", Effect.succeed(Tasklet.finishedWith("LATE" as "COMPLETED"))) as any).pipe(
        Flow.match({ COMPLETED: Flow.end() } as any)
      )
    ),
    "UnroutedExitCode: \"code\" ended with exit code \"LATE\", for which there is no transition: add a case for \"LATE\" or \"*\""
  ],
  [
    "a launch in a transaction",
    Effect.flatMap(
      Transactor.Transactor,
      (transactor) => Effect.flip(transactor.transact(JobOperator.run(Job.make("inner", { flow: tasklet }), {})))
    ),
    "LaunchInTransaction: Job \"inner\" cannot be launched while a transaction is open, which could take back what the job stores: run it as a step of its own with Step.job, or launch it after the transaction"
  ],
  [
    "two steps of a name",
    Effect.flip(Effect.try({
      try: () => Job.make("twins", { flow: tasklet.pipe(Flow.andThen(Step.tasklet("tidy", Effect.log("x")))) }),
      catch: (error) => error
    })),
    "JobDefinitionError: The definition of job \"twins\" cannot work: two different steps are called \"tidy\": give one of them another name"
  ],
  [
    "a key that was not written",
    endOf(
      "promotes",
      Step.tasklet("one", Effect.void).pipe(Step.listen(StandardListeners.promoteToJob([Key], { strict: true })))
    ),
    "ContextKeyMissing: Step \"one\" was to hand on \"lastId\" and its execution context does not have it: write with StepScope.set, or promote without strict"
  ],
  [
    "a command that is not there",
    endOf("command", Step.tasklet("run", SystemCommandTasklet.make(["no-such-program"], { timeout: "1 minute" }))),
    "SystemCommandError: Command no-such-program cannot be started because there is no such program, check the name of the program and the PATH"
  ],
  [
    "an item that does not fit",
    endOf(
      "invalid",
      Step.chunk("load", {
        reader: ItemReader.fromIterable([{ id: "x", cents: "1" }]),
        processor: ItemProcessor.validate(Row),
        writer: ItemWriter.discard,
        chunkSize: 1
      })
    ),
    "InvalidItem: The item is not valid: id: Unable to decode \"x\" into a number; mend it at its source, or skip it with Step.skip(\"InvalidItem\")"
  ],
  [
    "a file that is not there",
    reading("missing", CsvItemReader.make("none.csv", { schema: Row })),
    "FileError: Cannot read \"none.csv\": there is no such file. Check the path and the working directory."
  ],
  [
    "a bad row",
    reading("row", CsvItemReader.make("bad.csv", { schema: Row })),
    "CsvError: Bad row in \"bad.csv\", line 3: cents: Unable to decode \"many\" into a number. Correct the row and restart, or let the step skip \"CsvError\". The row: 2,many"
  ],
  [
    "another header",
    reading("header", CsvItemReader.make("header.csv", { schema: Row })),
    "CsvHeaderError: The columns of \"header.csv\" (header in line 1) do not fit: missing column \"cents\"; unexpected column \"amount\". Correct the header or the schema; `delimiter`, `encoding` and `strictColumns` decide how it is read."
  ],
  [
    "a bad value",
    reading("value", NdjsonItemReader.make("bad.ndjson", { schema: Schema.Struct({ id: Schema.Number }) })),
    "JsonError: Bad value in \"bad.ndjson\", line 2: id: Expected number, actual \"x\". Correct it and restart, or let the step skip \"JsonError\". The value: {\"id\":\"x\"}"
  ],
  [
    "a file that was cut",
    reading("cut", JsonItemReader.array("cut.json", { schema: Schema.Struct({ id: Schema.Number }) })),
    "JsonStructureError: Cannot read \"cut.json\" any further than line 1 (byte 10): the file ends before the array does. Correct the file from there on, and restart."
  ],
  [
    "an item that CSV cannot hold",
    writing("encode", [{ id: 1, cents: {} }], CsvItemWriter.make("out.csv", { columns: ["id", "cents"] }) as any),
    "ItemEncodeError: Item 1 cannot be written to \"out.csv\": column \"cents\" holds a value that is no text, number, boolean or date; encode it by a schema. Change the item in a processor, or let the step skip \"ItemEncodeError\"."
  ],
  [
    "a table that is not there",
    writing("table", [{ id: 1 }], SqlItemWriter.insertInto("nowhere") as any),
    "SqlStatementError: SQL insert of \"nowhere\" failed: the table does not exist; correct the statement or the schema and restart"
  ],
  [
    "skipped records of a job that skipped none",
    Effect.flatMap(
      JobOperator.run(Job.make("skips none", { flow: tasklet }), {}),
      ({ id }) => Effect.flip(JobOperator.replay(Job.make("skips none", { flow: tasklet }), id))
    ),
    "ReplayRefused: What execution 20 of job \"skips none\" skipped is not run again: it skipped none"
  ],
  [
    "a skipped record of which not everything was stored",
    Effect.gen(function*() {
      let isBroken = true
      const job = Job.make("sensitive", {
        flow: Step.chunk("load", {
          reader: ItemReader.fromIterable([1]),
          processor: (n: number) => isBroken ? Effect.fail(new NoRate({ day: n })) : Effect.succeed(n),
          writer: ItemWriter.discard,
          chunkSize: 1
        }).pipe(Step.skip("NoRate", { limit: 1 }), Step.quarantine({ input: Sensitive.make(Schema.Number) }))
      })
      const { id } = yield* JobOperator.run(job, {})
      isBroken = false
      const [skipped] = yield* JobOperator.skipped((yield* JobOperator.replay(job, id)).id)
      return skipped
    }),
    "RecordNotReplayed: Record 1 that step \"load\" skipped in execution 21 is not run again: it holds sensitive values, which were not stored; it is still listed there"
  ],
  [
    "an entry of the job's context that has another type",
    endOf("contexts", Step.tasklet("one", JobScope.set(TextKey, "x").pipe(Effect.zipRight(JobScope.get(Key))))),
    "UnreadableContextKey: The entry \"lastId\" of the context of job \"contexts\" does not fit its schema: Expected number, actual \"x\"; accept the stored form in the schema, or use another key"
  ],
  [
    "a plan in which two partitions have one name, and one has an input that JSON does not hold",
    endOf(
      "plan",
      Step.partition("load", {
        plan: [{ name: "de", input: 1 }, { name: "de", input: 2 }, { name: "fr", input: NaN }],
        input: Schema.Number,
        step: () => tasklet
      })
    ),
    "InvalidPartitionPlan: The plan of step \"load\" can't be used: two partitions are called \"de\"; the input of \"fr\" can't be stored: JSON can't hold it; encode it as text or numbers. Nothing was begun; a restart makes the plan again"
  ],
  [
    "partitions inside of partitions",
    endOf(
      "nested",
      Step.partition("load", {
        plan: Partition.values(["de"]),
        input: Schema.String,
        step: () => Step.partition("rows", { plan: Partition.values(["a"]), input: Schema.String, step: () => tasklet })
      })
    ),
    "PartitionsFailed: 1 of 1 partition of \"load\" failed, first \"de\" (execution 26): NestedPartition: Step \"rows\" is partitioned, and cannot run inside of a partition (\"nested/load\"): make one plan of all of them; mend the cause and restart the job, which runs those again that did not complete"
  ],
  [
    "partitions that fail",
    endOf(
      "parts",
      Step.partition("load", {
        plan: Partition.values(["de", "fr", "es"]),
        input: Schema.String,
        step: (country) =>
          Step.tasklet("rows", country === "de" ? Effect.void : Effect.fail(new NoRate({ day: country.length })))
      })
    ),
    "PartitionsFailed: 2 of 3 partitions of \"load\" failed, first \"fr\" (execution 29): NoRate: day: 2; mend the cause and restart the job, which runs those again that did not complete"
  ],
  [
    "the stored input of a partition that the code does not know any more",
    Effect.gen(function*() {
      const job = (input: Schema.Schema<any, any>) =>
        Job.make("inputs", {
          flow: Step.partition("load", {
            plan: Partition.values([1]),
            input,
            step: () => Step.tasklet("rows", Effect.fail("no")),
            version: "1"
          })
        })
      yield* JobOperator.run(job(Schema.Number), {})
      return yield* Effect.flip(
        (yield* JobOperator.run(job(Schema.Struct({ from: Schema.Number })), {})).exit as Provoke
      )
    }),
    "PartitionsFailed: 1 of 1 partition of \"load\" failed, first \"1\" (execution 34): UnreadablePartitionInput: The stored input of partition \"1\" of step \"load\" does not fit its schema: Expected { readonly from: number }, actual 1; accept the stored form in the schema, then restart the job; mend the cause and restart the job, which runs those again that did not complete"
  ],
  [
    "a position that is another reader's",
    Effect.gen(function*() {
      const job = (reader: ItemReader.ItemReader<any, any, any>, broken: boolean) =>
        Job.make("positions", {
          flow: Step.chunk("load", {
            reader,
            processor: (n: number) => broken && n === 3 ? Effect.fail("no") : Effect.succeed(n),
            writer: ItemWriter.discard,
            chunkSize: 1
          })
        }) as Job.Job<{}, string, any, any>
      yield* JobOperator.run(job(numbers, true), {})
      return yield* Effect.flip(
        (yield* JobOperator.run(job(CsvItemReader.make("bad.csv", { schema: Row }), false), {})).exit as Provoke
      )
    }),
    "UnreadablePosition: \"CsvItemReader(bad.csv)\" cannot go on from its stored state: it is not a position in a file; restart with the component that stored it, or run the job with another identifying parameter"
  ],
  [
    "a job that runs here already",
    Effect.scoped(Effect.gen(function*() {
      const hold = yield* Deferred.make<void>()
      const job = Job.make("busy", { flow: Step.tasklet("wait", Deferred.await(hold)) })
      const running = yield* JobOperator.start(job, {})
      const error = yield* Effect.flip(JobOperator.run(job, {}))
      yield* Deferred.succeed(hold, undefined)
      yield* running.await
      return error
    })),
    "JobExecutionAlreadyRunning: Job \"busy\" is already running as execution 37 in process N on H since 1970-01-01T00:00:00.000Z: wait for it or stop it; if its process is dead, it can be taken over in 30 s"
  ],
  [
    "an execution whose outcome nobody knows",
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const job = Job.make("unknown", { flow: Step.tasklet("fails", Effect.fail("no")) })
      const { id } = yield* JobOperator.run(job, {})
      yield* repository.close(id, { status: "UNKNOWN", exitCode: "UNKNOWN", message: "" })
      return yield* Effect.flip(JobOperator.run(job, {}))
    }),
    "JobRestartRefused: Job \"unknown\" cannot be restarted after execution 38: its status is UNKNOWN; find out what it wrote, then give it up (abandon), or set its status where the job repository stores it: FAILED lets a restart go on from its last commit, COMPLETED leaves nothing to do"
  ],
  [
    "a row that is there",
    writing("twice", [{ id: 1, cents: 1 }, { id: 1, cents: 2 }], SqlItemWriter.insertInto("accounts") as any),
    "SqlDataError: SQL insert of \"accounts\" failed: a row with the same key exists already (column \"id\", SQLITE_CONSTRAINT_PRIMARYKEY) (item 2 of the chunk); correct the row or skip SqlDataError"
  ],
  [
    "a field that is no column",
    writing("column", [{ id: 1, cents: 1, colour: "red" }], SqlItemWriter.insertInto("accounts") as any),
    "SqlStatementError: SQL insert of \"accounts\" failed: there is no such column, the table has \"id\", \"cents\" (column \"colour\"); correct the statement or the schema and restart"
  ]
]

const services = Layer.mergeAll(
  Layer.provideMerge(SqlJobRepository.layer, Sqlite.layer),
  NodeContext.layer
).pipe((layer) => Layer.merge(layer, files.layer))

describe("what an error says", () => {
  it.layer(Layer.orDie(services as Layer.Layer<any, any>), { timeout: "5 minutes" })((it) => {
    it.effect("what happened, where and what to do, in one line", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient
        yield* sql`create table accounts (id integer primary key, cents integer not null)`
        for (const [what, provoke, says] of cases) {
          const given = yield* provoke
          const isSkipped = Predicate.hasProperty(given, "errorTag") && Predicate.hasProperty(given, "message")
          const text = String(isSkipped ? given.message : describeError(given))
          assert.strictEqual(text.replace(/in process \d+ on \S+/, "in process N on H"), says, what)
        }
      }) as Effect.Effect<void, any, any>)
  })

  it("no error is left out", () => {
    const tags = [Index, Index.BatchError, Index.StandardListeners, Index.SystemCommandTasklet, Index.ItemProcessor]
      .concat([Index.JobRegistry, Files, Sql, Sql.SqlFailure, Files.FileError] as any)
      .flatMap((module) => Object.values(module) as ReadonlyArray<unknown>)
      .flatMap((value) =>
        Predicate.isFunction(value) && value.prototype instanceof Error && Predicate.hasProperty(value, "_tag")
          ? [String(value._tag)]
          : []
      )
    assert.deepStrictEqual(
      [...new Set(tags)].filter((tag) => ![...cases, ...outside].some(([, , says]) => says.includes(`${tag}: `))),
      []
    )
  })
})
