/** Jobs over HTTP, through the client that comes with them. */
import { HttpApi, HttpApiBuilder, HttpServer, OpenApi } from "@effect/platform"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { createServer } from "node:http"
import { BatchApi } from "../../src/api/index.js"
import type { Job as Jobs } from "../../src/index.js"
import {
  BatchError,
  ExecutionContext,
  ItemReader,
  ItemWriter,
  Job,
  JobParameters,
  JobRegistry,
  JobRepository,
  JobScope,
  Step,
  StepScope,
  type Transactor
} from "../../src/index.js"

class Params extends JobParameters.Tag<Params>()("Params", {
  customer: Schema.String,
  password: JobParameters.nonIdentifying(Schema.Redacted(Schema.String))
}) {}

const key = ExecutionContext.key("kept", Schema.String)

const serve = (
  jobs: ReadonlyArray<Jobs.Job.Any>,
  repository: Layer.Layer<JobRepository.JobRepository | Transactor.Transactor> = JobRepository.layerMemory
) =>
  Effect.gen(function*() {
    const context = yield* Layer.build(
      HttpApiBuilder.serve().pipe(
        Layer.provide(HttpApiBuilder.api(BatchApi.api)),
        Layer.provide(BatchApi.layer(BatchApi.api)),
        Layer.provide(JobRegistry.layer(jobs) as unknown as Layer.Layer<JobRegistry.JobRegistry>),
        Layer.provide(repository),
        Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" }))
      )
    )
    const { address } = Context.get(context, HttpServer.HttpServer)
    const url = address._tag === "TcpAddress" ? `http://127.0.0.1:${address.port}` : ""
    const { batch } = yield* Effect.provide(BatchApi.client({ baseUrl: url }), FetchHttpClient.layer)
    return { batch, url }
  })

const until = <A, E>(look: Effect.Effect<A, E>, isIt: (value: A) => boolean): Effect.Effect<A, E> =>
  Effect.flatMap(
    look,
    (value) =>
      isIt(value) ? Effect.succeed(value) : Effect.zipRight(Effect.yieldNow(), Effect.suspend(() => until(look, isIt)))
  )

