/**
 * The part of a file that is in memory: whole blocks are read at explicit offsets, so that a failed or
 * interrupted read never moves the reader.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { Buffer } from "node:buffer"
import { UnreadablePosition } from "../vocabulary/BatchError.js"
import { FileError } from "./FileError.js"
import { fromPlatformError } from "./platformError.js"

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
  readonly maxRecordSize: number
  private before: Buffer = Buffer.alloc(0)
  private readonly bufferSize: number

  readonly path: string
  readonly reader: string

  constructor(
    /** Bytes in the file when it was opened. */
    readonly size: number,
    private readonly file: FileSystem.File,
    options: ByteWindowOptions
  ) {
    this.path = options.path
    this.reader = options.reader
    // The first block has to hold a whole byte order mark.
    this.bufferSize = Math.max(4, options.bufferSize ?? defaultBufferSize)
    this.maxRecordSize = options.maxRecordSize ?? defaultMaxRecordSize
  }

  /** Consumes the first `count` bytes. */
  drop(count: number): void {
    if (count > 0) {
      this.before = this.tail(count)
      this.bytes = this.bytes.subarray(count)
      this.base += count
    }
  }

  /** Reads the next block and hands it to `use` without keeping it; `undefined` at the end of the file. */
  read<A>(use: (block: Buffer | undefined) => A): Effect.Effect<A, FileError> {
    return Effect.suspend(() => {
      // A record that outgrows the buffer is read in doubling steps: copying stays linear in its size.
      const size = Math.max(this.bufferSize, this.bytes.length)
      return Effect.map(this.readAt(this.base + this.bytes.length, size), use)
    })
  }

  append(block: Buffer | undefined): void {
    if (block === undefined) {
      this.eof = true
    } else {
      this.bytes = this.bytes.length === 0 ? block : Buffer.concat([this.bytes, block])
    }
  }

  /** A hash of the bytes just before `base + count`: shows later whether what was read is still the same. */
  fingerprint(count: number): number {
    return hashBytes(this.tail(count))
  }

  /** Moves to `offset`, provided that the bytes just before it still have the given fingerprint. */
  moveTo(offset: number, fingerprint: number): Effect.Effect<void, FileError | UnreadablePosition> {
    const length = Math.min(tailLength, offset)
    return offset > this.size
      ? this.changed(`${offset} bytes of "${this.path}" were read before, but now it has only ${this.size}`)
      : Effect.flatMap(length === 0 ? Effect.succeed(undefined) : this.readAt(offset - length, length), (block) => {
        const before = block ?? Buffer.alloc(0)
        if (hashBytes(before) !== fingerprint) {
          return this.changed(
            `what stands in "${this.path}" before byte ${offset} is not what was read there (rows behind the last ` +
              "commit may be corrected, earlier ones not)"
          )
        }
        this.before = before
        this.bytes = Buffer.alloc(0)
        this.base = offset
        this.eof = false
        return Effect.void
      })
  }

  unreadable(detail: string): UnreadablePosition {
    return new UnreadablePosition({ reader: this.reader, detail })
  }

  /** It is no longer the file that was read. */
  changed(detail: string): UnreadablePosition {
    return new UnreadablePosition({ reader: this.reader, detail, advice: putBack })
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
    return new ByteWindow(Number(info.size), file, options)
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
 * FNV-1a. The fingerprints guard against mistakes, not against forgery, and are taken once per page.
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

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
