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
