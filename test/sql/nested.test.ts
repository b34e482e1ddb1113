/**
 * What is said to the databases that take part in a nested transaction, in which order, on connections that are played:
 * clients of `@effect/sql` that note their statements, and fail where they are told to.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as Statement from "@effect/sql/Statement"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Ambient from "../../src/sql/ambient.js"
import { identityOf, meet } from "../../src/sql/client.js"
import * as Open from "../../src/sql/openTransaction.js"

interface Played {
  readonly said: Array<string>
  /** What fails, each once, and with which code. */
  readonly failures: Map<string, string>
  /** What is answered when this is done. */
  readonly held: Map<string, Effect.Effect<void>>
}

const played = (name: string, { failures, held, said }: Played) => {
  const say = (sql: string) =>
    Effect.suspend(() => {
      const line = `${name}: ${sql}`
      said.push(line)
      const code = failures.get(line)
      failures.delete(line)
      return code === undefined
        ? Effect.as(held.get(line) ?? Effect.void, [] as ReadonlyArray<any>)
        : Effect.fail(new SqlError({ cause: Object.assign(new Error("refused"), { code }), message: line }))
    })
  const connection = { execute: say, executeRaw: say, executeValues: say, executeUnprepared: say, pg: name }
  return connection as unknown as Connection
}

const clientOf = (name: string, all: Played) =>
  Effect.map(
    Effect.provide(
      SqlClient.make({
        acquirer: Effect.succeed(played(name, all)),
        transactionAcquirer: Effect.acquireRelease(
          Effect.succeed(played(name, all)),
          () => Effect.sync(() => void all.said.push(`${name}: given back`))
        ),
        compiler: Statement.makeCompilerSqlite(),
        spanAttributes: []
      }),
      Reactivity.layer
    ),
    (client) => {
      meet(client)
      return client
    }
  )

/** A transaction of A, with the clients of B and C beside it, and all that is said to their connections. */
const scene = Effect.gen(function*() {
  const all: Played = { said: [], failures: new Map(), held: new Map() }
  const [a, b, c] = [yield* clientOf("a", all), yield* clientOf("b", all), yield* clientOf("c", all)]
  const connection = played("a", all)
  const transact = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.uninterruptibleMask((restore) => {
      const transaction = Open.make(identityOf(a), () =>
        Effect.succeed({
          _tag: "Begun",
          connection,
          commit: connection.executeRaw("COMMIT", []),
          release: Effect.sync(() => void all.said.push("a: given back"))
        }))
      return Effect.flatMap(
        Effect.exit(Ambient.within(transaction, restore(effect))),
        (exit) => Open.end(transaction, exit)
      )
    })
  return { ...all, a, b, c, transact }
})

const one = (sql: SqlClient.SqlClient, what = "one") => sql.unsafe(what)

/** Whatever can go on has done so. */
const settled = Effect.repeatN(Effect.yieldNow(), 50)

const whyOf = <A, E>(exit: Exit.Exit<A, E>): string => Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "succeeded"

