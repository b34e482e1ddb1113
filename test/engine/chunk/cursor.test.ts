import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import type { Checkpoint } from "../../../src/engine/chunk/checkpoint.js"
import { decodeCheckpoint, encodeCheckpoint } from "../../../src/engine/chunk/checkpoint.js"
import * as Cursor from "../../../src/engine/chunk/cursor.js"
import * as Progress from "../../../src/engine/step/progress.js"
import * as StepExecution from "../../../src/vocabulary/StepExecution.js"

const place = FastCheck.nat(99)
const place_ = FastCheck.option(place).map(Option.fromNullable)

const checkpoint = (scan: FastCheck.Arbitrary<Checkpoint["scan"]>): FastCheck.Arbitrary<Checkpoint> =>
  FastCheck.record({ reader: place_, writer: place_, scan })

const whole = checkpoint(FastCheck.constant(Option.none()))
const scanning = checkpoint(
  FastCheck.record({ inputs: place, done: place, end: place, last: FastCheck.boolean() }).map(Option.some)
)
const any = FastCheck.oneof(whole, scanning)

const chunk = FastCheck.record({ position: place, done: FastCheck.boolean() })

const step = StepExecution.make({ id: 1, jobExecutionId: 1, stepName: "load", createTime: DateTime.unsafeMake(0) })
const progress = FastCheck.nat(9).map((read) => Progress.count(Progress.make(step), { read }))

const cursor: FastCheck.Arbitrary<Cursor.Cursor> = FastCheck.record({
  position: place_,
  writerState: place_,
  done: FastCheck.boolean(),
  began: FastCheck.option(progress, { nil: undefined })
})

describe("the cursor of a chunk step", () => {
  it.prop("begins where the last execution has stopped, and stores that again", [whole], ([stored]) => {
    const cursor = Cursor.make(stored)
    assert.deepStrictEqual(Cursor.checkpoint(cursor), stored)
    assert.deepStrictEqual(Cursor.make(decodeCheckpoint(Option.some(encodeCheckpoint(stored)))), cursor)
    assert.isFalse(cursor.done)
  })

  it.prop("is after a commit where the checkpoint says", [cursor, whole], ([before, stored]) => {
    assert.deepStrictEqual(Cursor.checkpoint(Cursor.commit(before, stored)), stored)
  })

  it.prop(
    "stays in front of the chunk while bad records are searched (FT6-9)",
    [cursor, scanning],
    ([before, stored]) => {
      const after = Cursor.commit(before, stored)
      assert.strictEqual(after.position, before.position)
      assert.strictEqual(after.writerState, stored.writer)
    }
  )

  it.prop("does not depend on how many transactions a chunk took", [cursor, FastCheck.array(scanning), whole], ([
    before,
    searched,
    last
  ]) => {
    assert.deepStrictEqual(Cursor.commit(searched.reduce(Cursor.commit, before), last), Cursor.commit(before, last))
  })

  it.prop("goes behind a chunk, with what its writer stored", [cursor, chunk], ([before, chunk]) => {
    assert.deepStrictEqual(Cursor.pass(before, chunk), {
      ...before,
      position: Option.some(chunk.position),
      done: chunk.done
    })
    assert.deepStrictEqual(Cursor.finish(Cursor.pass(before, chunk), chunk.done), Cursor.pass(before, chunk))
  })

  it.prop("remembers what the step was, until the chunk ends", [cursor, progress], ([before, progress]) => {
    assert.strictEqual(Cursor.begin(before, progress).began, progress)
    assert.deepStrictEqual(Cursor.end(Cursor.begin(before, progress)), Cursor.end(before))
  })
})

describe("the cursor of a step in two places", () => {
  it.prop("is as if one chunk had been written after the other", [cursor, chunk, whole, progress], ([
    before,
    chunk,
    stored,
    progress
  ]) => {
    const beside = Cursor.end(Cursor.pass(before, chunk))
    const written = Cursor.commit(before, { ...stored, reader: Option.some(chunk.position) })
    assert.deepStrictEqual(
      Cursor.rejoin(beside, written, progress),
      Cursor.end(Cursor.pass(written, chunk))
    )
  })

  it.prop("lets a chunk that is being read fall back to the step of now", [cursor, cursor, progress], ([
    beside,
    written,
    progress
  ]) => {
    const { began } = Cursor.rejoin(beside, written, progress)
    assert.strictEqual(began, beside.began === undefined ? undefined : progress)
  })

  it.prop("falls back in front of the chunk that failed", [cursor, chunk, any], ([before, chunk, stored]) => {
    const written = Cursor.commit(before, stored)
    const after = Cursor.fallBack(Cursor.end(Cursor.pass(before, chunk)), written)
    assert.deepStrictEqual(after, { ...written, done: chunk.done })
  })
})
