/**
 * Positions in files, as they are stored with the checkpoint.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Json } from "../base/json.js"
import type { UnreadablePosition } from "../vocabulary/BatchError.js"
import type { ByteWindow } from "./byteWindow.js"

/** @internal */
export const Position = Schema.Struct({
  offset: Schema.NonNegativeInt,
  line: Schema.Positive,
  /** Fingerprint of the bytes just before the offset. */
  behind: Schema.NonNegativeInt,
  /** CSV: fingerprint of the header. */
  header: Schema.optional(Schema.NonNegativeInt),
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
