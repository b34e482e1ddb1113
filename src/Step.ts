/**
 * The steps of a job: chunk steps, which read, process and write items, and tasklets, which run one effect.
 *
 * A step is a value and a `Flow`. What is inferred together goes into the constructor; what refines a step is a
 * combinator.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import type * as Types from "effect/Types"
import type { SkipLimitExceeded, TransactionError } from "./BatchError.js"
import * as CompletionPolicy from "./CompletionPolicy.js"
import type { Flow } from "./Flow.js"
import { Proto as FlowProto } from "./Flow.js"
import type { StepBody, StepDefinition, StepSettings } from "./internal/definition.js"
import { defaultSettings } from "./internal/definition.js"
import { toProcessor } from "./internal/processor.js"
import type { ItemProcessor } from "./ItemProcessor.js"
import type { ItemReader } from "./ItemReader.js"
import type { ItemWriter } from "./ItemWriter.js"
import type { StepListener } from "./Listener.js"
import * as RetryPolicy from "./RetryPolicy.js"
import * as Sensitive from "./Sensitive.js"
import * as SkipPolicy from "./SkipPolicy.js"
import type { StepExecution } from "./StepExecution.js"
import type { RepeatStatus } from "./Tasklet.js"
import type { TransactionOptions } from "./Transactor.js"

/**
 * A step that ends with one of the exit codes `Code`, may fail with `E` and needs `R`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Step<out Code extends string, out E = never, out R = never> extends Flow<Code, E, R> {
  readonly name: string
  readonly node: { readonly _tag: "Step"; readonly definition: StepDefinition }
}

/**
 * A step that reads items `In` and writes items `Out`, chunk by chunk.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChunkStep<out In, out Out, out Code extends string, out E = never, out R = never>
  extends Step<Code, E, R>
{
  readonly _In: Types.Covariant<In>
  readonly _Out: Types.Covariant<Out>
}

/**
 * When a chunk is complete, and how its items are processed.
 *
 * - `chunkSize`: a number of items (at least 1), or a completion policy by count, time or predicate (CP-1). A record
 *   that is skipped in reading does not use up a place.
 * - `concurrency`: how many items of a chunk are processed at once; their order is kept. Default 1.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChunkOptions<in In> {
  readonly chunkSize: number | CompletionPolicy.CompletionPolicy<In>
  readonly concurrency?: number | undefined
}

/**
 * A step that reads, processes and writes chunk by chunk (CHUNK-1 to CHUNK-10). The items of a chunk are written in
 * one transaction together with the position behind them, so a restart goes on after the last committed chunk.
 *
 * The processor is an `ItemProcessor`, a function from an item to an effect, or left out. Its items are processed
 * before the transaction opens, each of them once, whatever happens to the write.
 *
 * Guarantee: exactly once for writers that join the transaction or truncate to the committed state
 * (`ItemWriter.delivery`), at least once for all others.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ItemReader, ItemWriter, Step } from "effect-batch"
 *
 * const load = Step.chunk("load", {
 *   reader: ItemReader.fromIterable([1, 2, 3]),
 *   processor: (n) => Effect.succeed(n * 2),
 *   writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) => Effect.log(items)),
 *   chunkSize: 2
 * })
 *
 * assert.strictEqual(load.name, "load")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const chunk: {
  <In, ER, RR, Out, EP, RP, EW, RW>(
    name: string,
    options: ChunkOptions<In> & {
      readonly reader: ItemReader<In, ER, RR>
      readonly processor: (item: In) => Effect.Effect<Out, EP, RP>
      readonly writer: ItemWriter<Out, EW, RW>
    }
  ): ChunkStep<In, Out, "COMPLETED" | "FAILED", ER | EP | EW | TransactionError, RR | RP | RW>
  <In, ER, RR, Out, EP, RP, EW, RW>(
    name: string,
    options: ChunkOptions<In> & {
      readonly reader: ItemReader<In, ER, RR>
      readonly processor: ItemProcessor<In, Out, EP, RP>
      readonly writer: ItemWriter<Out, EW, RW>
    }
  ): ChunkStep<In, Out, "COMPLETED" | "FAILED", ER | EP | EW | TransactionError, RR | RP | RW>
  <In, ER, RR, EW, RW>(
    name: string,
    options: ChunkOptions<In> & {
      readonly reader: ItemReader<In, ER, RR>
      readonly processor?: undefined
      readonly writer: ItemWriter<In, EW, RW>
    }
  ): ChunkStep<In, In, "COMPLETED" | "FAILED", ER | EW | TransactionError, RR | RW>
} = (
  name: string,
  options: ChunkOptions<any> & {
    readonly reader: ItemReader<any, any, any>
    readonly processor?: ItemProcessor<any, any, any, any> | ((item: any) => Effect.Effect<any, any, any>) | undefined
    readonly writer: ItemWriter<any, any, any>
  }
): any =>
  make(name, {
    _tag: "Chunk",
    reader: options.reader,
    processor: options.processor === undefined ? undefined : toProcessor(options.processor),
    writer: options.writer,
    completion: typeof options.chunkSize === "number" ? CompletionPolicy.count(options.chunkSize) : options.chunkSize,
    concurrency: options.concurrency ?? 1
  })

/**
 * A step that runs one effect. Each call is one transaction, in which the step's own state is saved too (TASK-3).
 *
 * The effect answers nothing, or `Tasklet.finished`, or `Tasklet.finishedWith(code)`, or `Tasklet.continuable` to be
 * called again.
 *
 * Guarantee: what the effect writes through the repository's database happens exactly once; anything else at least
 * once.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Step } from "effect-batch"
 *
 * assert.strictEqual(Step.tasklet("archive", Effect.log("archiving")).name, "archive")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const tasklet = <E, R, C extends string = never>(
  name: string,
  effect: Effect.Effect<void | RepeatStatus<C>, E, R>
): Step<"COMPLETED" | "FAILED" | C, E | TransactionError, R> => make(name, { _tag: "Tasklet", tasklet: effect })

/**
 * How often the step may be started within a job instance, over all its executions. Default: without limit, which 0
 * means too (HAND-6, BUILD-5). One start too many fails the job with `StepStartLimitExceeded`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const startLimit: {
  (starts: number): <S extends Any>(self: S) => S
  <S extends Any>(self: S, starts: number): S
} = dual(2, <S extends Any>(self: S, starts: number): S => refine(self, { startLimit: starts }))

/**
 * Runs the step in every execution of an instance, also when it completed before (HAND-8). It then starts anew, with
 * an empty context (HAND-10).
 *
 * @since 0.1.0
 * @category combinators
 */
