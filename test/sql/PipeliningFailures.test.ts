/**
 * What becomes of chunks that travel in one message when the step is lost to another process, or the connection dies: in
 * front of, inside and behind the commit of the server.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as TestServices from "effect/TestServices"
import * as Net from "node:net"
import {
  ItemProcessor,
  ItemReader,
  type ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  SkipPolicy,
  Step,
  type StepExecution,
  Transactor
} from "../../src/index.js"
import * as Pipelining from "../../src/ports/pipelining.js"
import { SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import * as Kit from "../../src/testing/jobRepository/kit.js"
import { sqlDrivers } from "../support/drivers.js"
import * as Postgres from "../support/Postgres.js"

const Row = Schema.Struct({ n: Schema.Int })
type Row = typeof Row.Type

const rows = (count: number): ReadonlyArray<Row> => Array.from({ length: count }, (_, index) => ({ n: index + 1 }))

/** Without a key: what is written twice shows. */
const table = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => Effect.all([sql`drop table if exists numbers`, sql`create table numbers (n int)`], { discard: true })
)

const loaded = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => Effect.map(sql<Row>`select n from numbers order by n`, (rows) => rows.map(({ n }) => n))
)

const writers = {
  insertInto: SqlItemWriter.insertInto<Row>("numbers"),
  copyInto: SqlItemWriter.copyInto<Row>("numbers")
}

let jobs = 0

const [, postgres] = sqlDrivers

it.layer(postgres!.layer, { timeout: 300_000 })("a step in one message that another process took over", (it) => {
  for (const [name, writer] of Object.entries<ItemWriter.ItemWriter<Row, any, any>>(writers)) {
    for (const prefetch of [false, true]) {
      for (const written of ["is written", "is filtered"] as const) {
        it.effect(
          `ends with OwnershipLost, whatever it skips and retries: ${name}, prefetch ${prefetch}, its chunk ${written} (LEASE-3)`,
          () =>
            Effect.gen(function*() {
              const sql = yield* SqlClient.SqlClient
              yield* table
              const asked: Array<unknown> = []
              const everything = SkipPolicy.when(SkipPolicy.limit<unknown>(100), (error) => {
                asked.push(error)
                return true
              })
              const step = Step.chunk("load", {
                reader: ItemReader.fromIterable(rows(12)),
                processor: ItemProcessor.mapEffect((row: Row) =>
                  row.n === 6
                    ? Effect.as(Effect.orDie(sql`update batch_step_execution set epoch = epoch + 1`), row)
                    : Effect.succeed(row)
                ).pipe(
                  written === "is written"
                    ? identity
                    : ItemProcessor.andThen(ItemProcessor.filter((row: Row) => row.n < 5))
                ),
                writer,
                chunkSize: 4,
                prefetch
              }).pipe(Step.skipWith(everything))
              const job = Job.make(`lost ${jobs++}`, { flow: step })
              const exit = yield* Effect.exit(JobOperator.run(job, {}))
              assert.deepStrictEqual(Exit.mapError(exit, ({ _tag }: any) => _tag), Exit.fail("OwnershipLost"))
              assert.deepStrictEqual(asked, [], "no record is to blame")
              assert.includeMembers([1, 2, 3, 4], [...(yield* loaded)])
              const [execution] = yield* JobOperator.executions({ jobName: job.name })
              const [stored] = yield* JobOperator.steps(execution!.id)
              assert.deepStrictEqual([stored!.counts.writeSkip, stored!.counts.processSkip], [0, 0])
            })
        )
      }
    }
  }
})

