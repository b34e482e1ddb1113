/**
 * A table in memory: rows by id, and the ids of rows that have something in common, so that no look-up grows with the table.
 */

/**
 * Rows are replaced, never changed. `rows` is in the order of insertion, which is that of the ids but for rows that a rollback
 * took away.
 */
export interface Table<Row extends { readonly id: number }, Index extends string> {
  readonly size: number
  readonly get: (id: number) => Row | undefined
  readonly values: () => Iterable<Row>
  readonly set: (row: Row) => void
  readonly delete: (id: number) => void
  /** The rows of an index that have this key, by id. Not to be kept: it is the index itself. */
  readonly ids: (index: Index, key: Key) => ReadonlyArray<number>
  readonly find: (index: Index, key: Key) => ReadonlyArray<Row>
}

export type Key = string | number

/** What a row is found by; `undefined`: not by this index. */
export type Indexes<Row, Index extends string> = { readonly [I in Index]: (row: Row) => Key | null | undefined }

export const make = <Row extends { readonly id: number }, Index extends string = never>(
  indexes: Indexes<Row, Index>
): Table<Row, Index> => {
  const rows = new Map<number, Row>()
  const kept = Object.entries<(row: Row) => Key | null | undefined>(indexes).map(([name, keyOf]) => ({
    name,
    keyOf,
    found: new Map<Key, Array<number>>()
  }))
  const byName = new Map(kept.map(({ found, name }) => [name, found]))
  const ids = (index: Index, key: Key): ReadonlyArray<number> => byName.get(index)!.get(key) ?? NONE
  const moved = (before: Row | undefined, after: Row | undefined) => {
    for (const { found, keyOf } of kept) {
      const [from, to] = [before && keyOf(before), after && keyOf(after)]
      if (from !== to) {
        take(found, from, before?.id)
        add(found, to, after?.id)
      }
    }
  }
  return {
    get size() {
      return rows.size
    },
    get: (id) => rows.get(id),
    values: () => rows.values(),
    set: (row) => {
      moved(rows.get(row.id), row)
      rows.set(row.id, row)
    },
    delete: (id) => {
      moved(rows.get(id), undefined)
      rows.delete(id)
    },
    ids,
    find: (index, key) => ids(index, key).map((id) => rows.get(id)!)
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const NONE: ReadonlyArray<number> = []

const add = (found: Map<Key, Array<number>>, key: Key | null | undefined, id: number | undefined): void => {
  if (key == null || id === undefined) {
    return
  }
  const ids = found.get(key)
  if (ids === undefined) {
    found.set(key, [id])
  } else if (ids[ids.length - 1]! < id) {
    ids.push(id)
  } else {
    ids.splice(placeOf(ids, id), 0, id)
  }
}

const take = (found: Map<Key, Array<number>>, key: Key | null | undefined, id: number | undefined): void => {
  const ids = key == null ? undefined : found.get(key)
  if (ids === undefined || id === undefined) {
    return
  }
  if (ids.length === 1) {
    found.delete(key!)
  } else {
    ids.splice(placeOf(ids, id), 1)
  }
}

/** Where the id stands, or would have to. */
const placeOf = (ids: ReadonlyArray<number>, id: number): number => {
  let [from, to] = [0, ids.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (ids[middle]! < id) {
      from = middle + 1
    } else {
      to = middle
    }
  }
  return from
}
