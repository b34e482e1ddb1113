import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Listener from "../../src/definition/Listener.js"
import * as ExitStatus from "../../src/vocabulary/ExitStatus.js"
import * as JobExecution from "../../src/vocabulary/JobExecution.js"
import * as StepExecution from "../../src/vocabulary/StepExecution.js"

type StepListener = Listener.StepListener<unknown, unknown, string>
type JobListener = Listener.JobListener<string>

const at = DateTime.unsafeMake(0)
const execution: StepExecution.StepExecution = {
  ...StepExecution.make({ id: 1, jobExecutionId: 1, stepName: "load", createTime: at }),
  exitStatus: ExitStatus.COMPLETED
}
const jobExecution: JobExecution.JobExecution = JobExecution.make({
  id: 1,
  instance: { id: 1, jobName: "import", jobKey: "key", createTime: at },
  parameters: [],
  createTime: at
})

/** Every callback with the arguments it gets; a record, so that a new callback has to be added here. */
const ARGUMENTS: { readonly [K in keyof Required<StepListener>]: Parameters<NonNullable<StepListener[K]>> } = {
  beforeStep: [execution],
  afterStep: [execution],
  beforeChunk: [[1]],
  beforeCommit: [[1]],
  afterChunk: [[1]],
  afterChunkError: ["error"],
  beforeRead: [],
  afterRead: [1],
  onReadError: ["error"],
  beforeProcess: [1],
  afterProcess: [1, Option.some(2)],
  onProcessError: [1, "error"],
  beforeWrite: [[1]],
  afterWrite: [[1]],
  onWriteError: ["error", [1]],
  onSkipInRead: ["error"],
  onSkipInProcess: [1, "error"],
  onSkipInWrite: [1, "error"],
  onRetry: ["error", { phase: "read", items: [], attempt: 1 }],
  onPartitionBegun: [{ name: "a", execution: jobExecution }],
  onPartitionEnded: [{ name: "a", execution: jobExecution }],
  onPartitionFailed: [{ name: "a", execution: jobExecution }]
}
const NAMES = Object.keys(ARGUMENTS) as unknown as ReadonlyArray<keyof StepListener>
const FORWARD = NAMES.filter((name) =>
  name.startsWith("before") || name.startsWith("onSkip") || name === "onRetry" || name === "onPartitionBegun"
)

/** What a listener does is described by data, so that it can be generated and its calls can be compared. */
interface Plan {
  readonly name: string
  readonly on: ReadonlyArray<string>
  readonly code: string | undefined
  readonly fails: boolean
}

const Plan: FastCheck.Arbitrary<Plan> = FastCheck.record({
  name: FastCheck.constantFrom("a", "b", "c", "d"),
  on: FastCheck.subarray([...NAMES, "beforeJob", "afterJob"]),
  code: FastCheck.constantFrom(undefined, "COMPLETED LATE", "FAILED", "NOOP"),
  fails: FastCheck.constantFrom(false, false, false, true)
})

const callback = (log: Array<string>, plan: Plan, name: string) => (first: unknown) => {
  const seen = name === "afterStep" || name === "afterJob"
    ? (first as StepExecution.StepExecution | JobExecution.JobExecution).exitStatus.code
    : ""
  log.push(`${plan.name} ${name} ${seen}`)
  return plan.fails
    ? Effect.fail(plan.name)
    : name.startsWith("after") && plan.code !== undefined
    ? Effect.sync(() => ExitStatus.make(plan.code!, plan.name))
    : Effect.void
}

const record = (log: Array<string>, plan: Plan, names: ReadonlyArray<string>): any =>
  Object.fromEntries(plan.on.filter((name) => names.includes(name)).map((name) => [name, callback(log, plan, name)]))

const stepOf = (log: Array<string>) => (plan: Plan): StepListener => record(log, plan, NAMES)
const jobOf = (log: Array<string>) => (plan: Plan): JobListener => record(log, plan, ["beforeJob", "afterJob"])

/** All that can be observed of a listener: which callbacks it has, whom they call with what, and what they give. */
const observeStep = (build: (log: Array<string>) => StepListener): unknown => {
  const log: Array<string> = []
  const listener = build(log)
  const results = NAMES.flatMap((name) => {
    const call = listener[name] as ((...args: ReadonlyArray<any>) => Effect.Effect<unknown, string>) | undefined
    return call === undefined ? [] : [name, Effect.runSync(Effect.either(call(...ARGUMENTS[name])))]
  })
  return { keys: Object.keys(listener).sort(), log, results }
}

const observeJob = (build: (log: Array<string>) => JobListener): unknown => {
  const log: Array<string> = []
  const { afterJob, beforeJob, ...rest } = build(log)
  const before = beforeJob && Effect.runSync(Effect.either(beforeJob(jobExecution)))
  const after = afterJob && Effect.runSync(Effect.either(afterJob(jobExecution)))
  return { after, before, log, rest }
}

