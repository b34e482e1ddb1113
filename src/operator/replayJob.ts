/**
 * The job that runs skipped records of a job again: its steps that keep what they skip, as they are, but for where their
 * items come from. What failed in processing is processed and written again, by the step itself; what failed in writing is
 * written again, by a second step without the processor. Pure.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Json } from "../base/json.js"
import * as SkipPolicy from "../decisions/SkipPolicy.js"
import { steps } from "../definition/defects.js"
import * as Job from "../definition/Job.js"
import type { Kept } from "../definition/quarantine.js"
import type { ChunkBody, FlowNode, StepDefinition } from "../definition/tree.js"
import { definitionOf, withTree } from "../definition/tree.js"
import type { Page, Source } from "../item/ItemReader.js"
import * as ItemReader from "../item/ItemReader.js"
import * as Position from "../item/position.js"
import { JobRepository } from "../ports/JobRepository.js"
import * as JobScope from "../ports/JobScope.js"
import type { JobRepositoryError, UnreadablePosition } from "../vocabulary/BatchError.js"
import { RecordNotReplayed } from "../vocabulary/BatchError.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import type { JobParameter } from "../vocabulary/JobParameters.js"
import type { SkippedItem } from "../vocabulary/SkippedItem.js"

/** The parameter that names the execution whose skipped records are run. It alone identifies the instance. */
export const OF = "replay.of"

export const nameOf = (jobName: string): string => `${jobName}${SUFFIX}`

/** The name of the job whose records a job of this name runs again, if it does. */
export const baseName = (name: string): string | undefined =>
  name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : undefined

/** The execution whose records this one runs again, if it does. */
export const replayed = ({ instance, parameters, parent }: JobExecution): number | undefined => {
  const of = parameters.find(({ name }) => name === OF)?.value
  return parent !== undefined && typeof of === "number" && baseName(instance.jobName) !== undefined ? of : undefined
}

/** Those of the execution, of which none identifies, so that its records are run again only once. */
export const parametersOf = ({ id, parameters }: JobExecution): ReadonlyArray<JobParameter> => [
  { name: OF, value: id, identifying: true },
  ...parameters.filter(({ name }) => name !== OF).map((parameter) => ({ ...parameter, identifying: false }))
]

/** A step of the job, and why its records cannot be run again, if so. */
export interface Candidate {
  readonly step: StepDefinition & { readonly body: ChunkBody }
  readonly obstacle: string | undefined
}

/** Of a step that writes a file, the file of this execution would take the place of the one that is there. */
export const candidates = (job: Job.Job.Any): ReadonlyArray<Candidate> =>
  steps(definitionOf(job).graph).flatMap((step) => {
    const { body } = step
    if (body._tag !== "Chunk") {
      return []
    }
    const obstacle = step.settings.quarantine === undefined
      ? "it does not keep what it skips; give it Step.quarantine"
      : body.writer.delivery === "restartable"
      ? `its writer "${body.writer.name}" would begin its output anew`
      : undefined
    return [{ step: { ...step, body }, obstacle }]
  })

/** None when no step of the job can run records again. */
export const make = (job: Job.Job.Any): Job.Job.Any | undefined => {
  const { parameters } = definitionOf(job)
  const able = candidates(job).filter(({ obstacle }) => obstacle === undefined).map(({ step }) => step)
  const taken = new Set(able.map(({ name }) => name))
  const nodes = able.flatMap((step): ReadonlyArray<FlowNode> => {
    const { process, write } = step.settings.quarantine!
    const name = writeOnlyName(step.name, taken)
    return [
      again(step, step.name, step.body.processor, reader(process, [[step.name, "process"]])),
      again(step, name, undefined, reader(write, [[step.name, "write"], [name, "write"]]))
    ].map((definition) => ({ _tag: "Step", definition }))
  })
  const [first, ...rest] = nodes
  if (first === undefined) {
    return undefined
  }
  const flow = rest.reduce((self, that): FlowNode => ({ _tag: "AndThen", self, that }), first)
  const options = { flow: withTree({}, {}, flow), parameters: parameters as any }
  return Job.make(nameOf(job.name), options) as Job.Job.Any
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const SUFFIX = " (replay)"

/** The same for the records of a replay, whose step has this name. */
const writeOnlyName = (name: string, taken: ReadonlySet<string>): string =>
  taken.has(`${name} (only write)`) ? writeOnlyName(`${name} (only write)`, taken) : `${name} (only write)`

const again = (
  { body, settings }: StepDefinition & { readonly body: ChunkBody },
  name: string,
  processor: ChunkBody["processor"],
  reader: ChunkBody["reader"]
): StepDefinition => ({
  name,
  body: { ...body, processor, reader, prefetch: false },
  settings: {
    ...settings,
    startLimit: Number.POSITIVE_INFINITY,
    skip: SkipPolicy.or(
      SkipPolicy.classify(SkipPolicy.always, { include: [RecordNotReplayed] }),
      settings.skip ?? SkipPolicy.never
    )
  }
})

type From = readonly [stepName: string, phase: SkippedItem["phase"]]

type Row = SkippedItem & { readonly id: number }

/** `at`: of the sources, which one. `after`: behind which record. */
const Place = Schema.Struct({ at: Position.Count, after: Position.Count })

const NAME = "skipped records"

type Failure = RecordNotReplayed | JobRepositoryError | UnreadablePosition

const reader = (
  kept: Kept,
  sources: ReadonlyArray<From>
): ItemReader.ItemReader<unknown, Failure, JobRepository | JobScope.JobScope> =>
  ItemReader.make<unknown, Failure, JobRepository | JobScope.JobScope>(NAME, (from) =>
    Effect.gen(function*() {
      const repository = yield* JobRepository
      const { parameters } = yield* JobScope.execution
      const executionId = Number(parameters.find(({ name }) => name === OF)?.value)
      const start = yield* Position.decode(NAME, Place)(from)
      const page = ({ after, at }: typeof Place.Type, limit: number) =>
        repository.skippedPage({
          executionId,
          partitions: false,
          stepName: sources[at]![0],
          phase: sources[at]![1],
          after,
          limit
        })
      return source(executionId, kept, sources.length, Option.getOrElse(start, () => ({ at: 0, after: 0 })), page)
    }))

const source = <E>(
  executionId: number,
  kept: Kept,
  count: number,
  start: typeof Place.Type,
  page: (place: typeof Place.Type, limit: number) => Effect.Effect<ReadonlyArray<Row>, E>
): Source<unknown, E | RecordNotReplayed> => {
  let place = start
  let rows: ReadonlyArray<Row> = []
  const pull = (max: number): Effect.Effect<Page<unknown, E | RecordNotReplayed>, E> =>
    Effect.gen(function*() {
      while (rows.length === 0 && place.at < count) {
        rows = yield* page(place, max)
        place = rows.length === 0 ? { at: place.at + 1, after: 0 } : place
      }
      const items: Array<unknown> = []
      let failure = Option.none<RecordNotReplayed>()
      let taken = 0
      while (taken < Math.min(max, rows.length) && Option.isNone(failure)) {
        const row = rows[taken++]!
        const revived = Either.flatMap(Either.fromOption(row.item, () => "JSON could not hold it"), kept.revived)
        if (Either.isRight(revived)) {
          items.push(revived.right)
        } else {
          failure = Option.some(
            new RecordNotReplayed({ record: row.id, executionId, step: row.stepName, detail: revived.left })
          )
        }
        place = { ...place, after: row.id }
      }
      rows = rows.slice(taken)
      return { items, position: place as Json, failure, done: place.at >= count }
    })
  return { waits: false, pull }
}
