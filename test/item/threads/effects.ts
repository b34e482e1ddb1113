/** A module that answers by effects. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as WorkerProcessor from "../../../src/item/WorkerProcessor.js"

class Rejected extends Data.TaggedError("Rejected")<{ readonly limit: number }> {}

WorkerProcessor.serve(({ id }: { readonly id: number }) =>
  id === 1
    ? Effect.fail(new Rejected({ limit: 10 }))
    : id === 2
    ? Effect.die(new Error("a defect"))
    : id === 3
    ? Effect.succeed(WorkerProcessor.Filtered)
    : Effect.succeed({ id, square: id * id })
)
