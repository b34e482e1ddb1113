/**
 * A transaction that somebody opens with `SqlClient.withTransaction` while one of ours is open.
 *
 * `@effect/sql` would make a savepoint of it in whatever transaction is open, even in one of another database, and would
 * give two that are open side by side the same savepoint. Here it is told of every begin and every end; whose it is shows
 * with its first statement: one of the same client is a savepoint, and has to wait until the one before it has ended;
 * one of another client is a transaction of that client, on a connection of its own.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Identity } from "./client.js"
import { clientOf, isStatement, ownerOf, stripped } from "./client.js"
import { finishing } from "./finishing.js"
import * as Lock from "./lock.js"
import type { OpenTransaction } from "./openTransaction.js"
import * as Open from "./openTransaction.js"
import * as Savepoints from "./savepoints.js"
import { classify } from "./sqlState.js"
import * as Turn from "./turn.js"

/**
 * What stands in the place of the connection.
 *
 * @internal
 */
export class Nested implements Connection {
  private readonly parts = new Map<Identity, Part>()
  /** For one statement at a time. */
  readonly turn = Turn.make()
  private readonly savepoints = Savepoints.make()
  private begin: string | undefined
  private broken: SqlError | undefined
  /**
   * Who could not set the last savepoint. The client goes back to it all the same, and would come to an earlier one of that name:
   * it sets one for each depth, and never releases it.
   */
  private unset: Fiber.RuntimeFiber<any, any> | undefined
  private isOver = false

  // One is made for each transaction of a user's statement, so it makes as little as it can.
  constructor(readonly outer: OpenTransaction) {}

  execute(...[sql, params, transformRows]: Parameters<Connection["execute"]>) {
    return this.run(sql, (connection) => connection.execute(sql, params, transformRows))
  }

  executeRaw(...[sql, params]: Parameters<Connection["executeRaw"]>) {
    return this.run(sql, (connection) => connection.executeRaw(sql, params))
  }

  executeValues(...[sql, params]: Parameters<Connection["executeValues"]>) {
    return this.run(sql, (connection) => connection.executeValues(sql, params))
  }

  executeStream(...[sql, params, transformRows]: Parameters<Connection["executeStream"]>) {
    return Stream.unwrap(
      this.run(sql, (connection) => Effect.succeed(connection.executeStream(sql, params, transformRows)))
    )
  }

  private unprepared(...[sql, params, transformRows]: Parameters<Connection["executeUnprepared"]>) {
    return this.run(sql, (connection) => connection.executeUnprepared(sql, params, transformRows))
  }

