/**
 * Runs an effect atomically with the job repository: what it writes and what the engine records about it
 * commit together or not at all.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import { globalValue } from "effect/GlobalValue"
import * as Option from "effect/Option"
import { TransactionError } from "../vocabulary/BatchError.js"

/**
 * The attributes of a transaction. Absent ones default to those of the database.
 *
 * - `isolation`: the isolation level.
 * - `timeout`: the longest time the transaction may be open.
 * - `propagation`: `required` joins an open transaction, `requiresNew` always opens its own,
 *   `notSupported` runs without one. Default `required`.
 *
 * @see TX-1, TX-2
 * @since 0.1.0
 * @category models
 */
export interface TransactionOptions {
  readonly isolation?: "read uncommitted" | "read committed" | "repeatable read" | "serializable" | undefined
  readonly timeout?: Duration.DurationInput | undefined
  readonly propagation?: "required" | "requiresNew" | "notSupported" | undefined
}

/**
 * @since 0.1.0
 * @category services
 */
export class Transactor extends Context.Tag("effect-batch/Transactor")<Transactor, {
  /**
   * Runs the effect in a transaction. It commits when the effect succeeds and rolls back when it fails, dies or
   * is interrupted. A failing begin or commit is a `TransactionError`; a failure of the effect itself is kept.
   */
  readonly transact: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: TransactionOptions
  ) => Effect.Effect<A, E | TransactionError, R>
}>() {}

/**
 * Runs `undo` if the transaction that is open now rolls back. Outside a transaction nothing happens. This is how
 * a writer that keeps its data in memory takes part in a rollback.
 *
 * @since 0.1.0
 * @category combinators
 */
