/**
 * One running step execution, and the one way in which its progress becomes durable.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { StepDefinition } from "../../definition/tree.js"
import type { OwnerFailure } from "../../ports/JobRepository.js"
import { JobScope } from "../../ports/JobScope.js"
import type * as Pipelining from "../../ports/pipelining.js"
import { StepScope } from "../../ports/StepScope.js"
import { isEmpty } from "../../ports/Transactor.js"
import { TransactionError, type UnreadableContextKey } from "../../vocabulary/BatchError.js"
import type * as BatchStatus from "../../vocabulary/BatchStatus.js"
import { driverErrorOf } from "../../vocabulary/driverText.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import { Fatal } from "../../vocabulary/failure.js"
import type { StepExecution } from "../../vocabulary/StepExecution.js"
import * as FaultPoint from "../session/faultPoint.js"
import { saving } from "../session/saving.js"
import type { Session } from "../session/session.js"
import { decide, entryOf, jobContextName, noteStatus, owned, setContext, updated } from "../session/session.js"
import type { StepTelemetry } from "../session/telemetry.js"
import { hasAdvanced, hasHappened, isStored, mayHaveCommitted } from "./doubt.js"
import type { Engine, EngineFailure } from "./engine.js"
import type { Hooks } from "./hooks.js"
import type { JobContextLock } from "./jobContextLock.js"
import * as Lock from "./jobContextLock.js"
import type { Candidate, CommitRecord } from "./progress.js"
import * as Progress from "./progress.js"

export interface StepState {
  readonly session: Session
  readonly definition: StepDefinition
  readonly hooks: Hooks
  readonly telemetry: StepTelemetry
  /** Replaced as a whole, by `advance` only. */
  progress: Progress.Progress
}

export const make = (
  session: Session,
  definition: StepDefinition,
  hooks: Hooks,
  step: StepExecution,
  telemetry: StepTelemetry
): StepState => ({ session, definition, hooks, telemetry, progress: Progress.make(step) })

/** What an event makes of the step: `advance(state, Progress.count, { read: 3 })`. */
export const advance = <Args extends ReadonlyArray<unknown>>(
  state: StepState,
  event: (progress: Progress.Progress, ...args: Args) => Progress.Progress,
  ...args: Args
): void => {
  state.progress = event(state.progress, ...args)
}

export const isStopping = ({ progress, session }: StepState): boolean => progress.stopRequested || session.stopRequested

/** The exit code of a step that completes without another one, or what its definition threw when it was asked. */
export const completedCode = ({ definition }: StepState, step: StepExecution): Either.Either<string, unknown> => {
  const { exitCode } = definition.settings
  return exitCode === undefined
    ? Either.right("COMPLETED")
    : Either.try({ try: () => exitCode.decide(step), catch: (defect) => defect })
}

/** The execution as code inside the step sees it. */
export const current = ({ progress }: StepState): StepExecution => Progress.current(progress)

/** What follows a transaction before anything else can: not even an interruption comes between. */
export interface Ends<A> {
  readonly committed: () => Engine<A>
  readonly rolledBack: (cause: Cause.Cause<unknown>) => Effect.Effect<void>
}

/**
 * Runs the work and, as the last statement, saves what the step has become, in one transaction. Nothing of the step
 * changes unless the transaction commits; a commit whose outcome got lost is looked up before it counts as failed.
 *
 * Where the work did nothing to the database there is no transaction: the record of the step is one statement, which needs none,
 * and is tried again for as long as what ends a step (OWN-21).
 */
export const commit = <A, E>(
  state: StepState,
  work: Engine<CommitRecord, E>,
  ends: Ends<A>
): Engine<A, E | EngineFailure> =>
  concluding(state, ends, (propose, lock) => {
    const { definition, session } = state
    const saved = Effect.flatMap(work, (done) =>
      Effect.flatMap(isEmpty(session.transactor), (empty) => {
        const step = propose(done)
        return empty && state.progress.jobChanges.length === 0
          ? Effect.succeed(Option.some(step))
          : Effect.as(saveInside(state, lock, step), Option.none())
      }))
    return Effect.flatMap(session.transactor.transact(saved, definition.settings.transaction), (left) =>
      Option.isNone(left)
        ? Effect.void
        : FaultPoint.around(session, "beforeCheckpoint", saveAlone(state, lock, left.value)))
  })

/** Who commits a step in one message: the transactor and the repository, if they speak to the same database. */
export interface PipelinedCommit<out F = never> {
  readonly connection: Pipelining.PipelineConnection<F>
  readonly save: Pipelining.PipelinedSave
}

