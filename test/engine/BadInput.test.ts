/**
 * What bad input gets: an error that names the place in one line, rows that say FAILED, nothing lost; and when the cause is
 * gone, the same job goes on to its end.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Inspectable from "effect/Inspectable"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { CsvItemReader, NdjsonItemReader } from "../../src/file/index.js"
import {
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobParameters,
  JobRepository,
  Sensitive,
  Step
} from "../../src/index.js"
import { SqlItemReader, SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import * as Proxy from "../chaos/proxy.js"
import { MemoryFiles } from "../file/support.js"
import { sqlDrivers } from "../support/drivers.js"
import * as Postgres from "../support/Postgres.js"

const Payment = Schema.Struct({
  id: Schema.NumberFromString,
  iban: Sensitive.make(Schema.String.pipe(Schema.maxLength(10))),
  cents: Schema.NumberFromString
})
type Payment = typeof Payment.Type

/** Must not come up in any message. */
const SECRET = "DE02SECRET"

const header = "id,iban,cents\n"
const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `${from + index},${SECRET},100\n`).join("")
const ids = (count: number) => Array.from({ length: count }, (_, index) => ({ id: index + 1 }))

const csv = CsvItemReader.make("in.csv", { schema: Payment })

const jobOf = <E, R>(
  name: string,
  reader: ItemReader.ItemReader<Payment, E, R>,
  writer: ItemWriter.ItemWriter<Payment, SqlItemWriter.WriteError, SqlClient.SqlClient> = SqlItemWriter.insertInto(name)
) => Job.make(name, { flow: Step.chunk("load", { reader, writer, chunkSize: 2 }) })

const table = (name: string, constraint = "") =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql.unsafe(`create table ${name} (id int primary key, iban varchar(34), cents int not null ${constraint})`)
  )

