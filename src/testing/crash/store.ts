/**
 * What outlives the runs of a job that are killed: the repository, the time, and the memory of who is dead.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as JobRepository from "../../ports/JobRepository.js"
import * as MemoryDriver from "../../ports/memoryDriver.js"
import { CurrentTransaction, type Transactor } from "../../ports/Transactor.js"
import type { BatchEvent } from "../../vocabulary/BatchEvent.js"
import * as VirtualClock from "./virtualClock.js"

type Repository = Context.Tag.Service<JobRepository.JobRepository>
type Transactions = Context.Tag.Service<Transactor>

export interface Store {
  readonly repository: Repository
  readonly transactor: Transactions
  readonly events: PubSub.PubSub<BatchEvent>
  readonly clock: VirtualClock.VirtualClock
  /** The longest sleep, in milliseconds, that the clock ever leaps over. */
  readonly horizon: number
  /** The names of the lives that were killed. */
  readonly dead: Set<string>
  /** Grows with everything that a life does. */
  activity: number
}

type Outside = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** A part of the engine with a flaw, to see that it is found. */
export interface Flaws {
  /** `outside` runs an effect in a transaction of its own. */
  readonly repository?: ((repository: Repository, outside: Outside) => Repository) | undefined
  readonly transactor?: ((transactor: Transactions) => Transactions) | undefined
}

export const make = (flaws: Flaws): Effect.Effect<Store> =>
  Effect.gen(function*() {
    const { driver, transactor } = yield* MemoryDriver.make
    const repository = JobRepository.makeEncoded(driver)
    const store: Store = {
      repository: flaws.repository?.(repository, Effect.locally(CurrentTransaction, undefined)) ?? repository,
      transactor: flaws.transactor?.(transactor) ?? transactor,
      events: yield* PubSub.sliding<BatchEvent>(1),
      clock: VirtualClock.make({ activity: () => store.activity, horizon: HORIZON }),
      horizon: HORIZON,
      dead: new Set(),
      activity: 0
    }
    return store
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const HORIZON = 1000 * 24 * 60 * 60 * 1000
