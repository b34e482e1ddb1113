/**
 * A partitioned step whose partitions are lost, refused or stopped under its hands. In memory, on the clock of the test; what
 * the store does about it, all drivers show.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Running from "../../../src/engine/session/running.js"
import { requestStop } from "../../../src/engine/session/session.js"
import {
  BatchError,
  ExecutionContext,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  Partition,
  Step
} from "../../../src/index.js"
import { BatchTest } from "../../../src/testing/index.js"
import { having, inMemory, living, type Partitions, planOf, silently, taken, within } from "./kit.js"

const { JobRepository: Repository } = JobRepository
/** A partition that first does this, outside of any transaction, and then writes one item. */
const doing = <R>(before: Effect.Effect<unknown, unknown, R>) =>
  Step.chunk("rows", {
    reader: ItemReader.unwrap(Effect.as(before, ItemReader.fromIterable([1]))),
    writer: ItemWriter.discard,
    chunkSize: 1
  })

const children = (jobName: string) =>
  Effect.gen(function*() {
    const repository = yield* Repository
    const found = yield* repository.jobExecutions({ jobName: `${jobName}/load`, limit: 1000 })
    return [...found].reverse().map(({ exitStatus, parameters, status }) => [
      parameters.find(({ name }) => name === "partition")?.value,
      status,
      exitStatus.code
    ])
  })

const isOpen = (jobName: string) =>
  Effect.gen(function*() {
    const { partitions } = yield* Repository
    return Option.getOrThrow(yield* partitions.find(yield* planOf(jobName))).isOpen
  })

const transient = new BatchError.JobRepositoryError({
  operation: "claimPartition",
  reason: "transient",
  detail: "away"
})
const broken = new BatchError.JobRepositoryError({
  operation: "claimPartition",
  reason: "data",
  detail: "no such table"
})

describe("a partition that another process holds", () => {
  inMemory(
    "is taken at the next look when that process is gone, long before its lease ends (PART-5, OWN-20)",
    Effect.gen(function*() {
      let isFirst = true
      const load = Step.partition("load", {
        plan: Partition.values(["a", "b"]),
        input: Schema.String,
        step: () =>
          doing(Effect.suspend(() => {
            const before = isFirst ? taken("robbed", "gone") : Effect.void
            isFirst = false
            return before
          }))
      })
      const running = yield* Effect.fork(living(JobOperator.run(Job.make("robbed", { flow: load }), {})))
      const { status } = yield* within(5, running)
      assert.strictEqual(status, "COMPLETED")
      assert.deepStrictEqual(yield* children("robbed"), [
        ["a", "COMPLETED", "COMPLETED"],
        ["b", "FAILED", "OWNER_DIED"],
        ["b", "COMPLETED", "COMPLETED"]
      ])
      assert.isFalse(yield* isOpen("robbed"))
    })
  )

  inMemory(
    "is waited for as long as it may live, then taken (PART-5)",
    Effect.gen(function*() {
      let isFirst = true
      const load = Step.partition("load", {
        plan: Partition.values(["a", "b"]),
        input: Schema.String,
        step: () =>
          doing(Effect.suspend(() => {
            const before = isFirst ? taken("patient", "frozen", 10_000) : Effect.void
            isFirst = false
            return before
          }))
      })
      const running = yield* Effect.fork(living(JobOperator.run(Job.make("patient", { flow: load }), {})))
      yield* TestClock.adjust("9 seconds")
      assert.isNull(running.unsafePoll())
      assert.strictEqual((yield* within(5, running)).status, "COMPLETED")
    })
  )

  inMemory(
    "and was never given back is closed when the step is stopped (PART-7, OWN-2)",
    Effect.gen(function*() {
      const load = Step.partition("load", {
        plan: Partition.values(["a", "b"]),
        input: Schema.String,
        step: () => doing(Effect.void),
        concurrency: 0
      })
      const repository = yield* Repository
      let refusals = 1
      const close: typeof repository.close = (...given) =>
        Effect.suspend(() => refusals-- > 0 ? Effect.fail(transient) : repository.close(...given))
      const { await: ended, execution } = yield* JobOperator.start(Job.make("buried", { flow: load }), {}).pipe(
        Effect.provideService(Repository, { ...repository, close })
      )
      yield* TestClock.adjust("1 second")
      yield* taken("buried", "frozen", 1000)
      yield* TestClock.adjust("3 seconds")
      yield* JobOperator.stop(execution.id)
      const { exitStatus, status } = yield* within(5, yield* Effect.fork(ended))
      assert.isBelow(refusals, 0)
      assert.strictEqual(status, "STOPPED")
      assert.include(exitStatus.messages.join(), "0 of 2 partitions completed")
      assert.deepStrictEqual(yield* children("buried"), [["a", "FAILED", "OWNER_DIED"]])
      assert.isFalse(yield* isOpen("buried"))
    })
  )

  inMemory(
    "and is left when another one fails is not the one to blame (PART-7)",
    Effect.gen(function*() {
      const load = Step.partition("load", {
        plan: Partition.values(["a", "b", "c"]),
        input: Schema.String,
        step: (input) => doing(input === "a" ? taken("blaming", "frozen", 1000) : Effect.fail("c is broken")),
        onPartitionFailure: "stop"
      })
      const running = yield* Effect.fork(living(JobOperator.run(Job.make("blaming", { flow: load }), {})))
      const { exitStatus, status } = yield* within(5, running)
      assert.strictEqual(status, "FAILED")
      assert.match(
        exitStatus.messages.join(),
        /1 of 3 partitions of "load" failed, 1 were not begun, first "c" \(execution \d+\): c is broken/
      )
      assert.deepStrictEqual((yield* children("blaming")).map(([name, , code]) => [name, code]), [
        ["a", "COMPLETED"],
        ["b", "OWNER_DIED"],
        ["c", "FAILED"]
      ])
      assert.isFalse(yield* isOpen("blaming"))
    })
  )

  inMemory(
    "because it was taken from this one is run again, and fails nothing (PART-5, P2)",
    Effect.gen(function*() {
      let isFirst = true
      const lose = Effect.gen(function*() {
        const repository = yield* Repository
        const [own] = yield* repository.jobExecutions({ jobName: "losing/load" })
        yield* repository.close(own!.id, { status: "FAILED", exitCode: "OWNER_DIED", message: "" })
      })
      const load = Step.partition("load", {
        plan: Partition.values(["a"]),
        input: Schema.String,
        step: () =>
          doing(Effect.suspend(() => {
            const before = isFirst ? lose : Effect.void
            isFirst = false
            return before
          }))
      })
      const running = yield* Effect.fork(living(JobOperator.run(Job.make("losing", { flow: load }), {})))
      assert.strictEqual((yield* within(5, running)).status, "COMPLETED")
      assert.deepStrictEqual((yield* children("losing")).map(([, , code]) => code), ["OWNER_DIED", "COMPLETED"])
    })
  )
})

