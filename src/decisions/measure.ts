/**
 * How far a step has come in its source, as it is stored with its commits, and when it will be done if it goes on as it has.
 */
import * as Option from "effect/Option"
import * as Json from "../base/json.js"

/** In units of the reader. `from`: what was done when this execution of the step began to read. */
export interface Measure {
  readonly done: number
  readonly total: number
  readonly from: number
}

/** Its name in a checkpoint. */
export const FIELD = "progress"

export const make = (
  progress: { readonly done: number; readonly total: number } | undefined,
  from: number
): Measure | undefined =>
  progress !== undefined && [progress.done, progress.total, from].every(Number.isFinite)
    ? { done: progress.done, total: progress.total, from }
    : undefined

/** Total: what somebody else has put there is none. */
export const read = (checkpoint: Option.Option<Json.Json>): Option.Option<Measure> =>
  Option.flatMap(Option.filter(checkpoint, Json.isRecord), (fields) => {
    const found = fields[FIELD]
    return found !== undefined && Json.isRecord(found)
      ? Option.fromNullable(
        make({ done: Number(found["done"]), total: Number(found["total"]) }, Number(found["from"]))
      )
      : Option.none()
  })

/** The checkpoint as a restart sees it. */
export const without = (checkpoint: Json.Json): Json.Json =>
  Json.isRecord(checkpoint) && FIELD in checkpoint
    ? Object.fromEntries(Object.entries(checkpoint).filter(([name]) => name !== FIELD))
    : checkpoint

/** From 0 to 1. */
export const share = ({ done, total }: Measure): number => total <= 0 ? 1 : Math.min(1, Math.max(0, done / total))

/**
 * The milliseconds that are left of a step that began to read so long ago and measured so long ago, at the pace so far; none
 * when nothing has moved.
 */
export const left = ({ done, from, total }: Measure, beganAgo: number, measuredAgo: number): Option.Option<number> => {
  const took = beganAgo - measuredAgo
  const came = done - from
  return came > 0 && took > 0
    ? Option.some(Math.max(0, Math.max(0, total - done) * took / came - measuredAgo))
    : Option.none()
}
