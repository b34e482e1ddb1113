/**
 * Which instances a purge gives up: the rules once more, as they would be said to a person, on any history of a job.
 */
import { assert, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import { BatchStatus, type JobExecution } from "../../src/index.js"
import { candidates, type Rules, select } from "../../src/operator/purging.js"

/** One execution of an instance. Times are few, so that they often meet the limit. */
interface Run {
  readonly instance: number
  readonly status: BatchStatus.BatchStatus
  readonly isPart: boolean
  readonly ended: number | undefined
  readonly updated: number
}

const time = FastCheck.integer({ min: 0, max: 4 })

const status = FastCheck.constantFrom(
  ...(["COMPLETED", "FAILED", "STOPPED", "ABANDONED", "UNKNOWN", "STARTING", "STARTED", "STOPPING"] as const),
  // Most have ended.
  ...(["COMPLETED", "COMPLETED", "FAILED", "FAILED"] as const)
)

/** Newest first, as the repository gives them. */
const runs: FastCheck.Arbitrary<ReadonlyArray<Run>> = FastCheck.array(
  FastCheck.record({
    instance: FastCheck.integer({ min: 1, max: 5 }),
    status,
    isPart: FastCheck.integer({ min: 0, max: 5 }).map((one) => one === 0),
    ended: FastCheck.option(time, { nil: undefined }),
    updated: time
  }),
  { maxLength: 12 }
)

const rules = FastCheck.record({
  keepLast: FastCheck.option(FastCheck.integer({ min: 0, max: 3 }), { nil: undefined }),
  olderThan: FastCheck.option(time, { nil: undefined }),
  statuses: FastCheck.constantFrom<ReadonlyArray<BatchStatus.BatchStatus>>(
    ["COMPLETED"],
    ["COMPLETED", "FAILED", "STOPPED", "ABANDONED", "UNKNOWN"],
    ["COMPLETED", "STARTED"]
  )
})

const NOW = 4

const executionOf = (run: Run, index: number): JobExecution.JobExecution => {
  const at = (millis: number) => DateTime.unsafeMake(millis)
  const execution: Partial<JobExecution.JobExecution> = {
    id: 100 - index,
    instance: { id: run.instance, jobName: "rules" } as JobExecution.JobExecution["instance"],
    status: run.status,
    createTime: at(0),
    endTime: Option.map(Option.fromNullable(run.ended), at),
    lastUpdated: at(run.updated),
    ...(run.isPart ? { parent: { executionId: 1, instanceId: 9 } } : {})
  }
  return execution as JobExecution.JobExecution
}

/** The instances that go, newest first, with how many executions of each. */
const expected = (history: ReadonlyArray<Run>, { keepLast = 0, olderThan, statuses }: Omit<Rules, "jobName">) => {
  const instances = [...new Set(history.map(({ instance }) => instance))]
  const of = (id: number) => history.filter(({ instance }) => instance === id)
  const roots = instances.filter((id) => of(id).every(({ isPart }) => !isPart))
  return roots.slice(keepLast).filter((id) => {
    const all = of(id)
    const newest = all[0]!
    const isOld = olderThan === undefined || (newest.ended ?? newest.updated) < NOW - Number(olderThan)
    return isOld && statuses.includes(newest.status) && all.every(({ status }) => !BatchStatus.isRunning(status))
  }).map((id) => [id, of(id).length])
}

it.prop(
  "a purge gives up whole roots that are old enough, none that runs, and counts what it keeps in roots (PURGE-1)",
  [runs, rules],
  ([history, rules]) => {
    const found = select(candidates(history.map(executionOf)), rules, NOW)
    assert.deepStrictEqual(
      found.map(({ executionIds, instanceId }) => [instanceId, executionIds.length]),
      expected(history, rules)
    )
    const ids = found.flatMap(({ executionIds, instanceId }) => executionIds.map((id) => [instanceId, id]))
    assert.isTrue(ids.every(([instance, id]) => history[100 - id!]!.instance === instance))
  },
  { fastCheck: { numRuns: 1500 } }
)
