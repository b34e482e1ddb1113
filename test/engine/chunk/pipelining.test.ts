import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import { stepOf } from "../../../src/definition/tree.js"
import * as Chunk from "../../../src/engine/chunk/chunk.js"
import { pipeliningOf } from "../../../src/engine/chunk/pipelining.js"
import { canPipeline } from "../../../src/engine/chunk/run.js"
import { compile } from "../../../src/engine/step/hooks.js"
import * as Progress from "../../../src/engine/step/progress.js"
import type { StepState } from "../../../src/engine/step/state.js"
import * as State from "../../../src/engine/step/state.js"
import type { Listener } from "../../../src/index.js"
import { ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step } from "../../../src/index.js"
import * as Pipelining from "../../../src/ports/pipelining.js"
import * as Fixture from "../../../src/testing/Fixture.js"

const database = {}
const connection: Pipelining.PipelineConnection = { isBusy: () => false, transact: () => Effect.never }
const pipeline = { database, connect: () => connection }

const transact = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => effect
const save = () => Effect.succeed("STARTED" as const)
const write = (_: ReadonlyArray<unknown>): Effect.Effect<void> => Effect.void

const pipelined = {
  transact: Pipelining.withPipeline(<A, E, R>(effect: Effect.Effect<A, E, R>) => transact(effect), pipeline),
  save: Pipelining.withPipelinedSave(() => save(), { database, encode: () => Effect.never }),
  sink: {
    write: Pipelining.withPipelinedWrite((items: ReadonlyArray<unknown>) => write(items), {
      database,
      encode: () => Effect.succeed(undefined)
    })
  }
}

interface Parts {
  readonly transact?: object
  readonly save?: object
  readonly listener?: Listener.StepListener<any, any>
  readonly faults?: () => Effect.Effect<void>
  readonly step?: typeof plain
}

const plain = Step.chunk("load", {
  reader: ItemReader.fromIterable([1]),
  writer: ItemWriter.fromFunction((_: ReadonlyArray<number>) => Effect.void),
  chunkSize: 1
})

/** As much of a step as is asked for the decision. */
const stateOf = ({ faults, listener, save, step, transact }: Parts = {}): StepState =>
  State.make(
    {
      transactor: { transact: transact ?? pipelined.transact },
      repository: { updateStepExecution: save ?? pipelined.save },
      faults
    } as never,
    stepOf(step ?? plain),
    compile(listener === undefined ? [] : [listener]),
    Fixture.stepExecution(),
    undefined as never
  )

const reasonOf = (parts: Parts, sink: object = pipelined.sink, enclosing?: object): string =>
  Either.match(pipeliningOf(stateOf(parts), sink as typeof pipelined.sink, enclosing), {
    onLeft: (reason) => reason,
    onRight: () => "pipelined"
  })

describe("whether a step is pipelined", () => {
  it("it is when nothing has to happen inside its transactions, and all speak to one database", () => {
    const found = pipeliningOf(stateOf(), pipelined.sink, undefined)
    assert.deepInclude(Either.getOrThrow(found), { connection, countsSkips: true })
    assert.strictEqual(reasonOf({}, Effect.runSync(Effect.scoped(ItemWriter.discard.open(Option.none())))), "pipelined")
  })

  it("a skip that somebody hears of is not only counted", () => {
    const heard = pipeliningOf(stateOf({ listener: { onSkipInRead: () => Effect.void } }), pipelined.sink, undefined)
    assert.isFalse(Either.getOrThrow(heard).countsSkips)
  })

  it("a chunk is no single message when it changed the job's context, or has skips that somebody hears of", () => {
    const run = (state: StepState, countsSkips: boolean, chunk: Chunk.Chunk) =>
      ({ env: { pipelining: { countsSkips } }, state, chunk }) as never
    const clean = Chunk.make()
    const skipping = { ...clean, skips: [Chunk.badRecord("bad")] }
    const changed = stateOf()
    State.advance(changed, Progress.changeJobContext, (context) => context)
    assert.isTrue(canPipeline(run(stateOf(), false, clean)))
    assert.isFalse(canPipeline(run(stateOf(), false, skipping)))
    assert.isTrue(canPipeline(run(stateOf(), true, skipping)))
    assert.isFalse(canPipeline(run(changed, true, clean)))
  })

  it("otherwise it says what keeps it from that", () => {
    const other = Pipelining.withPipelinedWrite((items: ReadonlyArray<unknown>) => write(items), {
      database: {},
      encode: () => Effect.succeed(undefined)
    })
    assert.include(reasonOf({}, pipelined.sink, {}), "a transaction that is open already")
    assert.include(reasonOf({ transact }), "wraps Transactor.transact")
    assert.include(reasonOf({ save }), "the job repository is wrapped")
    const saveElsewhere = Pipelining.withPipelinedSave(() => save(), { database: {}, encode: () => Effect.never })
    assert.include(reasonOf({ save: saveElsewhere }), "uses another client")
    assert.include(reasonOf({}, { write }), "the writer needs answers")
    assert.include(reasonOf({}, { write: other }), "uses another client")
    assert.include(reasonOf({}, { ...pipelined.sink, flush: Effect.succeed(1) }), "a state of its own")
    assert.include(reasonOf({ faults: () => Effect.void }), "a test stops the world")
    assert.include(reasonOf({ step: plain.pipe(Step.processInTransaction) }), "inside the transaction")
    assert.include(reasonOf({ step: plain.pipe(Step.withTransaction({ isolation: "serializable" })) }), "sets options")
    for (const name of ["beforeWrite", "afterWrite", "beforeCommit"] as const) {
      assert.include(reasonOf({ listener: { [name]: () => Effect.void } }), `a listener of`)
    }
  })

  it.effect("the reason is a line at DEBUG level", () =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ logLevel, message }) => {
        lines.push([logLevel.label, message])
      })
      yield* JobOperator.runOrFail(Job.make("said", { flow: plain }), {}).pipe(
        Effect.provide(JobRepository.layerMemory),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
        Logger.withMinimumLogLevel(LogLevel.Debug)
      )
      assert.deepInclude(lines, ["DEBUG", [
        `Step "load" is not pipelined: the database, its client, or something that wraps Transactor.transact does not ` +
        "take pipelines"
      ]])
    }))
})
