/**
 * Jobs over HTTP: a group of endpoints for an `HttpApi` of yours, with its handlers, its OpenAPI description and its client.
 *
 * It lets everybody do everything who can reach it: put the middleware of your application in front of the group.
 *
 * @since 0.1.0
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { definitionOf } from "../definition/tree.js"
import * as JobOperator from "../operator/JobOperator.js"
import * as JobRegistry from "../operator/JobRegistry.js"
import { JobRepository } from "../ports/JobRepository.js"
import type { Transactor } from "../ports/Transactor.js"
import { nameOf, namePart } from "../view/html.js"
import type { BatchEvent } from "../vocabulary/BatchEvent.js"
import { BatchStatus } from "../vocabulary/BatchStatus.js"
import { Counts } from "../vocabulary/Counts.js"
import * as ExecutionContext from "../vocabulary/ExecutionContext.js"
import { messageOf, tagOf } from "../vocabulary/failure.js"
import * as JobExecution from "../vocabulary/JobExecution.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import * as StepExecution from "../vocabulary/StepExecution.js"

/**
 * Nothing has this name or id. Answered with 404.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotFound extends Schema.TaggedError<NotFound>()(
  "NotFound",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 404 })
) {}

/**
 * What was asked for is not possible now, or not with these parameters; `error` is the tag of the library's error. Answered
 * with 409.
 *
 * @since 0.1.0
 * @category errors
 */
export class Refused extends Schema.TaggedError<Refused>()(
  "Refused",
  { error: Schema.String, message: Schema.String },
  HttpApiSchema.annotations({ status: 409 })
) {}

/**
 * The job repository does not answer. Answered with 503: try again later.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unavailable extends Schema.TaggedError<Unavailable>()(
  "Unavailable",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 503 })
) {}

/**
 * An execution with its steps.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Execution = Schema.Struct({
  execution: JobExecution.JobExecution,
  steps: Schema.Array(StepExecution.StepExecution)
})

/**
 * What a launch with these parameters would do: `NewInstance`, `Restart` or `Refused`, in words.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Explanation = Schema.Struct({
  plan: Schema.Literal("NewInstance", "Restart", "Refused"),
  lines: Schema.Array(Schema.String)
})

/**
 * Something that has happened in a job that runs in the server: the tag of a `BatchEvent` with what it is about.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Event = Schema.Struct({
  event: Schema.String,
  executionId: Schema.Number,
  jobName: Schema.String,
  status: BatchStatus,
  step: Schema.optional(Schema.String),
  stepStatus: Schema.optional(BatchStatus),
  counts: Schema.optional(Counts),
  message: Schema.optional(Schema.String),
  progress: Schema.optional(Schema.Struct({ done: Schema.Number, total: Schema.Number }))
})

/**
 * @since 0.1.0
 * @category models
 */
export type Event = typeof Event.Type

/**
 * Parameters in their encoded form, as `JobRegistry.run` takes them.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Parameters = Schema.Struct({ parameters: Schema.Record({ key: Schema.String, value: Schema.Unknown }) })

const id = HttpApiSchema.param("id", Schema.NumberFromString.pipe(Schema.int(), Schema.nonNegative()))
/** A name as a part of a path. The router of the server takes its escapes back; the client does not make any. */
const name = HttpApiSchema.param(
  "name",
  Schema.transform(Schema.String, Schema.String, {
    strict: true,
    decode: nameOf,
    encode: namePart
  })
)

/**
 * - `GET /executions?jobName&status&before&limit`: newest first. `GET /executions/:id`: with its steps.
 * - `POST /jobs/:name/explain`, `POST /jobs/:name/launch`: answer as soon as the job runs; it outlives the request, and runs
 *   in the Scope of the layer.
 * - `POST /executions/:id/stop`, `POST /executions/:id/restart`. `POST /executions/:id/replay`: runs what it skipped again.
 * - `GET /events`: the events of the jobs that run in this process, as `text/event-stream`.
 *
 * Values of secret parameters are not in the answers, contexts are not either.
 *
 * @since 0.1.0
 * @category constructors
 */
