/**
 * Everything that can happen to a writer in front of any of its operations: it dies, also by a power failure, it is
 * interrupted, the operation fails. Whatever it was about to do with what earlier turns have left, the restart delivers what
 * an undisturbed run would have, and leaves nothing else.
 */
import type { PlatformError } from "@effect/platform/Error"
import { SystemError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Json } from "../../src/base/json.js"
import * as TextItemWriter from "../../src/file/TextItemWriter.js"
import { OutputOwner } from "../../src/ports/outputOwner.js"
import { commit, live, runChunk, type Writer } from "./lives.js"
import { MemoryFiles } from "./support.js"

const path = "out"

/** What the repository knows of the step. */
interface Store {
  state: Option.Option<Json>
  position: number
}

interface Situation {
  readonly options?: TextItemWriter.Options
  readonly before?: string
  /** Who may write that. */
  readonly mode?: number
  /** What earlier turns have done, and what is stored of it. */
  readonly earlier?: (make: () => Writer<string>) => Effect.Effect<Store, unknown, FileSystem.FileSystem>
  readonly items?: number
  readonly delivers: string | undefined
}

const footer = ({ items }: { readonly items: number }) => `# ${items}`

const one = (state: Option.Option<Json>): Store => ({ state, position: 1 })

const first = (make: () => Writer<string>) => live(make(), Option.none(), [commit("line 1")], "die")

/** Each of them is another way of getting at the output: see the decisions of `outputPlan`. */
const situations: Readonly<Record<string, Situation>> = {
  "nothing but the file of yesterday": { before: "of yesterday\n", delivers: "line 1\nline 2\n# 2\n" },
  "the file of yesterday, which nobody may write": {
    before: "of yesterday\n",
    mode: 0o444,
    earlier: (make) => Effect.map(first(make), one),
    delivers: "line 1\nline 2\n# 2\n"
  },
  "such a file that it appends to": {
    options: { ifExists: "append" },
    before: "of yesterday\n",
    mode: 0o440,
    delivers: "of yesterday\nline 1\nline 2\n# 2\n"
  },
  "a file that it appends to": {
    options: { ifExists: "append" },
    before: "of yesterday",
    delivers: "of yesterday\nline 1\nline 2\n# 2\n"
  },
  "the part of a turn that is known to be over": {
    before: "of yesterday\n",
    earlier: (make) => Effect.map(first(make), one),
    delivers: "line 1\nline 2\n# 2\n"
  },
  "the part of a turn that may wake up": {
    before: "of yesterday\n",
    earlier: (make) =>
      Effect.gen(function*() {
        // Its scope is never closed.
        const sink = yield* make().open(Option.none())
        yield* sink.flush!
        yield* sink.committed!
        return one(yield* runChunk(sink, commit("line 1")))
      }).pipe(Effect.provideService(Scope.Scope, Effect.runSync(Scope.make()))),
    delivers: "line 1\nline 2\n# 2\n"
  },
  "a complete output, of whose end nobody has heard": {
    earlier: (make) =>
      Effect.map(
        live(make(), Option.none(), [commit("line 1"), commit("line 2")], "complete"),
        (state) => ({ state, position: 2 })
      ),
    delivers: "line 1\nline 2\n# 2\n"
  },
  "a complete output to which more comes": {
    earlier: (make) => Effect.map(live(make(), Option.none(), [commit("line 1")], "complete"), one),
    delivers: "line 1\nline 2\n# 2\n"
  },
  "an output that a database has forgotten when it fell back to an older copy": {
    before: "of yesterday\n",
    earlier: (make) =>
      Effect.gen(function*() {
        const state = yield* first(make)
        yield* live(make(), state, [commit("forgotten")], "complete")
        return one(state)
      }),
    delivers: "line 1\nline 2\n# 2\n"
  },
  "a file that goes when there is nothing to write": {
    options: { deleteIfEmpty: true },
    before: "of yesterday\n",
    items: 0,
    delivers: undefined
  },
  "such a file, which an earlier turn was about to remove": {
    options: { deleteIfEmpty: true },
    before: "of yesterday\n",
    items: 0,
    earlier: (make) => Effect.map(live(make(), Option.none(), [], "die"), (state) => ({ state, position: 0 })),
    delivers: undefined
  }
}

