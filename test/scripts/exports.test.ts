/**
 * Each module is an entry point of its own, `effect-batch/Step` and so on, beside the index of its room.
 */
import { assert, describe, it } from "@effect/vitest"
import * as index from "effect-batch"
import * as file from "effect-batch/file"
import * as CsvItemReader from "effect-batch/file/CsvItemReader"
import * as Job from "effect-batch/Job"
import * as JobOperator from "effect-batch/JobOperator"
import * as JobRepository from "effect-batch/JobRepository"
import * as Step from "effect-batch/Step"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"

describe("entry points", () => {
  it.effect("a job is made and run by its modules alone", () =>
    Effect.gen(function*() {
      const job = Job.make("alone", { flow: Step.tasklet("only", Effect.void) })
      assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it("are the modules that the index names", () => {
    assert.strictEqual(Step.chunk, index.Step.chunk)
    assert.strictEqual(JobOperator.run, index.JobOperator.run)
    assert.strictEqual(CsvItemReader.make, file.CsvItemReader.make)
  })

  it("are all in package.json, and no others", () => {
    execFileSync(process.execPath, ["scripts/exports.mjs", "--check"])
  })
})
