/**
 * Opened JSON files: pages of values out of the bytes in memory, more bytes when these are used up.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { type Buffer, isUtf8 } from "node:buffer"
import type { Json } from "../base/json.js"
import * as names from "../base/jsonNames.js"
import { oneLine } from "../base/text.js"
import type * as ItemReader from "../item/ItemReader.js"
import type { UnreadablePosition } from "../vocabulary/BatchError.js"
import * as Sensitive from "../vocabulary/Sensitive.js"
import * as byteWindow from "./byteWindow.js"
import type { Place } from "./dividing.js"
import { type FileError, JsonError, JsonStructureError } from "./FileError.js"
import { type FileRange, formatOf } from "./fileRange.js"
import { ElementScanner } from "./jsonElements.js"
import * as numbers from "./jsonNumbers.js"
import { adviceFor, longLine, otherBreak } from "./lineBreaks.js"
import { flags, oneOf, refuse, sizeDefects, unknown } from "./options.js"
import * as position from "./position.js"
import * as recognise from "./recognise.js"
import * as records from "./records.js"
import { excerpt } from "./text.js"
import { TextWindow } from "./textWindow.js"

/** @internal */
export interface Options {
  readonly inexactNumbers?: "fail" | "text" | "round" | undefined
  readonly repeatedNames?: "fail" | "last" | undefined
  readonly bufferSize?: number | undefined
  readonly maxRecordSize?: number | undefined
}

/** @internal */
export interface LineOptions {
  readonly skipEmptyLines?: boolean | undefined
  readonly requireFinalLineBreak?: boolean | undefined
  readonly range?: FileRange | undefined
}

const ownNames: ReadonlyArray<string> = ["inexactNumbers", "repeatedNames", "bufferSize", "maxRecordSize"]

/**
 * The names of all options of a reader of lines.
 *
 * @internal
 */
export const lineNames: ReadonlyArray<string> = [...ownNames, "skipEmptyLines", "requireFinalLineBreak", "range"]

/**
 * Fingerprint of what decides where a line ends.
 *
 * @internal
 */
export const lineFormat = formatOf("ndjson", [])

/** @internal */
export interface Settings<A> extends Options {
  readonly reader: string
  readonly path: string
  readonly codec: records.Codec<A>
  /** Whether a schema says what values look like. */
  readonly described: boolean
  /** Whether only lines matter, and not what stands in them. */
  readonly unparsed?: boolean | undefined
}

/** @internal */
export interface Lines<A> extends ItemReader.Source<A, JsonError | FileError> {
  readonly pull: (max: number) => Effect.Effect<ItemReader.Page<A, JsonError>, FileError>
  readonly progress: () => ItemReader.Progress
  readonly place: () => Place
}

/** @internal */
export const settings = <A>(
  reader: string,
  path: string,
  options: Options & { readonly schema?: Schema.Schema<A, any> | undefined },
  known: ReadonlyArray<string> = ownNames
): Settings<A> => {
  refuse(reader, [
    ...unknown(options, known),
    ...flags(options as LineOptions, ["skipEmptyLines", "requireFinalLineBreak"]),
    ...sizeDefects(options),
    ...oneOf("inexactNumbers", options.inexactNumbers, ["fail", "text", "round"]),
    ...oneOf("repeatedNames", options.repeatedNames, ["fail", "last"])
  ])
  return {
    inexactNumbers: options.inexactNumbers,
    repeatedNames: options.repeatedNames,
    bufferSize: options.bufferSize,
    maxRecordSize: options.maxRecordSize,
    reader,
    path,
    codec: options.schema ? records.codec(options.schema) : records.identity,
    described: options.schema !== undefined
  }
}

/** @internal */
export const openArray = <A>(
  settings: Settings<A>,
  from: Option.Option<Json>
): Effect.Effect<
  ItemReader.Source<A, JsonError | JsonStructureError | FileError>,
  FileError | UnreadablePosition,
  FileSystem.FileSystem | Scope.Scope
> =>
  Effect.gen(function*() {
    const bytes = yield* byteWindow.open(settings)
    const start = yield* position.decode(bytes, from)
    const scanner = new ElementScanner(bytes.maxRecordSize)
    if (Option.isSome(start)) {
      const { elements, expects, line, offset } = start.value
      if (elements === undefined || expects === undefined) {
        return yield* bytes.unreadable("it is not a position in a JSON array")
      }
      yield* bytes.moveTo(offset, start.value)
      Object.assign(scanner, { elements, expects, line })
    }
    return new ArraySource(settings, bytes, scanner)
  })

/** @internal */
export const openLines = <A>(
  settings: Settings<A>,
  options: LineOptions,
  from: Option.Option<Json>
): Effect.Effect<
  Lines<A>,
  FileError | UnreadablePosition,
  FileSystem.FileSystem | Scope.Scope