it.layer(postgres!.layer, { timeout: 300_000 })("a chunk that is sent after another one", (it) => {
  it.effect("awaits it before a policy is asked, so that skips are granted in the order of the input (SKIP-4)", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* table
      // The database takes its time to refuse 2; the writer refuses 3.5 at once, while that answer is under way.
      yield* sql`alter table numbers add check (n <> 2 or pg_sleep(0.3) is null)`
      const asked: Array<string> = []
      const counting = SkipPolicy.make<unknown>(
        SkipPolicy.always.matches,
        Effect.succeed({
          limit: "1",
          next: (error) => Effect.sync(() => asked.push(String(error).includes("check") ? "database" : "writer") === 1)
        })
      )
      const step = Step.chunk("load", {
        reader: ItemReader.fromIterable([{ n: 1 }, { n: 2 }, { n: 3.5 }, { n: 4 }]),
        writer: SqlItemWriter.insertInto("numbers", { schema: Row }),
        chunkSize: 1
      }).pipe(Step.skipWith(counting))
      const ended = yield* JobOperator.run(Job.make("two bad rows", { flow: step }), {})
      assert.deepStrictEqual(asked, ["database", "writer"])
      assert.strictEqual(ended.status, "FAILED")
      assert.deepStrictEqual(yield* loaded, [1])
    }))
})

