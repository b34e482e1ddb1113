/**
 * Knows by its first bytes what a file is that is no text in the encoding it is read with: an archive, another Unicode
 * encoding, the zeros that a crashed machine left (OWN-25).
 */
import { type Buffer, isUtf8 } from "node:buffer"
import { type Encoding, labels, unitOf } from "./encodings.js"

/** @internal */
export interface Foreign {
  readonly problem: string
  readonly hint: string
}

/**
 * What the file is instead, and what to do; `undefined` when the bytes may well be what they should be.
 *
 * @param encoding absent for formats that know only UTF-8
 *
 * @internal
 */
export const foreign = (head: Buffer, encoding: Encoding | undefined): Foreign | undefined => {
  const kind = kinds.find(({ at = 0, magic }) => head.length >= at + magic.length && startsAt(head, at, magic))
  if (kind !== undefined) {
    const but = kind.name.includes("in place") ? "" : ", not text"
    return { problem: `it is ${kind.name}${but}`, hint: kind.hint }
  }
  if (head.length >= 16 && head.subarray(0, 16).every((byte) => byte === 0)) {
    return {
      problem: "it begins with zero bytes, which is not text",
      hint: "Transfer the file again: it seems that it was not written to its end before a machine went down."
    }
  }
  const wanted = encoding ?? "utf-8"
  const found = marked(head) ?? unmarked(head, wanted)
  return found === undefined || found === wanted ? undefined : otherEncoding(found, wanted, encoding !== undefined)
}

/**
 * What a text is that is read as CSV and is none: a web page, XML or JSON, as a server gives them instead of a file that
 * it does not have. They would all make rows of some kind.
 *
 * @param text the beginning of the file
 *
 * @internal
 */
