/**
 * Whose a file beside an output is, by its name alone, and what has to be known before it may go.
 */
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { isStillGood } from "../../src/file/leftOvers.js"
import { leftOvers, type Mark, markOf, namesOf, tokenOf } from "../../src/file/turnNames.js"

const hex = FastCheck.hexaString({ minLength: 8, maxLength: 8 })
const run = FastCheck.oneof(
  FastCheck.constant(""),
  FastCheck.tuple(FastCheck.nat(), hex).map(([id, sum]) => `${id.toString(36)}_${sum}`)
)
/** Few lines, so that turns often share one. */
const mark: FastCheck.Arbitrary<Mark> = FastCheck.record({
  line: FastCheck.constantFrom("00000000", "0000000a", "abcdef01"),
  run,
  turn: hex
})
const base = FastCheck.constantFrom("out", "out.csv", "o", "out.00000000_00000001", "a+b (c).[x]", "ä")
const ending = FastCheck.constantFrom("part" as const, "old" as const, "gone" as const)

/** What people and programs put beside an output, with names that come close. */
const foreign = FastCheck.oneof(
  FastCheck.string(),
  FastCheck.constantFrom(
    "out",
    "out.part",
    "out.old",
    "out.gone",
    "out.3f9a2b7c5d1e8046.part",
    "out.00000000_0000000.part",
    "out.00000000_00000001.part.gz",
    "out.00000000_00000001",
    "out.00000000_00000001.PART",
    "out.00000000_-_00000001.part",
    "out.00000000_00000001.bak.part",
    "copy of out.00000000_00000001.part",
    "out_00000000_00000001.part",
    "OUT.00000000_00000001.part"
  )
)

describe("what stands beside an output", () => {
  it.prop("a token gives back its line, its run and its turn, and fits into a name", [mark], ([mark]) => {
    assert.deepStrictEqual(markOf(tokenOf(mark)), mark)
    assert.match(tokenOf(mark), /^\w+$/)
  })

  it.prop("what was not made by a turn is nobody's, however close its name comes (OWN-17)", [
    base,
    mark,
    FastCheck.array(foreign)
  ], ([base, mark, names]) => {
    const { ofLine, ofOthers } = leftOvers(names.filter((name) => !isOurs(name, base)), base, tokenOf(mark), [])
    assert.deepStrictEqual([ofLine, ofOthers], [[], []])
  })

  it.prop("what belongs to another output is left alone (OWN-17)", [
    base,
    base,
    mark,
    FastCheck.array(FastCheck.tuple(mark, ending))
  ], ([base, other, mark, turns]) => {
    FastCheck.pre(base !== other)
    const names = turns.map(([turn, kind]) => namesOf(other, tokenOf(turn))[kind])
    const { ofLine, ofOthers } = leftOvers(names, base, tokenOf(mark), [])
    assert.deepStrictEqual([ofLine, ofOthers], [[], []])
  })

  it.prop("a turn and those that it knows of are never left-overs; its line needs no question, others a run (OWN-17)", [
    base,
    mark,
    FastCheck.array(FastCheck.tuple(mark, ending, FastCheck.boolean()), { maxLength: 8 })
  ], ([base, self, turns]) => {
    const token = tokenOf(self)
    const known = turns.flatMap(([turn, , isKnown]) => isKnown ? [tokenOf(turn)] : [])
    const all = [...turns, [self, "part", false] as const]
    const found = leftOvers(all.map(([turn, kind]) => namesOf(base, tokenOf(turn))[kind]), base, token, known)
    const expected = (isOfLine: boolean) =>
      turns.flatMap(([turn, kind]) => {
        const other = tokenOf(turn)
        const isNeeded = other === token || known.includes(other)
        const isWanted = isOfLine ? turn.line === self.line : turn.line !== self.line && turn.run !== ""
        return isNeeded || !isWanted ? [] : [{ name: namesOf(base, other)[kind], token: other, run: turn.run }]
      })
    assert.deepStrictEqual(found, { ofLine: expected(true), ofOthers: expected(false) })
  })
})

describe("the listing of a directory", () => {
  it.prop("costs a fiftieth of the time at most, and counts for one moment only where it costs nothing", [
    FastCheck.nat(20_000),
    FastCheck.double({ min: 0, max: 1000, noNaN: true }),
    FastCheck.double({ min: 0, max: 100_000, noNaN: true })
  ], ([count, took, age]) => {
    assert.isFalse(isStillGood(Math.min(count, 500), took, age))
    assert.isTrue(count <= 500 || isStillGood(count, took, Math.min(age, took * 49)))
    assert.isFalse(isStillGood(count, took, Math.max(took * 50, 50) + age))
  })
})

/** Said another way than in the code: taken apart from its end. */
const isOurs = (name: string, base: string): boolean => {
  const [kind, token = "", ...rest] = name.split(".").reverse()
  const isToken = token.split("_").length >= 2 && /^[0-9a-f]{8}_(.*_)?[0-9a-f]{8}$/.test(token)
  return ["part", "old", "gone"].includes(kind!) && isToken && rest.reverse().join(".") === base
}
