/**
 * The crash kit itself: it finds nothing in jobs that are right, and it finds the flaws that were put into others.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { ItemReader, ItemWriter, Job, Step, Tasklet } from "../../src/index.js"
import { BatchTest } from "../../src/testing/index.js"

const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index + 1)

/** A world with one chunk step from a reader to a writer that is made for an array. */
const worldOf = <E, R>(
  reader: ItemReader.ItemReader<number, E, R>,
  writer: (out: Array<number>) => ItemWriter.ItemWriter<number> = ItemWriter.inMemory
) =>
  Effect.sync(() => {
    const out: Array<number> = []
    const step = Step.chunk("copy", { reader, writer: writer(out), chunkSize: 3 })
    return { job: Job.make("copy", { flow: step }), parameters: {}, observe: Effect.sync(() => out.slice()) }
  })

const plain = worldOf(ItemReader.fromIterable(numbers(10)))

const caught = <A, R>(check: Effect.Effect<A, BatchTest.CrashFinding, R>) => Effect.flip(check)

describe("a job that survives", () => {
  it.effect("passes, and every place of a run was tried", () =>
    Effect.gen(function*() {
      const report = yield* BatchTest.crashEverywhere({ make: plain, randomRuns: 10 })
      // Four chunks of at least seven places, and the beginning and end of step and job.
      assert.isAbove(report.points, 4 * 7)
      assert.strictEqual(report.attempts, 1 + report.points + 10)
    }))

  it.effect("needs no real time: pauses are skipped", () =>
    Effect.gen(function*() {
      const make = Effect.sync(() => {
        const out: Array<number> = []
        let failures = 0
        const step = Step.chunk("copy", {
          reader: ItemReader.fromIterable(numbers(4)),
          processor: (n: number) =>
            Effect.suspend(() => n === 3 && failures++ === 0 ? Effect.fail(new Flaky()) : Effect.succeed(n)),
          writer: ItemWriter.inMemory(out),
          chunkSize: 2
        }).pipe(Step.retry("Flaky", { schedule: Schedule.spaced("1 hour") }))
        return { job: Job.make("copy", { flow: step }), parameters: {}, observe: Effect.sync(() => out.slice()) }
      })
      yield* BatchTest.crashEverywhere({ make, randomRuns: 5 })
    }))

  it.effect("is repeated exactly by its seed", () =>
    Effect.gen(function*() {
      const killed = (seed: number) =>
        Effect.map(
          caught(BatchTest.crashEverywhere({ make: counting(2), seed, randomRuns: 50 })),
          (finding) => finding.killed
        )
      assert.deepStrictEqual(yield* killed(7), yield* killed(7))
    }))

  it.effect("releases what `make` acquired, and its finalizers do not run at a crash", () =>
    Effect.gen(function*() {
      let open = 0
      let closed = 0
      const make = Effect.gen(function*() {
        yield* Effect.acquireRelease(Effect.sync(() => void open++), () => Effect.sync(() => void open--))
        const writer = ItemWriter.make<number, never, Scope.Scope>("counted", {
          delivery: "transactional",
          open: () =>
            Effect.map(
              Effect.addFinalizer(() => Effect.sync(() => void closed++)),
              () => ({ write: () => Effect.void })
            )
        })
        const step = Step.chunk("copy", { reader: ItemReader.fromIterable(numbers(2)), writer, chunkSize: 1 })
        return { job: Job.make("copy", { flow: step }), parameters: {}, observe: Effect.void }
      })
      const report = yield* BatchTest.crashEverywhere({ make, randomRuns: 0 })
      assert.strictEqual(open, 0)
      // Once in each attempt, unless the kill came when the step was complete and closed already.
      assert.isAtMost(closed, report.attempts)
      assert.isAbove(closed, 0)
    }))
})

class Flaky extends Schema.TaggedError<Flaky>()("Flaky", {}) {}

/** A job that goes wrong when it is started more than `starts` times. */
const counting = (starts: number) =>
  Effect.sync(() => {
    let started = 0
    const step = Step.tasklet("count", Effect.sync(() => void started++))
    return {
      job: Job.make("count", { flow: step }),
      parameters: {},
      observe: Effect.sync(() => started > starts ? "too often" : "fine")
    }
  })

