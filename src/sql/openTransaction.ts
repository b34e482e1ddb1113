/**
 * A transaction of one client, from the moment it is promised to its end. It begins with its first statement: until then
 * it holds no connection, and if there is none, nothing is sent at all.
 *
 * What is forked in it and outlives it runs outside of it from then on, not on the connection of somebody else.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as Stream from "effect/Stream"
import { CurrentTransaction } from "../ports/Transactor.js"
import { TransactionError } from "../vocabulary/BatchError.js"
import type { Identity } from "./client.js"
import { elsewhere, ownerOf } from "./client.js"
import * as Failure from "./failure.js"
import * as Lock from "./lock.js"
import * as Silence from "./silence.js"
import { isOutOfReach } from "./sqlState.js"
import * as Turn from "./turn.js"

/** @internal */
export interface Begun {
  readonly _tag: "Begun"
  readonly connection: Connection
  /** Gives the connection back. */
  readonly release: Effect.Effect<void>
  readonly commit: Effect.Effect<unknown, SqlError>
  /** Why the database has ended the transaction by itself, if it has. */
  readonly lost?: (() => TransactionError | undefined) | undefined
}

type Stage = { readonly _tag: "Waiting" } | Begun | { readonly _tag: "Over" }

/** @internal */
export interface OpenTransaction {
  /** Whose it is. */
  readonly identity: Identity
  /**
   * Takes a connection and begins on it; cannot be interrupted but where `restore` says so. `isOwn` when the first
   * statement is one of the engine's own.
   */
  readonly begin: (restore: Restore, isOwn: boolean) => Effect.Effect<Begun, TransactionError>
  /** For one statement at a time, or for one nested transaction. */
  readonly turn: Turn.Turn
  /** A connection for statements of another client, if a transaction of that client is open around this one. */
  around: ((identity: Identity) => Connection | undefined) | undefined
  stage: Stage
  /** Why it could not begin, the last time it was tried. */
  refused: TransactionError | undefined
  /** The nested transaction that has the turn. */
  nested: NestedTransaction | undefined
  savepoints: number
  /** Those that have ended well and were not released: how many, and the outermost, whose release is that of all. */
  left: { readonly count: number; readonly first: string }
  /** Whether somebody has set savepoints of his own: then none is left any more, and none released that was left. */
  hasForeign: boolean
  /** Whether only statements of the engine's own still come. */
  isConcluding: boolean
  /** What is done when it is over, however it ended and its connection is free again. */
  readonly behind: Array<Effect.Effect<unknown>>
}

/**
 * A transaction inside of this one, as far as it has to be known here: the turn that its statements take.
 *
 * @internal
 */
export interface NestedTransaction {
  readonly turn: Turn.Turn
}

/** @internal */
export type Restore = Turn.Restore

/** @internal */
export const make = (identity: Identity, begin: OpenTransaction["begin"]): OpenTransaction => ({
  identity,
  begin,
  turn: Turn.make(),
  around: undefined,
  stage: WAITING,
  refused: undefined,
  nested: undefined,
  savepoints: 0,
  left: NONE_LEFT,
  hasForeign: false,
  isConcluding: false,
  behind: []
})

/** @internal */
export const isBegun = (transaction: OpenTransaction): boolean => transaction.stage._tag === "Begun"

/**
 * Whether no statement was tried in it, not even by somebody who still waits for the connection, and nothing is to be done
 * behind it.
 *
 * @internal
 */
export const isUnused = ({ behind, refused, stage, turn }: OpenTransaction): boolean =>
  stage._tag === "Waiting" && refused === undefined && behind.length === 0 && !turn.taken

/** @internal */
export const isOver = (transaction: OpenTransaction): boolean => transaction.stage._tag === "Over"

/**
 * The connection, on which the transaction has begun by then. A begin that was refused has done nothing, so the next
 * statement tries it again.
 *
 * @internal
 */
export const begun = (transaction: OpenTransaction): Effect.Effect<Connection, TransactionError> =>
  Effect.suspend(() =>
    transaction.stage._tag === "Begun" ? Effect.succeed(transaction.stage.connection) : begin(transaction)
  )

/**
 * Uses the connection while no other statement and no nested transaction does.
 *
 * @internal
 */
