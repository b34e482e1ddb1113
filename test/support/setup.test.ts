import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { isDeepStrictEqual } from "node:util"
import { BatchError, ExecutionContext, ExitStatus } from "../../src/index.js"
import { lengthened } from "./longSearch.js"

class Odd extends Data.TaggedError("Odd")<{ readonly row: number }> {}

class Row extends Schema.Class<Row>("Row")({ paid: Schema.OptionFromSelf(Schema.Number) }) {}

const differentValues: ReadonlyArray<readonly [name: string, unknown, unknown]> = [
  ["options", Option.none(), Option.some(1)],
  ["values of options", Option.some(1), Option.some(2)],
  ["eithers", Either.right(1), Either.left(1)],
  ["exits", Exit.succeed(1), Exit.fail(1)],
  ["causes", Cause.fail("a"), Cause.die("a")],
  ["chunks", Chunk.make(1), Chunk.empty()],
  ["errors with one message", new Odd({ row: 1 }), new Odd({ row: 2 })],
  ["errors of the library", new BatchError.NoSuchJobExecution({ executionId: 1 }), { executionId: 1 }],
  ["failures with one message", Either.left(new Odd({ row: 1 })), Either.left(new Odd({ row: 2 }))],
  ["instances of a class", new Row({ paid: Option.none() }), new Row({ paid: Option.some(1) })],
  ["an instance and a plain object", new Row({ paid: Option.none() }), { paid: Option.none() }],
  ["times", DateTime.unsafeMake(1), DateTime.unsafeMake(2)],
  ["exit statuses", ExitStatus.make("A"), ExitStatus.make("B")],
  ["contexts", ExecutionContext.empty, ExecutionContext.fromEntries({ a: 1 })]
]

describe("the deep comparison of the tests", () => {
  it.each(differentValues)("tells %s apart", (_, self, that) => {
    for (const wrap of [(value: unknown) => value, (value: unknown) => [value], (value: unknown) => ({ value })]) {
      for (const [actual, expected] of [[self, that], [that, self]]) {
        assert.throws(() => assert.deepStrictEqual(wrap(actual), wrap(expected)))
        assert.throws(() => assert.deepInclude([wrap(actual)], wrap(expected)))
        assert.throws(() => assert.sameDeepMembers([wrap(actual)], [wrap(expected)]))
      }
      assert.deepStrictEqual(wrap(self), wrap(self))
    }
  })
})

const cases = (): ReadonlyArray<number> => {
  const tried: Array<number> = []
  FastCheck.assert(FastCheck.property(FastCheck.integer(), (n) => {
    tried.push(n)
  }))
  return tried
}

describe("random properties", () => {
  it("try the same in every run, unless a search is asked for", () => {
    assert.strictEqual(isDeepStrictEqual(cases(), cases()), process.env["FAST_CHECK_TIMES"] === undefined)
  })
})

describe("a long search", () => {
  it("tries more of every property, and gives it the time", () => {
    assert.deepStrictEqual(
      [undefined, 1000, { fastCheck: { numRuns: 25 }, timeout: 2000 }].map((options) => lengthened(options, 20)),
      [
        { timeout: 6_000_000, fastCheck: {} },
        { timeout: 20_000, fastCheck: {} },
        { timeout: 40_000, fastCheck: { numRuns: 500 } }
      ]
    )
  })
})
