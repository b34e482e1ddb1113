/**
 * What the errors say that need a database with clients of its own, workers, or a process that lost its job.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlJobRepository } from "../../src/sql/index.js"
import { describeError } from "../../src/vocabulary/failure.js"
import * as Postgres from "../support/Postgres.js"
import { cases, files } from "./errorTextsOutside.js"

const services = Layer.provideMerge(SqlJobRepository.layer, Postgres.layer).pipe(
  (layer) => Layer.merge(layer, files.layer)
)

describe("what an error says on PostgreSQL", () => {
  it.layer(Layer.orDie(services as Layer.Layer<any, any>), { timeout: "5 minutes" })((it) => {
    it.effect.each(cases)("%s", ([, provoke, says]) =>
      Effect.gen(function*() {
        const given = yield* provoke
        const text = describeError(given).replace(/xecution \d+/, "xecution N").replace(/\([\da-f]{12}\)/g, "(H)")
          .replace(/only \d+/, "only N")
        assert.strictEqual(text, says)
      }) as Effect.Effect<void, any, any>)
  })
})
