/**
 * Lost connections as a dimension of the crash kit: in each operation of the repository and in each commit the connection is
 * lost, before it is done, or when only its answer is missing. What the job leaves behind is what it always leaves behind.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { NdjsonItemWriter } from "../../src/file/index.js"
import {
  ExecutionContext,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobScope,
  Step,
  StepScope,
  Tasklet,
  Transactor
} from "../../src/index.js"
import * as Life from "../../src/testing/crash/life.js"
import * as Store from "../../src/testing/crash/store.js"
import { BatchTest } from "../../src/testing/index.js"
import { MemoryFiles } from "../file/support.js"

class Refused extends Data.TaggedError("Refused")<{}> {}

const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index + 1)

const outlives = <P, Code extends string, E, R, E2, R2>(
  make: () => BatchTest.World<P, Code, E, R, E2, R2>,
  randomRuns = 4
) => BatchTest.crashEverywhere({ make: Effect.sync(make), lostConnections: true, randomRuns })

const into = (out: Array<number>, name = "load", count = 5) =>
  Step.chunk(name, { reader: ItemReader.fromIterable(numbers(count)), writer: ItemWriter.inMemory(out), chunkSize: 2 })

const filled = (out: Array<number>, step: string, n: number) =>
  Step.tasklet(
    step,
    Effect.zipRight(
      Effect.sync(() => void out.push(n)),
      Transactor.onRollback(Effect.sync(() => void out.pop()))
    )
  )

/** What runs and rows there are; a loss that a run outlives leaves no second one. */
const rows = Effect.gen(function*() {
  const executions = yield* JobOperator.executions({ partitions: true })
  const steps = yield* Effect.forEach(executions, ({ id }) => JobOperator.steps(id))
  return steps.map((of) => {
    const visits = of.map(({ place, round }) => `${place} ${round}`)
    return visits.length - new Set(visits).size
  }).filter((twice) => twice > 0)
})

const Total = ExecutionContext.key("total", Schema.Number)

describe("a job whose connection is lost somewhere leaves behind what it always does (OWN-21)", () => {
  it.effect("a chunk step that writes a table and a file", () => {
    const files = new MemoryFiles()
    let worlds = 0
    return outlives(() => {
      const path = `out-${worlds++}`
      const out: Array<number> = []
      const load = Step.chunk("load", {
        reader: ItemReader.fromIterable(numbers(5)),
        writer: ItemWriter.tee(ItemWriter.inMemory(out), NdjsonItemWriter.make<number>(path)),
        chunkSize: 2
      })
      return {
        job: Job.make("load", { flow: load }),
        parameters: {},
        observe: Effect.map(rows, (twice) => ({ out: out.slice(), file: files.text(path), twice }))
      }
    }).pipe(Effect.provide(files.layer))
  })

  it.effect("tasklets, and what they keep in the contexts", () =>
    outlives(() => {
      const out: Array<number> = []
      const count = Step.tasklet(
        "count",
        Effect.gen(function*() {
          const next = 1 + Option.getOrElse(yield* StepScope.get(Total), () => 0)
          out.push(next)
          yield* Transactor.onRollback(Effect.sync(() => void out.pop()))
          yield* StepScope.set(Total, next)
          yield* JobScope.update(Total, (sum) => Option.getOrElse(sum, () => 0) + next)
          return Tasklet.continueIf(next < 3)
        })
      )
      const last = Effect.map(JobOperator.executions({}), ([execution]) => execution?.context.entries)
      return {
        job: Job.make("count", { flow: count.pipe(Flow.andThen(filled(out, "end", 100))) }),
        parameters: {},
        observe: Effect.map(Effect.zip(rows, last), ([twice, context]) => ({ out: out.slice(), twice, context }))
      }
    }))

  it.effect("a loop whose decider is asked, and whose answers are stored", () =>
    outlives(() => {
      const out: Array<number> = []
      const more = Flow.decide("more", ["YES", "NO"], () =>
        Effect.map(JobScope.get(Total), (n) =>
          Option.getOrElse(n, () => 0) < 2 ? "YES" as const : "NO" as const))
      const page = Step.tasklet(
        "page",
        Effect.gen(function*() {
          const n = 1 + Option.getOrElse(yield* JobScope.get(Total), () =>
            0)
          out.push(n)
          yield* Transactor.onRollback(Effect.sync(() => void out.pop()))
          yield* JobScope.set(Total, n)
        })
      )
      return {
        job: Job.make("pages", {
          flow: Flow.graph("page", {
            page: { run: page, on: { COMPLETED: "more" } },
            more: { run: more, on: { YES: "page", NO: "END" } }
          })
        }),
        parameters: {},
        observe: Effect.map(rows, (twice) => ({ out: out.slice(), twice }))
      }
    }))

  it.effect("the branches of a split, and a failure that something else follows", () =>
    outlives(() => {
      const [a, b]: [Array<number>, Array<number>] = [[], []]
      const broken = Step.tasklet("broken", Effect.fail("broken" as const))
      return {
        job: Job.make("branches", {
          flow: Flow.split([into(a, "a"), into(b, "b")]).pipe(
            Flow.andThen(Flow.graph("broken", {
              broken: { run: broken, on: { FAILED: "mend", COMPLETED: "END" } },
              mend: { run: filled(a, "mend", 100), on: { COMPLETED: "END" } }
            }))
          )
        }),
        parameters: {},
        observe: Effect.map(rows, (twice) => ({ a: a.slice(), b: b.slice(), twice }))
      }
    }, 1))

  it.effect("the partitions of a step", () =>
    outlives(() => {
      const out: Array<number> = []
      const step = Step.partition("parts", {
        plan: Effect.succeed([10, 20].map((input) => ({ name: String(input), input }))),
        input: Schema.Number,
        step: (from) =>
          Step.chunk("part", {
            reader: ItemReader.fromIterable([from, from + 1]),
            writer: ItemWriter.inMemory(out),
            chunkSize: 1
          })
      })
      return {
        job: Job.make("partitioned", { flow: step }),
        parameters: {},
        observe: Effect.map(rows, (twice) => ({ out: [...out].sort(), twice }))
      }
    }, 1))

  it.effect("a job inside of a job", () =>
    outlives(() => {
      const out: Array<number> = []
      const child = Job.make("child", { flow: into(out) })
      return {
        job: Job.make("parent", { flow: Step.job("child", child) }),
        parameters: {},
        observe: Effect.map(rows, (twice) => ({ out: out.slice(), twice }))
      }
    }, 1))
})

