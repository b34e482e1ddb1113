import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import * as Schema from "effect/Schema"
import {
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobParameters,
  JobRepository,
  Step
} from "../../../src/index.js"
import { ok, scripted } from "./kit.js"
import { shared, toFlow, told } from "./tree.js"

class Params extends JobParameters.Tag<Params>()("Params", {
  file: Schema.String,
  verbose: JobParameters.nonIdentifying(Schema.optionalWith(Schema.Boolean, { default: () => false })),
  token: Schema.Redacted(Schema.String)
}) {}

const load = Step.chunk("load", {
  reader: ItemReader.fromIterable([1, 2, 3]),
  processor: (n: number) => n === 2 ? Effect.fail({ _tag: "Bad" as const }) : Effect.succeed(n),
  writer: ItemWriter.fromFunction((_: ReadonlyArray<number>) => Effect.void),
  chunkSize: 2
}).pipe(Step.skip("Bad", { limit: 1 }), Step.startLimit(3))

const monthEnd = Flow.decide("month end?", ["YES", "NO"], () => Effect.succeed("NO" as const))

const job = Job.make("import \"payments\"", {
  flow: load.pipe(
    Flow.match({
      COMPLETED: Flow.split([ok("ledger"), ok("search")], { concurrency: 2 }),
      FAILED: Flow.fail("EARLY TERMINATION")
    }),
    Flow.andThen(Step.flow("closing", ok("statements"))),
    Flow.andThen(monthEnd.pipe(Flow.match({ YES: Flow.stopAndRestart(ok("audit"), "LOOK"), NO: Flow.end() })))
  )
})

