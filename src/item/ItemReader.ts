/**
 * Where the items of a chunk step come from: a resumable pull of pages.
 *
 * A reader is opened once per step execution, at the position of the last committed chunk or at the
 * beginning. Each pull returns some items and the position after them. The engine stores that position in
 * the transaction that writes the items, so a restart continues exactly after the last committed chunk.
 *
 * The law that every reader keeps, checked by `ReaderLaws` in `effect-batch/testing`: opened at any position
 * that it ever returned, it returns exactly the items that would have followed. It holds as long as the source itself
 * returns the same items again.
 *
 * Readers that keep a position fail with `UnreadablePosition` when the stored one is not theirs, which happens when a
 * job is changed between a failure and its restart.
 *
 * A function given to a transformation that throws is a defect: it fails the step and is neither skipped nor retried.
 * What may go wrong with a single item belongs in the processor.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type { Inspectable } from "effect/Inspectable"
import type * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type { Pipeable } from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Json } from "../base/json.js"
import { prototype } from "../base/values.js"
import type { UnreadablePosition } from "../vocabulary/BatchError.js"
import { JobDefinitionError } from "../vocabulary/BatchError.js"
import * as combine from "./combine.js"
import { inStepScope } from "./inStepScope.js"
import * as pages from "./pages.js"
import type { Provided } from "./provided.js"
import * as sources from "./sources.js"
import * as stream from "./stream.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-batch/ItemReader")

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

const Proto = prototype<ItemReader<unknown, unknown, unknown>>(
  TypeId,
  TypeId,
  ({ name }) => ({ _id: "ItemReader", name })
)

/**
 * A place in a source, as JSON: small, and understood only by the reader that made it.
 *
 * @since 0.1.0
 * @category models
 */
export type Position = Json

/**
 * What one pull returns. `position` is the state after everything that was consumed: the items and, when there
 * is one, the bad record. A page stops at a bad record, so `failure` always comes after `items`; pulling on
 * continues after it. A page may be shorter than requested, even empty, without being the last.
 *
 * @since 0.1.0
 * @category models
 */
export interface Page<out A, out E = never> {
  readonly items: ReadonlyArray<A>
  readonly position: Position
  /** A record that could not be read; the engine decides whether it is skipped or fails the step. */
  readonly failure: Option.Option<E>
  /** True when nothing follows. The reader is not pulled again. */
  readonly done: boolean
}

/**
 * How far a reader has come, in units of its own (bytes, rows, items).
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  readonly done: number
  readonly total: number
}

/**
 * An opened reader. It is pulled by one fiber at a time.
 *
 * `pull` fails when the source itself is in trouble; it must then not have moved, so that pulling again
 * repeats the read. A single bad record is not such a failure, it is `Page.failure`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Source<out A, out E = never, out R = never> {
  /** Reads at most `max` (at least 1) items. */
  readonly pull: (max: number) => Effect.Effect<Page<A, E>, E, R>
  /** Asked once per chunk, when the reader knows the size of its source. */
  readonly progress?: (() => Progress) | undefined
  /**
   * Whether a pull may have to wait until there is something to read, as from a queue. A request to stop ends such a
   * pull at once. False makes each pull cheaper; a request then waits for the pull, for the grace time at most. Default
   * true.
   */
  readonly waits?: boolean | undefined
  /**
   * Whether nothing that the step writes can change what is read, as with a file. Then a step may, unasked, read on
   * while it writes (see `prefetch` of `Step.chunk`). Default false.
   */
  readonly independent?: boolean | undefined
}

/**
 * A resumable source of items. `E` holds the errors of bad records and of the source, `R` what it needs.
 *
 * @since 0.1.0
 * @category models
 */
export interface ItemReader<out A, out E = never, out R = never> extends Pipeable, Inspectable {
  readonly [TypeId]: TypeId
  /** The name shown in errors and descriptions. */
  readonly name: string
  /** Opens the reader in the Scope of the step: at the beginning, or after a stored position. */
  readonly open: (from: Option.Option<Position>) => Effect.Effect<Source<A, E, R>, E, R | Scope.Scope>
}

