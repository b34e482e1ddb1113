/**
 * Partitions that are claimed: what is stored of them, and what is seen at a glance.
 */
import { assert } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Decision from "../../decisions/partition.js"
import { JobRepository } from "../../ports/JobRepository.js"
import type { ClaimedPartition } from "../../ports/partitions.js"
import type { Cases } from "./kit.js"
import * as Kit from "./kit.js"
import { alive, claim, planned, restarted } from "./partitioning.js"

/** @internal */
export const claiming: Cases = {
  "a partition that is taken again is the instance that it was, whatever its name, and stored as who took it was told (PART-5)":
    Effect.gen(function*() {
      const repository = yield* JobRepository
      const { execution, planId } = yield* planned([
        "de",
        "it's \"so\" \\ \n",
        "\u{1F600}",
        "a\u0000b",
        "c\uD800d",
        " é"
      ])
      const taken: Array<ClaimedPartition> = []
      for (let at = 0; at < 6; at++) {
        const claimed = yield* claim(planId)
        const stored = yield* repository.jobExecution(claimed.execution.id)
        const { token: _, ...told } = claimed.execution
        deepStrictEqual({ ...stored, lastUpdated: told.lastUpdated }, told)
        assert.isTrue(Option.isSome(told.startTime))
        taken.push(claimed)
        yield* Kit.setStatus(claimed.execution, "FAILED")
      }
      yield* restarted(execution, planId)
      for (const { execution, name } of taken) {
        const again = yield* claim(planId)
        deepStrictEqual([again.name, again.execution.instance], [name, execution.instance])
        deepStrictEqual(again.execution.restartOf, Option.some(execution.id))
        assert.strictEqual(again.execution.status, "STARTED")
      }
    }),
  "a glance sees what keeps a step from its end, as a tally does, and not what has completed": Effect.gen(function*() {
    const { partitions, planId } = yield* planned(["a", "b", "c", "d", "e", "f"])
    const glance = partitions.glance(planId, alive)
    const nothing = Decision.emptyTally
    deepStrictEqual(yield* glance, { ...nothing, waiting: 1 })
    const taken = [yield* claim(planId), yield* claim(planId), yield* claim(planId), yield* claim(planId)]
    yield* Kit.setStatus(taken[0]!.execution, "COMPLETED")
    yield* Kit.setStatus(taken[1]!.execution, "FAILED")
    yield* Kit.setStatus(taken[2]!.execution, "UNKNOWN")
    deepStrictEqual(yield* glance, { ...nothing, waiting: 1, failed: 1, unknown: 1, running: 1 })
    const [fifth, sixth] = [yield* claim(planId), yield* claim(planId)]
    yield* Kit.setStatus(fifth.execution, "STOPPED")
    const seen = yield* glance
    deepStrictEqual(seen, { ...nothing, failed: 1, unknown: 1, running: 2, stopped: 1 })
    deepStrictEqual({ ...seen, completed: 1 }, yield* partitions.tally(planId, alive))
    const gone = { isOwnerGone: () => true }
    deepStrictEqual(yield* partitions.glance(planId, gone), { ...seen, running: 0, waiting: 2 })
    yield* Kit.setStatus(taken[3]!.execution, "COMPLETED")
    yield* Kit.setStatus(sixth.execution, "COMPLETED")
    deepStrictEqual(yield* glance, { ...nothing, failed: 1, unknown: 1, stopped: 1 })
    deepStrictEqual(yield* partitions.glance(-1, alive), nothing)
  })
}
