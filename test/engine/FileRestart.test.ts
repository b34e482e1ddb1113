/**
 * Files that a step writes, when it fails or its process dies: cut back to what was committed, and continued.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import { Buffer } from "node:buffer"
import { gzipSync } from "node:zlib"
import { CsvItemReader, CsvItemWriter, NdjsonItemWriter, TextItemWriter } from "../../src/file/index.js"
import type { BatchEvent } from "../../src/index.js"
import {
  Counts,
  ItemProcessor,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  Listener,
  Step
} from "../../src/index.js"
import { SqlItemWriter } from "../../src/sql/index.js"
import { BatchTest } from "../../src/testing/index.js"
import { MemoryFiles } from "../file/support.js"
import { drivers, sqlDrivers } from "../support/drivers.js"
import { runStep } from "./faults/world.js"

type Row = { readonly id: number; readonly name: string }

const row = (id: number): Row => ({ id, name: `n${id}` })
const rows = (count: number): ReadonlyArray<Row> => Array.from({ length: count }, (_, index) => row(index + 1))

/** Fails once, in the transaction of the chunk, when everything of it is in the file already. */
const outage = (id: number) => {
  let down = true
  return ItemWriter.make<Row, string>("outage", {
    delivery: "transactional",
    open: () =>
      Effect.sync(() => {
        let hit = false
        return {
          write: (items) => Effect.sync(() => void (hit = items.some((item) => item.id === id))),
          flush: Effect.suspend(() => {
            if (hit && down) {
              down = false
              return Effect.fail("the disk of the database is full")
            }
            return Effect.succeed(null)
          })
        }
      })
  })
}

const csv = (path: string, options: CsvItemWriter.Options = {}) =>
  CsvItemWriter.make<Row>(path, { footer: ({ items }) => `# ${items}\n`, ...options })

const formats: ReadonlyArray<readonly [string, ItemWriter.ItemWriter<Row, any, any>, string, string]> = [
  ["csv", csv("out"), "id,name\n1,n1\n2,n2\n3,n3\n", "id,name\n1,n1\n2,n2\n3,n3\n4,n4\n5,n5\n6,n6\n7,n7\n# 7\n"],
  [
    "NDJSON",
    NdjsonItemWriter.make<Row>("out"),
    rows(3).map((row) => `${JSON.stringify(row)}\n`).join(""),
    rows(7).map((row) => `${JSON.stringify(row)}\n`).join("")
  ],
  [
    "text",
    TextItemWriter.lines<Row>("out", ({ name }) => name, { header: "HEAD", footer: ({ items }) => `END ${items}` }),
    "HEAD\nn1\nn2\nn3\n",
    "HEAD\nn1\nn2\nn3\nn4\nn5\nn6\nn7\nEND 7\n"
  ]
]

