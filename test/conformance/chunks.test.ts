/**
 * Rules about chunks that no other test is named after.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { ItemProcessor, ItemReader, ItemWriter, Job, JobOperator, Listener, Step } from "../../src/index.js"
import { drivers } from "../support/drivers.js"

/** Items in pages of their own, and how often the reader was pulled. */
const scriptedReader = (pages: ReadonlyArray<ReadonlyArray<number>>) => {
  const pulls = { count: 0 }
  const reader = ItemReader.make("scripted", (from) =>
    Effect.sync(() => {
      let next = Option.match(from, { onNone: () => 0, onSome: Number })
      return {
        pull: () =>
          Effect.sync(() => {
            pulls.count++
            const items = pages[next++] ?? []
            return { items, position: next, failure: Option.none(), done: next >= pages.length }
          })
      }
    }))
  return { pulls, reader }
}

/** Every call of the writer. */
const recorder = () => {
  const calls: Array<ReadonlyArray<number>> = []
  const writer = ItemWriter.fromFunction((items: ReadonlyArray<number>) => Effect.sync(() => void calls.push(items)))
  return { calls, writer }
}

const countsOf = (executionId: number) => Effect.map(JobOperator.steps(executionId), ([step]) => step!.counts)

for (const driver of drivers) {
  describe(`rules about chunks (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("items are read, filtered and written together, and only written ones are counted (CHUNK-1, CHUNK-2, CHUNK-4, CHUNK-5)", () =>
        Effect.gen(function*() {
          const { calls, writer } = recorder()
          const step = Step.chunk("load", {
            reader: ItemReader.fromIterable([1, 2, 3, 4, 5]),
            processor: ItemProcessor.filter((n: number) => n !== 2),
            writer,
            chunkSize: 2
          })
          const { id } = yield* JobOperator.run(Job.make("chunk-1", { flow: step }), {})
          assert.deepStrictEqual(calls, [[1], [3, 4], [5]])
          const { commit, filter, read, write } = yield* countsOf(id)
          assert.deepStrictEqual({ commit, filter, read, write }, { commit: 3, filter: 1, read: 5, write: 4 })
        }))

      it.effect("a reader that is done is not asked again; an empty page is not the end (CHUNK-3, ITEM-5, V6C-11)", () =>
        Effect.gen(function*() {
          const { calls, writer } = recorder()
          const { pulls, reader } = scriptedReader([[1], [], [2], []])
          yield* JobOperator.run(
            Job.make("chunk-3", { flow: Step.chunk("load", { reader, writer, chunkSize: 10 }) }),
            {}
          )
          assert.deepStrictEqual([calls, pulls.count], [[[1, 2]], 4])
        }))

      it.effect("without items no processor, no writer, no commit (V6C-2, CLC-2, CLC-3)", () =>
        Effect.gen(function*() {
          const calls: Array<string> = []
          const step = Step.chunk("load", {
            reader: ItemReader.fromIterable<number>([]),
            processor: (n) => Effect.sync(() => (calls.push("process"), n)),
            writer: ItemWriter.fromFunction(() => Effect.sync(() => void calls.push("write"))),
            chunkSize: 2
          }).pipe(Step.listen(Listener.step({ beforeChunk: () => Effect.sync(() => void calls.push("beforeChunk")) })))
          const { id } = yield* JobOperator.run(Job.make("v6c-2", { flow: step }), {})
          assert.deepStrictEqual([calls, (yield* countsOf(id)).commit], [[], 0])
        }))

      it.effect("with everything filtered the writer is not called, and the chunk is a commit (V6C-5, CLC-4)", () =>
        Effect.gen(function*() {
          const { calls, writer } = recorder()
          const step = Step.chunk("load", {
            reader: ItemReader.fromIterable([1, 2]),
            processor: ItemProcessor.filter((_: number) => false),
            writer,
            chunkSize: 2
          })
          const { id } = yield* JobOperator.run(Job.make("v6c-5", { flow: step }), {})
          assert.deepStrictEqual([calls, (yield* countsOf(id)).commit], [[], 1])
        }))

      it.effect("the order is read, beforeChunk with the items, process, write, beforeCommit, commit, afterChunk (V6C-3, V6C-4, V6C-6, CLC-1)", () =>
        Effect.gen(function*() {
          const calls: Array<string> = []
          const note = (call: string) => Effect.sync(() => void calls.push(call))
          const step = Step.chunk("load", {
            reader: ItemReader.fromIterable([1, 2]),
            processor: (n) => Effect.as(note(`process ${n}`), n * 10),
            writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) => note(`write ${items.join()}`)),
            chunkSize: 2
          }).pipe(Step.listen(Listener.step({
            afterRead: (n: number) => note(`read ${n}`),
            beforeChunk: (items: ReadonlyArray<number>) => note(`beforeChunk ${items.join()}`),
            beforeCommit: (outputs: ReadonlyArray<number>) => note(`beforeCommit ${outputs.join()}`),
            afterChunk: (outputs: ReadonlyArray<number>) => note(`afterChunk ${outputs.join()}`)
          })))
          yield* JobOperator.run(Job.make("v6c-3", { flow: step }), {})
          assert.deepStrictEqual(calls, [
            "read 1",
            "read 2",
            "beforeChunk 1,2",
            "process 1",
            "process 2",
            "write 10,20",
            "beforeCommit 10,20",
            "afterChunk 10,20"
          ])
        }))

      it.effect("nothing of a refused chunk counts but its rollback; a restart begins with its first item (V6C-9, CLC-6, CHUNK-10, OWN-9)", () =>
        Effect.gen(function*() {
          const { calls, writer } = recorder()
          const job = (broken: boolean) =>
            Job.make("v6c-9", {
              flow: Step.chunk("load", {
                reader: ItemReader.fromIterable([1, 2, 3, 4, 5]),
                writer: broken
                  ? ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
                    items.includes(4) ? Effect.fail("full") : Effect.void
                  )
                  : writer,
                chunkSize: 2
              })
            })
          const first = yield* JobOperator.run(job(true), {})
          assert.deepStrictEqual(first.exit, Exit.fail("full"))
          const { commit, read, rollback, write } = yield* countsOf(first.id)
          assert.deepStrictEqual({ commit, read, rollback, write }, { commit: 1, read: 2, rollback: 1, write: 2 })
          yield* JobOperator.run(job(false), {})
          assert.deepStrictEqual(calls, [[3, 4], [5]])
        }))

      it.effect("outputs are kept while a write is searched; each item is processed once (FTC-9, FT6-3, EFF-2)", () =>
        Effect.gen(function*() {
          const processed: Array<number> = []
          const step = Step.chunk("load", {
            reader: ItemReader.fromIterable([1, 2, 3]),
            processor: (n) => Effect.sync(() => (processed.push(n), n)),
            writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
              items.includes(2) ? Effect.fail({ _tag: "Bad" as const }) : Effect.void
            ),
            chunkSize: 3
          }).pipe(Step.skip("Bad", { limit: 1 }))
          const { id } = yield* JobOperator.run(Job.make("ftc-9", { flow: step }), {})
          assert.deepStrictEqual(processed, [1, 2, 3])
          const { commit, write, writeSkip } = yield* countsOf(id)
          assert.deepStrictEqual({ commit, write, writeSkip }, { commit: 1, write: 2, writeSkip: 1 })
        }))

      it.effect("items are processed at once in order, a failure interrupts the others, listeners hear of it (SCALE-2, LISTEN-43)", () =>
        Effect.gen(function*() {
          const { calls, writer } = recorder()
          const heard: Array<string> = []
          let interrupted = 0
          const job = (name: string, processor: (n: number) => Effect.Effect<number, string>) =>
            Job.make(name, {
              flow: Step.chunk("load", {
                reader: ItemReader.fromIterable([1, 2, 3, 4]),
                processor,
                writer,
                chunkSize: 4,
                concurrency: 4
              }).pipe(Step.listen(Listener.step({
                beforeChunk: () => Effect.sync(() => void heard.push("before")),
                afterChunk: () => Effect.sync(() => void heard.push("after"))
              })))
            })
          yield* JobOperator.run(
            job("scale-2", (n) => n === 1 ? Effect.yieldNow().pipe(Effect.as(n)) : Effect.succeed(n)),
            {}
          )
          assert.deepStrictEqual([calls, heard], [[[1, 2, 3, 4]], ["before", "after"]])
          const waits = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++))
          const failed = yield* JobOperator.run(
            job("scale-2-failing", (n) => n === 4 ? Effect.fail("bad") : waits),
            {}
          )
          const failure = Exit.isFailure(failed.exit) ? Cause.failureOption(failed.exit.cause) : Option.none()
          assert.deepStrictEqual([failure, interrupted], [Option.some("bad"), 3])
        }))

      it.effect("what a writer sends elsewhere is sent again when its transaction did not commit (TX-3)", () =>
        Effect.gen(function*() {
          const sent: Array<number> = []
          const job = (broken: boolean) =>
            Job.make("tx-3", {
              flow: Step.chunk("send", {
                reader: ItemReader.fromIterable([1, 2]),
                writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
                  Effect.sync(() => void sent.push(...items))
                ),
                chunkSize: 2
              }).pipe(Step.listen(Listener.step({ beforeCommit: () => broken ? Effect.fail("lost") : Effect.void })))
            })
          yield* JobOperator.run(job(true), {})
          yield* JobOperator.run(job(false), {})
          assert.deepStrictEqual(sent, [1, 2, 1, 2])
        }))
    })
  })
}
