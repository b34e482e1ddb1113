/**
 * One process of a cluster, in memory: what is asked for, and what comes of it.
 */
import * as MessageStorage from "@effect/cluster/MessageStorage"
import * as RunnerHealth from "@effect/cluster/RunnerHealth"
import * as Runners from "@effect/cluster/Runners"
import * as RunnerStorage from "@effect/cluster/RunnerStorage"
import * as Sharding from "@effect/cluster/Sharding"
import * as ShardingConfig from "@effect/cluster/ShardingConfig"
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { BatchCluster } from "../../src/cluster/index.js"
import { Job, JobOperator, JobParameters, JobRepository, Partition, PartitionWorker, Step } from "../../src/index.js"

class Day extends JobParameters.Tag<Day>()("Day", { day: Schema.String }) {}

/** A cluster of one process, whose messages are in its memory. */
const clusterOver = (
  jobs: ReadonlyArray<any>,
  options: BatchCluster.Options = {},
  every: Duration.DurationInput = "20 millis"
) =>
  BatchCluster.layerHost(jobs as ReadonlyArray<Job.Job<any, any, any, never>>, options).pipe(
    Layer.provideMerge(Sharding.layer),
    Layer.provideMerge(Runners.layerNoop),
    Layer.provideMerge(MessageStorage.layerMemory),
    Layer.provide([RunnerStorage.layerMemory, RunnerHealth.layerNoop]),
    Layer.provide(
      ShardingConfig.layer({
        ...BatchCluster.shardingConfig(jobs, { ...options, address: { host: "localhost", port: 1 } }),
        entityMessagePollInterval: every,
        entityReplyPollInterval: every,
        refreshAssignmentsInterval: every
      })
    )
  )

const cluster = (
  jobs: ReadonlyArray<any>,
  options?: BatchCluster.Options,
  every?: Duration.DurationInput
) => Layer.provideMerge(clusterOver(jobs, options, every), JobRepository.layerMemory)

const soon = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  poll: Duration.DurationInput = "10 millis"
): Effect.Effect<A, E, R> =>
  effect.pipe(
    Effect.provideService(PartitionWorker.Poll, poll),
    Effect.provideService(JobOperator.StopGrace, "10 millis")
  )

const live = <E>(
  title: string,
  jobs: ReadonlyArray<any>,
  test: Effect.Effect<void, E, Sharding.Sharding | JobRepository.JobRepository>,
  options?: BatchCluster.Options
) => it.live(title, () => soon(Effect.provide(test, cluster(jobs, options)) as Effect.Effect<void, E>))

const makeDaily = (name: string, body: (day: string) => Effect.Effect<void, unknown>) =>
  Job.make(name, { parameters: Day, flow: Step.tasklet("work", Effect.flatMap(Day, ({ day }) => body(day))) })

const executionsOf = (jobName: string) => JobOperator.executions({ jobName })

const until = <A, E, R>(effect: Effect.Effect<A, E, R>, done: (value: A) => boolean) =>
  Effect.repeat(effect, { until: done, schedule: Schedule.spaced("50 millis") })

/** Time passes in steps that let everybody do what was due. */
const passing: Effect.Effect<never> = Effect.forever(
  Effect.zipRight(TestClock.adjust("250 millis"), Effect.promise(() => new Promise((done) => setImmediate(done))))
)

