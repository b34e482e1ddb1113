/**
 * The types of what the engine runs. A definition is erased when it reaches the engine: items, errors and services of
 * users are opaque here, and only the failures that the engine itself acts upon can be told apart.
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { TransactionError } from "../../vocabulary/BatchError.js"
import type { Fatal } from "../../vocabulary/failure.js"

declare const erased: unique symbol

/** Nothing is known of it; the policies and callbacks of the same definition know its type. */
export type Item = unknown

/** An error of the user's code, for the policies of the step to judge. */
export interface UserError {
  readonly [erased]: "error"
}

/** The services that the user's code asks for. */
export interface UserServices {
  readonly [erased]: "services"
}

/**
 * Why something in a step failed: because no policy may help any more, because of the transaction, or with an error of
 * the user's code.
 */
export type EngineFailure = Fatal | TransactionError | UserError

export type Engine<A, E = EngineFailure> = Effect.Effect<A, E, UserServices | Scope.Scope>
