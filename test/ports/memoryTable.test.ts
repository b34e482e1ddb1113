/**
 * The indexes of tables in memory hold what a look at every row would find.
 */
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Table from "../../src/ports/memoryTable.js"

interface Row {
  readonly id: number
  readonly color: string | undefined
  readonly parent: number | null
}

const steps = FastCheck.array(
  FastCheck.oneof(
    FastCheck.record({
      id: FastCheck.integer({ min: 1, max: 12 }),
      color: FastCheck.constantFrom("red", "blue", undefined),
      parent: FastCheck.constantFrom(1, 2, null)
    }),
    FastCheck.integer({ min: 1, max: 12 })
  ),
  { maxLength: 60 }
)

describe("a table in memory", () => {
  it("finds by an index what a look at every row finds, in the order of ids, whatever was put and deleted", () => {
    FastCheck.assert(FastCheck.property(steps, (steps) => {
      const table = Table.make({ color: ({ color }: Row) => color, parent: ({ parent }: Row) => parent })
      const plain = new Map<number, Row>()
      for (const step of steps) {
        if (typeof step === "number") {
          table.delete(step)
          plain.delete(step)
        } else {
          table.set(step)
          plain.set(step.id, step)
        }
      }
      const sorted = [...plain.values()].sort((a, b) => a.id - b.id)
      for (const color of ["red", "blue", "green"]) {
        assert.deepStrictEqual(table.find("color", color), sorted.filter((row) => row.color === color))
      }
      for (const parent of [1, 2]) {
        assert.deepStrictEqual(table.find("parent", parent), sorted.filter((row) => row.parent === parent))
      }
      assert.deepStrictEqual([...table.values()].sort((a, b) => a.id - b.id), sorted)
      assert.strictEqual(table.size, plain.size)
    }))
  })
})