describe("a partition that fails", () => {
  inMemory(
    "without a word is blamed by its exit code (PART-7)",
    Effect.gen(function*() {
      const load = Step.partition("load", {
        plan: Partition.values(["a"]),
        input: Schema.String,
        step: () =>
          doing(Effect.void).pipe(Flow.match({ COMPLETED: Flow.fail("TOO_FEW"), FAILED: Flow.fail("TOO_FEW") }))
      })
      const { exitStatus } = yield* JobOperator.run(Job.make("wordless", { flow: load }), {})
      assert.match(exitStatus.messages.join(), /first "a" \(execution \d+\): TOO_FEW; mend/)
    })
  )

  for (const fails of [false, true]) {
    inMemory(
      `in a way that nobody knows is blamed as well${fails ? ", behind one that fails" : ""} (PART-7)`,
      Effect.gen(function*() {
        const load = Step.partition("load", {
          plan: Partition.values(["a", "b"]),
          input: Schema.String,
          step: () =>
            doing(Effect.gen(function*() {
              const repository = yield* Repository
              const { execution } = yield* taken("unknown", "other")
              yield* repository.updateJobExecution({ ...execution, status: "UNKNOWN" })
              yield* fails ? Effect.fail("broken") : Effect.void
            }))
        })
        const running = yield* Effect.fork(JobOperator.run(Job.make("unknown", { flow: load }), {}))
        const { exitStatus, status } = yield* within(5, running)
        assert.strictEqual(status, "FAILED")
        assert.match(
          exitStatus.messages.join(),
          fails
            ? /2 of 2 partitions of "load" failed, first "a" \(execution \d+\): broken/
            : /1 of 2 partitions of "load" failed, first "b" \(execution \d+\): /
        )
      })
    )
  }

  inMemory(
    "is named also when as many are not begun (PART-7)",
    Effect.gen(function*() {
      const load = Step.partition("load", {
        plan: Partition.values(["a", "b"]),
        input: Schema.String,
        step: () => doing(Effect.fail("broken")),
        onPartitionFailure: "stop"
      })
      const { exitStatus } = yield* JobOperator.run(Job.make("as many", { flow: load }), {})
      assert.match(exitStatus.messages.join(), /1 were not begun, first "a" \(execution \d+\): broken/)
    })
  )
})

