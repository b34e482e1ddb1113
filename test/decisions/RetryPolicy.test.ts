import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import * as RetryPolicy from "../../src/decisions/RetryPolicy.js"
import { JobDefinitionError, TransactionError } from "../../src/vocabulary/BatchError.js"

class Deadlock extends Data.TaggedError("Deadlock")<{ readonly cause?: unknown }> {}
class Rejected extends Data.TaggedError("Rejected")<{ readonly status: number }> {}

const deadlock = new Deadlock({})
const rejected = new Rejected({ status: 400 })

/** One operation that fails with these errors one after the other: the times of its attempts. */
const attempts = <R>(policy: RetryPolicy.RetryPolicy<unknown, R>, errors: ReadonlyArray<unknown>) =>
  Effect.gen(function*() {
    const times = [yield* Clock.currentTimeMillis]
    const run = yield* policy.start
    for (const error of errors) {
      if (!policy.matches(error) || !(yield* run.next(error))) {
        break
      }
      times.push(yield* Clock.currentTimeMillis)
    }
    return times
  })

const countAttempts = (policy: RetryPolicy.RetryPolicy<unknown>, errors: ReadonlyArray<unknown>): number =>
  Effect.runSync(attempts(policy, errors)).length

const always = (error: unknown): ReadonlyArray<unknown> => Array.from({ length: 100 }, () => error)

const Count = FastCheck.nat(20)

describe("RetryPolicy", () => {
  it.prop("recurs(n) is n retries after the first attempt (RETRY-3, D2)", [Count], ([n]) => {
    assert.strictEqual(countAttempts(RetryPolicy.recurs(n), always(deadlock)), n + 1)
    assert.strictEqual(countAttempts(RetryPolicy.fromSchedule(Schedule.recurs(n)), always(deadlock)), n + 1)
  })

  it.prop("maxAttempts(n) counts the first attempt (RETRY-2, D2)", [Count], ([n]) => {
    assert.strictEqual(countAttempts(RetryPolicy.maxAttempts(n + 1), always(deadlock)), n + 1)
  })

  it("a number that is not a count is an error in the definition", () => {
    assert.throws(() => RetryPolicy.maxAttempts(0), JobDefinitionError)
    assert.throws(() => RetryPolicy.recurs(-1), JobDefinitionError)
    assert.throws(() => RetryPolicy.recurs(1.5), JobDefinitionError)
  })

  it("every operation has fresh counters", () => {
    const policy = RetryPolicy.recurs(2)
    assert.strictEqual(countAttempts(policy, always(deadlock)), 3)
    assert.strictEqual(countAttempts(policy, always(deadlock)), 3)
  })

  it.effect("pauses as the schedule says (D3)", () =>
    Effect.gen(function*() {
      const backOff = Schedule.exponential("1 second").pipe(Schedule.intersect(Schedule.recurs(3)))
      const fiber = yield* Effect.fork(attempts(RetryPolicy.fromSchedule(backOff), always(deadlock)))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.join(fiber), [0, 1000, 3000, 7000])
    }))

  it.effect("the schedule sees the errors", () =>
    Effect.gen(function*() {
      const schedule = Schedule.recurs(9).pipe(Schedule.whileInput((error: Rejected) => error.status >= 500))
      const run = yield* RetryPolicy.fromSchedule(schedule).start
      assert.isTrue(yield* run.next(new Rejected({ status: 503 })))
      assert.isFalse(yield* run.next(rejected))
    }))

  it("other kinds are not retried and not counted (RETRY-6)", () => {
    const policy = RetryPolicy.recurs(5).pipe(RetryPolicy.tags("Deadlock"))
    assert.strictEqual(countAttempts(policy, always(rejected)), 1)
    assert.strictEqual(countAttempts(policy, always(deadlock)), 6)
    assert.strictEqual(countAttempts(RetryPolicy.never, always(deadlock)), 1)
  })

  it("kinds by tag, class, predicate and cause (D17)", () => {
    const policy = RetryPolicy.recurs(5).pipe(RetryPolicy.classify<Deadlock | Rejected>({
      include: ["Deadlock", (error) => error._tag === "Rejected" && error.status >= 500],
      exclude: [RangeError]
    }))
    assert.isTrue(policy.matches(deadlock))
    assert.isTrue(policy.matches(new Rejected({ status: 500 })))
    assert.isFalse(policy.matches(rejected))
    const byCause = RetryPolicy.tags(RetryPolicy.recurs(5), "Rejected")
    assert.isTrue(byCause.matches({ cause: rejected }))
  })

  it("the failure of a transaction is retried only when it is named (SKIP-8)", () => {
    const error = new TransactionError({ reason: "conflict", phase: "commit", cause: deadlock })
    assert.isFalse(RetryPolicy.recurs(3).matches(error))
    assert.isFalse(RetryPolicy.tags(RetryPolicy.recurs(3), "Deadlock").matches(error))
    assert.isTrue(RetryPolicy.tags(RetryPolicy.recurs(3), "TransactionError").matches(error))
    const conflict = (failure: TransactionError) => failure.reason === "conflict"
    assert.isTrue(RetryPolicy.when(RetryPolicy.recurs(3), conflict).matches(error))
  })

  it.effect("a predicate that throws is a defect (SKIP-11)", () =>
    Effect.gen(function*() {
      const mistake = new Error("mistake")
      const policy = RetryPolicy.when(RetryPolicy.recurs(10), (): boolean => {
        throw mistake
      })
      assert.isTrue(policy.matches(deadlock))
      const exit = yield* Effect.exit(Effect.flatMap(policy.start, (run) => run.next(deadlock)))
      assert.deepStrictEqual(exit, Exit.failCause(Cause.die(mistake)))
    }))

  it("or: each kind has a schedule of its own", () => {
    const policy = RetryPolicy.or(
      RetryPolicy.tags(RetryPolicy.recurs(2), "Deadlock"),
      RetryPolicy.tags(RetryPolicy.recurs(1), "Rejected")
    )
    assert.strictEqual(countAttempts(policy, [deadlock, rejected, deadlock, rejected, deadlock]), 4)
  })

  it.prop("or adds up, is associative, and never is its identity", [Count, Count, Count], ([a, b, c]) => {
    const [x, y, z] = [RetryPolicy.recurs(a), RetryPolicy.recurs(b), RetryPolicy.recurs(c)]
    const left = RetryPolicy.or(RetryPolicy.or(x, y), z)
    const right = RetryPolicy.or(x, RetryPolicy.or(y, z))
    assert.strictEqual(countAttempts(left, always(deadlock)), a + b + c + 1)
    assert.strictEqual(countAttempts(right, always(deadlock)), a + b + c + 1)
    assert.strictEqual(countAttempts(RetryPolicy.or(x, RetryPolicy.never), always(deadlock)), a + 1)
    assert.strictEqual(countAttempts(RetryPolicy.or(RetryPolicy.never, x), always(deadlock)), a + 1)
  })
})
