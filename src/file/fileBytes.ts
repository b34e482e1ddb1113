/**
 * What the writers ask of files, with the errors of users.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { Buffer } from "node:buffer"
import { Digest } from "./digest.js"
import type { FileError } from "./FileError.js"
import type { Identity } from "./outputPlan.js"
import { fromPlatformError } from "./platformError.js"

export const openFile = (
  fs: FileSystem.FileSystem,
  path: string,
  flag: FileSystem.OpenFlag
): Effect.Effect<FileSystem.File, FileError, Scope.Scope> =>
  Effect.mapError(fs.open(path, { flag }), fromPlatformError(path, "write"))

export const sizeOf = (path: string, file: FileSystem.File): Effect.Effect<number, FileError> =>
  Effect.mapBoth(file.stat, { onFailure: fromPlatformError(path, "write"), onSuccess: (info) => Number(info.size) })

export const readAt = (
  path: string,
  file: FileSystem.File,
  offset: number,
  size: number
): Effect.Effect<Buffer, FileError> =>
  Effect.zipRight(file.seek(offset, "start"), file.readAlloc(size)).pipe(
    Effect.mapBoth({
      onFailure: fromPlatformError(path, "write"),
      onSuccess: (block) => Buffer.from(Option.getOrElse(block, () => new Uint8Array()))
    })
  )

/** The checksum of the first bytes; none if the file is shorter. */
export const digestOf = (
  path: string,
  file: FileSystem.File,
  size: number
): Effect.Effect<Option.Option<Digest>, FileError> => digestFrom(path, file, size, 0, Digest.empty)

/** What stands at a name; none if there is nothing. */
export const infoOf = (
  fs: FileSystem.FileSystem,
  path: string
): Effect.Effect<Option.Option<FileSystem.File.Info>, FileError> =>
  fs.stat(path).pipe(
    Effect.asSome,
    Effect.catchIf((error) => error._tag === "SystemError" && error.reason === "NotFound", () => Effect.succeedNone),
    Effect.mapError(fromPlatformError(path, "write"))
  )

export const identityOf = (info: FileSystem.File.Info): Identity => ({
  // File systems that programs put in place of a disk may leave these out altogether.
  inode: Option.getOrNull(info.ino ?? Option.none()),
  size: Number(info.size),
  modified: Option.match(info.mtime ?? Option.none(), { onNone: () => null, onSome: (time) => time.getTime() })
})

/** The permissions of what stands at a name, where the file system has such. */
export const modeOf = (info: Option.Option<FileSystem.File.Info>): number | undefined =>
  Option.isSome(info) && typeof info.value.mode === "number" ? info.value.mode & 0o777 : undefined

export const OWNER_WRITES = 0o600

export const isSame = (self: Identity | null, that: Identity | null): boolean =>
  self === that ||
  (self !== null && that !== null && self.inode === that.inode && self.size === that.size &&
    self.modified === that.modified)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const BLOCK = 512 * 1024

const digestFrom = (
  path: string,
  file: FileSystem.File,
  size: number,
  from: number,
  digest: Digest
): Effect.Effect<Option.Option<Digest>, FileError> =>
  from === size
    ? Effect.succeedSome(digest)
    : Effect.flatMap(readAt(path, file, from, Math.min(BLOCK, size - from)), (block) =>
      block.length === 0
        ? Effect.succeedNone
        : digestFrom(path, file, size, from + block.length, digest.add(block)))
