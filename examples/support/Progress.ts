/**
 * Shows a job while it runs, from the events of the engine: a bar on a terminal, lines elsewhere. What it has seen is
 * also the report at the end.
 */
import { Clock, DateTime, Effect, Option, PubSub, Queue, Schema } from "effect"
import type { JobExecution, JobRepository, StepExecution } from "effect-batch"
import { BatchEvent, JobOperator } from "effect-batch"
import * as Screen from "./Screen.js"
import * as Terminal from "./Terminal.js"

/** A step of the execution that was watched, and what is worth telling about how it began. */
export interface StepStory {
  readonly step: StepExecution.StepExecution
  readonly note: string
}

/** What was seen, in the order in which it happened. */
export interface Story {
  readonly steps: ReadonlyArray<StepStory>
}

/** Runs an effect that runs jobs, and shows them. Gives its result, and what was seen. */
export const watch = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<readonly [A, Story], E, R | JobRepository.JobRepository> =>
  Effect.scoped(Effect.gen(function*() {
    // Subscribed before the job begins, so that nothing is missed.
    const events = yield* Effect.flatMap(JobOperator.Events, PubSub.subscribe)
    const view: View = { screen: Screen.make(), steps: [], drawn: { at: 0, quarter: 0 } }
    const shown = Effect.flatMap(Queue.take(events), (event) => show(view, event))
    yield* Effect.forkScoped(Effect.forever(shown))
    const rest = Effect.flatMap(Queue.takeAll(events), Effect.forEach((event) => show(view, event)))
    const result = yield* Effect.ensuring(effect, Effect.zipRight(rest, Effect.sync(view.screen.end)))
    return [result, { steps: view.steps }] as const
  }))

