/**
 * Processors that ask about each item with a Request: the questions of a chunk are asked together where batching is on.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Request from "effect/Request"
import * as RequestResolver from "effect/RequestResolver"
import { ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step } from "../../src/index.js"

class PriceOf extends Request.TaggedClass("PriceOf")<number, string, { readonly item: number }> {}

const questionsOf = (isBatched: boolean) =>
  Effect.gen(function*() {
    const questions: Array<number> = []
    const prices = RequestResolver.makeBatched((requests: ReadonlyArray<PriceOf>) => {
      questions.push(requests.length)
      return Effect.forEach(requests, (request) => Request.succeed(request, request.item * 2), { discard: true })
    })
    const written: Array<number> = []
    const job = Job.make("prices", {
      flow: Step.chunk("prices", {
        reader: ItemReader.fromIterable(Array.from({ length: 25 }, (_, i) => i)),
        processor: (item) => Effect.request(new PriceOf({ item }), prices),
        writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
          Effect.sync(() => void written.push(...items))
        ),
        chunkSize: 10,
        concurrency: 10
      })
    })
    yield* Effect.withRequestBatching(JobOperator.runOrFail(job, {}), isBatched)
    assert.deepStrictEqual(written, Array.from({ length: 25 }, (_, i) => i * 2))
    return questions
  }).pipe(Effect.provide(JobRepository.layerMemory))

describe("look-ups for a whole chunk", () => {
  it.effect("with batching, one question a chunk; the outputs keep their order", () =>
    Effect.map(questionsOf(true), (questions) => assert.deepStrictEqual(questions, [10, 10, 5])))

  it.effect("without, one question an item", () =>
    Effect.map(
      questionsOf(false),
      (questions) => assert.deepStrictEqual(questions, Array.from({ length: 25 }, () => 1))
    ))
})
