/**
 * Items in real threads: what becomes of them, of those beside them, and of the threads.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import {
  ItemProcessor,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  Step,
  WorkerError
} from "../../src/index.js"
import type { Task } from "./threads/tasks.js"

const tasks = new URL("./threads/tasks.js", import.meta.url)

const effects = new URL("./threads/effects.js", import.meta.url)

const Square = Schema.Struct({ id: Schema.Number, square: Schema.Number })

class Rejected extends Schema.TaggedError<Rejected>()("Rejected", { limit: Schema.Number }) {}

const numbered = (does: ReadonlyArray<Task["does"]>): ReadonlyArray<Task> =>
  does.map((does, id) => does === undefined ? { id } : { id, does })

/** A short word for what became of an item. */
const word = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.match(exit, {
    onSuccess: (output) => output === ItemProcessor.Filtered ? "filtered" : (output as typeof Square.Type).square,
    onFailure: (cause) => cause._tag === "Fail" ? (cause.error as { readonly _tag: string })._tag : cause._tag
  })

const processAll = <In, Out, E>(
  processor: ItemProcessor.ItemProcessor<In, Out, E>,
  items: ReadonlyArray<In>
) =>
  Effect.scoped(Effect.flatMap(processor.open, (process) =>
    process._tag === "Effect" && process.applyAll !== undefined
      ? process.applyAll(items, 1)
      : Effect.die("takes no chunks")))

const words = <Out, E>(
  processor: ItemProcessor.ItemProcessor<unknown, Out, E>,
  does: ReadonlyArray<Task["does"]>
) => Effect.map(processAll(processor, numbered(does)), (exits) => exits.map(word))

const errorOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

const make = (options: Partial<Parameters<typeof ItemProcessor.workerThreads>[1]> = {}) =>
  ItemProcessor.workerThreads(tasks, { schema: Square, threads: 2, error: Rejected, ...options as {} })

const times = <A>(count: number, value: A): ReadonlyArray<A> => Array.from({ length: count }, () => value)

describe("items in threads", () => {
  it.live("keep their order, and know what all of them are given", () =>
    Effect.gen(function*() {
      const does = Array.from({ length: 51 }, (_, id) => (["promise", "filter", undefined] as const)[id % 3])
      assert.deepStrictEqual(
        yield* words(make({ data: 7 }), [...does, "data"]),
        [...does.map((does, id) => does === "filter" ? "filtered" : id * id), 7]
      )
    }))

  it.live("fail one by one, with the tag, message, fields and causes that the errors had in the thread", () =>
    Effect.gen(function*() {
      const does = ["throw", undefined, "reject", "throw a string", "misshape", "uncloneable"] as const
      const exits = yield* processAll(make({ threads: 1 }), numbered(does))
      assert.deepStrictEqual(exits.map(word), [
        "WorkerItemError",
        1,
        "Rejected",
        "WorkerItemError",
        "InvalidItem",
        "WorkerCloneError"
      ])
      const [thrown, , rejected, words, , uncloneable] = exits.map(errorOf)
      assert(rejected instanceof Rejected && rejected.limit === 10)
      assert(thrown instanceof WorkerError.WorkerItemError && thrown.cause instanceof Error)
      assert.strictEqual(thrown.message, "The function in the thread failed with RangeError: too much")
      assert.strictEqual((thrown.cause.cause as Error).message, "the reason")
      assert.match(thrown.cause.stack!, /tasks/)
      assert.match((words as Error).message, /only words/)
      assert.match((uncloneable as Error).message, /square\.deep\.0: a function/)
    }))

  it.live("fail with the tag of an error that nobody gave a schema for, and die of defects", () =>
    Effect.gen(function*() {
      const processor = ItemProcessor.workerThreads(effects, { schema: Square, threads: 1 })
      const exits = yield* processAll(processor, numbered([undefined, undefined, undefined, undefined, undefined]))
      assert.deepStrictEqual(exits.map(word), [0, "WorkerItemError", "Die", "filtered", 16])
      const unknown = errorOf(exits[1]!)
      assert(unknown instanceof WorkerError.WorkerItemError)
      assert.deepStrictEqual([unknown.tag, unknown.fields], ["Rejected", { limit: 10 }])
    }))

  it.live("are refused by name of the place that cannot be cloned, and the others are not", () =>
    Effect.gen(function*() {
      const items = [{ id: 1 }, { id: 2, deep: { list: [1, () => 2] } }, { id: 3 }]
      const exits = yield* processAll(make({ threads: 1 }), items)
      assert.deepStrictEqual(exits.map(word), [1, "WorkerCloneError", 9])
      assert.match((errorOf(exits[1]!) as Error).message, /deep\.list\.1: a function/)
    }))

  it.live("are encoded by the schema of the input, and named where they do not fit it", () =>
    Effect.gen(function*() {
      const input = Schema.Struct({
        id: Schema.transform(Schema.Number, Schema.Number, {
          decode: (id) => id,
          encode: (id) => id + 100
        }).pipe(Schema.filter((id) => id !== 2))
      })
      const processor = ItemProcessor.workerThreads(tasks, { schema: Square, threads: 2, input })
      const exits = yield* processAll(processor, [{ id: 1 }, { id: 2 }, { id: 3 }])
      assert.deepStrictEqual(exits.map(word), [101 ** 2, "InvalidItem", 103 ** 2])
    }))
})

