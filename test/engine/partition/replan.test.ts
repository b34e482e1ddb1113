/**
 * A plan that a restart makes anew, on every repository.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Decision from "../../../src/decisions/partition.js"
import { fingerprintOf } from "../../../src/definition/fingerprint.js"
import { planKey } from "../../../src/engine/partition/step.js"
import { ExecutionContext, Job, JobOperator, JobRepository, Partition, Step } from "../../../src/index.js"
import { drivers } from "../../support/drivers.js"
import { living } from "./kit.js"

/** What the job finds when it plans, what is broken, and what ran. */
interface World {
  files: ReadonlyArray<string>
  broken: ReadonlyArray<string>
  collects: boolean
  readonly ran: Array<string>
}

const makeWorld = (files: ReadonlyArray<string>, broken: ReadonlyArray<string>): World => ({
  files,
  broken,
  collects: true,
  ran: []
})

const makeJob = (name: string, world: World, restart: "keep" | "replan" | "abandonAndReplan") =>
  Job.make(name, {
    flow: Step.partition("load", {
      plan: Effect.sync(() => Partition.values(world.files)),
      input: Schema.String,
      step: (file) =>
        Step.tasklet(
          "rows",
          Effect.suspend(() => {
            world.ran.push(file)
            return world.broken.includes(file) ? Effect.fail("broken" as const) : Effect.void
          })
        ),
      result: Schema.String,
      collect: () => world.collects ? Effect.void : Effect.fail("totals do not agree" as const),
      restart,
      version: "1"
    })
  })

const statuses = (executionId: number) =>
  Effect.map(
    Effect.flatMap(JobRepository.JobRepository, (repository) => repository.jobExecutions({ parentId: executionId })),
    (found) => found.map(({ status }) => status).sort()
  )

/** A job as it was left by a process of which nobody hears again: `a` is that process's, `b` is run by another one, `c` by none. */
const leftBy = (owner: string, jobName: string, othersLease = 600_000) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository.JobRepository
    const request = { leaseMillis: 600_000, isOwnerGone: () => false }
    const launched = yield* repository.launch({ ...request, owner, jobName, parameters: [], restartable: true })
    const parent = { ...launched, status: "STARTED" } as const
    yield* repository.updateJobExecution(parent)
    const step = Option.getOrThrow(
      yield* repository.createStepExecution(parent, {
        stepName: "load",
        context: ExecutionContext.empty,
        checkpoint: Option.none()
      })
    )
    const context = ExecutionContext.unsafeSet(ExecutionContext.empty, planKey, step.id)
    yield* repository.updateStepExecution(parent, { ...step, context, status: "STARTED" })
    const plan = { id: step.id, stepName: "load", fingerprint: fingerprintOf("1") }
    yield* repository.partitions.plan(parent, plan, ["a", "b", "c"].map((name) => ({ name, input: name })))
    const taken = (owner: string, leaseMillis = request.leaseMillis) =>
      Effect.gen(function*() {
        const claimed = yield* repository.partitions.claim(step.id, { ...request, owner, leaseMillis })
        const { execution } = Option.getOrThrow(claimed)
        yield* repository.updateJobExecution({ ...execution, status: "STARTED" })
        return execution
      })
    yield* taken(owner)
    const other = yield* taken("another", othersLease)
    const end = repository.updateJobExecution({ ...other, status: "COMPLETED" })
    return { id: parent.id, other, end }
  })

