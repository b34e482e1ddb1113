/**
 * Transformations of readers that leave the position as it is. They work on whole pages.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { ItemReader, Source } from "./ItemReader.js"
import * as position_ from "./position.js"
import type { Provided } from "./provided.js"
import { contextOf } from "./provided.js"
import type { Open } from "./sources.js"

/** @internal */
export const mapItems = <A, E, R, B>(
  self: ItemReader<A, E, R>,
  f: (items: ReadonlyArray<A>) => ReadonlyArray<B>
): Open<B, E, R> =>
  mapSource(self, (source) => ({
    ...source,
    pull: (max) => Effect.map(source.pull(max), (page) => ({ ...page, items: f(page.items) }))
  }))

/** @internal */
export const mapError = <A, E, R, E2>(self: ItemReader<A, E, R>, f: (error: E) => E2): Open<A, E2, R> => (from) =>
  Effect.mapBoth(self.open(from), {
    onFailure: f,
    onSuccess: (source) => ({
      ...source,
      pull: (max) =>
        Effect.mapBoth(source.pull(max), {
          onFailure: f,
          onSuccess: (page) => ({ ...page, failure: Option.map(page.failure, f) })
        })
    })
  })

/** @internal */
export const provide = <A, E, R, ROut, E2, RIn>(
  self: ItemReader<A, E, R>,
  provided: Provided<ROut, E2, RIn>
): Open<A, E | E2, RIn | Exclude<R, ROut>> =>
(from) =>
  Effect.flatMap(contextOf(provided), (context) => {
    // The Scope of the step is never among what is provided.
    const opened = Effect.provide(self.open(from), context) as Effect.Effect<
      Source<A, E, R>,
      E,
      Exclude<R, ROut> | Scope.Scope
    >
    return Effect.map(opened, (source): Source<A, E, Exclude<R, ROut>> => ({
      ...source,
      pull: (max) => Effect.provide(source.pull(max), context)
    }))
  })

/** @internal */
export const rename = <A, E, R>(self: ItemReader<A, E, R>, name: string): Open<A, E, R> => (from) =>
  Effect.mapError(self.open(from), (error) => position_.renamed(error, self.name, name))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const mapSource = <A, E, R, B>(
  self: ItemReader<A, E, R>,
  f: (source: Source<A, E, R>) => Source<B, E, R>
): Open<B, E, R> =>
(from) => Effect.map(self.open(from), f)
