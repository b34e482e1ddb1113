/** What each page of the dashboard says about given rows. */
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { count, executionPage, executionsPage, skippedPage } from "../../src/dashboard/executionPages.js"
import { jobPage, jobsPage } from "../../src/dashboard/jobPages.js"
import { overview, troubles } from "../../src/dashboard/overview.js"
import type { Page, View } from "../../src/dashboard/page.js"
import { Job, JobParameters, JobRegistry, JobRepository, Step } from "../../src/index.js"
import * as ExitStatus from "../../src/vocabulary/ExitStatus.js"
import type { JobExecution } from "../../src/vocabulary/JobExecution.js"
import { at, execution, now, running, step, text } from "../view/support.js"

const view = (changes: Partial<View> = {}): View => ({
  prefix: "/ops",
  access: "operate",
  who: "ada",
  session: { id: "id", token: "token", isNew: false } as View["session"],
  now,
  path: "/",
  query: new URLSearchParams(),
  wantsJson: false,
  ...changes
})

type Stub = Partial<JobRepository.JobRepository["Type"]>

/** A repository in which there is nothing but what is given. */
const repositoryOf = (given: Stub) =>
  Layer.succeed(
    JobRepository.JobRepository,
    {
      jobNames: Effect.succeed([]),
      jobExecutions: () => Effect.succeed([]),
      jobExecution: (id: number) => Effect.succeed(execution(id)),
      stepExecutionsOf: () => Effect.succeed([]),
      expiredExecutions: () => Effect.succeed([]),
      skippedGroups: () => Effect.succeed([]),
      skippedPage: () => Effect.succeed([]),
      audit: () => Effect.succeed([]),
      leases: Effect.succeed([]),
      ...given
    } as unknown as JobRepository.JobRepository["Type"]
  )

const show = <E, R>(page: Effect.Effect<Page, E, R>, given: Stub = {}, jobs: ReadonlyArray<Job.Job.Any> = []) => {
  const registry = JobRegistry.layer(jobs) as unknown as Layer.Layer<JobRegistry.JobRegistry>
  return Effect.provide(
    page as Effect.Effect<Page, E, JobRepository.JobRepository | JobRegistry.JobRegistry>,
    Layer.merge(registry, repositoryOf(given))
  )
}

class Params extends JobParameters.Tag<Params>()("Params", {
  day: Schema.Date,
  size: Schema.Int,
  mode: Schema.Literal("full", "part"),
  note: Schema.optional(Schema.Literal("a", "b")),
  text: Schema.String,
  key: JobParameters.nonIdentifying(Schema.Redacted(Schema.String))
}) {}

const load = Job.make("load", { parameters: Params, flow: Step.tasklet("step", Effect.void) })

describe("the page of all jobs", () => {
  it.effect("names those of this program and those of the store, once each, and says which are not in this program", () =>
    Effect.gen(function*() {
      const page = yield* show(jobsPage(view()), { jobNames: Effect.succeed(["old", "load"]) }, [load])
      assert.strictEqual(text(page.live), "load|old (not in this program)|")
      assert.deepStrictEqual(page.json, {
        jobs: [{ name: "load", registered: true }, { name: "old", registered: false }]
      })
      assert.include(page.live.markup, "href=\"/ops/jobs/load\"")
    }))
})

