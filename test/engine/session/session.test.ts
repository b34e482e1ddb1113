/** What the engine knows of a running execution: what is stored of it, and who hears of a stop or a lost lease. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  jobScope,
  lose,
  noteStatus,
  requestStop,
  saveJob,
  setContext,
  stoppedAs
} from "../../../src/engine/session/session.js"
import { JobScope } from "../../../src/ports/JobScope.js"
import * as BatchStatus from "../../../src/vocabulary/BatchStatus.js"
import * as ExecutionContext from "../../../src/vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../../src/vocabulary/ExitStatus.js"
import type { JobExecution } from "../../../src/vocabulary/JobExecution.js"
import { failing, makeSession } from "./support.js"

const put = (context: ExecutionContext.ExecutionContext, text: string) =>
  ExecutionContext.unsafeSet(ExecutionContext.key("seen", Schema.String), text)(context)

describe("an execution that is saved", () => {
  it.effect("is stored with the context of that moment and the secret of its owner, and known so only when it is stored (CTX-7)", () =>
    Effect.gen(function*() {
      const asked: Array<JobExecution> = []
      let answer: Effect.Effect<BatchStatus.BatchStatus, ReturnType<typeof failing>> = Effect.fail(failing("fatal"))
      const session = yield* makeSession(1000, {
        updateJobExecution: (execution) => {
          asked.push(execution)
          return answer
        }
      })
      setContext(session, put(ExecutionContext.empty, "first"))
      const save = saveJob(session, { status: "COMPLETED" })
      setContext(session, put(session.context, "then"))
      assert.isTrue(Either.isLeft(yield* Effect.either(save)))
      assert.strictEqual(session.execution.status, "STARTED")

      answer = Effect.succeed("COMPLETED")
      yield* save
      assert.strictEqual(session.execution.status, "COMPLETED")
      assert.isFalse("token" in session.execution)
      for (const { context, status, token } of asked) {
        assert.deepStrictEqual([context.entries, status, token], [session.context.entries, "COMPLETED", "secret"])
      }
    }))

  it.effect("hears of a request to stop by what the repository answers, of STOPPED too, and by nothing else (STOP-2)", () =>
    Effect.gen(function*() {
      for (const status of BatchStatus.BatchStatus.literals) {
        const session = yield* makeSession(1000, { updateJobExecution: () => Effect.succeed(status) })
        yield* saveJob(session, {})
        const noted = yield* makeSession(1000)
        noteStatus(noted, status)
        const expected = status === "STOPPING" || status === "STOPPED"
        assert.deepStrictEqual([session.stopRequested, noted.stopRequested], [expected, expected], status)
      }
    }))
})

describe("who waits for a stop, or for the loss of the lease", () => {
  it.effect("is told once, whoever else is told, and whatever they do when they are", () =>
    Effect.gen(function*() {
      const session = yield* makeSession(1000)
      for (const [told, tell] of [[session.onStop, requestStop], [session.onLost, lose]] as const) {
        const heard: Array<string> = []
        told.add(() => {
          heard.push("one")
          // Who comes later is told by the flag.
          told.add(() => heard.push("late"))
        })
        told.add(() => heard.push("other"))
        tell(session)
        assert.deepStrictEqual(heard, ["one", "other"])
        tell(session)
        assert.deepStrictEqual(heard, ["one", "other", "late"])
      }
      assert.isTrue(session.stopRequested && session.isLost)
    }))

  it.effect("leaves an execution behind for another process only where that was said (OWN-21)", () =>
    Effect.gen(function*() {
      const session = yield* makeSession(1000)
      assert.strictEqual(stoppedAs(session, ExitStatus.STOPPED).code, "STOPPED")
      for (const isAsked of [false, true]) {
        const handed = { ...session, stopRequested: isAsked, handsOver: (asked: boolean) => !asked }
        assert.strictEqual(stoppedAs(handed, ExitStatus.STOPPED).code, isAsked ? "STOPPED" : "OWNER_LEFT")
      }
    }))
})

describe("the context of a job, as listeners and deciders see it", () => {
  const key = ExecutionContext.key("seen", Schema.String)

  it.effect.prop(
    "is changed at once, by each of them (CTX-7)",
    [FastCheck.array(FastCheck.constantFrom("set", "update", "remove"), { maxLength: 6 })],
    ([changes]) =>
      Effect.gen(function*() {
        const session = yield* makeSession(1000)
        setContext(session, ExecutionContext.empty)
        let expected = Option.none<string>()
        const scope = yield* Effect.provide(JobScope, jobScope(session))
        for (const change of changes) {
          if (change === "set") {
            yield* scope.set(key, "set")
            expected = Option.some("set")
          } else if (change === "update") {
            yield* scope.update(key, (known) => `${Option.getOrElse(known, () => "none")} more`)
            expected = Option.some(`${Option.getOrElse(expected, () => "none")} more`)
          } else {
            yield* scope.remove(key)
            expected = Option.none()
          }
          assert.deepStrictEqual(yield* scope.get(key), expected)
          assert.deepStrictEqual((yield* scope.execution).context.entries, session.context.entries)
        }
      })
  )
})
