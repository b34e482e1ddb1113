import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import type { Identity } from "../../src/sql/client.js"
import { Askers } from "../../src/sql/client.js"

const fibers = [{}, {}, {}]
const clients: ReadonlyArray<Identity> = [Effect.never, Effect.die("another client")]

describe("who is asking", () => {
  it("is known by fiber, whatever others ask and forget in between (OWN-10)", () => {
    const act = FastCheck.record({
      fiber: FastCheck.nat(fibers.length - 1),
      client: FastCheck.option(FastCheck.nat(clients.length - 1), { nil: undefined })
    })
    FastCheck.assert(FastCheck.property(FastCheck.array(act, { maxLength: 20 }), (acts) => {
      const askers = new Askers()
      const model = new Map<object, Identity>()
      for (const { client, fiber } of acts) {
        if (client === undefined) {
          askers.delete(fibers[fiber]!)
          model.delete(fibers[fiber]!)
        } else {
          askers.set(fibers[fiber]!, clients[client]!)
          model.set(fibers[fiber]!, clients[client]!)
        }
        assert.deepStrictEqual(fibers.map((fiber) => askers.get(fiber)), fibers.map((fiber) => model.get(fiber)))
      }
    }))
  })
})