export const noTable = (text: string): Foreign | undefined => {
  const head = text.trimStart()
  const page = markupIn(head, "CSV")
  if (page !== undefined) {
    return page
  }
  const [line = ""] = head.split(/[\r\n]/, 1)
  if (!/^[[{]/.test(line) || (!json.test(line) && !isJson(line))) {
    return undefined
  }
  return line.startsWith("{") && isJson(line)
    ? { problem: "it is NDJSON or JSON, not CSV", hint: "Read it with NdjsonItemReader, or convert it." }
    : { problem: "it is JSON, not CSV", hint: "Read it with JsonItemReader.array, or convert it." }
}

/**
 * A web page or XML in the place of what is wanted.
 *
 * @internal
 */
export const markupIn = (text: string, wanted: string): Foreign | undefined => {
  const head = text.trimStart()
  if (!markup.test(head) && !(element.test(head) && /<\/[A-Za-z]/.test(head))) {
    return undefined
  }
  const [problem, hint] = /^<(?:!doctype html|html|head|body)\b/i.test(head)
    ? ["it is a web page", "Look at it in a browser: it often says why there is no file."]
    : ["it is XML", `Convert it to ${wanted}, or look into it: it may say why there is no file.`]
  return { problem: `${problem}, not ${wanted}`, hint }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Kind {
  readonly name: string
  readonly magic: ReadonlyArray<number>
  readonly at?: number
  readonly hint: string
}

const unpack = (how: string): string => `Unpack it first (\`${how}\`) and give the path of the file inside.`

const ascii = (text: string): ReadonlyArray<number> => Array.from(text, (char) => char.charCodeAt(0))

const kinds: ReadonlyArray<Kind> = [
  { name: "a gzip archive", magic: [0x1f, 0x8b], hint: unpack("gunzip") },
  { name: "a compress archive", magic: [0x1f, 0x9d], hint: unpack("uncompress") },
  {
    name: "a zip archive (or an Excel or OpenDocument file, which is one)",
    magic: [0x50, 0x4b, 0x03, 0x04],
    hint: "Unpack it first (`unzip`), or export the sheet as CSV."
  },
  { name: "an empty zip archive", magic: [0x50, 0x4b, 0x05, 0x06], hint: "Ask for the delivery again." },
  { name: "a bzip2 archive", magic: [...ascii("1AY&SY")], at: 4, hint: unpack("bunzip2") },
  { name: "an xz archive", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], hint: unpack("unxz") },
  { name: "a zstd archive", magic: [0x28, 0xb5, 0x2f, 0xfd], hint: unpack("unzstd") },
  { name: "an lz4 archive", magic: [0x04, 0x22, 0x4d, 0x18], hint: unpack("unlz4") },
  { name: "a 7z archive", magic: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], hint: unpack("7z x") },
  { name: "a RAR archive", magic: [...ascii("Rar!"), 0x1a, 0x07], hint: unpack("unrar x") },
  { name: "a tar archive", magic: [0x00, ...ascii("ustar")], at: 256, hint: unpack("tar xf") },
  { name: "an encrypted age file", magic: ascii("age-encryption.org/"), hint: "Decrypt it first (`age -d`)." },
  { name: "a PGP message", magic: ascii("-----BEGIN PGP"), hint: "Decrypt it first (`gpg -d`)." },
  {
    name: "an old Excel file",
    magic: [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1],
    hint: "Export the sheet as CSV."
  },
  { name: "a Parquet file", magic: [...ascii("PAR1"), 0x15], hint: "Convert it to CSV or NDJSON first." },
  { name: "an Avro file", magic: [...ascii("Obj"), 0x01], hint: "Convert it to CSV or NDJSON first." },
  {
    name: "an SQLite database",
    magic: [...ascii("SQLite format 3"), 0x00],
    hint: "Read its tables with SqlItemReader."
  },
  { name: "a PDF document", magic: ascii("%PDF-"), hint: "Ask for the data in a text format." },
  { name: "a PostScript document", magic: ascii("%!PS-"), hint: "Ask for the data in a text format." },
  { name: "an RTF document", magic: ascii("{\\rtf"), hint: "Save it as plain text." },
  { name: "a dump of pg_dump", magic: ascii("PGDMP"), hint: "Restore it (`pg_restore`) and read its tables." },
  { name: "an Arrow file", magic: [...ascii("ARROW1"), 0x00, 0x00], hint: "Convert it to CSV or NDJSON first." },
  { name: "an lzip archive", magic: ascii("LZIP\x01"), hint: unpack("lzip -d") },
  { name: "a PNG image", magic: [0x89, 0x50, 0x4e, 0x47], hint: "Ask for the data in a text format." },
  { name: "a JPEG image", magic: [0xff, 0xd8, 0xff], hint: "Ask for the data in a text format." },
  { name: "a program", magic: [0x7f, ...ascii("ELF")], hint: "Give the path of the data." },
  {
    name: "a pointer of Git LFS in place of the file",
    magic: ascii("version https://git-lfs.github.com/"),
    hint: "Get the file itself: `git lfs pull`."
  }
]

const startsAt = (bytes: Buffer, at: number, magic: ReadonlyArray<number>): boolean =>
  magic.every((byte, i) => bytes[at + i] === byte)

const markup = /^<(?:!doctype|html|head|body|\?xml|!--)/i

const element = /^<[A-Za-z_][\w.:-]*(?:\s[^<>]*)?>/

/** How an array or an object begins that goes on in the next lines, or that is too long to be looked at. */
const json = /^(?:[[{]\s*$|\[\s*[[{]|\{\s*"(?:[^"\\]|\\.)*"\s*:)/

const isJson = (line: string): boolean => {
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}

type Found = Encoding | "utf32"

const marks: ReadonlyArray<readonly [ReadonlyArray<number>, Found]> = [
  [[0xff, 0xfe, 0x00, 0x00], "utf32"],
  [[0x00, 0x00, 0xfe, 0xff], "utf32"],
  [[0xef, 0xbb, 0xbf], "utf-8"],
  [[0xff, 0xfe], "utf16le"],
  [[0xfe, 0xff], "utf16be"]
]

const marked = (head: Buffer): Found | undefined =>
  marks.find(([magic]) => head.length >= magic.length && startsAt(head, 0, magic))?.[1]

/**
 * Without a byte order mark UTF-16 shows by its zeros: all of them are the same half of a character, and every delimiter,
 * digit and line break has one.
 */
const unmarked = (head: Buffer, wanted: Encoding): Encoding | undefined => {
  const sample = head.subarray(0, 4096)
  const zeros = [0, 0]
  sample.forEach((byte, i) => byte === 0 ? zeros[i % 2]! += 1 : undefined)
  const [even, odd] = zeros as [number, number]
  const many = sample.length * 0.3
  const alternates = sample.length >= 4 && even + odd === Math.floor(sample.length / 2)
  if ((alternates || (sample.length >= leastSample && even + odd >= many)) && (even === 0 || odd === 0)) {
    return even === 0 ? "utf16le" : "utf16be"
  }
  return unitOf(wanted) === 2 && sample.length >= leastSample && even + odd === 0 && isUtf8(whole(sample))
    ? "utf-8"
    : undefined
}

/** Two or three characters may be what they are by chance. */
const leastSample = 14

/** Without a character that is cut off at the end of the sample. */
const whole = (bytes: Buffer): Buffer => {
  let end = bytes.length
  while (end > 0 && end > bytes.length - 4 && (bytes[end - 1]! & 0x80) !== 0) {
    end--
  }
  return bytes.subarray(0, end)
}

const short = (found: Found): string => found === "utf16le" ? "UTF-16" : found === "utf32" ? "UTF-32" : labels[found]

const otherEncoding = (found: Found, wanted: Encoding, choosable: boolean): Foreign => ({
  problem: `it is ${short(found)}, not ${labels[wanted]}`,
  hint: choosable && found !== "utf32"
    ? `Set \`encoding\` to "${found}", or convert the file.`
    : "Convert the file to UTF-8, for instance by `iconv`."
})