describe("planted flaws are found", () => {
  /** A reader whose position is off by so many items. */
  const shifted = (by: number) =>
    ItemReader.make<number>("shifted", (from) =>
      Effect.sync(() => {
        let next = Option.match(from, { onNone: () => 0, onSome: (position) => Math.max(0, Number(position) + by) })
        const all = numbers(10)
        return {
          pull: (max: number) =>
            Effect.sync(() => {
              const items = all.slice(next, next + max)
              next += items.length
              return { items, position: next, failure: Option.none(), done: next >= all.length }
            })
        }
      }))

  it.effect("a reader that checkpoints an item late writes it twice", () =>
    Effect.gen(function*() {
      const finding = yield* caught(BatchTest.crashEverywhere({ make: worldOf(shifted(-1)) }))
      assert.strictEqual(finding.difference, "output[3]")
      assert.deepStrictEqual([finding.expected, finding.got], [4, 3])
      assert.strictEqual(finding.killed.length, 1)
      assert.include(
        finding.message,
        "does not survive a crash: output[3] is 3 instead of 4, after run 1 died at point"
      )
    }))

  it.effect("a reader that checkpoints an item early loses it", () =>
    Effect.gen(function*() {
      const finding = yield* caught(BatchTest.crashEverywhere({ make: worldOf(shifted(1)) }))
      assert.deepStrictEqual([finding.difference, finding.expected, finding.got], ["output[3]", 4, 5])
    }))

  it.effect("a writer that ignores the rollback", () =>
    Effect.gen(function*() {
      const writer = (out: Array<number>) =>
        ItemWriter.fromFunction((items: ReadonlyArray<number>) => Effect.sync(() => void out.push(...items)))
      const finding = yield* caught(
        BatchTest.crashEverywhere({ make: worldOf(ItemReader.fromIterable(numbers(10)), writer) })
      )
      assert.deepStrictEqual([finding.difference, finding.expected, finding.got], ["output[3]", 4, 1])
      assert.strictEqual(finding.killed[0]?.at(-1), "afterWrite")
    }))

  it.effect("a tasklet that remembers outside of its transaction how far it came", () =>
    Effect.gen(function*() {
      const make = Effect.sync(() => {
        const out: Array<number> = []
        let next = 0
        const tasklet = Effect.sync(() => {
          out.push(next++)
          return Tasklet.continueIf(next < 4)
        })
        return {
          job: Job.make("count", { flow: Step.tasklet("count", tasklet) }),
          parameters: {},
          observe: Effect.sync(() => out.slice())
        }
      })
      const finding = yield* caught(BatchTest.crashEverywhere({ make }))
      assert.match(finding.difference, /^output/)
    }))

  it.effect("a flaw that takes two crashes, with only these two in its trace", () =>
    Effect.gen(function*() {
      const finding = yield* caught(BatchTest.crashEverywhere({ make: counting(2), randomRuns: 50 }))
      assert.strictEqual(finding.killed.length, 2)
      assert.deepStrictEqual([finding.difference, finding.got], ["output", "too often"])
    }))

  it.effect("a job that does not complete at all is not checked", () =>
    Effect.gen(function*() {
      const make = Effect.succeed({
        job: Job.make("broken", { flow: Step.tasklet("broken", Effect.fail("no")) }),
        parameters: {},
        observe: Effect.void
      })
      const finding = yield* caught(BatchTest.crashEverywhere({ make }))
      assert.deepStrictEqual(finding.killed, [])
      assert.match(
        finding.message,
        /The job "broken" cannot be checked: the status of a run that nobody kills is FAILED/
      )
    }))

  it.effect("an engine whose transactions do not roll back", () =>
    Effect.gen(function*() {
      const finding = yield* caught(BatchTest.crashEverywhereWith({ make: plain }, {
        transactor: () => ({ transact: (effect) => effect })
      }))
      assert.match(finding.difference, /^output/)
    }))

  it.effect("an engine that writes everything once, and counts it twice after a crash", () =>
    Effect.gen(function*() {
      let died = 0
      const finding = yield* caught(BatchTest.crashEverywhereWith({ make: plain }, {
        repository: (repository) => ({
          ...repository,
          createStepExecution: (execution, step) => {
            died = Option.isSome(step.checkpoint) ? 1 : 0
            return repository.createStepExecution(execution, step)
          },
          updateStepExecution: (execution, step, before) =>
            repository.updateStepExecution(
              execution,
              step.status === "COMPLETED"
                ? { ...step, counts: { ...step.counts, read: step.counts.read + died } }
                : step,
              before
            )
        })
      }))
      assert.deepStrictEqual([finding.difference, finding.expected, finding.got], ["counts.copy/copy.read", 10, 11])
      assert.strictEqual(finding.killed.length, 1)
    }))

  it.effect("an engine that stores the checkpoint outside of the transaction", () =>
    Effect.gen(function*() {
      const finding = yield* caught(BatchTest.crashEverywhereWith({ make: plain }, {
        repository: (repository, outside) => ({
          ...repository,
          updateStepExecution: (execution, step) => outside(repository.updateStepExecution(execution, step))
        })
      }))
      assert.match(finding.difference, /^output/)
    }))
})
