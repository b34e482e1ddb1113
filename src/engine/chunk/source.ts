/**
 * The opened reader of a chunk step, which can be opened anew at another position.
 */
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { ItemReader, Position, Source } from "../../item/ItemReader.js"
import type { Engine, Item, UserError, UserServices } from "../step/engine.js"

export type OpenSource = Source<Item, UserError, UserServices>

export interface ChunkSource {
  /** The source that is open now. */
  readonly current: () => OpenSource
  /** Closes it, and opens it at a position. */
  readonly reopen: (from: Option.Option<Position>) => Engine<void>
}

/** Opens the reader; it is closed with the scope of the step, or before that when it is opened anew. */
export const open = (
  reader: ItemReader<Item, UserError, UserServices>,
  from: Option.Option<Position>
): Engine<ChunkSource> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const openAt = (
      from: Option.Option<Position>
    ): Engine<{ readonly source: OpenSource; readonly scope: Scope.CloseableScope }> =>
      Effect.gen(function*() {
        const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
        return { scope: own, source: yield* Scope.extend(reader.open(from), own) }
      })
    let opened = yield* openAt(from)
    return {
      current: () => opened.source,
      reopen: (from) =>
        Effect.gen(function*() {
          yield* Scope.close(opened.scope, Exit.void)
          opened = yield* openAt(from)
        })
    }
  })
