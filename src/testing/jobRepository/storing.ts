/**
 * What is written is what is read.
 */
import { assert } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import type { Json } from "../../base/json.js"
import { JobRepository } from "../../ports/JobRepository.js"
import * as Counts from "../../vocabulary/Counts.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import type { JobExecution } from "../../vocabulary/JobExecution.js"
import type { StepExecution } from "../../vocabulary/StepExecution.js"
import type { Cases } from "./kit.js"
import * as Kit from "./kit.js"

/** Values that stores are known to change: JSON types of databases, text columns, doubles. */
const difficult: ReadonlyArray<Json> = [
  "Grüße, 世界, 👩‍👩‍👧, \u202E, ' \" \\ \n $1 ?",
  "before\u0000after",
  "unpaired \uD800 surrogate",
  { "": 0, "__proto__x": 1, "a.b": [], "ключ\u0000": {} },
  { z: 1, a: 2 },
  [1e21, 5e-324, 1.7976931348623157e308, 9007199254740991, 0.1, -1],
  [null, true, false, [[[]]]],
  "x".repeat(100_000)
]

const contextOf = (value: Json) => ExecutionContext.fromEntries({ value })

/** @internal */
export const storing: Cases = {
  "contexts and checkpoints come back exactly (CTX-1, REPO-17)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const execution = yield* Kit.launchFresh()
    const step = yield* Kit.createStep(execution, "load")
    for (const value of difficult) {
      const saved = { ...step, context: contextOf(value), checkpoint: Option.some(value) }
      yield* repository.updateStepExecution(execution, saved)
      const read = yield* Kit.storedStep(step)
      deepStrictEqual(read?.context.entries, saved.context.entries)
      deepStrictEqual(read?.checkpoint, saved.checkpoint)
      yield* repository.updateJobExecution({ ...execution, context: contextOf(value) })
      deepStrictEqual((yield* repository.jobExecution(execution.id)).context.entries, { value })
    }
  }),
  "a new step execution is stored with the context and checkpoint it starts from (HAND-15)": Effect.gen(function*() {
    const execution = yield* Kit.launchFresh()
    for (const value of difficult) {
      const step = yield* Kit.createStep(execution, "load", { context: contextOf(value), checkpoint: value })
      deepStrictEqual(step.checkpoint, Option.some(value))
      deepStrictEqual(yield* Kit.storedStep(step), step)
    }
  }),
  "a step that is created again in its place and round is the one that is there, as its first answer may be lost (OWN-21)":
    Effect.gen(function*() {
      const repository = yield* JobRepository
      const execution = yield* Kit.launchFresh()
      const [first, again, together] = yield* Effect.all([
        Kit.createStep(execution, "load", { place: "load", round: "1" }),
        Kit.createStep(execution, "load", { place: "load", round: "1" }),
        Effect.forEach(
          [1, 2, 3],
          () => Kit.createStep(execution, "post", { place: "post", round: "1" }),
          { concurrency: "unbounded" }
        )
      ])
      deepStrictEqual(again.id, first.id)
      deepStrictEqual(new Set(together.map(({ id }) => id)).size, 1)
      const others = [
        yield* Kit.createStep(execution, "load", { place: "load", round: "2" }),
        yield* Kit.createStep(execution, "load", { place: "other", round: "1" }),
        yield* Kit.createStep(execution, "load"),
        yield* Kit.createStep(execution, "load"),
        yield* Kit.createStep(yield* Kit.launchFresh(), "load", { place: "load", round: "1" })
      ]
      deepStrictEqual(new Set([first, ...together.slice(0, 1), ...others].map(({ id }) => id)).size, 7)
      // Whatever other rounds of its place there are.
      for (const [round, { id }] of [["1", first], ["2", others[0]!]] as const) {
        deepStrictEqual((yield* Kit.createStep(execution, "load", { place: "load", round })).id, id)
      }
      deepStrictEqual((yield* repository.stepExecutions(execution.id)).length, 6)
    }),
  "parameter values come back exactly (PARAM-1)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const parameters = difficult.map((value, index) => Kit.parameter(`parameter ${index}`, value, index % 2 === 0))
    const execution = yield* Kit.launchFresh({ parameters })
    deepStrictEqual((yield* repository.jobExecution(execution.id)).parameters, parameters)
  }),
  "every field of a job execution that its owner saves is kept, times to the millisecond (EXEC-2)": Effect.gen(
    function*() {
      const repository = yield* JobRepository
      const launched = yield* Kit.launchFresh()
      const saved: JobExecution = {
        ...launched,
        status: "FAILED",
        exitStatus: ExitStatus.make("FAILED EARLY", "the disk is full"),
        startTime: Option.some(DateTime.unsafeMake(1_700_000_000_123)),
        endTime: Option.some(DateTime.unsafeMake(4_102_444_799_999)),
        context: contextOf(1),
        causes: ["StepFailed: load", "  caused by Disk: no space left { path: \"/data\" }"]
      }
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* repository.updateJobExecution(saved), "FAILED")
      deepStrictEqual(yield* repository.jobExecution(launched.id), {
        ...Kit.asRead(saved),
        lastUpdated: yield* DateTime.now
      })
    }
  ),
  "every field of a step execution that its owner saves is kept (EXEC-5)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const execution = yield* Kit.launchFresh()
    const step = yield* Kit.createStep(execution, "load", { checkpoint: 7 })
    const saved: StepExecution = {
      ...step,
      status: "STOPPED",
      exitStatus: ExitStatus.make("STOPPED", "by request"),
      counts: Counts.make({
        read: 1,
        write: 2,
        filter: 3,
        readSkip: 4,
        processSkip: 5,
        writeSkip: 6,
        commit: 7,
        rollback: 5_000_000_000
      }),
      endTime: Option.some(DateTime.unsafeMake(1_700_000_000_001)),
      checkpoint: Option.none(),
      causes: ["Refused: the tax office", "  caused by Error: ' \" $1 ?", ""]
    }
    yield* TestClock.adjust("1 millis")
    assert.strictEqual(yield* repository.updateStepExecution(execution, saved), "STARTING")
    deepStrictEqual(yield* Kit.storedStep(step), { ...saved, lastUpdated: yield* DateTime.now })
  }),
  "the causes of a failure stay when a later save has none (LIFE-10)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const execution = yield* Kit.launchFresh()
    const step = yield* Kit.createStep(execution, "load")
    assert.isUndefined(execution.causes)
    assert.isUndefined((yield* Kit.storedStep(step))?.causes)
    const causes = ["Refused: no"]
    yield* repository.updateStepExecution(execution, { ...step, status: "FAILED", causes })
    yield* repository.updateStepExecution(execution, { ...step, status: "FAILED" })
    yield* repository.updateJobExecution({ ...execution, status: "FAILED", causes })
    yield* repository.updateJobExecution({ ...execution, status: "FAILED" })
    deepStrictEqual((yield* Kit.storedStep(step))?.causes, causes)
    deepStrictEqual((yield* repository.jobExecution(execution.id)).causes, causes)
    const [other] = yield* repository.stepExecutionsOf([execution.id])
    deepStrictEqual(other?.causes, causes)
  }),
  "skipped items come back exactly, in the order of insertion (SKIP-12)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const execution = yield* Kit.launchFresh()
    const step = yield* Kit.createStep(execution, "load", { checkpoint: { line: 12 } })
    const other = yield* Kit.createStep(execution, "other")
    const items = yield* Effect.forEach(difficult, (value, index) => Kit.skipped(step, `bad ${index}`, value))
    const late = yield* Kit.skipped(other, "without an item")
    yield* repository.addSkippedItems(step, items)
    yield* repository.addSkippedItems(other, [late])
    yield* repository.addSkippedItems(step, [])
    deepStrictEqual(yield* repository.skippedItems(execution.id), [...items, late])
  }),
  "more skipped items than fit one statement are stored (SKIP-12)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const execution = yield* Kit.launchFresh()
    const step = yield* Kit.createStep(execution, "load")
    const items = yield* Effect.forEach(Array.from({ length: 1_201 }), (_, index) => Kit.skipped(step, `${index}`))
    yield* repository.addSkippedItems(step, items)
    deepStrictEqual(yield* Kit.messages(execution.id), items.map(({ message }) => message))
  })
}
