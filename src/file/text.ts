/**
 * Small things about the text of a file.
 */

import { Buffer } from "node:buffer"

/**
 * Whether UTF-8 can hold the text: it has no half of a surrogate pair.
 *
 * @internal
 */
export const wellFormed = (text: string): boolean => (text as unknown as WellFormed).isWellFormed()

/** @internal */
export const withBreak = (text: string, lineEnding: string): string =>
  text === "" || text.endsWith("\n") ? text : text + lineEnding

/**
 * The beginning of a text, for people. A copy: errors outlive the block of the file that they are about.
 *
 * @internal
 */
export const excerpt = (text: string): string => {
  const copy = Buffer.from(text.slice(0, excerptLength), "utf8").toString("utf8")
  return text.length > excerptLength ? `${copy}…` : copy
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const excerptLength = 500

/** Part of every supported engine, though not of the language version that is compiled against. */
interface WellFormed {
  readonly isWellFormed: () => boolean
}
