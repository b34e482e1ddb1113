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
import { oneOf, refuse, sizeDefects, whole } from "./options.js"
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
}

/** @internal */
export const settings = <A>(
  reader: string,
  path: string,
  options: Options & { readonly schema?: Schema.Schema<A, any> | undefined }
): Settings<A> => {
  const expected = options.schema && columns.expected(options.schema)
  const naming = namingOf(options, expected)
  refuse(reader, [...sizeDefects(options), ...csvDialect.defects(options), ...defects(options, naming)])
  return {
    reader,
    path,
    options,
    dialect: csvDialect.dialect(options),
    naming,
    trailer: options.trailer,
    codec: options.schema ? records.codec(options.schema) : records.identity,
    expected,
    losesProto: options.schema !== undefined && losesProto(options.schema),
    shown: options.schema ? columns.shown(options.schema) : () => true
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
    ...(loose.length > 0 ? [`the columns ${quoted(loose)} cannot be told from each other without case and blanks`] : [])
  ]
}
