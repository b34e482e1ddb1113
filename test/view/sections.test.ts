/** The parts of reports and pages, each by itself: what they say of rows, and what they leave out. */
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import type { ExecutionData } from "../../src/view/data.js"
import * as Section from "../../src/view/sections.js"
import { badge, duration, number, time, timeOr } from "../../src/view/words.js"
import * as ExitStatus from "../../src/vocabulary/ExitStatus.js"
import type * as JobExecution from "../../src/vocabulary/JobExecution.js"
import type { JobParameter } from "../../src/vocabulary/JobParameters.js"
import type * as StepExecution from "../../src/vocabulary/StepExecution.js"
import { at, execution, now, running, step, text } from "./support.js"

const data = (changes: Partial<ExecutionData> = {}): ExecutionData => ({
  execution: execution(5),
  steps: [],
  groups: [],
  chain: [execution(5)],
  previous: undefined,
  parts: [],
  ...changes
})

const links = (path: string) => `/base${path}`

describe("the facts of an execution", () => {
  it("name its times, and its process only while it runs", () => {
    const owner = Option.some("host:1")
    const ended = text(Section.facts(data({ execution: execution(5, { owner }) }), now, undefined))
    assert.include(ended, "Duration|10 s|")
    assert.notInclude(ended, "Process")
    const runs = text(Section.facts(data({ execution: execution(5, { owner, ...running }) }), now, undefined))
    assert.include(runs, "Process|host:1|")
    assert.include(runs, "Ended|–|Duration|1 min 40 s so far|")
    assert.notInclude(text(Section.facts(data({ execution: execution(5, running) }), now, undefined)), "Process")
  })

  it("name the other executions of the instance only where there are any, and link them where there are pages", () => {
    assert.notInclude(text(Section.facts(data(), now, undefined)), "of this instance")
    const chain = [execution(4, { status: "FAILED" }), execution(5)]
    const made = Section.facts(data({ chain }), now, links)
    assert.include(text(made), "Executions of this instance|4 FAILED 5 COMPLETED |".replace(" |", "|"))
    assert.include(made.markup, "href=\"/base/executions/4\"")
    assert.include(made.markup, "href=\"/base/jobs/load\"")
    assert.notInclude(Section.facts(data({ chain }), now, undefined).markup, "<a")
  })

  it("show parameters as they were given, but no secret", () => {
    const given: ReadonlyArray<JobParameter> = [
      { name: "file", value: "a.csv", identifying: true },
      { name: "size", value: 3, identifying: false },
      { name: "key", value: "hunter2", identifying: true, redacted: true },
      { name: "open", value: "seen", identifying: true, redacted: false }
    ]
    assert.strictEqual(
      text(Section.parameters(given)),
      "file|a.csv|size (does not identify)|3|key|secret|open|seen|"
    )
    assert.strictEqual(text(Section.parameters([])), "none|")
  })
})

describe("the causes", () => {
  it("are those of the steps that failed and say something, else that of a job that did not complete", () => {
    const said = ExitStatus.addDescription(ExitStatus.FAILED, "broken")
    const failed = (name: string, status: "FAILED" | "UNKNOWN" | "STOPPED", exitStatus = said) =>
      step(name, {}, { status, exitStatus })
    const causes = (steps: ReadonlyArray<StepExecution.StepExecution>, changes: Partial<JobExecution.JobExecution>) =>
      Section.causes({ execution: execution(5, changes), steps }).map(text)
    const job = { status: "FAILED", exitStatus: ExitStatus.addDescription(ExitStatus.FAILED, "no way") } as const
    assert.deepStrictEqual(causes([failed("a", "FAILED"), step("b"), failed("c", "UNKNOWN")], job), [
      "a: broken|",
      "c: broken|"
    ])
    assert.deepStrictEqual(causes([failed("a", "STOPPED"), failed("b", "FAILED", ExitStatus.FAILED)], job), [
      "load: no way|"
    ])
    assert.deepStrictEqual(causes([], { ...job, status: "COMPLETED" }), [])
    assert.deepStrictEqual(causes([], { ...job, exitStatus: ExitStatus.FAILED }), [])
  })
})