> =>
  Effect.gen(function*() {
    const bytes = yield* byteWindow.open(settings)
    const start = yield* position.decode(bytes, from)
    const window = new TextWindow(bytes, { requireFinalLineBreak: options.requireFinalLineBreak })
    if (options.range !== undefined) {
      yield* window.enter(options.range, lineFormat)
    }
    if (Option.isSome(start)) {
      yield* window.moveTo(start.value.offset, start.value.line, start.value)
    }
    return new LineSource(settings, window, options.skipEmptyLines ?? true)
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Problem {
  readonly problem: string
  readonly raw: string
}

/** Decodes one value; a text of `undefined` stands for bytes that are not valid UTF-8. */
const decodeValue = <A>(
  { codec, inexactNumbers = "fail", repeatedNames = "fail" }: Settings<A>,
  text: string | undefined,
  raw: () => string
): Either.Either<A, Problem> => {
  const fail = (problem: string) =>
    Either.left({ problem, raw: codec.sensitive ? Sensitive.placeholder : excerpt(raw()) })
  if (text === undefined) {
    return fail("it holds bytes that are not valid UTF-8")
  }
  const rounded = inexactNumbers !== "round" && numbers.suspicious(text) ? numbers.inexact(text) : []
  let value: unknown
  try {
    value = JSON.parse(inexactNumbers === "text" && rounded.length > 0 ? numbers.quoteAll(text, rounded) : text)
  } catch (error) {
    // The engine's message quotes the text.
    return fail(`it is not valid JSON${codec.sensitive ? "" : ` (${oneLine(String((error as Error).message))})`}`)
  }
  if (inexactNumbers === "fail" && rounded.length > 0) {
    return fail(inWords(text, rounded[0]!, codec.sensitive))
  }
  const repeated = repeatedNames === "fail" ? names.repeated(text, value) : undefined
  if (repeated !== undefined) {
    return fail(
      `it has the name ${
        codec.sensitive ? "of a member" : excerpt(JSON.stringify(repeated))
      } twice, and only one value ` +
        "can be kept; see `repeatedNames`"
    )
  }
  const decoded = codec.decode(value)
  return Either.isRight(decoded) ? Either.right(decoded.right) : fail(codec.explain(value).problem)
}

const inWords = (text: string, { index, text: literal }: numbers.Literal, sensitive: boolean): string => {
  const key = /"([^"\\]{1,80})"\s*:\s*$/.exec(text.slice(Math.max(0, index - 100), index))?.[1]
  return `${key === undefined ? "it holds" : `${key}:`} a number that JavaScript cannot hold exactly` +
    `${sensitive ? "" : ` (${excerpt(literal)})`}; see \`inexactNumbers\``
}

class ArraySource<A> implements ItemReader.Source<A, JsonError | JsonStructureError | FileError> {
  readonly waits = false
  readonly independent = true
  private failure: Option.Option<JsonError> = Option.none()
  private found: ReturnType<ElementScanner["next"]> = "more"

  constructor(
    private readonly settings: Settings<A>,
    private readonly bytes: byteWindow.ByteWindow,
    private readonly scanner: ElementScanner
  ) {}

  readonly pull = (max: number): Effect.Effect<ItemReader.Page<A, JsonError>, JsonStructureError | FileError> =>
    Effect.suspend(() => {
      const items = this.take(max)
      if (items.length > 0 || Option.isSome(this.failure) || this.found === "end") {
        return Effect.succeed(this.page(items))
      }
      return this.found === "malformed" ? this.malformed() : Effect.zipRight(this.more, this.pull(max))
    })

  readonly progress = (): ItemReader.Progress => ({
    done: this.bytes.base,
    total: Math.max(this.bytes.base, this.bytes.size)
  })

  private readonly more = Effect.suspend(() =>
    this.bytes.read((block) => {
      this.bytes.append(block)
      if (this.bytes.base === 0 && this.scanner.expects === "array" && hasMark(this.bytes.bytes)) {
        this.bytes.drop(3)
      }
    })
  )

  private take(max: number): Array<A> {
    const items: Array<A> = []
    const { bytes, scanner } = this
    scanner.load(bytes.bytes, bytes.eof, 0)
    this.failure = Option.none()
    this.found = "element"
    while (items.length < max) {
      this.found = scanner.next()
      if (this.found !== "element") {
        break
      }
      const { element } = scanner
      const text = () => element.toString("utf8")
      const value = decodeValue(this.settings, isUtf8(element) ? text() : undefined, text)
      if (Either.isLeft(value)) {
        this.failure = Option.some(this.error(value.left))
        break
      }
      items.push(value.right)
    }
    bytes.drop(scanner.index)
    scanner.load(bytes.bytes, bytes.eof, 0)
    return items
  }

