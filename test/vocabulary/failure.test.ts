import { SqlError } from "@effect/sql/SqlError"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { TransactionError } from "../../src/vocabulary/BatchError.js"
import { chainOf, describe as describeCause, describeError, errorOf } from "../../src/vocabulary/failure.js"

class Broken extends Data.TaggedError("Broken")<{ readonly message: string }> {}

const failure = new Broken({ message: "the wheel\n  is broken" })
const other = new Broken({ message: "the other one, too" })
const defect = new TypeError("no such property")

describe("the text of a cause", () => {
  it("one line, by the failure; the place is named for a defect only", () => {
    assert.strictEqual(describeCause(Cause.fail(failure)), "Broken: the wheel is broken")
    assert.match(describeCause(Cause.die(defect)), /^TypeError: no such property \(at .*failure\.test\.ts:\d+:\d+\)$/)
    assert.strictEqual(describeCause(Cause.die("out of paper")), "out of paper")
    assert.strictEqual(describeCause(Cause.interrupt(FiberId.none)), "interrupted")
    assert.strictEqual(describeCause(Cause.empty), "interrupted")
  })

  it("a defect comes before any failure, since it decides (LIFE-14)", () => {
    for (const cause of [Cause.sequential(Cause.fail(failure), Cause.die(defect)), Cause.die(defect)]) {
      assert.match(describeCause(cause), /^TypeError: no such property/)
      assert.strictEqual(Option.getOrNull(errorOf(cause)), defect)
    }
    assert.strictEqual(Option.getOrNull(errorOf(Cause.fail(failure))), failure)
  })

  it("of several it tells the first, and how many more there are", () => {
    const both = Cause.parallel(Cause.fail(failure), Cause.fail(other))
    assert.strictEqual(describeCause(both), "Broken: the wheel is broken (and 1 more)")
    assert.match(describeCause(Cause.parallel(both, Cause.die(defect))), /^TypeError: .* \(and 2 more\)$/)
  })

  it("counts neither an interruption nor the same error twice", () => {
    const again = Cause.sequential(
      Cause.fail(failure),
      Cause.parallel(Cause.interrupt(FiberId.none), Cause.fail(failure))
    )
    assert.strictEqual(describeCause(again), "Broken: the wheel is broken")
  })
})

describe("what keeps a program from starting", () => {
  const told = (config: Config.Config<unknown>) =>
    Effect.map(
      Effect.flip(Effect.withConfigProvider(
        config,
        ConfigProvider.fromMap(new Map([["PORT", "s3cret"]]), { pathDelim: "_" })
      )),
      (error) => describeError(error).replace(/ \(set it .*\)$/, "")
    )

  it.effect("configuration: the keys that are missing or wrong, and never a value", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* told(Config.redacted("DATABASE_URL")), "ConfigError: DATABASE_URL is not set")
      assert.strictEqual(
        yield* told(Config.all([Config.string("A"), Config.string("B")])),
        "ConfigError: A is not set and B is not set"
      )
      assert.strictEqual(
        yield* told(Config.orElse(Config.string("A"), () => Config.nested(Config.string("URL"), "DB"))),
        "ConfigError: A is not set or DB_URL is not set"
      )
      assert.strictEqual(yield* told(Config.integer("PORT")), "ConfigError: PORT has a value that cannot be used")
      assert.include(describeError(yield* Effect.flip(Config.redacted("NO_SUCH_KEY"))), "set it in the environment")
    }))

  const refused = (message: string, code?: string) =>
    describeError(
      new SqlError({
        message: "PgClient: Failed to connect",
        cause: Object.assign(new Error(message), code === undefined ? {} : { code })
      })
    )

  it("database: what its driver says and what helps, and no password", () => {
    const user = "password authentication failed for user \"shop\""
    assert.strictEqual(
      refused(user, "28P01"),
      `SqlError: PgClient: Failed to connect: ${user} (check the user and the password in the URL of the database)`
    )
    assert.strictEqual(
      refused("database \"shop\" does not exist", "3D000"),
      "SqlError: PgClient: Failed to connect: database \"shop\" does not exist " +
        "(create this database, or correct its name in the URL)"
    )
    const url = refused("cannot use postgres://shop:s3c:r@/t@db/shop")
    assert.include(url, "cannot use postgres://shop:<redacted>@db/shop (check the URL of the database)")
    assert.notInclude(url, "s3c")
  })

  it("database: every address of the host that refuses", () => {
    const each = ["::1:5432", "127.0.0.1:5432"].map((address) =>
      Object.assign(new Error(`connect ECONNREFUSED ${address}`), { code: "ECONNREFUSED" })
    )
    assert.strictEqual(
      describeError(new SqlError({ message: "Failed to acquire connection", cause: new AggregateError(each) })),
      "SqlError: Failed to acquire connection: connect ECONNREFUSED ::1:5432, connect ECONNREFUSED 127.0.0.1:5432 " +
        "(check that the database is running and listens at this address)"
    )
  })

  it("a statement that is refused does not quote the row", () => {
    const cause = Object.assign(new Error("invalid input syntax for type integer: \"s3cret\""), { code: "22P02" })
    assert.strictEqual(
      describeError(new SqlError({ message: "Failed to execute statement", cause })),
      "SqlError: Failed to execute statement: invalid input syntax for type integer (SQLSTATE 22P02)"
    )
  })
})

