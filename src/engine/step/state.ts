/**
 * One running step execution: its counts and contexts, and the one way in which they become durable.
 *
 * Whatever code inside the step changes (counts, step context, job context) is kept apart until the transaction of
 * the chunk or tasklet call commits, and is forgotten when it rolls back (CTX-9).
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Option from "effect/Option"
import type { Json } from "../../base/json.js"
import type { StepDefinition } from "../../definition/tree.js"
import type { OwnerFailure } from "../../ports/JobRepository.js"
import { JobScope } from "../../ports/JobScope.js"
import type * as Sealed from "../../ports/pipelining.js"
import { StepScope } from "../../ports/StepScope.js"
import { TransactionError } from "../../vocabulary/BatchError.js"
import * as BatchStatus from "../../vocabulary/BatchStatus.js"
import * as Counts from "../../vocabulary/Counts.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import { Fatal } from "../../vocabulary/failure.js"
import type { StepExecution } from "../../vocabulary/StepExecution.js"
import * as FaultPoint from "../session/faultPoint.js"
import { saving } from "../session/saving.js"
import type { Session } from "../session/session.js"
import { noteStatus } from "../session/session.js"
import { hasAdvanced, hasHappened, mayHaveCommitted } from "./doubt.js"
import type { Hooks } from "./hooks.js"

type Change = (context: ExecutionContext.ExecutionContext) => ExecutionContext.ExecutionContext

export interface StepState {
  readonly session: Session
  readonly definition: StepDefinition
  readonly hooks: Hooks
  /** As stored by the last commit. */
  step: StepExecution
  /** Counted since then. */
  pending: Counts.Counts
  /** Counted too, but only a later commit makes it durable: it belongs to items that wait for their transaction. */
  held: Counts.Counts
  /** A commit that nobody could tell yet whether it happened. Until then nothing may be saved over it. */
  doubt: Doubt | undefined
  /** What the step becomes if the message that is on its way is answered as hoped. */
  sent: StepExecution | undefined
  context: ExecutionContext.ExecutionContext
  jobChanges: ReadonlyArray<Change>
  /** Whether this step holds the lock of the job's context. */
  writesJobContext: boolean
  /** What code in the step made of the exit status and the batch status. */
  exitStatus: ExitStatus.ExitStatus
  status: BatchStatus.BatchStatus
  terminateOnly: boolean
}

export const make = (
  session: Session,
  definition: StepDefinition,
  hooks: Hooks,
  step: StepExecution
): StepState => ({
  session,
  definition,
  hooks,
  step,
  pending: Counts.empty,
  held: Counts.empty,
  doubt: undefined,
  sent: undefined,
  context: step.context,
  jobChanges: [],
  writesJobContext: false,
  exitStatus: ExitStatus.EXECUTING,
  status: "STARTED",
  terminateOnly: false
})

export const isStopping = (state: StepState): boolean => state.terminateOnly || state.session.stopRequested

export const count = (state: StepState, counts: Partial<Counts.Counts>): void => {
  state.pending = Counts.add(state.pending, Counts.make(counts))
}

/** The execution as code inside the step sees it. */
export const current = (state: StepState): StepExecution => ({
  ...state.step,
  counts: Counts.add(Counts.add(state.step.counts, state.pending), state.held),
  context: state.context
})

/** What a transaction made of the step: where it is, what it counted, and what counts only later. */
export interface Work {
  readonly checkpoint: Option.Option<Json>
  readonly counts: Partial<Counts.Counts>
  readonly held?: Counts.Counts | undefined
}

/** What follows a transaction before anything else can: not even an interruption comes between. */
export interface Ends<A> {
  readonly committed: () => Effect.Effect<A, any, any>
  readonly rolledBack: (cause: Cause.Cause<unknown>) => Effect.Effect<void>
}

/**
 * Runs the work and, as the last statement, saves what the step has become, in one transaction. Nothing of the step
 * changes unless the transaction commits; a commit whose outcome got lost is looked up before it counts as failed.
 */
export const commit = <A, E, R>(
  state: StepState,
  work: Effect.Effect<Work, E, R>,
  ends: Ends<A>
): Effect.Effect<A, any, any> =>
  concluding(state, ends, (attempting) => {
    const { definition, session } = state
    const saved = Effect.flatMap(work, (done) => {
      const stored = Effect.mapError(save(state, attempting(done)), bookkeeping)
      return session.faults === undefined
        ? stored
        : Effect.zipRight(FaultPoint.hit(session, "beforeCheckpoint"), stored)
    })
    return session.transactor.transact(saved, definition.settings.transaction)
  })

/** Who commits a step in one message: the transactor and the repository, if they speak to the same database. */
export interface Sealing {
  readonly lane: Sealed.Lane
  readonly saveStep: Sealed.SaveStep
}

