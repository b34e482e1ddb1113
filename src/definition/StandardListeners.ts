/**
 * Ready-made listeners for the usual needs: handing data to later steps, telling a flow about skips or about a step
 * that had nothing to do, and logging bad records.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Json from "../base/json.js"
import { plural, quoted, withoutAdvice } from "../base/text.js"
import * as Transition from "../decisions/Transition.js"
import * as JobScope from "../ports/JobScope.js"
import * as StepScope from "../ports/StepScope.js"
import type { UnreadableContextKey } from "../vocabulary/BatchError.js"
import * as Counts from "../vocabulary/Counts.js"
import * as ExecutionContext from "../vocabulary/ExecutionContext.js"
import * as ExitStatus from "../vocabulary/ExitStatus.js"
import { describeError } from "../vocabulary/failure.js"
import * as Sensitive from "../vocabulary/Sensitive.js"
import type { StepListener } from "./Listener.js"

/**
 * Represents keys that a step should have promoted and never wrote.
 *
 * @since 0.1.0
 * @category errors
 */
export class ContextKeyMissing extends Schema.TaggedError<ContextKeyMissing>()("ContextKeyMissing", {
  step: Schema.String,
  keys: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `Step "${this.step}" was to hand on ${quoted(this.keys)} and its execution context does not have ` +
      `${this.keys.length === 1 ? "it" : "them"}: write with StepScope.set, or promote without strict`
  }
}

/**
 * Copies entries of the step's execution context to that of the job when the step ends, so that later steps can read
 * them with `JobScope.get`. They are stored in the save that ends the step.
 *
 * - `statuses`: exit codes, or patterns of them with `*` and `?`, with which entries are promoted; by default only
 *   `COMPLETED`.
 * - `strict`: whether an entry that is absent fails the step with `ContextKeyMissing`; by default it is left out.
 *
 * Fails with `UnreadableContextKey` when a stored value does not fit its key.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { ExecutionContext, StandardListeners } from "effect-batch"
 *
 * const total = ExecutionContext.key("total", Schema.Number)
 * const promote = StandardListeners.promoteToJob([total], { statuses: ["COMPLETED*"], strict: true })
 *
 * assert.deepStrictEqual(Object.keys(promote), ["afterStep"])
 * ```
 *
 * @see LISTEN-40, CTX-10, FLOW-3
 * @since 0.1.0
 * @category constructors
 */
export const promoteToJob = <Strict extends boolean = false>(
  keys: ReadonlyArray<ExecutionContext.Key<any>>,
  options?: {
    readonly statuses?: ReadonlyArray<string> | undefined
    readonly strict?: Strict | undefined
  }
): StepListener<
  unknown,
  unknown,
  UnreadableContextKey | (Strict extends true ? ContextKeyMissing : never),
  StepScope.StepScope | JobScope.JobScope
> => {
  const statuses = options?.statuses ?? ["COMPLETED"]
  return {
    afterStep: (step) =>
      statuses.some((pattern) => Transition.matches(pattern, step.exitStatus.code))
        ? promote(keys, options?.strict === true ? step.stepName : undefined) as Effect.Effect<void, any, any>
        : Effect.void
  }
}

/**
 * Gives a step that skipped records the exit code `COMPLETED WITH SKIPS`, on which a flow can route. Its batch status
 * stays COMPLETED; a failed step stays FAILED, which is more severe.
 *
 * The compiler does not see the code that a listener returns; `Step.exitCode` makes it part of the step's type.
 *
 * @see STEP-23, EXIT-5
 * @since 0.1.0
 * @category constructors
 */
export const completedWithSkips: StepListener = {
  afterStep: (step) =>
    Effect.succeed(Counts.skips(step.counts) > 0 ? ExitStatus.make("COMPLETED WITH SKIPS") : undefined)
}

/**
 * Gives a completed step that read nothing the exit code `FAILED`: for a file that must not be empty. The batch status
 * stays COMPLETED, so a flow can route on the code, and a job of plain steps continues.
 *
 * Counts belong to one execution: a restart that finds all input already done reads nothing, too.
 *
 * @see STEP-22, SIMPLE-4
 * @since 0.1.0
 * @category constructors
 */
export const noWorkFound: StepListener = {
  afterStep: (step) =>
    Effect.succeed(
      step.status === "COMPLETED" && step.counts.read === 0
        ? ExitStatus.addDescription(ExitStatus.FAILED, "no work found: nothing was read")
        : undefined
    )
}

