/**
 * Ticks of schedules, as a chain of stored messages: each is delivered at its time, or later, or twice; it has the instance of
 * its tick run, which exists once whatever is delivered, and sends the next one.
 */
import type * as Entity from "@effect/cluster/Entity"
import * as Singleton from "@effect/cluster/Singleton"
import type * as Cron from "effect/Cron"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Calendar from "../decisions/calendar.js"
import * as Ticks from "../decisions/ticks.js"
import type { Job } from "../definition/Job.js"
import { JobDefinitionError } from "../vocabulary/BatchError.js"
import { describe } from "../vocabulary/failure.js"
import { jobKey } from "../vocabulary/jobKey.js"
import { groupOfSchedule, ScheduleEntity, Tick, type TickRpc } from "./messages.js"
import * as Requests from "./requests.js"

/** A schedule that can work. */
export interface Schedule {
  readonly job: Job.Any
  readonly name: string
  readonly cron: Cron.Cron
  readonly parameters: (tick: DateTime.Zoned) => object
  readonly policy: Ticks.Policy
  readonly overlap: boolean
}

export const groupOf = ({ cron, job, name }: Schedule): string => groupOfSchedule(job.name, name, cron)

/**
 * One without a tick would wait for ever, and so would one for which every tick is too late. Two ticks that are one instance would run
 * once, and never again: the first ones of a year are compared, as parameters that are made of a part of a tick are those of a few.
 */
export const check = (schedule: Schedule): void => {
  const { cron, job, name, policy } = schedule
  const refuse = (defect: string): never => {
    throw new JobDefinitionError({ jobName: job.name, defects: [`the schedule "${name}" ${defect}`] })
  }
  if (policy.toleranceMillis <= 0) {
    refuse("has no tolerance, by which every tick would be too late: give a duration above 0")
  }
  const known = new Map<string, number>()
  let tick = Calendar.nextOf(cron, Date.UTC(2026, 0, 1))
  if (!Number.isFinite(tick)) {
    refuse("never comes: no month has such a day")
  }
  for (; known.size < COMPARED && Number.isFinite(tick); tick = Calendar.nextOf(cron, tick)) {
    const parameters = Effect.runSyncExit(parametersOf(schedule, tick))
    if (Exit.isFailure(parameters)) {
      return refuse(`has no parameters for its tick ${iso(tick)}: ${describe(parameters.cause)}`)
    }
    const key = jobKey(parameters.value)
    const same = known.get(key)
    if (same !== undefined) {
      refuse(
        `gives the same identifying parameters for different ticks, as ${iso(same)} and ${
          iso(tick)
        }, so that only the first would ` +
          "run: put the tick into a parameter"
      )
    }
    known.set(key, tick)
  }
}

/** Deals with the ticks of these schedules, and has a first one of each. */
export const layer = (schedules: ReadonlyArray<Schedule>, restarts: number) => {
  const known = new Map(schedules.map((schedule) => [groupOf(schedule), schedule]))
  const handlers = ScheduleEntity.toLayer(
    Effect.map(Effect.context<never>(), (context) => ({
      Tick: ({ address, payload }: Entity.Request<typeof TickRpc>) => {
        const schedule = known.get(address.entityId)
        return schedule === undefined
          ? Effect.void
          : Effect.provide(deal(schedule, payload.at.epochMillis, restarts) as Effect.Effect<void>, context)
      }
    })),
    { concurrency: 1, disableFatalDefects: true, maxIdleTime: "1 minute" }
  )
  return Layer.mergeAll(
    handlers,
    ...schedules.map((schedule) =>
      Singleton.make(`effect-batch/${groupOf(schedule)}`, Effect.asVoid(begin(schedule)), {
        shardGroup: groupOf(schedule)
      })
    )
  )
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** As many as a day has hours, and a few. */
const COMPARED = 30

const zoned = ({ cron }: Schedule, millis: number): DateTime.Zoned =>
  DateTime.unsafeMakeZoned(millis, { timeZone: Calendar.zoneOf(cron) })

const parametersOf = (schedule: Schedule, millis: number) =>
  Effect.suspend(() => {
    const { job, parameters } = schedule
    return Requests.encode(job as Job<object, string, unknown, unknown>, parameters(zoned(schedule, millis)))
  })

/** Sent by every process that begins: one that is on its way already is the same message. */
const begin = (schedule: Schedule) =>
  Effect.flatMap(DateTime.now, ({ epochMillis }) => send(schedule, Calendar.nextOf(schedule.cron, epochMillis)))

const send = (schedule: Schedule, millis: number) =>
  Effect.flatMap(ScheduleEntity.client, (clientOf) =>
    unfailing(
      Requests.patiently(
        clientOf(groupOf(schedule)).Tick(new Tick({ at: DateTime.unsafeMake(millis) }), { discard: true }),
        schedule.name
      )
    ))

/** A chain that ends would be a schedule that ends, so whatever stands in the way is waited for. */
const unfailing = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, never, R> =>
  Effect.catchAllCause(effect, (cause) =>
    Effect.logWarning(`A schedule waits: ${describe(cause)}`).pipe(
      Effect.zipRight(Effect.sleep("1 second")),
      Effect.zipRight(Effect.suspend(() => unfailing(effect)))
    ))

/** The instance is wanted before the next message is sent: whoever dies between leaves this message to be delivered again. */
const deal = (schedule: Schedule, at: number, restarts: number) =>
  Effect.gen(function*() {
    const { cron, job, name, policy } = schedule
    const { epochMillis: now } = yield* DateTime.now
    const { next, run } = Ticks.decide(cron, at, now, policy)
    if (run !== at) {
      yield* Effect.logWarning(
        `Schedule "${name}" of job "${job.name}" is late for ${iso(at)}: ` +
          (run === undefined ? "skipped" : `${iso(run)} runs in its place`)
      )
    }
    if (run !== undefined) {
      yield* Effect.catchAllCause(
        launch(schedule, run, restarts),
        (cause) =>
          Effect.logError(`Schedule "${name}" of job "${job.name}" could not launch ${iso(run)}: ${describe(cause)}`)
      )
    }
    yield* send(schedule, next)
  })

const launch = (schedule: Schedule, tick: number, restarts: number) =>
  Effect.gen(function*() {
    const parameters = yield* parametersOf(schedule, tick)
    const wanted: Requests.Wanted = { job: schedule.job.name, parameters, after: 0, restarts }
    yield* unfailing(
      schedule.overlap ? Requests.tell(wanted) : Effect.catchIf(
        Effect.asVoid(Requests.ask(wanted)),
        Requests.isRefusal,
        ({ problem }) => Effect.logError(`Job "${wanted.job}" was refused at ${iso(tick)}: ${problem}`)
      )
    )
  })

const iso = (millis: number): string => new Date(millis).toISOString()
