/**
 * What a partitioned step asks the repository, in which order, and that it comes to the same whatever happens between two
 * questions, and whichever of them has no answer. In memory, on the clock of the test.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Running from "../../../src/engine/session/running.js"
import { requestStop } from "../../../src/engine/session/session.js"
import {
  BatchError,
  ExecutionContext,
  Job,
  JobOperator,
  JobRepository,
  Listener,
  Partition,
  Step
} from "../../../src/index.js"
import { having, inMemory, living, type Partitions, silently, within } from "./kit.js"

const { JobRepository: Repository } = JobRepository

type Asked = Effect.Effect<unknown, BatchError.JobRepositoryError>

/** A repository in which this runs instead of each question about partitions; the number of it counts from 1. */
const asking = (about: (question: string, answer: Asked, number: number) => Asked) =>
  Effect.map(Repository, (repository) => {
    const { awaken, wake, ...questions } = repository.partitions
    let number = 0
    const asked = Object.fromEntries(
      Object.entries(questions).map(([name, question]) => [
        name,
        (...given: ReadonlyArray<unknown>) =>
          Effect.suspend(() =>
            about(name, (question as (...given: ReadonlyArray<unknown>) => Asked)(...given), ++number)
          )
      ])
    )
    return { ...repository, partitions: { ...(asked as unknown as Partitions), awaken, wake } }
  })

interface World {
  broken: ReadonlyArray<string>
  planned: number
  readonly ran: Array<string>
}

const makeWorld = (...broken: ReadonlyArray<string>): World => ({ broken, planned: 0, ran: [] })

/** `a`, `b` and `c`, one after the other; what is in `broken` fails. */
const makeJob = (
  world: World,
  options: { readonly restart?: "keep" | "replan" | "abandonAndReplan"; readonly onFailure?: "continue" | "stop" } = {}
) =>
  Job.make("moments", {
    flow: Step.partition("load", {
      plan: Effect.sync(() => {
        world.planned++
        return Partition.values(["a", "b", "c"])
      }),
      input: Schema.String,
      step: (name) =>
        Step.tasklet(
          "rows",
          Effect.suspend(() => {
            world.ran.push(name)
            return world.broken.includes(name) ? Effect.fail("broken" as const) : Effect.void
          })
        ),
      result: Schema.String,
      collect: () => Effect.void,
      onPartitionFailure: options.onFailure,
      restart: options.restart,
      version: "1"
    })
  })

const isOwnerGone = () => false

/** As another process takes the next one, of which nobody hears again unless it says so. */
const takes = (leaseMillis: number) =>
  Effect.gen(function*() {
    const { partitions } = yield* Repository
    const [plan] = yield* partitions.openPlans(["moments"])
    return plan === undefined
      ? undefined
      : Option.getOrUndefined(yield* partitions.claim(plan.id, { owner: "other", leaseMillis, isOwnerGone }))
  })

const ends = (status: "COMPLETED" | "FAILED", after: number) =>
  Effect.gen(function*() {
    const repository = yield* Repository
    const taken = yield* takes(60_000)
    const end = taken === undefined ? Effect.void : repository.updateJobExecution({ ...taken.execution, status })
    yield* Effect.forkDaemon(Effect.delay(end, after))
    yield* Effect.yieldNow()
  })

const stopsHere = Effect.map(Running.Running, ({ sessions }) => sessions.forEach(requestStop))

/** In front of the answer to this question, which is the first partition for the step itself, there is nothing to take. */
const FIRST = 5

/**
 * What others do when the step has its first partition (`early`), and at any moment from then on, and as what the step may end.
 * Each takes one partition; who dies has run nothing of it.
 */
const others = [
  { what: "takes one and dies", early: Effect.void, does: takes(2000), ends: ["COMPLETED"] },
  { what: "takes one and completes it", early: Effect.void, does: ends("COMPLETED", 1500), ends: ["COMPLETED"] },
  {
    what: "takes one and dies after another one has failed",
    early: ends("FAILED", 0),
    does: takes(2000),
    ends: ["FAILED"]
  },
  {
    what: "takes one and dies after this process has heard of a stop",
    early: stopsHere,
    does: takes(2000),
    ends: ["STOPPED"]
  }
]