describe("files of a step", () => {
  for (const driver of drivers) {
    it.layer(Layer.orDie(driver.layer), { timeout: "5 minutes" })(driver.name, (it) => {
      it.effect.each(formats)("%s (C50)", ([name, writer, committed, complete]) =>
        Effect.gen(function*() {
          const files = new MemoryFiles()
          const step = Step.chunk(`C50 ${name}`, {
            reader: ItemReader.fromIterable(rows(7)),
            writer: ItemWriter.tee(writer, outage(5)),
            chunkSize: 3
          })
          const first = yield* Effect.provide(runStep(step), files.layer)
          assert.deepStrictEqual(
            [first.status, first.counts.write],
            ["FAILED", 3],
            first.step.exitStatus.messages.join()
          )
          assert.deepStrictEqual([files.text("out"), files.part("out")], [undefined, committed])
          // A process that died there would have left this behind.
          files.change(files.partName("out")!, `${committed}half of a li`)
          const second = yield* Effect.provide(runStep(step), files.layer)
          assert.deepStrictEqual([second.status, second.counts.write], ["COMPLETED", 4])
          assert.deepStrictEqual([files.text("out"), files.names], [complete, ["out"]])
        }))

      it.effect("a state before the first chunk: stored once, and neither a commit nor an event", () =>
        Effect.gen(function*() {
          const files = new MemoryFiles()
          const stored: Array<unknown> = []
          const step = Step.chunk("state before", {
            reader: ItemReader.unwrap(Effect.succeed(ItemReader.fromIterable(rows(2)))),
            writer: NdjsonItemWriter.make<Row>("out"),
            chunkSize: 2
          }).pipe(Step.listen(Listener.step({
            beforeChunk: () =>
              Effect.gen(function*() {
                const [execution] = yield* JobOperator.executions({ jobName: "state before" })
                const [step] = yield* JobOperator.steps(execution!.id)
                stored.push(Option.getOrNull(step!.checkpoint), step!.counts.commit)
              })
          })))
          const hub = yield* PubSub.unbounded<BatchEvent.BatchEvent>()
          const { counts, events } = yield* Effect.scoped(Effect.gen(function*() {
            const subscription = yield* hub.subscribe
            const { counts } = yield* runStep(step).pipe(
              Effect.provide(files.layer),
              Effect.provideService(JobOperator.Events, hub)
            )
            return { counts, events: Chunk.toReadonlyArray(yield* subscription.takeAll) }
          }))
          const [{ writer: { part, ...writer } }, commits] = stored as [{ readonly writer: any }, number]
          assert.deepStrictEqual([writer.offset, writer.items, writer.memo, commits], [0, 0, null, 0])
          assert.match(part.token, /^[0-9a-f]{8}_[0-9a-z]+_[0-9a-f]{8}_[0-9a-f]{8}$/)
          assert.deepStrictEqual(counts, Counts.make({ read: 2, write: 2, commit: 1 }))
          assert.lengthOf(events.filter(({ _tag }) => _tag === "ChunkCommitted"), 1)
        }))
    })
  }
})

describe("what is left beside an output", () => {
  /** A run of the job that fails at an item as often as it is told, and the name of its part. */
  const make = (files: MemoryFiles) => (job: string, failures: number, items = 4) => {
    const seen = { part: "" }
    let left = failures
    const standing = new Set(files.names)
    const step = Step.chunk("write", {
      reader: ItemReader.fromIterable(rows(items)),
      processor: ItemProcessor.mapEffect((row: Row) =>
        Effect.suspend(() => {
          seen.part = files.names.find((name) => name.endsWith(".part") && !standing.has(name)) ?? seen.part
          return row.id === 3 && left-- > 0 ? Effect.fail("broken") : Effect.succeed(row)
        })
      ),
      writer: NdjsonItemWriter.make<Row>("out"),
      chunkSize: 2
    })
    const run = Effect.map(Effect.provide(runStep(step, job), files.layer), ({ execution, status }) => ({
      id: execution.id,
      part: seen.part,
      status
    }))
    return run
  }

  /** What a process leaves that wakes up when all is over, and is killed then: its turn was another one. */
  const stray = (part: string, kind = "part") => part.replace(/[0-9a-f]{8}\.part$/, `00000000.${kind}`)

  for (const driver of drivers) {
    it.layer(Layer.orDie(driver.layer), { timeout: "5 minutes" })(driver.name, (it) => {
      it.effect("goes with the next run of the output, if no restart can need it and it is ours (OWN-17)", () =>
        Effect.gen(function*() {
          const files = new MemoryFiles()
          const job = make(files)
          const { part: first } = yield* job("left, first", 0)
          files.set(stray(first), "late").set(stray(first, "old"), "late").set(`${stray(first, "gone")}/output`, "late")
          // Of an execution that this repository does not know, or whose id it has given to another one; and of a user.
          const foreign = [
            first.replace(/_[0-9a-z]+(_[0-9a-f]{8}){2}\.part$/, "_zzzz_00000000_00000000.part"),
            first.replace(/[0-9a-f]{8}_[0-9a-f]{8}\.part$/, "00000000_00000000.part"),
            "out.mine.part"
          ]
          foreign.forEach((name) => files.set(name, "of others"))
          const failing = job("left, failing", 1)
          const failed = yield* failing
          assert.strictEqual(failed.status, "FAILED")
          assert.deepStrictEqual(files.names, ["out", failed.part, ...foreign].sort())
          const standing = files.text("out")!
          // What is needed for its restart stays, whoever completes, and whoever runs beside it.
          const { part: third } = yield* job("left, third", 0)
          files.set(stray(third), "late")
          assert.deepStrictEqual(files.names, ["out", failed.part, stray(third), ...foreign].sort())
          files.delete("out")
          assert.strictEqual((yield* failing).status, "COMPLETED")
          assert.deepStrictEqual(files.names, ["out", ...foreign].sort())
          assert.strictEqual(files.text("out"), standing)
        }))

      it.effect("goes with the next run of the output when its execution is given up (OWN-17)", () =>
        Effect.gen(function*() {
          const files = new MemoryFiles()
          const job = make(files)
          const { id, part } = yield* job("given up", 1)
          assert.deepStrictEqual(files.names, [part])
          yield* JobOperator.abandon(id)
          yield* job("given up, next", 0)
          assert.deepStrictEqual(files.names, ["out"])
        }))

      it.effect("goes with the restart that it belongs to, although the restart knows nothing of it (OWN-17)", () =>
        Effect.gen(function*() {
          const files = new MemoryFiles()
          const failing = make(files)("restarted", 1)
          const { part } = yield* failing
          // Of a turn whose rows a failover has lost.
          files.set(stray(part), "lost").set(stray(part, "old"), "lost")
          assert.strictEqual((yield* failing).status, "COMPLETED")
          assert.deepStrictEqual([files.names, files.text("out")!.split("\n").length], [["out"], 5])
        }))
    })
  }
})

