/**
 * Tells somebody when a job has failed, stands still, is late or is well again. Runs in another process than the jobs, since
 * a process that was killed cannot report its death.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/platform/Command"
import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import type * as Context from "effect/Context"
import type * as Cron from "effect/Cron"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { oneLine } from "../base/text.js"
import * as Deadlines from "../decisions/deadline.js"
import * as Running from "../engine/session/running.js"
import type { ExecutionFilter } from "../ports/JobRepository.js"
import { JobRepository } from "../ports/JobRepository.js"
import type { JobRepositoryError } from "../vocabulary/BatchError.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import * as Alarms from "./alarms.js"

/**
 * - `ended`: an execution ended well, or was stopped.
 * - `failed`: it failed, or its process died.
 * - `stalled`: it runs, and commits nothing.
 * - `late`: a job did not complete in time.
 * - `recovered`: what was failed or stalled is well again.
 *
 * @since 0.1.0
 * @category models
 */
export type Kind = Alarms.Kind

/**
 * What somebody is told. `executionId` is missing for a job that did not run at all.
 *
 * @since 0.1.0
 * @category models
 */
export interface Notification {
  readonly kind: Kind
  readonly jobName: string
  readonly executionId: number | undefined
  /** One line for people. */
  readonly text: string
  readonly time: DateTime.Utc
}

/**
 * - `notify`: passes a notification on. When it fails, it is called again with the next look.
 * - `deadlines`: times at which jobs must have completed since the time before: `{ jobName: "billing", at: Cron.unsafeParse("0 6 * * *") }`.
 *   Default: none.
 * - `stalledAfter`: after what time without a commit an execution stands still. Default 15 minutes.
 * - `kinds`: what to tell. Default: all but `ended`.
 * - `every`: how often to look. Default 30 seconds.
 * - `lookBack`: what ended longer ago is not told by the first look at a repository. Default 1 day. Later ones go back to
 *   where everything was told, however long the watch was away.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<E, R> {
  readonly notify: (notification: Notification) => Effect.Effect<unknown, E, R>
  readonly deadlines?: ReadonlyArray<{ readonly jobName: string; readonly at: Cron.Cron }> | undefined
  readonly stalledAfter?: Duration.DurationInput | undefined
  readonly kinds?: ReadonlyArray<Kind> | undefined
  readonly every?: Duration.DurationInput | undefined
  readonly lookBack?: Duration.DurationInput | undefined
}

/**
 * Looks now and tells what has to be told, at least once: what was told is kept in the repository, per execution and kind, so
 * a watcher that is started again, or a second one, does not tell it again. Answers with what it has told.
 *
 * @since 0.1.0
 * @category utils
 */
export const look = <E, R>(
  options: Options<E, R>
): Effect.Effect<ReadonlyArray<Notification>, JobRepositoryError, R | JobRepository> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const now = yield* DateTime.now
    const last = (yield* marks(repository)).reduce<number | undefined>(
      (one, other) => Math.max(one ?? other, other),
      undefined
    )
    const lookBack = DateTime.subtractDuration(now, options.lookBack ?? "1 days")
    const since = last === undefined ? lookBack : DateTime.min(lookBack, DateTime.unsafeMake(last))
    const seen = yield* see(now, since, options)
    const kinds = options.kinds ?? ["failed", "stalled", "late", "recovered"]
    const current = Alarms.alarms(seen, {
      now,
      deadlines: options.deadlines ?? [],
      stalledAfter: Duration.decode(options.stalledAfter ?? "15 minutes")
    })
    const subjects = [
      ...current.map(({ subject }) => subject),
      ...[...seen.changed, ...seen.earlier].map(Alarms.subjectOf)
    ]
    const told = (yield* inPieces([...new Set(subjects)], repository.notices)) as ReadonlyArray<
      Pick<Alarms.Alarm, "subject" | "kind">
    >
    const due = [...current, ...Alarms.recoveries(seen, told, current)].filter(({ kind, subject }) =>
      kinds.includes(kind) && !told.some((each) => each.subject === subject && each.kind === kind)
    )
    const sent = (yield* Effect.forEach(due, (alarm) => tell(options, alarm, now))).flat()
    if (sent.length === due.length) {
      yield* mark(repository, now, last, since)
    }
    return sent
  })

