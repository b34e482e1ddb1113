/**
 * The body of a partitioned step: makes and stores its plan, runs partitions in slots of its own, waits for those that run
 * elsewhere, and sums up (PART-1 to PART-16).
 *
 * No transaction is open while partitions run. Nothing that this process knows decides anything: where a partition stands is
 * read from its executions, so whoever runs the step after this process goes on from the same facts.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Outcome } from "../../decisions/outcome.js"
import * as Decision from "../../decisions/partition.js"
import type { Erased } from "../../definition/erased.js"
import type { Planned, Result } from "../../definition/Partition.js"
import type { PartitionBody } from "../../definition/tree.js"
import type { OwnerFailure } from "../../ports/JobRepository.js"
import { JobRepository } from "../../ports/JobRepository.js"
import type { PartitionPlan } from "../../ports/partitions.js"
import { isPartition } from "../../ports/partitions.js"
import { JobRepositoryError, NestedPartition, ReplanRefused } from "../../vocabulary/BatchError.js"
import * as BatchStatus from "../../vocabulary/BatchStatus.js"
import * as Counts from "../../vocabulary/Counts.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import * as Running from "../session/running.js"
import { saving } from "../session/saving.js"
import { owned } from "../session/session.js"
import { awaitStop } from "../session/stopping.js"
import type { EngineFailure } from "../step/engine.js"
import * as Progress from "../step/progress.js"
import type { StepState } from "../step/state.js"
import { advance, finish, isStopping } from "../step/state.js"
import { resultKey } from "./child.js"
import { encode } from "./plan.js"
import type { Pool, Source } from "./slots.js"
import * as Slots from "./slots.js"
import * as Telling from "./telling.js"

/** How often a step, or a worker, that nobody wakes looks for what others did. */
export class Poll extends Context.Reference<Poll>()("effect-batch/PartitionWorker/Poll", {
  defaultValue: (): Duration.DurationInput => "1 second"
}) {}

/** Reserved in the context of every partitioned step: its plan. */
export const planKey: ExecutionContext.Key<number> = ExecutionContext.key("batch.partition.plan", Schema.Int)

export const runPartitionStep = (state: StepState, body: PartitionBody): Erased<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const { definition, session } = state
    if (isPartition(session.execution)) {
      return yield* new NestedPartition({ step: definition.name, jobName: session.execution.instance.jobName })
    }
    const plan = yield* planned(state, body)
    const outcome = yield* Effect.scoped(manage(state, body, plan))
    if (outcome.status === "COMPLETED" && body.collect !== undefined) {
      yield* body.collect(yield* results(state, body, plan))
    }
    advance(state, Progress.count, yield* countPartitions(state))
    yield* finish(state, () => ({}))
    return outcome
  })

