import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Hooks from "../../src/engine/step/hooks.js"
import {
  ExecutionContext,
  ExitStatus,
  Flow,
  ItemReader,
  Job,
  JobOperator,
  JobRepository,
  JobScope,
  Listener,
  StandardListeners,
  Step,
  StepScope,
  Tasklet
} from "../../src/index.js"
import { Bad, makeWorld, runStep } from "./faults/world.js"

const inMemory = Effect.provide(JobRepository.layerMemory)

describe("the order of callbacks", () => {
  const hear = (log: Array<string>, name: string): Listener.StepListener<number, number> => {
    const on = (hook: string) => (...args: ReadonlyArray<unknown>) =>
      Effect.sync(() => {
        const items = args.filter((arg) => typeof arg === "number" || Array.isArray(arg)).map((arg) => `[${arg}]`)
        log.push([name, hook, ...items].join(" "))
      })
    return {
      beforeStep: on("beforeStep"),
      afterStep: on("afterStep"),
      beforeChunk: on("beforeChunk"),
      beforeCommit: on("beforeCommit"),
      afterChunk: on("afterChunk"),
      beforeRead: on("beforeRead"),
      afterRead: on("afterRead"),
      beforeProcess: on("beforeProcess"),
      afterProcess: (item, output) => on(Option.isSome(output) ? "afterProcess" : "filtered")(item),
      beforeWrite: on("beforeWrite"),
      afterWrite: on("afterWrite")
    }
  }

  it.effect("before callbacks run in the order of registration, after callbacks in reverse; beforeStep before the reader opens (LISTEN-1, C34)", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const world = makeWorld(2, { filter: [2] })
      const reader = ItemReader.make("opened", (from) =>
        Effect.zipRight(
          Effect.acquireRelease(Effect.sync(() => log.push("open")), () => Effect.sync(() => log.push("close"))),
          world.reader.open(from)
        ))
      const step = Step.chunk("ordered", { ...world, reader, chunkSize: 2 }).pipe(
        Step.listen(hear(log, "a")),
        Step.listen(hear(log, "b"))
      )
      yield* runStep(step)
      assert.deepStrictEqual(log, [
        ...["a beforeStep", "b beforeStep", "open"],
        ...["a beforeRead", "b beforeRead", "b afterRead [1]", "a afterRead [1]"],
        ...["a beforeRead", "b beforeRead", "b afterRead [2]", "a afterRead [2]"],
        ...["a beforeChunk [1,2]", "b beforeChunk [1,2]"],
        ...["a beforeProcess [1]", "b beforeProcess [1]", "b afterProcess [1]", "a afterProcess [1]"],
        ...["a beforeProcess [2]", "b beforeProcess [2]", "b filtered [2]", "a filtered [2]"],
        ...["a beforeWrite [1]", "b beforeWrite [1]", "b afterWrite [1]", "a afterWrite [1]"],
        ...["a beforeCommit [1]", "b beforeCommit [1]", "b afterChunk [1]", "a afterChunk [1]"],
        ...["b afterStep", "a afterStep", "close"]
      ])
    }).pipe(inMemory))

  it.effect("error callbacks run in reverse order, skip and retry callbacks in the order of registration (LISTEN-1)", () =>
    Effect.gen(function*() {
      const calls = new Map<string, Array<string>>()
      const reversed = ["onReadError", "onProcessError", "onWriteError", "afterChunkError"]
      const inOrder = ["onSkipInRead", "onSkipInProcess", "onSkipInWrite", "onRetry"]
      const note = (hook: string, name: string) =>
        Effect.sync(() => void calls.set(hook, [...(calls.get(hook) ?? []), name]))
      const noting = (name: string): Listener.StepListener<unknown, unknown> =>
        Object.fromEntries([...reversed, ...inOrder].map((hook) => [hook, () => note(hook, name)]))
      const listened = <C extends string, E, R>(step: Step.ChunkStep<number, number, C, E, R>) =>
        step.pipe(Step.listen(noting("a")), Step.listen(noting("b")))
      const world = makeWorld(4, { read: [2], process: [3], write: [4] })
      const skipping = Step.chunk("skipping", { ...world, chunkSize: 4 }).pipe(
        Step.retry("Bad", { times: 1 }),
        Step.skip("Bad", { limit: 3 })
      )
      yield* runStep(listened(skipping))
      yield* runStep(listened(Step.chunk("failing", { ...makeWorld(1, { write: [1] }), chunkSize: 1 })))
      const heard = (hooks: ReadonlyArray<string>) => hooks.map((hook) => [hook, calls.get(hook)?.slice(0, 2).join()])
      assert.deepStrictEqual(heard(reversed), reversed.map((hook) => [hook, "b,a"]))
      assert.deepStrictEqual(heard(inOrder), inOrder.map((hook) => [hook, "a,b"]))
    }).pipe(inMemory))

  it.effect("chunk callbacks run around each call of a tasklet (TASK-3)", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      let calls = 0
      const step = Step.tasklet(
        "twice",
        Effect.sync(() => {
          log.push("call")
          return ++calls < 2 ? Tasklet.continuable : Tasklet.finished
        })
      ).pipe(Step.listen(hear(log, "a")))
      yield* runStep(step)
      const call = ["a beforeChunk []", "call", "a beforeCommit []", "a afterChunk []"]
      assert.deepStrictEqual(log, ["a beforeStep", ...call, ...call, "a afterStep"])
    }).pipe(inMemory))
})

