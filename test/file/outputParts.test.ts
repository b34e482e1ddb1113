/**
 * Parts of outputs, case by case: what they leave alone, what they remove, and under which name and mode the output
 * appears.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { dirname } from "node:path"
import type { Json } from "../../src/base/json.js"
import * as JsonItemWriter from "../../src/file/JsonItemWriter.js"
import type { State } from "../../src/file/outputPlan.js"
import * as TextItemWriter from "../../src/file/TextItemWriter.js"
import { OutputOwner } from "../../src/ports/outputOwner.js"
import { commit, live, runChunk, type Writer } from "./lives.js"
import { MemoryFiles } from "./support.js"

const path = "out"

const lines = (options: TextItemWriter.Options = {}, at = path) =>
  TextItemWriter.lines<string>(at, (line) => line, options)

/** What the engine does when it opens a step: the turn is stored, so that the writer may touch files. */
const begun = (writer: Writer<string>, from: Option.Option<Json>) =>
  Effect.gen(function*() {
    const sink = yield* writer.open(from)
    const state: Json = JSON.parse(JSON.stringify(yield* sink.flush!))
    yield* sink.committed!
    return { sink, state: Option.some(state) }
  })

const messageOf = <R>(effect: Effect.Effect<unknown, unknown, R>) =>
  Effect.map(Effect.flip(effect), (error) => String((error as Error).message))

describe("an output that is not to be there when it is empty", () => {
  for (const before of [undefined, "of yesterday\n"]) {
    const standing = before === undefined ? "nothing" : "the file of yesterday"
    it.effect(`what others put there in place of ${standing} is not taken away (OWN-17)`, () =>
      Effect.gen(function*() {
        const files = before === undefined ? new MemoryFiles() : new MemoryFiles().set(path, before)
        const refused = yield* Effect.scoped(Effect.gen(function*() {
          const { sink } = yield* begun(JsonItemWriter.array<string>(path, { deleteIfEmpty: true }), Option.none())
          // The writer has its part before the other file appears.
          yield* sink.flush!
          files.set(path, "of somebody else\n")
          return yield* messageOf(sink.complete!)
        })).pipe(Effect.provide(files.layer))
        assert.include(refused, "Cannot write \"out\": another file was put there")
        assert.strictEqual(files.text(path), "of somebody else\n")
      }))
  }

  it.effect("a file to which nothing was appended is not empty: it stays, and gets its footer", () =>
    Effect.gen(function*() {
      for (const inPlace of [false, true]) {
        const files = new MemoryFiles().set(path, "of yesterday")
        const writer = lines({ ifExists: "append", deleteIfEmpty: true, footer: ({ items }) => `# ${items}`, inPlace })
        yield* Effect.provide(live(writer, Option.none(), [], "complete"), files.layer)
        assert.deepStrictEqual([files.text(path), files.names], ["of yesterday\n# 0\n", [path]])
      }
    }))

  it.effect("nor is such a file by a restart, and no directory is left beside it (OWN-17)", () =>
    Effect.gen(function*() {
      const files = new MemoryFiles().set(path, "of yesterday\n")
      const make = () => lines({ ifExists: "append", deleteIfEmpty: true })
      const state = yield* Effect.provide(live(make(), Option.none(), [], "complete"), files.layer)
      assert.deepStrictEqual([files.text(path), files.names], ["of yesterday\n", [path]])
      // The process dies before it can store that it has come to its end.
      yield* Effect.provide(live(make(), state, [], "complete"), files.layer)
      assert.deepStrictEqual([files.text(path), files.names], ["of yesterday\n", [path]])
    }))
})

