/**
 * What the listeners of a partitioned step hear of its partitions, in whichever process these run.
 */
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { toldKey } from "../../../src/engine/partition/telling.js"
import {
  ExecutionContext,
  Flow,
  Job,
  JobOperator,
  JobRepository,
  Listener,
  Partition,
  PartitionWorker,
  Step
} from "../../../src/index.js"
import { drivers } from "../../support/drivers.js"
import { taken, within } from "./kit.js"

const listening = (heard: Array<string>) =>
  Listener.step({
    onPartitionBegun: ({ name }) => Effect.sync(() => void heard.push(`${name} begun`)),
    onPartitionEnded: ({ execution, name }) => Effect.sync(() => void heard.push(`${name} ${execution.status}`)),
    onPartitionFailed: ({ execution, name }) =>
      Effect.sync(() => void heard.push(`${name} failed: ${execution.exitStatus.messages[0]}`))
  })

const makeJob = (
  heard: Array<string>,
  options: { readonly broken: () => boolean; readonly concurrency: number }
) =>
  Job.make("heard", {
    flow: Step.partition("load", {
      plan: Partition.values(["a", "b", "c"]),
      input: Schema.String,
      step: (part) =>
        Step.tasklet("rows", part === "b" && options.broken() ? Effect.fail("no rows" as const) : Effect.void),
      concurrency: options.concurrency
    }).pipe(Step.listen(listening(heard)))
  })

/** One whose partitions other processes run. */
const elsewhere = (
  name: string,
  parts: ReadonlyArray<string>,
  heard: Array<string>,
  rows: Effect.Effect<void> = Effect.void
) =>
  Job.make(name, {
    flow: Step.partition("load", {
      plan: Partition.values(parts),
      input: Schema.String,
      step: () => Step.tasklet("rows", rows),
      concurrency: 0
    }).pipe(Step.listen(listening(heard)))
  })

for (const { layer, name } of drivers) {
  it.layer(layer, { timeout: 300_000 })(`listeners of a partitioned step (${name})`, (it) => {
    it.effect("hear once that each partition began and ended, and that it failed; a restart tells of its own (PART-12)", () =>
      Effect.gen(function*() {
        const heard: Array<string> = []
        let broken = true
        const job = makeJob(heard, { broken: () => broken, concurrency: 2 })
        assert.strictEqual((yield* JobOperator.run(job, {})).status, "FAILED")
        assert.deepStrictEqual([...heard].sort(), [
          "a COMPLETED",
          "a begun",
          "b FAILED",
          "b begun",
          "b failed: no rows",
          "c COMPLETED",
          "c begun"
        ])
        for (const part of ["a", "b", "c"]) {
          const own = heard.filter((line) => line.startsWith(part))
          assert.strictEqual(own[0], `${part} begun`)
        }
        assert.isBelow(heard.indexOf("b failed: no rows"), heard.indexOf("b FAILED"))
        heard.length = 0
        assert.strictEqual((yield* JobOperator.run(job, {})).status, "FAILED")
        assert.deepStrictEqual(heard, ["b begun", "b failed: no rows", "b FAILED"])
        heard.length = 0
        broken = false
        // Also what the execution before the last one has told is not told again.
        assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
        assert.deepStrictEqual(heard, ["b begun", "b COMPLETED"])
      }))

    it.effect("fail the step when they fail, and the restart does what is left (LISTEN-4)", () =>
      Effect.gen(function*() {
        let deaf = false
        const told: Array<string> = []
        const ran: Array<string> = []
        const job = Job.make("deaf", {
          flow: Step.partition("load", {
            plan: Partition.values(["a", "b"]),
            input: Schema.String,
            step: (part) => Step.tasklet("rows", Effect.sync(() => void ran.push(part)))
          }).pipe(Step.listen(Listener.step({
            onPartitionEnded: ({ name }) => {
              told.push(name)
              return deaf ? Effect.void : Effect.fail("nobody listens" as const)
            }
          })))
        })
        const failed = yield* JobOperator.run(job, {})
        assert.strictEqual(failed.status, "FAILED")
        assert.include(failed.exitStatus.messages.join(), "nobody listens")
        deaf = true
        assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
        assert.deepStrictEqual(ran.sort(), ["a", "b"])
        // The restart tells the others, and not again what nobody listened to.
        assert.deepStrictEqual(told.sort(), ["a", "b"])
      }))
  })
}

