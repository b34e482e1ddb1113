/** What was skipped is run again: only that, once, and as it was. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Quarantine from "../../src/definition/quarantine.js"
import {
  ExecutionContext,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobParameters,
  JobRegistry,
  JobRepository,
  JobScope,
  Listener,
  Partition,
  Sensitive,
  Step
} from "../../src/index.js"
import * as Replay from "../../src/operator/replay.js"
import { drivers } from "../support/drivers.js"

const Item = Schema.Struct({ id: Schema.Number, day: Schema.Date })
type Item = typeof Item.Type
const item = (id: number): Item => ({ id, day: new Date(1000 * id) })
const bad = { _tag: "Bad" as const }

/** 1 to 9; what is named fails in processing or writing until it is taken out. */
const world = (name: string, ids = [1, 2, 3, 4, 5, 6, 7, 8, 9]) => {
  const written: Array<Item> = []
  const failing = { process: new Set([2, 5]), write: new Set([7]) }
  const inMemory = ItemWriter.inMemory(written)
  const load = Step.chunk("load", {
    reader: ItemReader.fromIterable(ids.map(item)),
    processor: (one: Item) => failing.process.has(one.id) ? Effect.fail(bad) : Effect.succeed(one),
    writer: ItemWriter.make<Item, typeof bad, Scope.Scope>("checked", {
      delivery: "transactional",
      open: (state) =>
        Effect.map(inMemory.open(state), (sink) => ({
          ...sink,
          write: (items) => items.some(({ id }) => failing.write.has(id)) ? Effect.fail(bad) : sink.write(items)
        }))
    }),
    chunkSize: 3
  }).pipe(Step.skip("Bad", { limit: 100 }), Step.quarantine({ input: Item, output: Item }))
  return { job: Job.make(name, { flow: load }), load, written, failing, ids: () => written.map(({ id }) => id) }
}

const mended = ({ failing }: { readonly failing: { readonly process: Set<number>; readonly write: Set<number> } }) => {
  failing.process.clear()
  failing.write.clear()
}

const refusal = (effect: Effect.Effect<unknown, any, any>) =>
  Effect.map(Effect.flip(effect), (error: any) => `${error._tag} ${error.reason}: ${error.message}`)

for (const { layer, name } of drivers) {
  describe(`running skipped records again, on ${name}`, () => {
    it.effect("runs only those, once, whether they failed in processing or in writing", () =>
      Effect.gen(function*() {
        const it = world("only those")
        const { id } = yield* JobOperator.run(it.job, {})
        assert.deepStrictEqual(it.ids(), [1, 3, 4, 6, 8, 9])
        mended(it)
        const forecast = yield* JobOperator.explainReplay(it.job, id)
        assert.deepInclude(forecast, { records: 3, unread: 0, goesOn: undefined })
        const again = yield* JobOperator.replay(it.job, id)
        assert.strictEqual(again.status, "COMPLETED")
        assert.deepStrictEqual(it.ids(), [1, 3, 4, 6, 8, 9, 2, 5, 7])
        assert.deepStrictEqual(it.written.slice(-3), [2, 5, 7].map(item), "as they were, dates and all")
        assert.include(yield* refusal(JobOperator.replay(it.job, id)), `execution ${again.id} has run it again`)
        assert.lengthOf(yield* JobOperator.skipped(id), 3, "what was skipped stays on record")
        assert.lengthOf(yield* JobOperator.skipped(again.id), 0)
        assert.deepStrictEqual(again.parent, { executionId: id, instanceId: again.parent!.instanceId })
      }).pipe(Effect.provide(layer)))

    it.effect("goes on from its last commit after a failure, and keeps what fails once more", () =>
      Effect.gen(function*() {
        const it = world("goes on", Array.from({ length: 9 }, (_, index) => index + 1))
        ;[1, 2, 3, 4, 5, 6].forEach((id) => it.failing.process.add(id))
        const { id } = yield* JobOperator.run(it.job, {})
        assert.deepStrictEqual(it.ids(), [8, 9])
        it.failing.process.clear()
        it.failing.process.add(2)
        const broken = { on: true }
        const failing = Job.make(it.job.name, {
          flow: it.load.pipe(Step.listen(Listener.step({
            beforeWrite: (items: ReadonlyArray<Item>) =>
              broken.on && items.some((one) => one.id === 5) ? Effect.fail("disk full") : Effect.void
          })))
        })
        const failed = yield* JobOperator.replay(failing, id)
        assert.strictEqual(failed.status, "FAILED")
        assert.deepStrictEqual(it.ids(), [8, 9, 1, 3])
        broken.on = false
        assert.deepInclude(yield* JobOperator.explainReplay(failing, id), { goesOn: failed.id })
        const again = yield* JobOperator.restart(failing, failed.id)
        assert.strictEqual(again.status, "COMPLETED")
        assert.deepStrictEqual(it.ids(), [8, 9, 1, 3, 4, 5, 6])
        // 2 failed in processing once more, in the first attempt; 7 in writing, in the second.
        mended(it)
        for (const execution of [failed.id, again.id]) {
          assert.strictEqual((yield* JobOperator.replay(failing, execution)).status, "COMPLETED")
        }
        assert.deepStrictEqual(it.ids(), [8, 9, 1, 3, 4, 5, 6, 2, 7])
      }).pipe(Effect.provide(layer)))

    it.effect("of two at once, one runs them", () =>
      Effect.gen(function*() {
        const it = world("two at once")
        const { id } = yield* JobOperator.run(it.job, {})
        mended(it)
        const both = yield* Effect.all(
          [1, 2].map(() => Effect.either(JobOperator.replay(it.job, id))),
          { concurrency: 2 }
        )
        assert.lengthOf(both.filter(Either.isRight), 1)
        assert.deepStrictEqual(it.ids().slice(-3), [2, 5, 7])
        assert.lengthOf(it.ids(), 9)
      }).pipe(Effect.provide(layer)))
  })
}