/** As node-postgres makes them. */
const refusedBy = (code: string, message: string, names: object = {}) =>
  new SqlError({
    message: "Failed to execute statement",
    cause: Object.assign(new Error(message), { code, severity: "ERROR", ...names })
  })

describe("what a database refused", () => {
  it("says code, table and constraint, and each name once", () => {
    assert.strictEqual(
      describeError(
        refusedBy("23505", "duplicate key value violates unique constraint \"orders_pkey\"", {
          table: "orders",
          constraint: "orders_pkey",
          detail: "Key (id)=(s3cret) already exists."
        })
      ),
      "SqlError: Failed to execute statement: duplicate key value violates unique constraint \"orders_pkey\" " +
        "(SQLSTATE 23505, table \"orders\")"
    )
    assert.strictEqual(
      describeError(
        new SqlError({
          cause: Object.assign(new Error("UNIQUE constraint failed: orders.id"), { code: "SQLITE_CONSTRAINT_UNIQUE" })
        })
      ),
      "SqlError: UNIQUE constraint failed: orders.id (SQLITE_CONSTRAINT_UNIQUE)"
    )
  })

  it("says it inside an error of the user, too", () => {
    class PostingFailed extends Data.TaggedError("PostingFailed")<{ readonly cause: unknown }> {}
    assert.strictEqual(
      describeError(new PostingFailed({ cause: refusedBy("42P01", "relation \"ledger\" does not exist") })),
      "PostingFailed: relation \"ledger\" does not exist (SQLSTATE 42P01)"
    )
  })

  it("quotes no value of a row, whatever the message looks like", () => {
    for (
      const message of [
        "invalid input syntax for type integer: \"s3cret\"",
        "value \"s3cret\" is out of range for type integer",
        "date/time field value out of range: \"s3cret\"",
        "invalid input value for enum color: \"s3\ncret\"",
        "malformed range literal: \"s3cret\""
      ]
    ) {
      for (
        const text of [
          describeError(refusedBy("22P02", message)),
          chainOf(Cause.fail(refusedBy("22P02", message))).join("\n")
        ]
      ) {
        assert.notMatch(text, /s3|cret/)
        assert.include(text, "SQLSTATE 22P02")
      }
    }
  })

  it("a transaction, a session or a disk is blamed for what is its own, and says what helps", () => {
    const helps: ReadonlyArray<readonly [code: string, says: RegExp]> = [
      ["25P02", /earlier statement of this transaction failed and its error was caught/],
      ["25006", /read-only.*connect to the primary/],
      ["53100", /make room on the disk/],
      ["57014", /cancelled: look at statement_timeout/],
      ["SQLITE_FULL", /make room on the disk/],
      ["SQLITE_READONLY_DBMOVED", /cannot be written/],
      ["SQLITE_CORRUPT", /restore it from a backup/]
    ]
    for (const [code, says] of helps) {
      assert.match(describeError(refusedBy(code, "driver's words")), says)
      const transaction = new TransactionError({ reason: "fatal", phase: "body", sqlState: code, cause: "" })
      assert.match(transaction.message, says)
    }
  })
})

