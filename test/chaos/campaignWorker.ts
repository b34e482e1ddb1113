/**
 * A worker of the chaos campaign: runs every job of a list again and again until each is complete, whatever happens to it.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import { JobOperator } from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Postgres from "../support/Postgres.js"
import type { Kind } from "./campaignJob.js"
import { campaignJob } from "./campaignJob.js"

export interface CampaignOptions {
  readonly url: string
  readonly directory: string
  readonly jobs: ReadonlyArray<{ readonly job: number; readonly kind: Kind }>
  readonly leaseMillis: number
  readonly poolSize: number
}

const { directory, jobs, leaseMillis, poolSize, url }: CampaignOptions = JSON.parse(process.argv[2]!)

const job = campaignJob(directory)

const attempt = (parameters: typeof jobs[number]) =>
  Effect.map(Effect.either(JobOperator.run(job, parameters)), (result) => {
    const said = Either.match(result, {
      onLeft: (error) => `${error._tag} ${error.message}`,
      onRight: ({ exitStatus, status }) =>
        status === "COMPLETED" ? status : `${status} ${exitStatus.messages.join(" | ")}`
    })
    Fs.writeSync(1, `${parameters.job} ${parameters.kind} ${said}\n`)
    return /^(COMPLETED|JobInstanceAlreadyComplete)/.test(said)
  })

const program = Effect.gen(function*() {
  let open = [...jobs]
  while (open.length > 0) {
    const left: Array<typeof jobs[number]> = []
    for (const parameters of open.sort(() => Math.random() - 0.5)) {
      if (!(yield* attempt(parameters))) {
        left.push(parameters)
      }
    }
    open = left
    yield* Effect.sleep("50 millis")
  }
}).pipe(
  Effect.provideService(JobOperator.Ownership, { ...JobOperator.Ownership.defaultValue(), lease: leaseMillis })
)

const services = Layer.build(Layer.merge(
  NodeFileSystem.layer,
  Layer.provideMerge(
    SqlJobRepository.layerWith({ migrate: false }),
    Postgres.layerUrl(url, { maxConnections: poolSize, connectTimeout: "2 seconds" })
  )
))

// The client itself asks something when it is made, and would wait for ever for the answer of a network that has fallen silent.
const begun = Effect.timeoutFail(Effect.disconnect(services), {
  duration: "10 seconds",
  onTimeout: () => "the database did not answer"
})

Effect.runPromise(Effect.scoped(Effect.flatMap(begun, (live) => Effect.provide(program, live)))).then(
  () => process.exit(0),
  // The database was out of reach when it began; somebody starts another worker.
  (error) => {
    Fs.writeSync(2, `${error}\n`)
    process.exit(3)
  }
)
