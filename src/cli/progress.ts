/**
 * Shows jobs while they run: a live line with a bar on a terminal, or one for each partition, plain lines elsewhere.
 */
import type { Terminal } from "@effect/platform/Terminal"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import { visible, withoutAdvice } from "../base/text.js"
import * as JobOperator from "../operator/JobOperator.js"
import * as Meter from "../operator/ProgressMeter.js"
import { countsText, stepLine } from "../operator/summary.js"
import type { BatchEvent } from "../vocabulary/BatchEvent.js"
import * as Format from "./format.js"
import { inCell, UNLIMITED, wrap } from "./layout.js"
import * as Slots from "./slots.js"

/** Runs the effect and shows what the engine tells meanwhile. @internal */
export const shown = <A, E, R>(terminal: Terminal, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.scoped(Effect.gen(function*() {
    const events = yield* Effect.flatMap(JobOperator.Events, PubSub.subscribe)
    const isLive = yield* terminal.isTTY
    const view: View = {
      terminal,
      isLive,
      width: (yield* terminal.columns) || 80,
      drawn: 0,
      drawnAt: -Infinity,
      meter: undefined,
      slots: Slots.empty,
      rolledBack: new Map()
    }
    const show = (event: BatchEvent) =>
      Effect.flatMap(
        Clock.currentTimeMillis,
        (now) =>
          event._tag === "HeartbeatLate" || Slots.partitionOf(event.job) === ""
            ? draw(view, event, now)
            : drawPartition(view, event, now)
      )
    // An event that was taken is shown to its end: otherwise the last lines of a job could be lost.
    const shows = yield* Effect.forkScoped(Effect.forever(
      Effect.uninterruptibleMask((restore) => Effect.flatMap(restore(Queue.take(events)), show))
    ))
    const rest = Effect.flatMap(Queue.takeAll(events), Effect.forEach(show, { discard: true }))
    return yield* Effect.ensuring(
      effect,
      Effect.zipRight(Fiber.interrupt(shows), Effect.zipRight(rest, erase(view)))
    )
  }))

/**
 * The live line: `load  ████░░░░  42 %  4,200 read, … 1,000/s, 6.0 s left`; two where that is too long, the numbers below.
 * Pure.
 *
 * @internal
 */
export const liveLines = (meter: Meter.ProgressMeter, counts: string, width: number): ReadonlyArray<string> => {
  const share = Option.map(Meter.share(meter), (part) => `${bar(part)} ${Math.floor(part * 100)} %`)
  const rate = Option.map(Meter.rate(meter), (perSecond) => `${Format.number(Math.round(perSecond))}/s`)
  const left = Option.map(Meter.eta(meter), (time) => `${Format.duration(Duration.toMillis(time))} left`)
  const numbers = [counts, ...Option.toArray(rate), ...Option.toArray(left)].join(", ")
  const head = ["", inCell(meter.stepName), ...Option.toArray(share)].join("  ")
  const whole = `${head}  ${numbers}`
  return whole.length < width ? [whole] : [
    head.slice(0, Math.max(1, width - 1)),
    ...wrap(numbers, width - 5).map((line) => `    ${line}`)
  ]
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface View {
  readonly terminal: Terminal
  readonly isLive: boolean
  readonly width: number
  /** How many lines are drawn that have to go. */
  drawn: number
  drawnAt: number
  meter: Meter.ProgressMeter | undefined
  /** The partitions that run here. */
  slots: Slots.Slots
  /** Rollbacks that are not told yet, by step. */
  readonly rolledBack: Map<string, RolledBack>
}

/** A search for a bad record rolls back many times; what is told is the record. */
interface RolledBack {
  readonly times: number
  readonly message: string
  /** Commits of whole chunks up to then: the next one ends the search. */
  readonly commits: number
}

/** Milliseconds between two drawings. */
const FRAME = 100
/** Milliseconds between two lines where nothing can be drawn over. */
const PACE = 10_000

const draw = (view: View, event: BatchEvent, now: number): Effect.Effect<void> => {
  switch (event._tag) {
    case "JobStarted":
      return line(view, `${inCell(event.job.instance.jobName)} runs as execution ${event.job.id}`)
    case "StepSkipped":
      return line(view, `  ${inCell(event.step.stepName)} was complete already`)
    case "StepStarted":
      view.meter = Meter.update(Meter.make(event.step.stepName), event, now)
      view.slots = view.slots.running.size === 0 ? Slots.empty : view.slots
      view.drawnAt = view.isLive ? -Infinity : now
      return line(
        view,
        `  ${inCell(event.step.stepName)} ${event.resumed ? "goes on from its last commit" : "started"}`
      )
    case "ChunkCommitted": {
      const { commits = Infinity } = view.rolledBack.get(event.step.stepName) ?? {}
      const told = event.step.counts.commit > commits ? tellRollbacks(view, event.step.stepName) : Effect.void
      return Effect.zipRight(told, Effect.suspend(() => drawCounts(view, event, now)))
    }
    case "ChunkRolledBack": {
      const { counts, stepName } = event.step
      const before = view.rolledBack.get(stepName)
      view.rolledBack.set(stepName, {
        times: (before?.times ?? 0) + 1,
        message: before?.message ?? event.message,
        commits: before?.commits ?? counts.commit
      })
      return Effect.void
    }
    case "ItemSkipped": {
      view.rolledBack.delete(event.step.stepName)
      const what = `skipped ${event.place ?? "a record"} in ${event.phase}: ${withoutAdvice(event.message)}`
      return line(view, `  ${inCell(event.step.stepName)} ${inCell(what)}`)
    }
    case "StepEnded":
      return Effect.zipRight(tellRollbacks(view, event.step.stepName), line(view, `  ${inCell(stepLine(event.step))}`))
    case "HeartbeatLate":
      return line(
        view,
        `  the job repository has not answered for ${event.millis} ms, of a lease of ${event.leaseMillis}`
      )
    case "JobEnded":
      return Effect.void
  }
}

/** What happens in one of many partitions is a movement of its bar, unless somebody has to know of it. */
const drawPartition = (view: View, event: BatchEvent, now: number): Effect.Effect<void> => {
  view.slots = Slots.update(view.slots, event, now)
  const name = inCell(`${Slots.partitionOf(event.job)} of ${event.job.instance.jobName}`)
  switch (event._tag) {
    case "ItemSkipped": {
      const what = `skipped ${event.place ?? "a record"} in ${event.phase}: ${withoutAdvice(event.message)}`
      return line(view, `  ${name}: ${inCell(what)}`)
    }
    case "JobEnded": {
      const { exitStatus, status } = event.job
      const bad = status === "COMPLETED" ? Effect.void : line(
        view,
        `  ${name} ${
          [status, ...exitStatus.messages.slice(0, 1).map((message) => inCell(withoutAdvice(message)))].join(": ")
        }`
      )
      return Effect.zipRight(bad, drawSlots(view, now))
    }
    default:
      return drawSlots(view, now)
  }
}

const drawSlots = (view: View, now: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { slots, width } = view
    if (now - view.drawnAt < (view.isLive ? FRAME : PACE)) {
      return Effect.void
    }
    view.drawnAt = now
    return view.isLive
      ? live(
        view,
        Slots.lines(slots, now, (meter, text) => liveLines(meter, text, width)[0]!).map((text) =>
          text.slice(0, width - 1)
        )
      )
      : line(view, `  partitions: ${Slots.summary(slots)}`)
  })

/** Steps that run in parallel take turns. */
const drawCounts = (
  view: View,
  event: Extract<BatchEvent, { readonly _tag: "ChunkCommitted" }>,
  now: number
): Effect.Effect<void> => {
  const meter = view.meter?.stepName === event.step.stepName ? view.meter : Meter.make(event.step.stepName)
  view.meter = Meter.update(meter, event, now)
  if (now - view.drawnAt < (view.isLive ? FRAME : PACE)) {
    return Effect.void
  }
  view.drawnAt = now
  const counts = countsText(event.step.counts)
  return view.isLive
    ? live(view, liveLines(view.meter, counts, view.width))
    : line(view, liveLines(view.meter, counts, UNLIMITED).join(" "))
}

const tellRollbacks = (view: View, stepName: string): Effect.Effect<void> => {
  const rolledBack = view.rolledBack.get(stepName)
  view.rolledBack.delete(stepName)
  return rolledBack === undefined ? Effect.void : line(
    view,
    `  ${inCell(stepName)} rolled a chunk back${rolledBack.times === 1 ? "" : ` ${rolledBack.times} times`}: ${
      inCell(rolledBack.message)
    }`
  )
}

const write = ({ terminal }: View, text: string): Effect.Effect<void> => Effect.ignore(terminal.display(text))

/** The cursor stands at the end of what is drawn. */
const erase = (view: View): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { drawn } = view
    view.drawn = 0
    return drawn === 0 ? Effect.void : write(view, `\r\u001b[2K${"\u001b[1A\u001b[2K".repeat(drawn - 1)}`)
  })

const line = (view: View, text: string): Effect.Effect<void> =>
  Effect.zipRight(erase(view), write(view, `${visible(text)}\n`))

/** Without line wrapping: the terminal may have become narrower. */
const live = (view: View, lines: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.zipRight(
    erase(view),
    Effect.suspend(() => {
      view.drawn = lines.length
      return write(view, `\u001b[?7l${visible(lines.join("\n"))}\u001b[?7h`)
    })
  )

const bar = (share: number): string => {
  const full = Math.round(share * WIDTH)
  return "█".repeat(full) + "░".repeat(WIDTH - full)
}

const WIDTH = 24
