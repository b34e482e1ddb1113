/**
 * A transaction whose begin, statements and end meet each other at the wrong moment, on a connection that is played.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import { assert, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Database from "../../src/sql/database.js"
import * as Failure from "../../src/sql/failure.js"
import * as Open from "../../src/sql/openTransaction.js"
import * as Turn from "../../src/sql/turn.js"
import { TransactionError } from "../../src/vocabulary/BatchError.js"

const identity = Effect.never as Open.OpenTransaction["identity"]

/** A connection that notes what it runs; the first statements fail. */
const played = (failures = 0) => {
  const heard: Array<string> = []
  let left = failures
  const connection = {
    executeRaw: (sql: string) =>
      Effect.suspend(() => {
        heard.push(sql)
        return left-- > 0
          ? Effect.fail(new SqlError({ cause: new Error("cancelled"), message: "no" }))
          : Effect.succeed([])
      })
  } as unknown as Connection
  const begun: Open.Begun = {
    _tag: "Begun",
    connection,
    commit: connection.executeRaw("COMMIT", []),
    release: Effect.sync(() => void heard.push("released"))
  }
  return { begun, connection, heard }
}

it.effect("a rollback that is hit by a late cancel request is made again (TX-1)", () =>
  Effect.gen(function*() {
    const { connection, heard } = played(1)
    yield* Open.rollback(connection)
    assert.deepStrictEqual(heard, ["ROLLBACK", "ROLLBACK"])
  }))

it.effect("what begins a transaction that has ended meanwhile gets nothing, and gives the connection back (TX-1)", () =>
  Effect.gen(function*() {
    const { begun, heard } = played()
    const gate = yield* Deferred.make<void>()
    const transaction = Open.make(identity, () => Effect.as(Deferred.await(gate), begun))
    const late = yield* Effect.fork(Open.begun(transaction))
    yield* Effect.yieldNow()
    yield* Open.end(transaction, Exit.void)
    yield* Deferred.succeed(gate, undefined)
    const error = yield* Effect.flip(Fiber.join(late))
    assert.deepInclude(error, { _tag: "TransactionError", phase: "begin" })
    assert.deepStrictEqual(heard, ["ROLLBACK", "released"])
  }))

it.effect("the end of one that could not begin is that failure, but an interruption stays one (EFF-3)", () =>
  Effect.gen(function*() {
    const refused = new TransactionError({ phase: "begin", reason: "transient", cause: new Error("no connection") })
    for (const interrupted of [false, true]) {
      const transaction = Open.make(identity, () => Effect.fail(refused))
      yield* Effect.exit(Open.begun(transaction))
      const body = interrupted ? Exit.interrupt(FiberId.none) : Exit.fail("of the statement")
      const ended = yield* Effect.exit(Open.end(transaction, body))
      assert.deepStrictEqual(ended, interrupted ? body : Exit.fail(refused) as never)
    }
  }))

it.effect("a commit that fails is rolled back, and the connection is given back in any case (TX-1)", () =>
  Effect.gen(function*() {
    const { begun, heard } = played(1)
    const transaction = Open.make(identity, () => Effect.succeed(begun))
    yield* Open.begun(transaction)
    const error = yield* Effect.flip(Open.end(transaction, Exit.void))
    assert.deepInclude(error, { _tag: "TransactionError", phase: "commit" })
    assert.deepStrictEqual(heard, ["COMMIT", "ROLLBACK", "released"])
  }))

it.effect("one in which a nested one is still open is rolled back, whatever its body came to (OWN-15)", () =>
  Effect.gen(function*() {
    for (const body of [Exit.void, Exit.fail("of the body")]) {
      const { begun, heard } = played()
      const transaction = Open.make(identity, () => Effect.succeed(begun))
      yield* Open.begun(transaction)
      yield* Open.takeTurn(transaction, { turn: Turn.make() }, (effect) => effect)
      const error = yield* Effect.flip(Open.end(transaction, body))
      if (Exit.isSuccess(body)) assert.deepInclude(error, { _tag: "TransactionError", phase: "body", reason: "fatal" })
      else assert.strictEqual(error, "of the body")
      assert.deepStrictEqual(heard, ["ROLLBACK", "released"])
    }
  }))

it.effect("a nested one is waited for while it does something, and for a minute behind that (OWN-15)", () =>
  Effect.gen(function*() {
    const transaction = Open.make(identity, () => Effect.succeed(played().begun))
    assert.isUndefined(Open.stuck(transaction), "there is none")
    const nested = { turn: Turn.make() }
    yield* Open.takeTurn(transaction, nested, (effect) => effect)
    assert.isUndefined(Open.stuck(transaction), "it has only just begun")
    nested.turn.givenAt -= 61_000
    assert.instanceOf(Open.stuck(transaction), SqlError, "it has done nothing for a minute")
    nested.turn.taken = true
    assert.isUndefined(Open.stuck(transaction), "a statement of it runs")
    Open.returnTurn(transaction)
    assert.isUndefined(Open.stuck(transaction), "it has ended")
  }))

it.effect("a turn that comes at the moment at which nobody wants it any more goes to the next one", () =>
  Effect.gen(function*() {
    const turn = Turn.make()
    const take = Turn.take(turn, () => undefined)
    yield* take
    const [first, second] = yield* Effect.all([Effect.fork(take), Effect.fork(take)])
    yield* Effect.yieldNow()
    Turn.give(turn)
    yield* Fiber.interrupt(first)
    yield* Fiber.join(second)
    Turn.give(turn)
    assert.deepStrictEqual([turn.taken, turn.waiting.length], [false, 0])
  }))

it("a transaction that lost against another one is tried again, unless it waited for its begin or may have committed", () => {
  const error = (phase: TransactionError["phase"], code: string) =>
    Failure.transactionError(phase, Object.assign(new Error("no"), { code }))
  for (const code of ["40001", "40P01", "SQLITE_BUSY"]) {
    assert.deepStrictEqual(
      (["begin", "body", "commit"] as const).map((phase) => Failure.isContention(error(phase, code))),
      [false, true, true]
    )
  }
  assert.isFalse(Failure.isContention(error("commit", "08006")))
  assert.isFalse(Failure.isContention(error("body", "23505")))
})

it("the lock of SQLite is waited for as long as an execution can without being taken over, unless it was said how long", () => {
  for (const isPatienceSet of [false, true]) {
    const database = { isPatienceSet, patience: 5 } as Database.Database
    Database.waitWithin(database, 1000)
    assert.strictEqual(database.patience, isPatienceSet ? 5 : 750)
  }
})
