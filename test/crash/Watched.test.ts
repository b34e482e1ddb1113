/** What a watch tells of a process that was killed (`kill -9`), which cannot tell it itself. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlJobRepository } from "../../src/sql/index.js"
import { Watch } from "../../src/watch/index.js"
import * as Processes from "./processes.js"
import * as Support from "./support.js"

/** A new watcher each time, as after a restart: what it has told, kind by kind. */
const looked = Effect.suspend(() => {
  const told: Array<string> = []
  const notify = (notification: Watch.Notification) => Effect.sync(() => void told.push(Watch.textOf(notification)))
  return Effect.as(Watch.look({ notify }), told)
})

describe("a watch beside a process that is killed", () => {
  it.scopedLive.each([["SQLite", Support.sqlite], ["PostgreSQL", Support.postgres]] as const)(
    "%s: tells its death once, and once that another one has completed the job",
    ([, database]) =>
      Effect.gen(function*() {
        const worker = yield* Processes.compiled
        const db = yield* database
        const options = yield* Support.prepare(db)
        const live = Layer.provideMerge(SqlJobRepository.layer, db.client)
        // It takes its time, so that a kill that comes late still meets it.
        const killed = yield* Processes.run(worker, { ...options, pauseMillis: 40 }, { lines: 20, millis: 0 })
        assert.isUndefined(killed.status)
        const first = yield* Effect.provide(looked, live)
        assert.lengthOf(first, 1)
        assert.match(first[0]!, /^FAILED: .*its process died/)
        assert.deepStrictEqual(yield* Effect.provide(looked, live), [])
        const ended = yield* Processes.run(worker, { ...options, pauseMillis: 0 })
        assert.strictEqual(ended.status, "COMPLETED")
        const then = yield* Effect.provide(looked, live)
        assert.lengthOf(then, 1)
        assert.match(then[0]!, /^RECOVERED: /)
        assert.deepStrictEqual(yield* Effect.provide(looked, live), [])
      }),
    300_000
  )
})
