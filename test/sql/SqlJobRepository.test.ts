import * as Layer from "effect/Layer"
import * as SqlJobRepository from "../../src/sql/SqlJobRepository.js"
import * as JobRepositorySuite from "../../src/testing/JobRepositorySuite.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

JobRepositorySuite.suite("PostgreSQL", Layer.provide(SqlJobRepository.layer, Postgres.layer))

JobRepositorySuite.suite("SQLite", Layer.provide(SqlJobRepository.layer, Sqlite.layer), {
  separateTransactions: false
})