/**
 * Looks again and again, for as long as the layer lives. A repository that is away, or a `notify` that fails, is logged, and
 * tried again with the next look; nothing here can make a job fail.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Cron, Layer } from "effect"
 * import { JobRepository } from "effect-batch"
 * import { Watch } from "effect-batch/watch"
 *
 * const watch = Watch.layer({
 *   notify: Watch.slack("https://hooks.slack.example/T0/B0/x"),
 *   deadlines: [{ jobName: "billing", at: Cron.unsafeParse("0 6 * * *", "Europe/Berlin") }],
 *   stalledAfter: "10 minutes"
 * }).pipe(Layer.provide([FetchHttpClient.layer, JobRepository.layerMemory]))
 * assert.ok(Layer.isLayer(watch))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(options: Options<E, R>): Layer.Layer<never, never, R | JobRepository> =>
  Layer.scopedDiscard(
    Effect.forkScoped(
      look(options).pipe(
        Effect.catchAllCause((cause) => Effect.logWarning("The watch could not look", cause)),
        Effect.repeat(Schedule.spaced(options.every ?? "30 seconds"))
      )
    )
  )

/**
 * A notification on one line.
 *
 * @since 0.1.0
 * @category utils
 */
export const textOf = ({ executionId, jobName, kind, text }: Notification): string =>
  oneLine(`${kind.toUpperCase()}: ${jobName}${executionId === undefined ? "" : ` (execution ${executionId})`}: ${text}`)

/**
 * Posts notifications as JSON: `kind`, `jobName`, `executionId`, `text`, `time`. An answer that is no success is a failure.
 *
 * @since 0.1.0
 * @category notifiers
 */
export const webhook = (url: string, headers: Readonly<Record<string, string>> = {}) => (notification: Notification) =>
  post(url, headers, {
    ...notification,
    executionId: notification.executionId ?? null,
    time: DateTime.formatIso(notification.time)
  })

/**
 * Posts notifications as Slack, and what imitates it, takes them: `{ "text": … }`. What names and errors contain is shown as
 * text: it mentions nobody and links to nothing.
 *
 * @since 0.1.0
 * @category notifiers
 */
export const slack = (url: string) => (notification: Notification) =>
  post(url, {}, {
    text: textOf(notification).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
  })

/**
 * Gives notifications to a program that sends mail and reads the whole message from its standard input, as `sendmail -t`
 * does. A program that ends with another code than 0 has failed.
 *
 * @since 0.1.0
 * @category notifiers
 */
export const mail = (options: {
  readonly command: readonly [program: string, ...args: ReadonlyArray<string>]
  readonly from: string
  readonly to: string
}) =>
(notification: Notification): Effect.Effect<void, unknown, CommandExecutor.CommandExecutor> => {
  const [program, ...args] = options.command
  const text = textOf(notification)
  const message = [
    `From: ${oneLine(options.from)}`,
    `To: ${oneLine(options.to)}`,
    `Subject: ${encodedWords(Array.from(text).slice(0, 150).join(""))}`,
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: 8bit",
    "",
    ...piecesOf(text, MAIL_LINE),
    `at ${DateTime.formatIso(notification.time)}`,
    ""
  ].join("\n")
  return Command.make(program, ...args).pipe(
    Command.stdin(Stream.encodeText(Stream.make(message))),
    Command.exitCode,
    Effect.flatMap((code) => code === 0 ? Effect.void : Effect.fail(`${program} ended with the exit code ${code}`))
  )
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** A line of a mail has at most 998 bytes. */
const MAIL_LINE = 900

/** What fits into a line of 76 characters behind "Subject: ", encoded; RFC 2047 wants words of at most 75. */
const WORD = 39

/** Encoded, so that nothing in it can become a header; in words that each hold whole characters, one a line. */
const encodedWords = (text: string): string =>
  piecesOf(text, WORD).map((piece) => `=?UTF-8?B?${Buffer.from(piece).toString("base64")}?=`).join("\n ")

/** Pieces of so many bytes of UTF-8 at most. */
const piecesOf = (text: string, bytes: number): ReadonlyArray<string> => {
  const pieces: Array<string> = []
  let piece = ""
  let size = 0
  for (const char of text) {
    const more = Buffer.byteLength(char)
    if (size + more > bytes) {
      pieces.push(piece)
      piece = ""
      size = 0
    }
    piece += char
    size += more
  }
  return [...pieces, piece]
}

const PAGE = 1000

type Repository = Context.Tag.Service<JobRepository>

/** All of them, page by page. */
const allOf = (repository: Repository, filter: ExecutionFilter) =>
  Effect.map(
    Stream.runCollect(Stream.paginateChunkEffect(undefined as number | undefined, (before) =>
      Effect.map(repository.jobExecutions({ ...filter, before, limit: PAGE }), (page) => [
        Chunk.unsafeFromArray(page),
        page.length < PAGE ? Option.none() : Option.some(page.at(-1)!.id)
      ]))),
    Chunk.toReadonlyArray
  )

/** In pieces that a statement takes. */
const inPieces = <A, E>(
  all: ReadonlyArray<string>,
  ask: (some: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<A>, E>
) => Effect.map(Effect.forEach(Arr.chunksOf(all, PAGE), ask), (answers) => answers.flat())

const see = <E, R>(
  now: DateTime.Utc,
  since: DateTime.Utc,
  { deadlines = [] }: Options<E, R>
) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const recent = yield* allOf(repository, { changedSince: since })
    const running = yield* allOf(repository, { statuses: ["STARTING", "STARTED", "STOPPING"] })
    const known = new Set(recent.map(({ id }) => id))
    const changed = [...recent, ...running.filter(({ id }) => !known.has(id))]
    const completed = yield* Effect.forEach(deadlines, (deadline) => {
      const [first] = Deadlines.dues(deadline, DateTime.toEpochMillis(since), DateTime.toEpochMillis(now))
      const changedSince = first === undefined ? since : DateTime.unsafeMake(Math.max(0, first.after))
      return allOf(repository, { jobName: deadline.jobName, statuses: ["COMPLETED"], changedSince })
    })
    return {
      since,
      changed,
      earlier: yield* restarted(repository, changed),
      completed: completed.flat(),
      orphaned: yield* repository.expiredExecutions(yield* Running.witness),
      steps: yield* repository.stepExecutionsOf(running.map(({ id }) => id))
    } satisfies Alarms.Seen
  })