export const group = HttpApiGroup.make("batch")
  .add(
    HttpApiEndpoint.get("list", "/executions")
      .setUrlParams(Schema.Struct({
        jobName: Schema.optional(Schema.String),
        status: Schema.optional(BatchStatus),
        before: Schema.optional(Schema.NumberFromString),
        limit: Schema.optional(Schema.NumberFromString.pipe(Schema.between(1, 1000)))
      }))
      .addSuccess(Schema.Array(JobExecution.JobExecution))
  )
  .add(HttpApiEndpoint.get("show")`/executions/${id}`.addSuccess(Execution).addError(NotFound))
  .add(
    HttpApiEndpoint.post("explain")`/jobs/${name}/explain`.setPayload(Parameters).addSuccess(Explanation).addError(
      NotFound
    )
      .addError(Refused)
  )
  .add(
    HttpApiEndpoint.post("launch")`/jobs/${name}/launch`.setPayload(Parameters).addSuccess(JobExecution.JobExecution)
      .addError(NotFound).addError(Refused)
  )
  .add(
    HttpApiEndpoint.post("stop")`/executions/${id}/stop`.addSuccess(Schema.Void).addError(NotFound).addError(Refused)
  )
  .add(
    HttpApiEndpoint.post("restart")`/executions/${id}/restart`.addSuccess(JobExecution.JobExecution).addError(NotFound)
      .addError(Refused)
  )
  .add(
    HttpApiEndpoint.post("replay")`/executions/${id}/replay`.addSuccess(JobExecution.JobExecution).addError(NotFound)
      .addError(Refused)
  )
  .add(
    HttpApiEndpoint.get("events", "/events").addSuccess(
      Schema.String.pipe(HttpApiSchema.withEncoding({ kind: "Text", contentType: "text/event-stream" }))
    )
  )
  .addError(Unavailable)

/**
 * An interface with nothing but this group, for a server of its own and for `client`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const api = HttpApi.make("effect-batch").add(group)

/**
 * The handlers of the group in an interface of yours that has it: `HttpApi.make("shop").add(BatchApi.group)`.
 *
 * @example
 * ```ts
 * import { HttpApiBuilder } from "@effect/platform"
 * import { Effect, Layer } from "effect"
 * import { Job, JobRegistry, JobRepository, Step } from "effect-batch"
 * import { BatchApi } from "effect-batch/api"
 *
 * const tidy = Job.make("tidy", { flow: Step.tasklet("tidy", Effect.void) })
 *
 * const live = HttpApiBuilder.api(BatchApi.api).pipe(
 *   Layer.provide(BatchApi.layer(BatchApi.api)),
 *   Layer.provide(JobRegistry.layer([tidy])),
 *   Layer.provide(JobRepository.layerMemory)
 * )
 * assert.ok(Layer.isLayer(live))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <Id extends string, Groups extends HttpApiGroup.HttpApiGroup.Any, E, R>(
  self: HttpApi.HttpApi<Id, Groups, E, R>
): Layer.Layer<HttpApiGroup.ApiGroup<Id, "batch">, never, JobRegistry.JobRegistry | JobRepository | Transactor> =>
  HttpApiBuilder.group(
    self as unknown as typeof api,
    "batch",
    (handlers) =>
      Effect.map(Effect.context<Services>(), (services) =>
        handlers
          .handle("list", ({ urlParams: { before, jobName, limit, status } }) =>
            provided(services)(
              JobOperator.executions({ jobName, before, limit, statuses: status === undefined ? undefined : [status] })
                .pipe(
                  Effect.map((rows) => rows.map(shown)),
                  Effect.mapError(unavailable)
                )
            ))
          .handle("show", ({ path: { id } }) => provided(services)(Effect.mapError(show(id), missing)))
          .handle(
            "explain",
            ({ path: { name }, payload: { parameters } }) =>
              provided(services)(Effect.mapError(explain(name, parameters), refused))
          )
          .handle("launch", ({ path: { name }, payload: { parameters } }) =>
            provided(services)(
              JobRegistry.start(name, parameters).pipe(
                Effect.map(({ execution }) => shown(execution)),
                Effect.mapError(refused)
              )
            ))
          .handle("stop", ({ path: { id } }) => provided(services)(Effect.mapError(JobOperator.stop(id), refused)))
          .handle("restart", ({ path: { id } }) =>
            provided(services)(
              JobRegistry.startAgain(id).pipe(
                Effect.map(({ execution }) => shown(execution)),
                Effect.mapError(refused)
              )
            ))
          .handle("replay", ({ path: { id } }) =>
            provided(services)(
              JobRegistry.startReplay(id).pipe(
                Effect.map(({ execution }) => shown(execution)),
                Effect.mapError(refused)
              )
            ))
          .handleRaw("events", () => Effect.succeed(eventStream)))
  ) as unknown as Layer.Layer<
    HttpApiGroup.ApiGroup<Id, "batch">,
    never,
    JobRegistry.JobRegistry | JobRepository | Transactor
  >

/**
 * A client of `api`: `yield* BatchApi.client({ baseUrl: "http://localhost:3000" })` has `batch.launch`, `batch.show` and so
 * on. For an interface of yours use `HttpApiClient.make`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const client = (options: { readonly baseUrl: string }) => HttpApiClient.make(api, options)

/**
 * The events of the jobs that run in a server, as they happen, from the connection on: `GET /events` of the group. It ends
 * when the server does, and fails when it cannot be reached; `Stream.retry` with a `Schedule` connects again. What happened
 * while nobody was connected is not told.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Stream } from "effect"
 * import { BatchApi } from "effect-batch/api"
 *
 * const ends = BatchApi.events("http://localhost:3000/events").pipe(
 *   Stream.filter(({ event }) => event === "JobEnded"),
 *   Stream.map(({ executionId, status }) => `${executionId} is ${status}`),
 *   Stream.provideLayer(FetchHttpClient.layer)
 * )
 * assert.ok(ends)
 * ```
 *
 * @param url the address of the events, with the prefix that the group has in your interface
 * @since 0.1.0
 * @category constructors
 */