const stored = (name: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select id from ${sql(name)} order by id`)

/** One line for people: no stack, no paths or names of ours, no secret. */
const checkText = (text: string) => {
  assert.notMatch(text, /\n|^\s*at |node_modules|src\/|internal\/|FiberFailure|\[object|undefined/)
  assert.notInclude(text, SECRET)
  assert.isBelow(text.length, 700)
}

interface Expected {
  readonly tag: string
  /** What the message names. */
  readonly place: ReadonlyArray<string>
  readonly written: number
}

/** Runs the job into its failure, takes the cause away, and runs it again. */
const failsThenCompletes = <E, R, R2>(
  job: Job.Job<{}, string, E, R>,
  expected: Expected,
  repair: Effect.Effect<unknown, unknown, R2>
) =>
  Effect.gen(function*() {
    const failed = yield* JobOperator.run(job, {})
    const [step] = yield* JobOperator.steps(failed.id)
    assert.deepStrictEqual(
      [failed.status, failed.exitStatus.code, step!.status, step!.exitStatus.code],
      ["FAILED", "FAILED", "FAILED", "FAILED"]
    )
    assert.deepStrictEqual([Option.isSome(step!.endTime), Option.isSome(failed.endTime)], [true, true])
    assert.strictEqual(step!.counts.write, expected.written)
    assert.isTrue(Exit.isFailure(failed.exit))
    const error: unknown = yield* Effect.flip(failed.exit)
    assert.isTrue(Predicate.isTagged(error, expected.tag), `${expected.tag}, got ${Inspectable.toStringUnknown(error)}`)
    const { message } = error as Error
    checkText(message)
    // What the driver said is told after it, where it says something new, and then the item.
    const [told, ...more] = step!.exitStatus.messages
    assert.strictEqual(
      told?.replace(/ \[items? [\d to]+\]$/, "").replace(/, caused by .*$/, ""),
      `${expected.tag}: ${message}`
    )
    assert.deepStrictEqual(more, [])
    assert.deepStrictEqual([...failed.exitStatus.messages], [...step!.exitStatus.messages])
    expected.place.forEach((place) => assert.include(message, place))
    yield* repair
    const again = yield* JobOperator.run(job, {})
    assert.strictEqual(again.status, "COMPLETED", again.exitStatus.messages.join())
    const [resumed] = yield* JobOperator.steps(again.id)
    return { error, written: step!.counts.write + resumed!.counts.write }
  })

const withFiles = (files: MemoryFiles) => Effect.provide<FileSystem.FileSystem, never, never>(files.layer)

for (const driver of sqlDrivers) {
  describe("bad input", () => {
    it.layer(Layer.orDie(driver.layer), { timeout: "5 minutes" })(driver.name, (it) => {
      it.effect("a file that is missing", () =>
        Effect.gen(function*() {
          const files = new MemoryFiles()
          yield* table("missing_file")
          const { written } = yield* failsThenCompletes(
            jobOf("missing_file", csv),
            { tag: "FileError", place: ["\"in.csv\"", "there is no such file"], written: 0 },
            Effect.sync(() => files.set("in.csv", header + lines(1, 5)))
          ).pipe(withFiles(files))
          assert.strictEqual(written, 5)
          assert.deepStrictEqual(yield* stored("missing_file"), ids(5))
        }))

      it.effect("a row that cannot be read: line, column and row are named, sensitive fields are not shown", () =>
        Effect.gen(function*() {
          const files = new MemoryFiles().set("in.csv", `${header}${lines(1, 3)}4,${SECRET},ten\n${lines(5, 7)}`)
          yield* table("bad_row")
          const { error, written } = yield* failsThenCompletes(
            jobOf("bad_row", csv),
            { tag: "CsvError", place: ["\"in.csv\"", "line 5", "cents", "ten"], written: 2 },
            Effect.sync(() => files.set("in.csv", header + lines(1, 7)))
          ).pipe(withFiles(files))
          assert.deepInclude(error, { path: "in.csv", line: 5, column: "cents", columnNumber: 3 })
          assert.strictEqual(written, 7)
          assert.deepStrictEqual(yield* stored("bad_row"), ids(7))
        }))

      it.effect("a row whose sensitive field is the bad one", () =>
        Effect.gen(function*() {
          const files = new MemoryFiles().set("in.csv", `${header}${lines(1, 2)}3,${SECRET}${SECRET},1\n`)
          yield* table("bad_secret")
          yield* failsThenCompletes(
            jobOf("bad_secret", csv),
            { tag: "CsvError", place: ["line 4", "iban"], written: 2 },
            Effect.sync(() => files.set("in.csv", header + lines(1, 3)))
          ).pipe(withFiles(files))
          assert.deepStrictEqual(yield* stored("bad_secret"), ids(3))
        }))

      it.effect("a line of JSON that cannot be read", () =>
        Effect.gen(function*() {
          const line = (id: number, cents: string) => `{"id":"${id}","iban":"${SECRET}","cents":${cents}}\n`
          const files = new MemoryFiles().set("in.ndjson", line(1, "\"1\"") + line(2, "\"1\"") + line(3, "{"))
          yield* table("bad_json")
          yield* failsThenCompletes(
            jobOf("bad_json", NdjsonItemReader.make("in.ndjson", { schema: Payment })),
            { tag: "JsonError", place: ["\"in.ndjson\"", "line 3"], written: 2 },
            Effect.sync(() => files.set("in.ndjson", line(1, "\"1\"") + line(2, "\"1\"") + line(3, "\"1\"")))
          ).pipe(withFiles(files))
          assert.deepStrictEqual(yield* stored("bad_json"), ids(3))
        }))

      it.effect("a header with other columns", () =>
        Effect.gen(function*() {
          const files = new MemoryFiles().set("in.csv", `id,iban,amount\n${lines(1, 3)}`)
          yield* table("bad_header")
          yield* failsThenCompletes(
            jobOf("bad_header", csv),
            { tag: "CsvHeaderError", place: ["\"in.csv\"", "line 1", "missing column \"cents\""], written: 0 },
            Effect.sync(() => files.set("in.csv", header + lines(1, 3)))
          ).pipe(withFiles(files))
          assert.deepStrictEqual(yield* stored("bad_header"), ids(3))
        }))

      it.effect("parameters that are invalid, missing or unknown: all of them at once, and nothing is begun", () =>
        Effect.gen(function*() {
          class Params extends JobParameters.Tag<Params>()("Params", {
            day: Schema.DateFromString,
            limit: Schema.Positive,
            account: Sensitive.make(Schema.String.pipe(Schema.maxLength(5)))
          }) {}
          const job = Job.make("parameters", { parameters: Params, flow: Step.tasklet("load", Effect.asVoid(Params)) })
          const given = { limit: -1, account: SECRET, lmit: 5 } as unknown as Params["Type"]
          const error = yield* Effect.flip(JobOperator.run(job, given as never))
          assert.strictEqual(error._tag, "InvalidJobParameters")
          checkText(error.message)
          for (const place of ["\"parameters\"", "day", "limit", "account", "lmit"]) {
            assert.include(error.message, place)
          }
          assert.deepStrictEqual(yield* JobOperator.executions({ jobName: "parameters" }), [])
          const right = { day: new Date(0), limit: 1, account: "DE02" }
          assert.strictEqual((yield* JobOperator.run(job, right as never)).status, "COMPLETED")
        }))

      it.effect("a table that is missing, to write to and to read from", () =>
        Effect.gen(function*() {
          const five = ItemReader.fromIterable(ids(5).map(({ id }): Payment => ({ id, iban: SECRET, cents: 1 })))
          const { written } = yield* failsThenCompletes(
            jobOf("missing_table", five),
            { tag: "SqlStatementError", place: ["\"missing_table\"", "does not exist"], written: 0 },
            table("missing_table")
          )
          assert.strictEqual(written, 5)
          assert.deepStrictEqual(yield* stored("missing_table"), ids(5))

          yield* table("copied")
          const reader = SqlItemReader.keyset({
            name: "sources",
            select: (sql) => sql`select id, iban, cents from source`,
            key: ["id"],
            schema: Schema.Struct({ id: Schema.Number, iban: Sensitive.make(Schema.String), cents: Schema.Number })
          })
          yield* failsThenCompletes(
            jobOf("copied", reader),
            {
              tag: "SqlStatementError",
              place: ["by \"sources\"", "of \"source\"", "the table does not exist"],
              written: 0
            },
            Effect.zipRight(
              table("source"),
              Effect.flatMap(SqlClient.SqlClient, (sql) => sql`insert into source select * from missing_table`)
            )
          )
          assert.deepStrictEqual(yield* stored("copied"), ids(5))
        }))

      it.effect("a table that is missing for SQL of one's own: what ran before it in the chunk is not done twice", () =>
        Effect.gen(function*() {
          const five = ItemReader.fromIterable(ids(5).map(({ id }): Payment => ({ id, iban: SECRET, cents: 1 })))
          yield* table("logged")
          const writer = SqlItemWriter.statement(
            "own",
            (payments: ReadonlyArray<Payment>, sql) =>
              Effect.forEach(["logged", "later"], (name) => sql`insert into ${sql(name)} ${sql.insert(payments)}`, {
                discard: true
              })
          )
          const { written } = yield* failsThenCompletes(
            jobOf("own", five, writer),
            { tag: "SqlStatementError", place: ["later", "the table does not exist"], written: 0 },
            table("later")
          )
          assert.strictEqual(written, 5)
          assert.deepStrictEqual([yield* stored("logged"), yield* stored("later")], [ids(5), ids(5)])
        }))

      it.effect("a row that violates a constraint: the table and the constraint are named, its values are not shown", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* table("violated", "check (cents < 1000)")
          let cents = 424242
          const reader = ItemReader.unwrap(
            Effect.sync(() =>
              ItemReader.fromIterable(ids(5).map(({ id }) => ({ id, iban: SECRET, cents: id === 4 ? cents : 1 })))
            )
          )
          const { error, written } = yield* failsThenCompletes(
            jobOf("violated", reader),
            { tag: "SqlDataError", place: ["\"violated\"", "check"], written: 2 },
            Effect.sync(() => void (cents = 1))
          )
          assert.notInclude((error as Error).message, "424242")
          assert.strictEqual(written, 5)
          assert.deepStrictEqual(yield* stored("violated"), ids(5))

          yield* table("doubled")
          yield* sql`insert into doubled values (3, ${SECRET}, 1)`
          yield* failsThenCompletes(
            jobOf(
              "doubled",
              ItemReader.fromIterable(ids(5).map(({ id }): Payment => ({ id, iban: SECRET, cents: 1 })))
            ),
            { tag: "SqlDataError", place: ["\"doubled\""], written: 2 },
            sql`delete from doubled where id = 3`
          )
          assert.deepStrictEqual(yield* stored("doubled"), ids(5))
        }))
    })
  })
}

/** A database, and a way to it that is closed when one wants. */
const closableWay = Effect.gen(function*() {
  const direct = yield* Postgres.freshUrl
  const open = yield* Scope.make()
  const close = Scope.close(open, Exit.void)
  yield* Effect.addFinalizer(() => close)
  const url = new URL(direct)
  const { port } = yield* Scope.extend(Proxy.to(url.hostname, Number(url.port)), open)
  url.hostname = "127.0.0.1"
  url.port = String(port)
  return { direct, through: url.href, close }
})

describe("bad input: a database that cannot be reached", () => {
  it.scopedLive(
    "of the database that a step reads from, after it was waited for (OWN-21)",
    () =>
      Effect.gen(function*() {
        const { close, direct, through } = yield* closableWay
        const right = yield* Layer.build(Postgres.layerUrl(direct))
        let client = yield* Layer.build(Postgres.layerUrl(through))
        yield* Effect.provide(table("source"), right)
        yield* Effect.provide(
          Effect.flatMap(
            SqlClient.SqlClient,
            (sql) => sql`insert into source values (1, ${SECRET}, 1), (2, ${SECRET}, 1)`
          ),
          right
        )
        const sources = SqlItemReader.keyset({
          name: "sources",
          select: (sql) => sql`select id from source`,
          key: ["id"],
          schema: Schema.Struct({ id: Schema.Number })
        })
        const reader = ItemReader.make(
          "remote",
          (from) =>
            Effect.suspend(() =>
              Effect.map(Effect.provide(sources.open(from), client), (source) => ({
                pull: (max: number) => Effect.provide(source.pull(max), client)
              }))
            )
        )
        const out: Array<{ readonly id: number }> = []
        yield* close
        yield* failsThenCompletes(
          Job.make("remote", { flow: Step.chunk("load", { reader, writer: ItemWriter.inMemory(out), chunkSize: 2 }) }),
          { tag: "SqlTransientError", place: ["by \"sources\"", "cannot be reached"], written: 0 },
          Effect.sync(() => void (client = right))
        )
        assert.deepStrictEqual(out, ids(2))
      }).pipe(
        Effect.provideService(JobOperator.Ownership, { lease: 1000, owner: "me", isOwnerGone: () => false }),
        Effect.provide(JobRepository.layerMemory)
      ),
    { timeout: 300_000 }
  )

  it.scoped(
    "of the database of the job repository: the launch fails, and nothing has begun",
    () =>
      Effect.gen(function*() {
        const { close, direct, through } = yield* closableWay
        const repository = (url: string) =>
          Layer.build(Layer.fresh(Layer.provideMerge(SqlJobRepository.layer, Postgres.layerUrl(url))))
        const lost = yield* repository(through)
        const right = yield* repository(direct)
        const job = Job.make("cut off", { flow: Step.tasklet("load", Effect.void) })
        yield* close
        const error = yield* Effect.flip(Effect.provide(JobOperator.run(job, {}), lost))
        assert.strictEqual(error._tag, "JobRepositoryError")
        checkText(error.message)
        assert.include(error.message, "The job repository failed")
        assert.include(error.message, "the database cannot be reached")
        assert.deepStrictEqual(yield* Effect.provide(JobOperator.executions({}), right), [])
        assert.strictEqual((yield* Effect.provide(JobOperator.run(job, {}), right)).status, "COMPLETED")
      }),
    { timeout: 300_000 }
  )
})
