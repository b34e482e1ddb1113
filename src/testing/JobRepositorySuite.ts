/**
 * The tests that every job repository passes: run them on the one you wrote, or on ours with your database.
 *
 * Needs the optional peer dependencies `vitest` and `@effect/vitest`, which is why it is an entry point of its own,
 * `effect-batch/testing/JobRepositorySuite`. The guide shows how it is called (docs/08-testing.md).
 *
 * @since 0.1.0
 */
import { describe, layer as testLayer } from "@effect/vitest"
import type * as Duration from "effect/Duration"
import type * as Layer from "effect/Layer"
import type { JobRepository } from "../ports/JobRepository.js"
import type { Transactor } from "../ports/Transactor.js"
import { claiming } from "./jobRepository/claiming.js"
import type { Cases } from "./jobRepository/kit.js"
import { launching } from "./jobRepository/launching.js"
import { operating } from "./jobRepository/operating.js"
import { owning } from "./jobRepository/owning.js"
import { partitioning } from "./jobRepository/partitioning.js"
import { querying } from "./jobRepository/querying.js"
import { storing } from "./jobRepository/storing.js"
import { separateTransactions, transacting } from "./jobRepository/transacting.js"
import { viewing } from "./jobRepository/viewing.js"
import { witnessing } from "./jobRepository/witnessing.js"

/**
 * - `timeout`: how long building the layer may take, 5 minutes by default: a busy machine is slow.
 * - `separateTransactions`: whether a transaction of its own can be opened while another one is open; true by default.
 *   A store with a single connection says false.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly timeout?: Duration.DurationInput | undefined
  readonly separateTransactions?: boolean | undefined
}

/**
 * Defines the tests of a job repository and its transactor, to be called at the top of a test file. All tests share one
 * build of the layer and keep apart by the names of their jobs, so a store that is not empty does no harm; they leave
 * their executions in it.
 *
 * @since 0.1.0
 * @category utils
 */
export const suite = <E>(
  name: string,
  layer: Layer.Layer<JobRepository | Transactor, E>,
  options: Options = {}
): void => {
  const groups: Readonly<Record<string, Cases>> = {
    launching,
    owning,
    operating,
    storing,
    querying,
    partitioning: { ...partitioning, ...claiming, ...witnessing },
    viewing,
    transacting,
    ...(options.separateTransactions === false ? {} : { "separate transactions": separateTransactions })
  }
  describe(`JobRepository: ${name}`, () => {
    testLayer(layer, { timeout: options.timeout ?? "5 minutes" })((it) => {
      for (const [group, cases] of Object.entries(groups)) {
        describe(group, () => {
          for (const [title, test] of Object.entries(cases)) {
            it.effect(title, () => test)
          }
        })
      }
    })
  })
}
