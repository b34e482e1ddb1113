/**
 * Named places at which a test can stop the world: fail, interrupt, or kill the process. Outside tests nothing is
 * installed and a place costs one comparison.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

export type Name =
  | "beforeWrite"
  | "afterWrite"
  | "beforeCheckpoint"
  | "afterCommit"
  | "beforeStepEnd"
  | "afterStepEnd"
  | "beforeJobEnd"
  | "afterJobEnd"

export class FaultPoint extends Context.Reference<FaultPoint>()("effect-batch/FaultPoint", {
  defaultValue: (): ((name: Name) => Effect.Effect<void>) | undefined => undefined
}) {}

export const hit = (name: Name): Effect.Effect<void> =>
  Effect.flatMap(FaultPoint, (handler) => handler === undefined ? Effect.void : handler(name))