export const use = <A>(
  transaction: OpenTransaction,
  f: (connection: Connection) => Effect.Effect<A, SqlError>
): Effect.Effect<A, SqlError> =>
  Turn.during(
    transaction.turn,
    () => stuck(transaction),
    (restore) =>
      restore(
        transaction.stage._tag === "Begun"
          ? f(transaction.stage.connection)
          : Effect.flatMap(Effect.mapError(begin(transaction), asSqlError), f)
      )
  )

/**
 * Takes the turn for a nested transaction, until `returnTurn`. Only the waiting can be interrupted.
 *
 * @internal
 */
export const takeTurn = (
  transaction: OpenTransaction,
  nested: NestedTransaction,
  restore: Restore
): Effect.Effect<void, SqlError> =>
  Effect.map(restore(Turn.take(transaction.turn, () => stuck(transaction))), () => {
    transaction.nested = nested
    nested.turn.givenAt = performance.now()
  })

/**
 * The same at once: gives the connection, or nothing where somebody has the turn or where it has not begun.
 *
 * @internal
 */
export const takeFreeTurn = (transaction: OpenTransaction, nested: NestedTransaction): Connection | undefined => {
  const { stage, turn } = transaction
  if (turn.taken || stage._tag !== "Begun") {
    return undefined
  }
  turn.taken = true
  transaction.nested = nested
  nested.turn.givenAt = performance.now()
  return stage.connection
}

/** @internal */
export const returnTurn = (transaction: OpenTransaction): void => {
  transaction.nested = undefined
  Turn.give(transaction.turn)
}

/**
 * Looks at a statement that somebody runs in it, whether it sets a savepoint. Savepoints lie in each other: the end of one that
 * lies around those that were left would take them along, and the release of these would take along one that lies inside.
 *
 * @internal
 */
export const notice = (transaction: OpenTransaction, sql: string): void => {
  if (!transaction.hasForeign && FOREIGN_SAVEPOINT.test(sql)) {
    transaction.hasForeign = true
  }
}

/**
 * Whether a savepoint that ends well now may be left.
 *
 * @internal
 */
export const mayLeave = ({ hasForeign }: OpenTransaction): boolean => !hasForeign

/**
 * Leaves a savepoint that has ended well, instead of a round trip for each: the end of the transaction releases it.
 *
 * @internal
 */
export const leaveSavepoint = (transaction: OpenTransaction, name: string): void => {
  const { count, first } = transaction.left
  transaction.left = { count: count + 1, first: count === 0 ? name : first }
}

/**
 * The savepoint that has to be released before the next one, if so many were left that the database would feel them: they lie
 * in each other.
 *
 * @internal
 */
export const savepointToRelease = (transaction: OpenTransaction): string | undefined => {
  const { hasForeign, left: { count, first } } = transaction
  if (count < MOST_LEFT || hasForeign) {
    return undefined
  }
  transaction.left = NONE_LEFT
  return first
}

/**
 * The end of what ran in it: commits, or rolls back. The failure of the body is kept, unless it comes from a begin that
 * was refused: then that is what went wrong.
 *
 * @internal
 */
export const end = <A, E>(
  transaction: OpenTransaction,
  exit: Exit.Exit<A, E>
): Effect.Effect<A, E | TransactionError> =>
  Effect.suspend(() => {
    const { behind, nested, refused, stage } = transaction
    transaction.stage = OVER
    if (stage._tag !== "Begun") {
      return refused !== undefined && Exit.isFailure(exit) && !Cause.isInterrupted(exit.cause)
        ? Effect.zipRight(isOutOfReach(refused.cause) ? sayLost : Effect.void, Effect.fail(refused))
        : exit
    }
    const { connection, lost, release } = stage
    const committed = Effect.onError(checked(stage.commit), () => rollback(connection))
    const ended = Exit.isFailure(exit)
      ? Effect.zipRight(rollback(connection), exit)
      : nested !== undefined
      ? Effect.zipRight(rollback(connection), Effect.fail(leftOpen()))
      : Effect.zipRight(committed, exit)
    const explained = lost === undefined ? ended : Effect.catchAllCause(ended, (cause) => {
      const reason = Cause.isInterrupted(cause) ? undefined : lost()
      return reason === undefined ? Effect.failCause(cause) : Effect.fail(reason)
    })
    const told = Effect.onError(
      explained,
      (cause) => !Cause.isInterrupted(cause) && lost?.() === undefined && isCut(connection) ? sayLost : Effect.void
    )
    return Effect.ensuring(
      told,
      behind.length === 0
        ? release
        : Effect.zipRight(release, Effect.suspend(() => Effect.forEach(behind, (effect) => effect, { discard: true })))
    )
  })

