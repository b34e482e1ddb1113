/** Of what is seen, what somebody is told: each execution by what has become of it, and by how long it has been quiet. */
import { assert, describe, it } from "@effect/vitest"
import * as Cron from "effect/Cron"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import { BatchStatus, ExitStatus, type JobExecution } from "../../src/index.js"
import { Fixture } from "../../src/testing/index.js"
import * as Alarms from "../../src/watch/alarms.js"

const at = (seconds: number) => DateTime.unsafeMake(seconds * 1000)

const execution = (
  id: number,
  status: BatchStatus.BatchStatus,
  changes: Partial<JobExecution.JobExecution> = {}
): JobExecution.JobExecution =>
  Fixture.jobExecution({ id, status, exitStatus: ExitStatus.make(status), lastUpdated: at(0), ...changes })

const nothing: Alarms.Seen = { since: at(0), changed: [], earlier: [], orphaned: [], steps: [], completed: [] }

const told = (
  seen: Partial<Alarms.Seen>,
  now = 600,
  deadlines: ReadonlyArray<{ jobName: string; at: Cron.Cron }> = []
) =>
  Alarms.alarms({ ...nothing, ...seen }, { now: at(now), deadlines, stalledAfter: Duration.minutes(10) })
    .map(({ executionId, kind, text }) => [executionId, kind, text])

describe("what a watch tells", () => {
  it("of each execution by its status, and of one whose process died nothing else", () => {
    const expected: { readonly [S in BatchStatus.BatchStatus]: Alarms.Kind | undefined } = {
      STARTING: undefined,
      STARTED: undefined,
      STOPPING: undefined,
      COMPLETED: "ended",
      STOPPED: "ended",
      ABANDONED: "ended",
      FAILED: "failed",
      UNKNOWN: "failed"
    }
    for (const status of BatchStatus.BatchStatus.literals) {
      const kind = expected[status]
      const changed = [execution(7, status)]
      assert.deepStrictEqual(told({ changed }, 1), kind === undefined ? [] : [[7, kind, status]])
      if (kind === undefined) {
        const alarms = told({ changed: [...changed, execution(8, "STARTED")], orphaned: changed }, 600)
        assert.deepStrictEqual(alarms.map(([id, kind]) => [id, kind]), [[7, "failed"], [8, "stalled"]])
        assert.include(alarms[0]![2], "its process died")
      }
    }
  })

  it("of its end in the words of its exit status, none of them twice", () => {
    const changed = [
      execution(1, "FAILED", { exitStatus: ExitStatus.make("FAILED", "no paper") }),
      execution(2, "FAILED", { exitStatus: ExitStatus.make("NO_PAPER", "tray 2") }),
      execution(3, "COMPLETED", { exitStatus: ExitStatus.make("NOOP") })
    ]
    assert.deepStrictEqual(told({ changed }).map(([, , text]) => text), [
      "FAILED: no paper",
      "FAILED: NO_PAPER: tray 2",
      "COMPLETED: NOOP"
    ])
  })

  it.prop("that it stands still exactly when neither it nor a step of its own has changed for that long", [
    FastCheck.nat(1200),
    FastCheck.array(FastCheck.record({ own: FastCheck.boolean(), changed: FastCheck.nat(1200) }), { maxLength: 4 })
  ], ([changed, steps]) => {
    const last = Math.max(changed, ...steps.flatMap(({ changed, own }) => own ? [changed] : []))
    const alarms = told({
      changed: [execution(7, "STARTED", { lastUpdated: at(changed) })],
      steps: steps.map(({ changed, own }) =>
        Fixture.stepExecution({ jobExecutionId: own ? 7 : 8, lastUpdated: at(changed) })
      )
    }, 1200)
    const quiet = 1200 - last
    assert.deepStrictEqual(alarms, quiet >= 600 ? [[7, "stalled", `nothing was committed for ${quiet} s`]] : [])
  })

  it("that a job is late unless it has completed in time, whatever others have", () => {
    const daily = [{ jobName: "billing", at: Cron.unsafeParse("0 6 * * *", "UTC") }]
    const day = 86_400
    const completed = (jobName: string, end: number | undefined) =>
      execution(1, "COMPLETED", {
        instance: Fixture.jobInstance({ jobName }),
        endTime: end === undefined ? Option.none() : Option.some(at(end))
      })
    const late = (...ends: ReadonlyArray<JobExecution.JobExecution>) =>
      Alarms.alarms({ ...nothing, since: at(day), completed: ends }, {
        now: at(2 * day),
        deadlines: daily,
        stalledAfter: Duration.minutes(10)
      }).map(({ jobName, kind, subject, text }) => [jobName, kind, subject, text])
    const alarm = [[
      "billing",
      "late",
      "deadline of billing at 1970-01-02T06:00:00.000Z",
      "it has not completed by 1970-01-02T06:00:00.000Z"
    ]]
    assert.deepStrictEqual(late(completed("billing", day)), [])
    assert.deepStrictEqual(late(completed("other", day), completed("billing", undefined)), alarm)
    assert.deepStrictEqual(late(completed("billing", 6 * 3600), completed("billing", day + 6 * 3600 + 1)), alarm)
  })
})

