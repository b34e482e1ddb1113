/**
 * Tells the listeners of a partitioned step what begins and ends, in whichever process. It is read from the executions of the
 * partitions, so the process of the job need not have been told; and only where somebody listens.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Told from "../../decisions/partitionTold.js"
import type { OwnerFailure } from "../../ports/JobRepository.js"
import type { PartitionPlan } from "../../ports/partitions.js"
import { childJobName, isPartition } from "../../ports/partitions.js"
import type { JobRepositoryError } from "../../vocabulary/BatchError.js"
import * as BatchStatus from "../../vocabulary/BatchStatus.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import type { JobExecution } from "../../vocabulary/JobExecution.js"
import { saving } from "../session/saving.js"
import type { Engine, EngineFailure } from "../step/engine.js"
import { tell } from "../step/hooks.js"
import * as Progress from "../step/progress.js"
import type { StepState } from "../step/state.js"
import { advance, finish } from "../step/state.js"

/** Tells what has happened since the last time. */
export type Telling = Engine<void, EngineFailure | OwnerFailure>

/** Reserved in the context of every partitioned step: what its listeners have been told of its plan. */
export const toldKey: ExecutionContext.Key<Told.Mark> = ExecutionContext.key("batch.partition.told", Told.Mark)

interface Entry {
  readonly ended: boolean
  readonly changedAt: number
  readonly parentId: number
}

/**
 * An effect to be run now and then, and once more when all is over. What it has told is stored behind it, so a process that
 * takes over the step tells of all that the one before it did not come to, and only of what that one did last a second time.
 */
export const make = (state: StepState, plan: PartitionPlan): Telling => {
  const { hooks, session } = state
  if (NAMES.every((name) => hooks[name] === undefined)) {
    return Effect.void
  }
  /** Executions that were told of, and whether of their end. Those that can't change any more are forgotten. */
  let told = new Map<number, Entry>()
  let forgotten = 0
  let since: DateTime.Utc | undefined
  let known: Told.Mark | undefined
  const remember = Effect.sync(() =>
    advance(state, Progress.changeContext, ExecutionContext.unsafeSet(toldKey, Told.markOf(told, forgotten)))
  )
  return Effect.gen(function*() {
    const now = yield* DateTime.now
    let parents = [...running(told), session.execution.id]
    if (known === undefined) {
      known = yield* inheritedMark(state)
      forgotten = known.through
      const entry = { changedAt: DateTime.toEpochMillis(now), parentId: session.execution.id }
      known.begun.forEach((id) => told.set(id, { ...entry, ended: false }))
      Told.endedOf(known).forEach((id) => told.set(id, { ...entry, ended: true }))
      parents = [...(yield* saving(session, executionsOfJob(state)))]
    }
    const inherited = known
    let isNew = false
    for (const parentId of new Set(parents)) {
      for (const execution of yield* saving(session, changedSince(state, plan, parentId, since, inherited))) {
        isNew = (yield* Effect.onError(tellOf(state, told, inherited, execution), () => remember)) || isNew
      }
    }
    since = DateTime.subtract(now, { millis: SKEW })
    ;({ forgotten, told } = Told.forget(told, forgotten, DateTime.toEpochMillis(since)))
    if (isNew) {
      yield* remember
      yield* finish(state, () => ({}))
    }
  }) as Telling
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** By how much the clocks of two processes may differ, in milliseconds. */
const SKEW = 60_000

const PAGE = 500

const NAMES = ["onPartitionBegun", "onPartitionEnded", "onPartitionFailed"] as const

/** Tells what was not told yet of an execution, and whether there was any. */
const tellOf = (
  { hooks, session }: StepState,
  told: Map<number, Entry>,
  inherited: Told.Mark,
  execution: JobExecution
): Engine<boolean, EngineFailure | OwnerFailure> =>
  Effect.gen(function*() {
    const known = told.get(execution.id)
    const before = known === undefined ? Told.toldOf(inherited, execution.id) : known.ended ? "all" : "begin"
    const ended = before === "all" || !BatchStatus.isRunning(execution.status)
    const partition = { name: nameOf(execution), execution }
    const note = (ended: boolean) =>
      told.set(execution.id, {
        ended,
        changedAt: DateTime.toEpochMillis(execution.lastUpdated),
        parentId: execution.parent?.executionId ?? session.execution.id
      })
    // Noted first: what a listener fails with fails the step, and is no reason to tell it again.
    if (before === "nothing") {
      note(false)
      yield* tell(hooks.onPartitionBegun, partition)
    }
    note(ended)
    if (ended && before !== "all") {
      yield* BatchStatus.isUnsuccessful(execution.status) ? tell(hooks.onPartitionFailed, partition) : Effect.void
      yield* tell(hooks.onPartitionEnded, partition)
    }
    return before === "nothing" || (ended && before !== "all")
  }) as Engine<boolean, EngineFailure | OwnerFailure>

/** Without a mark nothing was told: the process that made the plan died before, or its step had no listeners. */
const inheritedMark = ({ progress }: StepState) =>
  Effect.map(ExecutionContext.get(progress.context, toldKey), Option.getOrElse(() => Told.nothing))

const running = (told: ReadonlyMap<number, Entry>): ReadonlyArray<number> =>
  [...told.values()].flatMap(({ ended, parentId }) => ended ? [] : [parentId])

/** That of the step, and those before it, oldest first: they may have begun partitions that go on, or ended unseen. */
const executionsOfJob = ({ session }: StepState): Effect.Effect<ReadonlyArray<number>, JobRepositoryError> =>
  Effect.map(
    session.repository.jobExecutions({ instanceId: session.execution.instance.id, limit: Number.MAX_SAFE_INTEGER }),
    (found) => found.map(({ id }) => id).reverse()
  )

/** Executions of partitions of the plan of which not all has been told, in the order in which they began. */
const changedSince = (
  { session }: StepState,
  { id: planId, jobName, stepName }: PartitionPlan,
  parentId: number,
  since: DateTime.Utc | undefined,
  inherited: Told.Mark
): Effect.Effect<ReadonlyArray<JobExecution>, JobRepositoryError> =>
  Effect.gen(function*() {
    const found: Array<JobExecution> = []
    const oldest = Math.min(inherited.through, ...inherited.begun)
    let before: number | undefined
    while (true) {
      const page = yield* session.repository.jobExecutions({ parentId, changedSince: since, before, limit: PAGE })
      found.push(...page.filter((execution) =>
        execution.instance.jobName === childJobName(jobName, stepName) && isPartition(execution) &&
        execution.parameters.some(({ name, value }) => name === "plan" && value === planId) &&
        Told.toldOf(inherited, execution.id) !== "all"
      ))
      const last = page[page.length - 1]
      if (last === undefined || page.length < PAGE || last.id < oldest) {
        return found.reverse()
      }
      before = last.id
    }
  })

const nameOf = ({ parameters }: JobExecution): string =>
  String(parameters.find(({ name }) => name === "partition")?.value)