it.layer(postgres!.layer, { timeout: 300_000 })("the record of a step that travels in one message", (it) => {
  const opened = Effect.gen(function*() {
    const repository = yield* JobRepository.JobRepository
    const { transact } = yield* Transactor.Transactor
    const execution = yield* Kit.launchFresh()
    const step = yield* Kit.createStep(execution, "load")
    const pipeline = Pipelining.pipelineOf(transact)!.connect()
    const sendAll = (parts: ReadonlyArray<Pipelining.Pipelined<any, any>>): Effect.Effect<unknown, any> =>
      pipeline.transact(parts.slice(0, -1), parts[parts.length - 1]!)
    const { encode } = Pipelining.pipelinedSaveOf(repository.updateStepExecution)!
    const sql = yield* SqlClient.SqlClient
    const statement = (text: string): Pipelining.Pipelined<void, string> => ({
      commands: [{ text, parameters: [] }],
      answer: () => Either.void,
      refused: (error: any) => `refused: ${error.cause.code}`
    })
    return { execution, sendAll, repository, encode, sql, statement, step }
  })
  const committed = (step: StepExecution.StepExecution, commits: number): StepExecution.StepExecution => ({
    ...step,
    counts: { ...step.counts, commit: commits }
  })

  it.effect("is stored, alone and behind what a writer sends, and answers with the status of the execution", () =>
    Effect.gen(function*() {
      const { encode, execution, repository, sendAll, statement, step } = yield* opened
      const [one, two] = [committed(step, 1), committed(step, 2)]
      assert.strictEqual(yield* sendAll([yield* encode(execution, one, step)]), "STARTING")
      yield* repository.requestStop(execution.id)
      const status = yield* sendAll([
        statement("select 1"),
        yield* encode(execution, two, one)
      ])
      assert.strictEqual(status, "STOPPING")
      assert.strictEqual((yield* Kit.storedStep(step))?.counts.commit, 2)
    }))

  it.effect("is refused with OwnershipLost, alone and behind what a writer sends, when its execution was taken over (LEASE-3)", () =>
    Effect.gen(function*() {
      const { encode, execution, sendAll, sql, statement, step } = yield* opened
      yield* sql`update batch_step_execution set epoch = epoch + 1 where id = ${step.id}`
      const save = yield* encode(execution, committed(step, 1), step)
      for (
        const parts of [[save], [statement("select 1"), save], [statement("select 1"), statement("select 1"), save]]
      ) {
        const error = yield* Effect.flip(sendAll(parts))
        assert.deepInclude(error, { _tag: "OwnershipLost", executionId: execution.id })
      }
      assert.strictEqual((yield* Kit.storedStep(step))?.counts.commit, 0)
    }))

  it.effect("is refused with OwnershipLost when its execution belongs to another claim with the same numbers (OWN-16)", () =>
    Effect.gen(function*() {
      const { encode, execution, sendAll, statement, step } = yield* opened
      for (const token of ["that of another claim", "", undefined]) {
        const save = yield* encode({ ...execution, token }, committed(step, 1), step)
        for (const parts of [[save], [statement("select 1"), save]]) {
          const error = yield* Effect.flip(sendAll(parts))
          assert.deepInclude(error, { _tag: "OwnershipLost", executionId: execution.id })
        }
      }
      assert.strictEqual((yield* Kit.storedStep(step))?.counts.commit, 0)
      assert.strictEqual(yield* sendAll([yield* encode(execution, committed(step, 1), step)]), "STARTING")
    }))

  it.effect("is refused when the stored status is none that this version knows", () =>
    Effect.gen(function*() {
      const { encode, execution, sendAll, sql, step } = yield* opened
      yield* sql`alter table batch_job_execution drop constraint if exists batch_job_execution_status_check`
      yield* sql`update batch_job_execution set status = 'PAUSED' where id = ${execution.id}`
      const error = yield* Effect.flip(sendAll([yield* encode(execution, committed(step, 1), step)]))
      assert.deepInclude(error, { _tag: "JobRepositoryError", operation: "updateStepExecution", reason: "data" })
    }))

  it.effect("is refused when the stored row is not the one that it follows", () =>
    Effect.gen(function*() {
      const { encode, execution, sendAll, step } = yield* opened
      const [one, two] = [committed(step, 1), committed(step, 2)]
      yield* sendAll([yield* encode(execution, one, step)])
      const rolledBack = { ...step, counts: { ...step.counts, rollback: 1 } }
      for (const before of [step, two, rolledBack, { ...one, counts: { ...one.counts, rollback: 1 } }]) {
        const error = yield* Effect.flip(sendAll([yield* encode(execution, two, before)]))
        assert.strictEqual(error._tag, "OwnershipLost")
      }
      yield* sendAll([yield* encode(execution, two, one)])
      assert.strictEqual((yield* Kit.storedStep(step))?.counts.commit, 2)
    }))

  it.effect("is refused with the repository's own error when the database does not take it", () =>
    Effect.gen(function*() {
      const { encode, execution, sendAll, step } = yield* opened
      const broken = { ...committed(step, 1), counts: { ...step.counts, read: Number.NaN } }
      const error = yield* Effect.flip(sendAll([yield* encode(execution, broken, step)]))
      assert.deepInclude(error, { _tag: "JobRepositoryError", operation: "updateStepExecution" })
    }))

  it.effect("comes to nothing together with what it travels with, and the refused part says so", () =>
    Effect.gen(function*() {
      const { encode, execution, sendAll, sql, statement, step } = yield* opened
      yield* table
      const save = yield* encode(execution, committed(step, 1), step)
      const insert = statement("insert into numbers values (1)")
      const bad = { ...statement("insert into numbers values (1 / 0)"), refused: () => "mine" }
      const broken = { ...statement("select 1 / 0"), refused: () => "yours" }
      assert.strictEqual(yield* Effect.flip(sendAll([bad, save])), "mine")
      assert.strictEqual(yield* Effect.flip(sendAll([insert, bad, save])), "mine")
      assert.strictEqual(yield* Effect.flip(sendAll([insert, broken])), "yours")
      assert.strictEqual(yield* Effect.flip(sendAll([save, insert, broken])), "yours")
      const several = { ...insert, commands: [...insert.commands, ...bad.commands, ...insert.commands] }
      assert.strictEqual(yield* Effect.flip(sendAll([several, save])), "refused: 22012")
      assert.deepStrictEqual(yield* loaded, [])
      assert.strictEqual((yield* Kit.storedStep(step))?.counts.commit, 0)
      // What the commit refuses is nobody's.
      yield* sql`create table numbers_keys (n int primary key)`
      yield* sql`create table pairs (n int references numbers_keys deferrable initially deferred)`
      const late = yield* Effect.flip(
        sendAll([statement("insert into pairs values (1)"), save])
      )
      assert.deepInclude(late, { _tag: "TransactionError", phase: "commit", reason: "data" })
      assert.strictEqual((yield* Kit.storedStep(step))?.counts.commit, 0)
    }))
})

// -- a connection that dies ---------------------------------------------------------------------------------------------

