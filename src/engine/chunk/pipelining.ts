/**
 * Whether the transactions of a chunk step can be pipelined, that is sent in one message each, and if not, why.
 */
import * as Either from "effect/Either"
import type { Sink } from "../../item/ItemWriter.js"
import * as Pipelining from "../../ports/pipelining.js"
import type { Item, UserError, UserServices } from "../step/engine.js"
import type { PipelinedCommit, StepState } from "../step/state.js"

export interface ChunkPipelining extends PipelinedCommit {
  readonly write: Pipelining.PipelinedWrite<Item, UserError>
  /** Whether skips are only counted: nobody is told of them and nothing is stored. */
  readonly countsSkips: boolean
}

/** The reason is the end of the sentence "The step is not pipelined: …". */
export const pipeliningOf = (
  state: StepState,
  sink: Sink<Item, UserError, UserServices>,
  enclosing: object | undefined
): Either.Either<ChunkPipelining, string> => {
  const { definition: { settings }, hooks, session } = state
  const reason = enclosing !== undefined
    ? "it runs inside a transaction that is open already"
    : insideTransaction(state, sink)
  if (reason !== undefined) {
    return Either.left(reason)
  }
  const pipeline = Pipelining.pipelineOf(session.transactor.transact)
  if (pipeline === undefined) {
    return Either.left("the database, its client, or something that wraps Transactor.transact does not take pipelines")
  }
  const save = Pipelining.pipelinedSaveOf(session.repository.updateStepExecution)
  if (save?.database !== pipeline.database) {
    return Either.left("the job repository is wrapped, or uses another client than the Transactor")
  }
  const write = Pipelining.pipelinedWriteOf(sink.write)
  if (write === undefined || (write.database ?? pipeline.database) !== pipeline.database) {
    return Either.left("the writer needs answers inside the transaction, is wrapped, or uses another client")
  }
  const { onSkipInProcess, onSkipInRead, onSkipInWrite } = hooks
  const countsSkips = [settings.quarantine, onSkipInProcess, onSkipInRead, onSkipInWrite].every(isAbsent)
  return Either.right({ connection: pipeline.connect(), save, write, countsSkips })
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** What has to happen inside each transaction besides what can be sent with it. */
const insideTransaction = (
  { definition, hooks, session }: StepState,
  sink: Sink<Item, UserError, UserServices>
): string | undefined => {
  const { noRollback, transaction, transactional } = definition.settings
  const { afterWrite, beforeCommit, beforeWrite } = hooks
  return transactional.length > 0
    ? "items are read or processed inside the transaction"
    : noRollback !== undefined
    ? "noRollback keeps the transaction open after an error"
    : ![afterWrite, beforeCommit, beforeWrite].every(isAbsent)
    ? "a listener of beforeWrite, afterWrite or beforeCommit is called inside the transaction"
    : sink.flush !== undefined
    ? "the writer keeps a state of its own"
    : !Object.values(transaction).every(isAbsent)
    ? "the step sets options of its transactions"
    : session.faults !== undefined
    ? "a test stops the world inside the transaction"
    : undefined
}

const isAbsent = (part: unknown): boolean => part === undefined
