/**
 * PostgreSQL with pools of one to three connections: what needs one more is told so, and nothing waits for itself. The database
 * is waited for, hence the real clock.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import {
  BatchError,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  Partition,
  Step,
  Transactor
} from "../../src/index.js"
import { SqlItemReader, SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import * as Postgres from "../support/Postgres.js"

const owning = Effect.provideService(JobOperator.Ownership, {
  ...JobOperator.Ownership.defaultValue(),
  lease: 1200
})

/** A repository over a pool of so many connections, with a table to write to. Fresh, as all layers of a file share a memory. */
const poolOf = (maxConnections: number, connectTimeout?: number) =>
  Layer.unwrapScoped(
    Effect.map(
      Postgres.freshUrl,
      (url) => {
        const table = Layer.effectDiscard(
          Effect.flatMap(SqlClient.SqlClient, (sql) => sql`create table pooled (id int)`)
        )
        return Layer.merge(Layer.fresh(SqlJobRepository.layer), table).pipe(
          Layer.provideMerge(Postgres.layerUrl(url, { maxConnections, connectTimeout }))
        )
      }
    )
  )

interface Row {
  readonly id: number
}

const write = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`insert into pooled values (1)`)

const ids = (count: number): ReadonlyArray<Row> => Array.from({ length: count }, (_, id) => ({ id }))

const insert = SqlItemWriter.insertInto<Row>("pooled")

/** Keeps a connection of the pool until the step has ended. */
const streamed = (name: string) =>
  Step.chunk(name, {
    reader: ItemReader.fromStream(
      Stream.unwrap(
        Effect.map(SqlClient.SqlClient, (sql) => Stream.orDie(sql<Row>`select generate_series(1, 500) as id`.stream))
      )
    ),
    writer: insert,
    chunkSize: 100
  })

const stored = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => Effect.map(sql<{ readonly n: number }>`select count(*)::int as n from pooled`, ([row]) => row!.n)
)

describe.each([1, 2, 3])("a pool of %i connection(s) on PostgreSQL", (size) => {
  it.layer(poolOf(size), { timeout: 300_000 })((it) => {
    it.effect("carries chunks, keyset pages, tasklets, partitions and a split as wide as the pool (OWN-18)", () =>
      Effect.gen(function*() {
        const load = (name: string) =>
          Step.chunk(name, { reader: ItemReader.fromIterable(ids(50)), writer: insert, chunkSize: 10 })
        const paged = Step.chunk("paged", {
          reader: SqlItemReader.keyset({
            select: (sql) => sql`select distinct id from pooled`,
            key: ["id"],
            schema: Schema.Struct({ id: Schema.Number }),
            pageSize: 7
          }),
          writer: insert,
          chunkSize: 10
        })
        const parts = Step.partition("parts", {
          plan: Partition.values([1, 2, 3, 4]),
          input: Schema.Number,
          step: (n) => load(`part ${n}`),
          concurrency: 4
        })
        const branches = Array.from({ length: size + 1 }, (_, n) => load(`branch ${n}`))
        const flow = load("first").pipe(
          Flow.andThen(paged),
          Flow.andThen(Step.tasklet("write", write)),
          Flow.andThen(parts),
          Flow.andThen(Flow.split(branches, { concurrency: "unbounded" }))
        )
        const execution = yield* JobOperator.run(Job.make("everything", { flow }), {})
        assert.strictEqual(execution.status, "COMPLETED", execution.exitStatus.messages.join())
        assert.strictEqual(yield* stored, 50 + 50 + 1 + 200 + 50 * (size + 1))
      }))

    it.effect("answers who looks while a step holds its transaction open (OWN-18)", () =>
      Effect.gen(function*() {
        const open = yield* Deferred.make<void>()
        const closes = yield* Deferred.make<void>()
        const slow = Step.tasklet(
          "slow",
          write.pipe(Effect.zipRight(Deferred.succeed(open, undefined)), Effect.zipRight(Deferred.await(closes)))
        )
        const running = yield* Effect.fork(JobOperator.run(Job.make("slow", { flow: slow }), {}))
        yield* Deferred.await(open)
        const looking = yield* Effect.fork(Effect.all([
          JobOperator.executions({ jobName: "slow" }),
          JobOperator.executions({ jobName: "slow", limit: 1 }),
          JobOperator.instances({ jobName: "slow" })
        ], { concurrency: 3 }))
        if (size > 1) {
          assert.strictEqual((yield* Fiber.join(looking))[0][0]?.status, "STARTED")
        }
        yield* Deferred.succeed(closes, undefined)
        assert.strictEqual((yield* Fiber.join(running)).status, "COMPLETED")
        assert.lengthOf((yield* Fiber.join(looking))[0], 1)
      }))

    it.effect("carries out what an operator asks for inside of a step, or says what is missing (OWN-13, OWN-18)", () =>
      Effect.gen(function*() {
        const { transact } = yield* Transactor.Transactor
        const child = JobOperator.run(Job.make("pooled child", { flow: Step.tasklet("work", Effect.void) }), {})
        const outside = transact(child, { propagation: "notSupported" })
        const operations = {
          abandon: (id: number) => JobOperator.abandon(id),
          "not supported": () => outside,
          "requires new": () => transact(write, { propagation: "requiresNew" })
        }
        for (const [name, operation] of Object.entries(operations)) {
          const fails = Job.make(`for ${name}`, { flow: Step.tasklet("fail", Effect.fail("no")) })
          const other = yield* JobOperator.run(fails, {})
          const run = (when: string, first: typeof write | Effect.Effect<void>) => {
            const asked = Effect.zipRight(first, operation(other.id) as Effect.Effect<unknown, unknown>)
            return JobOperator.run(Job.make(`pooled ${name} ${when}`, { flow: Step.tasklet(name, asked) }), {})
          }
          const { exitStatus, status } = yield* run("behind a statement", write)
          assert.strictEqual(status, size === 1 ? "FAILED" : "COMPLETED", name)
          if (size === 1) {
            assert.include(exitStatus.messages.join(), "maxConnections", name)
          }
          assert.strictEqual(
            (yield* JobOperator.execution(other.id)).status,
            size > 1 && name === "abandon" ? "ABANDONED" : "FAILED"
          )
        }
      }))

    it.effect("lets an operator act in a step that has sent no statement yet (OWN-12, OWN-13)", () =>
      Effect.gen(function*() {
        const { transact } = yield* Transactor.Transactor
        const other = yield* JobOperator.run(
          Job.make("to be abandoned", { flow: Step.tasklet("fail", Effect.fail("no")) }),
          {}
        )
        const child = JobOperator.run(Job.make("launched first", { flow: Step.tasklet("work", Effect.void) }), {})
        const asks = Step.tasklet(
          "ask",
          Effect.all([
            JobOperator.abandon(other.id),
            transact(child, { propagation: "notSupported" }),
            write,
            Effect.fail("no")
          ])
        )
        assert.strictEqual((yield* JobOperator.run(Job.make("asks first", { flow: asks }), {})).status, "FAILED")
        assert.strictEqual((yield* JobOperator.execution(other.id)).status, "ABANDONED")
      }))

    it.effect("reads as many streams as leave a connection, and says of one more why not (OWN-18)", () =>
      owning(Effect.gen(function*() {
        const all = Array.from({ length: size }, (_, n) => streamed(`stream ${n}`))
        const split = (name: string, steps: typeof all) =>
          Job.make(name, {
            flow: steps.length === 1 ? steps[0]! : Flow.split(steps, { concurrency: "unbounded" })
          })
        if (size > 1) {
          const before = yield* stored
          const { status } = yield* JobOperator.run(split("leaves one", all.slice(1)), {})
          assert.strictEqual(status, "COMPLETED")
          assert.strictEqual((yield* stored) - before, 500 * (size - 1))
        }
        const failed = yield* JobOperator.run(split("takes all", all), {})
        assert.strictEqual(failed.status, "FAILED")
        const steps = yield* JobOperator.steps(failed.id)
        assert.lengthOf(steps, size)
        const said = steps.filter(({ status }) => status === "FAILED").flatMap(({ exitStatus }) => exitStatus.messages)
        assert.include(said.join(), `maxConnections: ${size}`)
        assert.include(said.join(), "stream")
        // All connections are back.
        yield* Effect.all(Array.from({ length: size }, () => write), { concurrency: size })
      })))
  })
})

