/**
 * Small things about the text of a file.
 */

import { Buffer } from "node:buffer"

/** @internal */
export const withBreak = (text: string, lineEnding: string): string =>
  text === "" || text.endsWith(lineEnding.slice(-1)) ? text : text + lineEnding

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
