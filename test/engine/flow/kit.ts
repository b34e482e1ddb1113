/**
 * Steps whose outcomes are told beforehand, and what a job left behind in words.
 */
import * as Effect from "effect/Effect"
import type { JobRepository } from "../../../src/index.js"
import { JobOperator, Step, Tasklet } from "../../../src/index.js"

/** A tasklet step that logs its name and completes. */
export const ok = (name: string, log: Array<string> = []) => Step.tasklet(name, Effect.sync(() => void log.push(name)))

/** A tasklet step that ends with the given codes, one per start; the last one stays. */
export const scripted = <const Code extends string>(
  name: string,
  outcomes: ReadonlyArray<Code>,
  log: Array<string> = []
): Step.Step<Exclude<Code, "FAILED"> | "COMPLETED" | "FAILED", any> => {
  let starts = 0
  return Step.tasklet(
    name,
    Effect.suspend(() => {
      log.push(name)
      const outcome = outcomes[Math.min(starts++, outcomes.length - 1)]!
      return outcome === "FAILED"
        ? Effect.fail(`${name} has failed`)
        : Effect.succeed(Tasklet.finishedWith(outcome as Exclude<Code, "FAILED">))
    })
  )
}

/** `name STATUS exit code` of every step execution, in order. */
export const stepsOf = (
  execution: { readonly id: number }
): Effect.Effect<ReadonlyArray<string>, unknown, JobRepository.JobRepository> =>
  Effect.map(
    JobOperator.steps(execution.id),
    (steps) =>
      steps.map((step) =>
        step.status === step.exitStatus.code
          ? `${step.stepName} ${step.status}`
          : `${step.stepName} ${step.status} ${step.exitStatus.code}`
      )
  )

/** `STATUS exit code` of a job execution. */
export const endOf = (
  execution: { readonly status: string; readonly exitStatus: { readonly code: string } }
): string => `${execution.status} ${execution.exitStatus.code}`
