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
  it("HAND-2, HAND-9: without an earlier execution the step starts", () => {
    assert.strictEqual(tagOf({}), "Start")
  })

  it.prop("HAND-3: an execution in this job execution counts as none", [stepOptions, status], ([options, status]) => {
    assert.deepStrictEqual(
      RestartPolicy.planStep({ ...options, last: last(status, true) }),
      RestartPolicy.planStep({ ...options, last: Option.none() })
    )
  })

  it.prop("HAND-4: UNKNOWN is refused", [stepOptions], ([options]) => {
    const plan = RestartPolicy.planStep({ ...options, last: last("UNKNOWN") })
    assert.strictEqual(errorOf(plan), "JobRestartRefused")
    assert.include(String("error" in plan && plan.error.message), `step "step" is UNKNOWN`)
  })

  it.prop("HAND-5: ABANDONED is skipped, whatever the limits", [stepOptions], ([options]) => {
    assert.deepStrictEqual(RestartPolicy.planStep({ ...options, last: last("ABANDONED") }), {
      _tag: "Skip",
      last: Option.getOrThrow(last("ABANDONED"))
    })
  })

  it("HAND-5, HAND-8, HAND-10: COMPLETED is skipped unless it may run again, then from the beginning", () => {
    assert.strictEqual(tagOf({ last: last("COMPLETED"), starts: 1 }), "Skip")
    assert.strictEqual(tagOf({ last: last("COMPLETED"), starts: 1, allowStartIfComplete: true }), "Start")
    assert.strictEqual(tagOf({ last: last("COMPLETED"), starts: 9, startLimit: 1 }), "Skip")
  })

  it.prop("HAND-6: the limit is reached at starts = startLimit, 0 is no limit", [stepOptions], ([options]) => {
    const plan = RestartPolicy.planStep(options)
    const exhausted = options.startLimit > 0 && options.starts >= options.startLimit
    if (errorOf(plan) === "StepStartLimitExceeded") {
      assert.isTrue(exhausted)
    }
    if (plan._tag === "Start" || plan._tag === "Resume") {
      assert.isFalse(exhausted)
    }
  })

  it("HAND-7: with a limit of 1 a failed step is not run again", () => {
    assert.strictEqual(tagOf({ startLimit: 1, starts: 0 }), "Start")
    const plan = planStep({ startLimit: 1, starts: 1, last: last("FAILED") })
    assert.strictEqual(errorOf(plan), "StepStartLimitExceeded")
  })

  it("HAND-8: a step that may run again is subject to the limit", () => {
    const plan = planStep({ startLimit: 2, starts: 2, last: last("COMPLETED"), allowStartIfComplete: true })
    assert.strictEqual(errorOf(plan), "StepStartLimitExceeded")
  })

  it("HAND-9: what has not completed is resumed", () => {
    const resumed = BatchStatus.BatchStatus.literals.filter((status) => tagOf({ last: last(status) }) === "Resume")
    assert.deepStrictEqual(resumed, ["STARTING", "STARTED", "STOPPING", "STOPPED", "FAILED"])
  })

  it("HAND-14: the football job", () => {
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
  it("LAUNCH-5: the first launch works, restartable or not", () => {
    assert.deepStrictEqual(launch([], true), { _tag: "FirstRun", expired: [] })
    assert.deepStrictEqual(launch([], false), { _tag: "FirstRun", expired: [] })
  })

  it("LAUNCH-4: an execution that runs refuses another one", () => {
    for (const status of ["STARTING", "STARTED", "STOPPING"] as const) {
      const plan = launch([row(2, status, { owner: "host-1", leaseLeftMillis: 500 }), row(1, "FAILED")])
      assert.strictEqual(errorOf(plan), "JobExecutionAlreadyRunning")
      assert.include(String("error" in plan && plan.error.message), "execution 2 in host-1")
    }
  })

  it("LAUNCH-4: UNKNOWN refuses", () => {
    const plan = launch([row(1, "UNKNOWN")])
    assert.isTrue(plan._tag === "Refuse" && plan.error._tag === "JobRestartRefused")
    assert.strictEqual("error" in plan && "reason" in plan.error && plan.error.reason, "unknownStatus")
  })

  it("LAUNCH-4, D9: COMPLETED and ABANDONED refuse, with and without parameters", () => {
    for (const status of ["COMPLETED", "ABANDONED"] as const) {
      for (const parameters of ["file=a.csv", ""]) {
        const executions = [row(2, "FAILED"), row(1, status)]
        const plan = RestartPolicy.planLaunch({ jobName: "job", restartable: true, executions, parameters })
        assert.strictEqual(errorOf(plan), "JobInstanceAlreadyComplete")
      }
    }
  })

  it("LAUNCH-4, LAUNCH-5: a job that is not restartable refuses a second execution", () => {
    for (const status of ["FAILED", "STOPPED"] as const) {
      const plan = launch([row(1, status)], false)
      assert.strictEqual("error" in plan && "reason" in plan.error && plan.error.reason, "notRestartable")
      assert.deepStrictEqual(launch([row(1, status)]), { _tag: "Restart", of: 1, expired: [] })
    }
  })

  it("LAUNCH-4: an UNKNOWN step of the newest execution refuses", () => {
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
    "JOB-6: no second execution beside a live or a completed one",
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

  it.prop("RESTART-3: what is restarted is the newest execution", [rows], ([rows]) => {
    const plan = launch(rows)
    assert.isTrue(!("of" in plan) || plan.of === rows[0]!.id)
  })
})
