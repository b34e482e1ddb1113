/**
 * What stands before the rows of a CSV file: lines to pass over, and the header.
 */
import * as Effect from "effect/Effect"
import { nearest, quoted } from "../base/text.js"
import { hashBytes } from "./byteWindow.js"
import * as columns from "./csvColumns.js"
import { separatorIn } from "./csvDialect.js"
import { type Field, RowScanner, toBytes } from "./csvRows.js"
import type { Dialect } from "./csvRows.js"
import type { Settings } from "./csvSettings.js"
import { byteOrderMark, labels, rawMark } from "./encodings.js"
import { CsvHeaderError, type FileError } from "./FileError.js"
import { adviceFor, longLine, otherBreak } from "./lineBreaks.js"
import * as recognise from "./recognise.js"
import type { TextWindow } from "./textWindow.js"

/**
 * The rows of a text window, whether or not its bytes are valid.
 *
 * @internal
 */
export class Rows {
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

  /** Whether a row begins with a byte order mark, which only the beginning of a file may have. */
  isMarked(scanner: RowScanner): boolean {
    return this.window.encoding !== "latin1" && this.window.encoding !== "windows-1252" &&
      scanner.begins(this.window.raw ? rawMark : byteOrderMark)
  }

  /** Gives the fields their characters, or the index of the first one whose bytes are not valid. */
  decode(fields: ReadonlyArray<Field>): ReadonlyArray<Field> | number {
    if (this.window.clean) {
      return fields
    }
    const decoded = fields.map((field) => field === null ? null : this.window.decode(field))
    const invalid = decoded.indexOf(undefined)
    return invalid < 0 ? decoded as Array<Field> : invalid
  }
}

/** @internal */
export interface Header {
  readonly names: ReadonlyArray<string>
  readonly line: number
  readonly hash: number | undefined
}

/**
 * Reads up to the first row.
 *
 * @param isFresh whether the rows are read from the first one on
 *
 * @internal
 */
