/**
 * Names the execution that a file beside an output was made by, and says when nobody will ask for that file again.
 *
 * An id alone names nothing: a database that fails over to an older copy gives it out again, and another database knows it
 * as well. So the name holds a checksum over what else makes an execution the one it is.
 */
import * as DateTime from "effect/DateTime"
import { createHash } from "node:crypto"
import type { JobExecution } from "../vocabulary/JobExecution.js"

/** Fit for the name of a file: `id_checksum`, both in small letters and digits. */
export const runName = ({ createTime, id, instance }: JobExecution): string => {
  const rest = [
    instance.jobName,
    instance.jobKey,
    DateTime.toEpochMillis(instance.createTime),
    DateTime.toEpochMillis(createTime)
  ]
  return `${id.toString(36)}_${createHash("sha256").update(JSON.stringify(rest)).digest("hex").slice(0, 8)}`
}

/** The id in a name that `runName` could have given. */
export const idOf = (run: string): number | undefined => {
  const digits = /^([1-9a-z][0-9a-z]*)_[0-9a-f]{8}$/.exec(run)?.[1]
  const id = digits === undefined ? NaN : parseInt(digits, 36)
  return Number.isSafeInteger(id) ? id : undefined
}

/**
 * Whether the run is that execution, and its instance has come to an end for good: then no restart goes on with what it left.
 * One that failed or was stopped may be restarted at any time, whoever else has completed since.
 */
export const isOver = (run: string, execution: JobExecution, ofInstance: ReadonlyArray<JobExecution>): boolean =>
  runName(execution) === run &&
  ofInstance.some(({ instance, status }) =>
    instance.id === execution.instance.id && (status === "COMPLETED" || status === "ABANDONED")
  )