describe("the table of steps", () => {
  it("shows every count in its column, rounds behind the first, and the rate", () => {
    const counts = {
      read: 2000,
      write: 1500,
      filter: 40,
      readSkip: 1,
      processSkip: 2,
      writeSkip: 3,
      commit: 9,
      rollback: 4
    }
    const rows = text(Section.stepTable([
      step("one", counts, { place: "one", round: "1" }),
      step("two", {}, { place: "two#2", round: "2.1" }),
      step("idle", { read: 5 }, { place: "idle", round: "1", startTime: Option.none(), endTime: Option.none() })
    ], now))
    assert.include(rows, "|one|COMPLETED|2,000|1,500|40|6|9|4|10 s|200|")
    assert.include(rows, "|two#2 (round 2.1)|COMPLETED|0|0|0|0|0|0|10 s|–|")
    assert.include(rows, "|idle|COMPLETED|5|0|0|0|0|0|–|–|")
    assert.strictEqual(text(Section.stepTable([], now)), "No step has run.|")
  })

  it("says of a step that runs how far it is, and about how long it takes yet", () => {
    const measured = (done: number, changes: Partial<StepExecution.StepExecution> = {}) =>
      Section.ahead(
        step("one", {}, {
          ...running,
          checkpoint: Option.some({ progress: { done, total: 1000, from: 0 } }),
          lastUpdated: at(100),
          ...changes
        }),
        now
      )
    assert.strictEqual(measured(505), ", 50 % of it, about 1 min 38 s left")
    assert.strictEqual(measured(0), ", 0 % of it")
    assert.strictEqual(measured(1000), ", 100 % of it, nearly done")
    // Measured half a minute ago.
    assert.strictEqual(measured(500, { lastUpdated: at(70) }), ", 50 % of it, about 40 s left")
    // By another clock.
    assert.strictEqual(measured(500, { lastUpdated: at(170) }), ", 50 % of it, about 1 min 40 s left")
    for (
      const changes of [{ endTime: Option.some(at(3)) }, { startTime: Option.none() }, { checkpoint: Option.none() }]
    ) {
      assert.strictEqual(measured(505, changes), "")
    }
  })
})

describe("the other tables", () => {
  it("list parts slowest first, with the sums of their steps", () => {
    const parts = [[7, 20], [8, 40], [9, undefined]].map(([id, seconds]) => ({
      execution: execution(id!, seconds === undefined ? running : { endTime: Option.some(at(seconds)) }),
      steps: [step("a", { read: id!, write: 1 }), step("b", { read: 1, write: 2 })]
    }))
    assert.match(
      text(Section.partTable(parts, now, undefined)),
      /\|9\|load\|STARTED COMPLETED\|10\|3\|1 min 40 s so far\|8\|load\|COMPLETED\|9\|3\|40 s\|7\|load\|COMPLETED\|8\|3\|20 s\|/
    )
    assert.isUndefined(Section.partTable([], now, undefined))
  })

  it("say what was skipped, or that nobody keeps it", () => {
    const group = { stepName: "a&b", phase: "write", errorTag: "Bad", message: "no", count: 1200, firstId: 1 } as const
    const of = (changes: Partial<ExecutionData>, where: Section.Links = undefined) =>
      Section.skippedTable(data(changes), where)
    assert.strictEqual(text(of({})), "Nothing was skipped.|")
    assert.strictEqual(
      text(of({ steps: [step("a", { readSkip: 1, processSkip: 2, writeSkip: 1200 }), step("b", { readSkip: 1 })] })),
      "1,204 records were skipped; no step keeps them in a quarantine.|"
    )
    const made = of({ groups: [group] }, links)
    assert.include(text(made), "|1,200|a&amp;b|write|Bad|no|")
    assert.include(
      made.markup,
      "href=\"/base/executions/5/skipped?step=a%26b&amp;phase=write&amp;tag=Bad&amp;message=no\""
    )
  })

  it("set an execution beside the last one that completed", () => {
    const previous = {
      execution: execution(3, { endTime: Option.some(at(70)) }),
      steps: [step("a", { read: 10, write: 9, filter: 1, writeSkip: 3 })]
    }
    const steps = [step("a", { read: 12, write: 9, readSkip: 1 })]
    const made = text(Section.difference(data({ previous, steps }), now, undefined))
    assert.include(made, "|Execution 3|Difference|duration|10 s|1 min 10 s|−1 min|")
    assert.include(made, "|read|12|10|+2|written|9|9|±0|filtered|0|1|−1|skipped|1|3|−2|")
    assert.strictEqual(text(Section.difference(data(), now, undefined)), "No earlier execution of this job completed.|")
  })

  it.prop("account for every record that was read", [
    FastCheck.record({
      read: FastCheck.nat(9),
      write: FastCheck.nat(9),
      filter: FastCheck.nat(9),
      skip: FastCheck.nat(9)
    })
  ], ([{ filter, read, skip, write }]) => {
    const made = text(Section.totals([
      step("a", { read, write, processSkip: skip, readSkip: 2, commit: 1 }),
      step("b", { filter, writeSkip: skip, readSkip: 1, commit: 2, rollback: 4 })
    ]))
    const other = read - write - filter - 2 * skip
    assert.strictEqual(
      made,
      `${read} read = ${write} written + ${filter} filtered + ${2 * skip} skipped after reading` +
        `${other === 0 ? "" : ` + ${other} otherwise`}; 3 could not be read. 3 commits, 4 rollbacks.|`
    )
  })
})

