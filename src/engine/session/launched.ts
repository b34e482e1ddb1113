/**
 * What a launch hands out: an execution that runs in this process, and one that has ended.
 */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { OwnerFailure } from "../../ports/JobRepository.js"
import type { EngineError, JobRepositoryError } from "../../vocabulary/BatchError.js"
import type { JobExecution } from "../../vocabulary/JobExecution.js"

/** An execution that has ended: its final record, and how it ended as a value. */
export interface EndedJobExecution<out Code extends string, out E> extends JobExecution {
  readonly exit: Exit.Exit<Code, E | EngineError>
}

/** An execution that runs in this process. */
export interface RunningJobExecution<out Code extends string, out E> {
  readonly execution: JobExecution
  /** Waits for the end. */
  readonly await: Effect.Effect<EndedJobExecution<Code, E>, OwnerFailure>
  /** Asks it to stop, as `stop` does; changes nothing when it has ended. `await` tells when it has stopped. */
  readonly stop: Effect.Effect<void, JobRepositoryError>
}
