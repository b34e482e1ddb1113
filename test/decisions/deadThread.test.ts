import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import type { Unit } from "../../src/decisions/deadThread.js"
import { afterDeath, divide } from "../../src/decisions/deadThread.js"

/** A thread that dies of the killers; how much of it is known of where it was differs. */
const search = (
  size: number,
  threads: number,
  killers: ReadonlySet<number>,
  knows: (item: number) => boolean,
  usedBefore: boolean
) => {
  const queue: Array<Unit> = [...divide(size, threads)]
  const done: Array<number> = []
  const blamed: Array<number> = []
  let deaths = 0
  for (let unit = queue.shift(); unit !== undefined; unit = queue.shift()) {
    const at = unit.items.findIndex((item) => killers.has(item))
    if (at < 0) {
      done.push(...unit.items)
      continue
    }
    deaths++
    const verdict = afterDeath(unit, {
      at: knows(unit.items[at]!) ? at : undefined,
      isNew: unit.alone || !usedBefore
    })
    queue.unshift(...verdict.again)
    if (verdict.blamed !== undefined) {
      blamed.push(verdict.blamed)
    }
  }
  return { done, blamed, deaths }
}

const sorted = (items: ReadonlyArray<number>) => [...items].sort((a, b) => a - b)

describe("the search for the item that killed a thread", () => {
  it.prop(
    "blames exactly the killers, tries all others until they are done, and ends",
    [
      FastCheck.integer({ min: 0, max: 60 }),
      FastCheck.integer({ min: 1, max: 5 }),
      FastCheck.uniqueArray(FastCheck.integer({ min: 0, max: 59 }), { maxLength: 8 }),
      FastCheck.func(FastCheck.boolean()),
      FastCheck.boolean()
    ],
    ([size, threads, anywhere, knows, usedBefore]) => {
      const killers = new Set(anywhere.filter((item) => item < size))
      const { blamed, deaths, done } = search(size, threads, killers, knows, usedBefore)
      assert.deepStrictEqual(sorted(blamed), sorted([...killers]))
      assert.deepStrictEqual(sorted([...blamed, ...done]), Array.from({ length: size }, (_, item) => item))
      assert.isAtMost(deaths, 2 * size + killers.size)
    }
  )

  it.prop(
    "needs two deaths for one killer when it is known where the thread was",
    [FastCheck.integer({ min: 2, max: 60 }), FastCheck.nat()],
    ([size, anywhere]) => {
      const { deaths } = search(size, 1, new Set([anywhere % size]), () => true, true)
      assert.strictEqual(deaths, 2)
    }
  )

  it.prop(
    "never blames who was not alone in a new thread",
    [
      FastCheck.integer({ min: 1, max: 20 }),
      FastCheck.option(FastCheck.integer({ min: -3, max: 25 })),
      FastCheck.boolean()
    ],
    ([size, at, isNew]) => {
      const items = Array.from({ length: size }, (_, item) => item)
      const { again, blamed } = afterDeath({ items, alone: false }, { at: at ?? undefined, isNew })
      assert.strictEqual(blamed !== undefined, size === 1 && isNew)
      assert.deepStrictEqual(
        sorted([...again.flatMap(({ items }) => items), ...blamed === undefined ? [] : [blamed]]),
        items
      )
    }
  )
})

describe("the units of a chunk", () => {
  it.prop(
    "are all of its items in their order, and a few for each thread",
    [FastCheck.integer({ min: 0, max: 500 }), FastCheck.integer({ min: 1, max: 16 })],
    ([size, threads]) => {
      const units = divide(size, threads)
      assert.deepStrictEqual(units.flatMap(({ items }) => items), Array.from({ length: size }, (_, item) => item))
      assert.isAtMost(units.length, 4 * threads)
      assert.isTrue(units.every(({ items }) => items.length > 0))
    }
  )
})