/** The counts of the steps as a table. */
export const stepTable = ({ steps }: Story): ReadonlyArray<string> =>
  Terminal.table(
    [
      { title: "step", paint: Terminal.bold },
      { title: "status", paint: (text) => statusPaint(text.trim() as StepExecution.StepExecution["status"])(text) },
      ...["read", "written", "filtered", "skipped", "commits"].map((title) => ({
        title,
        align: "right" as const
      })),
      { title: "" }
    ],
    steps.map(({ note, step: { counts, status, stepName } }) => [
      stepName,
      status,
      ...[
        counts.read,
        counts.write,
        counts.filter,
        counts.readSkip + counts.processSkip + counts.writeSkip,
        counts.commit
      ].map(Terminal.number),
      note
    ])
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface View {
  readonly screen: Screen.Screen
  readonly steps: Array<StepStory>
  drawn: { readonly at: number; readonly quarter: number }
}

type Event<Tag extends BatchEvent.BatchEvent["_tag"]> = Extract<BatchEvent.BatchEvent, { readonly _tag: Tag }>

const show = (view: View, event: BatchEvent.BatchEvent): Effect.Effect<void, never, JobRepository.JobRepository> =>
  BatchEvent.BatchEvent.$match(event, {
    JobStarted: (event) => jobStarted(view, event),
    StepSkipped: ({ step }) => stepSkipped(view, step),
    StepStarted: (event) => stepStarted(view, event),
    ChunkCommitted: (event) => committed(view, event),
    ChunkRolledBack: ({ step }) => line(view, Terminal.yellow("↶"), step.stepName, "the last chunk was rolled back"),
    ItemSkipped: ({ message, phase, step }) =>
      line(view, Terminal.yellow("⤼"), step.stepName, `skipped in ${phase}: ${message}`),
    StepEnded: ({ step }) => stepEnded(view, step),
    HeartbeatLate: ({ millis }) =>
      line(view, Terminal.yellow("!"), "heartbeat", `no answer for ${Terminal.number(millis)} ms`),
    JobEnded: () => Effect.void
  })

const line = (view: View, sign: string, name: string, text: string): Effect.Effect<void> =>
  Effect.sync(() => view.screen.line(`  ${sign} ${Terminal.bold(name.padEnd(NAME))} ${text}`))

const jobStarted = (view: View, { job }: Event<"JobStarted">) =>
  Effect.map(Effect.option(Effect.flatMap(job.restartOf, JobOperator.execution)), (earlier) => {
    if (Option.isSome(earlier)) {
      view.screen.line(`  Execution ${job.id} goes on after execution ${earlier.value.id}, ${endOf(earlier.value)}.`)
    }
  })

const endOf = ({ exitStatus, status }: JobExecution.JobExecution): string =>
  exitStatus.code === "OWNER_DIED" ? "whose process died" : `which is ${status}`

const stepSkipped = (view: View, step: StepExecution.StepExecution) => {
  const note = `not run: complete since execution ${step.jobExecutionId}`
  view.steps.push({ step, note })
  return line(view, Terminal.cyan("⤼"), step.stepName, note)
}

const stepStarted = (view: View, { resumed, step }: Event<"StepStarted">) => {
  const note = resumed ? `resumed ${placeOf(step)}` : ""
  view.steps.push({ step, note })
  view.drawn = { at: 0, quarter: 0 }
  return resumed
    ? line(view, Terminal.cyan("↻"), step.stepName, note)
    : Terminal.isTerminal
    ? Effect.void
    : line(view, " ", step.stepName, "started")
}

/** Where a resumed step goes on, in words where the position of its reader has a number that people understand. */
const placeOf = ({ checkpoint }: StepExecution.StepExecution): string => {
  const { elements, line, read } = Option.match(Option.flatMap(checkpoint, Schema.decodeUnknownOption(Position)), {
    onNone: () => ({}) as typeof Position.Type["reader"],
    onSome: ({ reader }) => reader
  })
  const items = elements ?? read
  return Option.isNone(checkpoint)
    ? "from the beginning"
    : items !== undefined
    ? `behind item ${Terminal.number(items)}`
    : line === undefined
    ? "at its last commit"
    : `in line ${Terminal.number(line)}`
}

const Position = Schema.Struct({
  reader: Schema.Struct({
    elements: Schema.optional(Schema.Number),
    read: Schema.optional(Schema.Number),
    line: Schema.optional(Schema.Number)
  })
})

const committed = (view: View, { progress, step }: Event<"ChunkCommitted">) =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    update(view, step)
    const share = progress === undefined ? undefined : progress.done / Math.max(1, progress.total)
    const quarter = Math.floor((share ?? 0) * 4)
    if (Terminal.isTerminal ? now - view.drawn.at < FRAME : share === undefined || quarter <= view.drawn.quarter) {
      return
    }
    view.drawn = { at: now, quarter }
    const part = share === undefined ? "" : `${String(Math.floor(share * 100)).padStart(3)} %  `
    const text = `${part}${counted(step)}`
    if (Terminal.isTerminal) {
      const drawing = share === undefined ? "" : `${Terminal.cyan(Terminal.bar(share, BAR))} `
      view.screen.live(`  ${Terminal.cyan("▸")} ${Terminal.bold(step.stepName.padEnd(NAME))} ${drawing}${text}`)
    } else if (quarter < 4) {
      view.screen.line(`    ${step.stepName.padEnd(NAME)} ${text}`)
    }
  })

const stepEnded = (view: View, step: StepExecution.StepExecution) => {
  update(view, step)
  const paint = statusPaint(step.status)
  const sign = step.status === "COMPLETED" ? "✔" : step.status === "STOPPED" ? "■" : "✘"
  const time = Option.match(Option.zipWith(step.startTime, step.endTime, DateTime.distance), {
    onNone: () => "",
    onSome: (millis) => Terminal.dim(` in ${(millis / 1000).toFixed(1)} s`)
  })
  return line(view, paint(sign), step.stepName, `${paint(step.status)}  ${counted(step)}${time}`)
}

const update = (view: View, step: StepExecution.StepExecution): void => {
  const at = view.steps.findLastIndex((known) => known.step.stepName === step.stepName)
  if (at >= 0) {
    view.steps[at] = { ...view.steps[at]!, step }
  }
}

const counted = ({ counts }: StepExecution.StepExecution): string => {
  const skips = counts.readSkip + counts.processSkip + counts.writeSkip
  return [
    `${Terminal.number(counts.read)} read`,
    `${Terminal.number(counts.write)} written`,
    ...(counts.filter > 0 ? [`${Terminal.number(counts.filter)} filtered`] : []),
    ...(skips > 0 ? [`${Terminal.number(skips)} skipped`] : []),
    Terminal.plural(counts.commit, "commit")
  ].join(", ")
}

const statusPaint = (status: StepExecution.StepExecution["status"]) =>
  status === "COMPLETED" ? Terminal.green : status === "FAILED" ? Terminal.red : Terminal.yellow

const NAME = 14
const BAR = 24
/** Milliseconds between two drawings of a bar. */
const FRAME = 40
