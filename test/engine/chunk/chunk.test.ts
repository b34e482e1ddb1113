import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Chunk from "../../../src/engine/chunk/chunk.js"
import * as Counts from "../../../src/vocabulary/Counts.js"

const items = FastCheck.array(FastCheck.nat(9), { maxLength: 6 })

const skip: FastCheck.Arbitrary<Chunk.Skip> = FastCheck.oneof(
  FastCheck.nat(9).map((error) => Chunk.badRecord(error)),
  FastCheck.tuple(FastCheck.nat(5), FastCheck.nat(9)).map(([index, item]) => Chunk.badInput(index, item, "refused")),
  FastCheck.tuple(FastCheck.nat(5), FastCheck.nat(9)).map(([index, item]) => Chunk.badOutput(index, item, "refused"))
)

const count = FastCheck.nat(5)

/** What can happen to a chunk, in any order. */
const event: FastCheck.Arbitrary<(chunk: Chunk.Chunk) => Chunk.Chunk> = FastCheck.oneof(
  skip.map((skip) => (chunk: Chunk.Chunk) => Chunk.addSkip(chunk, skip)),
  skip.map((skip) => (chunk: Chunk.Chunk) => Chunk.noteBad(Chunk.addSkip(chunk, skip))),
  items.map((outputs) => (chunk: Chunk.Chunk) => Chunk.write(chunk, outputs)),
  FastCheck.constantFrom(
    Chunk.beginTransaction,
    Chunk.beginReading,
    Chunk.rewind,
    Chunk.spendNoRollback,
    Chunk.forgetUnseen
  ),
  FastCheck.constantFrom("process" as const, "write" as const).map((phase) => (chunk: Chunk.Chunk) =>
    Chunk.keepOpen(chunk, phase)
  ),
  count.map((count) => (chunk: Chunk.Chunk) => Chunk.countReadAgain(chunk, count)),
  count.map((inputs) => (chunk: Chunk.Chunk) =>
    Chunk.commit(
      chunk,
      Math.min(chunk.inputs.length, chunk.committed + inputs),
      chunk.skips.filter(({ index }) => index >= chunk.committed + inputs)
    )
  )
)

const chunk: FastCheck.Arbitrary<Chunk.Chunk> = FastCheck.record({
  offset: FastCheck.nat(3),
  inputs: items,
  isRead: FastCheck.boolean(),
  events: FastCheck.array(event, { maxLength: 8 })
}).map(({ events, inputs, isRead, offset }) => {
  const filled = Chunk.fill(Chunk.make(offset), { items: inputs, position: inputs.length, done: false })
  return events.reduce((chunk, event) => event(chunk), isRead ? Chunk.readFirst(filled, inputs) : filled)
})

describe("a chunk at work", () => {
  it.prop("holds what was read, and nothing else has happened to it", [items, FastCheck.nat(3)], ([items, offset]) => {
    const filled = { items, position: 7, done: true }
    assert.deepStrictEqual(Chunk.fill(Chunk.make(offset), filled), {
      ...Chunk.make(offset),
      inputs: items,
      position: 7,
      done: true
    })
    assert.strictEqual(Chunk.isEmpty(Chunk.fill(Chunk.make(offset), filled)), items.length === 0)
  })

  it.prop("is not empty when all it met was skipped: the skips are committed", [skip], ([skip]) => {
    assert.isFalse(Chunk.isEmpty(Chunk.addSkip(Chunk.make(), skip)))
  })

  it.prop("shows each skip once, in its phase, and what is read again", [chunk, skip], ([chunk, skip]) => {
    const counts = Chunk.awaiting(chunk)
    assert.strictEqual(Counts.skips(counts), chunk.skips.length)
    assert.deepStrictEqual(
      Chunk.awaiting(Chunk.addSkip(chunk, skip)),
      Counts.add(counts, Counts.make({ [`${skip.phase}Skip`]: 1 }))
    )
    assert.strictEqual(Chunk.awaiting(Chunk.rewind(chunk)).read, 0)
  })

  it.prop("begins a transaction with nothing written, and loses nothing that was decided", [chunk], ([chunk]) => {
    const begun = Chunk.beginTransaction(chunk)
    assert.deepStrictEqual(begun.outputs, [])
    assert.isFalse(Chunk.isKeptOpen(begun))
    assert.deepStrictEqual({ ...begun, outputs: chunk.outputs, noRollback: chunk.noRollback }, chunk)
    assert.strictEqual(Chunk.beginTransaction(begun), begun)
  })

  it.prop(
    "keeps no transaction open any more once an error broke one that was kept open (FTC-13)",
    [chunk],
    ([chunk]) => {
      assert.strictEqual(Chunk.beginTransaction(Chunk.spendNoRollback(chunk)).noRollback, "spent")
      for (const phase of ["process", "write"] as const) {
        assert.isTrue(Chunk.isKeptOpen(Chunk.keepOpen(chunk, phase)))
        assert.strictEqual(Chunk.beginTransaction(Chunk.keepOpen(chunk, phase)).noRollback, "available")
      }
      assert.notDeepEqual(Chunk.keepOpen(chunk, "process"), Chunk.keepOpen(chunk, "write"))
    }
  )

  it.prop("leaves with a commit only what a later one makes durable", [chunk, count], ([chunk, inputs]) => {
    const waiting = chunk.skips.slice(1)
    const committed = Chunk.commit(chunk, inputs, waiting)
    assert.deepStrictEqual(committed.skips, waiting)
    assert.strictEqual(committed.committed, inputs)
    assert.deepStrictEqual(Chunk.awaiting(committed), Chunk.countsOf(waiting, 0))
    assert.deepStrictEqual(committed.inputs, chunk.inputs)
  })
})

