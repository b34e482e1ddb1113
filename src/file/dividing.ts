/**
 * Cuts a file into ranges of about equal numbers of bytes, each from one record to another. The file is read once, by the
 * source that reads its records otherwise, so a range ends where the reader says that a record ends.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as ItemReader from "../item/ItemReader.js"
import type { FileRange } from "./fileRange.js"
import type { Stamp } from "./identity.js"
import { refuse, whole } from "./options.js"

/**
 * A place between two records.
 *
 * @internal
 */
export interface Place {
  readonly offset: number
  readonly line: number
  /** The checksum of everything before it. */
  readonly sum: number
  readonly file?: Stamp
}

/** @internal */
export interface Divisible<E> extends Pick<ItemReader.Source<unknown, unknown>, "progress"> {
  readonly pull: (max: number) => Effect.Effect<ItemReader.Page<unknown, unknown>, E>
  /** Where the next record is looked for. */
  readonly place: () => Place
  /** The beginning of a last record that is none, if one was read. */
  readonly trailerStart?: Pick<Place, "offset" | "sum"> | undefined
}

/** @internal */
export const plan = <E>(
  source: Divisible<E>,
  partitions: number,
  about: Pick<FileRange, "path" | "header" | "format">
): Effect.Effect<ReadonlyArray<{ readonly name: string; readonly input: FileRange }>, E> =>
  Effect.map(cut(source, partitions), ({ end, places }) => {
    const { trailerStart } = source
    const last = trailerStart ?? end
    return places.map(({ file, line, offset: from, sum: before }, index) => {
      const next = places[index + 1]
      const input: FileRange = {
        path: about.path,
        from,
        line,
        to: next?.offset ?? trailerStart?.offset ?? null,
        size: end.offset,
        before,
        sum: (next ?? last).sum,
        format: about.format,
        ...(about.header === undefined ? undefined : { header: about.header }),
        ...(file === undefined ? undefined : { file })
      }
      return { name: `range ${index + 1}`, input }
    })
  })

/**
 * Throws `JobDefinitionError` for a number that makes no sense.
 *
 * @internal
 */
export const checkCount = (component: string, partitions: number): void =>
  refuse(
    component,
    partitions > MOST ? [`\`partitions\` is ${partitions}, give at most ${MOST}`] : whole("partitions", partitions, 1)
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const MOST = 1_000_000

/** Records at once where no cut is near. */
const PAGE = 4096

/** Where the ranges begin, and where the file ended. A range without records is not made, unless it is the only one. */
const cut = <E>(
  source: Divisible<E>,
  partitions: number
): Effect.Effect<{ readonly places: ReadonlyArray<Place>; readonly end: Place }, E> =>
  Effect.gen(function*() {
    const start = source.place()
    const share = Math.max(1, (source.progress!()!.total - start.offset) / partitions)
    const places = [start]
    const wanted = (offset: number) => start.offset + (Math.floor((offset - start.offset) / share) + 1) * share
    let [records, target, here] = [0, wanted(start.offset), start]
    let found: Place | undefined
    for (;;) {
      const average = records === 0 ? share : (here.offset - start.offset) / records
      const page = yield* source.pull(Math.max(1, Math.min(PAGE, Math.floor((target - here.offset) / average / 2))))
      const count = page.items.length + (Option.isSome(page.failure) ? 1 : 0)
      if (found !== undefined && count > 0) {
        places.push(found)
        found = undefined
      }
      records += count
      here = source.place()
      if (page.done) {
        return { places, end: here }
      }
      if (found === undefined && here.offset >= target && places.length < partitions) {
        found = here
        target = wanted(here.offset)
      }
    }
  })
