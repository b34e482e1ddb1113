/**
 * Whose statement is running: what tells the statements of one client from those of another, even when they stand in the
 * transaction of the other one.
 *
 * Every statement of `@effect/sql` asks its own client for a connection, and that request is the same object for all
 * statements of a client, with name transforms and without. The statement transformer of the fiber, a public hook, sees each
 * statement before that, and so it can note for the connection who is asking. Where somebody has put a transformer of
 * their own in that place, whoever asks is found on the stack of the fiber, where the request is being carried out; and
 * where that does not show either, the `SqlClient` of the fiber counts.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import * as Statement from "@effect/sql/Statement"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { globalValue } from "effect/GlobalValue"
import * as Option from "effect/Option"
import { locally } from "./finishing.js"

/**
 * How a client gives its statements a connection; always the same object for the same client.
 *
 * @internal
 */
export type Identity = Connection.Acquirer

/** @internal */
export const identityOf = (client: SqlClient.SqlClient): Identity => {
  const known = identities.get(client)
  if (known !== undefined) {
    return known
  }
  const { acquirer } = client.unsafe("") as { readonly acquirer?: unknown }
  const identity = Effect.isEffect(acquirer) ? acquirer as Identity : client.reserve
  identities.set(client, identity)
  return identity
}

/**
 * The client of a statement, if it is that of the fiber or one that this library has met before.
 *
 * @internal
 */
export const clientOf = (
  identity: Identity,
  fiber: Fiber.RuntimeFiber<any, any>
): SqlClient.SqlClient | undefined => {
  const client = contextual(fiber)
  return client !== undefined && identityOf(client) === identity ? client : met.get(identity)
}

/**
 * Remembers a client, so that its transactions can be told apart wherever it is used.
 *
 * @internal
 */
export const meet = (client: SqlClient.SqlClient): void => {
  met.set(identityOf(client), client)
}

/**
 * Lets the statements of the effect be known by their clients. Only for regions that cannot be interrupted.
 *
 * @internal
 */
export const noting = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => {
    const current = fiber.getFiberRef(Statement.currentTransformer)
    return isNoting(current)
      ? effect
      : locally(effect, Statement.currentTransformer, Option.some(noter(Option.getOrUndefined(current))))
  })

/**
 * Lets each statement of the effect become another one, which its client runs in its place: at once if that is `known`, and
 * else when it is `found`, on which statements may be run.
 *
 * @internal
 */
export const transforming = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  { found, known }: {
    readonly known: (statement: Statement.Statement<unknown>) => Statement.Statement<unknown> | undefined
    readonly found: (
      statement: Statement.Statement<unknown>
    ) => Effect.Effect<Statement.Statement<unknown>, SqlError>
  }
): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => {
    const before = fiber.getFiberRef(Statement.currentTransformer)
    const isAlone = !isTransforming(fiber)
    const transformer = register((statement, sql, refs, span) => {
      const now = isAlone ? known(statement) : undefined
      if (now !== undefined) {
        return note(now)
      }
      const first = before._tag === "None"
        ? Effect.succeed(statement)
        : before.value(statement, sql, refs, span)
      // Statements that run meanwhile are not transformed, and the fiber is asked who is asking once more. The type of a
      // transformer says that it does not fail; its statement does.
      return Effect.locally(Effect.flatMap(first, found), Statement.currentTransformer, before).pipe(
        Effect.flatMap(note)
      ) as Effect.Effect<Statement.Statement<unknown>>
    })
    return Effect.locally(effect, Statement.currentTransformer, Option.some(transformer))
  })

/**
 * Whether the fiber's statements pass a transformer of somebody else's before they run.
 *
 * @internal
 */
export const isTransforming = (fiber: Fiber.RuntimeFiber<any, any>): boolean => {
  const transformer = fiber.getFiberRef(Statement.currentTransformer)
  return Option.isSome(transformer) && transformer.value !== plain
}

/**
 * The client of the statement that the fiber is running, if that can be known. What is asked twice is known once.
 *
 * @internal
 */
export const ownerOf = (fiber: Fiber.RuntimeFiber<any, any>): Identity | undefined => {
  const asking = askers.get(fiber)
  askers.delete(fiber)
  if (asking !== undefined) {
    return asking
  }
  const client = contextual(fiber)
  return client === undefined ? undefined : identityOf(client)
}

/**
 * Notes who is asking, while a connection is being asked for where no transformer of ours has seen the statement.
 *
 * @internal
 */
