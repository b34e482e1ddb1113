/**
 * Several processes that write slow chunks to one SQLite file, which has one write lock and no queue for it.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Sqlite from "../support/Sqlite.js"
import * as Processes from "./processes.js"

const PROCESSES = 5
const CHUNKS = 4
const CHUNK_MILLIS = 150

/** Runs them, and gives for each how many turns of the others it has waited for at most, and who came when. */
const race = Effect.gen(function*() {
  const file = yield* Sqlite.freshFile
  const program = yield* Processes.compile(new URL("./turnTaker.ts", import.meta.url))
  const order = yield* Effect.gen(function*() {
    const sql = yield* SqlClient
    yield* sql`create table turn (id integer primary key, process text not null)`
    const processes = yield* Effect.forEach(
      Array.from({ length: PROCESSES }, (_, index) => `p${index}`),
      (name) => Processes.spawn(program, [file, name, String(CHUNKS), String(CHUNK_MILLIS)])
    )
    yield* Effect.forEach(processes, (process) => process.line((line) => line === "ready"), { discard: true })
    processes.forEach((process) => process.kill("SIGUSR2"))
    for (const process of processes) {
      const { errors, lines } = yield* process.ended
      // That none blocks its event loop meanwhile shows in test/sql/Lock.test.ts, whatever else the machine has to do.
      assert.strictEqual(lines.at(-1), "end COMPLETED", `${lines.join()} ${errors}`)
    }
    return yield* sql<{ readonly process: string }>`select process from turn order by id`
  }).pipe(Effect.provide(Layer.provideMerge(SqlJobRepository.layer, Sqlite.layerFile(file))))
  assert.lengthOf(order, PROCESSES * CHUNKS)
  const longest = Array.from({ length: PROCESSES }, (_, index) => {
    const turns = order.flatMap(({ process }, at) => process === `p${index}` ? [at] : [])
    // The first chunk comes behind the launch, which takes several turns by itself.
    return Math.max(...turns.slice(1).map((at, turn) => at - turns[turn]! - 1))
  })
  return { longest: longest.sort((one, other) => one - other), order: order.map(({ process }) => process).join(" ") }
})

describe("five processes that write slow chunks to one SQLite file", () => {
  it.scopedLive(
    "all complete, and none is starved (OWN-21)",
    () =>
      Effect.gen(function*() {
        // Whom the machine itself holds up for several turns cannot ask for one: that does not happen again and again.
        const { longest, order } = yield* Effect.repeat(race, {
          until: ({ longest }) => longest.at(-1)! <= longest.at(-2)! + 3,
          times: 2
        })
        assert.isAtMost(longest.at(-1)!, longest.at(-2)! + 3, order)
      }),
    300_000
  )
})
