/** The recipe of the guide, against a collector that keeps what it is sent. */
import * as Otlp from "@effect/opentelemetry/Otlp"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step } from "../../src/index.js"

interface Collector {
  readonly url: string
  readonly received: (path: string) => ReadonlyArray<any>
}

const collector: Effect.Effect<Collector, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.async<{ readonly server: Http.Server; readonly bodies: Array<readonly [path: string, body: any]> }>(
      (resume) => {
        const bodies: Array<readonly [path: string, body: any]> = []
        const server = Http.createServer((request, response) => {
          const parts: Array<Buffer> = []
          request.on("data", (part) => parts.push(part))
          request.on("end", () => {
            bodies.push([request.url ?? "", JSON.parse(Buffer.concat(parts).toString("utf8"))])
            response.writeHead(200, { "content-type": "application/json" }).end("{}")
          })
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed({ server, bodies })))
      }
    ),
    ({ server }) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
  ),
  ({ bodies, server }) => ({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: (path) => bodies.flatMap(([of, body]) => of === path ? [body] : [])
  })
)

const job = Job.make("exported", {
  flow: Step.chunk("load", {
    reader: ItemReader.fromIterable([1, 2, 3]),
    writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) => Effect.logInfo(`wrote ${items.length}`)),
    chunkSize: 2
  })
})

describe("OTLP", () => {
  it.scopedLive("a short job loses nothing: spans, metrics and logs are sent when its scope closes", () =>
    Effect.gen(function*() {
      const { received, url } = yield* collector
      const telemetry = Otlp.layerJson({
        baseUrl: url,
        resource: { serviceName: "test" },
        shutdownTimeout: "1 minute"
      }).pipe(
        Layer.provide(FetchHttpClient.layer)
      )
      const { id } = yield* Effect.provide(
        JobOperator.runOrFail(job, {}),
        Layer.mergeAll(JobRepository.layerMemory, telemetry)
      )
      const spans: ReadonlyArray<any> = received("/v1/traces")
        .flatMap(({ resourceSpans }) => resourceSpans)
        .flatMap(({ scopeSpans }) => scopeSpans)
        .flatMap(({ spans }) => spans)
        .filter(({ name }) => name.startsWith("batch."))
      assert.deepStrictEqual(spans.map(({ name }) => name).sort(), [
        "batch.chunk",
        "batch.chunk",
        "batch.job",
        "batch.step"
      ])
      assert.strictEqual(new Set(spans.map(({ traceId }) => traceId)).size, 1)
      const top = spans.find(({ name }) => name === "batch.job")
      assert.strictEqual(
        Number(top.attributes.find(({ key }: any) => key === "batch.execution").value.intValue),
        id
      )
      const metrics: ReadonlyArray<any> = received("/v1/metrics")
        .flatMap(({ resourceMetrics }) => resourceMetrics)
        .flatMap(({ scopeMetrics }) => scopeMetrics)
        .flatMap(({ metrics }) => metrics)
      const points = (name: string) =>
        metrics.filter((metric) => metric.name === name).flatMap(({ gauge, histogram, sum }) =>
          (sum ?? histogram ?? gauge).dataPoints
        ).filter(({ attributes }) => attributes.some(({ value }: any) => value.stringValue === "exported"))
      const written = points("batch.items").find(({ attributes }) =>
        attributes.some(({ value }: any) => value.stringValue === "written")
      )
      assert.strictEqual(Number(written.asDouble ?? written.asInt), 3)
      assert.strictEqual(metrics.find(({ name }) => name === "batch.job.duration").unit, "s")
      assert.lengthOf(points("batch.job.duration"), 1)
      const logs: ReadonlyArray<any> = received("/v1/logs")
        .flatMap(({ resourceLogs }) => resourceLogs)
        .flatMap(({ scopeLogs }) => scopeLogs)
        .flatMap(({ logRecords }) => logRecords)
      const wrote = logs.find(({ body }) => body.stringValue === "wrote 2")
      const annotations = Object.fromEntries(
        wrote.attributes.map(({ key, value }: any) => [key, Object.values(value)[0]])
      )
      assert.deepInclude(annotations, { "batch.job": "exported", "batch.step": "load" })
      assert.strictEqual(Number(annotations["batch.execution"]), id)
      assert.isTrue(spans.some(({ spanId }) => spanId === wrote.spanId))
    }))

  it.scopedLive("a collector that is away changes nothing about the job", () =>
    Effect.gen(function*() {
      const telemetry = Otlp.layerJson({
        baseUrl: "http://127.0.0.1:9",
        resource: { serviceName: "test" },
        shutdownTimeout: "100 millis"
      }).pipe(Layer.provide(FetchHttpClient.layer))
      const { status } = yield* Effect.provide(
        JobOperator.run(job, {}),
        Layer.mergeAll(JobRepository.layerMemory, telemetry)
      )
      assert.strictEqual(status, "COMPLETED")
    }))
})
