import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as ChunkMachine from "../../../src/engine/chunk/machine.js"

type Order = ChunkMachine.ScanOrder

interface Run {
  /** The items of each transaction that committed. */
  readonly committed: ReadonlyArray<ReadonlyArray<number>>
  readonly skipped: ReadonlyArray<number>
  readonly transactions: number
  readonly states: ReadonlyArray<ChunkMachine.State>
}

const items = ({ from, to }: ChunkMachine.Range): ReadonlyArray<number> =>
  Array.from({ length: to - from }, (_, i) => from + i)

type Naming = (refusal: number, tried: ReadonlyArray<number>) => number | undefined

/** Feeds the machine until it is done: a range with a bad item is refused, and the refusal may name an item. */
const run = (first: ChunkMachine.State, bad: ReadonlySet<number>, naming: Naming = () => undefined): Run => {
  const committed: Array<ReadonlyArray<number>> = []
  const skipped: Array<number> = []
  const states = [first]
  let state = first
  let transactions = 0
  while (state.current !== undefined) {
    const tried = items(state.current)
    transactions++
    const refused = tried.some((item) => bad.has(item))
    const next = refused
      ? ChunkMachine.step(state, "refused", naming(transactions, tried))
      : ChunkMachine.step(state, "committed")
    if (!refused) {
      committed.push(tried)
    }
    if (next.skip !== undefined) {
      skipped.push(next.skip)
    }
    state = next.state
    states.push(state)
  }
  return { committed, skipped, transactions, states }
}

const order = FastCheck.constantFrom<Array<Order>>("bisect", "one-by-one")

const chunk = FastCheck.integer({ min: 0, max: 60 }).chain((size) =>
  FastCheck.record({
    size: FastCheck.constant(size),
    order,
    bad: FastCheck.subarray(items({ from: 0, to: size }) as Array<number>).map((bad) => new Set(bad))
  })
)