/** The same for work that only has to be sent: it travels with the record of the step. */
export const commitPipelined = <A, E, F>(
  state: StepState,
  { connection, save }: PipelinedCommit<F>,
  work: Engine<CommitRecord & { readonly write: Pipelining.Pipelined<unknown, E> | undefined }, E>,
  ends: Ends<A>
): Engine<A, E | F | EngineFailure> =>
  concluding(state, ends, (propose) =>
    Effect.flatMap(work, (done) => {
      const { session } = state
      const step = propose(done)
      return Effect.flatMap(save.encode(owned(session), step, state.progress.step), (encoded) => {
        advance(state, Progress.send, step)
        const answer = connection.transact<BatchStatus.BatchStatus, E | EngineFailure>(
          done.write === undefined ? [] : [done.write],
          {
            commands: encoded.commands,
            answer: (row) => Either.mapLeft(encoded.answer(row), bookkeeping),
            refused: (error) => bookkeeping(encoded.refused(error))
          }
        )
        return Effect.map(answer, (status) => noteStatus(session, status))
      })
    }))

/** For work that nobody else has to hear of. */
export const unnoticed: Ends<void> = { committed: () => Effect.void, rolledBack: () => Effect.void }

/** What the end of a step changes, given what the step has become, a commit included whose answer was lost. */
export type Changes = (step: StepExecution) => Partial<StepExecution>

/**
 * Ends the step: everything that is not committed becomes part of it. If a commit is in doubt, this is decided first,
 * because saving the step from before that commit would have its items written again. It waits for a database that is away.
 */
export const finish = (state: StepState, changes: Changes): Effect.Effect<void, OwnerFailure> =>
  saving(
    state.session,
    Effect.suspend(() => {
      const lock = Lock.make(state.session.contextLock)
      return Effect.flatMap(decideDoubt(state), () => {
        return Effect.map(saveLast(state, lock, changes), (step) => {
          takeOverJobContext(state, state.progress)
          state.session.undecided.delete(step.id)
          advance(state, Progress.finish, step)
          state.telemetry.stored(step.counts)
        })
      }).pipe(Effect.ensuring(Effect.suspend(() => lock.release() ?? Effect.void)))
    })
  )

