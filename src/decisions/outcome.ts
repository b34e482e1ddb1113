/**
 * What an end is worth: how a step ended, what its listeners may make of that, where an outcome leads, and how branches
 * become one. Pure and total; the engine asks and obeys.
 *
 * Three laws hold everywhere. The status decides before the code: only a failure that somebody has seen may have a code of
 * its own (OWN-1). A stop beats every end (OWN-2). And nothing is passed, handled or joined into more than it was.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as BatchStatus from "../vocabulary/BatchStatus.js"
import * as ExitStatus from "../vocabulary/ExitStatus.js"
import { chainOf, describe } from "../vocabulary/failure.js"
import * as Transition from "./Transition.js"

// -- steps ------------------------------------------------------------------------------------------------------------

/** How a step ended, as its row says. `causes`: what is known of its failure, of which the exit status has one line. */
export interface Ending {
  readonly status: BatchStatus.BatchStatus
  readonly exitStatus: ExitStatus.ExitStatus
  readonly causes?: ReadonlyArray<string>
}

/**
 * How a state, or a whole flow, ended.
 *
 * - `final`: it failed in a way that no transition may handle: a decider that failed, a code without a way on.
 * - `unfinished`: something beside the failure was interrupted because of it.
 */
export interface Outcome extends Ending {
  readonly cause: Option.Option<Cause.Cause<unknown>>
  readonly final?: boolean
  readonly unfinished?: boolean
}

/**
 * How a step ends, from how its body ended.
 *
 * - A body that runs a flow or a job succeeds with the outcome of that, whose code is that of the failure itself.
 * - `stopping`: a stop was requested, by an operator or by the step itself.
 * - `status`, `exitStatus`: what code inside the step made of them while it ran.
 * - `completedCode`: the exit code of a step that completes without another one.
 */
export const endingOf = (
  exit: Exit.Exit<unknown, unknown>,
  step: Ending & { readonly stopping: boolean },
  completedCode: () => string
): Ending => {
  if (Exit.isFailure(exit)) {
    return Cause.isInterruptedOnly(exit.cause)
      ? raised(step, "STOPPED", ExitStatus.make("STOPPED", "interrupted"))
      : { ...raised(step, "FAILED", ExitStatus.make("FAILED", describe(exit.cause))), causes: chainOf(exit.cause) }
  }
  const inside = isOutcome(exit.value) ? exit.value : undefined
  if (inside !== undefined && BatchStatus.upgradeTo("COMPLETED", inside.status) !== "COMPLETED") {
    return {
      ...raised(step, inside.status === "ABANDONED" ? "FAILED" : inside.status, inside.exitStatus),
      ...causesOf(inside.cause)
    }
  }
  if (step.stopping) {
    return raised(step, "STOPPED", ExitStatus.make("STOPPED", "stopped on request"))
  }
  if (BatchStatus.upgradeTo(step.status, "COMPLETED") !== "COMPLETED") {
    return raised(step, step.status, ExitStatus.make(step.status))
  }
  const chosen = ExitStatus.and(ExitStatus.COMPLETED, step.exitStatus)
  const exitStatus = inside === undefined ? chosen : ExitStatus.and(chosen, inside.exitStatus)
  return {
    status: "COMPLETED",
    exitStatus: exitStatus.code === "COMPLETED"
      ? ExitStatus.and(exitStatus, ExitStatus.make(completedCode()))
      : exitStatus
  }
}

/**
 * What an `afterStep` that returned has made of the step (STEP-14, STEP-16): `status` and `said` are what it did through
 * the scope, `given` is what it returned. It may only add to what it was shown: a listener that saw a good step, and made
 * it a bad one, has chosen no code for that.
 */
export const heard = (
  shown: Ending,
  made: Ending & { readonly given: ExitStatus.ExitStatus | undefined }
): Ending => {
  const said = ExitStatus.and(shown.exitStatus, made.exitStatus)
  const exitStatus = made.given === undefined ? said : ExitStatus.and(said, made.given)
  const status = BatchStatus.upgradeTo(shown.status, made.status)
  return {
    ...(status === shown.status
      ? { status, exitStatus }
      : raised({ status, exitStatus }, status, ExitStatus.make(status))),
    ...(shown.causes === undefined ? {} : { causes: shown.causes })
  }
}