const transient = new BatchError.JobRepositoryError({ operation: "close", reason: "transient", detail: "away" })

describe("the questions of a partitioned step", () => {
  const order = (world: World, options: Parameters<typeof makeJob>[1]) =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const repository = yield* asking((name, answer) => Effect.suspend(() => (asked.push(name), answer)))
      const watched: typeof repository = {
        ...repository,
        partitions: {
          ...repository.partitions,
          close: (id, executionId) =>
            Effect.flatMap(JobOperator.executions({ jobName: "moments" }), ([own]) => {
              asked.push(...own!.id === executionId ? [] : ["former"])
              return repository.partitions.close(id, executionId)
            }).pipe(Effect.provideService(Repository, repository)),
          wake: () => Effect.sync(() => void asked.push("wake"))
        },
        close: (...given) => {
          asked.push("give up")
          return repository.close(...given)
        },
        updateStepExecution: (owner, step) => {
          asked.push(...step.stepName === "load" ? ["save"] : [])
          return repository.updateStepExecution(owner, step)
        }
      }
      yield* Effect.provideService(JobOperator.run(makeJob(world, options), {}), Repository, watched)
      return asked.join(" ")
    })

  const planned = "save resume find plan wake resume"

  inMemory(
    "come in one order: what a step concludes, it concludes from what it has seen behind the end of all takings (PART-7, PART-10)",
    Effect.gen(function*() {
      const world = makeWorld("b")
      const ended = "glance tally close tally"
      assert.strictEqual(yield* order(world, {}), `${planned} claim claim claim claim ${ended} list counts save save`)
      world.broken = []
      assert.strictEqual(yield* order(world, {}), `resume wake claim claim ${ended} contexts counts save save`)
    })
  )

  inMemory(
    "about a plan to be made anew come when nothing of the old one can be taken, and before any of it is given up (PART-3)",
    Effect.gen(function*() {
      const world = makeWorld("b")
      yield* JobOperator.run(makeJob(world), {})
      assert.strictEqual(yield* order(world, { restart: "replan" }), "find former close putUp tally list save")
      world.broken = []
      const seen = yield* order(world, { restart: "abandonAndReplan" })
      assert.isTrue(seen.startsWith(`find former close putUp tally list give up ${planned} claim`))
    })
  )
})

describe("whatever others do between two questions of a partitioned step", () => {
  for (const { does, early, ends, what } of others) {
    it.effect(`one that ${what}: nothing runs when the step has ended, or is begun after that, and nothing runs twice (PART-5, PART-7)`, () =>
      Effect.gen(function*() {
        for (let moment = FIRST, last = moment; moment <= last; moment++) {
          yield* Effect.gen(function*() {
            const world = makeWorld()
            const running = Running.make()
            const real = yield* Repository
            const repository = yield* asking((_, answer, number) => {
              last = Math.max(last, number)
              const then = [...number === FIRST ? [early] : [], ...number === moment ? [does] : []]
              return Effect.tap(answer, () =>
                Effect.all(then).pipe(
                  Effect.provideService(Repository, real),
                  Effect.provideService(Running.Running, running),
                  Effect.orDie
                ))
            })
            const run = yield* JobOperator.run(makeJob(world, { onFailure: "stop" }), {}).pipe(
              Effect.provideService(Repository, repository),
              Effect.provideService(Running.Running, running),
              living,
              Effect.fork
            )
            const { id, status } = yield* within(5, run)
            const at = `at question ${moment}`
            assert.include(ends, status, at)
            assert.strictEqual(new Set(world.ran).size, world.ran.length, at)
            const [step] = yield* JobOperator.partitions(id)
            const standings = step!.partitions.map(({ standing }) => standing)
            assert.notInclude(standings, "running", at)
            assert.isTrue(status !== "COMPLETED" || standings.every((standing) => standing === "completed"), at)
            assert.isUndefined(yield* takes(1000), at)
          }).pipe(Effect.provide(JobRepository.layerMemory))
        }
      }).pipe(silently))
  }
})

