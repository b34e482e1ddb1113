/**
 * The part of a file that is in memory: whole blocks are read at explicit offsets, so that a failed or
 * interrupted read never moves the reader. Knows whether the file is still the one that was read (OWN-22).
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { Buffer } from "node:buffer"
import { UnreadablePosition } from "../vocabulary/BatchError.js"
import type { Encoding } from "./encodings.js"
import { FileError } from "./FileError.js"
import { endOf, type FileRange } from "./fileRange.js"
import * as identity from "./identity.js"
import { fromPlatformError } from "./platformError.js"
import * as recognise from "./recognise.js"

/** @internal */
export const defaultBufferSize = 256 * 1024

/**
 * The size above which a single record is taken for damage rather than data, in bytes.
 *
 * @internal
 */
export const defaultMaxRecordSize = 16 * 1024 * 1024

/** @internal */
export interface ByteWindowOptions {
  /** Name of the reader, for errors. */
  readonly reader: string
  readonly path: string
  readonly bufferSize?: number | undefined
  readonly maxRecordSize?: number | undefined
  /** How the bytes are to be understood; absent for formats that know only UTF-8. */
  readonly encoding?: Encoding | undefined
}

/**
 * What a position says about the bytes in front of it.
 *
 * @internal
 */
export interface Proof {
  readonly behind: number
  readonly sum?: number | undefined
  readonly file?: identity.Stamp | undefined
}

/**
 * `bytes[0]` is the byte of the file at offset `base`; everything before it is consumed.
 *
 * @internal
 */
export class ByteWindow {
  bytes: Buffer = Buffer.alloc(0)
  base = 0
  /** True when the file holds nothing behind `bytes`. */
  eof = false
  readonly path: string
  readonly reader: string
  /** Bytes in the file when it was opened. */
  readonly size: number
  readonly maxRecordSize: number
  private readonly bufferSize: number
  private readonly encoding: Encoding | undefined
  private readonly stamp: identity.Stamp | undefined
  private before: Buffer = Buffer.alloc(0)
  /** Where reading begins, and the checksum of everything before it; see `enter`. */
  private origin = { offset: 0, sum: 0 }
  /** Where it ends; infinite when that is the end of the file. */
  private limit = Infinity
  /** The checksum of everything before `bytes[summed]`. */
  private sum = 0
  private summed = 0

  constructor(
    private readonly file: FileSystem.File,
    info: FileSystem.File.Info,
    /** Whether the stamp in `info` will tell a later change. */
    private readonly stampTells: boolean,
    options: ByteWindowOptions
  ) {
    this.path = options.path
    this.reader = options.reader
    this.encoding = options.encoding
    this.size = Number(info.size)
    this.stamp = identity.stampOf(info)
    // The first block has to hold a whole byte order mark.
    this.bufferSize = Math.max(4, options.bufferSize ?? defaultBufferSize)
    this.maxRecordSize = options.maxRecordSize ?? defaultMaxRecordSize
  }

  /** Whether reading goes from the beginning of the file to its end. */
  get whole(): boolean {
    return this.origin.offset === 0 && this.limit === Infinity
  }

  /** Consumes the first `count` bytes. */
  drop(count: number): void {
    if (count > 0) {
      this.before = this.tail(count)
      this.sumTo(count)
      this.summed -= count
      this.bytes = this.bytes.subarray(count)
      this.base += count
    }
  }

  /**
   * Reads the next block and hands it to `use` without keeping it; `undefined` at the end of the range, and at that of the file,
   * which has to be the end of the file that was opened.
   */
  read<A>(use: (block: Buffer | undefined) => A): Effect.Effect<A, FileError> {
    return Effect.suspend(() => {
      const end = this.base + this.bytes.length
      // A record that outgrows the buffer is read in doubling steps: copying stays linear in its size.
      const size = Math.min(Math.max(this.bufferSize, this.bytes.length), this.limit - end)
      return Effect.flatMap(size > 0 ? this.readAt(end, size) : Effect.succeed(undefined), (block) => {
        const foreign = end === 0 && block !== undefined ? this.foreign(block) : undefined
        return foreign ?? Effect.map(block === undefined ? this.unchanged(end) : Effect.void, () => use(block))
      })
    })
  }

  append(block: Buffer | undefined): void {
    if (block === undefined) {
      this.eof = true
    } else {
      this.bytes = this.bytes.length === 0 ? block : Buffer.concat([this.bytes, block])
    }
  }

