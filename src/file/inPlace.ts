/**
 * Writes under the name of the output from the beginning, for people who watch a file grow.
 *
 * What was committed is recognised by its checksum before anything is cut. Nothing keeps a process out that has lost its
 * execution and does not know it yet: it may write into what its successor writes.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { existing, leadAt } from "./appending.js"
import { Digest } from "./digest.js"
import { digestOf, openFile, sizeOf } from "./fileBytes.js"
import { FileError } from "./FileError.js"
import type { Format, Hold, Place, SinkOptions } from "./fileSink.js"
import type { State } from "./outputPlan.js"
import { fromPlatformError } from "./platformError.js"

/** @internal */
export const open = <A>(
  fs: FileSystem.FileSystem,
  path: string,
  format: Format<A>,
  options: SinkOptions,
  stored: Option.Option<State>
): Effect.Effect<Place, FileError, Scope.Scope> =>
  Effect.map(
    Option.match(stored, {
      onNone: () => openFresh(fs, path, format, options),
      onSome: (state) => openStored(fs, path, format, options, state)
    }),
    (hold): Place => ({
      state: hold.state,
      claim: () => Effect.succeed(hold),
      reopen: () => Effect.succeed(hold),
      publish: () => Effect.void,
      discard: () => Effect.mapError(fs.remove(path, { force: true }), fromPlatformError(path, "write")),
      settled: Effect.void,
      giveUp: () => Effect.void
    })
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const create = <A>(fs: FileSystem.FileSystem, path: string, format: Format<A>, flag: "w+" | "wx+") =>
  Effect.map(openFile(fs, path, flag), (file) => opening(file, format))

const opening = <A>(file: FileSystem.File, format: Format<A>): Hold => ({
  file,
  state: { offset: 0, items: 0, memo: format.memo, digest: Digest.empty.text },
  digest: Digest.empty,
  lead: ""
})

const openFresh = <A>(fs: FileSystem.FileSystem, path: string, format: Format<A>, options: SinkOptions) => {
  switch (options.ifExists ?? "overwrite") {
    case "overwrite":
      return create(fs, path, format, "w+")
    case "fail":
      return create(fs, path, format, "wx+").pipe(
        Effect.catchIf((error) => error.reason === "AlreadyExists", (error) => openEmpty(fs, path, format, error))
      )
    case "append":
      return openFile(fs, path, "r+").pipe(
        Effect.flatMap((file) => append(path, format, options, file)),
        Effect.catchIf((error) => error.reason === "NotFound", () => create(fs, path, format, "w+"))
      )
  }
}

/** A process that dies between creating its file and storing that it did leaves an empty one behind. */
const openEmpty = <A>(fs: FileSystem.FileSystem, path: string, format: Format<A>, exists: FileError) =>
  Effect.gen(function*() {
    const file = yield* openFile(fs, path, "r+")
    return (yield* sizeOf(path, file)) === 0 ? opening(file, format) : yield* exists
  })

const append = <A>(
  path: string,
  format: Format<A>,
  options: SinkOptions,
  file: FileSystem.File
): Effect.Effect<Hold, FileError> =>
  Effect.flatMap(
    existing(path, format, file),
    Option.match({
      onNone: () => Effect.succeed(opening(file, format)),
      onSome: (found) =>
        Effect.map(leadAt(path, format, options, file, found.state.offset), (lead): Hold => ({ ...found, file, lead }))
    })
  )

const openStored = <A>(
  fs: FileSystem.FileSystem,
  path: string,
  format: Format<A>,
  options: SinkOptions,
  state: State
): Effect.Effect<Hold, FileError, Scope.Scope> =>
  Effect.gen(function*() {
    const file = yield* openFile(fs, path, "r+").pipe(
      Effect.asSome,
      Effect.catchIf((error) => error.reason === "NotFound", () => Effect.succeedNone)
    )
    if (Option.isNone(file)) {
      return state.offset === 0 ? yield* create(fs, path, format, "w+") : yield* shortened(path, 0, state.offset)
    }
    const size = yield* sizeOf(path, file.value)
    const digest = size < state.offset ? Option.none() : yield* digestOf(path, file.value, state.offset)
    if (Option.isNone(digest)) {
      return yield* shortened(path, size, state.offset)
    }
    if (state.digest !== undefined && state.digest !== digest.value.text) {
      return yield* replaced(path, state.offset)
    }
    if (size > state.offset) {
      yield* Effect.mapError(file.value.truncate(state.offset), fromPlatformError(path, "write"))
    }
    return {
      file: file.value,
      state,
      digest: digest.value,
      lead: yield* leadAt(path, format, options, file.value, state.offset)
    }
  })

const shortened = (path: string, size: number, offset: number) =>
  new FileError({
    path,
    action: "write",
    reason: "Shortened",
    problem: `${offset} bytes of it were written and committed, but it has only ${size}`,
    hint: "Bring the file back, or abandon this execution and write it anew: going on would lose items."
  })

const replaced = (path: string, offset: number) =>
  new FileError({
    path,
    action: "write",
    reason: "Replaced",
    problem: `${offset} bytes of it were written and committed, but others stand there now`,
    hint: "Bring the file back, or abandon this execution and write it anew: going on would ruin what stands there."
  })
