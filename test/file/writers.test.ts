import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { Json } from "../../src/base/json.js"
import * as CsvItemWriter from "../../src/file/CsvItemWriter.js"
import * as JsonItemWriter from "../../src/file/JsonItemWriter.js"
import * as NdjsonItemWriter from "../../src/file/NdjsonItemWriter.js"
import * as TextItemWriter from "../../src/file/TextItemWriter.js"
import { OutputOwner } from "../../src/ports/outputOwner.js"
import * as Transactor from "../../src/ports/Transactor.js"
import * as WriterLaws from "../../src/testing/WriterLaws.js"
import * as Sensitive from "../../src/vocabulary/Sensitive.js"
import { type Chunk, commit, live, runChunk, type Writer } from "./lives.js"
import { MemoryFiles } from "./support.js"

const path = "out"

const write = <A>(writer: Writer<A>, ...items: ReadonlyArray<A>) =>
  live(writer, Option.none(), items.length === 0 ? [] : [commit(...items)], "complete")

interface Row {
  readonly id: number
  readonly name: string
}

const row = (id: number): Row => ({ id, name: `n${id}` })

const writers = (path: string): Record<string, () => Writer<Row>> => ({
  csv: () => CsvItemWriter.make<Row>(path, { footer: ({ items }) => `#${items}` }),
  ndjson: () => NdjsonItemWriter.make<Row>(path),
  json: () => JsonItemWriter.array<Row>(path),
  text: () =>
    TextItemWriter.lines<Row>(path, (item) => item.name, { header: "HEAD", footer: ({ items }) => `END ${items}` })
})

const transactor = Layer.succeed(Transactor.Transactor, Transactor.make(identity, identity))

const chunk: FastCheck.Arbitrary<Chunk<Row>> = FastCheck.array(FastCheck.nat(9).map(row), {
  minLength: 1,
  maxLength: 3
})
  .chain((items) =>
    FastCheck.constantFrom<Chunk<Row>>(
      { _tag: "commit", items },
      { _tag: "rollback", items, flushed: true },
      { _tag: "rollback", items, flushed: false }
    )
  )

const lives = FastCheck.array(
  FastCheck.record({
    chunks: FastCheck.array(chunk, { maxLength: 3 }),
    ending: FastCheck.constantFrom<"complete" | "die" | ReadonlyArray<Row>>("complete", "die", [row(77)])
  }),
  { maxLength: 4 }
)

