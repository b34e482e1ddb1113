/**
 * The part of a file that is in memory, as text that ends at a line break: block reading, decoding and exact
 * byte offsets for every reader that works line by line.
 */
import * as Effect from "effect/Effect"
import { Buffer, isUtf8 } from "node:buffer"
import type { ByteWindow } from "./byteWindow.js"
import { FileError } from "./FileError.js"

/** @internal */
export type Encoding = "utf-8" | "latin1" | "utf16le"

/** @internal */
export class TextWindow {
  /** Complete lines, or at the end of the file everything. Consumed up to `index`. */
  text = ""
  index = 0
  /** Number of the physical line at `index`, from 1. */
  line = 1
  /** The text stands for bytes that are not valid UTF-8: it holds one character per byte, see `decode`. */
  raw = false
  private regionBytes = 0
  private markIndex = 0
  private markBytes = 0

  constructor(readonly bytes: ByteWindow, readonly encoding: Encoding) {}

  /** True when nothing follows `text`. */
  get final(): boolean {
    return this.bytes.eof && this.regionBytes === this.bytes.bytes.length
  }

  get done(): boolean {
    return this.final && this.index >= this.text.length
  }

  /** The byte offset of `index` in the file. */
  get offset(): number {
    return this.bytes.base + this.byteIndex()
  }

  get fingerprint(): number {
    return this.bytes.fingerprint(this.byteIndex())
  }

  /** Makes the text longer. Fails without having moved. */
  get more(): Effect.Effect<void, FileError> {
    return Effect.suspend(() => {
      const trouble = this.trouble()
      return trouble !== undefined ? trouble : Effect.flatMap(
        this.bytes.read((block) => this.extend(block)),
        () => this.foreignMark() ?? Effect.void
      )
    }).pipe(Effect.repeat({ until: () => this.text.length > 0 || this.bytes.eof }), Effect.asVoid)
  }

  /** Goes to another place; see `ByteWindow.moveTo`. */
  moveTo(offset: number, line: number, fingerprint: number) {
    return Effect.map(this.bytes.moveTo(offset, fingerprint), () => {
      this.line = line
      this.load()
    })
  }

  /** The characters that a piece of `text` stands for, or `undefined` when its bytes are not valid. */
  decode(piece: string): string | undefined {
    if (!this.raw) {
      return piece
    }
    const bytes = Buffer.from(piece, "latin1")
    return isUtf8(bytes) ? bytes.toString("utf8") : undefined
  }

  /** A piece of `text` for people, with damaged bytes replaced. */
  display(piece: string): string {
    return this.raw ? Buffer.from(piece, "latin1").toString("utf8") : piece
  }

  private byteIndex(): number {
    if (this.encoding === "utf16le") {
      return 2 * this.index
    }
    if (this.regionBytes === this.text.length) {
      return this.index
    }
    this.markBytes += Buffer.byteLength(this.text.slice(this.markIndex, this.index), "utf8")
    this.markIndex = this.index
    return this.markBytes
  }

  private load(): void {
    const bytes = this.bytes.bytes
    const end = this.bytes.eof ? wholeCharacters(bytes.length, this.encoding) : endOfLines(bytes, this.encoding)
    const region = bytes.subarray(0, end)
    this.raw = this.encoding === "utf-8" && !isUtf8(region)
    this.text = region.toString(this.raw ? "latin1" : this.encoding)
    this.regionBytes = end
    this.index = 0
    this.markIndex = 0
    this.markBytes = 0
  }

  private extend(block: Buffer | undefined): void {
    this.bytes.drop(this.byteIndex())
    this.bytes.append(block)
    this.load()
    if (this.bytes.base === 0 && this.encoding !== "latin1" && this.text.startsWith(this.raw ? "ï»¿" : "\uFEFF")) {
      this.index = this.raw ? 3 : 1
    }
  }

  private trouble(): FileError | undefined {
    const { base, bytes, eof, maxRecordSize } = this.bytes
    if (this.regionBytes === 0 && bytes.length > maxRecordSize) {
      return this.notText(
        `there is no line break within ${maxRecordSize} bytes from byte ${base}, line ${this.line}`,
        "Check that it is a text file with LF or CRLF line ends and the right `encoding`, or raise `maxRecordSize`."
      )
    }
    return eof && bytes.length > this.regionBytes
      ? this.notText("it ends in the middle of a character", "Transfer the file again: it seems to be cut off.")
      : undefined
  }

  private foreignMark(): FileError | undefined {
    const { base, bytes } = this.bytes
    return base === 0 && this.encoding === "utf-8" && hasUtf16Mark(bytes)
      ? this.notText("it is UTF-16, not UTF-8", "Set `encoding` to \"utf16le\", or convert the file.")
      : undefined
  }

  private notText(problem: string, hint: string): FileError {
    return new FileError({ path: this.bytes.path, action: "read", reason: "NotText", problem, hint })
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const hasUtf16Mark = (bytes: Buffer): boolean =>
  (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)

const wholeCharacters = (length: number, encoding: Encoding): number =>
  encoding === "utf16le" ? length - length % 2 : length

const endOfLines = (bytes: Buffer, encoding: Encoding): number => {
  if (encoding !== "utf16le") {
    return bytes.lastIndexOf(10) + 1
  }
  for (let i = wholeCharacters(bytes.length, encoding) - 2; i >= 0; i -= 2) {
    if (bytes[i] === 10 && bytes[i + 1] === 0) {
      return i + 2
    }
  }
  return 0
}
