/**
 * Running a job in front of people: progress meanwhile, the outcome afterwards, and how to go on.
 */
import * as Terminal from "@effect/platform/Terminal"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ownerInWords } from "../base/text.js"
import { definitionOf } from "../definition/tree.js"
import * as JobOperator from "../operator/JobOperator.js"
import * as JobRegistry from "../operator/JobRegistry.js"
import { JobRepository } from "../ports/JobRepository.js"
import type { JobExecutionAlreadyRunning } from "../vocabulary/BatchError.js"
import * as Counts from "../vocabulary/Counts.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"
import type { Answer, Services } from "./context.js"
import { print } from "./context.js"
import * as Format from "./format.js"
import * as Json from "./json.js"
import * as Progress from "./progress.js"

/** Runs something that ends an execution, and tells how it went. @internal */
export const watched = <E>(
  program: string,
  isJson: boolean,
  running: Effect.Effect<JobExecution, E, Services | Terminal.Terminal>
): Effect.Effect<
  Answer,
  E | Effect.Effect.Error<ReturnType<typeof JobOperator.summary>>,
  Services | Terminal.Terminal
> =>
  Effect.gen(function*() {
    const terminal = yield* Terminal.Terminal
    const ended = yield* isJson ? running : Progress.shown(terminal, running)
    const { execution, steps, text } = yield* JobOperator.summary(ended.id)
    const failures = Format.failures(execution, steps.map(({ step }) => step))
    const restart = yield* howToGoOn(program, execution)
    const skips = yield* whatWasSkipped(program, execution, steps.map(({ step }) => step))
    return {
      text: () => [text, ...failures.map((failure) => `  ${failure}`), ...skips, ...restart].join("\n"),
      json: { ...Json.execution(execution), steps: steps.map(({ step }) => Json.step(step)) },
      outcome: execution
    }
  })

/**
 * As long as the instance runs elsewhere, waits for it. What is complete then has been done: it succeeds with that
 * execution; everything else is as if it had been run only now.
 *
 * @internal
 */
export const patiently = <E extends { readonly _tag: string }>(
  isJson: boolean,
  running: Effect.Effect<JobExecution, E, Services>
): Effect.Effect<JobExecution, Exclude<E, JobExecutionAlreadyRunning>, Services | Terminal.Terminal> =>
  Effect.suspend(() => {
    let told = 0
    const again: Effect.Effect<JobExecution, E, Services | Terminal.Terminal> = Effect.catchAll(running, (error) => {
      if (isElsewhere(error)) {
        const isNews = told !== error.executionId && !isJson
        told = error.executionId
        return Effect.zipRight(
          isNews ? print(waiting(error)) : Effect.void,
          Effect.delay(again, PAUSE)
        )
      }
      return told !== 0 && error._tag === "JobInstanceAlreadyComplete" ? done(told, error) : Effect.fail(error)
    })
    return again as Effect.Effect<JobExecution, Exclude<E, JobExecutionAlreadyRunning>, Services | Terminal.Terminal>
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Long beside one look at the repository, short beside a job. */
const PAUSE = Duration.seconds(1)

const isElsewhere = (error: { readonly _tag: string }): error is JobExecutionAlreadyRunning =>
  error._tag === "JobExecutionAlreadyRunning"

const waiting = ({ executionId, jobName, owner }: JobExecutionAlreadyRunning): string =>
  `${Format.inLine(jobName)} runs as execution ${executionId}${
    owner === undefined ? "" : ` in ${Format.inLine(ownerInWords(owner))}`
  }: waiting for it`

/** The execution that was waited for, unless it did not complete: then the instance was given up meanwhile. */
const done = <E>(executionId: number, error: E): Effect.Effect<JobExecution, E, Services> =>
  JobOperator.execution(executionId).pipe(
    Effect.mapError(() => error),
    Effect.filterOrFail(({ status }) => status === "COMPLETED", () => error)
  )

/** The commands that are about what an execution skipped and kept, as far as they would do something. */
const whatWasSkipped = (
  program: string,
  { id }: JobExecution,
  steps: ReadonlyArray<StepExecution>
): Effect.Effect<ReadonlyArray<string>, never, Services> =>
  steps.every(({ counts }) => Counts.skips(counts) === 0)
    ? Effect.succeed([])
    : Effect.gen(function*() {
      const repository = yield* JobRepository
      const [first] = yield* repository.skippedPage({ executionId: id, limit: 1 })
      const again = yield* Effect.option(JobRegistry.explainReplay(id))
      return first === undefined ? [] : [
        `Look at what was skipped with: ${program} skipped ${id}`,
        ...(Option.isSome(again) ? [`Mend the cause, then run it again with: ${program} replay ${id}`] : [])
      ]
    }).pipe(Effect.catchAll(() => Effect.succeed([])))

/** The command that goes on from the last commit, for an execution that stopped before its end. */
const howToGoOn = (
  program: string,
  { id, instance, status }: JobExecution
): Effect.Effect<ReadonlyArray<string>, never, JobRegistry.JobRegistry> =>
  status !== "FAILED" && status !== "STOPPED" ? Effect.succeed([]) : Effect.map(
    Effect.option(Effect.flatMap(JobRegistry.JobRegistry, (registry) => registry.get(instance.jobName))),
    (registered) =>
      Option.exists(registered, ({ job }) => definitionOf(job).restartable)
        ? [`Go on from the last commit with: ${program} restart ${id}`]
        : Option.isSome(registered)
        ? ["It cannot be restarted: see what it has done, then run it with another identifying parameter"]
        : []
  )