/**
 * What an `afterStep` that failed makes of the step: it fails one that had completed, and takes away the code of one that
 * had failed. A step that was stopped stays stopped: its restart calls the listener again.
 */
export const unheard = (shown: Ending, cause: Cause.Cause<unknown>): Ending => {
  const reason = ExitStatus.make("FAILED", describe(cause))
  const causes = [...shown.causes ?? [], ...chainOf(cause)]
  switch (shown.status) {
    case "STOPPED":
    case "UNKNOWN":
      return {
        ...shown,
        exitStatus: ExitStatus.make(shown.exitStatus.code, ...shown.exitStatus.messages, describe(cause)),
        causes
      }
    default:
      return Cause.isInterruptedOnly(cause) && shown.status === "COMPLETED"
        ? raised(shown, "STOPPED", ExitStatus.make("STOPPED", "interrupted before its listeners had heard of the end"))
        : { ...raised(shown, "FAILED", shown.status === "COMPLETED" ? reason : ExitStatus.FAILED), causes }
  }
}

/** What is known of a failure, where there is one. */
export const causesOf = (cause: Option.Option<Cause.Cause<unknown>>): Pick<Ending, "causes"> =>
  Option.isSome(cause) ? { causes: chainOf(cause.value) } : {}

// -- ways -------------------------------------------------------------------------------------------------------------

/** The index of a state. A cell, since in a loop a state is pointed at before it exists. */
export interface Target {
  readonly at: number
}

/**
 * - `Completed`: an outcome with batch status COMPLETED goes to `to`, whatever its code (SIMPLE-1).
 * - `Codes`: the code decides (FLOW-3, FLOW-4). A transition to nowhere hands the outcome on to the next way.
 * - `Declare`: codes that the outcome may have besides those that are known from the definition.
 */
export type Way =
  | { readonly _tag: "Completed"; readonly to: Target }
  | { readonly _tag: "Codes"; readonly transitions: ReadonlyArray<Transition.Transition<Target | undefined>> }
  | { readonly _tag: "Declare"; readonly codes: ReadonlyArray<string> }

/** A list, whose tails are shared by all states that end the same part of a flow. */
export interface Ways {
  readonly way: Way
  readonly rest: Ways | undefined
}

/** `Unrouted`: the outcome has a code that nobody expected (FLOW-6). */
export type Resolution =
  | { readonly _tag: "GoTo"; readonly at: number }
  | { readonly _tag: "Ended"; readonly status: BatchStatus.BatchStatus }
  | { readonly _tag: "Unrouted" }

/**
 * A code without a transition ends the flow as failed when the outcome is a failure, by status or by code (FLOW-7,
 * FLOW-8), and is an error otherwise.
 */
export const resolve = (
  ways: Ways | undefined,
  outcome: { readonly status: BatchStatus.BatchStatus; readonly code: string }
): Resolution => {
  let status = outcome.status
  for (let next = ways; next !== undefined; next = next.rest) {
    const { way } = next
    if (way._tag === "Completed" && status === "COMPLETED") {
      return { _tag: "GoTo", at: way.to.at }
    }
    if (way._tag === "Codes") {
      const chosen = Transition.select(way.transitions, outcome.code)
      if (Option.isSome(chosen)) {
        if (chosen.value.to !== undefined) {
          return { _tag: "GoTo", at: chosen.value.to.at }
        }
      } else if (status === "COMPLETED") {
        if (outcome.code !== "FAILED") {
          return { _tag: "Unrouted" }
        }
        status = "FAILED"
      }
    }
  }
  return { _tag: "Ended", status }
}

