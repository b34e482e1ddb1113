/**
 * What a test expects of an execution, as effects: they fail with a mismatch that says everything which is different,
 * and why the execution ended as it did. They need no test framework.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Schema from "effect/Schema"
import type { BatchStatus } from "../vocabulary/BatchStatus.js"
import type { Counts } from "../vocabulary/Counts.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"

/**
 * Represents an execution that is not as the test expects.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExecutionMismatch extends Schema.TaggedError<ExecutionMismatch>()("ExecutionMismatch", {
  /** Such as `step "load" (step execution 3)`. */
  subject: Schema.String,
  differences: Schema.Array(Schema.Struct({
    what: Schema.String,
    expected: Schema.Union(Schema.String, Schema.Number),
    got: Schema.Union(Schema.String, Schema.Number)
  })),
  /** What the execution said about its end. */
  exitMessages: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const differences = this.differences.map(({ expected, got, what }) => `${what} is ${got} instead of ${expected}`)
    const why = this.exitMessages.length === 0 ? "" : `; it ended with: ${this.exitMessages.join("; ")}`
    return `The ${this.subject} is not as expected: ${differences.join(", ")}${why}`
  }
}

/**
 * The execution of a job or step has this status.
 *
 * @example
 * ```ts
 * import { Expect, Fixture } from "effect-batch/testing"
 * import { Effect } from "effect"
 *
 * const mismatch = Effect.runSync(Effect.flip(Expect.status(Fixture.stepExecution(), "COMPLETED")))
 * assert.strictEqual(
 *   mismatch.message,
 *   "The step \"step\" (step execution 1234) is not as expected: status is STARTING instead of COMPLETED"
 * )
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const status: {
  (expected: BatchStatus): (self: JobExecution | StepExecution) => Effect.Effect<void, ExecutionMismatch>
  (self: JobExecution | StepExecution, expected: BatchStatus): Effect.Effect<void, ExecutionMismatch>
} = dual(
  2,
  (self: JobExecution | StepExecution, expected: BatchStatus): Effect.Effect<void, ExecutionMismatch> =>
    compare(self, [{ what: "status", expected, got: self.status }])
)

/**
 * The execution of a job or step has this exit code.
 *
 * @since 0.1.0
 * @category utils
 */
export const exitCode: {
  (expected: string): (self: JobExecution | StepExecution) => Effect.Effect<void, ExecutionMismatch>
  (self: JobExecution | StepExecution, expected: string): Effect.Effect<void, ExecutionMismatch>
} = dual(
  2,
  (self: JobExecution | StepExecution, expected: string): Effect.Effect<void, ExecutionMismatch> =>
    compare(self, [{ what: "exit code", expected, got: self.exitStatus.code }])
)

/**
 * The step execution has counted this. What is left out may be anything; the mismatch names all counts that differ.
 *
 * @example
 * ```ts
 * import { Counts } from "effect-batch"
 * import { Expect, Fixture } from "effect-batch/testing"
 * import { Effect } from "effect"
 *
 * const step = Fixture.stepExecution({ counts: Counts.make({ read: 3, write: 2, filter: 1, commit: 2 }) })
 * Effect.runSync(Expect.counts(step, { read: 3, write: 2 }))
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const counts: {
  (expected: Partial<Counts>): (self: StepExecution) => Effect.Effect<void, ExecutionMismatch>
  (self: StepExecution, expected: Partial<Counts>): Effect.Effect<void, ExecutionMismatch>
} = dual(
  2,
  (self: StepExecution, expected: Partial<Counts>): Effect.Effect<void, ExecutionMismatch> =>
    compare(
      self,
      Object.entries(expected).map(([name, count]) => ({
        what: `counts.${name}`,
        expected: count,
        got: self.counts[name as keyof Counts]
      }))
    )
)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Comparison = ExecutionMismatch["differences"][number]

const compare = (
  self: JobExecution | StepExecution,
  comparisons: ReadonlyArray<Comparison>
): Effect.Effect<void, ExecutionMismatch> =>
  Effect.suspend(() => {
    const differences = comparisons.filter(({ expected, got }) => expected !== got)
    return differences.length === 0
      ? Effect.void
      : new ExecutionMismatch({ subject: subjectOf(self), differences, exitMessages: self.exitStatus.messages })
  })

const subjectOf = (self: JobExecution | StepExecution): string =>
  "stepName" in self
    ? `step "${self.stepName}" (step execution ${self.id})`
    : `job "${self.instance.jobName}" (execution ${self.id})`