export const allowStartIfComplete = <S extends Any>(self: S): S => refine(self, { allowStartIfComplete: true })

/**
 * Chooses the exit code of a step that completed, from its counts and status. Takes the possible codes as a value, so
 * that the compiler and the drawing of the job know them.
 *
 * @since 0.1.0
 * @category combinators
 */
export const exitCode: {
  <const C2 extends string>(
    codes: ReadonlyArray<C2>,
    decide: (step: StepExecution) => Types.NoInfer<C2>
  ): <S extends Any>(self: S) => WithCode<S, C2>
} = (codes: ReadonlyArray<string>, decide: (step: StepExecution) => string) => (self: any): any =>
  refine(self, { exitCode: { codes, decide } })

/**
 * Adds a listener, behind those that the step has already (LISTEN-1).
 *
 * @since 0.1.0
 * @category combinators
 */
export const listen: {
  <In, Out, EL, RL>(
    listener: StepListener<In, Out, EL, RL>
  ): <S extends Any>(self: S & Listenable<S, In, Out>) => WithListener<S, EL, RL>
} = (listener: StepListener<any, any, any, any>) => (self: any): any =>
  refine(self, { listeners: [...settings(self).listeners, listener] })

/**
 * What a failing `afterStep` does: `fail` (the default) fails the step, `log` only logs it (STEP-15).
 *
 * @since 0.1.0
 * @category combinators
 */
export const onListenerFailure: {
  (behaviour: "fail" | "log"): <S extends Any>(self: S) => S
  <S extends Any>(self: S, behaviour: "fail" | "log"): S
} = dual(2, <S extends Any>(self: S, behaviour: "fail" | "log"): S => refine(self, { onListenerFailure: behaviour }))

/**
 * The attributes of the step's transactions (TX-1), on top of those given before.
 *
 * @since 0.1.0
 * @category combinators
 */
export const transaction: {
  (options: TransactionOptions): <S extends Any>(self: S) => S
  <S extends Any>(self: S, options: TransactionOptions): S
} = dual(
  2,
  <S extends Any>(self: S, options: TransactionOptions): S =>
    refine(self, { transaction: { ...settings(self).transaction, ...options } })
)

