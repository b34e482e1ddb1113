/**
 * The crash kit applied to ourselves: chunk steps, whatever they read and however bad it is, die everywhere.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import {
  CsvItemReader,
  CsvItemWriter,
  JsonItemReader,
  NdjsonItemReader,
  NdjsonItemWriter
} from "../../src/file/index.js"
import { ItemReader, ItemWriter, Job, JobRepository, Step, Transactor } from "../../src/index.js"
import { BatchTest } from "../../src/testing/index.js"
import { MemoryFiles } from "../file/support.js"

const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index + 1)

class BadRecord extends Data.TaggedError("BadRecord")<{ readonly at: number }> {}
class BadItem extends Data.TaggedError("BadItem")<{ readonly n: number }> {}
class Refused extends Data.TaggedError("Refused")<{}> {}
class Flaky extends Data.TaggedError("Flaky")<{}> {}

const survives = <P, Code extends string, E, R, E2, R2>(
  make: () => BatchTest.World<P, Code, E, R, E2, R2>,
  options: { readonly randomRuns?: number; readonly seed?: number } = { randomRuns: 10 }
) => BatchTest.crashEverywhere({ make: Effect.sync(make), ...options })

describe("a chunk step survives, whatever it reads", () => {
  const file = "in"
  const fileOf = (content: string) => new MemoryFiles().set(file, content).layer
  const readers = {
    fromIterable: ItemReader.fromIterable(numbers(8)),
    fromStream: ItemReader.fromStream(Stream.fromIterable(numbers(8)).pipe(Stream.rechunk(3))),
    fromStreamBy: ItemReader.fromStreamBy({
      key: Schema.Number,
      keyOf: (n: number) => n,
      open: (after) => Stream.fromIterable(numbers(8).slice(Option.getOrElse(after, () => 0)))
    }),
    paged: ItemReader.paged({
      cursor: Schema.Number,
      initial: 0,
      fetch: (cursor) =>
        Effect.succeed({
          items: numbers(8).slice(cursor, cursor + 3),
          next: cursor + 3 < 8 ? Option.some(cursor + 3) : Option.none()
        })
    }),
    unwrap: ItemReader.unwrap(Effect.sync(() => ItemReader.fromIterable(numbers(8)))),
    map: ItemReader.map(ItemReader.fromIterable(numbers(8)), (n) => n * 2),
    filter: ItemReader.filter(ItemReader.fromIterable(numbers(12)), (n) => n % 3 !== 0),
    concat: ItemReader.fromIterable(numbers(4)).pipe(ItemReader.concat(ItemReader.fromIterable([5, 6, 7]))),
    limit: ItemReader.limit(ItemReader.fromIterable(numbers(99)), 8),
    zipWithIndex: ItemReader.zipWithIndex(ItemReader.fromIterable(["a", "b", "c", "d", "e"])),
    csv: CsvItemReader.make(file).pipe(ItemReader.mapError(() => new Flaky())),
    json: JsonItemReader.array(file, { schema: Schema.Number }).pipe(ItemReader.mapError(() => new Flaky())),
    ndjson: NdjsonItemReader.make(file, { schema: Schema.Number }).pipe(ItemReader.mapError(() => new Flaky()))
  }
  const content: Partial<Record<string, string>> = {
    csv: `n\n${numbers(8).join("\n")}\n`,
    json: JSON.stringify(numbers(8)),
    ndjson: numbers(8).join("\n")
  }

  it.effect.each(Object.entries(readers))("%s", ([name, reader]) =>
    survives(() => {
      const out: Array<unknown> = []
      const step = Step.chunk("copy", {
        reader: reader as ItemReader.ItemReader<unknown, unknown, never>,
        writer: ItemWriter.inMemory(out),
        chunkSize: 3
      })
      return { job: Job.make(name, { flow: step }), parameters: {}, observe: Effect.sync(() => out.slice()) }
    }).pipe(
      Effect.tap(({ points }) => assert.isAbove(points, 20)),
      Effect.provide(fileOf(content[name] ?? ""))
    ))

  it.effect("and is read ahead while another chunk is written (D18)", () =>
    Effect.gen(function*() {
      const make = Effect.sync(() => {
        const out: Array<number> = []
        const step = Step.chunk("ahead", {
          reader: ItemReader.fromIterable(numbers(7)),
          processor: (n: number) => Effect.as(Effect.yieldNow(), n),
          writer: ItemWriter.inMemory(out),
          chunkSize: 2,
          prefetch: true
        })
        return { job: Job.make("ahead", { flow: step }), parameters: {}, observe: Effect.sync(() => out.slice()) }
      })
      const report = yield* BatchTest.crashEverywhere({ make, randomRuns: 50 })
      assert.isAbove(report.points, 4 * 7)
    }))

  it.effect("and files are cut back to the committed rows, with the footer once", () => {
    const files = new MemoryFiles()
    let worlds = 0
    return survives(() => {
      const path = `out-${worlds++}`
      const step = Step.chunk("copy", {
        reader: ItemReader.map(ItemReader.fromIterable(numbers(8)), (n) => ({ n, square: n * n })),
        writer: ItemWriter.tee(
          NdjsonItemWriter.make<object>(`${path}.ndjson`),
          CsvItemWriter.make<object>(`${path}.csv`, { footer: ({ items }) => `# ${items}\n` })
        ),
        chunkSize: 3
      })
      return {
        job: Job.make("files", { flow: step }),
        parameters: {},
        observe: Effect.sync(() => [files.text(`${path}.ndjson`), files.text(`${path}.csv`)])
      }
    }).pipe(Effect.provide(files.layer))
  })
})

describe("a step with bad records survives", () => {
  type Kind = "good" | "unreadable" | "unprocessable" | "unwritable"

  interface Plan {
    readonly items: ReadonlyArray<Kind>
    readonly chunkSize: number
    readonly scan: "bisect" | "one-by-one"
  }

  const readerOf = ({ items }: Plan) =>
    ItemReader.make<number, BadRecord>("planned", (from) =>
      Effect.sync(() => {
        let next = Option.match(from, { onNone: () => 0, onSome: Number })
        return {
          pull: (max: number) =>
            Effect.sync(() => {
              const page: Array<number> = []
              let failure = Option.none<BadRecord>()
              while (page.length < max && next < items.length && Option.isNone(failure)) {
                if (items[next] === "unreadable") {
                  failure = Option.some(new BadRecord({ at: next }))
                } else {
                  page.push(next)
                }
                next++
              }
              return { items: page, position: next, failure, done: next === items.length }
            })
        }
      }))

  const refusing = (out: Array<number>, { items }: Plan) =>
    ItemWriter.fromFunction((chunk: ReadonlyArray<number>) =>
      Effect.suspend(() => {
        const before = out.length
        out.push(...chunk)
        return Effect.zipRight(
          Transactor.onRollback(Effect.sync(() => void out.splice(before, chunk.length))),
          chunk.some((n) => items[n] === "unwritable") ? Effect.fail(new Refused()) : Effect.void
        )
      }), { name: "refusing", delivery: "transactional" })

  /** Phase and item of what was skipped, over all executions. */
  const quarantined = Effect.gen(function*() {
    const repository = yield* JobRepository.JobRepository
    const executions = yield* repository.jobExecutions({ limit: 1000 })
    const skipped = yield* Effect.forEach([...executions].reverse(), ({ id }) => repository.skippedItems(id))
    return skipped.flat().map(({ item, phase }) => `${phase} ${Option.getOrElse(item, () => "-")}`).sort()
  })

  const worldOf = (plan: Plan) => () => {
    const out: Array<number> = []
    const step = Step.chunk("load", {
      reader: readerOf(plan),
      processor: (n: number) => plan.items[n] === "unprocessable" ? Effect.fail(new BadItem({ n })) : Effect.succeed(n),
      writer: refusing(out, plan),
      chunkSize: plan.chunkSize
    }).pipe(
      Step.skip(["BadRecord", "BadItem", "Refused"], { limit: 1000 }),
      Step.scan(plan.scan),
      Step.quarantine()
    )
    return {
      job: Job.make("load", { flow: step }),
      parameters: {},
      observe: Effect.map(quarantined, (skipped) => ({ out: out.slice(), skipped }))
    }
  }

  const planned = (items: string, scan: Plan["scan"] = "bisect"): Plan => ({
    items: [...items].map((kind) =>
      kind === "r" ? "unreadable" : kind === "p" ? "unprocessable" : kind === "w" ? "unwritable" : "good"
    ),
    chunkSize: 4,
    scan
  })

  it.effect.each<readonly [string, Plan]>([
    ["bad in each phase", planned("..r.p..w..")],
    ["several bad items in one scan (FT6-9)", planned("w.w..ww..w")],
    ["one by one (FT6-9)", planned("w.w..ww..w", "one-by-one")],
    ["only bad records", planned("rrpwrpw")],
    ["bad records behind the last item", planned(".w.rr")],
    ["a bad record between the items of a scanned chunk", planned(".rw.r.")]
  ])("%s", ([, plan]) => survives(worldOf(plan)))

  const plans: FastCheck.Arbitrary<Plan> = FastCheck.record({
    items: FastCheck.array(
      FastCheck.oneof(
        { weight: 4, arbitrary: FastCheck.constant<Kind>("good") },
        { weight: 3, arbitrary: FastCheck.constantFrom<Array<Kind>>("unreadable", "unprocessable", "unwritable") }
      ),
      { minLength: 1, maxLength: 9 }
    ),
    chunkSize: FastCheck.integer({ min: 1, max: 6 }),
    scan: FastCheck.constantFrom<Array<Plan["scan"]>>("bisect", "one-by-one")
  })

  it.effect.prop(
    "any plan, any chunk size",
    [plans, FastCheck.nat()],
    ([plan, seed]) => Effect.asVoid(survives(worldOf(plan), { seed, randomRuns: 5 })),
    { fastCheck: { numRuns: 15 } }
  )

  it.effect("retries of reads, items and writes, with pauses", () =>
    survives(() => {
      const out: Array<number> = []
      const failed = new Set<string>()
      /** Fails the first time in the life of the world. */
      const once = (what: string) =>
        Effect.suspend(() => {
          const again = failed.has(what)
          failed.add(what)
          return again ? Effect.void : Effect.fail(new Flaky())
        })
      const step = Step.chunk("flaky", {
        reader: ItemReader.fromIterable(numbers(7)),
        processor: (n: number) => n % 3 === 0 ? Effect.as(once(`process ${n}`), n) : Effect.succeed(n),
        writer: ItemWriter.tee(
          ItemWriter.inMemory(out),
          ItemWriter.fromFunction((items: ReadonlyArray<number>) => once(`write ${items[0]}`), {
            delivery: "transactional"
          })
        ),
        chunkSize: 2
      }).pipe(Step.retry("Flaky", { schedule: Schedule.exponential("1 second").pipe(Schedule.upTo("1 hour")) }))
      return { job: Job.make("flaky", { flow: step }), parameters: {}, observe: Effect.sync(() => out.slice()) }
    }))
})
