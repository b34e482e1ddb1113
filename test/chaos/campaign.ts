/**
 * All attackers at once, by a seed: `npm run chaos -- --faults 10000 --seed 1`.
 *
 * Rounds of worker processes carry jobs that write rows and files, while processes are killed and frozen, shorter and longer
 * than their lease, connections are cut or fall silent in one direction or both, the network goes away, and the server falls
 * back to an older copy of its data. Pools have one to three connections, and some rounds go through PgBouncer. What holds is
 * read from rows and files when a round is over.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { seeded } from "../../src/base/random.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as PgBouncer from "../support/PgBouncer.js"
import * as Postgres from "../support/Postgres.js"
import { before, idsIn, type Kind, kinds, pathOf, rows, table } from "./campaignJob.js"
import type { CampaignOptions } from "./campaignWorker.js"
import * as Processes from "./processes.js"
import * as Proxy from "./proxy.js"

export interface Settings {
  readonly faults: number
  readonly seed: number
  /** So many servers, each with its own rounds of workers, are attacked side by side: most of a round is waiting. */
  readonly lanes: number
  readonly log: (line: string) => void
  /** Ends it behind the round that is going on. */
  readonly isOver?: () => boolean
}

export interface Result {
  readonly faults: Readonly<Record<string, number>>
  /** What the run that was hit said next, by kind of fault: it went on, or ended and how. */
  readonly outcomes: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** How executions ended, by exit code. */
  readonly endings: Readonly<Record<string, number>>
  readonly rounds: number
  readonly jobs: number
  readonly violations: ReadonlyArray<string>
}

const WORKERS = 3
const JOBS = 6
const LEASE_MILLIS = 1500
/** After so many faults a round is left in peace, so that it ends on a slow machine, too. */
const FAULTS_A_ROUND = 80

type Random = (below: number) => number

/** What a round promises decides who attacks it: writing in place says nothing about freezes longer than the lease. */
interface Mood {
  readonly name: string
  readonly kinds: ReadonlyArray<Kind>
  readonly attacks: ReadonlyArray<keyof ReturnType<typeof attackers>>
  readonly isPooled?: boolean
  readonly fallsBack?: boolean
}

const parts: ReadonlyArray<Kind> = kinds.filter((kind) => !kind.startsWith("inPlace"))

const MOODS: ReadonlyArray<Mood> = [
  {
    name: "everything",
    kinds: parts,
    attacks: ["kill", "freezeLong", "freezeShort", "cut", "cutOne", "silence", "away"]
  },
  { name: "freezes", kinds: parts.slice(2), attacks: ["freezeLong", "freezeLong", "freezeShort", "kill"] },
  { name: "in place", kinds, attacks: ["kill", "freezeShort", "cut", "cutOne"] },
  { name: "silence", kinds: parts, attacks: ["silence", "silenceOut", "silenceBack", "away", "cutOne"] },
  { name: "pooler", kinds: parts, attacks: ["kill", "freezeLong", "freezeShort", "cut", "cutOne"], isPooled: true },
  {
    name: "older copy",
    kinds: parts.filter((kind) => kind !== "append"),
    attacks: ["kill", "freezeLong", "cutOne"],
    fallsBack: true
  }
]

/** Whom a fault has hit: one of the workers, or whichever of them notices first. Nobody when it hit nothing. */
type Hit = number | "somebody" | undefined

