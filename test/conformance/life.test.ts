/**
 * Rules about the life of jobs and steps that no other test is named after.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Running from "../../src/engine/session/running.js"
import {
  BatchError,
  ExecutionContext,
  ExitStatus,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobParameters,
  JobRepository,
  JobScope,
  Listener,
  Step,
  StepScope,
  Tasklet
} from "../../src/index.js"
import { drivers } from "../support/drivers.js"

const stepsOf = (executionId: number) =>
  Effect.map(JobOperator.steps(executionId), (steps) => steps.map((step) => `${step.stepName} ${step.status}`))

const total = ExecutionContext.key("total", Schema.Number)

for (const driver of drivers) {
  describe(`rules about jobs (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("STARTED and its time are stored before beforeJob, the end time at the end (LIFE-3, LIFE-11, LIFE-16)", () =>
        Effect.gen(function*() {
          const seen: Array<unknown> = []
          const job = Job.make("life-3", {
            flow: Step.tasklet(
              "only",
              Effect.flatMap(JobScope.get(total), (value) => Effect.sync(() => seen.push(value)))
            ),
            listeners: [{
              beforeJob: ({ id }) =>
                Effect.gen(function*() {
                  const stored = yield* JobOperator.execution(id)
                  seen.push(stored.status, Option.isSome(stored.startTime), Option.isSome(stored.endTime))
                  yield* JobScope.set(total, 7)
                })
            }]
          })
          const { id } = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(seen, ["STARTED", true, false, Option.some(7)])
          assert.isTrue(Option.isSome((yield* JobOperator.execution(id)).endTime))
        }))

      it.effect("asked to stop before it began, it calls no listener and starts no step (LIFE-5, STOP-6)", () =>
        Effect.gen(function*() {
          const calls: Array<string> = []
          const job = Job.make("life-5", {
            flow: Step.tasklet("only", Effect.sync(() => calls.push("step"))),
            listeners: [{ beforeJob: () => Effect.sync(() => void calls.push("before")) }]
          })
          const execution = yield* JobOperator.run(job, {}).pipe(
            Effect.provideService(Running.Running, { ...Running.make(), closing: true })
          )
          assert.deepStrictEqual([execution.status, execution.exitStatus.code], ["STOPPED", "NOOP"])
          assert.deepStrictEqual(calls, [])
          assert.deepStrictEqual(yield* stepsOf(execution.id), [])
        }))

      it.effect("start returns the execution at once, await returns its end (LAUNCH-1)", () =>
        Effect.scoped(Effect.gen(function*() {
          const go = yield* Deferred.make<void>()
          const job = Job.make("launch-1", { flow: Step.tasklet("waits", Deferred.await(go)) })
          const running = yield* JobOperator.start(job, {})
          assert.include(["STARTING", "STARTED"], (yield* JobOperator.execution(running.execution.id)).status)
          yield* Deferred.succeed(go, undefined)
          assert.strictEqual((yield* running.await).status, "COMPLETED")
        })))

      it.effect("a complete instance of a job that is not restartable is complete, not refused as restart (LAUNCH-3)", () =>
        Effect.gen(function*() {
          const job = Job.make("launch-3", { flow: Step.tasklet("only", Effect.void), restartable: false })
          yield* JobOperator.run(job, {})
          assert.strictEqual((yield* Effect.flip(JobOperator.run(job, {})))._tag, "JobInstanceAlreadyComplete")
        }))

      it.effect("a refusal tells the parameters that make the instance, and no others (LAUNCH-4)", () =>
        Effect.gen(function*() {
          class Params extends JobParameters.Tag<Params>()("Params", {
            day: Schema.String,
            note: JobParameters.nonIdentifying(Schema.String)
          }) {}
          const job = Job.make("launch-4", { parameters: Params, flow: Step.tasklet("only", Effect.void) })
          yield* JobOperator.run(job, { day: "mon", note: "first" })
          const error = yield* Effect.flip(JobOperator.run(job, { day: "mon", note: "second" }))
          assert.include(error.message, `Job "launch-4" with parameters day=mon is COMPLETED already`)
        }))

      it.effect("run uses the given parameters, also between runs of runNext (LAUNCH-13)", () =>
        Effect.gen(function*() {
          class Params extends JobParameters.Tag<Params>()("Params", { day: Schema.String }) {}
          const job = Job.make("launch-13", { parameters: Params, flow: Step.tasklet("only", Effect.void) })
          yield* JobOperator.runNext(job, { incrementer: JobParameters.runId, overrides: { day: "mon" } })
          const given = yield* JobOperator.run(job, { day: "tue" })
          assert.strictEqual(JobParameters.format(given.parameters), "day=tue")
        }))

      it.effect("parameters that the job takes no more refuse the restart, and nothing is written (LIFE-2, VALID-1)", () =>
        Effect.gen(function*() {
          const flow = Step.tasklet("only", Effect.fail("no"))
          class Before extends JobParameters.Tag<Before>()("Before", { day: Schema.String }) {}
          class After extends JobParameters.Tag<After>()("After", { day: Schema.Number }) {}
          const { id } = yield* JobOperator.run(Job.make("life-2", { parameters: Before, flow }), { day: "mon" })
          const error = yield* Effect.flip(JobOperator.restart(Job.make("life-2", { parameters: After, flow }), id))
          assert.strictEqual(error._tag, "InvalidJobParameters")
          assert.deepStrictEqual((yield* JobOperator.executions({ jobName: "life-2" })).map((row) => row.id), [id])
        }))

      it.effect("runNext fails with the errors of a launch (NEXT-2)", () =>
        Effect.gen(function*() {
          class Params extends JobParameters.Tag<Params>()("Params", { day: Schema.String }) {}
          const go = yield* Deferred.make<void>()
          const job = Job.make("next-2", { parameters: Params, flow: Step.tasklet("waits", Deferred.await(go)) })
          const same: JobParameters.Incrementer = (last) => Either.right(Option.getOrElse(last, () => []))
          const next = Effect.flip(JobOperator.runNext(job, { incrementer: same, overrides: { day: "mon" } }))
          yield* Effect.scoped(Effect.gen(function*() {
            const running = yield* JobOperator.start(job, { day: "mon" })
            assert.strictEqual((yield* next)._tag, "JobExecutionAlreadyRunning")
            yield* Deferred.succeed(go, undefined)
            yield* running.await
          }))
          assert.strictEqual((yield* next)._tag, "JobInstanceAlreadyComplete")
        }))

      it.effect("the job's context is stored with each commit of a step that changed it, and after a decision (CTX-7)", () =>
        Effect.gen(function*() {
          const stored: Array<number> = []
          const look = Effect.gen(function*() {
            const { context } = yield* Effect.flatMap(JobScope.execution, ({ id }) => JobOperator.execution(id))
            stored.push(Option.getOrElse(yield* ExecutionContext.get(context, total), () => 0))
          })
          let calls = 0
          const counting = Step.tasklet(
            "counting",
            look.pipe(
              Effect.zipRight(Effect.suspend(() => JobScope.set(total, ++calls))),
              Effect.map(() => Tasklet.continueIf(calls < 3))
            )
          )
          const flow = counting.pipe(
            Flow.andThen(Flow.decide("raise", ["ON"], () => Effect.as(JobScope.set(total, 10), "ON" as const))),
            Flow.match({ ON: Step.tasklet("looking", look) })
          )
          const execution = yield* JobOperator.run(Job.make("ctx-7", { flow }), {})
          assert.strictEqual(execution.status, "COMPLETED", execution.exitStatus.messages.join())
          assert.deepStrictEqual(stored, [0, 1, 2, 10])
        }))

      it.effect("restart refuses an execution whose instance is complete (RESTART-5)", () =>
        Effect.gen(function*() {
          const job = Job.make("restart-5", { flow: Step.tasklet("only", Effect.void) })
          const { id } = yield* JobOperator.run(job, {})
          assert.strictEqual((yield* Effect.flip(JobOperator.restart(job, id)))._tag, "JobInstanceAlreadyComplete")
        }))

      it.effect("andThen follows the status; the job ends with the exit status of its last step (SIMPLE-1, SIMPLE-2, LIFE-20)", () =>
        Effect.gen(function*() {
          const first = Step.tasklet("first", Effect.succeed(Tasklet.finishedWith("FAILED")))
          const last = Step.tasklet("last", StepScope.addExitStatus(ExitStatus.make("ODD", "who knows")))
          const execution = yield* JobOperator.run(Job.make("simple-1", { flow: first.pipe(Flow.andThen(last)) }), {})
          assert.deepStrictEqual(yield* stepsOf(execution.id), ["first COMPLETED", "last COMPLETED"])
          assert.strictEqual(execution.status, "COMPLETED")
          assert.deepStrictEqual(execution.exitStatus, ExitStatus.make("ODD", "who knows"))
        }))

      it.effect("a job that is asked to stop starts no further step (HAND-1)", () =>
        Effect.gen(function*() {
          const first = Step.tasklet(
            "first",
            Effect.flatMap(JobScope.execution, ({ id }) => Effect.ignore(JobOperator.stop(id)))
          )
          const job = Job.make("hand-1", { flow: first.pipe(Flow.andThen(Step.tasklet("second", Effect.void))) })
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(execution.status, "STOPPED")
          assert.deepStrictEqual(yield* stepsOf(execution.id), ["first STOPPED"])
        }))

      it.effect("one decider stands in two places (FLOW-52)", () =>
        Effect.gen(function*() {
          let asked = 0
          const decider = Flow.decide("which", ["A", "B"], () => Effect.sync(() => ++asked === 1 ? "A" : "B"))
          const job = Job.make("flow-52", {
            flow: decider.pipe(Flow.match({
              A: Step.tasklet("a", Effect.void).pipe(
                Flow.andThen(decider),
                Flow.match({ A: Flow.fail(), B: Flow.end("TWICE") })
              ),
              B: Flow.fail()
            }))
          })
          assert.strictEqual((yield* JobOperator.run(job, {})).exitStatus.code, "TWICE")
        }))
    })
  })

  describe(`rules about steps (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("a step is stored as STARTED, then come beforeStep, reader, writer and body (STEP-1, STEP-2, STEP-3, STEP-4)", () =>
        Effect.gen(function*() {
          const calls: Array<string> = []
          const note = (call: string) => Effect.sync(() => void calls.push(call))
          const step = Step.chunk("only", {
            reader: ItemReader.unwrap(Effect.as(note("reader"), ItemReader.fromIterable([1]))),
            processor: (n) => Effect.as(note("body"), n),
            writer: ItemWriter.unwrap(Effect.as(note("writer"), ItemWriter.discard)),
            chunkSize: 1
          }).pipe(Step.listen(Listener.step({
            beforeStep: ({ jobExecutionId }) =>
              Effect.flatMap(stepsOf(jobExecutionId), (rows) => note(`beforeStep, ${rows.join()}`))
          })))
          yield* JobOperator.run(Job.make("step-1", { flow: step }), {})
          assert.deepStrictEqual(calls, ["beforeStep, only STARTED", "reader", "writer", "body"])
        }))

      it.effect("an ordinary end is COMPLETED without a message, with an end time (STEP-5, STEP-12, STEP-19, STEP-21, LIFE-7)", () =>
        Effect.gen(function*() {
          const execution = yield* JobOperator.run(Job.make("step-5", { flow: Step.tasklet("only", Effect.void) }), {})
          const [step] = yield* JobOperator.steps(execution.id)
          assert.deepStrictEqual([step!.status, step!.exitStatus], ["COMPLETED", ExitStatus.COMPLETED])
          assert.isTrue(Option.isSome(step!.endTime))
          assert.deepStrictEqual([execution.status, execution.exitStatus], ["COMPLETED", ExitStatus.COMPLETED])
        }))

      it.effect("counts and context are stored with each commit, rollbacks with the end of the step (STEP-6, CTX-8)", () =>
        Effect.gen(function*() {
          const stored: Array<readonly [number, number]> = []
          const look = Effect.gen(function*() {
            const { id } = yield* StepScope.execution
            const rows = yield* JobOperator.steps((yield* JobScope.execution).id)
            const row = rows.find((step) => step.id === id)!
            const context = yield* ExecutionContext.get(row.context, total)
            stored.push([row.counts.read, Option.getOrElse(context, () => 0)])
          })
          const step = Step.chunk("only", {
            reader: ItemReader.fromIterable([1, 2, 3]),
            processor: (n) =>
              Effect.gen(function*() {
                yield* look
                yield* n === 3 ? Effect.fail("bad") : StepScope.set(total, n)
                return n
              }),
            writer: ItemWriter.discard,
            chunkSize: 1
          })
          const execution = yield* JobOperator.run(Job.make("step-6", { flow: step }), {})
          assert.deepStrictEqual(stored, [[0, 0], [1, 1], [2, 2]])
          const [row] = yield* JobOperator.steps(execution.id)
          assert.deepStrictEqual([row!.counts.read, row!.counts.commit, row!.counts.rollback], [2, 2, 1])
        }))

      it.effect("the failure is recorded as it happened, the row holds one line (STEP-7, STEP-11, CLC-5, FTC-24, EXEC-3)", () =>
        Effect.gen(function*() {
          const error = { _tag: "Broken", message: "the wheel\nis broken" } as const
          const execution = yield* JobOperator.run(
            Job.make("step-7", { flow: Step.tasklet("only", Effect.fail(error)) }),
            {}
          )
          assert.deepStrictEqual(execution.exit, Exit.fail(error))
          const [step] = yield* JobOperator.steps(execution.id)
          assert.deepStrictEqual([step!.status, step!.exitStatus], [
            "FAILED",
            ExitStatus.make("FAILED", "Broken: the wheel is broken")
          ])
        }))

      it.effect("a status that code in the step has set stays (STEP-10)", () =>
        Effect.gen(function*() {
          const job = Job.make("step-10", { flow: Step.tasklet("only", StepScope.upgradeStatus("FAILED")) })
          const execution = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* stepsOf(execution.id), ["only FAILED"])
          assert.strictEqual(execution.status, "FAILED")
        }))

      it.effect("a save that fails in the transaction of a chunk rolls it back and fails the step (TASK-7)", () =>
        Effect.gen(function*() {
          const repository = yield* JobRepository.JobRepository
          const written: Array<number> = []
          const broken = new BatchError.JobRepositoryError({
            operation: "updateStepExecution",
            reason: "fatal",
            detail: "no space left"
          })
          let saves = 0
          const failing = {
            ...repository,
            updateStepExecution: (...args: Parameters<typeof repository.updateStepExecution>) =>
              Effect.suspend(() => ++saves === 2 ? Effect.fail(broken) : repository.updateStepExecution(...args))
          }
          const job = Job.make("task-7", {
            flow: Step.chunk("only", {
              reader: ItemReader.fromIterable([1, 2, 3, 4, 5]),
              writer: ItemWriter.inMemory(written),
              chunkSize: 2
            })
          })
          const first = yield* JobOperator.run(job, {}).pipe(
            Effect.provideService(JobRepository.JobRepository, failing)
          )
          assert.deepStrictEqual(first.exit, Exit.fail(broken))
          assert.deepStrictEqual(yield* stepsOf(first.id), ["only FAILED"])
          const [row] = yield* JobOperator.steps(first.id)
          assert.deepStrictEqual([row!.counts.write, row!.counts.commit, row!.counts.rollback], [2, 1, 1])
          assert.deepStrictEqual(written, [1, 2])
          yield* JobOperator.run(job, {})
          assert.deepStrictEqual(written, [1, 2, 3, 4, 5])
        }))

      it.effect("opened components are closed when a later one cannot be opened (STEP-28, CHUNK-7)", () =>
        Effect.gen(function*() {
          const calls: Array<string> = []
          const open = Effect.acquireRelease(
            Effect.sync(() => void calls.push("opened")),
            () => Effect.sync(() => void calls.push("closed"))
          )
          const step = Step.chunk("only", {
            reader: ItemReader.unwrap(Effect.as(open, ItemReader.fromIterable([1]))),
            writer: ItemWriter.unwrap(Effect.zipRight(Effect.fail("no disk"), Effect.succeed(ItemWriter.discard))),
            chunkSize: 1
          })
          const execution = yield* JobOperator.run(Job.make("step-28", { flow: step }), {})
          assert.deepStrictEqual(execution.exit, Exit.fail("no disk"))
          assert.deepStrictEqual(calls, ["opened", "closed"])
        }))

      it.effect("continueIf calls the tasklet as long as its condition holds (REPEAT-1)", () =>
        Effect.gen(function*() {
          let calls = 0
          const step = Step.tasklet("only", Effect.sync(() => Tasklet.continueIf(++calls < 3)))
          yield* JobOperator.run(Job.make("repeat-1", { flow: step }), {})
          assert.strictEqual(calls, 3)
        }))

      it.effect("no component leaves keys of its own in a context (CTX-11)", () =>
        Effect.gen(function*() {
          const step = Step.chunk("only", {
            reader: ItemReader.fromIterable([1, 2, 3]),
            writer: ItemWriter.discard,
            chunkSize: 1
          })
          const execution = yield* JobOperator.run(Job.make("ctx-11", { flow: step }), {})
          const [row] = yield* JobOperator.steps(execution.id)
          assert.deepStrictEqual([row!.context, (yield* JobOperator.execution(execution.id)).context], [
            ExecutionContext.empty,
            ExecutionContext.empty
          ])
        }))
    })
  })
}
