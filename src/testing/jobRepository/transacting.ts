/**
 * Transactions over the repository.
 */
import { assert } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { JobRepository } from "../../ports/JobRepository.js"
import { onRollback, Transactor } from "../../ports/Transactor.js"
import type { Cases } from "./kit.js"
import * as Kit from "./kit.js"

const started = Effect.gen(function*() {
  const execution = yield* Kit.launchFresh()
  const step = yield* Kit.createStep(execution, "load", { checkpoint: 0 })
  return { execution, step }
})

type Started = Effect.Effect.Success<typeof started>

/** What a chunk writes. */
const chunk = ({ execution, step }: Started, checkpoint: number) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    yield* repository.addSkippedItems(step, [yield* Kit.skipped(step, `chunk ${checkpoint}`)])
    yield* repository.updateStepExecution(execution, { ...step, checkpoint: Option.some(checkpoint) })
  })

const written = ({ execution, step }: Started) =>
  Effect.all([
    Effect.map(Kit.storedStep(step), (stored) => Option.getOrNull(stored?.checkpoint ?? Option.none())),
    Kit.messages(execution.id)
  ])

const rollsBack = (end: Effect.Effect<never, string>) =>
  Effect.gen(function*() {
    const { transact } = yield* Transactor
    const at = yield* started
    yield* transact(chunk(at, 1))
    const exit = yield* Effect.exit(transact(Effect.zipRight(chunk(at, 2), end)))
    deepStrictEqual(yield* written(at), [1, ["chunk 1"]])
    return exit
  })

/** Moves the test clock while real input and output goes on, until the effect is done. */
const whileTimePasses = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    const turn = Effect.zipRight(
      Effect.async<void>((resume) => {
        setImmediate(() => resume(Effect.void))
      }),
      TestClock.adjust("10 minutes")
    )
    return yield* Effect.raceFirst(Fiber.join(fiber), Effect.forever(turn))
  })

