import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Savepoints from "../../src/sql/savepoints.js"

/** A transaction: statements and nested transactions in an order, and whether it is rolled back. */
interface Program {
  readonly steps: ReadonlyArray<"statement" | Program>
  readonly fails: boolean
}

const { program } = FastCheck.letrec<{ readonly program: Program; readonly step: "statement" | Program }>((tie) => ({
  program: FastCheck.record({
    steps: FastCheck.array(tie("step"), { maxLength: 4 }),
    fails: FastCheck.boolean()
  }),
  step: FastCheck.oneof({ depthSize: "small" }, FastCheck.constant("statement" as const), tie("program"))
}))

/** Runs it as `@effect/sql` does: a nested one that ends well ends without a word. */
const run = (state: Savepoints.Savepoints, { steps }: Program, depth: number, fiber: object, place: object): boolean =>
  steps.every((step) => {
    const actor = { place, depth, fiber }
    if (step === "statement") {
      return Savepoints.act(state, actor)
    }
    return Savepoints.enter(state, actor) && run(state, step, depth + 1, fiber, {}) &&
      (!step.fails || Savepoints.leave(state, actor))
  })

describe("savepoints of nested transactions", () => {
  it.prop(
    "whatever comes one after the other is allowed, as deep as it likes (OWN-15)",
    [program],
    ([program]) => {
      assert.isTrue(run(Savepoints.make(), program, 0, {}, {}))
    }
  )

  it.prop(
    "two that are open side by side never both go on (OWN-15)",
    [FastCheck.array(FastCheck.boolean(), { minLength: 2, maxLength: 12 }), FastCheck.nat(3)],
    ([order, depth]) => {
      const state = Savepoints.make()
      const main = {}
      const base = Array.from({ length: depth + 1 }, () => ({}))
      for (let level = 0; level < depth; level++) {
        assert.isTrue(Savepoints.enter(state, { place: base[level]!, depth: level, fiber: main }))
        assert.isTrue(Savepoints.act(state, { place: base[level + 1]!, depth: level + 1, fiber: main }))
      }
      const parent = { place: base[depth]!, depth }
      // Each of the two opens its transaction, then runs one statement whenever it is its turn.
      const two = [{ fiber: {}, place: {} }, { fiber: {}, place: {} }]
      const turns = [false, true, ...order, false, true]
      const opened = new Set<number>()
      const allowed = turns.map((second) => {
        const { fiber, place } = two[second ? 1 : 0]!
        if (!opened.has(second ? 1 : 0)) {
          opened.add(second ? 1 : 0)
          return Savepoints.enter(state, { ...parent, fiber })
        }
        return Savepoints.act(state, { place, depth: depth + 1, fiber })
      })
      assert.isFalse(allowed.every((isAllowed) => isAllowed))
    }
  )

  it("a rollback of one that seems to have ended is refused (OWN-15)", () => {
    const state = Savepoints.make()
    const [fiber, other, base, place] = [{}, {}, {}, {}]
    assert.isTrue(Savepoints.enter(state, { place: base, depth: 0, fiber }))
    assert.isTrue(Savepoints.act(state, { place, depth: 1, fiber }))
    // A statement beside it, in the transaction around it.
    assert.isTrue(Savepoints.act(state, { place: base, depth: 0, fiber: other }))
    assert.isFalse(Savepoints.leave(state, { place: base, depth: 0, fiber }))
    assert.isFalse(Savepoints.act(state, { place, depth: 1, fiber }))
  })
})
