/**
 * The types of what the engine runs. A definition is erased when it reaches the engine: items, errors and services of
 * users are opaque here, and only the failures that the engine itself acts upon can be told apart.
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Item, UserError, UserServices } from "../../definition/erased.js"
import type { TransactionError } from "../../vocabulary/BatchError.js"
import type { Fatal } from "../../vocabulary/failure.js"

export type { Item, UserError, UserServices }

/**
 * Why something in a step failed: because no policy may help any more, because of the transaction, or with an error of
 * the user's code.
 */
export type EngineFailure = Fatal | TransactionError | UserError

export type Engine<A, E = EngineFailure> = Effect.Effect<A, E, UserServices | Scope.Scope>
