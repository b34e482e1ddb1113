/**
 * The one way in which files are written: items are kept in memory until the flush of their chunk, appended and
 * synced there, and cut off again when the chunk does not commit or a restart finds more than was committed.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { Buffer } from "node:buffer"
import { Json } from "../base/json.js"
import type * as ItemWriter from "../item/ItemWriter.js"
import * as encodings from "./encodings.js"
import { FileError, type ItemEncodeError } from "./FileError.js"
import { oneOf, refuse } from "./options.js"
import { fromPlatformError } from "./platformError.js"

/** @internal */
export interface Summary {
  readonly items: number
}

/**
 * A file format as pure functions. The memo is what the format has learned from its items, such as the columns; it
 * is committed and rolled back with them.
 *
 * @internal
 */
export interface Format<A> {
  readonly memo: Json
  /** What every item ends with, so that a file can be appended to. */
  readonly lineEnding?: string | undefined
  /** What stands at the beginning of the file. */
  readonly begin: (memo: Json) => string
  /** The texts of items that follow `before` others; the encoding has to hold them. */
  readonly encode: (
    memo: Json,
    items: ReadonlyArray<A>,
    before: number
  ) => Either.Either<readonly [texts: ReadonlyArray<string>, memo: Json], ItemEncodeError>
  readonly end: (memo: Json, summary: Summary) => string
  /** The memo for appending to a file that begins with these bytes, or why that is impossible. */
  readonly adopt?: ((head: Buffer) => Either.Either<Json, string>) | undefined
}

/** @internal */
export interface SinkOptions {
  readonly encoding?: encodings.Encoding | undefined
  readonly byteOrderMark?: boolean | undefined
  readonly ifExists?: "overwrite" | "fail" | "append" | undefined
  readonly fsync?: boolean | undefined
  readonly deleteIfEmpty?: boolean | undefined
}

/**
 * Refuses options that make no sense.
 *
 * @internal
 */
export const check = (writer: string, options: SinkOptions): void => {
  const { byteOrderMark, encoding = "utf-8" } = options
  refuse(writer, [
    ...oneOf("encoding", options.encoding, encodings.encodings),
    ...oneOf("ifExists", options.ifExists, ["overwrite", "fail", "append"]),
    ...(byteOrderMark === true && (encoding === "latin1" || encoding === "windows-1252")
      ? [`\`byteOrderMark\` needs a Unicode encoding, ${encodings.labels[encoding]} has none`]
      : [])
  ])
}

/** @internal */
export type Errors = FileError | ItemEncodeError

/** @internal */
export const open = <A>(
  path: string,
  format: Format<A>,
  options: SinkOptions,
  stored: Option.Option<Json>
): Effect.Effect<ItemWriter.Sink<A, Errors>, FileError, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const opened = yield* Option.match(stored, {
      onNone: () => openFresh(fs, path, format, options),
      onSome: (json) => openStored(fs, path, format, options, json)
    })
    return new FileSink(fs, path, format, options, opened)
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const State = Schema.Struct({
  /** Bytes of the file that are committed. */
  offset: Schema.NonNegativeInt,
  items: Schema.NonNegativeInt,
  memo: Json
})

type State = typeof State.Type

interface Opened {
  readonly file: FileSystem.File
  readonly state: State
  /** What has to come before the first item, because the file was left without a line break. */
  readonly lead: string
}

const openFile = (fs: FileSystem.FileSystem, path: string, flag: FileSystem.OpenFlag) =>
  Effect.mapError(fs.open(path, { flag }), fromPlatformError(path, "write"))

const create = <A>(fs: FileSystem.FileSystem, path: string, format: Format<A>, flag: "w+" | "wx+") =>
  Effect.map(openFile(fs, path, flag), (file) => opening(file, format))

