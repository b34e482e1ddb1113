/**
 * The life of an execution that is interrupted at any moment, or cut off from its repository for a while: what becomes of its
 * rows, and of the job's context.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { runName } from "../../../src/decisions/outputRun.js"
import * as Launch from "../../../src/engine/job/launch.js"
import type { RunningJobExecution } from "../../../src/engine/session/launched.js"
import * as Running from "../../../src/engine/session/running.js"
import { requestStop } from "../../../src/engine/session/session.js"
import {
  BatchError,
  type BatchEvent,
  ExecutionContext,
  ExitStatus,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  JobScope,
  Listener,
  Step,
  Transactor
} from "../../../src/index.js"
import { OutputOwner } from "../../../src/ports/outputOwner.js"
import type { Services } from "../../support/drivers.js"
import { silently } from "../partition/kit.js"

const { JobRepository: Repository } = JobRepository

const turns = (count: number) => Effect.repeatN(Effect.yieldNow(), count)

const claimedBy = (jobName: string, begins: boolean) =>
  Effect.flatMap(Repository, (repository) =>
    repository.launch({
      jobName,
      parameters: [],
      restartable: true,
      begins,
      owner: "tested",
      leaseMillis: 30_000,
      isOwnerGone: () => false
    }))

type AnyJob = Job.Job<{}, string, unknown>

type Run = Effect.Effect<unknown, unknown, Services>

interface Way {
  readonly way: string
  readonly handsOver: boolean
  readonly run: (job: AnyJob) => Run
}

/** Each way in which an execution begins to run in this process. */
const ways: ReadonlyArray<Way> = [
  { way: "is run", handsOver: false, run: (job) => JobOperator.run(job, {}) },
  {
    way: "is started",
    handsOver: false,
    run: (job) => Effect.scoped(Effect.flatMap(JobOperator.start(job, {}), ({ await: ended }) => ended))
  },
  { way: "is run with stored parameters", handsOver: false, run: (job) => Launch.runStored(job, []) as Run },
  ...[true, false].flatMap((handsOver) =>
    [true, false].map((begins) => ({
      way: `was claimed as ${begins ? "STARTED" : "STARTING"}${handsOver ? ", and is handed over" : ""}`,
      handsOver,
      run: (job: AnyJob) =>
        Effect.uninterruptible(
          Effect.flatMap(
            claimedBy(job.name, begins),
            (claimed) => Launch.runClaimed(job, claimed, { handsOver: () => handsOver }) as Run
          )
        )
    }))
  )
]

describe("an execution that is interrupted at any moment", () => {
  for (const { handsOver, run, way } of ways) {
    it.effect(`and ${way}: it has ended in its row, with its step, and says who goes on (EFF-3, OWN-2)`, () =>
      Effect.gen(function*() {
        const repository = yield* Repository
        // As one that takes its time to answer.
        const slow: typeof repository = {
          ...repository,
          launch: (request) => Effect.zipLeft(repository.launch(request), turns(3))
        }
        const running = Running.make()
        const codes = new Set<string>()
        for (let moment = 0, isOver = false; !isOver; moment++) {
          const job = Job.make(`moment ${moment}`, { flow: Step.tasklet("rows", turns(5)) })
          const fiber = yield* run(job).pipe(
            Effect.provideService(Repository, slow),
            Effect.provideService(Running.Running, running),
            Effect.fork
          )
          yield* turns(moment)
          isOver = fiber.unsafePoll() !== null
          yield* Fiber.interrupt(fiber)
          for (const execution of yield* repository.jobExecutions({ jobName: job.name })) {
            const { code } = execution.exitStatus
            codes.add(code)
            assert.strictEqual(execution.status, code === "COMPLETED" ? code : "STOPPED", job.name)
            assert.isTrue(Option.isSome(execution.endTime), job.name)
            for (const { status } of yield* repository.stepExecutions(execution.id)) {
              assert.include(["COMPLETED", "STOPPED"], status, job.name)
            }
          }
        }
        assert.deepStrictEqual([...codes].sort(), ["COMPLETED", handsOver ? "OWNER_LEFT" : "STOPPED"])
        assert.strictEqual(running.givenUp.size, 0)
        assert.strictEqual(running.sessions.size, 0)
      }).pipe(silently, Effect.provide(JobRepository.layerMemory)))
  }
})

