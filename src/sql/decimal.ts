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
 * How many zeros a number ends with in front of the point, for those that do not round; infinitely many for zero and for what
 * is not a plain decimal.
 *
 * @internal
 */
export const zeros = (text: string): number => {
  const parts = partsOf(text)
  return parts === undefined || parts.digits === "" ? Number.POSITIVE_INFINITY : parts.exponent
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
 * Whether PostgreSQL shows a number of 64 bits like this: of some large ones JavaScript knows a shorter text, which lies in the
 * middle between two numbers.
 *
 * @internal
 */
export const isShownDouble = (text: string): boolean => {
  const number = Number(text)
  return isDouble(text) || (Math.abs(number) >= 2 ** 53 && Number.isFinite(number) &&
    [16, 17].some((digits) => canonical(number.toPrecision(digits)) === canonical(text)))
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
  const text = Math.abs(single).toExponential(40)
  for (let digits = Math.abs(single) < leastNormal ? 1 : 6; digits <= 9; digits++) {
    const shortest = nearest(text, digits).map((found) => Math.sign(single) * found).filter((found) =>
      Math.fround(found) === single && !isMiddle(found, single)
    )
    if (shortest.length > 0) {
      return shortest[0] === value
    }
  }
  return false
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const leastNormal = 2 ** -126

const bits = new DataView(new ArrayBuffer(4))

/** Whether a number is as far from its neighbour of 32 bits: PostgreSQL writes none so, though it would read it as this one. */
const isMiddle = (value: number, single: number): boolean =>
  [1, -1].some((step) => {
    bits.setFloat32(0, Math.abs(single))
    bits.setUint32(0, bits.getUint32(0) + step)
    return (bits.getFloat32(0) + Math.abs(single)) / 2 === Math.abs(value)
  })

/** The numbers with so many digits below and above, the nearer one first; of two that are equally near the even one. */
const nearest = (text: string, digits: number): ReadonlyArray<number> => {
  const at = text.indexOf("e")
  const kept = Number(text[0]! + text.slice(2, digits + 1))
  const rest = text.slice(digits + 1, at)
  const scale = Number(text.slice(at + 1)) - digits + 1
  const [below, above] = [Number(`${kept}e${scale}`), Number(`${kept + 1}e${scale}`)]
  const isBelow = rest < "5" || (/^50*$/.test(rest) && kept % 2 === 0)
  return isBelow ? [below, above] : [above, below]
}

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
