/**
 * How far a running step has come, as a value: what its last commit stored, what was counted and changed since then, and
 * what every event makes of that. Pure.
 *
 * Whatever code inside the step changes (counts, step context, job context) is kept apart until the transaction of the
 * chunk or tasklet call commits, and is forgotten when it rolls back (CTX-9).
 */
import type * as Option from "effect/Option"
import type { Json } from "../../base/json.js"
import * as BatchStatus from "../../vocabulary/BatchStatus.js"
import * as Counts from "../../vocabulary/Counts.js"
import type * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import type { StepExecution } from "../../vocabulary/StepExecution.js"

/** A change of a context. It is kept as a function where somebody else may change that context as well. */
export type ContextChange = (context: ExecutionContext.ExecutionContext) => ExecutionContext.ExecutionContext

export interface Progress {
  /** As stored by the last commit. */
  readonly step: StepExecution
  /** Counted since then. */
  readonly uncommitted: Counts.Counts
  /** Counted too, but a later transaction makes it durable: it belongs to items that still wait for theirs. */
  readonly awaitingCommit: Counts.Counts
  /** A commit of which nobody can tell yet whether it happened. Until that is known nothing may be saved over it. */
  readonly doubt: Candidate | undefined
  /** What the step becomes if the message that is under way is answered as hoped. */
  readonly sent: StepExecution | undefined
  readonly context: ExecutionContext.ExecutionContext
  /** What was done to the context, while chunks are written beside the next one. */
  readonly contextChanges: ContextChanges
  readonly jobChanges: ReadonlyArray<ContextChange>
  /** What code in the step made of the exit status and of the batch status. */
  readonly exitStatus: ExitStatus.ExitStatus
  readonly status: BatchStatus.BatchStatus
  /** Whether code in the step asked it to stop. */
  readonly stopRequested: boolean
}

/** The changes from one on; those `before` are in the context for good. */
export interface ContextChanges {
  readonly before: number
  readonly made: ReadonlyArray<ContextChange>
}

/** Of a step that does one thing after the other. */
export const notKept: ContextChanges = { before: 0, made: [] }

/** What a transaction did: where the step is, what it counted, and what counts only with a later one. */
export interface CommitRecord {
  readonly checkpoint: Option.Option<Json>
  readonly counts: Partial<Counts.Counts>
  readonly awaitingCommit?: Counts.Counts | undefined
}

/** What the step becomes if a transaction commits. */
export interface Candidate {
  readonly step: StepExecution
  readonly awaitingCommit: Counts.Counts
  readonly jobChanges: ReadonlyArray<ContextChange>
}

export const make = (step: StepExecution): Progress => ({
  step,
  uncommitted: Counts.empty,
  awaitingCommit: Counts.empty,
  doubt: undefined,
  sent: undefined,
  context: step.context,
  contextChanges: notKept,
  jobChanges: [],
  exitStatus: ExitStatus.EXECUTING,
  status: "STARTED",
  stopRequested: false
})

// -------------------------------------------------------------------------------------
// views
// -------------------------------------------------------------------------------------

/** The execution as code inside the step sees it. */
export const current = ({ awaitingCommit, context, step, uncommitted }: Progress): StepExecution => ({
  ...step,
  counts: Counts.add(Counts.add(step.counts, uncommitted), awaitingCommit),
  context
})

/** How many transactions have rolled back so far. */
export const rollbacks = ({ step, uncommitted }: Progress): number => step.counts.rollback + uncommitted.rollback

/** The job's context with the changes of this step. */
export const jobContext = (
  { jobChanges }: Pick<Progress, "jobChanges">,
  stored: ExecutionContext.ExecutionContext
): ExecutionContext.ExecutionContext => jobChanges.reduce((context, change) => change(context), stored)

/** What the step becomes if a transaction commits that did this. */
export const candidate = (self: Progress, { awaitingCommit, checkpoint, counts }: CommitRecord): Candidate => ({
  step: saved(
    self,
    Counts.add(Counts.add(self.step.counts, self.uncommitted), Counts.make(counts)),
    checkpoint
  ),
  awaitingCommit: awaitingCommit ?? Counts.empty,
  jobChanges: self.jobChanges
})