describe("a question of a partitioned step", () => {
  const error = (reason: "transient" | "data" | "conflict") =>
    new BatchError.JobRepositoryError({ operation: "partitions", reason, detail: "no such table" })

  const outcomes = [
    { what: "that is refused for a moment", fails: () => Effect.fail(error("transient")) },
    {
      what: "that is answered, but nobody hears it",
      fails: (answer: Asked) => Effect.zipRight(answer, Effect.fail(error("transient")))
    }
  ]
  for (const { fails, what } of outcomes) {
    it.effect(`${what} is asked again: the plan is made once, and each partition runs once, at once (PART-10, OWN-21)`, () =>
      Effect.gen(function*() {
        for (let moment = 1, last = 0; moment === 1 || moment <= last; moment++) {
          yield* Effect.gen(function*() {
            const world = makeWorld()
            const repository = yield* asking((_, answer, number) => {
              last = Math.max(last, number)
              return number === moment ? fails(answer) : answer
            })
            const run = yield* Effect.fork(
              Effect.provideService(JobOperator.run(makeJob(world), {}), Repository, repository)
            )
            const { id, status } = yield* within(5, run)
            const at = `at question ${moment}`
            assert.deepStrictEqual([status, world.planned, world.ran.sort()], ["COMPLETED", 1, ["a", "b", "c"]], at)
            const [step] = yield* JobOperator.partitions(id)
            assert.strictEqual(step!.tally.completed, 3, at)
          }).pipe(Effect.provide(JobRepository.layerMemory))
        }
      }).pipe(silently))
  }

  it.effect("that can't be answered fails the step and says why, and a restart does what is left, once (OWN-21)", () =>
    Effect.gen(function*() {
      for (let moment = 1, last = 0; moment === 1 || moment <= last; moment++) {
        yield* Effect.gen(function*() {
          const world = makeWorld()
          const repository = yield* asking((_, answer, number) => {
            last = Math.max(last, number)
            return number === moment ? Effect.fail(error("data")) : answer
          })
          const run = yield* Effect.fork(
            Effect.provideService(JobOperator.run(makeJob(world), {}), Repository, repository)
          )
          const { exitStatus, status } = yield* within(5, run)
          const at = `at question ${moment}`
          assert.strictEqual(status, "FAILED", at)
          assert.include(exitStatus.messages.join(), "no such table", at)
          const again = yield* Effect.fork(JobOperator.run(makeJob(world), {}))
          assert.strictEqual((yield* within(5, again)).status, "COMPLETED", at)
          assert.deepStrictEqual(world.ran, ["a", "b", "c"], at)
        }).pipe(Effect.provide(JobRepository.layerMemory))
      }
    }).pipe(silently))

  inMemory(
    "for a plan that comes true while it is sent again is answered by that (PART-10)",
    Effect.gen(function*() {
      const world = makeWorld()
      const repository = yield* asking((name, answer) =>
        name === "plan" ? Effect.zipRight(answer, Effect.fail(error("conflict"))) : answer
      )
      const { status } = yield* Effect.provideService(JobOperator.run(makeJob(world), {}), Repository, repository)
      assert.deepStrictEqual([status, world.planned, world.ran], ["COMPLETED", 1, ["a", "b", "c"]])
    })
  )
})

