/**
 * SQLite for tests: a real file in WAL mode, so that several connections and processes can share it.
 */
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import type { SqlClient } from "@effect/sql/SqlClient"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

/** The path of a database file that does not exist yet, in a directory removed when the scope closes. */
export const freshFile: Effect.Effect<string, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-batch-sqlite-"))),
    (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true, force: true }))
  ),
  (directory) => Path.join(directory, "batch.db")
)

/** A client of the database in a file. */
export const layerFile = (filename: string): Layer.Layer<SqliteClient.SqliteClient | SqlClient, ConfigError> =>
  SqliteClient.layer({ filename })

/** A client of a new, empty database each time the layer is built. */
export const layer: Layer.Layer<SqliteClient.SqliteClient | SqlClient, ConfigError> = Layer.unwrapScoped(
  Effect.map(freshFile, (filename) => layerFile(filename))
)