/**
 * Skips records that fail with one of the given tags, in reading, processing and writing (SKIP-1 to SKIP-12).
 *
 * `limit` is the number of skips that one step execution allows, over all three phases: with 10 the eleventh bad record
 * fails the step with `SkipLimitExceeded` (SKIP-4). Several `skip` combinators have a limit each. A skipped tag leaves
 * `E`; a tag that the step can't fail with does not compile.
 *
 * Skips are counted and reported in the transaction that makes them durable, exactly once each (D8).
 *
 * @example
 * ```ts
 * import { Data, Effect } from "effect"
 * import { ItemReader, ItemWriter, Step } from "effect-batch"
 *
 * class BadNumber extends Data.TaggedError("BadNumber")<{ readonly value: number }> {}
 *
 * const load = Step.chunk("load", {
 *   reader: ItemReader.fromIterable([1, 2, 3]),
 *   processor: (value) => value === 2 ? Effect.fail(new BadNumber({ value })) : Effect.succeed(value),
 *   writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) => Effect.log(items)),
 *   chunkSize: 2
 * }).pipe(Step.skip("BadNumber", { limit: 10 }))
 *
 * assert.strictEqual(load.name, "load")
 * ```
 *
 * @since 0.1.0
 * @category fault tolerance
 */
export const skip: {
  <E, const T extends TagsOf<E>>(
    tag: T | ReadonlyArray<T>,
    options: { readonly limit: number }
  ): <In, Out, C extends string, R>(
    self: ChunkStep<In, Out, C, E, R>
  ) => ChunkStep<In, Out, C, ExcludeTag<E, T> | SkipLimitExceeded, R>
} = (tag: string | ReadonlyArray<string>, { limit }: { readonly limit: number }) => (self: any): any =>
  addSkip(self, SkipPolicy.tags(SkipPolicy.limit<any>(limit), ...toArray(tag)))

/**
 * Skips as a policy says: any `SkipPolicy`, driven by a `Schedule`, by classes, by predicates, composed with `and` and
 * `or`. The errors that it skips stay in `E`, since a policy may let some of them through.
 *
 * @since 0.1.0
 * @category fault tolerance
 */
export const skipWith = <E, RP>(
  policy: SkipPolicy.SkipPolicy<E, RP>
) =>
<In, Out, C extends string, E1 extends E, R>(
  self: ChunkStep<In, Out, C, E1, R>
): ChunkStep<In, Out, C, E1 | SkipLimitExceeded, R | RP> => addSkip(self, policy) as any

/**
 * Tries again what failed with one of the given tags: a read in place, the processing of an item in place, a write by
 * rolling back and writing the same outputs in a new transaction (D3). Retries come before skips.
 *
 * - `times`: how often to try again after the first attempt.
 * - `schedule`: when to try again, and until when. It is stepped with the error. No transaction is open in the pause.
 * - `while`: whether this very error is worth it.
 *
 * Without `times` and `schedule` it tries three times again, at once.
 *
 * @since 0.1.0
 * @category fault tolerance
 */
export const retry: {
  <E, const T extends TagsOf<E>, O = unknown, RS = never>(
    tag: T | ReadonlyArray<T>,
    options?: {
      readonly times?: number | undefined
      readonly while?: ((error: ExtractTag<Types.NoInfer<E>, T>) => boolean) | undefined
      readonly schedule?: Schedule.Schedule<O, ExtractTag<Types.NoInfer<E>, T>, RS> | undefined
    }
  ): <In, Out, C extends string, R>(self: ChunkStep<In, Out, C, E, R>) => ChunkStep<In, Out, C, E, R | RS>
} = (tag: string | ReadonlyArray<string>, options: {
  readonly times?: number | undefined
  readonly while?: ((error: any) => boolean) | undefined
  readonly schedule?: Schedule.Schedule<any, any, any> | undefined
} = {}) =>
(self: any): any => addRetry(self, retryPolicyOf(toArray(tag), options))

/**
 * Retries as a policy says.
 *
 * @since 0.1.0
 * @category fault tolerance
 */
export const retryWith = <E, RP>(
  policy: RetryPolicy.RetryPolicy<E, RP>
) =>
<In, Out, C extends string, E1 extends E, R>(
  self: ChunkStep<In, Out, C, E1, R>
): ChunkStep<In, Out, C, E1, R | RP> => addRetry(self, policy) as any