export const onRollback = (undo: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.map(FiberRef.get(CurrentTransaction), (transaction) => {
    stillOpen(transaction)?.undos.push(undo)
  })

/**
 * Makes a transactor from what a driver does around the effect of a *new* transaction. Joining an open one and
 * the undos of `onRollback` are added here, so that every driver has them alike.
 *
 * `newTransaction` cannot be interrupted, so that nobody takes a transaction that has committed for one that has not.
 * Only the effect itself can, and what the driver restores: waiting for a connection, say.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  newTransaction: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options: TransactionOptions,
    restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | TransactionError, R>,
  outside: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | TransactionError, R>
): Context.Tag.Service<Transactor> => {
  const owner = {}
  const transactor: Context.Tag.Service<Transactor> = {
    transact: (effect, options = {}) =>
      Effect.flatMap(FiberRef.get(CurrentTransaction), (current) => {
        const propagation = options.propagation ?? "required"
        const joined = ofOwner(current, owner)
        if (propagation === "notSupported") {
          return joined === undefined ? effect : outside(Effect.locally(effect, CurrentTransaction, undefined))
        }
        if (joined !== undefined && propagation === "required") {
          return joined === current ? effect : Effect.locally(effect, CurrentTransaction, joined)
        }
        return opened(owner, current, (restore) => {
          const run = newTransaction(restore(inTime(effect, options)), options, restore)
          return joined === undefined ? run : outside(run)
        })
      })
  }
  unwrapped.add(transactor.transact)
  return transactor
}

/**
 * Whether a transaction is open in this fiber: one of a transactor, or one that `SqlClient.withTransaction` opened.
 *
 * @internal
 */
export const isOpen: Effect.Effect<boolean> = Effect.flatMap(
  Effect.suspend(() => FiberRef.get(CurrentTransaction)),
  (current) =>
    Effect.contextWith((context: Context.Context<never>) =>
      stillOpen(current) !== undefined ||
      // That of a transactor which is over lets everything pass.
      (current === undefined && Option.isSome(Context.getOption(context as Context.Context<unknown>, SqlTransaction)))
    )
)

/**
 * Whether the transaction of this transactor that is open now holds nothing: no statement, and nothing that a rollback would
 * undo. What is done behind it is as good as done in it. Where others are open around it, or somebody has wrapped `transact`, to
 * commit something of their own, nobody knows what they hold unless they say so.
 *
 * @internal
 */
export const isEmpty = ({ transact }: Context.Tag.Service<Transactor>): Effect.Effect<boolean> =>
  Effect.map(
    Effect.suspend(() => FiberRef.get(CurrentTransaction)),
    (current) => current !== undefined && unwrapped.has(transact) && holdsNothing(current)
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** What `@effect/sql` keeps the open transaction under; the package itself is not needed for knowing its name. */
const SqlTransaction = Context.GenericTag<unknown>("@effect/sql/SqlClient/TransactionConnection")

const stillOpen = (current: Open | undefined): Open | undefined =>
  current === undefined || !current.isOver ? current : stillOpen(current.outer)

/** The functions that `make` has made: a wrapper of one does not stand there, whatever it adds. */
const unwrapped: WeakSet<object> = globalValue("effect-batch/Transactor/unwrapped", () => new WeakSet<object>())

const holdsNothing = (open: Open | undefined): boolean =>
  open === undefined ||
  ((open.isOver || (open.undos.length === 0 && open.isUnused?.() === true)) && holdsNothing(open.outer))

/** The open transaction of a transactor; others may have opened theirs inside of it. */
const ofOwner = (current: Open | undefined, owner: object): Open | undefined =>
  current === undefined || (current.owner === owner && !current.isOver) ? current : ofOwner(current.outer, owner)

/** Makes a transaction the open one while it runs, and undoes what took part in it unless it commits. */
const opened = <A, E, R>(
  owner: object,
  outer: Open | undefined,
  transaction: (restore: Restore) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) => {
    const open: Open = { owner, outer, undos: [], isOver: false }
    const close = Effect.suspend(() => {
      open.isOver = true
      return FiberRef.set(CurrentTransaction, outer)
    })
    return Effect.zipRight(
      FiberRef.set(CurrentTransaction, open),
      Effect.matchCauseEffect(transaction(restore), {
        onSuccess: (value) => Effect.as(close, value),
        onFailure: (cause) =>
          Effect.zipRight(
            close,
            Effect.zipRight(
              Effect.forEach(open.undos.reverse(), (undo) => undo, { discard: true }),
              Effect.failCause(cause)
            )
          )
      })
    )
  })

const inTime = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  { timeout }: TransactionOptions
): Effect.Effect<A, E | TransactionError, R> =>
  timeout === undefined ? effect : Effect.timeoutFail(effect, {
    duration: timeout,
    onTimeout: () =>
      new TransactionError({
        reason: "transient",
        phase: "body",
        cause: new Error(`it was open for longer than its timeout of ${Duration.format(timeout)}`)
      })
  })

/** @internal */
export interface Open {
  /** The transactor that opened it. */
  readonly owner: object
  readonly outer: Open | undefined
  readonly undos: Array<Effect.Effect<unknown>>
  /** What was forked inside of it may still believe that it is open. */
  isOver: boolean
  /** Whether it came to nothing because its connection was lost, and not because of what was done in it. */
  isLost?: boolean
  /** Whether nothing was sent in it so far; a driver that can't tell leaves it out. */
  isUnused?: () => boolean
}

/**
 * Failures of transactions that came to nothing because their connection was lost, or that none was to be had, where no
 * transaction of a transactor was open to say so of.
 *
 * @internal
 */
export const lostConnections: WeakSet<object> = globalValue("effect-batch/Transactor/lost", () => new WeakSet<object>())

/**
 * A FiberRef and no service, as setting one costs a chunk one operation instead of twenty.
 *
 * @internal
 */
export const CurrentTransaction: FiberRef.FiberRef<Open | undefined> = globalValue(
  "effect-batch/Transactor/Current",
  () => FiberRef.unsafeMake<Open | undefined>(undefined)
)
