/**
 * The options of CSV readers and writers: what they come to, and what is wrong with them.
 */
import type { CsvFormat } from "./CsvFormat.js"
import type { Dialect } from "./csvRows.js"
import { encodings, labels, misfit } from "./encodings.js"
import { flags, lists, oneOf, shown, unknown } from "./options.js"

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
 * The delimiter that a line tells a spreadsheet, which reads `sep=;` and takes it for no row.
 *
 * @internal
 */
export const separatorIn = (line: string): string | undefined => /^("?)sep=([^\w"]+)\1$/i.exec(line)?.[2]

/**
 * Options that are not of their kind, whoever uses them, so that nothing else can be said about them. Reader and writer may
 * be given the same options: each passes over what is only for the other one.
 *
 * @internal
 */
export const misshapen = (options: CsvFormat): ReadonlyArray<string> => [
  ...unknown(options, names),
  ...flags(options, ["header", "trim", "trailingDelimiter"]),
  ...lists(options, ["columns", "preamble"]),
  ...(options.nullText === undefined || typeof options.nullText === "string"
    ? []
    : [`\`nullText\` is ${shown(options.nullText)}, give a text`]),
  ...(options.headerNames === undefined || isTexts(options.headerNames)
    ? []
    : ["`headerNames` has to be an object that gives columns their names in the file"]),
  ...(options.trailer === undefined || (Array.isArray(options.trailer) && options.trailer.every(isTrailerField))
    ? []
    : ["`trailer` has to be an array of texts, `{ count: \"rows\" }` and `{ sum: \"a column\" }`"])
]

/**
 * What is wrong with a format, whoever uses it.
 *
 * @param columns the columns of items, as far as they are known
 *
 * @internal
 */
export const defects = (options: CsvFormat, columns: ReadonlyArray<string> | undefined): ReadonlyArray<string> => [
  ...oneOf("encoding", options.encoding, encodings),
  ...oneOf("lineEnding", options.lineEnding, ["\n", "\r\n", "\r"]),
  ...aboutDelimiter(options),
  ...aboutQuotes(options),
  ...aboutTexts(options),
  ...aboutNull(options),
  ...aboutColumns(options, columns),
  ...aboutTrailer(options, columns)
]

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const names: ReadonlyArray<string> = [
  "header",
  "columns",
  "headerNames",
  "preamble",
  "delimiter",
  "quote",
  "escape",
  "lineEnding",
  "encoding",
  "comment",
  "trim",
  "nullText",
  "trailingDelimiter",
  "trailer",
  // Of the reader.
  "matchHeader",
  "repeatedNames",
  "blankNames",
  "strictColumns",
  "raggedRows",
  "skipLines",
  "skipEmptyLines",
  "range",
  "requireFinalLineBreak",
  "bufferSize",
  "maxRecordSize",
  // Of the writer.
  "quoting",
  "byteOrderMark",
  "footer",
  "escapeFormulas",
  "ifExists",
  "inPlace",
  "fsync",
  "deleteIfEmpty"
]

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isTexts = (value: unknown): boolean =>
  isObject(value) && Object.values(value).every((text) => typeof text === "string")

const isTrailerField = (field: unknown): boolean =>
  typeof field === "string" ||
  (isObject(field) && Object.keys(field).length === 1 &&
    (("count" in field && field.count === "rows") || ("sum" in field && typeof field.sum === "string")))

type Defects = ReadonlyArray<string>

const when = (wrong: boolean, defect: string): Defects => wrong ? [defect] : []

const hasBreak = (text: string): boolean => /[\r\n]/.test(text)

const aboutDelimiter = (options: CsvFormat): Defects => {
  const { delimiter } = options
  return typeof delimiter !== "string" || delimiter === ""
    ? when(delimiter !== undefined, `\`delimiter\` is ${shown(delimiter)}, it needs at least one character`)
    : when(hasBreak(delimiter), "`delimiter` holds a line break, which ends rows")
}

const isOne = (text: unknown): text is string => typeof text === "string" && Array.from(text).length === 1

const aboutQuotes = (options: CsvFormat): Defects => {
  const { comment = "", delimiter = ",", escape, nullText, quote = "\"", trim } = options
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
        ...when(
          typeof delimiter === "string" && delimiter !== "" && meets(comment, delimiter),
          comment === delimiter
            ? "`comment` is the same as `delimiter`"
            : "`comment` is what a row can begin with: its first field and `delimiter`"
        ),
        ...when(nullText?.startsWith(comment) === true, "`nullText` begins with `comment`"),
        ...when(isOne(escape) && comment.startsWith(escape), "`comment` begins with `escape`")
      ]
      : when(options.comment === "", "`comment` is empty: every line would be one"))
  ]
}

/** Whether a text holds another one, or ends with what that begins with. */
const meets = (text: string, other: string): boolean =>
  text.includes(other) ||
  Array.from({ length: other.length }, (_, i) => other.slice(0, i)).some((part) => part !== "" && text.endsWith(part))

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
    ...when(options.preamble?.some(hasBreak) === true, "a line of `preamble` holds a line break"),
    ...when(
      ![undefined, options.delimiter ?? ","].includes(separatorIn(options.preamble?.[0] ?? "")),
      "`preamble` says that the delimiter is another one than `delimiter` says"
    )
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

const aboutColumns = (
  { columns, header, headerNames = {} }: CsvFormat,
  known: ReadonlyArray<string> | undefined
): Defects => {
  const inFile = Object.values(headerNames)
  const unknown = Object.keys(headerNames).filter((name) => known !== undefined && !known.includes(name))
  const named = (known ?? []).map((name) => Object.hasOwn(headerNames, name) ? headerNames[name] : name)
  const twice = new Set(inFile).size < inFile.length
  return [
    ...when(columns?.length === 0, "`columns` is empty"),
    ...when(columns !== undefined && new Set(columns).size < columns.length, "`columns` names a column twice"),
    ...when(twice, "`headerNames` gives two columns one name"),
    ...when(
      !twice && new Set(known).size === known?.length && new Set(named).size < named.length,
      "`headerNames` gives a column the name that another one has"
    ),
    ...when(unknown.length > 0, `\`headerNames\` names ${unknown.map(shown).join(", ")}, which is no column`),
    ...when(header === false && inFile.length > 0, "`headerNames` needs a header")
  ]
}

const aboutTrailer = ({ trailer }: CsvFormat, columns: ReadonlyArray<string> | undefined): Defects => {
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