export const services = (state: StepState): Context.Context<StepScope | JobScope> => {
  const inStep = entryOf(() => `the context of step "${state.definition.name}"`)
  const inJob = entryOf(() => jobContextName(state.session))
  return Context.make(StepScope, {
    execution: Effect.sync(() => current(state)),
    get: (key) => Effect.suspend(() => inStep(ExecutionContext.get(state.progress.context, key))),
    set: (key, value) => changed(state, (context) => inStep(ExecutionContext.set(context, key, value))),
    update: (key, f) => changed(state, (context) => inStep(updated(context, key, f))),
    remove: (key) => Effect.sync(() => advance(state, Progress.changeContext, ExecutionContext.remove(key))),
    contribute: (counts) => Effect.sync(() => advance(state, Progress.count, counts)),
    addExitStatus: (status) => Effect.sync(() => advance(state, Progress.addExitStatus, status)),
    upgradeStatus: (status) => Effect.sync(() => advance(state, Progress.upgradeStatus, status)),
    stopRequested: Effect.sync(() => isStopping(state)),
    requestStop: Effect.sync(() => advance(state, Progress.requestStop))
  }).pipe(Context.add(JobScope, {
    execution: Effect.sync(() => ({ ...state.session.execution, context: jobContext(state) })),
    get: (key) => Effect.suspend(() => inJob(ExecutionContext.get(jobContext(state), key))),
    set: (key, value) =>
      Effect.suspend(() =>
        Either.map(
          inJob(ExecutionContext.set(jobContext(state), key, value)),
          () => advance(state, Progress.changeJobContext, ExecutionContext.unsafeSet(key, value))
        )
      ),
    update: (key, f) =>
      Effect.suspend(() =>
        Either.map(inJob(updated(jobContext(state), key, f)), () =>
          advance(
            state,
            Progress.changeJobContext,
            (context) => Either.getOrThrowWith(updated(context, key, f), (error) => error)
          ))
      ),
    remove: (key) => Effect.sync(() => advance(state, Progress.changeJobContext, ExecutionContext.remove(key)))
  }))
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/**
 * Changes the context of the step. What a chunk that is written beside this one has made of it may still come in between:
 * then the change is made once more on top of that, or stays what it was if it cannot be.
 */
const changed = (
  state: StepState,
  change: (
    context: ExecutionContext.ExecutionContext
  ) => Either.Either<ExecutionContext.ExecutionContext, UnreadableContextKey>
): Effect.Effect<void, UnreadableContextKey> =>
  Effect.suspend(() =>
    Either.map(change(state.progress.context), (context) =>
      advance(
        state,
        Progress.changeContext,
        (other) => Either.getOrElse(change(other), () => other),
        context
      ))
  )

const jobContext = ({ progress, session }: StepState): ExecutionContext.ExecutionContext =>
  Progress.jobContext(progress, session.context)

/** What a transaction changed in the job's context is there for all who come after. */
const takeOverJobContext = ({ session }: StepState, changes: Pick<Candidate, "jobChanges">): void =>
  setContext(session, Progress.jobContext(changes, session.context))

const saveInside = (state: StepState, lock: JobContextLock, step: StepExecution): Engine<void, EngineFailure> =>
  FaultPoint.around(state.session, "beforeCheckpoint", Effect.mapError(save(state, lock, step), bookkeeping))

/**
 * What was stored without an answer is found when it is tried again. An interruption waits for the end of what was sent: to look
 * it up before would take it for rolled back, and it would come true behind that.
 */
const saveAlone = (state: StepState, lock: JobContextLock, step: StepExecution): Engine<void, EngineFailure> => {
  const { repository } = state.session
  let sent: Fiber.Fiber<void, OwnerFailure> | undefined
  const saved = Effect.catchTag(
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.forkDaemon(Effect.interruptible(save(state, lock, step))), (fiber) => {
        sent = fiber
        return restore(Fiber.join(fiber))
      })
    ),
    "OwnershipLost",
    (error) =>
      Effect.flatMap(
        repository.stepExecutions(step.jobExecutionId),
        (steps) =>
          steps.some((stored) => stored.id === step.id && isStored(step, stored)) ? Effect.void : Effect.fail(error)
      )
  )
  return Effect.mapError(
    Effect.onInterrupt(saving(state.session, saved), () => sent === undefined ? Effect.void : Fiber.interrupt(sent)),
    (error) =>
      error._tag === "JobRepositoryError" && error.reason === "transient"
        ? new TransactionError({ reason: error.reason, phase: "commit", cause: error })
        : new Fatal(error)
  )
}

/** Saves the step as it is given, and the job's context if code in the step changed it. */
const save = (
  state: StepState,
  lock: JobContextLock,
  step: StepExecution,
  savesJob = state.progress.jobChanges.length > 0
): Effect.Effect<void, OwnerFailure> => {
  const { progress, session } = state
  const saveStep = Effect.map(
    session.repository.updateStepExecution(owned(session), step, progress.step),
    (status) => noteStatus(session, status)
  )
  return !savesJob
    ? saveStep
    : Effect.zipRight(
      lock.take(),
      Effect.suspend(() =>
        Effect.zipRight(
          session.repository.updateJobExecution(owned(session, { context: jobContext(state) })),
          saveStep
        )
      )
    )
}

/**
 * Inside the transaction of a chunk, a bookkeeping statement that lost against another transaction says the same as a
 * commit that lost, and may be retried like one. One that met a transaction which had failed before is not to blame: code of
 * the step caught the error of a statement. Everything else is over.
 */
const bookkeeping = (error: OwnerFailure): Fatal | TransactionError => {
  if (error._tag !== "JobRepositoryError") {
    return new Fatal(error)
  }
  const { cause, reason } = error
  return reason === "transient"
    ? new TransactionError({ reason, phase: "body", cause: error })
    : driverErrorOf(cause)?.code === FAILED_BEFORE
    ? new Fatal(new TransactionError({ reason, phase: "body", sqlState: FAILED_BEFORE, cause }))
    : new Fatal(error)
}

/** The SQLSTATE of a transaction that takes no more statements. */
const FAILED_BEFORE = "25P02"

const fatal = (error: unknown): Fatal => new Fatal(error)

