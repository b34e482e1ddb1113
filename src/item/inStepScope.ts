import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"

/**
 * Runs in the Scope of the step, in a form in which the compiler sees that nothing else is needed.
 *
 * @internal
 */
export const inStepScope = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) => Scope.extend(self, scope))
