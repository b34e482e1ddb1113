/**
 * Which database the transactions of a transactor are of, for those who must know whether they take part in them.
 *
 * Like the pipelined form of a function, this is known by the function itself: of a transactor that somebody has wrapped,
 * nobody knows it.
 */
import * as Context from "effect/Context"
import { globalValue } from "effect/GlobalValue"
import * as Option from "effect/Option"
import { Transactor } from "./Transactor.js"

type Transact = Transactor["Type"]["transact"]

/** The same object for all who speak to a database through the same client. */
export const withDatabase = (transact: Transact, database: object): Transact => {
  databases.set(transact, database)
  return transact
}

/** Of the transactor among these services; none when it is not known. */
export const databaseIn = (services: Context.Context<never>): object | undefined =>
  Option.getOrUndefined(
    Option.map(
      Context.getOption(services as Context.Context<Transactor>, Transactor),
      ({ transact }) => databases.get(transact)
    )
  )

/** Stands for the tables of a process that nobody else can reach. */
export const MEMORY: object = globalValue("effect-batch/ports/memory", () => ({ name: "memory" }))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const databases = globalValue("effect-batch/ports/databases", () => new WeakMap<Transact, object>())
