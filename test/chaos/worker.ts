/**
 * A worker of the chaos test: runs every job of a range again and again until each is complete, whatever happens to it.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import { JobOperator } from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Postgres from "../support/Postgres.js"
import { chaosJob } from "./job.js"

export interface WorkerOptions {
  readonly url: string
  readonly first: number
  readonly last: number
  readonly leaseMillis: number
}

const { first, last, leaseMillis, url }: WorkerOptions = JSON.parse(process.argv[2]!)

const attempt = (job: number) =>
  Effect.map(Effect.either(JobOperator.run(chaosJob, { job })), (result) => {
    const said = Either.match(result, { onLeft: ({ _tag }) => _tag as string, onRight: ({ status }) => status })
    Fs.writeSync(1, `${job} ${said}\n`)
    return said === "COMPLETED" || said === "JobInstanceAlreadyComplete"
  })

const program = Effect.gen(function*() {
  let open = Array.from({ length: last - first + 1 }, (_, index) => first + index)
  while (open.length > 0) {
    const left: Array<number> = []
    for (const job of open.sort(() => Math.random() - 0.5)) {
      if (!(yield* attempt(job))) {
        left.push(job)
      }
    }
    open = left
    yield* Effect.sleep("50 millis")
  }
}).pipe(
  Effect.provideService(JobOperator.Ownership, {
    ...JobOperator.Ownership.defaultValue(),
    lease: leaseMillis
  }),
  Effect.provide(Layer.provideMerge(
    SqlJobRepository.layerWith({ migrate: false }),
    Postgres.layerUrl(url, { maxConnections: 5 })
  ))
)

Effect.runPromise(program).then(
  () => process.exit(0),
  // The database was out of reach when it began; somebody starts another worker.
  (error) => {
    Fs.writeSync(2, `${error}\n`)
    process.exit(3)
  }
)
