/**
 * What a launch would do if it came now: decided by the same pure rules as a real one, from rows that are only read.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { plural } from "../base/text.js"
import * as DurableEnd from "../decisions/durableEnd.js"
import * as History from "../decisions/flowHistory.js"
import * as Measure from "../decisions/measure.js"
import * as Outcome from "../decisions/outcome.js"
import * as RestartPolicy from "../decisions/RestartPolicy.js"
import { innerGraphs, steps as stepsOf } from "../definition/defects.js"
import type { FlowGraph, FlowState } from "../definition/graph.js"
import type { Job } from "../definition/Job.js"
import type { Place, Places } from "../definition/places.js"
import { placesOf, standings } from "../definition/places.js"
import { foresee } from "../definition/routes.js"
import type { JobDefinition, StepDefinition } from "../definition/tree.js"
import { definitionOf } from "../definition/tree.js"
import * as Stops from "../engine/flow/stops.js"
import * as Running from "../engine/session/running.js"
import { lessIn } from "../item/sinks.js"
import { JobRepository } from "../ports/JobRepository.js"
import type {
  JobRepositoryError,
  JobRestartRefused,
  LaunchRefused,
  StepStartLimitExceeded,
  UnreadableContextKey
} from "../vocabulary/BatchError.js"
import { InvalidJobParameters } from "../vocabulary/BatchError.js"
import type { Json } from "../vocabulary/ExecutionContext.js"
import * as ExitStatus from "../vocabulary/ExitStatus.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"
import * as Partitioned from "./partitioned.js"
import { placeText } from "./placeText.js"

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
 * - `place`, `round`: where it stands, and which visit of that place it is.
 * - `certain`: false when it depends on the outcome of an earlier step, or on a decider, whether the step is met.
 * - `skip`: complete already; `exitCode` is what the flow routes on.
 * - `resume`: goes on from `position` with what `last` had counted; `position` is null when there was none yet. `partitions`
 *   says what becomes of each, if the step has planned some.
 * - `refuse`: the job would fail here with `error`.
 */
export type StepForecast =
  & { readonly step: string; readonly place: string; readonly round: string; readonly certain: boolean }
  & (
    | { readonly plan: "run" }
    | { readonly plan: "skip"; readonly exitCode: string; readonly last: StepExecution }
    | {
      readonly plan: "resume"
      readonly position: Json
      readonly last: StepExecution
      readonly partitions?: Partitioned.PartitionsForecast | undefined
    }
    | { readonly plan: "refuse"; readonly error: JobRestartRefused | StepStartLimitExceeded }
  )

type Failure = JobRepositoryError | UnreadableContextKey

export const explain = (
  job: Job.Any,
  parameters: unknown
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
    const plan = yield* planOf(definition, given, history)
    if (plan._tag === "Refuse") {
      return refused(name, given, Running.located(yield* Running.Running, repository, plan.error))
    }
    const steps = yield* forecast(definition, newest)
    const head = newest === undefined
      ? { _tag: "NewInstance" as const, steps }
      : { _tag: "Restart" as const, of: newest.id, takeover: plan._tag === "Takeover", steps }
    const warnings = yield* warningsOf(definition.graph)
    return {
      ...head,
      jobName: name,
      parameters: given,
      lines: [headline(name, given, head), ...steps.flatMap(linesOf), ...warnings]
    }
  })
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const planOf = (
  definition: JobDefinition,
  parameters: string,
  history: ReadonlyArray<JobExecution>
) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const expired = new Set((yield* repository.expiredExecutions(yield* Running.witness)).map(({ id }) => id))
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

/** The steps in the order in which they would be met, each round on its own; behind what is not certain, each place once. */
const forecast = (
  definition: JobDefinition,
  newest: JobExecution | undefined
): Effect.Effect<ReadonlyArray<StepForecast>, Failure, JobRepository> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const { answers, steps } = newest === undefined
      ? { answers: [], steps: [] }
      : yield* repository.flowHistory(newest.instance)
    const walk: Walk = {
      definition,
      newest,
      history: History.make(steps, answers),
      standings: standings(definition.graph),
      places: placesOf(definition.graph),
      outer: [],
      visits: new Map()
    }
    const { steps: all } = yield* forecastGraph(walk, definition.graph, { certain: true, passed: [] })
    return all.filter((step, at) =>
      step.certain || !all.slice(0, at).some((other) => other.place === step.place && other.plan !== "skip")
    )
  })

interface Walk {
  readonly definition: JobDefinition
  readonly newest: JobExecution | undefined
  readonly history: History.History
  readonly standings: ReadonlyMap<string, number>
  readonly places: Places
  readonly outer: ReadonlyArray<number>
  readonly visits: Map<string, number>
}

