/**
 * The one way in which files are written: items are kept in memory until the flush of their chunk, appended and
 * synced there, and cut off again when the chunk does not commit or a restart finds more than was committed.
 *
 * They are written to a part, which gets the name of the output when it is complete, unless the writer was told to write
 * in place.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Json } from "../base/json.js"
import type * as ItemWriter from "../item/ItemWriter.js"
import { Digest } from "./digest.js"
import * as encodings from "./encodings.js"
import { beginning } from "./endings.js"
import { FileError, type ItemEncodeError } from "./FileError.js"
import * as InPlace from "./inPlace.js"
import { flags, oneOf, refuse } from "./options.js"
import { State, written } from "./outputPlan.js"
import * as Parts from "./parts.js"
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
  readonly inPlace?: boolean | undefined
  readonly fsync?: boolean | undefined
  readonly deleteIfEmpty?: boolean | undefined
}

/**
 * The names of options that all writers have.
 *
 * @internal
 */
export const names: ReadonlyArray<string> = ["ifExists", "inPlace", "fsync", "deleteIfEmpty"]

/**
 * Refuses options that make no sense.
 *
 * @internal
 */
export const check = (writer: string, options: SinkOptions): void => {
  const { byteOrderMark, encoding = "utf-8" } = options
  refuse(writer, [
    ...flags(options, ["byteOrderMark", "inPlace", "fsync", "deleteIfEmpty"]),
    ...oneOf("encoding", options.encoding, encodings.encodings),
    ...oneOf("ifExists", options.ifExists, ["overwrite", "fail", "append"]),
    ...(byteOrderMark === true && (encoding === "latin1" || encoding === "windows-1252")
      ? [`\`byteOrderMark\` needs a Unicode encoding, ${encodings.labels[encoding]} has none`]
      : [])
  ])
}

/** @internal */
export type Errors = FileError | ItemEncodeError

/** Where a sink may write. */
export interface Hold {
  /** None while everything that was committed is at the name of the output already. */
  readonly file: FileSystem.File | undefined
  readonly state: State
  readonly digest: Digest
  /** What has to come before the first item, because the file was left without a line break. */
  readonly lead: string
}

/** How a sink gets at its file, and gives it away when it is complete. */
export interface Place {
  readonly state: State
  /** Called before the first byte is written. `isStored` says whether a restart would find the state. */
  readonly claim: (state: State, isStored: boolean) => Effect.Effect<Hold, FileError>
  /** Called before a byte is written to an output that is complete. */
  readonly reopen: (state: State) => Effect.Effect<Hold, FileError>
  /** Called when the last byte is written and synced. */
  readonly publish: (state: State) => Effect.Effect<void, FileError>
  /** Called instead when there is nothing to write, and the output is not to be there then. */
  readonly discard: (state: State) => Effect.Effect<void, FileError>
  /** Called when a restart would find the state, and the file is claimed: once both are so. */
  readonly settled: Effect.Effect<void>
  /** Called when the sink is closed before it was complete. */
  readonly giveUp: (state: State) => Effect.Effect<void>
}

/** @internal */
export const open = <A>(
  path: string,
  format: Format<A>,
  options: SinkOptions,
  stored: Option.Option<Json>
): Effect.Effect<ItemWriter.Sink<A, Errors>, FileError, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const state = yield* Effect.transposeMapOption(stored, (json) =>
      Effect.mapError(Schema.decodeUnknown(State)(json), () => foreignState(path)))
    const inPlace = options.inPlace === true && !Option.exists(state, ({ part }) =>
      part !== undefined)
    const place = yield* (inPlace ? InPlace : Parts).open(fs, path, format, options, state)
    const sink = new FileSink(path, format, options, place)
    yield* Effect.addFinalizer(() => sink.closed)
    return sink
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const foreignState = (path: string) =>
  new FileError({
    path,
    action: "write",
    reason: "Other",
    problem: "the stored state is not that of a file writer",
    hint: "Restart with the writer that stored it, or run the job with another identifying parameter."
  })

