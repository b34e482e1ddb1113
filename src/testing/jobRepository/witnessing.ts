/**
 * Partitions that are held by claims of which a process knows that they are over, though their leases have not ended.
 */
import { assert } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ClaimWitness } from "../../ports/JobRepository.js"
import type { Cases } from "./kit.js"
import * as Kit from "./kit.js"
import { alive, claim, planned, request, restarted } from "./partitioning.js"

/** @internal */
export const witnessing: Cases = {
  "what a process has given up is taken again by this process only, at once (OWN-21)": Effect.gen(function*() {
    const { partitions, planId } = yield* planned(["a", "b"])
    const first = yield* claim(planId)
    const mine = { ...alive, hasGivenUp: (token: string) => token === first.execution.token }
    assert.strictEqual(yield* partitions.putUp(planId, alive), 0)
    assert.strictEqual(yield* partitions.putUp(planId, mine), 1)
    // Another process finds it put up, and that its owner has not gone.
    assert.strictEqual((yield* claim(planId)).name, "b")
    assert.strictEqual(yield* partitions.putUp(planId, mine), 1)
    const second = yield* Effect.map(partitions.claim(planId, { ...request, ...mine }), Option.getOrThrow)
    deepStrictEqual(second.execution.restartOf, Option.some(first.execution.id))
  }),
  "what is held by a claim that is over waits wherever it is counted or listed, for who knows of it (OWN-21, PART-7)":
    Effect.gen(function*() {
      const { execution, partitions, planId } = yield* planned(["a", "b", "c"])
      const { execution: a } = yield* claim(planId)
      const gone = { ...request, owner: "gone" }
      yield* Effect.map(partitions.claim(planId, gone), Option.getOrThrow)
      const { execution: c } = yield* Effect.map(partitions.claim(planId, gone), Option.getOrThrow)
      const seen = (witness: ClaimWitness) =>
        Effect.gen(function*() {
          const { failed, running, waiting } = yield* partitions.tally(planId, witness)
          const states = yield* partitions.list(planId, witness)
          const listed = yield* partitions.list(planId, witness, { standings: ["running"] })
          deepStrictEqual(
            listed.map(({ name }) => name),
            states.flatMap((row) => row.standing === "running" ? row.name : [])
          )
          return [running, waiting, failed, listed.map(({ name }) => name).join("")]
        })
      const isOwnerGone = (owner: string) => owner === "gone"
      const hasGivenUp = (token: string) => token === a.token
      deepStrictEqual(yield* seen(alive), [3, 0, 0, "abc"])
      deepStrictEqual(yield* seen({ isOwnerGone }), [1, 2, 0, "a"])
      deepStrictEqual(yield* seen({ ...alive, hasGivenUp }), [2, 1, 0, "bc"])
      deepStrictEqual(yield* seen({ isOwnerGone, hasGivenUp }), [0, 3, 0, ""])
      yield* Kit.setStatus(c, "FAILED")
      deepStrictEqual(yield* seen({ isOwnerGone }), [1, 1, 1, "a"])
      yield* restarted(execution, planId)
      deepStrictEqual(yield* seen({ isOwnerGone }), [1, 2, 0, "a"])
    })
}
