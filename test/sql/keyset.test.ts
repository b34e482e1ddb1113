/**
 * Pages of a keyset: how what a database gives becomes pages, without a database.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import type { KeyCodec, KeyColumn, Row } from "../../src/sql/keyset.js"
import * as keyset from "../../src/sql/keyset.js"

const columns: ReadonlyArray<KeyColumn> = keyset.columnsOf(["id"])

/** Knows whether keys are the same by their texts, as that of PostgreSQL mostly does, or is told by the database. */
const codec = (form: KeyCodec["form"]) =>
  ({ encode: (value: unknown) => value === null ? null : String(value), form }) as unknown as KeyCodec

const codecs = { "known by its text": codec((_, text) => text), "told by the database": codec(undefined) }

/** What the statement gives behind a key: one row more than was asked for, if there is one. */
const give = (ids: ReadonlyArray<number | null>, after: keyset.Key | undefined, limit: number): ReadonlyArray<Row> =>
  ids.filter((id) => after === undefined || id === null || id > Number(after[0])).slice(0, limit + 1).map((
    id,
    n,
    all
  ) => ({
    id,
    [keyset.keyAlias(0)]: id,
    __same_key: n > 0 && all[n - 1] === id ? 1 : null
  }))

const pages = (
  ids: ReadonlyArray<number | null>,
  limit: number,
  codec: KeyCodec
): Either.Either<ReadonlyArray<keyset.Fetched>, string> => {
  const found: Array<keyset.Fetched> = []
  let after: keyset.Key | undefined
  for (;;) {
    const page = keyset.fetched(give(ids, after, limit), codec, columns, after, limit)
    if (Either.isLeft(page)) {
      return Either.left(page.left)
    }
    found.push(page.right)
    if (page.right.last) {
      return Either.right(found)
    }
    after = page.right.keys[page.right.rows.length - 1]
  }
}

describe("pages of a keyset", () => {
  for (const [name, codec] of Object.entries(codecs)) {
    it.prop(`have every row once, without the columns of the key, and no page too many: ${name} (OWN-23)`, [
      FastCheck.uniqueArray(FastCheck.integer({ min: 0, max: 30 }), { maxLength: 20 }),
      FastCheck.integer({ min: 1, max: 8 })
    ], ([unsorted, limit]) => {
      const ids = [...unsorted].sort((a, b) => a - b)
      const found = Either.getOrThrow(pages(ids, limit, codec))
      assert.deepStrictEqual(found.flatMap(({ rows }) => rows), ids.map((id) => ({ id })))
      assert.lengthOf(found, Math.max(1, Math.ceil(ids.length / limit)))
      assert.deepStrictEqual(found.map(({ last }) => last), found.map((_, n) => n === found.length - 1))
    })

    it.prop(`are refused where a key occurs twice, also at the border of a page: ${name} (OWN-23)`, [
      FastCheck.uniqueArray(FastCheck.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 12 }),
      FastCheck.nat(11),
      FastCheck.integer({ min: 1, max: 8 })
    ], ([unsorted, at, limit]) => {
      const ids = [...unsorted].sort((a, b) => a - b)
      ids.splice(at % ids.length, 0, ids[at % ids.length]!)
      assert.match(Either.getOrThrow(Either.flip(pages(ids, limit, codec))), /a value occurs twice/)
    })

    it(`are refused where a key is NULL, wherever it stands: ${name}`, () => {
      for (const ids of [[null, 1, 2], [1, null, 2], [1, 2, null]]) {
        assert.include(Either.getOrThrow(Either.flip(pages(ids, 5, codec))), "\"id\" is NULL in a row")
      }
    })
  }

  it.prop("are gone on with from a stored position, which no other key can take for its own", [
    FastCheck.option(FastCheck.tuple(FastCheck.string(), FastCheck.string()), { nil: undefined }),
    FastCheck.nat()
  ], ([after, read]) => {
    const both = keyset.columnsOf(["id", { column: "__proto__", direction: "desc" }])
    const stored = JSON.parse(JSON.stringify(keyset.encodePlace(both, { after, read })))
    assert.deepStrictEqual(keyset.decodePlace(both, stored), Either.right({ after, read }))
    for (const others of [["id"], ["id", "name"], ["id", "__proto__", "name"]]) {
      assert.strictEqual(Either.isLeft(keyset.decodePlace(keyset.columnsOf(others), stored)), after !== undefined)
    }
  })

  it("hide a NULL where a column sorts its NULLs behind everything, and in every column but the first", () => {
    const named = (first: "asc" | "desc", second: "asc" | "desc"): ReadonlyArray<KeyColumn> => [
      { column: "a", direction: first },
      { column: "b", direction: second }
    ]
    for (const second of ["asc", "desc"] as const) {
      assert.deepStrictEqual(keyset.nullsMayHide(named("asc", second), "asc"), ["a", "b"])
      assert.deepStrictEqual(keyset.nullsMayHide(named("desc", second), "asc"), ["b"])
      assert.deepStrictEqual(keyset.nullsMayHide(named("asc", second), "desc"), ["b"])
      assert.deepStrictEqual(keyset.nullsMayHide(named("desc", second), "desc"), ["a", "b"])
    }
  })
})
