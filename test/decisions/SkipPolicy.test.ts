import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import * as SkipPolicy from "../../src/decisions/SkipPolicy.js"
import { JobDefinitionError, OwnershipLost, SkipLimitExceeded } from "../../src/vocabulary/BatchError.js"

class Bad extends Data.TaggedError("Bad")<{ readonly line: number }> {}
class Worse extends Data.TaggedError("Worse")<{ readonly cause?: unknown }> {}
class FileError extends Error {}
class FileMissing extends FileError {}

const bad = new Bad({ line: 1 })
const worse = new Worse({})

/** What the engine does: asks whether the kind matches, and if so whether one more is allowed. */
const decide = (errors: ReadonlyArray<unknown>) => <R>(policy: SkipPolicy.SkipPolicy<unknown, R>) =>
  Effect.flatMap(
    policy.start,
    (run) => Effect.forEach(errors, (error) => policy.matches(error) ? run.next(error) : Effect.succeed(false))
  )

const decisions = (policy: SkipPolicy.SkipPolicy<unknown>, errors: ReadonlyArray<unknown>): ReadonlyArray<boolean> =>
  Effect.runSync(decide(errors)(policy))

const yesNo = (yes: number, total: number): ReadonlyArray<boolean> => Array.from({ length: total }, (_, i) => i < yes)

const Count = FastCheck.nat(20)
const Errors = FastCheck.array(FastCheck.constantFrom<unknown>(bad, worse, new FileMissing("x"), "text", null))
const Policy: FastCheck.Arbitrary<SkipPolicy.SkipPolicy<unknown>> = FastCheck.letrec<{
  policy: SkipPolicy.SkipPolicy<unknown>
}>((tie) => ({
  policy: FastCheck.oneof(
    { maxDepth: 3 },
    FastCheck.nat(4).map((n) => SkipPolicy.limit(n)),
    FastCheck.constantFrom(SkipPolicy.always, SkipPolicy.never),
    FastCheck.nat(4).map((n) => SkipPolicy.fromSchedule(Schedule.recurs(n))),
    tie("policy").map(SkipPolicy.tags("Bad")),
    tie("policy").map(SkipPolicy.classify({ exclude: [FileError] })),
    FastCheck.tuple(tie("policy"), tie("policy")).map(([self, that]) => SkipPolicy.or(self, that)),
    FastCheck.tuple(tie("policy"), tie("policy")).map(([self, that]) => SkipPolicy.and(self, that))
  )
})).policy

/** One of a user, who relies on it that he is asked about his own errors only. */
const own = (asked: Array<unknown>) =>
  SkipPolicy.make<unknown>(
    (error) => error instanceof Bad,
    Effect.succeed({
      next: (error) =>
        Effect.sync(() => {
          asked.push(error)
          return true
        }),
      limit: "its own"
    })
  )

