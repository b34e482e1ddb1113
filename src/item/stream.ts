/**
 * Readers over Effect streams.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Json } from "../base/json.js"
import type { UnreadablePosition } from "../vocabulary/BatchError.js"
import type { Page, Position, Source } from "./ItemReader.js"
import * as position_ from "./position.js"
import type { Open } from "./sources.js"
import { page } from "./sources.js"

/** @internal */
export const counted = <A, E, R>(name: string, stream: Stream.Stream<A, E, R>): Open<A, E | UnreadablePosition, R> => {
  const decode = position_.decode(name, position_.Count)
  return (from) =>
    Effect.flatMap(decode(from), (count) =>
      reopening({
        start: Option.getOrElse(count, () => 0),
        open: (count: number) => behind(name, stream, count),
        advance: (count, items) => count + items.length,
        encode: (count) => count
      }))
}

/** @internal */
export interface KeyedOptions<A, E, R, Key, I extends Json> {
  readonly key: Schema.Schema<Key, I>
  readonly open: (from: Option.Option<Key>) => Stream.Stream<A, E, R>
  readonly keyOf: (item: A) => Key
}

/** @internal */
export const keyed = <A, E, R, Key, I extends Json>(
  name: string,
  options: KeyedOptions<A, E, R, Key, I>
): Open<A, E | UnreadablePosition, R> => {
  const decode = position_.decode(
    name,
    Schema.Struct({ after: Schema.optionalWith(options.key, { as: "Option", exact: true }) })
  )
  const encodeKey = position_.encode(options.key)
  return (from) =>
    Effect.flatMap(decode(from), (stored) =>
      reopening({
        start: Option.flatMap(stored, ({ after }) => after),
        open: options.open,
        advance: (_, items) => Option.some(options.keyOf(items[items.length - 1]!)),
        encode: Option.match({ onNone: () => ({}), onSome: (key) => ({ after: encodeKey(key) }) })
      }))
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** The stream without its first items, which it has to have. */
const behind = <A, E, R>(
  name: string,
  stream: Stream.Stream<A, E, R>,
  count: number
): Stream.Stream<A, E | UnreadablePosition, R> => {
  let left = count
  const rest = Stream.mapChunks(stream, (chunk) => {
    const dropped = Math.min(left, chunk.length)
    left -= dropped
    return Chunk.drop(chunk, dropped)
  })
  return Stream.concat(
    rest,
    Stream.suspend(() => left > 0 ? Stream.fail(position_.shortened(name, count, count - left)) : Stream.empty)
  )
}

type Pull<A, E, R> = Effect.Effect<Chunk.Chunk<A>, Option.Option<E>, R>

/**
 * A stream is over after a failure, but a reader has not moved then and may be pulled again. So the stream is opened
 * where the reader is, whenever there is no healthy one, each time in a Scope of its own.
 */
const reopening = <A, E, R, P>(options: {
  readonly start: P
  readonly open: (position: P) => Stream.Stream<A, E, R>
  readonly advance: (position: P, items: ReadonlyArray<A>) => P
  readonly encode: (position: P) => Position
}): Effect.Effect<Source<A, E, R>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (stepScope) => {
    let position = options.start
    let buffer: ReadonlyArray<A> = []
    let used = 0
    let current: Pull<A, E, R> | undefined = undefined

    const open = Effect.uninterruptible(Effect.flatMap(
      Scope.fork(stepScope, ExecutionStrategy.sequential),
      (scope) =>
        Effect.map(Scope.extend(Stream.toPull(options.open(position)), scope), (pull) => {
          current = Effect.onExit(pull, (exit) =>
            Exit.isSuccess(exit)
              ? Effect.void
              : Effect.zipRight(Effect.sync(() => current = undefined), Scope.close(scope, Exit.void)))
          return current
        })
    ))
    const take = (max: number): Page<A> => {
      const items = buffer.slice(used, used + max)
      used += items.length
      if (items.length > 0) {
        position = options.advance(position, items)
      }
      return page(items, options.encode(position), false)
    }
    const more: Pull<A, E, R> = Effect.flatMap(
      Effect.suspend(() => current ?? Effect.flatten(open)),
      (chunk) => Chunk.isEmpty(chunk) ? more : Effect.succeed(chunk)
    )
    return {
      pull: (max) =>
        Effect.suspend(() =>
          used < buffer.length ? Effect.succeed(take(max)) : Effect.matchEffect(more, {
            onSuccess: (chunk) =>
              Effect.sync(() => {
                buffer = Chunk.toReadonlyArray(chunk)
                used = 0
                return take(max)
              }),
            onFailure: Option.match({
              onNone: () => Effect.succeed(page<A>([], options.encode(position), true)),
              onSome: (error) => Effect.fail(error)
            })
          })
        )
    }
  })
