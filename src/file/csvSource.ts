/**
 * An opened CSV file: pages of rows out of the text in memory, more text when it is used up.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Json } from "../base/json.js"
import { nearest, plural } from "../base/text.js"
import type * as ItemReader from "../item/ItemReader.js"
import type { UnreadablePosition } from "../vocabulary/BatchError.js"
import * as Sensitive from "../vocabulary/Sensitive.js"
import * as byteWindow from "./byteWindow.js"
import * as columns from "./csvColumns.js"
import type { Options } from "./CsvItemReader.js"
import { type Dialect, RowScanner, toBytes } from "./csvRows.js"
import { CsvError, CsvHeaderError, type FileError } from "./FileError.js"
import * as position from "./position.js"
import * as records from "./records.js"
import { excerpt } from "./text.js"
import { TextWindow } from "./textWindow.js"

type Errors = CsvError | CsvHeaderError | FileError | UnreadablePosition

/**
 * Everything that can be worked out before a file is opened.
 *
 * @internal
 */
export interface Settings<A> {
  readonly reader: string
  readonly path: string
  readonly options: Options
  readonly dialect: Dialect
  readonly codec: records.Codec<A>
  readonly expected: columns.Expected | undefined
  readonly shown: (column: string) => boolean
}

/** @internal */
export const settings = <A>(
  reader: string,
  path: string,
  options: Options & { readonly schema?: Schema.Schema<A, any> | undefined }
): Settings<A> => ({
  reader,
  path,
  options,
  dialect: {
    delimiter: options.delimiter ?? ",",
    quote: options.quote === false ? "" : options.quote ?? "\"",
    comment: options.comment ?? "",
    skipEmptyLines: options.skipEmptyLines ?? true,
    trim: options.trim ?? false
  },
  codec: options.schema ? records.codec(options.schema) : records.identity,
  expected: options.schema && columns.expected(options.schema),
  shown: options.schema ? columns.shown(options.schema) : () => true
})

