/**
 * What reading and writing of files must not do: cost more per byte where rows are wide or fields are long, and spend more
 * than 3 % of the time on the checksum that shows whether a file is still the same.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import type * as FileSystem from "@effect/platform/FileSystem"
import { Effect, Option } from "effect"
import type { ItemReader, ItemWriter } from "effect-batch"
import { CsvItemReader, CsvItemWriter, JsonItemReader, NdjsonItemReader, NdjsonItemWriter } from "effect-batch/file"
import * as Fs from "node:fs"
import * as Os from "node:os"
import { crc32 } from "node:zlib"
import * as measure from "./measure.js"
import * as options from "./options.js"

const drain = (reader: ItemReader.ItemReader<unknown, unknown, FileSystem.FileSystem>, max = 1000): Promise<void> =>
  Effect.gen(function*() {
    const source = yield* reader.open(Option.none())
    while (!(yield* source.pull(max)).done) {
      // nothing
    }
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer), Effect.runPromise)

const write = (
  writer: ItemWriter.ItemWriter<any, unknown, FileSystem.FileSystem>,
  items: ReadonlyArray<unknown>
): Promise<void> =>
  Effect.gen(function*() {
    const sink = yield* writer.open(Option.none())
    yield* sink.write(items)
    yield* sink.flush!
    yield* sink.complete!
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer), Effect.runPromise)

/** The checksum alone, in pieces of a page. */
const checksum = (bytes: Uint8Array, page: number): number => {
  let sum = 0
  for (let from = 0; from < bytes.length; from += page) {
    sum = crc32(bytes.subarray(from, from + page), sum)
  }
  return sum
}

const shares = async (directory: string): Promise<void> => {
  const items = Array.from(
    { length: options.rows },
    (_, i) => ({ id: `${i}`, name: `name ${i}`, note: `"quoted", ${i}` })
  )
  await write(CsvItemWriter.make(`${directory}/a.csv`), items)
  await write(NdjsonItemWriter.make(`${directory}/a.ndjson`), items)
  Fs.writeFileSync(`${directory}/a.json`, JSON.stringify(items))
  const readers = {
    CSV: [CsvItemReader.make(`${directory}/a.csv`), `${directory}/a.csv`],
    NDJSON: [NdjsonItemReader.make(`${directory}/a.ndjson`), `${directory}/a.ndjson`],
    JSON: [JsonItemReader.array(`${directory}/a.json`), `${directory}/a.json`]
  } as const
  const rows: Array<ReadonlyArray<string>> = []
  for (const [name, [reader, file]] of Object.entries(readers)) {
    const bytes = Fs.readFileSync(file)
    const page = Math.ceil(bytes.length / items.length) * 1000
    const found = await measure.rounds(
      { reading: () => drain(reader), checksum: () => checksum(bytes, page) },
      options.roundsOr(7)
    )
    const share = 100 * measure.ratio(found.reading, found.checksum)
    const speed = bytes.length / 2 ** 20 / (measure.wall(found.reading) / 1e9)
    rows.push([name, `${Math.round(speed)} MiB/s`, `${share.toFixed(1)} %`])
  }
  measure.print("The checksum, as a share of reading without a schema", ["format", "speed", "checksum"], rows)
}

/** Rows with many columns, and rows with one long field. */
const shapes = {
  "columns of a row": (count: number) =>
    Array.from(
      { length: 3 },
      () => Object.fromEntries(Array.from({ length: count }, (_, i) => [`column${i}`, `v${i}`]))
    ),
  "characters of a field": (count: number) =>
    Array.from({ length: 3 }, () => ({ id: "1", text: "some \"text\", and\nmore ".repeat(count / 20) }))
}

const growth = async (directory: string): Promise<void> => {
  const rows: Array<ReadonlyArray<string>> = []
  const sizes = { "columns of a row": 10_000, "characters of a field": 1_000_000 }
  for (const [shape, make] of Object.entries(shapes)) {
    const least = sizes[shape as keyof typeof sizes]
    const [few, many] = [make(least), make(10 * least)]
    await write(CsvItemWriter.make(`${directory}/few.csv`), few)
    await write(CsvItemWriter.make(`${directory}/many.csv`), many)
    await write(NdjsonItemWriter.make(`${directory}/few.ndjson`), few)
    await write(NdjsonItemWriter.make(`${directory}/many.ndjson`), many)
    const kinds: Readonly<Record<string, (which: "few" | "many") => () => Promise<void>>> = {
      "read CSV": (which) => () => drain(CsvItemReader.make(`${directory}/${which}.csv`, { maxRecordSize: 2 ** 26 })),
      "write CSV": (which) => () => write(CsvItemWriter.make(`${directory}/out`), which === "few" ? few : many),
      "read NDJSON": (which) => () =>
        drain(NdjsonItemReader.make(`${directory}/${which}.ndjson`, { maxRecordSize: 2 ** 26 })),
      "write NDJSON": (which) => () => write(NdjsonItemWriter.make(`${directory}/out`), which === "few" ? few : many)
    }
    for (const [kind, run] of Object.entries(kinds)) {
      const found = await measure.rounds({ few: run("few"), many: run("many") }, options.roundsOr(5))
      rows.push([
        kind,
        `${measure.thousands(least)} → ${measure.thousands(10 * least)} ${shape}`,
        `${measure.ratio(found.few, found.many, "cpu").toFixed(1)}`
      ])
    }
  }
  measure.print("Ten times as much takes so many times as long", ["what", "size", "time"], rows)
}

export const files = async (): Promise<void> => {
  const directory = Fs.mkdtempSync(`${Os.tmpdir()}/files-`)
  try {
    await shares(directory)
    await growth(directory)
  } finally {
    Fs.rmSync(directory, { recursive: true })
  }
}
