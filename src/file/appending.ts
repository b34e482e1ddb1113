/**
 * What a writer learns from a file to which it appends.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { Digest } from "./digest.js"
import * as encodings from "./encodings.js"
import { digestOf, readAt, sizeOf } from "./fileBytes.js"
import { FileError } from "./FileError.js"
import type { Format, SinkOptions } from "./fileSink.js"
import type { State } from "./outputPlan.js"

/** @internal */
export interface Existing {
  readonly state: State
  readonly digest: Digest
}

/** The state behind everything that is there; none if the file is empty. */
export const existing = <A>(
  path: string,
  format: Format<A>,
  file: FileSystem.File
): Effect.Effect<Option.Option<Existing>, FileError> =>
  Effect.gen(function*() {
    const offset = yield* sizeOf(path, file)
    if (offset === 0) {
      return Option.none()
    }
    const memo = format.adopt?.(yield* readAt(path, file, 0, Math.min(offset, headLength))) ?? Either.right(format.memo)
    if (Either.isLeft(memo)) {
      return yield* new FileError({
        path,
        action: "write",
        reason: "AlreadyExists",
        problem: `items cannot be appended: ${memo.left}`,
        hint: "Choose another path, or set `ifExists` to \"overwrite\"."
      })
    }
    return Option.map(yield* digestOf(path, file, offset), (digest) => ({
      state: { offset, items: 0, memo: memo.right, digest: digest.text },
      digest
    }))
  })

/** The line break that a file has to get before more is appended to it. */
export const leadAt = <A>(
  path: string,
  { lineEnding }: Format<A>,
  { encoding = "utf-8" }: SinkOptions,
  file: FileSystem.File,
  offset: number
): Effect.Effect<string, FileError> => {
  if (lineEnding === undefined || offset === 0) {
    return Effect.succeed("")
  }
  const last = encodings.encode(lineEnding.slice(-1), encoding)
  const size = Math.min(last.length, offset)
  return Effect.map(readAt(path, file, offset - size, size), (end) => last.equals(end) ? "" : lineEnding)
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** A header of a hundred thousand columns fits in. */
const headLength = 16 * 1024 * 1024
