/**
 * The job that a partition runs: the step or flow that its definition makes of its input. Whatever is wrong with that fails
 * this one partition, durably and by name, and no process.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Json } from "../../base/json.js"
import type { Flow } from "../../definition/Flow.js"
import * as Job from "../../definition/Job.js"
import type { Scope } from "../../definition/Partition.js"
import * as Step from "../../definition/Step.js"
import type { PartitionBody } from "../../definition/tree.js"
import * as JobScope from "../../ports/JobScope.js"
import { UnreadablePartitionInput } from "../../vocabulary/BatchError.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"

/** A partition as it was claimed. */
export interface Claimed {
  readonly jobName: string
  readonly stepName: string
  readonly name: string
  readonly input: Json
}

/** Reserved in the context of every partition. */
export const resultKey = (schema: Schema.Schema<any, any>): ExecutionContext.Key<any> =>
  ExecutionContext.key("batch.partition.result", schema)

export const childJob = (body: PartitionBody, { input, jobName, name, stepName }: Claimed): Job.Job.Any => {
  const decoded = Schema.decodeUnknownEither(body.input)(input)
  const made = Either.isLeft(decoded)
    ? Either.left(
      Cause.fail(new UnreadablePartitionInput({ step: stepName, partition: name, detail: decoded.left.message }))
    )
    : Either.try({
      try: () => Job.make(jobName, { flow: body.make(decoded.right, scopeOf(body, name)) as Flow<string, any, any> }),
      catch: (defect) => Cause.die(defect)
    })
  return Either.getOrElse(
    made,
    (cause) => Job.make(jobName, { flow: Step.tasklet("begin", Effect.failCause(cause)) }) as Job.Job.Any
  )
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const scopeOf = ({ result }: PartitionBody, name: string): Scope<unknown> => {
  const key = resultKey(result ?? Schema.Unknown)
  return { name, result: (value) => JobScope.set(key, value) }
}