export const events = (
  url: string
): Stream.Stream<Event, HttpClientError.HttpClientError | ParseResult.ParseError, HttpClient.HttpClient> =>
  Stream.unwrapScoped(Effect.map(
    Effect.flatMap(HttpClient.HttpClient, (client) => HttpClient.filterStatusOk(client).get(url)),
    ({ stream }) => Stream.mapEffect(messages(stream), (message) => decodeEvent(message))
  ))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Services = JobRegistry.JobRegistry | JobRepository | Transactor | Scope.Scope

const provided = (services: Context.Context<Services>) =>
<A, E>(
  effect: Effect.Effect<A, E, Services>
): Effect.Effect<A, E> => Effect.provide(effect, services)

const show = (id: number) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const execution = yield* repository.jobExecution(id)
    return { execution: shown(execution), steps: (yield* repository.stepExecutions(id)).map(withoutContext) }
  })

const explain = (name: string, parameters: unknown) =>
  Effect.gen(function*() {
    const registry = yield* JobRegistry.JobRegistry
    const { job } = yield* registry.get(name)
    const declaration = definitionOf(job).parameters ?? JobParameters.none
    const decoded = yield* JobParameters.decodeUnknown(declaration, parameters)
    const { _tag, lines } = yield* JobOperator.explain(job, decoded)
    return { plan: _tag, lines }
  })

const NOTHING = ExecutionContext.empty

const shown = (execution: JobExecution.JobExecution): JobExecution.JobExecution => ({
  ...execution,
  context: NOTHING,
  parameters: execution.parameters.map((parameter) =>
    parameter.redacted === true ? { ...parameter, value: "<redacted>" } : parameter
  )
})

const withoutContext = (step: StepExecution.StepExecution): StepExecution.StepExecution => ({
  ...step,
  context: NOTHING,
  checkpoint: Option.none()
})

const unavailable = (error: unknown): Unavailable => new Unavailable({ message: messageOf(error) })

const missing = (error: { readonly _tag: string }): NotFound | Unavailable =>
  error._tag === "JobRepositoryError" ? unavailable(error) : new NotFound({ message: messageOf(error) })

const refused = (error: { readonly _tag: string }): NotFound | Refused | Unavailable =>
  error._tag === "JobRepositoryError" || error._tag === "NoSuchJob" || error._tag === "NoSuchJobExecution"
    ? missing(error)
    : new Refused({ error: tagOf(error), message: messageOf(error) })

const eventOf = (event: BatchEvent): Event => {
  const { job } = event
  const step = "step" in event ? event.step : undefined
  return {
    event: event._tag,
    executionId: job.id,
    jobName: job.instance.jobName,
    status: job.status,
    ...(step === undefined ? {} : { step: step.stepName, stepStatus: step.status, counts: step.counts }),
    ..."message" in event ? { message: event.message } : {},
    ..."progress" in event ? { progress: event.progress } : {}
  }
}

const encodeEvent = Schema.encodeSync(Schema.parseJson(Event))

const decodeEvent = Schema.decodeUnknown(Schema.parseJson(Event))

/** The texts of the messages in a stream of server-sent events, wherever its packets were cut. */
const messages = <E, R>(bytes: Stream.Stream<Uint8Array, E, R>): Stream.Stream<string, E, R> =>
  bytes.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.mapAccum([] as ReadonlyArray<string>, (data, line): [ReadonlyArray<string>, Option.Option<string>] =>
      line.startsWith("data:")
        ? [[...data, line.slice(line.startsWith("data: ") ? 6 : 5)], Option.none()]
        : line === "" && data.length > 0
        ? [[], Option.some(data.join("\n"))]
        : [data, Option.none()]),
    Stream.filterMap((message) =>
      message
    )
  )

const eventStream = HttpServerResponse.stream(
  Stream.encodeText(
    Stream.concat(
      Stream.make(": connected\n\n"),
      Stream.map(JobOperator.events, (event) => `data: ${encodeEvent(eventOf(event))}\n\n`)
    )
  ),
  { contentType: "text/event-stream", headers: { "cache-control": "no-store" } }
)