describe("the life of a job", () => {
  const inMemory = (title: string, test: Effect.Effect<unknown, unknown, Services | Scope.Scope>) =>
    it.scoped(title, () => test.pipe(silently, Effect.provide(JobRepository.layerMemory)))

  /** Asks the execution that runs here to stop, as nobody else knows. */
  const stopHere = Effect.map(Running.Running, ({ sessions }) => sessions.forEach(requestStop))

  const here = <A, E, R>(effect: Effect.Effect<A, E, R>, running = Running.make()) =>
    Effect.provideService(effect, Running.Running, running)

  inMemory(
    "that is to stop before it has begun calls neither a step nor a listener in front of it, and those behind (LIFE-5)",
    Effect.gen(function*() {
      const heard: Array<string> = []
      const note = (text: string) => Effect.sync(() => void heard.push(text))
      const job = Job.make("late", {
        flow: Step.tasklet("rows", note("step")),
        listeners: [Listener.job({ beforeJob: () => note("before"), afterJob: () => note("after") })]
      })
      const { exitStatus, status } = yield* here(JobOperator.run(job, {}), { ...Running.make(), closing: true })
      assert.deepStrictEqual([status, exitStatus.code, heard], ["STOPPED", "NOOP", ["after"]])
    })
  )

  inMemory(
    "that is asked to stop in front of the only step of a flow, or of a branch, has stopped and not completed (STOP-1, LIFE-5)",
    Effect.gen(function*() {
      const seen: Array<string> = []
      const note = (name: string) => Effect.sync(() => void seen.push(name))
      const rows = Step.tasklet("rows", note("rows"))
      const stopping = Step.tasklet("stopping", Effect.zipRight(note("stopping"), stopHere))
      const before = Listener.job({ beforeJob: () => stopHere })
      const jobs = [
        { job: Job.make("only", { flow: rows, listeners: [before] }), ran: [] },
        { job: Job.make("inner", { flow: Step.flow("whole", rows), listeners: [before] }), ran: [] },
        { job: Job.make("branch", { flow: Flow.split([stopping, rows], { concurrency: 1 }) }), ran: ["stopping"] }
      ]
      for (const { job, ran } of jobs) {
        seen.length = 0
        const { status } = yield* here(JobOperator.run(job, {}))
        assert.deepStrictEqual([status, seen], ["STOPPED", ran], job.name)
      }
    })
  )

  inMemory(
    "whose listener fails after it was asked to stop has stopped (STOP-1, LIFE-9)",
    Effect.gen(function*() {
      const job = Job.make("refused", {
        flow: Step.tasklet("rows", Effect.void),
        listeners: [
          Listener.job({ beforeJob: () => Effect.zipRight(stopHere, Effect.fail("not today" as const)) })
        ]
      })
      const { exitStatus, status } = yield* here(JobOperator.run(job, {}))
      assert.deepStrictEqual([status, exitStatus.messages.join().includes("not today")], ["STOPPED", true])
    })
  )

  const deaf = () => Effect.never

  for (const when of ["beforeJob", "afterJob"] as const) {
    inMemory(
      `that is asked to stop waits for its ${when} no longer than the grace time (LIFE-12, OWN-8)`,
      Effect.gen(function*() {
        const job = Job.make("deaf", {
          flow: Step.tasklet("rows", Effect.void),
          listeners: [Listener.job(when === "beforeJob" ? { beforeJob: deaf } : { afterJob: deaf })]
        })
        const running = Running.make()
        const run = yield* Effect.fork(here(JobOperator.run(job, {}), running))
        yield* TestClock.adjust("1 second")
        running.sessions.forEach(requestStop)
        yield* TestClock.adjust("29 seconds")
        assert.isNull(run.unsafePoll())
        yield* TestClock.adjust("1 second")
        const { status } = yield* Fiber.join(run)
        assert.strictEqual(status, when === "afterJob" ? "COMPLETED" : "STOPPED")
      })
    )
  }

  inMemory(
    "ends with the worst of what its listeners make of it, up to one that fails, also when the repository hesitates (LIFE-12, LIFE-19)",
    Effect.gen(function*() {
      const repository = yield* Repository
      const called: Array<string> = []
      const makes = (code: string) =>
        Listener.job({
          afterJob: () =>
            Effect.sync(() => {
              called.push(code)
              return ExitStatus.make(code)
            })
        })
      const job = Job.make("judged", {
        flow: Step.tasklet("rows", Effect.fail("no paper" as const)),
        // Called in reverse order.
        listeners: [
          makes("never"),
          Listener.job({ afterJob: () => Effect.die("broken") }),
          makes("COMPLETED"),
          makes("NOOP")
        ]
      })
      let saves = 0
      const hesitating: typeof repository.updateJobExecution = (execution) =>
        Effect.suspend(() =>
          ++saves === 3
            ? Effect.fail(
              new BatchError.JobRepositoryError({ operation: "save", reason: "transient", detail: "away" })
            )
            : repository.updateJobExecution(execution)
        )
      const run = yield* Effect.fork(
        Effect.provideService(JobOperator.run(job, {}), Repository, { ...repository, updateJobExecution: hesitating })
      )
      yield* TestClock.adjust("2 seconds")
      const { exitStatus, id } = yield* Fiber.join(run)
      const stored = yield* repository.jobExecution(id)
      assert.deepStrictEqual([called, saves], [["NOOP", "COMPLETED"], 4])
      assert.deepStrictEqual([exitStatus.code, stored.exitStatus.code, stored.causes], ["FAILED", "FAILED", [
        "no paper"
      ]])
    })
  )

  inMemory(
    "tells what claims outputs as whom it runs, and who is known to be gone, and nobody the secret of its fence (OWN-16, OWN-17)",
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const note = (execution: object) => Effect.sync(() => void seen.push("token" in execution))
      const claims = Effect.gen(function*() {
        const { isGone, owner, run } = yield* OutputOwner
        const execution = yield* JobScope.execution
        seen.push(owner, isGone("gone"), isGone("living"), run === runName(execution))
        yield* note(execution)
      })
      const job = Job.make("claiming", {
        flow: Step.tasklet("rows", claims),
        listeners: [Listener.job({ beforeJob: note, afterJob: note })]
      })
      const ended = yield* JobOperator.run(job, {}).pipe(
        Effect.provideService(JobOperator.Ownership, {
          lease: "30 seconds",
          owner: "tested",
          isOwnerGone: (owner) => owner === "gone"
        })
      )
      yield* note(ended)
      assert.deepStrictEqual(seen, [false, "tested", true, false, true, false, false, false])
    })
  )

  inMemory(
    "that was begun by its claim is not written down as begun once more (PART-15)",
    Effect.gen(function*() {
      const repository = yield* Repository
      const saved: Array<string> = []
      const updateJobExecution: typeof repository.updateJobExecution = (execution) => {
        saved.push(execution.status)
        return repository.updateJobExecution(execution)
      }
      for (const begins of [true, false]) {
        const job = Job.make(`begun ${begins}`, { flow: Step.tasklet("rows", Effect.void) })
        const run = Effect.flatMap(
          claimedBy(job.name, begins),
          (claimed) => Launch.runClaimed(job, claimed) as Effect.Effect<unknown, unknown, Services>
        )
        yield* Effect.provideService(run, Repository, { ...repository, updateJobExecution })
      }
      assert.deepStrictEqual(saved, ["COMPLETED", "STARTED", "COMPLETED"])
    })
  )

  inMemory(
    "whose host leaves is handed over, and begins nothing when that was leaving before (OWN-2)",
    Effect.gen(function*() {
      let began = 0
      const end = (name: string, leavesAfter: number) =>
        here(Effect.scoped(Effect.gen(function*() {
          const job = Job.make(name, {
            flow: Step.tasklet("first", Effect.zipRight(Effect.sync(() => began++), stopHere)).pipe(
              Flow.andThen(Step.tasklet("second", Effect.sync(() => began++)))
            )
          })
          const { await: ended } = yield* Launch.startHosted(job, [], () => began >= leavesAfter) as Effect.Effect<
            RunningJobExecution<string, unknown>,
            unknown,
            Services | Scope.Scope
          >
          const { exitStatus, status } = yield* ended
          return [status, exitStatus.code, began]
        })))
      assert.deepStrictEqual(yield* end("leaves", 1), ["STOPPED", "OWNER_LEFT", 1])
      assert.deepStrictEqual(yield* end("is leaving", 1), ["STOPPED", "OWNER_LEFT", 1])
      assert.deepStrictEqual(yield* end("stays", 100), ["STOPPED", "STOPPED", 2])
    })
  )

  inMemory(
    "is told as ended when its listeners have made of it what they make (LIFE-19, HAND-5)",
    Effect.gen(function*() {
      const hub = yield* PubSub.unbounded<BatchEvent.BatchEvent>()
      const heard = yield* PubSub.subscribe(hub)
      const job = Job.make("told", {
        flow: Step.tasklet("rows", Effect.void),
        listeners: [Listener.job({ afterJob: () => Effect.succeed(ExitStatus.make("ODD")) })]
      })
      yield* Effect.provideService(JobOperator.run(job, {}), JobOperator.Events, hub)
      const events = [...yield* Queue.takeAll(heard)].filter(({ _tag }) => _tag.startsWith("Job"))
      assert.deepStrictEqual(events.map(({ _tag, job: { exitStatus, status } }) => [_tag, status, exitStatus.code]), [
        ["JobStarted", "STARTED", "UNKNOWN"],
        ["JobEnded", "COMPLETED", "ODD"]
      ])
    })
  )

  inMemory(
    "that another process has taken over says nothing more in its name, and asks for nothing (STEP-25, OWN-1)",
    Effect.gen(function*() {
      const repository = yield* Repository
      let isTaken = false
      const asked: Array<string> = []
      const watched = new Proxy(repository, {
        get: (target, name: keyof typeof repository) => {
          if (isTaken) asked.push(name)
          return target[name]
        }
      })
      const job = Job.make("taken", {
        flow: Step.chunk("rows", {
          reader: ItemReader.fromIterable([1]),
          writer: ItemWriter.fromFunction(() =>
            Effect.gen(function*() {
              const { id } = yield* JobScope.execution
              yield* JobOperator.recover(id, { force: true })
              isTaken = true
            }).pipe(Effect.orDie)
          ),
          chunkSize: 1
        })
      })
      const lost = yield* Effect.flip(Effect.provideService(JobOperator.run(job, {}), Repository, watched))
      assert.strictEqual(lost._tag, "OwnershipLost")
      assert.notInclude(asked, "updateJobExecution")
      const [row] = yield* repository.jobExecutions({ jobName: "taken" })
      assert.strictEqual(row!.exitStatus.code, "RECOVERED")
    })
  )
})

