/**
 * The laws of claims.
 */
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { isOver } from "../../src/decisions/claimOver.js"

const claim = FastCheck.record({
  leaseLeftMillis: FastCheck.option(FastCheck.integer({ min: -100_000, max: 100_000 })),
  owner: FastCheck.option(FastCheck.string()),
  token: FastCheck.option(FastCheck.string({ minLength: 1 }), { nil: undefined })
})

const everybody = { isOwnerGone: () => false, hasGivenUp: () => false }

describe("a claim", () => {
  it.prop(
    "is held as long as its lease, whatever this process knows, unless it knows of an end",
    [claim],
    ([claimed]) => {
      const hasLeft = claimed.leaseLeftMillis !== null && claimed.leaseLeftMillis >= 0
      assert.strictEqual(isOver(claimed, everybody), !hasLeft)
      assert.strictEqual(isOver(claimed, { isOwnerGone: () => false }), !hasLeft)
    }
  )

  it.prop("is over for whoever made it and gave it up, and for nobody else (OWN-21)", [claim], ([claimed]) => {
    const held = { ...claimed, leaseLeftMillis: 1 }
    const witness = (token: string | undefined) => ({ ...everybody, hasGivenUp: (other: string) => other === token })
    assert.strictEqual(isOver(held, witness(claimed.token)), claimed.token !== undefined)
    assert.isFalse(isOver(held, witness(`${claimed.token}, of another claim`)))
  })

  it("without a secret was made by version 0.1, and nobody has given it up (OWN-21)", () => {
    const held = { leaseLeftMillis: 1, owner: "host:1", token: "" }
    assert.isFalse(isOver(held, { ...everybody, hasGivenUp: () => true }))
  })

  it.prop("is over when its owner is gone (OWN-20)", [claim], ([claimed]) => {
    const held = { ...claimed, leaseLeftMillis: 1 }
    assert.strictEqual(
      isOver(held, { ...everybody, isOwnerGone: (owner) => owner === claimed.owner }),
      claimed.owner !== null
    )
  })
})
