/**
 * How the progress of a step becomes durable, against a store that refuses, loses answers, and makes commits come true that
 * were looked up too early. What is expected is computed by a model that knows nothing of doubt.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import type { Session } from "../../../src/engine/session/session.js"
import * as Progress from "../../../src/engine/step/progress.js"
import * as State from "../../../src/engine/step/state.js"
import { JobScope } from "../../../src/ports/JobScope.js"
import { StepScope } from "../../../src/ports/StepScope.js"
import { JobRepositoryError, OwnershipLost, TransactionError } from "../../../src/vocabulary/BatchError.js"
import type * as Counts from "../../../src/vocabulary/Counts.js"
import * as ExecutionContext from "../../../src/vocabulary/ExecutionContext.js"
import { Fatal } from "../../../src/vocabulary/failure.js"
import * as StepExecution from "../../../src/vocabulary/StepExecution.js"
import { makeSession } from "../session/support.js"

const seen = ExecutionContext.key("seen", Schema.Array(Schema.String))

const made = StepExecution.make({ id: 7, jobExecutionId: 1, stepName: "load", createTime: DateTime.unsafeMake(0) })

const away = new JobRepositoryError({ operation: "save", reason: "transient", detail: "it is away" })

/** What becomes of a transaction whose work is done. */
const OUTCOMES = [
  "commits",
  "is refused",
  "dies at work",
  "commits without an answer",
  "is lost",
  "is interrupted behind its commit",
  "is interrupted before its commit"
] as const

/** The same, but nobody can look it up as long as the step works, or it comes true behind that look. */
const LAST = ["commits unseen", "is lost unseen", "commits behind the look"] as const

type Outcome = (typeof OUTCOMES)[number] | (typeof LAST)[number]

const HAPPENED: ReadonlyArray<Outcome> = [
  "commits",
  "commits without an answer",
  "is interrupted behind its commit",
  "commits unseen",
  "commits behind the look"
]

interface Row {
  readonly step: StepExecution.StepExecution
  readonly job: ExecutionContext.ExecutionContext
}

/** A database of one step and its job. */
const makeStore = () => {
  const store = {
    row: { step: made, job: ExecutionContext.empty } as Row,
    outcome: "commits" as Outcome,
    looks: 0,
    /** What becomes of the next saves outside of a transaction: refused, or stored without an answer. */
    faults: [] as Array<"unreached" | "unanswered">,
    inside: false
  }
  const lost = (phase: "body" | "commit") => new TransactionError({ phase, reason: "transient", cause: "lost" })
  const updateStep = (step: StepExecution.StepExecution, before: StepExecution.StepExecution) =>
    Effect.suspend((): Effect.Effect<"STARTED", JobRepositoryError | OwnershipLost> => {
      const fault = store.inside ? undefined : store.faults.shift()
      if (fault === "unreached") return Effect.fail(away)
      const { commit, rollback } = store.row.step.counts
      if (commit !== before.counts.commit || rollback !== before.counts.rollback) {
        return Effect.fail(new OwnershipLost({ executionId: 1, epoch: 3 }))
      }
      store.row = { ...store.row, step }
      return fault === "unanswered" ? Effect.fail(away) : Effect.succeed("STARTED" as const)
    })
  const transact = (work: Effect.Effect<unknown, unknown>) =>
    Effect.suspend(() => {
      const before = store.row
      store.inside = true
      return Effect.flatMap(Effect.exit(work), (exit): Effect.Effect<unknown, unknown> => {
        store.inside = false
        const after = store.row
        if (Exit.isFailure(exit) || !HAPPENED.includes(store.outcome) || store.outcome === "commits behind the look") {
          store.row = before
        }
        if (Exit.isFailure(exit)) return exit
        switch (store.outcome) {
          case "commits":
          case "dies at work":
            return exit
          case "is refused":
            return Effect.fail(lost("body"))
          case "is interrupted behind its commit":
          case "is interrupted before its commit":
            return Effect.interrupt
          case "commits behind the look":
            late = after
            return Effect.fail(lost("commit"))
          default:
            return Effect.fail(lost("commit"))
        }
      })
    })
  let late: Row | undefined
  const stepExecutions = () =>
    Effect.suspend(() => {
      store.looks++
      const found = [{ ...made, id: 6 }, store.row.step]
      if (late !== undefined) {
        store.row = late
        late = undefined
      }
      return store.outcome.endsWith("unseen")
        ? Effect.fail(new JobRepositoryError({ operation: "stepExecutions", reason: "fatal", detail: "no" }))
        : Effect.succeed(found)
    })
  const repository = {
    updateStepExecution: (_: unknown, step: StepExecution.StepExecution, before: StepExecution.StepExecution) =>
      updateStep(step, before),
    updateJobExecution: ({ context }: { readonly context: ExecutionContext.ExecutionContext }) =>
      Effect.sync(() => {
        store.row = { ...store.row, job: context }
        return "STARTED" as const
      }),
    stepExecutions
  } as unknown as Partial<Session["repository"]>
  return { store, repository, transact }
}

