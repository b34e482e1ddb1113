/**
 * An opened CSV file: pages of rows out of the text in memory, more text when it is used up.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Json } from "../base/json.js"
import { plural } from "../base/text.js"
import type * as ItemReader from "../item/ItemReader.js"
import type { UnreadablePosition } from "../vocabulary/BatchError.js"
import * as Sensitive from "../vocabulary/Sensitive.js"
import * as byteWindow from "./byteWindow.js"
import * as columns from "./csvColumns.js"
import { lineBreakOf } from "./csvDialect.js"
import * as csvHeader from "./csvHeader.js"
import type { Field, RowScanner } from "./csvRows.js"
import type { Settings } from "./csvSettings.js"
import * as csvTrailer from "./csvTrailer.js"
import type { Place } from "./dividing.js"
import { labels } from "./encodings.js"
import { CsvError, type CsvHeaderError, CsvTrailerError, type FileError } from "./FileError.js"
import { adviceFor } from "./lineBreaks.js"
import * as position from "./position.js"
import { excerpt } from "./text.js"
import { TextWindow } from "./textWindow.js"

type Errors = CsvError | CsvHeaderError | CsvTrailerError | FileError | UnreadablePosition

/** @internal */
export interface Opened<A> extends ItemReader.Source<A, CsvError | CsvTrailerError | FileError> {
  readonly pull: (max: number) => Effect.Effect<ItemReader.Page<A, CsvError>, CsvTrailerError | FileError>
  readonly progress: () => ItemReader.Progress
  readonly place: () => Place
  /** The beginning of the trailer; undefined until it was read. */
  readonly trailerStart: Pick<Place, "offset" | "sum"> | undefined
  readonly headerHash: number | undefined
}

