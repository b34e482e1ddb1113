/**
 * What the compiler infers about readers, processors and writers, and what it refuses. Compiled, never run.
 */
import type { BatchError } from "effect-batch"
import { ItemProcessor, ItemReader, ItemWriter, Sensitive } from "effect-batch"
import { ReaderLaws, WriterLaws } from "effect-batch/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Transactor } from "../../src/ports/Transactor.js"

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

/** Fails to compile unless the value has exactly the type. */
const is = <Expected>() => <Actual>(_: Actual, ..._same: Same<Actual, Expected> extends true ? [] : [never]): void => {}

type Unreadable = BatchError.UnreadablePosition

class Db extends Context.Tag("Db")<Db, { readonly rows: ReadonlyArray<string> }>() {}
class Rates extends Context.Tag("Rates")<Rates, { readonly eur: number }>() {}

declare const cond: boolean
declare const scoped: Effect.Effect<number, "acquire", Db | Scope.Scope>

// -------------------------------------------------------------------------------------
// readers
// -------------------------------------------------------------------------------------

const numbers = ItemReader.fromIterable([1, 2, 3])
is<ItemReader.ItemReader<number, Unreadable>>()(numbers)
is<ItemReader.ItemReader<never>>()(ItemReader.empty)

declare const stream: Stream.Stream<string, "network", Db>
is<ItemReader.ItemReader<string, "network" | Unreadable, Db>>()(ItemReader.fromStream(stream))

is<ItemReader.ItemReader<number, Unreadable>>()(ItemReader.fromStreamBy({
  key: Schema.Date,
  open: (after) => Stream.fromIterable(Option.match(after, { onNone: () => [1], onSome: (date) => [date.getTime()] })),
  keyOf: (n) => new Date(n)
}))

is<ItemReader.ItemReader<string, "down" | Unreadable, Db>>()(ItemReader.paged({
  cursor: Schema.Struct({ after: Schema.NumberFromString }),
  initial: { after: 0 },
  fetch: ({ after }, max) =>
    Effect.flatMap(Db, (db) =>
      cond
        ? Effect.fail("down" as const)
        : Effect.succeed({
          items: db.rows.slice(after, after + max),
          next: cond ? Option.some({ after: after + max }) : Option.none()
        }))
}))

ItemReader.paged({
  // @ts-expect-error a bigint is not JSON, so it cannot be stored
  cursor: Schema.BigIntFromSelf,
  initial: 1n,
  fetch: () => Effect.succeed({ items: [1], next: Option.none() })
})

ItemReader.paged({
  cursor: Schema.Number,
  initial: 1,
  // @ts-expect-error the next cursor is not a cursor
  fetch: () => Effect.succeed({ items: [1], next: Option.some("2") })
})

ItemReader.paged({
  cursor: Schema.Number,
  // @ts-expect-error the first cursor is not a cursor
  initial: "1",
  fetch: () => Effect.succeed({ items: [], next: Option.none() })
})

const late = ItemReader.unwrap(Effect.map(scoped, (n) => ItemReader.fromStream(stream).pipe(ItemReader.limit(n))))
is<ItemReader.ItemReader<string, "acquire" | "network" | Unreadable, Db>>()(late)

is<ItemReader.ItemReader<readonly [string, number], Unreadable>>()(
  numbers.pipe(ItemReader.map(String), ItemReader.zipWithIndex)
)
const both = ItemReader.concat(numbers, ItemReader.fromStream(stream))
is<ItemReader.ItemReader<number | string, Unreadable | "network", Db>>()(both)
declare const mixed: ItemReader.ItemReader<string | number, "bad">
is<ItemReader.ItemReader<string, "bad">>()(mixed.pipe(ItemReader.filter((value) => typeof value === "string")))
const refined = ItemReader.filter(mixed, (value): value is string => cond)
is<ItemReader.ItemReader<string, "bad">>()(refined)
is<ItemReader.ItemReader<Date, "bad">>()(
  mixed.pipe(ItemReader.filterMap((value) => cond ? Option.some(new Date(value)) : Option.none()))
)
is<ItemReader.ItemReader<string | number, { cause: "bad" }>>()(mixed.pipe(ItemReader.mapError((cause) => ({ cause }))))

const own = ItemReader.make("own", () => Effect.map(scoped, (n) => ({ pull: () => Effect.succeed(pageOf(n)) })))
declare const pageOf: (n: number) => ItemReader.Page<Date, "acquire">
is<ItemReader.ItemReader<Date, "acquire", Db>>()(own)

// @ts-expect-error numbers are not strings
numbers.pipe(ItemReader.map((text: string) => text.length))

// @ts-expect-error a reader of strings is not a reader of numbers
export const wrong: ItemReader.ItemReader<number, "network" | Unreadable, Db> = ItemReader.fromStream(stream)

// @ts-expect-error the position may be unreadable, which its type has to tell
export const dishonest: ItemReader.ItemReader<number> = numbers

// -------------------------------------------------------------------------------------
// processors
// -------------------------------------------------------------------------------------

is<ItemProcessor.ItemProcessor<number, string>>()(ItemProcessor.map((n: number) => String(n)))
is<ItemProcessor.ItemProcessor<number, number, never, Rates>>()(
  ItemProcessor.mapEffect((n: number) => Effect.map(Rates, ({ eur }) => n * eur))
)
is<ItemProcessor.ItemProcessor<string | number, string>>()(
  ItemProcessor.filter((value: string | number): value is string => typeof value === "string")
)
is<ItemProcessor.ItemProcessor<number, number>>()(ItemProcessor.filter((n: number) => n > 1))
is<ItemProcessor.ItemProcessor<number, string>>()(
  ItemProcessor.filterMap((n: number) => n > 1 ? Option.some(`${n}`) : Option.none())
)
is<ItemProcessor.ItemProcessor<number, number, "no">>()(
  ItemProcessor.filterMapEffect((n: number) => n > 1 ? Effect.succeed(Option.some(n)) : Effect.fail("no" as const))
)

