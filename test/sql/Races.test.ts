/**
 * Two processes and one database: whoever comes second sees what the first one did, or waits for it. Each of them has a
 * client of its own.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { JobRepository, Transactor } from "../../src/index.js"
import * as Database from "../../src/sql/database.js"
import * as Env from "../../src/sql/env.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as JobRows from "../../src/sql/jobRows.js"
import * as PartitionRows from "../../src/sql/partitionRows.js"
import * as Kit from "../../src/testing/jobRepository/kit.js"
import * as Partitioning from "../../src/testing/jobRepository/partitioning.js"
import * as Postgres from "../support/Postgres.js"

const turn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

/** Two processes that share a database. */
const processes = Effect.gen(function*() {
  const url = yield* Postgres.freshUrl
  const process = Layer.build(
    Layer.fresh(SqlJobRepository.layerWith({ control: false })).pipe(Layer.provideMerge(Postgres.layerUrl(url)))
  )
  return [yield* process, yield* process] as const
})

type Process = Effect.Effect.Success<typeof processes>[number]

const repositoryOf = (process: Process) => Context.get(process, JobRepository.JobRepository)

const statementsThatWait = (process: Process) =>
  Effect.map(
    Context.get(process, SqlClient.SqlClient)`
      select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    (rows) => rows.length
  )

/**
 * One process has done its work and not committed it when the other one begins its own; it commits when that waits for it,
 * or has ended. Gives what the other one came to. Before that commit it may be looked at what the other one has locked.
 */
const meanwhile = <A, E, R, B, E2, R2>(
  first: Process,
  work: Effect.Effect<A, E, R>,
  second: Effect.Effect<B, E2, R2>,
  look: Effect.Effect<unknown, unknown> = Effect.void
) =>
  Effect.gen(function*() {
    const done = yield* Deferred.make<void>()
    const commits = yield* Deferred.make<void>()
    const { transact } = Context.get(first, Transactor.Transactor)
    const one = yield* Effect.fork(
      transact(Effect.zipLeft(work, Effect.zipRight(Deferred.succeed(done, undefined), Deferred.await(commits))))
    )
    yield* Deferred.await(done)
    const other = yield* Effect.fork(Effect.exit(second))
    yield* Effect.repeat(
      Effect.zipRight(turn, Effect.zip(statementsThatWait(first), Effect.sync(() => other.unsafePoll() !== null))),
      { until: ([waiting, isOver]) => waiting > 0 || isOver }
    )
    yield* Effect.orDie(look)
    yield* Deferred.succeed(commits, undefined)
    yield* Fiber.join(one)
    return yield* Effect.flatten(Fiber.join(other))
  })

const opened = Effect.gen(function*() {
  const [owner, taker] = yield* processes
  const execution = yield* Effect.provide(Kit.launchFresh(), owner)
  return { owner, taker, execution, repository: repositoryOf(owner) }
})

/** The repository has transactions of its own, so what it does in them is done here by hand, to keep it open. */
const takeOver = (process: Process, executionId: number) => {
  const sql = Context.get(process, SqlClient.SqlClient)
  return Effect.all([
    sql`update batch_job_execution set status = 'FAILED', epoch = epoch + 1, lease_until = null where id = ${executionId}`,
    sql`update batch_step_execution set status = 'FAILED', epoch = epoch + 1 where job_execution_id = ${executionId}`
  ], { discard: true })
}

const END = { status: "FAILED", exitCode: "OWNER_DIED", message: "" } as const

it.scoped("a step that is inserted while another process takes over is closed with the others (P2)", () =>
  Effect.gen(function*() {
    const { execution, owner, repository, taker } = yield* opened
    const insert = Effect.provide(Kit.createStep(execution, "late"), owner)
    yield* meanwhile(owner, insert, repositoryOf(taker).close(execution.id, END))
    const [step] = yield* repository.stepExecutions(execution.id)
    assert.strictEqual(step?.status, "FAILED")
    const lost = yield* Effect.flip(repository.updateStepExecution(execution, step!))
    assert.strictEqual(lost._tag, "OwnershipLost")
  }))

it.scoped("a step cannot be inserted behind a take-over that has not committed yet (P2)", () =>
  Effect.gen(function*() {
    const { execution, owner, repository, taker } = yield* opened
    const insert = Effect.provide(Kit.createStep(execution, "late"), owner)
    const lost = yield* Effect.flip(meanwhile(taker, takeOver(taker, execution.id), insert))
    assert.strictEqual(lost._tag, "OwnershipLost")
    assert.deepStrictEqual(yield* repository.stepExecutions(execution.id), [])
  }))

it.scoped("a commit of the owner and a take-over: the later one sees the earlier one (P2, LEASE-3)", () =>
  Effect.gen(function*() {
    const { execution, owner, repository, taker } = yield* opened
    const step = yield* Effect.provide(Kit.createStep(execution, "load"), owner)
    const committed = { ...step, counts: { ...step.counts, read: 5, commit: 1 } }
    const save = repository.updateStepExecution(execution, committed, step)
    yield* meanwhile(owner, save, repositoryOf(taker).close(execution.id, END))
    const [stored] = yield* repository.stepExecutions(execution.id)
    assert.deepStrictEqual([stored?.status, stored?.counts.read], ["FAILED", 5])
  }))

it.scoped("the commit of a step does not wait for another one that renews the lease (REPO-20)", () =>
  Effect.gen(function*() {
    const { execution, owner, repository } = yield* opened
    const [one, other] = yield* Effect.provide(
      Effect.all([Kit.createStep(execution, "one"), Kit.createStep(execution, "other")]),
      owner
    )
    yield* repository.renewLease(execution, 1000)
    const { transact } = Context.get(owner, Transactor.Transactor)
    const go = yield* Deferred.make<void>()
    const beside = yield* Effect.fork(Effect.zipRight(
      Deferred.await(go),
      repository.updateStepExecution(execution, { ...other, status: "COMPLETED" })
    ))
    // One has renewed the lease, and holds its row until it commits.
    yield* transact(Effect.zipRight(
      repository.updateStepExecution(execution, one),
      Effect.zipRight(Deferred.succeed(go, undefined), Fiber.join(beside))
    ))
    const stored = yield* repository.stepExecutions(execution.id)
    assert.deepStrictEqual(stored.map(({ status }) => status), ["STARTED", "COMPLETED"])
  }))

it.scoped("a take-over that has not committed yet keeps the owner from every write (P2, LEASE-3)", () =>
  Effect.gen(function*() {
    const writes = {
      updateStepExecution: "the step",
      updateJobExecution: "the execution",
      renewLease: "the lease"
    } as const
    for (const write of Object.keys(writes) as ReadonlyArray<keyof typeof writes>) {
      const { execution, owner, repository, taker } = yield* opened
      const step = yield* Effect.provide(Kit.createStep(execution, "load"), owner)
      const save = {
        updateStepExecution: repository.updateStepExecution(execution, { ...step, status: "COMPLETED" }),
        updateJobExecution: repository.updateJobExecution({ ...execution, status: "COMPLETED" }),
        renewLease: repository.renewLease(execution, 60_000)
      }[write]
      const lost = yield* Effect.flip(meanwhile(taker, takeOver(taker, execution.id), save))
      assert.strictEqual(lost._tag, "OwnershipLost", writes[write])
      const [stored] = yield* repository.stepExecutions(execution.id)
      const closed = yield* repository.jobExecution(execution.id)
      assert.deepStrictEqual([stored?.status, closed.status], ["FAILED", "FAILED"], writes[write])
    }
  }))

it.scoped("a request to stop that comes while the end of the execution is being stored is told of that, and changes nothing (STOP-2)", () =>
  Effect.gen(function*() {
    for (const status of ["COMPLETED", "STARTED"] as const) {
      const { execution, owner, repository, taker } = yield* opened
      const save = repositoryOf(owner).updateJobExecution({ ...execution, status })
      const before = yield* meanwhile(owner, save, repositoryOf(taker).requestStop(execution.id))
      assert.strictEqual(before, status)
      const stored = yield* repository.jobExecution(execution.id)
      assert.strictEqual(stored.status, status === "STARTED" ? "STOPPING" : status)
    }
  }))

it.scoped("an execution that is launched while its instance is purged stands in an instance that exists (PURGE-1)", () =>
  Effect.gen(function*() {
    const { execution, owner, repository, taker } = yield* opened
    const jobName = execution.instance.jobName
    yield* Effect.provide(Kit.setStatus(execution, "FAILED"), owner)
    const launch = Effect.provide(Kit.launch(jobName), taker)
    const sql = Context.get(owner, SqlClient.SqlClient)
    const purge = Effect.all([
      sql`select id from batch_job_instance where id = ${execution.instance.id} for update`,
      sql`delete from batch_job_execution where id = ${execution.id}`,
      sql`delete from batch_job_instance where id = ${execution.instance.id}`
    ], { discard: true })
    const launched = yield* meanwhile(owner, purge, launch)
    const [instance] = yield* repository.jobInstances({ jobName })
    assert.strictEqual(launched.instance.id, instance?.id)
  }))

it.scoped("a purge leaves an instance alone that another process has just launched (PURGE-1)", () =>
  Effect.gen(function*() {
    const { execution, owner, repository, taker } = yield* opened
    const jobName = execution.instance.jobName
    yield* Effect.provide(Kit.setStatus(execution, "FAILED"), owner)
    // A launch has a transaction of its own; its first statement locks the instance.
    const sql = Context.get(owner, SqlClient.SqlClient)
    const lock = sql`update batch_job_instance set job_name = job_name where id = ${execution.instance.id}`
    const running = Effect.zipRight(
      lock,
      sql`insert into batch_job_execution (job_instance_id, status, exit_code, exit_message, create_time, last_updated,
        context, epoch, lease_millis) select job_instance_id, 'STARTED', 'UNKNOWN', '', now(), now(), '{}', 1, 1000
        from batch_job_execution where id = ${execution.id}`
    )
    const deleted = yield* meanwhile(owner, running, repositoryOf(taker).deleteJobExecutions([execution.id]))
    assert.strictEqual(deleted, 0)
    assert.strictEqual((yield* repository.jobExecutions({ jobName })).length, 2)
  }))

it.scopedLive("an insert of a step that comes true behind the look for it leaves no second row (OWN-21)", () =>
  Effect.gen(function*() {
    const { execution, owner, taker } = yield* opened
    const create = Kit.createStep(execution, "load", { place: "load", round: "1" })
    const answered = yield* meanwhile(owner, Effect.provide(create, owner), Effect.provide(create, taker))
    const stored = yield* repositoryOf(taker).stepExecutions(execution.id)
    assert.deepStrictEqual(stored.map(({ id }) => id), [answered.id])
  }))

it.scopedLive("a step does not begin behind a request to stop that was made before it, and not committed yet (HAND-1, STOP-4)", () =>
  Effect.gen(function*() {
    const { execution, owner, repository, taker } = yield* opened
    const stop = Context.get(taker, SqlClient.SqlClient)`
      update batch_job_execution set status = 'STOPPING' where id = ${execution.id}`
    const create = repository.createStepExecution(execution, {
      stepName: "load",
      place: "load",
      round: "1",
      context: execution.context,
      checkpoint: Option.none()
    })
    assert.isTrue(Option.isNone(yield* meanwhile(taker, stop, Effect.provide(create, owner))))
    assert.deepStrictEqual(yield* repository.stepExecutions(execution.id), [])
  }))

const envOf = (process: Process) =>
  Effect.map(Effect.provide(Database.make, process), (database) => Env.make(database, "batch_"))

it.scoped("a plan is closed behind who is just taking a partition of it, and none is taken behind its close (PART-4)", () =>
  Effect.gen(function*() {
    const [parent, worker] = yield* processes
    const { execution, partitions, planId } = yield* Effect.provide(Partitioning.planned(["a", "b"]), parent)
    const sql = Context.get(parent, SqlClient.SqlClient)
    const close = partitions.close(planId, execution.id)
    const { take } = PartitionRows.partitions(yield* envOf(worker))
    const taken = sql`select ordinal from batch_partition where waiting is null`
    assert.lengthOf(yield* meanwhile(worker, take(planId), Effect.zipRight(close, taken)), 1)
    yield* sql`update batch_partition_plan set is_open = true`
    const refused = yield* meanwhile(parent, close, repositoryOf(worker).partitions.claim(planId, Partitioning.request))
    assert.isTrue(Option.isNone(refused))
  }))

it.scoped("two who take a partition at the same time take two, and neither waits for the other one (PART-4)", () =>
  Effect.gen(function*() {
    const [parent, worker] = yield* processes
    const { planId } = yield* Effect.provide(Partitioning.planned(["a", "b"]), parent)
    const take = (process: Process) =>
      Effect.flatMap(envOf(process), (env) => PartitionRows.partitions(env).take(planId))
    const nobodyWaits = Effect.map(statementsThatWait(worker), (waiting) => assert.strictEqual(waiting, 0))
    const second = yield* meanwhile(worker, take(worker), take(parent), nobodyWaits)
    assert.strictEqual(second?.partition.name, "b")
  }))

it.scoped("take-overs of several executions lock them in one order, wherever their rows lie, so none waits in a circle (P2)", () =>
  Effect.gen(function*() {
    const [holder, closer] = yield* processes
    const sql = Context.get(holder, SqlClient.SqlClient)
    const [first, second] = yield* Effect.provide(Effect.all([Kit.launchFresh(), Kit.launchFresh()]), holder)
    // From now on it lies behind the second one, where whoever goes through the table finds it last.
    const lock = sql`update batch_job_execution set owner = owner where id = ${first.id}`
    yield* lock
    const own = Context.get(closer, SqlClient.SqlClient)
    const close = JobRows.close(yield* envOf(closer))([first.id, second.id], {
      status: "FAILED",
      exitCode: "OWNER_DIED",
      exitMessage: "",
      endTime: 0
    })
    const closing = Context.get(closer, Transactor.Transactor).transact(Effect.all([
      own`set local enable_indexscan = off`,
      own`set local enable_bitmapscan = off`,
      close
    ]))
    const isFree = sql`select 1 from batch_job_execution where id = ${second.id} for update nowait`
    yield* meanwhile(holder, lock, closing, isFree)
    assert.strictEqual((yield* repositoryOf(holder).jobExecution(second.id)).status, "FAILED")
  }))
