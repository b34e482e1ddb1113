/**
 * Plans and partitions as they are selected, and what is made of the rows.
 */
import type { Fragment } from "@effect/sql/Statement"
import type { PartitionPlan } from "../ports/partitions.js"
import type { PartitionRow } from "../ports/partitionsDriver.js"
import type { Env } from "./env.js"
import type { Raw } from "./rows.js"
import * as Rows from "./rows.js"

/**
 * Of the plan `l` and the job instance `i`.
 *
 * @internal
 */
export const planColumns = ({ dialect, sql }: Env, prefix = ""): Fragment =>
  sql.literal(
    [
      ...[["l.id", "id"], ["l.job_instance_id", "instanceId"], ["l.job_execution_id", "executionId"], [
        "l.step_execution_id",
        "stepExecutionId"
      ], ["l.size", "size"]].map(([column, name]) => `${dialect.number(column!)} as "${prefix}${name}"`),
      ...[["i.job_name", "jobName"], ["l.step_name", "stepName"], ["l.fingerprint", "fingerprint"], [
        "l.is_open",
        "isOpen"
      ]].map(([column, name]) => `${column} as "${prefix}${name}"`)
    ].join(", ")
  )

/** @internal */
export const partitionColumns = ({ dialect, sql }: Env, table: string): Fragment =>
  sql.literal(
    `${dialect.number(`${table}id`)} as "id", ${dialect.number(`${table}ordinal`)} as "ordinal",
    ${table}name as "name", ${dialect.text(`${table}input`)} as "input",
    ${dialect.number(`${table}job_instance_id`)} as "instanceId"`
  )

/** @internal */
export const toPlan = (row: Raw, prefix = ""): PartitionPlan => {
  const value = (name: string): unknown => row[`${prefix}${name}`]
  return {
    id: Rows.number(value("id")),
    jobName: value("jobName") as string,
    instanceId: Rows.number(value("instanceId")),
    executionId: Rows.number(value("executionId")),
    stepExecutionId: Rows.number(value("stepExecutionId")),
    stepName: value("stepName") as string,
    fingerprint: value("fingerprint") as string,
    size: Rows.number(value("size")),
    isOpen: Boolean(value("isOpen"))
  }
}

/** @internal */
export const toPartition = (row: Raw): PartitionRow => ({
  id: Rows.number(row.id),
  ordinal: Rows.number(row.ordinal),
  name: row.name as string,
  input: row.input as string,
  instanceId: Rows.nullable(row.instanceId, Rows.number)
})
