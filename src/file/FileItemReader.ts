/**
 * Reads many files as one source, such as all the deliveries of a night.
 *
 * @since 0.1.0
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { Json } from "../base/json.js"
import * as pattern_ from "../base/pattern.js"
import * as ItemReader from "../item/ItemReader.js"
import { UnreadablePosition } from "../vocabulary/BatchError.js"
import { putBack } from "./byteWindow.js"
import { FileError } from "./FileError.js"
import { fromPlatformError } from "./platformError.js"

/**
 * The paths of the files in a directory whose names match a pattern, sorted by name. In the pattern, `*` stands for any
 * characters and `?` for one. Directories below are neither searched nor listed.
 *
 * Fails with `FileError` when the directory cannot be read, or when nothing matches, unless `ifNone` is `"empty"`.
 *
 * @example
 * ```ts
 * import { CsvItemReader, FileItemReader } from "effect-batch/file"
 *
 * const orders = FileItemReader.concatFiles(FileItemReader.list("inbox", "orders-*.csv"), (path) =>
 *   CsvItemReader.make(path)
 * )
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const list = (
  directory: string,
  pattern: string,
  options: { readonly ifNone?: "fail" | "empty" | undefined } = {}
): Effect.Effect<ReadonlyArray<string>, FileError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const entries = yield* Effect.mapError(fs.readDirectory(directory), notListed(directory))
    const pathOf = (name: string) => directory.endsWith("/") ? directory + name : `${directory}/${name}`
    const matching = entries.filter((name) => pattern_.matches(pattern, name))
    // What cannot be looked at is left to its reader, which says why.
    const names = yield* Effect.filter(
      matching,
      (name) =>
        Effect.match(fs.stat(pathOf(name)), { onFailure: () => true, onSuccess: ({ type }) => type !== "Directory" }),
      { concurrency: 16 }
    )
    if (names.length === 0 && options.ifNone !== "empty") {
      return yield* new FileError({
        path: directory,
        action: "read",
        reason: "NotFound",
        problem: matching.length > 0
          ? `only directories in it have a name like "${pattern}"`
          : `none of its ${entries.length} files has a name like "${pattern}"`,
        hint: "Check the directory and the pattern, or set `ifNone` to \"empty\"."
      })
    }
    return names.sort().map(pathOf)
  })

/**
 * A reader of several files, one after the other in the order of their paths, whatever the order in which they are
 * given. Each is read by a reader of its own and closed before the next is opened.
 *
 * The position is the current file and the position in it. At a restart the files before it are not looked at: they may
 * be gone, and a file that has appeared among them is not read. Fails with `UnreadablePosition` when the file that was
 * being read is gone.
 *
 * @example
 * ```ts
 * import { ItemReader } from "effect-batch"
 * import { FileItemReader, NdjsonItemReader } from "effect-batch/file"
 *
 * const events = FileItemReader.concatFiles(["b.ndjson", "a.ndjson"], (path) => NdjsonItemReader.make(path))
 *
 * assert.strictEqual(events.name, "FileItemReader")
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const concatFiles = <A, E, R, E2 = never, R2 = never>(
  paths: ReadonlyArray<string> | Effect.Effect<ReadonlyArray<string>, E2, R2>,
  reader: (path: string) => ItemReader.ItemReader<A, E, R>
): ItemReader.ItemReader<A, E | E2 | UnreadablePosition, R | R2> =>
  ItemReader.make<A, E | E2 | UnreadablePosition, R | R2 | Scope.Scope>(name, (from) =>
    Effect.gen(function*() {
      const found = Effect.isEffect(paths) ? yield* paths : paths
      const files = [...new Set(found)].sort()
      const start = yield* startOf(files, from)
      const scope = yield* Effect.scope
      const source: ItemReader.Source<A, E, R> = new FilesSource(files, start, reader, scope)
      // An opened reader has its Scope already; only the compiler cannot know that.
      return source as ItemReader.Source<A, E, Exclude<R, Scope.Scope>>
    }))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const notListed = (path: string) => (error: PlatformError): FileError =>
  error._tag === "SystemError" && error.reason === "BadResource"
    ? new FileError({
      path,
      action: "read",
      reason: "NotAFile",
      problem: "it is not a directory",
      hint: "Give the path of the directory that the files are in."
    })
    : fromPlatformError(path, "read")(error)

const name = "FileItemReader"

const Position = Schema.Struct({
  file: Schema.String,
  /** The position in the file; absent when it is read to its end. */
  position: Schema.optional(Json)
})