// -------------------------------------------------------------------------------------
// what code inside the step does
// -------------------------------------------------------------------------------------

export const count = (self: Progress, counts: Partial<Counts.Counts>): Progress =>
  set(self, {
    uncommitted: Counts.add(self.uncommitted, Counts.make(counts))
  })

/** Forgets what was counted for work that was not committed, but for its rollbacks (OWN-9). */
export const forgetUncommitted = (self: Progress): Progress =>
  set(self, {
    uncommitted: Counts.make({ rollback: self.uncommitted.rollback }),
    awaitingCommit: Counts.empty
  })

/** Replaces what is shown of items that still wait for their transaction. */
export const showAwaiting = (self: Progress, awaitingCommit: Counts.Counts): Progress => set(self, { awaitingCommit })

/** Changes the context to what the change has made of it. */
export const changeContext = (
  self: Progress,
  change: ContextChange,
  context: ExecutionContext.ExecutionContext = change(self.context)
): Progress =>
  set(self, {
    context,
    contextChanges: self.contextChanges === notKept
      ? notKept
      : { before: self.contextChanges.before, made: [...self.contextChanges.made, change] }
  })

export const changeJobContext = (self: Progress, change: ContextChange): Progress =>
  set(self, {
    jobChanges: [...self.jobChanges, change]
  })

/** Combines the exit status with another one (EXIT-4). */
export const addExitStatus = (self: Progress, status: ExitStatus.ExitStatus): Progress =>
  set(self, {
    exitStatus: ExitStatus.and(self.exitStatus, status)
  })

export const setExitStatus = (self: Progress, exitStatus: ExitStatus.ExitStatus): Progress => set(self, { exitStatus })

/** Raises the status, and never lowers it (ENUM-5). */
export const upgradeStatus = (self: Progress, status: BatchStatus.BatchStatus): Progress =>
  set(self, {
    status: BatchStatus.upgradeTo(self.status, status)
  })

export const setStatus = (self: Progress, status: BatchStatus.BatchStatus): Progress => set(self, { status })

export const requestStop = (self: Progress): Progress => set(self, { stopRequested: true })

// -------------------------------------------------------------------------------------
// transactions
// -------------------------------------------------------------------------------------

/** A message is under way that makes this of the step. */
export const send = (self: Progress, sent: StepExecution): Progress => set(self, { sent })

/** The transaction has committed. */
export const adopt = (self: Progress, { awaitingCommit, step }: Candidate): Progress =>
  set(self, {
    step,
    uncommitted: Counts.empty,
    awaitingCommit,
    sent: undefined,
    context: step.context,
    contextChanges: notKept,
    jobChanges: []
  })

/** The transaction has rolled back: the contexts are again what they were `before` it. What was counted stays. */
export const rollBack = (self: Progress, before: Progress): Progress =>
  set(self, {
    sent: undefined,
    context: before.context,
    contextChanges: before.contextChanges,
    jobChanges: before.jobChanges
  })

/** The answer to the commit was lost. */
export const putInDoubt = (self: Progress, candidate: Candidate): Progress => set(self, { doubt: candidate })

/** The stored row has told what became of that commit. */
export const clearDoubt = (self: Progress): Progress => set(self, { doubt: undefined })

/** These changes of the job's context are part of that now, by a commit that was taken for rolled back. */
export const forgetJobChanges = (self: Progress, made: Candidate["jobChanges"]): Progress =>
  set(self, { jobChanges: self.jobChanges.filter((change) => !made.includes(change)) })

/** The stored row is further than was known: it is what the step has become. */
export const overtake = (self: Progress, { checkpoint, context, counts }: StepExecution): Progress =>
  set(self, {
    step: { ...self.step, counts, checkpoint, context },
    uncommitted: Counts.empty,
    awaitingCommit: Counts.empty,
    context
  })

/**
 * A chunk has failed that `began` so: what it changed is forgotten, unless one of its transactions has committed that.
 * It counts as a rollback even when its transaction never opened (V6C-9).
 */
