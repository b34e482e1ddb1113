/**
 * How skipped items are kept, and how they come back when they are run again: an item comes back as the very value that it
 * was, or not at all.
 */
import * as Either from "effect/Either"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Json } from "../base/json.js"
import * as Json_ from "../base/json.js"
import * as Sensitive from "../vocabulary/Sensitive.js"

type AnySchema = Schema.Schema<any, any, any>

/**
 * - `known`: whether there is a schema of the items.
 * - `shown`: the item as people see it.
 * - `stored`: as it is kept; none when JSON cannot hold it.
 * - `revived`: from what is stored to the item that it was, or why not.
 */
export interface Kept {
  readonly known: boolean
  readonly shown: (item: unknown) => unknown
  readonly stored: (item: unknown) => Option.Option<Json>
  readonly revived: (stored: Json) => Either.Either<unknown, string>
}

/** What a step keeps: what it reads, for skips while processing, and what it writes, for skips while writing. */
export interface Quarantine {
  readonly process: Kept
  readonly write: Kept
}

export const make = (options: {
  readonly input?: AnySchema | undefined
  readonly output?: AnySchema | undefined
}): Quarantine => ({
  process: options.input === undefined ? unknownItems("input") : describedItems(options.input),
  write: options.output === undefined ? unknownItems("output") : describedItems(options.output)
})

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const plain = (value: unknown): Option.Option<Json> => Either.getRight(Json_.fromUnknown(value))

/** Nobody can tell whether the stored form is all that the item was: an instance of a class comes back as a record. */
const unknownItems = (name: "input" | "output"): Kept => ({
  known: false,
  shown: identity,
  stored: plain,
  revived: () => Either.left(`the step does not describe its items: give Step.quarantine their schema as "${name}"`)
})

const describedItems = (schema: AnySchema): Kept => {
  const mask = Sensitive.mask(schema)
  const isItem = lazily(() => Schema.is(schema as Schema.Schema<any>))
  const encode = lazily(() => Schema.encodeUnknownEither(schema as Schema.Schema<any>))
  const decode = lazily(() => Schema.decodeUnknownEither(schema as Schema.Schema<any>))
  /** What JSON cannot hold, a date for example, is kept as its schema writes it, unless that could be taken for another item. */
  const encoded = (masked: unknown): Option.Option<Json> =>
    Option.filter(
      Option.flatMap(tried(() => encode()(masked)), plain),
      (json) => !isItem()(json)
    )
  return {
    known: true,
    shown: mask,
    stored: (item) => {
      const masked = mask(item)
      const json = plain(masked)
      return Option.exists(json, isItem()) ? json : Option.orElse(encoded(masked), () => json)
    },
    revived: (stored) =>
      holdsMasked(stored)
        ? Either.left("it holds sensitive values, which were not stored")
        : isItem()(stored)
        ? Either.right(stored)
        : Option.match(tried(() => decode()(stored)), {
          onNone: () => Either.left("what is stored does not fit the schema of the items any more"),
          onSome: Either.right
        })
  }
}

/** A schema that needs a service or time for its work is one that this cannot use. */
const tried = (work: () => Either.Either<unknown, unknown>): Option.Option<unknown> =>
  Option.flatMap(Either.getRight(Either.try(work)), Either.getRight)

const holdsMasked = (json: Json): boolean =>
  typeof json === "string"
    ? json === Sensitive.placeholder
    : typeof json === "object" && json !== null &&
      Object.values(json).some((member: Json) => holdsMasked(member))

/** Compiled once, and only where something is skipped. */
const lazily = <A>(make: () => A): () => A => {
  let made: { readonly value: A } | undefined
  return () => (made ??= { value: make() }).value
}
