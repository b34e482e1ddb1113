/**
 * The command line of the football job.
 */
import { Effect, Either } from "effect"
import { createRequire } from "node:module"
import { fileURLToPath, pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import * as Database from "../support/Database.js"
import { UsageError } from "../support/Main.js"

export const HELP = `Loads the football matches of five leagues and computes the tables of a season.

  npm start -- [options] [name=value ...]

Job parameters, also as name=value:
  --season YEAR         the season that began in YEAR, 2013 to 2016 (default 2016); it identifies the job instance
  --file PATH           the matches as a JSON array (default: football.json of vega-datasets)
  --fail                fail in the step seasonSummary

Where to:
  --database PATH       an SQLite file (default football.db)
  --postgres URL        a PostgreSQL database (default: DATABASE_URL, if it is set)
  --no-create-tables    do not create the tables for teams, matches and standings

To play with:
  --chunk-size N        matches per transaction (default 100)
  --crash-after N       kill the process with SIGKILL after N committed chunks
  --pause MILLIS        rest after every chunk, to have time to look, or to press Ctrl-C
  --league NAME         whose table to show (default English Premier League)
  --help

Run it again with the same season, and it goes on where it stopped.
Exit codes: 0 completed, 1 failed, 2 refused (complete already, running, invalid input), 130/143 stopped by a signal.`

export interface Options {
  readonly help: boolean
  readonly target: Database.Target
  readonly createTables: boolean
  readonly chunkSize: number
  readonly crashAfter: number | undefined
  readonly pauseMillis: number
  readonly league: string
  /** Not decoded yet: that is the job's business. */
  readonly parameters: Readonly<Record<string, string>>
}

/** What the command line asks for. */
export const parse = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string | undefined>>
): Either.Either<Options, UsageError> =>
  Either.gen(function*() {
    const { positionals, values } = yield* Either.try({
      try: () => parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true }),
      catch: (error) => usage(String((error as Error).message).split(". ")[0]!)
    })
    const named = yield* Effect.runSync(Effect.either(Effect.forEach(positionals, nameAndValue)))
    return {
      help: values.help ?? false,
      target: yield* targetOf(values.database, values.postgres, env["DATABASE_URL"]),
      createTables: values["no-create-tables"] !== true,
      chunkSize: (yield* count("--chunk-size", values["chunk-size"])) ?? 100,
      crashAfter: yield* count("--crash-after", values["crash-after"]),
      pauseMillis: (yield* count("--pause", values.pause)) ?? 0,
      league: values.league ?? "English Premier League",
      parameters: {
        season: values.season ?? "2016",
        file: values.file ?? footballJson(),
        ...(values.fail === true ? { fail: "true" } : {}),
        ...Object.fromEntries(named)
      }
    }
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const OPTIONS = {
  season: { type: "string" },
  file: { type: "string" },
  fail: { type: "boolean" },
  database: { type: "string" },
  postgres: { type: "string" },
  "no-create-tables": { type: "boolean" },
  "chunk-size": { type: "string" },
  "crash-after": { type: "string" },
  pause: { type: "string" },
  league: { type: "string" },
  help: { type: "boolean", short: "h" }
} as const

const usage = (problem: string) => new UsageError({ message: `${problem}; --help tells what there is` })

const nameAndValue = (text: string): Either.Either<readonly [string, string], UsageError> => {
  const at = text.indexOf("=")
  return at > 0
    ? Either.right([text.slice(0, at), text.slice(at + 1)])
    : Either.left(usage(`"${text}" is not of the form name=value`))
}

const count = (option: string, text: string | undefined): Either.Either<number | undefined, UsageError> =>
  text === undefined || /^[1-9]\d{0,8}$/.test(text)
    ? Either.right(text === undefined ? undefined : Number(text))
    : Either.left(usage(`${option} must be a whole number of at least 1, but is "${text}"`))

const targetOf = (
  file: string | undefined,
  url: string | undefined,
  fallback: string | undefined
): Either.Either<Database.Target, UsageError> => {
  if (file !== undefined && url !== undefined) {
    return Either.left(usage("--database and --postgres exclude each other"))
  }
  const postgres = url ?? (file === undefined && fallback !== "" ? fallback : undefined)
  if (postgres !== undefined && !/^postgres(ql)?:\/\//.test(postgres)) {
    return Either.left(usage(`${url === undefined ? "DATABASE_URL" : "--postgres"} must begin with postgres://`))
  }
  return Either.right(
    postgres === undefined
      ? Database.Target.Sqlite({ file: file ?? "football.db" })
      : Database.Target.Postgres({ url: postgres })
  )
}

/** The data lies beside the code of the package. */
const footballJson = (): string =>
  fileURLToPath(
    new URL("../data/football.json", pathToFileURL(createRequire(import.meta.url).resolve("vega-datasets")))
  )
