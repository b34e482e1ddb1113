/**
 * What an error and a request to stop do in each place of a step, but for the callbacks that come once per chunk or item:
 * those are in the matrix of the listeners.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { BatchError } from "../../src/index.js"
import {
  ExitStatus,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  Listener,
  Step,
  StepScope
} from "../../src/index.js"
import { drivers } from "../support/drivers.js"

type Place = "beforeStep" | "tasklet" | "reader" | "processor" | "writer" | "afterStep"
type Act = Effect.Effect<void, string, StepScope.StepScope>

/** A job of two steps, in the first of which something happens once. */
const makeJob = (name: string, place: Place, act: Act) => {
  const ran: Array<string> = []
  let due = true
  const at = (here: Place): Act =>
    Effect.suspend(() => {
      const happens = here === place && due
      due = due && !happens
      return happens ? act : Effect.void
    })
  const listener = Listener.step({ beforeStep: () => at("beforeStep"), afterStep: () => at("afterStep") })
  const tasklet = Step.tasklet("first", Effect.tap(at("tasklet"), () => ran.push("first")))
  const chunks = Step.chunk("first", {
    reader: ItemReader.make<number, string, StepScope.StepScope>("scripted", (from) =>
      Effect.sync(() => {
        let next = Option.match(from, { onNone: () => 1, onSome: Number })
        return {
          pull: () =>
            Effect.map(next === 2 ? at("reader") : Effect.void, () => ({
              items: [next++],
              position: next,
              failure: Option.none<string>(),
              done: next > 3
            }))
        }
      })),
    processor: (n) => Effect.as(n === 2 ? at("processor") : Effect.void, n),
    writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
      Effect.zipRight(
        items.includes(2) ? at("writer") : Effect.void,
        Effect.sync(() => void ran.push(`first ${items.join()}`))
      )
    ),
    chunkSize: 1
  })
  const first: Step.Step<"COMPLETED" | "FAILED", string | BatchError.TransactionError, StepScope.StepScope> =
    ["reader", "processor", "writer"].includes(place)
      ? chunks
      : tasklet
  const flow = first.pipe(
    Step.listen(listener),
    Flow.andThen(Step.tasklet("second", Effect.sync(() => ran.push("second"))))
  )
  return { job: Job.make(name, { flow }), ran }
}

const rowsOf = (executionId: number) =>
  Effect.map(
    JobOperator.steps(executionId),
    (steps) => steps.map(({ exitStatus, status, stepName }) => `${stepName} ${status} ${exitStatus.code}`)
  )

interface Case {
  readonly place: Place
  /** What ran before the job came to its end. */
  readonly before: ReadonlyArray<string>
  /** What the restart runs. */
  readonly after: ReadonlyArray<string>
}

const throwing: ReadonlyArray<Case> = [
  { place: "beforeStep", before: [], after: ["first", "second"] },
  { place: "tasklet", before: [], after: ["first", "second"] },
  { place: "reader", before: ["first 1"], after: ["first 2", "first 3", "second"] },
  { place: "processor", before: ["first 1"], after: ["first 2", "first 3", "second"] },
  { place: "writer", before: ["first 1"], after: ["first 2", "first 3", "second"] },
  { place: "afterStep", before: ["first"], after: ["second"] }
]

/** The chunk or call at work is committed, and a call that has finished is not made again (OWN-4). */
const stopping: ReadonlyArray<Case> = [
  { place: "beforeStep", before: [], after: ["first", "second"] },
  { place: "tasklet", before: ["first"], after: ["second"] },
  { place: "reader", before: ["first 1", "first 2"], after: ["first 3", "second"] },
  { place: "processor", before: ["first 1", "first 2"], after: ["first 3", "second"] },
  { place: "writer", before: ["first 1", "first 2"], after: ["first 3", "second"] }
]

