/**
 * Which ticks of a schedule run, as a pure decision, made when the message about one is delivered: in time, or late because
 * nobody was there or because the one before still ran.
 *
 * Laws, tested by properties: the ticks that run ascend strictly; while no delivery is later than `toleranceMillis`, all of them
 * run, each once; and what is handed on lies behind what was delivered, so a chain of messages never stands still.
 */
import type * as Cron from "effect/Cron"
import { lastOf, nextOf } from "./calendar.js"

/**
 * What becomes of ticks that are too late: of all that are due the latest runs (`once`), or none (`skip`).
 */
export type Misfire = "once" | "skip"

/** - `toleranceMillis`: how late a tick may be without being a misfire. */
export interface Policy {
  readonly misfire: Misfire
  readonly toleranceMillis: number
}

/** The tick that runs now, if one does, and the one whose message is to be sent. Milliseconds since the epoch. */
export interface Verdict {
  readonly run: number | undefined
  readonly next: number
}

export const decide = (cron: Cron.Cron, at: number, now: number, { misfire, toleranceMillis }: Policy): Verdict => {
  if (now - at <= toleranceMillis) {
    return { run: at, next: nextOf(cron, at) }
  }
  if (misfire === "skip") {
    return { run: undefined, next: nextOf(cron, Math.max(at, now - toleranceMillis - 1)) }
  }
  const latest = Math.max(at, lastOf(cron, now))
  return { run: latest, next: nextOf(cron, latest) }
}
