/**
 * Characters that end lines in files from elsewhere. A file whose lines end otherwise than its reader takes it to is one
 * long line, and what is in it would count as no rows, or as one (OWN-25).
 */

/** @internal */
export interface LineBreak {
  readonly char: string
  readonly name: string
}

/**
 * The line break that a text has instead of the given one. The text has none of that.
 *
 * @internal
 */
export const otherBreak = (text: string, lineBreak: "\n" | "\r"): LineBreak | undefined =>
  breaks.find(({ char }) => {
    const found = char === lineBreak ? -1 : text.indexOf(char)
    // A file with CRLF whose last LF is cut off ends with a CR.
    return found >= 0 && (found < text.length - 1 || char !== "\r")
  })

/**
 * What to do about it.
 *
 * @param choosable whether the reader has an option for it
 *
 * @internal
 */
export const adviceFor = ({ char }: LineBreak, choosable: boolean): string =>
  choosable && char === "\r"
    ? "Set `lineEnding` to \"\\r\", or convert the file."
    : choosable && char === "\n"
    ? "Leave out `lineEnding`, or convert the file."
    : `Convert the file to LF line ends${char === "\r" ? ", for instance by `tr '\\r' '\\n'`" : ""}.`

/**
 * The length from which on a file that is one line is not taken for a short delivery any more, in characters.
 *
 * @internal
 */
export const longLine = 64 * 1024

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const breaks: ReadonlyArray<LineBreak> = [
  { char: "\r", name: "CR" },
  { char: "\n", name: "LF" },
  { char: "\u0085", name: "NEL (U+0085)" },
  { char: "\u2028", name: "U+2028" },
  { char: "\u2029", name: "U+2029" },
  { char: "\x1e", name: "the record separator U+001E" },
  { char: "\v", name: "the vertical tab" },
  { char: "\f", name: "the form feed" }
]
