/**
 * Where the outputs of a chunk go: one call per chunk, inside the transaction that also stores the checkpoint.
 *
 * Every writer says in its `delivery` what it guarantees when a chunk is rolled back or the process is killed. The law
 * behind that word is checked by `WriterLaws` in `effect-batch/testing`.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type { Inspectable } from "effect/Inspectable"
import type * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type { Pipeable } from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import type * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import type { Json } from "../base/json.js"
import { prototype } from "../base/values.js"
import * as Pipelining from "../ports/pipelining.js"
import type { UnreadablePosition } from "../vocabulary/BatchError.js"
import { JobDefinitionError } from "../vocabulary/BatchError.js"
import { inStepScope } from "./inStepScope.js"
import * as memory from "./memory.js"
import type { Provided } from "./provided.js"
import { mayChangeClient } from "./provided.js"
import * as sinks from "./sinks.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-batch/ItemWriter")

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

const Proto = prototype<ItemWriter<never, unknown, unknown>>(
  TypeId,
  TypeId,
  ({ delivery, name }) => ({ _id: "ItemWriter", name, delivery })
)

/**
 * What a writer guarantees when a step is rolled back, killed and restarted:
 *
 * - `transactional`: it writes in the transaction of the checkpoint, exactly once.
 * - `restartable`: it undoes uncommitted items by its own means, exactly once.
 * - `at-least-once`: a chunk that was interrupted may be written again.
 *
 * @since 0.1.0
 * @category models
 */
export type Delivery = "transactional" | "restartable" | "at-least-once"

/**
 * An opened writer. It is used by one fiber at a time.
 *
 * @since 0.1.0
 * @category models
 */
export interface Sink<in A, out E = never, out R = never> {
  /** Writes the outputs of a chunk, in the chunk's transaction. Not called without items. */
  readonly write: (items: ReadonlyArray<A>) => Effect.Effect<void, E, R>
  /**
   * Called after the last write of each transaction, before its checkpoint: makes durable what was written, and
   * returns the state that is stored with the checkpoint and comes back in `open` at a restart. Called once before the
   * first write, too, so that a restart finds where it began, however early the process dies; and once right before
   * `complete`, so that a restart knows what this writer was about to complete.
   */
  readonly flush?: Effect.Effect<Json, E, R> | undefined
  /** Called after the transaction was rolled back: forgets everything since the last committed `flush`. */
  readonly rollback?: Effect.Effect<void> | undefined
  /** Called after the transaction committed: what was flushed is now part of the committed state. */
  readonly committed?: Effect.Effect<void> | undefined
  /** Called once, after the last chunk of a step that completes. May be called again after a restart. */
  readonly complete?: Effect.Effect<void, E, R> | undefined
}

/**
 * Writes items of type `A`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ItemWriter<in A, out E = never, out R = never> extends Pipeable, Inspectable {
  readonly [TypeId]: TypeId
  /** The name shown in errors and descriptions. */
  readonly name: string
  readonly delivery: Delivery
  /**
   * What it guarantees with these services, where that depends on them: a table writer is transactional only with the
   * `SqlClient` of the job repository. Default: `delivery`.
   */
  readonly deliveryIn?: ((services: Context.Context<never>) => Delivery) | undefined
  /** Opens the writer in the Scope of the step, with the state of the last committed `flush` when there is one. */
  readonly open: (state: Option.Option<Json>) => Effect.Effect<Sink<A, E, R>, E, R | Scope.Scope>
}

/**
 * @since 0.1.0
 */
export declare namespace ItemWriter {
  /**
   * Any writer.
   *
   * @since 0.1.0
   * @category models
   */
  export type Any = ItemWriter<never, unknown, unknown>

  /**
   * What all of the writers in a union can write.
   *
   * @since 0.1.0
   * @category models
   */
  export type Item<W> = (W extends ItemWriter<infer A, infer _E, infer _R> ? (item: A) => void : never) extends
    (item: infer I) => void ? I : never

  /**
   * The errors of a writer.
   *
   * @since 0.1.0
   * @category models
   */
  export type Error<W> = W extends ItemWriter<infer _A, infer E, infer _R> ? E : never

  /**
   * What a writer needs.
   *
   * @since 0.1.0
   * @category models
   */
  export type Context<W> = W extends ItemWriter<infer _A, infer _E, infer R> ? R : never
}

