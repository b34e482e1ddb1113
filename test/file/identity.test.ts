/**
 * What a restart makes of a file that is, or is not, the one that was read.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import { Buffer } from "node:buffer"
import * as CsvItemReader from "../../src/file/CsvItemReader.js"
import * as FileItemReader from "../../src/file/FileItemReader.js"
import * as identity from "../../src/file/identity.js"
import * as JsonItemReader from "../../src/file/JsonItemReader.js"
import * as NdjsonItemReader from "../../src/file/NdjsonItemReader.js"
import type * as ItemReader from "../../src/item/ItemReader.js"
import { itemsOf, MemoryFiles, readAll } from "./support.js"

const padding = " ".repeat(60)

/** Rows that end alike: what stands just before a position tells nothing. */
const rows = (names: ReadonlyArray<string>) => names.map((name) => ({ id: name, pad: padding }))

const before = rows(["a", "b", "c", "d"])

const stopped = (now: number): Clock.Clock => ({
  ...Clock.make(),
  unsafeCurrentTimeMillis: () => now,
  currentTimeMillis: Effect.succeed(now)
})

interface Kind {
  readonly text: (items: ReadonlyArray<object>) => string | Uint8Array
  readonly reader: (path: string) => ItemReader.ItemReader<any, any, FileSystem.FileSystem>
}

const csv = (items: ReadonlyArray<object>) =>
  "id,pad\n" + items.map((item) => Object.values(item).join(",") + "\n").join("")

const kinds: Readonly<Record<string, Kind>> = {
  CSV: { text: csv, reader: (path) => CsvItemReader.make(path) },
  "CSV in UTF-16": {
    text: (items) => Buffer.from("\uFEFF" + csv(items), "utf16le"),
    reader: (path) => CsvItemReader.make(path, { encoding: "utf16le" })
  },
  "CSV without a header": {
    text: (items) => csv(items).slice(7),
    reader: (path) => CsvItemReader.make(path, { header: false, columns: ["id", "pad"] })
  },
  NDJSON: {
    text: (items) => items.map((item) => JSON.stringify(item) + "\n").join(""),
    reader: (path) => NdjsonItemReader.make(path)
  },
  JSON: {
    text: (items) => JSON.stringify(items, null, 1),
    reader: (path) => JsonItemReader.array(path)
  },
  "one of several files": {
    text: csv,
    reader: (path) => FileItemReader.concatFiles([path], (path) => CsvItemReader.make(path))
  }
}

const longAgo = new Date("2021-01-01T00:00:00.500Z")

/** Reads two items, changes the file, and goes on. */
const restart = (
  { reader, text }: Kind,
  change: (path: string, fs: FileSystem.FileSystem) => Effect.Effect<unknown, any>
) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const path = `${yield* fs.makeTempDirectoryScoped()}/in`
    yield* fs.writeFile(path, Buffer.from(text(before) as string))
    // So long ago that its time would tell a change.
    yield* fs.utimes(path, longAgo, longAgo)
    const position = yield* Effect.scoped(Effect.gen(function*() {
      const source = yield* reader(path).open(Option.none())
      const page = yield* source.pull(2)
      assert.deepStrictEqual(page.items, before.slice(0, 2))
      return JSON.parse(JSON.stringify(page.position)) as ItemReader.Position
    }))
    yield* change(path, fs)
    return yield* Effect.either(Effect.map(readAll(reader(path), { from: position }), itemsOf))
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

const put = (kind: Kind, names: ReadonlyArray<string>) => (path: string, fs: FileSystem.FileSystem) =>
  fs.writeFile(path, Buffer.from(kind.text(rows(names)) as string))

const swap = (kind: Kind, names: ReadonlyArray<string>) => (path: string, fs: FileSystem.FileSystem) =>
  Effect.zipRight(put(kind, names)(`${path}.new`, fs), fs.rename(`${path}.new`, path))

const past = new Date("2020-01-01T00:00:00.500Z")

const changes: Readonly<
  Record<string, (kind: Kind) => (path: string, fs: FileSystem.FileSystem) => Effect.Effect<any, any>>
> = {
  "replaced by a rename": (kind) => swap(kind, ["x", "b", "c", "d"]),
  "written anew in its place": (kind) => put(kind, ["a", "x", "c", "d"]),
  "written anew, longer": (kind) => put(kind, ["x", "y", "c", "d", "e", "f"]),
  "written anew with the rows in another order": (kind) => put(kind, ["b", "a", "c", "d"]),
  "replaced, with the size and the time of the old one": (kind) => (path, fs) =>
    Effect.zipRight(swap(kind, ["x", "b", "c", "d"])(path, fs), fs.utimes(path, longAgo, longAgo)),
  "written anew, longer, with the time of the old one": (kind) => (path, fs) =>
    Effect.zipRight(put(kind, ["x", "b", "c", "d", "e"])(path, fs), fs.utimes(path, longAgo, longAgo)),
  "a link that points elsewhere now": (kind) => (path, fs) =>
    Effect.gen(function*() {
      yield* put(kind, ["x", "b", "c", "d"])(`${path}.tomorrow`, fs)
      yield* fs.remove(path)
      yield* fs.symlink(`${path}.tomorrow`, path)
    })
}

