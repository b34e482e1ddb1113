/**
 * What earlier executions of a job instance left behind, by place and round: how each step ended, what deciders answered,
 * and which failures the flow has dealt with (OWN-5). Pure.
 *
 * Rows of 0.1 know no place and no round: they are matched by the name of their step, as a way through round 1.
 */
import type { BatchStatus } from "../vocabulary/BatchStatus.js"
import type { ExitStatus } from "../vocabulary/ExitStatus.js"

/** A step execution, without what only a restart of it needs. `place` and `round` are null in rows of 0.1. */
export interface StepRecord {
  readonly id: number
  readonly jobExecutionId: number
  readonly stepName: string
  readonly place: string | null
  readonly round: string | null
  readonly status: BatchStatus
  readonly exitStatus: ExitStatus
}

/** The code with which a decider, or a split whose failure was dealt with, was left. */
export interface AnswerRecord {
  readonly place: string
  readonly round: string
  readonly code: string
}

export interface History {
  readonly byVisit: ReadonlyMap<string, StepRecord>
  readonly starts: ReadonlyMap<string, number>
  readonly answers: ReadonlyMap<string, string>
  /** Rows of 0.1 by name, oldest first. */
  readonly unplaced: ReadonlyMap<string, ReadonlyArray<StepRecord>>
}

/** Which visit of a place: rounds are counted inside each round of the split or flow around, and 1 is not told there. */
export const roundOf = (outer: ReadonlyArray<number>, visit: number): string => {
  const rounds = [...outer, visit]
  while (rounds.length > 1 && rounds.at(-1) === 1) {
    rounds.pop()
  }
  return rounds.join(".")
}

/** `steps` and `answers` from the oldest on: the newest counts. */
export const make = (steps: ReadonlyArray<StepRecord>, answers: ReadonlyArray<AnswerRecord>): History => {
  const byVisit = new Map<string, StepRecord>()
  const starts = new Map<string, number>()
  const unplaced = new Map<string, Array<StepRecord>>()
  for (const step of steps) {
    if (step.place === null || step.round === null) {
      const rows = unplaced.get(step.stepName) ?? []
      rows.push(step)
      unplaced.set(step.stepName, rows)
    } else {
      byVisit.set(visitOf(step.place, step.round), step)
      starts.set(step.place, (starts.get(step.place) ?? 0) + 1)
    }
  }
  return {
    byVisit,
    starts,
    unplaced,
    answers: new Map(answers.map(({ code, place, round }) => [visitOf(place, round), code]))
  }
}

export const empty: History = make([], [])

/** A place in a round, and what has been passed on the way there. */
export interface Visit {
  readonly place: string
  readonly round: string
  readonly stepName: string
  /** Whether the step stands in other places, too. */
  readonly shared: boolean
  /** The rows of 0.1 that were found on the way. */
  readonly passed: ReadonlyArray<StepRecord>
}

/** How the step ended at this place in this round, the last time that it ran there. */
export const lastOf = (self: History, visit: Visit): StepRecord | undefined =>
  self.byVisit.get(visitOf(visit.place, visit.round)) ??
    (visit.round === "1" && !self.starts.has(visit.place) ? unplacedOf(self, visit) : undefined)

/** How often the step was started at this place. */
export const startsOf = (self: History, { place, shared, stepName }: Visit): number =>
  (self.starts.get(place) ?? 0) + (shared ? 0 : self.unplaced.get(stepName)?.length ?? 0)

/** The code with which a decider or a split was left in this round, if it has been, and not been asked again since. */
export const answerOf = (self: History, place: string, round: string): string | undefined => {
  const code = self.answers.get(visitOf(place, round))
  return code === NO_ANSWER ? undefined : code
}

/** Takes the place of an answer that does not hold any more: what was asked is asked again. */
export const noAnswer = (place: string, round: string): AnswerRecord => ({ place, round, code: NO_ANSWER })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** No exit code is empty. */
const NO_ANSWER = ""

const visitOf = (place: string, round: string): string => JSON.stringify([place, round])

/**
 * The row of 0.1 for a step: its last one, or, if it stands in several places, the one of that place in the newest
 * execution. A step that a loop had not come back to when it broke has none: its last row is of an earlier round.
 */
const unplacedOf = (self: History, { passed, place, shared, stepName }: Visit): StepRecord | undefined => {
  const rows = self.unplaced.get(stepName) ?? []
  const last = rows.at(-1)
  if (last === undefined) {
    return undefined
  }
  if (shared) {
    const newest = rows.filter(({ jobExecutionId }) => jobExecutionId === last.jobExecutionId)
    return newest[numberOf(place, stepName) - 1]
  }
  const isOfEarlierRound = passed.some((before) =>
    before.id > last.id &&
    (self.unplaced.get(before.stepName) ?? []).some((row) =>
      row.jobExecutionId === last.jobExecutionId && row.id > last.id
    )
  )
  return isOfEarlierRound ? undefined : last
}

const numberOf = (place: string, stepName: string): number =>
  place === stepName ? 1 : Number(place.slice(stepName.length + 1))