describe("chunkMachine", () => {
  it.prop(
    "every item is committed or skipped, once, in order, and exactly the bad ones are skipped",
    [chunk],
    ([{ bad, order, size }]) => {
      const { committed, skipped } = run(ChunkMachine.start(size, order), bad)
      const written = committed.flat()
      const all = items({ from: 0, to: size })
      assert.deepStrictEqual(written, all.filter((item) => !bad.has(item)))
      assert.deepStrictEqual(skipped, all.filter((item) => bad.has(item)))
    },
    { fastCheck: { numRuns: 500 } }
  )

  it.prop(
    "items that are known to be bad are left out of what is written; all others are written or found to be bad, once, in order",
    [chunk, FastCheck.infiniteStream(FastCheck.boolean())],
    ([{ bad, order, size }, known]) => {
      const leftOut: Array<number> = []
      const committed: Array<number> = []
      const skipped: Array<number> = []
      let state = ChunkMachine.start(size, order)
      while (state.current !== undefined) {
        const tried = ChunkMachine.written(state)
        const refused = tried.filter((item) => bad.has(item))
        const named = refused.filter(() => known.next().value === true)
        if (named.length > 0) {
          leftOut.push(...named)
          state = ChunkMachine.leaveOut(state, named)
          continue
        }
        const next = ChunkMachine.step(state, refused.length > 0 ? "refused" : "committed")
        committed.push(...refused.length > 0 ? [] : tried)
        skipped.push(...next.skip === undefined ? [] : [next.skip])
        state = next.state
      }
      const all = items({ from: 0, to: size })
      assert.deepStrictEqual(committed, all.filter((item) => !bad.has(item)))
      assert.deepStrictEqual([...leftOut, ...skipped].sort((a, b) => a - b), all.filter((item) => bad.has(item)))
    },
    { fastCheck: { numRuns: 500 } }
  )

  it.prop(
    "what refusals name, right or wrong, changes nothing but the number of transactions",
    [chunk, FastCheck.array(FastCheck.option(FastCheck.integer({ min: -1, max: 60 }), { nil: undefined }))],
    ([{ bad, order, size }, named]) => {
      const plain = run(ChunkMachine.start(size, order), bad)
      const misled = run(ChunkMachine.start(size, order), bad, (refusal) => named[refusal])
      assert.deepStrictEqual(misled.committed.flat(), plain.committed.flat())
      assert.deepStrictEqual(misled.skipped, plain.skipped)
    }
  )

  it.prop("a refusal that names the first bad item makes it cost three transactions", [chunk], ([{ bad, size }]) => {
    const { transactions } = run(
      ChunkMachine.start(size, "bisect"),
      bad,
      (_, tried) => tried.find((item) => bad.has(item))
    )
    assert.isAtMost(transactions, 1 + 3 * bad.size)
  })

  it.prop("done only grows, and never passes an item that is neither written nor skipped (FT6-9)", [chunk], ([
    { bad, order, size }
  ]) => {
    const settled = new Set<number>()
    let state = ChunkMachine.start(size, order)
    let done = 0
    while (state.current !== undefined) {
      const tried = items(state.current)
      const refused = tried.some((item) => bad.has(item))
      const { skip, state: next } = ChunkMachine.step(state, refused ? "refused" : "committed")
      if (!refused) {
        tried.forEach((item) => settled.add(item))
      } else if (skip !== undefined) {
        settled.add(skip)
      }
      assert.isAtLeast(next.done, done)
      assert.isTrue(items({ from: 0, to: next.done }).every((item) => settled.has(item)))
      done = next.done
      state = next
    }
    assert.strictEqual(done, size)
  })

  it.prop("resuming after any commit ends as continuing would have (FTC-16)", [chunk], ([
    { bad, order, size }
  ]) => {
    const whole = run(ChunkMachine.start(size, order), bad)
    for (const { done } of whole.states) {
      const rest = run(ChunkMachine.resume(size, order, done), bad)
      assert.deepStrictEqual(rest.committed.flat(), whole.committed.flat().filter((item) => item >= done))
      assert.deepStrictEqual(rest.skipped, whole.skipped.filter((item) => item >= done))
    }
  })

  it.prop(
    "an item that is good only later on is never lost",
    [chunk, FastCheck.array(FastCheck.boolean(), { maxLength: 200 })],
    ([{ order, size }, answers]) => {
      const settled: Array<number> = []
      let state = ChunkMachine.start(size, order)
      for (let i = 0; state.current !== undefined; i++) {
        const tried = items(state.current)
        const { skip, state: next } = ChunkMachine.step(state, answers[i] === true ? "refused" : "committed")
        settled.push(...(answers[i] === true ? skip === undefined ? [] : [skip] : tried))
        state = next
      }
      assert.deepStrictEqual(settled, items({ from: 0, to: size }))
    }
  )

  it("a chunk without a bad item is one transaction, an empty one none", () => {
    assert.strictEqual(run(ChunkMachine.start(1000, "bisect"), new Set()).transactions, 1)
    assert.strictEqual(run(ChunkMachine.start(0, "bisect"), new Set()).transactions, 0)
    assert.strictEqual(ChunkMachine.start(1000, "bisect").mode, "Bulk")
  })

  it("by halves, one bad item costs at most 2 ceil(log2 n) + 2 transactions, wherever it is", () => {
    for (const size of [1, 2, 3, 5, 8, 13, 100, 127, 128, 129, 1000]) {
      for (let bad = 0; bad < size; bad++) {
        const { transactions } = run(ChunkMachine.start(size, "bisect"), new Set([bad]))
        assert.isAtMost(transactions, 2 * Math.ceil(Math.log2(size)) + 2, `item ${bad} of ${size}`)
      }
    }
  })

  it("one by one, a refused chunk of n costs n transactions more (FTC-12)", () => {
    for (const size of [2, 3, 10, 100]) {
      assert.strictEqual(run(ChunkMachine.start(size, "one-by-one"), new Set([size - 1])).transactions, size + 1)
    }
  })

  it("items 1, 2, 3 of which 2 and 3 are bad are tried as [1,2,3], [1], [2], [3] (FT6-6)", () => {
    const ranges = run(ChunkMachine.start(3, "one-by-one"), new Set([1, 2])).states.map(({ current }) => current)
    assert.deepStrictEqual(ranges, [
      { from: 0, to: 3 },
      { from: 0, to: 1 },
      { from: 1, to: 2 },
      { from: 2, to: 3 },
      undefined
    ])
  })
})
