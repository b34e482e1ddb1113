/**
 * The laws behind the `delivery` of an `ItemWriter`, as a check for the tests of your own writers:
 *
 * - nothing remains of a chunk that was rolled back;
 * - a writer that is closed or killed at any moment, and opened again with the state of the last committed chunk,
 *   writes every item exactly once;
 * - it may complete twice, as it does when a step was killed just before its end and is restarted.
 *
 * Of a writer whose delivery is `at-least-once`, only that is checked.
 *
 * @see ITEM-20
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { toStringUnknown } from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Json } from "../base/json.js"
import { seeded } from "../base/random.js"
import { sameValue } from "../base/sameValue.js"
import type { ItemWriter, Sink } from "../item/ItemWriter.js"
import { Transactor } from "../ports/Transactor.js"
import type { TransactionError } from "../vocabulary/BatchError.js"

/**
 * - `items`: what is written; a dozen different ones make enough chunks for everything to happen.
 * - `observe`: what has been written so far, as anybody else would see it.
 * - `expected`: what `observe` returns at the end; by default the items.
 * - `maxPerChunk`: the largest number of items in a chunk. Default 3.
 * - `seed`: what the chunks and the moments of failure are made from. The same seed repeats a check exactly. Default 1.
 * - `equivalence`: when two observed values are the same. By default by structure.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<A, E = never, R = never> {
  readonly items: readonly [A, ...Array<A>]
  readonly observe: Effect.Effect<ReadonlyArray<unknown>, E, R>
  readonly expected?: ReadonlyArray<unknown> | undefined
  readonly maxPerChunk?: number | undefined
  readonly seed?: number | undefined
  readonly equivalence?: ((self: unknown, that: unknown) => boolean) | undefined
}

/**
 * Represents a writer that breaks a law: which one, and what was observed instead of what.
 *
 * @since 0.1.0
 * @category errors
 */
export class WriterLawViolation extends Schema.TaggedError<WriterLawViolation>()("WriterLawViolation", {
  writer: Schema.String,
  law: Schema.String,
  /** What had been done to the writer until then. */
  history: Schema.Array(Schema.String),
  expected: Schema.Unknown,
  got: Schema.Unknown
}) {
  override get message(): string {
    return `The writer "${this.writer}" breaks a law: ${this.law}; expected ${toStringUnknown(this.expected, 0)}, ` +
      `got ${toStringUnknown(this.got, 0)}, after ${this.history.join(", ")}`
  }
}

/**
 * Writes the items in chunks of random size. On the way the writer is rolled back, killed before, in and after a
 * commit, closed, and opened again, each of them at least once and at a random chunk.
 *
 * @example
 * ```ts
 * import { ItemWriter } from "effect-batch"
 * import { WriterLaws } from "effect-batch/testing"
 * import { Effect } from "effect"
 *
 * const out: Array<string> = []
 * const check = WriterLaws.check(ItemWriter.inMemory(out), {
 *   items: ["a", "b", "c"],
 *   observe: Effect.sync(() => out.slice())
 * })
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const check = <A, E, R, E2 = never, R2 = never>(
  writer: ItemWriter<A, E, R>,
  options: Options<A, E2, R2>
): Effect.Effect<void, E | E2 | TransactionError | WriterLawViolation, R | R2 | Transactor> =>
  Effect.gen(function*() {
    const story: Story<A, E2, R2> = {
      ...options,
      exactly: writer.delivery !== "at-least-once",
      same: options.equivalence ?? sameValue,
      state: Option.none(),
      history: [],
      left: plan(options),
      completed: false
    }
    while (!story.completed) {
      yield* session(writer, story)
    }
    yield* finished(writer, story)
    yield* session(writer, story)
    yield* finished(writer, story)
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** What is done with a chunk. All but the commits leave it unwritten, and it is written later. */
type Act =
  | "roll back"
  | "roll back before flush"
  | "kill"
  | "kill before flush"
  | "commit"
  | "commit and kill"
  | "commit and close"

interface Action<A> {
  readonly act: Act
  readonly chunk: ReadonlyArray<A>
}

interface Story<A, E, R> extends Options<A, E, R> {
  readonly exactly: boolean
  readonly same: (self: unknown, that: unknown) => boolean
  readonly history: Array<string>
  /** What the last committed chunk flushed. */
  state: Option.Option<Json>
  left: ReadonlyArray<Action<A>>
  completed: boolean
}

const disturbances: ReadonlyArray<Act> = ["roll back", "roll back before flush", "kill", "kill before flush"]