describe("afterChunkError", () => {
  for (
    const [name, body] of [
      ["a chunk", Step.chunk("fails", { ...makeWorld(2, { write: [1] }), chunkSize: 2 })],
      ["a chunk that fails in reading", Step.chunk("fails", { ...makeWorld(2, { read: [1] }), chunkSize: 2 })],
      ["a tasklet", Step.tasklet("fails", Effect.fail(new Bad({ item: 1 })))]
    ] as ReadonlyArray<readonly [string, Step.Step<"COMPLETED" | "FAILED", Bad>]>
  ) {
    it.effect(`hears the error of ${name} after the rollback, and does not hide it when it fails too`, () =>
      Effect.gen(function*() {
        const heard: Array<unknown> = []
        const step = body.pipe(Step.listen(Listener.step({
          afterChunkError: (error) =>
            Effect.flatMap(StepScope.execution, ({ counts }) => {
              heard.push(error, counts.rollback)
              return Effect.fail("listener")
            })
        })))
        const { exit, step: stored } = yield* runStep(step)
        assert.deepStrictEqual(heard, [new Bad({ item: 1 }), 1])
        assert.deepStrictEqual(yield* Effect.flip(exit), new Bad({ item: 1 }))
        assert.include(stored.exitStatus.messages.join(), "item 1 is bad")
      }).pipe(inMemory))
  }

  it.effect("is not called for a chunk that is searched, nor for a failing afterChunk", () =>
    Effect.gen(function*() {
      let heard = 0
      const listener = Listener.step({
        afterChunk: () => Effect.fail("listener"),
        afterChunkError: () => Effect.sync(() => void heard++)
      })
      const world = makeWorld(2, { write: [1] })
      const { status } = yield* runStep(
        Step.chunk("searched", { ...world, chunkSize: 2 }).pipe(Step.skip("Bad", { limit: 1 }), Step.listen(listener))
      )
      assert.deepStrictEqual([status, heard, world.written], ["FAILED", 0, [2]])
    }).pipe(inMemory))
})