describe("Job.toMermaid", () => {
  it("draws a job before any run", () => {
    assert.strictEqual(
      Job.toMermaid(job),
      `flowchart TD
  job(["import #34;payments#34;"])
  s0["load"]
  subgraph s1["split(ledger, search)"]
    s1_0_0["ledger"]
    s1_1_0["search"]
  end
  s2(["FAILED EARLY TERMINATION"])
  subgraph s3["closing"]
    s3_0_0["statements"]
  end
  s4{"month end?"}
  s5[/"STOPPED LOOK"/]
  s6(["COMPLETED"])
  s7["audit"]
  s0 -->|"COMPLETED"| s1
  s0 -->|"FAILED"| s2
  s1 -->|"COMPLETED"| s3
  s3 -->|"COMPLETED"| s4
  s4 -->|"YES"| s5
  s4 -->|"NO"| s6
  s5 -->|"COMPLETED"| s7
  s7 --> done
  job --> s0
  done(["COMPLETED"])`
    )
  })

  it.effect("colours it after a run, with counts", () =>
    Effect.gen(function*() {
      const execution = yield* JobOperator.run(job, {})
      const lines = Job.toMermaid(job, { execution, steps: yield* JobOperator.steps(execution.id) }).split("\n")
      assert.include(lines, "  job([\"import #34;payments#34;<br/>COMPLETED\"])")
      assert.include(lines, "  s0[\"load<br/>COMPLETED<br/>3 read, 2 written, 1 skipped\"]")
      assert.include(lines, "  subgraph s3[\"closing<br/>COMPLETED\"]")
      assert.include(lines, "  class s0 COMPLETED")
      assert.include(lines, "  s7[\"audit\"]")
      assert.isFalse(lines.some((line) => line.startsWith("  class s7")))
      assert.strictEqual(lines.filter((line) => line.startsWith("  classDef")).length, 1)
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it("whatever a step is called, its name stays within its label", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }).filter((name) => name.trim() !== ""), (name) => {
        const lines = Job.toMermaid(Job.make("job", { flow: ok(name) })).split("\n")
        assert.strictEqual(lines.length, 6)
        assert.match(lines[2]!, /^ {2}s0\["[^"<>&\\`[\]{}|]*"\]$/)
      })
    )
  })

  it("draws any job: every edge joins two nodes of the picture", () => {
    fc.assert(
      fc.property(shared, (tree) => {
        let job: Job.Job.Any
        try {
          job = Job.make("any", { flow: toFlow(tree, told(() => "")) })
        } catch {
          return
        }
        const lines = Job.toMermaid(job).split("\n").map((line) => line.trim())
        const nodes = new Set(lines.flatMap((line) => line.match(/^(?:subgraph )?(\w+)[[({]/)?.slice(1) ?? []))
        for (const line of lines) {
          const edge = line.match(/^(\w+) -->(?:\|".*"\|)? (\w+)$/)
          assert.isTrue(edge === null || (nodes.has(edge[1]!) && nodes.has(edge[2]!)), line)
        }
        const opened = lines.filter((line) => line.startsWith("subgraph")).length
        assert.strictEqual(lines.filter((line) => line === "end").length, opened)
      })
    )
  })
})

describe("Job.describe", () => {
  it("tells parameters, steps, codes and routes as JSON", () => {
    const child = Job.make("child", { parameters: Params, flow: ok("in the child") })
    const described = Job.describe(
      Job.make("parent", {
        parameters: Params,
        restartable: false,
        flow: load.pipe(Flow.andThen(Step.job("child step", child, { parameters: Params })))
      })
    )
    assert.deepStrictEqual(JSON.parse(JSON.stringify(described)), {
      ...described,
      flow: JSON.parse(JSON.stringify(described.flow))
    })
    assert.deepStrictEqual(described.parameters, [
      { name: "file", required: true, identifying: true, redacted: false },
      { name: "verbose", required: false, identifying: false, redacted: false },
      { name: "token", required: true, identifying: true, redacted: true }
    ])
    assert.deepStrictEqual(described.needs, { parameters: ["file", "token"], jobs: ["child"] })
    assert.isFalse(described.restartable)
    const [first, second] = described.flow.states
    assert.deepStrictEqual(first, {
      name: "load",
      kind: "step",
      codes: ["COMPLETED", "FAILED"],
      open: true,
      routes: [{ on: "COMPLETED", to: "child step" }, { on: "FAILED", to: null }],
      step: {
        name: "load",
        kind: "chunk",
        startLimit: 3,
        allowStartIfComplete: false,
        listeners: 0,
        chunk: { completion: "2 items", concurrency: 1, delivery: "at-least-once" }
      }
    })
    assert.strictEqual(second!.step!.job!.name, "child")
    assert.deepStrictEqual(described.flow.codes, ["FAILED", "COMPLETED"])
  })

  it("tells what a split, a decider, an end and a stop are", () => {
    const { flow } = Job.describe(job)
    assert.deepStrictEqual(flow.states.map(({ kind, name }) => `${kind}: ${name}`), [
      "step: load",
      "split: split(ledger, search)",
      "end: fail after load on FAILED",
      "step: closing",
      "decider: month end?",
      "stop: stop after month end? on YES",
      "end: end after month end? on NO",
      "step: audit"
    ])
    assert.deepStrictEqual(flow.states[1]!.branches!.map(({ start }) => start), ["ledger", "search"])
    assert.deepStrictEqual([...flow.codes].sort(), ["COMPLETED", "EARLY TERMINATION", "FAILED"])
  })
})

describe("JobOperator.explain", () => {
  it.effect("a new instance: the first step is certain, what follows depends on it; nothing is written", () =>
    Effect.gen(function*() {
      const explained = yield* JobOperator.explain(job, {})
      assert.deepStrictEqual(explained.lines, [
        "job \"import \"payments\"\": a new instance",
        "load: run",
        "perhaps ledger: run",
        "perhaps search: run",
        "perhaps closing: run",
        "perhaps statements: run"
      ])
      assert.strictEqual(explained._tag, "NewInstance")
      assert.deepStrictEqual(yield* JobOperator.instances(), [])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("the plan of a restart names the skipped, resumed and run steps, and the restart follows it", () =>
    Effect.gen(function*() {
      let broken = true
      const failing = Step.chunk("write", {
        reader: ItemReader.fromIterable([1, 2, 3, 4, 5]),
        writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
          broken && items.includes(3) ? Effect.fail("disk full") : Effect.void
        ),
        chunkSize: 2
      })
      const job = Job.make("restarted", {
        flow: ok("prepare").pipe(Flow.andThen(failing), Flow.andThen(ok("report")))
      })
      const first = yield* JobOperator.run(job, {})
      const explained = yield* JobOperator.explain(job, {})
      assert.deepInclude(explained, { _tag: "Restart", of: first.id, takeover: false })
      const [head, prepare, write, report] = explained.lines
      assert.strictEqual(head, `job "restarted": restart of execution ${first.id}`)
      assert.strictEqual(prepare, "prepare: skip, it ended before with COMPLETED")
      assert.match(write!, /^write: resume at .*, after 2 items read and 1 commit$/)
      assert.strictEqual(report, "perhaps report: run")
      broken = false
      const second = yield* JobOperator.run(job, {})
      const steps = yield* JobOperator.steps(second.id)
      assert.deepStrictEqual(steps.map(({ stepName }) => stepName), ["write", "report"])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("follows stored exit codes, abandoned steps and recorded stops", () =>
    Effect.gen(function*() {
      const job = Job.make("followed", {
        flow: scripted("a", ["FAILED"]).pipe(
          Flow.match({
            FAILED: Flow.stopAndRestart(ok("b").pipe(Flow.andThen(scripted("c", ["FAILED"])))),
            "*": ok("d")
          })
        )
      })
      assert.deepStrictEqual((yield* JobOperator.explain(job, {})).lines.slice(1), ["a: run", "perhaps d: run"])
      yield* JobOperator.run(job, {})
      assert.deepStrictEqual((yield* JobOperator.explain(job, {})).lines.slice(1), [
        "a: skip, it ended before with FAILED",
        "b: run",
        "perhaps c: run"
      ])
      yield* JobOperator.run(job, {})
      assert.deepStrictEqual((yield* JobOperator.explain(job, {})).lines.slice(1), [
        "a: skip, it ended before with FAILED",
        "b: skip, it ended before with COMPLETED",
        "c: resume from the beginning, after 0 items read and 0 commits"
      ])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("a refusal and why: wrong parameters, an instance that is complete, a start limit", () =>
    Effect.gen(function*() {
      const done = Job.make("done", { parameters: Params, flow: ok("a") })
      const wrong = yield* JobOperator.explain(done, { file: "a" } as never)
      assert.strictEqual(wrong._tag === "Refused" && wrong.error._tag, "InvalidJobParameters")

      const simple = Job.make("simple", { flow: ok("a") })
      yield* JobOperator.run(simple, {})
      const complete = yield* JobOperator.explain(simple, {})
      assert.strictEqual(complete._tag === "Refused" && complete.error._tag, "JobInstanceAlreadyComplete")
      assert.match(complete.lines[0]!, /^refused: Job "simple" without parameters is COMPLETED already/)

      const limited = Job.make("limited", { flow: Step.startLimit(scripted("a", ["FAILED"]), 1) })
      yield* JobOperator.run(limited, {})
      const exceeded = yield* JobOperator.explain(limited, {})
      assert.match(exceeded.lines[1]!, /^a: refuse\. Step "a" has been started 1 time/)
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("an execution that runs is not disturbed", () =>
    Effect.scoped(Effect.gen(function*() {
      const waiting = Job.make("waiting", { flow: Step.tasklet("waits", Effect.never) })
      yield* JobOperator.start(waiting, {})
      const explained = yield* JobOperator.explain(waiting, {})
      assert.strictEqual(explained._tag === "Refused" && explained.error._tag, "JobExecutionAlreadyRunning")
    })).pipe(Effect.provide(JobRepository.layerMemory)))
})