const Tenant = ExecutionContext.key("tenant", Schema.String)

class Params extends JobParameters.Tag<Params>()("Params", {
  day: Schema.String,
  password: JobParameters.nonIdentifying(Schema.Redacted(Schema.String))
}) {}

describe("running skipped records again", () => {
  it.effect("gives the step its parameters and what earlier steps have left in the job's context", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      let isBroken = true
      const load = Step.chunk("load", {
        reader: ItemReader.fromIterable([1]),
        processor: (n: number) =>
          Effect.gen(function*() {
            if (isBroken) {
              return yield* Effect.fail(bad)
            }
            seen.push(`${(yield* Params).day} ${Option.getOrThrow(yield* Effect.orDie(JobScope.get(Tenant)))} ${n}`)
            return n
          }),
        writer: ItemWriter.discard,
        chunkSize: 1
      }).pipe(Step.skip("Bad", { limit: 1 }), Step.quarantine({ input: Schema.Number }))
      const job = Job.make("nightly", {
        parameters: Params,
        flow: Step.tasklet("prepare", JobScope.set(Tenant, "north")).pipe(Flow.andThen(load))
      })
      const registry = JobRegistry.layer([job])
      const { id } = yield* Effect.provide(
        JobRegistry.run("nightly", { day: "monday", password: "hunter2" }),
        registry
      )
      isBroken = false
      const again = yield* Effect.provide(JobRegistry.replay(id), registry)
      assert.strictEqual(again.status, "COMPLETED", again.exitStatus.messages.join())
      assert.deepStrictEqual(seen, ["monday north 1"])
      assert.notInclude(JobParameters.format(again.parameters), "hunter2")
      assert.deepStrictEqual(
        again.parameters.filter(({ identifying }) => identifying).map(({ name, value }) => [name, value]),
        [["replay.of", id]]
      )
      assert.deepStrictEqual((yield* JobOperator.steps(again.id)).map(({ stepName }) => stepName), [
        "load",
        "load (only write)"
      ])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("is refused while anything else can meet the same records, and says what to do", () =>
    Effect.gen(function*() {
      const it = world("refused")
      let isBroken = true
      const job = Job.make("refused", {
        flow: it.load.pipe(
          Flow.andThen(Step.tasklet("post", Effect.suspend(() => isBroken ? Effect.fail("closed") : Effect.void)))
        )
      })
      const failed = yield* JobOperator.run(job, {})
      assert.strictEqual(
        yield* refusal(JobOperator.replay(job, failed.id)),
        `ReplayRefused restartable: What execution ${failed.id} of job "refused" skipped is not run again: execution ` +
          `${failed.id} of the same instance is FAILED; restart it first, or give it up (abandon ${failed.id})`
      )
      isBroken = false
      const done = yield* JobOperator.run(job, {})
      assert.include(yield* refusal(JobOperator.replay(job, done.id)), "ReplayRefused none:")
      const other = Job.make("other", { flow: it.load })
      assert.include(yield* refusal(JobOperator.replay(other, failed.id)), "it is not an execution of job \"other\"")
      mended(it)
      assert.strictEqual((yield* JobOperator.replay(job, failed.id)).status, "COMPLETED")
      assert.lengthOf(it.written, 9)
      assert.include(yield* refusal(JobOperator.replay(job, 999)), "NoSuchJobExecution")
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("is refused behind an attempt that was given up", () =>
    Effect.gen(function*() {
      const it = world("given up")
      const { id } = yield* JobOperator.run(it.job, {})
      const broken = Job.make("given up", {
        flow: it.load.pipe(Step.listen(Listener.step({ beforeStep: () => Effect.fail("closed") })))
      })
      const failed = yield* JobOperator.replay(broken, id)
      assert.strictEqual(failed.status, "FAILED")
      yield* JobOperator.abandon(failed.id)
      assert.include(
        yield* refusal(JobOperator.replay(it.job, id)),
        `ReplayRefused done: What execution ${id} of job "given up" skipped is not run again: execution ${failed.id} was to`
      )
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("goes on however often it has failed, whatever limit of starts the step has", () =>
    Effect.gen(function*() {
      const it = world("limited")
      let closed = 0
      const job = Job.make("limited", {
        flow: it.load.pipe(
          Step.startLimit(1),
          Step.listen(
            Listener.step({ beforeStep: () => closed-- > 0 ? Effect.fail("closed") : Effect.void })
          )
        )
      })
      const { id } = yield* JobOperator.run(job, {})
      mended(it)
      closed = 2
      const ends = [
        yield* JobOperator.replay(job, id),
        yield* JobOperator.replay(job, id),
        yield* JobOperator.replay(job, id)
      ]
      assert.deepStrictEqual(ends.map(({ status }) => status), ["FAILED", "FAILED", "COMPLETED"])
      assert.lengthOf(it.written, 9)
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("has the job's context as the last execution left it, without what the engine keeps in it", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const it = world("context")
      let isBroken = true
      const job = Job.make("context", {
        flow: it.load.pipe(Flow.andThen(Step.tasklet(
          "post",
          Effect.suspend(() => isBroken ? Effect.fail("closed") : Effect.orDie(JobScope.set(Tenant, "south")))
        )))
      })
      const { id } = yield* JobOperator.run(job, {})
      isBroken = false
      yield* JobOperator.run(job, {})
      const Kept = ExecutionContext.key("batch.kept", Schema.String)
      const { part } = yield* Effect.provideService(Replay.plan(job, id), JobRepository.JobRepository, {
        ...repository,
        jobExecutions: (filter) =>
          Effect.map(
            repository.jobExecutions(filter),
            (all) => all.map((one) => ({ ...one, context: ExecutionContext.unsafeSet(one.context, Kept, "engine") }))
          )
      })
      assert.strictEqual(
        part.context,
        ExecutionContext.toJson(ExecutionContext.unsafeSet(ExecutionContext.empty, Tenant, "south"))
      )
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("is not refused because another round of the same step has run in a later execution", () =>
    Effect.gen(function*() {
      const it = world("rounds")
      let visits = 0
      const check = Step.tasklet("check", Effect.suspend(() => ++visits === 2 ? Effect.fail("closed") : Effect.void))
      const more = Flow.decide(
        "more",
        ["YES", "NO"],
        () => Effect.sync(() => visits < 2 ? "YES" as const : "NO" as const)
      )
      const job = Job.make("rounds", {
        flow: Flow.graph("check", {
          check: { run: check, on: { COMPLETED: "load" } },
          load: { run: it.load, on: { COMPLETED: "more" } },
          more: { run: more, on: { YES: "check", NO: "END" } }
        })
      })
      const first = yield* JobOperator.run(job, {})
      const second = yield* JobOperator.run(job, {})
      assert.deepStrictEqual([first.status, second.status], ["FAILED", "COMPLETED"])
      mended(it)
      assert.strictEqual((yield* JobOperator.replay(job, first.id)).status, "COMPLETED")
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("is refused while it runs", () =>
    Effect.gen(function*() {
      const hold = yield* Deferred.make<void>()
      const it = world("running")
      const job = Job.make("running", { flow: it.load.pipe(Flow.andThen(Step.tasklet("wait", Deferred.await(hold)))) })
      const { await: end, execution } = yield* JobOperator.start(job, {})
      assert.match(
        yield* refusal(JobOperator.replay(job, execution.id)),
        /running: .* it is START(ED|ING); wait for its end/
      )
      yield* Deferred.succeed(hold, undefined)
      yield* end
      assert.strictEqual((yield* JobOperator.replay(job, execution.id)).status, "COMPLETED")
    }).pipe(Effect.scoped, Effect.provide(JobRepository.layerMemory)))

  it.effect("is refused where a later execution met the same records from the beginning", () =>
    Effect.gen(function*() {
      const it = world("anew")
      let isBroken = true
      const job = Job.make("anew", {
        flow: Step.allowStartIfComplete(it.load).pipe(
          Flow.andThen(Step.tasklet("post", Effect.suspend(() => isBroken ? Effect.fail("closed") : Effect.void)))
        )
      })
      const first = yield* JobOperator.run(job, {})
      isBroken = false
      const second = yield* JobOperator.run(job, {})
      assert.include(
        yield* refusal(JobOperator.replay(job, first.id)),
        `superseded: What execution ${first.id} of job "anew" skipped is not run again: step "load" was run again from the ` +
          `beginning by execution ${second.id}`
      )
      mended(it)
      assert.strictEqual((yield* JobOperator.replay(job, second.id)).status, "COMPLETED")
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("is refused where nothing is kept, nothing was read, or a file would begin anew", () =>
    Effect.gen(function*() {
      const chunk = (name: string, options: {
        readonly fails?: "read" | "process"
        readonly delivery?: ItemWriter.Delivery
      }) =>
        Step.chunk(name, {
          reader: ItemReader.make<number, typeof bad>("one", () =>
            Effect.succeed({
              pull: () =>
                Effect.succeed({
                  items: options.fails === "read" ? [] : [1],
                  position: 1,
                  failure: options.fails === "read" ? Option.some(bad) : Option.none(),
                  done: true
                })
            })),
          processor: (n: number) => options.fails === "process" ? Effect.fail(bad) : Effect.succeed(n),
          writer: ItemWriter.fromFunction((_: ReadonlyArray<number>) => Effect.void, {
            name: "out.csv",
            delivery: options.delivery
          }),
          chunkSize: 1
        }).pipe(Step.skip("Bad", { limit: 5 }))
      const kept = Step.quarantine({ input: Schema.Number, output: Schema.Number })
      const said = (name: string, flow: Step.Step<string, any, any>) =>
        Effect.gen(function*() {
          const job = Job.make(name, { flow }) as Job.Job<{}, string, any, never>
          const { id } = yield* JobOperator.run(job, {})
          return (yield* refusal(JobOperator.replay(job, id))).split("not run again: ")[1]
        })
      assert.strictEqual(yield* said("fine", kept(chunk("load", {}))), "it skipped none")
      assert.strictEqual(
        yield* said("loose", chunk("load", { fails: "process" })),
        "step \"load\" skipped 1 record, but it does not keep what it skips; give it Step.quarantine"
      )
      assert.include(
        yield* said("undescribed", Step.quarantine(chunk("load", { fails: "process" }))),
        "step \"load\" skipped 1 record, but it does not describe its items; give Step.quarantine their schemas"
      )
      assert.include(yield* said("unread", kept(chunk("load", { fails: "read" }))), "1 record could not be read")
      assert.strictEqual(
        yield* said("file", kept(chunk("load", { fails: "process", delivery: "restartable" }))),
        "step \"load\" skipped 1 record, but its writer \"out.csv\" would begin its output anew"
      )
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("skips and tells what was not stored as it was: secrets, items that nobody describes", () =>
    Effect.gen(function*() {
      const Payment = Schema.Struct({ id: Schema.Number, iban: Schema.optional(Sensitive.make(Schema.String)) })
      const written: Array<typeof Payment.Type> = []
      let isBroken = true
      const job = Job.make("secrets", {
        flow: Step.chunk("pay", {
          reader: ItemReader.fromIterable<typeof Payment.Type>([
            { id: 1, iban: "DE02" },
            { id: 2 },
            { id: 3, iban: "DE03" },
            { id: 4, iban: "DE04" }
          ]),
          processor: (payment) => isBroken ? Effect.fail(bad) : Effect.succeed(payment),
          writer: ItemWriter.inMemory(written),
          chunkSize: 5
        }).pipe(Step.skip("Bad", { limit: 4 }), Step.quarantine({ input: Payment }))
      })
      const { id } = yield* JobOperator.run(job, {})
      isBroken = false
      const again = yield* JobOperator.replay(job, id)
      assert.strictEqual(again.status, "COMPLETED")
      assert.deepStrictEqual(written, [{ id: 2 }])
      const [left, ...others] = yield* JobOperator.skipped(again.id)
      assert.deepStrictEqual(others.map(({ errorTag }) => errorTag), ["RecordNotReplayed", "RecordNotReplayed"])
      assert.strictEqual(left!.errorTag, "RecordNotReplayed")
      assert.match(
        left!.message,
        /Record \d+ that step "pay" skipped in execution \d+ is not run again: it holds sensitive values, which were not stored; it is still listed there/
      )
      assert.include(yield* refusal(JobOperator.replay(job, again.id)), "could not be read")
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("runs those of a partition again, and of its parent it names the partitions", () =>
    Effect.gen(function*() {
      const written: Array<string> = []
      let isBroken = true
      const job = Job.make("regions", {
        flow: Step.partition("load", {
          plan: Partition.values(["north", "south"]),
          input: Schema.String,
          step: (region) =>
            Step.chunk("import", {
              reader: ItemReader.fromIterable([1, 2]),
              processor: (n: number) => isBroken && n === 2 ? Effect.fail(bad) : Effect.succeed(`${region} ${n}`),
              writer: ItemWriter.inMemory(written),
              chunkSize: 5
            }).pipe(Step.skip("Bad", { limit: 5 }), Step.quarantine({ input: Schema.Number }))
        })
      })
      const { id, status } = yield* JobOperator.run(job, {})
      assert.strictEqual(status, "COMPLETED")
      isBroken = false
      const parts = yield* JobOperator.executions({ parentId: id })
      assert.include(yield* refusal(JobOperator.replay(job, id)), `replay ${parts[1]!.id}`)
      const registry = JobRegistry.layer([job])
      const again = yield* Effect.provide(JobRegistry.replay(parts[0]!.id), registry)
      assert.strictEqual(again.status, "COMPLETED", again.exitStatus.messages.join())
      assert.deepStrictEqual([...written].sort(), ["north 1", "south 1", "south 2"])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("finds a partition behind a hundred others", () =>
    Effect.gen(function*() {
      const written: Array<number> = []
      let isBroken = true
      const job = Job.make("many", {
        flow: Step.partition("load", {
          plan: Partition.values(Array.from({ length: 101 }, (_, n) => n)),
          input: Schema.Number,
          step: (part) =>
            Step.chunk("import", {
              reader: ItemReader.fromIterable(part === 100 ? [part] : []),
              processor: (n: number) => isBroken ? Effect.fail(bad) : Effect.succeed(n),
              writer: ItemWriter.inMemory(written),
              chunkSize: 5
            }).pipe(Step.skip("Bad", { limit: 5 }), Step.quarantine({ input: Schema.Number }))
        })
      })
      const { id } = yield* JobOperator.run(job, {})
      isBroken = false
      const [last] = yield* JobOperator.executions({ parentId: id, limit: 1 })
      const again = yield* Effect.provide(JobRegistry.replay(last!.id), JobRegistry.layer([job]))
      assert.strictEqual(again.status, "COMPLETED", again.exitStatus.messages.join())
      assert.deepStrictEqual(written, [100])
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})

describe("running skipped records of a step again whose partitions have a step of the same name", () => {
  it.effect("leaves those of the partitions alone", () =>
    Effect.gen(function*() {
      const written: Array<string> = []
      let isBroken = true
      const load = (from: string) =>
        Step.chunk("load", {
          reader: ItemReader.fromIterable([`${from} 1`, `${from} 2`]),
          processor: (one: string) => isBroken && one.endsWith("2") ? Effect.fail(bad) : Effect.succeed(one),
          writer: ItemWriter.inMemory(written),
          chunkSize: 5
        }).pipe(Step.skip("Bad", { limit: 5 }), Step.quarantine({ input: Schema.String }))
      const job = Job.make("same name", {
        flow: load("own").pipe(Flow.andThen(
          Step.partition("regions", { plan: Partition.values(["north"]), input: Schema.String, step: load })
        ))
      })
      const { id } = yield* JobOperator.run(job, {})
      isBroken = false
      yield* JobOperator.replay(job, id)
      assert.deepStrictEqual(written, ["own 1", "north 1", "own 2"])
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})

describe("what is kept of an item", () => {
  class Point extends Schema.Class<Point>("Point")({ x: Schema.NumberFromString, at: Schema.Date }) {}

  it("comes back as the very value that it was, or not at all", () => {
    const kept = (schema: Schema.Schema<any, any>) => Quarantine.make({ input: schema }).process
    const back = (schema: Schema.Schema<any, any>, value: unknown) =>
      Option.map(kept(schema).stored(value), (json) => kept(schema).revived(JSON.parse(JSON.stringify(json))))
    const point = new Point({ x: 3, at: new Date(7) })
    assert.deepStrictEqual(back(Point, point), Option.some(Either.right(point)))
    assert.deepStrictEqual(back(Schema.BigInt, 12n), Option.some(Either.right(12n)))
    // A date whose text could be taken for the text that the other member holds.
    assert.deepStrictEqual(back(Schema.Union(Schema.Date, Schema.String), new Date(0)), Option.none())
    assert.isTrue(Either.isLeft(Option.getOrThrow(back(Sensitive.make(Schema.String), "DE02"))))
    assert.isTrue(Either.isLeft(Option.getOrThrow(
      Option.map(Option.some({ a: 1 }), Quarantine.make({}).process.revived)
    )))
  })

  it("law: for any item of a schema, storing and reviving gives an equal item, or a refusal", () => {
    const schema = Schema.Struct({
      id: Schema.Number,
      name: Schema.String,
      day: Schema.optional(Schema.DateFromSelf),
      sum: Schema.optional(Schema.BigInt),
      tags: Schema.Array(Schema.Union(Schema.String, Schema.Null))
    })
    const kept = Quarantine.make({ input: schema as Schema.Schema<any, any> }).process
    FastCheck.assert(
      FastCheck.property(
        FastCheck.record({
          id: FastCheck.double(),
          name: FastCheck.string(),
          sum: FastCheck.bigInt(),
          tags: FastCheck.array(FastCheck.option(FastCheck.string()))
        }, { requiredKeys: ["id", "name", "tags"] }),
        (value) => {
          const stored = kept.stored(value)
          const back = Option.map(stored, (json) => kept.revived(JSON.parse(JSON.stringify(json))))
          if (Option.isSome(back) && Either.isRight(back.value)) {
            assert.deepStrictEqual(back.value.right, Object.is(value.id, -0) ? { ...value, id: 0 } : value)
          }
        }
      ),
      { numRuns: 200 }
    )
  })
})
