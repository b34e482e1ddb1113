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

/** What happens at a place. */
export type Handler = (name: Name) => Effect.Effect<void>

export class FaultPoint extends Context.Reference<FaultPoint>()("effect-batch/FaultPoint", {
  defaultValue: (): Handler | undefined => undefined
}) {}

/** The handler is looked up once per execution, since the places are passed with every chunk. */
export const hit = ({ faults }: { readonly faults: Handler | undefined }, name: Name): Effect.Effect<void> =>
  faults === undefined ? Effect.void : Effect.suspend(() => faults(name))

/** Lets a test stop the world before and after an effect; it is the effect itself when nothing is installed. */
export const around = <A, E, R>(
  session: { readonly faults: Handler | undefined },
  before: Name | undefined,
  effect: Effect.Effect<A, E, R>,
  after?: Name
): Effect.Effect<A, E, R> => {
  if (session.faults === undefined) {
    return effect
  }
  const begun = before === undefined ? effect : Effect.zipRight(hit(session, before), effect)
  return after === undefined ? begun : Effect.zipLeft(begun, hit(session, after))
}
