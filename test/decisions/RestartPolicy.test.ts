import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as RestartPolicy from "../../src/decisions/RestartPolicy.js"
import * as BatchStatus from "../../src/vocabulary/BatchStatus.js"
import * as ExitStatus from "../../src/vocabulary/ExitStatus.js"

type Status = BatchStatus.BatchStatus
type StepOptions = Parameters<typeof RestartPolicy.planStep>[0]

const status = FastCheck.constantFrom(...BatchStatus.BatchStatus.literals)
const lastStep = FastCheck.record({
  status,
  exitStatus: FastCheck.constant(ExitStatus.COMPLETED),
  startedInThisExecution: FastCheck.boolean()
})
const stepOptions = FastCheck.record({
  jobName: FastCheck.constant("job"),
  stepName: FastCheck.constant("step"),
  last: FastCheck.option(lastStep).map(Option.fromNullable),
  starts: FastCheck.nat(5),
  startLimit: FastCheck.constantFrom(0, 1, 2, 3, Infinity),
  allowStartIfComplete: FastCheck.boolean()
})

const last = (status: Status, startedInThisExecution = false) =>
  Option.some({ status, exitStatus: ExitStatus.make(status), startedInThisExecution })

const planStep = (change: Partial<StepOptions>) =>
  RestartPolicy.planStep({
    jobName: "job",
    stepName: "step",
    last: Option.none(),
    starts: 0,
    startLimit: 0,
    allowStartIfComplete: false,
    ...change
  })

const tagOf = (change: Partial<StepOptions>) => planStep(change)._tag

const errorOf = (plan: { readonly _tag: string }) =>
  "error" in plan ? (plan.error as { readonly _tag: string })._tag : undefined

describe("RestartPolicy.planStep", () => {
  it("without an earlier execution the step starts (HAND-2, HAND-9)", () => {
    assert.strictEqual(tagOf({}), "Start")
  })

  it.prop("an execution in this job execution counts as none (HAND-3)", [stepOptions, status], ([options, status]) => {
    assert.deepStrictEqual(
      RestartPolicy.planStep({ ...options, last: last(status, true) }),
      RestartPolicy.planStep({ ...options, last: Option.none() })
    )
  })

  it.prop("UNKNOWN is refused (HAND-4)", [stepOptions], ([options]) => {
    const plan = RestartPolicy.planStep({ ...options, last: last("UNKNOWN") })
    assert.strictEqual(errorOf(plan), "JobRestartRefused")
    assert.include(String("error" in plan && plan.error.message), `step "step" is UNKNOWN`)
  })

  it.prop("ABANDONED is skipped, whatever the limits (HAND-5)", [stepOptions], ([options]) => {
    assert.deepStrictEqual(RestartPolicy.planStep({ ...options, last: last("ABANDONED") }), {
      _tag: "Skip",
      last: Option.getOrThrow(last("ABANDONED"))
    })
  })

  it("COMPLETED is skipped unless it may run again, then from the beginning (HAND-5, HAND-8, HAND-10)", () => {
    assert.strictEqual(tagOf({ last: last("COMPLETED"), starts: 1 }), "Skip")
    assert.strictEqual(tagOf({ last: last("COMPLETED"), starts: 1, allowStartIfComplete: true }), "Start")
    assert.strictEqual(tagOf({ last: last("COMPLETED"), starts: 9, startLimit: 1 }), "Skip")
  })

  it.prop("the limit is reached at starts = startLimit, and 0 means no limit (HAND-6)", [stepOptions], ([options]) => {
    const plan = RestartPolicy.planStep(options)
    const exhausted = options.startLimit > 0 && options.starts >= options.startLimit
    if (errorOf(plan) === "StepStartLimitExceeded") {
      assert.isTrue(exhausted)
    }
    if (plan._tag === "Start" || plan._tag === "Resume") {
      assert.isFalse(exhausted)
    }
  })

  it("with a limit of 1 a failed step is not run again (HAND-7)", () => {
    assert.strictEqual(tagOf({ startLimit: 1, starts: 0 }), "Start")
    const plan = planStep({ startLimit: 1, starts: 1, last: last("FAILED") })
    assert.strictEqual(errorOf(plan), "StepStartLimitExceeded")
  })

  it("a step that may run again is subject to the limit (HAND-8)", () => {
    const plan = planStep({ startLimit: 2, starts: 2, last: last("COMPLETED"), allowStartIfComplete: true })
    assert.strictEqual(errorOf(plan), "StepStartLimitExceeded")
  })

  it("what has not completed is resumed (HAND-9)", () => {
    const resumed = BatchStatus.BatchStatus.literals.filter((status) => tagOf({ last: last(status) }) === "Resume")
    assert.deepStrictEqual(resumed, ["STARTING", "STARTED", "STOPPING", "STOPPED", "FAILED"])
  })

  it("the football job (HAND-14)", () => {
    const playerLoad = { last: last("COMPLETED"), starts: 1 }
    const gameLoad = { last: last("COMPLETED"), starts: 1, allowStartIfComplete: true }
    const summary = (starts: number) => ({ last: last("FAILED"), starts, startLimit: 2 })
    assert.deepStrictEqual([playerLoad, gameLoad, summary(1)].map(tagOf), ["Skip", "Start", "Resume"])
    assert.deepStrictEqual([playerLoad, { ...gameLoad, starts: 2 }, summary(2)].map(tagOf), ["Skip", "Start", "Refuse"])
  })
})

