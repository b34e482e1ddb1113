/**
 * Control totals of a CSV file: rows are counted and columns added up, to the last digit, and compared with what the
 * last row says.
 */
import type { TrailerField } from "./CsvFormat.js"
import type { Field } from "./csvRows.js"

/**
 * As it is stored with a position or a state: how many rows, and the sum of each column that is added up.
 *
 * @internal
 */
export interface Totals {
  readonly rows: number
  readonly sums: ReadonlyArray<string>
}

/** @internal */
export const none = (trailer: ReadonlyArray<TrailerField>): Totals => ({
  rows: 0,
  sums: summed(trailer).map(() => "0")
})

/**
 * The columns that the trailer adds up, in their order.
 *
 * @internal
 */
export const summed = (trailer: ReadonlyArray<TrailerField>): ReadonlyArray<string> =>
  trailer.flatMap((field) => typeof field === "object" && "sum" in field ? [field.sum] : [])

/**
 * The totals with one more row, whose summed fields these are; the index of a field that is no decimal number.
 *
 * @internal
 */
export const add = (totals: Totals, fields: ReadonlyArray<Field>): Totals | number => {
  const wrong = fields.findIndex((field) => parse(field) === undefined)
  return wrong >= 0 ? wrong : {
    rows: totals.rows + 1,
    sums: totals.sums.map((sum, i) => format(plus(parse(sum)!, parse(fields[i]!)!)))
  }
}

/**
 * A row that cannot be added up: it counts all the same, for the trailer counts the rows of the file.
 *
 * @internal
 */
export const count = (totals: Totals): Totals => ({ ...totals, rows: totals.rows + 1 })

/** @internal */
export const isTrailer = (trailer: ReadonlyArray<TrailerField>, fields: ReadonlyArray<Field>): boolean =>
  fields.length === trailer.length &&
  trailer.every((field, i) => typeof field !== "string" || field.trim() === (fields[i] ?? "").trim())

/**
 * What does not agree, in words.
 *
 * @internal
 */
export const disagreement = (
  trailer: ReadonlyArray<TrailerField>,
  fields: ReadonlyArray<Field>,
  totals: Totals
): ReadonlyArray<string> => {
  const expected = cells(trailer, totals)
  return trailer.flatMap((field, i) => {
    const [said, found] = [fields[i] ?? "", expected[i]!]
    return typeof field === "string" || equal(said.trim(), found)
      ? []
      : [
        "sum" in field
          ? `it says that the sum of "${field.sum}" is "${said}", but it is ${found}`
          : `it says that there are "${said}" rows, but there are ${found}`
      ]
  })
}

/**
 * The trailer as a row.
 *
 * @internal
 */
export const cells = (trailer: ReadonlyArray<TrailerField>, totals: Totals): ReadonlyArray<string> => {
  let sum = 0
  return trailer.map((field) =>
    typeof field === "string" ? field : "sum" in field ? totals.sums[sum++]! : String(totals.rows)
  )
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** `units` times ten to the power of `-scale`. */
interface Decimal {
  readonly units: bigint
  readonly scale: number
}

const decimal = /^([+-]?)(\d+)(?:\.(\d*))?$/

const parse = (field: Field): Decimal | undefined => {
  const text = (field ?? "").trim()
  const found = decimal.exec(text)
  if (found === null) {
    return text === "" ? { units: 0n, scale: 0 } : undefined
  }
  const [, sign, whole, fraction = ""] = found
  const units = BigInt(whole! + fraction)
  return { units: sign === "-" ? -units : units, scale: fraction.length }
}

const atScale = ({ scale, units }: Decimal, wanted: number): bigint => units * 10n ** BigInt(wanted - scale)

const plus = (self: Decimal, that: Decimal): Decimal => {
  const scale = Math.max(self.scale, that.scale)
  return { units: atScale(self, scale) + atScale(that, scale), scale }
}

const format = ({ scale, units }: Decimal): string => {
  const digits = String(units < 0n ? -units : units).padStart(scale + 1, "0")
  const whole = digits.slice(0, digits.length - scale)
  return (units < 0n ? "-" : "") + (scale === 0 ? whole : `${whole}.${digits.slice(-scale)}`)
}

const equal = (self: string, that: string): boolean => {
  const [a, b] = [parse(self), parse(that)]
  if (self === "" || a === undefined || b === undefined) {
    return false
  }
  const scale = Math.max(a.scale, b.scale)
  return atScale(a, scale) === atScale(b, scale)
}