// The filter mark is not an output.
is<ItemProcessor.ItemProcessor<number, number>>()(
  ItemProcessor.fromFunction((n: number) => Effect.sync(() => n > 1 ? n : ItemProcessor.Filtered))
)

const Row = Schema.Struct({ id: Schema.String, cents: Schema.NumberFromString, pin: Sensitive.make(Schema.String) })
const valid = ItemProcessor.validate(Row)
is<ItemProcessor.ItemProcessor<typeof Row.Encoded, typeof Row.Type, ItemProcessor.InvalidItem>>()(valid)

is<ItemProcessor.ItemProcessor<typeof Row.Encoded, number, ItemProcessor.InvalidItem, Rates>>()(
  valid.pipe(
    ItemProcessor.andThen(ItemProcessor.map((row: typeof Row.Type) => row.cents)),
    ItemProcessor.andThen(ItemProcessor.mapEffect((cents: number) => Effect.map(Rates, ({ eur }) => cents * eur)))
  )
)
is<ItemProcessor.ItemProcessor<number, number, "acquire", Db>>()(
  ItemProcessor.unwrap(Effect.map(scoped, (factor) => ItemProcessor.map((n: number) => n * factor)))
)

// @ts-expect-error the output of the first is not the input of the second
ItemProcessor.andThen(ItemProcessor.map((n: number) => `${n}`), ItemProcessor.map((n: number) => n + 1))

// -------------------------------------------------------------------------------------
// writers
// -------------------------------------------------------------------------------------

declare const toDb: ItemWriter.ItemWriter<{ readonly id: string }, "db", Db>
declare const toMail: ItemWriter.ItemWriter<{ readonly mail: string }, "smtp", Rates>

is<ItemWriter.ItemWriter<number>>()(ItemWriter.fromFunction((_: ReadonlyArray<number>) => Effect.void))
is<ItemWriter.ItemWriter<number, "full", Db>>()(
  ItemWriter.fromFunction((_: ReadonlyArray<number>) => Effect.zipRight(Db, Effect.fail("full" as const)), {
    name: "mine",
    delivery: "restartable"
  })
)
is<ItemWriter.ItemWriter<string>>()(ItemWriter.inMemory<string>([]))
declare const ref: Ref.Ref<ReadonlyArray<string>>
is<ItemWriter.ItemWriter<string>>()(ItemWriter.inMemory(ref))

// An item of a tee has to suit all writers.
is<
  ItemWriter.ItemWriter<{ readonly id: string } & { readonly mail: string }, "db" | "smtp" | Unreadable, Db | Rates>
>()(
  ItemWriter.tee(toDb, toMail)
)
// @ts-expect-error a tee of nothing
ItemWriter.tee()

type Order = { readonly _tag: "Sale" | "Refund"; readonly id: string; readonly mail: string }
is<ItemWriter.ItemWriter<Order, "db" | "smtp" | Unreadable, Db | Rates>>()(
  ItemWriter.route((order: Order) => order._tag, { Sale: toDb, Refund: toMail })
)
// @ts-expect-error refunds have no writer
ItemWriter.route((order: Order) => order._tag, { Sale: toDb })
// @ts-expect-error gifts never come up
ItemWriter.route((order: Order) => order._tag, { Sale: toDb, Refund: toMail, Gift: toMail })
// @ts-expect-error a writer of numbers cannot write orders
ItemWriter.route((order: Order) => order._tag, { Sale: toDb, Refund: ItemWriter.inMemory<number>([]) })

is<ItemWriter.ItemWriter<number, "db", Db>>()(toDb.pipe(ItemWriter.contramap((n: number) => ({ id: `${n}` }))))
const renamed = ItemWriter.mapError(toDb, (reason) => new Error(reason))
is<ItemWriter.ItemWriter<{ readonly id: string }, Error, Db>>()(renamed)
is<ItemWriter.ItemWriter<{ readonly id: string }, "db" | "acquire", Db>>()(
  ItemWriter.unwrap(Effect.as(scoped, toDb), { delivery: "transactional" })
)
// @ts-expect-error there is no such guarantee
ItemWriter.fromFunction((_: ReadonlyArray<number>) => Effect.void, { delivery: "exactly-once" })

// A writer of anything writes everything, a writer of a part does not write the whole.
export const wider: ItemWriter.ItemWriter<number> = ItemWriter.discard
// @ts-expect-error it needs an id
export const narrower: ItemWriter.ItemWriter<unknown, "db", Db> = toDb

// -------------------------------------------------------------------------------------
// laws
// -------------------------------------------------------------------------------------

is<Effect.Effect<void, "network" | Unreadable | ReaderLaws.ReaderLawViolation, Db>>()(
  ReaderLaws.check(ItemReader.fromStream(stream))
)

export const writerCheck: Effect.Effect<
  void,
  "db" | BatchError.TransactionError | WriterLaws.WriterLawViolation,
  Db | Transactor
> = WriterLaws.check(toDb, { items: [{ id: "1" }], observe: Effect.succeed([]) })

// @ts-expect-error nothing to write
WriterLaws.check(toDb, { items: [], observe: Effect.succeed([]) })
