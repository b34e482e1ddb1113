/**
 * Encodings of text files, exact in both directions: bytes that an encoding does not have, and characters that it cannot
 * hold, are told instead of being replaced. Libraries for this write a question mark in their place.
 */
import { Buffer, isUtf8 } from "node:buffer"

/** @internal */
export type Encoding = "utf-8" | "utf16le" | "utf16be" | "latin1" | "windows-1252"

/** @internal */
export const encodings: ReadonlyArray<Encoding> = ["utf-8", "utf16le", "utf16be", "latin1", "windows-1252"]

/**
 * The names that people know.
 *
 * @internal
 */
export const labels: Readonly<Record<Encoding, string>> = {
  "utf-8": "UTF-8",
  utf16le: "UTF-16LE",
  utf16be: "UTF-16BE",
  latin1: "ISO 8859-1 (latin1)",
  "windows-1252": "Windows-1252"
}

/**
 * Bytes per character, where that is the same for all; a character outside of the basic plane is two in UTF-16.
 *
 * @internal
 */
export const unitOf = (encoding: Encoding): 1 | 2 => encoding === "utf16le" || encoding === "utf16be" ? 2 : 1

/**
 * Text out of bytes. `raw` text stands for invalid UTF-8 and has one character per byte; `damaged` text has marks that
 * `valid` finds where the bytes stand for nothing.
 *
 * @internal
 */
export interface Decoded {
  readonly text: string
  readonly state: "clean" | "raw" | "damaged"
}

/** @internal */
export const decode = (bytes: Buffer, encoding: Encoding): Decoded => {
  switch (encoding) {
    case "utf-8": {
      const raw = !isUtf8(bytes)
      return { text: bytes.toString(raw ? "latin1" : "utf8"), state: raw ? "raw" : "clean" }
    }
    case "utf16le":
      return checked(bytes.toString("utf16le"), wellFormed)
    case "utf16be":
      return checked(Buffer.from(bytes).swap16().toString("utf16le"), wellFormed)
    case "latin1":
      return { text: bytes.toString("latin1"), state: "clean" }
    case "windows-1252":
      return checked(bytes.toString("latin1").replace(/[\x80-\x9f]/g, (char) => special[char]!), unmarked)
  }
}

/**
 * Whether a piece of damaged text stands for valid bytes.
 *
 * @internal
 */
export const valid = (piece: string, encoding: Encoding): boolean =>
  unitOf(encoding) === 2 ? wellFormed(piece) : unmarked(piece)

/**
 * The bytes of text that the encoding can hold, see `misfit`.
 *
 * @internal
 */
export const encode = (text: string, encoding: Encoding): Buffer => {
  switch (encoding) {
    case "utf-8":
      return Buffer.from(text, "utf8")
    case "utf16le":
      return Buffer.from(text, "utf16le")
    case "utf16be":
      return Buffer.from(text, "utf16le").swap16()
    case "latin1":
      return Buffer.from(text, "latin1")
    case "windows-1252":
      return Buffer.from(text.replace(/[^\0-\x7f\xa0-\xff]/g, (char) => codes.get(char)!), "latin1")
  }
}

/**
 * What in a text the encoding cannot hold, in words.
 *
 * @internal
 */
export const misfit = (text: string, encoding: Encoding): string | undefined => {
  if (!wellFormed(text)) {
    return "half of a surrogate pair"
  }
  const found = encoding === "latin1"
    ? /[^\0-\xff]/u.exec(text)
    : encoding === "windows-1252"
    ? unheld.exec(text)
    : null
  return found === null
    ? undefined
    : `the character "${found[0]}" (U+${found[0].codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")})`
}

/** @internal */
export const byteOrderMark = "\uFEFF"

/**
 * Its bytes in UTF-8, one character each.
 *
 * @internal
 */
export const rawMark = "\u00ef\u00bb\u00bf"

/**
 * Whether text has no half of a surrogate pair.
 *
 * @internal
 */
export const wellFormed = (text: string): boolean => (text as unknown as WellFormed).isWellFormed()

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Part of every supported engine, though not of the language version that is compiled against. */
interface WellFormed {
  readonly isWellFormed: () => boolean
}

const unmarked = (text: string): boolean => !text.includes("\uFFFD")

const checked = (text: string, isValid: (text: string) => boolean): Decoded => ({
  text,
  state: isValid(text) ? "clean" : "damaged"
})

/** What Windows-1252 has where ISO 8859-1 has control characters; a blank stands for the five bytes without a meaning. */
const upper = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ"

const special: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from(upper, (char, i) => [String.fromCharCode(0x80 + i), char === " " ? "\uFFFD" : char])
)

const codes: ReadonlyMap<string, string> = new Map(
  Object.entries(special).filter(([, char]) => char !== "\uFFFD").map(([code, char]) => [char, code])
)

const unheld = new RegExp(`[^\\0-\\x7f\\xa0-\\xff${[...codes.keys()].join("")}]`, "u")