/** The same for work that only has to be sent: it travels with the record of the step. */
export const commitSealed = <A, E, R>(
  state: StepState,
  { lane, saveStep }: Sealing,
  work: Effect.Effect<Work & { readonly write: Sealed.Sealed<unknown, any> | undefined }, E, R>,
  ends: Ends<A>
): Effect.Effect<A, any, any> =>
  concluding(state, ends, (attempting) =>
    Effect.flatMap(work, (done) => {
      const attempted = attempting(done)
      return Effect.flatMap(saveStep.seal(state.session.execution, attempted, state.step), (save) => {
        const saved = {
          ...save,
          answer: (row: ReadonlyArray<string | null> | undefined) => Either.mapLeft(save.answer(row), bookkeeping),
          refused: (error: unknown) => bookkeeping(save.refused(error))
        }
        state.sent = attempted
        const answer: Effect.Effect<BatchStatus.BatchStatus, any> = lane.transact<any, any>(
          done.write === undefined ? [saved] : [done.write, saved]
        )
        return Effect.map(answer, (status) => noteStatus(state.session, status))
      })
    }))

/** For work that nobody else has to hear of. */
export const unnoticed: Ends<void> = { committed: () => Effect.void, rolledBack: () => Effect.void }

/** Saves the step as it is given, and the job's context if code in the step changed it. */
const save = (state: StepState, step: StepExecution): Effect.Effect<void, OwnerFailure> => {
  const { session } = state
  const saveStep = Effect.map(
    session.repository.updateStepExecution(session.execution, step, state.step),
    (status) => noteStatus(session, status)
  )
  return state.jobChanges.length === 0
    ? saveStep
    : Effect.zipRight(
      lockJobContext(state),
      Effect.suspend(() =>
        Effect.zipRight(
          session.repository.updateJobExecution({ ...session.execution, context: jobContext(state) }),
          saveStep
        )
      )
    )
}

/**
 * Branches that run at the same time write the same row: each has to see what the others have committed, so that none
 * writes over it.
 */
const lockJobContext = (state: StepState): Effect.Effect<void> =>
  Effect.uninterruptibleMask((restore) =>
    state.writesJobContext ? Effect.void : Effect.map(restore(state.session.contextLock.take(1)), () => {
      state.writesJobContext = true
    })
  )

/** To be called when the transaction has ended. */
const unlockJobContext = (state: StepState): Effect.Effect<void> => {
  if (!state.writesJobContext) {
    return Effect.void
  }
  state.writesJobContext = false
  return Effect.asVoid(state.session.contextLock.release(1))
}

/**
 * Ends the step: everything that is still pending becomes part of it. If a commit is in doubt, this is decided first,
 * because saving the step from before that commit would have its items written again.
 */
export const finish = (state: StepState, changes: Partial<StepExecution>): Effect.Effect<void, OwnerFailure> =>
  Effect.flatMap(Effect.suspend(() => decideDoubt(state)), () => {
    const step = { ...current(state), ...changes }
    return Effect.map(saveLast(state, step, changes), (step) => {
      state.session.context = jobContext(state)
      state.jobChanges = []
      state.step = step
      state.pending = Counts.empty
      state.held = Counts.empty
    })
  }).pipe(Effect.ensuring(Effect.suspend(() => unlockJobContext(state))))

export const services = (state: StepState): Context.Context<StepScope | JobScope> =>
  Context.make(StepScope, {
    execution: Effect.sync(() => current(state)),
    get: (key) => Effect.suspend(() => ExecutionContext.get(state.context, key)),
    set: (key, value) =>
      Effect.suspend(() =>
        Either.map(ExecutionContext.setEither(state.context, key, value), (context) => {
          state.context = context
        })
      ),
    remove: (key) =>
      Effect.sync(() => {
        state.context = ExecutionContext.remove(state.context, key)
      }),
    contribute: (counts) => Effect.sync(() => count(state, counts)),
    addExitStatus: (status) =>
      Effect.sync(() => {
        state.exitStatus = ExitStatus.and(state.exitStatus, status)
      }),
    upgradeStatus: (status) =>
      Effect.sync(() => {
        state.status = BatchStatus.upgradeTo(state.status, status)
      }),
    stopRequested: Effect.sync(() => isStopping(state)),
    requestStop: Effect.sync(() => {
      state.terminateOnly = true
    })
  }).pipe(Context.add(JobScope, {
    execution: Effect.sync(() => ({ ...state.session.execution, context: jobContext(state) })),
    get: (key) => Effect.suspend(() => ExecutionContext.get(jobContext(state), key)),
    set: (key, value) =>
      Effect.suspend(() =>
        Either.map(ExecutionContext.setEither(jobContext(state), key, value), () => {
          state.jobChanges = [...state.jobChanges, ExecutionContext.set(key, value)]
        })
      ),
    remove: (key) =>
      Effect.sync(() => {
        state.jobChanges = [...state.jobChanges, ExecutionContext.remove(key)]
      })
  }))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const jobContext = (state: StepState): ExecutionContext.ExecutionContext =>
  changed(state.jobChanges, state.session.context)