/**
 * A connection that runs everything in a transaction, as if it were its own. What is said there is said to `hear` before, unless
 * it has parameters: then it is one statement that does something with them, and sets no savepoint.
 *
 * @internal
 */
export const statements = (
  route: <A>(f: (connection: Connection) => Effect.Effect<A, SqlError>) => Effect.Effect<A, SqlError>,
  raw: () => Connection | undefined,
  hear: (sql: string) => void
): Connection => new Statements(route, raw, hear)

/**
 * Runs a statement where it belongs: in the transaction if it is of its client, and else on its own client.
 *
 * @internal
 */
export const route =
  (transaction: OpenTransaction) =>
  <A>(f: (connection: Connection) => Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
    Effect.withFiberRuntime((fiber) => {
      const owner = ownerOf(fiber) ?? transaction.identity
      return owner === transaction.identity && !isOver(transaction)
        ? use(transaction, f)
        : foreign(transaction, owner, f)
    })

/**
 * Runs a statement of another client.
 *
 * @internal
 */
export const foreign = <A>(
  transaction: OpenTransaction,
  owner: Identity,
  f: (connection: Connection) => Effect.Effect<A, SqlError>
): Effect.Effect<A, SqlError> => {
  const around = transaction.around?.(owner)
  return around !== undefined ? f(around) : elsewhere(owner, (connection) => {
    const holder = rawOf(transaction)
    return Lock.patiently(connection, { holder, millis: BESIDE_MILLIS }, f(connection))
  })
}

/**
 * Says that what follows are the statements with which the engine concludes a transaction of a step. Nothing of the step comes
 * behind them, so if it begins with them, then there is nothing else in the transaction.
 *
 * @internal
 */
export const conclude = (transaction: OpenTransaction): void => {
  transaction.isConcluding = true
}

/** @internal */
export const rawOf = (transaction: OpenTransaction): Connection | undefined =>
  transaction.stage._tag === "Begun" ? transaction.stage.connection : undefined

/**
 * Never fails: the failure that led here says more than that of the rollback. A cancel request that arrives late may hit
 * the first one, and a connection must not go back to the pool inside a transaction.
 *
 * @internal
 */
export const rollback = (connection: Connection): Effect.Effect<void> => {
  const attempt = connection.executeRaw("ROLLBACK", [])
  return Effect.ignore(Silence.bounded(connection, Effect.catchAll(attempt, () => attempt)))
}

/** @internal */
export const asSqlError = (error: TransactionError): SqlError =>
  new SqlError({ cause: error.cause, message: `The transaction of this statement failed in its ${error.phase}` })

/**
 * How long a statement beside a transaction waits for the lock of SQLite: three quarters of the default lease.
 *
 * @internal
 */
export const BESIDE_MILLIS = 22_500

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** A class, as one is made per transaction: literals with a getter would each be of a shape of their own. */
class Statements implements Connection {
  constructor(
    private readonly route: <A>(
      f: (connection: Connection) => Effect.Effect<A, SqlError>
    ) => Effect.Effect<A, SqlError>,
    private readonly raw: () => Connection | undefined,
    private readonly hear: (sql: string) => void
  ) {}
  execute(...[sql, params, transformRows]: Parameters<Connection["execute"]>) {
    return this.said(sql, params, (connection) => connection.execute(sql, params, transformRows))
  }
  executeRaw(...[sql, params]: Parameters<Connection["executeRaw"]>) {
    return this.said(sql, params, (connection) => connection.executeRaw(sql, params))
  }
  executeValues(...[sql, params]: Parameters<Connection["executeValues"]>) {
    return this.said(sql, params, (connection) => connection.executeValues(sql, params))
  }
  executeUnprepared(...[sql, params, transformRows]: Parameters<Connection["executeUnprepared"]>) {
    return this.said(sql, params, (connection) => connection.executeUnprepared(sql, params, transformRows))
  }
  executeStream(...[sql, params, transformRows]: Parameters<Connection["executeStream"]>) {
    return Stream.unwrap(
      this.route((connection) => Effect.succeed(connection.executeStream(sql, params, transformRows)))
    )
  }
  /** The driver's own connection, which those who know it look for under this name. */
  get pg() {
    return (this.raw() as { readonly pg?: unknown } | undefined)?.pg
  }
  private said<A>(
    sql: string,
    params: ReadonlyArray<unknown>,
    f: (connection: Connection) => Effect.Effect<A, SqlError>
  ): Effect.Effect<A, SqlError> {
    if (params.length === 0) {
      this.hear(sql)
    }
    return this.route(f)
  }
}

const MOST_LEFT = 16
const NONE_LEFT = { count: 0, first: "" }

/** Those of the engine have nested transactions neither around them nor inside. */
const FOREIGN_SAVEPOINT = /\bsavepoint\b(?!\s+effect_batch_)/i

const WAITING: Stage = { _tag: "Waiting" }
const OVER: Stage = { _tag: "Over" }

/** Tells who opened the transaction that it may be tried again: the database has nothing against it. */
const sayLost: Effect.Effect<void> = Effect.map(FiberRef.get(CurrentTransaction), (open) => {
  if (open !== undefined) {
    open.isLost = true
  }
})

/** Whether nothing can be said any more over the connection. */
const isCut = (connection: Connection): boolean => {
  const { pg } = connection as { readonly pg?: Silence.RawClient }
  return pg?.connection?.stream?.destroyed === true
}

const begin = (transaction: OpenTransaction): Effect.Effect<Connection, TransactionError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.matchEffect(transaction.begin(restore, transaction.isConcluding), {
      onFailure: (error) => {
        transaction.refused = error
        return Effect.fail(error)
      },
      onSuccess: (stage) => {
        if (isOver(transaction)) {
          return Effect.zipRight(
            Effect.ensuring(rollback(stage.connection), stage.release),
            Effect.fail(Failure.transactionError("begin", new Error("the transaction has ended meanwhile")))
          )
        }
        transaction.stage = stage
        return Effect.succeed(stage.connection)
      }
    })
  )

