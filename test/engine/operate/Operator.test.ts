/**
 * What operators do and ask, on every repository: abandon, recover, start the next one, purge, look.
 */
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import {
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobParameters,
  JobRepository,
  Step
} from "../../../src/index.js"
import { drivers } from "../../support/drivers.js"

class Params extends JobParameters.Tag<Params>()("Params", {
  day: Schema.Number,
  note: JobParameters.nonIdentifying(Schema.optionalWith(Schema.String, { exact: true, default: () => "" }))
}) {}

const failing = (name: string) => Job.make(name, { flow: Step.tasklet("break", Effect.fail("broken")) })
const done = (name: string) => Job.make(name, { flow: Step.tasklet("only", Effect.void) })

/** A job that waits in its reader, where no transaction is open: for SQLite, which has only one connection. */
const waiting = (name: string) =>
  Effect.gen(function*() {
    const begun = yield* Deferred.make<void>()
    const gate = yield* Deferred.make<void>()
    const reader = ItemReader.make("gate", () =>
      Effect.succeed({
        pull: () =>
          Deferred.succeed(begun, undefined).pipe(
            Effect.zipRight(Deferred.await(gate)),
            Effect.as({ items: [1], position: 1, failure: Option.none(), done: true })
          )
      }))
    const written: Array<number> = []
    const job = Job.make(name, {
      flow: Step.chunk("wait", { reader, writer: ItemWriter.inMemory(written), chunkSize: 1 })
    })
    return { begun, gate, job, written }
  })

/** A row that looks as after a `kill -9`: STARTED, with a step, and a lease that is over. */
const dead = (jobName: string) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository.JobRepository
    const launched = yield* repository.launch({
      jobName,
      parameters: [],
      restartable: true,
      owner: "nobody",
      leaseMillis: -1000,
      isOwnerGone: () => false
    })
    yield* repository.updateJobExecution({ ...launched, status: "STARTED" })
    yield* repository.createStepExecution(launched, {
      stepName: "only",
      context: launched.context,
      checkpoint: Option.none()
    })
    return launched.id
  })