/**
 * @since 0.1.0
 */
export declare namespace ItemReader {
  /**
   * Any reader.
   *
   * @since 0.1.0
   * @category models
   */
  export type Any = ItemReader<unknown, unknown, unknown>

  /**
   * The items of a reader.
   *
   * @since 0.1.0
   * @category models
   */
  export type Item<R> = R extends ItemReader<infer A, infer _E, infer _R> ? A : never

  /**
   * The errors of a reader: those of bad records and those of the source.
   *
   * @since 0.1.0
   * @category models
   */
  export type Error<R> = R extends ItemReader<infer _A, infer E, infer _R> ? E : never

  /**
   * What a reader needs.
   *
   * @since 0.1.0
   * @category models
   */
  export type Context<R> = R extends ItemReader<infer _A, infer _E, infer R2> ? R2 : never
}

/**
 * Whether the value is an `ItemReader`.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isItemReader = (value: unknown): value is ItemReader.Any => Predicate.hasProperty(value, TypeId)

/**
 * A Schema of values that can be stored: their encoded form is JSON, and encoding needs no services.
 *
 * @since 0.1.0
 * @category models
 */
export type StorableSchema = Schema.Schema.AnyNoContext & { readonly Encoded: Json }

/**
 * Makes a reader from the way it opens. What `open` acquires is released when the step ends.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, E = never, R = never>(
  name: string,
  open: (from: Option.Option<Position>) => Effect.Effect<Source<A, E, Exclude<R, Scope.Scope>>, E, R>
): ItemReader<A, E, Exclude<R, Scope.Scope>> => proto(name, (from) => inStepScope(open(from)))

/**
 * A reader without items.
 *
 * @since 0.1.0
 * @category constructors
 */
export const empty: ItemReader<never> = make(
  "empty",
  () => Effect.succeed({ pull: () => Effect.succeed(sources.page([], null, true)) })
)

