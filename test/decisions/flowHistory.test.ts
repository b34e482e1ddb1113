/**
 * The laws of what earlier executions left behind: places and rounds, the newest row and answer, and rows of 0.1.
 */
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import type { Json } from "../../src/base/json.js"
import * as DurableEnd from "../../src/decisions/durableEnd.js"
import * as History from "../../src/decisions/flowHistory.js"
import { ExitStatus } from "../../src/index.js"

const visits = FastCheck.array(FastCheck.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 })
const place = FastCheck.constantFrom("a", "a#2", "b", "1", "[\"a\",\"1\"]")
const round = FastCheck.constantFrom("1", "2", "2.1.3", "12")
const row = FastCheck.record({
  id: FastCheck.nat(99),
  jobExecutionId: FastCheck.integer({ min: 1, max: 3 }),
  stepName: FastCheck.constantFrom("a", "b"),
  place,
  round,
  status: FastCheck.constantFrom("COMPLETED" as const, "FAILED" as const, "STOPPED" as const, "ABANDONED" as const),
  exitStatus: FastCheck.constant(ExitStatus.COMPLETED)
})
const answer = FastCheck.record({ place, round, code: FastCheck.constantFrom("LEFT", "RIGHT", "FAILED") })

const at = (step: { readonly place: string; readonly round: string; readonly stepName: string }, shared = false) => ({
  ...step,
  shared,
  passed: []
})

/** A row of 0.1. */
const old = (id: number, stepName: string, jobExecutionId = 1): History.StepRecord => ({
  id,
  jobExecutionId,
  stepName,
  place: null,
  round: null,
  status: "COMPLETED",
  exitStatus: ExitStatus.COMPLETED
})

describe("rounds", () => {
  it.prop("have a name of their own in every round of what is around, from which they can be told (OWN-5)", [visits], ([
    visits
  ]) => {
    const name = History.roundOf(visits.slice(0, -1), visits.at(-1)!)
    const told = name.split(".").map(Number)
    assert.deepStrictEqual([...told, ...visits.map(() => 1)].slice(0, visits.length), visits)
  })

  it("are called 1 everywhere until something comes back", () => {
    assert.strictEqual(History.roundOf([], 1), "1")
    assert.strictEqual(History.roundOf([1, 1], 1), "1")
    assert.strictEqual(History.roundOf([2], 1), "2")
    assert.strictEqual(History.roundOf([1], 2), "1.2")
    assert.strictEqual(History.roundOf([2, 1], 3), "2.1.3")
  })
})

