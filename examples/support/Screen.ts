/**
 * The standard output as lines that stay, and on a terminal one live line below them that is drawn again and again.
 */
import * as Terminal from "./Terminal.js"

export interface Screen {
  /** Writes a line that stays. */
  readonly line: (text: string) => void
  /** Draws the live line anew; for terminals. */
  readonly live: (text: string) => void
  /** Takes the live line away. */
  readonly end: () => void
}

export const make = (): Screen => {
  let isLive = false
  const erase = () => {
    if (isLive) {
      process.stdout.write("\r\u001b[2K")
      isLive = false
    }
  }
  return {
    line: (text) => {
      erase()
      process.stdout.write(`${text}\n`)
    },
    live: (text) => {
      erase()
      // Without line wrapping, or a narrow terminal would keep a part of every drawing.
      process.stdout.write(`\u001b[?7l${text}\u001b[?7h`)
      isLive = Terminal.isTerminal
    },
    end: erase
  }
}