describe("file writers", () => {
  for (const [name, make] of Object.entries(writers(path))) {
    describe(name, () => {
      it.effect.prop("leave what an undisturbed run leaves, whatever crashes and rolls back (ITEM-20, TX-6)", [lives], (
        [disturbed]
      ) =>
        Effect.gen(function*() {
          const files = new MemoryFiles().set(path, "left over from yesterday")
          let state = Option.none<Json>()
          for (const { chunks, ending } of disturbed) {
            state = yield* Effect.provide(live(make(), state, chunks, ending), files.layer)
          }
          yield* Effect.provide(live(make(), state, [], "complete"), files.layer)
          const all = disturbed.flatMap(({ chunks }) => chunks)
          const calm = new MemoryFiles()
          // A life that committed nothing starts afresh, so only committed chunks count.
          const committed = all.filter((each) => each._tag === "commit")
          yield* Effect.provide(live(make(), Option.none(), committed, "complete"), calm.layer)
          assert.strictEqual(files.text(path), calm.text(path))
        }))

      it.effect("refuse to go on in a file that lost committed bytes", () =>
        Effect.gen(function*() {
          const files = new MemoryFiles()
          const state = yield* Effect.provide(live(make(), Option.none(), [commit(row(1))], "die"), files.layer)
          const part = files.partName(path)!
          const content = files.text(part)!
          const refused = (damage: string | undefined) => {
            if (damage === undefined) {
              files.delete(part)
            } else {
              files.set(part, damage)
            }
            return Effect.map(
              Effect.flip(Effect.provide(live(make(), state, [], "complete"), files.layer)),
              (error) => String((error as Error).message)
            )
          }
          assert.match(
            yield* refused("x"),
            /^Cannot write "out": \d+ bytes of it were written and committed, but its part "out.*part" has only 1\. Bring/
          )
          assert.match(yield* refused("x".repeat(content.length)), /no longer holds the \d+ bytes that were written/)
          assert.match(yield* refused(undefined), /neither a part nor the file holds them any more/)
          files.set(part, content)
          yield* Effect.provide(live(make(), state, [], "complete"), files.layer)
          assert.isDefined(files.text(path))
        }))

      it.effect("cut off what a failed write left, at the latest before the next one", () =>
        Effect.gen(function*() {
          const files = new MemoryFiles()
          yield* Effect.gen(function*() {
            const sink = yield* make().open(Option.none())
            yield* runChunk(sink, commit(row(1)))
            const before = files.part(path)
            yield* sink.write([row(2), row(3)])
            files.failing = "sync"
            const error = yield* Effect.flip(sink.flush!)
            assert.include(String((error as Error).message), "Cannot write \"out\": disk on fire")
            files.failing = "truncate"
            yield* sink.rollback!
            assert.notStrictEqual(files.part(path), before)
            yield* sink.write([row(4)])
            yield* Effect.flip(sink.flush!)
            yield* sink.rollback!
            files.failing = undefined
            yield* runChunk(sink, commit(row(5)))
            yield* sink.complete!
          }).pipe(Effect.scoped, Effect.provide(files.layer))
          const calm = new MemoryFiles()
          yield* Effect.provide(live(make(), Option.none(), [commit(row(1)), commit(row(5))], "complete"), calm.layer)
          assert.strictEqual(files.text(path), calm.text(path))
        }))

      it.effect("are not interrupted while bytes are on their way, which could hit the file after it was cut", () =>
        Effect.gen(function*() {
          const files = new MemoryFiles()
          yield* Effect.gen(function*() {
            const sink = yield* make().open(Option.none())
            yield* runChunk(sink, commit(row(1)))
            const before = files.part(path)!
            const begun = yield* Deferred.make<void>()
            const go = yield* Deferred.make<void>()
            files.writing = Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(go))
            yield* sink.write([row(2)])
            const flushing = yield* Effect.fork(sink.flush!)
            yield* Deferred.await(begun)
            yield* Effect.fork(Fiber.interrupt(flushing))
            yield* Effect.yieldNow()
            yield* Deferred.succeed(go, undefined)
            yield* Fiber.await(flushing)
            assert.isAbove(files.part(path)!.length, before.length)
            yield* sink.rollback!
            assert.strictEqual(files.part(path), before)
          }).pipe(Effect.scoped, Effect.provide(files.layer))
        }))

      it.effect("sync each chunk before its checkpoint", () =>
        Effect.gen(function*() {
          const files = new MemoryFiles()
          yield* Effect.provide(live(make(), Option.none(), [commit(row(1)), commit(row(2))], "die"), files.layer)
          assert.deepStrictEqual(files.log.filter((entry) => entry !== "read"), ["write", "sync", "write", "sync"])
        }))
    })
  }

  describe("on a disk", () => {
    for (const name of ["csv", "ndjson", "json", "text"]) {
      it.scopedLive(`keeps the laws of writers: ${name} (ITEM-20)`, () =>
        Effect.gen(function*() {
          const fs = yield* FileSystem.FileSystem
          const file = `${yield* fs.makeTempDirectoryScoped()}/out`
          const observe = Effect.map(
            Effect.orElseSucceed(fs.readFileString(file), () => ""),
            (text) => text.match(/n\d+/g) ?? []
          )
          const ids = [1, 2, 3, 4, 5, 6, 7, 8, 9]
          const expected = ids.map((id) => `n${id}`)
          const items = ids.map(row) as [Row, ...Array<Row>]
          for (const seed of [1, 2, 3, 4, 5]) {
            yield* WriterLaws.check(writers(file)[name]!(), { items, observe, expected, seed })
          }
        }).pipe(Effect.provide([NodeContext.layer, transactor])))
    }
  })

  it.effect("a crashed file is cut to its committed lines and continued; one header, one footer (C50)", () =>
    Effect.gen(function*() {
      const files = new MemoryFiles()
      const first = live(writers(path).text!(), Option.none(), [commit(row(1), row(2), row(3))], [
        row(4),
        row(5),
        row(6)
      ])
      const state = yield* Effect.provide(first, files.layer)
      assert.strictEqual(files.part(path), "HEAD\nn1\nn2\nn3\nn4\nn5\nn6\n")
      yield* Effect.provide(live(writers(path).text!(), state, [commit(row(7))], "complete"), files.layer)
      assert.strictEqual(files.text(path), "HEAD\nn1\nn2\nn3\nn7\nEND 4\n")
    }))

  it.effect("complete twice leaves one footer", () =>
    Effect.gen(function*() {
      const files = new MemoryFiles()
      yield* Effect.gen(function*() {
        const sink = yield* writers(path).csv!().open(Option.none())
        yield* runChunk(sink, commit(row(1)))
        yield* sink.complete!
        yield* sink.complete!
      }).pipe(Effect.scoped, Effect.provide(files.layer))
      assert.strictEqual(files.text(path), "id,name\n1,n1\n#1\n")
    }))

  describe("a file that was replaced", () => {
    const message = (effect: Effect.Effect<unknown, unknown, FileSystem.FileSystem>, files: MemoryFiles) =>
      Effect.map(Effect.flip(Effect.provide(effect, files.layer)), (error) => String((error as Error).message))

    for (const [name, make] of Object.entries(writers(path))) {
      it.effect(`day 1 fails, day 2 writes the same path, the restart of day 1 leaves it alone: ${name} (OWN-17)`, () =>
        Effect.gen(function*() {
          for (const before of [undefined, "of yesterday"]) {
            const files = new MemoryFiles()
            if (before !== undefined) {
              files.set(path, before)
            }
            const dayOne = yield* Effect.provide(live(make(), Option.none(), [commit(row(1))], "die"), files.layer)
            yield* Effect.provide(write(make(), row(100), row(101)), files.layer)
            const dayTwo = files.text(path)
            const refused = yield* message(live(make(), dayOne, [commit(row(2))], "complete"), files)
            assert.include(refused, "Cannot write \"out\": another file was put there")
            assert.strictEqual(files.text(path), dayTwo)
            files.delete(path)
            yield* Effect.provide(live(make(), dayOne, [commit(row(2))], "complete"), files.layer)
            const calm = new MemoryFiles()
            yield* Effect.provide(live(make(), Option.none(), [commit(row(1)), commit(row(2))], "complete"), calm.layer)
            assert.strictEqual(files.text(path), calm.text(path))
          }
        }))
    }

    it.effect("is not overwritten by who was faster, of two that write it at the same time (OWN-17)", () =>
      Effect.gen(function*() {
        const files = new MemoryFiles()
        const other = Effect.provide(write(writers(path).text!(), row(7)), files.layer)
        const slow = Effect.scoped(Effect.gen(function*() {
          const sink = yield* writers(path).text!().open(Option.none())
          yield* runChunk(sink, commit(row(1)))
          yield* other
          yield* sink.complete!
        }))
        assert.include(yield* message(slow, files), "another file was put there")
        assert.strictEqual(files.text(path), "HEAD\nn7\nEND 1\n")
      }))

    it.effect("a writer in place does not cut or go on in a file that others wrote, however long it is (OWN-17)", () =>
      Effect.gen(function*() {
        const make = () => TextItemWriter.lines<Row>(path, (item) => item.name, { inPlace: true })
        for (const dayTwo of ["nx\n", "nx\nny\nnz\n"]) {
          const files = new MemoryFiles()
          const state = yield* Effect.provide(live(make(), Option.none(), [commit(row(1))], "die"), files.layer)
          assert.strictEqual(files.text(path), "n1\n")
          files.change(path, dayTwo)
          assert.include(
            yield* message(live(make(), state, [commit(row(2))], "complete"), files),
            "3 bytes of it were written and committed, but others stand there now"
          )
          assert.strictEqual(files.text(path), dayTwo)
        }
      }))
  })

  it.effect("in place: the file grows under its name, is cut and continued; nothing else is made", () =>
    Effect.gen(function*() {
      const files = new MemoryFiles()
      const make = () => TextItemWriter.lines<Row>(path, (item) => item.name, { inPlace: true, footer: () => "END" })
      const state = yield* Effect.provide(live(make(), Option.none(), [commit(row(1))], [row(2)]), files.layer)
      assert.deepStrictEqual([files.names, files.text(path)], [[path], "n1\nn2\n"])
      const end = yield* Effect.provide(live(make(), state, [commit(row(3))], "complete"), files.layer)
      assert.strictEqual(files.text(path), "n1\nn3\nEND\n")
      yield* Effect.provide(live(make(), end, [commit(row(4))], "complete"), files.layer)
      assert.strictEqual(files.text(path), "n1\nn3\nn4\nEND\n")
    }))

  it.effect("goes on from a checkpoint of version 0.1, which holds a length only", () =>
    Effect.gen(function*() {
      for (const inPlace of [false, true]) {
        const files = new MemoryFiles().set(path, "n1\nhalf of a li")
        const make = () => TextItemWriter.lines<Row>(path, (item) => item.name, { inPlace })
        const state = Option.some({ offset: 3, items: 1, memo: null })
        yield* Effect.provide(live(make(), state, [commit(row(2))], "complete"), files.layer)
        assert.deepStrictEqual([files.text(path), files.names], ["n1\nn2\n", [path]])
        files.set(path, "n")
        const error = yield* Effect.flip(Effect.provide(live(make(), state, [], "complete"), files.layer))
        assert.include(String((error as Error).message), "3 bytes of it were written and committed")
      }
    }))

  it.effect("a part whose writer is known to be gone is not copied; one that may wake up is (OWN-17)", () =>
    Effect.gen(function*() {
      for (const isGone of [true, false]) {
        const files = new MemoryFiles()
        const operations: Array<string> = []
        const system = files.system((operation) => Effect.sync(() => void operations.push(operation)))
        const make = writers(path).csv!
        // Its scope stays open, as that of a process that was frozen or killed.
        const state = yield* Effect.gen(function*() {
          const sink = yield* make().open(Option.none())
          yield* sink.flush!
          yield* sink.committed!
          return yield* runChunk(sink, commit(row(1)))
        }).pipe(
          Effect.provideService(Scope.Scope, yield* Scope.make()),
          Effect.provideService(FileSystem.FileSystem, system)
        )
        operations.length = 0
        yield* live(make(), state, [commit(row(2))], "complete").pipe(
          Effect.provideService(FileSystem.FileSystem, system),
          Effect.provideService(OutputOwner, { owner: "me", isGone: () => isGone })
        )
        assert.strictEqual(operations.some((operation) => operation.startsWith("copy")), !isGone)
        assert.deepStrictEqual([files.text(path), files.names], ["id,name\n1,n1\n2,n2\n#2\n", [path]])
      }
    }))

  describe("a file that exists", () => {
    const lines = (ifExists: "overwrite" | "fail" | "append") =>
      TextItemWriter.lines<Row>(path, (item) => item.name, { ifExists, header: "HEAD" })

    const over = (content: string | undefined, writer: Writer<Row>) =>
      Effect.gen(function*() {
        const files = new MemoryFiles()
        if (content !== undefined) {
          files.set(path, content)
        }
        yield* Effect.provide(write(writer, row(1)), files.layer)
        return files.text(path)
      })

    it.effect("is overwritten, refused or appended to", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* over("old\n", lines("overwrite")), "HEAD\nn1\n")
        assert.strictEqual(yield* over("old\n", lines("append")), "old\nn1\n")
        assert.strictEqual(yield* over("old", lines("append")), "old\nn1\n")
        assert.strictEqual(yield* over("", lines("append")), "HEAD\nn1\n")
        assert.strictEqual(yield* over(undefined, lines("append")), "HEAD\nn1\n")
        assert.strictEqual(yield* over(undefined, lines("fail")), "HEAD\nn1\n")
        const error = yield* Effect.flip(over("old\n", lines("fail")))
        assert.strictEqual(
          (error as Error).message,
          "Cannot write \"out\": the file exists already. Remove it, choose another path, or set `ifExists` to " +
            "\"overwrite\" or \"append\"."
        )
      }))

    it.effect("gives its columns to the rows appended to it", () =>
      Effect.gen(function*() {
        const csv = (options: CsvItemWriter.Options) =>
          CsvItemWriter.make<Row>(path, { ifExists: "append", ...options })
        assert.strictEqual(yield* over("name,id\nn0,0\n", csv({})), "name,id\nn0,0\nn1,1\n")
        // Also where the file calls a column by nothing.
        assert.strictEqual(
          yield* over(",id\nn0,0\n", csv({ columns: ["name", "id"], headerNames: { name: "" }, nullText: "" })),
          ",id\nn0,0\nn1,1\n"
        )
        const error = yield* Effect.flip(over("name,id\n", csv({ columns: ["id", "name"] })))
        assert.include(
          (error as Error).message,
          "items cannot be appended: its columns are \"name\", \"id\", those of the items \"id\", \"name\""
        )
      }))
  })

  it.effect("remove the file if there was no item, when told to", () =>
    Effect.gen(function*() {
      const files = new MemoryFiles()
      yield* Effect.provide(write(JsonItemWriter.array<Row>(path)), files.layer)
      assert.strictEqual(files.text(path), "[\n]\n")
      const writer = JsonItemWriter.array<Row>(path, { deleteIfEmpty: true })
      yield* Effect.provide(write(writer), files.layer)
      assert.isUndefined(files.text(path))
      yield* Effect.provide(write(writer, row(1)), files.layer)
      assert.strictEqual(files.text(path), "[\n{\"id\":1,\"name\":\"n1\"}\n]\n")
    }))

  it.effect("accept that the file which they removed is gone, but report one that others removed", () =>
    Effect.gen(function*() {
      const files = new MemoryFiles()
      const writer = NdjsonItemWriter.make<Row>(path, { ifExists: "append", deleteIfEmpty: true })
      const begin = Effect.scoped(Effect.flatMap(writer.open(Option.none()), (sink) => sink.flush!))
      const restart = (state: unknown) => live(writer, Option.some(state as Json), [], "complete")
      yield* Effect.gen(function*() {
        const empty = yield* begin
        yield* restart(empty)
        assert.isUndefined(files.text(path))
        yield* restart(empty)
        assert.isUndefined(files.text(path))
        files.set(path, "{\"id\":0}\n")
        const filled = yield* begin
        files.delete(path)
        assert.include(String(yield* Effect.flip(restart(filled))), "9 bytes of it were written and committed")
      }).pipe(Effect.provide(files.layer))
    }))

  it.effect("refuse a state that another writer stored", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(live(writers(path).csv!(), Option.some({ rows: 3 }), [], "die"))
      assert.include((error as Error).message, "the stored state is not that of a file writer")
    }).pipe(Effect.provide(new MemoryFiles().layer)))
})

