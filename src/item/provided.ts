/**
 * What a component of a step is provided with: built once per step, in its Scope, also when several components of the step
 * are given the same layer.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { globalValue } from "effect/GlobalValue"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"

/** @internal */
export type Provided<ROut, E, RIn> = Context.Context<ROut> | Layer.Layer<ROut, E, RIn>

/** @internal */
export const contextOf = <ROut, E, RIn>(
  provided: Provided<ROut, E, RIn>
): Effect.Effect<Context.Context<ROut>, E, RIn | Scope.Scope> =>
  Context.isContext(provided)
    ? Effect.succeed(provided)
    : Effect.flatMap(Effect.scope, (scope) => contextIn(scope, provided))

/**
 * The same for what runs in a step, or alone in a Scope of its own.
 *
 * @internal
 */
export const provideOnce = <A, E, R, ROut, E2, RIn>(
  effect: Effect.Effect<A, E, R>,
  provided: Provided<ROut, E2, RIn>
): Effect.Effect<A, E | E2, RIn | Exclude<R, ROut>> =>
  Effect.contextWithEffect((context: Context.Context<never>) => {
    const run = (scope: Scope.Scope) =>
      Effect.flatMap(Scope.extend(contextOf(provided), scope), (context) => Effect.provide(effect, context))
    const scope = Context.getOption(context as Context.Context<Scope.Scope>, Scope.Scope)
    return scope._tag === "Some" ? run(scope.value) : Effect.scoped(Effect.flatMap(Effect.scope, run))
  }) as Effect.Effect<A, E | E2, RIn | Exclude<R, ROut>>

/**
 * Whether a SQL client is among what is provided; of a layer nobody knows before it is built.
 *
 * @internal
 */
export const mayChangeClient = (provided: Provided<any, any, any>): boolean =>
  !Context.isContext(provided) || Option.isSome(Context.getOption(provided, SqlClient))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** The tag of `@effect/sql`, which is not needed for anything else here. */
const SqlClient = Context.GenericTag<unknown>("@effect/sql/SqlClient")

interface Built {
  readonly memo: Layer.MemoMap
  readonly contexts: Map<object, Context.Context<any>>
}

const scopes = globalValue("effect-batch/item/provided", () => new WeakMap<Scope.Scope, Built>())

const builtIn = (scope: Scope.Scope): Effect.Effect<Built> =>
  Effect.suspend(() => {
    const known = scopes.get(scope)
    return known !== undefined ? Effect.succeed(known) : Effect.map(Layer.makeMemoMap, (memo) => {
      const built: Built = scopes.get(scope) ?? { memo, contexts: new Map() }
      scopes.set(scope, built)
      return built
    })
  })

const contextIn = <ROut, E, RIn>(
  scope: Scope.Scope,
  layer: Layer.Layer<ROut, E, RIn>
): Effect.Effect<Context.Context<ROut>, E, RIn> =>
  Effect.flatMap(builtIn(scope), ({ contexts, memo }) => {
    const known = contexts.get(layer)
    return known !== undefined ? Effect.succeed(known) : Effect.tap(
      Layer.buildWithMemoMap(layer, memo, scope),
      (context) => Effect.sync(() => contexts.set(layer, context))
    )
  })