describe("a job that the cluster is asked to run", () => {
  {
    const days: Array<string> = []
    const job = makeDaily("once", (day) => Effect.sync(() => void days.push(day)))
    live(
      "runs once, however many ask for it and whenever",
      [job],
      Effect.gen(function*() {
        const all = yield* Effect.all(
          Array.from({ length: 5 }, () => BatchCluster.run(job, { day: "monday" })),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(new Set(all.map(({ id }) => id)).size, 1)
        const again = yield* BatchCluster.run(job, { day: "monday" })
        yield* BatchCluster.submit(job, { day: "monday" })
        assert.deepStrictEqual([again.id, again.status, days], [all[0]!.id, "COMPLETED", ["monday"]])
        assert.strictEqual((yield* BatchCluster.run(job, { day: "tuesday" })).status, "COMPLETED")
        assert.deepStrictEqual(days, ["monday", "tuesday"])
      })
    )
  }

  {
    let attempts = 0
    const job = makeDaily("failing", () => Effect.suspend(() => ++attempts === 1 ? Effect.fail("no") : Effect.void))
    live(
      "is not launched again when it fails by itself, until somebody asks again",
      [job],
      Effect.gen(function*() {
        assert.strictEqual((yield* BatchCluster.run(job, { day: "monday" })).status, "FAILED")
        assert.strictEqual(attempts, 1)
        assert.strictEqual((yield* BatchCluster.run(job, { day: "monday" })).status, "COMPLETED")
      })
    )
  }

  {
    const began = Deferred.unsafeMake<void>(0 as never)
    const job = makeDaily("stopped", () => Effect.zipRight(Deferred.succeed(began, undefined), Effect.never))
    live(
      "goes on when the caller goes away, and stops when it is told to",
      [job],
      Effect.gen(function*() {
        const caller = yield* Effect.fork(BatchCluster.run(job, { day: "monday" }))
        yield* Deferred.await(began)
        yield* Fiber.interrupt(caller)
        const [execution] = yield* executionsOf("stopped")
        assert(execution?.status === "STARTED")
        const waiting = yield* Effect.fork(BatchCluster.run(job, { day: "monday" }))
        yield* JobOperator.stop(execution.id)
        assert.deepStrictEqual((yield* Fiber.join(waiting)).status, "STOPPED")
        assert.strictEqual((yield* executionsOf("stopped")).length, 1)
      })
    )
  }

  {
    const job = Job.make("unrepeatable", {
      flow: Step.tasklet("work", Effect.fail("no")),
      restartable: false
    })
    live(
      "is refused with the reason when it can't be launched",
      [job],
      Effect.gen(function*() {
        assert.strictEqual((yield* BatchCluster.run(job, {})).status, "FAILED")
        const refused = yield* Effect.flip(BatchCluster.run(job, {}))
        assert(refused._tag === "RunRefused")
        assert.strictEqual(refused.reason, "JobRestartRefused")
        assert.match(refused.message, /cannot run job "unrepeatable"/)
      })
    )
  }

  {
    const ran: Array<string> = []
    const job = Job.make("divided", {
      flow: Step.partition("load", {
        plan: Partition.values(["a", "b", "c"]),
        input: Schema.String,
        step: (input) => Step.tasklet("note", Effect.sync(() => void ran.push(input))),
        concurrency: 0
      })
    })
    live(
      "has its partitions run by the slots of the cluster (PART-16)",
      [job],
      Effect.gen(function*() {
        assert.strictEqual((yield* BatchCluster.run(job, {})).status, "COMPLETED")
        assert.deepStrictEqual(ran.sort(), ["a", "b", "c"])
      }),
      { slots: 2 }
    )
  }
})

describe("an execution that lost its process", () => {
  const claim = (jobName: string, day: string) =>
    Effect.flatMap(JobRepository.JobRepository, (repository) =>
      repository.launch({
        jobName,
        parameters: [{ name: "day", value: day, identifying: true }],
        restartable: true,
        owner: "gone",
        leaseMillis: 0,
        isOwnerGone: (owner) => owner === "gone"
      }))

  const owning = Effect.provideService(JobOperator.Ownership, {
    lease: "30 seconds",
    owner: "alive",
    isOwnerGone: (owner: string) => owner === "gone"
  })

  {
    const job = makeDaily("taken over", () => Effect.void)
    live(
      "is taken over, and the audit says so",
      [job],
      owning(Effect.gen(function*() {
        const dead = yield* claim("taken over", "monday")
        const ended = yield* BatchCluster.run(job, { day: "monday" })
        assert.deepStrictEqual([ended.status, ended.id > dead.id], ["COMPLETED", true])
        const repository = yield* JobRepository.JobRepository
        const [entry] = yield* repository.audit({ executionId: ended.id })
        assert.deepStrictEqual([entry?.what, entry?.outcome], ["restart", "1 of 3: its process had died"])
      }))
    )
  }

  {
    const job = makeDaily("hopeless", () => Effect.void)
    live(
      "is given up after as many restarts as it may have",
      [job],
      owning(Effect.gen(function*() {
        const dead = yield* claim("hopeless", "monday")
        const ended = yield* BatchCluster.run(job, { day: "monday" }, { restarts: 0 })
        assert.deepStrictEqual([ended.id, ended.status, ended.exitStatus.code], [dead.id, "FAILED", "OWNER_DIED"])
        const repository = yield* JobRepository.JobRepository
        const [entry] = yield* repository.audit({ executionId: dead.id })
        assert.strictEqual(entry?.what, "give up")
      }))
    )
  }

  {
    const job = makeDaily("swept", () => Effect.void)
    const other = makeDaily("of others", () => Effect.void)
    it.live("is closed also when nobody asked the cluster for it, unless its job is that of others", () =>
      soon(owning(Effect.provide(
        Effect.gen(function*() {
          const dead = yield* claim(job.name, "monday")
          const foreign = yield* claim(other.name, "monday")
          yield* Effect.provide(
            until(JobOperator.execution(dead.id), ({ status }) => status === "FAILED"),
            clusterOver([job])
          )
          assert.strictEqual((yield* JobOperator.execution(foreign.id)).status, "STARTING")
        }),
        JobRepository.layerMemory
      ))))
  }
})

describe("partitions that make no progress", () => {
  const messages: Array<string> = []
  const logger = Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ message }) => void messages.push(String(message)))
  )
  const never = (name: string) =>
    Job.make(name, {
      flow: Step.partition("lo/ad", {
        plan: Partition.values(["a", "b"]),
        input: Schema.String,
        step: (input) => Step.tasklet("wait", input === "a" ? Effect.never : Effect.void),
        concurrency: 2
      })
    })

  it.effect("are named in one warning, once, unless they are of jobs of others", () => {
    const [job, other] = [never("qui/et"), never("of others")]
    const test = Effect.gen(function*() {
      yield* Effect.fork(JobOperator.run(other, {}))
      yield* BatchCluster.submit(job, {})
      yield* Effect.sleep("14 seconds")
      const warnings = messages.filter((message) => message.startsWith("Partitions without progress"))
      const [id] = (yield* JobOperator.executions({ jobName: "qui/et/lo/ad", partitions: true })).filter(({ status }) =>
        status === "STARTED"
      ).map(({ id }) => id)
      assert.deepStrictEqual(warnings, [`Partitions without progress for 3s: "qui/et/lo/ad, execution ${id}"`])
    })
    return Effect.raceFirst(
      soon(Effect.provide(test, cluster([job], { quiet: "3 seconds" }, "250 millis")), "250 millis"),
      passing
    ).pipe(Effect.provide(logger))
  })
})