for (const driver of drivers) {
  describe("errors and stops in each place of a step (STEP-20)", () => {
    it.layer(Layer.orDie(driver.layer), { timeout: "5 minutes" })(driver.name, (it) => {
      it.effect.each(throwing)(
        "an error in $place fails the step and the job, and a restart continues",
        (row) =>
          Effect.gen(function*() {
            const { job, ran } = makeJob(`error in ${row.place}`, row.place, Effect.fail("oops"))
            const failed = yield* JobOperator.run(job, {})
            assert.strictEqual(failed.status, "FAILED")
            assert.strictEqual(yield* Effect.flip(failed.exit), "oops")
            assert.deepStrictEqual(yield* rowsOf(failed.id), ["first FAILED FAILED"])
            assert.deepStrictEqual(ran.splice(0), row.before)
            const again = yield* JobOperator.run(job, {})
            assert.strictEqual(again.status, "COMPLETED")
            assert.deepStrictEqual(ran, row.after)
          })
      )

      it.effect.each(stopping)(
        "requestStop in $place stops the step and the job, and a restart continues (C33)",
        (row) =>
          Effect.gen(function*() {
            const { job, ran } = makeJob(`stop in ${row.place}`, row.place, StepScope.requestStop)
            const stopped = yield* JobOperator.run(job, {})
            assert.strictEqual(stopped.status, "STOPPED")
            assert.deepStrictEqual(yield* rowsOf(stopped.id), ["first STOPPED STOPPED"])
            assert.deepStrictEqual(ran.splice(0), row.before)
            const again = yield* JobOperator.run(job, {})
            assert.strictEqual(again.status, "COMPLETED")
            assert.deepStrictEqual(ran, row.after)
          })
      )

      it.effect("requestStop in afterStep leaves its step COMPLETED, and stops the job after it (STEP-16, FLOW-34, C33)", () =>
        Effect.gen(function*() {
          const { job, ran } = makeJob("stop in afterStep", "afterStep", StepScope.requestStop)
          const stopped = yield* JobOperator.run(job, {})
          assert.strictEqual(stopped.status, "STOPPED")
          assert.deepStrictEqual(yield* rowsOf(stopped.id), ["first COMPLETED COMPLETED"])
          const again = yield* JobOperator.run(job, {})
          assert.strictEqual(again.status, "COMPLETED")
          assert.deepStrictEqual(yield* rowsOf(again.id), ["second COMPLETED COMPLETED"])
          assert.deepStrictEqual(ran, ["first", "second"])
        }))

      for (const status of ["FAILED", "STOPPED"] as const) {
        it.effect(`afterStep that upgrades the status to ${status} ends the job there (STEP-16)`, () =>
          Effect.gen(function*() {
            const { job, ran } = makeJob(`upgrade to ${status}`, "afterStep", StepScope.upgradeStatus(status))
            const ended = yield* JobOperator.run(job, {})
            assert.strictEqual(ended.status, status)
            assert.deepStrictEqual(yield* rowsOf(ended.id), [`first ${status} ${status}`])
            assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
            assert.deepStrictEqual(ran, ["first", "second"])
          }))
      }

      it.effect("an exit status set in afterStep raises the severity, and never lowers it (STEP-16)", () =>
        Effect.gen(function*() {
          const raise = makeJob("raise", "afterStep", StepScope.addExitStatus(ExitStatus.make("ODD")))
          const raised = yield* JobOperator.run(raise.job, {})
          assert.deepStrictEqual((yield* rowsOf(raised.id))[0], "first COMPLETED ODD")
          const lower = Step.tasklet("only", Effect.fail("oops")).pipe(
            Step.listen(Listener.step({
              afterStep: () => Effect.as(StepScope.addExitStatus(ExitStatus.COMPLETED), ExitStatus.COMPLETED)
            }))
          )
          const lowered = yield* JobOperator.run(Job.make("lower", { flow: lower }), {})
          assert.deepStrictEqual(yield* rowsOf(lowered.id), ["only FAILED FAILED"])
        }))

      it.effect("an error in beforeJob fails the job before any step, one in afterJob is only logged", () =>
        Effect.gen(function*() {
          const flow = Step.tasklet("only", Effect.void)
          const before = yield* JobOperator.run(
            Job.make("error in beforeJob", {
              flow,
              listeners: [Listener.job({ beforeJob: () => Effect.fail("oops") })]
            }),
            {}
          )
          assert.deepStrictEqual([before.status, yield* rowsOf(before.id)], ["FAILED", []])
          const after = yield* JobOperator.run(
            Job.make("error in afterJob", { flow, listeners: [Listener.job({ afterJob: () => Effect.fail("oops") })] }),
            {}
          )
          assert.deepStrictEqual([after.status, yield* rowsOf(after.id)], ["COMPLETED", ["only COMPLETED COMPLETED"]])
        }))
    })
  })
}