const changed = (changes: ReadonlyArray<Change>, context: ExecutionContext.ExecutionContext) =>
  changes.reduce((result, change) => change(result), context)

/**
 * Inside the transaction of a chunk, a bookkeeping statement that lost against another transaction says the same as a
 * commit that lost, and may be retried like one. Everything else is over.
 */
const bookkeeping = (error: OwnerFailure): Fatal | TransactionError =>
  error._tag === "JobRepositoryError" && error.reason === "transient"
    ? new TransactionError({ reason: "transient", phase: "body", cause: error })
    : new Fatal(error)

const fatal = (error: unknown): Fatal => new Fatal(error)

/** What the step becomes if a transaction commits. */
interface Doubt {
  readonly step: StepExecution
  readonly held: Counts.Counts
  readonly jobChanges: ReadonlyArray<Change>
}

/** Makes a transaction that has ended known, however it ended. `attempting` says what the step becomes if it commits. */
const concluding = <A>(
  state: StepState,
  { committed, rolledBack }: Ends<A>,
  transaction: (attempting: (done: Work) => StepExecution) => Effect.Effect<void, any, any>
): Effect.Effect<A, any, any> =>
  Effect.uninterruptibleMask((restore) => {
    const { context, jobChanges } = state
    let attempted: Doubt | undefined
    const attempting = (done: Work): StepExecution => {
      attempted = attempt(state, done)
      return attempted.step
    }
    const onSuccess = () => {
      state.sent = undefined
      adopt(state, attempted!)
      return state.writesJobContext ? Effect.zipRight(unlockJobContext(state), committed()) : committed()
    }
    const onFailure = (cause: Cause.Cause<unknown>) => {
      state.sent = undefined
      state.context = context
      state.jobChanges = jobChanges
      return Effect.zipRight(
        Effect.zipRight(unlockJobContext(state), rolledBack(cause)),
        Effect.failCause(cause)
      )
    }
    return Effect.matchCauseEffect(restore(transaction(attempting)), {
      onSuccess,
      onFailure: (cause) => {
        if (attempted === undefined || !mayHaveCommitted(cause)) {
          return onFailure(cause)
        }
        state.doubt = attempted
        return Effect.matchCauseEffect(Effect.mapError(saving(settle(state, attempted)), fatal), {
          onSuccess: (stored) => stored === undefined ? onFailure(cause) : onSuccess(),
          onFailure
        })
      }
    })
  })

const attempt = (state: StepState, { checkpoint, counts, held }: Work): Doubt => ({
  step: {
    ...state.step,
    counts: Counts.add(Counts.add(state.step.counts, state.pending), Counts.make(counts)),
    context: state.context,
    checkpoint
  },
  held: held ?? Counts.empty,
  jobChanges: state.jobChanges
})

const adopt = (state: StepState, { held, jobChanges, step }: Doubt): void => {
  state.session.context = changed(jobChanges, state.session.context)
  state.jobChanges = []
  state.step = step
  state.context = step.context
  state.pending = Counts.empty
  state.held = held
}

/** A commit that was looked up too early may have come true since: then the stored row is what the step has become. */
const saveLast = (
  state: StepState,
  step: StepExecution,
  changes: Partial<StepExecution>
): Effect.Effect<StepExecution, OwnerFailure> =>
  Effect.catchAll(Effect.as(save(state, step), step), (error) =>
    error._tag === "OwnershipLost"
      ? Effect.flatMap(state.session.repository.stepExecutions(step.jobExecutionId), (steps) => {
        const stored = steps.find(({ id, status }) => id === step.id && status === state.step.status)
        if (stored === undefined || !hasAdvanced(state.step, stored)) {
          return Effect.fail(error)
        }
        overtaken(state, stored)
        const last = { ...current(state), ...changes }
        return Effect.as(save(state, last), last)
      })
      : Effect.fail(error))

const overtaken = (state: StepState, { checkpoint, context, counts }: StepExecution): void => {
  state.step = { ...state.step, counts, checkpoint, context }
  state.context = context
  state.pending = Counts.empty
  state.held = Counts.empty
}

const decideDoubt = (state: StepState): Effect.Effect<void, OwnerFailure> => {
  const { doubt } = state
  return doubt === undefined ? Effect.void : Effect.map(settle(state, doubt), (stored) => {
    if (stored !== undefined) {
      adopt(state, doubt)
      overtaken(state, stored)
    }
  })
}

/**
 * A commit without an answer may have happened: the stored row tells (architecture §7). It may hold what was sent behind
 * that commit, too. Gives the row unless it is still that from before.
 */
const settle = (state: StepState, { step }: Doubt): Effect.Effect<StepExecution | undefined, OwnerFailure> =>
  Effect.map(state.session.repository.stepExecutions(step.jobExecutionId), (steps) => {
    const stored = steps.find(({ id }) => id === step.id)
    const before = state.step
    state.doubt = undefined
    return stored !== undefined &&
        hasHappened(before, step, stored)
      ? stored
      : undefined
  })
