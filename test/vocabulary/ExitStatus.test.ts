import { assert, describe, it } from "@effect/vitest"
import * as Equal from "effect/Equal"
import { pipe } from "effect/Function"
import * as Schema from "effect/Schema"
import * as ExitStatus from "../../src/vocabulary/ExitStatus.js"

const { ExitStatus: Exit } = ExitStatus
const custom = ExitStatus.make("CUSTOM")

describe("ExitStatus", () => {
  it("predefined codes have no messages (EXIT-1)", () => {
    const { COMPLETED, EXECUTING, FAILED, NOOP, STOPPED, UNKNOWN } = ExitStatus
    const all = [EXECUTING, COMPLETED, NOOP, STOPPED, FAILED, UNKNOWN]
    assert.deepStrictEqual(all.map(({ code }) => code), [
      "EXECUTING",
      "COMPLETED",
      "NOOP",
      "STOPPED",
      "FAILED",
      "UNKNOWN"
    ])
    assert.deepStrictEqual(all.map(ExitStatus.description), ["", "", "", "", "", ""])
    assert.deepStrictEqual([...all, custom].map(ExitStatus.severity), [1, 2, 3, 4, 5, 6, 7])
  })

  it("severity comes from the prefix (EXIT-2)", () => {
    assert.strictEqual(ExitStatus.severity(ExitStatus.make("COMPLETED WITH SKIPS")), 2)
  })

  it.prop("severity first, then code (EXIT-3)", [Exit, Exit], ([a, b]) => {
    const bySeverity = Math.sign(ExitStatus.severity(a) - ExitStatus.severity(b))
    const byCode = a.code < b.code ? -1 : a.code > b.code ? 1 : 0
    assert.strictEqual(ExitStatus.Order(a, b), bySeverity === 0 ? byCode : bySeverity)
  })

  it.prop("and is associative (EXIT-4)", [Exit, Exit, Exit], ([a, b, c]) => {
    assert.deepStrictEqual(
      ExitStatus.and(ExitStatus.and(a, b), c),
      ExitStatus.and(a, ExitStatus.and(b, c))
    )
  })

  it.prop("and is idempotent and has both forms (EXIT-4)", [Exit, Exit], ([a, b]) => {
    assert.deepStrictEqual(ExitStatus.and(a, a), a)
    assert.deepStrictEqual(pipe(a, ExitStatus.and(b)), ExitStatus.and(a, b))
  })

  it.prop("and never lowers the severity (EXIT-5)", [Exit, Exit], ([a, b]) => {
    const both = ExitStatus.and(a, b)
    assert.isAtLeast(ExitStatus.severity(both), Math.max(ExitStatus.severity(a), ExitStatus.severity(b)))
  })

  it("consequences (EXIT-5)", () => {
    const { COMPLETED, FAILED, and, make } = ExitStatus
    assert.strictEqual(and(COMPLETED, custom).code, "CUSTOM")
    assert.strictEqual(and(custom, FAILED).code, "CUSTOM")
    assert.strictEqual(and(COMPLETED, make("COMPLETED WITH SKIPS")).code, "COMPLETED WITH SKIPS")
    assert.strictEqual(and(FAILED, COMPLETED).code, "FAILED")
  })

  it("running codes (EXIT-6)", () => {
    const { COMPLETED, EXECUTING, FAILED, UNKNOWN, isRunning } = ExitStatus
    assert.deepStrictEqual([EXECUTING, UNKNOWN, COMPLETED, FAILED].map(isRunning), [true, true, false, false])
  })

  it.prop("every message occurs once, in order of arrival (EXIT-7)", [Exit, Exit], ([a, b]) => {
    const { messages } = ExitStatus.and(a, b)
    assert.strictEqual(new Set(messages).size, messages.length)
    assert.deepStrictEqual(Array.from(messages), Array.from(new Set([...a.messages, ...b.messages])))
  })

  it("descriptions are joined, repeats and blanks left out (EXIT-7)", () => {
    const exit = pipe(
      ExitStatus.FAILED,
      ExitStatus.addDescription("A"),
      ExitStatus.and(ExitStatus.make("FAILED", "B", " ")),
      ExitStatus.addDescription("A")
    )
    assert.strictEqual(ExitStatus.description(exit), "A; B")
  })

  it.prop("equality is structural and survives the schema (EXIT-8)", [Exit], ([exit]) => {
    assert.isTrue(Equal.equals(exit, ExitStatus.make(exit.code, ...exit.messages)))
    assert.isFalse(Equal.equals(exit, ExitStatus.addDescription(exit, `${ExitStatus.description(exit)}!`)))
    assert.isTrue(Equal.equals(Schema.decodeSync(Exit)(Schema.encodeSync(Exit)(exit)), exit))
  })

  it("a plain record is accepted where an exit status is encoded", () => {
    assert.deepStrictEqual(Schema.encodeSync(Exit)({ code: "X", messages: [] }), { code: "X", messages: [] })
  })
})
