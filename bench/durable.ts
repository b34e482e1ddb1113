/**
 * What the durable engines of the end-to-end bench share, so that only the engine differs: the rows in chunks, parsed and
 * checked by hand as nothing of theirs does it, and the statement that inserts a chunk.
 */
import type { Row } from "./payments.js"
import * as payments from "./payments.js"

/** An engine that has been started: what to measure, and how to stop it. */
export interface Engine {
  readonly variants: Readonly<Record<string, () => Promise<unknown>>>
  readonly stop: () => Promise<void>
}

const size = 1000

/** The rows of the file, a thousand at a time. */
export async function* chunks(csv: string): AsyncGenerator<ReadonlyArray<Row>> {
  let open: Array<Row> = []
  for await (const rows of payments.parsed(csv)) {
    let start = 0
    while (open.length + rows.length - start >= size) {
      const end = start + size - open.length
      yield open.concat(rows.slice(start, end))
      open = []
      start = end
    }
    open = open.concat(rows.slice(start))
  }
  if (open.length > 0) {
    yield open
  }
}

/** Inserts a chunk: the same text for every chunk, with one array for each column. */
export const insert = `insert into payment select * from unnest(
  $1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::timestamptz[], $6::text[])`

/** The parameters of `insert`. */
export const parameters = (rows: ReadonlyArray<Row>): Array<Array<Row[keyof Row]>> =>
  payments.columns.map((column) => rows.map((row) => row[column]))
