import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { pipe } from "effect/Function"
import * as CompletionPolicy from "../../src/decisions/CompletionPolicy.js"
import { JobDefinitionError } from "../../src/vocabulary/BatchError.js"

type Policy = CompletionPolicy.CompletionPolicy<number>

const simple: FastCheck.Arbitrary<Policy> = FastCheck.oneof(
  FastCheck.integer({ min: 1, max: 20 }).map(CompletionPolicy.count),
  FastCheck.integer({ min: 1, max: 20 }).map((millis) => CompletionPolicy.time(millis)),
  FastCheck.integer({ min: 1, max: 20 }).map((n) => CompletionPolicy.predicate((item: number) => item % n === 0)),
  FastCheck.integer({ min: 1, max: 20 }).map((n) => CompletionPolicy.predicate((_: number, count) => count > n)),
  FastCheck.constant(CompletionPolicy.never)
)
const policy = FastCheck.array(simple, { maxLength: 3 }).map((policies) => CompletionPolicy.any(...policies))
const moment = FastCheck.record({
  item: FastCheck.integer({ min: 0, max: 30 }),
  count: FastCheck.integer({ min: 1, max: 30 }),
  millis: FastCheck.integer({ min: 0, max: 30 })
})

describe("CompletionPolicy", () => {
  it.prop("or is full as soon as either is (CP-1)", [policy, policy, moment], ([a, b, at]) => {
    const either = CompletionPolicy.isComplete(a, at) || CompletionPolicy.isComplete(b, at)
    assert.strictEqual(CompletionPolicy.isComplete(CompletionPolicy.or(a, b), at), either)
    assert.strictEqual(CompletionPolicy.isComplete(pipe(a, CompletionPolicy.or(b)), at), either)
  })

  it.prop("or is a commutative monoid in effect (CP-1)", [policy, policy, policy, moment], ([a, b, c, at]) => {
    const { isComplete, never, or } = CompletionPolicy
    assert.strictEqual(isComplete(or(a, b), at), isComplete(or(b, a), at))
    assert.strictEqual(isComplete(or(or(a, b), c), at), isComplete(or(a, or(b, c)), at))
    assert.strictEqual(isComplete(or(a, never), at), isComplete(a, at))
    assert.strictEqual(isComplete(or(a, a), at), isComplete(a, at))
  })

  it.prop("any is full as soon as one of them is (CP-1)", [FastCheck.array(policy), moment], ([policies, at]) => {
    assert.strictEqual(
      CompletionPolicy.isComplete(CompletionPolicy.any(...policies), at),
      policies.some((each) => CompletionPolicy.isComplete(each, at))
    )
  })

  it("each kind has one limit (CP-1)", () => {
    const { count, predicate, time } = CompletionPolicy
    const full = (self: Policy) =>
      [1, 2, 3].map((n) => CompletionPolicy.isComplete(self, { item: n, count: n, millis: n }))
    assert.deepStrictEqual(full(count(2)), [false, true, true])
    assert.deepStrictEqual(full(time("3 millis")), [false, false, true])
    assert.deepStrictEqual(full(predicate((item) => item === 2)), [false, true, false])
    assert.deepStrictEqual(full(CompletionPolicy.never), [false, false, false])
  })

  it("is told from other values, and prints its limits", () => {
    const both = pipe(CompletionPolicy.count(10), CompletionPolicy.or(CompletionPolicy.time("2 seconds")))
    assert.isTrue([both, CompletionPolicy.never].every(CompletionPolicy.isCompletionPolicy))
    assert.isFalse([{ maxItems: 10 }, undefined].some(CompletionPolicy.isCompletionPolicy))
    assert.deepStrictEqual(both.toJSON(), {
      _id: "CompletionPolicy",
      maxItems: 10,
      maxMillis: 2000,
      until: "none"
    })
  })

  it.prop("isComplete takes the policy first or last", [policy, moment], ([policy, at]) => {
    assert.strictEqual(pipe(policy, CompletionPolicy.isComplete(at)), CompletionPolicy.isComplete(policy, at))
  })

  it("a limit that makes no sense is refused where it is written", () => {
    const refused = (make: () => unknown, message: RegExp) => {
      assert.throws(make, JobDefinitionError)
      assert.throws(make, message)
    }
    for (const items of [0, -1, 1.5, NaN, Infinity]) {
      refused(() => CompletionPolicy.count(items), /the chunk size must be a whole number of at least 1, not/)
    }
    for (const duration of [0, Infinity, "0 seconds"] as const) {
      refused(() => CompletionPolicy.time(duration), /the time of a chunk must be positive and finite, not/)
    }
  })
})
