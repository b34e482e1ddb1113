/**
 * Nested transactions on real databases, against the plain meaning of them: what one does stays if it and all around it end
 * well, and goes if one of these fails. Between them stand statements that fail and are caught, and savepoints that a user
 * has set.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import { Transactor } from "../../src/ports/Transactor.js"
import * as SqlTransactor from "../../src/sql/SqlTransactor.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

type Step =
  | { readonly _tag: "write"; readonly id?: number }
  /** A statement that the database refuses, which nobody minds. */
  | { readonly _tag: "refused" }
  | { readonly _tag: "nested"; readonly body: ReadonlyArray<Step>; readonly isGood: boolean }
  /** What a user does with a savepoint of his own. */
  | { readonly _tag: "savepoint"; readonly body: ReadonlyArray<Step>; readonly isGood: boolean }

const write: Step = { _tag: "write" }
const nested = (...body: ReadonlyArray<Step>): Step => ({ _tag: "nested", body, isGood: true })
const failing = (...body: ReadonlyArray<Step>): Step => ({ _tag: "nested", body, isGood: false })
const REFUSED: Step = { _tag: "refused" }
const savepoint = (...body: ReadonlyArray<Step>): Step => ({ _tag: "savepoint", body, isGood: true })
const undone = (...body: ReadonlyArray<Step>): Step => ({ _tag: "savepoint", body, isGood: false })
const many = (step: Step): ReadonlyArray<Step> => Array.from({ length: 17 }, () => step)

/** Each writes a row of its own. */
const numbered = (steps: ReadonlyArray<Step>, next = { id: 1 }): ReadonlyArray<Step> =>
  steps.map((step) =>
    step._tag === "write"
      ? { ...step, id: next.id++ }
      : step._tag === "refused"
      ? step
      : { ...step, body: numbered(step.body, next) }
  )

// -- the model --------------------------------------------------------------------------------------------------------

interface Model {
  rows: ReadonlyArray<number>
  /** PostgreSQL takes no statement behind one that failed, until a savepoint in front of it is gone back to. */
  isSpoiled: boolean
}

const expect = (steps: ReadonlyArray<Step>, model: Model, spoils: boolean): void => {
  for (const step of steps) {
    switch (step._tag) {
      case "write": {
        model.rows = model.isSpoiled ? model.rows : [...model.rows, step.id!]
        break
      }
      case "refused":
        model.isSpoiled = model.isSpoiled || spoils
        break
      default: {
        const { isSpoiled, rows } = model
        expect(step.body, model, spoils)
        if (!step.isGood) {
          model.rows = rows
          model.isSpoiled = isSpoiled
        }
      }
    }
  }
}

const expected = (steps: ReadonlyArray<Step>, spoils: boolean): ReadonlyArray<number> => {
  const model: Model = { rows: [], isSpoiled: false }
  expect(steps, model, spoils)
  return model.isSpoiled ? [] : model.rows
}

// -- the database -----------------------------------------------------------------------------------------------------

const carriedOut = (sql: SqlClient, steps: ReadonlyArray<Step>) => {
  let depth = 0
  const all = (steps: ReadonlyArray<Step>): Effect.Effect<void> =>
    Effect.forEach(steps, (step) => Effect.exit(one(step)), { discard: true })
  const one = (step: Step): Effect.Effect<unknown, unknown> => {
    switch (step._tag) {
      case "write":
        return sql`insert into entry values (${step.id!})`
      case "refused":
        return sql`insert into nowhere values (1)`
      case "nested":
        return sql.withTransaction(Effect.zipRight(all(step.body), step.isGood ? Effect.void : Effect.fail("no")))
      case "savepoint":
        return Effect.gen(function*() {
          const name = `mine_${++depth}`
          const isSet = yield* Effect.isSuccess(sql.unsafe(`savepoint ${name}`))
          yield* all(step.body)
          depth--
          if (isSet) {
            yield* step.isGood ? Effect.void : sql.unsafe(`rollback to savepoint ${name}`)
            yield* Effect.exit(sql.unsafe(`release savepoint ${name}`))
          }
        })
    }
  }
  return all(steps)
}

const stepOf = (depth: number): FastCheck.Arbitrary<Step> => {
  if (depth === 0) {
    return FastCheck.constant(write)
  }
  const body = FastCheck.array(stepOf(depth - 1), { maxLength: 4 })
  const block = (_tag: "nested" | "savepoint") =>
    FastCheck.record({
      _tag: FastCheck.constant(_tag),
      body,
      isGood: FastCheck.integer({ min: 0, max: 3 }).map((n) => n > 0)
    })
  return FastCheck.oneof(
    { weight: 4, arbitrary: FastCheck.constant<Step>(write) },
    { weight: 1, arbitrary: FastCheck.constant(REFUSED) },
    { weight: 5, arbitrary: block("nested") as FastCheck.Arbitrary<Step> },
    { weight: 2, arbitrary: block("savepoint") as FastCheck.Arbitrary<Step> }
  )
}

const programs = FastCheck.array(
  FastCheck.oneof(
    stepOf(3).map((step) => [step]),
    FastCheck.integer({ min: 10, max: 20 }).map((length) => Array.from({ length }, () => nested(write)))
  ),
  { maxLength: 8 }
).map((parts) => parts.flat())

const cases: Readonly<Record<string, ReadonlyArray<Step>>> = {
  "those inside of a savepoint of the user end with it, and others follow": [
    savepoint(nested(write)),
    ...many(nested(write))
  ],
  "a savepoint of the user is there behind many of them": [nested(write), undone(write, ...many(nested(write)))],
  "so is one that was set in one of them": [nested(savepoint(nested(write))), ...many(nested(write)), undone(write)],
  "one that fails takes nothing of those before it along": [
    ...many(nested(nested(write))),
    failing(write, nested(write)),
    write
  ],
  "one that cannot begin goes back to nothing of those before it": [
    nested(nested(write), write, REFUSED, failing(write)),
    write
  ],
  "nor to what another one has done": [nested(nested(write), write), nested(REFUSED, failing(write)), write]
}

const both = { PostgreSQL: Postgres.layer, SQLite: Sqlite.layer }

for (const [name, client] of Object.entries(both)) {
  describe(`nested transactions: ${name}`, () => {
    it.layer(Layer.fresh(Layer.provideMerge(SqlTransactor.layer, client as Layer.Layer<SqlClient, unknown>)))((it) => {
      const run = (program: ReadonlyArray<Step>) =>
        Effect.gen(function*() {
          const steps = numbered(program)
          const sql = yield* SqlClient
          yield* sql`create table if not exists entry (id integer primary key)`
          yield* sql`delete from entry`
          const { transact } = yield* Transactor
          const exit = yield* Effect.exit(transact(carriedOut(sql, steps)))
          const rows = yield* sql<{ readonly id: number }>`select id from entry order by id`
          assert.deepStrictEqual(rows.map(({ id }) => id), expected(steps, name === "PostgreSQL"), JSON.stringify(exit))
        })
      for (const [what, steps] of Object.entries(cases)) {
        it.effect(`${what} (OWN-15, TX-1)`, () => run(steps))
      }
      it.effect.prop(
        "in any order, with what is refused and caught between them (OWN-15, TX-1)",
        [programs],
        ([steps]) => run(steps),
        { fastCheck: { numRuns: 10 } }
      )
    })
  })
}
