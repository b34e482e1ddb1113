/**
 * What the memory does beside the suite that all repositories share: one transaction at a time, leases by the test clock.
 */
import { assert, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { BatchError, ExitStatus, JobRepository, Transactor } from "../../src/index.js"
import * as MemoryDriver from "../../src/ports/memoryDriver.js"
import * as Table from "../../src/ports/memoryTable.js"
import { replace } from "../../src/ports/memoryTables.js"
import { onRollback } from "../../src/ports/Transactor.js"
import * as Kit from "../../src/testing/jobRepository/kit.js"

it.effect("a decision of one launch is not overtaken by another one (LAUNCH-4)", () =>
  Effect.gen(function*() {
    const { driver } = yield* MemoryDriver.make
    const begun = yield* Deferred.make<void>()
    const goOn = yield* Deferred.make<void>()
    const heard: Array<string> = []
    const first = yield* Effect.fork(driver.transact(Effect.gen(function*() {
      yield* Deferred.succeed(begun, undefined)
      yield* Deferred.await(goOn)
      heard.push("first")
    })))
    yield* Deferred.await(begun)
    const second = yield* Effect.fork(driver.transact(Effect.sync(() => void heard.push("second"))))
    yield* Effect.yieldNow()
    yield* Deferred.succeed(goOn, undefined)
    yield* Fiber.joinAll([first, second])
    assert.deepStrictEqual(heard, ["first", "second"])
  }))

it.effect("what is undone is undone from its end on, and only if nothing was committed (TX-1)", () =>
  Effect.gen(function*() {
    const { transact } = yield* Transactor.Transactor
    const undone: Array<number> = []
    const undo = (n: number) => onRollback(Effect.sync(() => void undone.push(n)))
    yield* transact(Effect.all([undo(1), undo(2)]))
    assert.deepStrictEqual(undone, [])
    yield* Effect.exit(transact(Effect.zipRight(Effect.all([undo(1), transact(undo(2)), undo(3)]), Effect.fail("no"))))
    assert.deepStrictEqual(undone, [3, 2, 1])
  }).pipe(Effect.provide(JobRepository.layerMemory)))

it.effect("a lease holds up to its last millisecond, and not longer (D16)", () =>
  Effect.gen(function*() {
    const first = yield* Kit.launchFresh({ leaseMillis: 1000 })
    yield* TestClock.adjust(1000)
    const refused = yield* Effect.flip(Kit.launch(first.instance.jobName))
    assert.strictEqual(refused._tag, "JobExecutionAlreadyRunning")
    yield* TestClock.adjust(1)
    const second = yield* Kit.launch(first.instance.jobName)
    assert.notStrictEqual(second.id, first.id)
  }).pipe(Effect.provide(JobRepository.layerMemory)))

it.effect("what was launched while a transaction was open stays when that rolls back: somebody was told of it (LAUNCH-4)", () =>
  Effect.gen(function*() {
    const { driver, transactor } = yield* MemoryDriver.make
    const repository = JobRepository.makeEncoded(driver)
    const launched = Effect.tap(repository.launch(Kit.request("in it")), ({ id }) => Effect.fail(id))
    const id = yield* Effect.flip(transactor.transact(launched))
    assert.deepStrictEqual((yield* repository.jobExecutions({})).map((row) => row.id), [id])
  }))

it.effect("a launch that fails half-way leaves nothing, not even its instance (LAUNCH-4)", () =>
  Effect.gen(function*() {
    const { driver } = yield* MemoryDriver.make
    const away = new BatchError.JobRepositoryError({ operation: "launch", reason: "transient", detail: "away" })
    for (const step of ["before", "behind"] as const) {
      const { launch } = JobRepository.makeEncoded({
        ...driver,
        insertJobExecution: (...call) =>
          step === "before"
            ? Effect.fail(away)
            : Effect.zipRight(driver.insertJobExecution(...call), Effect.fail(away))
      })
      assert.strictEqual((yield* Effect.flip(launch(Kit.request("half-way"))))._tag, "JobRepositoryError")
      assert.deepStrictEqual(yield* driver.findJobExecutions({}), [])
      assert.deepStrictEqual(yield* driver.findJobInstances({}), [])
    }
  }))

it.effect("an execution that blocks does so however many were launched since (LAUNCH-4)", () =>
  Effect.gen(function*() {
    const repository = yield* JobRepository.JobRepository
    const first = yield* Kit.launchFresh()
    yield* Kit.setStatus(first, "FAILED")
    for (let n = 0; n < 60; n++) {
      yield* Effect.flatMap(Kit.launch(first.instance.jobName), (next) => Kit.setStatus(next, "FAILED"))
    }
    yield* repository.updateJobExecution({ ...first, status: "UNKNOWN" })
    assert.strictEqual((yield* Effect.flip(Kit.launch(first.instance.jobName)))._tag, "JobRestartRefused")
  }).pipe(Effect.provide(JobRepository.layerMemory)))

type Change = { readonly isMine: boolean; readonly key: "a" | "b" | "c" }

it.prop(
  "a rollback undoes what its transaction has changed, and nothing that others have changed meanwhile (TX-1)",
  [FastCheck.array(FastCheck.record({ isMine: FastCheck.boolean(), key: FastCheck.constantFrom("a", "b", "c") }))],
  ([changes]) => {
    // Every change writes a value of its own.
    const applied = (which: (change: Change) => boolean) => {
      const table = Table.make({
        a: ({ a }: { readonly id: number; readonly a: number; readonly b: number; readonly c: number }) => a
      })
      table.set({ id: 1, a: -1, b: -1, c: -1 })
      const open = { owner: {}, outer: undefined, undos: [] as Array<Effect.Effect<unknown>>, isOver: false }
      ;(changes as ReadonlyArray<Change>).forEach((change, value) => {
        if (which(change)) {
          replace(change.isMine ? open : undefined, table, { ...table.get(1)!, [change.key]: value })
        }
      })
      return { table, undo: Effect.forEach(open.undos.reverse(), (undo) => undo, { discard: true }) }
    }
    const all = applied(() => true)
    Effect.runSync(all.undo)
    assert.deepStrictEqual(all.table.get(1), applied(({ isMine }) => !isMine).table.get(1))
  }
)

it.effect("a stop that came while a step's transaction was open is not lost when that rolls back (STOP-1)", () =>
  Effect.gen(function*() {
    const { driver, transactor } = yield* MemoryDriver.make
    const repository = JobRepository.makeEncoded(driver)
    const claimed = yield* repository.launch(Kit.request("stopped meanwhile"))
    const written = yield* Deferred.make<void>()
    const goOn = yield* Deferred.make<void>()
    const step = yield* Effect.fork(Effect.exit(transactor.transact(
      Effect.all([
        repository.updateJobExecution({ ...claimed, status: "STARTED", exitStatus: ExitStatus.make("HALF") }),
        repository.renewLease(claimed, 90_000),
        Deferred.succeed(written, undefined),
        Deferred.await(goOn),
        Effect.fail("no")
      ])
    )))
    yield* Deferred.await(written)
    yield* repository.requestStop(claimed.id)
    yield* Deferred.succeed(goOn, undefined)
    yield* Fiber.join(step)
    const [row] = yield* driver.findJobExecutions({ ids: [claimed.id] })
    assert.deepInclude(row, { status: "STOPPING", exitCode: claimed.exitStatus.code })
    assert.isBelow(row!.leaseLeftMillis!, 90_000)
  }))
