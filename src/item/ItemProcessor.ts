/**
 * What happens to an item between reading and writing: it is transformed, validated or filtered out.
 *
 * Each item is processed once per chunk; the outputs are kept while a write is retried or scanned.
 *
 * A function that throws is a defect: it fails the step and is neither skipped nor retried. Give what may go wrong
 * with an item as a typed failure, with {@link mapEffect} or {@link validate}.
 *
 * Plain functions cost next to nothing per item, and so does an effect that is already there (`Effect.succeed`,
 * `Exit.fail`). Prefer them to `Effect.gen` and `Effect.fn` where millions of items pass.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import type { Inspectable } from "effect/Inspectable"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Pipeable } from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { ResourceLimits } from "node:worker_threads"
import { prototype } from "../base/values.js"
import * as Sensitive from "../vocabulary/Sensitive.js"
import { inStepScope } from "./inStepScope.js"
import * as process_ from "./process.js"
import type { Provided } from "./provided.js"
import { contextOf } from "./provided.js"
import * as validate_ from "./validate.js"
import type { WorkerCloneError, WorkerItemError, WorkerItemTimeout, WorkerStartError } from "./WorkerError.js"
import type { WorkerThreadDied } from "./WorkerError.js"
import * as workerThreads_ from "./workerThreads.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-batch/ItemProcessor")

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

/**
 * The result that says: this item is not written. It counts as filtered.
 *
 * @see CHUNK-4
 * @since 0.1.0
 * @category models
 */
export const Filtered: unique symbol = Symbol.for("effect-batch/ItemProcessor/Filtered")

/**
 * @since 0.1.0
 * @category models
 */
export type Filtered = typeof Filtered

/**
 * An opened processor. `Sync` is a plain function that the engine calls in a tight loop; `Effect` returns an
 * effect per item, and one that is already an `Exit` costs no fiber work either.
 *
 * With `applyAll` the items of a chunk are given at once; `apply` is then asked only for those that are tried again.
 *
 * @since 0.1.0
 * @category models
 */
export type Process<In, Out, E = never, R = never> =
  | { readonly _tag: "Sync"; readonly apply: (item: In) => Out | Filtered }
  | {
    readonly _tag: "Effect"
    readonly apply: (item: In) => Effect.Effect<Out | Filtered, E, R>
    readonly applyAll?: ApplyAll<In, Out, E, R> | undefined
  }

/**
 * What becomes of each item of a chunk, in their order. `concurrency` is that of the step.
 *
 * @since 0.1.0
 * @category models
 */
export type ApplyAll<In, Out, E = never, R = never> = (
  items: ReadonlyArray<In>,
  concurrency: number
) => Effect.Effect<ReadonlyArray<Exit.Exit<Out | Filtered, E>>, never, R>

/**
 * Turns `In` into `Out`, or filters it out.
 *
 * @since 0.1.0
 * @category models
 */
export interface ItemProcessor<in In, out Out, out E = never, out R = never> extends Pipeable, Inspectable {
  readonly [TypeId]: TypeId
  /** Opened once per step execution, in the Scope of the step. */
  readonly open: Effect.Effect<Process<In, Out, E, R>, E, R | Scope.Scope>
}

/**
 * @since 0.1.0
 */
export declare namespace ItemProcessor {
  /**
   * Any processor.
   *
   * @since 0.1.0
   * @category models
   */
  export type Any = ItemProcessor<never, unknown, unknown, unknown>

  /**
   * The items that a processor takes.
   *
   * @since 0.1.0
   * @category models
   */
  export type Input<P> = P extends ItemProcessor<infer In, infer _Out, infer _E, infer _R> ? In : never

  /**
   * The items that a processor makes.
   *
   * @since 0.1.0
   * @category models
   */
  export type Output<P> = P extends ItemProcessor<infer _In, infer Out, infer _E, infer _R> ? Out : never

  /**
   * The errors of a processor.
   *
   * @since 0.1.0
   * @category models
   */
  export type Error<P> = P extends ItemProcessor<infer _In, infer _Out, infer E, infer _R> ? E : never

  /**
   * What a processor needs.
   *
   * @since 0.1.0
   * @category models
   */
  export type Context<P> = P extends ItemProcessor<infer _In, infer _Out, infer _E, infer R> ? R : never
}

