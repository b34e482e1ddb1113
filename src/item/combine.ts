/**
 * Readers made of readers: those that keep a part of the position themselves.
 */
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { Json } from "../base/json.js"
import type { UnreadablePosition } from "../vocabulary/BatchError.js"
import type { ItemReader, Page, Position, Source } from "./ItemReader.js"
import * as position_ from "./position.js"
import type { Open } from "./sources.js"
import { page } from "./sources.js"

const inner = Schema.optionalWith(Json, { as: "Option", exact: true })

const ConcatPosition = Schema.Struct({ reader: Schema.Literal(0, 1), position: inner })

const LimitPosition = Schema.Struct({ taken: position_.Count, position: inner })

const IndexPosition = Schema.Struct({ index: position_.Count, position: inner })

/**
 * The second reader is opened when it is needed, and the first one is closed before that.
 *
 * @internal
 */
export const concat = <A, E, R, B, E2, R2>(
  name: string,
  self: ItemReader<A, E, R>,
  that: ItemReader<B, E2, R2>
): Open<A | B, E | E2 | UnreadablePosition, R | R2> => {
  const decode = position_.decode(name, ConcatPosition)
  const readers: readonly [ItemReader<A | B, E | E2, R | R2>, ItemReader<A | B, E | E2, R | R2>] = [self, that]
  return Effect.fnUntraced(function*(from: Option.Option<Position>) {
    const stepScope = yield* Effect.scope
    const stored = yield* decode(from)
    let index = Option.match(stored, { onNone: () => 0 as const, onSome: ({ reader }) => reader })
    let opened = index
    let part = yield* openPart(readers[index], Option.flatMap(stored, ({ position }) => position), stepScope)

    const read = (max: number): Effect.Effect<Page<A | B, E | E2>, E | E2, R | R2> =>
      Effect.map(Effect.suspend(() => part.source.pull(max)), (page) => {
        if (page.done && index === 0) {
          index = 1
          return { ...page, position: { reader: 1 }, done: false }
        }
        return { ...page, position: { reader: index, position: page.position } }
      })
    const moveOn = Effect.suspend(() =>
      Effect.zipRight(
        Scope.close(part.scope, Exit.void),
        Effect.map(openPart(that, Option.none(), stepScope), (next) => {
          part = next
          opened = 1
        })
      )
    )
    return {
      pull: (max: number) => Effect.suspend(() => opened === index ? read(max) : Effect.zipRight(moveOn, read(max)))
    }
  })
}

interface Part<A, E, R> {
  readonly source: Source<A, E, R>
  readonly scope: Scope.CloseableScope
}

const openPart = <A, E, R>(
  reader: ItemReader<A, E, R>,
  position: Option.Option<Position>,
  stepScope: Scope.Scope
): Effect.Effect<Part<A, E, R>, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      Scope.fork(stepScope, ExecutionStrategy.sequential),
      (scope) =>
        restore(Scope.extend(reader.open(position), scope)).pipe(
          Effect.map((source) => ({ source, scope })),
          Effect.onExit((exit) => Exit.isSuccess(exit) ? Effect.void : Scope.close(scope, exit))
        )
    )
  )

/**
 * A bad record behind the last item that may be read belongs to the part that is not read: whether it comes in the
 * page of that item depends on how the reader cuts its pages.
 *
 * @internal
 */
export const limit = <A, E, R>(
  self: ItemReader<A, E, R>,
  count: number
): Open<A, E | UnreadablePosition, R> => {
  const decode = position_.decode(self.name, LimitPosition)
  return (from) =>
    Effect.flatMap(decode(from), (stored) => {
      let taken = Option.match(stored, { onNone: () => 0, onSome: ({ taken }) => taken })
      if (taken >= count) {
        const end = page<A>([], Option.getOrElse(from, () => ({ taken })), true)
        return Effect.succeed<Source<A, E, R>>({ pull: () => Effect.succeed(end) })
      }
      return Effect.map(self.open(Option.flatMap(stored, ({ position }) => position)), (source) => ({
        waits: source.waits,
        independent: source.independent,
        pull: (max) =>
          Effect.map(source.pull(Math.min(max, count - taken)), (page): Page<A, E> => {
            taken += page.items.length
            const full = taken >= count
            return {
              items: page.items,
              position: { taken, position: page.position },
              failure: full ? Option.none() : page.failure,
              done: full || page.done
            }
          })
      }))
    })
}

/** @internal */
export const zipWithIndex = <A, E, R>(
  self: ItemReader<A, E, R>
): Open<readonly [A, number], E | UnreadablePosition, R> => {
  const decode = position_.decode(self.name, IndexPosition)
  return (from) =>
    Effect.flatMap(decode(from), (stored) => {
      let index = Option.match(stored, { onNone: () => 0, onSome: ({ index }) => index })
      return Effect.map(self.open(Option.flatMap(stored, ({ position }) => position)), (source) => ({
        ...source,
        pull: (max) =>
          Effect.map(source.pull(max), (page) => {
            const items = page.items.map((item): readonly [A, number] => [item, index++])
            return { ...page, items, position: { index, position: page.position } }
          })
      }))
    })
}
