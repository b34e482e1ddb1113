/** A session, as far as the tests of this folder need one; the clock is the test's. */
import * as Effect from "effect/Effect"
import { monotonic } from "../../../src/engine/session/heartbeat.js"
import type { Session } from "../../../src/engine/session/session.js"
import { BatchError, type BatchEvent, type BatchStatus } from "../../../src/index.js"

export const failing = (reason: BatchError.JobRepositoryError["reason"]) =>
  new BatchError.JobRepositoryError({ operation: "save", reason, detail: "it is away" })

/** Claimed now; `renewLease` answers as it is told, `stopHint` never unless it is. */
export const makeSession = (
  leaseMillis: number,
  repository: Partial<Session["repository"]> = {},
  published: Array<BatchEvent.BatchEvent> = []
) =>
  Effect.map(monotonic, (claimedAt) => {
    const execution = {
      id: 1,
      epoch: 3,
      status: "STARTED" as BatchStatus.BatchStatus,
      instance: { jobName: "session" }
    }
    const session: Partial<Omit<Session, "execution" | "repository">> & Record<string, unknown> = {
      repository: { stopHint: () => Effect.never, ...repository },
      publish: (event) => {
        published.push(event)
      },
      execution,
      token: "secret",
      leaseMillis,
      claimedAt,
      isLost: false,
      onLost: new Set(),
      outage: undefined,
      stopRequested: false,
      onStop: new Set()
    }
    return session as unknown as Session
  })