describe("a repository", () => {
  const load = Step.partition("load", {
    plan: Partition.values(["a", "b"]),
    input: Schema.String,
    step: () => doing(Effect.void)
  })

  inMemory(
    "that can't say what to take next is asked again for a while (OWN-21)",
    Effect.gen(function*() {
      let refusals = 3
      const running = yield* Effect.fork(
        JobOperator.run(Job.make("flaky", { flow: load }), {}).pipe(
          Effect.provideServiceEffect(
            Repository,
            having(({ claim }) => ({
              claim: (...asked) => Effect.suspend(() => refusals-- > 0 ? Effect.fail(transient) : claim(...asked))
            }))
          )
        )
      )
      assert.strictEqual((yield* within(5, running)).status, "COMPLETED")
    })
  )

  inMemory(
    "that never can fails the step, which does not wait for ever",
    Effect.gen(function*() {
      const running = yield* Effect.fork(
        JobOperator.run(Job.make("broken", { flow: load }), {}).pipe(
          Effect.provideServiceEffect(Repository, having(() => ({ claim: () => Effect.fail(broken) })))
        )
      )
      const { exit, status } = yield* within(60, running)
      assert.strictEqual(status, "FAILED")
      assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "no such table")
    })
  )
})

describe("a stop", () => {
  inMemory(
    "is passed on to each partition once, and waited for without asking all the time (D16)",
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let begun = 0
      const all = yield* Deferred.make<void>()
      const load = Step.partition("load", {
        plan: Partition.values(["a", "b", "c"]),
        input: Schema.String,
        step: () =>
          Step.tasklet(
            "rows",
            Effect.suspend(() =>
              Effect.zipRight(++begun === 2 ? Deferred.succeed(all, undefined) : Effect.void, Deferred.await(gate))
            )
          ),
        concurrency: 2
      })
      const repository = yield* Repository
      const asked: Array<number> = []
      let looks = 0
      const watched = {
        ...repository,
        requestStop: (id: number) => {
          asked.push(id)
          return repository.requestStop(id)
        },
        partitions: {
          ...repository.partitions,
          list: (...call: Parameters<Partitions["list"]>) => {
            looks++
            return repository.partitions.list(...call)
          }
        }
      }
      yield* Effect.gen(function*() {
        const { await: ended, execution } = yield* JobOperator.start(Job.make("asking", { flow: load }), {})
        yield* Deferred.await(all)
        yield* JobOperator.stop(execution.id)
        yield* TestClock.adjust("5 seconds")
        yield* Deferred.succeed(gate, undefined)
        const { status } = yield* ended
        assert.strictEqual(status, "STOPPED")
        assert.deepStrictEqual([...asked].sort(), [...new Set(asked)].sort())
        assert.lengthOf(asked, 3)
        assert.isAtMost(looks, 10)
        assert.lengthOf(yield* children("asking"), 2)
        assert.isFalse(yield* isOpen("asking"))
      }).pipe(Effect.provideService(Repository, watched))
    })
  )

  inMemory(
    "reaches more partitions than one page lists, and leaves none of them when their processes are gone (PART-7, D16)",
    Effect.gen(function*() {
      const names = Array.from({ length: 120 }, (_, n) => `p${n}`)
      const load = Step.partition("load", {
        plan: Partition.values(names),
        input: Schema.String,
        step: () => doing(Effect.void),
        concurrency: 0
      })
      const { await: ended, execution } = yield* JobOperator.start(Job.make("wide", { flow: load }), {})
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(names, () => taken("wide", "other", 20_000))
      yield* JobOperator.stop(execution.id)
      yield* TestClock.adjust("2 seconds")
      const statuses = Effect.map(children("wide"), (found) => [...new Set(found.map(([, status]) => status))])
      assert.deepStrictEqual(yield* statuses, ["STOPPING"])
      assert.strictEqual((yield* within(30, yield* Effect.fork(ended))).status, "STOPPED")
      assert.deepStrictEqual(yield* statuses, ["FAILED"])
    })
  )

  inMemory(
    "of one partition alone ends that one: nobody takes it again, and the others go on (D16, OWN-2)",
    Effect.gen(function*() {
      const load = Step.partition("load", {
        plan: Partition.values(["a", "b", "c"]),
        input: Schema.String,
        step: (name) => Step.tasklet("rows", name === "b" ? Effect.never : Effect.void)
      })
      const running = yield* Effect.fork(JobOperator.run(Job.make("picking", { flow: load }), {}))
      yield* TestClock.adjust("1 second")
      const [b] = yield* JobOperator.executions({ jobName: "picking/load", statuses: ["STARTED"] })
      yield* JobOperator.stop(b!.id)
      assert.strictEqual((yield* within(60, running)).status, "STOPPED")
      assert.deepStrictEqual(yield* children("picking"), [
        ["a", "COMPLETED", "COMPLETED"],
        ["b", "STOPPED", "STOPPED"],
        ["c", "COMPLETED", "COMPLETED"]
      ])
    })
  )

  inMemory(
    "that only this process knows of lets no further partition begin (OWN-2)",
    Effect.gen(function*() {
      const running = Running.make()
      const load = Step.partition("load", {
        plan: Partition.values(["a", "b"]),
        input: Schema.String,
        step: () => doing(Effect.sync(() => running.sessions.forEach(requestStop)))
      })
      const { status } = yield* Effect.provideService(
        JobOperator.run(Job.make("leaving", { flow: load }), {}),
        Running.Running,
        running
      )
      assert.strictEqual(status, "STOPPED")
      assert.deepStrictEqual((yield* children("leaving")).map(([name]) => name), ["a"])
    })
  )
})