describe("times and numbers in words", () => {
  it("never run backwards, whatever the clocks of two machines say", () => {
    const ahead = execution(5, { startTime: Option.some(at(200)), endTime: Option.none() })
    assert.strictEqual(Section.elapsed(ahead, now), "0 ms so far")
    assert.strictEqual(Section.millis(ahead, now), 0)
    assert.strictEqual(Section.since(at(200), now), "0 ms")
    assert.strictEqual(Section.since(at(40), now), "1 min")
    assert.strictEqual(Section.elapsed(execution(5, { startTime: Option.none() }), now), "–")
  })

  it.prop("durations say the two largest units, and no more is lost than half of a second or of the second unit", [
    FastCheck.integer({ min: 10_000, max: 400_000_000 })
  ], ([millis]) => {
    const sizes: Readonly<Record<string, number>> = { d: 86_400, h: 3600, min: 60, s: 1 }
    const words = duration(millis).split(" ")
    const units = words.filter((_, index) => index % 2 === 1)
    const said = units.reduce((sum, unit, index) => sum + Number(words[2 * index]) * sizes[unit]!, 0)
    const names = Object.keys(sizes)
    const largest = names.find((name) => Math.round(millis / 1000) >= sizes[name]!)!
    const smallest = sizes[names[Math.min(3, names.indexOf(largest) + 1)]!]!
    assert.strictEqual(units[0], largest)
    assert.isAtMost(units.length, 2)
    assert.isAtMost(said, Math.round(millis / 1000))
    assert.isBelow(Math.round(millis / 1000) - said, smallest)
    assert.isTrue(units.every((_, index) => Number(words[2 * index]) > 0))
  })

  it("have their own forms at the edges", () => {
    assert.deepStrictEqual([999, 1000, 9949, 9999, 10_000, 59_499, 59_500].map((millis) => duration(millis)), [
      "999 ms",
      "1.0 s",
      "9.9 s",
      "10.0 s",
      "10 s",
      "59 s",
      "1 min"
    ])
    assert.strictEqual(number(1_234_567), "1,234,567")
    assert.strictEqual(time(at(0)).markup, "<time datetime=\"2026-05-28T20:26:40.000Z\">2026-05-28 20:26:40 UTC</time>")
    assert.strictEqual(timeOr(Option.none()).markup, "–")
    const badges = [
      badge("FAILED"),
      badge("FAILED", "FAILED"),
      badge("COMPLETED", "ODD"),
      badge("STARTED", "EXECUTING"),
      badge("STARTED", "UNKNOWN")
    ]
    assert.deepStrictEqual(badges.map(text), ["FAILED", "FAILED", "COMPLETED ODD", "STARTED", "STARTED"])
  })
})
