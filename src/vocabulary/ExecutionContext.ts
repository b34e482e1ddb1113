/**
 * What an execution remembers: a small immutable map from names to JSON that is saved with the execution and given back
 * to it after a restart.
 *
 * Entries are read and written through typed keys, declared once as values. Because nothing is changed in place, a
 * context has been modified exactly when it is no longer equal to the saved one: there is no dirty flag to forget, and
 * a rolled back chunk leaves no trace.
 *
 * @see CTX-1, CTX-2, CTX-3, CTX-9
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import { dual } from "effect/Function"
import * as Hash from "effect/Hash"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import type * as Pipeable from "effect/Pipeable"
import { pipeArguments } from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Json_ from "../base/json.js"
import { oneLine } from "../base/text.js"
import { UnreadableContextKey } from "./BatchError.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-batch/ExecutionContext")

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

/**
 * A value that survives a round trip through JSON text.
 *
 * @since 0.1.0
 * @category models
 */
export type Json = Json_.Json

/**
 * An immutable map from names to JSON; equal when all entries are.
 *
 * @see CTX-6
 * @since 0.1.0
 * @category models
 */
export interface ExecutionContext extends Equal.Equal, Pipeable.Pipeable, Inspectable.Inspectable {
  readonly [TypeId]: TypeId
  readonly entries: Readonly<Record<string, Json>>
}

/**
 * A named, typed entry. The codec is built once, when the key is declared.
 *
 * @since 0.1.0
 * @category models
 */
export interface Key<in out A> {
  readonly name: string
  readonly encode: (value: A) => Either.Either<Json, string>
  readonly decode: (json: Json) => Either.Either<A, string>
}

/**
 * Whether the value is an `ExecutionContext`.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isExecutionContext = (value: unknown): value is ExecutionContext => Predicate.hasProperty(value, TypeId)

/**
 * An execution context as a plain JSON object, the form in which it is stored.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ExecutionContext: Schema.Schema<ExecutionContext, Readonly<Record<string, Json>>> = Schema.transform(
  Json_.JsonRecord,
  Schema.declare(isExecutionContext, {
    identifier: "ExecutionContext",
    jsonSchema: { type: "object" },
    arbitrary: () => (fc) =>
      fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 5 }).map((entries) =>
        fromEntries(entries as Readonly<Record<string, Json>>)
      )
  }),
  { strict: true, decode: (entries) => fromEntries(entries), encode: (self) => self.entries }
)

const Proto = {
  [TypeId]: TypeId,
  [Equal.symbol](this: ExecutionContext, that: Equal.Equal): boolean {
    return isExecutionContext(that) && Json_.equals(this.entries, that.entries)
  },
  [Hash.symbol](this: ExecutionContext): number {
    return Hash.cached(this, Hash.string(toJson(this)))
  },
  toJSON(this: ExecutionContext): unknown {
    return { _id: "ExecutionContext", entries: this.entries }
  },
  toString(this: ExecutionContext): string {
    return Inspectable.format(this.toJSON())
  },
  [Inspectable.NodeInspectSymbol](this: ExecutionContext): unknown {
    return this.toJSON()
  },
  pipe() {
    return pipeArguments(this, arguments)
  }
}

/**
 * A context with these entries. They must be JSON; use `fromJson` for text that
 * is not known to be.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromEntries = (entries: Readonly<Record<string, Json>>): ExecutionContext =>
  Object.assign(Object.create(Proto), { entries })

/**
 * The context without entries.
 *
 * @since 0.1.0
 * @category constructors
 */
export const empty: ExecutionContext = fromEntries({})

/**
 * Declares an entry: its name and the schema of its values, which must encode to
 * JSON and need no services.
 *
 * @example
 * ```ts
 * import { Either, Option, Schema } from "effect"
 * import { ExecutionContext } from "effect-batch"
 *
 * const lastDay = ExecutionContext.key("lastDay", Schema.Date)
 * const context = ExecutionContext.unsafeSet(ExecutionContext.empty, lastDay, new Date(0))
 *
 * assert.strictEqual(ExecutionContext.toJson(context), `{"lastDay":"1970-01-01T00:00:00.000Z"}`)
 * assert.deepStrictEqual(ExecutionContext.get(context, lastDay), Either.right(Option.some(new Date(0))))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const key = <A, I>(name: string, schema: Schema.Schema<A, I>): Key<A> => {
  const encode = Schema.encodeEither(schema)
  const decode = Schema.decodeUnknownEither(schema)
  return {
    name,
    encode: (value) => Either.flatMap(Either.mapLeft(encode(value), explain), Json_.fromUnknown),
    decode: (json) => Either.mapLeft(decode(json), explain)
  }
}

/**
 * Reads an entry: `None` when it is absent, `UnreadableContextKey` when what is stored does not fit the key's schema.
 *
 * @see CTX-4
 * @since 0.1.0
 * @category combinators
 */
