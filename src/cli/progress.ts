/**
 * Shows jobs while they run: a live line with a bar on a terminal, plain lines elsewhere.
 */
import type { Terminal } from "@effect/platform/Terminal"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import { visible, withoutAdvice } from "../base/text.js"
import * as JobOperator from "../operator/JobOperator.js"
import * as Meter from "../operator/ProgressMeter.js"
import { countsText, stepLine } from "../operator/summary.js"
import type { BatchEvent } from "../vocabulary/BatchEvent.js"
import * as Format from "./format.js"

/** Runs the effect and shows what the engine tells meanwhile. @internal */
export const shown = <A, E, R>(terminal: Terminal, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.scoped(Effect.gen(function*() {
    const events = yield* Effect.flatMap(JobOperator.Events, PubSub.subscribe)
    const view: View = { terminal, isLive: yield* terminal.isTTY, drawn: false, drawnAt: -Infinity, meter: undefined }
    const show = (event: BatchEvent) => Effect.flatMap(Clock.currentTimeMillis, (now) => draw(view, event, now))
    yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(events), show)))
    const rest = Effect.flatMap(Queue.takeAll(events), Effect.forEach(show, { discard: true }))
    return yield* Effect.ensuring(effect, Effect.zipRight(rest, erase(view)))
  }))

/** The live line: `load  ████░░░░  42 %  4,200 read, … 1,000/s, 6.0 s left`. Pure. @internal */
export const liveLine = (meter: Meter.ProgressMeter, counts: string): string => {
  const share = Option.map(Meter.share(meter), (part) => `${bar(part)} ${Math.floor(part * 100)} %`)
  const rate = Option.map(Meter.rate(meter), (perSecond) => `${Format.number(Math.round(perSecond))}/s`)
  const left = Option.map(Meter.eta(meter), (time) => `${Format.duration(Duration.toMillis(time))} left`)
  const numbers = [counts, ...Option.toArray(rate), ...Option.toArray(left)].join(", ")
  return [meter.stepName, ...Option.toArray(share), numbers].join("  ")
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface View {
  readonly terminal: Terminal
  readonly isLive: boolean
  drawn: boolean
  drawnAt: number
  meter: Meter.ProgressMeter | undefined
}

/** Milliseconds between two drawings. */
const FRAME = 100
/** Milliseconds between two lines where nothing can be drawn over. */
const PACE = 10_000

const draw = (view: View, event: BatchEvent, now: number): Effect.Effect<void> => {
  switch (event._tag) {
    case "JobStarted":
      return line(view, `${event.job.instance.jobName} runs as execution ${event.job.id}`)
    case "StepSkipped":
      return line(view, `  ${event.step.stepName} was complete already`)
    case "StepStarted":
      view.meter = Meter.update(Meter.make(event.step.stepName), event, now)
      view.drawnAt = view.isLive ? -Infinity : now
      return line(view, `  ${event.step.stepName} ${event.resumed ? "goes on from its last commit" : "started"}`)
    case "ChunkCommitted": {
      // Steps that run in parallel take turns.
      const meter = view.meter?.stepName === event.step.stepName ? view.meter : Meter.make(event.step.stepName)
      view.meter = Meter.update(meter, event, now)
      if (now - view.drawnAt < (view.isLive ? FRAME : PACE)) {
        return Effect.void
      }
      view.drawnAt = now
      const text = `  ${liveLine(view.meter, countsText(event.step.counts))}`
      return view.isLive ? live(view, text) : line(view, text)
    }
    case "ChunkRolledBack":
      return line(view, `  ${event.step.stepName} rolled a chunk back: ${event.message}`)
    case "ItemSkipped":
      return line(view, `  ${event.step.stepName} skipped an item in ${event.phase}: ${withoutAdvice(event.message)}`)
    case "StepEnded":
      return line(view, `  ${stepLine(event.step)}`)
    case "JobEnded":
      return Effect.void
  }
}

const write = ({ terminal }: View, text: string): Effect.Effect<void> => Effect.ignore(terminal.display(text))

const erase = (view: View): Effect.Effect<void> =>
  Effect.suspend(() => {
    const wasDrawn = view.drawn
    view.drawn = false
    return wasDrawn ? write(view, "\r\u001b[2K") : Effect.void
  })

const line = (view: View, text: string): Effect.Effect<void> =>
  Effect.zipRight(erase(view), write(view, `${visible(text)}\n`))

/** Without line wrapping, or a narrow terminal would keep a part of every drawing. */
const live = (view: View, text: string): Effect.Effect<void> =>
  Effect.zipRight(
    erase(view),
    Effect.suspend(() => {
      view.drawn = true
      return write(view, `\u001b[?7l${visible(text)}\u001b[?7h`)
    })
  )

const bar = (share: number): string => {
  const full = Math.round(share * WIDTH)
  return "█".repeat(full) + "░".repeat(WIDTH - full)
}

const WIDTH = 24