const harmless: typeof changes = {
  "not touched": () => () => Effect.void,
  touched: () => (path, fs) => fs.utimes(path, past, past),
  "a copy under its name": (kind) => swap(kind, ["a", "b", "c", "d"]),
  "corrected behind the position": (kind) => put(kind, ["a", "b", "x", "y"]),
  grown: (kind) => put(kind, ["a", "b", "c", "d", "e"])
}

const expected: Readonly<Record<string, ReadonlyArray<string>>> = {
  "corrected behind the position": ["x", "y"],
  grown: ["c", "d", "e"]
}

describe("a file between failure and restart", () => {
  for (const [name, kind] of Object.entries(kinds)) {
    describe(name, () => {
      it.scopedLive.each(Object.entries(changes))("%s: refused (OWN-22)", ([, change]) =>
        Effect.gen(function*() {
          const found = yield* restart(kind, change(kind))
          const error = Option.getOrThrow(Either.getLeft(found))
          assert.strictEqual(error._tag, "UnreadablePosition", String(error.message))
          assert.include(error.message, "put the file back as it was")
        }))

      it.scopedLive.each(Object.entries(harmless))("%s: goes on (OWN-22)", ([what, change]) =>
        Effect.gen(function*() {
          const found = yield* restart(kind, change(kind))
          assert.deepStrictEqual(found, Either.right(rows(expected[what] ?? ["c", "d"])))
        }))
    })
  }

  it.scopedLive("changed within one tick of the clock of its disk: refused (OWN-22)", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const path = `${yield* fs.makeTempDirectoryScoped()}/in`
      const reader = CsvItemReader.make(path)
      const now = new Date(yield* Clock.currentTimeMillis)
      yield* fs.writeFileString(path, csv(before))
      yield* fs.utimes(path, now, now)
      const { pages } = yield* Effect.withClock(readAll(reader, { max: 2 }), stopped(now.getTime()))
      yield* fs.writeFileString(path, csv(rows(["x", "b", "c", "d"])))
      yield* fs.utimes(path, now, now)
      const error = yield* Effect.flip(readAll(reader, { from: pages[0]!.position }))
      assert.strictEqual(error._tag, "UnreadablePosition")
    }).pipe(Effect.provide(NodeContext.layer)))

  it("its time tells a change when it lies further back than the clock of any disk ticks (OWN-22)", () => {
    const stamp = (modified: number) => ({ inode: 1, size: 2, modified })
    assert.deepStrictEqual(
      [[1500, 1510], [1500, 1600], [2000, 3500], [2000, 4001], [9001, 1]].map(([modified, now]) =>
        identity.tellsChanges(stamp(modified!), now!)
      ),
      [false, true, false, true, false]
    )
    const one = stamp(5)
    assert.deepStrictEqual(
      [one, { ...one, inode: 2 }, { ...one, size: 3 }, { ...one, modified: 6 }, undefined].map((other) =>
        identity.sameStamp(one, other)
      ),
      [true, false, false, false, false]
    )
  })

  it.effect.prop("goes on exactly when everything before the position is the same (OWN-22)", [
    FastCheck.array(FastCheck.constantFrom("1,  x", "2,  x", "3,  x"), { minLength: 2, maxLength: 30 }),
    FastCheck.nat(),
    FastCheck.nat(),
    FastCheck.constantFrom("x", "1", "  ", "\n3,  x", "")
  ], ([lines, cut, place, other]) =>
    Effect.gen(function*() {
      const content = "a,b\n" + lines.join("\n") + "\n"
      const files = new MemoryFiles().set("in", content)
      const reader = CsvItemReader.make("in", { bufferSize: 16 })
      const { pages } = yield* Effect.provide(readAll(reader, { max: 1 }), files.layer)
      const { position } = pages[cut % lines.length]!
      const at = place % content.length
      const changed = content.slice(0, at) + other + content.slice(at + other.length)
      files.set("in", changed)
      const found = yield* Effect.either(Effect.provide(readAll(reader, { from: position }), files.layer))
      const { offset } = position as { readonly offset: number }
      const same = changed.slice(0, offset) === content.slice(0, offset)
      assert.strictEqual(Either.isRight(found) || found.left._tag !== "UnreadablePosition", same)
    }))

  it.effect("whose position is one of the first drafts: goes on, and knows the file from then on (OWN-22)", () =>
    Effect.gen(function*() {
      const files = new MemoryFiles().set("in", csv(before))
      const reader = CsvItemReader.make("in")
      const { pages } = yield* readAll(reader, { max: 1 }).pipe(Effect.provide(files.layer))
      const { file: _file, sum: _sum, ...old } = pages[1]!.position as any
      const again = yield* readAll(reader, { from: old, max: 1 }).pipe(Effect.provide(files.layer))
      assert.deepStrictEqual(itemsOf(again), before.slice(2))
      assert.deepStrictEqual(again.pages[0]!.position, pages[2]!.position)
      // All that it knows of the file is what stands right in front of it.
      const other = before.map((row, at) => at === 1 ? { ...row, pad: `${row.pad.slice(1)}x` } : row)
      const changed = new MemoryFiles().set("in", csv(other))
      const refused = yield* Effect.flip(readAll(reader, { from: old }).pipe(Effect.provide(changed.layer)))
      assert.strictEqual(refused._tag, "UnreadablePosition")
    }))

  it.scopedLive("that was not touched: nothing in front of the position is read again (OWN-22)", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const path = `${yield* fs.makeTempDirectoryScoped()}/in`
      yield* fs.writeFileString(path, csv(rows(Array.from({ length: 5000 }, (_, i) => String(i)))))
      yield* fs.utimes(path, past, past)
      let bytes = 0
      const counting = FileSystem.make({
        ...fs,
        open: (path, options) =>
          Effect.map(fs.open(path, options), (file) => ({
            ...file,
            stat: file.stat,
            sync: file.sync,
            seek: (offset, from) => file.seek(offset, from),
            readAlloc: (size) =>
              Effect.tap(file.readAlloc(size), (block) => {
                bytes += Option.match(block, { onNone: () => 0, onSome: (block) => block.length })
              })
          } as FileSystem.File))
      })
      const reader = CsvItemReader.make(path, { bufferSize: 1024 })
      const { pages } = yield* readAll(reader, { max: 100 })
      const { before, position: from } = pages.find((page) => page.before >= 4600)!
      assert.strictEqual(
        itemsOf(yield* Effect.provideService(readAll(reader, { from }), FileSystem.FileSystem, counting)).length,
        5000 - before
      )
      assert.isBelow(bytes, 400 * 70 + 3 * 1024)
    }).pipe(Effect.provide(NodeContext.layer)))
})

