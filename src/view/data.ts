/**
 * What is shown of one execution, read from the repository.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { JobRepository } from "../ports/JobRepository.js"
import type { JobRepositoryError, NoSuchJobExecution } from "../vocabulary/BatchError.js"
import * as JobExecution from "../vocabulary/JobExecution.js"
import type { SkippedGroup, SkippedItem } from "../vocabulary/SkippedItem.js"
import * as StepExecution from "../vocabulary/StepExecution.js"

export interface Executed {
  readonly execution: JobExecution.JobExecution
  readonly steps: ReadonlyArray<StepExecution.StepExecution>
}

/**
 * - `chain`: all executions of the instance, oldest first.
 * - `previous`: the last execution of the job that completed before this one.
 * - `parts`: what it launched as parts of itself, partitions for example.
 */
export interface ExecutionData extends Executed {
  readonly groups: ReadonlyArray<SkippedGroup>
  readonly chain: ReadonlyArray<JobExecution.JobExecution>
  readonly previous: Executed | undefined
  readonly parts: ReadonlyArray<Executed>
}

export const load = (
  executionId: number
): Effect.Effect<ExecutionData, NoSuchJobExecution | JobRepositoryError, JobRepository> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const execution = yield* repository.jobExecution(executionId)
    const chain = yield* repository.jobExecutions({ instanceId: execution.instance.id, limit: 50 })
    const [completed] = yield* repository.jobExecutions({
      jobName: execution.instance.jobName,
      statuses: ["COMPLETED"],
      before: executionId,
      limit: 1
    })
    const parts = yield* repository.jobExecutions({ parentId: executionId, limit: 500 })
    const shown = [execution, ...parts, ...(completed === undefined ? [] : [completed])]
    const steps = yield* repository.stepExecutionsOf(shown.map(({ id }) => id))
    const withSteps = (row: JobExecution.JobExecution): Executed => ({
      execution: row,
      steps: steps.filter(({ jobExecutionId }) => jobExecutionId === row.id)
    })
    return {
      ...withSteps(execution),
      groups: yield* repository.skippedGroups(executionId, 50),
      chain: [...chain].reverse(),
      previous: completed && withSteps(completed),
      parts: parts.map(withSteps)
    }
  })

// -------------------------------------------------------------------------------------
// for machines
// -------------------------------------------------------------------------------------

/** Without contexts, and without the values of secret parameters. */
export const executionJson = (row: JobExecution.JobExecution) => {
  const { context: _, instance, ...encoded } = encodeExecution({
    ...row,
    parameters: row.parameters.map((parameter) =>
      parameter.redacted === true ? { ...parameter, value: "<redacted>" } : parameter
    )
  })
  return { jobName: instance.jobName, instanceId: instance.id, ...encoded }
}

export const stepJson = (row: StepExecution.StepExecution) => {
  const { checkpoint: _, context: _context, ...encoded } = encodeStep(row)
  return encoded
}

export const executedJson = ({ execution, steps }: Executed) => ({
  ...executionJson(execution),
  steps: steps.map(stepJson)
})

export const skippedJson = ({ createTime, item, position, ...row }: SkippedItem) => ({
  ...row,
  createTime,
  position: Option.getOrNull(position),
  item: Option.getOrNull(item)
})

export const dataJson = ({ chain, execution, groups, parts, previous, steps }: ExecutionData) => ({
  ...executedJson({ execution, steps }),
  skipped: groups,
  chain: chain.map(executionJson),
  previous: previous === undefined ? null : executedJson(previous),
  parts: parts.map(executedJson)
})

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const encodeExecution = Schema.encodeSync(JobExecution.JobExecution)
const encodeStep = Schema.encodeSync(StepExecution.StepExecution)
