import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as StandardListeners from "../../src/definition/StandardListeners.js"
import { JobScope } from "../../src/ports/JobScope.js"
import { StepScope } from "../../src/ports/StepScope.js"
import { UnreadableContextKey } from "../../src/vocabulary/BatchError.js"
import * as Counts from "../../src/vocabulary/Counts.js"
import * as ExecutionContext from "../../src/vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../src/vocabulary/ExitStatus.js"
import * as JobExecution from "../../src/vocabulary/JobExecution.js"
import type { JobParameter } from "../../src/vocabulary/JobParameters.js"
import * as Sensitive from "../../src/vocabulary/Sensitive.js"
import * as StepExecution from "../../src/vocabulary/StepExecution.js"

const at = DateTime.unsafeMake(0)
const total = ExecutionContext.key("total", Schema.Number)
const file = ExecutionContext.key("file", Schema.String)

const ended = (code: string, counts: Partial<Counts.Counts> = {}): StepExecution.StepExecution => ({
  ...StepExecution.make({ id: 1, jobExecutionId: 1, stepName: "load", createTime: at }),
  status: code.startsWith("FAILED") ? "FAILED" : "COMPLETED",
  exitStatus: ExitStatus.make(code),
  counts: Counts.make(counts)
})

/** The entries of a context, and the part of a scope that reads and writes them. */
const memory = (entries: Readonly<Record<string, ExecutionContext.Json>>) => {
  let context = ExecutionContext.fromEntries(entries)
  return {
    entries: () => context.entries,
    get: <A>(key: ExecutionContext.Key<A>) => Effect.suspend(() => ExecutionContext.get(context, key)),
    set: <A>(key: ExecutionContext.Key<A>, value: A) =>
      Effect.sync(() => {
        context = ExecutionContext.unsafeSet(context, key, value)
      }),
    update: <A>(key: ExecutionContext.Key<A>, f: (current: Option.Option<A>) => A) =>
      Effect.map(Effect.suspend(() => ExecutionContext.get(context, key)), (current) => {
        context = ExecutionContext.unsafeSet(context, key, f(current))
      }),
    remove: <A>(key: ExecutionContext.Key<A>) =>
      Effect.sync(() => {
        context = ExecutionContext.remove(context, key)
      })
  }
}

const world = (options: {
  readonly step?: Readonly<Record<string, ExecutionContext.Json>>
  readonly job?: Readonly<Record<string, ExecutionContext.Json>>
  readonly parameters?: ReadonlyArray<JobParameter>
}) => {
  const step = memory(options.step ?? {})
  const job = memory(options.job ?? {})
  const execution = JobExecution.make({
    id: 1,
    instance: { id: 1, jobName: "import", jobKey: "key", createTime: at },
    parameters: options.parameters ?? [],
    createTime: at
  })
  const provide = <A, E>(effect: Effect.Effect<A, E, StepScope | JobScope>): Effect.Effect<A, E> =>
    effect.pipe(
      Effect.provideService(JobScope, { ...job, execution: Effect.succeed(execution) }),
      Effect.provideService(StepScope, {
        ...step,
        execution: Effect.succeed(ended("COMPLETED")),
        contribute: () => Effect.void,
        addExitStatus: () => Effect.void,
        upgradeStatus: () => Effect.void,
        stopRequested: Effect.succeed(false),
        requestStop: Effect.void
      })
    )
  return { step, job, provide }
}

/** The lines that an effect logs, as `LEVEL message`. */
const logged = <E>(effect: Effect.Effect<unknown, E>): Effect.Effect<ReadonlyArray<string>, E> => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    lines.push(`${logLevel.label} ${Array.isArray(message) ? message.join(" ") : message}`)
  })
  return Effect.as(Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger)), lines)
}

const Payment = Schema.Struct({ id: Schema.Number, iban: Sensitive.make(Schema.String) })
const payment = { id: 1, iban: "DE02" }
class BadLine extends Schema.TaggedError<BadLine>()("BadLine", { line: Schema.Number }) {
  override get message(): string {
    return `line ${this.line}\nis bad`
  }
}