describe("a chunk that is read inside its transactions", () => {
  it.prop("has no size before a transaction has read it (FTC-20)", [items], ([items]) => {
    assert.strictEqual(Chunk.sizeRead(Chunk.make()), Number.POSITIVE_INFINITY)
    assert.strictEqual(Chunk.sizeRead(Chunk.readFirst(Chunk.make(), items)), items.length)
  })

  it.prop("is the same when the reader gives the same records again (FTC-20)", [chunk], ([chunk]) => {
    const again = chunk.inputs.slice(chunk.committed)
    assert.deepStrictEqual(Chunk.readAgain(chunk, again, again.length), chunk)
  })

  it.prop(
    "forgets what was decided about a record in whose place another one has come, and nothing else",
    [items, FastCheck.nat(5)],
    ([items, at]) => {
      FastCheck.pre(at < items.length)
      const decided = items.reduce(
        (chunk, item, index) => Chunk.addSkip(chunk, Chunk.badInput(index, item, "refused")),
        Chunk.readFirst(Chunk.make(), items)
      )
      const other = items.map((item, index) => index === at ? item + 100 : item)
      const again = Chunk.readAgain(decided, other, items.length)
      assert.deepStrictEqual(again.inputs, other)
      assert.deepStrictEqual(
        again.skips.map(({ index }) => index),
        items.map((_, index) => index).filter((i) => i !== at)
      )
    }
  )

  it.prop("ends where the reader ends, when it gives fewer records than before", [items, count], ([items, kept]) => {
    const fewer = items.slice(0, kept)
    const again = Chunk.readAgain(Chunk.readFirst(Chunk.make(), items), fewer, items.length)
    assert.deepStrictEqual(again.inputs, fewer)
    assert.strictEqual(Chunk.sizeRead(again), fewer.length)
  })

  it.prop(
    "reads over a bad record that it has skipped, once per transaction (FTC-5)",
    [chunk, skip],
    ([chunk, skip]) => {
      const noted = Chunk.noteBad(Chunk.addSkip(chunk, skip))
      assert.isTrue(Chunk.coversReadInside(noted, skip, 0))
      const again = Chunk.beginReading(noted)
      assert.include(again.attempts.bad, skip)
      assert.isFalse(Chunk.coversReadInside(again, skip, 10))
      assert.isTrue(Chunk.coversReadInside(Chunk.readOver(again, skip), skip, 0))
    }
  )

  it.prop("forgets the bad records that the reader does not give again (FTC-5)", [chunk, skip], ([chunk, skip]) => {
    const again = Chunk.beginReading(Chunk.noteBad(Chunk.addSkip(chunk, skip)))
    assert.notInclude(Chunk.forgetUnseen(again).skips, skip)
    assert.include(Chunk.forgetUnseen(Chunk.readOver(again, skip)).skips, skip)
    assert.notInclude(Chunk.beginReading(Chunk.forgetUnseen(again)).attempts.bad, skip)
  })

  it.prop(
    "counts the retries of each input over all transactions (FTC-19)",
    [count, count, count],
    ([one, other, n]) => {
      const retries = { run: undefined, count: n }
      const { itemRetries } = Chunk.beginTransaction(Chunk.setItemRetries(Chunk.make(), one, retries)).attempts
      assert.deepStrictEqual(itemRetries.get(one), retries)
      assert.strictEqual(itemRetries.has(other), one === other)
    }
  )
})
