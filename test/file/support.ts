import type { PlatformError } from "@effect/platform/Error"
import { SystemError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Buffer } from "node:buffer"
import type * as ItemReader from "../../src/item/ItemReader.js"

/** A file, whatever its name is now: who has opened it goes on with it when it is renamed or removed. */
interface Inode {
  readonly number: number
  bytes: Buffer
  /** What a power failure leaves of them: that of the last sync. */
  durable: Buffer
  /** Counts the changes of all files. */
  modified: number
  /** Who may write it, if anybody has said so. */
  mode?: number | undefined
}

const NONE = Buffer.alloc(0)

type Before = (operation: string) => Effect.Effect<void, PlatformError>

/** Files in memory: enough of a file system for readers and writers, and easy to damage. */
export class MemoryFiles {
  private inodes = new Map<string, Inode | "directory">()
  /** The names that a power failure leaves, if a directory was ever synced. */
  private durableNames = new Map<string, Inode | "directory">()
  private last = 0
  /** Fails the next reads or writes of the given kind. */
  failing: "read" | "write" | "sync" | "truncate" | undefined
  /** What a write waits for before it changes the file. */
  writing: Effect.Effect<void> = Effect.void
  readonly log: Array<string> = []

  set(path: string, content: string | Uint8Array, mode?: number): this {
    this.create(path, Buffer.from(content as string), "synced", mode)
    return this
  }

  mode(path: string): number | undefined {
    return this.inode(path)?.mode
  }

  /** What was written and not synced is gone; what was created or renamed since its directory was synced, if that is asked for. */
  powerFails(what: "bytes" | "names and bytes"): void {
    if (what === "names and bytes") {
      this.inodes = new Map(this.durableNames)
    }
    for (const inode of this.inodes.values()) {
      if (inode !== "directory") {
        inode.bytes = inode.durable
      }
    }
  }

  /** Changes a file where it is. */
  change(path: string, content: string): this {
    this.write(this.inode(path)!, Buffer.from(content))
    return this
  }

  delete(path: string): void {
    this.inodes.delete(path)
  }

  text(path: string): string | undefined {
    return this.inode(path)?.bytes.toString("utf8")
  }

  bytes(path: string): Buffer | undefined {
    return this.inode(path)?.bytes
  }

  get names(): ReadonlyArray<string> {
    return [...this.inodes.keys()].sort()
  }

  /** The part of an output that is not complete. */
  part(path: string): string | undefined {
    const name = this.partName(path)
    return name === undefined ? undefined : this.text(name)
  }

  partName(path: string): string | undefined {
    return this.names.find((name) => name.startsWith(`${path}.`) && name.endsWith(".part"))
  }

  get layer(): Layer.Layer<FileSystem.FileSystem> {
    return Layer.succeed(FileSystem.FileSystem, this.system())
  }

  /** `before` runs in front of each operation, which fails if it does. */
  system(before: Before = () => Effect.void): FileSystem.FileSystem {
    const op = <A>(name: string, f: () => Effect.Effect<A, PlatformError>): Effect.Effect<A, PlatformError> =>
      Effect.suspend(() => Effect.zipRight(before(name), Effect.suspend(f)))
    return FileSystem.makeNoop({
      open: (path, options) => op(`open ${path}`, () => this.open(path, options?.flag ?? "r", before)),
      exists: (path) => op(`exists ${path}`, () => Effect.succeed(this.inodes.has(path))),
      remove: (path) =>
        op(`remove ${path}`, () =>
          Effect.sync(() => {
            for (const name of [...this.inodes.keys()].filter((name) => name === path || name.startsWith(`${path}/`))) {
              this.inodes.delete(name)
            }
          })),
      stat: (path) =>
        op(
          `stat ${path}`,
          () =>
            this.inodes.has(path)
              ? Effect.sync(() => this.info(this.inodes.get(path)!))
              : Effect.fail(error("NotFound", path))
        ),
      readDirectory: (path) =>
        op(`list ${path}`, () =>
          Effect.sync(() => {
            const start = path === "." ? "" : `${path}/`
            const inside = [...this.inodes.keys()].filter((name) => name.startsWith(start))
            return [...new Set(inside.map((name) => name.slice(start.length).split("/")[0]!))]
          })),
      makeDirectory: (path) => op(`mkdir ${path}`, () => Effect.sync(() => void this.inodes.set(path, "directory"))),
      chmod: (path, mode) =>
        op(`chmod ${path}`, () => {
          const inode = this.inode(path)
          return inode === undefined
            ? Effect.fail(error("NotFound", path))
            : Effect.sync(() => void (inode.mode = mode))
        }),
      rename: (from, to) => op(`rename ${from} ${to}`, () => this.rename(from, to)),
      copyFile: (from, to) =>
        op(`copy ${from} ${to}`, () => {
          const inode = this.inode(from)
          return inode === undefined
            ? Effect.fail(error("NotFound", from))
            : this.isProtected(to)
            ? Effect.fail(error("PermissionDenied", to))
            : Effect.sync(() => this.create(to, Buffer.from(inode.bytes), "not synced", inode.mode))
        })
    })
  }