for (const driver of drivers) {
  describe(`operating jobs (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("a failed execution is given up, and its instance refuses to run (ABANDON-1, ABANDON-2)", () =>
        Effect.gen(function*() {
          const failed = yield* JobOperator.run(failing("given-up"), {})
          const abandoned = yield* JobOperator.abandon(failed.id)
          assert.deepStrictEqual([abandoned.status, abandoned.exitStatus.code], ["ABANDONED", "FAILED"])
          assert.include(abandoned.exitStatus.messages.join(), "abandoned by an operator")
          assert.strictEqual((yield* JobOperator.abandon(failed.id)).status, "ABANDONED")
          const refused = yield* Effect.flip(JobOperator.run(failing("given-up"), {}))
          assert.deepInclude(refused, { _tag: "JobInstanceAlreadyComplete", status: "ABANDONED" })
        }))

      it.effect("not while it runs, and not when it is complete (ABANDON-1)", () =>
        Effect.gen(function*() {
          const { begun, job } = yield* waiting("busy")
          yield* Effect.scoped(Effect.gen(function*() {
            const running = yield* JobOperator.start(job, {})
            yield* Deferred.await(begun)
            const refused = yield* Effect.flip(JobOperator.abandon(running.execution.id))
            assert.strictEqual(refused._tag, "JobExecutionAlreadyRunning")
          }))
          const complete = yield* JobOperator.run(done("complete"), {})
          const nothing = yield* Effect.flip(JobOperator.abandon(complete.id))
          assert.strictEqual(nothing._tag, "JobInstanceAlreadyComplete")
          assert.match(nothing.message, /is COMPLETED already \(execution \d+\): there is nothing to abandon$/)
        }))

      it.effect("a dead execution becomes FAILED with its steps; again, or when complete, nothing happens (RECOVER-1, C17)", () =>
        Effect.gen(function*() {
          const id = yield* dead("killed")
          const recovered = yield* JobOperator.recover(id, { reason: "power cut" })
          assert.deepStrictEqual([recovered.status, recovered.exitStatus.code], ["FAILED", "OWNER_DIED"])
          assert.include(recovered.exitStatus.messages.join(), "power cut")
          assert.strictEqual(recovered.endTime._tag, "Some")
          const [step] = yield* JobOperator.steps(id)
          assert.deepStrictEqual([step?.status, step?.endTime._tag], ["FAILED", "Some"])
          assert.deepStrictEqual(yield* JobOperator.recover(id), recovered)
          const restarted = yield* JobOperator.run(done("killed"), {})
          assert.strictEqual(restarted.status, "COMPLETED")
          assert.strictEqual((yield* JobOperator.recover(restarted.id)).status, "COMPLETED")
        }))

      it.effect("a dead execution that had been asked to stop becomes STOPPED, and may be restarted (RECOVER-1, D16)", () =>
        Effect.gen(function*() {
          const asked = yield* dead("asked")
          yield* JobOperator.stop(asked)
          const recovered = yield* JobOperator.recover(asked)
          assert.deepStrictEqual([recovered.status, recovered.exitStatus.code], ["STOPPED", "OWNER_DIED"])
          const also = yield* dead("also asked")
          yield* JobOperator.stop(also)
          const all = yield* JobOperator.recoverExpired({ jobName: "also asked" })
          assert.deepStrictEqual(all.map(({ id, status }) => [id, status]), [[also, "STOPPED"]])
          assert.strictEqual((yield* JobOperator.run(done("asked"), {})).status, "COMPLETED")
        }))

      it.effect("an execution whose owner lives is left alone, unless forced; the owner then commits nothing more (RECOVER-1)", () =>
        Effect.gen(function*() {
          const { begun, gate, job, written } = yield* waiting("forced")
          const running = yield* Effect.fork(Effect.flip(JobOperator.run(job, {})))
          yield* Deferred.await(begun)
          const [row] = yield* JobOperator.executions({ jobName: "forced" })
          const refused = yield* Effect.flip(JobOperator.recover(row!.id))
          assert.strictEqual(refused._tag, "JobExecutionAlreadyRunning")
          const forced = yield* JobOperator.recover(row!.id, { force: true })
          assert.deepStrictEqual([forced.status, forced.exitStatus.code], ["FAILED", "RECOVERED"])
          yield* Deferred.succeed(gate, undefined)
          assert.strictEqual((yield* Fiber.join(running))._tag, "OwnershipLost")
          assert.deepStrictEqual(written, [])
          assert.strictEqual((yield* JobOperator.execution(row!.id)).status, "FAILED")
        }))

      it.effect("a refused launch says which execution runs, where, since when, and what to do (LAUNCH-4)", () =>
        Effect.gen(function*() {
          const { begun, gate, job } = yield* waiting("here")
          const running = yield* Effect.fork(JobOperator.run(job, {}))
          yield* Deferred.await(begun)
          const [row] = yield* JobOperator.executions({ jobName: "here" })
          const since = DateTime.formatIso(Option.getOrThrow(row!.startTime))
          const explained = yield* JobOperator.explain(job, {})
          const refusals = [
            yield* Effect.flip(JobOperator.run(job, {})),
            yield* Effect.flip(JobOperator.recover(row!.id)),
            yield* Effect.flip(JobOperator.abandon(row!.id)),
            ...(explained._tag === "Refused" ? [explained.error] : [])
          ]
          assert.deepStrictEqual(
            refusals.map(({ message }) => message),
            Array<string>(4).fill(
              `Job "here" is already running as execution ${row!.id} in this very process since ${since}: ` +
                "wait for it or stop it"
            )
          )
          yield* Deferred.succeed(gate, undefined)
          assert.strictEqual((yield* Fiber.join(running)).status, "COMPLETED")

          const repository = yield* JobRepository.JobRepository
          const elsewhere = yield* repository.launch({
            jobName: "elsewhere",
            parameters: [],
            restartable: true,
            owner: "host-1:42:boot:start",
            leaseMillis: 60_000,
            isOwnerGone: () => false
          })
          const refused = yield* Effect.flip(JobOperator.run(done("elsewhere"), {}))
          assert.include(refused.message, `execution ${elsewhere.id} in process 42 on host-1 since `)
          assert.match(
            refused.message,
            /: wait for it or stop it; if its process is dead, it can be taken over in \d+ s$/
          )
        }))

      it.effect("recoverExpired recovers all that are dead, and nothing else", () =>
        Effect.gen(function*() {
          const ids = [yield* dead("boot-1"), yield* dead("boot-2")]
          const failed = yield* JobOperator.run(failing("boot-3"), {})
          const recovered = yield* JobOperator.recoverExpired()
          assert.includeMembers(recovered.map(({ id }) => id), ids)
          assert.notInclude(recovered.map(({ id }) => id), failed.id)
          assert.deepStrictEqual(yield* JobOperator.recoverExpired(), [])
        }))

      it.effect("each next instance counts up, keeps the other parameters and takes overrides (NEXT-1, INC-2, C13)", () =>
        Effect.gen(function*() {
          const job = Job.make("next", { parameters: Params, flow: Step.tasklet("only", Effect.void) })
          const missing = yield* Effect.flip(JobOperator.runNext(job, { incrementer: JobParameters.runId }))
          assert.strictEqual(missing._tag, "InvalidJobParameters")
          const runs = [
            yield* JobOperator.runNext(job, { incrementer: JobParameters.runId, overrides: { day: 7, note: "first" } }),
            yield* JobOperator.runNext(job, { incrementer: JobParameters.runId }),
            yield* JobOperator.runNext(job, { incrementer: JobParameters.runId, overrides: { day: 8 } })
          ]
          assert.deepStrictEqual(runs.map(({ parameters }) => JobParameters.format(parameters)), [
            "run.id=1 day=7 note=first",
            "run.id=2 day=7 note=first",
            "run.id=3 day=8 note=first"
          ])
          assert.strictEqual(new Set(runs.map(({ instance }) => instance.id)).size, 3)
          const unknown = { dya: 1 } as object
          assert.include(
            (yield* Effect.flip(JobOperator.runNext(job, { incrementer: JobParameters.runId, overrides: unknown })))
              .message,
            "dya is not a parameter"
          )
        }))

      it.effect("the incrementer of the job computes the parameters that runNext is not given, and run does not use it (NEXT-1, INC-1)", () =>
        Effect.gen(function*() {
          const job = Job.make("daily", {
            parameters: Params,
            flow: Step.tasklet("only", Effect.void),
            incrementer: JobParameters.incrementer(
              Params,
              Option.match({ onNone: () => ({ day: 1 }), onSome: ({ day }) => ({ day: day + 1 }) })
            )
          })
          const runs = [
            yield* JobOperator.runNext(job, { overrides: { note: "first" } }),
            yield* JobOperator.runNext(job),
            yield* JobOperator.run(job, { day: 10, note: "given" }),
            yield* JobOperator.runNext(job),
            yield* JobOperator.runNext(job, { incrementer: JobParameters.runId })
          ]
          assert.deepStrictEqual(runs.map(({ parameters }) => JobParameters.format(parameters)), [
            "day=1 note=first",
            "day=2 note=first",
            "day=10 note=given",
            "day=11 note=given",
            "day=11 note=given run.id=1"
          ])
        }))

      it.effect("without an incrementer there is no next instance, and nothing is written (NEXT-1, C13)", () =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(JobOperator.runNext(done("no-incrementer")))
          assert.strictEqual(error._tag, "InvalidJobParameters")
          assert.strictEqual(
            error.message,
            "The parameters of job \"no-incrementer\" are not valid: the parameters of the next instance cannot be " +
              "computed without an incrementer: give one to Job.make or to runNext"
          )
          assert.deepStrictEqual(yield* JobOperator.instances({ jobName: "no-incrementer" }), [])
        }))

      it.effect("an incrementer that cannot go on refuses (NEXT-1)", () =>
        Effect.gen(function*() {
          const never: JobParameters.Incrementer = () =>
            Either.flatMap(JobParameters.runId(Option.none()), () => Either.left(refusal))
          const error = yield* Effect.flip(JobOperator.runNext(done("no-next"), { incrementer: never }))
          assert.strictEqual(error._tag, "InvalidJobParameters")
          assert.deepStrictEqual(yield* JobOperator.executions({ jobName: "no-next" }), [])
        }))

      it.effect("a restart uses all parameters of the execution, including those of an incrementer (RESTART-1)", () =>
        Effect.gen(function*() {
          let broken = true
          const job = Job.make("restarted", {
            flow: Step.tasklet("once", Effect.suspend(() => broken ? Effect.fail("broken") : Effect.void))
          })
          const failed = yield* JobOperator.runNext(job, { incrementer: JobParameters.runId })
          broken = false
          const restarted = yield* JobOperator.restart(job, failed.id)
          assert.strictEqual(restarted.status, "COMPLETED")
          assert.strictEqual(restarted.instance.id, failed.instance.id)
          assert.deepStrictEqual(restarted.parameters, failed.parameters)
        }))

      it.effect("a restart of an execution of another job is refused, and begins nothing (RESTART-1)", () =>
        Effect.gen(function*() {
          const { id } = yield* JobOperator.run(failing("nightly"), {})
          const other = done("other than nightly")
          for (
            const refused of [
              yield* Effect.flip(JobOperator.restart(other, id)),
              yield* Effect.flip(JobOperator.startAgain(other, id))
            ]
          ) {
            assert.strictEqual(
              refused.message,
              `Job "other than nightly" cannot be restarted after execution ${id}: that is an execution of job "nightly"`
            )
          }
          assert.deepStrictEqual(yield* JobOperator.executions({ jobName: other.name }), [])
        }).pipe(Effect.scoped))

      it.effect("streamExecutions emits every execution once, newest first, whatever the page size", () =>
        Effect.gen(function*() {
          const job = failing("paged")
          yield* Effect.replicateEffect(JobOperator.run(job, {}), 7)
          for (const limit of [1, 3, 7, 100]) {
            const ids = yield* Stream.runCollect(JobOperator.streamExecutions({ jobName: "paged", limit }))
            const listed = [...ids].map(({ id }) => id)
            assert.deepStrictEqual(listed, [...listed].sort((a, b) => b - a))
            assert.strictEqual(new Set(listed).size, 7)
          }
        }))

      it.effect("summary says in one line each what job and steps did", () =>
        Effect.gen(function*() {
          const failed = yield* JobOperator.run(failing("told"), {})
          const { steps, text } = yield* JobOperator.summary(failed.id)
          assert.strictEqual(text, `told execution ${failed.id} FAILED in 0.0 s`)
          assert.deepStrictEqual(steps.map(({ text }) => text), [
            "break FAILED: 0 read, 0 written, 0 commits, 1 rollback in 0.0 s"
          ])
        }))

      it.effect("purge: whole instances by status and number to keep; a dry run deletes nothing", () =>
        Effect.gen(function*() {
          const job = Job.make("purged", {
            parameters: Params,
            flow: Step.tasklet(
              "odd",
              Effect.flatMap(Params, ({ day }) => day % 2 === 0 ? Effect.fail("even day") : Effect.void)
            )
          })
          for (const day of [1, 2, 2, 3, 4, 5]) {
            yield* JobOperator.run(job, { day, note: "" })
          }
          const days = Effect.map(
            JobOperator.executions({ jobName: "purged" }),
            (rows) => rows.map(({ parameters }) => Number(parameters[0]?.value))
          )
          const planned = yield* JobOperator.purge({ jobName: "purged", keepLast: 2, dryRun: true })
          assert.deepStrictEqual([planned.instances.length, planned.deleted], [2, 0])
          assert.deepStrictEqual(yield* days, [5, 4, 3, 2, 2, 1])
          const done = yield* JobOperator.purge({ jobName: "purged", keepLast: 2 })
          assert.strictEqual(done.deleted, 2)
          assert.deepStrictEqual(yield* days, [5, 4, 2, 2])
          yield* JobOperator.purge({ jobName: "purged", olderThan: "1 hour", statuses: ["FAILED", "COMPLETED"] })
          assert.deepStrictEqual(yield* days, [5, 4, 2, 2])
          const failed = yield* JobOperator.purge({ jobName: "purged", statuses: ["FAILED"] })
          assert.deepStrictEqual(failed.instances.map(({ executionIds }) => executionIds.length), [1, 2])
          assert.deepStrictEqual(yield* days, [5])
          assert.strictEqual((yield* JobOperator.run(job, { day: 1, note: "" })).status, "COMPLETED")
        }))

      it.effect("purge: the history of an instance that runs stays, even if the purge was planned before", () =>
        Effect.gen(function*() {
          const failed = yield* JobOperator.run(failing("raced"), {})
          const { begun, job } = yield* waiting("raced")
          yield* Effect.scoped(Effect.gen(function*() {
            yield* JobOperator.start(job, {})
            yield* Deferred.await(begun)
            const purged = yield* JobOperator.purge({ jobName: "raced", statuses: ["FAILED"] })
            assert.deepStrictEqual(purged, { instances: [], deleted: 0 })
            // as a purge that had selected the instance before it was restarted
            const repository = yield* JobRepository.JobRepository
            assert.strictEqual(yield* repository.deleteJobExecutions([failed.id]), 0)
          }))
        }))

      it.effect("purge: a child goes with its root, so a restart of that runs nothing again that had completed (PURGE-1)", () =>
        Effect.gen(function*() {
          const ran: Array<string> = []
          const child = Job.make("purged child", { flow: Step.tasklet("load", Effect.sync(() => ran.push("load"))) })
          let isBroken = true
          const report = Step.tasklet(
            "report",
            Effect.suspend(() => isBroken ? Effect.fail("no printer") : Effect.void)
          )
          const root = Job.make("purged root", { flow: Step.job("child", child).pipe(Flow.andThen(report)) })
          const failed = yield* JobOperator.run(root, {})
          const [inner] = yield* JobOperator.executions({ jobName: "purged child" })
          assert.deepStrictEqual(inner?.parent, { executionId: failed.id, instanceId: failed.instance.id })
          const purged = yield* JobOperator.purge({ jobName: "purged child", keepLast: 0 })
          assert.deepStrictEqual(purged, { instances: [], deleted: 0 })
          isBroken = false
          assert.strictEqual((yield* JobOperator.run(root, {})).status, "COMPLETED")
          assert.deepStrictEqual(ran, ["load"])
          assert.strictEqual((yield* JobOperator.purge({ jobName: "purged root" })).deleted, 3)
          assert.deepStrictEqual(yield* JobOperator.executions({ jobName: "purged child" }), [])
        }))

      it.effect("eventsOf emits the events of one execution, and ends with it", () =>
        Effect.gen(function*() {
          const { begun, gate, job } = yield* waiting("watched")
          yield* Effect.scoped(Effect.gen(function*() {
            const running = yield* JobOperator.start(job, {})
            yield* Deferred.await(begun)
            const watcher = yield* Effect.fork(Stream.runCollect(JobOperator.eventsOf(running.execution.id)))
            yield* Effect.yieldNow()
            yield* Deferred.succeed(gate, undefined)
            yield* running.await
            const tags = [...yield* Fiber.join(watcher)].map(({ _tag }) => _tag)
            assert.deepStrictEqual(tags, ["ChunkCommitted", "StepEnded", "JobEnded"])
          }))
        }))
    })
  })
}

const refusal = Either.getOrThrow(
  Either.flip(JobParameters.decodeUnknown(Params, {}))
)
