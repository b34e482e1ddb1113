/**
 * Readers over collections and pages.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Json } from "../base/json.js"
import { UnreadablePosition } from "../vocabulary/BatchError.js"
import type { Page, Position, Source } from "./ItemReader.js"
import * as position_ from "./position.js"

/** @internal */
export type Open<A, E, R> = (from: Option.Option<Position>) => Effect.Effect<Source<A, E, R>, E, R | Scope.Scope>

/** @internal */
export const page = <A>(items: ReadonlyArray<A>, position: Position, done: boolean): Page<A> => ({
  items,
  position,
  failure: Option.none(),
  done
})

/** @internal */
export const iterable = <A>(name: string, items: Iterable<A>): Open<A, UnreadablePosition, never> => {
  const decode = position_.decode(name, position_.Count)
  return (from) =>
    Effect.flatMap(decode(from), (count) => {
      const start = Option.getOrElse(count, () => 0)
      if (!Array.isArray(items)) {
        return fromIterator(name, items, start)
      }
      return start <= items.length
        ? Effect.succeed(fromArray<A>(items, start))
        : position_.shortened(name, start, items.length)
    })
}

const fromArray = <A>(items: ReadonlyArray<A>, start: number): Source<A> => {
  let count = start
  return {
    waits: false,
    independent: true,
    pull: (max) =>
      Effect.sync(() => {
        const taken = items.slice(count, count + max)
        count += taken.length
        return page(taken, count, count >= items.length)
      }),
    progress: () => ({ done: Math.min(count, items.length), total: items.length })
  }
}

const fromIterator = <A>(
  name: string,
  items: Iterable<A>,
  start: number
): Effect.Effect<Source<A>, UnreadablePosition, Scope.Scope> =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.sync(() => items[Symbol.iterator]()),
      (iterator) => Effect.sync(() => iterator.return?.())
    ),
    (iterator) => {
      const skipped = skip(iterator, start)
      if (skipped < start) {
        return position_.shortened(name, start, skipped)
      }
      let count = start
      let ended = false
      return Effect.succeed<Source<A>>({
        waits: false,
        pull: (max) =>
          Effect.sync(() => {
            const taken: Array<A> = []
            while (!ended && taken.length < max) {
              const next = iterator.next()
              if (next.done === true) {
                ended = true
              } else {
                taken.push(next.value)
              }
            }
            count += taken.length
            return page(taken, count, ended)
          })
      })
    }
  )

/** Goes forward by at most `count` items, and tells by how many. */
const skip = (iterator: Iterator<unknown>, count: number): number => {
  for (let skipped = 0; skipped < count; skipped++) {
    if (iterator.next().done === true) {
      return skipped
    }
  }
  return count
}

/** @internal */
export interface PagedOptions<A, E, R, Cursor, I extends Json> {
  readonly cursor: Schema.Schema<Cursor, I>
  readonly initial: Cursor
  readonly fetch: (cursor: Cursor, max: number) => Effect.Effect<
    {
      readonly items: ReadonlyArray<A>
      readonly next: Option.Option<Cursor>
    },
    E,
    R
  >
}

/**
 * In the middle of a page the position also holds the `max` that the page was fetched with: fetching it again with
 * the same arguments gives the same page.
 *
 * @internal
 */
export const paged = <A, E, R, Cursor, I extends Json>(
  name: string,
  options: PagedOptions<A, E, R, Cursor, I>
): Open<A, E | UnreadablePosition, R> => {
  const decode = position_.decode(
    name,
    Schema.Struct({
      cursor: options.cursor,
      within: Schema.optionalWith(
        Schema.Struct({
          max: position_.Count,
          offset: position_.Count,
          size: Schema.optionalWith(position_.Count, { exact: true })
        }),
        { exact: true }
      )
    })
  )
  const encodeCursor = position_.encode(options.cursor)
  return (from) =>
    Effect.map(decode(from), (stored) => {
      let { cursor, within = undefined }: Bookmark<Cursor> = Option.getOrElse(
        stored,
        () => ({ cursor: options.initial })
      )
      let fetched: Fetched<A, Cursor> | undefined = undefined
      const deliver = ({ items, max: fetchedWith, next }: Fetched<A, Cursor>, max: number): Page<A> => {
        const start = within?.offset ?? 0
        const taken = items.slice(start, start + max)
        const offset = start + taken.length
        const done = offset >= items.length && Option.isNone(next)
        if (offset >= items.length && Option.isSome(next)) {
          cursor = next.value
          within = undefined
          fetched = undefined
          return page(taken, { cursor: encodeCursor(cursor) }, false)
        }
        within = { max: fetchedWith, offset, size: items.length }
        return page(taken, { cursor: encodeCursor(cursor), within }, done)
      }
      return {
        pull: (max) =>
          Effect.suspend(() => {
            if (fetched !== undefined) {
              return Effect.succeed(deliver(fetched, max))
            }
            const fetchWith = within?.max ?? max
            return Effect.flatMap(options.fetch(cursor, fetchWith), ({ items, next }) => {
              const known = within?.size ?? within?.offset ?? 0
              if (items.length < known) {
                return shrunk(name, known, items.length)
              }
              fetched = { items, max: fetchWith, next }
              return Effect.succeed(deliver(fetched, max))
            })
          })
      }
    })
}

interface Bookmark<Cursor> {
  readonly cursor: Cursor
  /** How many items of a page were read, and how many it had: unknown where version 0.1 stored it. */
  readonly within?: { readonly max: number; readonly offset: number; readonly size?: number } | undefined
}

const shrunk = (reader: string, before: number, now: number): Effect.Effect<never, UnreadablePosition> =>
  Effect.fail(
    new UnreadablePosition({
      reader,
      detail: `the page that it was reading had ${before} items, and has only ${now} now`,
      advice:
        "let it give the same page for the same cursor and restart, or abandon the execution and run the job with " +
        "another identifying parameter"
    })
  )

interface Fetched<A, Cursor> {
  readonly items: ReadonlyArray<A>
  readonly max: number
  readonly next: Option.Option<Cursor>
}