describe("the page of a job", () => {
  const rows = [
    execution(9, { ...running, startTime: Option.none() }),
    execution(8, running),
    execution(7, { endTime: Option.some(at(50)), status: "FAILED" }),
    execution(6, { endTime: Option.some(at(1)) })
  ]

  it.effect("draws a bar for each execution that has begun, oldest first, as high as it took long", () =>
    Effect.gen(function*() {
      const { live } = yield* show(jobPage(view(), "load"), { jobExecutions: () => Effect.succeed(rows) }, [load])
      const bars = [
        ...live.markup.matchAll(
          /<title>(execution [^<]*)<\/title><rect class="bar (\w+)" x="(\d+)" y="(\d+)" width="14" height="(\d+)"/g
        )
      ]
        .map(([, ...found]) => found)
      assert.deepStrictEqual(bars, [
        ["execution 6: COMPLETED, 1.0 s", "COMPLETED", "4", "88", "2"],
        ["execution 7: FAILED, 50 s", "FAILED", "24", "50", "40"],
        ["execution 8: STARTED, 1 min 40 s", "STARTED", "44", "10", "80"]
      ])
      assert.include(text(live), "longest 1 min 40 s|")
      for (const few of [rows.slice(0, 2), rows.slice(0, 1), []]) {
        const page = yield* show(jobPage(view(), "load"), { jobExecutions: () => Effect.succeed(few) }, [load])
        assert.notInclude(page.live.markup, "class=\"bar")
        assert.include(text(page.live), `The last ${few.length} executions|`)
      }
    }))

  it.effect("has a form with a field for each parameter, of its kind, for who may run it", () =>
    Effect.gen(function*() {
      const fields = (page: Page) =>
        [...(page.rest?.markup ?? "").matchAll(/<(input|select) id="p-(\w+)"([^>]*)>/g)].map(([, tag, name, more]) => [
          name,
          tag === "select" ? tag : /type="(\w+)"/.exec(more!)?.[1],
          / required/.test(more!),
          /value="([^"]*)"/.exec(more!)?.[1],
          /step="any"/.test(more!)
        ])
      const page = yield* show(jobPage(view(), "load"), {}, [load])
      assert.deepStrictEqual(fields(page), [
        ["day", "date", true, "", false],
        ["size", "number", true, "", true],
        ["mode", "select", true, undefined, false],
        ["note", "select", false, undefined, false],
        ["text", "text", true, "", false],
        ["key", "password", true, "", false]
      ])
      assert.isUndefined(page.status)
      assert.notInclude(page.rest!.markup, "role=\"alert\"")
      assert.include(text(page.rest), "day|")
      assert.include(text(page.rest), "note (optional)|")
      // A choice that may be left out can be.
      assert.strictEqual(page.rest!.markup.split("<option value=\"\">").length, 2)

      const values = { size: "x", mode: "part", text: "a&b", key: "hunter2" }
      const tried = yield* show(jobPage(view(), "load", { values, problems: ["size: no"] }), {}, [load])
      assert.strictEqual(tried.status, 422)
      assert.include(text(tried.rest), "size: no|")
      assert.include(tried.rest!.markup, "<option value=\"part\" selected>")
      assert.include(tried.rest!.markup, "value=\"a&amp;b\"")
      assert.notInclude(tried.rest!.markup, "hunter2")
      assert.deepStrictEqual((tried.json as { readonly problems: unknown }).problems, ["size: no"])
      for (
        const reader of [
          show(jobPage(view({ access: "read" }), "load"), {}, [load]),
          show(jobPage(view(), "load"), { jobExecutions: () => Effect.succeed(rows) })
        ]
      ) {
        assert.isUndefined((yield* reader).rest)
      }
    }))

  it.effect("is there for a job of another program that has run, and for no other name", () =>
    Effect.gen(function*() {
      const page = yield* show(jobPage(view(), "load"), { jobExecutions: () => Effect.succeed(rows) })
      assert.notInclude(text(page.live), "Flow|")
      const error = yield* Effect.flip(show(jobPage(view(), "load")))
      assert.strictEqual(error._tag, "NoSuchJob")
    }))
})