const attackers = (present: ReadonlyArray<Processes.Process>, proxy: Proxy.Proxy, random: Random) => {
  const strike = (attack: (process: Processes.Process) => void) =>
    Effect.sync((): Hit => {
      const slot = random(WORKERS)
      const process = present[slot]
      if (process === undefined || process.child.exitCode !== null || process.child.signalCode !== null) {
        return undefined
      }
      attack(process)
      return slot
    })
  const freeze = (millis: () => number) =>
    strike((process) => {
      process.kill("SIGSTOP")
      setTimeout(() => process.kill("SIGCONT"), millis())
    })
  const network = (strike: () => number) => Effect.sync((): Hit => strike() > 0 ? "somebody" : undefined)
  const one = () => {
    const chosen = random(8)
    return (index: number) => index % 8 === chosen
  }
  return {
    kill: strike((process) => process.kill("SIGKILL")),
    freezeShort: freeze(() => 100 + random(LEASE_MILLIS / 2)),
    freezeLong: freeze(() => LEASE_MILLIS + 100 + random(LEASE_MILLIS)),
    cut: network(() => proxy.cut(() => true)),
    cutOne: network(() => proxy.cut(one())),
    silence: network(() => proxy.silence(one(), { toServer: random(400), toClient: random(400) })),
    silenceOut: network(() => proxy.silence(one(), { toServer: random(400), toClient: Infinity })),
    silenceBack: network(() => proxy.silence(one(), { toServer: Infinity, toClient: random(400) })),
    away: Effect.suspend(() => {
      proxy.blackout(true)
      return Effect.as(
        Effect.delay(Effect.sync(() => proxy.blackout(false)), 200 + random(LEASE_MILLIS)),
        "somebody" as Hit
      )
    })
  }
}

/** How a run ended, from the line that its worker wrote about it. */
const endingOf = (line: string): string =>
  [
    [/ COMPLETED$|JobInstanceAlreadyComplete/, "went on to the end"],
    [/OwnershipLost/, "lost its execution, and said so"],
    [/JobExecutionAlreadyRunning/, "was kept out by a living owner"],
    [/ STOPPED /, "stopped"],
    [/RepositoryUnavailable|TransactionError|SqlError|connection|database/i, "failed without its database"]
  ].find(([pattern]) => (pattern as RegExp).test(line))?.[1] as string | undefined ?? "failed otherwise"

/** The faults whose outcome has not been seen yet. */
const outcomesIn = (outcomes: Record<string, Record<string, number>>) => {
  let open: ReadonlyArray<{ readonly name: string; readonly hit: Hit }> = []
  const settle = (outcome: string, isMeant: (hit: Hit) => boolean) => {
    for (const { hit, name } of open) {
      if (isMeant(hit)) {
        const counts = outcomes[name] ??= {}
        counts[outcome] = (counts[outcome] ?? 0) + 1
      }
    }
    open = open.filter(({ hit }) => !isMeant(hit))
  }
  return {
    struck: (name: string, hit: Hit) => {
      open = [...open, { name, hit }]
    },
    said: (slot: number, line: string) => settle(endingOf(line), (hit) => hit === slot || hit === "somebody"),
    died: (slot: number) => settle("died", (hit) => hit === slot),
    over: () => settle("no run was going on", () => true)
  }
}

/** Keeps workers at work until all have ended in peace. */
const crew = (
  worker: string,
  options: CampaignOptions,
  unexpected: Array<string>,
  outcomes: ReturnType<typeof outcomesIn>
) => {
  const present: Array<Processes.Process> = []
  const keep = (slot: number): Effect.Effect<void> =>
    Effect.scoped(Effect.gen(function*() {
      const process = yield* Processes.spawn(worker, [JSON.stringify(options)], (line) => outcomes.said(slot, line))
      present[slot] = process
      const ended = yield* process.ended
      if (ended.signal !== null) {
        outcomes.died(slot)
      }
      for (const line of ended.lines) {
        // Nothing but what faults make of a run.
        if (/FileError|violates|out of memory|TypeError|is not a function/.test(line)) {
          unexpected.push(line)
        }
      }
      return ended
    })).pipe(Effect.flatMap(({ code, errors, signal }) => {
      if (code !== 0 && code !== 3 && signal !== "SIGKILL") {
        unexpected.push(`a worker ended with ${code ?? signal}: ${errors.slice(0, 500)}`)
      }
      return code === 0 ? Effect.void : keep(slot)
    }))
  const working = Effect.forEach(Array.from({ length: WORKERS }, (_, slot) => slot), keep, {
    concurrency: "unbounded",
    discard: true
  })
  return { present, working }
}

