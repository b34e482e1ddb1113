/**
 * Random flows in a hostile world: whatever fails, stops, chooses codes or dies, restarts bring the job to its end, each
 * piece of work is done once, and the job never says more than its steps did (OWN-1 to OWN-9, OWN-27).
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import { actions, hostile } from "./hostile.js"
import { check, isCase, toReport, tried } from "./hostileCheck.js"
import { shared } from "./tree.js"

/** `npm run flows` tries more, from the seed `EFFECT_BATCH_SEED` if there is one. */
const CASES = Number(process.env["EFFECT_BATCH_FLOWS"] ?? 250)
const SEED = process.env["EFFECT_BATCH_SEED"]

describe("a flow in a hostile world", () => {
  it(
    "does each piece of work once, and a job never says more than its steps did",
    { timeout: 300_000 + CASES * 200 },
    async () => {
      await fc.assert(
        fc.asyncProperty(hostile(shared).filter(isCase), async (plan) => {
          await Effect.runPromise(Effect.mapError(check(plan), (wrong) => new Error(String(wrong))))
        }),
        {
          numRuns: CASES,
          // To find a smaller one takes longer than a run of CI may: `npm run flows` does it.
          endOnFailure: process.env["EFFECT_BATCH_FLOWS"] === undefined,
          ...(SEED === undefined ? {} : { seed: Number(SEED) }),
          reporter: (details) => {
            if (details.failed) {
              const [plan] = details.counterexample!
              throw new Error(
                `seed ${details.seed}: ${(details.errorInstance as Error).message}\n\n${toReport(plan)}`
              )
            }
          }
        }
      )
      if (process.env["EFFECT_BATCH_FLOWS"] !== undefined) {
        process.stdout.write(`${CASES} flows, ${tried.executions} executions, ${tried.kills} killed\n`)
        tried.faults.forEach((count, action) => process.stdout.write(`  ${action}: ${count}\n`))
      }
      actions.forEach((action) => assert.isAtLeast(tried.faults.get(action) ?? 0, 1, action))
      assert.isAtLeast(tried.kills, CASES / 20)
    }
  )
})