/** @internal */
export const open = <A>(
  settings: Settings<A>,
  from: Option.Option<Json>
): Effect.Effect<Opened<A>, Errors, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function*() {
    const { options, path, reader, trailer } = settings
    const { range } = options
    const encoding = options.encoding ?? "utf-8"
    const bytes = yield* byteWindow.open({ ...options, path, reader, encoding })
    const window = new TextWindow(bytes, {
      encoding,
      lineBreak: lineBreakOf(options),
      requireFinalLineBreak: options.requireFinalLineBreak,
      choosable: true
    })
    const rows = new csvHeader.Rows(window, settings.dialect)
    const start = yield* position.decode(bytes, from)
    const header = yield* csvHeader.read(rows, settings, Option.isNone(start))
    if (range !== undefined) {
      yield* window.enter(range, settings.format, header.hash)
    }
    if (Option.isSome(start)) {
      const { line, offset, totals } = start.value
      if (start.value.header !== header.hash) {
        return yield* bytes.changed(`the header of "${path}" is not the one that was read before`)
      }
      if (trailer !== undefined && totals?.sums.length !== csvTrailer.summed(trailer).length) {
        return yield* bytes.unreadable("it has no totals, which the trailer has to be compared with")
      }
      yield* window.moveTo(offset, line, start.value)
    }
    const totals = Option.flatMapNullable(start, (start) => start.totals)
    return new CsvSource(settings, rows, header, Option.getOrUndefined(totals))
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

class CsvSource<A> implements Opened<A> {
  readonly waits = false
  readonly independent = true
  private readonly toRecord: (fields: ReadonlyArray<Field>) => Record<string, Field>
  private readonly names: ReadonlyArray<string>
  private readonly summed: ReadonlyArray<number>
  private failure: Option.Option<CsvError> = Option.none()
  /** Why nothing behind the cursor can be read. */
  private trouble: CsvTrailerError | FileError | undefined
  private totals: csvTrailer.Totals
  /** Whether the trailer was read, or none is expected. */
  private ended: boolean
  trailerStart: Opened<A>["trailerStart"]
  readonly headerHash: number | undefined
  /** Rows that were filled or cut for the page at hand. */
  private ragged: Array<string> = []

  constructor(
    private readonly settings: Settings<A>,
    private readonly rows: csvHeader.Rows,
    header: csvHeader.Header,
    stored: (csvTrailer.Totals & { readonly ended?: boolean | undefined }) | undefined
  ) {
    const { trailer } = settings
    this.names = header.names
    this.headerHash = header.hash
    this.toRecord = columns.toRecord(header.names)
    this.summed = csvTrailer.summed(trailer ?? []).map((name) => header.names.indexOf(name))
    this.totals = stored ?? csvTrailer.none(trailer ?? [])
    this.ended = trailer === undefined || stored?.ended === true
  }

  readonly pull = (max: number): Effect.Effect<ItemReader.Page<A, CsvError>, CsvTrailerError | FileError> =>
    Effect.suspend(() => {
      const items = this.take(max)
      const { window } = this.rows
      if (items.length > 0 || Option.isSome(this.failure)) {
        return this.page(items)
      }
      if (this.trouble !== undefined) {
        return this.trouble
      }
      if (!window.final) {
        return Effect.zipRight(window.more, this.pull(max))
      }
      return this.ended ? this.page(items) : this.trailerError(
        `it is missing; the file ends with line ${window.line - 1}`
      )
    })

  readonly progress = (): ItemReader.Progress => {
    const { bytes, offset } = this.rows.window
    return bytes.progress(offset)
  }

  readonly place = () => this.rows.window.place

  /** The loop that every row goes through. Stops behind the first bad row, and before what makes the rest unreadable. */
  private take(max: number): Array<A> {
    const items: Array<A> = []
    const { codec, trailer } = this.settings
    const scanner = this.rows.scanner
    this.failure = Option.none()
    this.trouble = undefined
    this.ragged = []
    while (items.length < max) {
      const scan = scanner.next()
      if (scan === "more") {
        break
      }
      const fields = scan === "broken" ? [] : this.rows.decode(scanner.fields)
      if (trailer !== undefined && typeof fields !== "number" && csvTrailer.isTrailer(trailer, fields)) {
        this.finish(scanner, trailer, fields)
        break
      }
      const unknown = scanner.foreignBreak && scanner.rowLine === 1 && this.rows.window.maybeOneLine
      this.trouble = scanner.foreignBreak && !unknown ? this.linesEndOtherwise(scanner) : undefined
      if (unknown || this.trouble !== undefined) {
        rewind(scanner)
        break
      }
      const row = this.fit(scanner, scan === "broken", fields)
      if (row instanceof CsvError) {
        this.failure = Option.some(row)
        break
      }
      const record = this.toRecord(row)
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

  /** The fields of the row, one per column, or what is wrong with it. Counts it for the trailer. */
  private fit(
    scanner: RowScanner,
    broken: boolean,
    fields: ReadonlyArray<Field> | number
  ): ReadonlyArray<Field> | CsvError {
    const { trailer } = this.settings
    const row = broken || typeof fields === "number"
      ? this.malformed(scanner, broken, fields)
      : this.shape(scanner, fields)
    if (trailer === undefined) {
      return row
    }
    const added = row instanceof CsvError
      ? csvTrailer.count(this.totals)
      : csvTrailer.add(this.totals, this.summed.map((index) => row[index]!))
    this.totals = typeof added === "number" ? csvTrailer.count(this.totals) : added
    if (typeof added === "number") {
      const column = this.names[this.summed[added]!]!
      return this.error(scanner, `column "${column}" is added up for the trailer and holds no decimal number`, column)
    }
    return row
  }

  private shape(scanner: RowScanner, fields: ReadonlyArray<Field>): ReadonlyArray<Field> | CsvError {
    if (this.rows.isMarked(scanner)) {
      return this.error(
        scanner,
        "it begins with a byte order mark, which belongs at the beginning of a file: several seem to have been put together"
      )
    }
    const { nullText, raggedRows = "fail", trailingDelimiter = false } = this.settings.options
    const width = this.names.length
    if (fields.length === width && !trailingDelimiter) {
      return fields
    }
    const ends = (fields.at(-1) ?? "") === ""
    if (trailingDelimiter && !(ends && fields.length > 1)) {
      return this.error(scanner, "it does not end with a delimiter, as `trailingDelimiter` says")
    }
    const row = trailingDelimiter ? fields.slice(0, -1) : fields
    const short = row.length < width
    if (row.length === width) {
      return row
    }
    if (raggedRows !== "fillAndCut" && raggedRows !== (short ? "fill" : "cut")) {
      return this.error(scanner, `${plural(width, "field")} expected, but the row has ${row.length}`)
    }
    this.ragged.push(`line ${scanner.rowLine} has ${row.length}`)
    return short
      ? [...row, ...Array.from({ length: width - row.length }, () => nullText === undefined ? "" : null)]
      : row.slice(0, width)
  }

  private page(items: ReadonlyArray<A>): Effect.Effect<ItemReader.Page<A, CsvError>> {
    const { done } = this.rows.window
    const position = {
      ...this.place(),
      ...(this.headerHash === undefined ? undefined : { header: this.headerHash }),
      ...(this.settings.trailer === undefined
        ? undefined
        : { totals: this.ended ? { ...this.totals, ended: true } : { ...this.totals } })
    }
    const page = { items, position, failure: this.failure, done: done && this.ended }
    return this.ragged.length === 0 || this.settings.quiet ? Effect.succeed(page) : Effect.as(this.reportRagged, page)
  }

  private readonly reportRagged = Effect.suspend(() =>
    Effect.logWarning(
      `${plural(this.ragged.length, "row")} of "${this.settings.path}" did not have ` +
        `${plural(this.names.length, "field")} and went on filled or cut, as \`raggedRows\` says: ` +
        this.ragged.join(", ")
    )
  )

  /** The trailer ends the file only where nothing comes behind it. */
  private finish(
    scanner: RowScanner,
    trailer: NonNullable<Settings<A>["trailer"]>,
    fields: ReadonlyArray<Field>
  ): void {
    const { rowLine, rowStart } = scanner
    const wrong = csvTrailer.disagreement(trailer, fields, this.totals)
    const next = wrong.length > 0 ? "more" : scanner.next()
    if (wrong.length === 0 && next === "more" && this.rows.window.final) {
      const { window } = this.rows
      window.index = rowStart
      this.trailerStart = window.place
      this.ended = true
      return
    }
    this.trouble = wrong.length > 0
      ? this.trailerError(`line ${rowLine}: ${wrong.join("; ")}`)
      : next === "more"
      ? undefined
      : this.trailerError(`it stands in line ${rowLine}, but line ${scanner.rowLine} follows it`)
    scanner.index = rowStart
    scanner.line = rowLine
  }

  private trailerError(problem: string): CsvTrailerError {
    return new CsvTrailerError({ path: this.settings.path, line: this.rows.window.line, problem })
  }

  /** A file without a header that is one line, though its other line breaks would make good rows of it. */
  private linesEndOtherwise(scanner: RowScanner): FileError | undefined {
    const { dialect, options } = this.settings
    const { window } = this.rows
    if (options.header !== false || !window.oneLine || scanner.rowLine !== 1) {
      return undefined
    }
    const char = window.lineBreak === "\n" ? "\r" : "\n"
    const pieces = scanner.rowText.split(char).filter((piece) => piece !== "")
    const other = { char, name: char === "\r" ? "CR" : "LF" }
    return pieces.length >= 3 && pieces.every((piece) => piece.split(dialect.delimiter).length === this.names.length)
      ? window.notText(`its lines end with ${other.name}, which \`lineEnding\` does not say`, adviceFor(other, true))
      : undefined
  }

  private malformed(scanner: RowScanner, broken: boolean, fields: ReadonlyArray<Field> | number): CsvError {
    if (broken) {
      return this.error(scanner, scanner.problem)
    }
    if (scanner.fields.length !== this.names.length || typeof fields !== "number") {
      const expected = plural(this.names.length, "field")
      return this.error(scanner, `${expected} expected, but the row has ${scanner.fields.length}`)
    }
    const column = this.names[fields]!
    const encoding = labels[this.rows.window.encoding]
    return this.error(scanner, `column "${column}" holds bytes that are not valid ${encoding}`, column)
  }

  private refused(scanner: RowScanner, record: Record<string, Field>): CsvError {
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
          shown(this.names[i]!) ? this.rows.window.display(field ?? "") : Sensitive.placeholder
        )
          .join(dialect.delimiter)
      )
      : Sensitive.placeholder
  }
}

/** Puts the cursor before the row that it has just found. */
const rewind = (scanner: RowScanner): void => {
  scanner.index = scanner.rowStart
  scanner.line = scanner.rowLine
}
