/**
 * The database of an example: an SQLite file, which needs nothing installed, or PostgreSQL. Repository and data share
 * its client, so both commit together.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import type { SqlClient } from "@effect/sql/SqlClient"
import { Cause, Data, Layer, Redacted } from "effect"
import type { BatchError, JobRepository, Transactor } from "effect-batch"
import { SqlJobRepository } from "effect-batch/sql"

export type Target = Data.TaggedEnum<{
  Sqlite: { readonly file: string }
  Postgres: { readonly url: string }
}>
export const Target = Data.taggedEnum<Target>()

/** The name of a database for people, without the password. */
export const describe: (target: Target) => string = Target.$match({
  Sqlite: ({ file }) => `SQLite file ${file}`,
  Postgres: ({ url }) =>
    URL.canParse(url) ? `PostgreSQL database ${new URL(url).host}${new URL(url).pathname}` : "PostgreSQL database"
})

export class DatabaseUnreachable extends Data.TaggedError("DatabaseUnreachable")<{
  readonly target: Target
  readonly problem: string
}> {
  override get message(): string {
    const advice = this.target._tag === "Sqlite"
      ? "give another path with --database"
      : "start the server, or correct the URL in --postgres or DATABASE_URL"
    return `Cannot open the ${describe(this.target)}: ${this.problem}; ${advice}`
  }
}

export const layer = (target: Target): Layer.Layer<
  SqlClient | JobRepository.JobRepository | Transactor.Transactor,
  DatabaseUnreachable | BatchError.JobRepositoryError
> => Layer.provideMerge(SqlJobRepository.layer, client(target))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const client = (target: Target): Layer.Layer<SqlClient, DatabaseUnreachable> =>
  // The SQLite driver throws when it cannot open the file, so this is about defects, too.
  Layer.catchAllCause(
    driver(target),
    (cause) => Layer.fail(new DatabaseUnreachable({ target, problem: problemOf(cause) }))
  )

const driver: (target: Target) => Layer.Layer<SqlClient, unknown> = Target.$match({
  Sqlite: ({ file }) => SqliteClient.layer({ filename: file }),
  Postgres: ({ url }) => PgClient.layer({ url: Redacted.make(url), applicationName: "effect-batch example" })
})

const problemOf = (cause: Cause.Cause<unknown>): string => {
  let error = Cause.squash(cause)
  while (error instanceof Error && error.cause !== undefined) {
    error = error.cause
  }
  const first = error instanceof AggregateError ? error.errors[0] : error
  return first instanceof Error ? first.message : String(first)
}