describe("a partitioned step", () => {
  inMemory(
    "gives up all that is unfinished of an old plan, in pages, also when the last one is full, and tries that again (PART-3)",
    Effect.gen(function*() {
      const world = makeWorld("b")
      yield* JobOperator.run(makeJob(world), {})
      const after: Array<number | undefined> = []
      const givenUp: Array<number> = []
      const repository = yield* having(({ list }) => ({
        list: (id, witness, filter) =>
          Effect.map(list(id, witness), ([state]) => {
            after.push(filter?.after)
            return Array.from({ length: 2000 }, (_, n) => ({ ...state!, ordinal: 3 * n, executionId: Option.some(n) }))
              .filter(({ ordinal }) => ordinal > filter!.after!).slice(0, filter?.limit)
          })
      }))
      let refusals = 1
      const watched: typeof repository = {
        ...repository,
        close: (id) =>
          Effect.suspend(() =>
            refusals-- > 0 ? Effect.fail(transient) : Effect.sync(() => (givenUp.push(id), true as never))
          )
      }
      const job = makeJob(world, { restart: "abandonAndReplan" })
      const run = yield* Effect.fork(Effect.provideService(JobOperator.run(job, {}), Repository, watched))
      yield* within(5, run)
      assert.deepStrictEqual(after.slice(0, 3), [-1, 2997, 5997])
      assert.deepStrictEqual(givenUp, Array.from({ length: 2000 }, (_, n) => n))
    })
  )

  inMemory(
    "that could not make its plan makes it when it is started again, also where it is to make it anew (PART-3, PART-10)",
    Effect.gen(function*() {
      const world = makeWorld()
      const repository = yield* asking((name, answer) =>
        name === "plan"
          ? Effect.fail(new BatchError.JobRepositoryError({ operation: "plan", reason: "data", detail: "too long" }))
          : answer
      )
      const job = makeJob(world, { restart: "replan" })
      const { status } = yield* Effect.provideService(JobOperator.run(job, {}), Repository, repository)
      assert.strictEqual(status, "FAILED")
      assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
      assert.deepStrictEqual([world.planned, world.ran], [2, ["a", "b", "c"]])
    })
  )

  inMemory(
    "that makes its plan anew remembers nothing of what it has told of the old one (PART-3, PART-12)",
    Effect.gen(function*() {
      const contexts: Array<string> = []
      let isBroken = true
      const job = Job.make("told", {
        flow: Step.partition("load", {
          plan: Effect.gen(function*() {
            const [execution] = yield* JobOperator.executions({ jobName: "told" })
            const [step] = yield* JobOperator.steps(execution!.id)
            contexts.push(ExecutionContext.toJson(step!.context).replaceAll(String(step!.id), "own id"))
            return Partition.values(["a"])
          }),
          input: Schema.String,
          step: () => Step.tasklet("rows", isBroken ? Effect.fail("broken" as const) : Effect.void),
          restart: "abandonAndReplan"
        }).pipe(Step.listen(Listener.step({ onPartitionEnded: () => Effect.void })))
      })
      yield* JobOperator.run(job, {})
      isBroken = false
      assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
      assert.deepStrictEqual(contexts, [`{"batch.partition.plan":own id}`, `{"batch.partition.plan":own id}`])
    })
  )

  inMemory(
    "that is to stop, and could not tell a partition so, stops that all the same, and hands it over to nobody (PART-7, OWN-2)",
    Effect.gen(function*() {
      const running = Running.make()
      const job = Job.make("deaf", {
        flow: Step.partition("load", {
          plan: Partition.values(["a"]),
          input: Schema.String,
          step: () => Step.tasklet("rows", Effect.never)
        })
      })
      const repository = yield* having(() => ({ list: () => Effect.succeed([]) }))
      const run = yield* JobOperator.run(job, {}).pipe(
        Effect.provideService(Repository, repository),
        Effect.provideService(Running.Running, running),
        Effect.fork
      )
      yield* TestClock.adjust("1 second")
      running.sessions.forEach((session) => session.execution.instance.jobName === "deaf" ? requestStop(session) : {})
      assert.strictEqual((yield* within(60, run)).status, "STOPPED")
      const [child] = yield* JobOperator.executions({ jobName: "deaf/load" })
      assert.deepStrictEqual([child!.status, child!.exitStatus.code], ["STOPPED", "STOPPED"])
    })
  )
})
