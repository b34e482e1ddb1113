/**
 * One job in a world of its own, run again and again until it is done, killed where the plan says so.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import type { Job } from "../../definition/Job.js"
import * as JobOperator from "../../operator/JobOperator.js"
import { JobRepository } from "../../ports/JobRepository.js"
import type { Transactor } from "../../ports/Transactor.js"
import * as Counts from "../../vocabulary/Counts.js"
import { describe } from "../../vocabulary/failure.js"
import * as Life from "./life.js"
import * as Store from "./store.js"

export interface World<P, Code extends string, E, R, E2, R2> {
  readonly job: Job<P, Code, E, R>
  readonly parameters: P
  readonly observe: Effect.Effect<unknown, E2, R2>
}

/** For each run what befalls it. Nothing befalls the runs after these. */
export type Plan = ReadonlyArray<Life.Strike>

/** What remains when the job is done. */
export interface Outcome {
  /** The status of the last run, and what it said about itself. */
  readonly status: string
  readonly output: unknown
  readonly totals: Readonly<Record<string, ItemCounts>>
  /** The points that each run passed. */
  readonly runs: ReadonlyArray<ReadonlyArray<string>>
  /** The operations of the first run. */
  readonly operations: number
}

/** What cannot depend on how often a job was started; numbers of transactions do. */
export type ItemCounts = Omit<Counts.Counts, "commit" | "rollback">

/** Runs the job in a new world. */
export const run = <P, Code extends string, E, R, E2, R2, E3, R3>(
  make: Effect.Effect<World<P, Code, E, R, E2, R2>, E3, R3>,
  plan: Plan,
  flaws: Store.Flaws
): Effect.Effect<
  Outcome,
  E2 | E3,
  Exclude<R3, Scope.Scope> | Exclude<R | R2, JobRepository | Transactor>
> =>
  Effect.scoped(Effect.gen(function*() {
    const { job, observe, parameters } = yield* make
    const store = yield* Store.make(flaws)
    const runs: Array<ReadonlyArray<string>> = []
    let status: string | undefined
    let operations: number | undefined
    while (status === undefined) {
      const strike = plan[runs.length]
      const end = yield* Life.live(store, strike, JobOperator.run(job, parameters))
      runs.push(end.points)
      operations ??= end.operations.length
      const ended = end._tag === "Killed" ? undefined : statusOf(end.exit)
      // What has not outlived the loss of its connection is restarted, like what was killed.
      status = ended !== "COMPLETED" && strike?._tag === "Lose" ? undefined : ended
    }
    const output = yield* Effect.provide(observe, Context.make(JobRepository, store.repository))
    return { status, output, totals: yield* totals(store), runs, operations }
  })) as any

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const statusOf = (exit: Exit.Exit<JobOperator.EndedJobExecution<string, unknown>, unknown>): string => {
  if (Exit.isSuccess(exit)) {
    const { exitStatus, status } = exit.value
    return status === "COMPLETED" ? status : [status, ...exitStatus.messages].join(": ")
  }
  const failure = Cause.failureOption(exit.cause)
  // The run before was killed when there was nothing left to do.
  return Option.isSome(failure) && Predicate.isTagged(failure.value, "JobInstanceAlreadyComplete")
    ? "COMPLETED"
    : describe(exit.cause)
}

/**
 * The counts of each step, added up over the executions it took to complete it. A step that may run again after it has
 * completed counts with its last round. A partitioned one adds up itself, whichever execution its partitions ended in
 * (PART-6).
 */
const totals = ({ repository }: Store.Store): Effect.Effect<Outcome["totals"]> =>
  Effect.gen(function*() {
    const executions = yield* repository.jobExecutions({ limit: Number.MAX_SAFE_INTEGER })
    const found: Record<string, Round> = {}
    for (const execution of [...executions].sort((a, b) => a.id - b.id)) {
      for (const { counts, id, status, stepName } of yield* repository.stepExecutions(execution.id)) {
        const key = `${execution.instance.jobName}/${stepName}`
        const before = found[key]
        const begins = before === undefined || before.complete
        // A plan has the id of the step execution that made it.
        const partitioned = begins ? Option.isSome(yield* repository.partitions.find(id)) : before.partitioned
        found[key] = {
          counts: begins || partitioned ? counts : Counts.add(before.counts, counts),
          complete: status === "COMPLETED",
          partitioned
        }
      }
    }
    return Object.fromEntries(
      Object.entries(found).map(([key, { counts }]) => {
        const { commit: _, rollback: __, ...items } = counts
        return [key, items]
      })
    )
  }).pipe(Effect.orDie)

interface Round {
  readonly counts: Counts.Counts
  readonly complete: boolean
  readonly partitioned: boolean
}