  private run<A>(sql: string, f: (connection: Connection) => Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> {
    Open.notice(this.outer, sql)
    return Effect.withFiberRuntime((fiber) => this.statement(ownerOf(fiber) ?? this.outer.identity, fiber, f))
  }

  /** A connection for statements of this client. */
  as(identity: Identity): Connection {
    return Open.statements(
      (f) => Effect.withFiberRuntime((fiber) => this.statement(identity, fiber, f)),
      () => this.parts.get(identity)?.connection,
      (sql) => Open.notice(this.outer, sql)
    )
  }

  /** The client begins, commits, rolls back and makes savepoints by this, as well as running some statements. */
  executeUnprepared(...call: Parameters<Connection["executeUnprepared"]>) {
    return Effect.withFiberRuntime<ReadonlyArray<any>, SqlError>((fiber) => {
      const [sql] = call
      if (isStatement(fiber)) {
        return this.unprepared(...call)
      }
      const place = this.placeOf(fiber)
      return place === undefined
        ? this.control(sql)
        : SAVEPOINT.test(sql)
        ? Effect.as(this.level(sql, place, fiber), [])
        : this.unprepared(...call)
    })
  }

  /** Where in this transaction the fiber is: with the client, outside of it, or at some depth inside. */
  private placeOf(fiber: Fiber.RuntimeFiber<any, any>): Place | undefined {
    const place: unknown = Context.getOrElse(
      fiber.currentContext as Context.Context<SqlClient.TransactionConnection>,
      SqlClient.TransactionConnection,
      () => undefined
    )
    return Array.isArray(place) && place[0] === this ? place as unknown as Place : undefined
  }

  // The end comes after the body, and waits for a statement that was forked in it: what that opens has to end, too.
  private control(sql: string): Effect.Effect<ReadonlyArray<any>, SqlError> {
    if (this.begin === undefined) {
      this.begin = sql
      return NO_ROWS
    }
    return !isRollback(sql) && this.left() ? NO_ROWS : this.alone(() => {
      this.isOver = true
      return Effect.as(isRollback(sql) ? this.undo : this.commit(), [])
    })
  }

  /** Whether it has come to its end without a word to anybody. */
  private left(): boolean {
    const [part, another] = this.parts.values()
    const isSilent = !this.turn.taken && this.broken === undefined && another === undefined &&
      (part === undefined || (part.leave !== undefined && Open.mayLeave(this.outer)))
    if (isSilent) {
      this.isOver = true
      this.parts.clear()
      part?.leave?.()
    }
    return isSilent
  }

  private readonly undo: Effect.Effect<void, SqlError> = Effect.suspend(() => {
    const undone = inTurn(this.parts.values(), (part) => part.rollback)
    this.parts.clear()
    return undone
  })

  private commit(): Effect.Effect<void, SqlError> {
    if (this.broken !== undefined) {
      return Effect.zipRight(this.undo, Effect.fail(this.broken))
    }
    const ended = ([identity, part]: [Identity, Part]) =>
      Effect.suspend(() => {
        this.parts.delete(identity)
        return part.commit
      })
    const parts = [...this.parts]
    const revocable = parts.filter(([, { prepare }]) => prepare !== undefined)
    const final = parts.filter(([, { prepare }]) => prepare === undefined)
    // What can be taken back ends last: another one may refuse to commit.
    const prepared = final.length === 0 ? Effect.void : inTurn(revocable, ([, { prepare }]) => prepare!)
    const committed = Effect.zipRight(prepared, inTurn([...final, ...revocable], ended))
    return Effect.tapErrorCause(committed, () => this.undo)
  }

  private level(sql: string, place: Place, fiber: Fiber.RuntimeFiber<any, any>): Effect.Effect<void, SqlError> {
    return this.alone((restore) => {
      // Its statements are refused.
      if (this.isOver) {
        return Effect.void
      }
      const actor = { place, depth: place[1], fiber }
      const isBack = isRollback(sql)
      const isAllowed = isBack
        ? Savepoints.leave(this.savepoints, actor)
        : Savepoints.enter(this.savepoints, actor)
      const isUnset = isBack && this.unset === fiber
      this.unset = undefined
      if (!isAllowed || isUnset) {
        return isAllowed ? Effect.void : this.refuse()
      }
      const say = ({ connection }: Part) => connection.executeUnprepared(sql, [], undefined)
      return Effect.tapErrorCause(restore(inTurn(this.parts.values(), say)), () =>
        Effect.sync(() => {
          this.unset = fiber
        }))
    })
  }

  private statement<A>(
    owner: Identity,
    fiber: Fiber.RuntimeFiber<any, any>,
    f: (connection: Connection) => Effect.Effect<A, SqlError>
  ): Effect.Effect<A, SqlError> {
    return this.alone((restore) => {
      const place = this.placeOf(fiber)
      if (this.isOver) {
        return place !== undefined && place[1] > 0 ? Effect.fail(outlived()) : restore(this.outside(owner, f))
      }
      if (place !== undefined && !Savepoints.act(this.savepoints, { place, depth: place[1], fiber })) {
        return this.refuse()
      }
      if (this.broken !== undefined) {
        return Effect.fail(this.broken)
      }
      const known = this.parts.get(owner)
      return known !== undefined
        ? restore(f(known.connection))
        : Effect.flatMap(this.part(owner, fiber, restore), ({ connection }) => restore(f(connection)))
    })
  }

  /** Where a statement belongs that outlives it. */
  private outside<A>(owner: Identity, f: (connection: Connection) => Effect.Effect<A, SqlError>) {
    return owner === this.outer.identity && !Open.isOver(this.outer)
      ? Open.use(this.outer, f)
      : Open.foreign(this.outer, owner, f)
  }

  private alone<A>(effect: (restore: Open.Restore) => Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> {
    return Turn.during<A, SqlError, never, never>(this.turn, () => undefined, effect)
  }

  private refuse(): Effect.Effect<never, SqlError> {
    this.broken = Open.sideBySide("two were opened side by side")
    return Effect.fail(this.broken)
  }

  /** Only for regions that cannot be interrupted. */
  private part(
    owner: Identity,
    fiber: Fiber.RuntimeFiber<any, any>,
    restore: Open.Restore
  ): Effect.Effect<Part, SqlError> {
    const opened = owner === this.outer.identity && !Open.isOver(this.outer)
      ? savepoint(this.outer, this, restore)
      : this.outer.around?.(owner) !== undefined
      ? Effect.fail(Open.refusal(`one of its client is open around the one that is open: ${NAME_IT}`))
      : transaction(clientOf(owner, fiber), this.begin ?? "BEGIN", this.outer, restore)
    return Effect.flatMap(opened, (part) => {
      this.parts.set(owner, part)
      const { levels } = this.savepoints
      return levels.length === 0 ? Effect.succeed(part) : Effect.as(
        inTurn(
          levels.keys(),
          (index) => part.connection.executeUnprepared(`SAVEPOINT effect_sql_${index + 1}`, [], undefined)
        ),
        part
      )
    })
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** What takes part in it. */
interface Part {
  readonly connection: Connection
  /** Asks, before others commit that cannot be taken back, whether it could. None of what cannot be taken back itself. */
  readonly prepare: Effect.Effect<void, SqlError> | undefined
  readonly commit: Effect.Effect<void, SqlError>
  /** Does the same where nothing has to be said. */
  readonly leave: (() => void) | undefined
  readonly rollback: Effect.Effect<void>
}

type Place = readonly [connection: Connection, depth: number]

const NO_ROWS: Effect.Effect<ReadonlyArray<any>> = Effect.succeed([])

const SAVEPOINT = /\beffect_sql_\d+$/

const isRollback = (sql: string): boolean => /^rollback/i.test(sql)

const NAME_IT = "run it with SqlTransactor.withClient(client)"

const outlived = (): SqlError =>
  Open.refusal("the one around it has ended already: wait for what is forked inside of a transaction")

// Of one, which is the rule, nothing is left over by this.
const inTurn = <A>(
  all: Iterable<A>,
  f: (one: A) => Effect.Effect<unknown, SqlError>
): Effect.Effect<void, SqlError> => {
  let found: Effect.Effect<unknown, SqlError> | undefined
  for (const one of all) {
    found = found === undefined ? f(one) : Effect.zipRight(found, f(one))
  }
  return found === undefined ? Effect.void : Effect.asVoid(found)
}

// The client of SQLite prepares such a statement, which costs more than running it, before anybody wants it to run.
const saying = (connection: Connection) => (sql: string): Effect.Effect<unknown, SqlError> =>
  Effect.suspend(() => connection.executeUnprepared(sql, [], undefined))

const savepoint = (
  outer: OpenTransaction,
  self: Open.NestedTransaction,
  restore: Open.Restore
): Effect.Effect<Part, SqlError> => {
  const back = () => Open.returnTurn(outer)
  const name = `effect_batch_${++outer.savepoints}`
  const begin = (connection: Connection): Effect.Effect<Part, SqlError> => {
    const say = saying(connection)
    const first = Open.savepointToRelease(outer)
    const begun = say(`SAVEPOINT ${name}`)
    const leave = () => {
      Open.leaveSavepoint(outer, name)
      back()
    }
    return Effect.as(
      first === undefined ? begun : Effect.zipRight(released(say(`RELEASE SAVEPOINT ${first}`)), begun),
      {
        connection,
        prepare: released(say(`SAVEPOINT ${name}_end`)),
        commit: Effect.suspend(() =>
          Open.mayLeave(outer) ? Effect.sync(leave) : finishing(released(say(`RELEASE SAVEPOINT ${name}`)), back)
        ),
        leave,
        rollback: finishing(
          Effect.ignore(Effect.zipRight(say(`ROLLBACK TO SAVEPOINT ${name}`), say(`RELEASE SAVEPOINT ${name}`))),
          back
        )
      }
    )
  }
  const free = Open.takeFreeTurn(outer, self)
  return free !== undefined ? failing(begin(free), back) : Effect.zipRight(
    Open.takeTurn(outer, self, restore),
    failing(Effect.flatMap(Effect.mapError(Open.begun(outer), Open.asSqlError), begin), back)
  )
}

const failing = <A, E>(effect: Effect.Effect<A, E>, finalizer: () => void): Effect.Effect<A, E> =>
  Effect.tapErrorCause(effect, () => Effect.sync(finalizer))

// The lock is taken by the first statement that writes.
const waiting = (connection: Connection, outer: OpenTransaction): Connection =>
  Open.statements(
    (f) => Lock.patiently(connection, { holder: Open.rawOf(outer), millis: Open.BESIDE_MILLIS }, f(connection)),
    () => undefined,
    () => undefined
  )

// A statement that failed, and whose failure was caught, has spoiled the transaction of PostgreSQL: its end will say so.
const released = (release: Effect.Effect<unknown, SqlError>): Effect.Effect<void, SqlError> =>
  Effect.asVoid(Effect.catchIf(release, (error) => classify(error).sqlState === "25P02", () => Effect.void))

const transaction = (
  client: SqlClient.SqlClient | undefined,
  begin: string,
  outer: OpenTransaction,
  restore: Open.Restore
): Effect.Effect<Part, SqlError> =>
  client === undefined ?
    Effect.fail(
      Open.refusal(
        `it belongs to another client than the one that is open, and @effect/sql does not say to which: ${NAME_IT}`
      )
    ) :
    Effect.flatMap(Scope.make(), (scope) => {
      const back = Scope.close(scope, Exit.void)
      return Effect.onError(
        Effect.flatMap(restore(stripped(Scope.extend(client.reserve, scope))), (connection) => {
          const say = saying(connection)
          const undo = Effect.ignore(say("ROLLBACK"))
          // SQLite leaves a transaction open whose commit it refuses.
          const commit = Effect.ensuring(Effect.tapErrorCause(Effect.asVoid(say("COMMIT")), () => undo), back)
          return Effect.as(say(begin), {
            connection: Lock.isSqlite(connection) ? waiting(connection, outer) : connection,
            prepare: undefined,
            commit,
            leave: undefined,
            rollback: Effect.ensuring(undo, back)
          })
        }),
        () => back
      )
    })
