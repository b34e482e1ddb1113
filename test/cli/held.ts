/**
 * Processes that are held up in the middle of a statement, until they are let go or killed: by a trigger that waits for a lock.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"

/** Any number that nobody else locks. */
const HELD = 4_711

/** For triggers: waits as long as somebody has taken the lock. */
export const createHeld = Effect.flatMap(
  SqlClient,
  (sql) =>
    sql`create or replace function held() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock_shared(${sql.literal(String(HELD))}); return new; end $$`
)

/** Holds up whoever comes to such a trigger, until the transaction ends. */
export const holdUp = Effect.flatMap(SqlClient, (sql) => sql`select pg_advisory_xact_lock(${HELD})`)

/** How many are held up in this database. */
export const heldUp = Effect.flatMap(SqlClient, (sql) =>
  Effect.map(
    sql<{ readonly count: number }>`
      select count(*)::int as count from pg_locks where locktype = 'advisory' and objid = ${HELD} and not granted
        and database = (select oid from pg_database where datname = current_database())`,
    ([row]) => row!.count
  ))

/** Looks again and again, as somebody would who waits for it. */
export const until = <A, E, R>(effect: Effect.Effect<A, E, R>, holds: (value: A) => boolean): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    effect,
    (value) => holds(value) ? Effect.succeed(value) : Effect.delay(until(effect, holds), "20 millis")
  )