describe("an item that kills its thread", () => {
  it.live("is one failed item, and the others of its chunk succeed", () =>
    Effect.gen(function*() {
      const does: ReadonlyArray<Task["does"]> = [
        ...times(10, undefined),
        "exit",
        ...times(10, undefined),
        "throw outside"
      ]
      assert.deepStrictEqual(
        yield* words(make(), does),
        does.map((does, id) => does === undefined ? id * id : "WorkerThreadDied")
      )
    }))

  it.live("is it also by taking all memory that the thread may have", () =>
    Effect.gen(function*() {
      const limited = make({ threads: 1, resourceLimits: { maxOldGenerationSizeMb: 32 } })
      const exits = yield* processAll(limited, numbered([undefined, "allocate", undefined]))
      assert.deepStrictEqual(exits.map(word), [0, "WorkerThreadDied", 4])
      assert.match((errorOf(exits[1]!) as Error).message, /memory/)
    }))

  it.live("is it also by taking longer than it may", () =>
    Effect.gen(function*() {
      const hasty = make({ timeout: "500 millis" })
      assert.deepStrictEqual(yield* words(hasty, [undefined, "loop", undefined, "hang"]), [
        0,
        "WorkerItemTimeout",
        4,
        "WorkerItemTimeout"
      ])
    }))

  it.live("is none that was begun while its process was held up, and could neither look nor listen", () =>
    Effect.gen(function*() {
      const turns = new Int32Array(new SharedArrayBuffer(8))
      const until = (holds: () => boolean) =>
        Effect.iterate(undefined, {
          while: () => !holds(),
          body: () => Effect.promise(() => new Promise<undefined>((done) => setImmediate(done, undefined)))
        })
      const answers = yield* Effect.fork(words(make({ threads: 1, timeout: 400, data: turns }), ["wait for turns"]))
      yield* until(() => Atomics.load(turns, 1) === 1)
      // Somebody has looked, and then nobody can for longer than an item may take.
      const begun = performance.now()
      yield* until(() => performance.now() - begun > 120)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600)
      yield* Effect.promise(() => new Promise((done) => setTimeout(done, 0)))
      Atomics.store(turns, 0, 100)
      Atomics.notify(turns, 0)
      assert.deepStrictEqual(yield* Fiber.join(answers), [0])
    }))

  it.live("is not blamed on those that come behind it", () =>
    Effect.gen(function*() {
      const answers = yield* words(make({ threads: 1 }), ["exit later", ...times(30, "promise" as const)])
      assert.deepStrictEqual(answers.slice(1), Array.from({ length: 30 }, (_, index) => (index + 1) ** 2))
    }))
})