export const abandon = (self: Progress, began: Progress): Progress => {
  const isCommitted = self.step !== began.step
  const forgotten = set(self, {
    context: isCommitted ? self.step.context : began.context,
    jobChanges: isCommitted ? [] : began.jobChanges
  })
  return rollbacks(self) === rollbacks(began) ? count(forgotten, { rollback: 1 }) : forgotten
}

/** Another transaction, whose record this step follows, has made or will have made this of the row. */
export const assume = (self: Progress, step: StepExecution): Progress => set(self, { step })

/** The row was saved as `step`, with everything in it. */
export const finish = (self: Progress, step: StepExecution): Progress =>
  set(self, {
    step,
    uncommitted: Counts.empty,
    awaitingCommit: Counts.empty,
    jobChanges: []
  })

/** Changes the record of the step beside its transactions; the next save stores that. */
export const amend = (self: Progress, changes: Partial<StepExecution>): Progress =>
  set(self, {
    step: { ...self.step, ...changes }
  })

// -------------------------------------------------------------------------------------
// a step that is in two places: a chunk is written while the next one is read and processed
// -------------------------------------------------------------------------------------

/**
 * Where reading goes on while the chunk that was read is written, which takes along everything that was counted and
 * changed so far.
 */
export const branch = (self: Progress): Progress =>
  set(self, {
    uncommitted: Counts.empty,
    awaitingCommit: Counts.empty,
    contextChanges: self.contextChanges === notKept ? { ...notKept } : self.contextChanges,
    jobChanges: []
  })

/** The chunk is durable: what was counted and changed beside it, since the ways `parted`, follows what it became. */
export const rejoin = (beside: Progress, parted: Progress, written: Progress): Progress => {
  const contextChanges = changesSince(beside, parted)
  return set(beside, {
    step: written.step,
    uncommitted: Counts.add(written.uncommitted, beside.uncommitted),
    awaitingCommit: Counts.add(written.awaitingCommit, beside.awaitingCommit),
    context: contextChanges.made.reduce((context, change) => change(context), written.context),
    contextChanges,
    jobChanges: [...written.jobChanges, ...beside.jobChanges],
    exitStatus: written.exitStatus === beside.exitStatus
      ? beside.exitStatus
      : ExitStatus.and(written.exitStatus, beside.exitStatus),
    status: BatchStatus.upgradeTo(beside.status, written.status),
    stopRequested: beside.stopRequested || written.stopRequested
  })
}

/** The chunk failed: in a step that does one thing after the other, nothing would have happened beside it. */
export const fallBack = (_beside: Progress, written: Progress): Progress => written

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/**
 * The same with these changes. Field by field: to spread an object of this size and change it costs V8 half a microsecond,
 * and this is done several times for every chunk.
 */
const set = (self: Progress, changes: Partial<Progress>): Progress => ({
  step: changes.step ?? self.step,
  uncommitted: changes.uncommitted ?? self.uncommitted,
  awaitingCommit: changes.awaitingCommit ?? self.awaitingCommit,
  doubt: "doubt" in changes ? changes.doubt : self.doubt,
  sent: "sent" in changes ? changes.sent : self.sent,
  context: changes.context ?? self.context,
  contextChanges: changes.contextChanges ?? self.contextChanges,
  jobChanges: changes.jobChanges ?? self.jobChanges,
  exitStatus: changes.exitStatus ?? self.exitStatus,
  status: changes.status ?? self.status,
  stopRequested: changes.stopRequested ?? self.stopRequested
})

/** The record of the step with what a transaction makes of it; field by field for the same reason. */
const saved = (
  { context, step }: Progress,
  counts: Counts.Counts,
  checkpoint: Option.Option<Json>
): Required<Omit<StepExecution, "causes">> => ({
  id: step.id,
  jobExecutionId: step.jobExecutionId,
  stepName: step.stepName,
  place: step.place,
  round: step.round,
  status: step.status,
  exitStatus: step.exitStatus,
  counts,
  createTime: step.createTime,
  startTime: step.startTime,
  endTime: step.endTime,
  lastUpdated: step.lastUpdated,
  context,
  checkpoint
})

const changesSince = ({ contextChanges: all }: Progress, { contextChanges: parted }: Progress): ContextChanges => {
  const before = parted.before + parted.made.length
  return before === all.before ? all : { before, made: all.made.slice(before - all.before) }
}
