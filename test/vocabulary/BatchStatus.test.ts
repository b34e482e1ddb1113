import { assert, describe, it } from "@effect/vitest"
import { pipe } from "effect/Function"
import * as Schema from "effect/Schema"
import * as BatchStatus from "../../src/vocabulary/BatchStatus.js"

const Status = BatchStatus.BatchStatus
const all = Status.literals
const position = (status: BatchStatus.BatchStatus) => all.indexOf(status)

describe("BatchStatus", () => {
  it("values in ascending order (ENUM-1)", () => {
    const sorted = [...all].reverse().sort(BatchStatus.Order)
    assert.deepStrictEqual(sorted, [
      "COMPLETED",
      "STARTING",
      "STARTED",
      "STOPPING",
      "STOPPED",
      "FAILED",
      "ABANDONED",
      "UNKNOWN"
    ])
  })

  it("running, terminal and unsuccessful (ENUM-2, ENUM-3)", () => {
    assert.deepStrictEqual(all.filter(BatchStatus.isRunning), ["STARTING", "STARTED", "STOPPING"])
    assert.deepStrictEqual(all.filter(BatchStatus.isUnsuccessful), ["FAILED", "ABANDONED", "UNKNOWN"])
    assert.deepStrictEqual(all.filter(BatchStatus.isTerminal), [
      "COMPLETED",
      "STOPPED",
      "FAILED",
      "ABANDONED",
      "UNKNOWN"
    ])
  })

  it.prop("max is the later one (ENUM-4)", [Status, Status], ([a, b]) => {
    assert.strictEqual(position(BatchStatus.max(a, b)), Math.max(position(a), position(b)))
    assert.strictEqual(pipe(a, BatchStatus.max(b)), BatchStatus.max(a, b))
  })

  it.prop("combineAll is a commutative, idempotent monoid", [Schema.Array(Status), Schema.Array(Status)], ([a, b]) => {
    const whole = BatchStatus.combineAll([...a, ...b])
    assert.strictEqual(whole, BatchStatus.combineAll([...b, ...a]))
    assert.strictEqual(whole, BatchStatus.combineAll([BatchStatus.combineAll(a), BatchStatus.combineAll(b)]))
    assert.strictEqual(whole, BatchStatus.combineAll([whole, whole]))
    assert.strictEqual(BatchStatus.combineAll([]), "COMPLETED")
  })

  it("upgradeTo by example (ENUM-5)", () => {
    assert.strictEqual(BatchStatus.upgradeTo("STARTING", "STARTED"), "STARTED")
    assert.strictEqual(BatchStatus.upgradeTo("STARTED", "STARTING"), "STARTED")
    assert.strictEqual(BatchStatus.upgradeTo("STARTED", "COMPLETED"), "COMPLETED")
    assert.strictEqual(BatchStatus.upgradeTo("COMPLETED", "STARTED"), "COMPLETED")
    assert.strictEqual(BatchStatus.upgradeTo("STOPPING", "COMPLETED"), "STOPPING")
    assert.strictEqual(BatchStatus.upgradeTo("FAILED", "COMPLETED"), "FAILED")
    assert.strictEqual(pipe("STARTED", BatchStatus.upgradeTo("COMPLETED")), "COMPLETED")
  })

  it.prop("beyond STARTED it is max (ENUM-5)", [Status, Status], ([a, b]) => {
    const beyond = Math.max(position(a), position(b)) > position("STARTED")
    const completed = a === "COMPLETED" || b === "COMPLETED"
    assert.strictEqual(BatchStatus.upgradeTo(a, b), !beyond && completed ? "COMPLETED" : BatchStatus.max(a, b))
    assert.strictEqual(BatchStatus.upgradeTo(a, b), BatchStatus.upgradeTo(b, a))
    assert.strictEqual(BatchStatus.upgradeTo(a, a), a)
  })

  it.prop("match finds a status by prefix (ENUM-6)", [Status, Schema.String], ([status, text]) => {
    assert.strictEqual(BatchStatus.match(`${status} ${text}`), status)
    assert.strictEqual(BatchStatus.match(`x${text}`), "COMPLETED")
    assert.strictEqual(BatchStatus.match("custom"), "COMPLETED")
  })
})
