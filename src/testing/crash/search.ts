/**
 * Looks for a fault that changes what a job leaves behind: at each point in turn, then at random ones, several times.
 */
import * as Effect from "effect/Effect"
import { seeded } from "../../base/random.js"
import type { Difference } from "./difference.js"
import { firstDifference } from "./difference.js"
import type { Strike } from "./life.js"
import type { Outcome, Plan } from "./world.js"

export interface Finding {
  readonly difference: Difference
  /** The points that the runs passed which something befell, the last of each being where it was killed. */
  readonly killed: ReadonlyArray<ReadonlyArray<string>>
}

export interface Report {
  readonly points: number
  readonly runs: number
  readonly finding: Finding | undefined
}

/** `run` runs the job in a new world, killed by this plan. */
export const search = <E, R>(
  run: (plan: Plan) => Effect.Effect<Outcome, E, R>,
  options: { readonly seed: number; readonly randomRuns: number; readonly lostConnections: boolean }
): Effect.Effect<Report, E, R> =>
  Effect.gen(function*() {
    const reference = yield* run([])
    const points = reference.runs[0]!.length
    let runs = 1
    const attempt = (plan: Plan) =>
      Effect.map(run(plan), (outcome) => {
        runs++
        return findingOf(reference, outcome)
      })
    if (reference.status !== "COMPLETED") {
      const difference = { path: "the status of a run that nobody kills", expected: "COMPLETED", got: reference.status }
      return { points, runs, finding: { difference, killed: [] } }
    }
    const strikes = [
      ...numbersTo(points).map((at): Strike => ({ _tag: "Kill", at })),
      ...(options.lostConnections ? numbersTo(reference.operations) : []).flatMap((at): ReadonlyArray<Strike> => [
        { _tag: "Lose", at, isDone: false },
        { _tag: "Lose", at, isDone: true }
      ])
    ]
    for (const strike of strikes) {
      const finding = yield* attempt([strike])
      if (finding !== undefined) {
        return { points, runs, finding }
      }
    }
    const random = seeded(options.seed)
    for (let round = 0; round < options.randomRuns; round++) {
      const plan = Array.from({ length: 2 + random(MOST_STRIKES - 1) }, () => strikes[random(strikes.length)]!)
      const finding = yield* attempt(plan)
      if (finding !== undefined) {
        return { points, finding: yield* shrink(attempt, plan, finding), runs }
      }
    }
    return { points, runs, finding: undefined }
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const MOST_STRIKES = 4

const numbersTo = (last: number): ReadonlyArray<number> => Array.from({ length: last }, (_, index) => index + 1)

/** Leaves out one strike after the other, as long as the job still goes wrong without it. */
const shrink = <E, R>(
  attempt: (plan: Plan) => Effect.Effect<Finding | undefined, E, R>,
  plan: Plan,
  found: Finding
): Effect.Effect<Finding, E, R> =>
  Effect.gen(function*() {
    for (let index = 0; index < plan.length; index++) {
      const shorter = plan.filter((_, other) => other !== index)
      const finding = yield* attempt(shorter)
      if (finding !== undefined) {
        return yield* shrink(attempt, shorter, finding)
      }
    }
    return found
  })

/** The last one has come to its end: if anything has befallen it, it has noted that. */
const isStruck = (points: ReadonlyArray<string>, index: number, { length }: ReadonlyArray<unknown>): boolean =>
  index < length - 1 || points.some((point) => point.startsWith("lost "))

const findingOf = (reference: Outcome, outcome: Outcome): Finding | undefined => {
  const difference = firstDifference("status", reference.status, outcome.status) ??
    firstDifference("output", reference.output, outcome.output) ??
    firstDifference("counts", reference.totals, outcome.totals)
  return difference === undefined ? undefined : { difference, killed: outcome.runs.filter(isStruck) }
}