  private page(items: ReadonlyArray<A>): ItemReader.Page<A, JsonError> {
    const { elements, expects, line } = this.scanner
    const position = { ...this.bytes.proof(0), offset: this.bytes.base, line, elements, expects }
    return { items, position, failure: this.failure, done: this.found === "end" }
  }

  private error(problem: Problem): JsonError {
    const { elements: element, start, startLine: line } = this.scanner
    return new JsonError({ ...problem, path: this.settings.path, element, line, offset: this.bytes.base + start })
  }

  private malformed(): JsonStructureError {
    const { index, line, problem } = this.scanner
    return new JsonStructureError({ path: this.settings.path, line, offset: this.bytes.base + index, problem })
  }
}

/** A JSON value; `undefined` for what is none. */
const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Not `trim`, which would also remove bytes of damaged text. */
const blank = /^[ \t\r]*$/

const hasMark = (bytes: Buffer): boolean => bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf

/** As much of a file as tells that it is a web page, in characters. */
const headLength = 8192

class LineSource<A> implements Lines<A> {
  readonly waits = false
  readonly independent = true
  private failure: Option.Option<JsonError> = Option.none()

  constructor(
    private readonly settings: Settings<A>,
    private readonly window: TextWindow,
    private readonly skipEmptyLines: boolean
  ) {}

  readonly pull = (max: number): Effect.Effect<ItemReader.Page<A, JsonError>, FileError> =>
    Effect.suspend(() => {
      if (this.untouched && this.window.maybeOneLine) {
        return Effect.zipRight(this.window.more, this.pull(max))
      }
      const trouble = this.onlyLine()
      const items = trouble === undefined ? this.take(max) : []
      return trouble !== undefined
        ? trouble
        : items.length > 0 || Option.isSome(this.failure) || this.window.final
        ? Effect.succeed(this.page(items))
        : Effect.zipRight(this.window.more, this.pull(max))
    })

  readonly progress = (): ItemReader.Progress => {
    const { bytes, offset } = this.window
    return bytes.progress(offset)
  }

  readonly place = () => this.window.place

  private take(max: number): Array<A> {
    const items: Array<A> = []
    const { window } = this
    this.failure = Option.none()
    while (items.length < max && window.index < window.text.length) {
      const stop = window.text.indexOf("\n", window.index)
      const end = stop < 0 ? window.text.length : stop
      const line = window.text.slice(window.index, end)
      if (!this.skipEmptyLines || !blank.test(line)) {
        const value = this.settings.unparsed === true
          ? Either.right(undefined as A)
          : decodeValue(this.settings, window.decode(line), () => window.display(line))
        if (Either.isLeft(value)) {
          this.failure = Option.some(
            new JsonError({ ...value.left, path: this.settings.path, line: window.line, offset: window.offset })
          )
        } else {
          items.push(value.right)
        }
      }
      window.index = Math.min(end + 1, window.text.length)
      window.line += 1
      if (Option.isSome(this.failure)) {
        break
      }
    }
    return items
  }

  /** Whether nothing was read but a byte order mark. */
  private get untouched(): boolean {
    return this.window.index <= 3 && this.window.line === 1
  }

  /** A file that is one line holds one value; one that holds many has other line breaks, or is another format. */
  private onlyLine(): FileError | undefined {
    const { window } = this
    if (!this.untouched || window.text === "") {
      return undefined
    }
    const markup = recognise.markupIn(window.text.slice(window.index, window.index + headLength), "JSON")
    if (markup !== undefined || !window.oneLine) {
      return markup && window.notText(markup.problem, markup.hint)
    }
    const line = window.text.slice(window.index).replace(/\r?\n$/, "")
    const other = otherBreak(line, window.lineBreak)
    if (other === undefined && line.length < longLine) {
      return undefined
    }
    const value = parse(line)
    if (value === undefined) {
      return other === undefined
        ? window.notText(
          `it is one line of ${line.length} characters that is not one JSON value`,
          "Put one value on each line: there may be no line breaks between them."
        )
        : window.notText(`its lines end with ${other.name}, not with LF`, adviceFor(other, false))
    }
    const isArray = !this.settings.described && Array.isArray(value) && value.length > 1 &&
      value.every((element) => typeof element === "object" && element !== null)
    return isArray
      ? window.notText("it is one JSON array, not a value on each line", "Read it by `JsonItemReader.array`.")
      : undefined
  }

  private page(items: ReadonlyArray<A>): ItemReader.Page<A, JsonError> {
    return { items, position: this.place(), failure: this.failure, done: this.window.done }
  }
}
