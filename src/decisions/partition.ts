/**
 * What to do about the partitions of a step, and what they come to: which plan is sound, where each partition stands, which
 * of them a process may take, and how the step ends. Pure and total; repository and engine ask and obey.
 *
 * One law holds everywhere: where a partition stands follows from its newest execution, and from nothing that somebody would
 * have to write down in time.
 */
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import { plural, quoted } from "../base/text.js"
import { PartitionsFailed } from "../vocabulary/BatchError.js"
import * as BatchStatus from "../vocabulary/BatchStatus.js"
import * as ExitStatus from "../vocabulary/ExitStatus.js"
import type { Outcome } from "./outcome.js"

// -- plans ------------------------------------------------------------------------------------------------------------

/**
 * What can't work about the names of a plan, all at once. A name is what a partition is known by in the repository, so it has to be
 * text that comes back from there as it is: of two that differ in what a database replaces, only one would ever run.
 */
export const nameProblems = (names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const first = new Map<string, number>()
  const blank: Array<number> = []
  const unfit: Array<number> = []
  const twice = new Set<string>()
  names.forEach((name, at) => {
    if (name.trim() === "") {
      blank.push(at + 1)
    } else if (isUnfit(name)) {
      unfit.push(at + 1)
    } else if (first.has(name)) {
      twice.add(name)
    } else {
      first.set(name, at)
    }
  })
  return [
    ...(blank.length === 0 ? [] : [`partition ${blank.slice(0, TOLD).join(", ")} has no name`]),
    ...(unfit.length === 0 ? [] : [
      `the name of partition ${
        unfit.slice(0, TOLD).join(", ")
      } holds NUL or half of a surrogate pair, which no database stores as it is`
    ]),
    ...[...twice].slice(0, TOLD).map((name) => `two partitions are called ${quoted([name])}`),
    ...(twice.size > TOLD ? [`and ${twice.size - TOLD} other names stand there twice`] : [])
  ]
}

const isUnfit = (name: string): boolean => name.includes("\0") || /[\ud800-\udfff]/u.test(name)

/** A plan of 100,000 partitions may have as many problems; nobody reads more than these. */
const TOLD = 10

// -- standings --------------------------------------------------------------------------------------------------------

/**
 * What is known of a partition.
 *
 * - `isWaiting`: it has been put up to be taken.
 * - `status`: of its newest execution; null when it has none.
 * - `isOfThisRun`: that execution was started by the execution of the parent that runs now.
 * - `isOrphaned`: the process that ran it is gone: the lease has expired, or its death was recorded.
 * - `deaths`: how many processes have died of it in this run of the parent, those counted that are orphaned.
 */
export interface Facts {
  readonly isWaiting: boolean
  readonly status: BatchStatus.BatchStatus | null
  readonly isOfThisRun: boolean
  readonly isOrphaned: boolean
  readonly deaths: number
}

/**
 * - `waiting`: somebody has to take it. `running`: somebody has.
 * - `completed`, `failed`, `stopped`, `unknown`: it has ended, in this run of the parent or, if it completed, before.
 * - `abandoned`: an operator gave it up. Nobody waits for it any more.
 */
export type Standing = "waiting" | "running" | "completed" | "failed" | "stopped" | "unknown" | "abandoned"

/** A partition that has killed so many processes kills no further one: it has failed. */
export const MAX_DEATHS = 5

/**
 * Where a partition stands. What ended without completing in an earlier run of the parent waits for this one, and so does
 * what lost its process. What has failed in this run has failed, also when it had been put up before, by somebody who thought that
 * its process was gone: a step that is to stop at the first failure would wait for it for ever.
 */
export const standingOf = ({ deaths, isOfThisRun, isOrphaned, status }: Facts): Standing => {
  switch (status) {
    case null:
      return "waiting"
    case "COMPLETED":
      return "completed"
    case "ABANDONED":
      return "abandoned"
    case "UNKNOWN":
      return "unknown"
    default:
      return isOrphaned
        ? isOfThisRun && deaths >= MAX_DEATHS ? "failed" : "waiting"
        : BatchStatus.isRunning(status)
        ? "running"
        : !isOfThisRun
        ? "waiting"
        : status === "STOPPED"
        ? "stopped"
        : "failed"
  }
}

/** Whether it waits without having been put up: a restart, or the death of a process, has to do that. */
export const isToPutUp = (facts: Facts): boolean => !facts.isWaiting && standingOf(facts) === "waiting"

// -- sums -------------------------------------------------------------------------------------------------------------

/** How many partitions stand where. */
export type Tally = { readonly [S in Standing]: number }

