import * as SqlClient from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import type { Kind } from "../../src/sql/SqlFailure.js"
import { classify, fromSqlError, refail, SqlDataError } from "../../src/sql/SqlFailure.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

const schema = [
  "create table owner (id int primary key)",
  `create table item (
    id int primary key, code varchar(3) unique, qty int not null check (qty > 0), owner int references owner (id)
  )`,
  "insert into item values (1, 'a', 1, null)"
]

interface Case {
  readonly statement: string
  readonly kind: Kind
  readonly tag: "SqlDataError" | "SqlStatementError" | "SqlTransientError"
  readonly mentions?: ReadonlyArray<string>
}

const both: ReadonlyArray<Case> = [
  { statement: "insert into item values (1, 'z', 1, null)", kind: "unique", tag: "SqlDataError" },
  { statement: "insert into item values (2, 'a', 1, null)", kind: "unique", tag: "SqlDataError", mentions: ["code"] },
  {
    statement: "insert into item values (2, 'b', null, null)",
    kind: "notNull",
    tag: "SqlDataError",
    mentions: ["item", "qty"]
  },
  {
    statement: "insert into item values (2, 'b', -987654, null)",
    kind: "check",
    tag: "SqlDataError",
    mentions: ["qty"]
  },
  { statement: "insert into item values (2, 'b', 1, 987654)", kind: "foreignKey", tag: "SqlDataError" },
  { statement: "select * from nowhere", kind: "missingTable", tag: "SqlStatementError", mentions: ["nowhere"] },
  { statement: "select absent from item", kind: "missingColumn", tag: "SqlStatementError", mentions: ["absent"] },
  {
    statement: "insert into item (nope) values (1)",
    kind: "missingColumn",
    tag: "SqlStatementError",
    mentions: ["nope"]
  },
  { statement: "selekt 1", kind: "other", tag: "SqlStatementError", mentions: ["selekt"] }
]

const pg: ReadonlyArray<Case> = [
  { statement: "insert into item values (2, 'secret', 1, null)", kind: "dataType", tag: "SqlDataError" },
  { statement: "insert into item values ('secret', 'b', 1, null)", kind: "dataType", tag: "SqlDataError" },
  { statement: "select 1 / 0", kind: "dataType", tag: "SqlDataError" },
  {
    statement: "do $$ begin raise exception 'conflict' using errcode = '40001'; end $$",
    kind: "serialization",
    tag: "SqlTransientError"
  },
  {
    statement: "do $$ begin raise exception 'secret' using errcode = 'P0001'; end $$",
    kind: "other",
    tag: "SqlStatementError"
  },
  // Last, because the pool hands the dead connection out once more.
  {
    statement: "do $$ begin perform pg_terminate_backend(pg_backend_pid()); end $$",
    kind: "connection",
    tag: "SqlTransientError"
  }
]

const suite = (label: string, client: Layer.Layer<SqlClient.SqlClient, unknown>, cases: ReadonlyArray<Case>) =>
  it.layer(Layer.orDie(client), { timeout: "5 minutes" })(label, (it) => {
    it.effect("says what is wrong, and never shows a value of the row", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        for (const statement of schema) {
          yield* sql.unsafe(statement)
        }
        for (const { kind, mentions, statement, tag } of cases) {
          const error = yield* Effect.flip(refail("write", "orders")(sql.unsafe(statement)))
          assert.deepStrictEqual([error.kind, error._tag], [kind, tag], statement)
          assert.include(error.message, "SQL write of \"")
          assert.notInclude(error.message, "\n")
          for (const mention of mentions ?? []) {
            assert.include(error.message, mention)
          }
          if (error instanceof SqlDataError) {
            const printed = Cause.pretty(Cause.fail(error), { renderErrorCause: true })
            assert.notInclude(printed, "987654")
            assert.notInclude(printed, "secret")
          }
        }
      }))
  })

const kinds = (codes: { readonly [K in Kind]?: ReadonlyArray<string> }): ReadonlyArray<readonly [object, Kind]> =>
  Object.entries(codes).flatMap(([kind, codes]) => codes.map((code) => [{ code }, kind as Kind] as const))