describe("a plan", () => {
  inMemory(
    "has its place in the step before it is made, so that it is never made twice (PART-10)",
    Effect.gen(function*() {
      let place: unknown
      const load = Step.partition("load", {
        plan: Effect.gen(function*() {
          const [execution] = yield* JobOperator.executions({ jobName: "placed" })
          const [step] = yield* JobOperator.steps(execution!.id)
          place = [ExecutionContext.toJson(step!.context), step!.id]
          return Partition.values(["a"])
        }),
        input: Schema.String,
        step: () => doing(Effect.void)
      })
      yield* JobOperator.run(Job.make("placed", { flow: load }), {})
      const id = yield* planOf("placed")
      assert.deepStrictEqual(place, [`{"batch.partition.plan":${id}}`, id])
    })
  )

  inMemory(
    "may stand in a job of its own, which has no parameters and is no partition",
    Effect.gen(function*() {
      const load = Step.partition("load", {
        plan: Partition.values(["a"]),
        input: Schema.String,
        step: () => doing(Effect.void)
      })
      const outer = Job.make("outer", { flow: Step.job("inner", Job.make("inner", { flow: load })) })
      assert.strictEqual((yield* JobOperator.run(outer, {})).status, "COMPLETED")
    })
  )

  inMemory(
    "of more partitions than a page holds gives all of their results",
    Effect.gen(function*() {
      const total = Array.from({ length: 1001 }, (_, n) => ({ name: `p${n}`, ordinal: 3 * n, context: "{}" }))
      const after: Array<number> = []
      let given = 0
      const load = Step.partition("load", {
        plan: Partition.values(["a"]),
        input: Schema.String,
        step: () => doing(Effect.void),
        collect: (results) => Effect.sync(() => void (given = results.length))
      })
      const repository = yield* having(() => ({
        contexts: (_, page) =>
          Effect.sync(() => {
            after.push(page.after)
            return total.filter(({ ordinal }) => ordinal > page.after).slice(0, page.limit)
          })
      }))
      yield* Effect.provideService(JobOperator.run(Job.make("paged", { flow: load }), {}), Repository, repository)
      assert.deepStrictEqual([given, after], [1001, [-1, 2997]])
    })
  )
})

it.live(
  "a partitioned step survives a crash at every place, its own and those of its partitions (PART-5, PART-10)",
  () =>
    Effect.gen(function*() {
      const { points } = yield* BatchTest.crashEverywhere({
        make: Effect.sync(() => {
          const out: Array<string> = []
          const load = Step.partition("load", {
            plan: Partition.values(["a", "b"]),
            input: Schema.String,
            step: (input) =>
              Step.chunk("rows", {
                reader: ItemReader.fromIterable([1, 2].map((n) => `${input}${n}`)),
                writer: ItemWriter.inMemory(out),
                chunkSize: 1
              })
          })
          const after = Step.tasklet("after", Effect.void)
          return {
            job: Job.make("crashing", { flow: load.pipe(Flow.andThen(after)) }),
            parameters: {},
            observe: Effect.sync(() => [...out].sort())
          }
        }),
        randomRuns: 5
      })
      assert.isAbove(points, 20)
    }).pipe(silently),
  300_000
)
