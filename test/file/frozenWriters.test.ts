/**
 * Writers that are frozen in front of any operation on a file or on the database, and go on when others have taken over,
 * have come to their end, and have been taken over themselves.
 *
 * The database is a model that does what the repository does: it lets nobody commit but the owner, and it hears of the
 * state of a writer when the engine stores it.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { Json } from "../../src/base/json.js"
import { CsvItemWriter, JsonItemWriter, TextItemWriter } from "../../src/file/index.js"
import type * as ItemWriter from "../../src/item/ItemWriter.js"
import { MemoryFiles } from "./support.js"

interface Row {
  readonly id: number
}

interface Store {
  owner: number
  state: Option.Option<Json>
  position: number
  isComplete: boolean
}

/** Stops a process in front of one of its operations until it is let go. */
class Gate {
  /** In front of which it has been. */
  readonly operations: Array<string> = []
  private readonly go = Deferred.unsafeMake<void>(undefined as never)
  readonly isFrozen = Deferred.unsafeMake<void>(undefined as never)

  constructor(private readonly at: number) {}

  readonly pass = (operation: string) =>
    Effect.suspend(() =>
      this.operations.push(operation) - 1 === this.at
        ? Effect.zipRight(Deferred.succeed(this.isFrozen, undefined), Deferred.await(this.go))
        : Effect.void
    )

  readonly thaw = Deferred.succeed(this.go, undefined)
}

class Lost {
  readonly _tag = "Lost"
}

/** What the engine does with a step whose source has this many items. */
const process = (
  store: Store,
  owner: number,
  writer: ItemWriter.ItemWriter<Row, unknown, FileSystem.FileSystem>,
  items: number,
  gate: Gate
): Effect.Effect<void, unknown, FileSystem.FileSystem> =>
  Effect.scoped(Effect.gen(function*() {
    const commit = (change: Partial<Store>) =>
      Effect.zipRight(
        gate.pass("commit"),
        Effect.suspend(() =>
          store.owner === owner ? Effect.sync(() => void Object.assign(store, change)) : Effect.fail(new Lost())
        )
      )
    yield* gate.pass("begin")
    store.owner = owner
    const { state } = store
    let { position } = store
    const sink = yield* writer.open(Option.map(state, (state) => JSON.parse(JSON.stringify(state))))
    const flush = Effect.map(sink.flush!, Option.some)
    yield* Effect.flatMap(flush, (state) => commit({ state }))
    yield* sink.committed!
    while (position < items) {
      const chunk = Array.from({ length: Math.min(2, items - position) }, (_, i) => ({ id: position + i + 1 }))
      yield* sink.write(chunk)
      const state = yield* flush
      yield* Effect.onError(commit({ state, position: position + chunk.length }), () => sink.rollback!)
      yield* sink.committed!
      position += chunk.length
    }
    yield* Effect.flatMap(flush, (state) => commit({ state }))
    yield* sink.committed!
    yield* sink.complete!
    yield* commit({ isComplete: true })
  }))

interface Case {
  readonly name: string
  readonly before?: string
  readonly writer: () => ItemWriter.ItemWriter<Row, unknown, FileSystem.FileSystem>
  /** How many items the source has for the first process, the second, and so on: it may grow. */
  readonly items: ReadonlyArray<number>
}

const csv = (options: CsvItemWriter.Options = {}) => () =>
  CsvItemWriter.make<Row>("out", { footer: ({ items }) => `# ${items}`, ...options })
const json = () => JsonItemWriter.array<Row>("out")
const emptied = () => JsonItemWriter.array<Row>("out", { deleteIfEmpty: true })
const lines = (ifExists: "append" | "fail") => () =>
  TextItemWriter.lines<Row>("out", ({ id }) => String(id), { ifExists, footer: ({ items }) => `# ${items}` })

let runs = 0

/** Its end is another one for each process, as one with a date would be. */
const dated = () => {
  const end = `run ${++runs}`
  return TextItemWriter.lines<Row>("out", ({ id }) => String(id), { footer: () => end })
}

const undated = (text: string | undefined): string | undefined => text?.replace(/run \d+/, "run")