/** Makes a transaction that has ended known, however it ended. `propose` says what the step becomes if it commits. */
const concluding = <A, E>(
  state: StepState,
  { committed, rolledBack }: Ends<A>,
  transaction: (
    propose: (done: CommitRecord) => StepExecution,
    lock: JobContextLock
  ) => Engine<void, E>
): Engine<A, E | EngineFailure> =>
  Effect.uninterruptibleMask((restore) => {
    const before = state.progress
    const lock = Lock.make(state.session.contextLock)
    let candidate: Candidate | undefined
    const propose = (done: CommitRecord): StepExecution => {
      candidate = Progress.candidate(state.progress, done)
      return candidate.step
    }
    const onSuccess = (): Engine<A, E | EngineFailure> => {
      takeOverJobContext(state, candidate!)
      state.session.undecided.delete(candidate!.step.id)
      advance(state, Progress.adopt, candidate!)
      state.telemetry.stored(state.progress.step.counts)
      const released = lock.release()
      return released === undefined ? committed() : Effect.zipRight(released, committed())
    }
    const onFailure = (cause: Cause.Cause<E | Fatal>): Engine<A, E | EngineFailure> => {
      advance(state, Progress.rollBack, before)
      return Effect.zipRight(
        Effect.zipRight(lock.release() ?? Effect.void, rolledBack(cause)),
        Effect.failCause(cause)
      )
    }
    return Effect.matchCauseEffect(restore(transaction(propose, lock)), {
      onSuccess,
      onFailure: (cause) => {
        if (candidate === undefined || !mayHaveCommitted(cause)) {
          return onFailure(cause)
        }
        putInDoubt(state, candidate)
        return Effect.matchCauseEffect(Effect.mapError(saving(state.session, lookUpCommit(state, candidate)), fatal), {
          onSuccess: (stored) => stored === undefined ? onFailure(cause) : onSuccess(),
          onFailure
        })
      }
    })
  })

/**
 * The answer to the commit was lost. It stays undecided until the step goes on from another one: a commit that was looked
 * up too early may come true, and if nobody can look it up while the step lives, the end of the job does.
 */
const putInDoubt = (state: StepState, candidate: Candidate): void => {
  const { progress: { step }, session } = state
  advance(state, Progress.putInDoubt, candidate)
  session.undecided.set(step.id, (stored) => {
    session.undecided.delete(step.id)
    if (hasHappened(step, candidate.step, stored)) {
      takeOverJobContext(state, candidate)
      advance(state, Progress.forgetJobChanges, candidate.jobChanges)
    }
  })
}

/** A commit that was looked up too early may have come true since: then the stored row is what the step has become. */
const saveLast = (
  state: StepState,
  lock: JobContextLock,
  changes: Changes
): Effect.Effect<StepExecution, OwnerFailure> => {
  const step = withChanges(state, changes)
  return Effect.catchAll(Effect.as(save(state, lock, step), step), (error) =>
    error._tag === "OwnershipLost"
      ? Effect.flatMap(state.session.repository.stepExecutions(step.jobExecutionId), (steps) => {
        const known = state.progress.step
        const stored = steps.find(({ id }) => id === step.id)
        if (stored !== undefined && isStored(step, stored)) {
          return Effect.succeed(step)
        }
        if (stored === undefined || !hasAdvanced(known, stored)) {
          return Effect.fail(error)
        }
        // The job's context was saved above as it was without that commit.
        const savesJob = state.progress.jobChanges.length > 0
        decide(state.session, stored)
        advance(state, Progress.overtake, stored)
        const last = withChanges(state, changes)
        return Effect.as(save(state, lock, last, savesJob), last)
      })
      : Effect.fail(error))
}

const withChanges = (state: StepState, changes: Changes): StepExecution => {
  const step = current(state)
  return { ...step, ...changes(step) }
}

const decideDoubt = (state: StepState): Effect.Effect<void, OwnerFailure> => {
  const { doubt } = state.progress
  return doubt === undefined ? Effect.void : Effect.map(lookUpCommit(state, doubt), (stored) => {
    if (stored !== undefined) {
      decide(state.session, stored)
      advance(state, Progress.adopt, doubt)
      advance(state, Progress.overtake, stored)
      state.telemetry.stored(stored.counts)
    }
  })
}

/**
 * A commit without an answer may have happened: the stored row tells (architecture §7). It may hold what was sent behind
 * that commit, too. Gives the row unless it is still that from before.
 */
const lookUpCommit = (state: StepState, { step }: Candidate): Effect.Effect<StepExecution | undefined, OwnerFailure> =>
  Effect.map(state.session.repository.stepExecutions(step.jobExecutionId), (steps) => {
    const stored = steps.find(({ id }) => id === step.id)
    const before = state.progress.step
    advance(state, Progress.clearDoubt)
    return stored !== undefined && hasHappened(before, step, stored) ? stored : undefined
  })
