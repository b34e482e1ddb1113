/**
 * Members that whatever writes an object by its names, or an array by its indexes, would leave out without a word (OWN-24).
 * What is not enumerable is not meant to be seen, such as the hash that Effect keeps in a value.
 */

/**
 * What an object has beside its names, in words; `undefined` for nothing.
 *
 * @internal
 */
export const lostMember = (value: object): string | undefined => {
  const symbols = Object.getOwnPropertySymbols(value)
  const symbol = symbols.length === 0 ? undefined : symbols.find((key) => isEnumerable(value, key))
  if (symbol !== undefined) {
    return `a member whose name is a symbol (${symbolText(symbol)})`
  }
  const name = Array.isArray(value) ? Object.keys(value)[value.length] : undefined
  return name === undefined ? undefined : `a member named ${JSON.stringify(name)} beside its elements`
}

/** @internal */
export const isEnumerable = (value: object, key: PropertyKey): boolean =>
  Object.prototype.propertyIsEnumerable.call(value, key)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const symbolText = (symbol: symbol): string => {
  const text = String(symbol)
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`
}
