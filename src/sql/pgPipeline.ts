/**
 * A whole transaction of PostgreSQL in one message: `BEGIN`, the statements with their parameters, the rows of a COPY, and
 * `COMMIT`, one behind the other without waiting for answers.
 *
 * When a statement is refused, the server passes over everything behind it, the commit included.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Pipeline, PipelineConnection, Pipelined as AnyPipelined } from "../ports/pipelining.js"
import { lostConnections } from "../ports/Transactor.js"
import { TransactionError } from "../vocabulary/BatchError.js"
import type { Database } from "./database.js"
import * as Database_ from "./database.js"
import * as Failure from "./failure.js"
import * as Open from "./openTransaction.js"
import type { Command, Row } from "./pgQuery.js"
import { ask, isUnknownName, PipelinedQuery, Refused, run, saidBy, speaksProtocol, whenOver } from "./pgQuery.js"
import { classify } from "./sqlState.js"

/**
 * None behind a pooler: PgBouncer waits for ever when one transaction comes behind the COPY of another before that is over.
 *
 * @internal
 */
export const pipeline = (database: Database): Pipeline | undefined =>
  database.dialect.name === "pg" && !database.isPooled && speaksProtocol(database.sql)
    ? { database, connect: () => connect(database) }
    : undefined

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Commands of this database. */
interface Pipelined<out A, out E> extends AnyPipelined<A, E> {
  readonly commands: ReadonlyArray<Command>
  readonly refused: (error: SqlError) => E
  readonly examine?: ((error: SqlError, ask: Ask) => Effect.Effect<E>) | undefined
}

type Ask = (commands: ReadonlyArray<Command>) => Effect.Effect<unknown, SqlError>

const BEGIN: Command = { text: "begin isolation level read committed", parameters: [] }
const COMMIT: Command = { text: "commit", parameters: [] }

/** A connection that is kept for as long as transactions are on their way. */
interface KeptConnection {
  readonly database: Database
  readonly connection: Connection
  readonly scope: Scope.CloseableScope
  readonly since: number
  /** The driver wants to be asked for one thing after the other. */
  readonly turns: Effect.Semaphore
  users: number
  last: PipelinedQuery | undefined
}

/** How long transactions follow each other on a connection before others get it that wait for one, a heartbeat say. */
const STAY_MILLIS = 1000

const connect = (database: Database): PipelineConnection => {
  let open: KeptConnection | undefined
  const enter = (restore: Database_.Restore): Effect.Effect<KeptConnection, SqlError> => {
    if (open !== undefined) {
      open.users++
      return Effect.succeed(open)
    }
    return Effect.flatMap(Scope.make(), (scope) =>
      Database_.acquire(database, scope, restore).pipe(
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
        Effect.map((connection) =>
          open = {
            database,
            connection,
            scope,
            since: performance.now(),
            turns: Effect.unsafeMakeSemaphore(1),
            users: 1,
            last: undefined
          }
        )
      ))
  }
  const leave = (kept: KeptConnection): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (--kept.users > 0) {
        return Effect.void
      }
      open = open === kept ? undefined : open
      return Scope.close(kept.scope, Exit.void)
    })
  return {
    isBusy: () => open?.last?.underWay !== undefined && performance.now() - open.since < STAY_MILLIS,
    transact: (first, last) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.matchEffect(Effect.suspend(() => enter(restore)), {
          onFailure: (error) =>
            Effect.fail(
              error.cause instanceof TransactionError
                ? error.cause
                : markedLost(Failure.transactionError("begin", error), error)
            ),
          onSuccess: (kept) => Effect.ensuring(transact(kept, transactionOf(first, last), restore), leave(kept))
        })
      )
  }
}

interface Transaction<A, E> {
  readonly parts: ReadonlyArray<Pipelined<unknown, E>>
  readonly last: Pipelined<A, E>
}