describe("a run whose connection is lost", () => {
  /** What is lost on the way of a job that calls every operation, and the end of the run that loses it. */
  const lossesOf = <E>(make: () => Job.Job<{}, string, E, never>) =>
    Effect.gen(function*() {
      const run = (strike: Life.Strike | undefined) =>
        Effect.flatMap(Store.make({}), (store) => Life.live(store, strike, JobOperator.run(make(), {})))
      const { operations } = yield* run(undefined)
      const lost = operations.flatMap((name, index) =>
        [false, true].map((isDone) => ({ name, strike: { _tag: "Lose" as const, at: index + 1, isDone } }))
      )
      return yield* Effect.forEach(lost, ({ name, strike }) =>
        Effect.map(run(strike), (end) => ({
          what: `${strike.isDone ? "after" : "before"} ${name}`,
          ended: end._tag === "Ended" && Exit.isSuccess(end.exit) ? end.exit.value.status : "no end"
        })))
    })

  const outlived = (losses: Effect.Effect.Success<ReturnType<typeof lossesOf>>) =>
    losses.filter(({ ended }) => ended !== "COMPLETED").map(({ what }) => what)

  it.effect("goes on by itself, wherever that is, once it has claimed its execution (OWN-21)", () =>
    Effect.gen(function*() {
      let times = 0
      const losses = yield* lossesOf(() => {
        let failures = 2
        times = 0
        const decide = Flow.decide("more", ["YES", "NO"], () => Effect.sync(() => times++ < 1 ? "YES" : "NO"))
        const skips = Step.chunk("skips", {
          reader: ItemReader.fromIterable(numbers(3)),
          writer: ItemWriter.fromFunction(
            (items: ReadonlyArray<number>) =>
              items.includes(3) && failures-- > 0 ? Effect.fail(new Refused()) : Effect.void,
            { delivery: "transactional" }
          ),
          chunkSize: 2
        })
        const parts = Step.partition("parts", {
          plan: Effect.succeed([{ name: "one", input: 1 }]),
          input: Schema.Number,
          step: () => into([], "part", 1)
        })
        const broken = Step.chunk("broken", {
          reader: ItemReader.fromIterable(numbers(1)),
          writer: ItemWriter.fromFunction(() => Effect.fail("broken" as const)),
          chunkSize: 1
        })
        return Job.make("all", {
          flow: Flow.graph("load", {
            load: { run: into([], "load", 1), on: { COMPLETED: "more" } },
            more: { run: decide, on: { YES: "load", NO: "skips" } },
            skips: {
              run: skips.pipe(Step.skip("Refused", { limit: 10 }), Step.quarantine()),
              on: { COMPLETED: "split", FAILED: "split" }
            },
            split: { run: Flow.split([into([], "a", 1), into([], "b", 1)]), on: { COMPLETED: "broken" } },
            broken: { run: broken, on: { FAILED: "parts", COMPLETED: "parts" } },
            parts: { run: parts, on: { COMPLETED: "child" } },
            child: {
              run: Step.job("child", Job.make("child", { flow: into([], "inner", 1) })),
              on: { COMPLETED: "END" }
            }
          })
        })
      })
      assert.isAbove(losses.length, 80)
      assert.deepStrictEqual(new Set(outlived(losses)), new Set(["before launch", "after launch"]))
    }))

  it.effect("in a tasklet is over: what else that has done nobody knows; a begin that was refused has done nothing (OWN-21)", () =>
    Effect.gen(function*() {
      const losses = yield* lossesOf(() => Job.make("tasklet", { flow: Step.tasklet("once", Effect.void) }))
      assert.deepStrictEqual(outlived(losses), [
        "before launch",
        "after launch",
        "before updateStepExecution",
        "after updateStepExecution",
        "before commit"
      ])
    }))
})

describe("a loss that is not outlived is found", () => {
  it.effect("with what was lost, and where", () =>
    Effect.gen(function*() {
      const finding = yield* Effect.flip(BatchTest.crashEverywhere({
        lostConnections: true,
        randomRuns: 0,
        make: Effect.sync(() => {
          const written: Array<string> = []
          const write = ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
            Effect.sync(() => void written.push(...items.map(String)))
          )
          const step = Step.chunk("load", { reader: ItemReader.fromIterable([1]), writer: write, chunkSize: 1 })
          return {
            job: Job.make("load", { flow: step }),
            parameters: {},
            // A run that dies before its commit writes twice as well: that is not what is looked for.
            observe: Effect.map(JobOperator.executions({}), (all) => all.length > 1 ? ["1"] : written.slice())
          }
        })
      }))
      assert.include(
        String((finding as Error).message),
        "had its connection lost before updateStepExecution, and went on"
      )
    }))
})