const makeOf = ({ options }: Situation) => () =>
  TextItemWriter.lines<string>(path, (line) => line, { footer, ...options })

const begin = (situation: Situation) =>
  Effect.gen(function*() {
    const files = situation.before === undefined
      ? new MemoryFiles()
      : new MemoryFiles().set(path, situation.before, situation.mode)
    const { earlier = () => Effect.succeed({ state: Option.none(), position: 0 }) } = situation
    const store = yield* Effect.provide(earlier(makeOf(situation)), files.layer)
    return { files, store }
  })

/** What the engine does with the step; a chunk whose commit fails is rolled back, and tried once more. */
const step = (store: Store, { items = 2, ...situation }: Situation) =>
  Effect.scoped(Effect.gen(function*() {
    const sink = yield* makeOf(situation)().open(store.state)
    const save = Effect.map(sink.flush!, (state) => {
      store.state = Option.some(JSON.parse(JSON.stringify(state)))
    })
    yield* save
    yield* sink.committed!
    while (store.position < items) {
      const chunk = Effect.suspend(() => sink.write([`line ${store.position + 1}`])).pipe(
        Effect.zipRight(save),
        Effect.onError(() => sink.rollback!)
      )
      yield* Effect.catchAll(chunk, () => chunk)
      store.position++
      yield* sink.committed!
    }
    yield* save
    yield* sink.committed!
    yield* sink.complete!
  }))

/** Lets something happen once, in front of the operation with this number. */
const at = (number: number, happens: (operation: string) => Effect.Effect<void, PlatformError>) => {
  let passed = 0
  return (operation: string) => passed++ === number ? happens(operation) : Effect.void
}

const onFire = new SystemError({
  reason: "Unknown",
  module: "FileSystem",
  method: "test",
  description: "disk on fire"
})

const run = (files: MemoryFiles, store: Store, situation: Situation, before?: ReturnType<typeof at>) =>
  Effect.provideService(step(store, situation), FileSystem.FileSystem, files.system(before))

const assertDelivered = (files: MemoryFiles, { delivers, mode }: Situation, message: string) =>
  assert.deepStrictEqual(
    [files.text(path), files.mode(path), files.names],
    [delivers, mode, delivers === undefined ? [] : [path]],
    message
  )

const changes = /^(rename|copy|truncate|write|mkdir|remove) /

/** Stands in front of the change with this number until it is let go; none if there are not so many. */
const standing = (
  files: MemoryFiles,
  store: Store,
  situation: Situation,
  number: number,
  fails: (operation: string) => boolean = () => false
) =>
  Effect.gen(function*() {
    const stands = yield* Deferred.make<string>()
    const go = yield* Deferred.make<void>()
    const before = at(number, (operation) => Effect.zipRight(Deferred.succeed(stands, operation), Deferred.await(go)))
    const failing = (operation: string) =>
      fails(operation) ? onFire : changes.test(operation) ? before(operation) : Effect.void
    const fiber = yield* Effect.forkDaemon(run(files, store, situation, failing))
    const operation = yield* Effect.raceFirst(Deferred.await(stands), Effect.as(Fiber.await(fiber), undefined))
    return operation === undefined ? undefined : { fiber, go: Deferred.succeed(go, undefined), operation }
  })

