import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as CsvItemReader from "../../src/file/CsvItemReader.js"
import * as FileItemReader from "../../src/file/FileItemReader.js"
import * as NdjsonItemReader from "../../src/file/NdjsonItemReader.js"
import * as ItemReader from "../../src/item/ItemReader.js"
import * as ReaderLaws from "../../src/testing/ReaderLaws.js"
import { failuresOf, itemsOf, MemoryFiles, readAll } from "./support.js"

const inbox = () => new MemoryFiles().set("b", "3\n4").set("a", "1\n2\n").set("c", "").set("d", "x\n5")

const reader = FileItemReader.concatFiles(["d", "b", "a", "c", "a"], (path) => NdjsonItemReader.make(path))

describe("FileItemReader", () => {
  it.effect("reads the files in the order of their names, each once", () =>
    Effect.gen(function*() {
      const found = yield* readAll(reader, { max: 1 })
      assert.deepStrictEqual(itemsOf(found), [1, 2, 3, 4, 5])
      assert.deepStrictEqual(failuresOf(found).map((error) => error._tag), ["JsonError"])
    }).pipe(Effect.provide(inbox().layer)))

  it.effect("keeps the laws of readers (ITEM-4)", () => Effect.provide(ReaderLaws.check(reader), inbox().layer))

  it.effect("does not miss files that are read already", () =>
    Effect.gen(function*() {
      const files = inbox()
      const all = yield* Effect.provide(readAll(reader, { max: 1 }), files.layer)
      const inB = all.pages.find(({ before }) => before === 3)!
      files.delete("a")
      const rest = FileItemReader.concatFiles(["b", "c", "d"], (path) => NdjsonItemReader.make(path))
      const found = yield* Effect.provide(readAll(rest, { from: inB.position }), files.layer)
      assert.deepStrictEqual(itemsOf(found), [4, 5])
      const gone = FileItemReader.concatFiles(["c", "d"], (path) => NdjsonItemReader.make(path))
      const error = yield* Effect.flip(Effect.provide(readAll(gone, { from: inB.position }), files.layer))
      assert.include(error.message, "\"b\", in which the last run stopped, is not there any more; put the file back")
    }))

  it.effect("remembers the last file even when all are gone, and reads what comes after it", () =>
    Effect.gen(function*() {
      const files = (...paths: ReadonlyArray<string>) =>
        FileItemReader.concatFiles(paths, (path) => NdjsonItemReader.make(path))
      const end = (yield* readAll(files("a", "b"))).pages.at(-1)!.position
      const none = yield* readAll(files(), { from: end })
      assert.deepStrictEqual(none.given, [])
      const later = yield* readAll(files("a", "b", "d"), { from: none.pages[0]!.position })
      assert.deepStrictEqual(itemsOf(later), [5])
    }).pipe(Effect.provide(inbox().layer)))

  it.effect("closes each file before it opens the next, and repeats what failed to open", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      let broken = true
      const noted = FileItemReader.concatFiles(["a", "b"], (path) =>
        ItemReader.make(path, (from) =>
          Effect.gen(function*() {
            yield* Effect.acquireRelease(
              Effect.sync(() =>
                log.push(`open ${path}`)
              ),
              () => Effect.sync(() => log.push(`close ${path}`))
            )
            if (path === "b" && broken) {
              return yield* Effect.fail("not yet")
            }
            assert.isTrue(Option.isNone(from))
            return {
              pull: () => Effect.succeed({ items: [path], position: 1, failure: Option.none(), done: true }),
              progress: () => ({ done: 1, total: 2 })
            }
          })))
      yield* Effect.scoped(Effect.gen(function*() {
        const source = yield* noted.open(Option.none())
        assert.deepStrictEqual(yield* source.pull(1), {
          items: ["a"],
          position: { file: "a" },
          failure: Option.none(),
          done: false
        })
        assert.strictEqual(yield* Effect.flip(source.pull(1)), "not yet")
        broken = false
        assert.isTrue((yield* source.pull(1)).done)
        assert.deepStrictEqual(source.progress?.(), { done: 2, total: 2 })
      }))
      assert.deepStrictEqual(log, ["open a", "close a", "open b", "close b", "open b", "close b"])
    }))

  it.effect("refuses the position of another reader", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(readAll(reader, { from: 3 }))
      assert.include(error.message, "it is not a position in a list of files")
    }).pipe(Effect.provide(inbox().layer)))

  it.scopedLive("lists the files of a directory that match a pattern", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      for (const name of ["o-2.csv", "o-1.csv", "o-1.csv.bak", "x.csv"]) {
        yield* fs.writeFileString(`${directory}/${name}`, `name\n${name}\n`)
      }
      const orders = FileItemReader.concatFiles(
        FileItemReader.list(directory, "o-?.csv"),
        (path) => CsvItemReader.make(path)
      )
      assert.deepStrictEqual(itemsOf(yield* readAll(orders)), [{ name: "o-1.csv" }, { name: "o-2.csv" }])
      const none = yield* Effect.flip(FileItemReader.list(directory, "*.json"))
      assert.strictEqual(
        none.message,
        `Cannot read "${directory}": none of its 4 files has a name like "*.json". Check the directory and the pattern, ` +
          "or set `ifNone` to \"empty\"."
      )
      assert.deepStrictEqual(yield* FileItemReader.list(directory, "*.json", { ifNone: "empty" }), [])
      const missing = yield* Effect.flip(FileItemReader.list(`${directory}/no`, "*"))
      assert.include(missing.message, "there is no such file")
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("lists no directory, such as the archive in an inbox, and says when it is given a file instead of one", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      yield* fs.makeDirectory(`${directory}/archive.csv`)
      const only = yield* Effect.flip(FileItemReader.list(directory, "*.csv"))
      assert.include(only.message, `only directories in it have a name like "*.csv"`)
      yield* fs.writeFileString(`${directory}/orders.csv`, "name\na\n")
      yield* fs.symlink(`${directory}/nowhere`, `${directory}/gone.csv`)
      assert.deepStrictEqual(yield* FileItemReader.list(directory, "*"), [
        `${directory}/gone.csv`,
        `${directory}/orders.csv`
      ])
      const file = yield* Effect.flip(FileItemReader.list(`${directory}/orders.csv`, "*"))
      assert.strictEqual(
        file.message,
        `Cannot read "${directory}/orders.csv": it is not a directory. Give the path of the directory that the files are in.`
      )
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("a pattern is a few characters and no program: a hostile name cannot block the process", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const hostile = `${"a".repeat(250)}b`
      for (const name of [hostile, "a.csv", "a+csv", "[a].csv", "ü😀.csv"]) {
        yield* fs.writeFileString(`${directory}/${name}`, "")
      }
      const found = (pattern: string) =>
        Effect.map(
          FileItemReader.list(directory, pattern, { ifNone: "empty" }),
          (paths) => paths.map((path) => path.slice(directory.length + 1))
        )
      assert.deepStrictEqual(yield* found(`${"a*".repeat(60)}c`), [])
      assert.deepStrictEqual(yield* found(`${"*a".repeat(60)}*b`), [hostile])
      assert.deepStrictEqual(yield* found("a.csv"), ["a.csv"])
      assert.deepStrictEqual(yield* found("[a].*"), ["[a].csv"])
      assert.deepStrictEqual(yield* found("a?csv"), ["a+csv", "a.csv"])
      assert.deepStrictEqual(yield* found("ü?.csv"), ["ü😀.csv"])
    }).pipe(Effect.provide(NodeContext.layer)))
})
