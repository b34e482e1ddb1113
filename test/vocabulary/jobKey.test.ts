import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import type { Json } from "../../src/base/json.js"
import { canonical } from "../../src/base/json.js"
import { jobKey } from "../../src/vocabulary/jobKey.js"

interface Parameter {
  readonly name: string
  readonly value: Json
  readonly identifying: boolean
}

const parameter = FastCheck.record({
  name: FastCheck.string(),
  value: FastCheck.jsonValue({ maxDepth: 1 }).map((value) => value as Json),
  identifying: FastCheck.boolean()
})
const unique = (each: FastCheck.Arbitrary<Parameter>) =>
  FastCheck.uniqueArray(each, { selector: ({ name }) => name, maxLength: 6 })

const parameters = unique(parameter)

/** Names and values so few, and so alike, that two sets of parameters are often the same, or nearly so. */
const alike = unique(FastCheck.record({
  name: FastCheck.constantFrom("a", "a=1", "\"a\""),
  value: FastCheck.constantFrom<Json>(1, "1", "a", ["a"], null),
  identifying: FastCheck.boolean()
}))

const one = (value: Json) => [{ name: "a", value, identifying: true }]

describe("jobKey", () => {
  it("is 64 hex digits and does not change from release to release (JOB-2)", () => {
    assert.strictEqual(
      jobKey([{ name: "file", value: "payments.csv", identifying: true }, { name: "n", value: 1, identifying: true }]),
      "79ebc6319ddad3788736de866c18ebfe6b5394255ca602c643a13ba4e5f3b1d5"
    )
  })

  it("the type of a value matters (JOB-2)", () => {
    assert.notStrictEqual(jobKey(one("1")), jobKey(one(1)))
    assert.notStrictEqual(jobKey(one("true")), jobKey(one(true)))
  })

  it.prop("neither order nor non-identifying parameters matter (JOB-3)", [parameters, parameters], ([some, others]) => {
    const names = some.map(({ name }) => name)
    const more = others.filter(({ name }) => !names.includes(name)).map((other) => ({ ...other, identifying: false }))
    assert.strictEqual(jobKey([...more, ...some.toReversed()]), jobKey(some))
  })

  it.prop("only non-identifying parameters are like none (JOB-3)", [parameters], ([some]) => {
    assert.strictEqual(jobKey(some.map((each) => ({ ...each, identifying: false }))), jobKey([]))
  })

  const sameKey = (a: ReadonlyArray<Parameter>, b: ReadonlyArray<Parameter>) => {
    const text = (some: typeof a) =>
      canonical(Object.fromEntries(some.filter((each) => each.identifying).map(({ name, value }) => [name, value])))
    assert.strictEqual(jobKey(a) === jobKey(b), text(a) === text(b))
  }

  it.prop("equal keys mean equal identifying parameters (JOB-1)", [parameters, parameters], ([a, b]) => sameKey(a, b))

  it.prop("also among parameters that are nearly the same (JOB-1)", [alike, alike], ([a, b]) => sameKey(a, b), {
    fastCheck: { numRuns: 500 }
  })

  it.prop("turning a parameter non-identifying changes the key (JOB-4)", [parameters], ([some]) => {
    for (const each of some.filter(({ identifying }) => identifying)) {
      const turned = some.map((other) => other === each ? { ...other, identifying: false } : other)
      assert.notStrictEqual(jobKey(turned), jobKey(some))
    }
  })
})