/**
 * Whether the value is an `ItemWriter`.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isItemWriter = (value: unknown): value is ItemWriter.Any => Predicate.hasProperty(value, TypeId)

/**
 * What the writer guarantees with the services of the caller. A table writer says `transactional` in its `delivery` and
 * means it with the `SqlClient` of the job repository; with any other one, it is at least once. A step warns when it
 * opens a writer that guarantees less than it says, and `JobOperator.explain` tells before.
 *
 * @example
 * ```ts
 * import { ItemWriter, JobRepository } from "effect-batch"
 * import { SqlItemWriter } from "effect-batch/sql"
 * import { SqliteClient } from "@effect/sql-sqlite-node"
 * import { Effect, Layer } from "effect"
 *
 * const writer = SqlItemWriter.insertInto("balances")
 * const delivery = await ItemWriter.deliveryHere(writer).pipe(
 *   Effect.provide(Layer.merge(JobRepository.layerMemory, SqliteClient.layer({ filename: ":memory:" }))),
 *   Effect.runPromise
 * )
 * assert.deepStrictEqual([writer.delivery, delivery], ["transactional", "at-least-once"])
 * ```
 *
 * @since 0.1.0
 * @category utils
 * @see OWN-10
 */
export const deliveryHere = (writer: ItemWriter.Any): Effect.Effect<Delivery> =>
  Effect.map(Effect.context<never>(), (services) => sinks.deliveryIn(writer, services))

/**
 * Makes a writer from the way it opens. What `open` acquires is released when the step ends.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, E = never, R = never>(name: string, options: {
  readonly delivery: Delivery
  readonly deliveryIn?: ((services: Context.Context<never>) => Delivery) | undefined
  readonly open: (state: Option.Option<Json>) => Effect.Effect<Sink<A, E, Exclude<R, Scope.Scope>>, E, R>
}): ItemWriter<A, E, Exclude<R, Scope.Scope>> =>
  proto({ ...options, name, open: (state) => inStepScope(options.open(state)) })

/**
 * Makes a writer from a function that writes the outputs of one chunk. It is called in the chunk's transaction, never
 * without items, and once more for the same items when a write is retried or scanned for bad items.
 *
 * Guarantee: at least once, unless `delivery` says otherwise. Say `"transactional"` if everything the function writes
 * goes through the transaction that is open, by the same `SqlClient` as the job repository.
 *
 * - `delivery`: what the function guarantees; default `"at-least-once"`.
 * - `name`: for errors and descriptions; default `"function"`.
 *
 * @example
 * ```ts
 * import { ItemWriter } from "effect-batch"
 * import { Effect } from "effect"
 *
 * const print = ItemWriter.fromFunction(
 *   (lines: ReadonlyArray<string>) => Effect.log(lines.join("\n")),
 *   { name: "print" }
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromFunction = <A, E, R>(
  write: (items: ReadonlyArray<A>) => Effect.Effect<void, E, R>,
  options?: {
    readonly name?: string | undefined
    readonly delivery?: Delivery | undefined
  }
): ItemWriter<A, E, R> =>
  proto({
    name: options?.name ?? "function",
    delivery: options?.delivery ?? "at-least-once",
    open: () => Effect.succeed({ write })
  })

/**
 * Writes nothing: for steps that are run for what their reader and processor do.
 *
 * @since 0.1.0
 * @category constructors
 */
export const discard: ItemWriter<unknown> = make("discard", {
  delivery: "transactional",
  open: () =>
    Effect.succeed({
      write: Pipelining.withPipelinedWrite(() => Effect.void, { encode: () => Effect.succeed(undefined) })
    })
})