const makeState = (settings: object = {}) =>
  Effect.gen(function*() {
    const { repository, store, transact } = makeStore()
    const session: Session = {
      ...yield* makeSession(60_000, repository),
      transactor: { transact } as unknown as Session["transactor"],
      context: ExecutionContext.empty,
      contextLock: Effect.unsafeMakeSemaphore(1),
      undecided: new Map(),
      faults: undefined
    }
    const told: Array<Counts.Counts> = []
    const telemetry = { stored: (counts: Counts.Counts) => void told.push(counts) }
    const definition = { name: "load", settings: { transaction: {}, ...settings } }
    const state = State.make(session, definition as never, {} as never, made, telemetry as never)
    return { session, state, store, told }
  })

interface Transaction {
  readonly outcome: Outcome
  /** Counted, and put into the contexts of step and job, before the transaction and in it. */
  readonly read: number
  readonly before: ReadonlyArray<"step" | "job">
  readonly inside: ReadonlyArray<"step" | "job">
}

const places = FastCheck.subarray<"step" | "job">(["step", "job"])

const transactionOf = (outcome: FastCheck.Arbitrary<Outcome>): FastCheck.Arbitrary<Transaction> =>
  FastCheck.record({ outcome, read: FastCheck.nat(3), before: places, inside: places })

const transactions = FastCheck.tuple(
  FastCheck.array(transactionOf(FastCheck.constantFrom<Outcome>(...OUTCOMES)), { maxLength: 5 }),
  FastCheck.option(transactionOf(FastCheck.constantFrom<Outcome>(...LAST)), { freq: 2 })
).map(([first, last]) => last === null ? first : [...first, last])

/** What is durable, and what waits for the next commit. */
interface Model {
  readonly read: number
  readonly commit: number
  readonly rollback: number
  readonly step: ReadonlyArray<string>
  readonly job: ReadonlyArray<string>
}

const nothing: Model = { read: 0, commit: 0, rollback: 0, step: [], job: [] }

const plus = (one: Model, other: Model): Model => ({
  read: one.read + other.read,
  commit: one.commit + other.commit,
  rollback: one.rollback + other.rollback,
  step: [...one.step, ...other.step],
  job: [...one.job, ...other.job]
})

const entriesOf = (context: ExecutionContext.ExecutionContext) =>
  Effect.map(ExecutionContext.get(context, seen), Option.getOrElse(() => [] as ReadonlyArray<string>))

const put = (state: State.StepState, where: ReadonlyArray<"step" | "job">, what: string) =>
  Effect.gen(function*() {
    const services = State.services(state)
    const add = (known: Option.Option<ReadonlyArray<string>>) => [...Option.getOrElse(known, () => []), what]
    if (where.includes("step")) yield* Context.get(services, StepScope).update(seen, add)
    if (where.includes("job")) yield* Context.get(services, JobScope).update(seen, add)
  })

const runTransaction = (state: State.StepState, { before, inside, outcome, read }: Transaction, name: string) =>
  Effect.gen(function*() {
    State.advance(state, Progress.count, { read })
    yield* put(state, before, `${name} before`)
    const work = Effect.zipRight(
      put(state, inside, `${name} inside`),
      outcome === "dies at work"
        ? Effect.die("broken")
        : Effect.succeed({ checkpoint: Option.some(name), counts: { commit: 1 } })
    )
    return yield* Effect.exit(State.commit(state, work, {
      committed: () => Effect.succeed("committed" as const),
      rolledBack: () => Effect.sync(() => State.advance(state, Progress.count, { rollback: 1 }))
    }))
  }) as Effect.Effect<Exit.Exit<"committed", unknown>>