const virtual = <E>(
  title: string,
  jobs: ReadonlyArray<any>,
  test: Effect.Effect<void, E, Sharding.Sharding | JobRepository.JobRepository>,
  options?: BatchCluster.Options
) =>
  it.effect(
    title,
    () =>
      Effect.raceFirst(
        soon(Effect.provide(test, cluster(jobs, options, "250 millis")) as Effect.Effect<void, E>, "250 millis"),
        passing
      )
  )

describe("a schedule", () => {
  const tickOf = (tick: DateTime.Zoned) => ({ day: DateTime.formatIso(tick) })

  {
    const days: Array<string> = []
    const job = makeDaily("every second", (day) => Effect.sync(() => void days.push(day)))
    virtual(
      "runs each tick once, in their order",
      [job],
      Effect.gen(function*() {
        yield* until(Effect.sync(() => days.length), (length) => length >= 3)
        const times = days.map((day) => Date.parse(day))
        assert.deepStrictEqual(times, times.map((_, index) => times[0]! + index * 1000))
      }),
      { schedules: [BatchCluster.schedule(job, "* * * * * *", tickOf)] }
    )
  }

  for (const overlap of [false, true]) {
    let running = 0
    let most = 0
    let ended = 0
    const job = makeDaily(`overlapping ${overlap}`, () =>
      Effect.acquireUseRelease(
        Effect.sync(() => void (most = Math.max(most, ++running))),
        () => Effect.sleep("1300 millis"),
        () => Effect.sync(() => void (running--, ended++))
      ))
    virtual(
      overlap ? "runs ticks side by side when it is told to" : "lets a tick wait for the one before",
      [job],
      Effect.gen(function*() {
        yield* until(Effect.sync(() => ended), (count) => count >= 2)
        assert.strictEqual(most > 1, overlap)
      }),
      { schedules: [BatchCluster.schedule(job, "* * * * * *", tickOf, { overlap })] }
    )
  }

  {
    const days: Array<string> = []
    // The definition tries the first ticks of a year.
    let isChecked = false
    const job = makeDaily("partly", (day) => Effect.sync(() => void days.push(day)))
    virtual(
      "goes on behind a tick for which there are no parameters",
      [job],
      Effect.gen(function*() {
        isChecked = true
        yield* until(Effect.sync(() => days.length), (length) => length >= 3)
        const seconds = days.map((day) => new Date(day).getUTCSeconds())
        assert.isTrue(seconds.slice(1).every((second) => second % 2 === 0))
      }),
      {
        schedules: [
          BatchCluster.schedule(job, "* * * * * *", (tick) => {
            const second = DateTime.getPartUtc(tick, "seconds")
            if (second % 2 === 1 && isChecked) {
              throw new Error("odd")
            }
            return tickOf(tick)
          })
        ]
      }
    )
  }

  for (const misfire of ["once", "skip"] as const) {
    const days: Array<string> = []
    const job = makeDaily(
      `late ${misfire}`,
      (day) => Effect.suspend(() => days.push(day) === 1 ? Effect.sleep("13500 millis") : Effect.void)
    )
    virtual(
      misfire === "once"
        ? "has the latest of its ticks run when many of them had to wait too long"
        : "leaves out ticks that had to wait too long, when it is to skip those",
      [job],
      Effect.gen(function*() {
        yield* until(Effect.sync(() => days.length), (length) => length === 2)
        const seconds = days.map((day) => (Date.parse(day) - Date.parse(days[0]!)) / 1000)
        assert.deepStrictEqual(seconds, misfire === "once" ? [0, 10] : [0, 15])
      }),
      { schedules: [BatchCluster.schedule(job, "*/5 * * * * *", tickOf, { misfire, tolerance: "2 seconds" })] }
    )
  }

  it("a process that could run nothing is refused when it is made", () => {
    const job = Job.make("idle", { flow: Step.tasklet("one", Effect.void) })
    for (const none of [0, -1, 0.5, NaN]) {
      assert.throws(
        () => BatchCluster.layerHost([job], { jobs: none }),
        `runs ${none} jobs at once, give a whole number from 1`
      )
      assert.throws(() => BatchCluster.layerHost([job], { slots: none }), `a worker has ${none} slots`)
    }
    for (const restarts of [-1, 0.5, NaN]) {
      assert.throws(
        () => BatchCluster.layerHost([job], { restarts }),
        `launched again ${restarts} times, give a whole number`
      )
    }
    assert.isTrue(Layer.isLayer(BatchCluster.layerHost([job], { restarts: 0, jobs: 1, slots: 1 })))
  })

  it("is refused when it is no cron, when it never comes, or when its ticks are one instance", () => {
    const job = makeDaily("any", () => Effect.void)
    assert.throws(() => BatchCluster.schedule(job, "every day", tickOf), /"every day" is not one/)
    assert.throws(() => BatchCluster.schedule(job, "0 0 * * * *", tickOf, { timeZone: "Mars/Olympus" }), /is not one/)
    assert.throws(() => BatchCluster.schedule(job, "0 0 30 2 *", tickOf), /never comes: no month has such a day/)
    assert.throws(
      () => BatchCluster.schedule(job, "0 0 * * * *", () => ({ day: "monday" })),
      /same identifying parameters for different ticks/
    )
  })

  it("is refused when some of its ticks would never run", () => {
    const job = makeDaily("any", () => Effect.void)
    const ofDay = (tick: DateTime.Zoned) => ({ day: DateTime.formatIsoDate(tick) })
    // From the first tick to the second one the day changes; then it does not.
    assert.throws(
      () => BatchCluster.schedule(job, "0 0 0,12 * * *", ofDay),
      "the same identifying parameters for different ticks, as 2026-01-02T00:00:00.000Z and 2026-01-02T12:00:00.000Z"
    )
    assert.strictEqual(BatchCluster.schedule(job, "0 0 0 * * *", ofDay).jobName, "any")
    for (const tolerance of [0, -1, "0 seconds"] as const) {
      assert.throws(
        () => BatchCluster.schedule(job, "0 0 0 * * *", ofDay, { tolerance }),
        /"0 0 0 \* \* \*" has no tolerance/
      )
    }
  })

  it("is refused beside another one that cannot be told from it, as of two customers, until it has a name", () => {
    const job = makeDaily("any", () => Effect.void)
    const [north, south] = ["north", "south"].map((name) =>
      BatchCluster.schedule(job, "0 0 2 * * *", (tick) => ({ day: `${name} ${DateTime.formatIsoDate(tick)}` }))
    )
    assert.throws(
      () => BatchCluster.layerHost([job], { schedules: [north!, south!] }),
      `job "any" has two schedules called "0 0 2 * * *" with the same times: give one of them another name`
    )
    const named = BatchCluster.schedule(job, "0 0 2 * * *", tickOf, { name: "south" })
    assert.isTrue(Layer.isLayer(BatchCluster.layerHost([job], { schedules: [north!, named] })))
  })

  it("says which of its ticks has no parameters, and why", () => {
    const job = makeDaily("any", () => Effect.void)
    assert.throws(
      () =>
        BatchCluster.schedule(job, "0 0 0 * * *", () => {
          throw new RangeError("no such day")
        }, { name: "nightly" }),
      /job "any".*schedule "nightly" has no parameters for its tick 2026-01-02T00:00:00.000Z: RangeError: no such day/
    )
  })
})