describe("a step with threads", () => {
  const run = <E>(
    name: string,
    items: ReadonlyArray<unknown>,
    processor: ItemProcessor.ItemProcessor<unknown, typeof Square.Type, E>,
    skipped: ReadonlyArray<string>
  ) => {
    const written: Array<number> = []
    const job = Job.make(name, {
      flow: Step.chunk("square", {
        reader: ItemReader.fromIterable(items),
        processor,
        writer: ItemWriter.fromFunction((chunk: ReadonlyArray<typeof Square.Type>) =>
          Effect.sync(() => void written.push(...chunk.map(({ id }) => id)))
        ),
        chunkSize: 4
      }).pipe(Step.skip(skipped as any, { limit: 5 }))
    })
    return Effect.map(JobOperator.run(job, {}), (execution) => ({ execution, written }))
  }

  it.live("skips what a thread failed at, and says which item it was", () =>
    Effect.gen(function*() {
      const items = numbered([undefined, "exit", undefined, undefined, undefined, "reject", undefined])
      const skipping = yield* run("skipping", items, make(), ["WorkerThreadDied", "Rejected"])
      assert.deepStrictEqual(skipping.written, [0, 2, 3, 4, 6])
      assert.strictEqual(skipping.execution.status, "COMPLETED")
      const failing = yield* run("failing", items, make(), ["Rejected"])
      assert.deepStrictEqual([failing.execution.status, failing.written], ["FAILED", []])
      assert.match(failing.execution.exitStatus.messages.join(), /WorkerThreadDied: .*exit code 3.*item 2/)
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.live("tries again what a thread failed at", () =>
    Effect.gen(function*() {
      const tries = new Int32Array(new SharedArrayBuffer(4))
      const written: Array<number> = []
      const job = Job.make("retrying", {
        flow: Step.chunk("square", {
          reader: ItemReader.fromIterable(numbered([undefined, "fail at first", undefined])),
          processor: make({ threads: 1, data: tries }),
          writer: ItemWriter.fromFunction((chunk: ReadonlyArray<typeof Square.Type>) =>
            Effect.sync(() => void written.push(...chunk.map(({ id }) => id)))
          ),
          chunkSize: 4
        }).pipe(Step.retry("Rejected", { times: 2 }))
      })
      assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
      assert.deepStrictEqual([written, Atomics.load(tries, 0)], [[0, 1, 2], 2])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.live("leaves the event loop to heartbeats and all else while an item keeps its thread busy", () =>
    Effect.gen(function*() {
      const turns = new Int32Array(new SharedArrayBuffer(8))
      const turning = Effect.forever(Effect.promise(() =>
        new Promise<void>((done) =>
          setImmediate(() => {
            Atomics.add(turns, 0, 1)
            Atomics.notify(turns, 0)
            done()
          })
        )
      ))
      const answers = yield* Effect.raceFirst(words(make({ data: turns }), ["wait for turns", undefined]), turning)
      assert.deepStrictEqual(answers, [0, 1])
      assert.isAtLeast(Atomics.load(turns, 0), 100)
    }))

  it.live("gives the items that are left to threads when it stands between other processors", () =>
    Effect.gen(function*() {
      const odd = ItemProcessor.filter((task: unknown) => (task as Task).id % 2 === 1)
      const halved = ItemProcessor.mapEffect(({ id, square }: typeof Square.Type) =>
        square === 9 ? Effect.fail(new Rejected({ limit: 9 })) : Effect.succeed({ id, square: square / 2 })
      )
      const processor = odd.pipe(ItemProcessor.andThen(make()), ItemProcessor.andThen(halved))
      assert.deepStrictEqual(yield* words(processor, times(6, undefined)), [
        "filtered",
        0.5,
        "filtered",
        "Rejected",
        "filtered",
        12.5
      ])
    }))

  it.live("ends its threads when it is interrupted, and with the step", () =>
    Effect.gen(function*() {
      const before = threads()
      const opened = yield* Deferred.make<number>()
      const fiber = yield* Effect.fork(Effect.scoped(Effect.flatMap(make().open, (process) =>
        Effect.zipRight(
          Deferred.succeed(opened, threads()),
          process._tag === "Effect" ? process.apply({ id: 1, does: "loop" }) : Effect.void
        ))))
      assert.strictEqual(yield* Deferred.await(opened), before + 2)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(threads(), before)
      yield* words(make(), ["throw"])
      assert.strictEqual(threads(), before)
    }))
})

/** Threads that this process has, each with a port to it. */
const threads = () => process.getActiveResourcesInfo().filter((name) => name === "MessagePort").length

describe("a module that does not start", () => {
  for (
    const [what, file, problem] of [
      ["is not there", "missing.js", /there is no such file/],
      ["throws", "broken.js", /no model/],
      ["does not serve", "silent.js", /did not call WorkerProcessor\.serve/]
    ] as const
  ) {
    it.live(`because it ${what} fails the step when it opens`, () =>
      Effect.gen(function*() {
        const processor = ItemProcessor.workerThreads(new URL(`./threads/${file}`, import.meta.url), {
          schema: Square,
          threads: 2
        })
        const failed = yield* Effect.flip(processAll(processor, [{ id: 1 }]))
        assert(failed instanceof WorkerError.WorkerStartError)
        assert.match(failed.message, problem)
      }))
  }

  it("is refused before that with numbers that cannot work", () => {
    assert.throws(() => make({ threads: 0 }), /at least 1 thread/)
    assert.throws(() => make({ timeout: 0 }), /timeout above 0/)
  })
})