const cases: ReadonlyArray<Case> = [
  { name: "rows over those of yesterday", before: "yesterday\n", writer: csv(), items: [3, 3, 3] },
  { name: "rows of a source that grows", before: "yesterday\n", writer: csv(), items: [2, 3, 5] },
  { name: "an array without elements at first", before: "[\n]\n", writer: json, items: [0, 2, 2] },
  { name: "an array without elements", writer: json, items: [0, 0, 0] },
  { name: "nothing, and then something", before: "yesterday\n", writer: emptied, items: [0, 0, 2] },
  { name: "nothing to the end", before: "yesterday\n", writer: emptied, items: [0, 0, 0] },
  { name: "lines behind others", before: "old", writer: lines("append"), items: [1, 3, 3] },
  { name: "no lines behind others", before: "old", writer: lines("append"), items: [0, 0, 1] },
  { name: "no lines, but an end that changes", before: "yesterday\n", writer: dated, items: [0, 0, 2] },
  { name: "lines and an end that changes", before: "yesterday\n", writer: dated, items: [2, 2, 3] },
  { name: "lines into a file that must not exist", writer: lines("fail"), items: [2, 2, 3] }
]

const fresh = (): Store => ({ owner: 0, state: Option.none(), position: 0, isComplete: false })

const start =
  (files: MemoryFiles) => ({ before, writer }: Case, store: Store, owner: number, items: number, gate: Gate) =>
    process(store, owner, writer(), items, gate).pipe(
      Effect.provideService(FileSystem.FileSystem, files.system(gate.pass))
    )

const disk = ({ before }: Case): MemoryFiles =>
  before === undefined ? new MemoryFiles() : new MemoryFiles().set("out", before)

/** What an undisturbed run leaves. */
const calm = (one: Case, items: number) =>
  Effect.gen(function*() {
    const files = disk(one)
    const gate = new Gate(-1)
    yield* start(files)(one, fresh(), 1, items, gate)
    return { text: files.text("out"), names: files.names, operations: gate.operations.length, all: gate.operations }
  })

/** Freezes processes one after the other, lets the last one come to its end, and then wakes the others in some order. */
const disturbed = (one: Case, freezes: ReadonlyArray<number>, wake: "first" | "last") =>
  Effect.gen(function*() {
    const files = disk(one)
    const store = fresh()
    const frozen: Array<readonly [Gate, Fiber.Fiber<unknown, unknown>]> = []
    for (const [index, at] of freezes.entries()) {
      const gate = new Gate(at)
      const fiber = yield* Effect.forkDaemon(Effect.exit(start(files)(one, store, index + 1, one.items[index]!, gate)))
      yield* Effect.raceFirst(Deferred.await(gate.isFrozen), Fiber.await(fiber))
      frozen.push([gate, fiber])
    }
    if (!store.isComplete) {
      const last = frozen.length
      const exit = yield* Effect.exit(start(files)(one, store, last + 1, one.items[last]!, new Gate(-1)))
      assert.isTrue(Exit.isSuccess(exit), `the successor failed: ${JSON.stringify(exit)}`)
    }
    const delivered = files.text("out")
    for (const [gate, fiber] of wake === "first" ? frozen : frozen.slice().reverse()) {
      yield* gate.thaw
      yield* Fiber.join(fiber)
    }
    assert.include(one.items, store.position)
    return { delivered, now: files.text("out"), names: files.names }
  })

/**
 * Freezes a process, wakes it to its end in the middle of the one that takes over, and lets that one go on; or it dies there,
 * and a third one has to go on.
 */
const interleaved = (one: Case, first: number, second: number, then: "goes on" | "dies") =>
  Effect.gen(function*() {
    const files = disk(one)
    const store = fresh()
    const [frozen, successor] = [new Gate(first), new Gate(second)]
    const old = yield* Effect.forkDaemon(Effect.exit(start(files)(one, store, 1, one.items[0]!, frozen)))
    yield* Effect.raceFirst(Deferred.await(frozen.isFrozen), Fiber.await(old))
    const next = yield* Effect.forkDaemon(Effect.exit(start(files)(one, store, 2, one.items[1]!, successor)))
    yield* Effect.raceFirst(Deferred.await(successor.isFrozen), Fiber.await(next))
    yield* frozen.thaw
    yield* Fiber.join(old)
    if (then === "goes on") {
      yield* successor.thaw
    }
    const exit = then === "goes on"
      ? yield* Fiber.join(next)
      : yield* Effect.exit(start(files)(one, store, 3, one.items[2]!, new Gate(-1)))
    assert.isTrue(Exit.isSuccess(exit), `the successor failed (${first}, ${second}): ${JSON.stringify(exit)}`)
    return { text: files.text("out"), names: files.names }
  })

/** 1 tries all pairs of places. */
const stride = Number(globalThis.process.env["EFFECT_BATCH_FREEZE_STRIDE"] ?? 4)

