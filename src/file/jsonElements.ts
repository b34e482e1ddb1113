/**
 * Finds the elements of a JSON array in bytes, without parsing them: brackets and strings are enough to know where
 * an element ends, and these look the same in every UTF-8 text.
 */
import { Buffer } from "node:buffer"

/** @internal */
export type Expects = "array" | "first" | "next" | "nothing"

/** @internal */
export type Found = "element" | "end" | "more" | "malformed"

/**
 * A cursor over bytes. An element is found when the comma or bracket behind it is there; then it lies between
 * `start` and `stop`, and `index` is behind that comma or bracket.
 *
 * @internal
 */
export class ElementScanner {
  index = 0
  line = 1
  expects: Expects = "array"
  /** How many elements were found. */
  elements = 0
  start = 0
  stop = 0
  startLine = 1
  problem = ""
  private bytes: Buffer = Buffer.alloc(0)
  private eof = false
  private lineBreak = -1

  constructor(private readonly maxElementSize: number) {}

  load(bytes: Buffer, eof: boolean, index: number): void {
    this.bytes = bytes
    this.eof = eof
    this.index = index
    this.lineBreak = -1
  }

  /** The element that was found last. */
  get element(): Buffer {
    return this.bytes.subarray(this.start, this.stop)
  }

  next(): Found {
    for (;;) {
      this.moveTo(skipSpace(this.bytes, this.index))
      if (this.index >= this.bytes.length) {
        return this.exhausted()
      }
      const byte = this.bytes[this.index]!
      if (this.expects === "nothing") {
        return this.malformed("something follows the end of the array")
      }
      if (this.expects === "array") {
        if (byte !== OPEN_ARRAY) {
          return this.malformed("a JSON array has to begin here, with \"[\"")
        }
        this.moveTo(this.index + 1)
        this.expects = "first"
      } else if (byte === CLOSE_ARRAY) {
        if (this.expects === "next") {
          return this.malformed("an element has to follow the comma")
        }
        this.moveTo(this.index + 1)
        this.expects = "nothing"
      } else {
        return this.findElement()
      }
    }
  }

  private findElement(): Found {
    const { bytes } = this
    const stop = endOfValue(bytes, this.index)
    const after = stop < 0 ? bytes.length : skipSpace(bytes, stop)
    if (after >= bytes.length) {
      return this.exhausted()
    }
    if (bytes[after] !== COMMA && bytes[after] !== CLOSE_ARRAY) {
      return this.malformed(`a comma or the end of the array has to follow element ${this.elements + 1}`)
    }
    this.start = this.index
    this.startLine = this.line
    this.stop = stop
    this.elements += 1
    this.expects = bytes[after] === COMMA ? "next" : "nothing"
    this.moveTo(after + 1)
    return "element"
  }

  private exhausted(): Found {
    if (this.eof) {
      return this.expects === "nothing" ? "end" : this.malformed("the file ends before the array does")
    }
    return this.bytes.length - this.index > this.maxElementSize
      ? this.malformed(
        `element ${this.elements + 1} is longer than ${this.maxElementSize} bytes, see \`maxRecordSize\``
      )
      : "more"
  }

  private malformed(problem: string): Found {
    this.problem = problem
    return "malformed"
  }

  private moveTo(index: number): void {
    while (this.nextBreak() < index) {
      this.line += 1
      this.index = this.lineBreak + 1
    }
    this.index = index
  }

  /** Remembered, because in a file without line breaks each search would go through all bytes. */
  private nextBreak(): number {
    if (this.lineBreak < this.index) {
      const found = this.bytes.indexOf(LF, this.index)
      this.lineBreak = found < 0 ? Infinity : found
    }
    return this.lineBreak
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const LF = 0x0a

const QUOTE = 0x22

const COMMA = 0x2c

const OPEN_ARRAY = 0x5b

const BACKSLASH = 0x5c

const CLOSE_ARRAY = 0x5d

const OPEN_OBJECT = 0x7b

const CLOSE_OBJECT = 0x7d

const isSpace = (byte: number): boolean => byte === 0x20 || byte === LF || byte === 0x0d || byte === 0x09

const skipSpace = (bytes: Buffer, from: number): number => {
  let at = from
  while (at < bytes.length && isSpace(bytes[at]!)) {
    at++
  }
  return at
}

/** The index behind the value at `from`, or -1 if it does not end here. */
const endOfValue = (bytes: Buffer, from: number): number => {
  const first = bytes[from]!
  return first === OPEN_OBJECT || first === OPEN_ARRAY
    ? endOfContainer(bytes, from)
    : first === QUOTE
    ? endOfString(bytes, from)
    : endOfScalar(bytes, from)
}

const endOfContainer = (bytes: Buffer, from: number): number => {
  let depth = 0
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === QUOTE) {
      const end = endOfString(bytes, at)
      if (end < 0) {
        return -1
      }
      at = end - 1
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      depth++
    } else if ((byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) && --depth === 0) {
      return at + 1
    }
  }
  return -1
}

const endOfString = (bytes: Buffer, from: number): number => {
  for (let at = from + 1; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === BACKSLASH) {
      at++
    } else if (byte === QUOTE) {
      return at + 1
    }
  }
  return -1
}

const endOfScalar = (bytes: Buffer, from: number): number => {
  let at = from
  while (at < bytes.length && bytes[at] !== COMMA && bytes[at] !== CLOSE_ARRAY && !isSpace(bytes[at]!)) {
    at++
  }
  return at < bytes.length ? at : -1
}
