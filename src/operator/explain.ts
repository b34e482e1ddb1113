/**
 * What a launch would do if it came now: decided by the same pure rules as a real one, from rows that are only read.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { canonical } from "../base/json.js"
import { plural } from "../base/text.js"
import { resolve } from "../decisions/outcome.js"
import * as RestartPolicy from "../decisions/RestartPolicy.js"
import { innerGraphs } from "../definition/defects.js"
import type { FlowGraph, FlowState } from "../definition/graph.js"
import type { Job } from "../definition/Job.js"
import { foresee } from "../definition/routes.js"
import type { JobDefinition, StepDefinition } from "../definition/tree.js"
import { definitionOf } from "../definition/tree.js"
import * as Stops from "../engine/flow/stops.js"
import * as Running from "../engine/session/running.js"
import { JobRepository } from "../ports/JobRepository.js"
import type {
  JobRepositoryError,
  JobRestartRefused,
  LaunchRefused,
  StepStartLimitExceeded,
  UnreadableContextKey
} from "../vocabulary/BatchError.js"
import { InvalidJobParameters } from "../vocabulary/BatchError.js"
import type { BatchStatus } from "../vocabulary/BatchStatus.js"
import type { Json } from "../vocabulary/ExecutionContext.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"

/**
 * - `NewInstance`: these parameters have never been run.
 * - `Restart`: execution `of` did not complete; `takeover` when its owner is dead.
 * - `Refused`: the launch would fail with `error`.
 *
 * `lines` says the same in words, one line each.
 */
export type Explanation =
  & { readonly jobName: string; readonly parameters: string; readonly lines: ReadonlyArray<string> }
  & (
    | { readonly _tag: "NewInstance"; readonly steps: ReadonlyArray<StepForecast> }
    | {
      readonly _tag: "Restart"
      readonly of: number
      readonly takeover: boolean
      readonly steps: ReadonlyArray<StepForecast>
    }
    | { readonly _tag: "Refused"; readonly error: InvalidJobParameters | LaunchRefused }
  )

/**
 * What would become of a step.
 *
 * - `certain`: false when it depends on the outcome of an earlier step, or on a decider, whether the step is met.
 * - `skip`: complete already; `exitCode` is what the flow routes on.
 * - `resume`: goes on from `position` with what `last` had counted; `position` is null when there was none yet.
 * - `refuse`: the job would fail here with `error`.
 */
export type StepForecast =
  & { readonly step: string; readonly certain: boolean }
  & (
    | { readonly plan: "run" }
    | { readonly plan: "skip"; readonly exitCode: string; readonly last: StepExecution }
    | { readonly plan: "resume"; readonly position: Json; readonly last: StepExecution }
    | { readonly plan: "refuse"; readonly error: JobRestartRefused | StepStartLimitExceeded }
  )

type Failure = JobRepositoryError | UnreadableContextKey

export const explain = (
  job: Job.Any,
  parameters: unknown,
  isOwnerGone: (owner: string) => boolean
): Effect.Effect<Explanation, Failure, JobRepository> => {
  const { name } = job
  const definition = definitionOf(job)
  const encoded = JobParameters.encodeGiven(definition.parameters ?? JobParameters.none, parameters as {})
  if (Either.isLeft(encoded)) {
    const error = new InvalidJobParameters({ jobName: name, problems: encoded.left.problems })
    return Effect.succeed(refused(name, "", error))
  }
  return Effect.gen(function*() {
    const repository = yield* JobRepository
    const given = JobParameters.format(encoded.right)
    const [instance] = yield* repository.jobInstances({
      jobName: name,
      jobKey: JobParameters.jobKey(encoded.right),
      limit: 1
    })
    const history = instance === undefined ? [] : yield* repository.jobExecutions({ instanceId: instance.id })
    const newest = history[0]
    const plan = yield* planOf(definition, given, history, isOwnerGone)
    if (plan._tag === "Refuse") {
      return refused(name, given, Running.located(yield* Running.Running, repository, plan.error))
    }
    const steps = yield* forecast(definition, newest)
    const head = newest === undefined
      ? { _tag: "NewInstance" as const, steps }
      : { _tag: "Restart" as const, of: newest.id, takeover: plan._tag === "Takeover", steps }
    return { ...head, jobName: name, parameters: given, lines: [headline(name, given, head), ...steps.map(lineOf)] }
  })
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const planOf = (
  definition: JobDefinition,
  parameters: string,
  history: ReadonlyArray<JobExecution>,
  isOwnerGone: (owner: string) => boolean
) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const expired = new Set((yield* repository.expiredExecutions(isOwnerGone)).map(({ id }) => id))
    const newest = history[0]
    const steps = newest === undefined ? [] : yield* repository.stepExecutions(newest.id)
    return RestartPolicy.planLaunch({
      jobName: definition.name,
      restartable: definition.restartable,
      parameters,
      executions: history.map((execution) => ({
        id: execution.id,
        status: execution.status,
        owner: Option.getOrUndefined(execution.owner),
        since: Option.getOrElse(execution.startTime, () => execution.createTime),
        leaseExpired: expired.has(execution.id),
        hasUnknownStep: execution === newest && steps.some(({ status }) => status === "UNKNOWN")
      }))
    })
  })

