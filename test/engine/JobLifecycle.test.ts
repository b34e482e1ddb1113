import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
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
  Step,
  StepScope,
  Tasklet
} from "../../src/index.js"
import { drivers } from "../support/drivers.js"

const statuses = (executionId: number) =>
  Effect.map(JobOperator.steps(executionId), (steps) => steps.map((step) => `${step.stepName} ${step.status}`))

const counter = ExecutionContext.key("counter", Schema.Number)

for (const driver of drivers) {
  describe(`the life of a job (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 60_000 })((it) => {
      it.effect("beforeJob runs in order, afterJob in reverse order, and the context that afterJob writes is kept (LIFE-4, LIFE-12, C21)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const listener = (name: string) => ({
            beforeJob: () => Effect.sync(() => void log.push(`before ${name}`)),
            afterJob: () => Effect.zipRight(JobScope.set(counter, 7), Effect.sync(() => void log.push(`after ${name}`)))
          })
          const job = Job.make("listened", {
            flow: Step.tasklet("only", Effect.sync(() => void log.push("step"))),
            listeners: [listener("1"), listener("2")]
          })
          const execution = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(log, ["before 1", "before 2", "step", "after 2", "after 1"])
          const stored = yield* JobOperator.execution(execution.id)
          assert.deepStrictEqual(yield* ExecutionContext.get(stored.context, counter), Option.some(7))
        }))

      it.effect("a failing beforeJob fails the job: no step runs, every afterJob does (LIFE-9, LIFE-15)", () =>
        Effect.gen(function*() {
          const after: Array<number> = []
          const job = Job.make("refused-by-listener", {
            flow: Step.tasklet("never", Effect.die("must not run")),
            listeners: [1, 2, 3].map((n) => ({
              beforeJob: () => n === 2 ? Effect.fail("not today") : Effect.void,
              afterJob: () => Effect.sync(() => void after.push(n))
            }))
          })
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(execution.status, "FAILED")
          assert.deepStrictEqual(execution.exit, Exit.fail("not today"))
          assert.deepStrictEqual(yield* statuses(execution.id), [])
          assert.deepStrictEqual(after, [3, 2, 1])
        }))

      it.effect("afterJob may raise the exit status; its failure changes nothing (LIFE-12, LIFE-19)", () =>
        Effect.gen(function*() {
          const job = (name: string, afterJob: Effect.Effect<ExitStatus.ExitStatus | void, string>) =>
            Job.make(name, { flow: Step.tasklet("only", Effect.void), listeners: [{ afterJob: () => afterJob }] })
          const raised = yield* JobOperator.run(job("raised", Effect.succeed(ExitStatus.make("ODD"))), {})
          assert.strictEqual((yield* JobOperator.execution(raised.id)).exitStatus.code, "ODD")
          const failed = yield* JobOperator.run(job("after-fails", Effect.fail("too late")), {})
          assert.strictEqual(failed.status, "COMPLETED")
        }))

      it.effect("a restart that finds every step complete is COMPLETED with NOOP (LIFE-10, LIFE-18)", () =>
        Effect.gen(function*() {
          const repository = yield* JobRepository.JobRepository
          const job = Job.make("all-done", { flow: Step.tasklet("only", Effect.void) })
          const first = yield* JobOperator.run(job, {})
          yield* repository.close(first.id, { status: "FAILED", exitCode: "FAILED", message: "set by hand" })
          const second = yield* JobOperator.run(job, {})
          assert.strictEqual(second.status, "COMPLETED")
          assert.strictEqual(second.exitStatus.code, "NOOP")
          assert.deepStrictEqual(yield* statuses(second.id), [])
        }))

      it.effect("a defect fails the step and the job, with its place in one line (LIFE-14)", () =>
        Effect.gen(function*() {
          const job = Job.make("defect", {
            flow: Step.tasklet("broken", Effect.sync(() => (undefined as unknown as { readonly x: number }).x))
          })
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(execution.status, "FAILED")
          assert.isTrue(Exit.isFailure(execution.exit))
          const [step] = yield* JobOperator.steps(execution.id)
          assert.match(ExitStatus.description(step!.exitStatus), /^TypeError: .*JobLifecycle\.test\.ts:\d+/)
          assert.notInclude(ExitStatus.description(step!.exitStatus), "\n")
        }))

      it.effect("an interruption ends in durable STOPPED rows, and a restart continues (EFF-3)", () =>
        Effect.gen(function*() {
          const entered = yield* Deferred.make<void>()
          const written: Array<number> = []
          const job = (hang: boolean) =>
            Job.make("interrupted", {
              flow: Step.chunk("load", {
                reader: ItemReader.fromIterable([1, 2, 3, 4, 5]),
                processor: (n: number) =>
                  hang && n === 3
                    ? Effect.zipRight(Deferred.succeed(entered, undefined), Effect.never)
                    : Effect.succeed(n),
                writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
                  Effect.sync(() => void written.push(...items))
                ),
                chunkSize: 2
              })
            })
          const fiber = yield* Effect.fork(JobOperator.run(job(true), {}))
          yield* Deferred.await(entered)
          const exit = yield* Fiber.interrupt(fiber)
          assert.isTrue(Exit.isInterrupted(exit))
          const [stopped] = yield* JobOperator.executions({ jobName: "interrupted" })
          assert.strictEqual(stopped!.status, "STOPPED")
          assert.deepStrictEqual(yield* statuses(stopped!.id), ["load STOPPED"])
          const restarted = yield* JobOperator.run(job(false), {})
          assert.strictEqual(restarted.status, "COMPLETED")
          assert.deepStrictEqual(written, [1, 2, 3, 4, 5])
        }))

      it.effect("an interruption between the claim and the first step leaves no running row (EFF-3)", () =>
        Effect.gen(function*() {
          const repository = yield* JobRepository.JobRepository
          const job = Job.make("early", { flow: Step.tasklet("only", Effect.void) })
          const claimed = yield* Deferred.make<void>()
          const slow = {
            ...repository,
            launch: (request: JobRepository.LaunchRequest) =>
              repository.launch(request).pipe(
                Effect.tap(() => Deferred.succeed(claimed, undefined)),
                Effect.tap(() => Effect.yieldNow())
              )
          }
          const fiber = yield* Effect.fork(
            Effect.provideService(JobOperator.run(job, {}), JobRepository.JobRepository, slow)
          )
          yield* Deferred.await(claimed)
          yield* Fiber.interrupt(fiber)
          const [execution] = yield* JobOperator.executions({ jobName: "early" })
          assert.strictEqual(execution!.status, "STOPPED")
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
        }))

      it.effect("a stop request ends the step after its chunk, and a restart continues (STOP-2, STOP-5, STOP-7, C14)", () =>
        Effect.gen(function*() {
          const repository = yield* JobRepository.JobRepository
          const written: Array<number> = []
          const job = (stopAt: number) =>
            Job.make("stopped", {
              flow: Step.chunk("load", {
                reader: ItemReader.fromIterable([1, 2, 3, 4, 5, 6]),
                processor: (n: number) =>
                  n === stopAt
                    ? JobScope.execution.pipe(
                      Effect.flatMap((execution) => repository.requestStop(execution.id)),
                      Effect.as(n)
                    )
                    : Effect.succeed(n),
                writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
                  Effect.sync(() => void written.push(...items))
                ),
                chunkSize: 2
              }).pipe(Flow.andThen(Step.tasklet("after", Effect.void)))
            })
          const stopped = yield* JobOperator.run(job(3), {})
          assert.strictEqual(stopped.status, "STOPPED")
          assert.strictEqual(stopped.exitStatus.code, "STOPPED")
          assert.deepStrictEqual(written, [1, 2, 3, 4])
          assert.deepStrictEqual(yield* statuses(stopped.id), ["load STOPPED"])
          const restarted = yield* JobOperator.run(job(0), {})
          assert.strictEqual(restarted.status, "COMPLETED")
          assert.deepStrictEqual(written, [1, 2, 3, 4, 5, 6])
          assert.deepStrictEqual(
            (yield* JobOperator.executions({ instanceId: stopped.instance.id })).map((execution) => execution.status),
            ["COMPLETED", "STOPPED"]
          )
        }))

      it.effect("a job that is not restartable runs once, whatever the outcome (LAUNCH-5, C10)", () =>
        Effect.gen(function*() {
          const job = Job.make("once", { flow: Step.tasklet("only", Effect.fail("no")), restartable: false })
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "FAILED")
          const error = yield* Effect.flip(JobOperator.run(job, {}))
          assert.strictEqual(error._tag, "JobRestartRefused")
        }))

      it.effect("of ten launches at once one runs, nine are refused (JOB-6, LAUNCH-8)", () =>
        Effect.gen(function*() {
          const gate = yield* Deferred.make<void>()
          const job = Job.make("raced", { flow: Step.tasklet("only", Deferred.await(gate)) })
          const fibers = yield* Effect.forEach(
            Array.from({ length: 10 }),
            () => Effect.fork(Effect.either(JobOperator.run(job, {})))
          )
          yield* Effect.iterate(0, {
            while: (refused) => refused < 9,
            body: () =>
              Effect.zipRight(
                Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
                Effect.map(Effect.forEach(fibers, Fiber.poll), (polled) => polled.filter(Option.isSome).length)
              )
          })
          yield* Deferred.succeed(gate, undefined)
          const results = yield* Effect.forEach(fibers, Fiber.join)
          const tags = results.map((result) => result._tag === "Left" ? result.left._tag : result.right.status).sort()
          assert.deepStrictEqual(tags, ["COMPLETED", ...Array.from({ length: 9 }, () => "JobExecutionAlreadyRunning")])
        }))
    })
  })

  describe(`contexts, parameters and late binding (${driver.name})`, () => {
    class Params extends JobParameters.Tag<Params>()("Params", {
      count: Schema.Number,
      note: JobParameters.nonIdentifying(Schema.String)
    }) {}

    it.layer(driver.layer, { timeout: 60_000 })((it) => {
      it.effect("a reader is made from parameters and from both contexts (SCOPE-2, SCOPE-8)", () =>
        Effect.gen(function*() {
          const written: Array<string> = []
          const job = Job.make("late", {
            parameters: Params,
            flow: Step.tasklet("prepare", JobScope.set(counter, 2)).pipe(
              Flow.andThen(
                Step.chunk("load", {
                  reader: ItemReader.unwrap(Effect.gen(function*() {
                    const { count, note } = yield* Params
                    const factor = Option.getOrThrow(yield* JobScope.get(counter))
                    const offset = Option.getOrThrow(yield* StepScope.get(counter))
                    return ItemReader.fromIterable(
                      Array.from({ length: count }, (_, i) => `${note}${i * factor + offset}`)
                    )
                  })),
                  writer: ItemWriter.fromFunction((items: ReadonlyArray<string>) =>
                    Effect.sync(() => void written.push(...items))
                  ),
                  chunkSize: 2
                }).pipe(Step.listen({ beforeStep: () => StepScope.set(counter, 100) }))
              )
            )
          })
          const execution = yield* JobOperator.run(job, { count: 3, note: "n" })
          assert.strictEqual(execution.status, "COMPLETED")
          assert.deepStrictEqual(written, ["n100", "n102", "n104"])
        }))

      it.effect("a component that can't be made fails the step, before any chunk (SCOPE-3)", () =>
        Effect.gen(function*() {
          const job = Job.make("unmade", {
            flow: Step.chunk("load", {
              reader: ItemReader.unwrap(
                Effect.fail("no such source") as Effect.Effect<ItemReader.ItemReader<number>, string>
              ),
              writer: ItemWriter.fromFunction((_: ReadonlyArray<number>) => Effect.void),
              chunkSize: 2
            })
          })
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(execution.status, "FAILED")
          assert.deepStrictEqual(execution.exit, Exit.fail("no such source"))
          assert.strictEqual((yield* JobOperator.steps(execution.id))[0]!.counts.commit, 0)
        }))

      it.effect("executions of one instance keep their own non-identifying parameters (JOB-7, C30)", () =>
        Effect.gen(function*() {
          let fail = true
          const job = Job.make("notes", {
            parameters: Params,
            flow: Step.tasklet("once", Effect.suspend(() => fail ? Effect.fail("not yet") : Effect.void))
          })
          const first = yield* JobOperator.run(job, { count: 1, note: "first" })
          fail = false
          const second = yield* JobOperator.run(job, { count: 1, note: "second" })
          assert.strictEqual(second.instance.id, first.instance.id)
          assert.deepStrictEqual(second.restartOf, Option.some(first.id))
          const notes = (yield* JobOperator.executions({ instanceId: first.instance.id })).map((execution) =>
            execution.parameters.find((parameter) => parameter.name === "note")?.value
          )
          assert.deepStrictEqual(notes, ["second", "first"])
        }))

      it.effect("restart runs an execution again with exactly its parameters (RESTART-1)", () =>
        Effect.gen(function*() {
          const seen: Array<string> = []
          const job = Job.make("again", {
            parameters: Params,
            flow: Step.tasklet(
              "note",
              Effect.flatMap(Params, ({ note }) => {
                seen.push(note)
                return seen.length === 1 ? Effect.fail("first time") : Effect.void
              })
            )
          })
          const failed = yield* JobOperator.run(job, { count: 1, note: "kept" })
          const restarted = yield* JobOperator.restart(job, failed.id)
          assert.strictEqual(restarted.status, "COMPLETED")
          assert.deepStrictEqual(seen, ["kept", "kept"])
        }))

      it.effect("all problems of the parameters are in one error, and nothing is written (VALID-1, D11, D13)", () =>
        Effect.gen(function*() {
          const job = Job.make("strict", { parameters: Params, flow: Step.tasklet("never", Effect.void) })
          const error = yield* Effect.flip(
            JobOperator.run(job, { count: "three", note: 1, nto: 2 } as unknown as { count: number; note: string })
          )
          assert.strictEqual(error._tag, "InvalidJobParameters")
          assert.include(error.message, `"strict"`)
          assert.sameMembers(
            error._tag === "InvalidJobParameters" ? error.problems.map((problem) => problem.parameter) : [],
            ["count", "note", "nto"]
          )
          assert.deepStrictEqual(yield* JobOperator.instances({ jobName: "strict" }), [])
        }))

      it.effect("a call that rolls back leaves no entries in the contexts, and a restart finds those of the calls before (CTX-9, CTX-12)", () =>
        Effect.gen(function*() {
          const seen: Array<unknown> = []
          let failing = true
          const next = Effect.gen(function*() {
            const step = Option.getOrElse(yield* StepScope.get(counter), () => 0)
            const job = Option.getOrElse(yield* JobScope.get(counter), () => 0)
            seen.push([step, job])
            yield* StepScope.set(counter, step + 1)
            yield* JobScope.set(counter, job + 10)
            if (step === 2 && failing) {
              return yield* Effect.fail("third call")
            }
            return step === 3 ? Tasklet.finished : Tasklet.continuable
          })
          const job = Job.make("forgetful", { flow: Step.tasklet("count", next) })
          const failed = yield* JobOperator.run(job, {})
          const [step] = yield* JobOperator.steps(failed.id)
          assert.deepStrictEqual([step!.counts.commit, step!.counts.rollback], [2, 1])
          failing = false
          const restarted = yield* JobOperator.run(job, {})
          assert.strictEqual(restarted.status, "COMPLETED")
          assert.deepStrictEqual(seen, [[0, 0], [1, 10], [2, 20], [2, 20], [3, 30]])
        }))

      it.effect("a completed step that may start again starts with an empty context (HAND-8, HAND-10)", () =>
        Effect.gen(function*() {
          const seen: Array<unknown> = []
          const again = Step.allowStartIfComplete(
            Step.tasklet(
              "again",
              Effect.zipRight(
                Effect.map(StepScope.get(counter), (value) => void seen.push(value)),
                StepScope.set(counter, 1)
              )
            )
          )
          let failing = true
          const job = Job.make("twice", {
            flow: Flow.andThen(
              again,
              Step.tasklet("gate", Effect.suspend(() => failing ? Effect.fail("no") : Effect.void))
            )
          })
          yield* JobOperator.run(job, {})
          failing = false
          yield* JobOperator.run(job, {})
          assert.deepStrictEqual(seen, [Option.none(), Option.none()])
        }))

      it.effect("a tasklet is called until it is finished; its exit code is the step's (TASK-1, TASK-9, TASK-10)", () =>
        Effect.gen(function*() {
          let calls = 0
          const job = Job.make("calls", {
            flow: Step.tasklet(
              "three",
              Effect.sync(() => ++calls < 3 ? Tasklet.continuable : Tasklet.finishedWith("ENOUGH"))
            )
          })
          const execution = yield* JobOperator.run(job, {})
          const [step] = yield* JobOperator.steps(execution.id)
          assert.strictEqual(step!.counts.commit, 3)
          assert.strictEqual(step!.status, "COMPLETED")
          assert.strictEqual(step!.exitStatus.code, "ENOUGH")
          assert.deepStrictEqual([execution.status, execution.exitStatus.code], ["COMPLETED", "ENOUGH"])
        }))

      it.effect("a failing call rolls back, fails the step, and keeps what it counted (TASK-4, TASK-5)", () =>
        Effect.gen(function*() {
          const job = Job.make("counted", {
            flow: Step.tasklet(
              "half",
              Effect.zipRight(StepScope.contribute({ read: 5, write: 3 }), Effect.fail("broken"))
            )
          })
          const execution = yield* JobOperator.run(job, {})
          const [step] = yield* JobOperator.steps(execution.id)
          const { commit, read, rollback, write } = step!.counts
          assert.deepStrictEqual({ read, write, commit, rollback }, { read: 5, write: 3, commit: 0, rollback: 1 })
          assert.strictEqual(ExitStatus.description(step!.exitStatus), "broken")
        }))
    })
  })
}