describe("what a watch takes back", () => {
  const recovered = (
    seen: Partial<Alarms.Seen>,
    told: ReadonlyArray<readonly [number, Alarms.Kind]>,
    current: ReadonlyArray<number> = []
  ) =>
    Alarms.recoveries(
      { ...nothing, ...seen },
      told.map(([id, kind]) => ({ subject: Alarms.subjectOf({ id }), kind })),
      current.map((id) => ({
        subject: Alarms.subjectOf({ id }),
        kind: "stalled",
        jobName: "",
        executionId: id,
        text: ""
      }))
    ).map(({ executionId, kind, text }) => [executionId, kind, text])

  const other = Fixture.jobInstance({ id: 99 })

  it("is a failure that was told, when a later execution of the same instance has completed, whenever it failed", () => {
    const failed = execution(1, "FAILED")
    const completed = execution(2, "COMPLETED")
    const back = [[1, "recovered", "execution 2 completed it"]]
    assert.deepStrictEqual(recovered({ changed: [completed, failed] }, [[1, "failed"]]), back)
    assert.deepStrictEqual(recovered({ changed: [completed], earlier: [failed] }, [[1, "failed"]]), back)
    assert.deepStrictEqual(recovered({ changed: [completed, failed] }, []), [], "nobody was told")
    assert.deepStrictEqual(recovered({ changed: [completed, failed] }, [[1, "stalled"]]), [], "something else was told")
    const notCompleted = execution(2, "STOPPED")
    assert.deepStrictEqual(recovered({ changed: [notCompleted, failed] }, [[1, "failed"]]), [])
    const elsewhere = execution(2, "COMPLETED", { instance: other })
    assert.deepStrictEqual(recovered({ changed: [elsewhere, failed] }, [[1, "failed"]]), [])
    const later = execution(3, "FAILED")
    assert.deepStrictEqual(recovered({ changed: [later, completed] }, [[3, "failed"]]), [], "it failed behind that")
  })

  it.prop("is that it stood still, when it was told so, stands still no more, and has not failed", [
    FastCheck.constantFrom(...BatchStatus.BatchStatus.literals),
    FastCheck.boolean(),
    FastCheck.boolean()
  ], ([status, wasTold, isCurrent]) => {
    const expected = wasTold && (status === "COMPLETED" || (status !== "FAILED" && !isCurrent))
    assert.deepStrictEqual(
      recovered(
        { changed: [execution(7, status)] },
        wasTold ? [[7, "stalled"]] : [[8, "stalled"]],
        isCurrent ? [7] : [8]
      ),
      expected ? [[7, "recovered", "it commits again"]] : []
    )
  })
})
