/**
 * Asks the repository whether anybody may still write, or go on with, what an execution has left beside an output.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as OutputRun from "../../decisions/outputRun.js"
import type { JobRepository } from "../../ports/JobRepository.js"

/** False for what it does not know, and if it cannot be asked. */
export const isOver = (repository: Context.Tag.Service<JobRepository>) => (run: string): Effect.Effect<boolean> => {
  const id = OutputRun.idOf(run)
  return id === undefined ? Effect.succeed(false) : repository.jobExecution(id).pipe(
    Effect.flatMap((execution) =>
      Effect.map(
        repository.jobExecutions({
          instanceId: execution.instance.id,
          statuses: ["COMPLETED", "ABANDONED"],
          limit: 1
        }),
        (ended) => OutputRun.isOver(run, execution, ended)
      )
    ),
    Effect.orElseSucceed(() => false)
  )
}
