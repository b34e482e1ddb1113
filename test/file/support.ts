import type { PlatformError } from "@effect/platform/Error"
import { SystemError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Buffer } from "node:buffer"
import type * as ItemReader from "../../src/item/ItemReader.js"

/** Files as a map of bytes: enough of a file system for readers and writers, and easy to damage. */
export class MemoryFiles {
  readonly files = new Map<string, Buffer>()
  /** Fails the next reads or writes of the given kind. */
  failing: "read" | "write" | "sync" | "truncate" | undefined
  /** What a write waits for before it changes the file. */
  writing: Effect.Effect<void> = Effect.void
  readonly log: Array<string> = []

  set(path: string, content: string | Uint8Array): this {
    this.files.set(path, Buffer.from(content as string))
    return this
  }

  text(path: string): string | undefined {
    return this.files.get(path)?.toString("utf8")
  }

  get layer(): Layer.Layer<FileSystem.FileSystem> {
    return Layer.succeed(
      FileSystem.FileSystem,
      FileSystem.makeNoop({
        open: (path, options) => this.open(path, options?.flag ?? "r"),
        exists: (path) => Effect.sync(() => this.files.has(path)),
        remove: (path) => Effect.sync(() => void this.files.delete(path)),
        stat: (path) => this.files.has(path) ? Effect.sync(() => this.info(path)) : Effect.fail(error("NotFound", path))
      })
    )
  }

  private open(path: string, flag: FileSystem.OpenFlag): Effect.Effect<FileSystem.File, PlatformError> {
    return Effect.suspend(() => {
      if (!this.files.has(path)) {
        if (flag.startsWith("r")) {
          return Effect.fail(error("NotFound", path))
        }
        this.files.set(path, Buffer.alloc(0))
      } else if (flag.includes("x")) {
        return Effect.fail(error("AlreadyExists", path))
      } else if (flag.startsWith("w")) {
        this.files.set(path, Buffer.alloc(0))
      }
      return Effect.succeed(this.file(path))
    })
  }

  private info(path: string): FileSystem.File.Info {
    return { type: "File", size: FileSystem.Size(this.files.get(path)!.length) } as FileSystem.File.Info
  }

  private check(kind: NonNullable<typeof this.failing>, path: string): Effect.Effect<void, PlatformError> {
    return Effect.suspend(() => {
      this.log.push(kind)
      return this.failing === kind ? Effect.fail(error("Unknown", path)) : Effect.void
    })
  }

  private file(path: string): FileSystem.File {
    let position = 0
    const bytes = () => this.files.get(path)!
    const write = (data: Uint8Array) =>
      // As on a real disk, where nothing written is an error.
      data.length === 0 ?
        Effect.fail(error("WriteZero", path)) :
        Effect.map(Effect.zipRight(this.writing, this.check("write", path)), () => {
          const content = Buffer.alloc(Math.max(bytes().length, position + data.length))
          bytes().copy(content)
          content.set(data, position)
          position += data.length
          this.files.set(path, content)
          return FileSystem.Size(data.length)
        })
    return {
      [FileSystem.FileTypeId]: FileSystem.FileTypeId,
      fd: FileSystem.FileDescriptor(0),
      stat: Effect.sync(() => this.info(path)),
      seek: (offset) => Effect.sync(() => void (position = Number(offset))),
      sync: this.check("sync", path),
      read: () => Effect.die("not used"),
      readAlloc: (size) =>
        Effect.map(this.check("read", path), () => {
          const block = Buffer.from(bytes().subarray(position, position + Number(size)))
          position += block.length
          return block.length === 0 ? Option.none() : Option.some(block)
        }),
      truncate: (length) =>
        Effect.map(this.check("truncate", path), () => {
          this.files.set(path, Buffer.from(bytes().subarray(0, Number(length ?? 0))))
        }),
      write,
      writeAll: (data) => Effect.asVoid(write(data))
    }
  }
}

const error = (reason: SystemError["reason"], path: string) =>
  new SystemError({ reason, module: "FileSystem", method: "test", pathOrDescriptor: path, description: "disk on fire" })

/** Something that a reader gave, in order: an item, or a bad record. */
export type Given<A, E> = { readonly item: A } | { readonly failure: E }

export interface Read<A, E> {
  readonly given: Array<Given<A, E>>
  readonly pages: Array<{ readonly before: number; readonly position: ItemReader.Position }>
}

/** Reads to the end, `max` items a page, and keeps every position with the number of things given before it. */
export const readAll = <A, E, R>(
  reader: ItemReader.ItemReader<A, E, R>,
  options: { readonly max?: number; readonly from?: ItemReader.Position } = {}
): Effect.Effect<Read<A, E>, E, R> =>
  Effect.scoped(Effect.gen(function*() {
    const source = yield* reader.open(Option.fromNullable(options.from))
    const read: Read<A, E> = { given: [], pages: [] }
    for (;;) {
      const page = yield* source.pull(options.max ?? 100)
      page.items.forEach((item) => read.given.push({ item }))
      Option.map(page.failure, (failure) => read.given.push({ failure }))
      read.pages.push({ before: read.given.length, position: JSON.parse(JSON.stringify(page.position)) })
      if (page.done) {
        return read
      }
    }
  }))

export const itemsOf = <A, E>(read: Read<A, E>): Array<A> =>
  read.given.flatMap((given) => "item" in given ? [given.item] : [])

export const failuresOf = <A, E>(read: Read<A, E>): Array<E> =>
  read.given.flatMap((given) => "failure" in given ? [given.failure] : [])