/** @internal */
export const open = <A>(
  settings: Settings<A>,
  from: Option.Option<Json>
): Effect.Effect<ItemReader.Source<A, Errors>, Errors, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function*() {
    const { options, path, reader } = settings
    const bytes = yield* byteWindow.open({ ...options, path, reader })
    const rows = new Rows(new TextWindow(bytes, options.encoding ?? "utf-8"), settings.dialect)
    const start = yield* position.decode(bytes, from)
    const header = (options.header ?? true) ? yield* readHeader(rows, settings) : undefined
    const names = header?.names ?? options.columns ?? []
    yield* checkColumns(settings, names, header?.line ?? 0)
    if (Option.isSome(start)) {
      const { behind, line, offset } = start.value
      if (start.value.header !== header?.hash) {
        return yield* bytes.changed(`the header of "${path}" is not the one that was read before`)
      }
      yield* rows.window.moveTo(offset, line, behind)
    }
    return new CsvSource(settings, rows, names, header?.hash)
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** The rows of a text window, whether or not its bytes are valid UTF-8. */
class Rows {
  private readonly text: RowScanner
  private readonly damaged: RowScanner

  constructor(readonly window: TextWindow, dialect: Dialect) {
    this.text = new RowScanner(dialect, window.bytes.maxRecordSize)
    this.damaged = new RowScanner(toBytes(dialect), window.bytes.maxRecordSize)
  }

  /** The scanner for the text in memory; what it consumes counts after `advance`. */
  get scanner(): RowScanner {
    const { final, index, line, raw, text } = this.window
    const scanner = raw ? this.damaged : this.text
    scanner.load(text, final, index, line)
    return scanner
  }

  advance(scanner: RowScanner): void {
    this.window.index = scanner.index
    this.window.line = scanner.line
  }

  /** Gives the fields their characters, or the index of the first one whose bytes are not valid. */
  decode(fields: ReadonlyArray<string>): ReadonlyArray<string> | number {
    if (!this.window.raw) {
      return fields
    }
    const decoded = fields.map((field) => this.window.decode(field))
    const invalid = decoded.indexOf(undefined)
    return invalid < 0 ? decoded as Array<string> : invalid
  }
}

interface Header {
  readonly names: ReadonlyArray<string>
  readonly line: number
  readonly hash: number
}

const readHeader = <A>(rows: Rows, settings: Settings<A>): Effect.Effect<Header, FileError | CsvHeaderError> =>
  Effect.suspend(() => {
    const scanner = rows.scanner
    const scan = scanner.next()
    if (scan === "more" && !rows.window.final) {
      return Effect.zipRight(rows.window.more, readHeader(rows, settings))
    }
    const fail = (detail: string) => headerError(settings, scanner.rowLine, noMismatch, detail)
    if (scan === "more") {
      return fail("the file is empty, it has not even a header")
    }
    if (scan === "broken") {
      return fail(`the header cannot be read: ${scanner.problem}`)
    }
    const names = rows.decode(scanner.fields)
    if (typeof names === "number") {
      return fail("the header holds bytes that are not valid UTF-8")
    }
    rows.advance(scanner)
    const hash = byteWindow.hashBytes(new TextEncoder().encode(scanner.rowText))
    return Effect.succeed({ names, line: scanner.rowLine, hash })
  })

const noMismatch: columns.Mismatch = { missing: [], unexpected: [], duplicate: [] }

const headerError = <A>(settings: Settings<A>, line: number, mismatch: columns.Mismatch, detail?: string) =>
  new CsvHeaderError({ ...mismatch, path: settings.path, line, detail })

const checkColumns = <A>(settings: Settings<A>, names: ReadonlyArray<string>, line: number) => {
  const { expected, options } = settings
  const mismatch = columns.compare(names, expected, options.strictColumns ?? true)
  if (columns.fits(mismatch)) {
    return names.length > 0
      ? Effect.void
      : headerError(settings, line, mismatch, "without a header row, the `columns` have to be given")
  }
  const typos = mismatch.missing.flatMap((name) => {
    const near = nearest(name, mismatch.unexpected)
    return near === undefined ? [] : [`"${near}" may be a misspelt "${name}"`]
  })
  return headerError(settings, line, mismatch, typos.length === 0 ? undefined : typos.join("; "))
}

class CsvSource<A> implements ItemReader.Source<A, CsvError | FileError> {
  readonly waits = false
  readonly independent = true
  private readonly toRecord: (fields: ReadonlyArray<string>) => Record<string, string>
  private failure: Option.Option<CsvError> = Option.none()

  constructor(
    private readonly settings: Settings<A>,
    private readonly rows: Rows,
    private readonly names: ReadonlyArray<string>,
    private readonly header: number | undefined
  ) {
    this.toRecord = columns.toRecord(names)
  }

  readonly pull = (max: number): Effect.Effect<ItemReader.Page<A, CsvError>, FileError> =>
    Effect.suspend(() => {
      const items = this.take(max)
      const { window } = this.rows
      return items.length > 0 || Option.isSome(this.failure) || window.final
        ? Effect.succeed(this.page(items))
        : Effect.zipRight(window.more, this.pull(max))
    })

  readonly progress = (): ItemReader.Progress => {
    const { bytes, offset } = this.rows.window
    return { done: offset, total: Math.max(offset, bytes.size) }
  }

  /** The loop that every row goes through. Stops behind the first bad row. */
  private take(max: number): Array<A> {
    const items: Array<A> = []
    const { codec } = this.settings
    const scanner = this.rows.scanner
    const width = this.names.length
    this.failure = Option.none()
    while (items.length < max) {
      const scan = scanner.next()
      if (scan === "more") {
        break
      }
      const fields = this.rows.decode(scanner.fields)
      if (scan === "broken" || typeof fields === "number" || fields.length !== width) {
        this.failure = Option.some(this.malformed(scanner, scan === "broken", fields))
        break
      }
      const record = this.toRecord(fields)
      const decoded = codec.decode(record)
      if (Either.isLeft(decoded)) {
        this.failure = Option.some(this.refused(scanner, record))
        break
      }
      items.push(decoded.right)
    }
    this.rows.advance(scanner)
    return items
  }

  private page(items: ReadonlyArray<A>): ItemReader.Page<A, CsvError> {
    const { done, fingerprint: behind, line, offset } = this.rows.window
    const position = this.header === undefined
      ? { offset, line, behind }
      : { offset, line, behind, header: this.header }
    return { items, position, failure: this.failure, done }
  }

  private malformed(scanner: RowScanner, broken: boolean, fields: ReadonlyArray<string> | number): CsvError {
    if (broken) {
      return this.error(scanner, scanner.problem)
    }
    if (scanner.fields.length !== this.names.length || typeof fields !== "number") {
      const expected = plural(this.names.length, "field")
      return this.error(scanner, `${expected} expected, but the row has ${scanner.fields.length}`)
    }
    const column = this.names[fields]!
    return this.error(scanner, `column "${column}" holds bytes that are not valid UTF-8`, column)
  }

  private refused(scanner: RowScanner, record: Record<string, string>): CsvError {
    const { key, problem } = this.settings.codec.explain(record)
    return this.error(scanner, problem, key)
  }

  private error(scanner: RowScanner, problem: string, column?: string): CsvError {
    const index = column === undefined ? -1 : this.names.indexOf(column)
    return new CsvError({
      path: this.settings.path,
      line: scanner.rowLine,
      ...(index < 0 ? undefined : { column, columnNumber: index + 1 }),
      raw: this.raw(scanner),
      problem
    })
  }

  private raw(scanner: RowScanner): string {
    const { codec, dialect, shown } = this.settings
    if (!codec.sensitive) {
      return excerpt(this.rows.window.display(scanner.rowText))
    }
    return scanner.fields.length === this.names.length
      ? excerpt(
        scanner.fields.map((field, i) =>
          shown(this.names[i]!) ? this.rows.window.display(field) : Sensitive.placeholder
        )
          .join(dialect.delimiter)
      )
      : Sensitive.placeholder
  }
}
