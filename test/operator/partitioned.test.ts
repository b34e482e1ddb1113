/**
 * What people are told of the partitions of an execution, and what a restart would do about each.
 */
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ItemReader, ItemWriter, Job, JobOperator, JobRepository, Partition, Step } from "../../src/index.js"
import { living } from "../engine/partition/kit.js"
import { drivers } from "../support/drivers.js"

/** Four partitions of four items; `b` fails at its third item, `d` is never begun. */
const makeJob = (broken: () => boolean) =>
  Job.make("import", {
    flow: Step.partition("load", {
      plan: Partition.values(["a", "b", "c", "d"]),
      input: Schema.String,
      step: (part) =>
        Step.chunk("rows", {
          reader: ItemReader.fromIterable([1, 2, 3, 4]),
          writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
            part === "b" && broken() && items.includes(3) ? Effect.fail("down" as const) : Effect.void
          ),
          chunkSize: 2
        }),
      onPartitionFailure: "stop",
      version: "1"
    })
  })

describe.each(drivers)("partitions on $name", ({ layer, name }) => {
  it.scoped(`are explained one by one: completed, resumed from where, or new (PART-4, PART-5) [${name}]`, () =>
    Effect.gen(function*() {
      let broken = true
      const job = makeJob(() => broken)
      assert.deepStrictEqual((yield* JobOperator.explain(job, {})).lines, [
        "job \"import\": a new instance",
        "load: run"
      ])
      const { id } = yield* JobOperator.run(job, {})
      const { lines } = yield* JobOperator.explain(job, {})
      const [steps] = yield* JobOperator.partitions(id, { order: "plan" })
      assert.deepStrictEqual(
        steps!.partitions.map(({ name, standing }) => [name, standing]),
        [["a", "completed"], ["b", "failed"], ["c", "waiting"], ["d", "waiting"]]
      )
      assert.deepStrictEqual([steps!.tally.completed, steps!.tally.failed, steps!.tally.waiting], [1, 1, 2])
      const of = Option.getOrThrow(steps!.partitions[1]!.executionId)
      assert.deepStrictEqual(lines.slice(1), [
        "load: resume, 1 of 4 partitions completed",
        `load/b: resume rows at {"reader":2}, after 2 items read and 1 commit (execution ${of})`,
        "load/c: run",
        "load/d: run"
      ])
      broken = false
      const { id: second, status } = yield* JobOperator.run(job, {})
      assert.strictEqual(status, "COMPLETED")
      const [after] = yield* JobOperator.partitions(second)
      assert.strictEqual(after!.tally.completed, 4)
    }).pipe(Effect.provide(layer)))

  it.effect(`that came to no step are told with where they stand: never begun, or begun when and by whom (PART-4) [${name}]`, () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const job = makeJob(() => true)
      const { id } = yield* JobOperator.run(job, {})
      const [step] = yield* JobOperator.steps(id)
      const request = { leaseMillis: 600_000, isOwnerGone: () => false }
      // As they are left by processes that were killed on the way.
      const again = yield* repository.launch({
        ...request,
        owner: "gone",
        jobName: "import",
        parameters: [],
        restartable: true
      })
      yield* repository.updateJobExecution({ ...again, status: "STARTED" })
      const { id: stepExecutionId } = Option.getOrThrow(
        yield* repository.createStepExecution(again, {
          stepName: "load",
          context: step!.context,
          checkpoint: Option.none()
        })
      )
      yield* repository.partitions.resume(again, { id: step!.id, stepExecutionId, fingerprint: "1" }, request)
      const [begun, taken] = yield* Effect.replicateEffect(
        Effect.map(repository.partitions.claim(step!.id, { ...request, owner: "gone" }), Option.getOrThrow),
        3
      ).pipe(Effect.map((claimed) => claimed.slice(1)))
      const startTime = Option.some(DateTime.unsafeMake("2026-11-26T03:00:00.000Z"))
      assert.deepStrictEqual(
        [begun!.execution.status, taken!.execution.status],
        ["STARTED", "STARTED"],
        "begun by the claim"
      )
      yield* repository.updateJobExecution({ ...begun!.execution, startTime })
      // As a version left it in which a partition was begun behind its claim.
      yield* repository.updateJobExecution({ ...taken!.execution, status: "STARTING", startTime: Option.none() })
      const ids = [begun!, taken!].map(({ execution }) => execution.id)
      const { lines } = yield* living(JobOperator.explain(job, {}))
      const told = [
        `load/c: resume from the beginning: begun at 2026-11-26T03:00:00.000Z by gone, which came to no step (execution ${
          ids[0]
        })`,
        `load/d: resume from the beginning: never begun, only taken by gone (execution ${ids[1]})`
      ]
      assert.deepStrictEqual(lines.slice(-2), told)
      // Their owner is still known when they have been closed.
      yield* repository.close(ids[1]!, { status: "FAILED", exitCode: "OWNER_DIED", message: "died" })
      assert.deepStrictEqual((yield* living(JobOperator.explain(job, {}))).lines.slice(-2), told)
    }).pipe(Effect.provide(layer)))

  it.scoped(`two of four items, of which one fails: four are written, then four more (PART-6) [${name}]`, () =>
    Effect.gen(function*() {
      let broken = true
      const written: Array<string> = []
      const job = Job.make("four", {
        flow: Step.partition("load", {
          plan: Partition.values(["a", "b"]),
          input: Schema.String,
          step: (part) =>
            Step.chunk("rows", {
              reader: ItemReader.fromIterable([1, 2, 3, 4]),
              writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
                part === "b" && broken ? Effect.fail("down" as const) : Effect.sync(() => {
                  written.push(...items.map((item) => `${part}${item}`))
                })
              ),
              chunkSize: 4
            })
        })
      })
      const first = yield* JobOperator.run(job, {})
      assert.deepStrictEqual([first.status, written.length], ["FAILED", 4])
      const [failed] = yield* JobOperator.steps(first.id)
      assert.deepStrictEqual([failed!.counts.read, failed!.counts.write, failed!.counts.commit], [4, 4, 1])
      broken = false
      const second = yield* JobOperator.run(job, {})
      assert.deepStrictEqual([second.status, written.length], ["COMPLETED", 8])
      const [whole] = yield* JobOperator.steps(second.id)
      assert.deepStrictEqual([whole!.counts.read, whole!.counts.write, whole!.counts.commit], [8, 8, 2])
      const parts = yield* Effect.flatMap(
        JobRepository.JobRepository,
        (repository) => repository.jobExecutions({ parentId: second.id })
      )
      assert.strictEqual(parts.length, 1)
    }).pipe(Effect.provide(layer)))

  it.scoped(`only so many are told, whatever their number [${name}]`, () =>
    Effect.gen(function*() {
      const job = Job.make("wide", {
        flow: Step.partition("load", {
          plan: Partition.values(Array.from({ length: 130 }, (_, index) => index)),
          input: Schema.Number,
          step: (part) => Step.tasklet("rows", part === 0 ? Effect.fail("no") : Effect.void),
          onPartitionFailure: "stop"
        })
      })
      const { id } = yield* JobOperator.run(job, {})
      const explained = yield* JobOperator.explain(job, {})
      assert.strictEqual(explained.lines.length, 1 + 1 + 10 + 1)
      assert.strictEqual(explained.lines.at(-1), "load: and 120 further partitions")
      const step = explained._tag === "Restart" ? explained.steps[0]! : undefined
      assert.strictEqual(step?.plan === "resume" ? step.partitions?.partitions.length : undefined, 100)
      const [listed] = yield* JobOperator.partitions(id, { standings: ["waiting"], limit: 7 })
      assert.deepStrictEqual(listed!.partitions.map(({ name }) => name), ["1", "2", "3", "4", "5", "6", "7"])
    }).pipe(Effect.provide(layer)))

  it.scoped(`that an execution never planned are none [${name}]`, () =>
    Effect.gen(function*() {
      const plain = Job.make("plain", { flow: Step.tasklet("one", Effect.void) })
      const { id } = yield* JobOperator.run(plain, {})
      assert.deepStrictEqual(yield* JobOperator.partitions(id), [])
      assert.strictEqual((yield* Effect.flip(JobOperator.partitions(4711)))._tag, "NoSuchJobExecution")
      const unplanned = Job.make("unplanned", {
        flow: Step.partition("load", {
          plan: Effect.fail("no directory" as const),
          input: Schema.String,
          step: () => Step.tasklet("rows", Effect.void)
        })
      })
      const failed = yield* JobOperator.run(unplanned, {})
      assert.strictEqual(failed.status, "FAILED")
      const { lines } = yield* JobOperator.explain(unplanned, {})
      assert.deepStrictEqual(lines.slice(1), ["load: resume from the beginning, after 0 items read and 0 commits"])
      const [step] = yield* JobOperator.partitions(failed.id)
      assert.deepStrictEqual(step?.partitions, [])
    }).pipe(Effect.provide(layer)))
})