/** The sums over all partitions, whichever execution each ended in: also for a step whose work had ended before (PART-6, OWN-4). */
export const countPartitions = (state: StepState): Erased<Counts.Counts> =>
  Effect.gen(function*() {
    const { session } = state
    const planId = yield* ExecutionContext.get(state.progress.context, planKey)
    return Option.isNone(planId)
      ? Counts.empty
      : yield* saving(session, session.repository.partitions.counts(planId.value))
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/**
 * The plan that this step, or the one that it goes on from, has stored; else a new one. Which plan it is stands in the context
 * before there is one, so a process that dies in between has planned nothing (PART-10).
 */
const planned = (state: StepState, body: PartitionBody): Erased<PartitionPlan> =>
  Effect.gen(function*() {
    const { definition: { name: stepName }, session } = state
    const { partitions } = session.repository
    const stepExecutionId = state.progress.step.id
    const known = yield* keptPlan(state, body)
    if (Option.isNone(known)) {
      advance(state, Progress.changeContext, ExecutionContext.unsafeSet(planKey, stepExecutionId))
      advance(state, Progress.changeContext, ExecutionContext.remove(Telling.toldKey))
      yield* finish(state, () => ({}))
    }
    const id = Option.getOrElse(known, () => stepExecutionId)
    const { fingerprint } = body
    const witness = yield* Running.witness
    const resume = saving(session, partitions.resume(owned(session), { id, stepExecutionId, fingerprint }, witness))
    const stored = yield* resume
    if (Option.isSome(stored)) {
      yield* partitions.wake(0)
      return stored.value
    }
    const planned = yield* encode(stepName, body, (yield* body.plan) as ReadonlyArray<Planned<unknown>>)
    // One that was stored, but not answered, is found when it is tried again, or refused when it comes true at that very moment.
    yield* saving(
      session,
      Effect.flatMap(partitions.find(id), (found) =>
        Option.isSome(found)
          ? Effect.void
          : Effect.catchIf(
            partitions.plan(owned(session), { id, stepName, fingerprint }, planned),
            (error) => error._tag === "JobRepositoryError" && error.reason === "conflict",
            () => Effect.void
          ))
    )
    yield* partitions.wake(0)
    return Option.getOrThrow(yield* resume)
  })

/**
 * The plan that the step goes on with. None when there is none, and when it is to be made anew: then what the old one left
 * unfinished is given up, if the step says so, and refused otherwise.
 */
const keptPlan = (state: StepState, body: PartitionBody): Erased<Option.Option<number>> =>
  Effect.gen(function*() {
    const { definition: { name: step }, session } = state
    const { partitions } = session.repository
    const known = yield* ExecutionContext.get(state.progress.context, planKey)
    if (body.restart === "keep" || Option.isNone(known)) {
      return known
    }
    const plan = yield* saving(session, partitions.find(known.value))
    if (Option.isNone(plan)) {
      return known
    }
    const witness = yield* Running.witness
    // What somebody was just taking for the old execution runs from then on, and nothing else is begun. Nobody runs the plan meanwhile.
    yield* saving(session, partitions.close(known.value, plan.value.executionId))
    // Leases that nobody can believe keep a plan no longer than a launch (OWN-20).
    yield* saving(session, partitions.putUp(known.value, witness))
    const tally = yield* saving(session, partitions.tally(known.value, witness))
    if (Decision.replanOf(body.restart, tally) === "Refuse") {
      const [first] = yield* saving(
        session,
        partitions.list(known.value, witness, { standings: Decision.UNFINISHED, limit: 1 })
      )
      return yield* new ReplanRefused({
        step,
        unfinished: Decision.unfinished(tally),
        running: tally.running,
        total: Decision.total(tally),
        first: first?.name ?? ""
      })
    }
    yield* abandonUnfinished(state, known.value)
    return Option.none()
  })

const abandonUnfinished = ({ session }: StepState, planId: number): Effect.Effect<void, OwnerFailure> =>
  Effect.gen(function*() {
    const { partitions } = session.repository
    const witness = yield* Running.witness
    let after = -1
    while (true) {
      const page = yield* saving(
        session,
        partitions.list(planId, witness, { standings: Decision.UNFINISHED, after, limit: PAGE })
      )
      for (const { executionId, exitCode } of page) {
        if (Option.isSome(executionId)) {
          const end = { status: "ABANDONED", exitCode, message: "Given up for a new plan of its step" } as const
          yield* Effect.ignore(saving(session, session.repository.close(executionId.value, end)))
        }
      }
      if (page.length < PAGE) {
        return
      }
      after = page[page.length - 1]!.ordinal
    }
  })

/** Runs until nothing runs and nothing may be begun. */
const manage = (
  state: StepState,
  body: PartitionBody,
  plan: PartitionPlan
): Erased<Outcome, OwnerFailure | EngineFailure, Scope.Scope> =>
  Effect.gen(function*() {
    const { session } = state
    const { partitions } = session.repository
    const tellListeners = Telling.make(state, plan)
    const save = <A>(write: Effect.Effect<A, OwnerFailure>) => saving(session, write)
    const witness = yield* Running.witness
    const pool = yield* Slots.makePool(body.concurrency)
    const source: Source = {
      repository: session.repository,
      plan,
      body,
      // Whom nobody asked to stop was left by a step that has lost its own execution, or failed.
      run: (job, execution) =>
        session.runClaimed(job, execution, { handsOver: (isAsked) => !isAsked && !isStopping(state) }),
      isStopping: () => isStopping(state),
      save
    }
    const next = (tally: Decision.Tally) =>
      Decision.next(tally, { stopRequested: isStopping(state), isOpen: Decision.staysOpen(tally, body.onFailure) })
    let begins = true
    while (true) {
      if (begins) {
        yield* Slots.fill(pool, Slots.work(source))
      }
      begins = false
      // Seen before anything is asked: a slot that ends while the answers are on their way is not waited for in vain.
      const isBusy = pool.active > 0
      // What the glance does not see keeps nobody from looking again; what it sees keeps the step from its end.
      if (
        !isBusy && next(yield* save(partitions.glance(plan.id, witness))) === "End" &&
        next(yield* save(partitions.tally(plan.id, witness))) === "End"
      ) {
        // Nobody begins anything behind this. What was just being taken counts.
        yield* save(partitions.close(plan.id, session.execution.id))
        const tally = yield* save(partitions.tally(plan.id, witness))
        if (next(tally) === "End") {
          const outcome = yield* conclude(state, plan, tally)
          yield* tellListeners
          return outcome
        }
      }
      yield* isStopping(state) ? stopAll(state, plan) : Effect.void
      const { failure } = pool
      if (failure !== undefined) {
        return yield* failure
      }
      const woken = yield* wait(state, plan, isBusy ? Option.some(pool) : Option.none())
      yield* tellListeners
      if (woken === "looked") {
        yield* save(partitions.putUp(plan.id, witness))
        // Also what somebody else has put up, or was taking, and then died.
        begins = true
      }
    }
  })

/** Until all slots of a busy pool have ended, somebody hints at a change or it is time to look, or a stop is requested. */
const wait = (state: StepState, plan: PartitionPlan, busy: Option.Option<Pool>): Effect.Effect<"ended" | "looked"> =>
  Effect.gen(function*() {
    const { session } = state
    const stopped = isStopping(state) ? forever : awaitStop(session)
    const looked = Effect.raceFirst(
      session.repository.partitions.awaken(plan.id),
      Effect.flatMap(Poll, (poll) => Effect.sleep(poll))
    )
    const changed = Effect.as(Effect.raceFirst(looked, stopped), "looked" as const)
    return yield* Option.match(busy, {
      onNone: () => changed,
      onSome: (pool) => Effect.raceFirst(changed, Effect.as(Slots.awaitIdle(pool), "ended" as const))
    })
  })

/** Not `Effect.never`, which keeps a timer, and with it the process, for as long as anybody waits. */
const forever: Effect.Effect<never> = Effect.async<never>(() => {})

/** Passes the request to stop to every partition that runs, wherever that is (D16). */
const stopAll = ({ session }: StepState, plan: PartitionPlan): Effect.Effect<void, OwnerFailure> =>
  Effect.gen(function*() {
    const witness = yield* Running.witness
    const running = yield* saving(
      session,
      session.repository.partitions.list(plan.id, witness, { standings: ["running"], limit: Number.MAX_SAFE_INTEGER })
    )
    const going = running.filter(({ status }) => !Option.contains(status, "STOPPING"))
    yield* Effect.forEach(
      going,
      ({ executionId }) => Effect.ignore(Running.stop(Option.getOrThrow(executionId))),
      { discard: true }
    )
  }).pipe(Effect.provideService(JobRepository, session.repository))

/** What the partitions came to. Executions whose process is gone, and which nobody takes any more, are closed. */
const conclude = (
  state: StepState,
  plan: PartitionPlan,
  tally: Decision.Tally
): Effect.Effect<Outcome, OwnerFailure> =>
  Effect.gen(function*() {
    const { repository } = state.session
    const witness = yield* Running.witness
    const bad = tally.failed + tally.waiting + tally.unknown === 0
      ? []
      : yield* saving(
        state.session,
        repository.partitions.list(plan.id, witness, {
          standings: ["failed", "unknown", "waiting"],
          limit: Number.MAX_SAFE_INTEGER
        })
      )
    for (const { executionId, status } of bad) {
      if (Option.isSome(executionId) && Option.exists(status, BatchStatus.isRunning)) {
        yield* Effect.ignore(saving(state.session, repository.close(executionId.value, DIED)))
      }
    }
    const first = bad.find(({ standing }) => standing !== "waiting")
    return Decision.outcomeOf(state.definition.name, tally, {
      stopRequested: isStopping(state),
      blamed: first === undefined ? undefined : {
        name: first.name,
        executionId: Option.getOrUndefined(first.executionId),
        message: first.message === "" ? first.exitCode : first.message
      }
    })
  })

const DIED = {
  status: "FAILED",
  exitCode: "OWNER_DIED",
  message: "The process that ran it died without a word; a restart goes on from the last commit"
} as const

/** What completed partitions gave, in the order of the plan. */
const results = (state: StepState, body: PartitionBody, plan: PartitionPlan): Erased<ReadonlyArray<Result<unknown>>> =>
  Effect.gen(function*() {
    const key = resultKey(body.result ?? Schema.Unknown)
    const found: Array<Result<unknown>> = []
    let after = -1
    while (true) {
      const page = yield* saving(
        state.session,
        state.session.repository.partitions.contexts(plan.id, { after, limit: PAGE })
      )
      for (const { context, name } of page) {
        const read = yield* Effect.mapError(
          ExecutionContext.fromJson(context),
          (detail) => new JobRepositoryError({ operation: "collect", reason: "data", detail })
        )
        found.push({ name, value: yield* ExecutionContext.get(read, key) })
      }
      if (page.length < PAGE) {
        return found
      }
      after = page[page.length - 1]!.ordinal
    }
  })

const PAGE = 1000
