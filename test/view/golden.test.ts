/**
 * Reports as they are, to the last character. What is to look otherwise is looked at first, and
 * written by `npm run reports`.
 */
import { assert, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"
import {
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobParameters,
  JobRepository,
  Partition,
  Step
} from "../../src/index.js"

class BadRow extends Data.TaggedError("BadRow")<{ readonly message: string }> {}

class Params extends JobParameters.Tag<Params>()("Params", {
  file: Schema.String,
  day: Schema.Int,
  password: JobParameters.nonIdentifying(Schema.Redacted(Schema.String))
}) {}

/** Time passes in the steps only, so that a slow machine changes nothing. */
const passing = (duration: "2 seconds" | "61 seconds") => TestClock.adjust(duration)

const noop = (name: string) => Step.tasklet(name, passing("2 seconds"))

/** Something of everything that a flow may hold. */
const makeJob = (isBroken: () => boolean) => {
  const load = Step.chunk("load", {
    reader: ItemReader.fromIterable(Array.from({ length: 1234 }, (_, n) => n)),
    processor: (n: number) => n === 7 ? Effect.fail(new BadRow({ message: "row <7> is bad" })) : Effect.succeed(n),
    writer: ItemWriter.discard,
    chunkSize: 100
  }).pipe(Step.skip("BadRow", { limit: 3 }), Step.quarantine())
  const parts = Step.partition("parts", {
    plan: Partition.values(["de", "fr"]),
    input: Schema.String,
    step: (part) => Step.tasklet("rows", passing(part === "de" ? "2 seconds" : "61 seconds"))
  })
  const tell = Step.tasklet(
    "tell everybody about what has been loaded",
    Effect.suspend(() => isBroken() ? Effect.fail(new BadRow({ message: "nobody <b>listens</b>" })) : Effect.void)
  )
  const first = Flow.decide("enough", ["YES", "NO"], () => Effect.succeed("YES" as const))
  return Job.make("month end", {
    parameters: Params,
    flow: Flow.graph("load", {
      load: { run: load, on: { COMPLETED: "both", FAILED: "END" } },
      both: { run: Flow.split([noop("left"), noop("right")]), on: { COMPLETED: "enough", FAILED: "END" } },
      enough: { run: first, on: { YES: "parts", NO: "load" } },
      parts: { run: parts, on: { COMPLETED: "tell", FAILED: "END" } },
      tell: { run: tell, on: { COMPLETED: "END", FAILED: "END" } }
    }).pipe(Flow.match({ COMPLETED: Flow.end("CLOSED"), FAILED: Flow.fail() }))
  })
}

const golden = (name: string, text: string) => {
  const file = fileURLToPath(new URL(name, import.meta.url))
  // Where the code stands is not part of it.
  const shown = text.replace(/\s+at [^<\n]*\.(ts|js):\d+:\d+\)?/g, "")
  if (process.env["EFFECT_BATCH_REPORTS"] === "write") {
    Fs.writeFileSync(file, shown)
  }
  assert.strictEqual(shown, Fs.readFileSync(file, "utf8"))
}

it.effect("a report of a job that failed, and of its restart, look as they did", () =>
  Effect.gen(function*() {
    let isBroken = true
    const job = makeJob(() => isBroken)
    yield* TestClock.setTime(DateTime.toEpochMillis(DateTime.unsafeMake("2026-06-30T22:00:00Z")))
    const run = Effect.gen(function*() {
      const parameters = { file: "a&b.csv", day: 30, password: Redacted.make("hunter2") }
      const { id } = yield* JobOperator.run(job, parameters)
      return yield* JobOperator.report(id, { job })
    })
    golden("failed.html", yield* run)
    isBroken = false
    golden("restarted.html", yield* run)
  }).pipe(Effect.provide(JobRepository.layerMemory)))