/**
 * Collects the outputs in an array or a `Ref`, and takes them out again when their transaction rolls back: for tests,
 * examples, and results that are small.
 *
 * Guarantee: exactly once, as long as the process lives. What is in memory dies with it, which a job repository that
 * outlives the process does not know.
 *
 * @example
 * ```ts
 * import { ItemWriter } from "effect-batch"
 *
 * const out: Array<string> = []
 * const writer = ItemWriter.inMemory(out)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const inMemory = <A>(target: Array<A> | Ref.Ref<ReadonlyArray<A>>): ItemWriter<A> =>
  proto({ name: "memory", delivery: "transactional", open: () => Effect.succeed(memory.collect(target)) })

/**
 * Makes a writer from an effect that runs when the step opens: a writer that depends on parameters or services, or that
 * acquires something for the time of the step.
 *
 * @param options.delivery what any writer that the effect returns guarantees at least; default `"at-least-once"`. A writer
 *   that guarantees less is a defect when the step opens.
 *
 * @example
 * ```ts
 * import { ItemWriter } from "effect-batch"
 * import { Config, Effect } from "effect"
 *
 * const writer = ItemWriter.unwrap(
 *   Effect.map(Config.string("PREFIX"), (prefix) =>
 *     ItemWriter.fromFunction((lines: ReadonlyArray<string>) => Effect.log(prefix, lines)))
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const unwrap = <A, E, R, E2, R2>(
  writer: Effect.Effect<ItemWriter<A, E, R>, E2, R2>,
  options?: { readonly name?: string | undefined; readonly delivery?: Delivery | undefined }
): ItemWriter<A, E | E2, R | Exclude<R2, Scope.Scope>> => {
  const name = options?.name ?? "unwrap"
  const delivery = options?.delivery ?? "at-least-once"
  return proto<A, E | E2, R | Exclude<R2, Scope.Scope>>({
    name,
    delivery,
    open: (state) =>
      Effect.flatMap(inStepScope(writer), (writer) =>
        sinks.isWeaker(writer.delivery, delivery)
          ? Effect.die(
            new JobDefinitionError({
              defects: [
                `the writer "${name}" promises ${delivery} and the writer "${writer.name}" is ${writer.delivery}`
              ]
            })
          )
          : Effect.zipRight(sinks.warnOfLess(writer, delivery), writer.open(state)))
  })
}

/**
 * Writes every item to all of the writers, in their order, in one transaction. The guarantee is that of the weakest
 * one. A rollback reaches all writers, even if one of them dies of it.
 *
 * @example
 * ```ts
 * import { ItemWriter } from "effect-batch"
 *
 * const writer = ItemWriter.tee(ItemWriter.inMemory<string>([]), ItemWriter.discard)
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const tee = <Ws extends readonly [ItemWriter.Any, ...Array<ItemWriter.Any>]>(
  ...writers: Ws
): ItemWriter<
  ItemWriter.Item<Ws[number]>,
  ItemWriter.Error<Ws[number]> | UnreadablePosition,
  ItemWriter.Context<Ws[number]>
> => {
  const name = writers.map((writer) => writer.name).join(", ")
  return proto({
    name,
    delivery: sinks.weakest(writers.map((writer) => writer.delivery)),
    deliveryIn: (services) => sinks.weakest(writers.map((writer) => sinks.deliveryIn(writer, services))),
    open: sinks.tee(name, widen<Ws[number]>(writers))
  })
}

/**
 * Writes every item to the writer of its key; within a chunk the writers take their turns in the order in which they
 * are given. The guarantee is that of the weakest one.
 *
 * Every key that the function can return has a writer. If its type is no more than `string`, a key without a writer is
 * a defect when it comes up, before anything of the chunk is written.
 *
 * @example
 * ```ts
 * import { ItemWriter } from "effect-batch"
 *
 * const [small, large]: [Array<number>, Array<number>] = [[], []]
 * const writer = ItemWriter.route((n: number) => n < 100 ? "small" : "large", {
 *   small: ItemWriter.inMemory(small),
 *   large: ItemWriter.inMemory(large)
 * })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const route = <A, K extends string, Ws extends { readonly [P in K]: ItemWriter<A, unknown, unknown> }>(
  key: (item: A) => K,
  writers: Ws & { readonly [P in Exclude<Extract<keyof Ws, string>, K>]: never }
): ItemWriter<A, ItemWriter.Error<Ws[K]> | UnreadablePosition, ItemWriter.Context<Ws[K]>> => {
  const entries = Object.entries<ItemWriter<A, unknown, unknown>>(writers)
  const name = entries.map(([key, writer]) => `${key}: ${writer.name}`).join(", ")
  return proto({
    name,
    delivery: sinks.weakest(entries.map(([, writer]) => writer.delivery)),
    deliveryIn: (services) => sinks.weakest(entries.map(([, writer]) => sinks.deliveryIn(writer, services))),
    open: sinks.route(name, key, entries as ReadonlyArray<readonly [string, Routed<A, Ws[K]>]>)
  })
}

/**
 * Gives the writer another name, for its errors and descriptions.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withName: {
  (name: string): <A, E, R>(self: ItemWriter<A, E, R>) => ItemWriter<A, E, R>
  <A, E, R>(self: ItemWriter<A, E, R>, name: string): ItemWriter<A, E, R>
} = dual(
  2,
  <A, E, R>(self: ItemWriter<A, E, R>, name: string): ItemWriter<A, E, R> =>
    proto({ ...self, name, open: sinks.rename(self, name) })
)

/**
 * Gives the writer what it needs: services, or a layer that is built once per step, together with what the other
 * components of the step are given by the same layer. With another `SqlClient` the writer writes to that database,
 * outside of the transaction of the step.
 *
 * Guarantee: that of the writer; at least once, if it was transactional and its database may be another one. That is so
 * with a layer, of which nobody knows before what it provides, unless `delivery` says otherwise.
 *
 * @param options.delivery what the writer guarantees with what it is given
 *
 * @example
 * ```ts
 * import { ItemWriter } from "effect-batch"
 * import { SqlItemWriter } from "effect-batch/sql"
 * import { PgClient } from "@effect/sql-pg"
 * import { Config } from "effect"
 *
 * const warehouse = PgClient.layerConfig({ url: Config.redacted("WAREHOUSE_URL") })
 *
 * const balances = SqlItemWriter.upsertInto("balances", { key: ["account"] }).pipe(ItemWriter.provide(warehouse))
 * assert.strictEqual(balances.delivery, "at-least-once")
 * ```
 *
 * @since 0.1.0
 * @category combinators
 * @see OWN-10
 */
