/**
 * Lists that are too long for one statement: PostgreSQL takes 65 535 parameters, SQLite 32 766.
 */

/** @internal */
export const batches = <A>(values: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from(
    { length: Math.ceil(values.length / batchSize) },
    (_, index) => values.slice(index * batchSize, (index + 1) * batchSize)
  )

// internal

const batchSize = 1000