  /** Shows later whether what stands before `base + count` is still what was read. Asked with growing counts only. */
  proof(count: number): { readonly behind: number; readonly sum: number; readonly file?: identity.Stamp } {
    this.sumTo(count)
    const proof = { behind: hashBytes(this.tail(count)), sum: this.sum }
    return this.stampTells && this.stamp !== undefined ? { ...proof, file: this.stamp } : proof
  }

  /**
   * Keeps to a range of the file and goes to its beginning, provided that its content is what was planned: because the file
   * was not touched since, or because the range has the same checksum.
   *
   * @param format the fingerprint of the options that the file is read with, and `header` that of the header it has
   */
  enter(range: FileRange, format: number, header?: number): Effect.Effect<void, FileError | UnreadablePosition> {
    return Effect.gen(this, function*() {
      const { before, from, size, sum, to } = range
      if (range.format !== format) {
        return yield* new UnreadablePosition({
          reader: this.reader,
          detail: `"${this.path}" was divided into ranges with other options, by which records end elsewhere`,
          advice: "give the plan and the reader the same options, and run the job with another identifying parameter"
        })
      }
      if (range.header !== header) {
        return yield* this.changed(
          `the header of "${this.path}" is not the one that it had when it was divided into ranges`
        )
      }
      if (this.size < size) {
        return yield* this.changed(
          `"${this.path}" had ${size} bytes when it was divided into ranges, but now it has only ${this.size}`
        )
      }
      this.origin = { offset: from, sum: before }
      const untouched = identity.sameStamp(range.file, this.stamp)
      if (!untouched && (yield* this.sumUpTo(endOf(range))) !== sum) {
        return yield* this.changed(
          `what stands in "${this.path}" from byte ${from} to ${
            endOf(range)
          } is not what was there when it was divided ` +
            "into ranges"
        )
      }
      this.limit = to ?? Infinity
      this.jump(from, yield* this.tailBefore(from), before)
    })
  }

  /**
   * Moves to `offset`, provided that everything before it is still what it was: because the file is the same one and
   * was not touched, or because all of it has the same checksum.
   */
  moveTo(offset: number, proof: Proof): Effect.Effect<void, FileError | UnreadablePosition> {
    return Effect.gen(this, function*() {
      if (offset < this.origin.offset || offset > this.limit) {
        return yield* this.unreadable(`byte ${offset} of "${this.path}" is not in the range that is to be read`)
      }
      if (offset > this.size) {
        return yield* this.changed(
          `${offset} bytes of "${this.path}" were read before, but now it has only ${this.size}`
        )
      }
      const tail = yield* this.tailBefore(offset)
      const untouched = proof.sum !== undefined && identity.sameStamp(proof.file, this.stamp)
      const sum = untouched && proof.sum !== undefined ? proof.sum : yield* this.sumUpTo(offset)
      if (hashBytes(tail) !== proof.behind || sum !== (proof.sum ?? sum)) {
        return yield* this.changed(
          `what stands in "${this.path}" before byte ${offset} is not what was read there (rows behind the last ` +
            "commit may be corrected, earlier ones not)"
        )
      }
      yield* proof.file !== undefined && this.size < proof.file.size ? this.warnOfLoss(proof.file.size) : Effect.void
      this.jump(offset, tail, sum)
    })
  }

  /** In bytes of the range. */
  progress(offset: number): { readonly done: number; readonly total: number } {
    const end = Math.min(this.limit, Math.max(offset, this.size))
    return { done: offset - this.origin.offset, total: end - this.origin.offset }
  }

  unreadable(detail: string): UnreadablePosition {
    return new UnreadablePosition({ reader: this.reader, detail })
  }

  /** It is no longer the file that was read. */
  changed(detail: string): UnreadablePosition {
    return new UnreadablePosition({ reader: this.reader, detail, advice: putBack })
  }

  private tailBefore(offset: number): Effect.Effect<Buffer, FileError> {
    const length = Math.min(tailLength, offset)
    return length === 0
      ? Effect.succeed(Buffer.alloc(0))
      : Effect.map(this.readAt(offset - length, length), (tail) => tail ?? Buffer.alloc(0))
  }

  private jump(offset: number, tail: Buffer, sum: number): void {
    this.before = tail
    this.bytes = Buffer.alloc(0)
    this.base = offset
    this.sum = sum
    this.summed = 0
    this.eof = false
  }

  private sumTo(count: number): void {
    if (count > this.summed) {
      this.sum = identity.checksum(this.bytes.subarray(this.summed, count), this.sum)
      this.summed = count
    }
  }