/** What rows and files say when a round is over. */
const verdict = (directory: string, jobs: CampaignOptions["jobs"]) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const violations: Array<string> = []
    const written = yield* sql<{ readonly job: number; readonly id: number; readonly execution: number }>`
      select job, id, execution from campaign_row where ${sql.in("job", jobs.map(({ job }) => job))} order by job, id`
    const all = Array.from({ length: rows }, (_, index) => index + 1)
    for (const { job, kind } of jobs) {
      const mine = written.filter((row) => row.job === job)
      const ids = mine.map(({ id }) => id)
      if (ids.join() !== all.join()) {
        violations.push(`job ${job} (${kind}): rows are ${ids.join()}`)
      }
      if (mine.some(({ execution }, index) => index > 0 && execution < mine[index - 1]!.execution)) {
        violations.push(`job ${job} (${kind}): an execution wrote behind its successor`)
      }
      const inFile = Effect.runSync(Effect.either(Effect.try(() => idsIn(directory, job, kind))))
      const expected = kind === "append" ? [0, ...all] : all
      if (inFile._tag === "Left" || (inFile.right !== undefined && inFile.right.join() !== expected.join())) {
        violations.push(
          `job ${job} (${kind}): its file holds ${inFile._tag === "Left" ? inFile.left : inFile.right?.join()}`
        )
      }
    }
    const counts = yield* sql<{ readonly job: string; readonly status: string; readonly written: string }>`
      select p.value #>> '{}' as job, max(e.status) filter (where e.id = newest.id) as status, sum(s.write_count) as written
      from batch_job_execution e
      join batch_job_execution_params p on p.job_execution_id = e.id and p.name = 'job'
      join lateral (select max(x.id) as id from batch_job_execution x where x.job_instance_id = e.job_instance_id) newest on true
      left join batch_step_execution s on s.job_execution_id = e.id
      group by 1`
    for (const { job, kind } of jobs) {
      const found = counts.find((row) => Number(row.job) === job)
      if (found?.status !== "COMPLETED" || Number(found.written) !== rows) {
        violations.push(`job ${job} (${kind}): ${found?.status}, counts say ${found?.written}`)
      }
    }
    const left = Fs.readdirSync(directory).filter((name) =>
      !jobs.some((one) => name === Path.basename(pathOf(directory, one.job, one.kind)))
    )
    return { violations, left }
  })

/** What all lanes have done together. */
interface Tally {
  readonly faults: Record<string, number>
  readonly outcomes: Record<string, Record<string, number>>
  readonly violations: Array<string>
  readonly isOver: () => boolean
  readonly log: (line: string) => void
  rounds: number
  sum: number
}

/** Strikes until interrupted, or for long enough. */
const havoc = (
  mood: Mood,
  server: Postgres.DedicatedServer,
  attacks: ReturnType<typeof attackers>,
  random: Random,
  struck: (name: string, hit: Hit) => void
) =>
  Effect.gen(function*() {
    for (let strikes = 1; strikes <= FAULTS_A_ROUND; strikes++) {
      yield* Effect.sleep(150 + random(500))
      const name = mood.fallsBack === true && strikes % 12 === 6
        ? "olderCopy"
        : mood.attacks[random(mood.attacks.length)]!
      const hit = name === "olderCopy" ? Effect.as(server.fallBack, "somebody" as Hit) : attacks[name]
      struck(name, yield* hit)
    }
  })

const migrated = <A, E>(url: URL, effect: Effect.Effect<A, E, SqlClient.SqlClient>) =>
  Effect.provide(effect, Layer.fresh(Layer.provideMerge(SqlJobRepository.layer, Postgres.layerUrl(url.href))))

/** A server, and the ways to it: straight, and through PgBouncer where it is installed. */
const arena = Effect.gen(function*() {
  const server = yield* Postgres.dedicated({ fsync: false })
  const direct = new URL(server.info.url)
  yield* migrated(
    direct,
    Effect.flatMap(
      SqlClient.SqlClient,
      (sql) => Effect.forEach(table, (text) => sql.unsafe(text), { discard: true })
    )
  )
  const way = (to: URL) => Effect.map(Proxy.to(to.hostname, Number(to.port)), (proxy) => ({ to, proxy }))
  const straight = yield* way(direct)
  const pooled = PgBouncer.isInstalled
    ? yield* Effect.flatMap(PgBouncer.before(direct.href), (url) => way(new URL(url)))
    : undefined
  return { server, direct, straight, pooled }
})

type Arena = Effect.Effect.Success<typeof arena>