describe("SqlFailure", () => {
  suite("PostgreSQL", Postgres.layer, [...both, ...pg])
  suite("SQLite", Sqlite.layer, both)

  it("classify: what can pass is retryable, what one row causes is skippable, never both", () => {
    const table: ReadonlyArray<readonly [object, Kind]> = [
      [{ code: "40001" }, "serialization"],
      [{ code: "40P01" }, "deadlock"],
      [{ code: "08006" }, "connection"],
      [{ code: "57P01" }, "connection"],
      [{ code: "53300" }, "connection"],
      [{ code: "ECONNRESET" }, "connection"],
      [{ code: "EPIPE" }, "connection"],
      [{ message: "Connection terminated unexpectedly" }, "connection"],
      [{ message: "timeout exceeded when trying to connect" }, "connection"],
      [{ code: "55P03" }, "busy"],
      [{ code: "57014" }, "busy"],
      [{ code: "SQLITE_BUSY" }, "busy"],
      [{ code: "SQLITE_BUSY_SNAPSHOT" }, "busy"],
      [{ code: "SQLITE_LOCKED" }, "busy"],
      [{ code: "23P01" }, "unique"],
      [{ code: "22021" }, "dataType"],
      [{ code: "22P02" }, "dataType"],
      [{ code: "SQLITE_CONSTRAINT_TRIGGER" }, "check"],
      [{ code: "SQLITE_CONSTRAINT_DATATYPE" }, "dataType"],
      [{ code: "42501" }, "permission"],
      [{ code: "28P01" }, "permission"],
      [{ code: "SQLITE_READONLY" }, "permission"],
      [{ code: "3F000" }, "missingTable"],
      [{ code: "25P02" }, "other"],
      [{ code: "42601" }, "other"],
      [{}, "other"],
      ...kinds({
        unique: [
          "21000",
          "23505",
          "SQLITE_CONSTRAINT_UNIQUE",
          "SQLITE_CONSTRAINT_PRIMARYKEY",
          "SQLITE_CONSTRAINT_ROWID"
        ],
        notNull: ["23502", "SQLITE_CONSTRAINT_NOTNULL"],
        foreignKey: ["23001", "23503", "SQLITE_CONSTRAINT_FOREIGNKEY"],
        check: ["23000", "23514", "44000", "SQLITE_CONSTRAINT_CHECK"],
        dataType: ["22001", "22003", "22007", "SQLITE_MISMATCH", "SQLITE_TOOBIG"],
        missingTable: ["42P01"],
        missingColumn: ["42703"],
        permission: ["25006", "28000", "SQLITE_PERM", "SQLITE_AUTH"],
        busy: ["55006", "SQLITE_BUSY_RECOVERY", "SQLITE_LOCKED_SHAREDCACHE"],
        // Also where nobody can tell whether the transaction was committed.
        connection: ["08000", "08003", "08007", "25P03", "40003", "57P02", "57P03", "57P05"],
        other: ["00000", "3D000", "40000", "40002", "P0001", "XX000", "SQLITE_CORRUPT", "SQLITE_FULL", "ENOENT"]
      }),
      ...kinds({
        connection: [
          "ECONNREFUSED",
          "ECONNABORTED",
          "ETIMEDOUT",
          "ENOTFOUND",
          "EAI_AGAIN",
          "EHOSTUNREACH",
          "ENETUNREACH"
        ]
      })
    ]
    for (const [cause, kind] of table) {
      const found = classify(new SqlError({ cause }))
      assert.strictEqual(found.kind, kind, JSON.stringify(cause))
      assert.strictEqual(found.retryable, ["serialization", "deadlock", "connection", "busy"].includes(kind))
      assert.strictEqual(
        found.skippable,
        ["unique", "notNull", "foreignKey", "dataType", "check"].includes(kind)
      )
    }
  })

  it("classify reads the driver's fields, also when the driver's error is wrapped", () => {
    const driver = { code: "23505", constraint: "pk", table: "t", detail: "Key (id)=(5)", message: "duplicate" }
    const expected = {
      kind: "unique",
      retryable: false,
      skippable: true,
      sqlState: "23505",
      constraint: "pk",
      table: "t",
      column: undefined,
      detail: "duplicate: Key (id)=(5)"
    }
    assert.deepStrictEqual(classify(driver), expected as never)
    assert.deepStrictEqual(classify(new SqlError({ cause: new Error("pool", { cause: driver }) })), expected as never)
    assert.deepStrictEqual(
      [classify({ code: "SQLITE_CONSTRAINT_UNIQUE", message: "UNIQUE constraint failed: t.a, t.b" })].map((found) => [
        found.table,
        found.column
      ]),
      [["t", "a, b"]]
    )
  })

  it.prop(
    "classify is total",
    [FastCheck.anything(), FastCheck.option(FastCheck.string()), FastCheck.string()],
    ([cause, code, message]) => {
      for (const error of [cause, new SqlError({ cause }), { code, message }, { cause: { code, message, cause } }]) {
        const found = classify(error)
        assert.isFalse(found.retryable && found.skippable)
        assert.isString(fromSqlError("read")(new SqlError({ cause: error })).message)
      }
    }
  )
})
