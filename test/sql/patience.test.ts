/**
 * The write lock of SQLite, without SQLite: what a connection is told, and in which order.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Patient } from "../../src/sql/patience.js"
import { beginPatiently, commitPatiently } from "../../src/sql/patience.js"

const busy = new SqlError({ cause: Object.assign(new Error("database is locked"), { code: "SQLITE_BUSY" }) })

const refused = new SqlError({ cause: Object.assign(new Error("disk I/O error"), { code: "SQLITE_IOERR" }) })

/** Answers to BEGIN and COMMIT one after the other, then to all of them well. */
const answering = (...answers: ReadonlyArray<SqlError>) => {
  const heard: Array<string> = []
  const left = [...answers]
  const connection = {
    executeRaw: (text: string) =>
      Effect.suspend(() => {
        heard.push(text)
        const answer = left.shift()
        return answer === undefined ? Effect.succeed([]) : Effect.fail(answer)
      }),
    executeUnprepared: (text: string) =>
      Effect.sync(() => void heard.push(text.replace("PRAGMA busy_timeout = ", "wait "))),
    executeValues: () => Effect.succeed([[1]])
  } as unknown as Connection
  return { connection, heard }
}

const patient = (patience: number): Patient => ({
  patience,
  busyTimeout: 5000,
  released: { at: -1e9, held: 0 },
  metOthersAt: -1e9
})

describe("who wants the lock of an SQLite file", () => {
  it.effect("asks without blocking the process, and waits as before when he does not get it (OWN-18)", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<
        readonly [answers: ReadonlyArray<SqlError>, patience: number, heard: ReadonlyArray<string>]
      > = [
        [[], 1000, ["wait 0", "BEGIN"]],
        [[busy, busy], 60_000, ["wait 0", "BEGIN", "BEGIN", "BEGIN"]],
        [[refused], 60_000, ["wait 0", "BEGIN", "wait 5000"]],
        [[busy, refused], 60_000, ["wait 0", "BEGIN", "BEGIN", "wait 5000"]],
        [[busy], 0, ["wait 0", "BEGIN", "wait 5000"]]
      ]
      for (const [answers, patience, expected] of cases) {
        const { connection, heard } = answering(...answers)
        const exit = yield* Effect.exit(beginPatiently(patient(patience), connection, "BEGIN"))
        assert.deepStrictEqual(heard, expected)
        assert.strictEqual(Exit.isSuccess(exit), !expected.includes("wait 5000"))
      }
    }))

  it.effect("has met others only if somebody else had it", () =>
    Effect.gen(function*() {
      const [alone, beside] = [patient(60_000), patient(60_000)]
      yield* beginPatiently(alone, answering().connection, "BEGIN")
      yield* beginPatiently(beside, answering(busy).connection, "BEGIN")
      assert.deepStrictEqual([alone, beside].map(({ metOthersAt }) => metOthersAt > 0), [false, true])
    }))

  it.effect("commits as soon as nobody reads any more, and says at once what else is wrong", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [answers: ReadonlyArray<SqlError>, patience: number, commits: number]> = [
        [[], 0, 1],
        [[busy, busy], 60_000, 3],
        [[busy], 0, 1],
        [[refused], 60_000, 1],
        [[busy, refused], 60_000, 2]
      ]
      for (const [answers, patience, commits] of cases) {
        const { connection, heard } = answering(...answers)
        const exit = yield* Effect.exit(commitPatiently(patient(patience), connection))
        assert.deepStrictEqual(heard, Array.from({ length: commits }, () => "COMMIT"))
        assert.strictEqual(Exit.isSuccess(exit), commits > answers.length)
      }
    }))
})
