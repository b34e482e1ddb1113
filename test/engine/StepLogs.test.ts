/** What code inside a job logs says where it comes from. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import { Flow, ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step } from "../../src/index.js"

describe("logs inside jobs", () => {
  it.effect("carry job and execution everywhere, and in tasklets, processors, writers and listeners the step, with prefetch too", () =>
    Effect.gen(function*() {
      const logged: Array<readonly [message: string, job: unknown, execution: unknown, step: unknown]> = []
      const logger = Logger.make(({ annotations, message }) => {
        const of = (key: string) => Option.getOrUndefined(HashMap.get(annotations, key))
        logged.push([String(message), of("batch.job"), of("batch.execution"), of("batch.step")])
      })
      const load = Step.chunk("load", {
        reader: ItemReader.fromIterable([1, 2, 3]),
        processor: (n) => Effect.as(Effect.log(`process ${n}`), n),
        writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) => Effect.log(`write ${items}`)),
        chunkSize: 2,
        prefetch: true
      }).pipe(Step.listen({ afterStep: () => Effect.log("after") }))
      const more = Flow.decide("more", ["NO"], () => Effect.as(Effect.log("decide"), "NO" as const))
      const job = Job.make("import", {
        flow: load.pipe(Flow.andThen(Step.tasklet("report", Effect.log("report"))), Flow.andThen(more)),
        listeners: [{ beforeJob: () => Effect.log("before job"), afterJob: () => Effect.log("after job") }]
      })
      const { id } = yield* JobOperator.runOrFail(job, {}).pipe(
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      assert.deepStrictEqual(
        [...logged].sort(([self], [that]) => self < that ? -1 : 1),
        [
          ["after", "import", id, "load"],
          ["after job", "import", id, undefined],
          ["before job", "import", id, undefined],
          ["decide", "import", id, undefined],
          ["process 1", "import", id, "load"],
          ["process 2", "import", id, "load"],
          ["process 3", "import", id, "load"],
          ["report", "import", id, "report"],
          ["write 1,2", "import", id, "load"],
          ["write 3", "import", id, "load"]
        ]
      )
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})