export const emptyTally: Tally = {
  waiting: 0,
  running: 0,
  completed: 0,
  failed: 0,
  stopped: 0,
  unknown: 0,
  abandoned: 0
}

/** Groups of partitions of which the same is known, with their sizes. */
export const tallyOf = (groups: Iterable<Facts & { readonly count: number }>): Tally => {
  const tally: { [S in Standing]: number } = { ...emptyTally }
  for (const group of groups) {
    tally[standingOf(group)] += group.count
  }
  return tally
}

export const total = (tally: Tally): number => Object.values(tally).reduce((sum, count) => sum + count, 0)

/**
 * What the step does next.
 *
 * - `Take`: there are partitions that may be begun.
 * - `Wait`: others are running, here or elsewhere.
 * - `End`: nothing runs, and nothing may be begun.
 */
export type Next = "Take" | "Wait" | "End"

/**
 * - `stopRequested`: then nothing is begun.
 * - `isOpen`: false once a partition has failed in a step that begins no more after that.
 */
export const next = (
  tally: Tally,
  { isOpen, stopRequested }: { readonly stopRequested: boolean; readonly isOpen: boolean }
): Next => tally.waiting > 0 && isOpen && !stopRequested ? "Take" : tally.running > 0 ? "Wait" : "End"

/** Whether the step begins further partitions. */
export const staysOpen = (tally: Tally, onFailure: "continue" | "stop"): boolean =>
  onFailure === "continue" || tally.failed + tally.unknown === 0

/** The first partition, in the order of the plan, that did not end well. */
export interface Blamed {
  readonly name: string
  readonly executionId: number | undefined
  readonly message: string
}

/**
 * How the step ends: like a split of all partitions, whichever run they ended in. STOPPED if one was stopped, or the step was
 * to stop with work left, else FAILED if one failed or nobody knows how it ended, else COMPLETED.
 */
export const outcomeOf = (
  step: string,
  tally: Tally,
  { blamed, stopRequested }: { readonly stopRequested: boolean; readonly blamed: Blamed | undefined }
): Outcome => {
  const left = tally.waiting + tally.running
  const bad = tally.failed + tally.unknown
  const failure = bad === 0 ? undefined : new PartitionsFailed({
    step,
    failed: bad,
    total: total(tally),
    notBegun: tally.waiting,
    first: blamed?.name ?? "",
    executionId: blamed?.executionId,
    reason: blamed?.message ?? ""
  })
  const status = tally.stopped > 0 || (left > 0 && (stopRequested || bad === 0))
    ? "STOPPED"
    : bad > 0
    ? "FAILED"
    : "COMPLETED"
  const messages = [
    ...(status === "STOPPED" ? [`${tally.completed} of ${plural(total(tally), "partition")} completed`] : []),
    ...(tally.abandoned > 0 ? [`${plural(tally.abandoned, "partition")} abandoned by an operator`] : []),
    ...(failure === undefined ? [] : [failure.message])
  ]
  return {
    status,
    exitStatus: ExitStatus.make(status, ...messages),
    cause: failure === undefined || status === "STOPPED" ? Option.none() : Option.some(Cause.fail(failure))
  }
}

// -- a plan made anew -------------------------------------------------------------------------------------------------

/** What a restart does about the plan that a step has stored. */
export type Restart = "keep" | "replan" | "abandonAndReplan"

/** Of partitions that have neither completed nor been given up. */
export const UNFINISHED: ReadonlyArray<Standing> = ["waiting", "running", "failed", "stopped", "unknown"]

/** How many these are. */
export const unfinished = (tally: Tally): number => total(tally) - tally.completed - tally.abandoned

/**
 * `Keep` the stored plan, `Replan`, or `Refuse`: what is unfinished would be lost with the old plan, and what runs would run on
 * beside the new one.
 */
export const replanOf = (restart: Restart, tally: Tally): "Keep" | "Replan" | "Refuse" =>
  restart === "keep"
    ? "Keep"
    : tally.running > 0 || (restart === "replan" && unfinished(tally) > 0)
    ? "Refuse"
    : "Replan"

// -- code -------------------------------------------------------------------------------------------------------------

/** What a worker does about the partitions of a step: `Leave` them to others, `Refuse` them as its code differs, `Take` them. */
export type Fitness = "Take" | "Leave" | "Refuse"

/** - `planned`: the fingerprint of the code that the step's parent runs; `own`: of the worker's, if its job has the step. */
export const fitnessOf = (planned: string, own: string | undefined): Fitness =>
  own === undefined ? "Leave" : own === planned ? "Take" : "Refuse"
