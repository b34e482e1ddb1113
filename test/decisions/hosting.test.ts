import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import type { Attempt } from "../../src/decisions/hosting.js"
import { decide } from "../../src/decisions/hosting.js"
import { isRunning } from "../../src/vocabulary/BatchStatus.js"

type Kind = "died" | "died stopping" | "left" | "failed" | "stopped" | "completed" | "abandoned" | "running" | "expired"

const kinds: { readonly [K in Kind]: Pick<Attempt, "status" | "exitCode" | "isExpired"> } = {
  died: { status: "FAILED", exitCode: "OWNER_DIED", isExpired: false },
  "died stopping": { status: "STOPPED", exitCode: "OWNER_DIED", isExpired: false },
  left: { status: "STOPPED", exitCode: "OWNER_LEFT", isExpired: false },
  failed: { status: "FAILED", exitCode: "FAILED", isExpired: false },
  stopped: { status: "STOPPED", exitCode: "STOPPED", isExpired: false },
  completed: { status: "COMPLETED", exitCode: "COMPLETED", isExpired: false },
  abandoned: { status: "ABANDONED", exitCode: "FAILED", isExpired: false },
  running: { status: "STARTED", exitCode: "UNKNOWN", isExpired: false },
  expired: { status: "STARTED", exitCode: "UNKNOWN", isExpired: true }
}

/** Oldest first as they come about, newest first as they are asked about. */
const history = (...names: ReadonlyArray<Kind>): ReadonlyArray<Attempt> =>
  names.map((name, index) => ({ id: index + 1, ...kinds[name] })).reverse()

const anyKind = FastCheck.constantFrom(...Object.keys(kinds) as Array<Kind>)

const anyRequest = FastCheck.record({ after: FastCheck.nat(8), restarts: FastCheck.nat(4) })

describe("what a cluster does about an instance", () => {
  const fresh = { after: 0, restarts: 2 }

  it("launches one that has never run, and one that had failed before it was asked for", () => {
    assert.deepStrictEqual(decide([], fresh), { _tag: "Launch", deaths: 0 })
    assert.deepStrictEqual(decide(history("died", "failed"), { after: 2, restarts: 0 }), { _tag: "Launch", deaths: 0 })
    assert.deepStrictEqual(decide(history("died"), { after: 1, restarts: 0 }), { _tag: "Launch", deaths: 0 })
  })

  it("takes an end of the job itself for the answer", () => {
    for (const kind of ["failed", "stopped", "died stopping", "completed", "abandoned"] as const) {
      assert.deepStrictEqual(decide(history("died", kind), fresh), { _tag: "End", id: 2, gaveUp: false })
    }
  })

  it("launches what lost its process again, as often as it may, and what was handed over always", () => {
    assert.deepStrictEqual(decide(history("died"), fresh), { _tag: "Launch", deaths: 1 })
    assert.deepStrictEqual(decide(history("died", "left", "died"), fresh), { _tag: "Launch", deaths: 2 })
    assert.deepStrictEqual(decide(history("died", "died", "died"), fresh), { _tag: "End", id: 3, gaveUp: true })
    assert.deepStrictEqual(decide(history("left", "left", "left", "left"), fresh), { _tag: "Launch", deaths: 0 })
  })

  it("waits for one that runs, and closes one whose process is gone before anything else", () => {
    assert.deepStrictEqual(decide(history("failed", "running"), fresh), { _tag: "Wait" })
    assert.deepStrictEqual(decide(history("failed", "expired"), fresh), { _tag: "Recover", id: 2 })
  })

  it.prop(
    "never launches beside one that lives, or after one that completed",
    [FastCheck.array(anyKind, { maxLength: 6 }), anyRequest],
    ([names, request]) => {
      const attempts = history(...names)
      const action = decide(attempts, request)
      const [newest] = attempts
      if (newest !== undefined && (isRunning(newest.status) || newest.status === "COMPLETED")) {
        assert.notStrictEqual(action._tag, "Launch")
      }
    }
  )

  it.prop(
    "comes to an end however often processes die: at most 1 + restarts launches",
    [
      FastCheck.nat(5),
      FastCheck.array(anyKind.filter((kind) => !["running", "expired"].includes(kind)), { maxLength: 4 })
    ],
    ([restarts, before]) => {
      let attempts = history(...before)
      const request = { after: attempts[0]?.id ?? 0, restarts }
      let launches = 0
      for (let round = 0; round < 20; round++) {
        const action = decide(attempts, request)
        if (action._tag === "End") {
          assert.strictEqual(launches, action.gaveUp ? restarts + 1 : 0)
          return
        }
        assert.strictEqual(action._tag, "Launch")
        launches++
        attempts = [{ id: (attempts[0]?.id ?? 0) + 1, ...kinds.died }, ...attempts]
      }
      assert.fail("it never ends")
    }
  )
})