/**
 * Reads a collection, lazily. The position is the number of items read; a restart passes over as many. An iterable that
 * is not an array must return the same items each time it is iterated, which a generator object does not: late-bind it
 * with {@link unwrap}. A collection that has become shorter than the position is `UnreadablePosition`.
 *
 * @example
 * ```ts
 * import { ItemReader } from "effect-batch"
 *
 * const letters = ItemReader.fromIterable(["a", "b", "c"], { name: "letters" })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromIterable = <A>(
  items: Iterable<A>,
  options?: { readonly name?: string | undefined }
): ItemReader<A, UnreadablePosition> => {
  const name = options?.name ?? "iterable"
  return proto(name, sources.iterable(name, items))
}

/**
 * Reads any stream. The position is the number of items read; a restart runs the stream again and drops as many, so
 * the stream must emit the same items in the same order. One that has become shorter than the position is
 * `UnreadablePosition`. Use {@link fromStreamBy} where the source can start in the middle.
 *
 * A failure of the stream fails the pull. When the step retries it, the stream is run again up to where it was.
 *
 * @example
 * ```ts
 * import { ItemReader } from "effect-batch"
 * import { Stream } from "effect"
 *
 * const numbers = ItemReader.fromStream(Stream.range(1, 1000), { name: "numbers" })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromStream = <A, E, R>(
  self: Stream.Stream<A, E, R>,
  options?: { readonly name?: string | undefined }
): ItemReader<A, E | UnreadablePosition, R> => {
  const name = options?.name ?? "stream"
  return proto(name, stream.counted(name, self))
}

/**
 * Reads a stream that can start after a given key. The position is the key of the last item read, so a restart reads
 * nothing twice. Keys have to be unique and `open` must return the items in the same order each time.
 *
 * @param options.key how a key is stored, as JSON
 * @param options.open the items after a key, or all items
 * @param options.keyOf the key of an item
 *
 * @example
 * ```ts
 * import { ItemReader } from "effect-batch"
 * import { Option, Schema, Stream } from "effect"
 *
 * const days = ItemReader.fromStreamBy({
 *   name: "days",
 *   key: Schema.Number,
 *   open: (after) => Stream.range(Option.getOrElse(after, () => 0) + 1, 365),
 *   keyOf: (day) => day
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromStreamBy = <A, E, R, Key extends StorableSchema>(options: {
  readonly name?: string | undefined
  readonly key: Key
  readonly open: (after: Option.Option<Schema.Schema.Type<Key>>) => Stream.Stream<A, E, R>
  readonly keyOf: (item: A) => Schema.Schema.Type<Key>
}): ItemReader<A, E | UnreadablePosition, R> => {
  const name = options.name ?? "stream"
  return proto(name, stream.keyed(name, options))
}

/**
 * Reads page by page from a source that says where its next page begins: a keyset query, a paged web service.
 *
 * A page may hold more than `max` items; the rest is kept for the next pulls. The position is the cursor of the page
 * and, inside of one, how far it was read; a restart fetches that page again with the same arguments, and for the same
 * arguments `fetch` must return the same page. One that has become shorter is `UnreadablePosition`; one with as many other
 * items goes unnoticed.
 *
 * @param options.cursor how a cursor is stored, as JSON
 * @param options.initial the cursor of the first page
 * @param options.fetch a page and the cursor of the next one, `None` after the last page; `max` is the number of items
 *   that the step has room for
 *
 * @example
 * ```ts
 * import { ItemReader } from "effect-batch"
 * import { Effect, Option, Schema } from "effect"
 *
 * const numbers = ItemReader.paged({
 *   name: "numbers",
 *   cursor: Schema.Number,
 *   initial: 0,
 *   fetch: (first, max) =>
 *     Effect.succeed({
 *       items: Array.from({ length: max }, (_, i) => first + i),
 *       next: first + max < 1000 ? Option.some(first + max) : Option.none()
 *     })
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const paged = <A, E, R, Cursor extends StorableSchema>(options: {
  readonly name?: string | undefined
  readonly cursor: Cursor
  readonly initial: Schema.Schema.Type<Cursor>
  readonly fetch: (cursor: Schema.Schema.Type<Cursor>, max: number) => Effect.Effect<
    { readonly items: ReadonlyArray<A>; readonly next: Option.Option<Schema.Schema.Type<Cursor>> },
    E,
    R
  >
}): ItemReader<A, E | UnreadablePosition, R> => {
  const name = options.name ?? "pages"
  return proto(name, sources.paged(name, options))
}

/**
 * Makes a reader from an effect that runs when the step opens: a reader that depends on parameters or services, or
 * that acquires something for the time of the step.
 *
 * @example
 * ```ts
 * import { ItemReader } from "effect-batch"
 * import { Config, Effect } from "effect"
 *
 * const numbers = ItemReader.unwrap(
 *   Effect.map(Config.number("COUNT"), (n) => ItemReader.fromIterable(Array.from({ length: n }, (_, i) => i)))
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const unwrap = <A, E, R, E2, R2>(
  reader: Effect.Effect<ItemReader<A, E, R>, E2, R2>,
  options?: { readonly name?: string | undefined }
): ItemReader<A, E | E2, R | Exclude<R2, Scope.Scope>> =>
  proto<A, E | E2, R | Exclude<R2, Scope.Scope>>(
    options?.name ?? "unwrap",
    (from) => Effect.flatMap(inStepScope(reader), (reader) => reader.open(from))
  )

/**
 * Gives the reader another name, for its errors and descriptions.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withName: {
  (name: string): <A, E, R>(self: ItemReader<A, E, R>) => ItemReader<A, E, R>
  <A, E, R>(self: ItemReader<A, E, R>, name: string): ItemReader<A, E, R>
} = dual(
  2,
  <A, E, R>(self: ItemReader<A, E, R>, name: string): ItemReader<A, E, R> => proto(name, pages.rename(self, name))
)

/**
 * Transforms every item by a plain function.
 *
 * @example
 * ```ts
 * import { ItemReader } from "effect-batch"
 *
 * const lengths = ItemReader.fromIterable(["a", "bb"]).pipe(ItemReader.map((text) => text.length))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const map: {
  <A, B>(f: (item: A) => B): <E, R>(self: ItemReader<A, E, R>) => ItemReader<B, E, R>
  <A, E, R, B>(self: ItemReader<A, E, R>, f: (item: A) => B): ItemReader<B, E, R>
} = dual(
  2,
  <A, E, R, B>(self: ItemReader<A, E, R>, f: (item: A) => B): ItemReader<B, E, R> =>
    proto(self.name, pages.mapItems(self, (items) => items.map((item) => f(item))))
)

/**
 * Leaves out the items for which the predicate is false. They are not counted as read; filter in the processor to
 * have them counted.
 *
 * @since 0.1.0
 * @category combinators
 */
