import { SqlError } from "@effect/sql/SqlError"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import { describe as describeCause, describeError, errorOf } from "../../src/vocabulary/failure.js"

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
      "SqlError: Failed to execute statement"
    )
  })
})