describe("a file while it is read", () => {
  const many = rows(Array.from({ length: 100 }, (_, i) => String(1000 + i)))

  const meanwhile = (change: (path: string, fs: FileSystem.FileSystem) => Effect.Effect<unknown, any>) =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const path = `${yield* fs.makeTempDirectoryScoped()}/in`
      yield* fs.writeFileString(path, csv(many))
      yield* fs.utimes(path, past, past)
      const source = yield* CsvItemReader.make(path, { bufferSize: 256 }).open(Option.none())
      const items: Array<object> = [...(yield* source.pull(10)).items]
      yield* change(path, fs)
      return yield* Effect.either(
        Effect.gen(function*() {
          for (;;) {
            const page = yield* source.pull(10)
            items.push(...page.items)
            if (page.done) {
              return items
            }
          }
        })
      )
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

  const failing: Readonly<Record<string, readonly [typeof meanwhile extends (f: infer F) => any ? F : never, string]>> =
    {
      "is cut": [(path, fs) => fs.truncate(path, 1500), "Shortened"],
      "is cut to nothing": [(path, fs) => fs.truncate(path, 0), "Shortened"],
      "is cut to what was read already": [(path, fs) => fs.truncate(path, 300), "Shortened"],
      "is written anew, shorter": [(path, fs) => fs.writeFileString(path, csv(many.slice(0, 50))), "Shortened"],
      "is written anew with other rows": [
        (path, fs) => fs.writeFileString(path, csv(rows(many.map(({ id }) => String(Number(id) + 1000))))),
        "Changed"
      ],
      "is written anew, longer": [
        (path, fs) => fs.writeFileString(path, csv([...rows(["9999"]), ...many])),
        "Changed"
      ]
    }

  it.scopedLive.each(Object.entries(failing))(
    "%s: the step fails instead of mixing (OWN-22)",
    ([, [change, reason]]) =>
      Effect.gen(function*() {
        const error = Option.getOrThrow(Either.getLeft(yield* meanwhile(change)))
        assert.strictEqual(error._tag === "FileError" ? error.reason : error._tag, reason, error.message)
        assert.include(error.message, "Bring back the file as it was and restart")
      })
  )

  it.scopedLive("grows: what was added is read, too (OWN-22)", () =>
    Effect.gen(function*() {
      const found = yield* meanwhile((path, fs) => fs.writeFileString(path, csv([...many, ...before])))
      assert.deepStrictEqual(found, Either.right([...many, ...before]))
    }))

  it.scopedLive("is replaced by a rename: the old one is read to its end (OWN-22)", () =>
    Effect.gen(function*() {
      const found = yield* meanwhile((path, fs) =>
        Effect.zipRight(fs.writeFileString(`${path}.new`, csv(before)), fs.rename(`${path}.new`, path))
      )
      assert.deepStrictEqual(found, Either.right(many))
    }))
})