/** Where a walk goes from a state: to another one, or out of the flow; or nowhere, as nobody expected the code. */
export type Next =
  | { readonly _tag: "GoTo"; readonly at: number }
  | { readonly _tag: "Leave"; readonly outcome: Outcome }
  | { readonly _tag: "Unrouted" }

/**
 * What follows the outcome of a state.
 *
 * - `stopRequested`: then only what has completed may end, and nothing else is begun (OWN-2).
 * - `isGoodEnd`: whether a state is an end at which a flow is COMPLETED.
 */
export const follow = (
  ways: Ways | undefined,
  outcome: Outcome,
  { isGoodEnd, stopRequested }: { readonly stopRequested: boolean; readonly isGoodEnd: (at: number) => boolean }
): Next => {
  if (outcome.status === "UNKNOWN" || isStopped(outcome)) {
    return leave(outcome)
  }
  if (outcome.final === true) {
    return leave(stopRequested ? stoppedInstead(outcome) : outcome)
  }
  const way = resolve(ways, { status: outcome.status, code: outcome.exitStatus.code })
  if (stopRequested) {
    const isDone = outcome.status === "COMPLETED" && (
      (way._tag === "Ended" && way.status === "COMPLETED") || (way._tag === "GoTo" && isGoodEnd(way.at))
    )
    if (!isDone) {
      return leave(stoppedInstead(outcome))
    }
  }
  switch (way._tag) {
    case "GoTo":
      return outcome.unfinished === true ? leave(stoppedInstead(outcome)) : way
    case "Ended":
      return leave({ ...outcome, status: way.status === "ABANDONED" ? "FAILED" : way.status })
    case "Unrouted":
      return way
  }
}

/** The outcome of a flow that reached this end behind that outcome (FLOW-20, FLOW-21, FLOW-31). */
export const endAt = (
  { code, status }: { readonly status: "COMPLETED" | "FAILED"; readonly code: string },
  came: Outcome
): Outcome =>
  status === "COMPLETED"
    ? { status, exitStatus: ExitStatus.make(code), cause: Option.none() }
    : { status, exitStatus: ExitStatus.make(code, ...came.exitStatus.messages), cause: came.cause }

/**
 * Whether a stop that was recorded in an earlier execution is passed: what came in must have completed since, or have
 * been dealt with by the stop itself (OWN-3).
 */
export const passesStop = (came: Outcome): boolean => came.status === "COMPLETED" || came.status === "ABANDONED"

/** The outcome of a walk that could not go on: the store failed, a listener of the job failed, it was interrupted. */
export const brokenOff = (cause: Cause.Cause<unknown>, stopRequested: boolean): Outcome =>
  Cause.isInterruptedOnly(cause)
    ? { status: "STOPPED", exitStatus: ExitStatus.make("STOPPED", "interrupted"), cause: Option.none() }
    : stopRequested
    ? stoppedInstead(failedFor(cause))
    : failedFor(cause)

/** A failure that no step is to blame for, and that no transition may handle (FLOW-33). */
export const failedFor = (cause: Cause.Cause<unknown>): Outcome => ({
  status: "FAILED",
  exitStatus: ExitStatus.make("FAILED", describe(cause)),
  cause: Option.some(cause),
  final: true
})

// -- branches ---------------------------------------------------------------------------------------------------------

/**
 * The outcome of branches that ran side by side: UNKNOWN if one is, else STOPPED if one was stopped, else FAILED if one
 * failed, else COMPLETED. What was interrupted because another one failed does not hide that failure, but leaves it
 * unfinished. Associative and idempotent in its status; no order of the branches matters to it.
 */
