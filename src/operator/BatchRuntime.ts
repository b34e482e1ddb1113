/**
 * The outermost part of a batch program: signals stop its jobs cleanly, and its exit code tells the scheduler how it
 * went.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { visible } from "../base/text.js"
import type { RunningSessions } from "../engine/session/running.js"
import * as Running from "../engine/session/running.js"
import { requestStop } from "../engine/session/session.js"
import { BatchStatus } from "../vocabulary/BatchStatus.js"
import { describe } from "../vocabulary/failure.js"

/**
 * The signals that end a program in order.
 *
 * @since 0.1.0
 * @category models
 */
export type Signal = "SIGINT" | "SIGTERM"

/**
 * What a program exits with.
 *
 * - `completed` (0): the job is COMPLETED, or a program that returns no execution succeeded.
 * - `failed` (1): the job is FAILED, or the program could not do its work.
 * - `refused` (2): nothing was run. The parameters are not valid, the instance was abandoned, or there is no such job
 *   or execution.
 * - `alreadyComplete` (3): nothing was run, because the instance is complete.
 * - `runningElsewhere` (4): nothing was run, because an execution of the instance is running.
 * - `sigint` (130), `sigterm` (143): stopped by this signal; the job is STOPPED and can be restarted.
 * - `stopped` (143): stopped by an operator.
 *
 * @since 0.1.0
 * @category models
 */