describe("the parts of an output", () => {
  it.effect("one that a woken process begins anew is removed by whoever completes (OWN-17)", () =>
    Effect.gen(function*() {
      for (const items of [0, 1]) {
        const files = new MemoryFiles()
        const make = () => lines({ deleteIfEmpty: true })
        yield* Effect.scoped(Effect.gen(function*() {
          const woken = yield* begun(make(), Option.none())
          const successor = yield* begun(make(), woken.state)
          // It has its own part before the other one wakes up and makes the part that it was about to make.
          yield* successor.sink.flush!
          yield* woken.sink.write(["lost"])
          yield* woken.sink.flush!
          assert.strictEqual(files.names.filter((name) => name.endsWith(".part")).length, 2)
          if (items > 0) {
            yield* runChunk(successor.sink, commit("line"))
          }
          yield* successor.sink.complete!
        })).pipe(Effect.provide(files.layer))
        assert.deepStrictEqual(files.names, items > 0 ? [path] : [])
      }
    }))

  it.effect("a checkpoint remembers those that may wake up, and forgets those that are known to be gone", () =>
    Effect.gen(function*() {
      const turns = (state: Option.Option<Json>) =>
        (Option.getOrThrow(state) as unknown as State).part!.before.map(({ token }) => token)
      const files = new MemoryFiles()
      const frozen = yield* Scope.make()
      let state = Option.none<Json>()
      for (let life = 1; life <= 3; life++) {
        // Their scopes stay open.
        const { sink } = yield* Scope.extend(begun(lines(), state), frozen).pipe(Effect.provide(files.layer))
        state = yield* Effect.provide(runChunk(sink, commit(`line ${life}`)), files.layer)
        assert.strictEqual(turns(state).length, life - 1)
      }
      yield* Scope.close(frozen, Exit.void)
      state = yield* Effect.provide(live(lines(), state, [commit("line 4"), commit("line 5")], "die"), files.layer)
      assert.deepStrictEqual(turns(state), [])
    }))

  it.effect("what was committed stays where a turn has taken it that the database has forgotten (OWN-17)", () =>
    Effect.gen(function*() {
      const files = new MemoryFiles()
      yield* Effect.gen(function*() {
        const first = yield* live(lines(), Option.none(), [commit("one")], "die")
        // This turn takes the part of the first one. Then the database fails over to a copy that knows only that.
        yield* live(lines(), first, [commit("two")], "die")
        const [part] = files.names
        const restart = live(lines(), first, [commit("three")], "complete")
        assert.include(yield* messageOf(restart), "neither a part nor the file holds them")
        assert.strictEqual(files.text(part!), "one\ntwo\n")
        // Brought back, as the message says, it is gone on with.
        const { token } = (Option.getOrThrow(first) as unknown as State).part!
        files.set(`${path}.${token}.part`, files.text(part!)!)
        yield* live(lines(), first, [commit("three")], "complete")
      }).pipe(Effect.provide(files.layer))
      assert.deepStrictEqual([files.text(path), files.names], ["one\nthree\n", [path]])
    }))

  it.effect("one that changes while it is copied is not taken for what was committed (OWN-17)", () =>
    Effect.gen(function*() {
      const files = new MemoryFiles()
      const frozen = yield* Scope.make()
      const first = yield* Scope.extend(begun(lines(), Option.none()), frozen).pipe(Effect.provide(files.layer))
      const state = yield* Effect.provide(runChunk(first.sink, commit("one")), files.layer)
      // Its writer wakes up behind the look at its part, and writes over it.
      const woken = files.system((operation) =>
        operation.startsWith("copy ")
          ? Effect.sync(() => void files.change(operation.split(" ")[1]!, "two\n"))
          : Effect.void
      )
      const restart = live(lines(), state, [commit("three")], "complete")
      const refused = yield* messageOf(Effect.provideService(restart, FileSystem.FileSystem, woken))
      assert.match(refused, /^Cannot write "out": its part "out\S+" no longer holds the 4 bytes that were written/)
      assert.isUndefined(files.text(path))
    }))

  it.effect("a copy that was cut short is removed when those who might have used it are known to be gone", () =>
    Effect.gen(function*() {
      const files = new MemoryFiles()
      const frozen = yield* Scope.make()
      const first = yield* Scope.extend(begun(lines(), Option.none()), frozen).pipe(Effect.provide(files.layer))
      const state = yield* Effect.provide(runChunk(first.sink, commit("one")), files.layer)
      // It dies when it has copied the part, and before it has removed what it has taken.
      const dying = files.system((operation) => /^remove .*\.old$/.test(operation) ? Effect.die("killed") : Effect.void)
      const second = yield* Scope.extend(begun(lines(), state), frozen).pipe(
        Effect.provideService(FileSystem.FileSystem, dying)
      )
      yield* Effect.exit(Effect.provideService(second.sink.flush!, FileSystem.FileSystem, dying))
      assert.deepStrictEqual(files.names.map((name) => name.replace(/^out\.\w+/, "")), [".old", ".part"])
      yield* live(lines(), second.state, [commit("two")], "complete").pipe(
        Effect.provide(files.layer),
        Effect.provideService(OutputOwner, { owner: "me", isGone: () => true })
      )
      assert.deepStrictEqual([files.text(path), files.names], ["one\ntwo\n", [path]])
    }))

  it.effect("an output is known by those who come next, even if its end is another one now (OWN-17)", () =>
    Effect.gen(function*() {
      for (const ends of [["a", "b"], ["a", "a", "b"], ["a", "b", "c"], ["a", "a", "b", "c"], ["a", "b", "b", "c"]]) {
        const files = new MemoryFiles().set(path, "of yesterday\n")
        const [first, ...restarts] = ends.map((end) => lines({ footer: () => end }))
        const last = restarts.pop()!
        yield* Effect.gen(function*() {
          let state = yield* live(first!, Option.none(), [commit("one")], "complete")
          for (const restart of restarts) {
            // It dies with a part in its hands that it has not stored.
            state = yield* live(restart, state, [], ["never stored"])
            assert.strictEqual(files.text(path), "one\na\n")
          }
          yield* live(last, state, [commit("two")], "complete")
          assert.deepStrictEqual([files.text(path), files.names], [`one\ntwo\n${ends.at(-1)}\n`, [path]])
        }).pipe(Effect.provide(files.layer))
      }
    }))

  it.effect("so is one without items, which holds nothing but its end (OWN-17)", () =>
    Effect.gen(function*() {
      for (const before of [undefined, "of yesterday\n"]) {
        for (const items of [[], ["one"]]) {
          const files = before === undefined ? new MemoryFiles() : new MemoryFiles().set(path, before)
          // Asked again it would give another end, as one with the time of day does, and a shorter one.
          let asked = 0
          const end = () => `asked ${asked}${"!".repeat(20 - asked)}`
          const make = () => lines({ header: "HEAD", footer: () => (asked++, end()) })
          yield* Effect.gen(function*() {
            let state = yield* live(make(), Option.none(), [], "complete")
            const standing = files.text(path)!
            assert.strictEqual(standing, `HEAD\n${end()}\n`)
            for (let restart = 1; restart <= 2; restart++) {
              // Each dies before it can store that it has come to its end.
              state = yield* live(make(), state, [], "complete")
              assert.deepStrictEqual([files.text(path), files.names], [standing, [path]])
            }
            state = yield* live(make(), state, items.map((item) => commit(item)), "complete")
            assert.strictEqual(files.text(path), items.length === 0 ? standing : `HEAD\none\n${end()}\n`)
            // What somebody else puts there is not taken for it, not if it goes on, and not if it is as long.
            for (const other of [`${standing}more\n`, standing.replace("asked", "ASKED")]) {
              files.set(path, other)
              assert.include(yield* messageOf(live(make(), state, [], "complete")), "another file was put there")
              assert.strictEqual(files.text(path), other)
            }
          }).pipe(Effect.provide(files.layer))
        }
      }
    }))
})