describe("listeners of a partitioned step whose process died", () => {
  const as = (owner: string) =>
    Effect.provideService(JobOperator.Ownership, { lease: "30 seconds", owner, isOwnerGone: () => false })

  const seconds = (count: number) => Effect.repeatN(TestClock.adjust("1 second"), count - 1)

  /** Three partitions of a minute; `b` fails once. */
  const makeLong = () => {
    const heard: Array<string> = []
    let broken = true
    const job = Job.make("died", {
      flow: Step.partition("load", {
        plan: Partition.values(["a", "b", "c"]),
        input: Schema.String,
        step: (part) =>
          Step.tasklet(
            "rows",
            Effect.zipRight(
              Effect.sleep("1 minute"),
              Effect.suspend(() => {
                const fails = part === "b" && broken
                broken = broken && !fails
                return fails ? Effect.fail("no rows" as const) : Effect.void
              })
            )
          ),
        concurrency: 0
      }).pipe(Step.listen(listening(heard)))
    })
    return { heard, job }
  }

  it.scoped("before it told anything: hear all from the restart, each once (PART-12)", () =>
    Effect.gen(function*() {
      const { heard, job } = makeLong()
      const repository = yield* Layer.build(JobRepository.layerMemory)
      yield* Effect.provide(as("worker")(Layer.build(PartitionWorker.layer([job]))), repository)
      yield* Effect.fork(Effect.provide(as("old")(JobOperator.run(job, {})), repository))
      yield* TestClock.adjust("10 millis")
      const [execution] = yield* Effect.provide(JobOperator.executions({ jobName: "died" }), repository)
      yield* Effect.provide(JobOperator.recover(execution!.id, { force: true }), repository)
      // What is left of it while it does not know yet that it is dead.
      const told = Effect.sync(() => heard.splice(0))
      yield* Effect.zipRight(seconds(20), told)
      yield* seconds(50)
      assert.deepStrictEqual(heard, [])
      const next = yield* Effect.fork(Effect.provide(as("new")(JobOperator.run(job, {})), repository))
      yield* within(300, next)
      assert.deepStrictEqual(heard.filter((line) => line.startsWith("a")), ["a begun", "a COMPLETED"])
      assert.strictEqual(new Set(heard).size, heard.length)
    }))

  for (const [when, wait] of [["while a partition runs", 20], ["after it has ended", 70]] as const) {
    it.scoped(`and is started again ${when}: hear once of what happened meanwhile, and not again of what they have heard (PART-12)`, () =>
      Effect.gen(function*() {
        const { heard, job } = makeLong()
        const repository = yield* Layer.build(JobRepository.layerMemory)
        yield* Effect.provide(as("worker")(Layer.build(PartitionWorker.layer([job]))), repository)
        const old = yield* Effect.fork(Effect.provide(as("old")(JobOperator.run(job, {})), repository))
        yield* seconds(65)
        assert.deepStrictEqual(heard, ["a begun", "a COMPLETED", "b begun"])
        heard.length = 0
        const [execution] = yield* Effect.provide(JobOperator.executions({ jobName: "died" }), repository)
        yield* Effect.provide(JobOperator.recover(execution!.id, { force: true }), repository)
        yield* seconds(wait)
        assert.strictEqual((yield* Fiber.await(old))._tag, "Failure")
        assert.deepStrictEqual(heard, [])
        const next = yield* Effect.fork(Effect.provide(as("new")(JobOperator.run(job, {})), repository))
        assert.strictEqual((yield* within(300, next)).status, "COMPLETED")
        const again = ["b begun", "b COMPLETED"]
        const last = ["c begun", "c COMPLETED"]
        assert.deepStrictEqual(heard, [
          "b failed: no rows",
          "b FAILED",
          ...(wait < 60 ? [last, again] : [again, last]).flat()
        ])
      }))
  }
})

