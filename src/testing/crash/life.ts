/**
 * A run of a job that can be killed as a process can: from that moment none of its fibers goes on, none of its finalizers
 * runs, and what it had open in the database is rolled back by the database. Or it can lose its connection to the database, and
 * live.
 *
 * It works because a fiber needs a scheduler to go on. The one of a life drops everything once the life is over.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import * as FaultPoint from "../../engine/session/faultPoint.js"
import * as JobOperator from "../../operator/JobOperator.js"
import { JobRepository } from "../../ports/JobRepository.js"
import * as Transactor from "../../ports/Transactor.js"
import { JobRepositoryError, TransactionError } from "../../vocabulary/BatchError.js"
import type { Store } from "./store.js"

/**
 * What befalls a life, numbers counted from 1.
 *
 * - `Kill`: its process dies at this point. Points are the fault points of the engine, both sides of each write to the
 *   repository, and each commit.
 * - `Lose`: its connection is lost in this operation, one of the repository or the commit of a transaction: before it was done,
 *   or when it was and only the answer is missing. What was open on that connection is rolled back.
 */
export type Strike =
  | { readonly _tag: "Kill"; readonly at: number }
  | { readonly _tag: "Lose"; readonly at: number; readonly isDone: boolean }

/** How a life came to its end, with the points that it passed, and its operations. */
export type End<A, E> =
  & { readonly points: ReadonlyArray<string>; readonly operations: ReadonlyArray<string> }
  & ({ readonly _tag: "Killed" } | { readonly _tag: "Ended"; readonly exit: Exit.Exit<A, E> })

