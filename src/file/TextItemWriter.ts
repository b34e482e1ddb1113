/**
 * Writes items as lines of text of your own making, exactly once across rollbacks, crashes and restarts.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Either from "effect/Either"
import * as ItemWriter from "../item/ItemWriter.js"
import type { Encoding } from "./CsvFormat.js"
import * as encodings from "./encodings.js"
import { type FileError, ItemEncodeError } from "./FileError.js"
import * as fileSink from "./fileSink.js"
import { flags, footers, oneOf, refuse, shown, unknown } from "./options.js"
import { withBreak } from "./text.js"

/**
 * How the file is written. Every option has a default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The text before the first line; default none. */
  readonly header?: string | undefined
  /** The text after the last line, written once, at the end of the step; default none. */
  readonly footer?: ((summary: { readonly items: number }) => string) | undefined
  /** Default `\n`. */
  readonly lineEnding?: "\n" | "\r\n" | "\r" | undefined
  /** Default `utf-8`. */
  readonly encoding?: Encoding | undefined
  /** Whether the text of an item may be several lines, in whatever line breaks it holds; default false. */
  readonly multiline?: boolean | undefined
  /** Whether the file begins with a byte order mark; default: in UTF-16 only. */
  readonly byteOrderMark?: boolean | undefined
  /**
   * What happens to a file that exists when the step starts for the first time; default `overwrite`. `fail` lets an
   * empty file pass.
   */
  readonly ifExists?: "overwrite" | "fail" | "append" | undefined
  /**
   * Whether the file is written under its own name from the beginning, for people who watch it grow; default false.
   * That promises less: others see a file that is not complete, and a process that was frozen for longer than its lease may
   * write into what its successor writes. A file that was replaced is still recognised, and not touched.
   */
  readonly inPlace?: boolean | undefined
  /** Whether each chunk is forced to the disk before its checkpoint is committed; default true. */
  readonly fsync?: boolean | undefined
  /** Whether there is no file when the step wrote no item, not even an older one; default false. */
  readonly deleteIfEmpty?: boolean | undefined
}

/**
 * A writer of one line per item, such as fixed-width records. The line ending is added.
 *
 * Guarantee: exactly once, as described at `CsvItemWriter.make`. Header and footer stand once in the file, also after
 * a restart. Text that the encoding cannot hold is an `ItemEncodeError`, and so is one with a line break in it, which whoever
 * reads the file would take for two items, unless `multiline` says that it may be several lines.
 *
 * @example
 * ```ts
 * import { TextItemWriter } from "effect-batch/file"
 *
 * const fixed = TextItemWriter.lines("out.txt", (item: { readonly id: number; readonly name: string }) =>
 *   String(item.id).padStart(8, "0") + item.name.padEnd(20)
 * )
 *
 * assert.strictEqual(fixed.name, "TextItemWriter(out.txt)")
 * ```
 *
 * @see C50, ITEM-20, OWN-24
 * @since 0.1.0
 * @category constructors
 */
export const lines = <A>(
  path: string,
  toLine: (item: A) => string,
  options: Options = {}
): ItemWriter.ItemWriter<A, FileError | ItemEncodeError, FileSystem.FileSystem> => {
  refuse(`TextItemWriter(${path})`, misshapen(toLine, options))
  fileSink.check(`TextItemWriter(${path})`, options)
  refuse(`TextItemWriter(${path})`, defects(options))
  const format = makeFormat(path, toLine, options)
  return ItemWriter.make(`TextItemWriter(${path})`, {
    delivery: "restartable",
    open: (state) => fileSink.open(path, format, options, state)
  })
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const makeFormat = <A>(path: string, toLine: (item: A) => string, options: Options): fileSink.Format<A> => {
  const { encoding = "utf-8", footer, header = "", lineEnding = "\n", multiline = false } = options
  return {
    memo: null,
    lineEnding,
    begin: () => withBreak(header, lineEnding),
    encode: (memo, items, before) => {
      const fail = (index: number, problem: string) =>
        Either.left(new ItemEncodeError({ path, item: before + 1 + index, problem }))
      const lines: Array<string> = []
      for (let i = 0; i < items.length; i++) {
        const line: unknown = toLine(items[i]!)
        if (typeof line !== "string") {
          return fail(i, "its line is no text")
        }
        const at = multiline ? -1 : line.search(/[\r\n]/)
        if (at >= 0) {
          return fail(i, breakIn(line, at))
        }
        const wrong = encodings.misfit(line, encoding)
        if (wrong !== undefined) {
          return fail(i, `it holds ${wrong}, which ${encodings.labels[encoding]} cannot hold`)
        }
        lines.push(line + lineEnding)
      }
      return Either.right([lines, memo])
    },
    end: (_memo, summary) => footer === undefined ? "" : withBreak(footer(summary), lineEnding)
  }
}

const breakIn = (line: string, at: number): string => {
  const found = line.startsWith("\r\n", at) ? "CRLF" : line[at] === "\r" ? "CR" : "LF"
  const added = at + (found === "CRLF" ? 2 : 1) === line.length ? "; the line ending is added by the writer" : ""
  return `its text has a line break (${found}) at character ${at + 1} and would be several lines${
    added || "; " +
      "replace it, or set `multiline` if the text of an item may be several lines"
  }`
}

const misshapen = (toLine: unknown, options: Options): ReadonlyArray<string> => [
  ...unknown(options, [...fileSink.names, "header", "footer", "lineEnding", "encoding", "byteOrderMark", "multiline"]),
  ...flags(options, ["multiline"]),
  ...footers(options),
  ...(options.header === undefined || typeof options.header === "string"
    ? []
    : [`\`header\` is ${shown(options.header)}, give a text`]),
  ...(typeof toLine === "function" ? [] : ["give a function that makes a line of an item"])
]

const defects = ({ encoding = "utf-8", header = "", lineEnding }: Options): ReadonlyArray<string> => {
  const wrong = encodings.encodings.includes(encoding) ? encodings.misfit(header, encoding) : undefined
  return [
    ...oneOf("lineEnding", lineEnding, ["\n", "\r\n", "\r"]),
    ...(wrong === undefined ? [] : [`\`header\` holds ${wrong}, which ${encodings.labels[encoding]} cannot hold`])
  ]
}
