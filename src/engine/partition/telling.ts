/**
 * Tells the listeners of a partitioned step what begins and ends, in whichever process. It is read from the executions of the
 * partitions, so the process of the job need not have been told; and only where somebody listens.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type { OwnerFailure } from "../../ports/JobRepository.js"
import type { PartitionPlan } from "../../ports/partitions.js"
import { childJobName, isPartition } from "../../ports/partitions.js"
import type { JobRepositoryError } from "../../vocabulary/BatchError.js"
import * as BatchStatus from "../../vocabulary/BatchStatus.js"
import type { JobExecution } from "../../vocabulary/JobExecution.js"
import { saving } from "../session/saving.js"
import type { Engine, EngineFailure } from "../step/engine.js"
import { tell } from "../step/hooks.js"
import type { StepState } from "../step/state.js"

/** Tells what has happened since the last time. */
export type Telling = Engine<void, EngineFailure | OwnerFailure>

/** An effect to be run now and then, and once more when all is over. */
export const make = (state: StepState, plan: PartitionPlan): Telling => {
  const { onPartitionBegun, onPartitionEnded, onPartitionFailed } = state.hooks
  if (onPartitionBegun === undefined && onPartitionEnded === undefined && onPartitionFailed === undefined) {
    return Effect.void
  }
  /** Executions that were told of, and whether of their end. Those that can't change any more are forgotten. */
  const told = new Map<number, { readonly ended: boolean; readonly changedAt: number }>()
  let since: DateTime.Utc | undefined
  return Effect.gen(function*() {
    const now = yield* DateTime.now
    const changed = yield* saving(state.session, changedSince(state, plan, since))
    for (const execution of changed) {
      const before = told.get(execution.id)
      const ended = !BatchStatus.isRunning(execution.status)
      const partition = { name: nameOf(execution), execution }
      if (before === undefined) {
        yield* tell(onPartitionBegun, partition)
      }
      if (ended && before?.ended !== true) {
        yield* BatchStatus.isUnsuccessful(execution.status) ? tell(onPartitionFailed, partition) : Effect.void
        yield* tell(onPartitionEnded, partition)
      }
      told.set(execution.id, { ended, changedAt: DateTime.toEpochMillis(execution.lastUpdated) })
    }
    since = DateTime.subtract(now, { millis: SKEW })
    const oldest = DateTime.toEpochMillis(since)
    told.forEach(({ changedAt, ended }, id) => ended && changedAt < oldest ? told.delete(id) : undefined)
  }) as Telling
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** By how much the clocks of two processes may differ, in milliseconds. */
const SKEW = 60_000

const PAGE = 500

/** Executions of partitions of the plan, in the order in which they began. */
const changedSince = (
  { session }: StepState,
  { id: planId, jobName, stepName }: PartitionPlan,
  since: DateTime.Utc | undefined
): Effect.Effect<ReadonlyArray<JobExecution>, JobRepositoryError> =>
  Effect.gen(function*() {
    const found: Array<JobExecution> = []
    let before: number | undefined
    while (true) {
      const page = yield* session.repository.jobExecutions({
        parentId: session.execution.id,
        changedSince: since,
        before,
        limit: PAGE
      })
      found.push(...page.filter((execution) =>
        execution.instance.jobName === childJobName(jobName, stepName) && isPartition(execution) &&
        execution.parameters.some(({ name, value }) => name === "plan" && value === planId)
      ))
      if (page.length < PAGE) {
        return found.reverse()
      }
      before = page[page.length - 1]!.id
    }
  })

const nameOf = ({ parameters }: JobExecution): string =>
  String(parameters.find(({ name }) => name === "partition")?.value)
