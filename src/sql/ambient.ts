/**
 * The transaction that is open in a fiber: the one place that knows the tag which all clients of `@effect/sql` share for it.
 *
 * What stands in that tag while one of our transactions is open looks like a connection and is none: it asks of each
 * statement whose it is, and sends it to its own client.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import type { Identity } from "./client.js"
import { noteAsker, noting } from "./client.js"
import { locally } from "./finishing.js"
import { Nested } from "./nested.js"
import type { OpenTransaction } from "./openTransaction.js"
import * as Open from "./openTransaction.js"

/**
 * What is open: nothing, a transaction of ours, or one that a client has opened without us.
 *
 * @internal
 */
export type Ambient =
  | { readonly _tag: "None" }
  | {
    readonly _tag: "Ours"
    readonly transaction: OpenTransaction
    /** A connection for statements of a client, if the transaction is one of that client. */
    readonly connection: (identity: Identity) => Connection | undefined
  }
  | { readonly _tag: "Theirs"; readonly connection: Connection }

/** @internal */
export const of = (fiber: Fiber.RuntimeFiber<any, any>): Ambient => {
  const value: unknown = Context.getOrElse(
    fiber.currentContext as Context.Context<SqlClient.TransactionConnection>,
    SqlClient.TransactionConnection,
    () => undefined
  )
  if (value === undefined) {
    return NONE
  }
  return value instanceof Place ? ofPlace(value.transaction) : ofConnection((value as readonly [Connection])[0])
}

/** @internal */
export const ambient: Effect.Effect<Ambient> = Effect.withFiberRuntime((fiber) => Effect.succeed(of(fiber)))

/**
 * Runs the effect in the transaction. Only for regions that cannot be interrupted; the effect may restore what was before.
 *
 * @internal
 */
export const within = <A, E, R>(transaction: OpenTransaction, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => {
    const around = of(fiber)
    transaction.around = around._tag === "Ours" ? around.connection : undefined
    const place = new Place(transaction) as unknown as readonly [Connection, number]
    return locally(
      noting(effect),
      FiberRef.currentContext,
      Context.add(fiber.currentContext, SqlClient.TransactionConnection, place)
    )
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const NONE: Ambient = { _tag: "None" }

/**
 * What `@effect/sql` takes for the pair of a connection and a depth. Its statements take the pair apart, whereas a nested
 * transaction asks for the connection alone, and finds the depth at which a transaction begins and ends aloud.
 */
class Place {
  readonly 1 = -1
  private readonly connection: Connection
  constructor(readonly transaction: OpenTransaction) {
    this.connection = Open.statements(
      Open.route(transaction),
      () => Open.rawOf(transaction),
      (sql) => Open.notice(transaction, sql)
    )
  }
  get 0(): Connection {
    return new Nested(this.transaction)
  }
  [Symbol.iterator](): Iterator<unknown> {
    noteAsker()
    return [this.connection, 0][Symbol.iterator]()
  }
}

const ofPlace = (transaction: OpenTransaction): Ambient =>
  Open.isOver(transaction) ? NONE : {
    _tag: "Ours",
    transaction,
    connection: (identity) =>
      identity === transaction.identity
        ? Open.statements((f) => Open.use(transaction, f), () => Open.rawOf(transaction), (sql) =>
          Open.notice(transaction, sql))
        : undefined
  }

const ofConnection = (connection: Connection): Ambient =>
  !(connection instanceof Nested)
    ? { _tag: "Theirs", connection }
    : Open.isOver(connection.outer)
    ? NONE
    : { _tag: "Ours", transaction: connection.outer, connection: (identity) => connection.as(identity) }