export const filter: {
  <A, B extends A>(refinement: Predicate.Refinement<A, B>): <E, R>(self: ItemReader<A, E, R>) => ItemReader<B, E, R>
  <A>(predicate: Predicate.Predicate<A>): <E, R>(self: ItemReader<A, E, R>) => ItemReader<A, E, R>
  <A, E, R, B extends A>(
    self: ItemReader<A, E, R>,
    refinement: Predicate.Refinement<A, B>
  ): ItemReader<B, E, R>
  <A, E, R>(self: ItemReader<A, E, R>, predicate: Predicate.Predicate<A>): ItemReader<A, E, R>
} = dual(
  2,
  <A, E, R>(self: ItemReader<A, E, R>, predicate: Predicate.Predicate<A>): ItemReader<A, E, R> =>
    proto(self.name, pages.mapItems(self, (items) => items.filter((item) => predicate(item))))
)

/**
 * Transforms the items for which the function returns `Some` and leaves out the others, which are not counted as read.
 *
 * @since 0.1.0
 * @category combinators
 */
export const filterMap: {
  <A, B>(f: (item: A) => Option.Option<B>): <E, R>(self: ItemReader<A, E, R>) => ItemReader<B, E, R>
  <A, E, R, B>(self: ItemReader<A, E, R>, f: (item: A) => Option.Option<B>): ItemReader<B, E, R>
} = dual(
  2,
  <A, E, R, B>(self: ItemReader<A, E, R>, f: (item: A) => Option.Option<B>): ItemReader<B, E, R> =>
    proto(self.name, pages.mapItems(self, (items) => Arr.filterMap(items, (item) => f(item))))
)

/**
 * Gives the reader what it needs: services, or a layer that is built once per step, together with what the other
 * components of the step are given by the same layer. With another `SqlClient` it reads from that database.
 *
 * @example
 * ```ts
 * import { ItemReader } from "effect-batch"
 * import { SqlItemReader } from "effect-batch/sql"
 * import { PgClient } from "@effect/sql-pg"
 * import { Config, Schema } from "effect"
 *
 * const shop = PgClient.layerConfig({ url: Config.redacted("SHOP_URL") })
 *
 * const orders = SqlItemReader.keyset({
 *   select: (sql) => sql`select id, total from orders`,
 *   key: ["id"],
 *   schema: Schema.Struct({ id: Schema.Number, total: Schema.Number })
 * }).pipe(ItemReader.provide(shop))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 * @see OWN-10
 */