for (const { layer, name } of drivers) {
  it.layer(layer, { timeout: 300_000 })(`a plan that is made anew (${name})`, (it) => {
    it.effect("when all partitions of the old one have completed: all of the new one run (PART-3)", () =>
      Effect.gen(function*() {
        const world = makeWorld(["a", "b"], [])
        world.collects = false
        const job = makeJob("anew", world, "replan")
        const failed = yield* JobOperator.run(job, {})
        assert.strictEqual(failed.status, "FAILED")
        assert.deepStrictEqual((yield* JobOperator.explain(job, {})).lines.slice(1), ["load: make its plan anew"])
        Object.assign(world, { collects: true, files: ["b", "c", "d"] })
        world.ran.length = 0
        const { id, status } = yield* JobOperator.run(job, {})
        assert.strictEqual(status, "COMPLETED")
        assert.deepStrictEqual(world.ran.sort(), ["b", "c", "d"])
        const [step] = yield* JobOperator.steps(id)
        assert.strictEqual(step!.counts.commit, 3)
        const [listed] = yield* JobOperator.partitions(id, { order: "plan" })
        assert.deepStrictEqual(listed!.partitions.map(({ name }) => name), ["b", "c", "d"])
      }))

    it.effect("is refused while one has not completed, and nothing of the old plan changes; kept, it is finished (PART-3)", () =>
      Effect.gen(function*() {
        const world = makeWorld(["a", "b", "c"], ["b"])
        const job = makeJob("refused", world, "replan")
        const first = yield* JobOperator.run(job, {})
        world.ran.length = 0
        assert.deepStrictEqual((yield* JobOperator.explain(job, {})).lines.slice(1), [
          "load: refuse. Its plan is to be made anew, and 1 of 3 partitions have not completed"
        ])
        const second = yield* JobOperator.run(job, {})
        assert.strictEqual(second.status, "FAILED")
        assert.include(
          second.exitStatus.messages.join(),
          "1 of 3 partitions of the old one have not completed, the first is \"b\""
        )
        assert.deepStrictEqual(world.ran, [])
        assert.deepStrictEqual(yield* statuses(first.id), ["COMPLETED", "COMPLETED", "FAILED"])
        world.broken = []
        const third = yield* JobOperator.run(makeJob("refused", world, "keep"), {})
        assert.strictEqual(third.status, "COMPLETED")
        assert.deepStrictEqual(world.ran, ["b"])
      }))

    it.effect("gives up what is unfinished where it is told to (PART-3)", () =>
      Effect.gen(function*() {
        const world = makeWorld(["a", "b", "c"], ["b"])
        const job = makeJob("given-up", world, "abandonAndReplan")
        const first = yield* JobOperator.run(job, {})
        assert.deepStrictEqual((yield* JobOperator.explain(job, {})).lines.slice(1), [
          "load: make its plan anew, and give up 1 of 3 partitions"
        ])
        Object.assign(world, { files: ["c", "d"] })
        world.ran.length = 0
        const { id, status } = yield* JobOperator.run(job, {})
        assert.strictEqual(status, "COMPLETED")
        assert.deepStrictEqual(world.ran.sort(), ["c", "d"])
        assert.deepStrictEqual(yield* statuses(first.id), ["ABANDONED", "COMPLETED", "COMPLETED"])
        const [listed] = yield* JobOperator.partitions(id)
        assert.strictEqual(listed!.tally.completed, 2)
        assert.isTrue(Option.isSome(listed!.partitions[0]!.executionId))
      }))

    it.effect("does not wait for partitions of a process that is known to be gone, and gives up none that runs (PART-3, PART-7)", () =>
      Effect.gen(function*() {
        const world = makeWorld(["d"], [])
        const left = yield* leftBy("gone", "killed")
        const job = (restart: "replan" | "abandonAndReplan") => makeJob("killed", world, restart)
        const explained = living(JobOperator.explain(job("abandonAndReplan"), {}))
        assert.deepStrictEqual((yield* explained).lines.slice(1), [
          "load: refuse. Its plan is to be made anew, and 3 of 3 partitions have not completed"
        ])
        const busy = yield* living(JobOperator.run(job("abandonAndReplan"), {}))
        assert.include(busy.exitStatus.messages.join(), "3 of 3 partitions of the old one have not completed")
        assert.deepStrictEqual(yield* statuses(left.id), ["STARTED", "STARTED"])
        yield* left.end
        const refused = yield* living(JobOperator.run(job("replan"), {}))
        assert.include(refused.exitStatus.messages.join(), "2 of 3 partitions of the old one have not completed")
        assert.include(busy.exitStatus.messages.join(), "1 partition of them still run")
        assert.notInclude(refused.exitStatus.messages.join(), "still run")
        assert.deepStrictEqual(world.ran, [])
        assert.deepStrictEqual((yield* explained).lines.slice(1), [
          "load: make its plan anew, and give up 2 of 3 partitions"
        ])
        assert.strictEqual((yield* living(JobOperator.run(job("abandonAndReplan"), {}))).status, "COMPLETED")
        assert.deepStrictEqual(world.ran, ["d"])
        assert.deepStrictEqual(yield* statuses(left.id), ["ABANDONED", "COMPLETED"])
      }))

    it.effect("does not wait for a lease that the clock of its owner has made longer than it is (PART-3, OWN-20)", () =>
      Effect.gen(function*() {
        const world = makeWorld(["d"], [])
        const left = yield* leftBy("gone", "late", -1000)
        const repository = yield* JobRepository.JobRepository
        yield* repository.renewLease(left.other, 3_600_000)
        const { status } = yield* living(JobOperator.run(makeJob("late", world, "abandonAndReplan"), {}))
        assert.strictEqual(status, "COMPLETED")
        assert.deepStrictEqual(yield* statuses(left.id), ["ABANDONED", "ABANDONED"])
      }))

    it.effect("by default it is kept, whatever there is to plan by then (PART-4)", () =>
      Effect.gen(function*() {
        const world = makeWorld(["a", "b"], ["b"])
        const job = makeJob("kept", world, "keep")
        yield* JobOperator.run(job, {})
        Object.assign(world, { files: ["x"], broken: [] })
        world.ran.length = 0
        assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
        assert.deepStrictEqual(world.ran, ["b"])
      }))
  })
}

describe("whether a plan is made anew", () => {
  const tally = FastCheck.record({
    waiting: FastCheck.nat(3),
    running: FastCheck.nat(1),
    completed: FastCheck.nat(3),
    failed: FastCheck.nat(2),
    stopped: FastCheck.nat(2),
    unknown: FastCheck.nat(1),
    abandoned: FastCheck.nat(2)
  })

  it.prop(
    "what runs is never given up, and what is unfinished only if that is asked for (PART-3)",
    [tally],
    ([tally]) => {
      assert.strictEqual(Decision.replanOf("keep", tally), "Keep")
      assert.strictEqual(Decision.replanOf("abandonAndReplan", tally), tally.running > 0 ? "Refuse" : "Replan")
      const left = tally.waiting + tally.running + tally.failed + tally.stopped + tally.unknown
      assert.strictEqual(Decision.unfinished(tally), left)
      assert.strictEqual(Decision.replanOf("replan", tally), left > 0 ? "Refuse" : "Replan")
    }
  )
})
