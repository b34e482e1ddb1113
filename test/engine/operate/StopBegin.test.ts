/**
 * A request to stop that falls between the claim of an execution and its first step, or between two steps: nobody in the
 * process can be told, and no record is on its way.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Running from "../../../src/engine/session/running.js"
import type { JobExecution } from "../../../src/index.js"
import { Flow, Job, JobOperator, JobRepository, Partition, Step } from "../../../src/index.js"
import { drivers } from "../../support/drivers.js"

type Repository = JobRepository.JobRepository["Type"]

/** A repository that asks nobody's heartbeat, hints at nothing, and does some things otherwise. */
const deaf = (changes: (repository: Repository) => Partial<Repository>) =>
  Effect.updateService(JobRepository.JobRepository, (repository) => ({
    ...repository,
    renewLease: () => Effect.async<never>(() => {}),
    stopHint: () => Effect.async<never>(() => {}),
    ...changes(repository)
  }))

/** Just before the step of that name begins, which does so as if nothing had happened. */
const before = (stepName: string, stop: (execution: JobExecution.JobExecution) => Effect.Effect<unknown, unknown>) =>
  deaf((repository) => ({
    createStepExecution: (execution, step) =>
      Effect.zipRight(
        step.stepName === stepName ? Effect.orDie(stop(execution)) : Effect.void,
        repository.createStepExecution(execution, step)
      )
  }))

const steps = (executionId: number) =>
  Effect.map(
    JobOperator.steps(executionId),
    (found) => found.map(({ status, stepName }) => `${stepName} ${status}`).sort()
  )

const childrenOf = (parentId: number) =>
  Effect.flatMap(JobRepository.JobRepository, (repository) => repository.jobExecutions({ parentId }))

for (const { layer, name } of drivers) {
  describe(`a stop that comes just before a step begins (${name})`, () => {
    it.layer(layer, { timeout: 300_000 })((it) => {
      const ran: Array<string> = []
      const note = (text: string) => Step.tasklet(text, Effect.sync(() => void ran.push(text)))
      const kinds = {
        "of a plain job": note("late"),
        "that is not the first one": note("first").pipe(Flow.andThen(note("late"))),
        "in a branch": Flow.split([note("late"), note("beside")], { concurrency: 1 }),
        "inside of a step": Step.flow("outer", note("late"))
      }
      for (const [kind, flow] of Object.entries<Flow.Flow<string, unknown>>(kinds)) {
        it.effect(`${kind}, from elsewhere, is seen at once (HAND-1, STOP-4)`, () =>
          Effect.gen(function*() {
            const repository = yield* JobRepository.JobRepository
            const job = Job.make(`stopped ${kind}`, { flow })
            ran.length = 0
            let looks = 0
            const ended = yield* JobOperator.run(job, {}).pipe(
              before("late", ({ id }) => repository.requestStop(id)),
              Effect.updateService(JobRepository.JobRepository, (repository) => ({
                ...repository,
                stepExecutions: (id) => Effect.suspend(() => (looks++, repository.stepExecutions(id)))
              }))
            )
            assert.strictEqual(ended.status, "STOPPED")
            assert.strictEqual(looks, 0, "there is no step of which the end is not known")
            assert.notInclude(ran, "late")
            assert.notInclude((yield* steps(ended.id)).join(), "late")
            assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
            assert.include(ran, "late")
          }))
      }

      it.effect("of a job that is launched as a step is seen at once, whoever of the two is stopped (JOBSTEP-6, STOP-4)", () =>
        Effect.gen(function*() {
          const repository = yield* JobRepository.JobRepository
          for (const whom of ["child", "parent"] as const) {
            ran.length = 0
            const child = Job.make(`child of stopped ${whom}`, { flow: note("late") })
            const job = Job.make(`stopped ${whom}`, {
              flow: Step.job("child", child, { parameters: Effect.succeed({}) })
            })
            const ended = yield* JobOperator.run(job, {}).pipe(
              before("late", ({ id, parent }) => repository.requestStop(whom === "child" ? id : parent!.executionId))
            )
            assert.strictEqual(ended.status, "STOPPED")
            assert.deepStrictEqual(ran, [])
            const [launched] = yield* childrenOf(ended.id)
            assert.deepStrictEqual([launched?.status, yield* steps(launched!.id)], ["STOPPED", []])
          }
        }))

      const partitioned = (name: string) =>
        Job.make(name, {
          flow: Step.partition("load", {
            plan: Partition.values(["only"]),
            input: Schema.String,
            step: () => note("late")
          })
        })

      const moments = {
        "from elsewhere": (execution: JobExecution.JobExecution, repository: Repository) =>
          repository.requestStop(execution.id),
        "from the process that has taken it": (execution: JobExecution.JobExecution, repository: Repository) =>
          Effect.provideService(Running.stop(execution.id), JobRepository.JobRepository, repository),
        "of its job": ({ parent }: JobExecution.JobExecution, repository: Repository) =>
          repository.requestStop(parent!.executionId)
      }
      for (const [who, stop] of Object.entries(moments)) {
        it.effect(`of a partition that was taken and is not known yet, ${who}, is seen at once (PART-7, STOP-4)`, () =>
          Effect.gen(function*() {
            const stopping = deaf((repository) => ({
              partitions: {
                ...repository.partitions,
                claim: (planId, request) =>
                  Effect.tap(repository.partitions.claim(planId, request), (claimed) =>
                    Option.isNone(claimed)
                      ? Effect.void
                      : Effect.orDie(stop(claimed.value.execution, repository)))
              }
            }))
            ran.length = 0
            const job = partitioned(`taken and stopped ${who}`)
            // A restart takes it in another way than the first run, and is stopped in the same place.
            for (const _ of [1, 2]) {
              const ended = yield* JobOperator.run(job, {}).pipe(stopping)
              assert.strictEqual(ended.status, "STOPPED")
              assert.deepStrictEqual(ran, [])
              const [partition] = yield* childrenOf(ended.id)
              assert.deepStrictEqual([partition?.status, yield* steps(partition!.id)], ["STOPPED", []])
              assert.strictEqual(partition?.exitStatus.code, "STOPPED", "nobody else is to go on")
            }
            assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
            assert.deepStrictEqual(ran, ["late"])
          }))
      }

      it.effect("whose launch was just answered begins nothing (LIFE-5, STOP-6)", () =>
        Effect.gen(function*() {
          ran.length = 0
          const job = Job.make("launched and stopped", { flow: note("late") })
          const ended = yield* JobOperator.run(job, {}).pipe(deaf((repository) => ({
            launch: (request) =>
              Effect.tap(repository.launch(request), ({ id }) => Effect.orDie(repository.requestStop(id)))
          })))
          assert.deepStrictEqual([ended.status, ran, yield* steps(ended.id)], ["STOPPED", [], []])
        }))
    })
  })
}
