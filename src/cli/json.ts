/**
 * Records as JSON for machines. The values of secret parameters are not in it.
 */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { StepPartitions } from "../operator/JobOperator.js"
import type { AuditEntry } from "../ports/JobRepository.js"
import { messageOf, tagOf } from "../vocabulary/failure.js"
import * as JobExecution from "../vocabulary/JobExecution.js"
import type { SkippedItem } from "../vocabulary/SkippedItem.js"
import * as StepExecution from "../vocabulary/StepExecution.js"

/** `full`: with the causes of its failure, which are long. @internal */
export const execution = (row: JobExecution.JobExecution, full = false) => {
  const encoded = encodeJob({
    ...row,
    causes: full ? row.causes : undefined,
    parameters: row.parameters.map((parameter) =>
      parameter.redacted === true ? { ...parameter, value: "<redacted>" } : parameter
    )
  })
  const { instance, ...rest } = encoded
  return { jobName: instance.jobName, instanceId: instance.id, ...rest }
}

/** @internal */
export const step = (row: StepExecution.StepExecution, full = false) =>
  encodeStep(full ? row : { ...row, causes: undefined })

/** @internal */
export const partitions = ({ partitions, stepName, tally }: StepPartitions) => ({
  step: stepName,
  tally,
  partitions: partitions.map(({ endTime, executionId, ordinal: _, owner, startTime, status, ...row }) => ({
    ...row,
    executionId: Option.getOrNull(executionId),
    status: Option.getOrNull(status),
    owner: Option.getOrNull(owner),
    startTime: Option.match(startTime, { onNone: () => null, onSome: DateTime.formatIso }),
    endTime: Option.match(endTime, { onNone: () => null, onSome: DateTime.formatIso })
  }))
})

/** @internal */
export const skipped = ({ createTime, item, position, ...row }: SkippedItem) => ({
  ...row,
  createTime,
  position: Option.getOrNull(position),
  item: Option.getOrNull(item)
})

/** @internal */
export const audit = ({ createTime, executionId: _, jobName: _name, ...entry }: AuditEntry) => ({
  createTime,
  ...entry
})

/** @internal */
export const error = (failure: unknown) => ({
  error: { tag: tagOf(failure), message: messageOf(failure) || String(failure) }
})

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const encodeJob = Schema.encodeSync(JobExecution.JobExecution)
const encodeStep = Schema.encodeSync(StepExecution.StepExecution)
