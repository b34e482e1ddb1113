/**
 * Composition of opened processors. An effect that is already an `Exit` is composed at once, so that a chain of
 * processors costs fiber work only where something really runs.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Filtered, Process } from "./ItemProcessor.js"

/** @internal */
export const mapNow = <A, B, E, R>(self: Effect.Effect<A, E, R>, f: (a: A) => B): Effect.Effect<B, E, R> => {
  if (Exit.isExit(self)) {
    return Exit.isSuccess(self) ? Exit.succeed(f(self.value as A)) : self as Exit.Exit<never, E>
  }
  return Effect.map(self, f)
}

/** @internal */
export const flatMapNow = <A, B, E, R, E2, R2>(
  self: Effect.Effect<A, E, R>,
  f: (a: A) => Effect.Effect<B, E2, R2>
): Effect.Effect<B, E | E2, R | R2> => {
  if (Exit.isExit(self)) {
    return Exit.isSuccess(self) ? f(self.value as A) : self as Exit.Exit<never, E>
  }
  return Effect.flatMap(self, f)
}

/** @internal */
export const compose = <In, Mid, Out, E, R, E2, R2>(
  first: Process<In, Mid, E, R>,
  second: Process<Mid, Out, E2, R2>,
  filtered: Filtered
): Process<In, Out, E | E2, R | R2> => {
  const stopped: Effect.Effect<Filtered> = Exit.succeed(filtered)
  if (second._tag === "Sync") {
    const then = (item: Mid | Filtered): Out | Filtered => item === filtered ? filtered : second.apply(item)
    return first._tag === "Sync"
      ? { _tag: "Sync", apply: (item) => then(first.apply(item)) }
      : { _tag: "Effect", apply: (item) => mapNow(first.apply(item), then) }
  }
  const then = (item: Mid | Filtered): Effect.Effect<Out | Filtered, E2, R2> =>
    item === filtered ? stopped : second.apply(item)
  return {
    _tag: "Effect",
    apply: first._tag === "Sync" ? (item) => then(first.apply(item)) : (item) => flatMapNow(first.apply(item), then)
  }
}

/** @internal */
export const provide =
  <ROut>(context: Context.Context<ROut>) =>
  <In, Out, E, R>(process: Process<In, Out, E, R>): Process<In, Out, E, Exclude<R, ROut>> =>
    process._tag === "Sync" ? process : {
      _tag: "Effect",
      apply: (item) => {
        const output = process.apply(item)
        return Exit.isExit(output) ? output as Exit.Exit<Out | Filtered, E> : Effect.provide(output, context)
      }
    }