/** @internal */
export const transacting: Cases = {
  "what a transaction writes is kept when it succeeds": Effect.gen(function*() {
    const { transact } = yield* Transactor
    const at = yield* started
    assert.strictEqual(yield* transact(Effect.as(chunk(at, 1), "result")), "result")
    deepStrictEqual(yield* written(at), [1, ["chunk 1"]])
  }),
  "nothing is kept when it fails, and the failure is": Effect.gen(function*() {
    deepStrictEqual(yield* rollsBack(Effect.fail("no")), Exit.fail("no"))
  }),
  "nothing is kept when it dies (LIFE-14)": Effect.gen(function*() {
    deepStrictEqual(yield* rollsBack(Effect.die("defect")), Exit.die("defect"))
  }),
  "nothing is kept when it is interrupted (LIFE-14)": Effect.gen(function*() {
    const { transact } = yield* Transactor
    const at = yield* started
    const reached = yield* Deferred.make<void>()
    const body = chunk(at, 1).pipe(Effect.zipRight(Deferred.succeed(reached, undefined)), Effect.zipRight(Effect.never))
    const fiber = yield* Effect.fork(transact(body))
    yield* Deferred.await(reached)
    const exit = yield* Fiber.interrupt(fiber)
    assert.isTrue(Exit.isFailure(exit) && Cause.isInterrupted(exit.cause))
    deepStrictEqual(yield* written(at), [0, []])
  }),
  "of none of the writes of an owner anything is kept (TX-1, LIFE-14)": Effect.gen(function*() {
    const { transact } = yield* Transactor
    const repository = yield* JobRepository
    const execution = yield* Kit.launchFresh({ leaseMillis: 3_600_000 })
    const step = yield* Kit.createStep(execution, "load", { checkpoint: 0 })
    const stored = Effect.all({
      execution: repository.jobExecution(execution.id),
      steps: repository.stepExecutions(execution.id),
      answers: Effect.map(repository.flowHistory(execution.instance), ({ answers }) => answers),
      skipped: Kit.messages(execution.id),
      isShort: Effect.map(Kit.leaseLeftMillis(execution), (left) => left <= 600_000)
    })
    const writes = [
      repository.updateJobExecution({ ...execution, status: "STARTED" }),
      Kit.createStep(execution, "other", { place: "other", round: "1" }),
      repository.updateStepExecution(execution, { ...step, status: "COMPLETED" }),
      repository.addSkippedItems(step, [yield* Kit.skipped(step, "bad")]),
      repository.recordAnswer(execution, { place: "more", round: "1", code: "YES" })
    ]
    yield* repository.renewLease(execution, 600_000)
    for (const write of writes) {
      const before = yield* stored
      yield* Effect.exit(transact(Effect.zipRight(write, Effect.fail("no"))))
      deepStrictEqual(yield* stored, before)
      yield* transact(write)
      assert.notDeepEqual(yield* stored, before)
      yield* repository.renewLease(execution, 600_000)
    }
  }),
  "a transaction in a transaction joins it (TX-1)": Effect.gen(function*() {
    const { transact } = yield* Transactor
    const at = yield* started
    const outer = transact(Effect.zipRight(transact(chunk(at, 1)), Effect.fail("no")))
    assert.strictEqual(yield* Effect.flip(outer), "no")
    deepStrictEqual(yield* written(at), [0, []])
    yield* transact(Effect.zipRight(transact(chunk(at, 2)), Effect.ignore(transact(Effect.fail("caught")))))
    deepStrictEqual(yield* written(at), [2, ["chunk 2"]])
  }),
  "undos run after a rollback, the last one first, and only then (TX-1)": Effect.gen(function*() {
    const { transact } = yield* Transactor
    const log: Array<string> = []
    const undo = (name: string) =>
      onRollback(Effect.sync(() => {
        log.push(name)
      }))
    yield* undo("outside")
    yield* transact(undo("committed"))
    yield* Effect.exit(transact(
      undo("first").pipe(
        Effect.zipRight(transact(undo("second"))),
        Effect.zipRight(Effect.fail("no"))
      )
    ))
    deepStrictEqual(log, ["second", "first"])
  }),
  "a transaction that is open for too long fails and is rolled back (TX-2)": Effect.gen(function*() {
    const { transact } = yield* Transactor
    const at = yield* started
    const slow = transact(Effect.zipRight(chunk(at, 1), Effect.never), { timeout: "1 hour" })
    const error = yield* whileTimePasses(Effect.flip(slow))
    deepStrictEqual([error._tag, error._tag === "TransactionError" && error.phase], ["TransactionError", "body"])
    deepStrictEqual(yield* written(at), [0, []])
    yield* transact(chunk(at, 2), { timeout: "1 hour" })
    deepStrictEqual(yield* written(at), [2, ["chunk 2"]])
  }),
  "every isolation level is accepted (TX-1)": Effect.gen(function*() {
    const { transact } = yield* Transactor
    const at = yield* started
    const levels = ["read uncommitted", "read committed", "repeatable read", "serializable"] as const
    for (const [index, isolation] of levels.entries()) {
      yield* transact(chunk(at, index + 1), { isolation })
      assert.strictEqual((yield* written(at))[0], index + 1)
    }
  }),
  "propagation outside of a transaction (TX-1)": Effect.gen(function*() {
    const { transact } = yield* Transactor
    const at = yield* started
    yield* Effect.exit(transact(Effect.zipRight(chunk(at, 1), Effect.fail("no")), { propagation: "requiresNew" }))
    deepStrictEqual(yield* written(at), [0, []])
    yield* Effect.exit(transact(Effect.zipRight(chunk(at, 2), Effect.fail("no")), { propagation: "notSupported" }))
    deepStrictEqual(yield* written(at), [2, ["chunk 2"]])
  })
}

/** @internal */
export const separateTransactions: Cases = {
  "requiresNew is kept although the transaction around it rolls back (TX-1)": Effect.gen(function*() {
    const { transact } = yield* Transactor
    const [outer, inner] = yield* Effect.all([started, started])
    const failing = Effect.gen(function*() {
      yield* chunk(outer, 1)
      yield* transact(chunk(inner, 1), { propagation: "requiresNew" })
      return yield* Effect.fail("no")
    })
    assert.strictEqual(yield* Effect.flip(transact(failing)), "no")
    deepStrictEqual(yield* written(outer), [0, []])
    deepStrictEqual(yield* written(inner), [1, ["chunk 1"]])
  }),
  "a failure of requiresNew leaves the transaction around it alone (TX-1)": Effect.gen(function*() {
    const { transact } = yield* Transactor
    const [outer, inner] = yield* Effect.all([started, started])
    yield* transact(Effect.zipRight(
      chunk(outer, 1),
      Effect.ignore(transact(Effect.zipRight(chunk(inner, 1), Effect.fail("no")), { propagation: "requiresNew" }))
    ))
    deepStrictEqual(yield* written(outer), [1, ["chunk 1"]])
    deepStrictEqual(yield* written(inner), [0, []])
  })
}
