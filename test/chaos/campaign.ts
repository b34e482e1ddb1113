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
  readonly log: (line: string) => void
  /** Ends it behind the round that is going on. */
  readonly isOver?: () => boolean
}

export interface Result {
  readonly faults: Readonly<Record<string, number>>
  /** How executions ended, by exit code. */
  readonly endings: Readonly<Record<string, number>>
  readonly rounds: number
  readonly jobs: number
  readonly violations: ReadonlyArray<string>
}

const WORKERS = 3
const JOBS = 6
const LEASE_MILLIS = 1500

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

/** Each gives whether it hit anything. */
const attackers = (present: ReadonlyArray<Processes.Process>, proxy: Proxy.Proxy, random: Random) => {
  const victim = () => present[random(WORKERS)]
  const freeze = (millis: () => number) =>
    Effect.suspend(() => {
      const process = victim()
      return process === undefined ? Effect.succeed(false) : Effect.as(
        Effect.zipRight(
          Effect.sync(() => process.kill("SIGSTOP")),
          Effect.forkDaemon(Effect.delay(Effect.sync(() => process.kill("SIGCONT")), millis()))
        ),
        true
      )
    })
  const network = (strike: () => number) => Effect.sync(() => strike() > 0)
  const one = () => {
    const chosen = random(8)
    return (index: number) => index % 8 === chosen
  }
  return {
    kill: Effect.sync(() => {
      const process = victim()
      process?.kill("SIGKILL")
      return process !== undefined
    }),
    freezeShort: freeze(() => 100 + random(LEASE_MILLIS / 2)),
    freezeLong: freeze(() => LEASE_MILLIS + 100 + random(LEASE_MILLIS)),
    cut: network(() => proxy.cut(() => true)),
    cutOne: network(() => proxy.cut(one())),
    silence: network(() => proxy.silence(one(), { toServer: random(400), toClient: random(400) })),
    silenceOut: network(() => proxy.silence(one(), { toServer: random(400), toClient: Infinity })),
    silenceBack: network(() => proxy.silence(one(), { toServer: Infinity, toClient: random(400) })),
    away: Effect.suspend(() => {
      proxy.blackout(true)
      return Effect.as(Effect.delay(Effect.sync(() => proxy.blackout(false)), 200 + random(LEASE_MILLIS)), true)
    })
  }
}

/** Keeps workers at work until all have ended in peace. */
const crew = (worker: string, options: CampaignOptions, unexpected: Array<string>) => {
  const present: Array<Processes.Process> = []
  const keep = (slot: number): Effect.Effect<void> =>
    Effect.scoped(Effect.gen(function*() {
      const process = yield* Processes.spawn(worker, [JSON.stringify(options)])
      present[slot] = process
      const ended = yield* process.ended
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

export const campaign = (
  { faults: wanted, isOver = () => false, log, seed }: Settings
): Effect.Effect<Result, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const random = seeded(seed)
    const server = yield* Postgres.dedicated({ fsync: false })
    const direct = new URL(server.info.url)
    const live = Layer.fresh(Layer.provideMerge(SqlJobRepository.layer, Postgres.layerUrl(direct.href)))
    yield* Effect.provide(
      Effect.flatMap(
        SqlClient.SqlClient,
        (sql) => Effect.forEach(table, (text) => sql.unsafe(text), { discard: true })
      ),
      live
    )
    const bouncer = PgBouncer.isInstalled ? new URL(yield* PgBouncer.before(direct.href)) : undefined
    if (bouncer === undefined) {
      log("PgBouncer is not installed: no round goes through it")
    }
    const ways = new Map<boolean, Proxy.Proxy>()
    for (const isPooled of bouncer === undefined ? [false] : [false, true]) {
      const to = isPooled ? bouncer! : direct
      ways.set(isPooled, yield* Proxy.to(to.hostname, Number(to.port)))
    }
    const worker = yield* Processes.compile(new URL("campaignWorker.ts", import.meta.url))
    const faults: Record<string, number> = {}
    const violations: Array<string> = []
    let [jobs, rounds, sum] = [0, 0, 0]
    const hit = (name: string) => {
      faults[name] = (faults[name] ?? 0) + 1
      sum++
    }
    while (sum < wanted && !isOver()) {
      const mood = MOODS[rounds % MOODS.length]!
      rounds++
      if (mood.isPooled === true && bouncer === undefined) {
        continue
      }
      const proxy = ways.get(mood.isPooled === true)!
      const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-batch-chaos-"))
      const list = Array.from({ length: JOBS }, (_, index) => ({
        job: jobs + index + 1,
        kind: mood.kinds[(rounds + index) % mood.kinds.length]!
      }))
      jobs += JOBS
      list.filter(({ kind }) => kind === "append").forEach(({ job, kind }) =>
        Fs.writeFileSync(pathOf(directory, job, kind), before)
      )
      const url = new URL(mood.isPooled === true ? bouncer! : direct)
      url.hostname = "127.0.0.1"
      url.port = String(proxy.port)
      const poolSize = 1 + random(3)
      const options = { url: url.href, directory, jobs: list, leaseMillis: LEASE_MILLIS, poolSize }
      const unexpected: Array<string> = []
      if (mood.fallsBack === true) {
        yield* server.keep
      }
      const { present, working } = crew(worker, options, unexpected)
      const all = attackers(present, proxy, random)
      let struck = 0
      const havoc = Effect.gen(function*() {
        while (true) {
          yield* Effect.sleep(200 + random(600))
          const name = mood.attacks[random(mood.attacks.length)]!
          if (yield* all[name]) {
            hit(name)
            struck++
          }
          if (mood.fallsBack === true && struck % 10 === 5) {
            yield* server.fallBack
            hit("olderCopy")
            struck++
          }
        }
      })
      yield* Effect.raceFirst(working, havoc)
      proxy.blackout(false)
      // What the server has forgotten is done again, in peace.
      const peace = crew(worker, { ...options, url: direct.href }, unexpected)
      yield* peace.working
      const found = yield* Effect.provide(verdict(directory, list), live)
      const broken = [...unexpected, ...found.violations]
      violations.push(...broken.map((line) => `round ${rounds} (${mood.name}, pool ${poolSize}): ${line}`))
      log(
        `round ${rounds} (${mood.name}, pool of ${poolSize}): ${sum} faults, ` +
          (broken.length === 0 ? "all held" : `BROKEN\n  ${broken.join("\n  ")}\n  files in ${directory}`) +
          (found.left.length === 0 ? "" : `, left behind: ${found.left.join(", ")}`)
      )
      if (broken.length === 0) {
        Fs.rmSync(directory, { recursive: true, force: true })
      }
    }
    const ended = yield* Effect.provide(
      Effect.flatMap(SqlClient.SqlClient, (sql) =>
        sql<{ readonly code: string; readonly n: number }>`
          select exit_code as code, count(*)::int as n from batch_job_execution group by 1 order by 1`),
      live
    )
    const endings = Object.fromEntries(ended.map(({ code, n }) => [code, n]))
    return { faults, endings, rounds, jobs, violations }
  })
