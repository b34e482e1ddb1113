/**
 * A program that runs one job until somebody ends it: chunks for ever, a reader that waits, or a tasklet that does not
 * listen. Says where it is on standard output. The second chunk of a run waits for a signal, however long that takes to come.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Fs from "node:fs"
import { BatchRuntime, ItemReader, ItemWriter, Job, JobOperator, Step } from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Sqlite from "../support/Sqlite.js"

const [kind, file] = process.argv.slice(2) as [string, string]

const say = (line: string) => Effect.sync(() => void Fs.writeSync(1, `${line}\n`))

const counting = ItemReader.make("counting", (from) =>
  Effect.sync(() => {
    let read = Option.match(from, { onNone: () => 0, onSome: Number })
    return {
      pull: (max: number) =>
        Effect.sync(() => {
          const items = Array.from({ length: max }, (_, index) => read + index + 1)
          read += max
          return { items, position: read, failure: Option.none(), done: false }
        })
    }
  }))

const signalled = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => resolve())
  }
})

let chunks = 0

const writer = ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
  say(`writing ${items[0]}`).pipe(
    Effect.zipRight(Effect.suspend(() => ++chunks === 2 ? Effect.promise(() => signalled) : Effect.void)),
    Effect.zipRight(Effect.sleep("300 millis")),
    Effect.zipRight(say(`written ${items[items.length - 1]}`))
  ), { name: "slow" })

const step = kind === "chunks"
  ? Step.chunk("work", { reader: counting, writer, chunkSize: 10 })
  : kind === "idle"
  ? Step.chunk("work", {
    reader: ItemReader.make<number>(
      "idle",
      () => Effect.succeed({ pull: () => Effect.zipRight(say("idle"), Effect.never) })
    ),
    writer,
    chunkSize: 10
  })
  : kind === "fails"
  ? Step.tasklet("work", Effect.fail(new Error("no disk")))
  : Step.tasklet("work", kind === "deaf" ? Effect.zipRight(say("deaf"), Effect.never) : Effect.void)

const program = JobOperator.run(Job.make("shutdown", { flow: step }), {}).pipe(
  Effect.tap((execution) => say(`ended ${execution.status}`)),
  Effect.provideService(JobOperator.StopGrace, kind === "deaf" ? "200 millis" : "30 seconds"),
  Effect.provide(Layer.provideMerge(SqlJobRepository.layer, Sqlite.layerFile(file)))
)

BatchRuntime.runMain(kind === "sleeps" ? Effect.zipRight(say("asleep"), Effect.never) : program)
