/**
 * The part of a file that is in memory, as text that ends at a line break: block reading, decoding and exact
 * byte offsets for every reader that works line by line.
 */
import * as Effect from "effect/Effect"
import { Buffer, isUtf8 } from "node:buffer"
import type { ByteWindow, Proof } from "./byteWindow.js"
import * as encodings from "./encodings.js"
import { FileError } from "./FileError.js"
import type { FileRange } from "./fileRange.js"
import { adviceFor, otherBreak } from "./lineBreaks.js"

/** @internal */
export interface TextOptions {
  readonly encoding?: encodings.Encoding | undefined
  /** What ends a line; a carriage return before a line feed belongs to it. */
  readonly lineBreak?: "\n" | "\r" | undefined
  /** Whether the reader has an option for the line ends. */
  readonly choosable?: boolean | undefined
  /** Whether a last line without a line break means that the file is cut off. */
  readonly requireFinalLineBreak?: boolean | undefined
}

/** @internal */
export class TextWindow {
  /** Complete lines, or at the end of the file everything. Consumed up to `index`. */
  text = ""
  index = 0
  /** Number of the physical line at `index`, from 1. */
  line = 1
  /** The text stands for bytes that are not valid UTF-8: it holds one character per byte, see `decode`. */
  raw = false
  readonly encoding: encodings.Encoding
  readonly lineBreak: "\n" | "\r"
  private readonly choosable: boolean
  private readonly complete: boolean
  private damaged = false
  private regionBytes = 0
  /** Where the text begins, behind a byte order mark. */
  private start = 0
  private markIndex = 0
  private markBytes = 0

  constructor(readonly bytes: ByteWindow, options: TextOptions = {}) {
    this.encoding = options.encoding ?? "utf-8"
    this.lineBreak = options.lineBreak ?? "\n"
    this.choosable = options.choosable ?? false
    this.complete = options.requireFinalLineBreak ?? false
  }

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

  /** Where `index` stands in the file, with what shows later that everything before it is still the same. */
  get place() {
    const { line, offset } = this
    return { ...this.bytes.proof(this.byteIndex()), offset, line }
  }

  /** Whether the whole file is in memory and holds no line break of this kind, at least not before its last character. */
  get oneLine(): boolean {
    return this.final && this.onlyOneSoFar
  }

  /**
   * Whether it takes more of the file to know if it is one line. What a reader says of a file must not depend on where its
   * blocks happen to end.
   */
  get maybeOneLine(): boolean {
    return !this.final && this.onlyOneSoFar
  }

  /** Makes the text longer. Fails without having moved. */
  get more(): Effect.Effect<void, FileError> {
    return Effect.suspend(() => {
      const trouble = this.trouble()
      return trouble !== undefined ? trouble : Effect.flatMap(
        this.bytes.read((block) => this.extend(block)),
        () => this.cutOff() ?? Effect.void
      )
    }).pipe(Effect.repeat({ until: () => this.text.length > 0 || this.bytes.eof }), Effect.asVoid)
  }

  /** Keeps to a range of the file; see `ByteWindow.enter`. */
  enter(range: FileRange, format: number, header?: number) {
    return Effect.map(this.bytes.enter(range, format, header), () => {
      this.line = range.line
      this.load()
    })
  }

  /** Goes to another place; see `ByteWindow.moveTo`. */
  moveTo(offset: number, line: number, proof: Proof) {
    return Effect.map(this.bytes.moveTo(offset, proof), () => {
      this.line = line
      this.load()
    })
  }

  /** The characters that a piece of `text` stands for, or `undefined` when its bytes are not valid. */
  decode(piece: string): string | undefined {
    if (this.raw) {
      const bytes = Buffer.from(piece, "latin1")
      return isUtf8(bytes) ? bytes.toString("utf8") : undefined
    }
    return this.damaged && !encodings.valid(piece, this.encoding) ? undefined : piece
  }

