/** What is stored of a plan, and what is wrong with one that can't be. */
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { encode } from "../../../src/engine/partition/plan.js"

const body = (input: Schema.Schema<any, any>) => ({ input }) as unknown as Parameters<typeof encode>[1]

const problemsOf = (input: Schema.Schema<any, any>, planned: Parameters<typeof encode>[2]) =>
  Either.match(encode("load", body(input), planned), { onLeft: ({ problems }) => problems, onRight: () => [] })

describe("a plan", () => {
  it("is stored as its names and encoded inputs, in its order (PART-1)", () => {
    const planned = [3, 1].map((n) => ({ name: `p${n}`, input: new Date(n) }))
    assert.deepStrictEqual(
      encode("load", body(Schema.Date), planned),
      Either.right([
        { name: "p3", input: "1970-01-01T00:00:00.003Z" },
        { name: "p1", input: "1970-01-01T00:00:00.001Z" }
      ])
    )
  })

  it("says of ten inputs why they can't be stored, and of the others how many these are (PART-10)", () => {
    const unfit = (count: number) => [
      { name: "fits", input: 1 },
      ...Array.from({ length: count }, (_, n) => ({ name: `p${n}`, input: "no number" }))
    ]
    assert.deepStrictEqual(problemsOf(Schema.Number, unfit(0)), [])
    for (const count of [1, 9, 10, 11, 12]) {
      const problems = problemsOf(Schema.Number, unfit(count))
      const told = Math.min(count, 10)
      assert.deepStrictEqual(
        problems.slice(0, told).map((problem) => problem.split(" can't be stored: ")[0]),
        Array.from({ length: told }, (_, n) => `the input of "p${n}"`)
      )
      const others = count > 10 ? [`and ${count - 10} other inputs can't be stored`] : []
      assert.deepStrictEqual(problems.slice(told), others)
    }
  })

  it("holds only what JSON gives back as it was (PART-1)", () => {
    const isStored = (input: unknown) => problemsOf(Schema.Unknown, [{ name: "a", input }]).length === 0
    for (
      const input of ["", 0, -1.5, true, null, [], {}, [[null]], { a: { b: ["c"] } }, Object.create(null), {
        a: undefined
      }]
    ) {
      assert.isTrue(isStored(input), String(input === null ? input : JSON.stringify(input)))
    }
    const cyclic: Array<unknown> = []
    cyclic.push(cyclic)
    for (
      const input of [
        undefined,
        NaN,
        Infinity,
        1n,
        Symbol("a"),
        () => 1,
        new Date(0),
        new Map(),
        [undefined],
        { a: [NaN] },
        { a: { b: new Date(0) } },
        cyclic
      ]
    ) {
      assert.isFalse(isStored(input))
    }
  })
})
