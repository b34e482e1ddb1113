/**
 * The football job: reads a file of match results and computes the league tables of one season.
 *
 *   teamLoad        the teams; runs once per job instance
 *   matchLoad       the matches; runs again in every execution, because results are corrected afterwards
 *   seasonSummary   the league tables; may be started twice, then somebody has to look
 */
import { Data, Effect, Option, Schema } from "effect"
import type { Listener } from "effect-batch"
import { ExecutionContext, Flow, ItemProcessor, ItemReader, Job, JobParameters, Step, StepScope } from "effect-batch"
import { JsonItemReader } from "effect-batch/file"
import { SqlItemReader, SqlItemWriter } from "effect-batch/sql"

const must = (text: string) => ({ message: () => ({ message: `must be ${text}`, override: true }) })

const Season = Schema.NumberFromString.pipe(Schema.int(), Schema.between(2013, 2016)).annotations(
  must("the year in which a season began, from 2013 to 2016")
)

const Flag = Schema.BooleanFromString.annotations(must("true or false"))

/**
 * Two runs with the same `season` are runs of the same job instance: the second one is refused when the first one
 * completed, and is its restart when it did not. Where the file lies, and whether the run is made to fail, says
 * nothing about what is computed, so these two do not identify the instance.
 */
export class FootballParams extends JobParameters.Tag<FootballParams>()("FootballParams", {
  season: Season,
  file: JobParameters.nonIdentifying(Schema.String),
  fail: JobParameters.nonIdentifying(Schema.optionalWith(Flag, { exact: true, default: () => false }))
}) {}

/** A match as the file has it; without scores it was not played. */
const Match = Schema.Struct({
  date: Schema.String.pipe(Schema.pattern(/^\d{4}-\d{2}-\d{2}$/)),
  division: Schema.NonEmptyString,
  home_team: Schema.NonEmptyString,
  away_team: Schema.NonEmptyString,
  home_score: Schema.NullOr(Schema.NonNegativeInt),
  away_score: Schema.NullOr(Schema.NonNegativeInt)
})
type Match = typeof Match.Type

// Late binding: the reader is made when the step opens, from the parameters of the run.
const matches = ItemReader.unwrap(
  Effect.map(FootballParams, ({ file }) => JsonItemReader.array(file, { schema: Match }))
)

// In the step's context, which every chunk commits and a restart brings back.
const Teams = ExecutionContext.key("teams", Schema.Array(Schema.String))

// Opened once per step execution, with the teams that earlier executions have met. Those of other seasons may be in the
// table too: the writer passes over them.
const distinctTeams = ItemProcessor.unwrap(Effect.map(StepScope.get(Teams), (before) => {
  const seen = new Set(Option.getOrElse(before, () => []))
  return ItemProcessor.filterMapEffect(({ division, home_team: name }: Match) =>
    seen.has(name)
      ? Effect.succeedNone
      : Effect.as(StepScope.set(Teams, [...seen.add(name)]), Option.some({ name, division }))
  )
}))

const teamLoad = (chunkSize: number) =>
  Step.chunk("teamLoad", {
    reader: matches,
    processor: distinctTeams,
    writer: SqlItemWriter.upsertInto("football_team", { key: ["name"], update: "nothing" }),
    chunkSize
  })

/** A season begins in July. */
export const seasonOf = (date: string): number => Number(date.slice(0, 4)) - (date.slice(5, 7) < "07" ? 1 : 0)

const playedMatches = ItemProcessor.filterMap((match: Match) =>
  match.home_score === null || match.away_score === null
    ? Option.none()
    : Option.some({ season: seasonOf(match.date), ...match })
)

// The key of a match is its date and teams, so writing it again changes nothing but a corrected score.
const matchLoad = (chunkSize: number) =>
  Step.chunk("matchLoad", {
    reader: matches,
    processor: playedMatches,
    writer: SqlItemWriter.upsertInto("football_match", { key: ["date", "home_team", "away_team"] }),
    chunkSize
  }).pipe(Step.allowStartIfComplete)

const Results = Schema.Struct({
  season: Schema.Int,
  division: Schema.String,
  team: Schema.String,
  won: Schema.Int,
  drawn: Schema.Int,
  lost: Schema.Int,
  goals_for: Schema.Int,
  goals_against: Schema.Int
})
type Results = typeof Results.Type

const results = ItemReader.unwrap(Effect.map(FootballParams, ({ season }) =>
  SqlItemReader.keyset({
    name: "results",
    select: (sql) =>
      sql`
        select season, division, team,
          cast(sum(case when scored > conceded then 1 else 0 end) as integer) as won,
          cast(sum(case when scored = conceded then 1 else 0 end) as integer) as drawn,
          cast(sum(case when scored < conceded then 1 else 0 end) as integer) as lost,
          cast(sum(scored) as integer) as goals_for,
          cast(sum(conceded) as integer) as goals_against
        from (
          select season, division, home_team as team, home_score as scored, away_score as conceded
          from football_match
          union all
          select season, division, away_team, away_score, home_score
          from football_match
        ) as sides
        where season = ${season}
        group by season, division, team`,
    key: ["division", "team"],
    schema: Results,
    count: true
  })))

/** What `fail=true` makes of the 30th team. */
export class ScorerAsleep extends Data.TaggedError("ScorerAsleep")<{ readonly team: string }> {
  override get message(): string {
    return `Nobody could say how ${this.team} played, because of fail=true: run again without it`
  }
}

const toStanding = ({ drawn, lost, won, ...result }: Results) => ({
  ...result,
  played: won + drawn + lost,
  won,
  drawn,
  lost,
  points: 3 * won + drawn
})

const standings = ItemProcessor.unwrap(Effect.map(FootballParams, ({ fail }) => {
  let teams = 0
  return ItemProcessor.mapEffect((result: Results) =>
    fail && ++teams === 30 ? Effect.fail(new ScorerAsleep({ team: result.team })) : Effect.succeed(toStanding(result))
  )
}))

const seasonSummary = Step.chunk("seasonSummary", {
  reader: results,
  processor: standings,
  writer: SqlItemWriter.upsertInto("football_standing", { key: ["season", "team"] }),
  chunkSize: 20
}).pipe(Step.startLimit(2))

/**
 * The job. `chunkSize` is the number of matches per transaction; `listener` is told of every chunk.
 */
export const footballJob = (options: { readonly chunkSize: number; readonly listener: Listener.StepListener }) =>
  Job.make("football", {
    parameters: FootballParams,
    flow: teamLoad(options.chunkSize).pipe(
      Step.listen(options.listener),
      Flow.andThen(matchLoad(options.chunkSize).pipe(Step.listen(options.listener))),
      Flow.andThen(seasonSummary.pipe(Step.listen(options.listener)))
    )
  })