export const join = (branches: ReadonlyArray<Outcome>): Outcome => {
  const status = ORDER.find((worst) => branches.some((branch) => rank(branch) === worst)) ?? "COMPLETED"
  const shown = branches.filter((branch) => TOLD[status].includes(rank(branch)))
  const deciding = branches.filter((branch) => rank(branch) === status)
  const causes = deciding.flatMap(({ cause }) => Option.isSome(cause) ? [cause.value] : [])
  const [first, ...others] = causes
  const isFailure = status === "FAILED"
  return {
    status: status === "INTERRUPTED" ? "STOPPED" : status,
    exitStatus: ExitStatus.make(
      status === "INTERRUPTED" ? "STOPPED" : status,
      ...shown.flatMap(({ exitStatus }) => exitStatus.messages)
    ),
    cause: first === undefined || status === "STOPPED"
      ? Option.none()
      : Option.some(others.reduce((all, cause) => Cause.parallel(all, cause), first)),
    ...(isFailure && deciding.some(({ final }) => final) ? { final: true } : {}),
    ...((isFailure && branches.some((branch) => rank(branch) === "INTERRUPTED" || branch.unfinished === true)) ||
        status === "INTERRUPTED"
      ? { unfinished: true }
      : {})
  }
}

/** Where nothing has happened yet, and where a stop is passed. */
export const passed: Outcome = { status: "COMPLETED", exitStatus: ExitStatus.COMPLETED, cause: Option.none() }

export const stoppedOnRequest: Outcome = {
  status: "STOPPED",
  exitStatus: ExitStatus.make("STOPPED", "stopped on request"),
  cause: Option.none()
}

/** A branch that was interrupted because another one failed. */
export const interruptedByBranch: Outcome = {
  status: "STOPPED",
  exitStatus: ExitStatus.make("STOPPED", "stopped because another branch failed"),
  cause: Option.none(),
  unfinished: true
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const isOutcome = (value: unknown): value is Outcome =>
  typeof value === "object" && value !== null && "exitStatus" in value && "status" in value

const isStopped = ({ status }: Outcome): boolean => status === "STOPPED" || status === "STOPPING"

const leave = (outcome: Outcome): Next => ({ _tag: "Leave", outcome })

/** A flow that was to stop, and did not come to a good end: what it came to stays in the messages. */
const stoppedInstead = ({ exitStatus, status }: Outcome): Outcome => ({
  status: "STOPPED",
  exitStatus: ExitStatus.make(
    "STOPPED",
    ...stoppedOnRequest.exitStatus.messages,
    ...(status === "COMPLETED" ? [] : exitStatus.messages)
  ),
  cause: Option.none()
})

/**
 * The end of a step that did not end well. The code is that of what went wrong; one that was chosen while the step was
 * still good is void, and only the messages tell of it.
 */
const raised = (
  step: Ending,
  status: BatchStatus.BatchStatus,
  reason: ExitStatus.ExitStatus
): Ending => {
  const { code, messages } = step.exitStatus
  const void_ = isPredefined(code) ? [] : [`it had chosen the exit code "${code}" before`]
  const worst = BatchStatus.upgradeTo(step.status, status)
  return {
    status: worst,
    exitStatus: ExitStatus.make(worst === status ? reason.code : worst, ...messages, ...void_, ...reason.messages)
  }
}

const isPredefined = (code: string): boolean => ["EXECUTING", "COMPLETED", "NOOP", "STOPPED", "FAILED"].includes(code)

type Rank = "UNKNOWN" | "STOPPED" | "FAILED" | "INTERRUPTED" | "COMPLETED"

const ORDER: ReadonlyArray<Rank> = ["UNKNOWN", "STOPPED", "FAILED", "INTERRUPTED"]

/** Whose messages are told. */
const TOLD: { readonly [K in Rank]: ReadonlyArray<Rank> } = {
  UNKNOWN: ["UNKNOWN", "FAILED"],
  STOPPED: ["STOPPED", "FAILED"],
  FAILED: ["FAILED"],
  INTERRUPTED: ["INTERRUPTED"],
  COMPLETED: []
}

const rank = (outcome: Outcome): Rank => {
  switch (outcome.status) {
    case "UNKNOWN":
      return "UNKNOWN"
    case "FAILED":
    case "ABANDONED":
      return "FAILED"
    case "COMPLETED":
      return "COMPLETED"
    default:
      return outcome.unfinished === true ? "INTERRUPTED" : "STOPPED"
  }
}
