import { assert, describe, it } from "@effect/vitest"
import { pipe } from "effect/Function"
import * as Counts from "../../src/vocabulary/Counts.js"

const Any = Counts.Counts

describe("Counts", () => {
  it.prop("add is a commutative monoid (EXEC-8)", [Any, Any, Any], ([a, b, c]) => {
    assert.deepStrictEqual(Counts.add(a, b), Counts.add(b, a))
    assert.deepStrictEqual(Counts.add(a, Counts.empty), a)
    assert.deepStrictEqual(pipe(a, Counts.add(b)), Counts.add(a, b))
    const small = [a, b, c].map((counts) => Counts.make({ read: counts.read % 1000, commit: counts.commit % 1000 }))
    assert.deepStrictEqual(
      Counts.combineAll(small),
      Counts.add(small[0]!, Counts.add(small[1]!, small[2]!))
    )
  })

  it.prop("skips is the sum of the three kinds (EXEC-6)", [Any], ([counts]) => {
    assert.strictEqual(Counts.skips(counts), counts.readSkip + counts.processSkip + counts.writeSkip)
  })

  it("every count is added", () => {
    const one = { read: 1, write: 2, filter: 3, readSkip: 4, processSkip: 5, writeSkip: 6, commit: 7, rollback: 8 }
    assert.deepStrictEqual(Object.values(Counts.add(one, one)), [2, 4, 6, 8, 10, 12, 14, 16])
  })
})
