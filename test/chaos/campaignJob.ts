/**
 * The jobs of the chaos campaign: each writes the same items into a table without a key, and most of them into a file as well,
 * by a writer of every kind. What stands in the one is compared with what stands in the other.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { CsvItemWriter, JsonItemWriter, NdjsonItemWriter, TextItemWriter } from "../../src/file/index.js"
import { ItemReader, ItemWriter, Job, JobParameters, Step, StepScope } from "../../src/index.js"
import { SqlItemWriter } from "../../src/sql/index.js"

export const chunkSize = 3
export const rows = 30 * chunkSize

/** `rows`: no file. `message`: no file, and each chunk is one message. The last three are promised less. */
export const kinds = [
  "rows",
  "message",
  "csv",
  "json",
  "ndjson",
  "text",
  "append",
  "inPlaceCsv",
  "inPlaceText"
] as const

export type Kind = typeof kinds[number]

export class Params extends JobParameters.Tag<Params>()("CampaignParams", {
  job: Schema.Int,
  kind: Schema.Literal(...kinds)
}) {}

interface Row {
  readonly job: number
  readonly id: number
  readonly execution: number
}

export const pathOf = (directory: string, job: number, kind: Kind): string => Path.join(directory, `${kind}-${job}.out`)

/** What a file that is appended to holds before. */
export const before = "0\n"

/** The ids that stand in the output of a job, in their order; none when it writes no file. */
export const idsIn = (directory: string, job: number, kind: Kind): ReadonlyArray<number> | undefined => {
  if (kind === "rows" || kind === "message") {
    return undefined
  }
  const text = Fs.readFileSync(pathOf(directory, job, kind), "utf8")
  switch (kind) {
    case "json":
      return (JSON.parse(text) as ReadonlyArray<{ readonly id: number }>).map(({ id }) => id)
    case "ndjson":
      return text.trimEnd().split("\n").map((line) => (JSON.parse(line) as { readonly id: number }).id)
    case "csv":
    case "inPlaceCsv":
      return text.trimEnd().split(/\r?\n/).slice(1).map((line) => Number(line.split(",")[1]))
    default:
      return text.trimEnd().split("\n").map(Number)
  }
}

export const table = [
  "create table campaign_row (job integer not null, id integer not null, execution integer not null)",
  "create function campaign_dawdle() returns trigger language plpgsql as $$ begin " +
  "perform pg_sleep(random() * 0.003); return new; end $$",
  "create trigger dawdles before insert on campaign_row for each row execute function campaign_dawdle()"
]

/** Keeps the transaction open for a while, so that faults land inside of it, too. */
const dawdle = ItemWriter.fromFunction((_: ReadonlyArray<Row>) => Effect.sleep(Math.random() * 8), { name: "dawdle" })

const insert = SqlItemWriter.insertInto<Row>("campaign_row")

type Writer = ItemWriter.ItemWriter<Row, unknown, FileSystem.FileSystem | SqlClient.SqlClient>

const fileWriter = (path: string, kind: Kind): ItemWriter.ItemWriter<Row, unknown, FileSystem.FileSystem> => {
  const line = ({ id }: Row) => String(id)
  switch (kind) {
    case "json":
      return JsonItemWriter.array<Row>(path)
    case "ndjson":
      return NdjsonItemWriter.make<Row>(path)
    case "csv":
      return CsvItemWriter.make<Row>(path)
    case "inPlaceCsv":
      return CsvItemWriter.make<Row>(path, { inPlace: true })
    case "append":
      return TextItemWriter.lines(path, line, { ifExists: "append" })
    case "inPlaceText":
      return TextItemWriter.lines(path, line, { inPlace: true })
    default:
      return TextItemWriter.lines(path, line)
  }
}

export const campaignJob = (directory: string) =>
  Job.make("campaign", {
    parameters: Params,
    flow: Step.chunk("load", {
      reader: ItemReader.fromIterable(Array.from({ length: rows }, (_, index) => index + 1)),
      processor: (id: number) =>
        Effect.zipWith(Params, StepScope.execution, ({ job }, { jobExecutionId: execution }): Row => ({
          job,
          id,
          execution
        })),
      writer: ItemWriter.unwrap(
        Effect.map(Params, ({ job, kind }) =>
          kind === "message"
            ? insert as Writer
            : kind === "rows"
            ? ItemWriter.tee(insert, dawdle) as Writer
            : ItemWriter.tee(insert, dawdle, fileWriter(pathOf(directory, job, kind), kind)) as Writer)
      ),
      chunkSize
    })
  })