/** A proxy that cuts the connection when the server has answered to its nth commit, and keeps that answer. */
const cutting = (url: string, commit: number): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() =>
        new Promise<Net.Server>((resolve) => {
          const { hostname, port } = new URL(url)
          let commits = 0
          const server = Net.createServer((client) => {
            const upstream = Net.connect(Number(port), hostname)
            const end = () => {
              client.destroy()
              upstream.destroy()
            }
            client.setNoDelay(true).on("error", end).on("close", end).pipe(upstream.setNoDelay(true))
            upstream.on("error", end).on("close", end).on("data", (bytes) => {
              const found = bytes.toString("latin1").split("C\0\0\0\x0bCOMMIT\0").length - 1
              const isHit = commits < commit && commits + found >= commit
              commits += found
              return isHit ? end() : client.write(bytes)
            })
          })
          server.listen(0, "127.0.0.1", () => resolve(server))
        })
      ),
      (server) => Effect.sync(() => void server.close())
    ),
    (server) => {
      const proxied = new URL(url)
      proxied.port = String((server.address() as Net.AddressInfo).port)
      return proxied.href
    }
  )

/** Ends the connection at the first row of this number, in the statement that writes it or in the commit. */
const striking = (n: number, place: "in the write" | "in the commit") =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.forEach([
      "create sequence strikes",
      "create function strike() returns trigger language plpgsql as $$ begin " +
      "if nextval('strikes') = 1 then perform pg_terminate_backend(pg_backend_pid()); end if; return null; end $$",
      `create constraint trigger strikes after insert on numbers ${
        place === "in the write" ? "" : "deferrable initially deferred"
      } for each row when (new.n = ${n}) execute function strike()`
    ], (text) =>
      sql.unsafe(text), { discard: true }))

/** The commits in front of the first chunk. */
const LAUNCH = 1

interface Death {
  readonly place: "in the write" | "in the commit" | "behind the commit"
  readonly chunk: number
  readonly writer: keyof typeof writers
  readonly prefetch: boolean | undefined
  /** Skips that are stored take a statement of their own, so that the chunk is no single message. */
  readonly pipelined: boolean
}

const died = ({ chunk, pipelined, place, prefetch, writer }: Death) =>
  Effect.gen(function*() {
    const url = yield* Postgres.freshUrl
    const direct = Postgres.layerUrl(url)
    yield* Effect.provide(
      Effect.zipRight(table, place === "behind the commit" ? Effect.void : striking(chunk * 4 - 1, place)),
      direct
    )
    // The tables of the repository are there before the commits are counted.
    yield* Effect.provide(Effect.void, Layer.fresh(SqlJobRepository.layer).pipe(Layer.provide(direct)))
    const proxied = place === "behind the commit" ? yield* cutting(url, LAUNCH + chunk) : url
    const repository = Layer.fresh(SqlJobRepository.layerWith({ control: false, migrate: false })).pipe(
      Layer.provideMerge(Postgres.layerUrl(proxied))
    )
    return yield* Effect.gen(function*() {
      const step = Step.chunk("load", {
        reader: ItemReader.fromIterable(rows(20)),
        writer: writers[writer],
        chunkSize: 4,
        prefetch
      }).pipe(
        Step.retry(["TransactionError", "SqlTransientError"], { times: 3 }),
        pipelined ? identity : Step.listen({ afterWrite: () => Effect.void })
      )
      const ended = yield* JobOperator.run(Job.make("dying", { flow: step }), {})
      const [stored] = yield* JobOperator.steps(ended.id)
      return { status: ended.status, rows: yield* loaded, counts: stored!.counts }
    }).pipe(Effect.provide(repository))
  })

describe("a connection that dies", () => {
  it.scoped.prop(
    "in front of, inside or behind the commit of a chunk: its rows are written once, and counted once (D18, TX-1)",
    [
      FastCheck.record<Death>({
        place: FastCheck.constantFrom("in the write", "in the commit", "behind the commit", "behind the commit"),
        chunk: FastCheck.integer({ min: 1, max: 5 }),
        writer: FastCheck.constantFrom("insertInto", "copyInto"),
        prefetch: FastCheck.constantFrom(undefined, false, true),
        pipelined: FastCheck.constantFrom(true, true, false)
      })
    ],
    ([death]) =>
      Effect.gen(function*() {
        const { counts, rows: written, status } = yield* TestServices.provideLive(died(death))
        assert.deepStrictEqual(written, rows(20).map(({ n }) => n))
        assert.deepStrictEqual([status, counts.read, counts.write, counts.commit], ["COMPLETED", 20, 20, 5])
      }),
    { fastCheck: { numRuns: 8 }, timeout: 300_000 }
  )
})
