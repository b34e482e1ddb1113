/**
 * Whether a file is still the one that was read: at a glance by what the file system says about it, and for certain by a
 * checksum over everything that was read.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { crc32 } from "node:zlib"

/**
 * What tells a file from others at a glance. Stored with each position.
 *
 * @internal
 */
export const Stamp = Schema.Struct({
  inode: Schema.Number,
  /** In bytes. */
  size: Schema.NonNegativeInt,
  /** When its content was changed last, in milliseconds since 1970. */
  modified: Schema.Number
})

/** @internal */
export type Stamp = typeof Stamp.Type

/**
 * The stamp of a file; `undefined` where the file system has no inodes or times, and the checksum has to decide alone.
 *
 * @internal
 */
export const stampOf = (info: FileSystem.File.Info): Stamp | undefined => {
  // File systems that programs put in place of a disk may leave these out altogether.
  const inode = Option.getOrUndefined(info.ino ?? Option.none())
  const modified = Option.getOrUndefined(info.mtime ?? Option.none())
  return inode === undefined || modified === undefined
    ? undefined
    : { inode, size: Number(info.size), modified: modified.getTime() }
}

/** @internal */
export const sameStamp = (self: Stamp | undefined, that: Stamp | undefined): boolean =>
  self !== undefined && that !== undefined &&
  self.inode === that.inode && self.size === that.size && self.modified === that.modified

/**
 * Whether the stamp will tell every later change. The clock of a file system ticks: a file that was changed just now can
 * be changed once more with no difference in its time. Some file systems count in whole seconds, or in two. Where the time
 * lies ahead of our clock, the two clocks do not agree, and it proves nothing.
 *
 * @internal
 */
export const tellsChanges = (stamp: Stamp, now: number): boolean =>
  now - stamp.modified > (stamp.modified % 1000 === 0 ? wholeSeconds : tick)

/**
 * The checksum of what has the checksum `sum` with `bytes` behind it; it begins with 0. CRC-32: it guards against
 * mistakes, not against forgery, it costs less than reading from the memory of the disk, and it can be carried on from
 * the stored number.
 *
 * @internal
 */
export const checksum = (bytes: Uint8Array, sum: number): number => crc32(bytes, sum)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const tick = 20

const wholeSeconds = 2000