describe("what is wrong now", () => {
  const nothing = { recent: [], running: [], steps: [], orphaned: [], leases: [], missed: [] }
  const of = (seen: Partial<Parameters<typeof troubles>[0]>) =>
    troubles({ ...nothing, ...seen }, now, "1 minute").map(({ execution, next, what }) => [execution?.id, what, next])
  const instance = (id: number) => ({ id, jobName: `job ${id}`, jobKey: "", createTime: at(0) })
  const moving = (id: number, updated = 99) =>
    execution(id, { ...running, instance: instance(id), lastUpdated: at(updated) })

  it("is a job that does not move, by its own row or that of its steps, unless it is dead anyway", () => {
    const still = moving(1, 40)
    assert.deepStrictEqual(of({ running: [moving(2, 41)] }), [])
    assert.deepStrictEqual(of({ running: [still] }), [[1, "no commit for 1 min", "stop"]])
    const steps = [step("a", {}, { lastUpdated: at(50) }), step("b", {}, { lastUpdated: at(45), jobExecutionId: 2 })]
    assert.deepStrictEqual(of({ running: [still], steps }), [])
    assert.deepStrictEqual(of({ running: [still], steps: steps.slice(1) }), [[1, "no commit for 1 min", "stop"]])
    assert.deepStrictEqual(of({ running: [still], orphaned: [still] }), [[1, "its process died", "recover"]])
  })

  it("is a lease of which less than half is left", () => {
    const leases = [{ executionId: 1, leftMillis: 4999, lengthMillis: 10_000 }, {
      executionId: 3,
      leftMillis: 0,
      lengthMillis: 10
    }]
    assert.deepStrictEqual(of({ running: [moving(1)], leases }), [[1, "its lease runs out in 5.0 s", "stop"]])
    assert.deepStrictEqual(of({ running: [moving(1)], leases: [{ ...leases[0]!, leftMillis: 5000 }] }), [])
    assert.deepStrictEqual(of({ running: [moving(1)], leases: [{ ...leases[0]!, leftMillis: -5 }] }), [
      [1, "its lease runs out in 0 ms", "stop"]
    ])
    assert.deepStrictEqual(of({ running: [moving(1)], orphaned: [moving(1)], leases }), [
      [1, "its process died", "recover"]
    ])
  })

  it("is a failure that nobody has run again, the newest of its instance only", () => {
    const failed = (id: number, of: number, status: JobExecution["status"] = "FAILED") =>
      execution(id, { instance: instance(of), status })
    assert.deepStrictEqual(
      of({
        recent: [
          failed(5, 1, "COMPLETED"),
          failed(4, 1),
          failed(3, 2, "UNKNOWN"),
          failed(2, 2),
          failed(1, 3, "STOPPED")
        ]
      }),
      [
        [3, "ended UNKNOWN", "restart"]
      ]
    )
  })

  it("is a deadline that was missed, with what runs of the job", () => {
    const missed = [{ jobName: "job 1", due: DateTime.toEpochMillis(at(0)) }, { jobName: "job 9", due: 0 }]
    assert.deepStrictEqual(of({ running: [moving(1)], missed }), [[1, "is late", "launch"], [
      undefined,
      "is late",
      "launch"
    ]])
    assert.strictEqual(
      troubles({ ...nothing, missed }, now, "1 minute")[0]!.cause,
      "It had not completed by 2026-05-28 20:26 UTC"
    )
  })

  it.effect("is told with what to do, and what runs with how far it is", () =>
    Effect.gen(function*() {
      const failed = execution(3, {
        instance: instance(3),
        status: "FAILED",
        exitStatus: ExitStatus.addDescription(ExitStatus.FAILED, "broken")
      })
      const page = (
        given: { readonly runs: ReadonlyArray<JobExecution>; readonly failed: ReadonlyArray<JobExecution> }
      ) =>
        show(overview(view(), { deadlines: [], stalledAfter: "1 minute" }), {
          jobExecutions: ({ statuses }) =>
            Effect.succeed(
              statuses === undefined ? [execution(1)] : statuses.includes("FAILED") ? given.failed : given.runs
            ),
          stepExecutionsOf: () =>
            Effect.succeed([
              step("one", { read: 1000, write: 900 }, { jobExecutionId: 2, place: "one" }),
              step("two", { read: 500, write: 400 }, {
                ...running,
                jobExecutionId: 2,
                place: "two",
                lastUpdated: now,
                checkpoint: Option.some({ progress: { done: 500, total: 1000, from: 0 } })
              }),
              step("other", { read: 7 }, { jobExecutionId: 4 })
            ])
        })
      const quiet = text((yield* page({ runs: [], failed: [] })).live)
      assert.include(quiet, "What is wrong now|Nothing.|")
      assert.include(quiet, "Running|Nothing runs.|")
      const one = text((yield* page({ runs: [], failed: [failed] })).live)
      assert.include(one, "1 thing needs attention.|job 3 3 ended FAILED: broken Restart")
      const busy = yield* page({
        runs: [moving(2)],
        failed: [failed, execution(5, { instance: instance(5), status: "FAILED" })]
      })
      assert.include(text(busy.live), "2 things need attention.|")
      assert.include(
        text(busy.live),
        "STARTED job 2 2, in step two: 1,500 read, 1,300 written, 1 min 40 s so far, 50 % of it, about 1 min 40 s left|"
      )
      assert.include(busy.live.markup, "action=\"/ops/executions/3/restart\"")
      const { recent, running: runs, troubles } = busy.json as Record<
        string,
        ReadonlyArray<{ readonly id?: number; readonly steps?: ReadonlyArray<unknown> }>
      >
      assert.deepStrictEqual([recent!.length, runs!.map(({ id, steps }) => [id, steps!.length]), troubles!.length], [
        1,
        [[2, 2]],
        2
      ])
    }))
})

