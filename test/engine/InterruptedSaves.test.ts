/**
 * An interruption that comes while the repository is asked for something, at any such place in the life of a job: what was done
 * is stored, nothing is left that looks as if it still ran, and a restart does the rest. A second and a third interruption
 * change nothing.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { Flow, Job, JobOperator, JobRepository, Partition, Step } from "../../src/index.js"
import { isOpen } from "../../src/ports/Transactor.js"
import { drivers } from "../support/drivers.js"

/** What a job asks of its repository, outside of the transactions of its steps. */
const ASKED = [
  "launch",
  "createStepExecution",
  "updateStepExecution",
  "updateJobExecution",
  "stepExecutions",
  "lastStepExecutions"
] as const

/** Keeps back the answer to the question with that number; `asked` counts them all. */
const holding = (
  repository: JobRepository.JobRepository["Type"],
  at: number,
  reached: Deferred.Deferred<void>,
  answer: Deferred.Deferred<void>
) => {
  const log = { asked: 0 }
  // What is asked inside of a transaction is undone with it, and so is its work.
  const kept = Effect.flatMap(isOpen, (inside) =>
    !inside && ++log.asked === at
      ? Effect.zipRight(Deferred.succeed(reached, undefined), Deferred.await(answer))
      : Effect.void)
  const functions = ASKED.filter((name) => name in repository).map((name) => {
    const ask = repository[name as "stepExecutions"]
    return [name, (...args: Parameters<typeof ask>) => Effect.zipLeft(ask(...args), kept)] as const
  })
  return { log, repository: { ...repository, ...Object.fromEntries(functions) } as typeof repository }
}

const jobs = {
  "a tasklet": (ran: () => void) => Step.tasklet("work", Effect.sync(ran)),
  "steps in a row": (ran: () => void) =>
    Step.tasklet("first", Effect.void).pipe(Flow.andThen(Step.tasklet("work", Effect.sync(ran)))),
  "a partitioned step": (ran: () => void) =>
    Step.partition("load", {
      plan: Partition.values(["a"]),
      input: Schema.String,
      step: () => Step.tasklet("work", Effect.sync(ran))
    })
}

for (const { layer, name: driver } of drivers) {
  describe(`an interruption while the repository is asked (${driver})`, () => {
    it.layer(layer, { timeout: 300_000 })((it) => {
      for (const [title, flow] of Object.entries(jobs)) {
        for (const times of [1, 3]) {
          it.effect(`${title}: ${times === 1 ? "nothing" : "nothing, not by three of them either,"} is lost or done twice (EFF-3, OWN-4)`, () =>
            Effect.gen(function*() {
              const plain = yield* JobRepository.JobRepository
              for (let at = 1, isThere = true; isThere; at++) {
                const reached = yield* Deferred.make<void>()
                const answer = yield* Deferred.make<void>()
                let count = 0
                const job = Job.make(`${title} ${times} ${at}`, { flow: flow(() => void count++) })
                const { repository } = holding(plain, at, reached, answer)
                const run = yield* Effect.fork(
                  Effect.provideService(JobOperator.run(job, {}), JobRepository.JobRepository, repository)
                )
                isThere = yield* Effect.raceFirst(
                  Effect.as(Deferred.await(reached), true),
                  Effect.as(Fiber.await(run), false)
                )
                for (let k = 0; k < times; k++) {
                  yield* Fiber.interruptFork(run)
                  yield* Effect.repeatN(Effect.yieldNow(), 50)
                }
                yield* Deferred.succeed(answer, undefined)
                yield* Fiber.await(run)
                const [execution] = yield* JobOperator.executions({ jobName: job.name })
                const where = `at ${at}`
                assert.include(isThere ? ["STOPPED", "COMPLETED"] : ["COMPLETED"], execution?.status, where)
                const steps = yield* JobOperator.steps(execution!.id)
                assert.notInclude(JSON.stringify(steps), "could not be saved", where)
                if (execution!.status === "STOPPED") {
                  assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED", where)
                }
                assert.strictEqual(count, 1, where)
                assert.isBelow(at, 100)
              }
            }))
        }
      }
    })
  })
}