describe("a request to stop, on a pool of one connection", () => {
  it.layer(poolOf(1), { timeout: 300_000 })((it) => {
    it.scoped("stays when the step rolls back that has asked for it, without a connection beside the pool (OWN-13)", () =>
      Effect.gen(function*() {
        const running = yield* JobOperator.start(
          Job.make("to be stopped", { flow: Step.tasklet("wait", Effect.never) }),
          {}
        )
        const alone = SqlJobRepository.layerWith({ control: false, migrate: false })
        const { requestStop } = Context.get(yield* Layer.build(alone), JobRepository.JobRepository)
        const asks = Step.tasklet("ask", Effect.all([write, requestStop(running.execution.id), Effect.fail("no")]))
        assert.strictEqual((yield* JobOperator.run(Job.make("asks", { flow: asks }), {})).status, "FAILED")
        assert.include(["STOPPING", "STOPPED"], (yield* JobOperator.execution(running.execution.id)).status)
      }))
  })
})

describe("a step that cannot store its end", () => {
  it.effect("closes what it has opened (STEP-18)", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const closed: Array<string> = []
      const broken: typeof repository = {
        ...repository,
        updateStepExecution: () =>
          Effect.fail(
            new BatchError.JobRepositoryError({ operation: "updateStepExecution", reason: "fatal", detail: "full" })
          )
      }
      const step = Step.chunk("opens", {
        reader: ItemReader.fromStream(
          Stream.ensuring(Stream.make(1), Effect.sync(() => void closed.push("reader")))
        ),
        writer: ItemWriter.discard as ItemWriter.ItemWriter<number>,
        chunkSize: 1
      })
      yield* Effect.exit(
        JobOperator.run(Job.make("opens", { flow: step }), {}).pipe(
          Effect.provideService(JobRepository.JobRepository, broken)
        )
      )
      assert.deepStrictEqual(closed, ["reader"])
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})

describe("a client with a connectTimeout", () => {
  it.scopedLive("waits longer than that behind a transaction of ours, which comes to an end (OWN-21)", () =>
    Effect.gen(function*() {
      const { transact } = yield* Transactor.Transactor
      const holding = yield* Deferred.make<void>()
      const holder = yield* Effect.fork(transact(
        Effect.zipRight(write, Effect.zipRight(Deferred.succeed(holding, undefined), Effect.sleep(2300)))
      ))
      yield* Deferred.await(holding)
      yield* Effect.all([transact(write), transact(write)], { concurrency: 2 })
      yield* Fiber.join(holder)
      assert.strictEqual(yield* stored, 3)
    }).pipe(Effect.provide(poolOf(1, 1500))))
})