describe("the page of an execution", () => {
  const buttons = (page: Page) => [...page.live.markup.matchAll(/<button id="([^"]+)"/g)].map(([, id]) => id)
  const of = (
    changes: Partial<JobExecution>,
    given: Stub = {},
    jobs: ReadonlyArray<Job.Job.Any> = [],
    access: View["access"] = "operate"
  ) =>
    show(
      executionPage(view({ access }), 5),
      { jobExecution: () => Effect.succeed(execution(5, changes)), ...given },
      jobs
    )

  it.effect("offers what may be done with it, as it stands, to who may do it", () =>
    Effect.gen(function*() {
      for (
        const [status, known, expected] of [
          ["STARTED", true, ["stop", "recover"]],
          ["STOPPING", false, ["stop", "recover"]],
          ["COMPLETED", true, []],
          ["ABANDONED", true, []],
          ["FAILED", false, ["abandon"]]
        ] as const
      ) {
        assert.deepStrictEqual(buttons(yield* of({ status }, {}, known ? [load] : [])), [...expected], status)
        assert.deepStrictEqual(buttons(yield* of({ status }, {}, known ? [load] : [], "read")), [], status)
      }
    }))

  it.effect("says how long it usually takes, when three have completed, and what is left", () =>
    Effect.gen(function*() {
      const told = (seconds: ReadonlyArray<number>, changes: Partial<JobExecution>) =>
        Effect.map(
          of(changes, {
            jobExecutions: ({ limit, statuses }) =>
              Effect.succeed(
                statuses === undefined || limit === 1
                  ? []
                  : seconds.map((end, id) => execution(id, { endTime: Option.some(at(end)) }))
              )
          }),
          ({ live }) => /Usually[^<]*/.exec(live.markup)?.[0]
        )
      assert.isUndefined(yield* told([10, 20], running))
      assert.strictEqual(yield* told([300, 120, 10], running), "Usually 2 min; now 1 min 40 s, so about 20 s are left.")
      assert.strictEqual(yield* told([300, 100, 10], running), "Usually 1 min 40 s; now 1 min 40 s, longer than usual.")
      assert.strictEqual(yield* told([40, 30, 20, 10], {}), "Usually 30 s; this time 10 s.")
    }))

  it.effect("tells who did what, and what became of it", () =>
    Effect.gen(function*() {
      assert.include(text((yield* of({})).live), "What was done by whom|Nothing.|")
      const entry = { executionId: 5, createTime: at(0), outcome: "done", what: "stop", who: "ada" }
      const page = yield* of({}, { audit: () => Effect.succeed([entry as never]) })
      assert.include(text(page.live), "2026-05-28 20:26:40 UTC: ada asked for stop: done|")
    }))
})

