/**
 * The commands of a program that is part of a cluster: being one of its processes, and what its schedules will do. The cluster
 * itself comes from the program, so that the command line does not need its packages.
 */
import type * as Cron from "effect/Cron"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { plural } from "../base/text.js"
import * as Calendar from "../decisions/calendar.js"
import type { Command } from "./command.js"
import { command } from "./command.js"
import type { Answer, CliContext, Work } from "./context.js"
import { answeringAlone, jsonFlag, print } from "./context.js"
import type { Read } from "./flag.js"
import { optional, positive, withDefault } from "./flag.js"
import { table } from "./layout.js"

/** @internal */
export interface Address {
  readonly host: string
  readonly port: number
}

/** @internal */
export interface Settings {
  readonly slots: number
  readonly jobs: number
  readonly address: Address
  readonly listen: Address | undefined
}

/** @internal */
export interface Schedule {
  readonly jobName: string
  readonly name: string
  readonly cron: Cron.Cron
}

/** See `BatchCli.Cluster`. @internal */
export interface Cluster<out R> {
  readonly process: (settings: Settings) => Layer.Layer<never, unknown, R>
  readonly schedules?: ReadonlyArray<Schedule> | undefined
}

/** @internal */
export const clusterCommands = (context: CliContext, cluster: Cluster<any>): ReadonlyArray<Command<Work>> => [
  takePart(context, cluster),
  listSchedules(cluster)
]

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const takePart = (context: CliContext, cluster: Cluster<any>): Command<Work> =>
  command(
    {
      words: ["cluster", "run"],
      group: "Run",
      summary:
        "Be a process of the cluster, until a signal: jobs, partitions and schedules; what it is at is then handed over",
      flags: {
        slots: withDefault(optional("slots", "number", "Partitions that run at once in this process", positive), 1),
        jobs: withDefault(optional("jobs", "number", "Jobs that run at once in this process", positive), 16),
        address: withDefault(
          optional("address", "host:port", "Where the other processes reach this one", address),
          LOCAL,
          "localhost:34431"
        ),
        listen: optional("listen", "host:port", "Where it listens, if that is not its address", address)
      },
      args: {}
    },
    ({ address, jobs, listen, slots }) =>
      Effect.suspend(() => {
        const settings: Settings = { slots, jobs, address, listen: Option.getOrUndefined(listen) }
        const at = `${address.host}:${address.port}, with ${plural(slots, "slot")}`
        return Effect.zipRight(
          print(`${context.name} is part of the cluster at ${at}. Ctrl-C hands over what it is at.`),
          Layer.launch(Layer.provide(cluster.process(settings), context.live))
        )
      })
  )

const listSchedules = ({ schedules = [] }: Cluster<any>): Command<Work> =>
  command(
    {
      words: ["list", "schedules"],
      group: "Look",
      summary: "The schedules of this program, and when each of them comes next; without a database",
      flags: {
        next: withDefault(optional("next", "number", "So many times of each", positive), 1),
        json: jsonFlag
      },
      args: {}
    },
    ({ json, next }) => answeringAlone(json, Effect.map(DateTime.now, (now) => answer(schedules, next, now)))
  )

const answer = (schedules: ReadonlyArray<Schedule>, count: number, now: DateTime.Utc): Answer => {
  const rows = schedules.map((schedule) => ({ ...schedule, ticks: ticksOf(schedule.cron, count, now) }))
  return {
    text: (width) =>
      rows.length === 0
        ? "This program has no schedules."
        : table(
          ["JOB", "SCHEDULE", "ZONE", "NEXT"],
          rows.flatMap(({ cron, jobName, name, ticks }) =>
            ticks.map((tick, i) => [...(i === 0 ? [jobName, name, zoneOf(cron)] : ["", "", ""]), shown(tick)])
          ),
          width
        ),
    json: rows.map(({ cron, jobName, name, ticks }) => ({
      job: jobName,
      schedule: name,
      zone: zoneOf(cron),
      next: ticks.map(DateTime.formatIso)
    }))
  }
}

const ticksOf = (cron: Cron.Cron, count: number, now: DateTime.Utc): ReadonlyArray<DateTime.Zoned> => {
  const ticks: Array<DateTime.Zoned> = []
  for (let at = DateTime.toEpochMillis(now); ticks.length < count;) {
    at = Calendar.nextOf(cron, at)
    ticks.push(DateTime.setZone(DateTime.unsafeMake(at), Calendar.zoneOf(cron)))
  }
  return ticks
}

const zoneOf = (cron: Cron.Cron): string => DateTime.zoneToString(Calendar.zoneOf(cron))

/** With its offset: when clocks are set back, one time comes twice. */
const shown = (tick: DateTime.Zoned): string => DateTime.formatIsoOffset(tick).replace("T", " ").replace(/\.000/, "")

const LOCAL: Address = { host: "localhost", port: 34431 }

/** An address of IPv6 stands in brackets, as in a URL. */
const address: Read<Address> = (text) => {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  return digits === undefined || port > 65535
    ? Either.left("must be a host and a port, such as 10.0.0.7:34431")
    : Either.right({ host: bracketed ?? plain ?? "", port })
}
