/** Whether what an execution has left beside an output may be taken away: only when the repository says so. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { runName } from "../../../src/decisions/outputRun.js"
import { isOver } from "../../../src/engine/job/outputRuns.js"
import { BatchError, Job, JobOperator, JobRepository, Step } from "../../../src/index.js"

it.effect("a run is over when its instance has completed or was given up, and not when nobody knows (OWN-17)", () =>
  Effect.gen(function*() {
    const repository = yield* JobRepository.JobRepository
    let isBroken = true
    const job = (name: string) =>
      Job.make(name, {
        flow: Step.tasklet("rows", Effect.suspend(() => isBroken ? Effect.fail("broken") : Effect.void))
      })
    const ask = isOver(repository)
    const [first, second] = [yield* JobOperator.run(job("first"), {}), yield* JobOperator.run(job("second"), {})]
    assert.isFalse(yield* ask(runName(first)), "a restart goes on from there")
    yield* JobOperator.abandon(first.id)
    assert.isTrue(yield* ask(runName(first)), "it was given up")
    assert.isFalse(yield* ask(runName(second)))
    isBroken = false
    yield* JobOperator.run(job("second"), {})
    assert.isTrue(yield* ask(runName(second)), "a restart has completed it")
    assert.isFalse(yield* ask("somebody's"))
    assert.isFalse(yield* ask(runName({ ...second, id: 4711 })))
    const away = new BatchError.JobRepositoryError({ operation: "any", reason: "transient", detail: "away" })
    const silent = { ...repository, jobExecutions: () => Effect.fail(away) }
    assert.isFalse(yield* isOver(silent)(runName(second)))
  }).pipe(Effect.provide(JobRepository.layerMemory)))