export const noteAsker = (): void => {
  const fiber = Option.getOrUndefined(Fiber.getCurrentFiber())
  if (fiber === undefined || isNoting(fiber.getFiberRef(Statement.currentTransformer))) {
    return
  }
  const stack: unknown = (fiber as { readonly _stack?: unknown })._stack
  const frame: unknown = Array.isArray(stack) ? stack.at(-1) : undefined
  // What waits for the connection has asked for it with this very effect.
  const asking = (frame as { readonly effect_instruction_i0?: unknown } | undefined)?.effect_instruction_i0
  if (Effect.isEffect(asking)) {
    askers.set(fiber, asking as Identity)
  } else {
    askers.delete(fiber)
  }
}

/**
 * Whether the fiber is running a statement, and not something that a client does by itself.
 *
 * @internal
 */
export const isStatement = (fiber: Fiber.RuntimeFiber<any, any>): boolean => askers.get(fiber) !== undefined

/**
 * Runs an effect as if no transaction were open. Its statements were noted, but nobody there asks whose they are: the next one
 * that does must not take a begin or an end for one of them.
 *
 * @internal
 */
export const stripped = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) =>
    // The context holds the transaction without saying so in its type.
    fiber.currentContext.unsafeMap.has(SqlClient.TransactionConnection.key)
      ? Effect.mapInputContext(
        Effect.ensuring(effect, forgotten),
        (context: Context.Context<R>) =>
          Context.omit(SqlClient.TransactionConnection)(
            context as Context.Context<SqlClient.TransactionConnection | R>
          ) as Context.Context<R>
      )
      : effect
  )

/**
 * Runs something on a connection of a client, outside of any transaction.
 *
 * @internal
 */
export const elsewhere = <A>(
  identity: Identity,
  use: (connection: Connection) => Effect.Effect<A, SqlError>
): Effect.Effect<A, SqlError> => Effect.scoped(Effect.flatMap(stripped(identity), use))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const forgotten: Effect.Effect<void> = Effect.withFiberRuntime((fiber) => {
  askers.delete(fiber)
  return Effect.void
})

const identities = globalValue("effect-batch/sql/identities", () => new WeakMap<SqlClient.SqlClient, Identity>())

const met = globalValue("effect-batch/sql/met", () => new WeakMap<Identity, SqlClient.SqlClient>())

/**
 * Who is asking, by fiber. The last one that asked is nearly always the one that is asked for, and stands apart: to come into a
 * weak map and out of it costs more than all else that is done here for a statement.
 *
 * @internal
 */
export class Askers {
  private last: object | undefined
  private asking: Identity | undefined
  private readonly others = new WeakMap<object, Identity>()
  get(fiber: object): Identity | undefined {
    return this.last === fiber ? this.asking : this.others.get(fiber)
  }
  set(fiber: object, asking: Identity): void {
    if (this.last !== fiber) {
      this.others.delete(fiber)
      if (this.last !== undefined) {
        this.others.set(this.last, this.asking!)
      }
    }
    this.last = fiber
    this.asking = asking
  }
  delete(fiber: object): void {
    if (this.last === fiber) {
      this.last = undefined
      this.asking = undefined
    } else {
      this.others.delete(fiber)
    }
  }
}

const askers = globalValue("effect-batch/sql/askers", () => new Askers())

const contextual = (fiber: Fiber.RuntimeFiber<any, any>): SqlClient.SqlClient | undefined =>
  Context.getOrElse(fiber.currentContext as Context.Context<SqlClient.SqlClient>, SqlClient.SqlClient, () => undefined)

type Transformer = Statement.Statement.Transformer

const noters = globalValue("effect-batch/sql/noters", () => new WeakSet<Transformer>())

const isNoting = (transformer: Option.Option<Transformer>): boolean =>
  Option.isSome(transformer) && noters.has(transformer.value)

const noter = (inner: Transformer | undefined): Transformer => {
  if (inner === undefined) {
    return plain
  }
  // It may run statements of its own before it answers.
  return register((statement, sql, refs, span) => Effect.zipLeft(inner(statement, sql, refs, span), note(statement)))
}

const register = (transformer: Transformer): Transformer => {
  noters.add(transformer)
  return transformer
}

const note = <A extends object>(statement: A): Effect.Effect<A> =>
  Effect.withFiberRuntime((fiber) => {
    const { acquirer } = statement as { readonly acquirer?: unknown }
    if (Effect.isEffect(acquirer)) {
      askers.set(fiber, acquirer as Identity)
    }
    return Effect.succeed(statement)
  })

const plain = register((statement) => note(statement))