describe("StandardListeners", () => {
  describe("promoteToJob", () => {
    it.effect("copies the keys when the step completed (LISTEN-40, CTX-10)", () =>
      Effect.gen(function*() {
        const { job, provide } = world({ step: { total: 5, other: 1 }, job: { total: 1, mine: true } })
        yield* provide(StandardListeners.promoteToJob([total, file]).afterStep!(ended("COMPLETED")))
        assert.deepStrictEqual(job.entries(), { total: 5, mine: true })
      }))

    it.effect("only with the exit codes asked for (LISTEN-40)", () =>
      Effect.gen(function*() {
        const promoted = (code: string, statuses?: ReadonlyArray<string>) => {
          const { job, provide } = world({ step: { total: 5 } })
          return Effect.map(
            provide(StandardListeners.promoteToJob([total], { statuses }).afterStep!(ended(code))),
            () => "total" in job.entries()
          )
        }
        assert.isFalse(yield* promoted("FAILED"))
        assert.isFalse(yield* promoted("COMPLETED WITH SKIPS"))
        assert.isTrue(yield* promoted("COMPLETED WITH SKIPS", ["COMPLETED*"]))
        assert.isTrue(yield* promoted("FAILED", ["NOOP", "FAILE?"]))
        assert.isFalse(yield* promoted("COMPLETED", []))
      }))

    it.effect("strict names all keys that are missing, and promotes nothing (LISTEN-40)", () =>
      Effect.gen(function*() {
        const { job, provide } = world({ step: { total: 5 } })
        const other = ExecutionContext.key("other", Schema.String)
        const { afterStep } = StandardListeners.promoteToJob([total, file, other], { strict: true })
        const error = yield* Effect.flip(provide(afterStep!(ended("COMPLETED"))))
        assert.deepStrictEqual(
          error,
          new StandardListeners.ContextKeyMissing({ step: "load", keys: ["file", "other"] })
        )
        assert.include(error.message, `"load" was to hand on "file", "other"`)
        assert.deepStrictEqual(job.entries(), {})
      }))

    it.effect("a value that does not fit its key fails", () =>
      Effect.gen(function*() {
        const { provide } = world({ step: { total: "many" } })
        const error = yield* Effect.flip(
          provide(StandardListeners.promoteToJob([total]).afterStep!(ended("COMPLETED")))
        )
        assert.instanceOf(error, UnreadableContextKey)
      }))
  })

  describe("exit codes", () => {
    it.effect("COMPLETED WITH SKIPS when anything was skipped (STEP-23)", () =>
      Effect.gen(function*() {
        const code = (counts: Partial<Counts.Counts>) =>
          Effect.map(StandardListeners.completedWithSkips.afterStep!(ended("COMPLETED", counts)), (status) =>
            status?.code)
        assert.isUndefined(yield* code({ read: 5 }))
        for (const phase of ["readSkip", "processSkip", "writeSkip"] as const) {
          assert.strictEqual(yield* code({ [phase]: 1 }), "COMPLETED WITH SKIPS")
        }
      }))

    it.effect("it does not make a failed step look better (STEP-23, EXIT-5)", () =>
      Effect.gen(function*() {
        const step = ended("FAILED", { readSkip: 1 })
        const given = yield* StandardListeners.completedWithSkips.afterStep!(step)
        assert.strictEqual(given && ExitStatus.and(step.exitStatus, given).code, "FAILED")
      }))

    it.effect("FAILED when a completed step read nothing (STEP-22)", () =>
      Effect.gen(function*() {
        const given = (step: StepExecution.StepExecution) => StandardListeners.noWorkFound.afterStep!(step)
        assert.deepStrictEqual(
          yield* given(ended("COMPLETED")),
          ExitStatus.make("FAILED", "no work found: nothing was read")
        )
        assert.isUndefined(yield* given(ended("COMPLETED", { read: 1 })))
        assert.isUndefined(yield* given({ ...ended("STOPPED"), status: "STOPPED" }))
      }))
  })

  describe("copyParameters", () => {
    const parameters: ReadonlyArray<JobParameter> = [
      { name: "file", value: "a.csv", identifying: true },
      { name: "day", value: null, identifying: true },
      { name: "token", value: "s3cret", identifying: false, redacted: true }
    ]
    const copied = (names?: ReadonlyArray<string>) => {
      const { provide, step } = world({ parameters, step: { file: "b.csv" } })
      return Effect.map(
        provide(StandardListeners.copyParameters(names).beforeStep!(ended("COMPLETED"))),
        () => step.entries()
      )
    }

    it.effect("copies missing entries only, and never a redacted one (LISTEN-41)", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* copied(), { file: "b.csv", day: null })
        assert.deepStrictEqual(yield* copied(["token"]), { file: "b.csv" })
      }))

    it.effect("only the parameters asked for (LISTEN-41)", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* copied(["file", "unknown"]), { file: "b.csv" })
        assert.deepStrictEqual(yield* copied(["day"]), { file: "b.csv", day: null })
        assert.deepStrictEqual(yield* copied([]), { file: "b.csv" })
      }))
  })

  describe("logging", () => {
    it.effect("logSkips: one line per skip, sensitive parts masked", () =>
      Effect.gen(function*() {
        const { onSkipInProcess, onSkipInRead, onSkipInWrite } = StandardListeners.logSkips({
          input: Payment,
          output: Payment
        })
        const error = new BadLine({ line: 7 })
        const lines = yield* logged(
          Effect.all([onSkipInRead!(error), onSkipInProcess!(payment, error), onSkipInWrite!(payment, error)])
        )
        assert.deepStrictEqual(lines, [
          "WARN Skipped a record while reading: BadLine: line 7 is bad",
          `WARN Skipped a record while processing: BadLine: line 7 is bad; item {"id":1,"iban":"<sensitive>"}`,
          `WARN Skipped a record while writing: BadLine: line 7 is bad; item {"id":1,"iban":"<sensitive>"}`
        ])
      }))

    it.effect("logSkips: without a schema the item is not shown", () =>
      Effect.gen(function*() {
        const { onSkipInProcess, onSkipInWrite } = StandardListeners.logSkips()
        const lines = yield* logged(
          Effect.all([onSkipInProcess!(payment, new TypeError("no rate")), onSkipInWrite!(payment, "full")])
        )
        assert.deepStrictEqual(lines, [
          "WARN Skipped a record while processing: TypeError: no rate",
          "WARN Skipped a record while writing: full"
        ])
      }))

    it.effect("logItemErrors logs every failed operation (LISTEN-42)", () =>
      Effect.gen(function*() {
        const { onProcessError, onReadError, onWriteError } = StandardListeners.logItemErrors
        const error = new BadLine({ line: 7 })
        const lines = yield* logged(
          Effect.all([onReadError!(error), onProcessError!(payment, error), onWriteError!(error, [payment, payment])])
        )
        assert.deepStrictEqual(lines, [
          "ERROR Failed while reading: BadLine: line 7 is bad",
          "ERROR Failed while processing: BadLine: line 7 is bad",
          "ERROR Failed while writing 2 items: BadLine: line 7 is bad"
        ])
      }))
  })
})