export const provide: {
  <ROut, E2, RIn>(
    layer: Layer.Layer<ROut, E2, RIn>
  ): <A, E, R>(self: ItemReader<A, E, R>) => ItemReader<A, E | E2, RIn | Exclude<R, ROut>>
  <ROut>(
    context: Context.Context<ROut>
  ): <A, E, R>(self: ItemReader<A, E, R>) => ItemReader<A, E, Exclude<R, ROut>>
  <A, E, R, ROut, E2, RIn>(
    self: ItemReader<A, E, R>,
    layer: Layer.Layer<ROut, E2, RIn>
  ): ItemReader<A, E | E2, RIn | Exclude<R, ROut>>
  <A, E, R, ROut>(
    self: ItemReader<A, E, R>,
    context: Context.Context<ROut>
  ): ItemReader<A, E, Exclude<R, ROut>>
} = dual(
  2,
  <A, E, R, ROut, E2, RIn>(
    self: ItemReader<A, E, R>,
    provided: Provided<ROut, E2, RIn>
  ): ItemReader<A, E | E2, RIn | Exclude<R, ROut>> => proto(self.name, pages.provide(self, provided))
)

/**
 * Transforms the errors of bad records and of the source.
 *
 * @since 0.1.0
 * @category combinators
 */
export const mapError: {
  <E, E2>(f: (error: E) => E2): <A, R>(self: ItemReader<A, E, R>) => ItemReader<A, E2, R>
  <A, E, R, E2>(self: ItemReader<A, E, R>, f: (error: E) => E2): ItemReader<A, E2, R>
} = dual(
  2,
  <A, E, R, E2>(self: ItemReader<A, E, R>, f: (error: E) => E2): ItemReader<A, E2, R> =>
    proto(self.name, pages.mapError(self, f))
)

/**
 * Reads one reader to its end and then the other one. The second one is opened when the first one has ended and is
 * closed. The name combines those of both.
 *
 * @example
 * ```ts
 * import { ItemReader } from "effect-batch"
 *
 * const both = ItemReader.fromIterable([1, 2]).pipe(ItemReader.concat(ItemReader.fromIterable(["a"])))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const concat: {
  <B, E2, R2>(
    that: ItemReader<B, E2, R2>
  ): <A, E, R>(self: ItemReader<A, E, R>) => ItemReader<A | B, E | E2 | UnreadablePosition, R | R2>
  <A, E, R, B, E2, R2>(
    self: ItemReader<A, E, R>,
    that: ItemReader<B, E2, R2>
  ): ItemReader<A | B, E | E2 | UnreadablePosition, R | R2>
} = dual(2, <A, E, R, B, E2, R2>(
  self: ItemReader<A, E, R>,
  that: ItemReader<B, E2, R2>
): ItemReader<A | B, E | E2 | UnreadablePosition, R | R2> => {
  const name = `${self.name}, ${that.name}`
  return proto(name, combine.concat(name, self, that))
})

/**
 * Reads at most so many items, counted over all executions of the step. Bad records do not count. Throws a
 * `JobDefinitionError` unless the number is at least 0.
 *
 * @since 0.1.0
 * @category combinators
 */
export const limit: {
  (count: number): <A, E, R>(self: ItemReader<A, E, R>) => ItemReader<A, E | UnreadablePosition, R>
  <A, E, R>(self: ItemReader<A, E, R>, count: number): ItemReader<A, E | UnreadablePosition, R>
} = dual(2, <A, E, R>(self: ItemReader<A, E, R>, count: number): ItemReader<A, E | UnreadablePosition, R> => {
  if (!(count >= 0)) {
    throw new JobDefinitionError({ defects: [`ItemReader.limit needs a number of at least 0, not ${count}`] })
  }
  return proto(self.name, combine.limit(self, Math.floor(count)))
})

/**
 * Adds its number to every item, from 0, counted over all executions of the step. Bad records have no number.
 *
 * @since 0.1.0
 * @category combinators
 */
export const zipWithIndex = <A, E, R>(
  self: ItemReader<A, E, R>
): ItemReader<readonly [A, number], E | UnreadablePosition, R> => proto(self.name, combine.zipWithIndex(self))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

function proto<A, E, R>(
  name: string,
  open: (from: Option.Option<Position>) => Effect.Effect<Source<A, E, R>, E, R | Scope.Scope>
): ItemReader<A, E, R> {
  return Object.assign(Object.create(Proto), { name, open })
}