describe("afterStep", () => {
  const only = (effect: Effect.Effect<void, string, StepScope.StepScope>) => Listener.step({ afterStep: () => effect })

  const twoSteps = (name: string, listener: Listener.StepListener<unknown, unknown, string, StepScope.StepScope>) => {
    const ran: Array<string> = []
    const first = Step.tasklet("first", Effect.sync(() => void ran.push("first"))).pipe(
      Step.listen(listener),
      Step.onListenerFailure("log")
    )
    const flow = first.pipe(Flow.andThen(Step.tasklet("second", Effect.sync(() => void ran.push("second")))))
    return Effect.map(JobOperator.run(Job.make(name, { flow }), {}), ({ status }) => ({ status, ran }))
  }

  it.effect("its failure is only logged when the step says so, and the next step runs (STEP-15, C31)", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* twoSteps("logged", only(Effect.fail("listener"))), {
        status: "COMPLETED",
        ran: ["first", "second"]
      })
    }).pipe(inMemory))

  it.effect("its failure does not hide that of the step (STEP-15)", () =>
    Effect.gen(function*() {
      const step = Step.tasklet("fails", Effect.fail("body")).pipe(Step.listen(only(Effect.fail("listener"))))
      const { exit, step: stored } = yield* runStep(step)
      assert.deepStrictEqual(exit, Exit.fail("body"))
      assert.deepStrictEqual(stored.exitStatus, ExitStatus.make("FAILED", "body"))
    }).pipe(inMemory))

  it.effect("setting an exit status in the scope equals returning it (STEP-17)", () =>
    Effect.gen(function*() {
      const odd = Listener.step({ afterStep: () => StepScope.addExitStatus(ExitStatus.make("ODD", "seen")) })
      const heard: Array<string> = []
      const first = Listener.step({
        afterStep: ({ exitStatus }) => Effect.sync(() => void heard.push(exitStatus.code))
      })
      const { step: stored } = yield* runStep(
        Step.tasklet("odd", Effect.void).pipe(Step.listen(first), Step.listen(odd))
      )
      assert.deepStrictEqual([stored.status, stored.exitStatus], ["COMPLETED", ExitStatus.make("ODD", "seen")])
      assert.deepStrictEqual(heard, ["ODD"])
    }).pipe(inMemory))

  it.effect("it can fail the step by upgrading its status, and then fail itself (STEP-16)", () =>
    Effect.gen(function*() {
      for (const rest of [Effect.void, Effect.fail("listener")]) {
        const upgrade = Effect.zipRight(StepScope.upgradeStatus("FAILED"), rest)
        assert.deepStrictEqual(yield* twoSteps(`upgraded ${rest}`, only(upgrade)), {
          status: "FAILED",
          ran: ["first"]
        })
      }
    }).pipe(inMemory))

  it.effect("each callback sees the exit status of the one before it, also when the step failed (STEP-14)", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const give = (code: string) =>
        Listener.step({
          afterStep: (step) => {
            seen.push(`${step.status} ${step.exitStatus.code}`)
            return Effect.succeed(ExitStatus.make(code))
          }
        })
      const { step } = yield* runStep(
        Step.tasklet("codes", Effect.void).pipe(
          Step.listen(give("COMPLETED LATE")),
          Step.listen(give("COMPLETED ODDLY"))
        )
      )
      assert.deepStrictEqual(seen, ["COMPLETED COMPLETED", "COMPLETED COMPLETED ODDLY"])
      assert.strictEqual(step.exitStatus.code, "COMPLETED ODDLY")
      seen.length = 0
      yield* runStep(Step.tasklet("failed", Effect.fail("no")).pipe(Step.listen(give("FAILED TWICE"))))
      assert.deepStrictEqual(seen, ["FAILED FAILED"])
    }).pipe(inMemory))
})

describe("ready-made listeners in a job", () => {
  it.effect("an entry of a step's context is promoted for the steps after it (LISTEN-40, CTX-10)", () =>
    Effect.gen(function*() {
      const total = ExecutionContext.key("total", Schema.Number)
      const seen: Array<unknown> = []
      const first = Step.tasklet("sum", StepScope.set(total, 42)).pipe(
        Step.listen(StandardListeners.promoteToJob([total]))
      )
      const second = Step.tasklet(
        "report",
        Effect.map(JobScope.get(total), (value) => void seen.push(Option.getOrNull(value)))
      )
      yield* JobOperator.run(Job.make("promotion", { flow: first.pipe(Flow.andThen(second)) }), {})
      assert.deepStrictEqual(seen, [42])
    }).pipe(inMemory))

  it.effect("skips and missing work show in the exit code, the batch status stays COMPLETED (STEP-23, STEP-22)", () =>
    Effect.gen(function*() {
      const skipping = Step.chunk("skipping", { ...makeWorld(3, { process: [2] }), chunkSize: 2 }).pipe(
        Step.skip("Bad", { limit: 1 }),
        Step.listen(StandardListeners.completedWithSkips)
      )
      const first = yield* runStep(skipping)
      assert.deepStrictEqual([first.status, first.step.exitStatus.code], ["COMPLETED", "COMPLETED WITH SKIPS"])
      const idle = Step.chunk("idle", { ...makeWorld(0), chunkSize: 2 }).pipe(
        Step.listen(StandardListeners.noWorkFound)
      )
      const second = yield* runStep(idle)
      assert.deepStrictEqual([second.status, second.step.exitStatus.code], ["COMPLETED", "FAILED"])
    }).pipe(inMemory))
})

