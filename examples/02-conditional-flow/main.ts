/**
 * What follows a step depends on how it ended: clean input is archived, input with bad lines is reviewed first, input
 * that is broken ends the job early. Leaving out one of the three does not compile.
 *
 *   npx tsx examples/02-conditional-flow/main.ts clean|dirty|broken
 *
 * After `broken`, mend the input and run the same command with `--mended`: the job goes on where it stopped.
 */
import { Console, Data, Effect, Schema } from "effect"
import { Flow, ItemReader, ItemWriter, Job, JobOperator, JobParameters, Step } from "effect-batch"
import * as Database from "../support/Database.js"
import { runMain, UsageError } from "../support/Main.js"

class BadLine extends Data.TaggedError("BadLine")<{ readonly line: string }> {}

const inputs = {
  clean: ["anna 12", "ben 7", "cora 30"],
  dirty: ["anna 12", "ben ?", "cora 30"],
  broken: ["? ?", "?", "?? ?", "anna 12"]
}

class Import extends JobParameters.Tag<Import>()("Import", {
  input: Schema.Literal("clean", "dirty", "broken"),
  mended: JobParameters.nonIdentifying(Schema.Boolean)
}) {}

const parse = (line: string) => {
  const [name, points] = line.split(" ")
  return /^\d+$/.test(points ?? "")
    ? Effect.succeed({ name, points: Number(points) })
    : Effect.fail(new BadLine({ line }))
}

const load = Step.chunk("load", {
  reader: ItemReader.unwrap(
    Effect.map(Import, ({ input, mended }) => ItemReader.fromIterable(mended ? inputs.clean : inputs[input]))
  ),
  processor: parse,
  writer: ItemWriter.fromFunction((rows: ReadonlyArray<{ name: string | undefined; points: number }>) =>
    Console.log(rows.map(({ name, points }) => `  ${name} has ${points} points`).join("\n"))
  ),
  chunkSize: 2
}).pipe(
  Step.skip("BadLine", { limit: 1 }),
  Step.exitCode(
    ["COMPLETED", "COMPLETED WITH SKIPS"],
    ({ counts }) => counts.processSkip > 0 ? "COMPLETED WITH SKIPS" : "COMPLETED"
  )
)

const archive = Step.tasklet("archive", Console.log("  archived"))
const review = Step.tasklet("review", Console.log("  somebody will look at the skipped lines"))

const job = Job.make("import-points", {
  parameters: Import,
  flow: load.pipe(
    Flow.match({
      COMPLETED: archive,
      "COMPLETED WITH SKIPS": review.pipe(Flow.andThen(archive)),
      FAILED: Flow.fail("EARLY TERMINATION")
    })
  )
})

const program = Effect.gen(function*() {
  const [input, mended] = process.argv.slice(2)
  if (input !== "clean" && input !== "dirty" && input !== "broken") {
    return yield* new UsageError({ message: "usage: main.ts clean|dirty|broken [--mended]" })
  }
  const execution = yield* JobOperator.run(job, { input, mended: mended === "--mended" })
  yield* Console.log(Job.toMermaid(job, { execution, steps: yield* JobOperator.steps(execution.id) }))
  yield* Console.log(`${execution.status}, exit code ${execution.exitStatus.code}`)
  return execution.status
})

runMain(Effect.provide(program, Database.layer(Database.Target.Sqlite({ file: "flows.db" }))))
