/**
 * The names that stand more than once in a list, each once, in the order in which that shows.
 *
 * @internal
 */
export const repeated = (names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const seen = new Set<string>()
  const again = new Set<string>()
  for (const name of names) {
    if (seen.has(name)) {
      again.add(name)
    }
    seen.add(name)
  }
  return [...again]
}