/**
 * Copies job parameters into the step's execution context before the step, except entries that are there already.
 * `names` are the parameters to copy, by default all. The values are in their encoded form. Redacted parameters are
 * never copied: the context is stored and shown in the clear.
 *
 * @example
 * ```ts
 * import { StandardListeners } from "effect-batch"
 *
 * const copy = StandardListeners.copyParameters(["businessDate"])
 *
 * assert.deepStrictEqual(Object.keys(copy), ["beforeStep"])
 * ```
 *
 * @see LISTEN-41
 * @since 0.1.0
 * @category constructors
 */
export const copyParameters = (
  names?: ReadonlyArray<string>
): StepListener<unknown, unknown, never, StepScope.StepScope | JobScope.JobScope> => ({
  beforeStep: () =>
    Effect.flatMap(JobScope.execution, ({ parameters }) =>
      Effect.forEach(
        parameters.filter(({ name, redacted }) => redacted !== true && names?.includes(name) !== false),
        ({ name, value }) => setIfAbsent(ExecutionContext.key(name, Json.Json), value),
        { discard: true }
      ))
})

/**
 * Logs one line at level warning for each skipped record: the phase, the error and, when the schema of the item is
 * given, the item with its sensitive parts masked. Without a schema the item is not shown, because nothing says what
 * in it may be.
 *
 * - `input`: schema of the items that are read, for skips while processing.
 * - `output`: schema of the items that are written, for skips while writing.
 *
 * The line is logged with the skip, in the transaction that makes the skip durable.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { StandardListeners, Sensitive } from "effect-batch"
 *
 * const Payment = Schema.Struct({ id: Schema.Number, iban: Sensitive.make(Schema.String) })
 * const listener = StandardListeners.logSkips({ input: Payment })
 *
 * assert.deepStrictEqual(Object.keys(listener), ["onSkipInRead", "onSkipInProcess", "onSkipInWrite"])
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const logSkips = <In = unknown, Out = unknown>(options?: {
  readonly input?: Schema.Schema<In, any, any> | undefined
  readonly output?: Schema.Schema<Out, any, any> | undefined
}): StepListener<In, Out> => {
  const input = shower(options?.input)
  const output = shower(options?.output)
  return {
    onSkipInRead: (error) => Effect.logWarning(`Skipped a record while reading: ${skipped(error)}`),
    onSkipInProcess: (item, error) =>
      Effect.logWarning(`Skipped a record while processing: ${skipped(error)}${input(item)}`),
    onSkipInWrite: (item, error) =>
      Effect.logWarning(`Skipped a record while writing: ${skipped(error)}${output(item)}`)
  }
}

/**
 * Logs one line at level error for each read, process or write that failed, also when the record is then skipped.
 *
 * @see LISTEN-42
 * @since 0.1.0
 * @category constructors
 */
export const logItemErrors: StepListener = {
  onReadError: (error) => Effect.logError(`Failed while reading: ${describeError(error)}`),
  onProcessError: (_, error) => Effect.logError(`Failed while processing: ${describeError(error)}`),
  onWriteError: (error, outputs) =>
    Effect.logError(`Failed while writing ${plural(outputs.length, "item")}: ${describeError(error)}`)
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Reads everything before it writes anything, so that a failure promotes nothing. */
const promote = (
  keys: ReadonlyArray<ExecutionContext.Key<any>>,
  strictStep: string | undefined
): Effect.Effect<void, UnreadableContextKey | ContextKeyMissing, StepScope.StepScope | JobScope.JobScope> =>
  Effect.gen(function*() {
    const values = yield* Effect.forEach(keys, (key) => StepScope.get(key))
    const missing = keys.filter((_, i) => Option.isNone(values[i]!))
    if (strictStep !== undefined && missing.length > 0) {
      return yield* new ContextKeyMissing({ step: strictStep, keys: missing.map(({ name }) => name) })
    }
    for (const [i, key] of keys.entries()) {
      const value = values[i]!
      if (Option.isSome(value)) {
        yield* JobScope.set(key, value.value)
      }
    }
  })

/** Every JSON value fits a key of JSON, so neither reading nor writing can fail. */
const setIfAbsent = (key: ExecutionContext.Key<Json.Json>, value: Json.Json) =>
  Effect.orDie(
    Effect.flatMap(StepScope.get(key), (existing) => Option.isSome(existing) ? Effect.void : StepScope.set(key, value))
  )

const skipped = (error: unknown): string => withoutAdvice(describeError(error))

const shower = (schema: Schema.Schema.All | undefined): (item: unknown) => string => {
  if (schema === undefined) {
    return () => ""
  }
  const mask = Sensitive.mask(schema)
  return (item) => `; item ${Inspectable.toStringUnknown(mask(item), 0)}`
}