describe("the cost of listeners", () => {
  it("absent callbacks cost nothing, and callbacks that return a value cost no fiber work", () => {
    const hooks = Hooks.compile([{ beforeStep: () => Effect.void }, {}])
    const present = Object.entries(hooks).filter(([, callback]) => callback !== undefined).map(([name]) => name)
    assert.deepStrictEqual(present, ["beforeStep"])
    const two = Hooks.compile([{ afterRead: () => Effect.void }, { afterRead: () => Effect.succeed(undefined) }])
    assert.isTrue(Hooks.isDone(two.afterRead!(1)))
  })

  it.effect("beforeRead alone makes a step read one record at a time", () =>
    Effect.gen(function*() {
      const plain = makeWorld(4)
      yield* runStep(Step.chunk("plain", { ...plain, chunkSize: 4 }))
      assert.deepStrictEqual(plain.pulls, [4])
      let reads = 0
      const heard = makeWorld(4, { read: [2] })
      yield* runStep(
        Step.chunk("heard", { ...heard, chunkSize: 4 }).pipe(
          Step.skip("Bad", { limit: 1 }),
          Step.listen(Listener.step({ beforeRead: () => Effect.sync(() => void reads++) }))
        )
      )
      assert.deepStrictEqual([heard.pulls, reads], [[1, 1, 1, 1], 4])
    }).pipe(inMemory))
})

describe("a step that ends badly", () => {
  it.effect("a reader that cannot be closed does not change how the step ended (STEP-18, C37)", () =>
    Effect.gen(function*() {
      const world = makeWorld(2)
      const reader = ItemReader.make(
        "sticky",
        (from) => Effect.zipRight(Effect.addFinalizer(() => Effect.die(new Error("stuck"))), world.reader.open(from))
      )
      const { status } = yield* runStep(Step.chunk("sticky", { ...world, reader, chunkSize: 2 }))
      assert.deepStrictEqual([status, world.written], ["COMPLETED", [1, 2]])
    }).pipe(inMemory))

  it.effect("an interruption while items are processed discards their entries in the context (CTX-9)", () =>
    Effect.gen(function*() {
      const seen = ExecutionContext.key("seen", Schema.Number)
      const world = makeWorld(4)
      const step = Step.chunk("interrupted", {
        ...world,
        processor: (item: number) =>
          Effect.zipRight(StepScope.set(seen, item), item === 4 ? Effect.interrupt : Effect.succeed(item)),
        chunkSize: 2
      })
      const { step: stored } = yield* runStep(step)
      assert.strictEqual(stored.status, "STOPPED")
      assert.strictEqual(Option.getOrNull(yield* ExecutionContext.get(stored.context, seen)), 2)
    }).pipe(inMemory))

  it.effect("a failure after a committed half of a chunk keeps the entries of that half (CTX-9)", () =>
    Effect.gen(function*() {
      const last = ExecutionContext.key("last", Schema.Number)
      const world = makeWorld(4, { write: [1, 4] })
      const step = Step.chunk("half", { ...world, chunkSize: 4 }).pipe(
        Step.skip("Bad", { limit: 1 }),
        Step.listen(Listener.step({
          afterWrite: (items: ReadonlyArray<number>) => StepScope.set(last, items[items.length - 1]!)
        }))
      )
      const { status, step: stored } = yield* runStep(step)
      assert.deepStrictEqual([status, world.written], ["FAILED", [2, 3]])
      assert.strictEqual(Option.getOrNull(yield* ExecutionContext.get(stored.context, last)), 3)
    }).pipe(inMemory))
})

describe("a read that fails, where no policy is asked about it", () => {
  for (const prefetch of [false, true]) {
    it.effect(`is told to who listens for that, once, before the step fails; prefetch: ${prefetch}`, () =>
      Effect.gen(function*() {
        const heard: Array<unknown> = []
        const broken = ItemReader.make("broken", () =>
          Effect.succeed({
            pull: (): Effect.Effect<ItemReader.Page<number, Bad>, Bad> => Effect.fail(new Bad({ item: 1 }))
          }))
        const step = Step.chunk("reads", { ...makeWorld(1), reader: broken, chunkSize: 2, prefetch }).pipe(
          Step.listen({ onReadError: (error) => Effect.sync(() => void heard.push(error)) })
        )
        const { status } = yield* runStep(step)
        assert.deepStrictEqual([status, heard], ["FAILED", [new Bad({ item: 1 })]])
      }).pipe(inMemory))
  }
})
