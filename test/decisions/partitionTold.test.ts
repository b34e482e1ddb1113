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

  it("of partitions that began one after the other takes as much room as of one", () => {
    const known = new Map(Array.from({ length: 10_000 }, (_, index) => [index + 7, { ended: true }]))
    assert.deepStrictEqual(Told.markOf(known, 3), { through: 3, begun: [], ended: [[7, 10_006]] })
    assert.strictEqual(Told.toldOf(Told.nothing, 1), "nothing")
  })
})