describe("SkipPolicy", () => {
  it("a policy is asked about errors only that it matches, wherever it stands (SKIP-10)", () => {
    const errors = [worse, bad, new FileMissing("x"), "text", bad]
    const none = SkipPolicy.tags("Worse")(SkipPolicy.limit<unknown>(0))
    const around: ReadonlyArray<(policy: SkipPolicy.SkipPolicy<unknown>) => SkipPolicy.SkipPolicy<unknown>> = [
      (policy) => policy,
      (policy) => SkipPolicy.or(policy, none),
      (policy) => SkipPolicy.or(none, policy),
      (policy) => SkipPolicy.or(SkipPolicy.or(none, policy), none),
      (policy) => SkipPolicy.and(policy, SkipPolicy.always),
      (policy) => SkipPolicy.and(SkipPolicy.always, policy),
      SkipPolicy.classify({ exclude: [FileError] })
    ]
    for (const [index, make] of around.entries()) {
      const asked: Array<unknown> = []
      const skipped = decisions(make(own(asked)), errors)
      assert.deepStrictEqual([skipped, asked], [errors.map((error) => error === bad), [bad, bad]], `case ${index}`)
    }
  })

  describe("limit", () => {
    it.prop("limit(n) skips exactly n, whatever the errors (SKIP-4)", [Count, Count], ([n, more]) => {
      const errors = Array.from({ length: n + more }, (_, i) => i % 2 === 0 ? bad : worse)
      assert.deepStrictEqual(decisions(SkipPolicy.limit(n), errors), yesNo(n, n + more))
    })

    it.prop("limit(n) is fromSchedule(recurs(n)), only faster", [Count, Count], ([n, total]) => {
      const errors = Array.from({ length: total }, () => bad)
      assert.deepStrictEqual(
        decisions(SkipPolicy.limit(n), errors),
        decisions(SkipPolicy.fromSchedule(Schedule.recurs(n)), errors)
      )
    })

    it.prop(
      "monotone: a greater limit allows whatever a smaller one does",
      [Count, Count, Errors],
      ([n, more, errors]) => {
        const less = decisions(SkipPolicy.limit(n), errors)
        const greater = decisions(SkipPolicy.limit(n + more), errors)
        less.forEach((allowed, i) => assert.isTrue(!allowed || greater[i]))
      }
    )

    it("a limit describes itself for messages (SKIP-4)", () => {
      const limitOf = (policy: SkipPolicy.SkipPolicy<unknown>) => Effect.runSync(policy.start).limit
      assert.strictEqual(limitOf(SkipPolicy.limit(10)), "10")
      assert.strictEqual(limitOf(SkipPolicy.or(SkipPolicy.limit(10), SkipPolicy.limit(3))), "10 or 3")
    })

    it("a limit that is not a count is an error in the definition", () => {
      for (const wrong of [-1, 0.5, Number.NaN]) {
        assert.throws(() => SkipPolicy.limit(wrong), JobDefinitionError)
      }
    })

    it("every start has fresh counters (SKIP-5)", () => {
      const policy = SkipPolicy.limit(1)
      assert.deepStrictEqual(decisions(policy, [bad, bad]), [true, false])
      assert.deepStrictEqual(decisions(policy, [bad, bad]), [true, false])
    })
  })

  describe("fromSchedule", () => {
    it.effect("waits for the delay of the schedule after each skip", () =>
      Effect.gen(function*() {
        const policy = SkipPolicy.fromSchedule(Schedule.intersect(Schedule.recurs(2), Schedule.spaced("10 seconds")))
        const fiber = yield* Effect.fork(decide([bad, bad, bad])(policy))
        yield* TestClock.adjust("19 seconds")
        assert.isNull(fiber.unsafePoll())
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.join(fiber), [true, true, false])
      }))

    it.effect("the schedule sees the errors", () =>
      Effect.gen(function*() {
        const schedule = Schedule.forever.pipe(Schedule.whileInput((error: Bad) => error.line < 3))
        const run = yield* SkipPolicy.fromSchedule(schedule).start
        assert.deepStrictEqual(
          yield* Effect.forEach([1, 2, 3], (line) => run.next(new Bad({ line }))),
          [true, true, false]
        )
      }))

    it("takes the kinds it is about as a predicate", () => {
      const policy = SkipPolicy.fromSchedule(Schedule.forever, (error: Bad) => error.line > 0)
      assert.isTrue(policy.matches(bad))
      assert.isFalse(policy.matches(new Bad({ line: 0 })))
    })
  })

  describe("kinds", () => {
    it("always and never (SKIP-9)", () => {
      assert.deepStrictEqual(decisions(SkipPolicy.always, [bad, worse]), [true, true])
      assert.deepStrictEqual(decisions(SkipPolicy.never, [bad, worse]), [false, false])
    })

    it("matches counts nothing, and an error of another kind does not, either (SKIP-10)", () => {
      const policy = SkipPolicy.limit(1).pipe(SkipPolicy.tags("Bad"))
      for (let i = 0; i < 5; i++) {
        policy.matches(bad)
      }
      assert.deepStrictEqual(decisions(policy, [worse, bad, bad]), [false, true, false])
    })

    it("when restricts, and restrictions add up", () => {
      const policy = SkipPolicy.limit<Bad>(9).pipe(
        SkipPolicy.when((error) => error.line > 1),
        SkipPolicy.when((error) => error.line < 4)
      )
      assert.deepStrictEqual([1, 2, 3, 4].map((line) => policy.matches(new Bad({ line }))), [false, true, true, false])
    })

    it("nothing included is nothing skipped (SKIP-3)", () => {
      const policy = SkipPolicy.limit(10).pipe(SkipPolicy.classify({ include: [] }))
      assert.isFalse(policy.matches(bad))
      assert.isFalse(SkipPolicy.tags(SkipPolicy.limit(10)).matches(bad))
    })

    it("the nearest class decides (SKIP-6)", () => {
      const policy = SkipPolicy.always.pipe(
        SkipPolicy.classify({ include: [Error, FileMissing], exclude: [FileError] })
      )
      assert.isTrue(policy.matches(new Error("any")))
      assert.isFalse(policy.matches(new FileError("any")))
      assert.isTrue(policy.matches(new FileMissing("any")))
      assert.isFalse(policy.matches("no configured ancestor"))
    })

    it.prop(
      "the order of declaration means nothing (SKIP-6)",
      [
        FastCheck.shuffledSubarray([Error, FileError, FileMissing, "Bad", "Worse"]),
        FastCheck.shuffledSubarray([Error, FileError, FileMissing, "Bad", "Worse"]),
        FastCheck.constantFrom<unknown>(bad, worse, new FileMissing("x"), new Error("x", { cause: bad }), "text")
      ],
      ([include, exclude, error]) => {
        const one = SkipPolicy.classify(SkipPolicy.always, { include, exclude })
        const other = SkipPolicy.classify(SkipPolicy.always, {
          include: [...include].reverse(),
          exclude: [...exclude].reverse()
        })
        assert.strictEqual(one.matches(error), other.matches(error))
      }
    )

    it("excluded wins when both are equally near (D17)", () => {
      const policy = SkipPolicy.limit<Bad>(9).pipe(
        SkipPolicy.classify({ include: ["Bad"], exclude: [(error) => error.line === 13] })
      )
      assert.isTrue(policy.matches(bad))
      assert.isFalse(policy.matches(new Bad({ line: 13 })))
      // Also of a cause, however deep.
      const both = SkipPolicy.classify(SkipPolicy.always, { include: [FileError, "Worse"], exclude: [FileError] })
      const deep = new Error("outer", { cause: new Error("inner", { cause: new FileError("x") }) })
      assert.deepStrictEqual([new FileError("x"), deep, new Worse({ cause: deep })].map(both.matches), [
        false,
        false,
        true
      ])
    })

    it("without include, whatever is not excluded is in", () => {
      const policy = SkipPolicy.classify(SkipPolicy.always, { exclude: ["Worse"] })
      assert.isTrue(policy.matches(bad))
      assert.isFalse(policy.matches(worse))
    })

    it("the causes are looked at when nothing fits the error (SKIP-7)", () => {
      const policy = SkipPolicy.always.pipe(SkipPolicy.tags("Bad"))
      assert.isTrue(policy.matches(new Worse({ cause: new Error("wrapped", { cause: bad }) })))
      const excluding = SkipPolicy.classify(SkipPolicy.always, { include: ["Bad"], exclude: ["Worse"] })
      assert.isFalse(excluding.matches(new Worse({ cause: bad })))
    })

    it("a chain of causes that is a ring ends (SKIP-7)", () => {
      const ring: { cause?: unknown } = {}
      ring.cause = { cause: ring }
      assert.isFalse(SkipPolicy.tags(SkipPolicy.always, "Bad").matches(ring))
    })

    it("errors that end the run are not skipped unless they are named (SKIP-8)", () => {
      const lost = new OwnershipLost({ executionId: 1, epoch: 2 })
      const exceeded = new SkipLimitExceeded({ step: "load", limit: 1, skips: 1, cause: bad })
      assert.isFalse(SkipPolicy.always.matches(lost))
      assert.isFalse(SkipPolicy.limit(10).matches(lost))
      assert.isFalse(SkipPolicy.classify(SkipPolicy.always, { include: [Error] }).matches(lost))
      assert.isFalse(SkipPolicy.classify(SkipPolicy.always, { exclude: ["Bad"] }).matches(lost))
      assert.isFalse(SkipPolicy.tags(SkipPolicy.always, "Bad").matches(exceeded))
      assert.isTrue(SkipPolicy.tags(SkipPolicy.always, "OwnershipLost").matches(lost))
      assert.isTrue(SkipPolicy.classify(SkipPolicy.always, { include: [OwnershipLost] }).matches(lost))
    })

    it.effect("a predicate that throws is a defect (SKIP-11)", () =>
      Effect.gen(function*() {
        const mistake = new Error("mistake")
        const policy = SkipPolicy.when(SkipPolicy.limit(10), (): boolean => {
          throw mistake
        })
        for (
          const each of [policy, SkipPolicy.or(SkipPolicy.never, policy), SkipPolicy.and(SkipPolicy.always, policy)]
        ) {
          assert.isTrue(each.matches(bad))
          const exit = yield* Effect.exit(Effect.flatMap(each.start, (run) => run.next(bad)))
          assert.deepStrictEqual(exit, Exit.failCause(Cause.die(mistake)))
        }
      }))
  })

  describe("or, and", () => {
    it.prop("limits add up under or; the smaller one wins under and", [Count, Count], ([a, b]) => {
      const errors = Array.from({ length: a + b + 2 }, () => bad)
      const or = SkipPolicy.or(SkipPolicy.limit(a), SkipPolicy.limit(b))
      const and = SkipPolicy.and(SkipPolicy.limit(a), SkipPolicy.limit(b))
      assert.deepStrictEqual(decisions(or, errors), yesNo(a + b, errors.length))
      assert.deepStrictEqual(decisions(and, errors), yesNo(Math.min(a, b), errors.length))
    })

    it("policies about different kinds have a limit each (SKIP-9)", () => {
      const policy = SkipPolicy.limit(2).pipe(
        SkipPolicy.tags("Bad"),
        SkipPolicy.or(SkipPolicy.tags(SkipPolicy.limit(1), "Worse"))
      )
      assert.deepStrictEqual(decisions(policy, [bad, worse, worse, bad, bad]), [true, true, false, true, false])
    })

    it.prop("or is associative", [Policy, Policy, Policy, Errors], ([a, b, c, errors]) => {
      assert.deepStrictEqual(
        decisions(SkipPolicy.or(SkipPolicy.or(a, b), c), errors),
        decisions(SkipPolicy.or(a, SkipPolicy.or(b, c)), errors)
      )
    })

    it.prop("and is associative", [Policy, Policy, Policy, Errors], ([a, b, c, errors]) => {
      assert.deepStrictEqual(
        decisions(SkipPolicy.and(SkipPolicy.and(a, b), c), errors),
        decisions(SkipPolicy.and(a, SkipPolicy.and(b, c)), errors)
      )
    })

    it.prop("never is the identity of or, always that of and", [Policy, Errors], ([policy, errors]) => {
      const expected = decisions(policy, errors)
      assert.deepStrictEqual(decisions(SkipPolicy.or(policy, SkipPolicy.never), errors), expected)
      assert.deepStrictEqual(decisions(SkipPolicy.or(SkipPolicy.never, policy), errors), expected)
      assert.deepStrictEqual(decisions(SkipPolicy.and(policy, SkipPolicy.always), errors), expected)
      assert.deepStrictEqual(decisions(SkipPolicy.and(SkipPolicy.always, policy), errors), expected)
    })

    it.prop("never under and allows nothing", [Policy, Errors], ([policy, errors]) => {
      assert.deepStrictEqual(decisions(SkipPolicy.and(policy, SkipPolicy.never), errors), yesNo(0, errors.length))
    })

    it("an explicit kind stays named in and with a policy that names none", () => {
      const lost = new OwnershipLost({ executionId: 1, epoch: 2 })
      const named = SkipPolicy.tags(SkipPolicy.always, "OwnershipLost")
      assert.isTrue(SkipPolicy.and(SkipPolicy.limit(1), named).matches(lost))
      assert.isFalse(SkipPolicy.and(SkipPolicy.limit(1), SkipPolicy.always).matches(lost))
    })

    it.effect("the pause of a policy that is not asked is not made", () =>
      Effect.gen(function*() {
        const slow = SkipPolicy.fromSchedule(Schedule.spaced(Duration.infinity))
        const policy = SkipPolicy.or(SkipPolicy.limit(2), slow)
        assert.deepStrictEqual(yield* decide([bad, bad])(policy), [true, true])
      }))
  })
})