  /** The checksum of the first bytes of the file as those of its range are now; a shorter file has that of all it has. */
  private sumUpTo(count: number): Effect.Effect<number, FileError> {
    let { offset, sum } = this.origin
    return Effect.map(
      Effect.repeat(
        Effect.suspend(() =>
          Effect.map(
            offset < count ? this.readAt(offset, Math.min(sumBlock, count - offset)) : Effect.succeed(undefined),
            (block) => {
              sum = block === undefined ? sum : identity.checksum(block, sum)
              offset += block?.length ?? 0
              return block === undefined
            }
          )
        ),
        { until: (ended) => ended }
      ),
      () => sum
    )
  }

  /** Behind the last byte: was all that was read in one file, and all of it? */
  private unchanged(end: number): Effect.Effect<void, FileError> {
    return Effect.gen(this, function*() {
      const info = yield* Effect.mapError(this.file.stat, fromPlatformError(this.path, "read"))
      const size = Number(info.size)
      const expected = this.limit === Infinity ? Math.max(end, this.size) : this.limit
      if (Math.min(end, size) < expected) {
        return yield* this.trouble("Shortened", `${this.size} bytes were there, now it has only ${Math.min(end, size)}`)
      }
      const stamp = identity.stampOf(info)
      if (this.stamp === undefined || stamp === undefined || identity.sameStamp(this.stamp, stamp)) {
        return
      }
      const all = identity.checksum(this.bytes.subarray(this.summed), this.sum)
      if ((yield* this.sumUpTo(end)) !== all) {
        return yield* this.trouble("Changed", "what was read is not what stands there now")
      }
    })
  }

  private trouble(reason: "Shortened" | "Changed", what: string): FileError {
    return new FileError({
      path: this.path,
      action: "read",
      reason,
      problem: `it was ${reason === "Shortened" ? "cut" : "changed"} while it was read: ${what}`,
      hint: "Bring back the file as it was and restart; let whoever delivers it write to another name and rename it."
    })
  }

  private warnOfLoss(before: number): Effect.Effect<void> {
    return Effect.logWarning(
      `"${this.path}" had ${before} bytes when it was read last and now has ${this.size}: what stands before the ` +
        "position is the same, so the step goes on with what is left"
    ).pipe(Effect.annotateLogs({ reader: this.reader }))
  }

  private foreign(block: Buffer): FileError | undefined {
    const found = recognise.foreign(block, this.encoding)
    return found && new FileError({ path: this.path, action: "read", reason: "NotText", ...found })
  }

  private tail(count: number): Buffer {
    return count >= tailLength
      ? Buffer.from(this.bytes.subarray(count - tailLength, count))
      : Buffer.concat([this.before, this.bytes.subarray(0, count)]).subarray(-tailLength)
  }

  private readAt(offset: number, size: number): Effect.Effect<Buffer | undefined, FileError> {
    return Effect.zipRight(this.file.seek(offset, "start"), this.file.readAlloc(size)).pipe(
      Effect.mapBoth({
        onFailure: fromPlatformError(this.path, "read"),
        onSuccess: (block) => Option.isSome(block) && block.value.length > 0 ? asBuffer(block.value) : undefined
      })
    )
  }
}

/**
 * Opens a regular file for reading; it is closed with the Scope.
 *
 * @internal
 */
export const open = (
  options: ByteWindowOptions
): Effect.Effect<ByteWindow, FileError, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function*() {
    const { path } = options
    const fs = yield* FileSystem.FileSystem
    const file = yield* fs.open(path, { flag: "r" })
    const info = yield* file.stat
    if (info.type !== "File") {
      return yield* new FileError({
        path,
        action: "read",
        reason: "NotAFile",
        problem: info.type === "Directory" ? "it is a directory" : "it is not a regular file",
        hint: "Give the path of a regular file: reading has to be able to go on in its middle."
      })
    }
    const stamp = identity.stampOf(info)
    const stampTells = stamp !== undefined && identity.tellsChanges(stamp, yield* Clock.currentTimeMillis)
    return new ByteWindow(file, info, stampTells, options)
  }).pipe(
    Effect.catchAll((error) => error._tag === "FileError" ? error : fromPlatformError(options.path, "read")(error))
  )

/**
 * What helps when a file is not what was read before.
 *
 * @internal
 */
export const putBack = "put the file back as it was and restart, or abandon the execution and run the job with " +
  "another identifying parameter"

/**
 * FNV-1a, for a few bytes once per page. It guards against mistakes, not against forgery.
 *
 * @internal
 */
export const hashBytes = (bytes: Uint8Array): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < bytes.length; i++) {
    hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  }
  return hash >>> 0
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const tailLength = 32

const sumBlock = 1024 * 1024

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