export const read = <A>(
  rows: Rows,
  settings: Settings<A>,
  isFresh: boolean
): Effect.Effect<Header, FileError | CsvHeaderError> =>
  Effect.gen(function*() {
    const { options } = settings
    const hasHeader = options.header ?? true
    yield* isFresh || hasHeader ? lookAtBeginning(rows.window, settings) : Effect.void
    yield* passLines(rows.window, settings)
    const header = hasHeader ? yield* readNames(rows, settings) : undefined
    const names = header?.names ?? options.columns ?? []
    yield* checkColumns(settings, names, header?.line ?? 0)
    return { names, line: header?.line ?? 0, hash: header?.hash }
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** As much of a file as tells what it is, in characters. */
const headLength = 8192

/** Refuses what is no table, and passes over the line by which a spreadsheet is told the delimiter. */
const lookAtBeginning = <A>(
  window: TextWindow,
  settings: Settings<A>
): Effect.Effect<void, FileError | CsvHeaderError> =>
  Effect.gen(function*() {
    const { dialect, options: { columns, header = true, preamble, skipLines = 0 } } = settings
    const line = yield* firstLine(window)
    const found = recognise.noTable(window.display(window.text.slice(window.index, window.index + headLength)))
    // The only column of a file may hold what it likes.
    if (found !== undefined && (header || columns?.length !== 1)) {
      return yield* window.notText(found.problem, found.hint)
    }
    const separator = skipLines > 0 || preamble?.[0] === line ? undefined : separatorIn(line)
    if (separator === undefined) {
      return
    }
    if (separator !== dialect.delimiter) {
      return yield* headerError(
        settings,
        1,
        noMismatch,
        `line 1 says that the delimiter is ${JSON.stringify(separator)}, and \`delimiter\` says ` +
          JSON.stringify(dialect.delimiter)
      )
    }
    if (!header) {
      const detail = `line 1 is ${JSON.stringify(line)}, which tells a spreadsheet the delimiter and is no row: ` +
        "give it as `preamble`, or pass over it by `skipLines`"
      return yield* headerError(settings, 1, noMismatch, detail)
    }
    yield* nextLine(window)
  })

/** The first line of the file, which is in memory then. */
const firstLine = (window: TextWindow): Effect.Effect<string, FileError> =>
  Effect.suspend(() => {
    const { final, index, lineBreak, text } = window
    const stop = text.indexOf(lineBreak, index)
    return stop < 0 && !final
      ? Effect.zipRight(window.more, firstLine(window))
      : Effect.succeed(window.display(text.slice(index, stop < 0 ? text.length : stop)).replace(/\r$/, ""))
  })

const passLines = <A>(window: TextWindow, settings: Settings<A>): Effect.Effect<void, FileError | CsvHeaderError> =>
  Effect.gen(function*() {
    const { preamble = [], skipLines = preamble.length } = settings.options
    for (let i = 0; i < skipLines; i++) {
      const found = yield* nextLine(window)
      const wanted = preamble[i]
      if (found === undefined || (wanted !== undefined && found !== wanted)) {
        return yield* headerError(
          settings,
          i + 1,
          noMismatch,
          found === undefined
            ? `the file ends within the ${skipLines} lines before its header`
            : `line ${i + 1} is not the one that \`preamble\` gives`
        )
      }
    }
  })

/** The next physical line; `undefined` at the end of the file. */
const nextLine = (window: TextWindow): Effect.Effect<string | undefined, FileError> =>
  Effect.suspend(() => {
    const { final, index, lineBreak, text } = window
    const stop = text.indexOf(lineBreak, index)
    if (stop < 0 && !final) {
      return Effect.zipRight(window.more, nextLine(window))
    }
    if (index >= text.length) {
      return Effect.succeed(undefined)
    }
    const line = text.slice(index, stop < 0 ? text.length : stop)
    window.index = stop < 0 ? text.length : stop + 1
    window.line += 1
    return Effect.succeed(window.display(lineBreak === "\n" && line.endsWith("\r") ? line.slice(0, -1) : line))
  })

const readNames = <A>(rows: Rows, settings: Settings<A>): Effect.Effect<Header, FileError | CsvHeaderError> =>
  Effect.suspend(() => {
    const scanner = rows.scanner
    const scan = scanner.next()
    if (scan === "more" && !rows.window.final) {
      return Effect.zipRight(rows.window.more, readNames(rows, settings))
    }
    const fail = (detail: string) => headerError(settings, scanner.rowLine, noMismatch, detail)
    if (scan === "more") {
      return fail("the file is empty, it has not even a header")
    }
    if (scan === "broken" && scanner.foreignBreak) {
      return linesEndOtherwise(rows.window, scanner.rowText)
    }
    if (scan === "broken") {
      return fail(`the header cannot be read: ${scanner.problem}`)
    }
    const decoded = rows.decode(scanner.fields)
    if (typeof decoded === "number") {
      return fail(`the header holds bytes that are not valid ${labels[rows.window.encoding]}`)
    }
    if (rows.isMarked(scanner)) {
      return fail("the header begins with a second byte order mark, which would be a part of its first name")
    }
    rows.advance(scanner)
    const inFile = decoded.map((field) => field ?? settings.options.nullText ?? "")
    const trailing = settings.options.trailingDelimiter === true && inFile.length > 1 && inFile.at(-1) === ""
    const { detail, names } = columns.name(trailing ? inFile.slice(0, -1) : inFile, settings.naming)
    const oneLine = settings.expected === undefined ? onlyALine(rows.window, scanner.rowText) : undefined
    if (oneLine !== undefined || detail !== undefined) {
      return oneLine ?? fail(detail!)
    }
    const hash = hashBytes(new TextEncoder().encode(scanner.rowText))
    return Effect.succeed({ names, line: scanner.rowLine, hash })
  })

const linesEndOtherwise = (window: TextWindow, text: string): FileError => {
  const other = otherBreak(text, window.lineBreak) ?? { char: "\r", name: "CR" }
  return window.notText(
    `its lines end with ${other.name}, not with ${window.lineBreak === "\n" ? "LF" : "CR"}`,
    adviceFor(other, true)
  )
}

/** A file without a line break has no rows, or rows that nobody can tell from its header. */
const onlyALine = (window: TextWindow, header: string): FileError | undefined => {
  if (!window.oneLine || window.text.endsWith(window.lineBreak)) {
    return undefined
  }
  if (otherBreak(header, window.lineBreak) !== undefined) {
    return linesEndOtherwise(window, header)
  }
  return header.length < longLine ? undefined : window.notText(
    `it is one line of ${header.length} characters without a line break`,
    "Check what ends its lines and whether it is text at all. A header without rows needs a line break behind it."
  )
}

const noMismatch: columns.Mismatch = { missing: [], unexpected: [], duplicate: [] }

const headerError = <A>(settings: Settings<A>, line: number, mismatch: columns.Mismatch, detail?: string) =>
  new CsvHeaderError({ ...mismatch, path: settings.path, line, detail })

const checkColumns = <A>(settings: Settings<A>, names: ReadonlyArray<string>, line: number) => {
  const { expected, options, trailer } = settings
  const mismatch = columns.compare(names, expected, options.strictColumns ?? true)
  const summed = (trailer ?? []).flatMap((field) => typeof field === "object" && "sum" in field ? [field.sum] : [])
  const unknown = summed.filter((name) => !names.includes(name))
  const details = [
    ...(names.length > 0 ? [] : ["without a header row, the `columns` have to be given"]),
    ...(unknown.length > 0 ? [`the trailer adds up ${quoted(unknown)}, which is not there`] : []),
    ...(settings.losesProto && names.includes("__proto__")
      ? ["a column cannot be named \"__proto__\": the schema would lose it"]
      : []),
    ...typos(mismatch)
  ]
  return columns.fits(mismatch) && details.length === 0
    ? Effect.void
    : headerError(settings, line, mismatch, details.length === 0 ? undefined : details.join("; "))
}

/** Compares each with each, which is for headers that a person has typed. */
const typos = ({ missing, unexpected }: columns.Mismatch): ReadonlyArray<string> =>
  missing.length * unexpected.length > 2500 ? [] : missing.flatMap((name) => {
    const near = nearest(name, unexpected)
    return near === undefined ? [] : [`"${near}" may be a misspelt "${name}"`]
  })