describe("a table and files in one step", () => {
  for (const driver of sqlDrivers) {
    it.layer(Layer.orDie(driver.layer), { timeout: "5 minutes" })(driver.name, (it) => {
      it.effect("the writers inside of others go on together where the last commit was (CHUNK-7, C50)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`create table item (id int primary key, name text not null)`
          const files = new MemoryFiles()
          const step = Step.chunk("all of them", {
            reader: ItemReader.fromIterable(rows(4)).pipe(
              ItemReader.concat(ItemReader.fromIterable([5, 6, 7].map(row)))
            ),
            writer: ItemWriter.tee(
              SqlItemWriter.insertInto<Row>("item"),
              ItemWriter.route((item: Row) => item.id % 2 === 0 ? "even" : "odd", {
                even: csv("even"),
                odd: csv("odd")
              }),
              outage(5)
            ),
            chunkSize: 3
          })
          const first = yield* Effect.provide(runStep(step), files.layer)
          assert.deepStrictEqual(
            [first.status, first.counts.write],
            ["FAILED", 3],
            first.step.exitStatus.messages.join()
          )
          assert.deepStrictEqual(yield* sql`select id from item order by id`, [1, 2, 3].map((id) => ({ id })))
          assert.deepStrictEqual([files.part("even"), files.part("odd")], ["id,name\n2,n2\n", "id,name\n1,n1\n3,n3\n"])
          const second = yield* Effect.provide(runStep(step), files.layer)
          assert.deepStrictEqual([second.status, second.counts.write], ["COMPLETED", 4])
          assert.deepStrictEqual(yield* sql<Row>`select id, name from item order by id`, rows(7))
          assert.deepStrictEqual([files.text("even"), files.text("odd")], [
            "id,name\n2,n2\n4,n4\n6,n6\n# 3\n",
            "id,name\n1,n1\n3,n3\n5,n5\n7,n7\n# 4\n"
          ])
        }))
    })
  }
})