/**
 * Whether the value is an `ItemProcessor`.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isItemProcessor = (value: unknown): value is ItemProcessor.Any => Predicate.hasProperty(value, TypeId)

/**
 * Represents an item that does not fit its Schema: every place that is wrong. Sensitive values are not shown.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidItem extends Schema.TaggedError<InvalidItem>()("InvalidItem", {
  issues: Schema.Array(Sensitive.Issue)
}) {
  override get message(): string {
    const issues = this.issues.map(({ message, path }) => path === "" ? message : `${path}: ${message}`)
    return `The item is not valid: ${
      issues.join("; ")
    }; mend it at its source, or skip it with Step.skip("InvalidItem")`
  }
}

/**
 * Makes a processor from an effect that opens it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <In, Out, E = never, R = never>(
  open: Effect.Effect<Process<In, Out, E, Exclude<R, Scope.Scope>>, E, R>
): ItemProcessor<In, Out, E, Exclude<R, Scope.Scope>> => proto(inStepScope(open))

/**
 * Passes every item on unchanged. This is what a step without a processor does.
 *
 * @see CHUNK-1
 * @since 0.1.0
 * @category constructors
 */
export const identity = <A>(): ItemProcessor<A, A> => ofSync<A, A>((item) => item)

/**
 * Transforms every item by a plain function.
 *
 * @example
 * ```ts
 * import { ItemProcessor } from "effect-batch"
 *
 * const toCents = ItemProcessor.map((row: { readonly amount: number }) => Math.round(row.amount * 100))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const map = <In, Out>(f: (item: In) => Out): ItemProcessor<In, Out> => ofSync(f)

/**
 * Transforms every item by an effect. Its failure is the failure of that item, which the step may skip or retry.
 *
 * @example
 * ```ts
 * import { ItemProcessor } from "effect-batch"
 * import { Context, Effect } from "effect"
 *
 * class Rates extends Context.Tag("Rates")<Rates, { readonly eur: (usd: number) => Effect.Effect<number, "NoRate"> }>() {}
 *
 * const toEur = ItemProcessor.mapEffect((row: { readonly usd: number }) =>
 *   Effect.flatMap(Rates, (rates) => rates.eur(row.usd))
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const mapEffect = <In, Out, E, R>(f: (item: In) => Effect.Effect<Out, E, R>): ItemProcessor<In, Out, E, R> =>
  ofEffect(f)

/**
 * Turns a function of an item into a processor. The function filters an item out by giving {@link Filtered}. This is
 * what a step does with a processor that is given as a plain function.
 *
 * @example
 * ```ts
 * import { ItemProcessor } from "effect-batch"
 * import { Effect } from "effect"
 *
 * const positive = ItemProcessor.fromFunction((amount: number) =>
 *   Effect.succeed(amount > 0 ? amount : ItemProcessor.Filtered)
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromFunction = <In, Out, E, R>(
  f: (item: In) => Effect.Effect<Out | Filtered, E, R>
): ItemProcessor<In, Out, E, R> => ofEffect<In, Out, E, R>(f)

/**
 * Keeps the items for which the predicate is true; the others count as filtered. Mind that Spring Batch's predicate
 * filter does the opposite: it drops them.
 *
 * @example
 * ```ts
 * import { ItemProcessor } from "effect-batch"
 *
 * const adults = ItemProcessor.filter((person: { readonly age: number }) => person.age >= 18)
 * ```
 *
 * @see CHUNK-4
 * @since 0.1.0
 * @category constructors
 */
export const filter: {
  <In, Out extends In>(refinement: Predicate.Refinement<In, Out>): ItemProcessor<In, Out>
  <In>(predicate: Predicate.Predicate<In>): ItemProcessor<In, In>
} = <In>(predicate: Predicate.Predicate<In>): ItemProcessor<In, In> =>
  ofSync<In, In>((item) => predicate(item) ? item : Filtered)

/**
 * Transforms the items for which the function returns `Some`; the others count as filtered.
 *
 * @see CHUNK-4
 * @since 0.1.0
 * @category constructors
 */
export const filterMap = <In, Out>(f: (item: In) => Option.Option<Out>): ItemProcessor<In, Out> =>
  ofSync<In, Out>((item) => orFiltered(f(item)))

/**
 * Transforms the items for which the effect returns `Some`; the others count as filtered.
 *
 * @see CHUNK-4
 * @since 0.1.0
 * @category constructors
 */
export const filterMapEffect = <In, Out, E, R>(
  f: (item: In) => Effect.Effect<Option.Option<Out>, E, R>
): ItemProcessor<In, Out, E, R> => ofEffect<In, Out, E, R>((item) => process_.mapNow(f(item), orFiltered<Out>))

