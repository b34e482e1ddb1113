/**
 * Two chunks on their way to PostgreSQL while a third one is prepared: any records, refused in any place, come to what
 * they come to in a step that does one after the other.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ItemProcessor, ItemReader, Job, JobOperator, JobParameters, Step } from "../../src/index.js"
import { SqlItemWriter } from "../../src/sql/index.js"
import { sqlDrivers } from "../support/drivers.js"

const kinds = ["good", "filtered", "unprocessable", "refused at once", "refused by the commit"] as const

interface Plan {
  readonly kinds: ReadonlyArray<typeof kinds[number]>
  readonly chunkSize: number
  readonly limit: number
  readonly writer: "insertInto" | "copyInto" | "upsertInto"
  /** Whether skips are stored, which takes a statement of its own. */
  readonly quarantine: boolean
}

class Unprocessable extends Data.TaggedError("Unprocessable")<{ readonly n: number }> {}

class Run extends JobParameters.Tag<Run>()("Run", { run: Schema.String }) {}

const Item = Schema.Struct({ n: Schema.Int, kind: Schema.String })

const setUp = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.forEach([
    "drop table if exists numbers",
    "create table numbers (n int primary key, kind text, check (kind <> 'refused at once'))",
    "create or replace function judge() returns trigger language plpgsql as $$ begin " +
    "if new.kind = 'refused by the commit' then raise check_violation; end if; return null; end $$",
    "create constraint trigger late after insert on numbers deferrable initially deferred " +
    "for each row execute function judge()"
  ], (text) => sql.unsafe(text)))

const mend = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.forEach([
    "alter table numbers drop constraint numbers_kind_check",
    "drop trigger late on numbers"
  ], (text) => sql.unsafe(text)))

const rows = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select n from numbers order by n`)

const makeJob = ({ chunkSize, kinds, limit, quarantine, writer }: Plan, prefetch: boolean, mended: () => boolean) => {
  const table = {
    insertInto: SqlItemWriter.insertInto<{ readonly n: number; readonly kind: string }>("numbers"),
    copyInto: SqlItemWriter.copyInto<{ readonly n: number; readonly kind: string }>("numbers"),
    upsertInto: SqlItemWriter.upsertInto<{ readonly n: number; readonly kind: string }>("numbers", { key: ["n"] })
  }
  return Job.make(`prefetch ${prefetch}`, {
    parameters: Run,
    flow: Step.chunk("load", {
      reader: ItemReader.fromIterable(kinds.map((kind, n) => ({ n, kind }))),
      processor: ItemProcessor.filterMapEffect((item: { readonly n: number; readonly kind: string }) =>
        item.kind === "unprocessable" && !mended()
          ? Effect.fail(new Unprocessable({ n: item.n }))
          : Effect.succeed(item.kind === "filtered" ? Option.none() : Option.some(item))
      ),
      writer: table[writer],
      chunkSize,
      prefetch
    }).pipe(
      Step.skip(["SqlDataError", "TransactionError", "Unprocessable"], { limit }),
      quarantine ? Step.quarantine({ input: Item, output: Item }) : identity
    )
  })
}

/** Each run is another one; `EFFECT_BATCH_PIPELINES=2000` searches for longer. */
const RUNS = Number(process.env["EFFECT_BATCH_PIPELINES"] ?? 80)

let runs = 0

/** What a plan comes to, and what its restart adds when all that was wrong is mended. */
const outcome = (plan: Plan, prefetch: boolean) =>
  Effect.gen(function*() {
    yield* setUp
    let mended = false
    const job = makeJob(plan, prefetch, () => mended)
    const parameters = { run: String(runs++) }
    const looked = Effect.gen(function*() {
      const [newest] = yield* JobOperator.executions()
      const [step] = yield* JobOperator.steps(newest!.id)
      const skipped = yield* JobOperator.skipped(newest!.id)
      return {
        status: newest!.status,
        counts: step!.counts,
        checkpoint: step!.checkpoint,
        rows: yield* rows,
        skipped: skipped.map(({ item, phase }) => `${phase} ${JSON.stringify(Option.getOrUndefined(item))}`)
      }
    })
    const ended = yield* JobOperator.run(job, parameters)
    const first = yield* looked
    if (ended.status === "COMPLETED") {
      return [first]
    }
    yield* mend
    mended = true
    yield* JobOperator.run(job, parameters)
    return [first, yield* looked]
  })

const plan: FastCheck.Arbitrary<Plan> = FastCheck.record({
  kinds: FastCheck.array(
    FastCheck.oneof(
      { weight: 12, arbitrary: FastCheck.constant(kinds[0]) },
      { weight: 4, arbitrary: FastCheck.constantFrom(...kinds) }
    ),
    { maxLength: 14 }
  ),
  chunkSize: FastCheck.integer({ min: 1, max: 4 }),
  limit: FastCheck.constantFrom(0, 1, 3, 90),
  writer: FastCheck.constantFrom("insertInto", "copyInto", "upsertInto"),
  quarantine: FastCheck.boolean()
})

/** The reader is at the second record when the first one is stored as skipped; what is stored says the first. */
const readAhead: Plan = {
  kinds: ["refused by the commit", "unprocessable"],
  chunkSize: 1,
  limit: 1,
  writer: "insertInto",
  quarantine: false
}

const [, postgres] = sqlDrivers

it.layer(postgres!.layer)("chunks on their way to PostgreSQL", (it) =>
  describe("any records and refusals", () => {
    it.effect.prop(
      "status, counts, checkpoint, rows and skips equal those of one chunk after the other, also after a restart (FTC-16)",
      [plan],
      ([plan]) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* outcome(plan, true), yield* outcome(plan, false))
        }),
      { fastCheck: { numRuns: RUNS, examples: [[readAhead]] }, timeout: 300_000 }
    )
  }))