describe("a process that dies, however early, leaves nothing that cannot be undone", () => {
  const kinds: ReadonlyArray<
    readonly [string, string | undefined, (path: string) => ItemWriter.ItemWriter<Row, any, any>]
  > = [
    ["a file that is appended to", "id,name\n0,n0", (path) => csv(path, { ifExists: "append" })],
    ["a file that is appended to and does not exist", undefined, (path) => csv(path, { ifExists: "append" })],
    ["a file that must not exist", undefined, (path) => csv(path, { ifExists: "fail" })],
    ["a file that is overwritten", "old", (path) => csv(path)],
    [
      "lines that are appended",
      "n0",
      (path) => TextItemWriter.lines<Row>(path, ({ name }) => name, { ifExists: "append" })
    ]
  ]

  it.effect.each(kinds)("%s", ([name, before, writerOf]) => {
    const files = new MemoryFiles()
    let worlds = 0
    return BatchTest.crashEverywhere({
      randomRuns: 10,
      make: Effect.sync(() => {
        const path = `out-${worlds++}`
        if (before !== undefined) {
          files.set(path, before)
        }
        const step = Step.chunk("write", {
          reader: ItemReader.fromIterable(rows(7)),
          writer: writerOf(path),
          chunkSize: 3
        })
        return { job: Job.make(name, { flow: step }), parameters: {}, observe: Effect.sync(() => files.text(path)) }
      })
    }).pipe(
      Effect.tap(({ points }) => assert.isAbove(points, 20)),
      Effect.provide(files.layer)
    )
  })

  it.effect("a file that must not exist is refused all the same, and stays as it is", () =>
    Effect.gen(function*() {
      const files = new MemoryFiles().set("out", "precious")
      const step = Step.chunk("refused", {
        reader: ItemReader.fromIterable(rows(1)),
        writer: csv("out", { ifExists: "fail" }),
        chunkSize: 3
      })
      const { status, step: stored } = yield* Effect.provide(runStep(step), files.layer)
      assert.deepStrictEqual([status, files.text("out")], ["FAILED", "precious"])
      assert.include(stored.exitStatus.messages.join(), "the file exists already")
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})

describe("the input of a step", () => {
  for (const driver of drivers) {
    it.layer(Layer.orDie(driver.layer), { timeout: "5 minutes" })(driver.name, (it) => {
      it.scoped("is replaced after a failure: the restart refuses it, and goes on when it is put back (OWN-22)", () =>
        Effect.gen(function*() {
          const fs = yield* FileSystem.FileSystem
          const path = `${yield* fs.makeTempDirectoryScoped()}/in.csv`
          // What stands before the position ends alike in both files.
          const csvOf = (first: number) =>
            `id,name\n${rows(7).map(({ id, name }) => `${id + first},${name.padEnd(80)}\n`).join("")}`
          yield* fs.writeFileString(path, csvOf(0))
          const found: Array<unknown> = []
          let down = true
          const step = Step.chunk("replaced", {
            reader: CsvItemReader.make(path),
            writer: ItemWriter.fromFunction((items: ReadonlyArray<{ readonly [column: string]: string }>) =>
              items.some(({ id }) => id === "5") && down
                ? Effect.fail("the disk of the database is full")
                : Effect.sync(() => void found.push(...items.map(({ id }) => id)))
            ),
            chunkSize: 3
          })
          assert.strictEqual((yield* runStep(step)).status, "FAILED")
          down = false
          yield* fs.writeFileString(path, csvOf(10))
          const second = yield* runStep(step)
          assert.strictEqual(second.status, "FAILED")
          assert.include(second.step.exitStatus.messages.join(), "is not what was read there")
          yield* fs.writeFileString(path, csvOf(0))
          assert.strictEqual((yield* runStep(step)).status, "COMPLETED")
          assert.deepStrictEqual(found, ["1", "2", "3", "4", "5", "6", "7"])
        }).pipe(Effect.provide(NodeContext.layer)))
    })
  }

  it.effect.each(
    [
      ["whose lines end with CR", "id,name\r1,a\r2,b\r", "its lines end with CR"],
      ["that is an archive", gzipSync("id,name\n1,a\n"), "it is a gzip archive"],
      ["that is UTF-16", Buffer.from("id,name\n1,a\n2,b\n", "utf16le"), "it is UTF-16, not UTF-8"]
    ] as const
  )(
    `a file %s fails the step and says so, instead of COMPLETED without a row (OWN-25)`,
    ([name, content, message]) =>
      Effect.gen(function*() {
        const step = Step.chunk(name, {
          reader: CsvItemReader.make("in"),
          writer: ItemWriter.inMemory<object>([]),
          chunkSize: 3
        })
        const { status, step: stored } = yield* runStep(step)
        assert.strictEqual(status, "FAILED")
        assert.include(stored.exitStatus.messages.join(), message)
      }).pipe(Effect.provide([JobRepository.layerMemory, new MemoryFiles().set("in", content).layer]))
  )
})
