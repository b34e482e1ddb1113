/**
 * The law that every `ItemReader` keeps, as a check for the tests of your own readers: opened at any position that it
 * ever returned, a reader returns exactly the items and bad records that would have followed.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { toStringUnknown } from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as json from "../base/json.js"
import { seeded } from "../base/random.js"
import { sameValue } from "../base/sameValue.js"
import type { ItemReader, Page, Position } from "../item/ItemReader.js"

/**
 * - `maxPerPull`: the largest number of items requested at once. Default 7.
 * - `maxReads`: the number of pulls after which a reader counts as endless. Default 10 000.
 * - `seed`: what the sizes of the pulls are made from. The same seed repeats a check exactly. Default 1.
 * - `equivalence`: when two items, or two errors, are the same. By default by structure.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly maxPerPull?: number | undefined
  readonly maxReads?: number | undefined
  readonly seed?: number | undefined
  readonly equivalence?: ((self: unknown, that: unknown) => boolean) | undefined
}

/**
 * Represents a reader that breaks a law: which one, at which position, and what came instead of what.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReaderLawViolation extends Schema.TaggedError<ReaderLawViolation>()("ReaderLawViolation", {
  reader: Schema.String,
  law: Schema.String,
  /** Where the reader was opened; absent for the beginning. */
  position: Schema.optional(Schema.Unknown),
  expected: Schema.Unknown,
  got: Schema.Unknown
}) {
  override get message(): string {
    const from = this.position === undefined ? "the beginning" : `position ${toStringUnknown(this.position, 0)}`
    return `The reader "${this.reader}", opened at ${from}, breaks a law: ${this.law}; ` +
      `expected ${toStringUnknown(this.expected, 0)}, got ${toStringUnknown(this.got, 0)}`
  }
}

/**
 * Reads all items in pulls of random size, then opens the reader at every position it returned, reads the rest, and
 * compares. Positions that only come up on the way are checked as well, and all of them pass through JSON text, as they
 * do when they are stored.
 *
 * The reader has to be finite, and is read about as often as it has items: give it a few dozen of them. A failure of
 * the source itself is the failure of the check.
 *
 * @example
 * ```ts
 * import { ItemReader } from "effect-batch"
 * import { ReaderLaws } from "effect-batch/testing"
 *
 * const check = ReaderLaws.check(ItemReader.fromIterable(["a", "b", "c"]))
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const check = <A, E, R>(
  reader: ItemReader<A, E, R>,
  options: Options = {}
): Effect.Effect<void, E | ReaderLawViolation, R> =>
  Effect.gen(function*() {
    const same = options.equivalence ?? sameValue
    const settings: Settings = {
      random: seeded(options.seed ?? 1),
      maxPerPull: options.maxPerPull ?? 7,
      maxReads: options.maxReads ?? 10_000
    }
    const all = yield* readAll(reader, undefined, settings)
    const seen = new Set<string>()
    const visit = (positions: ReadonlyArray<At>) => {
      // One position in two places breaks the law, so it is looked at in both.
      const fresh = positions.filter(({ index, key }) => !seen.has(`${index} ${key}`))
      fresh.forEach(({ index, key }) => seen.add(`${index} ${key}`))
      return fresh
    }
    const compare = (from: At | undefined) =>
      Effect.gen(function*() {
        const skipped = from?.index ?? 0
        const rest = yield* readAll(reader, from, settings)
        const expected = all.events.slice(skipped)
        if (!sameEvents(rest.events, expected, same)) {
          return yield* violation(reader, "the rest of the items is the same", from, expected, rest.events)
        }
        return visit(rest.positions.map((at) => ({ ...at, index: at.index + skipped })))
      })
    let pending: ReadonlyArray<At> = visit(all.positions)
    pending = [...pending, ...yield* compare(undefined)]
    for (let generation = 0; generation < GENERATIONS; generation++) {
      pending = (yield* Effect.forEach(pending, compare)).flat()
    }
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Positions of the first reading, and those that come up when it is opened there. */
const GENERATIONS = 2

interface Settings {
  readonly random: (below: number) => number
  readonly maxPerPull: number
  readonly maxReads: number
}

/** A position, and the number of events in front of it. */
interface At {
  readonly index: number
  readonly position: Position
  readonly key: string
}

type Event =
  | { readonly _tag: "item"; readonly value: unknown }
  | { readonly _tag: "failure"; readonly value: unknown }

interface Reading {
  readonly events: ReadonlyArray<Event>
  readonly positions: ReadonlyArray<At>
}

const readAll = <A, E, R>(
  reader: ItemReader<A, E, R>,
  from: At | undefined,
  { maxPerPull, maxReads, random }: Settings
): Effect.Effect<Reading, E | ReaderLawViolation, Exclude<R | Scope.Scope, Scope.Scope>> =>
  Effect.scoped(Effect.gen(function*() {
    const source = yield* reader.open(from === undefined ? Option.none() : Option.some(JSON.parse(from.key)))
    const events: Array<Event> = []
    const positions: Array<At> = []
    for (let reads = 0; reads < maxReads; reads++) {
      const max = 1 + random(maxPerPull)
      const page = yield* source.pull(max)
      const found = eventsOf(page)
      if (page.items.length > max) {
        return yield* violation(reader, "a page holds at most max items", from, max, page.items.length)
      }
      events.push(...found)
      const stored = json.fromUnknown(page.position)
      if (stored._tag === "Left") {
        return yield* violation(reader, `a position is JSON: ${stored.left}`, from, "JSON", page.position)
      }
      positions.push({ index: events.length, position: stored.right, key: json.canonical(stored.right) })
      if (page.done) {
        return { events, positions }
      }
    }
    return yield* violation(reader, "the reader comes to an end", from, `at most ${maxReads} pulls`, "more")
  }))

const eventsOf = <A, E>(page: Page<A, E>): ReadonlyArray<Event> => [
  ...page.items.map((value): Event => ({ _tag: "item", value })),
  ...Option.match(page.failure, { onNone: () => [], onSome: (value): Array<Event> => [{ _tag: "failure", value }] })
]

const sameEvents = (
  self: ReadonlyArray<Event>,
  that: ReadonlyArray<Event>,
  same: (self: unknown, that: unknown) => boolean
): boolean =>
  self.length === that.length &&
  self.every((event, index) => event._tag === that[index]!._tag && same(event.value, that[index]!.value))

const violation = (
  reader: { readonly name: string },
  law: string,
  from: At | undefined,
  expected: unknown,
  got: unknown
): ReaderLawViolation => new ReaderLawViolation({ reader: reader.name, law, position: from?.position, expected, got })