/** `passed`: the rows of 0.1 that were found on the way. */
interface From {
  readonly certain: boolean
  readonly passed: ReadonlyArray<History.StepRecord>
}

interface Forecast {
  readonly steps: ReadonlyArray<StepForecast>
  readonly passed: ReadonlyArray<History.StepRecord>
  /** `stops`: the job would stop here. None when it depends on what would run. */
  readonly came: Outcome.Outcome | "stops" | undefined
}

/**
 * Walks while the way is known, as a restart does; behind the first state whose outcome is not, everything is only
 * possible. A stop that the job would make is the end of the walk.
 */
const forecastGraph = (walk: Walk, graph: FlowGraph, from: From): Effect.Effect<Forecast, Failure, JobRepository> =>
  Effect.gen(function*() {
    const steps: Array<StepForecast> = []
    let { passed } = from
    let came: Outcome.Outcome = Outcome.passed
    let ahead: ReadonlyArray<number> = [graph.start]
    while (from.certain && ahead.length > 0) {
      const state = graph.states[ahead[0]!]!
      if (state._tag === "End") {
        return { steps, passed, came: Outcome.endAt(state, came) }
      }
      const here: Forecast = yield* forecastState(walk, state, ahead[0]!, { certain: true, passed }, came)
      steps.push(...here.steps)
      passed = here.passed
      if (here.came === "stops") {
        return { steps, passed, came: "stops" }
      }
      if (here.came === undefined) {
        ahead = next(state)
        break
      }
      came = here.came
      const way = Outcome.follow(state.ways, came, { stopRequested: false, isGoodEnd: () => false })
      if (way._tag !== "GoTo") {
        return { steps, passed, came: way._tag === "Leave" ? way.outcome : undefined }
      }
      ahead = [way.at]
    }
    const possible = new Set(ahead)
    for (const at of possible) {
      const state = graph.states[at]!
      const here: Forecast = yield* forecastState(walk, state, at, { certain: false, passed }, came)
      steps.push(...here.steps)
      if (here.came !== "stops") {
        next(state).forEach((to) => possible.add(to))
      }
    }
    return { steps, passed, came: undefined }
  })

const next = (state: FlowState): ReadonlyArray<number> =>
  foresee(state).routes.flatMap(({ to }) => typeof to === "number" ? [to] : [])

interface Here extends Place {
  readonly visit: number
  readonly round: string
}

const forecastState = (
  walk: Walk,
  state: FlowState,
  at: number,
  from: From,
  came: Outcome.Outcome
): Effect.Effect<Forecast, Failure, JobRepository> =>
  Effect.gen(function*() {
    const place = walk.places[at]!
    const visit = (walk.visits.get(place.place) ?? 0) + 1
    walk.visits.set(place.place, visit)
    const here: Here = { ...place, visit, round: History.roundOf(walk.outer, visit) }
    const { passed } = from
    const code = from.certain ? History.answerOf(walk.history, here.place, here.round) : undefined
    const known: Outcome.Outcome | undefined = code === undefined ? undefined : {
      status: code === "FAILED" ? "ABANDONED" : "COMPLETED",
      exitStatus: ExitStatus.make(code),
      cause: Option.none()
    }
    switch (state._tag) {
      case "Step":
        return yield* forecastStepState(walk, state.definition, here, from)
      case "Split": {
        if (known !== undefined) {
          return { steps: [], passed, came: known }
        }
        const inner = yield* forecastInside(walk, state, here, from)
        const ends = inner.flatMap((branch) =>
          branch.came === undefined || branch.came === "stops" ? [] : [branch.came]
        )
        return {
          steps: inner.flatMap(({ steps }) => steps),
          passed: [...new Set(inner.flatMap((branch) => branch.passed))],
          came: ends.length === inner.length
            ? Outcome.join(ends)
            : inner.some((branch) => branch.came === "stops")
            ? "stops"
            : undefined
        }
      }
      case "Stop": {
        const { newest } = walk
        const isRecorded = newest !== undefined && (yield* Stops.isRecorded(newest.context, here))
        return { steps: [], passed, came: isRecorded && Outcome.passesStop(came) ? Outcome.passed : "stops" }
      }
      case "Decide":
        return { steps: [], passed, came: known }
      case "End":
        return { steps: [], passed, came: "stops" }
    }
  })