  /** Whether every piece of `text` is what it stands for. */
  get clean(): boolean {
    return !this.raw && !this.damaged
  }

  /** A piece of `text` for people, with damaged bytes replaced. */
  display(piece: string): string {
    return this.raw ? Buffer.from(piece, "latin1").toString("utf8") : piece
  }

  notText(problem: string, hint: string): FileError {
    return new FileError({ path: this.bytes.path, action: "read", reason: "NotText", problem, hint })
  }

  private get onlyOneSoFar(): boolean {
    const found = this.text.indexOf(this.lineBreak)
    return this.bytes.whole && this.bytes.base <= this.start && (found < 0 || found === this.text.length - 1)
  }

  private byteIndex(): number {
    const unit = encodings.unitOf(this.encoding)
    if (unit === 2 || this.regionBytes === this.text.length) {
      return unit * this.index
    }
    this.markBytes += Buffer.byteLength(this.text.slice(this.markIndex, this.index), "utf8")
    this.markIndex = this.index
    return this.markBytes
  }

  private load(): void {
    const { bytes, eof } = this.bytes
    const unit = encodings.unitOf(this.encoding)
    const end = eof ? bytes.length - bytes.length % unit : endOfLines(bytes, this.encoding, this.lineBreak)
    const { state, text } = encodings.decode(bytes.subarray(0, end), this.encoding)
    this.raw = state === "raw"
    this.damaged = state === "damaged"
    this.text = text
    this.regionBytes = end
    this.index = 0
    this.markIndex = 0
    this.markBytes = 0
  }

  private extend(block: Buffer | undefined): void {
    this.bytes.drop(this.byteIndex())
    this.bytes.append(block)
    this.load()
    const mark = this.raw ? encodings.rawMark : encodings.byteOrderMark
    if (this.bytes.base === 0 && this.encoding !== "latin1" && this.text.startsWith(mark)) {
      this.index = this.raw ? 3 : 1
      this.start = this.byteIndex()
    }
  }

  private trouble(): FileError | undefined {
    const { base, bytes, eof, maxRecordSize } = this.bytes
    if (this.regionBytes === 0 && bytes.length > maxRecordSize) {
      const whole = maxRecordSize - maxRecordSize % encodings.unitOf(this.encoding)
      const other = otherBreak(encodings.decode(bytes.subarray(0, whole), this.encoding).text, this.lineBreak)
      return this.notText(
        `there is no line break within ${maxRecordSize} bytes from byte ${base}, line ${this.line}` +
          (other === undefined ? "" : `; its lines seem to end with ${other.name}`),
        other === undefined
          ? "Check that it is a text file with LF or CRLF line ends and the right `encoding`, or raise `maxRecordSize`."
          : adviceFor(other, this.choosable)
      )
    }
    return eof && bytes.length > this.regionBytes
      ? this.notText("it ends in the middle of a character", "Transfer the file again: it seems to be cut off.")
      : undefined
  }

  private cutOff(): FileError | undefined {
    return this.complete && this.final && this.text.length > 0 && !this.text.endsWith(this.lineBreak)
      ? new FileError({
        path: this.bytes.path,
        action: "read",
        reason: "Incomplete",
        problem: "it does not end with a line break",
        hint: "Transfer the file again: it seems to be cut off. Or leave out `requireFinalLineBreak`."
      })
      : undefined
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const endOfLines = (bytes: Buffer, encoding: encodings.Encoding, lineBreak: "\n" | "\r"): number => {
  const code = lineBreak.charCodeAt(0)
  if (encodings.unitOf(encoding) === 1) {
    return bytes.lastIndexOf(code) + 1
  }
  const [first, second] = encoding === "utf16le" ? [code, 0] : [0, code]
  for (let i = bytes.length - bytes.length % 2 - 2; i >= 0; i -= 2) {
    if (bytes[i] === first && bytes[i + 1] === second) {
      return i + 2
    }
  }
  return 0
}
