/**
 * Everything about reading a CSV file that can be worked out, and refused, before it is opened.
 */
import type * as Schema from "effect/Schema"
import { quoted } from "../base/text.js"
import { losesProto } from "../item/lostNames.js"
import * as columns from "./csvColumns.js"
import * as csvDialect from "./csvDialect.js"
import type { TrailerField } from "./CsvFormat.js"
import type { Options } from "./CsvItemReader.js"
import type { Dialect } from "./csvRows.js"
import { formatOf } from "./fileRange.js"
import { flags, oneOf, refuse, sizeDefects, whole } from "./options.js"
import * as records from "./records.js"

/** @internal */
export interface Settings<A> {
  readonly reader: string
  readonly path: string
  readonly options: Options
  readonly dialect: Dialect
  readonly naming: columns.Naming
  readonly trailer: ReadonlyArray<TrailerField> | undefined
  readonly codec: records.Codec<A>
  readonly expected: columns.Expected | undefined
  /** Whether the schema would lose a column named `__proto__`. */
  readonly losesProto: boolean
  readonly shown: (column: string) => boolean
  /** Fingerprint of what decides where a row ends. */
  readonly format: number
  /** Whether rows that are filled or cut are for others to tell. */
  readonly quiet?: boolean | undefined
}

/** @internal */
export const settings = <A>(
  reader: string,
  path: string,
  options: Options & { readonly schema?: Schema.Schema<A, any> | undefined }
): Settings<A> => {
  refuse(reader, [
    ...csvDialect.misshapen(options),
    ...flags(options, ["strictColumns", "skipEmptyLines", "requireFinalLineBreak"])
  ])
  const expected = options.schema && columns.expected(options.schema)
  const naming = namingOf(options, expected)
  // Where more columns are welcome, the schema does not say which ones there are.
  const known = options.columns ?? (options.strictColumns === false ? undefined : naming.columns)
  refuse(reader, [
    ...sizeDefects(options),
    ...csvDialect.defects(options, known),
    ...defects(options, naming),
    ...aboutColumns(options, expected)
  ])
  const dialect = csvDialect.dialect(options)
  return {
    reader,
    path,
    options,
    dialect,
    naming,
    // The plan has compared the trailer, and no range holds it.
    trailer: options.range === undefined ? options.trailer : undefined,
    codec: options.schema ? records.codec(options.schema) : records.identity,
    expected,
    losesProto: options.schema !== undefined && losesProto(options.schema),
    shown: options.schema ? columns.shown(options.schema) : () => true,
    format: formatOf("csv", [
      options.encoding ?? "utf-8",
      dialect.lineBreak,
      dialect.delimiter,
      dialect.quote,
      dialect.escape ?? dialect.quote,
      dialect.comment,
      dialect.trim
    ])
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const namingOf = (options: Options, expected: columns.Expected | undefined): columns.Naming => ({
  matchHeader: options.matchHeader ?? "exact",
  repeatedNames: options.repeatedNames ?? "fail",
  blankNames: options.blankNames ?? "keep",
  headerNames: options.headerNames ?? {},
  columns: options.matchHeader === "position"
    ? options.columns
    : expected
    ? [...expected.required, ...expected.optional]
    : options.columns
})

const defects = (options: Options, naming: columns.Naming): ReadonlyArray<string> => {
  const loose = naming.matchHeader === "loose" ? columns.alike(naming.columns ?? []) : []
  return [
    ...oneOf("matchHeader", options.matchHeader, ["exact", "loose", "position"]),
    ...oneOf("repeatedNames", options.repeatedNames, ["fail", "number"]),
    ...oneOf("blankNames", options.blankNames, ["keep", "fail", "number"]),
    ...oneOf("raggedRows", options.raggedRows, ["fail", "fill", "cut", "fillAndCut"]),
    ...whole("skipLines", options.skipLines ?? 0, 0),
    ...(options.skipLines !== undefined && options.preamble !== undefined
      ? ["`skipLines` and `preamble` say the same thing twice"]
      : []),
    ...(naming.matchHeader === "position" && (options.columns === undefined || options.header === false)
      ? ["`matchHeader: \"position\"` needs a header and `columns`, which take the place of its names"]
      : []),
    ...(options.header === false
      ? [
        ...needsHeader("repeatedNames", options.repeatedNames, "fail"),
        ...needsHeader("blankNames", options.blankNames, "keep")
      ]
      : []),
    ...(options.header === false && options.matchHeader === "loose" ? ["`matchHeader` needs a header"] : []),
    ...(loose.length > 0 ? [`the columns ${quoted(loose)} cannot be told from each other without case and blanks`] : [])
  ]
}

const needsHeader = <A>(name: string, value: A | undefined, standard: A): ReadonlyArray<string> =>
  value === undefined || value === standard ? [] : [`\`${name}\` needs a header`]

/** Columns that take the place of a header are compared with the schema at once. */
const aboutColumns = (options: Options, expected: columns.Expected | undefined): ReadonlyArray<string> => {
  if (options.header === false && options.columns === undefined) {
    return ["without a header row, the `columns` have to be given"]
  }
  if (options.columns === undefined || (options.header !== false && options.matchHeader !== "position")) {
    return []
  }
  const { missing, unexpected } = columns.compare(options.columns, expected, options.strictColumns ?? true)
  return columns.unlikeSchema(missing, unexpected)
}
