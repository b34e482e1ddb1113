/**
 * What an engine does with a file writer, without the engine: chunks that commit or roll back, lives that end by death.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Json } from "../../src/base/json.js"
import type * as ItemWriter from "../../src/item/ItemWriter.js"

export type Writer<A> = ItemWriter.ItemWriter<A, unknown, FileSystem.FileSystem>

/** What an engine does with one chunk. */
export type Chunk<A> =
  | { readonly _tag: "commit"; readonly items: ReadonlyArray<A> }
  | { readonly _tag: "rollback"; readonly items: ReadonlyArray<A>; readonly flushed: boolean }

export const runChunk = <A>(sink: ItemWriter.Sink<A, unknown, FileSystem.FileSystem>, chunk: Chunk<A>) =>
  Effect.gen(function*() {
    yield* sink.write(chunk.items)
    const state = chunk._tag === "commit" || chunk.flushed ? yield* sink.flush! : null
    if (chunk._tag === "rollback") {
      yield* sink.rollback!
      return Option.none<Json>()
    }
    yield* sink.committed!
    return Option.some(JSON.parse(JSON.stringify(state)) as Json)
  })

/** One life of a step: gives the last committed state; ends by death or by completion. */
export const live = <A>(
  writer: Writer<A>,
  from: Option.Option<Json>,
  chunks: ReadonlyArray<Chunk<A>>,
  ending: "complete" | "die" | ReadonlyArray<A>
) =>
  Effect.scoped(Effect.gen(function*() {
    const sink = yield* writer.open(from)
    const store = Effect.zipLeft(Effect.map(sink.flush!, (state) => JSON.parse(JSON.stringify(state))), sink.committed!)
    let state: Option.Option<Json> = Option.some(yield* store)
    for (const chunk of chunks) {
      const committed = yield* runChunk(sink, chunk)
      state = Option.orElse(committed, () => state)
    }
    if (ending === "complete") {
      state = Option.some(yield* store)
      yield* sink.complete!
    } else if (ending !== "die") {
      // Killed between flush and commit.
      yield* sink.write(ending)
      yield* sink.flush!
    }
    return state
  }))

export const commit = <A>(...items: ReadonlyArray<A>): Chunk<A> => ({ _tag: "commit", items })