/** A round: jobs of several kinds under attack, then in peace, then the verdict. */
const round = (
  worker: string,
  { direct, pooled, server, straight }: Arena,
  index: number,
  tally: Tally,
  random: Random
) =>
  Effect.gen(function*() {
    const mood = MOODS[index % MOODS.length]!
    const way = mood.isPooled === true ? pooled : straight
    if (way === undefined) {
      return
    }
    const number = ++tally.rounds
    const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-batch-chaos-"))
    const jobs = Array.from({ length: JOBS }, (_, at) => ({
      job: index * JOBS + at + 1,
      kind: mood.kinds[(index + at) % mood.kinds.length]!
    }))
    jobs.filter(({ kind }) => kind === "append").forEach(({ job, kind }) =>
      Fs.writeFileSync(pathOf(directory, job, kind), before)
    )
    const url = new URL(way.to)
    url.hostname = "127.0.0.1"
    url.port = String(way.proxy.port)
    const options = { url: url.href, directory, jobs, leaseMillis: LEASE_MILLIS, poolSize: 1 + random(3) }
    const unexpected: Array<string> = []
    const outcomes = outcomesIn(tally.outcomes)
    if (mood.fallsBack === true) {
      yield* server.keep
    }
    const { present, working } = crew(worker, options, unexpected, outcomes)
    const struck = (name: string, hit: Hit) => {
      if (hit !== undefined) {
        tally.faults[name] = (tally.faults[name] ?? 0) + 1
        tally.sum++
        outcomes.struck(name, hit)
      }
    }
    const all = havoc(mood, server, attackers(present, way.proxy, random), random, struck)
    yield* Effect.raceFirst(working, Effect.zipRight(all, Effect.never))
    way.proxy.blackout(false)
    // What the server has forgotten is done again, in peace.
    yield* crew(worker, { ...options, url: direct.href }, unexpected, outcomes).working
    outcomes.over()
    const found = yield* migrated(direct, verdict(directory, jobs))
    const broken = [...unexpected, ...found.violations]
    tally.violations.push(
      ...broken.map((line) => `round ${number} (${mood.name}, pool ${options.poolSize}): ${line}`)
    )
    tally.log(
      `round ${number} (${mood.name}, pool of ${options.poolSize}): ${tally.sum} faults, ` +
        (broken.length === 0 ? "all held" : `BROKEN\n  ${broken.join("\n  ")}\n  files in ${directory}`) +
        (found.left.length === 0 ? "" : `, left behind: ${found.left.join(", ")}`)
    )
    if (broken.length === 0) {
      Fs.rmSync(directory, { recursive: true, force: true })
    }
  })

/** Rounds on a server of its own, until all lanes together have struck often enough. */
const lane = (worker: string, seed: number, wanted: number, tally: Tally) =>
  Effect.gen(function*() {
    const random = seeded(seed)
    const ground = yield* arena
    let index = random(MOODS.length)
    for (; tally.sum < wanted && !tally.isOver(); index++) {
      yield* round(worker, ground, index, tally, random)
    }
    return yield* migrated(
      ground.direct,
      Effect.flatMap(SqlClient.SqlClient, (sql) =>
        sql<{ readonly code: string; readonly n: number }>`
          select exit_code as code, count(*)::int as n from batch_job_execution group by 1`)
    )
  })

export const campaign = (
  { faults: wanted, isOver = () => false, lanes, log, seed }: Settings
): Effect.Effect<Result, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    if (!PgBouncer.isInstalled) {
      log("PgBouncer is not installed: no round goes through it")
    }
    const worker = yield* Processes.compile(new URL("campaignWorker.ts", import.meta.url))
    const tally: Tally = { faults: {}, outcomes: {}, violations: [], isOver, log, rounds: 0, sum: 0 }
    const random = seeded(seed)
    const seeds = Array.from({ length: lanes }, (_, index) => index === 0 ? seed : random(2 ** 31))
    const ended = yield* Effect.forEach(seeds, (own) => lane(worker, own, wanted, tally), { concurrency: "unbounded" })
    const endings: Record<string, number> = {}
    ended.flat().forEach(({ code, n }) => {
      endings[code] = (endings[code] ?? 0) + n
    })
    const { faults, outcomes, rounds, violations } = tally
    return { faults, outcomes, endings, rounds, jobs: rounds * JOBS, violations }
  })
