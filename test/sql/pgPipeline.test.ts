/**
 * Who explains what when a message is refused, with a server that is played: which command it gives up at, and how, is
 * chosen at random.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import type { Pipelined } from "../../src/ports/pipelining.js"
import type { Database } from "../../src/sql/database.js"
import * as PgPipeline from "../../src/sql/pgPipeline.js"
import { TransactionError } from "../../src/vocabulary/BatchError.js"

/** What the driver sees of a query. */
interface Query {
  callback: (error: unknown, result?: unknown) => void
  readonly submit: (wire: object) => void
  readonly handleCommandComplete: () => void
  readonly handleError: (error: unknown) => void
  readonly handleReadyForQuery: () => void
}

/** The server carries out so many commands, `BEGIN` and `COMMIT` among them, and then gives up. */
interface Server {
  readonly completes: number
  readonly says: { readonly code?: string; readonly message: string } | undefined
}

/** One message after the other meets these servers. */
const played = (servers: ReadonlyArray<Server>, prepares = false) => {
  let messages = 0
  const heard: Array<string> = []
  const wire = {
    stream: { cork: () => {}, uncork: () => {} },
    close: () => {},
    parse: ({ text }: { readonly text: string }) => void heard.push(text),
    bind: () => {},
    execute: () => {},
    sync: () => {}
  }
  const executeRaw = (sql: unknown) => {
    if (typeof sql === "string") {
      return Effect.sync(() => void heard.push(sql))
    }
    const query = sql as Query
    const { completes, says } = servers[messages++]!
    return Effect.async<unknown, SqlError>((resume) => {
      query.callback = (error, result) =>
        resume(
          error === null ? Effect.succeed(result) : Effect.fail(new SqlError({ cause: error, message: "it failed" }))
        )
      query.submit(wire)
      for (let i = 0; i < completes; i++) {
        query.handleCommandComplete()
      }
      if (says === undefined) {
        query.handleReadyForQuery()
      } else {
        query.handleError(Object.assign(new Error(says.message), says))
      }
    })
  }
  const connection = { executeRaw } as unknown as Connection
  const database = {
    dialect: { name: "pg" },
    sql: { "~@effect/sql-pg/PgClient": true, reserve: Effect.succeed(connection) },
    only: undefined,
    prepares
  } as unknown as Database
  return { heard, pipeline: PgPipeline.pipeline(database)!.connect() }
}

/** Parts of a transaction with so many commands each; the part says that it was refused. */
const partsOf = (sizes: ReadonlyArray<number>): ReadonlyArray<Pipelined<string, string>> =>
  sizes.map((size, part) => ({
    commands: Array.from({ length: size }, () => ({ text: `part ${part}`, parameters: [] })),
    answer: () => Either.right("answered"),
    refused: () => `part ${part} was refused`
  }))

const sizes = FastCheck.array(FastCheck.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 })

const sendAll = (server: Server, parts: ReadonlyArray<number>) => {
  const { heard, pipeline } = played([server])
  const all = partsOf(parts)
  return Effect.map(
    Effect.either(pipeline.transact(all.slice(0, -1), all[all.length - 1]!)),
    (result) => ({ heard, result })
  )
}

const isPhase = (
  phase: TransactionError["phase"],
  { result }: { readonly result: Either.Either<unknown, unknown> }
) => {
  assert.isTrue(Either.isLeft(result) && result.left instanceof TransactionError, String(result))
  assert.strictEqual(Either.isLeft(result) && (result.left as TransactionError).phase, phase)
}

describe("a message to PostgreSQL that is refused", () => {
  it.effect.prop(
    "says so with the error of the part whose command it was, and with TransactionError where that was BEGIN or COMMIT (TX-1)",
    [sizes, FastCheck.nat()],
    ([parts, at]) =>
      Effect.gen(function*() {
        const commands = parts.reduce((sum, size) => sum + size, 0)
        const completes = at % (commands + 2)
        const outcome = yield* sendAll({ completes, says: { code: "23505", message: "no" } }, parts)
        assert.strictEqual(outcome.heard.at(-1), "ROLLBACK", "the connection goes back outside of a transaction")
        if (completes === 0) {
          return isPhase("begin", outcome)
        }
        if (completes === commands + 1) {
          return isPhase("commit", outcome)
        }
        const owners = parts.flatMap((size, part) => Array.from({ length: size }, () => part))
        assert.deepStrictEqual(outcome.result, Either.left(`part ${owners[completes - 1]} was refused`))
      })
  )

  it.effect.prop(
    "may have committed when the connection was lost, wherever that was (D18)",
    [
      sizes,
      FastCheck.nat(),
      FastCheck.constantFrom(
        { message: "Connection terminated unexpectedly" },
        { code: "ECONNRESET", message: "read ECONNRESET" },
        { code: "57P01", message: "terminating connection due to administrator command" },
        { code: "08006", message: "connection failure" }
      )
    ],
    ([parts, at, says]) =>
      Effect.gen(function*() {
        const commands = parts.reduce((sum, size) => sum + size, 0)
        isPhase("commit", yield* sendAll({ completes: at % (commands + 3), says }, parts))
      })
  )

  it.effect.prop(
    "is answered with the last row, and rolls nothing back, when it is carried out",
    [sizes],
    ([parts]) =>
      Effect.gen(function*() {
        const { heard, result } = yield* sendAll({ completes: 10, says: undefined }, parts)
        assert.deepStrictEqual(result, Either.right("answered"))
        const inside = parts.flatMap((size, part) => Array.from({ length: size }, () => `part ${part}`))
        assert.deepStrictEqual(heard, ["begin isolation level read committed", ...inside, "commit"])
      })
  )

  it.effect("leaves nothing prepared of which the server may know nothing, and prepares the rest once", () =>
    Effect.gen(function*() {
      const carriedOut: Server = { completes: 3, says: undefined }
      const refused: Server = { completes: 1, says: { code: "23505", message: "no" } }
      const { heard, pipeline } = played([refused, carriedOut, carriedOut], true)
      const [part] = partsOf([1])
      yield* Effect.flip(pipeline.transact([], part!))
      yield* pipeline.transact([], part!)
      yield* pipeline.transact([], part!)
      const once = ["begin isolation level read committed", "part 0", "commit"]
      assert.deepStrictEqual(heard, [...once, "ROLLBACK", ...once])
    }))
})