export const get: {
  <A>(key: Key<A>): (self: ExecutionContext) => Either.Either<Option.Option<A>, UnreadableContextKey>
  <A>(self: ExecutionContext, key: Key<A>): Either.Either<Option.Option<A>, UnreadableContextKey>
} = dual(
  2,
  <A>(self: ExecutionContext, key: Key<A>): Either.Either<Option.Option<A>, UnreadableContextKey> =>
    has(self, key)
      ? Either.mapBoth(key.decode(self.entries[key.name]!), {
        onLeft: (detail) => new UnreadableContextKey({ key: key.name, detail }),
        onRight: Option.some
      })
      : Either.right(Option.none())
)

/**
 * Writes an entry, and throws `UnreadableContextKey` for a value that the key's schema rejects or that JSON cannot hold
 * (`NaN`). For values that are known to fit, as in a test.
 *
 * @since 0.1.0
 * @category combinators
 */
export const unsafeSet: {
  <A>(key: Key<A>, value: A): (self: ExecutionContext) => ExecutionContext
  <A>(self: ExecutionContext, key: Key<A>, value: A): ExecutionContext
} = dual(
  3,
  <A>(self: ExecutionContext, key: Key<A>, value: A): ExecutionContext =>
    Either.getOrThrowWith(set(self, key, value), (error) => error)
)

/**
 * Writes an entry. Returns the very same context when the entry already has that value, and a `Left` for a value that
 * the key's schema rejects or that JSON cannot hold (`NaN`).
 *
 * @see CTX-2
 * @since 0.1.0
 * @category combinators
 */
export const set: {
  <A>(key: Key<A>, value: A): (self: ExecutionContext) => Either.Either<ExecutionContext, UnreadableContextKey>
  <A>(self: ExecutionContext, key: Key<A>, value: A): Either.Either<ExecutionContext, UnreadableContextKey>
} = dual(
  3,
  <A>(self: ExecutionContext, key: Key<A>, value: A): Either.Either<ExecutionContext, UnreadableContextKey> =>
    Either.mapBoth(key.encode(value), {
      onLeft: (detail) => new UnreadableContextKey({ key: key.name, detail }),
      onRight: (json) =>
        has(self, key) && Json_.equals(self.entries[key.name]!, json)
          ? self
          : fromEntries({ ...self.entries, [key.name]: json })
    })
)

/**
 * Removes an entry. Returns the very same context when it is absent.
 *
 * @see CTX-3
 * @since 0.1.0
 * @category combinators
 */
export const remove: {
  <A>(key: Key<A>): (self: ExecutionContext) => ExecutionContext
  <A>(self: ExecutionContext, key: Key<A>): ExecutionContext
} = dual(2, <A>(self: ExecutionContext, key: Key<A>): ExecutionContext =>
  has(self, key)
    ? fromEntries(Object.fromEntries(Object.entries(self.entries).filter(([name]) => name !== key.name)))
    : self)

/**
 * Whether the entry is there, readable or not.
 *
 * @since 0.1.0
 * @category predicates
 */
export const has: {
  <A>(key: Key<A>): (self: ExecutionContext) => boolean
  <A>(self: ExecutionContext, key: Key<A>): boolean
} = dual(2, <A>(self: ExecutionContext, key: Key<A>): boolean => Object.hasOwn(self.entries, key.name))

/**
 * The canonical JSON text of the context: equal contexts have equal texts.
 *
 * @since 0.1.0
 * @category utils
 */
export const toJson = (self: ExecutionContext): string => {
  const known = texts.get(self)
  if (known !== undefined) {
    return known
  }
  const text = Json_.canonical(self.entries)
  texts.set(self, text)
  return text
}

// A context that a chunk left as it was is stored with the chunk nevertheless.
const texts = new WeakMap<ExecutionContext, string>()

/**
 * Reads a context from JSON text. Total: anything but the text of a JSON object
 * is a `Left` that says what is wrong.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromJson = (text: string): Either.Either<ExecutionContext, string> =>
  Either.map(Json_.parseRecord(text), fromEntries)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const explain = (error: ParseResult.ParseError): string =>
  oneLine(
    ParseResult.ArrayFormatter.formatErrorSync(error).map(({ message, path }) =>
      path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`
    ).join("; ")
  )
