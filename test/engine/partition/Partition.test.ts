/**
 * Partitioned steps on the slots of one process, on every repository.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import {
  Counts,
  ExecutionContext,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobParameters,
  JobRepository,
  JobScope,
  Listener,
  Partition,
  Step
} from "../../../src/index.js"
import { drivers } from "../../support/drivers.js"

class Day extends JobParameters.Tag<Day>()("Day", { day: Schema.String }) {}

const written: Array<string> = []

/** Writes four items in two chunks; the last item of a partition in `broken` is refused. */
const rows = (name: string, broken: ReadonlySet<string>) =>
  Step.chunk("rows", {
    reader: ItemReader.fromIterable([1, 2, 3, 4].map((n) => `${name}${n}`)),
    writer: ItemWriter.fromFunction((items: ReadonlyArray<string>) =>
      broken.has(name) && items.includes(`${name}4`)
        ? Effect.fail(`${name} is broken`)
        : Effect.sync(() => void written.push(...items))
    ),
    chunkSize: 2
  })

const children = (executionId: number) =>
  Effect.map(
    Effect.flatMap(JobRepository.JobRepository, (repository) => repository.jobExecutions({ parentId: executionId })),
    (found) => [...found].reverse()
  )

const partitionOf = ({ parameters }: { readonly parameters: ReadonlyArray<JobParameters.JobParameter> }) =>
  parameters.find(({ name }) => name === "partition")?.value