const opening = <A>(file: FileSystem.File, format: Format<A>): Opened => ({
  file,
  state: { offset: 0, items: 0, memo: format.memo },
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
): Effect.Effect<Opened, FileError> =>
  Effect.gen(function*() {
    const offset = yield* sizeOf(path, file)
    if (offset === 0) {
      return opening(file, format)
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
    return {
      file,
      state: { offset, items: 0, memo: memo.right },
      lead: yield* leadAt(path, format, options, file, offset)
    }
  })

const openStored = <A>(
  fs: FileSystem.FileSystem,
  path: string,
  format: Format<A>,
  options: SinkOptions,
  json: Json
): Effect.Effect<Opened, FileError, Scope.Scope> =>
  Effect.gen(function*() {
    const state = yield* Effect.mapError(Schema.decodeUnknown(State)(json), () => foreignState(path))
    const file = yield* openFile(fs, path, "r+").pipe(
      Effect.asSome,
      Effect.catchIf((error) => error.reason === "NotFound", () => Effect.succeedNone)
    )
    if (Option.isNone(file)) {
      return state.offset === 0 ? yield* create(fs, path, format, "w+") : yield* shortened(path, 0, state.offset)
    }
    const size = yield* sizeOf(path, file.value)
    if (size < state.offset) {
      return yield* shortened(path, size, state.offset)
    }
    if (size > state.offset) {
      yield* Effect.mapError(file.value.truncate(state.offset), fromPlatformError(path, "write"))
    }
    return { file: file.value, state, lead: yield* leadAt(path, format, options, file.value, state.offset) }
  })

const foreignState = (path: string) =>
  new FileError({
    path,
    action: "write",
    reason: "Other",
    problem: "the stored state is not that of a file writer",
    hint: "Restart with the writer that stored it, or run the job with another identifying parameter."
  })

const shortened = (path: string, size: number, offset: number) =>
  new FileError({
    path,
    action: "write",
    reason: "Shortened",
    problem: `${offset} bytes of it were written and committed, but it has only ${size}`,
    hint: "Bring the file back, or abandon this execution and write it anew: going on would lose items."
  })

/** A header of a hundred thousand columns fits in. */
const headLength = 16 * 1024 * 1024

const sizeOf = (path: string, file: FileSystem.File): Effect.Effect<number, FileError> =>
  Effect.mapBoth(file.stat, { onFailure: fromPlatformError(path, "write"), onSuccess: (info) => Number(info.size) })

const readAt = (path: string, file: FileSystem.File, offset: number, size: number) =>
  Effect.zipRight(file.seek(offset, "start"), file.readAlloc(size)).pipe(
    Effect.mapBoth({
      onFailure: fromPlatformError(path, "write"),
      onSuccess: (block) => Buffer.from(Option.getOrElse(block, () => new Uint8Array()))
    })
  )

/** The line break that a file has to get before more is appended to it. */
const leadAt = <A>(
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

class FileSink<A> implements ItemWriter.Sink<A, Errors> {
  private committedState: State
  private flushed: State
  private pending: Array<string> = []
  private pendingItems = 0
  private memo: Json
  /** The file may hold bytes behind `flushed.offset`. */
  private dirty = false
  private readonly start: number
  private readonly encoding: encodings.Encoding

  constructor(
    private readonly fs: FileSystem.FileSystem,
    private readonly path: string,
    private readonly format: Format<A>,
    private readonly options: SinkOptions,
    private readonly opened: Opened
  ) {
    this.committedState = this.flushed = opened.state
    this.start = opened.state.offset
    this.memo = opened.state.memo
    this.encoding = options.encoding ?? "utf-8"
  }

  readonly write = (items: ReadonlyArray<A>): Effect.Effect<void, ItemEncodeError> =>
    Effect.suspend(() => {
      const encoded = this.format.encode(this.memo, items, this.flushed.items + this.pendingItems)
      if (Either.isLeft(encoded)) {
        return encoded.left
      }
      for (const text of encoded.right[0]) {
        this.pending.push(text)
      }
      this.memo = encoded.right[1]
      this.pendingItems += items.length
      return Effect.void
    })

  readonly flush: Effect.Effect<State, FileError> = Effect.suspend(() => {
    if (this.pendingItems === 0) {
      return Effect.succeed(this.flushed)
    }
    return Effect.map(this.append([...this.prefix(), ...this.pending]), (length) => {
      const { items, offset } = this.flushed
      this.flushed = { offset: offset + length, items: items + this.pendingItems, memo: this.memo }
      this.dirty = false
      this.forget()
      return this.flushed
    })
  })

  readonly rollback: Effect.Effect<void> = Effect.suspend(() => {
    this.dirty = this.dirty || this.flushed.offset > this.committedState.offset
    this.flushed = this.committedState
    this.memo = this.flushed.memo
    this.forget()
    // If the file cannot be cut now, the next flush does it or fails.
    return Effect.ignore(this.cut)
  })

  readonly committed: Effect.Effect<void> = Effect.sync(() => {
    this.committedState = this.flushed
  })

  readonly complete: Effect.Effect<void, FileError> = Effect.suspend(() => {
    const { items, memo } = this.flushed
    if (
      items === 0 && this.options.deleteIfEmpty === true && (this.options.ifExists !== "append" || this.start === 0)
    ) {
      return Effect.mapError(this.fs.remove(this.path, { force: true }), fromPlatformError(this.path, "write"))
    }
    // The footer stays uncommitted: whoever continues this file cuts it off and writes it again.
    const end = this.format.end(memo, { items })
    const wrong = encodings.misfit(end, this.encoding)
    return wrong === undefined
      ? Effect.asVoid(this.append([...this.prefix(), end]))
      : new FileError({
        path: this.path,
        action: "write",
        reason: "Other",
        problem: `its footer holds ${wrong}, which ${encodings.labels[this.encoding]} cannot hold`,
        hint: "Correct the footer, or choose another `encoding`, and restart."
      })
  })

  private prefix(): ReadonlyArray<string> {
    const { offset } = this.flushed
    if (offset !== 0) {
      return offset === this.start ? [this.opened.lead] : []
    }
    const { byteOrderMark = encodings.unitOf(this.encoding) === 2 } = this.options
    return [byteOrderMark ? encodings.byteOrderMark : "", this.format.begin(this.memo)]
  }

  private forget(): void {
    this.pending = []
    this.pendingItems = 0
  }

  private get cut(): Effect.Effect<void, FileError> {
    return Effect.suspend(() =>
      this.dirty
        ? Effect.mapBoth(this.opened.file.truncate(this.flushed.offset), {
          onFailure: fromPlatformError(this.path, "write"),
          onSuccess: () => void (this.dirty = false)
        })
        : Effect.void
    )
  }

  /**
   * Appends texts and gives their length in bytes. Uninterruptible, because a write that goes on in the background would
   * hit the file after it was cut. Leaves the file dirty: an interruption comes right behind, before anybody knows what
   * was written.
   */
  private append(texts: ReadonlyArray<string>): Effect.Effect<number, FileError> {
    const { file } = this.opened
    return Effect.suspend(() => {
      const blocks = blocksOf(texts.filter((text) => text !== ""))
      if (blocks.length === 0) {
        return Effect.as(this.cut, 0)
      }
      const write = (block: ReadonlyArray<string>) => {
        const bytes = encodings.encode(block.join(""), this.encoding)
        return Effect.as(file.writeAll(bytes), bytes.length)
      }
      const all = Effect.suspend(() => {
        this.dirty = true
        return Effect.mapError(
          Effect.zipRight(file.seek(this.flushed.offset, "start"), Effect.forEach(blocks, write)).pipe(
            Effect.tap(() => (this.options.fsync ?? true) ? file.sync : Effect.void)
          ),
          fromPlatformError(this.path, "write")
        )
      })
      return Effect.map(
        Effect.uninterruptible(Effect.zipRight(this.cut, all)),
        (lengths) => lengths.reduce((sum, length) => sum + length, 0)
      )
    })
  }
}

const blockLength = 4 * 1024 * 1024

/** Groups texts, because a whole chunk may be longer than a text can be. */
const blocksOf = (texts: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> => {
  const blocks: Array<Array<string>> = []
  let length = Infinity
  for (const text of texts) {
    if (length + text.length > blockLength) {
      blocks.push([])
      length = 0
    }
    blocks[blocks.length - 1]!.push(text)
    length += text.length
  }
  return blocks
}
