/**
 * The mistakes that `npm run mutants` plants, on small sources.
 */
import { assert, describe, it } from "@effect/vitest"
import { nameOf, sampleOf } from "../../scripts/mutants.mjs"
import { mutantsOf, plant } from "../../scripts/mutants/operators.mjs"

const planted = (source: string): ReadonlyArray<string> => mutantsOf(source).map((mutant) => plant(source, mutant))

const cases: Record<string, readonly [source: string, ...mutants: ReadonlyArray<string>]> = {
  "turns comparisons round": ["a < b", "a <= b"],
  "is off by one": ["f(2)", "f(3)"],
  "mixes up and and or": ["a && b", "a || b"],
  "forgets a default, or what it stands in for": ["a ?? b", "a", "b"],
  "forgets a negation": ["f(!a)", "f(a)"],
  "forgets a case": ["x = c ? a : b", ";", "x = a", "x = b"],
  "forgets a condition": ["if (a) { }", "if (false) { }", "if (true) { }"],
  "leaves out a statement, or swaps two": ["{ a(); b() }", "{ b()\n;a(); }", "{ ; b() }", "{ a(); ; }"],
  "swaps arguments": ["x(a, b)", ";", "x(b, a)"],
  "drops a step and an undo": [
    "y(Effect.ensuring(a(), b()))",
    ";",
    "y(a())"
  ],
  "loses elements and their order": ["f([...a, ...b])", "f([...b])", "f([...b, ...a])"],
  "forgets a field of a new state": ["f({ ...a, b: c })", "f({ ...a,  })"],
  "drops a lock of a statement": ["f(`select 1 for update`)", "f(`select 1`)"],
  "opens a fence": ["f(`where id = ${a} and epoch = ${b}`)", "f(`where id = ${a} `)"]
}

describe("a mutant", () => {
  for (const [what, [source, ...expected]] of Object.entries(cases)) {
    it(what, () => assert.includeMembers([...planted(source)], [...expected]))
  }

  it("touches neither types nor imports nor words", () => {
    assert.deepStrictEqual(
      planted("import { a } from \"b\"\ninterface A { readonly b: 1 | 2 }\ntype C = A & { c: 3 }"),
      []
    )
  })

  it("says where it is and what stood there", () => {
    const [mutant] = mutantsOf("\nx(a < b)")
    const comparison = mutantsOf("\nx(a < b)").find(({ operator }) => operator === "comparison")
    assert.strictEqual(mutant?.line, 2)
    assert.strictEqual(nameOf({ file: "base/a.ts", ...comparison! }), "base/a.ts | comparison | < -> <=")
  })
})

describe("a sample", () => {
  const all = mutantsOf("a < 1; b < 2; c < 3; d < 4").map((mutant) => ({
    file: "a.ts",
    ...mutant
  }))

  it("is the same for the same seed, another one for another seed, and grows without losing any", () => {
    assert.deepStrictEqual(sampleOf(all, 4, "1"), sampleOf(all, 4, "1"))
    assert.notDeepEqual(sampleOf(all, 4, "1"), sampleOf(all, 4, "2"))
    assert.deepStrictEqual(sampleOf(all, 8, "1").slice(0, 4), sampleOf(all, 4, "1"))
  })
})
