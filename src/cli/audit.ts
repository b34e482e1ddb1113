/**
 * What was done from a command line is written down with who did it, beside what was done in the dashboard.
 */
import * as Cause from "effect/Cause"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { hostname, userInfo } from "node:os"
import { JobRepository } from "../ports/JobRepository.js"
import { messageOf } from "../vocabulary/failure.js"

/** Nothing is written about an execution that there is not; and what was done is done, whether or not it could be. @internal */
export const audited = <A, E, R>(
  executionId: number,
  what: string,
  action: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | JobRepository> =>
  Effect.flatMap(
    DateTime.now,
    (createTime) => Effect.onExit(action, (exit) => writeDown(executionId, what, outcomeOf(exit), createTime))
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const writeDown = (
  executionId: number,
  what: string,
  outcome: string,
  createTime: DateTime.Utc
): Effect.Effect<void, never, JobRepository> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const { instance } = yield* repository.jobExecution(executionId)
    yield* repository.recordAudit({
      executionId,
      jobName: instance.jobName,
      who: yield* user,
      what,
      outcome,
      createTime
    })
  }).pipe(
    Effect.catchTag("NoSuchJobExecution", () => Effect.void),
    Effect.catchAll((error) => Effect.logWarning(`"${what}" could not be written down: ${messageOf(error)}`))
  )

/** A container may run as a user without a name. */
const user: Effect.Effect<string> = Effect.map(
  Effect.option(Effect.try(() => userInfo().username)),
  (name) => `${Option.getOrElse(name, () => "somebody")} at ${hostname()}`
)

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit)
    ? "done"
    : Option.match(Cause.failureOption(exit.cause), {
      onNone: () => Cause.isInterrupted(exit.cause) ? "interrupted" : "it failed",
      onSome: messageOf
    })
