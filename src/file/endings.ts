/**
 * What stands at the beginning and at the end of a file, beside its items.
 */
import type { Buffer } from "node:buffer"
import type { Json } from "../base/json.js"
import * as encodings from "./encodings.js"
import type { Format, SinkOptions } from "./fileSink.js"
import type { State } from "./outputPlan.js"

export const beginning = <A>(format: Format<A>, options: SinkOptions, memo: Json): ReadonlyArray<string> => {
  const { byteOrderMark = encodings.unitOf(options.encoding ?? "utf-8") === 2 } = options
  return [byteOrderMark ? encodings.byteOrderMark : "", format.begin(memo)]
}

/** What may stand behind the bytes of a state if nothing else is written: a file may lack its last line break. */
export const endings = <A>(
  format: Format<A>,
  options: SinkOptions,
  { items, memo, offset }: State
): ReadonlyArray<Buffer> => {
  const end = format.end(memo, { items })
  const begin = beginning(format, options, memo).join("")
  const texts = offset === 0 ? [begin + end] : [end, (format.lineEnding ?? "") + end]
  return texts.map((text) => encodings.encode(text, options.encoding ?? "utf-8"))
}
