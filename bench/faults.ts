/**
 * What bad rows cost: files of which some rows cannot be read, processed or written, beside the clean one, into PostgreSQL
 * and SQLite, every skip counted and durable; and the two ways to find the bad rows of a chunk that was refused.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { Data, Effect, Exit, Schema } from "effect"
import type { ItemReader } from "effect-batch"
import { ItemProcessor, Step } from "effect-batch"
import { CsvItemReader } from "effect-batch/file"
import { SqlItemWriter } from "effect-batch/sql"
import * as Fs from "node:fs"
import * as database from "./database.js"
import * as measure from "./measure.js"
import * as options from "./options.js"

type Runtime = ReturnType<typeof database.postgres> | ReturnType<typeof database.sqlite>

const ROWS = 5_000

class Refused extends Data.TaggedError("Refused")<{ readonly id: number }> {}

const Line = Schema.Struct({ id: Schema.NumberFromString, amount: Schema.NumberFromString, kind: Schema.String })
type Line = typeof Line.Type

interface Fault {
  readonly phase: "read" | "process" | "write"
  /** One row of so many is bad; none without. */
  readonly every: number | undefined
}

/** The bad rows are spread over the file, so that every chunk has its share. */
const writeFile = (directory: string, { every, phase }: Fault): string => {
  const path = `${directory}/${phase}-${every ?? "clean"}.csv`
  const lines = Array.from({ length: ROWS }, (_, id) => {
    const bad = every !== undefined && id % every === every - 1
    return `${id},${bad && phase === "read" ? "much" : "1.50"},${bad ? phase : "good"}\n`
  })
  Fs.writeFileSync(path, `id,amount,kind\n${lines.join("")}`)
  return path
}

const processor = ItemProcessor.fromFunction((line: Line) =>
  line.kind === "process" ? Effect.fail(new Refused({ id: line.id })) : Exit.succeed(line)
)

type Order = "bisect" | "one-by-one"

const load = (path: string, writer: "insertInto" | "copyInto", order: Order) => {
  const reader: ItemReader.ItemReader<Line, CsvItemReader.Errors, any> = CsvItemReader.make(path, { schema: Line })
  return database.runStep(
    Step.chunk("load", { reader, processor, writer: SqlItemWriter[writer]<Line>("line"), chunkSize: 1000 }).pipe(
      Step.scan(order),
      Step.skip(["CsvError", "Refused", "SqlDataError"], { limit: ROWS })
    )
  )
}

const faults_: ReadonlyArray<Fault> = (["read", "process", "write"] as const).flatMap((phase) =>
  [1000, 100, 10].map((every) => ({ phase, every }))
)

const share = (every: number | undefined): string => every === undefined ? "none" : `${100 / every} %`

const run = async (
  title: string,
  runtime: Runtime,
  directory: string,
  server: number | undefined,
  writers: ReadonlyArray<"insertInto" | "copyInto">
): Promise<void> => {
  const sql = (text: string) => runtime.runPromise(Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(text)))
  await sql("create table line (id integer primary key, amount real, kind varchar(9) check (kind <> 'write'))")
  const clean = writeFile(directory, { phase: "read", every: undefined })
  const variants: Record<string, () => unknown> = {}
  const add = (phase: string, every: number | undefined, how: string, path: string, of: Parameters<typeof load>) => {
    variants[[phase, share(every), how].join("\t")] = () => runtime.runPromise(load(path, of[1], of[2]) as never)
  }
  for (const writer of writers) {
    add("clean", undefined, writer, clean, [clean, writer, "bisect"])
  }
  for (const { every, phase } of faults_) {
    const path = writeFile(directory, { phase, every })
    for (const writer of phase === "write" ? writers : writers.slice(0, 1)) {
      add(phase, every, phase === "write" ? `${writer}, by halves` : writer, path, [path, writer, "bisect"])
    }
    if (phase === "write" && every === 100) {
      add(phase, every, `${writers[0]}, one by one`, path, [path, writers[0]!, "one-by-one"])
    }
  }
  const samples = await measure.rounds(variants, options.roundsOr(3), { before: () => sql("delete from line"), server })
  const base = Object.values(samples)[0]!
  measure.print(
    `${title}, ${measure.thousands(ROWS)} rows in chunks of 1,000, median of ${options.roundsOr(3)} rounds`,
    ["fails to", "bad rows", "writer", "ms per chunk", "time ÷ clean", "CPU of Node ÷ clean"],
    Object.entries(samples).map(([name, runs]) => [
      ...name.split("\t"),
      (measure.wall(runs) / 1e6 / (ROWS / 1000)).toFixed(1),
      measure.ratio(base, runs).toFixed(2),
      measure.ratio(base, runs, "cpu").toFixed(2)
    ])
  )
  await runtime.dispose()
}

export const faults = (): Promise<void> =>
  database.inDirectory(async (directory) => {
    await database.withServer(({ pid, url }) =>
      run("PostgreSQL", database.postgres(url), directory, pid, ["insertInto", "copyInto"])
    )
    await run("SQLite", database.sqlite(`${directory}/bench.db`), directory, undefined, ["insertInto"])
  })
