/**
 * What a chunk step stores with each commit, as JSON.
 */
import * as Option from "effect/Option"
import * as Json from "../../base/json.js"
import * as Measure from "../../decisions/measure.js"

export interface Checkpoint {
  /** Where a restart opens the reader: behind the last complete chunk. */
  readonly reader: Option.Option<Json.Json>
  readonly writer: Option.Option<Json.Json>
  readonly scan: Option.Option<Scan>
}

/** In the middle of the search for bad records: `done` of the chunk's `inputs` are written, filtered or skipped. */
export interface Scan {
  readonly inputs: number
  readonly done: number
  /** Behind the chunk: bad records that follow its last input may belong to it. */
  readonly end: Json.Json
  /** Whether nothing follows the chunk. */
  readonly last: boolean
}

/** `measured`: for people who look, in whatever process; nothing goes on from it. */
export const encodeCheckpoint = ({ reader, scan, writer }: Checkpoint, measured?: Measure.Measure): Json.Json => ({
  ...(Option.isSome(reader) ? { reader: reader.value } : {}),
  ...(Option.isSome(writer) ? { writer: writer.value } : {}),
  ...(Option.isSome(scan) ? { scan: { ...scan.value } } : {}),
  ...(measured === undefined ? {} : { [Measure.FIELD]: { ...measured } })
})

/** Total: whatever is not there is none. */
export const decodeCheckpoint = (stored: Option.Option<Json.Json>): Checkpoint => {
  const fields = Option.getOrElse(Option.filter(stored, Json.isRecord), () => ({} as Json.JsonRecord))
  const scan = fields["scan"]
  return {
    reader: Option.fromNullable(fields["reader"]),
    writer: Option.fromNullable(fields["writer"]),
    scan: scan !== undefined && Json.isRecord(scan)
      ? Option.some({
        inputs: Number(scan["inputs"]),
        done: Number(scan["done"]),
        end: scan["end"] ?? null,
        last: scan["last"] === true
      })
      : Option.none()
  }
}
