/**
 * Which item it was that killed a thread, as a pure search.
 *
 * Items go to threads in units. When a thread dies, nothing is known of the items of its unit but at which of them it was.
 * That one is suspected, not blamed: what an earlier item left behind may have killed it. Only an item that was alone in a
 * thread in which nothing had run before is blamed. The laws, tested by properties: what is tried again and what is blamed
 * are together exactly the unit, each once; whoever kills no thread is never blamed; and the search ends.
 */

/** Items of a chunk, by their indexes, that are given to a thread together; `alone`: to one that is new. */
export interface Unit {
  readonly items: ReadonlyArray<number>
  readonly alone: boolean
}

/** - `at`: which of the items of the unit the thread was at, if it had begun with one.
 * - `isNew`: whether nothing else had run in that thread.
 */
export interface Death {
  readonly at: number | undefined
  readonly isNew: boolean
}

/** What is to be tried again, and the item that is proved to have killed its thread. */
export interface Verdict {
  readonly again: ReadonlyArray<Unit>
  readonly blamed: number | undefined
}

/** The suspect is tried first: mostly it is the only one, and then the others run through. */
export const afterDeath = ({ items }: Unit, { at, isNew }: Death): Verdict => {
  if (items.length <= 1) {
    return isNew ? { again: [], blamed: items[0] } : { again: [{ items, alone: true }], blamed: undefined }
  }
  if (at !== undefined && at >= 0 && at < items.length) {
    return {
      again: units([[items[at]!], true], [items.slice(0, at), false], [items.slice(at + 1), false]),
      blamed: undefined
    }
  }
  if (!isNew) {
    return { again: [{ items, alone: true }], blamed: undefined }
  }
  const middle = items.length >> 1
  return { again: units([items.slice(0, middle), true], [items.slice(middle), true]), blamed: undefined }
}

/**
 * Divides a chunk of so many items among threads: a few units for each, so that one with slow items is not waited for long,
 * and one message for each unit.
 */
export const divide = (size: number, threads: number): ReadonlyArray<Unit> => {
  const length = Math.max(1, Math.ceil(size / (threads * UNITS_PER_THREAD)))
  const divided: Array<Unit> = []
  for (let from = 0; from < size; from += length) {
    const items = Array.from({ length: Math.min(length, size - from) }, (_, index) => from + index)
    divided.push({ items, alone: false })
  }
  return divided
}

const UNITS_PER_THREAD = 4

const units = (...parts: ReadonlyArray<readonly [ReadonlyArray<number>, boolean]>): ReadonlyArray<Unit> =>
  parts.flatMap(([items, alone]) => items.length === 0 ? [] : [{ items, alone }])
