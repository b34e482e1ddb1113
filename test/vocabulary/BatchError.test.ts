import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import { withoutAdvice } from "../../src/base/text.js"
import { CsvError, ItemEncodeError, JsonError } from "../../src/file/FileError.js"
import * as BatchError from "../../src/vocabulary/BatchError.js"

const cause = new Error("boom")

const all = [
  new BatchError.InvalidJobParameters({ jobName: "import", problems: [{ parameter: "file", message: "is missing" }] }),
  new BatchError.JobInstanceAlreadyComplete({
    jobName: "import",
    parameters: "file=a.csv",
    executionId: 7,
    status: "COMPLETED"
  }),
  new BatchError.JobExecutionAlreadyRunning({
    jobName: "import",
    executionId: 7,
    owner: "host-1:42:boot:start",
    since: DateTime.unsafeMake("2026-06-30T10:00:00Z"),
    leaseLeftMillis: 8200
  }),
  new BatchError.JobRestartRefused({
    jobName: "import",
    executionId: 7,
    reason: "notRestartable",
    detail: "it is defined as not restartable"
  }),
  new BatchError.LaunchInTransaction({ jobName: "import" }),
  new BatchError.StepStartLimitExceeded({ step: "load", startLimit: 2, starts: 2 }),
  new BatchError.SkipLimitExceeded({ step: "load", limit: 1, skips: 1, cause }),
  new BatchError.OwnershipLost({ executionId: 7, epoch: 2 }),
  new BatchError.JobRepositoryError({
    operation: "launch",
    reason: "transient",
    detail: "the connection broke",
    cause
  }),
  new BatchError.TransactionError({ reason: "conflict", phase: "commit", sqlState: "40001", cause }),
  new BatchError.NoSuchJobExecution({ executionId: 7 }),
  new BatchError.NoSuchJob({ name: "imprt", known: ["import", "export"] }),
  new BatchError.JobExecutionNotRunning({ executionId: 7, status: "FAILED" }),
  new BatchError.UnreadableContextKey({ key: "lastId", scope: `step "load"`, detail: "Expected number" }),
  new BatchError.UnreadablePosition({ reader: "csv", detail: "Expected number" }),
  new BatchError.JobDefinitionError({ jobName: "import", defects: ["two steps are named load", "c is unreachable"] }),
  new BatchError.JobNotCompleted({ jobName: "import", executionId: 7, status: "STOPPED", exitCode: "STOPPED" }),
  new BatchError.UnroutedExitCode({ state: "load", code: "LATE" }),
  new BatchError.InvalidPartitionPlan({ step: "load", problems: ["partition 2 has no name"] }),
  new BatchError.ReplanRefused({ step: "load", unfinished: 3, running: 0, total: 40, first: "de" }),
  new BatchError.PartitionsFailed({
    step: "load",
    failed: 3,
    total: 40,
    notBegun: 0,
    first: "de",
    executionId: 7,
    reason: "boom"
  }),
  new BatchError.UnreadablePartitionInput({ step: "load", partition: "de", detail: "Expected number" }),
  new BatchError.PartitionCodeDiffers({ jobName: "import", step: "load", executionId: 7, planned: "a1", own: "b2" }),
  new BatchError.NestedPartition({ step: "rows", jobName: "import/load" }),
  new BatchError.ReplayRefused({ jobName: "import", executionId: 7, reason: "none", detail: "it skipped none" }),
  new BatchError.RecordNotReplayed({ record: 12, executionId: 7, step: "load", detail: "JSON could not hold it" })
]