describe("the progress of a step", () => {
  it.effect.prop(
    "is what its commits have made of it, whatever becomes of their answers (CTX-9, CTX-10, D18)",
    [
      transactions,
      FastCheck.array(FastCheck.constantFrom("unreached" as const, "unanswered" as const), { maxLength: 2 })
    ],
    ([all, faults]) =>
      Effect.gen(function*() {
        const { session, state, store, told } = yield* makeState()
        const isFree = Effect.map(session.contextLock.withPermitsIfAvailable(1)(Effect.void), Option.isSome)
        let durable = nothing
        let waiting = nothing
        for (const [index, transaction] of all.entries()) {
          const { before, inside, outcome, read } = transaction
          const name = String(index)
          const stored = told.length
          store.outcome = outcome
          store.looks = 0
          const exit = yield* runTransaction(state, transaction, name)
          const of = (where: "step" | "job", when: ReadonlyArray<string>, word: string) =>
            when.includes(where) ? [`${name} ${word}`] : []
          waiting = plus(waiting, {
            ...nothing,
            read,
            step: of("step", before, "before"),
            job: of("job", before, "before")
          })
          const did = { ...nothing, commit: 1, step: of("step", inside, "inside"), job: of("job", inside, "inside") }
          if (HAPPENED.includes(outcome)) {
            durable = plus(plus(durable, waiting), did)
            waiting = nothing
          } else {
            waiting = plus(waiting, { ...nothing, rollback: 1 })
          }
          assert.isTrue(yield* isFree)
          if (LAST.some((last) => last === outcome)) {
            assert.isTrue(Exit.isFailure(exit))
            continue
          }
          assert.strictEqual(Exit.isSuccess(exit), HAPPENED.includes(outcome), outcome)
          assert.strictEqual(store.looks, ["commits", "is refused", "dies at work"].includes(outcome) ? 0 : 1, outcome)
          assert.strictEqual(told.length - stored, HAPPENED.includes(outcome) ? 1 : 0)
          assert.strictEqual(
            session.undecided.size,
            outcome === "is lost" || outcome === "is interrupted before its commit" ? 1 : session.undecided.size
          )
          if (HAPPENED.includes(outcome)) assert.strictEqual(session.undecided.size, 0)
          yield* agree(store.row.step, store.row.job, durable)
          yield* agree(State.current(state), session.context, { ...plus(durable, waiting), job: durable.job })
        }

        // The database is back, and the step ends.
        store.outcome = "commits"
        store.faults = [...faults]
        const ending = yield* Effect.fork(State.finish(state, () => ({ status: "COMPLETED" })))
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(ending)
        const isOvertaken = all.some(({ outcome }) =>
          outcome === "commits behind the look" || outcome === "commits unseen"
        )
        const final = isOvertaken ? durable : plus(durable, waiting)
        assert.strictEqual(store.row.step.status, "COMPLETED")
        yield* agree(store.row.step, store.row.job, final)
        yield* agree(state.progress.step, session.context, final)
        assert.deepStrictEqual(state.progress.step, store.row.step)
        assert.deepStrictEqual(told.at(-1), store.row.step.counts)
        assert.isTrue(yield* isFree)
        assert.strictEqual(session.undecided.size, 0)
        assert.isUndefined(state.progress.doubt)
      }),
    { fastCheck: { numRuns: 40 } }
  )

  it.effect("gives the context of the job free when its end cannot be stored (CTX-10)", () =>
    Effect.gen(function*() {
      const { session, state, store } = yield* makeState()
      yield* put(state, ["job"], "before")
      const first = store.row.step
      store.row = { ...store.row, step: { ...first, counts: { ...first.counts, rollback: 5 } } }
      const exit = yield* Effect.exit(State.finish(state, () => ({})))
      assert.isTrue(Exit.isFailure(exit))
      assert.isTrue(Option.isSome(yield* session.contextLock.withPermitsIfAvailable(1)(Effect.void)))
    }))

  it.effect("fails by its transaction where a save lost against another one, and for good where nothing else helps", () =>
    Effect.gen(function*() {
      const failed = (error: JobRepositoryError | OwnershipLost) =>
        Effect.gen(function*() {
          const { session, state } = yield* makeState()
          Object.assign(session.repository, { updateStepExecution: () => Effect.fail(error) })
          const transaction: Transaction = { outcome: "commits", read: 0, before: [], inside: [] }
          const exit = yield* runTransaction(state, transaction, "0")
          return Option.getOrThrow(Exit.isFailure(exit) ? Cause.failureOption(exit.cause) : Option.none())
        })
      const saving = { operation: "updateStepExecution", detail: "no" }
      const lost = new OwnershipLost({ executionId: 1, epoch: 3 })
      const fatal = new JobRepositoryError({ ...saving, reason: "fatal" })
      const cause = { code: "25P02", severity: "ERROR" }
      const transient = yield* failed(away)
      assert.instanceOf(transient, TransactionError)
      assert.deepInclude(transient, { phase: "body", reason: "transient" })
      for (const error of [lost, fatal]) {
        const told = yield* failed(error)
        assert.instanceOf(told, Fatal)
        assert.strictEqual((told as Fatal).error, error)
      }
      const before = yield* failed(new JobRepositoryError({ ...saving, reason: "fatal", cause }))
      assert.deepInclude((before as Fatal).error, { _tag: "TransactionError", phase: "body", sqlState: "25P02" })
    }))
})

const agree = (step: StepExecution.StepExecution, job: ExecutionContext.ExecutionContext, expected: Model) =>
  Effect.gen(function*() {
    const { commit, read, rollback } = step.counts
    const found = { read, commit, rollback, step: yield* entriesOf(step.context), job: yield* entriesOf(job) }
    assert.deepStrictEqual(found, expected)
  })