export interface ExitCodes {
  readonly completed: number
  readonly failed: number
  readonly refused: number
  readonly alreadyComplete: number
  readonly runningElsewhere: number
  readonly sigint: number
  readonly sigterm: number
  readonly stopped: number
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const exitCodes: ExitCodes = {
  completed: 0,
  failed: 1,
  refused: 2,
  alreadyComplete: 3,
  runningElsewhere: 4,
  sigint: 130,
  sigterm: 143,
  stopped: 143
}

/**
 * The exit code of a program that ended so, after the first signal if there was one. A program says how its job went
 * by succeeding with the ended execution, or by failing.
 *
 * A job that completes in spite of the signal is complete. A program that was signalled and returns no execution counts
 * as stopped, because nobody can know what it left out.
 *
 * @example
 * ```ts
 * import { Exit } from "effect"
 * import { BatchRuntime } from "effect-batch"
 *
 * assert.strictEqual(BatchRuntime.exitCodeOf(Exit.succeed({ status: "COMPLETED" })), 0)
 * assert.strictEqual(BatchRuntime.exitCodeOf(Exit.succeed({ status: "STOPPED" }), { signal: "SIGTERM" }), 143)
 * assert.strictEqual(BatchRuntime.exitCodeOf(Exit.fail(new Error("no disk"))), 1)
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const exitCodeOf = (
  exit: Exit.Exit<unknown, unknown>,
  options: { readonly signal?: Signal | undefined; readonly exitCodes?: Partial<ExitCodes> | undefined } = {}
): number => {
  const codes = { ...exitCodes, ...options.exitCodes }
  const stopped = signalCode(options.signal, codes) ?? codes.stopped
  if (Exit.isSuccess(exit)) {
    const status = statusOf(exit.value)
    return status === undefined
      ? signalCode(options.signal, codes) ?? codes.completed
      : ofStatus(status, codes, stopped)
  }
  if (Cause.isInterruptedOnly(exit.cause)) {
    return signalCode(options.signal, codes) ?? codes.failed
  }
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  const tag = Predicate.hasProperty(error, "_tag") ? String(error._tag) : ""
  const refusal = refusalOf(error, tag)
  return refusal !== undefined
    ? codes[refusal]
    : tag === "JobNotCompleted"
    ? ofStatus(statusOf(error) ?? "FAILED", codes, stopped)
    : codes.failed
}

/**
 * Tells on standard error why a program failed: one line, with the stack of a defect. Control characters are escaped.
 *
 * @since 0.1.0
 * @category utils
 */
export const report = (cause: Cause.Cause<unknown>): void => {
  const text = Option.isSome(Cause.failureOption(cause)) ? describe(cause) : Cause.pretty(cause)
  process.stderr.write(`${visible(text)}\n`)
}

/**
 * - `exitCodes`: other codes than the default ones.
 * - `exitCode`: decides instead of `exitCodeOf`.
 * - `report`: says why the program failed. By default one line on standard error, with the stack of a defect.
 * - `onSignal`: says that the first signal was received. By default one line on standard error.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<in A, in E> {
  readonly exitCodes?: Partial<ExitCodes> | undefined
  readonly exitCode?: ((exit: Exit.Exit<A, E>, signal: Signal | undefined) => number) | undefined
  readonly report?: ((cause: Cause.Cause<E>) => void) | undefined
  readonly onSignal?: ((signal: Signal) => void) | undefined
}

/**
 * Runs the program of a process and exits with a code for its scheduler.
 *
 * The first SIGINT or SIGTERM asks the executions that run in this program to stop, and those that are launched from
 * then on: the current chunk commits, the rows end as STOPPED, and the program continues to its report; two seconds
 * after the last one has ended, or at once when none is running, the program is interrupted. A second signal kills the
 * process at once; the next run then recovers and continues from the last commit.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { BatchRuntime, Job, JobOperator, JobRepository, Step } from "effect-batch"
 *
 * const job = Job.make("hello", { flow: Step.tasklet("greet", Effect.log("Hello")) })
 *
 * const main = () => BatchRuntime.runMain(JobOperator.run(job, {}).pipe(Effect.provide(JobRepository.layerMemory)))
 * assert.strictEqual(typeof main, "function")
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const runMain = <A, E>(program: Effect.Effect<A, E>, options: Options<A, E> = {}): void => {
  const codes = { ...exitCodes, ...options.exitCodes }
  const running = Running.make()
  // A timer, or a program that waits for nothing but a signal would end.
  const keepAlive = setInterval(() => {}, 2 ** 31 - 1)
  let fiber: Fiber.RuntimeFiber<A, E> | undefined
  let signal: Signal | undefined
  const onSignal = (name: Signal): void => {
    if (signal !== undefined) {
      process.exit(signalCode(name, codes))
    }
    signal = name
    ;(options.onSignal ?? sayStopping)(name)
    whenStopped(running, () => fiber?.unsafeInterruptAsFork(fiber.id()))
  }
  process.on("SIGINT", onSignal)
  process.on("SIGTERM", onSignal)
  fiber = Effect.runFork(Effect.provideService(program, Running.Running, running))
  fiber.addObserver((exit) => {
    clearInterval(keepAlive)
    if (Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)) {
      ;(options.report ?? report)(exit.cause)
    }
    leave(options.exitCode?.(exit, signal) ?? exitCodeOf(exit, { signal, exitCodes: codes }))
  })
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** An abandoned instance is over like a complete one, but what it was to do has not been done. */
const refusalOf = (error: unknown, tag: string): "refused" | "alreadyComplete" | "runningElsewhere" | undefined => {
  switch (tag) {
    case "JobExecutionAlreadyRunning":
      return "runningElsewhere"
    case "JobInstanceAlreadyComplete":
      return statusOf(error) === "COMPLETED" ? "alreadyComplete" : "refused"
    case "ReplayRefused":
      return replayRefusal(error)
    case "InvalidJobParameters":
    case "JobRestartRefused":
    case "LaunchInTransaction":
    case "JobExecutionNotRunning":
    case "NoSuchJob":
    case "NoSuchJobExecution":
      return "refused"
  }
}

/** A scheduler that tries again when somebody else is at work may do so here. */
const replayRefusal = (error: unknown): "refused" | "alreadyComplete" | "runningElsewhere" => {
  const reason = Predicate.hasProperty(error, "reason") ? error.reason : undefined
  return reason === "done" ? "alreadyComplete" : reason === "running" ? "runningElsewhere" : "refused"
}

const isStatus = Schema.is(BatchStatus)

const statusOf = (value: unknown): string | undefined => {
  const status = Predicate.hasProperty(value, "status") ? value.status : undefined
  return isStatus(status) ? status : undefined
}

const ofStatus = (status: string, codes: ExitCodes, stopped: number): number =>
  status === "COMPLETED" ? codes.completed : status === "STOPPED" ? stopped : codes.failed

const signalCode = (signal: Signal | undefined, codes: ExitCodes): number | undefined =>
  signal === undefined ? undefined : signal === "SIGINT" ? codes.sigint : codes.sigterm

/** Time for the program to say how its jobs ended. */
const AFTERWARDS_MILLIS = 2000

/** Asks all executions to stop; their flag is stored too, so that others can see why they end. */
const whenStopped = (running: RunningSessions, afterwards: () => void): void => {
  running.closing = true
  if (running.sessions.size === 0) {
    return afterwards()
  }
  const onEnd = () => {
    if (running.sessions.size === 0) {
      running.onEnd.delete(onEnd)
      setTimeout(afterwards, AFTERWARDS_MILLIS)
    }
  }
  running.onEnd.add(onEnd)
  for (const session of running.sessions) {
    requestStop(session)
    Effect.runFork(Effect.catchAllCause(session.repository.requestStop(session.execution.id), () => Effect.void))
  }
}

const sayStopping = (signal: Signal): void => {
  process.stderr.write(`${signal}: stopping after the chunk at work; another signal ends the process at once\n`)
}

/** What was written to a pipe must be out before the process is gone. */
const leave = (code: number): void => {
  process.exitCode = code
  process.stdout.write("", () => process.stderr.write("", () => process.exit(code)))
}
