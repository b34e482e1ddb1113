/**
 * What is remembered of the partitions that listeners have been told of.
 */
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Told from "../../src/decisions/partitionTold.js"

const told = FastCheck.uniqueArray(FastCheck.tuple(FastCheck.integer({ min: 1, max: 40 }), FastCheck.boolean()), {
  selector: ([id]) => id,
  maxLength: 40
})

describe("what listeners were told of partitions", () => {
  it.prop(
    "is remembered of each execution as it was, also when it was stored, whatever was forgotten as it had ended (PART-12)",
    [told, FastCheck.integer({ min: 0, max: 41 })],
    ([told, forgotten]) => {
      const known = new Map(told.map(([id, ended]) => [id, { ended }] as const))
      const mark = Schema.decodeSync(Told.Mark)(
        JSON.parse(JSON.stringify(Schema.encodeSync(Told.Mark)(Told.markOf(known, forgotten))))
      )
      for (let id = 1; id <= 42; id++) {
        const expected = known.get(id)?.ended === false
          ? "begin"
          : known.has(id) || id <= forgotten
          ? "all"
          : "nothing"
        assert.strictEqual(Told.toldOf(mark, id), expected, `execution ${id}`)
      }
      const behind = told.flatMap(([id, ended]) => ended && id > forgotten ? [id] : []).sort((a, b) => a - b)
      assert.deepStrictEqual(Told.endedOf(mark), behind)
    }
  )

  it.prop(
    "is the same when what has ended long ago is forgotten, in whatever order it was heard of (PART-12)",
    [told, FastCheck.array(FastCheck.nat(4), { minLength: 40, maxLength: 40 }), FastCheck.nat(3)],
    ([told, changes, oldest]) => {
      const known = new Map(told.map(([id, ended], at) => [id, { ended, changedAt: changes[at]! }]))
      const left = Told.forget(known, 0, oldest)
      const mark = Told.markOf(left.told, left.forgotten)
      for (const [id, { changedAt, ended }] of known) {
        assert.strictEqual(Told.toldOf(mark, id), ended ? "all" : "begin", `execution ${id}`)
        assert.strictEqual(left.told.has(id), !ended || changedAt >= oldest, `execution ${id}`)
      }
      const forgotten = told.flatMap(([id]) => left.told.has(id) ? [] : [id])
      assert.strictEqual(left.forgotten, Math.max(0, ...forgotten))
      assert.strictEqual(Told.forget(known, 50, oldest).forgotten, 50)
    }
  )

  it("of partitions that began one after the other takes as much room as of one", () => {
    const known = new Map(Array.from({ length: 10_000 }, (_, index) => [index + 7, { ended: true }]))
    assert.deepStrictEqual(Told.markOf(known, 3), { through: 3, begun: [], ended: [[7, 10_006]] })
    assert.strictEqual(Told.toldOf(Told.nothing, 1), "nothing")
  })
})
