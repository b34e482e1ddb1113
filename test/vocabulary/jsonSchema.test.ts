/** Records of jobs in descriptions of HTTP interfaces. */
import { HttpApi, HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import * as JSONSchema from "effect/JSONSchema"
import * as Schema from "effect/Schema"
import {
  BatchStatus,
  Counts,
  ExecutionContext,
  ExitStatus,
  JobExecution,
  JobInstance,
  JobParameters,
  StepExecution
} from "../../src/index.js"

const records: Readonly<Record<string, Schema.Schema<any, any>>> = {
  BatchStatus: BatchStatus.BatchStatus,
  Counts: Counts.Counts,
  ExecutionContext: ExecutionContext.ExecutionContext,
  ExitStatus: ExitStatus.ExitStatus,
  JobExecution: JobExecution.JobExecution,
  JobInstance: JobInstance.JobInstance,
  JobParameter: JobParameters.JobParameter,
  StepExecution: StepExecution.StepExecution
}

describe("JSON schemas", () => {
  for (const [name, schema] of Object.entries(records)) {
    it(`${name} has one`, () => {
      assert.isObject(JSONSchema.make(schema))
    })
  }

  it("what they say of an execution is what is sent", () => {
    const { properties, required } = JSONSchema.make(JobExecution.JobExecution) as any
    const optional = ["causes", "parent"]
    assert.deepStrictEqual([...required, ...optional].sort(), [...Object.keys(properties)].sort())
    assert.deepStrictEqual(Object.keys(properties), [
      "id",
      "instance",
      "parameters",
      "status",
      "exitStatus",
      "createTime",
      "startTime",
      "endTime",
      "lastUpdated",
      "context",
      "owner",
      "epoch",
      "restartOf",
      "parent",
      "causes"
    ])
  })

  it("an HTTP interface that answers with an execution and its steps has an OpenAPI description", () => {
    const api = HttpApi.make("jobs").add(
      HttpApiGroup.make("executions").add(
        HttpApiEndpoint.get("show", "/executions").addSuccess(
          Schema.Struct({
            execution: JobExecution.JobExecution,
            steps: Schema.Array(StepExecution.StepExecution)
          })
        )
      )
    )
    const { paths } = OpenApi.fromApi(api)
    assert.deepStrictEqual(Object.keys(paths), ["/executions"])
  })
})