describe("lists", () => {
  const item = (id: number) => ({
    id,
    stepName: "load",
    phase: "write" as const,
    position: Option.some({ line: id }),
    errorTag: "Bad",
    message: "no",
    item: Option.none(),
    createTime: at(0)
  })

  it.effect("of skipped records go on behind a full page, with what was asked for", () =>
    Effect.gen(function*() {
      for (const [size, isMore] of [[49, false], [50, true]] as const) {
        const asked: Array<unknown> = []
        const page = yield* show(
          skippedPage(view({ query: new URLSearchParams("step=load&tag=Bad&message=no&after=7") }), 5),
          {
            skippedPage: (filter) => {
              asked.push(filter)
              return Effect.succeed(Array.from({ length: size }, (_, index) => item(index + 8)))
            }
          }
        )
        assert.deepStrictEqual(asked, [
          { executionId: 5, stepName: "load", phase: undefined, errorTag: "Bad", message: "no", after: 7, limit: 50 }
        ])
        assert.strictEqual(page.live.markup.includes("id=\"next\""), isMore)
        assert.strictEqual((page.json as { readonly after: unknown }).after, isMore ? 57 : null)
        if (isMore) {
          assert.include(
            page.live.markup,
            "/ops/executions/5/skipped?step=load&amp;tag=Bad&amp;message=no&amp;after=57"
          )
        }
        assert.include(text(page.live), "Records: Bad no|")
        assert.include(text(page.live), "|load|write|Bad|no|{&quot;line&quot;:8}|–|")
      }
      const first: Array<number | undefined> = []
      const page = yield* show(skippedPage(view(), 5), {
        skippedPage: ({ after }) => {
          first.push(after)
          return Effect.succeed([])
        }
      })
      assert.deepStrictEqual(first, [0])
      assert.include(text(page.live), "Records|")
    }))

  it.effect("of executions go on behind a full page, and show what was chosen", () =>
    Effect.gen(function*() {
      for (const [size, isMore] of [[49, false], [50, true]] as const) {
        const asked: Array<unknown> = []
        const page = yield* show(
          executionsPage(view({ query: new URLSearchParams("job=load&status=FAILED&before=90") })),
          {
            jobNames: Effect.succeed(["load", "other"]),
            jobExecutions: (filter) => {
              asked.push(filter)
              return Effect.succeed(Array.from({ length: size }, (_, index) => execution(89 - index)))
            }
          }
        )
        assert.deepStrictEqual(asked, [{ jobName: "load", statuses: ["FAILED"], before: 90, limit: 50 }])
        assert.strictEqual(page.live.markup.includes("id=\"next\""), isMore)
        assert.strictEqual((page.json as { readonly before: unknown }).before, isMore ? 40 : null)
        assert.deepStrictEqual([...page.live.markup.matchAll(/value="(\w+)" selected/g)].map(([, value]) => value), [
          "load",
          "FAILED"
        ])
      }
      const asked: Array<unknown> = []
      yield* show(executionsPage(view({ query: new URLSearchParams("job=&status=ODD&before=x") })), {
        jobExecutions: (filter) => {
          asked.push(filter)
          return Effect.succeed([])
        }
      })
      assert.deepStrictEqual(asked, [{ jobName: undefined, statuses: undefined, before: undefined, limit: 50 }])
    }))

  it.prop("take a place from a request only if it is a number of at most fifteen digits", [
    FastCheck.oneof(
      FastCheck.nat().map(String),
      FastCheck.string(),
      FastCheck.bigInt({ min: 0n, max: 10n ** 17n }).map(String)
    )
  ], ([text]) => {
    assert.strictEqual(count(text), /^[0-9]+$/.test(text) && text.length < 16 ? Number(text) : undefined)
    assert.isUndefined(count(undefined))
  })
})
