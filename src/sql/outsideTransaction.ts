/**
 * Leaving the ambient transaction.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * Runs an effect as if no transaction were open. Statements of *every* client would otherwise run on the connection of
 * the open one, even when that belongs to another database.
 *
 * @internal
 */
export const outsideTransaction = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.mapInputContext(
    effect,
    // The context holds the transaction without saying so in its type.
    (context: Context.Context<R>) =>
      Context.omit(SqlClient.TransactionConnection)(
        context as Context.Context<SqlClient.TransactionConnection | R>
      ) as Context.Context<R>
  )
