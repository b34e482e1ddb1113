/**
 * What branches come to that ran side by side: the laws, and a table of pairs.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import { interruptedByBranch, join, type Outcome, passed, stoppedOnRequest } from "../../src/decisions/outcome.js"
import { ExitStatus } from "../../src/index.js"

const failed: Outcome = {
  status: "FAILED",
  exitStatus: ExitStatus.make("FAILED", "broken"),
  cause: Option.some(Cause.fail("broken"))
}
const unknown: Outcome = { ...failed, status: "UNKNOWN", exitStatus: ExitStatus.make("UNKNOWN", "lost") }

const branches = {
  passed,
  stopped: stoppedOnRequest,
  interrupted: interruptedByBranch,
  failed,
  finally: { ...failed, final: true },
  unfinished: { ...failed, unfinished: true },
  unknown
}

const branch = FastCheck.constantFrom(...Object.values(branches))

/** What one can tell of an outcome, but for messages and causes. */
const told = ({ exitStatus, status, unfinished }: Outcome) => [status, exitStatus.code, unfinished === true]

describe("branches side by side", () => {
  it("come to the worst of them; one that was interrupted leaves a failure unfinished, and a stop is a stop (FLOW-62)", () => {
    const pairs: ReadonlyArray<readonly [keyof typeof branches, keyof typeof branches, ReturnType<typeof told>]> = [
      ["passed", "passed", ["COMPLETED", "COMPLETED", false]],
      ["passed", "stopped", ["STOPPED", "STOPPED", false]],
      ["passed", "interrupted", ["STOPPED", "STOPPED", true]],
      ["passed", "failed", ["FAILED", "FAILED", false]],
      ["passed", "unfinished", ["FAILED", "FAILED", true]],
      ["passed", "unknown", ["UNKNOWN", "UNKNOWN", false]],
      ["interrupted", "failed", ["FAILED", "FAILED", true]],
      ["interrupted", "stopped", ["STOPPED", "STOPPED", false]],
      ["interrupted", "interrupted", ["STOPPED", "STOPPED", true]],
      ["stopped", "failed", ["STOPPED", "STOPPED", false]],
      ["failed", "failed", ["FAILED", "FAILED", false]],
      ["failed", "unknown", ["UNKNOWN", "UNKNOWN", false]]
    ]
    for (const [one, other, expected] of pairs) {
      assert.deepStrictEqual(told(join([branches[one], branches[other]])), expected, `${one} and ${other}`)
      assert.deepStrictEqual(told(join([branches[other], branches[one]])), expected, `${other} and ${one}`)
    }
    assert.deepStrictEqual(join([]), passed)
  })

  it("tell what went wrong, also behind a stop, and nothing of what went well", () => {
    assert.deepStrictEqual([...join([passed, failed, interruptedByBranch]).exitStatus.messages], ["broken"])
    assert.deepStrictEqual([...join([stoppedOnRequest, failed]).exitStatus.messages], ["stopped on request", "broken"])
    assert.deepStrictEqual([...join([unknown, failed]).exitStatus.messages], ["lost", "broken"])
    assert.deepStrictEqual(
      join([failed, failed]).cause,
      Option.some(Cause.parallel(Cause.fail("broken"), Cause.fail("broken")))
    )
    assert.deepStrictEqual(join([stoppedOnRequest, failed]).cause, Option.none())
  })

  it("fail for good only when a branch that decides does", () => {
    assert.isTrue(join([branches.finally, passed]).final)
    assert.isUndefined(join([branches.finally, unknown]).final)
    assert.isUndefined(join([failed, passed]).final)
  })

  it.prop("come to the same in any order, and however they are grouped", [
    FastCheck.array(branch),
    FastCheck.array(branch)
  ], ([
    some,
    others
  ]) => {
    const all = told(join([...some, ...others]))
    assert.deepStrictEqual(told(join([...others, ...some])), all)
    assert.deepStrictEqual(told(join([join(some), join(others)])), all)
  })

  it.prop("keep every cause there is, in order, whichever branches failed without one", [
    FastCheck.array(FastCheck.record({
      status: FastCheck.constantFrom("COMPLETED" as const, "FAILED" as const, "ABANDONED" as const),
      hasCause: FastCheck.boolean()
    }))
  ], ([shapes]) => {
    const sides = shapes.map(({ hasCause, status }, index): Outcome => ({
      status,
      exitStatus: ExitStatus.make(status),
      cause: hasCause && status !== "COMPLETED" ? Option.some(Cause.fail(index)) : Option.none()
    }))
    const expected = sides.flatMap(({ cause }, index) => Option.isSome(cause) ? [index] : [])
    const { cause } = join(sides)
    assert.strictEqual(Option.isSome(cause), expected.length > 0)
    assert.deepStrictEqual([...Cause.failures(Option.getOrElse(cause, () => Cause.empty))], expected)
  })
})