  private rename(from: string, to: string): Effect.Effect<void, PlatformError> {
    const inode = this.inodes.get(from)
    const directory = /^(.*)\/[^/]*$/.exec(to)?.[1]
    if (inode === undefined || (directory !== undefined && !this.inodes.has(directory))) {
      return Effect.fail(error("NotFound", from))
    }
    return Effect.sync(() => {
      this.inodes.delete(from)
      this.inodes.set(to, inode)
    })
  }

  private isProtected(path: string): boolean {
    return ((this.inode(path)?.mode ?? 0o200) & 0o200) === 0
  }

  private create(path: string, bytes: Buffer, as: "synced" | "not synced", mode?: number): void {
    const durable = as === "synced" ? bytes : Buffer.alloc(0)
    const inode = { number: ++this.last, bytes, durable, modified: ++this.last, mode }
    this.inodes.set(path, inode)
    if (as === "synced") {
      this.durableNames.set(path, inode)
    }
  }

  private inode(path: string): Inode | undefined {
    const inode = this.inodes.get(path)
    return inode === "directory" ? undefined : inode
  }

  private open(
    path: string,
    flag: FileSystem.OpenFlag,
    before: Before
  ): Effect.Effect<FileSystem.File, PlatformError> {
    return Effect.suspend(() => {
      if (path === ".") {
        const sync = Effect.sync(() => void (this.durableNames = new Map(this.inodes)))
        return Effect.succeed({
          ...this.file(path, { number: 0, bytes: NONE, durable: NONE, modified: 0 }, before),
          sync
        })
      }
      if (!this.inodes.has(path)) {
        if (flag.startsWith("r")) {
          return Effect.fail(error("NotFound", path))
        }
        this.create(path, Buffer.alloc(0), "not synced")
      } else if (flag.includes("x")) {
        return Effect.fail(error("AlreadyExists", path))
      } else if (flag !== "r" && this.isProtected(path)) {
        return Effect.fail(error("PermissionDenied", path))
      } else if (flag.startsWith("w")) {
        this.write(this.inode(path)!, Buffer.alloc(0))
      }
      return Effect.succeed(this.file(path, this.inode(path)!, before))
    })
  }

  private write(inode: Inode, bytes: Buffer): void {
    inode.bytes = bytes
    inode.modified = ++this.last
  }

  private info(inode: Inode | "directory"): FileSystem.File.Info {
    return (inode === "directory" ? { type: "Directory" } : {
      type: "File",
      size: FileSystem.Size(inode.bytes.length),
      mode: inode.mode,
      ino: Option.some(inode.number),
      mtime: Option.some(new Date(inode.modified))
    }) as FileSystem.File.Info
  }

  private check(kind: NonNullable<typeof this.failing>, path: string): Effect.Effect<void, PlatformError> {
    return Effect.suspend(() => {
      this.log.push(kind)
      return this.failing === kind ? Effect.fail(error("Unknown", path)) : Effect.void
    })
  }

  private file(path: string, inode: Inode, before: Before): FileSystem.File {
    let position = 0
    const write = (data: Uint8Array) =>
      // As on a real disk, where nothing written is an error.
      data.length === 0 ?
        Effect.fail(error("WriteZero", path)) :
        Effect.map(
          before(`write ${path}`).pipe(Effect.zipRight(this.writing), Effect.zipRight(this.check("write", path))),
          () => {
            const content = Buffer.alloc(Math.max(inode.bytes.length, position + data.length))
            inode.bytes.copy(content)
            content.set(data, position)
            position += data.length
            this.write(inode, content)
            return FileSystem.Size(data.length)
          }
        )
    return {
      [FileSystem.FileTypeId]: FileSystem.FileTypeId,
      fd: FileSystem.FileDescriptor(0),
      stat: Effect.sync(() => this.info(inode)),
      seek: (offset) => Effect.sync(() => void (position = Number(offset))),
      sync: Effect.map(this.check("sync", path), () => void (inode.durable = inode.bytes)),
      read: () => Effect.die("not used"),
      readAlloc: (size) =>
        Effect.map(this.check("read", path), () => {
          const block = Buffer.from(inode.bytes.subarray(position, position + Number(size)))
          position += block.length
          return block.length === 0 ? Option.none() : Option.some(block)
        }),
      truncate: (length) =>
        Effect.map(Effect.zipRight(before(`truncate ${path}`), this.check("truncate", path)), () => {
          const kept = Buffer.alloc(Number(length ?? 0))
          inode.bytes.copy(kept)
          if (kept.length !== inode.bytes.length) {
            this.write(inode, kept)
          }
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
