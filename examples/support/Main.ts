/**
 * The outermost part of a batch program: how its end becomes an exit code.
 *
 *   0    the job is COMPLETED
 *   1    the job is FAILED, or the program could not do its work
 *   2    nothing was run: the instance is complete or is running elsewhere, or the command makes no sense
 *   130  SIGINT, 143 SIGTERM: the job is STOPPED and can be restarted
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Console, Data, Effect, Exit, Predicate } from "effect"
import type { BatchError, BatchStatus } from "effect-batch"
import * as Terminal from "./Terminal.js"

/** Represents a command line that makes no sense. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

/** Runs the program, which gives the status of its job, and exits. Every failure is told in one line. */
export const runMain = <E>(program: Effect.Effect<BatchStatus.BatchStatus, E>): void => {
  let signal: keyof typeof SIGNALS | undefined
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => {
      signal ??= name
    })
  }
  // A reader that goes away (`npm start | head`) must not end the job.
  process.stdout.on("error", () => {})
  NodeRuntime.runMain(Effect.tapErrorCause(program, report), {
    disableErrorReporting: true,
    teardown: (exit, onExit) =>
      onExit(
        signal !== undefined && !isCompleted(exit) ? SIGNALS[signal] : Exit.match(exit, {
          onSuccess: (status) => status === "COMPLETED" ? 0 : 1,
          onFailure: (cause) => isRefusal(Cause.squash(cause)) ? 2 : 1
        })
      )
  })
}

/** A failure in one line: what kind it is, and what it says about itself. */
export const explain = (error: unknown): string => {
  const message = Predicate.hasProperty(error, "message") ? String(error.message) : String(error)
  const tag = Predicate.hasProperty(error, "_tag") ? `${String(error._tag)}: ` : ""
  return `${tag}${message.replaceAll(/\s*\n\s*/g, " ")}`
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const SIGNALS = { SIGINT: 130, SIGTERM: 143 }

const REFUSALS: ReadonlyArray<string> = [
  "InvalidJobParameters",
  "JobInstanceAlreadyComplete",
  "JobExecutionAlreadyRunning",
  "JobRestartRefused",
  "UsageError"
] satisfies ReadonlyArray<(BatchError.LaunchError | UsageError)["_tag"]>

const isRefusal = (error: unknown): boolean =>
  Predicate.hasProperty(error, "_tag") && REFUSALS.includes(String(error._tag))

const isCompleted = (exit: Exit.Exit<unknown, unknown>): boolean => Exit.isSuccess(exit) && exit.value === "COMPLETED"

const report = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Cause.isInterruptedOnly(cause) ? Effect.void : Console.error(Terminal.red(explain(Cause.squash(cause))))
