/**
 * Where outcomes lead, and what listeners may make of an end: laws that hold for all of them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Outcome from "../../src/decisions/outcome.js"
import * as Transition from "../../src/decisions/Transition.js"
import { BatchStatus, ExitStatus } from "../../src/index.js"

const status = FastCheck.constantFrom<Array<BatchStatus.BatchStatus>>(
  "STARTED",
  "COMPLETED",
  "STOPPED",
  "FAILED",
  "ABANDONED",
  "UNKNOWN"
)
const code = FastCheck.constantFrom("EXECUTING", "COMPLETED", "FAILED", "STOPPED", "NOOP", "ODD", "EVEN")
const exitStatus = FastCheck.tuple(code, FastCheck.array(FastCheck.constantFrom("one", "two"), { maxLength: 2 })).map(
  ([code, messages]) => ExitStatus.make(code, ...messages)
)
const failure = FastCheck.constantFrom<Array<Cause.Cause<unknown>>>(
  Cause.fail("no"),
  Cause.die(new Error("broken")),
  Cause.sequential(Cause.interrupt(FiberId.none), Cause.fail("no"))
)
const interruption: Cause.Cause<unknown> = Cause.interrupt(FiberId.none)
const step = FastCheck.record({ status: FastCheck.constantFrom("STARTED" as const, "FAILED" as const), exitStatus })
const outcome: FastCheck.Arbitrary<Outcome.Outcome> = FastCheck.record({
  status,
  exitStatus,
  cause: FastCheck.constant(Option.none()),
  final: FastCheck.boolean(),
  unfinished: FastCheck.boolean()
})

const way: FastCheck.Arbitrary<Outcome.Way> = FastCheck.oneof(
  FastCheck.nat(5).map((at): Outcome.Way => ({ _tag: "Completed", to: { at } })),
  FastCheck.uniqueArray(
    FastCheck.tuple(
      FastCheck.constantFrom("COMPLETED", "FAILED", "ODD", "O*", "*"),
      FastCheck.option(FastCheck.nat(5), { nil: undefined })
    ),
    { minLength: 1, maxLength: 4, selector: ([pattern]) => pattern }
  ).map((cases): Outcome.Way => ({
    _tag: "Codes",
    transitions: cases.map(([pattern, at]) => Transition.make(pattern, at === undefined ? undefined : { at }))
  })),
  FastCheck.constant<Outcome.Way>({ _tag: "Declare", codes: ["ODD"] })
)
const ways = FastCheck.array(way, { maxLength: 4 }).map((all) =>
  all.reduceRight<Outcome.Ways | undefined>((rest, way) => ({ way, rest }), undefined)
)

describe("the end of a step, however it came", () => {
  it.prop("is COMPLETED only if its work succeeded, nothing was to stop, and nobody called it worse", [
    step,
    FastCheck.boolean(),
    FastCheck.boolean(),
    failure
  ], ([made, stopping, isGood, cause]) => {
    const ending = Outcome.endingOf(
      isGood ? Exit.void : Exit.failCause(cause),
      { ...made, stopping },
      () => "COMPLETED"
    )
    assert.strictEqual(ending.status === "COMPLETED", isGood && !stopping && made.status === "STARTED")
  })

  it.prop("that is bad has the code of what went wrong, and tells the one that was chosen before (OWN-1)", [
    step,
    FastCheck.boolean(),
    FastCheck.option(failure)
  ], ([made, stopping, cause]) => {
    const exit = cause === null ? Exit.void : Exit.failCause(cause)
    const { exitStatus, status } = Outcome.endingOf(exit, { ...made, stopping }, () => "LATE")
    if (status !== "COMPLETED") {
      assert.strictEqual(exitStatus.code, status)
      const own = made.exitStatus.code
      assert.strictEqual(exitStatus.messages.some((line) => line.includes(own)), own === "ODD" || own === "EVEN")
      const before = [...made.exitStatus.messages]
      assert.deepStrictEqual([...exitStatus.messages].slice(0, before.length), before)
    }
  })

  it.prop("of a flow or job inside is that of the inside, unless the step itself is to stop", [outcome, exitStatus], ([
    inside,
    exitStatus
  ]) => {
    const ended = (stopping: boolean) =>
      Outcome.endingOf(Exit.succeed(inside), { status: "STARTED", exitStatus, stopping }, () => "COMPLETED")
    const isGood = inside.status === "COMPLETED" || inside.status === "STARTED"
    const expected = isGood ? "COMPLETED" : inside.status === "ABANDONED" ? "FAILED" : inside.status
    assert.strictEqual(ended(false).status, expected)
    assert.strictEqual(ended(true).status, isGood ? "STOPPED" : expected)
    if (!isGood) {
      assert.strictEqual(ended(false).exitStatus.code, inside.exitStatus.code)
    }
  })

  it.prop("is never made better by a listener, and a good one that is made bad has no code of the listener (OWN-1)", [
    FastCheck.record({ status: FastCheck.constantFrom("COMPLETED" as const, "FAILED" as const), exitStatus }),
    FastCheck.record({ status, exitStatus, given: FastCheck.option(exitStatus, { nil: undefined }) })
  ], ([shown, made]) => {
    const heard = Outcome.heard(shown, made)
    assert.strictEqual(BatchStatus.upgradeTo(heard.status, shown.status), heard.status)
    assert.strictEqual(heard.status, BatchStatus.upgradeTo(shown.status, made.status))
    if (heard.status === shown.status) {
      const said = ExitStatus.and(shown.exitStatus, made.exitStatus)
      assert.deepStrictEqual(heard.exitStatus, made.given === undefined ? said : ExitStatus.and(said, made.given))
    } else {
      assert.strictEqual(heard.exitStatus.code, heard.status)
    }
  })

  it.prop("is bad after a listener that failed, with no code of its own, unless it was stopped (OWN-1, STEP-15)", [
    FastCheck.record({ status, exitStatus }),
    failure
  ], ([shown, cause]) => {
    const ending = Outcome.unheard(shown, cause)
    assert.notStrictEqual(ending.status, "COMPLETED")
    if (shown.status === "STOPPED" || shown.status === "UNKNOWN") {
      assert.strictEqual(ending.status, shown.status)
      assert.strictEqual(ending.exitStatus.code, shown.exitStatus.code)
      assert.isAbove(ending.exitStatus.messages.length, shown.exitStatus.messages.length)
    } else if (shown.status !== "ABANDONED") {
      assert.deepStrictEqual([ending.status, ending.exitStatus.code], ["FAILED", "FAILED"])
    }
    assert.strictEqual(
      Outcome.unheard({ ...shown, status: "COMPLETED" }, interruption).status,
      "STOPPED"
    )
    assert.strictEqual(Outcome.unheard({ ...shown, status: "FAILED" }, interruption).status, "FAILED")
  })
})

describe("where an outcome leads", () => {
  const options = FastCheck.record({ stopRequested: FastCheck.boolean(), good: FastCheck.nat(5) }).map(
    ({ good, stopRequested }) => ({ stopRequested, isGoodEnd: (at: number) => at === good })
  )

  it.prop(
    "nowhere but out of the flow, if something was stopped, is unknown, is final or unfinished (OWN-2, FLOW-26)",
    [
      ways,
      outcome,
      options
    ],
    ([ways, outcome, options]) => {
      const next = Outcome.follow(ways, outcome, options)
      const { final, status, unfinished } = outcome
      if (status === "UNKNOWN" || status === "STOPPED") {
        assert.deepStrictEqual(next, { _tag: "Leave", outcome })
      } else if (final === true || unfinished === true) {
        assert.notStrictEqual(next._tag, "GoTo")
      }
    }
  )

  it.prop("behind a request to stop only what has completed goes on, and only to a good end (OWN-2)", [
    ways,
    outcome,
    FastCheck.nat(5)
  ], ([ways, outcome, good]) => {
    const next = Outcome.follow(ways, outcome, { stopRequested: true, isGoodEnd: (at) => at === good })
    if (next._tag === "GoTo") {
      assert.deepStrictEqual([next.at, outcome.status], [good, "COMPLETED"])
    } else {
      assert.strictEqual(next._tag, "Leave")
      const left = next._tag === "Leave" ? next.outcome.status : "none"
      assert.strictEqual(
        left,
        outcome.status === "UNKNOWN"
          ? "UNKNOWN"
          : left === "COMPLETED" && outcome.status === "COMPLETED"
          ? "COMPLETED"
          : "STOPPED"
      )
    }
  })

  it("behind a request to stop a good step whose code fails the flow stops it, so that a restart asks again (OWN-2)", () => {
    const ways: Outcome.Ways = { way: { _tag: "Codes", transitions: [] }, rest: undefined }
    const came: Outcome.Outcome = { ...Outcome.passed, exitStatus: ExitStatus.FAILED }
    const leaving = (stopRequested: boolean) => {
      const next = Outcome.follow(ways, came, { stopRequested, isGoodEnd: () => true })
      return next._tag === "Leave" ? next.outcome.status : next._tag
    }
    assert.deepStrictEqual([leaving(false), leaving(true)], ["FAILED", "STOPPED"])
  })

  it.prop("and is never left as more than it was", [ways, outcome, options], ([ways, outcome, options]) => {
    const next = Outcome.follow(ways, outcome, options)
    if (next._tag === "Leave") {
      assert.isTrue(next.outcome.status !== "COMPLETED" || outcome.status === "COMPLETED")
      assert.isTrue(next.outcome.status !== "ABANDONED" || outcome.final === true)
    }
    if (next._tag === "Unrouted") {
      assert.isTrue(outcome.status === "COMPLETED" && outcome.exitStatus.code !== "FAILED")
    }
  })

  it.prop("to the first way that knows its code, and FAILED without a key is a failure (FLOW-6, FLOW-8, SIMPLE-1)", [
    ways,
    FastCheck.record({ status: FastCheck.constantFrom("COMPLETED" as const, "FAILED" as const), code })
  ], ([ways, outcome]) => {
    const way = Outcome.resolve(ways, outcome)
    assert.deepStrictEqual(Outcome.resolve({ way: { _tag: "Declare", codes: [] }, rest: ways }, outcome), way)
    const first: Outcome.Ways = { way: { _tag: "Completed", to: { at: 9 } }, rest: ways }
    assert.deepStrictEqual(
      Outcome.resolve(first, outcome),
      outcome.status === "COMPLETED" ? { _tag: "GoTo", at: 9 } : way
    )
    const none: Outcome.Ways = { way: { _tag: "Codes", transitions: [] }, rest: ways }
    assert.deepStrictEqual(
      Outcome.resolve(none, outcome),
      outcome.status === "FAILED"
        ? way
        : outcome.code === "FAILED"
        ? Outcome.resolve(ways, { ...outcome, status: "FAILED" })
        : { _tag: "Unrouted" }
    )
  })

  it.prop("an end forgets a failure only when it is a good one (FLOW-20, FLOW-21)", [outcome], ([outcome]) => {
    const came = { ...outcome, cause: Option.some(Cause.fail("no")) }
    const good = Outcome.endAt({ status: "COMPLETED", code: "DONE" }, came)
    assert.deepStrictEqual(good, { status: "COMPLETED", exitStatus: ExitStatus.make("DONE"), cause: Option.none() })
    const bad = Outcome.endAt({ status: "FAILED", code: "BAD" }, came)
    assert.strictEqual(bad.cause, came.cause)
    assert.deepStrictEqual(bad.exitStatus, ExitStatus.make("BAD", ...came.exitStatus.messages))
  })

  it.prop("a stop is passed only by what completed or was dealt with (OWN-3)", [outcome], ([outcome]) => {
    assert.strictEqual(Outcome.passesStop(outcome), outcome.status === "COMPLETED" || outcome.status === "ABANDONED")
  })

  it.prop("a walk that breaks off is stopped by an interruption or a stop, and has failed for good otherwise", [
    failure,
    FastCheck.boolean()
  ], ([cause, stopRequested]) => {
    const broken = Outcome.brokenOff(cause, stopRequested)
    assert.strictEqual(broken.status, stopRequested ? "STOPPED" : "FAILED")
    assert.strictEqual(broken.final, stopRequested ? undefined : true)
    assert.isAbove(broken.exitStatus.messages.length, 0)
    assert.strictEqual(Outcome.brokenOff(interruption, stopRequested).status, "STOPPED")
  })
})