const sum = ExecutionContext.key("sum", Schema.Number)

/** Six items in three chunks; the job's context holds their sum. */
const makeJob = (written: Array<number>) =>
  Job.make("cut off", {
    flow: Step.chunk("load", {
      reader: ItemReader.fromIterable([1, 2, 3, 4, 5, 6]),
      writer: ItemWriter.tee(
        ItemWriter.inMemory<number>(written),
        ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
          JobScope.update(sum, (before) => items.reduce((one, other) => one + other, Option.getOrElse(before, () => 0)))
        )
      ),
      chunkSize: 2
    })
  })

/**
 * Runs the job without the answer to this commit, counted from 1, and without the answers to so many questions behind it. It
 * is none that helps to wait.
 */
const cutOff = (commit: number, happens: boolean, questions: number) => <A, E, R>(run: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const repository = yield* Repository
    const { transact } = yield* Transactor.Transactor
    let commits = 0
    let left = 0
    const noAnswer = new BatchError.TransactionError({
      reason: "transient",
      phase: "commit",
      cause: new Error("reset")
    })
    const refused = new BatchError.JobRepositoryError({ operation: "any", reason: "fatal", detail: "out of reach" })
    const guarded =
      <Given extends ReadonlyArray<any>, A, E>(ask: (...given: Given) => Effect.Effect<A, E>) =>
      (...given: Given): Effect.Effect<A, E | BatchError.JobRepositoryError> =>
        Effect.suspend((): Effect.Effect<A, E | BatchError.JobRepositoryError> =>
          left > 0 ? (left--, Effect.fail(refused)) : ask(...given)
        )
    const cut = Effect.suspend(() => {
      left = questions
      return Effect.fail(noAnswer)
    })
    return yield* run.pipe(
      Effect.provideService(Repository, {
        ...repository,
        updateJobExecution: guarded(repository.updateJobExecution),
        updateStepExecution: guarded(repository.updateStepExecution),
        stepExecutions: guarded(repository.stepExecutions)
      }),
      Effect.provideService(Transactor.Transactor, {
        transact: (work, options) =>
          Effect.suspend(() =>
            ++commits !== commit
              ? transact(work, options)
              : happens
              ? Effect.zipRight(transact(work, options), cut)
              : transact(Effect.zipRight(work, cut), options)
          )
      })
    )
  })

