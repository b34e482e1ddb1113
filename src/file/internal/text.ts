/**
 * Small things about the text of a file.
 */

/**
 * Whether UTF-8 can hold the text: it has no half of a surrogate pair.
 *
 * @internal
 */
export const wellFormed = (text: string): boolean => (text as unknown as WellFormed).isWellFormed()

/** @internal */
export const withBreak = (text: string, lineEnding: string): string =>
  text === "" || text.endsWith("\n") ? text : text + lineEnding

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Part of every supported engine, though not of the language version that is compiled against. */
interface WellFormed {
  readonly isWellFormed: () => boolean
}