describe("a file that holds what was committed", () => {
  it.effect("is gone on with, also if it was complete and the database has forgotten that, and how it ended (OWN-16, OWN-17)", () =>
    Effect.gen(function*() {
      for (const isComplete of [true, false]) {
        const files = new MemoryFiles().set(path, "of yesterday\n")
        let run = 0
        const make = () => {
          const end = `# run ${++run}`
          return lines({ footer: () => end })
        }
        yield* Effect.gen(function*() {
          const state = yield* live(make(), Option.none(), [commit("one")], "die")
          if (isComplete) {
            yield* live(make(), state, [commit("two")], "complete")
            assert.strictEqual(files.text(path), "one\ntwo\n# run 2\n")
          } else {
            // Somebody has given the part the name of the output by hand.
            const part = files.partName(path)!
            files.set(path, files.text(part)!).delete(part)
          }
          yield* live(make(), state, [commit("other")], "complete")
          assert.deepStrictEqual([files.text(path), files.names], [`one\nother\n# run ${run}\n`, [path]])
        }).pipe(Effect.provide(files.layer))
      }
    }))

  it.effect("is not cut where others have appended to it before this step wrote its first item (OWN-17)", () =>
    Effect.gen(function*() {
      const files = new MemoryFiles().set(path, "of yesterday\n")
      const make = () => lines({ ifExists: "append" })
      yield* Effect.gen(function*() {
        // It dies when its turn is stored, and before it has a part.
        const { state } = yield* Effect.scoped(begun(make(), Option.none()))
        files.change(path, "of yesterday\nof somebody else\n")
        assert.include(yield* messageOf(live(make(), state, [commit("one")], "complete")), "that file was changed")
        assert.deepStrictEqual([files.text(path), files.names], ["of yesterday\nof somebody else\n", [path]])
      }).pipe(Effect.provide(files.layer))
    }))
})