describe("CsvItemWriter", () => {
  const text = <A extends object>(options: CsvItemWriter.Options, ...items: ReadonlyArray<A>) =>
    Effect.gen(function*() {
      const files = new MemoryFiles()
      yield* Effect.provide(write(CsvItemWriter.make<A>(path, options), ...items), files.layer)
      return files.text(path)
    })

  it.effect("quotes what needs it, and nothing else", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* text({}, { a: "x", b: "y\"z", c: "1,2" }, { a: "l1\r\nl2", b: " s", c: "" }),
        "a,b,c\nx,\"y\"\"z\",\"1,2\"\n\"l1\r\nl2\",\" s\",\n"
      )
      assert.strictEqual(
        yield* text({ delimiter: ";", lineEnding: "\r\n" }, { a: "1,2", b: ";" }),
        "a;b\r\n1,2;\";\"\r\n"
      )
      assert.strictEqual(yield* text({ header: false }, { a: "" }), "\"\"\n")
    }))

  it.effect("writes numbers, booleans, dates and nothing", () =>
    Effect.gen(function*() {
      const item = { n: 1.5, b: true, i: 10n, d: new Date(0), u: undefined, z: null }
      assert.strictEqual(yield* text({}, item), "n,b,i,d,u,z\n1.5,true,10,1970-01-01T00:00:00.000Z,,\n")
    }))

  it.effect("writes the columns in the given order, and all columns of the schema", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* text({ columns: ["b", "a"] }, { a: 1, b: 2 }), "b,a\n2,1\n")
      const schema = Schema.Struct({ at: Schema.Date, note: Schema.optional(Schema.String) })
      const files = new MemoryFiles()
      yield* Effect.provide(write(CsvItemWriter.make(path, { schema }), { at: new Date(0) }), files.layer)
      assert.strictEqual(files.text(path), "at,note\n1970-01-01T00:00:00.000Z,\n")
    }))

  it.effect("writes the header of a file without rows if it knows the columns", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* text({ columns: ["a", "b"] }), "a,b\n")
      assert.strictEqual(yield* text({}), "")
    }))

  it.effect("never drops a value: items with other keys are refused", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(text<object>({}, { a: 1, b: 2 }, { a: 1, c: 3 }))
      assert.strictEqual(
        (error as Error).message,
        "Item 2 cannot be written to \"out\": it lacks \"b\"; the file has no column for \"c\". Change the item in a " +
          "processor, or let the step skip \"ItemEncodeError\"."
      )
      const nested = yield* Effect.flip(text({}, { a: { b: 1 } }))
      assert.include((nested as Error).message, "column \"a\" holds a value that is no text")
      const later = yield* Effect.flip(
        Effect.scoped(Effect.gen(function*() {
          const sink = yield* CsvItemWriter.make<object>(path).open(Option.none())
          yield* runChunk(sink, commit<object>({ a: 1 }))
          yield* sink.write([{ a: 2 }, { a: 3 }])
          yield* sink.write([{ b: 4 }])
        })).pipe(Effect.provide(new MemoryFiles().layer))
      )
      assert.include((later as Error).message, "Item 4 cannot be written to \"out\"")
      const half = yield* Effect.flip(text({}, { a: "ok" }, { a: "\uD800" }))
      assert.include((half as Error).message, "Item 2 cannot be written to \"out\": it holds half of a surrogate pair")
    }))

  it.effect("keeps the columns over a restart", () =>
    Effect.gen(function*() {
      const files = new MemoryFiles()
      const writer = CsvItemWriter.make<object>(path)
      const state = yield* Effect.provide(live(writer, Option.none(), [commit({ a: 1, b: 2 })], "die"), files.layer)
      const later = yield* Effect.provide(live(writer, state, [commit({ b: 4, a: 3 })], "die"), files.layer)
      assert.strictEqual(files.part(path), "a,b\n1,2\n3,4\n")
      yield* Effect.flip(Effect.provide(live(writer, later, [commit({ c: 1 })], "die"), files.layer))
    }))

  it.effect("forgets the columns that it learned from a chunk that rolled back", () =>
    Effect.gen(function*() {
      for (const flushed of [false, true]) {
        const files = new MemoryFiles()
        const chunks: ReadonlyArray<Chunk<object>> = [
          { _tag: "rollback", items: [{ a: 1, b: 2 }], flushed },
          commit<object>({ b: 3, c: 4 })
        ]
        yield* Effect.provide(live(CsvItemWriter.make<object>(path), Option.none(), chunks, "complete"), files.layer)
        assert.strictEqual(files.text(path), "b,c\n3,4\n")
      }
    }))

  it.effect("makes formulas harmless when told to", () =>
    Effect.gen(function*() {
      const item = { a: "=1+1", b: "@x", c: "-5", d: "+1 a" }
      assert.strictEqual(yield* text({ header: false }, item), "=1+1,@x,-5,+1 a\n")
      assert.strictEqual(yield* text({ header: false, escapeFormulas: true }, item), "'=1+1,'@x,-5,'+1 a\n")
    }))

  it.effect("says what the schema refuses to encode, without sensitive values", () =>
    Effect.gen(function*() {
      const schema = Schema.Struct({ id: Schema.Int, pin: Sensitive.make(Schema.NonEmptyString) })
      const writer = CsvItemWriter.make(path, { schema })
      const wrong = yield* Effect.flip(write(writer, { id: 1.5, pin: "1234" }))
      assert.include((wrong as Error).message, "id: Expected an integer, actual 1.5")
      const secret = yield* Effect.flip(write(CsvItemWriter.make<any, any>(path, { schema }), { id: 1, pin: 1234 }))
      assert.include((secret as Error).message, "pin: Expected ")
      assert.notInclude((secret as Error).message, "1234")
    }).pipe(Effect.provide(new MemoryFiles().layer)))
})