describe("what an error of the user says", () => {
  it("a code that is no text is none of a database", () => {
    for (const code of [7, "", null, { of: "23505" }]) {
      const rpc = Object.assign(new Error("the other side is busy"), { code })
      for (const error of [rpc, new SqlError({ cause: rpc, message: "Failed to execute statement" })]) {
        assert.include(describeError(error), "the other side is busy")
        assert.notInclude(describeError(error), "SQLSTATE")
      }
    }
  })

  it("of an error without a message the first eight fields, and that there are more", () => {
    const said = (count: number) =>
      describeError(Object.fromEntries(Array.from({ length: count }, (_, n) => [`field${n}`, n])))
    assert.include(said(8), "field7: 7")
    assert.notInclude(said(8), "…")
    assert.include(said(9), "field7: 7, …")
    assert.notInclude(said(9), "field8")
  })

  it("no more than two thousand characters each, and four thousand with its causes", () => {
    const said = (...lengths: ReadonlyArray<number>) =>
      describeError(
        lengths.reduceRight<Error | undefined>(
          (cause, length, at) => new Error("abc"[at]!.repeat(length), { cause }),
          undefined
        )
      )
    assert.strictEqual(said(2000), `Error: ${"a".repeat(2000)}`)
    assert.strictEqual(said(2001), `Error: ${"a".repeat(2000)}…`)
    const whole = ["a", "b", "c"].map((letter) => `Error: ${letter.repeat(1900)}`).join(", caused by ")
    assert.strictEqual(said(1900, 1900, 1900), `${whole.slice(0, "Error: ".length + 4000)}…`)
  })

  class VatServiceDown extends Data.TaggedError("VatServiceDown")<
    { readonly country: string; readonly status: number; readonly apiKey?: unknown; readonly nested?: unknown }
  > {}

  it("its fields, when it has no message; secrets are not among them", () => {
    assert.strictEqual(
      describeError(new VatServiceDown({ country: "DE", status: 503 })),
      "VatServiceDown: country: \"DE\", status: 503"
    )
    const line = describeError(
      new VatServiceDown({
        country: "DE",
        status: 1,
        apiKey: "s3cret",
        nested: { password: "s3cret", safe: Redacted.make("s3cret") }
      })
    )
    assert.notInclude(line, "s3cret")
    assert.include(line, "apiKey: <redacted>")
  })

  it.effect("what a rejected promise was rejected with", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.tryPromise(() => Promise.reject(new Error("connect ECONNREFUSED"))))
      assert.strictEqual(describeError(error), "Error: connect ECONNREFUSED")
      const text = yield* Effect.flip(Effect.tryPromise(() => Promise.reject("no paper")))
      assert.strictEqual(describeError(text), "no paper")
    }))

  it("its causes in order, each that says something new, and not without end", () => {
    const error = new Error("cannot post", {
      cause: new Error("cannot reach the bank", { cause: new VatServiceDown({ country: "DE", status: 503 }) })
    })
    assert.strictEqual(
      describeError(error),
      "Error: cannot post, caused by Error: cannot reach the bank, " +
        "caused by VatServiceDown: country: \"DE\", status: 503"
    )
    assert.strictEqual(
      describeError(new Error("cannot post: disk full", { cause: new Error("disk full") })),
      "Error: cannot post: disk full"
    )
    const circle: { cause?: unknown } & Error = new Error("round")
    circle.cause = circle
    assert.strictEqual(describeError(circle), "Error: round")
    assert.isBelow(chainOf(Cause.fail(circle)).length, 20)
    assert.isBelow(describeError(new Error("x".repeat(1e6))).length, 5000)
  })

  it("never a password of a URL", () => {
    assert.strictEqual(
      describeError(new Error("cannot open https://bank:s3:cr/et@host/x")),
      "Error: cannot open https://bank:<redacted>@host/x"
    )
  })

  it("in full: of bounded size, and says how much more there is", () => {
    const many = new AggregateError(Array.from({ length: 500 }, (_, i) => new Error(`${i} ${"x".repeat(900)}`)), "all")
    const lines = chainOf(Cause.fail(many))
    assert.isBelow(lines.join("\n").length, 12_100)
    assert.match(lines.at(-1)!, /^… and \d+ more$/)
    assert.strictEqual(lines.length - 1 + Number(/\d+/.exec(lines.at(-1)!)![0]), 501)
    const small = new AggregateError(Array.from({ length: 60 }, (_, i) => String(i)), "all")
    assert.deepStrictEqual(chainOf(Cause.fail(small)).slice(-1), ["… and 1 more"])
  })

  it("in full: fields, places in the code and causes, one a line", () => {
    const error = new VatServiceDown({ country: "DE", status: 503, nested: undefined })
    const lines = chainOf(Cause.fail(new Error("cannot post", { cause: error })))
    assert.match(lines[0]!, /^Error: cannot post \(at .*failure\.test\.ts:\d+:\d+\)$/)
    assert.match(lines[1]!, /^  caused by VatServiceDown \{ country: "DE", status: 503 \}/)
  })
})