describe("a nested transaction that several databases take part in", () => {
  it.effect("rolls back only what has not committed when one of them refuses to (OWN-10, TX-1)", () =>
    Effect.gen(function*() {
      const { a, b, c, failures, said, transact } = yield* scene
      failures.set("b: COMMIT", "23503")
      const exit = yield* Effect.exit(
        transact(a.withTransaction(Effect.all([one(a), one(b), one(c)])))
      )
      assert.include(whyOf(exit), "b: COMMIT")
      // The part of A can be taken back as long as others may refuse: what caught the failure would keep half of it.
      assert.deepStrictEqual(said, [
        "a: SAVEPOINT effect_batch_1",
        "a: one",
        "b: BEGIN",
        "b: one",
        "c: BEGIN",
        "c: one",
        "a: SAVEPOINT effect_batch_1_end",
        "b: COMMIT",
        // SQLite keeps a transaction open whose commit it refuses.
        "b: ROLLBACK",
        "b: given back",
        "a: ROLLBACK TO SAVEPOINT effect_batch_1",
        "a: RELEASE SAVEPOINT effect_batch_1",
        "c: ROLLBACK",
        "c: given back",
        "a: ROLLBACK",
        "a: given back"
      ])
    }))

  it.effect("takes one that comes late to the depth that the others have reached (OWN-10, OWN-15)", () =>
    Effect.gen(function*() {
      const { a, b, said, transact } = yield* scene
      const deepest = b.withTransaction(Effect.zipRight(one(a), Effect.fail("no")))
      yield* transact(b.withTransaction(Effect.zipRight(
        one(b),
        b.withTransaction(Effect.zipRight(Effect.exit(deepest), one(a, "two")))
      )))
      assert.deepStrictEqual(said, [
        "b: BEGIN",
        "b: one",
        "b: SAVEPOINT effect_sql_1",
        "b: SAVEPOINT effect_sql_2",
        "a: SAVEPOINT effect_batch_1",
        "a: SAVEPOINT effect_sql_1",
        "a: SAVEPOINT effect_sql_2",
        "a: one",
        "b: ROLLBACK TO SAVEPOINT effect_sql_2",
        "a: ROLLBACK TO SAVEPOINT effect_sql_2",
        "a: two",
        "a: SAVEPOINT effect_batch_1_end",
        "b: COMMIT",
        "b: given back",
        "a: COMMIT",
        "a: given back"
      ])
    }))

  it.effect("gives everything back where it could not begin, and the next one finds it free (OWN-15, TX-1)", () =>
    Effect.gen(function*() {
      const { a, b, failures, said, transact } = yield* scene
      failures.set("a: SAVEPOINT effect_batch_1", "08P01").set("b: BEGIN", "08P01")
      yield* transact(Effect.gen(function*() {
        assert.include(whyOf(yield* Effect.exit(a.withTransaction(one(a)))), "SAVEPOINT effect_batch_1")
        assert.include(whyOf(yield* Effect.exit(b.withTransaction(one(b)))), "b: BEGIN")
        yield* a.withTransaction(one(a))
        yield* one(a, "two")
      }))
      assert.deepStrictEqual(said, [
        "a: SAVEPOINT effect_batch_1",
        "b: BEGIN",
        "b: given back",
        "a: SAVEPOINT effect_batch_2",
        "a: one",
        "a: two",
        "a: COMMIT",
        "a: given back"
      ])
    }))

  it.effect("runs nothing any more, and does not commit, once two were opened side by side in it, even if that is caught (OWN-15)", () =>
    Effect.gen(function*() {
      const { a, said, transact } = yield* scene
      const [first, second] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      const left = a.withTransaction(Effect.all([
        one(a, "left"),
        Deferred.succeed(first, undefined),
        Deferred.await(second),
        one(a, "left")
      ]))
      const right = Effect.zipRight(
        Deferred.await(first),
        Effect.ensuring(a.withTransaction(one(a, "right")), Deferred.succeed(second, undefined))
      )
      const nested = a.withTransaction(Effect.gen(function*() {
        yield* one(a)
        yield* Effect.exit(Effect.all([left, right], { concurrency: "unbounded" }))
        assert.include(whyOf(yield* Effect.exit(one(a, "late"))), "one after the other")
      }))
      yield* transact(Effect.gen(function*() {
        assert.include(whyOf(yield* Effect.exit(nested)), "one after the other")
        yield* one(a, "behind it")
      }))
      assert.deepStrictEqual(said.filter((line) => !line.includes("effect_sql")), [
        "a: SAVEPOINT effect_batch_1",
        "a: one",
        "a: left",
        "a: right",
        "a: ROLLBACK TO SAVEPOINT effect_batch_1",
        "a: RELEASE SAVEPOINT effect_batch_1",
        "a: behind it",
        "a: COMMIT",
        "a: given back"
      ])
    }))

  it.effect("leaves it to the end of the transaction to tell of a failure that was caught, and tells of others (TX-1)", () =>
    Effect.gen(function*() {
      for (const [code, passes] of [["25P02", true], ["08P01", false]] as const) {
        const { a, b, failures, said, transact } = yield* scene
        failures.set("a: SAVEPOINT effect_batch_1_end", code)
        const exit = yield* Effect.exit(transact(a.withTransaction(Effect.zip(one(a), one(b)))))
        assert.strictEqual(Exit.isSuccess(exit), passes, code)
        assert.strictEqual(said.at(-2), passes ? "a: COMMIT" : "a: ROLLBACK")
        assert.strictEqual(said.includes("b: COMMIT"), passes)
      }
    }))

  it.effect("costs one message when it is alone: sixteen at a time are released by the next one, the rest by the end (TX-1)", () =>
    Effect.gen(function*() {
      const { a, failures, said, transact } = yield* scene
      failures.set("a: RELEASE SAVEPOINT effect_batch_17", "25P02")
      yield* transact(Effect.gen(function*() {
        for (let time = 1; time <= 40; time++) {
          // One that is rolled back takes nothing of those before it along.
          yield* Effect.exit(a.withTransaction(time === 20 ? Effect.zipRight(one(a), Effect.fail("no")) : one(a)))
        }
      }))
      const savepoints = (from: number, to: number) =>
        Array.from({ length: to - from + 1 }, (_, at) => `a: SAVEPOINT effect_batch_${from + at}`)
      assert.deepStrictEqual(said.filter((line) => line !== "a: one"), [
        ...savepoints(1, 16),
        "a: RELEASE SAVEPOINT effect_batch_1",
        ...savepoints(17, 20),
        "a: ROLLBACK TO SAVEPOINT effect_batch_20",
        "a: RELEASE SAVEPOINT effect_batch_20",
        ...savepoints(21, 33),
        "a: RELEASE SAVEPOINT effect_batch_17",
        ...savepoints(34, 40),
        "a: COMMIT",
        "a: given back"
      ])
    }))

  it.effect("opens a deeper one only when the statement before it has been answered (OWN-15)", () =>
    Effect.gen(function*() {
      const { a, b, held, said, transact } = yield* scene
      const answer = yield* Deferred.make<void>()
      held.set("b: BEGIN", Deferred.await(answer))
      yield* transact(a.withTransaction(Effect.gen(function*() {
        yield* one(a)
        const slow = yield* Effect.fork(one(b))
        yield* Effect.yieldNow()
        const deeper = yield* Effect.fork(a.withTransaction(Effect.zipRight(one(a, "deeper"), Effect.fail("no"))))
        yield* Effect.yieldNow()
        yield* Deferred.succeed(answer, undefined)
        yield* Fiber.join(slow)
        yield* Effect.exit(Fiber.join(deeper))
      })))
      assert.deepStrictEqual(said, [
        "a: SAVEPOINT effect_batch_1",
        "a: one",
        "b: BEGIN",
        "b: one",
        "a: SAVEPOINT effect_sql_1",
        "b: SAVEPOINT effect_sql_1",
        "a: deeper",
        "a: ROLLBACK TO SAVEPOINT effect_sql_1",
        "b: ROLLBACK TO SAVEPOINT effect_sql_1",
        "a: SAVEPOINT effect_batch_1_end",
        "b: COMMIT",
        "b: given back",
        "a: COMMIT",
        "a: given back"
      ])
    }))

  it.effect("waits for a statement that was forked in it, and lets no other one open anything behind its end (OWN-12, TX-1)", () =>
    Effect.gen(function*() {
      const { a, b, c, held, said, transact } = yield* scene
      const [go, answer] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      held.set("c: BEGIN", Deferred.await(answer))
      const writes = Effect.zipRight(one(b, "late"), one(a, "late"))
      const nested = a.withTransaction(Effect.gen(function*() {
        yield* one(a)
        yield* Effect.forkDaemon(one(c))
        yield* settled
        return yield* Effect.forkDaemon(Effect.gen(function*() {
          yield* Deferred.await(go)
          yield* writes
          // Who writes a chunk as a whole finds no transaction to do it in, and opens one.
          assert.strictEqual((yield* Ambient.ambient)._tag, "None")
          return String(yield* Effect.flip(a.withTransaction(writes)))
        }))
      }))
      const late = yield* transact(Effect.gen(function*() {
        const ending = yield* Effect.fork(nested)
        yield* settled
        yield* Deferred.succeed(answer, undefined)
        return yield* Fiber.join(ending)
      }))
      yield* Deferred.succeed(go, undefined)
      assert.include(yield* Fiber.join(late), "has ended already")
      assert.deepStrictEqual(said, [
        "a: SAVEPOINT effect_batch_1",
        "a: one",
        "c: BEGIN",
        "c: one",
        "a: SAVEPOINT effect_batch_1_end",
        "c: COMMIT",
        "c: given back",
        "a: COMMIT",
        "a: given back",
        "b: late",
        "a: late"
      ])
    }))

  it.effect("shows its connection to nobody once it has ended (TX-1)", () =>
    Effect.gen(function*() {
      const { a, transact } = yield* scene
      const rawOf = (ambient: Ambient.Ambient): unknown =>
        ambient._tag === "Ours"
          ? (ambient.connection(identityOf(a)) as { readonly pg?: unknown } | undefined)?.pg
          : "none"
      const shown: Array<unknown> = []
      yield* transact(Effect.gen(function*() {
        const nested = a.withTransaction(Effect.zip(one(a), Ambient.ambient))
        const ambient = yield* Effect.catchAll(
          a.withTransaction(Effect.andThen(Effect.zipRight(one(a), Ambient.ambient), (ambient) => {
            shown.push(rawOf(ambient))
            return Effect.fail({ ambient })
          })),
          (failure) => "ambient" in failure ? Effect.succeed(failure.ambient) : Effect.die(failure)
        )
        shown.push(rawOf(ambient), rawOf((yield* nested)[1]))
      }))
      assert.deepStrictEqual(shown, ["a", undefined, undefined])
    }))

  it.effect("keeps what outlives it in the one around it, but nothing of what it has rolled back deeper down (OWN-12, OWN-15)", () =>
    Effect.gen(function*() {
      const { a, said, transact } = yield* scene
      const go = yield* Deferred.make<void>()
      const write = Effect.zipRight(Deferred.await(go), one(a, "late"))
      yield* transact(Effect.gen(function*() {
        const inside = yield* Deferred.make<string>()
        const deeper = a.withTransaction(Effect.all([
          one(a),
          Effect.forkDaemon(Effect.zipRight(
            Deferred.await(go),
            Deferred.complete(inside, Effect.orDie(Effect.map(Effect.flip(a.withTransaction(one(a, "lost"))), String)))
          )),
          Effect.fail("no")
        ]))
        const beside = yield* a.withTransaction(Effect.zipLeft(Effect.forkDaemon(write), Effect.exit(deeper)))
        yield* Deferred.succeed(go, undefined)
        yield* Fiber.join(beside)
        assert.include(yield* Deferred.await(inside), "has ended already")
      }))
      assert.deepStrictEqual(said.filter((line) => !line.includes("effect_sql")), [
        "a: SAVEPOINT effect_batch_1",
        "a: one",
        "a: late",
        "a: COMMIT",
        "a: given back"
      ])
    }))
})