describe("the history of a flow", () => {
  it.prop("knows of each place and round the newest row, whatever else there is (OWN-5)", [FastCheck.array(row)], ([
    rows
  ]) => {
    const history = History.make(rows, [])
    for (const { place, round, stepName } of rows) {
      const newest = rows.findLast((other) => other.place === place && other.round === round)
      assert.strictEqual(History.lastOf(history, at({ place, round, stepName })), newest)
    }
    assert.isUndefined(History.lastOf(history, at({ place: "nowhere", round: "1", stepName: "nowhere" })))
    assert.isUndefined(History.lastOf(History.empty, at({ place: "a", round: "1", stepName: "a" })))
  })

  it.prop("does not depend on the order of rows of different places and rounds", [FastCheck.array(row)], ([rows]) => {
    const newest = rows.filter((one, index) =>
      rows.findLastIndex(({ place, round }) => place === one.place && round === one.round) === index
    )
    const [history, reversed] = [History.make(newest, []), History.make([...newest].reverse(), [])]
    newest.forEach((step) => assert.strictEqual(History.lastOf(history, at(step)), History.lastOf(reversed, at(step))))
  })

  it.prop("counts the starts of a place over all rounds, and of no other place (OWN-6)", [FastCheck.array(row)], ([
    rows
  ]) => {
    const history = History.make(rows, [])
    for (const step of rows) {
      const starts = rows.filter(({ place }) => place === step.place).length
      assert.strictEqual(History.startsOf(history, at(step)), starts)
      assert.strictEqual(History.startsOf(history, at(step, true)), starts)
    }
  })

  it.prop("gives the newest answer of a place and round, and no other one (OWN-5)", [FastCheck.array(answer)], ([
    answers
  ]) => {
    const history = History.make([], answers)
    for (const { place, round } of answers) {
      const newest = answers.findLast((other) => other.place === place && other.round === round)
      assert.strictEqual(History.answerOf(history, place, round), newest?.code)
    }
    assert.isUndefined(History.answerOf(history, "nowhere", "1"))
    const forgotten = answers.map(({ place, round }) => History.noAnswer(place, round))
    const asked = History.make([], [...answers, ...forgotten])
    answers.forEach(({ place, round }) => assert.isUndefined(History.answerOf(asked, place, round)))
  })

  it("takes rows of 0.1 for a way through round 1, by the name of the step (OWN-5)", () => {
    const rows = [old(1, "a"), old(2, "b"), old(3, "a", 2)]
    const history = History.make(rows, [])
    assert.strictEqual(History.lastOf(history, at({ place: "a", round: "1", stepName: "a" })), rows[2])
    assert.isUndefined(History.lastOf(history, at({ place: "a", round: "2", stepName: "a" })))
    assert.strictEqual(History.startsOf(history, at({ place: "a", round: "1", stepName: "a" })), 2)
    assert.strictEqual(History.startsOf(history, at({ place: "a", round: "1", stepName: "a" }, true)), 0)
  })

  it("takes no row of 0.1 any more for a place that has rows of its own", () => {
    const here = { ...old(5, "a", 2), place: "a", round: "2" }
    const history = History.make([old(1, "a"), here], [])
    assert.isUndefined(History.lastOf(history, at({ place: "a", round: "1", stepName: "a" })))
    assert.strictEqual(History.lastOf(history, at({ place: "a", round: "2", stepName: "a" })), here)
    assert.strictEqual(History.startsOf(history, at({ place: "a", round: "1", stepName: "a" })), 2)
  })

  it("gives a step value of several places the row of its place, of the newest execution of 0.1 (OWN-6)", () => {
    const rows = [old(1, "a"), old(2, "a"), old(3, "a", 2)]
    const history = History.make(rows, [])
    assert.strictEqual(History.lastOf(history, at({ place: "a", round: "1", stepName: "a" }, true)), rows[2])
    assert.isUndefined(History.lastOf(history, at({ place: "a#2", round: "1", stepName: "a" }, true)))
    const once = History.make(rows.slice(0, 2), [])
    assert.strictEqual(History.lastOf(once, at({ place: "a#2", round: "1", stepName: "a" }, true)), rows[1])
  })

  it("takes no row of 0.1 from an earlier round of a loop that broke in front of the step (OWN-5)", () => {
    const [load, post, again] = [old(1, "load"), old(2, "post"), old(3, "load")]
    const history = History.make([load, post, again], [])
    const visit = { ...at({ place: "post", round: "1", stepName: "post" }), passed: [again] }
    assert.isUndefined(History.lastOf(history, visit))
    assert.strictEqual(History.lastOf(History.make([load, post], []), { ...visit, passed: [load] }), post)
    // In front of it stands a step that always runs: its row is of a later execution, and the other one is not of a loop.
    const always = old(4, "load", 2)
    assert.strictEqual(History.lastOf(History.make([load, post, always], []), { ...visit, passed: [always] }), post)
  })
})

describe("the durable end of a step", () => {
  const json: FastCheck.Arbitrary<Json> = FastCheck.jsonValue().map((value) => JSON.parse(JSON.stringify(value)))
  const checkpoint = FastCheck.option(
    FastCheck.oneof(json, FastCheck.dictionary(FastCheck.constantFrom("reader", "writer", "scan"), json))
  ).map(Option.fromNullable)
  const end = FastCheck.record({
    exitStatus: FastCheck.tuple(FastCheck.string(), FastCheck.array(FastCheck.string())).map(([code, messages]) =>
      ExitStatus.make(code, ...messages)
    ),
    decided: FastCheck.boolean()
  })

  it.prop("is read as it was marked, and gone when it is unmarked (OWN-4)", [checkpoint, end], ([checkpoint, end]) => {
    const marked = DurableEnd.mark(checkpoint, end)
    assert.deepStrictEqual(DurableEnd.read(marked), Option.some(end))
    assert.deepStrictEqual(DurableEnd.mark(marked, end), marked)
    assert.deepStrictEqual(DurableEnd.read(DurableEnd.unmark(marked)), Option.none())
  })

  it.prop("leaves the rest of the checkpoint alone", [
    FastCheck.dictionary(FastCheck.constantFrom("reader", "writer", "scan"), json),
    end
  ], ([fields, end]) => {
    const before = Object.keys(fields).length === 0 ? Option.none() : Option.some(fields as Json)
    assert.deepStrictEqual(DurableEnd.unmark(DurableEnd.mark(before, end)), before)
    assert.strictEqual(DurableEnd.unmark(before), before)
  })

  it("is read as 0.1 stored it, when the tasklet had ended well", () => {
    const of = (status: string): Option.Option<Json> =>
      Option.some({ finished: { code: "DONE", messages: ["m"], status } })
    const expected = Option.some({ exitStatus: ExitStatus.make("DONE", "m"), decided: false })
    assert.deepStrictEqual(DurableEnd.read(of("COMPLETED")), expected)
    assert.deepStrictEqual(DurableEnd.read(of("STARTED")), expected)
    for (const bad of ["FAILED", "STOPPED", "UNKNOWN"]) {
      assert.deepStrictEqual(DurableEnd.read(of(bad)), Option.none())
    }
    assert.deepStrictEqual(DurableEnd.unmark(of("COMPLETED")), Option.none())
  })
})