const messages: Record<string, string> = {
  InvalidJobParameters: `The parameters of job "import" are not valid: file is missing`,
  JobInstanceAlreadyComplete: `Job "import" with parameters file=a.csv is COMPLETED already (execution 7): ` +
    "change an identifying parameter to run it again",
  JobExecutionAlreadyRunning: `Job "import" is already running as execution 7 in process 42 on host-1 ` +
    "since 2026-06-30T10:00:00.000Z: wait for it or stop it; if its process is dead, it can be taken over in 9 s",
  JobRestartRefused: `Job "import" cannot be restarted after execution 7: it is defined as not restartable`,
  LaunchInTransaction:
    `Job "import" cannot be launched while a transaction is open, which could take back what the job ` +
    "stores: run it as a step of its own with Step.job, or launch it after the transaction",
  StepStartLimitExceeded: `Step "load" has been started 2 times and its start limit is 2: ` +
    "raise the limit or run the job with another identifying parameter",
  SkipLimitExceeded: `Step "load" met a bad item after 1 skip and its skip limit is 1: ` +
    "boom; mend the input or raise the limit, then restart",
  OwnershipLost: "Execution 7 was taken over by another process, or may be, because this one could not " +
    "renew its lease (epoch 2): look at the newest execution of the job; " +
    "if this happens to healthy processes, lengthen the lease",
  JobRepositoryError: "The job repository failed in launch: the connection broke (transient: trying again may help)",
  TransactionError: "A transaction failed in its commit, SQLSTATE 40001: boom " +
    "(conflict: somebody else was faster; look at the current state and try again)",
  NoSuchJobExecution: "There is no job execution 7: list the executions of the job to find its id",
  NoSuchJob: `There is no job "imprt" (did you mean "import"?): the jobs are "import", "export"`,
  JobExecutionNotRunning: "Execution 7 is not running, it is FAILED: there is nothing to stop",
  UnreadableContextKey: `The entry "lastId" of step "load" does not fit its schema: Expected number; ` +
    "accept the stored form in the schema, or use another key",
  UnreadablePosition: `"csv" cannot go on from its stored state: Expected number; ` +
    "restart with the component that stored it, or run the job with another identifying parameter",
  JobNotCompleted: `Job "import" ended as STOPPED with exit code "STOPPED" (execution 7): ` +
    "run it again with the same parameters to go on",
  JobDefinitionError: `The definition of job "import" cannot work: two steps are named load; c is unreachable`,
  UnroutedExitCode:
    `"load" ended with exit code "LATE", for which there is no transition: add a case for "LATE" or "*"`,
  InvalidPartitionPlan: `The plan of step "load" can't be used: partition 2 has no name. ` +
    "Nothing was begun; a restart makes the plan again",
  ReplanRefused:
    `Step "load" can't make its plan anew: 3 of 40 partitions of the old one have not completed, the first is ` +
    `"de"; finish them with \`restart: "keep"\`, or give them up with \`restart: "abandonAndReplan"\``,
  PartitionsFailed: `3 of 40 partitions of "load" failed, first "de" (execution 7): boom; ` +
    "mend the cause and restart the job, which runs those again that did not complete",
  UnreadablePartitionInput: `The stored input of partition "de" of step "load" does not fit its schema: ` +
    "Expected number; accept the stored form in the schema, then restart the job",
  PartitionCodeDiffers: `This worker's code of step "load" of job "import" (b2) is not that of execution 7 (a1): ` +
    "its partitions are left to workers with the same code. Deploy the same version, or give both versions the same " +
    "`version` if they are compatible",
  NestedPartition: `Step "rows" is partitioned, and cannot run inside of a partition ("import/load"): ` +
    "make one plan of all of them",
  ReplayRefused: "What execution 7 of job \"import\" skipped is not run again: it skipped none",
  RecordNotReplayed: "Record 12 that step \"load\" skipped in execution 7 is not run again: JSON could not hold it; " +
    "it is still listed there"
}

describe("BatchError", () => {
  it("every error is listed here", () => {
    const errors = Object.values(BatchError).filter((value) => "_tag" in value || "fields" in value)
    assert.strictEqual(errors.length, all.length)
    assert.strictEqual(new Set(all.map(({ _tag }) => _tag)).size, all.length)
  })

  for (const error of all) {
    it(`${error._tag} says in one line what happened, where, and what to do`, () => {
      assert.strictEqual(error.message, messages[error._tag])
      assert.notInclude(error.message, "\n")
      assert.instanceOf(error, Error)
    })

    it(`${error._tag} can be stored and read back`, () => {
      const schema = Schema.parseJson(
        error.constructor as unknown as Schema.Schema<(typeof all)[number], unknown>
      )
      const back = Schema.decodeSync(schema)(Schema.encodeSync(schema)(error))
      assert.strictEqual(back._tag, error._tag)
      assert.strictEqual(back.message, error.message)
    })
  }

  it("the message of a skipped record does not advise to skip it", () => {
    const row = new CsvError({ path: "in.csv", line: 3, raw: "3,x", problem: "amount: Expected number" })
    const told = "Bad row in \"in.csv\", line 3: amount: Expected number. The row: 3,x"
    assert.strictEqual(withoutAdvice(row.message), told)
    assert.strictEqual(
      new BatchError.SkipLimitExceeded({ step: "load", limit: 1, skips: 1, cause: row }).message,
      `Step "load" met a bad item after 1 skip and its skip limit is 1: ${told}; mend the input or raise the limit, ` +
        "then restart"
    )
    const element = new JsonError({ path: "in.json", line: 3, offset: 9, raw: "{}", problem: "id: is missing" })
    assert.strictEqual(
      withoutAdvice(element.message),
      "Bad value in \"in.json\", line 3: id: is missing. The value: {}"
    )
    const item = new ItemEncodeError({ path: "out.csv", item: 2, problem: "it lacks \"a\"" })
    assert.strictEqual(withoutAdvice(item.message), "Item 2 cannot be written to \"out.csv\": it lacks \"a\".")
  })

  it("the message describes a skip limit in words", () => {
    const error = new BatchError.SkipLimitExceeded({ step: "load", limit: "10 or 3", skips: 4, cause })
    assert.include(error.message, "after 4 skips and its skip limit is 10 or 3")
  })

  it("leaves out unknown details", () => {
    assert.strictEqual(
      new BatchError.JobExecutionAlreadyRunning({ jobName: "import", executionId: 7 }).message,
      `Job "import" is already running as execution 7: wait for it or stop it`
    )
    assert.strictEqual(
      new BatchError.InvalidJobParameters({ problems: [{ parameter: "", message: "are not an object" }] }).message,
      "The parameters are not valid: the parameters are not an object"
    )
    assert.include(
      new BatchError.JobInstanceAlreadyComplete({
        jobName: "nightly",
        parameters: "",
        executionId: 1,
        status: "ABANDONED"
      }).message,
      `Job "nightly" without parameters is ABANDONED already`
    )
    assert.strictEqual(
      new BatchError.NoSuchJob({ name: "x", known: [] }).message,
      `There is no job "x": no job is registered`
    )
  })
})
