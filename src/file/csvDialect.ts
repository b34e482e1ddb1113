/**
 * The options of CSV readers and writers: what they come to, and what is wrong with them.
 */
import type { CsvFormat } from "./CsvFormat.js"
import type { Dialect } from "./csvRows.js"
import { encodings, labels, misfit } from "./encodings.js"
import { oneOf } from "./options.js"

/** @internal */
export const dialect = (options: CsvFormat & { readonly skipEmptyLines?: boolean | undefined }): Dialect => ({
  delimiter: options.delimiter ?? ",",
  quote: options.quote === false ? "" : options.quote ?? "\"",
  escape: options.escape,
  comment: options.comment ?? "",
  lineBreak: lineBreakOf(options),
  nullText: options.nullText,
  skipEmptyLines: options.skipEmptyLines ?? true,
  trim: options.trim ?? false
})

/** @internal */
export const lineBreakOf = ({ lineEnding }: CsvFormat): "\n" | "\r" => lineEnding === "\r" ? "\r" : "\n"

/**
 * What is wrong with a format, whoever uses it.
 *
 * @internal
 */
export const defects = (options: CsvFormat): ReadonlyArray<string> => [
  ...oneOf("encoding", options.encoding, encodings),
  ...oneOf("lineEnding", options.lineEnding, ["\n", "\r\n", "\r"]),
  ...aboutDelimiter(options),
  ...aboutQuotes(options),
  ...aboutTexts(options),
  ...aboutNull(options),
  ...aboutColumns(options),
  ...aboutTrailer(options)
]

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Defects = ReadonlyArray<string>

const when = (wrong: boolean, defect: string): Defects => wrong ? [defect] : []

const hasBreak = (text: string): boolean => /[\r\n]/.test(text)

const shown = (text: unknown): string => typeof text === "string" ? JSON.stringify(text) : String(text)

const aboutDelimiter = (options: CsvFormat): Defects => {
  const { delimiter } = options
  return typeof delimiter !== "string" || delimiter === ""
    ? when(delimiter !== undefined, `\`delimiter\` is ${shown(delimiter)}, it needs at least one character`)
    : when(hasBreak(delimiter), "`delimiter` holds a line break, which ends rows")
}

const isOne = (text: unknown): text is string => typeof text === "string" && Array.from(text).length === 1

const aboutQuotes = (options: CsvFormat): Defects => {
  const { comment = "", delimiter = ",", escape, quote = "\"", trim } = options
  const single = [["quote", quote === false ? undefined : quote], ["escape", escape]] as const
  return [
    ...single.flatMap(([name, value]) =>
      when(
        value !== undefined && (!isOne(value) || hasBreak(value)),
        `\`${name}\` is ${shown(value)}, it has to be one character and no line break`
      )
    ),
    ...single.flatMap(([name, value]) =>
      isOne(value) && typeof delimiter === "string"
        ? when(delimiter.includes(value), `\`${name}\` is ${shown(value)}, which \`delimiter\` holds, too`)
        : []
    ),
    ...when(isOne(quote) && trim === true && /[ \t]/.test(quote), "`quote` is a blank, which `trim` removes"),
    ...when(escape !== undefined && escape === " ", "`escape` is a blank"),
    ...when(typeof comment !== "string" || hasBreak(comment), "`comment` has to be text without a line break"),
    ...(typeof comment === "string" && comment !== ""
      ? [
        ...when(isOne(quote) && comment.startsWith(quote), "`comment` begins with `quote`"),
        ...when(typeof delimiter === "string" && comment === delimiter, "`comment` is the same as `delimiter`"),
        ...when(isOne(escape) && comment.startsWith(escape), "`comment` begins with `escape`")
      ]
      : when(options.comment === "", "`comment` is empty: every line would be one"))
  ]
}

const aboutTexts = (options: CsvFormat): Defects => {
  const encoding = options.encoding ?? "utf-8"
  const texts: ReadonlyArray<readonly [string, unknown]> = [
    ["delimiter", options.delimiter],
    ["quote", options.quote],
    ["escape", options.escape],
    ["comment", options.comment],
    ["nullText", options.nullText],
    ...(options.preamble ?? []).map((line) => ["preamble", line] as const),
    ...(options.trailer ?? []).map((field) => ["trailer", field] as const)
  ]
  return [
    ...texts.flatMap(([name, text]) => {
      const wrong = typeof text === "string" && encodings.includes(encoding) ? misfit(text, encoding) : undefined
      return wrong === undefined ? [] : [`\`${name}\` holds ${wrong}, which ${labels[encoding]} cannot hold`]
    }),
    ...when(options.preamble?.some(hasBreak) === true, "a line of `preamble` holds a line break")
  ]
}

const aboutNull = (options: CsvFormat): Defects => {
  const { delimiter, nullText, quote } = dialect(options)
  if (nullText === undefined) {
    return []
  }
  return [
    ...when(
      nullText.includes(delimiter) || hasBreak(nullText) || (quote !== "" && nullText.startsWith(quote)),
      `\`nullText\` is ${shown(nullText)}, which does not stand for a field without quotes`
    ),
    ...when(
      options.trim === true && nullText.trim() !== nullText,
      "`nullText` begins or ends with a blank, which `trim` removes"
    )
  ]
}

const aboutColumns = ({ columns, header, headerNames = {} }: CsvFormat): Defects => {
  const inFile = Object.values(headerNames)
  return [
    ...when(columns !== undefined && new Set(columns).size < columns.length, "`columns` names a column twice"),
    ...when(new Set(inFile).size < inFile.length, "`headerNames` gives two columns one name"),
    ...when(header === false && inFile.length > 0, "`headerNames` needs a header")
  ]
}

const aboutTrailer = ({ columns, trailer }: CsvFormat): Defects => {
  if (trailer === undefined) {
    return []
  }
  const sums = trailer.flatMap((field) => typeof field === "object" && "sum" in field ? [field.sum] : [])
  const unknown = sums.filter((name) => columns !== undefined && !columns.includes(name))
  return [
    ...when(
      !trailer.some((field) => typeof field === "string" && field.trim() !== ""),
      "`trailer` needs a text by which it is told from rows"
    ),
    ...when(unknown.length > 0, `\`trailer\` adds up ${unknown.map(shown).join(", ")}, which is no column`)
  ]
}
