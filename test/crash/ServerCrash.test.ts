/**
 * A database server that crashes under a job, alone or together with the process that runs it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { seeded } from "../../src/base/random.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Postgres from "../support/Postgres.js"
import * as Processes from "./processes.js"
import * as Support from "./support.js"

describe("a database server that crashes", () => {
  it.scopedLive(
    "PostgreSQL with fsync: nothing that was committed is lost, with the process killed at the same time or not",
    () =>
      Effect.gen(function*() {
        const worker = yield* Processes.compiled
        const server = yield* Postgres.dedicated({ fsync: true })
        const db = Support.postgresAt(server.info.url)
        const options = yield* Support.prepare(db)
        const random = seeded(Support.SEED)
        for (let crashes = 0; crashes < 4; crashes++) {
          let recovered: Promise<void> | undefined
          const alone = crashes % 2 === 1
          const { status } = yield* Processes.run(worker, options, {
            lines: 10 + random(Support.LINES),
            millis: random(4),
            instead: alone ? () => void (recovered = Effect.runPromise(server.crash)) : undefined
          })
          // A job that is between two statements does not even notice.
          assert.match(String(status), alone ? /^(FAILED|COMPLETED)/ : /^(undefined|COMPLETED)$/)
          yield* Effect.promise(async () => recovered)
          if (!alone) {
            yield* server.crash
          }
        }
        yield* Support.untilDone(worker, { ...options, pauseMillis: 0 }, () => undefined)
        const live = Layer.provideMerge(SqlJobRepository.layer, db.client)
        yield* Effect.provide(Support.check(options.directory, ["OWNER_DIED", "FAILED"]), live)
      }).pipe(Support.hint),
    300_000
  )
})