interface Start {
  readonly index: number
  /** The last file that is read to its end. */
  readonly last: string
  readonly from: Option.Option<Json>
}

const startOf = (
  files: ReadonlyArray<string>,
  from: Option.Option<Json>
): Effect.Effect<Start, UnreadablePosition> => {
  if (Option.isNone(from)) {
    return Effect.succeed({ index: 0, last: "", from })
  }
  const decoded = Schema.decodeUnknownOption(Position)(from.value)
  if (Option.isNone(decoded)) {
    return new UnreadablePosition({ reader: name, detail: "it is not a position in a list of files" })
  }
  const { file, position } = decoded.value
  if (position === undefined) {
    const next = files.findIndex((path) => path > file)
    return Effect.succeed({ index: next < 0 ? files.length : next, last: file, from: Option.none() })
  }
  const index = files.indexOf(file)
  return index < 0
    ? new UnreadablePosition({
      reader: name,
      detail: `"${file}", in which the last run stopped, is not there any more`,
      advice: putBack
    })
    : Effect.succeed({ index, last: "", from: Option.some(position) })
}

class FilesSource<A, E, R> implements ItemReader.Source<A, E, R> {
  readonly waits = false
  readonly independent = true
  private index: number
  private last: string
  private from: Option.Option<Json>
  private current: { readonly source: ItemReader.Source<A, E, R>; readonly scope: Scope.CloseableScope } | undefined

  constructor(
    private readonly files: ReadonlyArray<string>,
    start: Start,
    private readonly reader: (path: string) => ItemReader.ItemReader<A, E, R>,
    private readonly scope: Scope.Scope
  ) {
    this.index = start.index
    this.last = start.last
    this.from = start.from
  }

  readonly pull = (max: number): Effect.Effect<ItemReader.Page<A, E>, E, R> =>
    Effect.suspend(() => {
      if (this.current !== undefined) {
        return Effect.flatMap(this.current.source.pull(max), (page) => this.page(page))
      }
      return this.index < this.files.length
        ? Effect.zipRight(this.openFile, this.pull(max))
        : Effect.succeed<ItemReader.Page<A, E>>({
          items: [],
          position: { file: this.last },
          failure: Option.none(),
          done: true
        })
    })

  /** In files: those that are read, and the part of the current one that its reader tells. */
  readonly progress = (): ItemReader.Progress => {
    const inner = this.current?.source.progress?.()
    const part = inner === undefined || inner.total === 0 ? 0 : Math.min(1, inner.done / inner.total)
    return { done: this.index + part, total: this.files.length }
  }

  private readonly openFile: Effect.Effect<void, E, R> = Effect.suspend(() =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(this, function*() {
        const scope = yield* Scope.fork(this.scope, ExecutionStrategy.sequential)
        const source = yield* restore(Scope.extend(this.reader(this.files[this.index]!).open(this.from), scope)).pipe(
          Effect.onError(() => Scope.close(scope, Exit.void))
        )
        this.current = { source, scope }
      })
    )
  )

  private page(page: ItemReader.Page<A, E>): Effect.Effect<ItemReader.Page<A, E>> {
    const file = this.files[this.index]!
    if (!page.done) {
      return Effect.succeed({ ...page, position: { file, position: page.position } })
    }
    const { scope } = this.current!
    this.index += 1
    this.last = file
    this.from = Option.none()
    this.current = undefined
    return Effect.as(
      Scope.close(scope, Exit.void),
      { ...page, position: { file }, done: this.index === this.files.length }
    )
  }
}
