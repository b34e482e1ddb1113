/**
 * Loops and restarts: a step execution belongs to a place and to the round in which that place was visited.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { ExecutionContext, Flow, Job, JobOperator, JobScope, Step } from "../../../src/index.js"
import { drivers } from "../../support/drivers.js"
import { endOf, ok, scripted } from "./kit.js"

type AnyJob = Job.Job<{}, string, any, any>

/** Runs the job again and again until it is COMPLETED: how each execution ended. */
const untilComplete = (job: AnyJob, most = 6) =>
  Effect.gen(function*() {
    const ends: Array<string> = []
    while (ends.length < most && !ends.at(-1)?.startsWith("COMPLETED")) {
      ends.push(endOf(yield* JobOperator.run(job, {})))
    }
    return ends
  }) as Effect.Effect<ReadonlyArray<string>, any, any>

/** `name#place:round STATUS` of every step execution of a job. */
const visitsOf = ({ id }: { readonly id: number }) =>
  Effect.map(
    JobOperator.steps(id),
    (steps) => steps.map(({ place, round, status }) => `${place} ${round} ${status}`)
  )

const Page = ExecutionContext.key("page", Schema.Number)
const page = Effect.map(JobScope.get(Page), (found) => found._tag === "Some" ? found.value : 1)

/** load → post → more(YES → load, NO → END), over three pages; a step fails once, in the given round. */
const pages = (name: string, broken: { readonly step: "load" | "post" | "more"; readonly round: number }) => {
  const log: Array<string> = []
  let failures = 1
  const work = (step: "load" | "post") =>
    Step.tasklet(
      step,
      Effect.flatMap(page, (n) =>
        step === broken.step && n === broken.round && failures-- > 0
          ? Effect.fail(`${step} ${n} is broken`)
          : Effect.sync(() => void log.push(`${step} ${n}`)))
    )
  const more = Flow.decide("more", ["YES", "NO"], () =>
    Effect.gen(function*() {
      const n = yield* page
      log.push(`more ${n}`)
      if (broken.step === "more" && n === broken.round && failures-- > 0) {
        return yield* Effect.fail("more is broken")
      }
      yield* JobScope.set(Page, n + 1)
      return n < 3 ? "YES" as const : "NO" as const
    }))
  const job = Job.make(name, {
    flow: Flow.graph("load", {
      load: { run: work("load"), on: { COMPLETED: "post" } },
      post: { run: work("post"), on: { COMPLETED: "more" } },
      more: { run: more, on: { YES: "load", NO: "END" } }
    })
  })
  return { job: job as AnyJob, log }
}

const EVERYTHING = [1, 2, 3].flatMap((n) => [`load ${n}`, `post ${n}`, `more ${n}`])