const plan = <A>(options: Options<A, unknown, unknown>): ReadonlyArray<Action<A>> => {
  const random = seeded(options.seed ?? 1)
  const chunks: Array<ReadonlyArray<A>> = []
  for (let start = 0; start < options.items.length;) {
    const size = 1 + random(options.maxPerChunk ?? 3)
    chunks.push(options.items.slice(start, start + size))
    start += size
  }
  const last = chunks.length - 1
  const disturbed = disturbances.map((act) => ({ act, at: random(chunks.length) }))
  // The last commit is an ordinary one, so that what is rolled back behind it meets a writer that has just committed.
  const killed = random(last)
  const closed = killed + 1 + random(last - 1)
  const actions = chunks.flatMap((chunk, index): ReadonlyArray<Action<A>> => [
    ...disturbed.filter(({ at }) => at === index).map(({ act }) => ({ act, chunk })),
    {
      act: index === killed ? "commit and kill" : index === closed && index < last ? "commit and close" : "commit",
      chunk
    }
  ])
  return [...actions, { act: "roll back", chunk: chunks[last]! }]
}

/** From opening the writer until it is closed or killed. */
const session = <A, E, R, E2, R2>(
  writer: ItemWriter<A, E, R>,
  story: Story<A, E2, R2>
): Effect.Effect<
  void,
  E | E2 | TransactionError | WriterLawViolation,
  Exclude<R | R2 | Transactor | Scope.Scope, Scope.Scope>
> =>
  Effect.scoped(Effect.gen(function*() {
    story.history.push("open")
    const sink = yield* writer.open(Option.map(story.state, (state) => JSON.parse(JSON.stringify(state))))
    while (story.left.length > 0) {
      const [{ act, chunk }, ...left] = story.left as readonly [Action<A>, ...ReadonlyArray<Action<A>>]
      story.left = left
      story.history.push(`${act} (${chunk.length})`)
      yield* perform(act, chunk, sink, writer, story)
      if (act.includes("kill") || act.includes("close")) {
        return
      }
    }
    story.history.push("complete")
    yield* sink.complete ?? Effect.void
    story.completed = true
  }))

const perform = <A, E, R, E2, R2>(
  act: Act,
  chunk: ReadonlyArray<A>,
  sink: Sink<A, E, R>,
  writer: ItemWriter<A, E, R>,
  story: Story<A, E2, R2>
): Effect.Effect<void, E | E2 | TransactionError | WriterLawViolation, R | R2 | Transactor> =>
  Effect.gen(function*() {
    const transactor = yield* Transactor
    const flush = sink.flush === undefined ? Effect.succeedNone : Effect.asSome(sink.flush)
    if (act.startsWith("commit")) {
      story.state = yield* transactor.transact(Effect.zipRight(sink.write(chunk), flush))
      if (act !== "commit and kill") {
        yield* sink.committed ?? Effect.void
      }
      return
    }
    const before = yield* story.observe
    yield* transactor.transact(
      sink.write(chunk).pipe(
        Effect.zipRight(act.endsWith("before flush") ? Effect.void : flush),
        Effect.zipRight(Effect.fail(undo))
      )
    ).pipe(Effect.catchAll((error) => error === undo ? Effect.void : Effect.fail(error)))
    if (act.startsWith("roll back")) {
      yield* sink.rollback ?? Effect.void
      const after = yield* story.observe
      if (story.exactly && !story.same(before, after)) {
        return yield* violation(writer, story, "nothing remains of a chunk that was rolled back", before, after)
      }
    }
  })

const undo: unique symbol = Symbol.for("effect-batch/testing/WriterLaws/undo")

const finished = <A, E, R, E2, R2>(
  writer: ItemWriter<A, E, R>,
  story: Story<A, E2, R2>
): Effect.Effect<void, E2 | WriterLawViolation, R2> =>
  Effect.flatMap(story.observe, (observed) => {
    const expected: ReadonlyArray<unknown> = story.expected ?? story.items
    if (story.exactly) {
      return story.same(expected, observed)
        ? Effect.void
        : violation(writer, story, "every item is written exactly once", expected, observed)
    }
    return expected.every((item) => observed.some((other) => story.same(item, other)))
      ? Effect.void
      : violation(writer, story, "every item is written at least once", expected, observed)
  })

const violation = <A, E, R, E2, R2>(
  writer: ItemWriter<A, E, R>,
  story: Story<A, E2, R2>,
  law: string,
  expected: unknown,
  got: unknown
): Effect.Effect<never, WriterLawViolation> =>
  Effect.fail(new WriterLawViolation({ writer: writer.name, law, history: story.history.slice(), expected, got }))