class FileSink<A> implements ItemWriter.Sink<A, Errors> {
  private committedState: State
  private flushed: State
  private pending: Array<string> = []
  private pendingItems = 0
  private memo: Json
  private hold: Hold | undefined
  private committedDigest: Digest | undefined
  /** The file may hold bytes behind `flushed.offset`. */
  private dirty = false
  /** Whether the state of this turn is stored, so that it may touch files. */
  private isStored = false
  /** Whether something was flushed of which nobody has said yet whether it is committed. */
  private isInDoubt = false
  /** The footer that the stored state tells of, and that state. */
  private told: { readonly state: State; readonly footer: string } | undefined
  private readonly start: number
  private readonly encoding: encodings.Encoding

  constructor(
    private readonly path: string,
    private readonly format: Format<A>,
    private readonly options: SinkOptions,
    private readonly place: Place
  ) {
    this.committedState = this.flushed = place.state
    this.start = place.state.offset
    this.memo = place.state.memo
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
      return this.isStored ? Effect.map(this.claimed, (hold) => this.foreseen(hold)) : Effect.succeed(this.flushed)
    }
    return Effect.flatMap(
      this.writable,
      ({ digest, file, lead }) =>
        Effect.map(this.append(file, [...this.prefix(this.memo, lead), ...this.pending]), (blocks) => {
          const { items, offset } = this.flushed
          const next = blocks.reduce((digest, block) => digest.add(block), digest)
          this.hold = { ...this.hold!, digest: next }
          this.flushed = written(this.flushed, {
            offset: blocks.reduce((sum, { length }) => sum + length, offset),
            items: items + this.pendingItems,
            memo: this.memo,
            digest: next.text
          })
          this.dirty = false
          this.isInDoubt = true
          this.forget()
          return this.flushed
        })
    )
  })

  readonly rollback: Effect.Effect<void> = Effect.suspend(() => {
    this.isInDoubt = false
    this.dirty = this.dirty || this.flushed.offset > this.committedState.offset
    this.flushed = this.committedState
    this.memo = this.flushed.memo
    if (this.hold !== undefined && this.committedDigest !== undefined) {
      this.hold = { ...this.hold, digest: this.committedDigest }
    }
    this.forget()
    // If the file cannot be cut now, the next flush does it or fails.
    return Effect.ignore(this.cut)
  })

  readonly committed: Effect.Effect<void> = Effect.suspend(() => {
    const isFirst = !this.isStored
    this.isStored = true
    this.isInDoubt = false
    this.committedState = this.flushed
    this.committedDigest = this.hold?.digest
    return isFirst ? this.settled : Effect.void
  })

  /** A turn that is stored, and has got hold of what was committed, needs nothing of others any more. */
  private get settled(): Effect.Effect<void> {
    return Effect.suspend(() => this.isStored && this.hold !== undefined ? this.place.settled : Effect.void)
  }

  /**
   * A part that holds nothing of its own is not left behind: a process that wakes up when all others are through would leave
   * it for ever. What may have been committed is kept.
   */
  readonly closed: Effect.Effect<void> = Effect.suspend(() => {
    return this.hold?.file !== undefined && !this.isInDoubt
      ? this.place.giveUp(this.committedState)
      : Effect.void
  })

  readonly complete: Effect.Effect<void, FileError> = Effect.suspend(() =>
    Effect.flatMap(this.claimed, ({ file, lead }) => {
      const { items, offset } = this.flushed
      // What an append found there stays.
      if (items === 0 && offset === 0 && this.options.deleteIfEmpty === true) {
        return this.ended(this.place.discard(this.flushed))
      }
      if (file === undefined) {
        return Effect.void
      }
      // The footer stays uncommitted: whoever continues this file cuts it off and writes it again.
      const footer = this.told?.state === this.flushed ? this.told.footer : this.footer
      const wrong = encodings.misfit(footer, this.encoding)
      return wrong === undefined
        ? Effect.zipRight(
          this.append(file, [...this.prefix(this.flushed.memo, lead), footer]),
          this.ended(this.place.publish(this.flushed))
        )
        : new FileError({
          path: this.path,
          action: "write",
          reason: "Other",
          problem: `its footer holds ${wrong}, which ${encodings.labels[this.encoding]} cannot hold`,
          hint: "Correct the footer, or choose another `encoding`, and restart."
        })
    })
  )

  /** Nothing is written to what was given away. */
  private ended(end: Effect.Effect<void, FileError>): Effect.Effect<void, FileError> {
    return Effect.map(Effect.uninterruptible(end), () => {
      this.hold = { ...this.hold!, file: this.options.inPlace === true ? this.hold!.file : undefined }
    })
  }

  /** Tells how the output will end if this is all, by which those who come next know it. */
  private foreseen({ file, lead, state: { part } }: Hold): State {
    if (file !== undefined && part !== undefined) {
      const { items, memo } = this.flushed
      // Without items it is asked for once, however often nothing is committed.
      const footer = items === 0 && this.told !== undefined ? this.told.footer : this.footer
      const bytes = encodings.encode([...this.prefix(memo, lead), footer].join(""), this.encoding)
      this.flushed = { ...this.flushed, end: { size: bytes.length, digest: Digest.empty.add(bytes).text } }
      this.told = { state: this.flushed, footer }
    }
    return this.flushed
  }

  private get footer(): string {
    const { items, memo } = this.flushed
    return this.format.end(memo, { items })
  }

  private prefix(memo: Json, lead: string): ReadonlyArray<string> {
    const { offset } = this.flushed
    return offset === 0 ? beginning(this.format, this.options, memo) : offset === this.start ? [lead] : []
  }

  private forget(): void {
    this.pending = []
    this.pendingItems = 0
  }

  private get claimed(): Effect.Effect<Hold, FileError> {
    return Effect.suspend(() =>
      this.hold !== undefined
        ? Effect.succeed(this.hold)
        : Effect.zipLeft(
          Effect.map(this.place.claim(this.flushed, this.isStored), (hold) => this.keep(hold)),
          this.settled
        )
    )
  }

  private get writable(): Effect.Effect<Hold & { readonly file: FileSystem.File }, FileError> {
    return Effect.flatMap(this.claimed, ({ file }) =>
      file === undefined
        ? Effect.map(this.place.reopen(this.flushed), (hold) => this.keep(hold) as Hold & { file: FileSystem.File })
        : Effect.succeed({ ...this.hold!, file }))
  }

  private keep(hold: Hold): Hold {
    this.committedState = this.flushed = hold.state
    this.committedDigest = hold.digest
    return this.hold = hold
  }

  private get cut(): Effect.Effect<void, FileError> {
    return Effect.suspend(() =>
      this.dirty && this.hold?.file !== undefined
        ? Effect.mapBoth(this.hold.file.truncate(this.flushed.offset), {
          onFailure: fromPlatformError(this.path, "write"),
          onSuccess: () => void (this.dirty = false)
        })
        : Effect.void
    )
  }

  /**
   * Appends texts and gives their bytes. Uninterruptible, because a write that goes on in the background would hit the
   * file after it was cut. Leaves the file dirty: an interruption comes right behind, before anybody knows what was
   * written.
   */
  private append(
    file: FileSystem.File,
    texts: ReadonlyArray<string>
  ): Effect.Effect<ReadonlyArray<Uint8Array>, FileError> {
    return Effect.suspend(() => {
      const blocks = blocksOf(texts.filter((text) => text !== ""))
      if (blocks.length === 0) {
        return Effect.as(this.cut, [])
      }
      const write = (block: ReadonlyArray<string>) => {
        const bytes = encodings.encode(block.join(""), this.encoding)
        return Effect.as(file.writeAll(bytes), bytes)
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
      return Effect.uninterruptible(Effect.zipRight(this.cut, all))
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