/** Where three processes take part. */
const wide = stride === 1 ? 1 : stride * 2

describe("a writer that was frozen", () => {
  for (const one of cases) {
    it.effect(`changes nothing of what its successor delivers, wherever it was: ${one.name} (OWN-17)`, () =>
      Effect.gen(function*() {
        const { operations } = yield* calm(one, one.items[0]!)
        const { names, text } = yield* calm(one, one.items[1]!)
        for (let at = 1; at < operations; at++) {
          const { delivered, names: left, now } = yield* disturbed(one, [at], "first")
          assert.deepStrictEqual(
            [undated(delivered), now, left],
            [undated(text), delivered, names],
            `frozen in front of operation ${at}`
          )
        }
      }))
  }

  for (const one of cases) {
    it.effect(`nor does one that was taken over while it took over: ${one.name} (OWN-17)`, () =>
      Effect.gen(function*() {
        const { operations } = yield* calm(one, one.items[0]!)
        const texts = [(yield* calm(one, one.items[1]!)).text, (yield* calm(one, one.items[2]!)).text].map(undated)
        for (let first = 1; first < operations; first += stride) {
          for (let second = 1 + first % 3; second < operations + 8; second += stride) {
            const wake = (first + second) % 2 === 0 ? "first" : "last"
            const { delivered, names, now } = yield* disturbed(one, [first, second], wake)
            assert.include(texts, undated(delivered))
            assert.deepStrictEqual(names, now === undefined ? [] : ["out"], `left of ${first} and ${second}`)
            assert.strictEqual(now, delivered, `frozen in front of ${first}, then of ${second}; ${wake} wakes first`)
          }
        }
      }))

    it.effect(`nor one that wakes up while it is taken over: ${one.name} (OWN-17)`, () =>
      Effect.gen(function*() {
        const { operations } = yield* calm(one, one.items[0]!)
        const { text } = yield* calm(one, one.items[1]!)
        for (let first = 1; first < operations; first++) {
          for (let second = 1 + first % stride; second < operations + 8; second += stride) {
            const where = `frozen in front of ${first}, woken while the other one is in front of ${second}`
            assert.strictEqual(undated((yield* interleaved(one, first, second, "goes on")).text), undated(text), where)
          }
        }
      }))

    it.effect(`nor one that gives its part the name of the output while it is looked for: ${one.name} (OWN-17)`, () =>
      Effect.gen(function*() {
        const { all } = yield* calm(one, one.items[0]!)
        const { operations, text } = yield* calm(one, one.items[1]!)
        const first = all.findIndex((operation) => operation.startsWith("rename "))
        // Everywhere: between a look and the step that follows from it there is no more than one operation.
        for (let second = 1; second < operations + 8; second++) {
          const where = `woken while the other one is in front of ${second}`
          assert.strictEqual(undated((yield* interleaved(one, first, second, "goes on")).text), undated(text), where)
        }
      }))

    it.effect(`nor one that wakes up beside a successor that dies then: ${one.name} (OWN-17)`, () =>
      Effect.gen(function*() {
        const { operations } = yield* calm(one, one.items[0]!)
        const { names, text } = yield* calm(one, one.items[2]!)
        for (let first = 1; first < operations; first++) {
          for (let second = 1 + first % wide; second < operations + 8; second += wide) {
            const left = yield* interleaved(one, first, second, "dies")
            const where = `frozen in front of ${first}, woken while the other one is in front of ${second}`
            assert.deepStrictEqual([undated(left.text), left.names], [undated(text), names], where)
          }
        }
      }))

    it.effect(`one that died leaves nothing behind when another one completes: ${one.name} (OWN-17)`, () =>
      Effect.gen(function*() {
        const { operations } = yield* calm(one, one.items[0]!)
        const { names, text } = yield* calm(one, one.items[2]!)
        for (let first = 1; first < operations; first += 2) {
          const files = disk(one)
          const store = fresh()
          for (const [index, at] of [first, 3 + first % 7].entries()) {
            const gate = new Gate(at)
            const fiber = yield* Effect.forkDaemon(start(files)(one, store, index + 1, one.items[index]!, gate))
            yield* Effect.raceFirst(Deferred.await(gate.isFrozen), Fiber.await(fiber))
          }
          yield* start(files)(one, store, 3, one.items[2]!, new Gate(-1))
          assert.deepStrictEqual(
            [undated(files.text("out")), files.names],
            [undated(text), names],
            `died in front of operation ${first}`
          )
        }
      }))
  }
})