describe("BatchApi", () => {
  it.scopedLive("explains, launches, shows, stops and restarts; what runs outlives its request", () =>
    Effect.gen(function*() {
      const hold = yield* Deferred.make<void>()
      const job = Job.make("reminders", {
        parameters: Params,
        flow: Step.tasklet("send", Deferred.await(hold))
      })
      const { batch } = yield* serve([job])
      const parameters = { customer: "ada", password: "hunter2" }
      const explained = yield* batch.explain({ path: { name: "reminders" }, payload: { parameters } })
      assert.strictEqual(explained.plan, "NewInstance")
      const { id } = yield* batch.launch({ path: { name: "reminders" }, payload: { parameters } })
      const running = yield* batch.show({ path: { id } })
      assert.strictEqual(running.execution.status, "STARTED")
      assert.notInclude(JSON.stringify(running), "hunter2")
      const twice = yield* Effect.flip(batch.launch({ path: { name: "reminders" }, payload: { parameters } }))
      assert.deepInclude(twice, { _tag: "Refused", error: "JobExecutionAlreadyRunning" })
      yield* batch.stop({ path: { id } })
      yield* Deferred.succeed(hold, undefined)
      const ended = yield* until(batch.show({ path: { id } }), ({ execution }) => execution.endTime._tag === "Some")
      assert.strictEqual(ended.execution.status, "STOPPED")
      const again = yield* batch.restart({ path: { id } })
      assert.isAbove(again.id, id)
      yield* until(batch.show({ path: { id: again.id } }), ({ execution }) => execution.status === "COMPLETED")
      const late = yield* Effect.flip(batch.stop({ path: { id } }))
      assert.deepInclude(late, { _tag: "Refused", error: "JobExecutionNotRunning" })
      const all = yield* batch.list({ urlParams: { jobName: "reminders", status: "COMPLETED" } })
      assert.deepStrictEqual(all.map((row) => row.id), [again.id])
      assert.deepStrictEqual((yield* batch.list({ urlParams: { before: again.id, limit: 5 } })).map((row) => row.id), [
        id
      ])
    }))

  it.scopedLive("shows what is no secret, and neither contexts nor places in sources, at every door", () =>
    Effect.gen(function*() {
      const job = Job.make("load", {
        parameters: Params,
        flow: Step.chunk("rows", {
          reader: ItemReader.fromIterable([1, 2]),
          writer: ItemWriter.fromFunction(([n]: ReadonlyArray<number>) =>
            Effect.zipRight(
              Effect.zipRight(StepScope.set(key, "kept"), JobScope.set(key, "kept")),
              n === 2 ? Effect.fail("broken") : Effect.void
            )
          ),
          chunkSize: 1
        })
      })
      const repository = yield* Layer.build(JobRepository.layerMemory)
      const { batch } = yield* serve([job], Layer.succeedContext(repository))
      const parameters = { customer: "ada", password: "hunter2" }
      const launched = yield* batch.launch({ path: { name: "load" }, payload: { parameters } })
      const path = { id: launched.id }
      const { execution, steps } = yield* until(
        batch.show({ path }),
        ({ execution }) => execution.endTime._tag === "Some"
      )
      const stored = Context.get(repository, JobRepository.JobRepository)
      const [row] = yield* stored.stepExecutions(launched.id)
      assert.isTrue(Option.isSome(row!.checkpoint))
      assert.include(ExecutionContext.toJson(row!.context), "kept")
      assert.include(ExecutionContext.toJson((yield* stored.jobExecution(launched.id)).context), "kept")
      assert.deepStrictEqual(
        steps.map(({ checkpoint, context, counts }) => [checkpoint, ExecutionContext.toJson(context), counts.write]),
        [[Option.none(), "{}", 1]]
      )
      const restarted = yield* batch.restart({ path })
      const [listed] = yield* batch.list({ urlParams: { jobName: "load" } })
      for (const shown of [launched, execution, restarted, listed!]) {
        assert.strictEqual(ExecutionContext.toJson(shown.context), "{}")
        assert.deepStrictEqual(shown.parameters.map(({ name, value }) => [name, value]), [
          ["customer", "ada"],
          ["password", "<redacted>"]
        ])
      }
    }))

  it.scopedLive("says at every door that the repository does not answer, which is neither a refusal nor a missing name", () =>
    Effect.gen(function*() {
      const job = Job.make("reminders", { parameters: Params, flow: Step.tasklet("send", Effect.void) })
      const memory = yield* Layer.build(JobRepository.layerMemory)
      const away = new BatchError.JobRepositoryError({ operation: "any", reason: "data", detail: "no such table" })
      const silent = new Proxy(Context.get(memory, JobRepository.JobRepository), {
        get: (_, name) => name === "partitions" ? {} : () => Effect.fail(away)
      })
      const { batch } = yield* serve(
        [job],
        Layer.succeedContext(Context.add(memory, JobRepository.JobRepository, silent))
      )
      const payload = { parameters: { customer: "ada", password: "hunter2" } }
      const path = { id: 1 }
      const doors: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string; readonly message: string }>> = [
        batch.list({ urlParams: {} }),
        batch.show({ path }),
        batch.explain({ path: { name: "reminders" }, payload }),
        batch.launch({ path: { name: "reminders" }, payload }),
        batch.stop({ path }),
        batch.restart({ path }),
        batch.replay({ path })
      ]
      for (const door of doors) {
        const { _tag, message } = yield* Effect.flip(door)
        assert.strictEqual(_tag, "Unavailable")
        assert.include(message, "no such table")
      }
      const stranger = yield* Effect.flip(batch.explain({ path: { name: "nobody" }, payload }))
      assert.strictEqual(stranger._tag, "NotFound")
    }))

  it.scopedLive("lists by job and status, from 1 to 1000 at a time", () =>
    Effect.gen(function*() {
      const { batch, url } = yield* serve([
        Job.make("one", { flow: Step.tasklet("step", Effect.void) }),
        Job.make("other", { flow: Step.tasklet("step", Effect.fail("broken")) })
      ])
      for (const name of ["one", "other"]) {
        const { id } = yield* batch.launch({ path: { name }, payload: { parameters: {} } })
        yield* until(batch.show({ path: { id } }), ({ execution }) => execution.endTime._tag === "Some")
      }
      const listed = (urlParams: Parameters<typeof batch.list>[0]["urlParams"]) =>
        Effect.map(batch.list({ urlParams }), (rows) => rows.map(({ instance }) => instance.jobName))
      assert.deepStrictEqual(yield* listed({}), ["other", "one"])
      assert.deepStrictEqual(yield* listed({ limit: 1 }), ["other"])
      assert.deepStrictEqual(yield* listed({ jobName: "one" }), ["one"])
      assert.deepStrictEqual(yield* listed({ status: "COMPLETED" }), ["one"])
      assert.deepStrictEqual(yield* listed({ jobName: "one", status: "FAILED" }), [])
      const answer = (limit: number) =>
        Effect.promise(() => fetch(`${url}/executions?limit=${limit}`).then(({ status }) => status))
      assert.deepStrictEqual(yield* Effect.forEach([0, 1, 1000, 1001], answer), [400, 200, 200, 400])
    }))

  it.scopedLive("names what does not exist, and what is wrong with parameters", () =>
    Effect.gen(function*() {
      const { batch } = yield* serve([
        Job.make("reminders", { parameters: Params, flow: Step.tasklet("send", Effect.void) })
      ])
      const errors = yield* Effect.all([
        Effect.flip(batch.show({ path: { id: 404 } })),
        Effect.flip(batch.restart({ path: { id: 404 } })),
        Effect.flip(batch.launch({ path: { name: "nobody" }, payload: { parameters: {} } })),
        Effect.flip(batch.launch({ path: { name: "reminders" }, payload: { parameters: { costumer: "ada" } } }))
      ])
      assert.deepStrictEqual(errors.map(({ _tag }) => _tag), ["NotFound", "NotFound", "NotFound", "Refused"])
      assert.include((errors[3] as BatchApi.Refused).message, "costumer")
    }))

  it.scopedLive("streams what happens", () =>
    Effect.gen(function*() {
      const { batch, url } = yield* serve([Job.make("tidy", { flow: Step.tasklet("tidy", Effect.void) })])
      const stop = new AbortController()
      const reader = yield* Effect.promise(async () =>
        (await fetch(`${url}/events`, { signal: stop.signal })).body!.getReader()
      )
      const texts = yield* Effect.fork(Effect.promise(async () => {
        let text = ""
        while (!text.includes("JobEnded")) {
          text += new TextDecoder().decode((await reader.read()).value)
        }
        stop.abort()
        return text
      }))
      const { id } = yield* batch.launch({ path: { name: "tidy" }, payload: { parameters: {} } })
      const events = (yield* texts).split("\n\n").filter((line) => line.startsWith("data: "))
        .map((line) => JSON.parse(line.slice(6))).filter(({ executionId }) => executionId === id)
      assert.strictEqual(events.at(-1).event, "JobEnded")
      assert.strictEqual(events.at(-1).status, "COMPLETED")
    }))

  it.scopedLive("streams what happens to a typed client, wherever the network cuts the stream", () =>
    Effect.gen(function*() {
      const { batch, url } = yield* serve([
        Job.make("tidy", { flow: Step.tasklet("t\u00e4dy \u{1f9f9}", Effect.void) })
      ])
      const cut = Effect.map(
        HttpClient.HttpClient,
        (client) =>
          HttpClient.transformResponse(
            client,
            Effect.map((response): HttpClientResponse.HttpClientResponse =>
              Object.create(response, {
                stream: {
                  value: Stream.flatMap(
                    response.stream,
                    (bytes) => Stream.fromIterable(Array.from(bytes, (byte) => Uint8Array.of(byte)))
                  )
                }
              })
            )
          )
      )
      const connected = yield* Deferred.make<void>()
      const ended = yield* BatchApi.events(`${url}/events`).pipe(
        Stream.takeUntil(({ event }) => event === "JobEnded"),
        Stream.runCollect,
        Effect.provideServiceEffect(
          HttpClient.HttpClient,
          Effect.map(cut, HttpClient.transformResponse(Effect.tap(() => Deferred.succeed(connected, undefined))))
        ),
        Effect.provide(FetchHttpClient.layer),
        Effect.fork
      )
      yield* Deferred.await(connected)
      const { id } = yield* batch.launch({ path: { name: "tidy" }, payload: { parameters: {} } })
      const events = Array.from(yield* ended).filter(({ executionId }) => executionId === id)
      assert.deepInclude(events.at(-1), { event: "JobEnded", jobName: "tidy", status: "COMPLETED" })
      assert.include(events.map(({ step }) => step), "t\u00e4dy \u{1f9f9}")
      const away = yield* Effect.exit(
        Stream.runDrain(Stream.provideLayer(BatchApi.events(`${url}/nothing`), FetchHttpClient.layer))
      )
      assert.strictEqual(away._tag, "Failure")
    }))

  it.scopedLive("streams of each event what it is about: the step with its status and counts, how far it is, why it failed", () =>
    Effect.gen(function*() {
      const { batch, url } = yield* serve([Job.make("telling", {
        flow: Step.chunk("rows", {
          reader: ItemReader.fromIterable([1, 2]),
          writer: ItemWriter.fromFunction(([n]: ReadonlyArray<number>) =>
            n === 2 ? Effect.fail("no paper") : Effect.void
          ),
          chunkSize: 1
        })
      })])
      const connected = yield* Deferred.make<void>()
      const ended = yield* BatchApi.events(`${url}/events`).pipe(
        Stream.takeUntil(({ event }) => event === "JobEnded"),
        Stream.runCollect,
        Effect.provideServiceEffect(
          HttpClient.HttpClient,
          Effect.map(
            HttpClient.HttpClient,
            HttpClient.transformResponse(Effect.tap(() => Deferred.succeed(connected, undefined)))
          )
        ),
        Effect.provide(FetchHttpClient.layer),
        Effect.fork
      )
      yield* Deferred.await(connected)
      const { id } = yield* batch.launch({ path: { name: "telling" }, payload: { parameters: {} } })
      const events = Array.from(yield* ended).filter(({ executionId }) => executionId === id)
      const of = (name: string) => events.find(({ event }) => event === name)
      assert.deepStrictEqual(of("JobEnded"), {
        event: "JobEnded",
        executionId: id,
        jobName: "telling",
        status: "FAILED"
      })
      const committed = of("ChunkCommitted")
      assert.deepInclude(committed, {
        step: "rows",
        stepStatus: "STARTED",
        status: "STARTED",
        progress: { done: 1, total: 2 }
      })
      assert.strictEqual(committed!.counts?.write, 1)
      assert.strictEqual(of("StepEnded")?.stepStatus, "FAILED")
      assert.include(of("ChunkRolledBack")?.message, "no paper")
    }))

  it.effect("reads events of a server that breaks its messages into lines, sends comments and ends lines as it likes", () =>
    Effect.gen(function*() {
      const event = { event: "JobEnded", executionId: 7, jobName: "tidy", status: "COMPLETED" }
      const lines = JSON.stringify(event, undefined, 1).split("\n").map((line, n) =>
        `data:${n % 2 === 0 ? " " : ""}${line}`
      )
      const body = [": hello", "id: 1", ...lines, "", "", ...lines, "", "data: {}"].join("\r\n")
      const client = HttpClient.make((request) =>
        Effect.succeed(HttpClientResponse.fromWeb(request, new Response(body)))
      )
      const events = yield* Stream.runCollect(BatchApi.events("http://localhost/events")).pipe(
        Effect.provideService(HttpClient.HttpClient, client)
      )
      assert.deepStrictEqual([...events], [event, event] as Array<BatchApi.Event>)
    }))

  it.scopedLive("reaches a job whatever its name is", () =>
    Effect.gen(function*() {
      const names = [".", "..", "~x", "a/b", "100%", "\u{1f4a5}", "a b?c#d"]
      const { batch } = yield* serve(names.map((name) => Job.make(name, { flow: Step.tasklet("step", Effect.void) })))
      for (const name of names) {
        const launched = yield* Effect.exit(batch.launch({ path: { name }, payload: { parameters: {} } }))
        assert.strictEqual(Exit.isSuccess(launched) && launched.value.instance.jobName, name)
      }
    }))

  it.scopedLive("runs what was skipped again, once", () =>
    Effect.gen(function*() {
      let isBroken = true
      const { batch } = yield* serve([Job.make("load", {
        flow: Step.chunk("load", {
          reader: ItemReader.fromIterable([1, 2]),
          processor: (n: number) => n === 1 && isBroken ? Effect.fail({ _tag: "Bad" as const }) : Effect.succeed(n),
          writer: ItemWriter.discard,
          chunkSize: 5
        }).pipe(Step.skip("Bad", { limit: 1 }), Step.quarantine({ input: Schema.Number }))
      })])
      const { id } = yield* batch.launch({ path: { name: "load" }, payload: { parameters: {} } })
      const end = (id: number) =>
        until(batch.show({ path: { id } }), ({ execution }) => execution.endTime._tag === "Some")
      yield* end(id)
      isBroken = false
      const again = yield* batch.replay({ path: { id } })
      const { execution, steps } = yield* end(again.id)
      assert.strictEqual(execution.status, "COMPLETED")
      assert.strictEqual(steps[0]!.counts.write, 1)
      assert.deepInclude(yield* Effect.flip(batch.replay({ path: { id } })), {
        _tag: "Refused",
        error: "ReplayRefused"
      })
    }))

  it("has an OpenAPI description, alone and within another interface", () => {
    const { paths } = OpenApi.fromApi(HttpApi.make("shop").add(BatchApi.group).prefix("/batch"))
    assert.deepStrictEqual(Object.keys(paths).sort(), [
      "/batch/events",
      "/batch/executions",
      "/batch/executions/{id}",
      "/batch/executions/{id}/replay",
      "/batch/executions/{id}/restart",
      "/batch/executions/{id}/stop",
      "/batch/jobs/{name}/explain",
      "/batch/jobs/{name}/launch"
    ])
  })
})