/** A nested transaction that does nothing for so long waits for the one that waits for it. */
const STUCK_MILLIS = 60_000

/**
 * Why nobody waits for the turn any longer.
 *
 * @internal
 */
export const stuck = ({ nested }: OpenTransaction): SqlError | undefined =>
  nested === undefined || nested.turn.taken || performance.now() - nested.turn.givenAt < STUCK_MILLIS
    ? undefined
    : sideBySide("one waited for another that was open and did nothing")

/**
 * A transaction of `@effect/sql` that must not be.
 *
 * @internal
 */
export const refusal = (why: string): SqlError =>
  new SqlError({
    message: `A transaction was refused: ${why}`,
    cause: new TransactionError({ phase: "begin", reason: "fatal", cause: new Error(why) })
  })

/** @internal */
export const sideBySide = (how: string): SqlError =>
  refusal(
    `nested transactions share one connection and must come one after the other, and here ${how}. Leave out ` +
      "`concurrency`, or wait for each of them before the next one"
  )

const leftOpen = () =>
  new TransactionError({
    phase: "body",
    reason: "fatal",
    cause: new Error(
      "A nested transaction was still open when the one around it came to its end: wait for what is forked inside of a " +
        "transaction"
    )
  })

// PostgreSQL answers COMMIT with ROLLBACK, and no error, when a statement has failed and the failure was swallowed.
const checked = (commit: Effect.Effect<unknown, SqlError>): Effect.Effect<void, TransactionError> =>
  Effect.flatMap(
    Effect.mapError(commit, (error) => Failure.transactionError("commit", error)),
    (result) => isRollback(result) ? Effect.fail(swallowed()) : Effect.void
  )

const isRollback = (result: unknown): boolean =>
  typeof result === "object" && result !== null && (result as { readonly command?: unknown }).command === "ROLLBACK"

const swallowed = () =>
  new TransactionError({
    phase: "commit",
    reason: "fatal",
    cause: new Error(
      "The database rolled the transaction back: a statement in it had failed, and the failure was caught inside of " +
        "the transaction. Let the failure through, or run that statement in a transaction of its own"
    )
  })
