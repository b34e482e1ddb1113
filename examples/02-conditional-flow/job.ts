/**
 * The job of this example: it loads lines of names and points, and goes one of three ways.
 */
import { Console, Data, Effect, Schema } from "effect"
import { ExecutionContext, Flow, ItemReader, ItemWriter, Job, JobParameters, Step, StepScope } from "effect-batch"

class BadLine extends Data.TaggedError("BadLine")<{ readonly line: string }> {}

const inputs = {
  clean: ["anna 12", "ben 7", "cora 30"],
  dirty: ["anna 12", "ben ?", "cora 30"],
  broken: ["? ?", "?", "?? ?", "anna 12"]
}

export class Import extends JobParameters.Tag<Import>()("Import", {
  input: Schema.Literal("clean", "dirty", "broken"),
  mended: JobParameters.nonIdentifying(Schema.Boolean)
}) {}

const parse = (line: string) => {
  const [name, points] = line.split(" ")
  return /^\d+$/.test(points ?? "")
    ? Effect.succeed({ name, points: Number(points) })
    : Effect.fail(new BadLine({ line }))
}

// Counts are those of one execution. What a restart has to know of the one before it, goes into the step's context.
const hasSkipped = ExecutionContext.key("hasSkipped", Schema.Boolean)

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
  Step.listen({ onSkipInProcess: () => StepScope.set(hasSkipped, true) }),
  Step.exitCode(
    ["COMPLETED", "COMPLETED WITH SKIPS"],
    ({ context }) => ExecutionContext.has(context, hasSkipped) ? "COMPLETED WITH SKIPS" : "COMPLETED"
  )
)

const archive = Step.tasklet("archive", Console.log("  archived"))
const review = Step.tasklet("review", Console.log("  somebody will look at the skipped lines"))

/** What comes of the input decides what comes next. */
export const importPoints = Job.make("import-points", {
  parameters: Import,
  flow: load.pipe(
    Flow.match({
      COMPLETED: archive,
      "COMPLETED WITH SKIPS": review.pipe(Flow.andThen(archive)),
      FAILED: Flow.fail("EARLY TERMINATION")
    })
  )
})