/** A step that is met in several places is told once. */
const forecast = (
  definition: JobDefinition,
  newest: JobExecution | undefined
): Effect.Effect<ReadonlyArray<StepForecast>, Failure, JobRepository> =>
  Effect.map(
    forecastGraph({ definition, newest, path: "" }, definition.graph, true),
    (steps) => steps.filter((step, at) => steps.findIndex((other) => other.step === step.step) === at)
  )

interface Place {
  readonly definition: JobDefinition
  readonly newest: JobExecution | undefined
  readonly path: string
}

/**
 * Walks while the way is known; behind the first state whose outcome is not, everything is only possible. A stop that
 * the job would make is the end of the walk.
 */
const forecastGraph = (
  place: Place,
  graph: FlowGraph,
  certainly: boolean
): Effect.Effect<ReadonlyArray<StepForecast>, Failure, JobRepository> =>
  Effect.gen(function*() {
    const steps: Array<StepForecast> = []
    const ahead = new Set([graph.start])
    let certain = certainly
    for (const at of ahead) {
      const state = graph.states[at]!
      const here = yield* forecastState(place, state, certain)
      steps.push(...here.steps)
      if (here.outcome === "stops") {
        continue
      }
      if (here.outcome === undefined || !certain) {
        certain = false
        foresee(state).routes.forEach(({ to }) => typeof to === "number" && ahead.add(to))
      } else {
        const way = resolve(state.ways, here.outcome)
        if (way._tag === "GoTo") {
          ahead.add(way.at)
        }
      }
    }
    return steps
  })

interface Forecast {
  readonly steps: ReadonlyArray<StepForecast>
  readonly outcome: { readonly status: BatchStatus; readonly code: string } | "stops" | undefined
}

const forecastState = (
  place: Place,
  state: FlowState,
  certain: boolean
): Effect.Effect<Forecast, Failure, JobRepository> =>
  Effect.gen(function*() {
    switch (state._tag) {
      case "Step": {
        const step = yield* forecastStep(place, state.definition, certain)
        if (step.plan === "skip") {
          return { steps: [step], outcome: { status: step.last.status, code: step.exitCode } }
        }
        const inside = yield* forecastInside(place, state, certain)
        return { steps: [step, ...inside], outcome: undefined }
      }
      case "Split":
        return { steps: yield* forecastInside(place, state, certain), outcome: undefined }
      case "Stop": {
        const { newest, path } = place
        const passes = newest !== undefined && (yield* Stops.isRecorded(newest.context, `${path}${state.name}`))
        return { steps: [], outcome: passes ? { status: "COMPLETED", code: "COMPLETED" } : "stops" }
      }
      default:
        return { steps: [], outcome: undefined }
    }
  })

const forecastInside = (place: Place, state: FlowState, certain: boolean) =>
  Effect.map(
    Effect.forEach(innerGraphs(state), (graph, index) => {
      const inner = state._tag === "Split" ? `${index}/` : ""
      return forecastGraph({ ...place, path: `${place.path}${state.name}/${inner}` }, graph, certain)
    }),
    (all) => all.flat()
  )

const forecastStep = (
  { definition, newest }: Place,
  step: StepDefinition,
  certain: boolean
): Effect.Effect<StepForecast, JobRepositoryError, JobRepository> =>
  Effect.gen(function*() {
    const named = { step: step.name, certain }
    if (newest === undefined) {
      return { ...named, plan: "run" }
    }
    const repository = yield* JobRepository
    const history = yield* repository.stepHistory(newest.instance, step.name)
    const plan = RestartPolicy.planStep({
      jobName: definition.name,
      stepName: step.name,
      last: Option.map(history.last, (last) => ({ ...last, startedInThisExecution: false })),
      starts: history.starts,
      startLimit: step.settings.startLimit,
      allowStartIfComplete: step.settings.allowStartIfComplete
    })
    switch (plan._tag) {
      case "Refuse":
        return { ...named, plan: "refuse", error: plan.error }
      case "Skip":
        return { ...named, plan: "skip", exitCode: plan.last.exitStatus.code, last: plan.last }
      case "Resume":
        return { ...named, plan: "resume", position: Option.getOrNull(plan.last.checkpoint), last: plan.last }
      case "Start":
        return { ...named, plan: "run" }
    }
  })

const refused = (
  jobName: string,
  parameters: string,
  error: InvalidJobParameters | LaunchRefused
): Explanation => ({ _tag: "Refused", jobName, parameters, error, lines: [`refused: ${error.message}`] })

const headline = (
  jobName: string,
  parameters: string,
  head: { readonly _tag: "NewInstance" } | { readonly _tag: "Restart"; readonly of: number; readonly takeover: boolean }
): string => {
  const what = `job "${jobName}"${parameters === "" ? "" : ` with ${parameters}`}`
  return head._tag === "NewInstance"
    ? `${what}: a new instance`
    : `${what}: restart of execution ${head.of}${head.takeover ? ", whose process is dead" : ""}`
}

const lineOf = (forecast: StepForecast): string => {
  const step = `${forecast.certain ? "" : "perhaps "}${forecast.step}`
  switch (forecast.plan) {
    case "run":
      return `${step}: run`
    case "skip":
      return `${step}: skip, it ended before with ${forecast.exitCode}`
    case "refuse":
      return `${step}: refuse. ${forecast.error.message}`
    case "resume": {
      const { counts } = forecast.last
      const position = forecast.position === null ? "from the beginning" : `at ${canonical(forecast.position)}`
      return `${step}: resume ${position}, after ${plural(counts.read, "item")} read and ${
        plural(counts.commit, "commit")
      }`
    }
  }
}