export const provide: {
  <ROut, E2, RIn>(
    layer: Layer.Layer<ROut, E2, RIn>,
    options?: { readonly delivery?: Delivery | undefined }
  ): <A, E, R>(self: ItemWriter<A, E, R>) => ItemWriter<A, E | E2, RIn | Exclude<R, ROut>>
  <ROut>(
    context: Context.Context<ROut>,
    options?: { readonly delivery?: Delivery | undefined }
  ): <A, E, R>(self: ItemWriter<A, E, R>) => ItemWriter<A, E, Exclude<R, ROut>>
  <A, E, R, ROut, E2, RIn>(
    self: ItemWriter<A, E, R>,
    layer: Layer.Layer<ROut, E2, RIn>,
    options?: { readonly delivery?: Delivery | undefined }
  ): ItemWriter<A, E | E2, RIn | Exclude<R, ROut>>
  <A, E, R, ROut>(
    self: ItemWriter<A, E, R>,
    context: Context.Context<ROut>,
    options?: { readonly delivery?: Delivery | undefined }
  ): ItemWriter<A, E, Exclude<R, ROut>>
} = dual(
  (args) => isItemWriter(args[0]),
  <A, E, R, ROut, E2, RIn>(
    self: ItemWriter<A, E, R>,
    provided: Provided<ROut, E2, RIn>,
    options?: { readonly delivery?: Delivery | undefined }
  ): ItemWriter<A, E | E2, RIn | Exclude<R, ROut>> =>
    proto({
      name: self.name,
      delivery: options?.delivery ??
        (self.delivery === "transactional" && mayChangeClient(provided) ? "at-least-once" : self.delivery),
      deliveryIn: options?.delivery === undefined ? sinks.deliveryWith(self, provided) : undefined,
      open: sinks.provide(self, provided)
    })
)

/**
 * Lets the writer take other items, which a plain function turns into its own.
 *
 * @example
 * ```ts
 * import { ItemWriter } from "effect-batch"
 *
 * const lines: Array<string> = []
 * const writer = ItemWriter.inMemory(lines).pipe(ItemWriter.contramap((n: number) => `total: ${n}`))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const contramap: {
  <B, A>(f: (item: B) => A): <E, R>(self: ItemWriter<A, E, R>) => ItemWriter<B, E, R>
  <A, E, R, B>(self: ItemWriter<A, E, R>, f: (item: B) => A): ItemWriter<B, E, R>
} = dual(
  2,
  <A, E, R, B>(self: ItemWriter<A, E, R>, f: (item: B) => A): ItemWriter<B, E, R> =>
    proto({ ...self, open: sinks.contramap(self, f) })
)

/**
 * Transforms the errors of the writer.
 *
 * @since 0.1.0
 * @category combinators
 */
export const mapError: {
  <E, E2>(f: (error: E) => E2): <A, R>(self: ItemWriter<A, E, R>) => ItemWriter<A, E2, R>
  <A, E, R, E2>(self: ItemWriter<A, E, R>, f: (error: E) => E2): ItemWriter<A, E2, R>
} = dual(
  2,
  <A, E, R, E2>(self: ItemWriter<A, E, R>, f: (error: E) => E2): ItemWriter<A, E2, R> =>
    proto({ ...self, open: sinks.mapError(self, f) })
)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

function proto<A, E, R>(options: {
  readonly name: string
  readonly delivery: Delivery
  readonly deliveryIn?: ItemWriter.Any["deliveryIn"]
  readonly open: (state: Option.Option<Json>) => Effect.Effect<Sink<A, E, R>, E, R | Scope.Scope>
}): ItemWriter<A, E, R> {
  return Object.assign(Object.create(Proto), options)
}

/** Different writers seen as writers of what all of them can write, which the compiler cannot tell from their union. */
const widen = <W>(
  writers: ReadonlyArray<ItemWriter.Any>
): ReadonlyArray<ItemWriter<ItemWriter.Item<W>, ItemWriter.Error<W>, ItemWriter.Context<W>>> => writers as never

type Routed<A, W> = ItemWriter<A, ItemWriter.Error<W>, ItemWriter.Context<W>>