/**
 * Decodes every item by a Schema. An item that does not fit fails with {@link InvalidItem}, which names everything that
 * is wrong with it. To check items that already have their type, use `Schema.typeSchema(schema)`.
 *
 * The decoder is built once per step. A Schema without asynchronous parts costs no fiber work per item.
 *
 * @example
 * ```ts
 * import { ItemProcessor } from "effect-batch"
 * import { Schema } from "effect"
 *
 * const Payment = Schema.Struct({ id: Schema.NonEmptyString, cents: Schema.NumberFromString })
 *
 * const valid = ItemProcessor.validate(Payment)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const validate = <A, I, R>(schema: Schema.Schema<A, I, R>): ItemProcessor<I, A, InvalidItem, R> =>
  proto<I, A, InvalidItem, R>(Effect.sync(() => ({
    _tag: "Effect",
    apply: validate_.decoder(schema, (issues) => new InvalidItem({ issues }))
  })))

/**
 * - `schema`: decodes what the function in the thread gives.
 * - `input`: encodes the items for their way there. Without it they are cloned as they are, and have to be plain values:
 *   instances of classes arrive without their methods.
 * - `error`: the errors that the function throws or fails with, for which they are decoded from their tag, message and fields.
 *   Any others, and all without it, are `WorkerItemError`s.
 * - `threads`: how many, at least 1. Default: one less than the processors of the machine, for this process goes on beside them.
 * - `timeout`: the longest time that one item may take, after which its thread is ended. Default: any time. Time in which the
 *   process was frozen, or its event loop busy, does not count.
 * - `data`: given to the function with each item, cloned once per thread.
 * - `resourceLimits`: of the memory of each thread, as `node:worker_threads` has them. Default: those of Node.
 * - `startTimeout`: the longest time until the module of a thread has called `WorkerProcessor.serve`. Default: 30 seconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface WorkerThreadsOptions<A, I, R, In, InI, InR, E, EI> {
  readonly schema: Schema.Schema<A, I, R>
  readonly input?: Schema.Schema<In, InI, InR> | undefined
  readonly error?: Schema.Schema<E, EI> | undefined
  readonly threads?: number | undefined
  readonly timeout?: Duration.DurationInput | undefined
  readonly data?: unknown
  readonly resourceLimits?: ResourceLimits | undefined
  readonly startTimeout?: Duration.DurationInput | undefined
}

/**
 * Processes items in threads, for work that keeps a processor busy: this process goes on to read, to write and to renew its
 * leases meanwhile. The module calls `WorkerProcessor.serve` with the function; it is named as it is called once compiled, and
 * found as `.ts` where the source runs.
 *
 * The items of a chunk are divided among the threads, a few messages for each, and the outputs keep their order. Threads start
 * when the step opens and end with it, however it ends. Listeners of single items hear of them when those of a chunk are back.
 *
 * An item that kills its thread, or takes longer than `timeout`, is one failed item, which the step may skip or retry. It is
 * found by trying it again alone in a new thread; the other items of its message may run twice meanwhile, so the function is
 * to compute and not to write. A thread shares the process, though: what ends that, such as `process.abort` or a fault in
 * native code, cannot be caught here. Workers in processes of their own can.
 *
 * The definition is refused with `JobDefinitionError` unless `threads` is a whole number of at least 1 and the times are above 0.
 *
 * @example
 * ```ts
 * import { ItemProcessor } from "effect-batch"
 * import { Schema } from "effect"
 *
 * const Score = Schema.Struct({ id: Schema.String, score: Schema.Number })
 *
 * const score = ItemProcessor.workerThreads(new URL("./score.js", import.meta.url), {
 *   threads: 4,
 *   schema: Score,
 *   timeout: "10 seconds"
 * })
 * assert.ok(ItemProcessor.isItemProcessor(score))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const workerThreads = <A, I, R = never, In = unknown, InI = unknown, InR = never, E = never, EI = never>(
  module: URL,
  options: WorkerThreadsOptions<A, I, R, In, InI, InR, E, EI>
): ItemProcessor<
  In,
  A,
  E | InvalidItem | WorkerItemError | WorkerThreadDied | WorkerItemTimeout | WorkerCloneError | WorkerStartError,
  R | InR
> =>
  proto(workerThreads_.open(module, options, { filtered: Filtered, invalid: (issues) => new InvalidItem({ issues }) }))

/**
 * Makes a processor from an effect that runs when the step opens: a processor that depends on parameters or services,
 * or that acquires something for the time of the step.
 *
 * @example
 * ```ts
 * import { ItemProcessor } from "effect-batch"
 * import { Config, Effect } from "effect"
 *
 * const scaled = ItemProcessor.unwrap(
 *   Effect.map(Config.number("FACTOR"), (factor) => ItemProcessor.map((n: number) => n * factor))
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const unwrap = <In, Out, E, R, E2, R2>(
  processor: Effect.Effect<ItemProcessor<In, Out, E, R>, E2, R2>
): ItemProcessor<In, Out, E | E2, R | Exclude<R2, Scope.Scope>> =>
  proto(Effect.flatMap(inStepScope(processor), (processor) => processor.open))

/**
 * Lets the outputs of one processor pass through another one. What the first one filters out, the second one does not
 * see. The combination is associative, and {@link identity} is neutral; two plain functions stay a plain function.
 *
 * @example
 * ```ts
 * import { ItemProcessor } from "effect-batch"
 *
 * const evenSquares = ItemProcessor.filter((n: number) => n % 2 === 0).pipe(
 *   ItemProcessor.andThen(ItemProcessor.map((n: number) => n * n))
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const andThen: {
  <Mid, Out, E2, R2>(
    that: ItemProcessor<Mid, Out, E2, R2>
  ): <In, E, R>(self: ItemProcessor<In, Mid, E, R>) => ItemProcessor<In, Out, E | E2, R | R2>
  <In, Mid, E, R, Out, E2, R2>(
    self: ItemProcessor<In, Mid, E, R>,
    that: ItemProcessor<Mid, Out, E2, R2>
  ): ItemProcessor<In, Out, E | E2, R | R2>
} = dual(2, <In, Mid, E, R, Out, E2, R2>(
  self: ItemProcessor<In, Mid, E, R>,
  that: ItemProcessor<Mid, Out, E2, R2>
): ItemProcessor<In, Out, E | E2, R | R2> =>
  proto(Effect.zipWith(self.open, that.open, (first, second) => process_.compose(first, second, Filtered))))

/**
 * Gives the processor what it needs: services, or a layer that is built once per step, together with what the other
 * components of the step are given by the same layer. With another `SqlClient` it asks that database.
 *
 * @example
 * ```ts
 * import { ItemProcessor } from "effect-batch"
 * import { SqlClient } from "@effect/sql"
 * import { PgClient } from "@effect/sql-pg"
 * import { Config, Effect } from "effect"
 *
 * const rates = PgClient.layerConfig({ url: Config.redacted("RATES_URL") })
 *
 * const toEuro = ItemProcessor.mapEffect((usd: number) =>
 *   Effect.flatMap(SqlClient.SqlClient, (sql) => sql<{ readonly eur: number }>`select rate * ${usd} as eur from rates`)
 * ).pipe(ItemProcessor.provide(rates))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 * @see OWN-10
 */
