/**
 * The same tests on every repository: in memory, on SQLite and on PostgreSQL.
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import * as Layer from "effect/Layer"
import { JobRepository, type Transactor } from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Postgres from "./Postgres.js"
import * as Sqlite from "./Sqlite.js"

export type Services = JobRepository.JobRepository | Transactor.Transactor

export interface Driver {
  readonly name: "memory" | "SQLite" | "PostgreSQL"
  /** A repository of its own for each build. */
  readonly layer: Layer.Layer<Services, unknown>
}

/**
 * A repository that shares nothing with another one: a nested `it.layer` builds with the memory of the outer one, and would
 * take over its repository with a client of the other database.
 */
const over = (client: Layer.Layer<SqlClient.SqlClient, unknown>) =>
  Layer.fresh(Layer.provideMerge(SqlJobRepository.layer, client))

/** The SQL drivers, with the client that the repository uses, for tests that write their own rows. */
export const sqlDrivers: ReadonlyArray<{
  readonly name: "SQLite" | "PostgreSQL"
  readonly layer: Layer.Layer<Services | SqlClient.SqlClient, unknown>
}> = [
  { name: "SQLite", layer: over(Sqlite.layer) },
  { name: "PostgreSQL", layer: over(Postgres.layer) }
]

export const drivers: ReadonlyArray<Driver> = [{ name: "memory", layer: JobRepository.layerMemory }, ...sqlDrivers]