describe("NdjsonItemWriter", () => {
  it.effect("refuses what JSON cannot hold", () =>
    Effect.gen(function*() {
      const failure = (item: unknown) =>
        Effect.map(Effect.flip(write(NdjsonItemWriter.make(path), item)), (error) => (error as Error).message)
      assert.include(yield* failure(undefined), "Item 1 cannot be written to \"out\": it has no form in JSON")
      assert.include(yield* failure({ a: 1n }), "it has no form in JSON: a is a bigint")
    }).pipe(Effect.provide(new MemoryFiles().layer)))

  it.effect("encodes with the schema", () =>
    Effect.gen(function*() {
      const files = new MemoryFiles()
      const writer = NdjsonItemWriter.make(path, { schema: Schema.Struct({ at: Schema.Date }) })
      yield* Effect.provide(write(writer, { at: new Date(0) }), files.layer)
      assert.strictEqual(files.text(path), "{\"at\":\"1970-01-01T00:00:00.000Z\"}\n")
    }))
})

describe("file writers on the platform's file system", () => {
  it.scopedLive("cut the file at a rollback and at a restart (ITEM-20)", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const file = `${directory}/out.csv`
      const writer = CsvItemWriter.make<Row>(file, { footer: ({ items }) => `#${items}` })
      yield* fs.writeFileString(file, "a much longer file of yesterday\n".repeat(10))
      const chunks = [commit(row(1)), { _tag: "rollback", items: [row(2)], flushed: true } as const, commit(row(3))]
      const state = yield* live(writer, Option.none(), chunks, [row(4)])
      assert.include(yield* fs.readFileString(file), "of yesterday")
      const [part, ...others] = (yield* fs.readDirectory(directory)).filter((name) => name !== "out.csv")
      assert.deepStrictEqual(others, [])
      assert.strictEqual(yield* fs.readFileString(`${directory}/${part}`), "id,name\n1,n1\n3,n3\n4,n4\n")
      yield* live(writer, state, [commit(row(5))], "complete")
      assert.strictEqual(yield* fs.readFileString(file), "id,name\n1,n1\n3,n3\n5,n5\n#3\n")
      assert.deepStrictEqual(yield* fs.readDirectory(directory), ["out.csv"])
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("say that a directory is missing, or that the path is one", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const missing = yield* Effect.flip(write(NdjsonItemWriter.make(`${directory}/no/out`), 1))
      assert.strictEqual(
        (missing as Error).message,
        `Cannot write "${directory}/no/out": its directory does not exist. Create the directory first, or check the path.`
      )
      const wrong = yield* Effect.flip(write(NdjsonItemWriter.make(directory), 1))
      assert.include((wrong as Error).message, "it is not a regular file")
    }).pipe(Effect.provide(NodeContext.layer)))
})
