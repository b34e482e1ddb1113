/**
 * Who takes which file, and when it is left alone: the decision alone.
 */
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Plan from "../../src/file/outputPlan.js"

const standing: FastCheck.Arbitrary<Plan.Standing> = FastCheck.record({
  name: FastCheck.constantFrom("a", "b", "c"),
  size: FastCheck.nat(9),
  isIntact: FastCheck.boolean(),
  isMine: FastCheck.boolean(),
  isLetGo: FastCheck.boolean()
})

const situation: FastCheck.Arbitrary<Plan.Situation> = FastCheck.record({
  offset: FastCheck.nat(3),
  hasItems: FastCheck.boolean(),
  isResumed: FastCheck.boolean(),
  parts: FastCheck.array(standing, { maxLength: 3 }),
  output: FastCheck.option(
    FastCheck.record({
      isUntouched: FastCheck.boolean(),
      holds: FastCheck.constantFrom("all" as const, "committed" as const, "beginning" as const, "other" as const)
    }),
    { nil: undefined }
  )
})

const law = (name: string, holds: (situation: Plan.Situation, decision: Plan.Decision) => boolean) =>
  it.prop(name, [situation], ([situation]) => assert.isTrue(holds(situation, Plan.decide(situation))))

describe("the plan for an output", () => {
  law(
    "another file at its name is never overwritten, cut or appended to, also if it begins with what was there before (OWN-17)",
    ({ hasItems, output }, { _tag }) =>
      output === undefined || output.isUntouched || ["all", "committed"].includes(output.holds) ||
      (output.holds === "beginning" && hasItems) || _tag === "Refuse"
  )

  law(
    "a part is used only if it holds what was committed (OWN-17)",
    ({ parts }, decision) =>
      !("name" in decision) || parts.some(({ isIntact, name }) => isIntact && name === decision.name)
  )

  law(
    "a part changes its owner without a copy only if nobody can write to it any more (OWN-17)",
    ({ parts }, decision) =>
      decision._tag !== "Rename" || parts.some(({ isLetGo, name }) => isLetGo && name === decision.name)
  )

  law("the output is taken for finished only by who goes on, and if it holds everything (OWN-17)", (
    { isResumed, output },
    { _tag }
  ) => _tag !== "Adopt" || (isResumed && output?.holds === "all"))

  law(
    "committed bytes that are nowhere are never given up in silence (OWN-17)",
    ({ offset, output, parts }, { _tag }) =>
      offset === 0 || parts.some(({ isIntact }) => isIntact) || (output !== undefined && output.holds !== "other") ||
      _tag === "Refuse"
  )

  law(
    "what was committed and stands nowhere but at the name of the output is gone on with from there (OWN-17)",
    ({ hasItems, offset, output, parts }, { _tag }) =>
      offset === 0 || parts.some(({ isIntact }) => isIntact) || output === undefined ||
      (output.holds !== "committed" && !(output.holds === "beginning" && (output.isUntouched || hasItems))) ||
      _tag === "CopyOutput"
  )

  it.prop("a turn knows every name that earlier ones may have used, and none of later ones (OWN-17)", [
    FastCheck.uniqueArray(FastCheck.hexaString({ minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 5 })
  ], ([tokens]) => {
    const first: Plan.State = { offset: 0, items: 0, memo: null }
    const last = tokens.reduce((state, token) => Plan.nextTurn(state, { token, owner: "" }, null, undefined), first)
    assert.deepStrictEqual(
      [last.part!.token, ...last.part!.before.map(({ token }) => token)],
      tokens.slice().reverse()
    )
  })
})