export const provide: {
  <ROut, E2, RIn>(
    layer: Layer.Layer<ROut, E2, RIn>
  ): <In, Out, E, R>(
    self: ItemProcessor<In, Out, E, R>
  ) => ItemProcessor<In, Out, E | E2, RIn | Exclude<R, ROut>>
  <ROut>(
    context: Context.Context<ROut>
  ): <In, Out, E, R>(self: ItemProcessor<In, Out, E, R>) => ItemProcessor<In, Out, E, Exclude<R, ROut>>
  <In, Out, E, R, ROut, E2, RIn>(
    self: ItemProcessor<In, Out, E, R>,
    layer: Layer.Layer<ROut, E2, RIn>
  ): ItemProcessor<In, Out, E | E2, RIn | Exclude<R, ROut>>
  <In, Out, E, R, ROut>(
    self: ItemProcessor<In, Out, E, R>,
    context: Context.Context<ROut>
  ): ItemProcessor<In, Out, E, Exclude<R, ROut>>
} = dual(2, <In, Out, E, R, ROut, E2, RIn>(
  self: ItemProcessor<In, Out, E, R>,
  provided: Provided<ROut, E2, RIn>
): ItemProcessor<In, Out, E | E2, RIn | Exclude<R, ROut>> =>
  proto(
    Effect.flatMap(contextOf(provided), (context) =>
      Effect.map(
        // The Scope of the step is never among what is provided.
        Effect.provide(self.open, context) as Effect.Effect<
          Process<In, Out, E, R>,
          E,
          Exclude<R, ROut> | Scope.Scope
        >,
        process_.provide(context)
      ))
  ))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const Proto = prototype<ItemProcessor<never, unknown>>(TypeId, TypeId, () => ({ _id: "ItemProcessor" }))

const proto = <In, Out, E, R>(
  open: Effect.Effect<Process<In, Out, E, R>, E, R | Scope.Scope>
): ItemProcessor<In, Out, E, R> => Object.assign(Object.create(Proto), { open })

const ofSync = <In, Out>(apply: (item: In) => Out | Filtered): ItemProcessor<In, Out> =>
  proto<In, Out, never, never>(Effect.succeed({ _tag: "Sync", apply }))

const ofEffect = <In, Out, E, R>(
  apply: (item: In) => Effect.Effect<Out | Filtered, E, R>
): ItemProcessor<In, Out, E, R> => proto<In, Out, E, R>(Effect.succeed({ _tag: "Effect", apply }))

const orFiltered = <A>(option: Option.Option<A>): A | Filtered => Option.getOrElse(option, () => Filtered)
