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
import type * as Types from "effect/Types"
import type { TransactionError } from "./BatchError.js"
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
      readonly processor: ItemProcessor<In, Out, EP, RP> | ((item: In) => Effect.Effect<Out, EP, RP>)
      readonly writer: ItemWriter<Types.NoInfer<Out>, EW, RW>
    }
  ): ChunkStep<In, Out, "COMPLETED" | "FAILED", ER | EP | EW | TransactionError, RR | RP | RW>
  <In, ER, RR, EW, RW>(
    name: string,
    options: ChunkOptions<In> & {
      readonly reader: ItemReader<In, ER, RR>
      readonly processor?: undefined
      readonly writer: ItemWriter<Types.NoInfer<In>, EW, RW>
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
  ): {
    <In, Out, C extends string, E, R>(
      self: ChunkStep<In, Out, C, E, R>
    ): ChunkStep<In, Out, Exclude<C, "COMPLETED"> | C2, E, R>
    <C extends string, E, R>(self: Step<C, E, R>): Step<Exclude<C, "COMPLETED"> | C2, E, R>
  }
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
  ): {
    <I extends In, O extends Out, C extends string, E, R>(
      self: ChunkStep<I, O, C, E, R>
    ): ChunkStep<I, O, C, E | EL, R | RL>
    <C extends string, E, R>(self: Step<C, E, R>): Step<C, E | EL, R | RL>
  }
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

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Any = Step<string, any, any>

const settings = (self: Any): StepSettings => self.node.definition.settings

/** @internal */
export const refine = <S extends Any>(self: S, changes: Partial<StepSettings>): S => {
  const { definition } = self.node
  return fromDefinition({ ...definition, settings: { ...definition.settings, ...changes } }) as S
}

const make = (name: string, body: StepBody): any => fromDefinition({ name, body, settings: defaultSettings })

const fromDefinition = (definition: StepDefinition): any =>
  Object.assign(Object.create(FlowProto), { name: definition.name, node: { _tag: "Step", definition } })