describe("listeners of a partitioned step", () => {
  it.scoped("hear of partitions that workers run, while these run (PART-12, PART-16)", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const job = elsewhere("far", ["a", "b", "c"], heard, Effect.sleep("10 seconds"))
      const repository = yield* Layer.build(JobRepository.layerMemory)
      yield* Effect.provide(Layer.build(PartitionWorker.layer([job])), repository)
      const running = yield* Effect.fork(Effect.provide(JobOperator.run(job, {}), repository))
      for (let second = 0; second < 15; second++) {
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(heard.slice(0, 3), ["a begun", "a COMPLETED", "b begun"])
      assert.strictEqual(heard.length, 3)
      for (let second = 0; second < 30; second++) {
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual((yield* Fiber.join(running)).status, "COMPLETED")
      assert.strictEqual(heard.length, 6)
    }))

  it.scoped("hear of what another process did whose clock is half a minute behind (PART-12)", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const job = elsewhere("behind", ["a"], heard)
      const repository = yield* JobRepository.JobRepository
      const running = yield* Effect.fork(JobOperator.run(job, {}))
      yield* TestClock.adjust("1 minute")
      const { execution } = yield* taken("behind", "other")
      yield* TestClock.adjust("40 seconds")
      assert.deepStrictEqual(heard, ["a begun"])
      yield* Effect.clockWith((clock) =>
        Effect.withClock(
          repository.updateJobExecution({ ...execution, status: "COMPLETED" }),
          Object.create(clock, {
            unsafeCurrentTimeMillis: { value: () => clock.unsafeCurrentTimeMillis() - 30_000 }
          }) as typeof clock
        )
      )
      const { lastUpdated } = yield* repository.jobExecution(execution.id)
      assert.strictEqual(DateTime.distance(lastUpdated, yield* DateTime.now), 30_000)
      assert.strictEqual((yield* within(5, running)).status, "COMPLETED")
      assert.deepStrictEqual(heard, ["a begun", "a COMPLETED"])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.scoped("hear that a partition has begun once, also when the step is taken over while that is all they have heard (PART-12)", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const job = elsewhere("begun", ["a"], heard)
      const repository = yield* JobRepository.JobRepository
      const old = yield* Effect.fork(JobOperator.run(job, {}))
      yield* TestClock.adjust("1 second")
      const { execution } = yield* taken("begun", "other")
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(heard, ["a begun"])
      yield* JobOperator.recover(execution.parent!.executionId, { force: true })
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual((yield* Fiber.await(old))._tag, "Failure")
      yield* repository.updateJobExecution({ ...execution, status: "COMPLETED" })
      const next = yield* Effect.fork(JobOperator.run(job, {}))
      assert.strictEqual((yield* within(5, next)).status, "COMPLETED")
      assert.deepStrictEqual(heard, ["a begun", "a COMPLETED"])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.scoped("hear in each round of a loop of the partitions of that round (PART-12, OWN-5)", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      let round = 0
      const load = Step.partition("load", {
        plan: Effect.sync(() => Partition.values([`r${++round}`])),
        input: Schema.String,
        step: () => Step.tasklet("rows", Effect.void)
      }).pipe(Step.listen(listening(heard)))
      const again = Flow.decide("again", ["AGAIN", "DONE"], () => Effect.sync(() => round < 3 ? "AGAIN" : "DONE"))
      const flow = Flow.graph("load", {
        load: { run: load, on: { COMPLETED: "again", FAILED: "END" } },
        again: { run: again, on: { AGAIN: "load", DONE: "END" } }
      })
      assert.strictEqual((yield* JobOperator.run(Job.make("rounds", { flow }), {})).status, "COMPLETED")
      assert.deepStrictEqual(heard, ["r1", "r2", "r3"].flatMap((name) => [`${name} begun`, `${name} COMPLETED`]))
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  for (
    const [what, through, begun] of [
      ["of each that ended before anybody listened", -1, []],
      ["of the rest of those of which they have heard, also of one that began long before it", 900, [0]]
    ] as const
  ) {
    it.scoped(`hear ${what}, in the order in which they began, page by page (PART-12)`, () =>
      Effect.gen(function*() {
        const heard: Array<string> = []
        let broken = true
        const load = Step.partition("load", {
          plan: Partition.values(["a"]),
          input: Schema.String,
          step: () => Step.tasklet("rows", Effect.suspend(() => broken ? Effect.fail("no rows" as const) : Effect.void))
        })
        yield* JobOperator.run(Job.make("paged", { flow: load }), {})
        const repository = yield* JobRepository.JobRepository
        const [first] = yield* repository.jobExecutions({ jobName: "paged/load" })
        const ended = Array.from({ length: 1000 }, (_, n) => ({
          ...first!,
          id: first!.id * 1000 + n,
          status: "COMPLETED" as const,
          parameters: first!.parameters.map((given) =>
            given.name === "partition" ? { ...given, value: `p${n}` } : given
          )
        })).reverse()
        const jobExecutions: typeof repository.jobExecutions = (filter) =>
          filter?.parentId !== first!.parent!.executionId ? repository.jobExecutions(filter) : Effect.succeed(
            ended.filter(({ id }) => id < (filter.before ?? Infinity)).slice(0, filter.limit)
          )
        const idOf = (n: number) => first!.id * 1000 + n
        const mark = { through: through < 0 ? 0 : idOf(through), begun: begun.map(idOf), ended: [] }
        const stepExecution: typeof repository.stepExecution = (id) =>
          Effect.map(
            repository.stepExecution(id),
            Option.map((step) => ({ ...step, context: ExecutionContext.unsafeSet(step.context, toldKey, mark) }))
          )
        broken = false
        yield* Effect.provideService(
          JobOperator.run(Job.make("paged", { flow: Step.listen(load, listening(heard)) }), {}),
          JobRepository.JobRepository,
          { ...repository, jobExecutions, stepExecution }
        )
        const expected = [
          ...begun.map((n) => `p${n} COMPLETED`),
          ...ended.flatMap((_, n) => n > through ? [`p${n} begun`, `p${n} COMPLETED`] : [])
        ]
        // Those that are real have smaller ids here.
        assert.deepStrictEqual(heard.filter((line) => line.startsWith("p")), expected)
      }).pipe(Effect.provide(JobRepository.layerMemory)))
  }

  it.scoped("hear of each of many partitions once, over minutes", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const job = Job.make("long", {
        flow: Step.partition("load", {
          plan: Partition.values(Array.from({ length: 24 }, (_, index) => index)),
          input: Schema.Number,
          step: (part) => Step.tasklet("rows", part < 20 ? Effect.void : Effect.sleep("2 minutes")),
          concurrency: 2
        }).pipe(Step.listen(listening(heard)))
      })
      const running = yield* Effect.fork(JobOperator.run(job, {}))
      for (let half = 0; half < 60 && running.unsafePoll() === null; half++) {
        yield* TestClock.adjust("30 seconds")
      }
      assert.strictEqual((yield* Fiber.join(running)).status, "COMPLETED")
      assert.strictEqual(heard.length, 48)
      assert.strictEqual(new Set(heard).size, 48)
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})