describe("Listener", () => {
  it.prop("combineStep is associative", [Plan, Plan, Plan], ([a, b, c]) => {
    const { combineStep } = Listener
    assert.deepStrictEqual(
      observeStep((log) => combineStep(combineStep(stepOf(log)(a), stepOf(log)(b)), stepOf(log)(c))),
      observeStep((log) => combineStep(stepOf(log)(a), combineStep(stepOf(log)(b), stepOf(log)(c))))
    )
  })

  it.prop("emptyStep is the identity of combineStep", [Plan], ([plan]) => {
    const alone = observeStep((log) => stepOf(log)(plan))
    assert.deepStrictEqual(observeStep((log) => Listener.combineStep(stepOf(log)(plan), Listener.emptyStep)), alone)
    assert.deepStrictEqual(observeStep((log) => Listener.combineStep(Listener.emptyStep, stepOf(log)(plan))), alone)
  })

  it.prop("combineJob is associative", [Plan, Plan, Plan], ([a, b, c]) => {
    const { combineJob } = Listener
    assert.deepStrictEqual(
      observeJob((log) => combineJob(combineJob(jobOf(log)(a), jobOf(log)(b)), jobOf(log)(c))),
      observeJob((log) => combineJob(jobOf(log)(a), combineJob(jobOf(log)(b), jobOf(log)(c))))
    )
  })

  it.prop("emptyJob is the identity of combineJob", [Plan], ([plan]) => {
    const alone = observeJob((log) => jobOf(log)(plan))
    assert.deepStrictEqual(observeJob((log) => Listener.combineJob(jobOf(log)(plan), Listener.emptyJob)), alone)
    assert.deepStrictEqual(observeJob((log) => Listener.combineJob(Listener.emptyJob, jobOf(log)(plan))), alone)
  })

  it("before*, skips and retries in the order of registration, all others in reverse order (LISTEN-1)", () => {
    const log: Array<string> = []
    const named = (name: string) => stepOf(log)({ name, on: NAMES, code: undefined, fails: false })
    const all = Listener.combineAllStep([named("a"), named("b"), named("c")])
    for (const name of NAMES) {
      log.length = 0
      Effect.runSync(Effect.ignore((all[name] as any)(...ARGUMENTS[name])))
      const order = FORWARD.includes(name) ? ["a", "b", "c"] : ["c", "b", "a"]
      assert.deepStrictEqual(log.map((line) => line.slice(0, 1)), order, name)
    }
  })

  it("beforeJob in the order of registration, afterJob in reverse order (LISTEN-1)", () => {
    const log: Array<string> = []
    const named = (name: string) => jobOf(log)({ name, on: ["beforeJob", "afterJob"], code: undefined, fails: false })
    const all = Listener.combineAllJob([named("a"), named("b")])
    Effect.runSync(Effect.ignore(Effect.all([all.beforeJob!(jobExecution), all.afterJob!(jobExecution)])))
    assert.deepStrictEqual(log.map((line) => line.trim().split(" ").slice(0, 2).join(" ")), [
      "a beforeJob",
      "b beforeJob",
      "b afterJob",
      "a afterJob"
    ])
  })

  it("combining keeps a callback that one side has, and adds none that neither has", () => {
    const one = Listener.step({ afterRead: () => Effect.void, onRetry: undefined })
    const other = Listener.step({ beforeStep: () => Effect.void })
    const both = Listener.combineStep(one, other)
    assert.deepStrictEqual(Object.keys(both).sort(), ["afterRead", "beforeStep"])
    assert.strictEqual(both.afterRead, one.afterRead)
  })

  it.effect("each afterStep sees the exit status given before it, and all of them are combined (STEP-14)", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const giving = (code: string | undefined) =>
        Listener.step({
          afterStep: (step) =>
            Effect.sync(() => {
              seen.push(step.exitStatus.code)
              return code === undefined ? undefined : ExitStatus.make(code, `gave ${code}`)
            })
        })
      const all = Listener.combineAllStep([giving("FAILED"), giving(undefined), giving("NOOP")])
      const given = yield* all.afterStep!(execution)
      assert.deepStrictEqual(seen, ["COMPLETED", "NOOP", "NOOP"])
      assert.deepStrictEqual(given, ExitStatus.make("FAILED", "gave NOOP", "gave FAILED"))
    }))

  it.effect("callbacks after one that fails are not called (LISTEN-4)", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const plan = (name: string, fails: boolean): Plan => ({ name, on: ["beforeStep"], code: undefined, fails })
      const all = Listener.combineAllStep([plan("a", false), plan("b", true), plan("c", false)].map(stepOf(log)))
      assert.strictEqual(yield* Effect.flip(all.beforeStep!(execution)), "b")
      assert.deepStrictEqual(log, ["a beforeStep ", "b beforeStep "])
    }))

  it("nothing is called before the effect of the one in front of it has run", () => {
    const log: Array<string> = []
    const first = Listener.step({ beforeStep: () => Effect.sync(() => log.push("first ran")) })
    const second = Listener.step({
      beforeStep: () => {
        log.push("second called")
        return Effect.void
      }
    })
    Effect.runSync(Listener.combineStep(first, second).beforeStep!(execution))
    assert.deepStrictEqual(log, ["first ran", "second called"])
  })
})