describe("a part of which nothing is committed", () => {
  const ends = {
    "goes with its writer when it is rolled back": { isRolledBack: true, left: [path] },
    "stays when nobody knows whether it was committed": { isRolledBack: false, left: [path, "part"] }
  }
  for (const [name, { isRolledBack, left }] of Object.entries(ends)) {
    it.effect(`${name} (OWN-17)`, () =>
      Effect.gen(function*() {
        const files = new MemoryFiles().set(path, "of yesterday\n")
        yield* Effect.scoped(Effect.gen(function*() {
          const { sink } = yield* begun(lines(), Option.none())
          yield* sink.write(["one"])
          yield* sink.flush!
          assert.lengthOf(files.names, 2)
          yield* isRolledBack ? sink.rollback! : Effect.void
        })).pipe(Effect.provide(files.layer))
        assert.deepStrictEqual(files.names.map((name) => name === path ? path : name.split(".").pop()), left)
        assert.strictEqual(files.text(path), "of yesterday\n")
      }))
  }

  it.effect("so does one that was committed, and one of the first life when its second one has failed (OWN-17)", () =>
    Effect.gen(function*() {
      const files = new MemoryFiles()
      yield* Effect.gen(function*() {
        let state = yield* live(lines(), Option.none(), [commit("one")], "die")
        state = yield* live(lines(), state, [{ _tag: "rollback", items: ["lost"], flushed: true }], "die")
        assert.strictEqual(files.part(path), "one\n")
        yield* live(lines(), state, [commit("two")], "complete")
        assert.deepStrictEqual([files.text(path), files.names], ["one\ntwo\n", [path]])
      }).pipe(Effect.provide(files.layer))
    }))
})

describe("on a disk, the output", () => {
  const directory = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())

  it.scopedLive("may have a name that leaves no room to say whose its parts are", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const place = yield* directory
      for (const length of [221, 232]) {
        const name = "ä".repeat(5).padEnd(length - 5, "n")
        yield* live(lines({}, `${place}/${name}`), Option.none(), [commit("one")], "complete").pipe(
          Effect.provideService(OutputOwner, { owner: "me", isGone: () => false, run: "zzzzzz_01234567" })
        )
        assert.deepStrictEqual(yield* fs.readDirectory(place), [name])
        yield* fs.remove(`${place}/${name}`)
      }
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("has the mode of the file that it replaces, and nobody reads more of it before", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const file = `${yield* directory}/out`
      const modeOf = (name: string) => Effect.map(fs.stat(name), ({ mode }) => mode & 0o777)
      yield* fs.writeFileString(file, "of yesterday\n")
      for (const mode of [0o600, 0o664]) {
        yield* fs.chmod(file, mode)
        const { sink } = yield* begun(lines({}, file), Option.none())
        yield* runChunk(sink, commit("line"))
        const [part] = (yield* fs.readDirectory(dirname(file))).filter((name) => name.endsWith(".part"))
        assert.strictEqual(yield* modeOf(`${dirname(file)}/${part}`), mode)
        yield* sink.complete!
        assert.deepStrictEqual([yield* fs.readFileString(file), yield* modeOf(file)], ["line\n", mode])
      }
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("stands at the end of a link: of that to which it led when the step began for the first time", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const [here, there] = [yield* directory, yield* directory]
      const [link, first, second] = [`${here}/out`, `${there}/first`, `${there}/second`]
      yield* fs.writeFileString(first, "of yesterday\n")
      yield* fs.writeFileString(second, "of somebody else\n")
      yield* fs.symlink(first, link)
      let state = yield* live(lines({}, link), Option.none(), [commit("one")], "die")
      yield* fs.remove(link)
      yield* fs.symlink(second, link)
      // Two restarts: what the first one stores has to name the same file.
      state = yield* live(lines({}, link), state, [commit("two")], "die")
      yield* live(lines({}, link), state, [commit("three")], "complete")
      assert.strictEqual(yield* fs.readFileString(first), "one\ntwo\nthree\n")
      assert.deepStrictEqual(
        [yield* fs.readLink(link), yield* fs.readFileString(second)],
        [second, "of somebody else\n"]
      )
      assert.deepStrictEqual([yield* fs.readDirectory(here), yield* fs.readDirectory(there)], [
        ["out"],
        ["first", "second"]
      ])
    }).pipe(Effect.provide(NodeContext.layer)))
})
