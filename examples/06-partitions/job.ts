/**
 * The football job, divided by leagues: each is a partition, which any process may run.
 *
 *   leagues   one partition for each league in the file; in each of them
 *     matchLoad   the matches of the league
 *     standings   its tables, one for each season
 */
import * as FileSystem from "@effect/platform/FileSystem"
import { Effect, Option, Schema } from "effect"
import type { Listener } from "effect-batch"
import { Flow, ItemProcessor, ItemReader, Job, JobParameters, Partition, Step } from "effect-batch"
import { JsonItemReader } from "effect-batch/file"
import { SqlItemReader, SqlItemWriter } from "effect-batch/sql"
import { seasonOf } from "../01-football/job.js"

export class LeaguesParams extends JobParameters.Tag<LeaguesParams>()("LeaguesParams", {
  file: Schema.String
}) {}

/** A match as the file has it; without scores it was not played. */
const Match = Schema.Struct({
  date: Schema.String,
  division: Schema.NonEmptyString,
  home_team: Schema.NonEmptyString,
  away_team: Schema.NonEmptyString,
  home_score: Schema.NullOr(Schema.NonNegativeInt),
  away_score: Schema.NullOr(Schema.NonNegativeInt)
})
type Match = typeof Match.Type

/** The plan: made once, stored, and never made again for this instance. */
const leagues = Effect.gen(function*() {
  const { file } = yield* LeaguesParams
  const text = yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(file))
  const matches = yield* Schema.decodeUnknown(
    Schema.parseJson(Schema.Array(Schema.Struct({ division: Schema.String })))
  )(
    text
  )
  return Partition.values(new Set(matches.map(({ division }) => division)))
})

const matches = ItemReader.unwrap(
  Effect.map(LeaguesParams, ({ file }) => JsonItemReader.array(file, { schema: Match }))
)

// The writer inserts, it does not upsert: a match that was written twice would fail the job.
const matchLoad = (league: string) =>
  Step.chunk("matchLoad", {
    reader: matches,
    processor: ItemProcessor.filterMap((match: Match) =>
      match.division !== league || match.home_score === null || match.away_score === null
        ? Option.none()
        : Option.some({ season: seasonOf(match.date), ...match, process: process.pid })
    ),
    writer: SqlItemWriter.insertInto("league_match"),
    chunkSize: 500
  })

const Standing = Schema.Struct({
  season: Schema.Int,
  team: Schema.String,
  points: Schema.Int,
  goals: Schema.Int
})

const standings = (league: string) =>
  Step.chunk("standings", {
    reader: SqlItemReader.keyset({
      name: "results",
      select: (sql) =>
        sql`
          select season, team,
            cast(sum(case when scored > conceded then 3 when scored = conceded then 1 else 0 end) as integer) as points,
            cast(sum(scored - conceded) as integer) as goals
          from (
            select season, division, home_team as team, home_score as scored, away_score as conceded from league_match
            union all
            select season, division, away_team, away_score, home_score from league_match
          ) as sides
          where division = ${league}
          group by season, team`,
      key: ["season", "team"],
      schema: Standing
    }),
    processor: ItemProcessor.map((standing: typeof Standing.Type) => ({ division: league, ...standing })),
    writer: SqlItemWriter.insertInto("league_standing"),
    chunkSize: 20
  })

/** The process that launches the job runs no partition: it leaves all of them to workers. */
export const leaguesJob = (listener: Listener.StepListener) =>
  Job.make("leagues", {
    parameters: LeaguesParams,
    flow: Step.partition("leagues", {
      plan: leagues,
      input: Schema.String,
      step: (league) =>
        matchLoad(league).pipe(
          Step.listen(listener),
          Flow.andThen(standings(league).pipe(Step.listen(listener)))
        ),
      concurrency: 0
    })
  })