describe("a writer that comes to", () => {
  for (const [name, situation] of Object.entries(situations)) {
    describe(name, () => {
      it.effect("delivers it, and no power failure takes it back (OWN-17)", () =>
        Effect.gen(function*() {
          const { files, store } = yield* begin(situation)
          yield* run(files, store, situation)
          assertDelivered(files, situation, "undisturbed")
          files.powerFails("names and bytes")
          assert.strictEqual(files.text(path), situation.delivers)
        }))

      it.effect("may die anywhere, the power with it (OWN-17)", () =>
        Effect.gen(function*() {
          for (let number = 0;; number++) {
            const { files, store } = yield* begin(situation)
            const dead = yield* standing(files, store, situation, number)
            if (dead === undefined) {
              break
            }
            files.powerFails("bytes")
            yield* Effect.provideService(run(files, store, situation), OutputOwner, {
              owner: "me",
              isGone: () => number % 2 === 0
            })
            assertDelivered(files, situation, `died in front of change ${number}: ${dead.operation}`)
          }
        }))

      it.effect("is not interrupted while it changes something, which would hit those who come next (OWN-17)", () =>
        Effect.gen(function*() {
          for (let number = 0;; number++) {
            const { files, store } = yield* begin(situation)
            const one = yield* standing(files, store, situation, number)
            if (one === undefined) {
              break
            }
            const interrupting = yield* Effect.fork(Fiber.interrupt(one.fiber))
            for (let turn = 0; turn < 5; turn++) {
              yield* Effect.yieldNow()
            }
            const where = `interrupted in front of change ${number}: ${one.operation}`
            assert.isTrue(Option.isNone(yield* Fiber.poll(one.fiber)), where)
            yield* one.go
            yield* Fiber.join(interrupting)
            yield* run(files, store, situation)
            assertDelivered(files, situation, where)
          }
        }))

      it.effect("tries again what failed, in the same life or in the next one (OWN-17)", () =>
        Effect.gen(function*() {
          for (let number = 0;; number++) {
            const { files, store } = yield* begin(situation)
            let failed = ""
            const fails = at(number, (operation) => {
              failed = operation
              return onFire
            })
            const exit = yield* Effect.exit(run(files, store, situation, fails))
            if (failed === "") {
              break
            }
            const where = `operation ${number} failed: ${failed}`
            // What is left behind does not keep anybody from his work.
            assert.isTrue(Exit.isSuccess(exit) || !failed.startsWith("remove "), where)
            if (Exit.isFailure(exit)) {
              yield* run(files, store, situation)
            }
            const left = failed.startsWith("remove ") ? files.names.filter((name) => name !== path) : []
            left.forEach((name) => files.delete(name))
            // Some file systems know no permissions.
            const mode = failed.startsWith("chmod ") ? files.mode(path) : situation.mode
            assertDelivered(files, { ...situation, ...(mode === undefined ? {} : { mode }) }, where)
          }
        }))

      it.effect("takes nothing from others as long as its turn is not stored (OWN-17)", () =>
        Effect.gen(function*() {
          const { files, store } = yield* begin(situation)
          const before = files.names.map((name) => [name, files.text(name)])
          yield* Effect.gen(function*() {
            const sink = yield* makeOf(situation)().open(store.state)
            yield* sink.write(["never stored"])
            yield* sink.flush!
            assert.deepStrictEqual(before.map(([name]) => [name, files.text(name!)]), before)
          }).pipe(
            Effect.provideService(Scope.Scope, yield* Scope.make()),
            Effect.provideService(FileSystem.FileSystem, files.system())
          )
          // It is nobody that the repository knows of; what it has left goes with its line.
          yield* run(files, store, situation)
          assert.strictEqual(files.text(path), situation.delivers)
        }))
    })
  }

  it.effect("the part of another one may die, the power with it, when it tries again what failed behind its copy (OWN-17)", () =>
    Effect.gen(function*() {
      const situation = situations["the part of a turn that may wake up"]!
      for (let number = 0;; number++) {
        const { files, store } = yield* begin(situation)
        const seen: Array<string> = []
        const dead = yield* standing(files, store, situation, number, (operation) => {
          const isBehindCopy = seen.at(-1)?.startsWith("copy ") === true
          seen.push(operation)
          return isBehindCopy
        })
        if (dead === undefined) {
          break
        }
        files.powerFails("bytes")
        yield* run(files, store, situation)
        assertDelivered(files, situation, `died in front of change ${number}: ${dead.operation}`)
      }
    }))
})