// Only commands that were made for this database are run through it, and what others make of them is passed on.
const transactionOf = <A, E>(
  first: ReadonlyArray<AnyPipelined<unknown, E>>,
  last: AnyPipelined<A, E>
): Transaction<A, E> => ({
  parts: [...first, last] as ReadonlyArray<unknown> as ReadonlyArray<Pipelined<unknown, E>>,
  last: last as unknown as Pipelined<A, E>
})

const transact = <A, E>(
  kept: KeptConnection,
  { last, parts }: Transaction<A, E>,
  restore: Database_.Restore
): Effect.Effect<A, E | TransactionError> => {
  const inner = parts.flatMap(({ commands }) => commands)
  const commands = [BEGIN, ...inner, COMMIT]
  const first = 1
  const sent = send(kept, commands, restore)
  return Effect.matchEffect(parts.length === 1 ? sent : traced(sent, inner), {
    onSuccess: (rows) => answerOf(last, rows[first + inner.length - 1]),
    onFailure: (error) => Effect.flip(explained(kept, parts, first, error))
  })
}

/** As the statements of a writer are traced that are sent one by one, and those of the repository are not. */
const traced = <A, E>(sent: Effect.Effect<A, E>, [command]: ReadonlyArray<Command>): Effect.Effect<A, E> =>
  Effect.withSpan(sent, "sql.execute", {
    kind: "client",
    captureStackTrace: false,
    attributes: {
      "db.operation.name": command!.rows === undefined ? "execute" : "copy",
      "db.query.text": command!.text
    }
  })

/** A pooler may hand the connection to another server, which does not know the names: from then on there are none. */
const send = (
  kept: KeptConnection,
  commands: ReadonlyArray<Command>,
  restore: Database_.Restore
): Effect.Effect<ReadonlyArray<Row | undefined>, SqlError> =>
  Effect.suspend(() => {
    const { connection, database } = kept
    const { prepares } = database
    const query = new PipelinedQuery(commands, prepares, kept.last)
    kept.last = query
    const rollback = kept.turns.withPermits(1)(
      Effect.suspend(() => Effect.zipRight(whenOver(kept.last!), Open.rollback(connection)))
    )
    return Effect.onError(run(connection, query, restore), () => rollback).pipe(
      Effect.catchAll((error) => {
        if (prepares && error.cause instanceof Refused && isUnknownName(error.cause)) {
          database.prepares = false
          return send(kept, commands, restore)
        }
        return Effect.fail(error)
      })
    )
  })

const answerOf = <A, E>(last: Pipelined<A, E>, row: Row | undefined): Effect.Effect<A, E> => {
  const answer = last.answer(row)
  return Either.isRight(answer) ? Effect.succeed(answer.right) : Effect.fail(answer.left)
}

const explained = <E>(
  kept: KeptConnection,
  parts: ReadonlyArray<Pipelined<unknown, E>>,
  first: number,
  error: SqlError
): Effect.Effect<E | TransactionError> => {
  const { cause: refused } = error
  const said = refused instanceof Refused ? saidBy(refused) : error
  // Everything else was said by a server that has rolled back.
  if (!(refused instanceof Refused) || classify(said).kind === "connection") {
    return Effect.succeed(markedLost(Failure.transactionError("commit", said), said))
  }
  if (refused.index < first) {
    return Effect.succeed(Failure.transactionError("begin", said))
  }
  let end = first
  for (const part of parts) {
    end += part.commands.length
    if (refused.index < end) {
      return part.examine === undefined ? Effect.succeed(part.refused(said)) : part.examine(said, asking(kept))
    }
  }
  return Effect.succeed(Failure.transactionError("commit", said))
}

const markedLost = (error: TransactionError, said: SqlError): TransactionError => {
  if (classify(said).kind === "connection" && classify(said).sqlState !== "25P03") {
    lostConnections.add(error)
  }
  return error
}

/** On the connection of the pipeline, which has rolled back, when nothing is on its way there. */
const asking = (kept: KeptConnection) => (commands: ReadonlyArray<Command>): Effect.Effect<unknown, SqlError> =>
  kept.turns.withPermits(1)(
    Effect.suspend(() => Effect.zipRight(whenOver(kept.last!), ask(kept.connection, commands)))
  )