for (const { layer, name } of drivers) {
  it.layer(layer, { timeout: 300_000 })(`a partitioned step (${name})`, (it) => {
    describe("runs", () => {
      it.effect("each partition as an execution of its own, and counts what they count (PART-1, PART-6, PART-14, PART-15)", () =>
        Effect.gen(function*() {
          const load = Step.partition("load", {
            plan: Partition.values(["a", "b"]),
            input: Schema.String,
            step: (input) => rows(input, new Set())
          })
          const execution = yield* JobOperator.run(Job.make("runs", { flow: load }), {})
          assert.strictEqual(execution.status, "COMPLETED")
          const [step] = yield* JobOperator.steps(execution.id)
          assert.deepStrictEqual(step?.counts, Counts.make({ read: 8, write: 8, commit: 4 }))
          const parts = yield* children(execution.id)
          assert.deepStrictEqual(parts.map(partitionOf), ["a", "b"])
          assert.deepStrictEqual(parts.map(({ instance }) => instance.jobName), ["runs/load", "runs/load"])
          assert.deepStrictEqual(parts.map(({ status }) => status), ["COMPLETED", "COMPLETED"])
        }))

      it.effect("as many at once as it has slots", () =>
        Effect.gen(function*() {
          let [now, most] = [0, 0]
          const gate = yield* Deferred.make<void>()
          const load = Step.partition("load", {
            plan: Partition.values([1, 2, 3, 4, 5, 6]),
            input: Schema.Number,
            // A reader waits outside of any transaction: SQLite has one connection.
            step: () =>
              Step.chunk("one", {
                reader: ItemReader.unwrap(
                  Effect.suspend(() => {
                    most = Math.max(most, ++now)
                    return Effect.zipRight(
                      now === 3 ? Deferred.succeed(gate, undefined) : Deferred.await(gate),
                      Effect.void
                    )
                  }).pipe(Effect.as(ItemReader.fromIterable([1])), Effect.ensuring(Effect.sync(() => now--)))
                ),
                writer: ItemWriter.discard,
                chunkSize: 1
              }),
            concurrency: 3
          })
          const execution = yield* JobOperator.run(Job.make("slots", { flow: load }), {})
          assert.strictEqual(execution.status, "COMPLETED")
          assert.strictEqual(most, 3)
        }))

      it.effect("nothing at all when there is nothing to do (PART-9)", () =>
        Effect.gen(function*() {
          const load = Step.partition("load", { plan: [], input: Schema.String, step: (n) => rows(n, new Set()) })
          const execution = yield* JobOperator.run(Job.make("nothing", { flow: load }), {})
          assert.strictEqual(execution.status, "COMPLETED")
          const [step] = yield* JobOperator.steps(execution.id)
          assert.deepStrictEqual(step?.counts, Counts.empty)
        }))

      it.effect("with a copy of the job's context, and the parameters of the job (PART-4, PART-11)", () =>
        Effect.gen(function*() {
          const key = ExecutionContext.key("seen", Schema.String)
          const seen: Array<string> = []
          const before = Step.tasklet("before", JobScope.set(key, "before"))
          const load = Step.partition("load", {
            plan: Effect.map(Day, ({ day }) => Partition.values([`${day}-1`, `${day}-2`])),
            input: Schema.String,
            step: (input) =>
              Step.tasklet(
                "look",
                Effect.gen(function*() {
                  seen.push(`${input} ${(yield* Day).day} ${Option.getOrThrow(yield* JobScope.get(key))}`)
                  yield* JobScope.set(key, input)
                })
              )
          })
          const job = Job.make("context", { parameters: Day, flow: before.pipe(Flow.andThen(load)) })
          const execution = yield* JobOperator.run(job, { day: "monday" })
          assert.deepStrictEqual(seen, ["monday-1 monday before", "monday-2 monday before"])
          assert.deepStrictEqual(yield* ExecutionContext.get(execution.context, key), Option.some("before"))
        }))

      it.effect("beside another branch, when a listener of one fails: no partition runs again, and the job says so (OWN-4, OWN-9)", () =>
        Effect.gen(function*() {
          const seen: Array<string> = []
          const note = (text: string) => Effect.sync(() => void seen.push(text))
          const failsOnce = (what: string) => {
            let isFirst = true
            return Effect.suspend(() => {
              const fails = isFirst
              isFirst = false
              return fails ? Effect.fail(`${what} is against it`) : Effect.void
            })
          }
          const inPartition = failsOnce("the listener of a partition")
          const ofTheWhole = failsOnce("the listener of the whole")
          const load = Step.partition("load", {
            plan: Partition.values(["a", "b", "c"]),
            input: Schema.String,
            step: (input) =>
              Step.tasklet("rows", note(input)).pipe(
                Step.listen({ afterStep: () => input === "b" ? inPartition : Effect.void })
              ),
            version: "1",
            concurrency: 2
          }).pipe(Step.listen({ afterStep: ({ status }) => status === "COMPLETED" ? ofTheWhole : Effect.void }))
          const job = Job.make("listened partitions", {
            flow: Flow.split([load, Step.tasklet("beside", note("beside"))]).pipe(
              Flow.andThen(Step.tasklet("behind", note("behind")))
            )
          })
          const ends: Array<string> = []
          for (let run = 0; run < 5 && ends.at(-1) !== "COMPLETED"; run++) {
            ends.push((yield* JobOperator.run(job, {})).status)
          }
          assert.deepStrictEqual(ends, ["FAILED", "FAILED", "COMPLETED"])
          assert.deepStrictEqual([...seen].sort(), ["a", "b", "behind", "beside", "c"])
          assert.strictEqual(seen.at(-1), "behind")
        }))

      it.effect("flows, too, and a loop plans again in every round (OWN-5)", () =>
        Effect.gen(function*() {
          const seen: Array<string> = []
          let round = 0
          const note = (text: string) => Step.tasklet(text, Effect.sync(() => void seen.push(text)))
          const load = Step.partition("load", {
            plan: Effect.sync(() => Partition.values([`r${++round}`])),
            input: Schema.String,
            step: (input) => note(`${input} first`).pipe(Flow.andThen(note(`${input} second`)))
          })
          const again = Flow.decide("again", ["AGAIN", "DONE"], () => Effect.sync(() => round < 2 ? "AGAIN" : "DONE"))
          const flow = Flow.graph("load", {
            load: { run: load, on: { COMPLETED: "again", FAILED: "END" } },
            again: { run: again, on: { AGAIN: "load", DONE: "END" } }
          })
          const execution = yield* JobOperator.run(Job.make("looping", { flow }), {})
          assert.strictEqual(execution.status, "COMPLETED")
          assert.deepStrictEqual(seen, ["r1 first", "r1 second", "r2 first", "r2 second"])
        }))
    })

    describe("when a partition fails", () => {
      it.effect("it runs the others, says so, and a restart runs only what is unfinished (PART-5, PART-6, PART-7)", () =>
        Effect.gen(function*() {
          let plans = 0
          const broken = new Set(["b"])
          const load = Step.partition("load", {
            plan: Effect.sync(() => {
              plans++
              return Partition.values(["a", "b", "c"])
            }),
            input: Schema.String,
            step: (input) => rows(input, broken)
          })
          const job = Job.make("failing", { flow: load })
          written.length = 0
          const first = yield* JobOperator.run(job, {})
          assert.strictEqual(first.status, "FAILED")
          const [failed] = yield* JobOperator.steps(first.id)
          const [, b] = yield* children(first.id)
          assert.include(
            failed?.exitStatus.messages.join(),
            `1 of 3 partitions of "load" failed, first "b" (execution ${b?.id}): b is broken`
          )
          assert.strictEqual(failed?.counts.write, 10)
          assert.isTrue(Exit.isFailure(first.exit))
          broken.clear()
          const second = yield* JobOperator.run(job, {})
          assert.strictEqual(second.status, "COMPLETED")
          assert.strictEqual(plans, 1)
          assert.deepStrictEqual((yield* children(second.id)).map(partitionOf), ["b"])
          const [done] = yield* JobOperator.steps(second.id)
          assert.strictEqual(done?.counts.write, 12)
          assert.deepStrictEqual([...written].sort(), [..."abc"].flatMap((n) => [1, 2, 3, 4].map((i) => `${n}${i}`)))
        }))

      it.effect("a step that was stopped behind its last partition counts the same when it is restarted (PART-6, OWN-4)", () =>
        Effect.gen(function*() {
          const stop = Effect.gen(function*() {
            const [running] = yield* JobOperator.executions({ jobName: "stopped behind", statuses: ["STARTED"] })
            yield* JobOperator.stop(running!.id)
          })
          const load = Step.partition("load", {
            plan: Partition.values(["a"]),
            input: Schema.String,
            step: (input) => rows(input, new Set())
          }).pipe(Step.listen(Listener.step({ onPartitionEnded: () => Effect.orDie(stop) })))
          const first = yield* JobOperator.run(Job.make("stopped behind", { flow: load }), {})
          assert.strictEqual(first.status, "STOPPED")
          assert.deepStrictEqual((yield* children(first.id)).map(({ status }) => status), ["COMPLETED"])
          const again = Step.partition("load", {
            plan: Partition.values(["a"]),
            input: Schema.String,
            step: (input) => rows(input, new Set())
          })
          const second = yield* JobOperator.run(Job.make("stopped behind", { flow: again }), {})
          assert.strictEqual(second.status, "COMPLETED")
          assert.deepStrictEqual(yield* children(second.id), [])
          const [step] = yield* JobOperator.steps(second.id)
          assert.strictEqual(step?.counts.write, 4)
        }))

      it.effect("a step is not left waiting when a stop comes while its last partition ends (D16)", () =>
        Effect.gen(function*() {
          for (let k = 0; k < 10; k++) {
            const load = Step.partition("load", {
              plan: Partition.values(["a"]),
              input: Schema.String,
              step: () =>
                Step.tasklet(
                  "stop",
                  Effect.gen(function*() {
                    const { parent } = yield* Effect.flatMap(JobScope.JobScope, ({ execution }) => execution)
                    const repository = yield* JobRepository.JobRepository
                    yield* repository.requestStop(parent!.executionId)
                  })
                )
            })
            const { status } = yield* JobOperator.run(Job.make(`stopped while it ends ${k}`, { flow: load }), {})
            assert.strictEqual(status, "STOPPED")
          }
        }))

      it.effect("it begins no more when told so", () =>
        Effect.gen(function*() {
          const broken = new Set(["a"])
          const load = Step.partition("load", {
            plan: Partition.values(["a", "b", "c"]),
            input: Schema.String,
            step: (input) => rows(input, broken),
            onPartitionFailure: "stop"
          })
          const job = Job.make("stopping", { flow: load })
          const first = yield* JobOperator.run(job, {})
          assert.strictEqual(first.status, "FAILED")
          assert.deepStrictEqual((yield* children(first.id)).map(partitionOf), ["a"])
          assert.include(first.exitStatus.messages.join(), "2 were not begun")
          broken.clear()
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
        }))

      it.effect("an input that its schema no longer understands fails that partition by name", () =>
        Effect.gen(function*() {
          const make = (input: Schema.Schema<string, string>) =>
            Job.make("evolving", {
              flow: Step.partition("load", {
                plan: Partition.values(["a", "b"]),
                input,
                step: (input) => rows(input, new Set(["b"]))
              })
            })
          yield* JobOperator.run(make(Schema.String), {})
          const execution = yield* JobOperator.run(make(Schema.Literal("a") as unknown as typeof Schema.String), {})
          assert.strictEqual(execution.status, "FAILED")
          assert.include(execution.exitStatus.messages.join(), `The stored input of partition "b" of step "load"`)
        }))

      it.effect("a step that can't be made of its input fails that partition, not the process", () =>
        Effect.gen(function*() {
          const load = Step.partition("load", {
            plan: Partition.values(["a", "b"]),
            input: Schema.String,
            step: (input) => {
              if (input === "a") {
                throw new Error("no such country")
              }
              return rows(input, new Set())
            }
          })
          const execution = yield* JobOperator.run(Job.make("throwing", { flow: load }), {})
          assert.strictEqual(execution.status, "FAILED")
          assert.include(execution.exitStatus.messages.join(), `first "a"`)
          assert.deepStrictEqual((yield* children(execution.id)).map(({ status }) => status), ["FAILED", "COMPLETED"])
        }))
    })

    describe("a plan", () => {
      const failsWith = (planned: ReadonlyArray<Partition.Planned<number>>) =>
        Effect.gen(function*() {
          const load = Step.partition("load", {
            plan: planned,
            input: Schema.Number.pipe(Schema.positive()),
            step: (n) => rows(String(n), new Set())
          })
          const execution = yield* JobOperator.run(Job.make("planning", { flow: load }), {})
          assert.deepStrictEqual(yield* children(execution.id), [])
          return execution.exitStatus.messages.join()
        })

      it.effect("with a name that stands there twice, or an input that does not fit, is refused (PART-10)", () =>
        Effect.gen(function*() {
          const message = yield* failsWith([
            { name: "a", input: 1 },
            { name: "a", input: 2 },
            { name: " ", input: 3 },
            { name: "b", input: -1 }
          ])
          assert.include(message, `partition 3 has no name; two partitions are called "a"; the input of "b" can't be`)
        }))

      it.effect("with names that a database would make the same does not wait for ever for one of them (PART-10)", () =>
        Effect.gen(function*() {
          const message = yield* failsWith([{ name: "\ud800", input: 1 }, { name: "\ufffd", input: 2 }])
          assert.include(message, "the name of partition 1 holds NUL or half of a surrogate pair")
        }))

      it.effect("that could not be made is made by the restart (PART-10)", () =>
        Effect.gen(function*() {
          let isThere = false
          const load = Step.partition("load", {
            plan: Effect.suspend(() =>
              isThere ? Effect.succeed(Partition.values(["a"])) : Effect.fail("no such folder" as const)
            ),
            input: Schema.String,
            step: (input) => rows(input, new Set())
          })
          const job = Job.make("unplanned", { flow: load })
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "FAILED")
          isThere = true
          const second = yield* JobOperator.run(job, {})
          assert.strictEqual(second.status, "COMPLETED")
          assert.deepStrictEqual((yield* children(second.id)).map(partitionOf), ["a"])
        }))

      it.effect("is not made inside of a partition", () =>
        Effect.gen(function*() {
          const plan = Partition.values(["a"])
          const inner = Step.partition("inner", { plan, input: Schema.String, step: (n) => rows(n, new Set()) })
          const outer = Step.partition("outer", { plan, input: Schema.String, step: () => inner })
          const execution = yield* JobOperator.run(Job.make("nested", { flow: outer }), {})
          assert.strictEqual(execution.status, "FAILED")
          assert.include(execution.exitStatus.messages.join(), `Step "inner" is partitioned, and cannot run inside`)
        }))
    })

    describe("a stop", () => {
      it.effect("reaches every partition that runs, and a restart goes on (PART-7, OWN-2)", () =>
        Effect.gen(function*() {
          const begun = yield* Deferred.make<void>()
          let isWaiting = true
          let count = 0
          const load = Step.partition("load", {
            plan: Partition.values(["a", "b", "c"]),
            input: Schema.String,
            step: (input) =>
              Step.chunk("rows", {
                reader: ItemReader.fromStream(
                  Stream.mapEffect(Stream.make(input), (item) =>
                    Effect.zipRight(
                      ++count === 2 ? Deferred.succeed(begun, undefined) : Effect.void,
                      Effect.suspend(() => isWaiting ? Effect.never : Effect.succeed(item))
                    ))
                ),
                writer: ItemWriter.discard,
                chunkSize: 1
              }),
            concurrency: 2
          })
          const job = Job.make("stopped", { flow: load })
          const first = yield* Effect.scoped(Effect.gen(function*() {
            const running = yield* JobOperator.start(job, {})
            yield* Deferred.await(begun)
            yield* JobOperator.stop(running.execution.id)
            return yield* running.await
          }))
          assert.strictEqual(first.status, "STOPPED")
          assert.deepStrictEqual((yield* children(first.id)).map(({ status }) => status), ["STOPPED", "STOPPED"])
          isWaiting = false
          const second = yield* JobOperator.run(job, {})
          assert.strictEqual(second.status, "COMPLETED")
          assert.deepStrictEqual((yield* children(second.id)).map(partitionOf).sort(), ["a", "b", "c"])
        }))
    })

    describe("results", () => {
      it.effect("are collected in the order of the plan, those of earlier executions included", () =>
        Effect.gen(function*() {
          const sum = ExecutionContext.key("sum", Schema.Array(Schema.String))
          const broken = new Set(["a"])
          const load = Step.partition("load", {
            plan: Partition.values(["a", "b", "c"]),
            input: Schema.String,
            step: (input, { name, result }) =>
              Step.tasklet(
                "give",
                Effect.gen(function*() {
                  if (broken.has(input)) {
                    return yield* Effect.fail("broken")
                  }
                  yield* input === "c" ? Effect.void : result(`${name}!`)
                })
              ),
            result: Schema.String,
            collect: (results) => JobScope.set(sum, results.map(({ value }) => Option.getOrElse(value, () => "-")))
          })
          const job = Job.make("collecting", { flow: load })
          const first = yield* JobOperator.run(job, {})
          assert.strictEqual(first.status, "FAILED")
          assert.deepStrictEqual(yield* ExecutionContext.get(first.context, sum), Option.none())
          broken.clear()
          const second = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* ExecutionContext.get(second.context, sum), Option.some(["a!", "b!", "-"]))
        }))

      it.effect("may fail the step", () =>
        Effect.gen(function*() {
          const load = Step.partition("load", {
            plan: Partition.values(["a"]),
            input: Schema.String,
            step: (input) => rows(input, new Set()),
            collect: () => Effect.fail("all or nothing")
          })
          const execution = yield* JobOperator.run(Job.make("refusing", { flow: load }), {})
          assert.strictEqual(execution.status, "FAILED")
          const [step] = yield* JobOperator.steps(execution.id)
          assert.include(step?.exitStatus.messages.join(), "all or nothing")
        }))
    })
  })
}
