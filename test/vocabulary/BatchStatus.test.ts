import { assert, describe, it } from "@effect/vitest"
import { pipe } from "effect/Function"
import * as Schema from "effect/Schema"
import * as BatchStatus from "../../src/vocabulary/BatchStatus.js"

const Status = BatchStatus.BatchStatus
const all = Status.literals
const position = (status: BatchStatus.BatchStatus) => all.indexOf(status)

describe("BatchStatus", () => {
  it("ENUM-1: values in ascending order", () => {
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

  it("ENUM-2, ENUM-3: running, terminal and unsuccessful", () => {
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

  it.prop("ENUM-4: max is the later one", [Status, Status], ([a, b]) => {
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

  it("ENUM-5: upgradeTo by example", () => {
    assert.strictEqual(BatchStatus.upgradeTo("STARTING", "STARTED"), "STARTED")
    assert.strictEqual(BatchStatus.upgradeTo("STARTED", "STARTING"), "STARTED")
    assert.strictEqual(BatchStatus.upgradeTo("STARTED", "COMPLETED"), "COMPLETED")
    assert.strictEqual(BatchStatus.upgradeTo("COMPLETED", "STARTED"), "COMPLETED")
    assert.strictEqual(BatchStatus.upgradeTo("STOPPING", "COMPLETED"), "STOPPING")
    assert.strictEqual(BatchStatus.upgradeTo("FAILED", "COMPLETED"), "FAILED")
    assert.strictEqual(pipe("STARTED", BatchStatus.upgradeTo("COMPLETED")), "COMPLETED")
  })

  it.prop("ENUM-5: beyond STARTED it is max", [Status, Status], ([a, b]) => {
    const beyond = Math.max(position(a), position(b)) > position("STARTED")
    const completed = a === "COMPLETED" || b === "COMPLETED"
    assert.strictEqual(BatchStatus.upgradeTo(a, b), !beyond && completed ? "COMPLETED" : BatchStatus.max(a, b))
    assert.strictEqual(BatchStatus.upgradeTo(a, b), BatchStatus.upgradeTo(b, a))
    assert.strictEqual(BatchStatus.upgradeTo(a, a), a)
  })

  it.prop("ENUM-6: match finds a status by prefix", [Status, Schema.String], ([status, text]) => {
    assert.strictEqual(BatchStatus.match(`${status} ${text}`), status)
    assert.strictEqual(BatchStatus.match(`x${text}`), "COMPLETED")
    assert.strictEqual(BatchStatus.match("custom"), "COMPLETED")
  })
})
