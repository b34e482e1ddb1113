/**
 * Positions in files, as they are stored with the checkpoint.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Json } from "../base/json.js"
import type { UnreadablePosition } from "../vocabulary/BatchError.js"
import type { ByteWindow } from "./byteWindow.js"
import { Stamp } from "./identity.js"

/** @internal */
export const Position = Schema.Struct({
  offset: Schema.NonNegativeInt,
  line: Schema.Positive,
  /** Fingerprint of the bytes just before the offset. */
  behind: Schema.NonNegativeInt,
  /** Checksum of all bytes before the offset; positions of the first drafts of 0.1 have none. */
  sum: Schema.optional(Schema.NonNegativeInt),
  /** The file as it was when it was opened; absent when that could not tell a later change. */
  file: Schema.optional(Stamp),
  /** CSV: fingerprint of the header. */
  header: Schema.optional(Schema.NonNegativeInt),
  /** CSV with a trailer: what was counted and added up before the offset. */
  totals: Schema.optional(Schema.Struct({
    rows: Schema.NonNegativeInt,
    sums: Schema.Array(Schema.String),
    /** Whether the trailer was read. */
    ended: Schema.optional(Schema.Boolean)
  })),
  /** JSON: how many elements stand before the offset, and what may follow there. */
  elements: Schema.optional(Schema.NonNegativeInt),
  expects: Schema.optional(Schema.Literal("array", "first", "next", "nothing"))
})

/** @internal */
export type Position = typeof Position.Type

/** @internal */
export const decode = (
  bytes: ByteWindow,
  from: Option.Option<Json>
): Effect.Effect<Option.Option<Position>, UnreadablePosition> =>
  Effect.transposeMapOption(from, (json) =>
    Option.match(fromJson(json), {
      onNone: () => bytes.unreadable("it is not a position in a file"),
      onSome: Effect.succeed
    }))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const fromJson = Schema.decodeUnknownOption(Position)
