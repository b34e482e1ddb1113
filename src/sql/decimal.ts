/**
 * Numbers as decimal text, compared and measured without rounding.
 */

/**
 * One form for all spellings of a decimal number: `01`, `1`, `1.0` and `10e-1` are `1e0`. Undefined for what is not a plain
 * decimal.
 *
 * @internal
 */
export const canonical = (text: string): string | undefined => {
  const parts = partsOf(text)
  return parts === undefined
    ? undefined
    : parts.digits === ""
    ? "0"
    : `${parts.negative ? "-" : ""}${parts.digits}e${parts.exponent}`
}

/**
 * How many digits behind the point a number needs; undefined for what is not a plain decimal.
 *
 * @internal
 */
export const decimals = (text: string): number | undefined => {
  const parts = partsOf(text)
  return parts === undefined ? undefined : Math.max(0, -parts.exponent)
}

/**
 * Whether the number that is nearest to the text is written the same again, so that nothing of the text is lost.
 *
 * @internal
 */
export const isDouble = (text: string): boolean => {
  const value = canonical(text)
  return value !== undefined && value === canonical(String(Number(text)))
}

/**
 * Whether a number comes back from 32 bits as it went in: it has that many bits, or is the shortest text of one that has.
 *
 * @internal
 */
export const isSingle = (value: number): boolean => {
  const single = Math.fround(value)
  if (Object.is(single, value) || Number.isNaN(value)) {
    return true
  }
  // The smallest numbers have fewer digits than the others.
  for (let digits = Math.abs(single) < leastNormal ? 1 : 6; digits <= 9; digits++) {
    const shortest = Number(single.toPrecision(digits))
    if (Math.fround(shortest) === single) {
      return shortest === value
    }
  }
  return false
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const leastNormal = 2 ** -126

const decimal = /^\s*([+-]?)(?=\d|\.\d)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?\s*$/

/** The number is `digits` times ten to the `exponent`, without zeros at either end. */
const partsOf = (text: string) => {
  const [, sign, whole, fraction = "", exponent = "0"] = decimal.exec(text) ?? []
  if (whole === undefined) {
    return undefined
  }
  const all = whole + fraction
  let from = 0
  let to = all.length
  while (from < to && all.charCodeAt(from) === 48) {
    from++
  }
  while (to > from && all.charCodeAt(to - 1) === 48) {
    to--
  }
  return {
    negative: sign === "-",
    digits: all.slice(from, to),
    exponent: from === to ? 0 : Number(exponent) - fraction.length + all.length - to
  }
}