/**
 * How the bad item of a refused chunk is found: by halves (`bisect`, the default), which costs about 2 log₂ n
 * transactions, or `one-by-one`, for writers whose effects depend on the order of single items. Either way each attempt is
 * a transaction of its own, and the checkpoint never runs ahead of it.
 *
 * @since 0.1.0
 * @category fault tolerance
 */
export const scan: {
  (order: "bisect" | "one-by-one"): <In, Out, C extends string, E, R>(
    self: ChunkStep<In, Out, C, E, R>
  ) => ChunkStep<In, Out, C, E, R>
} = (order) => (self) => refine(self, { scan: order })

/**
 * Stores every skipped record with the transaction that makes the skip durable: step, phase, position, error and the item,
 * to be read with `JobOperator.skipped`.
 *
 * `schema` encodes the item; fields that it marks as sensitive are stored masked. Without it the item is stored as it is,
 * if JSON can hold it.
 *
 * @since 0.1.0
 * @category fault tolerance
 */
export const quarantine = (
  options: { readonly schema?: Schema.Schema.Any | undefined } = {}
) =>
<In, Out, C extends string, E, R>(self: ChunkStep<In, Out, C, E, R>): ChunkStep<In, Out, C, E, R> =>
  refine(self, { quarantine: options.schema === undefined ? (item) => item : Sensitive.mask(options.schema) })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Any = Step<string, any, any>

type WithCode<S, C2 extends string> = S extends ChunkStep<infer In, infer Out, infer C, infer E, infer R>
  ? ChunkStep<In, Out, Exclude<C, "COMPLETED"> | C2, E, R>
  : S extends Step<infer C, infer E, infer R> ? Step<Exclude<C, "COMPLETED"> | C2, E, R>
  : never

type WithListener<S, EL, RL> = S extends ChunkStep<infer In, infer Out, infer C, infer E, infer R>
  ? ChunkStep<In, Out, C, E | EL, R | RL>
  : S extends Step<infer C, infer E, infer R> ? Step<C, E | EL, R | RL>
  : never

/** A listener must understand the items of the step. */
type Listenable<S, In, Out> = S extends ChunkStep<infer I, infer O, any, any, any>
  ? [I, O] extends [In, Out] ? unknown : { readonly "the listener expects other items": readonly [In, Out] }
  : unknown

type TagsOf<E> = E extends { readonly _tag: infer T extends string } ? T : never
type ExtractTag<E, T> = Extract<E, { readonly _tag: T }>
type ExcludeTag<E, T> = Exclude<E, { readonly _tag: T }>

const toArray = (tag: string | ReadonlyArray<string>): ReadonlyArray<string> => typeof tag === "string" ? [tag] : tag

const addSkip = (self: Any, policy: SkipPolicy.SkipPolicy<any, any>): Any => {
  const known = settings(self).skip
  return refine(self, { skip: known === undefined ? policy : SkipPolicy.or(known, policy) })
}

const addRetry = (self: Any, policy: RetryPolicy.RetryPolicy<any, any>): Any => {
  const known = settings(self).retry
  return refine(self, { retry: known === undefined ? policy : RetryPolicy.or(known, policy) })
}

const retryPolicyOf = (tags: ReadonlyArray<string>, options: {
  readonly times?: number | undefined
  readonly while?: ((error: any) => boolean) | undefined
  readonly schedule?: Schedule.Schedule<any, any, any> | undefined
}): RetryPolicy.RetryPolicy<any, any> => {
  const { schedule, times, while: condition } = options
  const bounded = schedule === undefined
    ? Schedule.recurs(times ?? 3)
    : times === undefined
    ? schedule
    : Schedule.intersect(schedule, Schedule.recurs(times))
  const policy = RetryPolicy.tags(RetryPolicy.fromSchedule<any, any, any>(bounded), ...tags)
  return condition === undefined ? policy : RetryPolicy.when(policy, condition)
}

const settings = (self: Any): StepSettings => self.node.definition.settings

/** @internal */
export const refine = <S extends Any>(self: S, changes: Partial<StepSettings>): S => {
  const { definition } = self.node
  return fromDefinition({ ...definition, settings: { ...definition.settings, ...changes } }) as S
}

const make = (name: string, body: StepBody): any => fromDefinition({ name, body, settings: defaultSettings })

const fromDefinition = (definition: StepDefinition): any =>
  Object.assign(Object.create(FlowProto), { name: definition.name, node: { _tag: "Step", definition } })