for (const driver of drivers) {
  describe(`loops and restarts (${driver.name})`, () => {
    it.layer(Layer.orDie(driver.layer), { timeout: 300_000 })((it) => {
      it.effect("a step may start only so often in all, the rounds of this execution and earlier ones together (HAND-6)", () =>
        Effect.gen(function*() {
          for (const [limit, fails] of [[1, []], [2, []], [3, [2]], [3, [1, 3]]] as const) {
            const name = `limited ${limit} ${fails.join()}`
            let starts = 0
            const again = Step.tasklet(
              "again",
              Effect.suspend(() =>
                (fails as ReadonlyArray<number>).includes(++starts) ? Effect.fail("no") : Effect.void
              )
            ).pipe(Step.startLimit(limit))
            const job = Job.make(name, {
              flow: Flow.graph("again", {
                again: { run: again, on: { COMPLETED: "more" } },
                more: {
                  run: Flow.decide("more", ["YES", "NO"], () => Effect.succeed("YES" as const)),
                  on: { YES: "again", NO: "END" }
                }
              })
            }) as AnyJob
            for (const _ of [...fails, "the last one"]) {
              assert.strictEqual((yield* JobOperator.run(job, {})).status, "FAILED")
            }
            assert.strictEqual(starts, limit, name)
          }
        }))

      for (const step of ["load", "post", "more"] as const) {
        for (const round of [1, 2, 3]) {
          it.effect(`${step} fails in round ${round}: the restart leaves no page out and does none twice (OWN-5)`, () =>
            Effect.gen(function*() {
              const { job, log } = pages(`pages ${step} ${round}`, { step, round })
              assert.deepStrictEqual(yield* untilComplete(job), ["FAILED FAILED", "COMPLETED NO"])
              const expected = step === "more"
                ? EVERYTHING.flatMap((entry) => entry === `more ${round}` ? [entry, entry] : [entry])
                : EVERYTHING
              assert.deepStrictEqual(log, expected)
            }) as Effect.Effect<void, any, any>)
        }
      }

      it.effect("every round has its own row, and explain tells the way with its rounds (OWN-5)", () =>
        Effect.gen(function*() {
          const { job } = pages("pages explained", { step: "post", round: 2 })
          const first = yield* JobOperator.run(job, {}) as Effect.Effect<any>
          assert.deepStrictEqual(yield* visitsOf(first), [
            "load 1 COMPLETED",
            "post 1 COMPLETED",
            "load 2 COMPLETED",
            "post 2 FAILED"
          ])
          const { lines } = yield* JobOperator.explain(job, {})
          assert.deepStrictEqual(lines.slice(1), [
            "load: skip, it ended before with COMPLETED",
            "post: skip, it ended before with COMPLETED",
            "load (round 2): skip, it ended before with COMPLETED",
            "post (round 2): resume from the beginning, after 0 items read and 0 commits",
            "perhaps load (round 3): run"
          ])
          const second = yield* JobOperator.run(job, {}) as Effect.Effect<any>
          assert.deepStrictEqual(yield* visitsOf(second), ["post 2 COMPLETED", "load 3 COMPLETED", "post 3 COMPLETED"])
        }) as Effect.Effect<void, any, any>)

      it.effect("a step in a loop that is tried until it succeeds is not tried again by a restart (OWN-5)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = Job.make("tried-again", {
            flow: Flow.graph("try", {
              try: { run: scripted("try", ["FAILED", "COMPLETED"], log), on: { FAILED: "try", COMPLETED: "next" } },
              next: { run: scripted("next", ["FAILED", "COMPLETED"], log) }
            })
          })
          assert.deepStrictEqual(yield* untilComplete(job as AnyJob), ["FAILED FAILED", "COMPLETED COMPLETED"])
          assert.deepStrictEqual(log, ["try", "try", "next", "next"])
        }) as Effect.Effect<void, any, any>)

      it.effect("one step value in both branches of a split: the restart goes on where each of them was (OWN-6)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const shared = scripted("shared", ["COMPLETED", "FAILED", "COMPLETED"], log)
          const job = Job.make("shared", { flow: Flow.split([shared, shared]) })
          const first = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* visitsOf(first), ["shared 1 COMPLETED", "shared#2 1 FAILED"])
          const second = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* visitsOf(second), ["shared#2 1 COMPLETED"])
          assert.deepStrictEqual([endOf(second), log.length], ["COMPLETED COMPLETED", 3])
        }))

      it.effect("one step value twice in a row: a restart between them does not skip the second one (OWN-6)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const notify = ok("notify", log)
          const job = Job.make("notifies-twice", {
            flow: notify.pipe(Flow.andThen(scripted("work", ["FAILED", "COMPLETED"], log)), Flow.andThen(notify))
          })
          assert.deepStrictEqual(yield* untilComplete(job as AnyJob), ["FAILED FAILED", "COMPLETED COMPLETED"])
          assert.deepStrictEqual(log, ["notify", "work", "work", "notify"])
        }) as Effect.Effect<void, any, any>)

      it.effect("a split in a loop in a split: each round of the inner one goes on by itself (OWN-5)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          let turns = 0
          const again = Flow.decide("again", ["YES", "NO"], () => Effect.sync(() => ++turns < 3 ? "YES" : "NO"))
          const bad = scripted("bad", ["COMPLETED", "FAILED", "COMPLETED"], log)
          const loop = Flow.graph("work", {
            work: { run: Flow.split([ok("good", log), bad]), on: { COMPLETED: "again" } },
            again: { run: again, on: { YES: "work", NO: "END" } }
          })
          const job = Job.make("split-loop-split", {
            flow: Flow.split([ok("beside", log), loop]).pipe(Flow.andThen(ok("last", log)))
          })
          const first = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* visitsOf(first), [
            "beside 1 COMPLETED",
            "good 1 COMPLETED",
            "bad 1 COMPLETED",
            "good 1.2 COMPLETED",
            "bad 1.2 FAILED"
          ])
          const second = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* visitsOf(second), [
            "bad 1.2 COMPLETED",
            "good 1.3 COMPLETED",
            "bad 1.3 COMPLETED",
            "last 1 COMPLETED"
          ])
        }))

      it.effect("a split whose failure was dealt with is not run again when what deals with it fails (OWN-5)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = Job.make("split-dealt-with", {
            flow: Flow.split([scripted("bad", ["FAILED"], log), ok("good", log)]).pipe(
              Flow.match({ FAILED: scripted("repair", ["FAILED", "COMPLETED"], log), COMPLETED: Flow.end() })
            )
          })
          assert.deepStrictEqual(yield* untilComplete(job as AnyJob), ["FAILED FAILED", "COMPLETED COMPLETED"])
          assert.deepStrictEqual(log, ["bad", "good", "repair", "repair"])
        }) as Effect.Effect<void, any, any>)

      it.effect("a split that succeeds in a later execution has no failure any more, even if nothing in front of it runs again (OWN-5)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const front = ok("front", log)
          const both = Flow.split([scripted("bad", ["FAILED", "COMPLETED"], log), ok("good", log)]).pipe(
            Flow.match({
              FAILED: scripted("handler", ["FAILED"], log),
              COMPLETED: scripted("next", ["FAILED", "COMPLETED"], log)
            })
          )
          const ends: Array<string> = []
          // The second time somebody has the step in front run again.
          for (const first of [front, Step.allowStartIfComplete(front), front]) {
            const job = Job.make("split-recovers", { flow: first.pipe(Flow.andThen(both)) })
            ends.push(endOf(yield* JobOperator.run(job, {})))
          }
          assert.deepStrictEqual(ends, ["FAILED FAILED", "FAILED FAILED", "COMPLETED COMPLETED"])
          assert.deepStrictEqual(log, ["front", "bad", "good", "handler", "front", "bad", "next", "next"])
        }))

      it.effect("a decider is asked again only when a step in front of it has run again (OWN-5)", () =>
        Effect.gen(function*() {
          let asked = 0
          const log: Array<string> = []
          const decide = Flow.decide("decide", ["GO"], () => Effect.sync(() => (asked++, "GO" as const)))
          const make = (name: string, first: Step.Step<any, any, any>) =>
            Job.make(name, {
              flow: (first as Flow.Flow<"COMPLETED" | "FAILED", any, any>).pipe(
                Flow.andThen(decide.pipe(Flow.match({ GO: scripted("work", ["FAILED", "COMPLETED"], log) })))
              )
            }) as AnyJob
          yield* untilComplete(make("asked-once", ok("first")))
          assert.strictEqual(asked, 1)
          yield* untilComplete(make("asked-twice", Step.allowStartIfComplete(ok("first"))))
          assert.strictEqual(asked, 3)
        }) as Effect.Effect<void, any, any>)

      it.effect("a decider that answered FAILED is asked again by the restart (OWN-5)", () =>
        Effect.gen(function*() {
          let there = false
          const isThere = Flow.decide("is-there", ["YES", "FAILED"], () => Effect.sync(() => there ? "YES" : "FAILED"))
          const job = Job.make("is-there", { flow: isThere.pipe(Flow.match({ YES: ok("load") })) })
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "FAILED")
          there = true
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
        }))

      it.effect("a stop in a loop holds in every round (OWN-3, OWN-5, OWN-27)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          let turns = 0
          const again = Flow.decide("again", ["YES", "NO"], () => Effect.sync(() => ++turns < 3 ? "YES" : "NO"))
          const job = Job.make("holds-every-round", {
            flow: Flow.graph("work", {
              work: { run: ok("work", log).pipe(Flow.andThen(Flow.stop("CHECK"))), on: { COMPLETED: "again" } },
              again: { run: again, on: { YES: "work", NO: "END" } }
            })
          })
          assert.deepStrictEqual(yield* untilComplete(job as AnyJob), [
            "STOPPED CHECK",
            "STOPPED CHECK",
            "STOPPED CHECK",
            "COMPLETED NO"
          ])
          assert.deepStrictEqual(log, ["work", "work", "work"])
        }) as Effect.Effect<void, any, any>)

      it.effect("branches that update one key of the context of the job lose nothing (OWN-7)", () =>
        Effect.gen(function*() {
          const Sum = ExecutionContext.key("sum", Schema.Number)
          const add = (name: string, n: number) =>
            Step.tasklet(
              name,
              Effect.zipRight(
                JobScope.update(Sum, (sum) => (sum._tag === "Some" ? sum.value : 0) + n),
                Effect.yieldNow()
              )
            )
          const job = Job.make("adds-up", {
            flow: Flow.split([add("one", 1), add("two", 2), add("four", 4)], { concurrency: "unbounded" })
          })
          const { id } = yield* JobOperator.run(job, {})
          const { context } = yield* JobOperator.execution(id)
          assert.deepStrictEqual(context.entries, { sum: 7 })
        }))

      it.effect("a decider behind a split is told the last step of every branch (OWN-28)", () =>
        Effect.gen(function*() {
          const seen: Array<ReadonlyArray<string>> = []
          const look = (name: string) =>
            Flow.decide(name, ["OK"], ({ branches }) =>
              Effect.sync(() => {
                seen.push(branches.map(({ exitStatus, stepName }) => `${stepName} ${exitStatus.code}`))
                return "OK" as const
              }))
          const job = Job.make("told-branches", {
            flow: Flow.split([
              ok("a").pipe(Flow.andThen(scripted("b", ["ODD"]))),
              Flow.split([ok("c"), ok("d")]),
              ok("e")
            ]).pipe(Flow.andThen(look("behind")), Flow.andThen(ok("f")), Flow.andThen(look("later")))
          })
          yield* JobOperator.run(job, {})
          assert.deepStrictEqual(seen, [["b ODD", "c COMPLETED", "d COMPLETED", "e COMPLETED"], []])
        }))
    })
  })
}
