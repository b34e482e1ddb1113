/** The report of an execution: one file that holds what happened, and in which nothing is markup that came from outside. */
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import {
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobParameters,
  JobRepository,
  Step,
  Tasklet
} from "../../src/index.js"
import { html } from "../../src/view/html.js"
import { duration } from "../../src/view/words.js"

class BadRow extends Data.TaggedError("BadRow")<{ readonly message: string }> {}

class Params extends JobParameters.Tag<Params>()("Params", {
  file: Schema.String,
  password: JobParameters.nonIdentifying(Schema.Redacted(Schema.String))
}) {}

/** A job whose names, records, errors and exit codes are all this text. */
const jobOf = (text: string, fail: () => boolean = () => false) =>
  Job.make(`job ${text}`, {
    parameters: Params,
    flow: Step.chunk(`load ${text}`, {
      reader: ItemReader.fromIterable([1, 2, 3]),
      processor: (n: number) => n === 2 ? Effect.fail(new BadRow({ message: `bad ${text}` })) : Effect.succeed(n),
      writer: ItemWriter.fromFunction((_: ReadonlyArray<number>) =>
        Effect.suspend(() => fail() ? Effect.fail(new BadRow({ message: `refused ${text}` })) : Effect.void)
      ),
      chunkSize: 2
    }).pipe(
      Step.skip("BadRow", { limit: 1 }),
      Step.quarantine(),
      Flow.andThen(Step.tasklet(`tell ${text}`, Effect.succeed(Tasklet.finishedWith("COMPLETED"))))
    )
  })

const reportOf = (text: string, fail = false) =>
  Effect.gen(function*() {
    const job = jobOf(text, () => fail)
    const execution = yield* JobOperator.run(job, { file: text, password: Redacted.make("hunter2") })
    return { execution, report: yield* JobOperator.report(execution.id, { job }) }
  }).pipe(Effect.provide(JobRepository.layerMemory))

/** Tags with the names of their attributes, in their order: what a browser would build. */
const skeleton = (report: string): ReadonlyArray<string> =>
  [...report.matchAll(/<(!?\/?[a-zA-Z][\w-]*)((?:\s+[\w:-]+(?:="[^"]*")?)*)\s*\/?>/g)].map(([, tag, attributes]) =>
    [tag, ...[...attributes!.matchAll(/([\w:-]+)(?:="[^"]*")?/g)].map(([, name]) => name)].join(" ")
  )

describe("reports", () => {
  it.effect("tell cause, steps, totals, skipped records and the difference to the last run", () =>
    Effect.gen(function*() {
      let isFailing = false
      const job = jobOf("x", () => isFailing)
      yield* JobOperator.run(job, { file: "one.csv", password: Redacted.make("hunter2") })
      isFailing = true
      const failed = yield* JobOperator.run(job, { file: "two.csv", password: Redacted.make("hunter2") })
      const report = yield* JobOperator.report(failed.id, { job })
      for (
        const part of [
          "<title>job x – execution ",
          "refused x",
          "two.csv",
          ">secret<",
          "The flow of the job",
          "Steps in the order in which they started",
          "Difference to the last execution that completed",
          "−1"
        ]
      ) {
        assert.include(report, part)
      }
      assert.notInclude(report, "hunter2")
      assert.notMatch(report, /<script|<link|<a |src=|url\(|https?:/)
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("an execution that does not exist is named", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(JobOperator.report(404))
      assert.strictEqual(error._tag, "NoSuchJobExecution")
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect.prop(
    "whatever names, records, errors and parameters contain is text",
    [
      FastCheck.array(
        FastCheck.oneof(
          FastCheck.constantFrom(
            "<script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "' onload='alert(1)",
            "</title></style></svg>",
            "<!--",
            "&lt;",
            "\u202e",
            "javascript:alert(1)",
            "]]>",
            "{{x}}"
          ),
          FastCheck.string({ maxLength: 8 })
        ),
        { minLength: 1, maxLength: 4 }
      ).map((parts) => parts.join("").replace(/[\s\u0000-\u001f]+/g, " ")),
      FastCheck.boolean()
    ],
    ([text, fail]) =>
      Effect.gen(function*() {
        const hostile = yield* reportOf(text, fail)
        const harmless = yield* reportOf("x", fail)
        assert.deepStrictEqual(skeleton(hostile.report), skeleton(harmless.report))
        assert.strictEqual(
          hostile.report.replace(/<style>.*?<\/style>/s, "").split("<").length,
          harmless.report.replace(/<style>.*?<\/style>/s, "").split("<").length
        )
      }),
    { fastCheck: { numRuns: 25 } }
  )
})

describe("templates", () => {
  it("escape text, numbers and lists, and leave markup alone", () => {
    const made = html`<p title="${"\"&'"}">${["<b>", 1, html`<i>${"<"}</i>`, undefined, false, null]}</p>`
    assert.strictEqual(made.markup, "<p title=\"&quot;&amp;&#39;\">&lt;b&gt;1<i>&lt;</i></p>")
  })

  it("show characters that turn text around instead of obeying them", () => {
    assert.strictEqual(html`${"a\u202Eb\u0000c"}`.markup, "a\uFFFDb\uFFFDc")
  })

  it("say durations with their two largest units", () => {
    const said = [0, 999, 1000, 9999, 61_000, 3_600_000, 3_661_000, 90_000_000].map((millis) => duration(millis))
    assert.deepStrictEqual(said, ["0 ms", "999 ms", "1.0 s", "10.0 s", "1 min 1 s", "1 h", "1 h 1 min", "1 d 1 h"])
  })
})
