import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ItemProcessor, ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step } from "../../src/index.js"

interface Case {
  readonly name: string
  readonly items: number
  readonly chunkSize: number
  readonly processor?: ItemProcessor.ItemProcessor<number, number, string>
  readonly failOn?: number
  readonly counts: readonly [read: number, filter: number, write: number, commit: number, rollback: number]
  readonly status: string
}

const failOnItem = (bad: number) =>
  ItemProcessor.mapEffect((n: number) => n === bad ? Effect.fail("bad") : Effect.succeed(n))

const cases: ReadonlyArray<Case> = [
  { name: "N=5 c=2", items: 5, chunkSize: 2, counts: [5, 0, 5, 3, 0], status: "COMPLETED" },
  { name: "N=4 c=2", items: 4, chunkSize: 2, counts: [4, 0, 4, 2, 0], status: "COMPLETED" },
  { name: "N=0", items: 0, chunkSize: 2, counts: [0, 0, 0, 0, 0], status: "COMPLETED" },
  {
    name: "N=10 c=10, all filtered",
    items: 10,
    chunkSize: 10,
    processor: ItemProcessor.filter((_: number) => false),
    counts: [10, 10, 0, 1, 0],
    status: "COMPLETED"
  },
  {
    name: "N=5 c=2, the processor fails on item 1",
    items: 5,
    chunkSize: 2,
    processor: failOnItem(1),
    counts: [0, 0, 0, 0, 1],
    status: "FAILED"
  },
  {
    name: "N=5 c=2, the writer fails in chunk 2",
    items: 5,
    chunkSize: 2,
    failOn: 3,
    counts: [2, 0, 2, 1, 1],
    status: "FAILED"
  }
]

/** What is stored is what was committed: the reads of a chunk that failed are not among it (OWN-9). */
describe("the counts of a chunk step without fault tolerance", () => {
  for (const { chunkSize, counts, failOn, items, name, processor, status } of cases) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const job = Job.make("count", {
          flow: Step.chunk("load", {
            reader: ItemReader.fromIterable(Array.from({ length: items }, (_, i) => i + 1)),
            processor: processor ?? ItemProcessor.map((n: number) => n),
            writer: ItemWriter.fromFunction((written: ReadonlyArray<number>) =>
              failOn !== undefined && written.includes(failOn) ? Effect.fail("refused") : Effect.void
            ),
            chunkSize
          })
        })
        const execution = yield* JobOperator.run(job, {})
        const [step] = yield* JobOperator.steps(execution.id)
        const { commit, filter, read, rollback, write } = step!.counts
        assert.deepStrictEqual([read, filter, write, commit, rollback], counts)
        assert.strictEqual(step!.status, status)
        assert.strictEqual(execution.status, status)
      }).pipe(Effect.provide(JobRepository.layerMemory)))
  }
})