/** What those that have completed had restarted, unless it is among them. */
const restarted = (repository: Repository, changed: ReadonlyArray<JobExecution>) => {
  const known = new Set(changed.map(({ id }) => id))
  const instances = changed.flatMap(({ instance, restartOf, status }) =>
    status === "COMPLETED" && Option.exists(restartOf, (id) => !known.has(id)) ? [instance.id] : []
  )
  return Effect.map(
    Effect.forEach([...new Set(instances)], (instanceId) => allOf(repository, { instanceId })),
    (found) => found.flat()
  )
}

/** Under this subject stands, as a kind, up to when everything was told that was to be told. */
const MARK = "the watch"

const marks = (repository: Repository) =>
  Effect.map(
    repository.notices([MARK]),
    (found) => found.map(({ kind }) => Date.parse(kind)).filter((millis) => !Number.isNaN(millis))
  )

/** Told everything up to now. Written now and then only: what lies behind it is looked at again, and told once all the same. */
const mark = (repository: Repository, now: DateTime.Utc, last: number | undefined, since: DateTime.Utc) =>
  last !== undefined && DateTime.toEpochMillis(now) - last < Duration.toMillis(MARKED_EVERY)
    ? Effect.void
    : repository.recordNotice({ subject: MARK, kind: DateTime.formatIso(now) }).pipe(
      Effect.zipRight(repository.forgetNotices({ subject: MARK, before: now })),
      // A deadline in front of what is looked at is not told again.
      Effect.zipRight(
        repository.forgetNotices({ kind: "late", before: DateTime.subtractDuration(since, FORGOTTEN_AFTER) })
      )
    )

const MARKED_EVERY = Duration.minutes(10)
const FORGOTTEN_AFTER = Duration.days(30)

/** Told first and remembered then: a watcher that dies between tells it again, and nothing is lost. */
const tell = <E, R>({ notify }: Options<E, R>, { subject, ...alarm }: Alarms.Alarm, time: DateTime.Utc) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const notification: Notification = { ...alarm, time }
    const sent = yield* Effect.exit(notify(notification))
    if (sent._tag === "Failure") {
      yield* Effect.logWarning(`Could not tell "${textOf(notification)}"; it is tried again`, sent.cause)
      return []
    }
    yield* repository.recordNotice({ subject, kind: alarm.kind })
    return [notification]
  })

const post = (url: string, headers: Readonly<Record<string, string>>, body: unknown) =>
  Effect.flatMap(HttpClient.HttpClient, (client) =>
    HttpClient.filterStatusOk(client).execute(
      HttpClientRequest.post(url).pipe(HttpClientRequest.setHeaders(headers), HttpClientRequest.bodyUnsafeJson(body))
    )).pipe(Effect.scoped, Effect.asVoid, Effect.timeout("30 seconds"))
