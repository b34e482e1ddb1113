/**
 * The tables that the football job writes, in words that PostgreSQL and SQLite understand.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"
import * as Terminal from "../support/Terminal.js"

/** Creates the tables that do not exist yet. */
export const create = Effect.flatMap(SqlClient, (sql) =>
  Effect.all([
    sql`create table if not exists football_team (
      name text primary key,
      division text not null
    )`,
    sql`create table if not exists football_match (
      season integer not null,
      date date not null,
      division text not null,
      home_team text not null references football_team (name),
      away_team text not null references football_team (name),
      home_score integer not null,
      away_score integer not null,
      primary key (date, home_team, away_team)
    )`,
    sql`create table if not exists football_standing (
      season integer not null,
      division text not null,
      team text not null references football_team (name),
      played integer not null,
      won integer not null,
      drawn integer not null,
      lost integer not null,
      goals_for integer not null,
      goals_against integer not null,
      points integer not null,
      primary key (season, team)
    )`
  ], { discard: true }))

interface Standing {
  readonly division: string
  readonly team: string
  readonly played: number
  readonly won: number
  readonly drawn: number
  readonly lost: number
  readonly goals_for: number
  readonly goals_against: number
  readonly points: number
}

/** The table of a league as lines, and the champions of the others. */
export const leagueTable = (season: number, league: string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    const standings = yield* sql<Standing>`
      select * from football_standing
      where season = ${season}
      order by division, points desc, goals_for - goals_against desc, goals_for desc, team`
    const leagues = [...new Set(standings.map(({ division }) => division))]
    const shown = leagues.find((name) => name.toLowerCase().includes(league.toLowerCase())) ?? leagues[0]
    return shown === undefined ? [] : [
      Terminal.bold(`${shown} ${season}/${(season + 1) % 100}`),
      ...Terminal.table(COLUMNS, standings.filter(({ division }) => division === shown).map(row)),
      "",
      ...Terminal.table(
        [{ title: "champions elsewhere" }, { title: "" }, { title: "Pts", align: "right" }],
        leagues.filter((name) => name !== shown).map((name) => {
          const first = standings.find(({ division }) => division === name)!
          return [name, first.team, String(first.points)]
        })
      )
    ]
  })

const COLUMNS: ReadonlyArray<Terminal.Column> = [
  { title: "#", align: "right", paint: Terminal.dim },
  { title: "team" },
  ...["P", "W", "D", "L", "GF", "GA", "GD"].map((title) => ({ title, align: "right" as const })),
  { title: "Pts", align: "right", paint: Terminal.bold }
]

const row = (standing: Standing, index: number): ReadonlyArray<string> => {
  const { drawn, goals_against, goals_for, lost, played, points, team, won } = standing
  const difference = goals_for - goals_against
  return [
    String(index + 1),
    team,
    ...[played, won, drawn, lost, goals_for, goals_against].map(String),
    difference > 0 ? `+${difference}` : String(difference),
    String(points)
  ]
}
