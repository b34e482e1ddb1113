/**
 * Lists of partitions, over a repository that has only those: which are the slowest, whatever the number of its pages, and
 * what a restart would do about each.
 */
import { assert, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import type { Standing } from "../../src/decisions/partition.js"
import { planKey } from "../../src/engine/partition/step.js"
import { ExecutionContext, JobRepository, type StepExecution } from "../../src/index.js"
import * as Partitioned from "../../src/operator/partitioned.js"
import type { PartitionState } from "../../src/ports/partitions.js"

const PLAN = 7

const step = {
  stepName: "load",
  context: ExecutionContext.unsafeSet(ExecutionContext.empty, planKey, PLAN)
} as StepExecution.StepExecution

type Repository = typeof JobRepository.JobRepository.Service

/** Asked for pages as the drivers are. */
const over = (states: ReadonlyArray<PartitionState>, rows: ReadonlyArray<StepExecution.StepExecution> = []) => {
  const partitions: Partial<Repository["partitions"]> = {
    find: () => Effect.succeed(Option.some({} as any)),
    tally: () => Effect.succeed({} as any),
    list: (_, _witness, { after = -1, limit = Infinity } = {}) =>
      Effect.succeed(states.filter(({ ordinal }) => ordinal > after).slice(0, limit))
  }
  const repository = {
    jobExecution: () => Effect.succeed({}),
    stepExecutions: () => Effect.succeed([step]),
    stepExecutionsOf: (ids: ReadonlyArray<number>) =>
      Effect.succeed(rows.filter(({ jobExecutionId }) => ids.includes(jobExecutionId))),
    partitions
  }
  return Effect.provideService(JobRepository.JobRepository, repository as unknown as Repository)
}

const at = (millis: number | undefined) => Option.map(Option.fromNullable(millis), DateTime.unsafeMake)

const stateOf = (ordinal: number, began: number | undefined, ended?: number): PartitionState =>
  ({ ordinal, name: `p${ordinal}`, owner: Option.none(), startTime: at(began), endTime: at(ended) }) as PartitionState

it.effect.prop(
  "the slowest partitions come first, those that have not begun last, and of equals the earlier ones (PART-4)",
  [
    FastCheck.array(FastCheck.record({ began: FastCheck.integer({ min: 0, max: 3 }), lasts: FastCheck.nat(3) }), {
      maxLength: 12
    }),
    FastCheck.integer({ min: 1, max: 12 })
  ],
  ([some, limit]) =>
    Effect.gen(function*() {
      yield* TestClock.setTime(5)
      // Of four kinds: done, running, not begun, and enough of the last for a second page, with gaps in the plan.
      const kinds = some.map(({ began, lasts }, index) => ({ ordinal: 300 * index + 2, began, lasts, kind: index % 3 }))
      const mine = kinds.map(({ began, kind, lasts, ordinal }) =>
        kind === 0
          ? stateOf(ordinal, began, began + lasts)
          : kind === 1
          ? stateOf(ordinal, began)
          : stateOf(ordinal, undefined)
      )
      const taken = new Set(mine.map(({ ordinal }) => ordinal))
      const others = Array.from({ length: 1700 }, (_, index) => 2 * index + 1).filter((one) => !taken.has(one))
      const all = [...mine, ...others.map((ordinal) => stateOf(ordinal, undefined))].sort((a, b) =>
        a.ordinal - b.ordinal
      )
      const took = (state: PartitionState) =>
        Option.isNone(state.startTime) ? -1 : Option.match(state.endTime, {
          onNone: () => 5,
          onSome: DateTime.toEpochMillis
        }) - DateTime.toEpochMillis(state.startTime.value)
      const expected = [...all].sort((a, b) => took(b) - took(a) || a.ordinal - b.ordinal).slice(0, limit)
      const [listed] = yield* Partitioned.list(1, { limit }).pipe(over(all))
      assert.deepStrictEqual(listed?.partitions.map(({ name }) => name), expected.map(({ name }) => name))
    }),
  { fastCheck: { numRuns: 25 } }
)

it.effect("a restart begins, resumes, waits for or leaves each partition by how it stands (PART-5)", () =>
  Effect.gen(function*() {
    const states = (["waiting", "waiting", "running", "failed", "stopped", "unknown", "abandoned"] as const).map(
      (standing: Standing, index): PartitionState => ({
        ...stateOf(index, undefined),
        standing,
        executionId: index === 0 ? Option.none() : Option.some(10 + index)
      })
    )
    const rows = [13].map((jobExecutionId) => ({
      id: 1,
      jobExecutionId,
      checkpoint: Option.some({ reader: 2 })
    })) as unknown as ReadonlyArray<StepExecution.StepExecution>
    const forecast = Option.getOrThrow(yield* Partitioned.forecast(step, "keep").pipe(over(states, rows)))
    assert.deepStrictEqual(
      forecast.partitions.map((one) => [one.plan, one.executionId, one.plan === "resume" ? one.position : undefined]),
      [
        ["run", null, undefined],
        ["resume", 11, null],
        ["follow", 12, undefined],
        ["resume", 13, { reader: 2 }],
        ["resume", 14, null],
        ["stay", 15, undefined],
        ["stay", 16, undefined]
      ]
    )
  }))