/** Messages that are on their way until they are answered, on a connection that is taken from a pool and given back to it. */
const underWay = (prepared: Effect.Effect<void, SqlError> = Effect.void) => {
  const log = { taken: 0, given: 0 }
  const queries: Array<Query> = []
  const wire = {
    stream: { cork: () => {}, uncork: () => {} },
    close: () => {},
    parse: () => {},
    bind: () => {},
    execute: () => {},
    sync: () => {}
  }
  const connection = {
    executeRaw: (sql: unknown) =>
      typeof sql === "string" ? Effect.void : Effect.async<unknown, SqlError>((resume) => {
        const query = sql as Query
        query.callback = (error, result) =>
          resume(
            error === null ? Effect.succeed(result) : Effect.fail(new SqlError({ cause: error, message: "it failed" }))
          )
        // The driver sends one when it has the answer to the one in front; the others leave by themselves.
        if (queries.push(query) === 1) query.submit(wire)
      })
  } as unknown as Connection
  const taken = Effect.acquireRelease(
    Effect.sync(() => {
      log.taken++
      return connection
    }),
    () =>
      Effect.sync(() => {
        log.given++
      })
  )
  const database = {
    dialect: { name: "pg" },
    sql: {
      "~@effect/sql-pg/PgClient": true,
      reserve: Effect.zipLeft(taken, prepared)
    },
    only: undefined,
    prepares: true
  } as unknown as Database
  const answer = (at: number) => {
    for (let i = 0; i < 3; i++) queries[at]!.handleCommandComplete()
    queries[at]!.handleReadyForQuery()
  }
  const refuse = (at: number, code: string) => queries[at]!.handleError(Object.assign(new Error("no"), { code }))
  return { answer, database, log, pipeline: PgPipeline.pipeline(database)!.connect(), queries, refuse }
}

/** Until the fibers have come as far as they can. */
const turns = Effect.repeatN(Effect.yieldNow(), 20)

describe("transactions that follow each other on a connection", () => {
  it.effect("keep it until the last of them has ended, in whatever order they end, and then give it back", () =>
    Effect.gen(function*() {
      for (const order of [[0, 1, 2], [2, 1, 0], [1, 0, 2]]) {
        const { answer, log, pipeline, queries } = underWay()
        const fibers = yield* Effect.forEach(
          partsOf([1, 1, 1]),
          (part) => Effect.zipLeft(Effect.forkDaemon(pipeline.transact([], part)), turns)
        )
        yield* turns
        assert.deepStrictEqual([queries.length, log.taken, log.given], [3, 1, 0])
        for (const [answered, at] of order.entries()) {
          assert.strictEqual(log.given, 0, `${answered} of 3 have ended`)
          answer(at)
          yield* turns
        }
        for (const fiber of fibers) assert.strictEqual(yield* Fiber.join(fiber), "answered")
        assert.deepStrictEqual(log, { taken: 1, given: 1 })
      }
    }))

  it.effect("give back one on which nothing could begin, and try another one the next time", () =>
    Effect.gen(function*() {
      let failures = 1
      const { answer, log, pipeline } = underWay(
        Effect.suspend(() =>
          failures-- > 0 ? Effect.fail(new SqlError({ cause: new Error("no settings"), message: "no" })) : Effect.void
        )
      )
      const [part] = partsOf([1])
      isPhase("begin", { result: yield* Effect.either(pipeline.transact([], part!)) })
      assert.deepStrictEqual(log, { taken: 1, given: 1 })
      const again = yield* Effect.forkDaemon(pipeline.transact([], part!))
      yield* turns
      answer(0)
      assert.strictEqual(yield* Fiber.join(again), "answered")
      assert.deepStrictEqual(log, { taken: 2, given: 2 })
    }))

  it.effect("go on preparing statements when one is unknown only because those in front of it were refused", () =>
    Effect.gen(function*() {
      for (const isFrontRefused of [true, false]) {
        const { answer, database, pipeline, queries, refuse } = underWay()
        const [first, second] = yield* Effect.forEach(
          partsOf([1, 1]),
          (part) => Effect.zipLeft(Effect.forkDaemon(Effect.either(pipeline.transact([], part))), turns)
        )
        yield* turns
        if (isFrontRefused) refuse(0, "23505")
        // A server that has answered the first one, and then is another one.
        refuse(1, "26000")
        if (!isFrontRefused) answer(0)
        yield* turns
        assert.strictEqual(database.prepares, isFrontRefused)
        assert.strictEqual(queries.length, isFrontRefused ? 2 : 3, "it is sent again without names")
        if (!isFrontRefused) answer(2)
        assert.strictEqual(Either.isRight(yield* Fiber.join(first!)), !isFrontRefused)
        assert.strictEqual(Either.isRight(yield* Fiber.join(second!)), !isFrontRefused)
      }
    }))
})
