/**
 * Who is called at night is told which item it was: in the line of the failure and in that of a skip.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import {
  ItemProcessor,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  Sensitive,
  Step
} from "../../../src/index.js"

class Bad extends Data.TaggedError("Bad")<{ readonly message: string }> {}

interface Row {
  readonly id: number
}
const rows: ReadonlyArray<Row> = Array.from({ length: 25 }, (_, i) => ({ id: i + 1 }))
const bad = (id: number) => new Bad({ message: `${id} is bad` })

type Modify = (step: Step.ChunkStep<Row, Row, any, any, any>) => Step.ChunkStep<Row, Row, any, any, any>

/** Settings of a step that change how its items go through it. */
const ways: Readonly<
  Record<string, { readonly concurrency?: number; readonly prefetch?: boolean; readonly modify?: Modify }>
> = {
  "one after the other": {},
  "side by side": { concurrency: 4 },
  "ahead": { prefetch: true },
  "processed in the transaction": { modify: (step) => Step.processInTransaction(step) as never },
  "read in the transaction": { modify: (step) => Step.readInTransaction(step) as never }
}

const run = (
  way: (typeof ways)[string],
  failing: {
    readonly process?: ReadonlyArray<number>
    readonly write?: ReadonlyArray<number>
    readonly filter?: ReadonlyArray<number>
    readonly error?: (id: number) => Effect.Effect<never, Bad>
  },
  modify: Modify = (step) => step
) =>
  Effect.gen(function*() {
    const { error = (id: number) => Effect.fail(bad(id)) } = failing
    const step = Step.chunk("load", {
      reader: ItemReader.fromIterable(rows),
      processor: (row: Row) =>
        failing.process?.includes(row.id)
          ? error(row.id)
          : failing.filter?.includes(row.id)
          ? Effect.succeed(ItemProcessor.Filtered as never)
          : Effect.succeed(row),
      writer: ItemWriter.fromFunction((items: ReadonlyArray<Row>) => {
        const found = items.find(({ id }) => failing.write?.includes(id))
        return found === undefined ? Effect.void : error(found.id)
      }),
      chunkSize: 10,
      ...(way.concurrency === undefined ? {} : { concurrency: way.concurrency }),
      ...(way.prefetch === undefined ? {} : { prefetch: way.prefetch })
    } as any) as Step.ChunkStep<Row, Row, any, any, any>
    const job = Job.make("places", { flow: modify(way.modify === undefined ? step : way.modify(step)) }) as any
    const events = yield* Effect.flatMap(JobOperator.Events, PubSub.subscribe)
    const execution: any = yield* JobOperator.run(job, {} as any) as any
    const steps: ReadonlyArray<any> = yield* (yield* JobRepository.JobRepository).stepExecutions(execution.id)
    const told = yield* Queue.takeAll(events)
    return {
      line: execution.exitStatus.messages.join("; ") as string,
      causes: (steps.at(-1)?.causes ?? []) as ReadonlyArray<string>,
      skips: [...told].flatMap((event) => event._tag === "ItemSkipped" ? [event.place] : [])
    }
  }).pipe(Effect.scoped, Effect.provide(JobRepository.layerMemory)) as Effect.Effect<any, any, any> as Effect.Effect<
    { readonly line: string; readonly causes: ReadonlyArray<string>; readonly skips: ReadonlyArray<string | undefined> }
  >

describe("the place of an item", () => {
  for (const [name, way] of Object.entries(ways)) {
    it.effect(`${name}: a failure and a skip are told with the number of the item`, () =>
      Effect.gen(function*() {
        for (const id of [1, 7, 10, 11, 25]) {
          assert.strictEqual((yield* run(way, { process: [id] })).line, `Bad: ${id} is bad [item ${id}]`)
        }
        const skipping: Modify = (step) => Step.skip(step, "Bad", { limit: 9 }) as never
        const skipped = yield* run(way, { process: [2, 13, 14], write: [3, 10, 21], filter: [1, 12] }, skipping)
        assert.strictEqual(skipped.line, "")
        assert.deepStrictEqual([...skipped.skips].sort(), ["10", "13", "14", "2", "21", "3"].map((id) => `item ${id}`))
      }))
  }

  it.effect("a write that is refused as a whole names the items among which it is", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* run({}, { write: [13] })).line, "Bad: 13 is bad [items 11 to 20]")
      assert.strictEqual((yield* run({}, { write: [13], filter: [11, 20] })).line, "Bad: 13 is bad [items 12 to 19]")
    }))

  it.effect("a restart counts from its own first item, and says so", () =>
    Effect.gen(function*() {
      let broken = 13
      const job = Job.make("again", {
        flow: Step.chunk("load", {
          reader: ItemReader.fromIterable(rows),
          processor: (row: Row) => row.id === broken ? Effect.fail(bad(row.id)) : Effect.succeed(row),
          writer: ItemWriter.discard,
          chunkSize: 10
        })
      })
      const first = yield* JobOperator.run(job, {})
      assert.deepStrictEqual([...first.exitStatus.messages], ["Bad: 13 is bad [item 13]"])
      broken = 15
      const again = yield* JobOperator.run(job, {})
      assert.deepStrictEqual([...again.exitStatus.messages], ["Bad: 15 is bad [item 5 since the restart]"])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("a defect is told with it, too, and a limit that was passed", () =>
    Effect.gen(function*() {
      const broken = yield* run({}, { process: [12], error: () => Effect.die(new TypeError("no such property")) })
      assert.match(broken.line, /^TypeError: no such property \(at .*ItemPlace\.test\.ts:\d+:\d+\) \[item 12\]$/)
      assert.strictEqual(broken.causes[0], "at item 12")
      const limited = yield* run({}, { process: [12, 15] }, (step) => Step.skip(step, "Bad", { limit: 1 }) as never)
      assert.match(limited.line, /^SkipLimitExceeded: .*15 is bad.* \[item 15\]$/)
    }))

  it.effect("what quarantine shows of the item is shown, its secrets masked", () =>
    Effect.gen(function*() {
      const Shown = Schema.Struct({ id: Sensitive.make(Schema.Number) })
      const quarantined: Modify = (step) => Step.quarantine(step, { input: Shown, output: Shown } as never) as never
      assert.strictEqual(
        (yield* run({}, { process: [12] }, quarantined)).line,
        `Bad: 12 is bad [item 12 {"id":"${Sensitive.placeholder}"}]`
      )
      // So many characters of it.
      const Long = Schema.Struct({ id: Sensitive.make(Schema.Number), text: Schema.String })
      const cut: Modify = (step) => Step.quarantine(step, { input: Long, output: Long } as never) as never
      const named: Modify = (step) =>
        cut(Step.chunk("load", {
          reader: ItemReader.fromIterable([{ id: 12, text: "x".repeat(200) }]),
          processor: () => Effect.fail(bad(12)),
          writer: ItemWriter.discard,
          chunkSize: 10
        }) as never)
      const begins = `{"id":"${Sensitive.placeholder}","text":"`
      assert.strictEqual(
        (yield* run({}, {}, named)).line,
        `Bad: 12 is bad [item 1 ${begins}${"x".repeat(160 - begins.length)}…]`
      )
      const unmasked: Modify = (step) => Step.quarantine(step) as never
      assert.strictEqual((yield* run({}, { process: [12] }, unmasked)).line, "Bad: 12 is bad [item 12]")
    }))
})