const row = (
  id: number,
  status: Status,
  change: Partial<RestartPolicy.EarlierExecution> = {}
): RestartPolicy.EarlierExecution => ({ id, status, leaseExpired: false, hasUnknownStep: false, ...change })

const rows = FastCheck.array(
  FastCheck.record({ status, leaseExpired: FastCheck.boolean(), hasUnknownStep: FastCheck.boolean() }),
  { maxLength: 4 }
).map((some) => some.map((each, index) => ({ ...each, id: some.length - index })))

const launch = (executions: ReadonlyArray<RestartPolicy.EarlierExecution>, restartable = true) =>
  RestartPolicy.planLaunch({ jobName: "job", restartable, executions, parameters: "file=a.csv" })

describe("RestartPolicy.planLaunch", () => {
  it("the first launch works, restartable or not (LAUNCH-5)", () => {
    assert.deepStrictEqual(launch([], true), { _tag: "FirstRun", expired: [] })
    assert.deepStrictEqual(launch([], false), { _tag: "FirstRun", expired: [] })
  })

  it("an execution that runs refuses another one (LAUNCH-4)", () => {
    for (const status of ["STARTING", "STARTED", "STOPPING"] as const) {
      const plan = launch([row(2, status, { owner: "host-1", leaseLeftMillis: 500 }), row(1, "FAILED")])
      assert.strictEqual(errorOf(plan), "JobExecutionAlreadyRunning")
      assert.include(String("error" in plan && plan.error.message), "execution 2 in host-1")
    }
  })

  it("UNKNOWN refuses (LAUNCH-4)", () => {
    const plan = launch([row(1, "UNKNOWN")])
    assert.isTrue(plan._tag === "Refuse" && plan.error._tag === "JobRestartRefused")
    assert.strictEqual("error" in plan && "reason" in plan.error && plan.error.reason, "unknownStatus")
  })

  it("COMPLETED and ABANDONED refuse, with and without parameters (LAUNCH-4, D9)", () => {
    for (const status of ["COMPLETED", "ABANDONED"] as const) {
      for (const parameters of ["file=a.csv", ""]) {
        const executions = [row(2, "FAILED"), row(1, status)]
        const plan = RestartPolicy.planLaunch({ jobName: "job", restartable: true, executions, parameters })
        assert.strictEqual(errorOf(plan), "JobInstanceAlreadyComplete")
      }
    }
  })

  it("a job that is not restartable refuses a second execution (LAUNCH-4, LAUNCH-5)", () => {
    for (const status of ["FAILED", "STOPPED"] as const) {
      const plan = launch([row(1, status)], false)
      assert.strictEqual("error" in plan && "reason" in plan.error && plan.error.reason, "notRestartable")
      assert.deepStrictEqual(launch([row(1, status)]), { _tag: "Restart", of: 1, expired: [] })
    }
  })

  it("an UNKNOWN step of the newest execution refuses (LAUNCH-4)", () => {
    const unknown = { hasUnknownStep: true }
    const plan = launch([row(2, "FAILED", unknown), row(1, "FAILED")])
    assert.strictEqual("error" in plan && "reason" in plan.error && plan.error.reason, "stepUnknown")
    assert.strictEqual(launch([row(2, "FAILED"), row(1, "FAILED", unknown)])._tag, "Restart")
  })

  it("an execution with a dead owner is taken over", () => {
    const dead = row(2, "STARTED", { leaseExpired: true })
    assert.deepStrictEqual(launch([dead, row(1, "FAILED")]), { _tag: "Takeover", of: 2, expired: [2] })
  })

  it("a dead owner is buried even when the launch is then refused", () => {
    const plan = launch([row(2, "STARTED", { leaseExpired: true })], false)
    assert.deepStrictEqual(plan.expired, [2])
    assert.strictEqual("error" in plan && "reason" in plan.error && plan.error.reason, "notRestartable")
  })

  it("an expired lease means nothing once the execution is over", () => {
    assert.deepStrictEqual(launch([row(1, "FAILED", { leaseExpired: true })]), { _tag: "Restart", of: 1, expired: [] })
  })

  it.prop(
    "no second execution beside a live or a completed one (JOB-6)",
    [rows, FastCheck.boolean()],
    ([rows, flag]) => {
      const plan = launch(rows, flag)
      const blocked = rows.some(({ leaseExpired, status }) =>
        status === "COMPLETED" || status === "ABANDONED" || status === "UNKNOWN" ||
        (BatchStatus.isRunning(status) && !leaseExpired)
      )
      const refused = blocked || (rows.length > 0 && (!flag || rows[0]!.hasUnknownStep))
      assert.strictEqual(plan._tag === "Refuse", refused)
    }
  )

  it.prop("exactly the executions with a dead owner are buried", [rows, FastCheck.boolean()], ([rows, flag]) => {
    const dead = rows.filter(({ leaseExpired, status }) => leaseExpired && BatchStatus.isRunning(status))
    assert.deepStrictEqual([...launch(rows, flag).expired], dead.map(({ id }) => id))
  })

  it.prop("a restart continues the newest execution (RESTART-3)", [rows], ([rows]) => {
    const plan = launch(rows)
    assert.isTrue(!("of" in plan) || plan.of === rows[0]!.id)
  })
})