/** Lives until the effect ends, or until it is killed. */
export const live = <A, E, R>(
  store: Store,
  strike: Strike | undefined,
  effect: Effect.Effect<A, E, R | JobRepository | Transactor.Transactor>
): Effect.Effect<End<A, E>, never, Exclude<R, JobRepository | Transactor.Transactor>> =>
  Effect.withFiberRuntime<End<A, E>, never, Exclude<R, JobRepository | Transactor.Transactor>>((outside) => {
    const life: Life = {
      store,
      strike,
      owner: `life ${store.dead.size + 1}`,
      scheduler: outside.currentScheduler,
      open: new Set(),
      points: [],
      operations: [],
      killed: undefined
    }
    const running = effect.pipe(
      Effect.provide(services(life)),
      Effect.withClock(store.clock),
      Effect.withScheduler(mortal(life))
    ) as Effect.Effect<A, E, Exclude<R, JobRepository | Transactor.Transactor>>
    return Effect.flatMap(Effect.forkDaemon(running), (fiber) => endOf(life, fiber))
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Life {
  readonly store: Store
  readonly strike: Strike | undefined
  readonly owner: string
  /** The scheduler of those who live on. */
  readonly scheduler: Scheduler.Scheduler
  /** The transactions that the database would have to roll back. */
  readonly open: Set<Transactor.Open>
  readonly points: Array<string>
  readonly operations: Array<string>
  /** Called when the life is over. */
  killed: (() => void) | undefined
}

const isDead = ({ owner, store }: Life): boolean => store.dead.has(owner)

const mortal = (life: Life): Scheduler.Scheduler => ({
  shouldYield: (fiber) => life.scheduler.shouldYield(fiber),
  scheduleTask: (task, priority, fiber) => {
    if (!isDead(life)) {
      life.store.activity++
      life.scheduler.scheduleTask(() => isDead(life) ? undefined : task(), priority, fiber)
    }
  }
})

/** Not `Effect.never`, which keeps a timer for ever. */
const frozen: Effect.Effect<never> = Effect.async<never>(() => {})

/** A place at which the life may end. */
const point = (life: Life, name: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (isDead(life)) {
      return frozen
    }
    life.points.push(name)
    if (life.strike?._tag !== "Kill" || life.points.length !== life.strike.at) {
      return Effect.void
    }
    life.store.dead.add(life.owner)
    life.killed?.()
    return frozen
  })

const passed = ({ operations, points }: Life) => ({ operations, points })

const endOf = <A, E>(life: Life, fiber: Fiber.RuntimeFiber<A, E>): Effect.Effect<End<A, E>> =>
  Effect.flatMap(
    Effect.async<Exit.Exit<A, E> | undefined>((resume) => {
      life.killed = () => resume(Effect.succeed(undefined))
      fiber.addObserver((exit) => resume(Effect.succeed(exit)))
      return Effect.suspend(() => isDead(life) ? Effect.void : Fiber.interrupt(fiber))
    }),
    (exit): Effect.Effect<End<A, E>> =>
      exit === undefined
        ? Effect.as(rollback(life), { ...passed(life), _tag: "Killed" })
        : Effect.succeed({ ...passed(life), _tag: "Ended", exit })
  )

/** What a database does when a connection is gone. */
const rollback = (life: Life): Effect.Effect<void> =>
  Effect.suspend(() => {
    life.store.clock.clear()
    return Effect.forEach(
      [...life.open].reverse(),
      ({ undos }) => Effect.forEach(undos.reverse(), (undo) => undo, { discard: true }),
      { discard: true }
    )
  })

const services = (life: Life): Context.Context<JobRepository | Transactor.Transactor> =>
  Context.make(JobRepository, repository(life)).pipe(
    Context.add(Transactor.Transactor, transactor(life)),
    Context.add(FaultPoint.FaultPoint, (name) => point(life, name)),
    Context.add(JobOperator.Ownership, {
      // Nobody has to wait for a lease, and no heartbeat has to be waited for.
      lease: 8 * life.store.horizon,
      owner: life.owner,
      isOwnerGone: (owner) => life.store.dead.has(owner)
    }),
    Context.add(JobOperator.Events, life.store.events)
  )

/** The writes of the engine to the repository; the crash before or after a read is that before or after a write. */
const WRITES: ReadonlyArray<string> = [
  "launch",
  "updateJobExecution",
  "createStepExecution",
  "updateStepExecution",
  "recordAnswer",
  "addSkippedItems",
  "plan",
  "resume",
  "close",
  "claim",
  "putUp"
]

/** Their own patience is asked elsewhere, or nobody waits for an answer. */
const NEVER_LOST: ReadonlyArray<string> = ["renewLease", "stopHint", "wake", "awaken", "leases"]

/** Whether the connection is lost in the operation that comes now; then this is noted like a point. */
const loses = (life: Life, name: string): "before" | "after" | undefined => {
  life.operations.push(name)
  if (life.strike?._tag !== "Lose" || life.operations.length !== life.strike.at) {
    return undefined
  }
  const when = life.strike.isDone ? "after" : "before"
  life.points.push(`lost ${when} ${name}`)
  return when
}

/** An operation whose connection may be lost, and with that the transaction it is part of. */
const losing = (life: Life, name: string, operation: Effect.Effect<unknown, any>): Effect.Effect<unknown, any> =>
  NEVER_LOST.includes(name) ? operation : Effect.suspend(() => {
    const when = loses(life, name)
    if (when === undefined) {
      return operation
    }
    const lost = Effect.flatMap(Transactor.CurrentTransaction, (open) => {
      if (open !== undefined && !open.isOver) {
        open.isLost = true
      }
      return new JobRepositoryError({ operation: name, reason: "transient", detail: "the connection was lost" })
    })
    return when === "before" ? lost : Effect.zipRight(operation, lost)
  })

/** Statements that the database has got are carried out, whether the process lives or not. */
const repository = (life: Life): Context.Tag.Service<JobRepository> => {
  const guard = (name: string, operation: Effect.Effect<unknown, any>): Effect.Effect<unknown, any> => {
    const carriedOut = losing(life, name, Effect.withScheduler(operation, life.scheduler))
    const passed = Effect.suspend(() => isDead(life) ? frozen : carriedOut)
    return WRITES.includes(name)
      ? Effect.zipLeft(Effect.zipRight(point(life, `before ${name}`), carriedOut), point(life, `after ${name}`))
      : Effect.tap(passed, () => isDead(life) ? frozen : Effect.void)
  }
  const guarded = (members: object): any =>
    Object.fromEntries(
      Object.entries(members).map(([name, member]) => [
        name,
        typeof member === "function"
          ? (...args: ReadonlyArray<any>) => guard(name, (member as (...args: ReadonlyArray<any>) => any)(...args))
          : Effect.isEffect(member)
          ? guard(name, member as Effect.Effect<unknown, any>)
          : member
      ])
    )
  const { partitions, ...others } = life.store.repository
  return { ...guarded(others), partitions: guarded(partitions) }
}

const transactor = (life: Life): Context.Tag.Service<Transactor.Transactor> => ({
  transact: (effect, options) =>
    Effect.flatMap(Transactor.CurrentTransaction, (outer) => {
      let opened: Transactor.Open | undefined
      const body = Effect.flatMap(Transactor.CurrentTransaction, (inner) => {
        if (inner !== undefined && inner !== outer) {
          opened = inner
          life.open.add(inner)
        }
        return Effect.tap(effect, () => {
          if (opened === undefined) {
            return Effect.void
          }
          // Nothing commits any more on a connection that was lost, whatever the body made of that.
          answer = opened.isLost === true ? "before" : loses(life, "commit")
          opened.isLost ||= answer === "before"
          return answer === "before" ? Effect.fail(lostIn("body")) : Effect.void
        })
      })
      let answer: "before" | "after" | undefined
      return life.store.transactor.transact(body, options).pipe(
        Effect.onExit(() => Effect.sync(() => opened !== undefined && life.open.delete(opened))),
        Effect.zipLeft(Effect.suspend(() => opened === undefined ? Effect.void : point(life, "after commit"))),
        Effect.zipLeft(Effect.suspend(() => answer === "after" ? Effect.fail(lostIn("commit")) : Effect.void))
      )
    })
})

const lostIn = (phase: TransactionError["phase"]): TransactionError =>
  new TransactionError({ phase, reason: "transient", cause: new Error("the connection was lost") })