describe("an execution that is cut off for a while behind a commit without an answer", () => {
  for (const happens of [true, false]) {
    it.effect(`that ${happens ? "happened" : "did not happen"}: its rows have ended if it did, a restart goes on, and the job's context is that of what was written (D18, LIFE-11)`, () =>
      Effect.gen(function*() {
        const ways = new Set<string>()
        for (const commit of [1, 2, 3]) {
          for (let questions = 0; questions < 4; questions++) {
            yield* Effect.gen(function*() {
              const at = `${questions} questions behind commit ${commit}`
              const written: Array<number> = []
              const job = makeJob(written)
              const exit = yield* Effect.exit(cutOff(commit, happens, questions)(JobOperator.run(job, {})))
              const [first] = yield* JobOperator.executions({ jobName: job.name })
              const [step] = yield* JobOperator.steps(first!.id)
              ways.add(Exit.isSuccess(exit) ? step!.exitStatus.messages.join() : "cut off")
              if (Exit.isSuccess(exit)) {
                assert.notInclude([first!.status, step!.status], "STARTED", at)
                assert.isTrue(Option.isSome(step!.endTime), at)
                const total = written.reduce((one, other) => one + other, 0)
                const kept = Option.getOrElse(yield* ExecutionContext.get(first!.context, sum), () => 0)
                assert.deepStrictEqual([kept, step!.counts.write], [total, written.length], at)
              }
              if (first!.status !== "COMPLETED") {
                const again = yield* JobOperator.run(job, {})
                assert.strictEqual(again.status, "COMPLETED", at)
              }
              assert.deepStrictEqual(written, [1, 2, 3, 4, 5, 6], at)
              const [last] = yield* JobOperator.executions({ jobName: job.name })
              assert.deepStrictEqual(yield* ExecutionContext.get(last!.context, sum), Option.some(21), at)
            }).pipe(Effect.provide(JobRepository.layerMemory))
          }
        }
        assert.isTrue(ways.has("cut off") && ways.has("how it ended could not be saved"))
      }).pipe(silently))
  }
})