const forecastStepState = (
  walk: Walk,
  definition: StepDefinition,
  here: Here,
  from: From
): Effect.Effect<Forecast, Failure, JobRepository> =>
  Effect.gen(function*() {
    const { last, step } = yield* forecastStep(walk, definition, here, from)
    const passed = last !== undefined && last.place === null ? [...from.passed, last] : from.passed
    if (step.plan === "skip") {
      const { exitStatus, status } = step.last
      return { steps: [step], passed, came: { status, exitStatus, cause: Option.none() } }
    }
    const graphs = definition.body._tag === "Flow" ? [definition.body.graph] : []
    const inside = yield* Effect.forEach(graphs, (graph, index) =>
      forecastGraph(within(walk, here, index), graph, { ...from, passed }))
    return {
      steps: [
        step,
        ...inside.flatMap(({ steps }) =>
          steps
        )
      ],
      passed,
      came: undefined
    }
  })

const within = (walk: Walk, { inner, visit }: Here, index: number): Walk => ({
  ...walk,
  places: inner[index]!,
  outer: [...walk.outer, visit],
  visits: new Map()
})

const forecastInside = (walk: Walk, state: FlowState, here: Here, from: From) =>
  Effect.forEach(innerGraphs(state), (graph, index) => forecastGraph(within(walk, here, index), graph, from))

const forecastStep = (
  { definition, history, standings }: Walk,
  step: StepDefinition,
  { place, round }: Here,
  { certain, passed }: From
): Effect.Effect<
  { readonly step: StepForecast; readonly last: History.StepRecord | undefined },
  Failure,
  JobRepository
> =>
  Effect.gen(function*() {
    const named = { step: step.name, place, round, certain }
    const visited = { place, round, stepName: step.name, shared: (standings.get(step.name) ?? 1) > 1, passed }
    const known = History.lastOf(history, visited)
    const row = known === undefined ? Option.none() : yield* (yield* JobRepository).stepExecution(known.id)
    const plan = RestartPolicy.planStep({
      jobName: definition.name,
      stepName: step.name,
      last: Option.map(row, (last) => ({ ...last, startedInThisExecution: false })),
      starts: History.startsOf(history, visited),
      startLimit: step.settings.startLimit,
      allowStartIfComplete: step.settings.allowStartIfComplete
    })
    const last = Option.isSome(row) ? known : undefined
    switch (plan._tag) {
      case "Refuse":
        return { last, step: { ...named, plan: "refuse", error: plan.error } }
      case "Skip":
        return { last, step: { ...named, plan: "skip", exitCode: plan.last.exitStatus.code, last: plan.last } }
      case "Resume": {
        const position = Option.getOrNull(Option.map(plan.last.checkpoint, Measure.without))
        const partitions = step.body._tag === "Partition"
          ? Option.getOrUndefined(yield* Partitioned.forecast(plan.last, step.body.restart))
          : undefined
        const resumed = { ...named, plan: "resume" as const, position, last: plan.last }
        return { last, step: partitions === undefined ? resumed : { ...resumed, partitions } }
      }
      case "Start":
        return { last, step: { ...named, plan: "run" } }
    }
  })

/** The writers that guarantee less than they say, with the services that there are. */
const warningsOf = (graph: FlowGraph): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(Effect.context<never>(), (services) =>
    stepsOf(graph).flatMap(({ body, name }) => {
      const less = body._tag === "Chunk" ? lessIn(body.writer, body.writer.delivery, services) : undefined
      return less === undefined ? [] : [`${name}: ${less}`]
    }))

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

const linesOf = (forecast: StepForecast): ReadonlyArray<string> => {
  const round = forecast.round === "1" ? "" : ` (round ${forecast.round})`
  const step = `${forecast.certain ? "" : "perhaps "}${forecast.place}${round}`
  return forecast.plan === "resume" && forecast.partitions !== undefined
    ? Partitioned.forecastLines(step, forecast.partitions)
    : [lineOf(step, forecast)]
}

const lineOf = (step: string, forecast: StepForecast): string => {
  switch (forecast.plan) {
    case "run":
      return `${step}: run`
    case "skip":
      return `${step}: skip, it ended before with ${forecast.exitCode}`
    case "refuse":
      return `${step}: refuse. ${forecast.error.message}`
    case "resume": {
      const { checkpoint, counts } = forecast.last
      if (Option.isSome(DurableEnd.read(checkpoint))) {
        return `${step}: resume behind its work, which has ended: only its listeners are called again`
      }
      const position = forecast.position === null ? "from the beginning" : `at ${placeText(forecast.position)}`
      return `${step}: resume ${position}, after ${plural(counts.read, "item")} read and ${
        plural(counts.commit, "commit")
      }`
    }
  }
}
