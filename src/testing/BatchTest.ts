/**
 * Tests of whole jobs: what becomes of yours when the process dies, wherever that happens.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { toStringUnknown } from "effect/Inspectable"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Types from "effect/Types"
import type { Job } from "../definition/Job.js"
import type { JobRepository } from "../ports/JobRepository.js"
import type { Transactor } from "../ports/Transactor.js"
import { search } from "./crash/search.js"
import type { Flaws } from "./crash/store.js"
import * as world from "./crash/world.js"

/**
 * A job, and everything that outlives the process which runs it.
 *
 * - `job`: writes to places that were made together with it, such as an array for `ItemWriter.inMemory` or a file.
 * - `observe`: what the job has left behind there. It may ask the `JobRepository` too.
 *
 * @since 0.1.0
 * @category models
 */
export interface World<in out P, out Code extends string, out E, out R, out E2, out R2> {
  readonly job: Job<P, Code, E, R>
  readonly parameters: Types.NoInfer<P>
  readonly observe: Effect.Effect<unknown, E2, R2>
}

/**
 * - `make`: makes a new world for each attempt; what it acquires is released after the attempt.
 * - `seed`: what the random crashes are made from. The same seed repeats a check exactly. Default 1.
 * - `randomRuns`: how many attempts are made with two to four random crashes. Default 20.
 * - `lostConnections`: whether the connection to the database is lost as well, without the death of the process: once in each
 *   operation of the repository and in each commit, before it is done, and when it is and only the answer is missing. A run that
 *   does not complete then is restarted. About three times as many attempts. Default false.
 *
 * @since 0.1.0
 * @category models
 */
export interface CrashOptions<in out P, out Code extends string, out E, out R, out E2, out R2, out E3, out R3> {
  readonly make: Effect.Effect<World<P, Code, E, R, E2, R2>, E3, R3>
  readonly seed?: number | undefined
  readonly randomRuns?: number | undefined
  readonly lostConnections?: boolean | undefined
}

/**
 * How much was tried: the places at which an undisturbed run can die, and the attempts that were made.
 *
 * @since 0.1.0
 * @category models
 */
export interface CrashReport {
  readonly points: number
  readonly attempts: number
}

/**
 * Represents a crash that changes what a job leaves behind: where it happened, and the first difference.
 *
 * @since 0.1.0
 * @category errors
 */
export class CrashFinding extends Schema.TaggedError<CrashFinding>()("CrashFinding", {
  job: Schema.String,
  /** What is different, such as `output[3].cents`. */
  difference: Schema.String,
  /** What a run leaves behind that nobody kills. */
  expected: Schema.Unknown,
  got: Schema.Unknown,
  /** For each run that was killed the places it had passed; it died at the last one. */
  killed: Schema.Array(Schema.Array(Schema.String))
}) {
  override get message(): string {
    const runs = this.killed.map((points, run) => {
      const lost = points.find((point) => point.startsWith("lost "))
      return lost === undefined
        ? `run ${run + 1} died at point ${points.length} (${points.slice(-4).join(", ")})`
        : `run ${run + 1} had its connection ${lost}, and went on (${points.slice(-4).join(", ")})`
    })
    const what = `${this.difference} is ${toStringUnknown(this.got, 0)} instead of ${toStringUnknown(this.expected, 0)}`
    return this.killed.length === 0
      ? `The job "${this.job}" cannot be checked: ${what}`
      : `The job "${this.job}" does not survive a crash: ${what}, after ${runs.join("; ")}`
  }
}

/**
 * Kills a job at every place where it matters, as `kill -9` does, runs it again until it is done, and compares what it
 * leaves behind with a run that nobody killed: its status, what you observe, and how many items each step counted.
 * First one crash at each place in turn, then several at random places.
 *
 * The job runs on a repository in memory. From the moment of its death no fiber of a run goes on and no finalizer runs,
 * and what it had open is rolled back, as a database would do it. So what a step opens dies with it, what `make` made
 * lives on; a job that counts in a variable of `make` will be found out. Time is virtual: a job that sleeps, such as in
 * a retry, does not have to be waited for, and a `TestClock` is not needed.
 *
 * A check takes about as many runs as the job has places to die at, seven per chunk: give it a dozen chunks, not a
 * million. A job with a `Step.startLimit` may run into it: give it a limit of 5, or no `randomRuns`.
 *
 * @example
 * ```ts
 * import { ItemReader, ItemWriter, Job, Step } from "effect-batch"
 * import { BatchTest } from "effect-batch/testing"
 * import { Effect } from "effect"
 *
 * const check = BatchTest.crashEverywhere({
 *   make: Effect.sync(() => {
 *     const out: Array<number> = []
 *     const double = Step.chunk("double", {
 *       reader: ItemReader.fromIterable([1, 2, 3, 4, 5]),
 *       processor: (n) => Effect.succeed(n * 2),
 *       writer: ItemWriter.inMemory(out),
 *       chunkSize: 2
 *     })
 *     return { job: Job.make("double", { flow: double }), parameters: {}, observe: Effect.sync(() => out.slice()) }
 *   })
 * })
 *
 * Effect.runPromise(check).then(({ points }) => assert.ok(points > 20))
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const crashEverywhere = <P, Code extends string, E, R, E2, R2, E3, R3>(
  options: CrashOptions<P, Code, E, R, E2, R2, E3, R3>
): Effect.Effect<
  CrashReport,
  CrashFinding | E2 | E3,
  Exclude<R3, Scope.Scope> | Exclude<R | R2, JobRepository | Transactor>
> => crashEverywhereWith(options, {})

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** @internal */
export const crashEverywhereWith = <P, Code extends string, E, R, E2, R2, E3, R3>(
  options: CrashOptions<P, Code, E, R, E2, R2, E3, R3>,
  flaws: Flaws
): Effect.Effect<
  CrashReport,
  CrashFinding | E2 | E3,
  Exclude<R3, Scope.Scope> | Exclude<R | R2, JobRepository | Transactor>
> =>
  Effect.gen(function*() {
    let job = ""
    const make = Effect.tap(options.make, (made) =>
      Effect.sync(() => {
        job = made.job.name
      }))
    const { finding, points, runs } = yield* search(
      (plan) => world.run(make, plan, flaws),
      {
        seed: options.seed ?? 1,
        randomRuns: options.randomRuns ?? 20,
        lostConnections: options.lostConnections === true
      }
    )
    if (finding !== undefined) {
      const { difference: { expected, got, path }, killed } = finding
      return yield* new CrashFinding({ job, difference: path, expected, got, killed })
    }
    return { points, attempts: runs }
  })
