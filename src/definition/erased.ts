/**
 * What the engine knows of a definition: nothing of its items, errors and services but that they belong together. The
 * public types of the definition have checked that they fit before it was erased.
 */
import type * as Effect from "effect/Effect"

declare const erased: unique symbol

/** Nothing is known of it; the policies and callbacks of the same definition know its type. */
export type Item = unknown

/** An error of the user's code, for the policies of the step to judge. */
export interface UserError {
  readonly [erased]: "error"
}

/** The services that the user's code asks for, which the caller of the job provides. */
export interface UserServices {
  readonly [erased]: "services"
}

/** Something that the engine runs around code of the user. Its failures are only reported, so their type does not matter. */
export type Erased<A, E = unknown, R = never> = Effect.Effect<A, E, UserServices | R>
