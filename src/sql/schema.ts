/**
 * The tables of the repository, as numbered lists of statements for each database.
 */
import type { DialectName } from "./dialect.js"

/** @internal */
export interface Migration {
  readonly id: number
  readonly name: string
  readonly statements: (names: Names) => ReadonlyArray<string>
}

/**
 * Makes the names of tables and indexes.
 *
 * @internal
 */
export interface Names {
  readonly dialect: DialectName
  /** The qualified and quoted name of a table. */
  readonly table: (name: string) => string
  /** The quoted name of an index, which lives in the schema of its table. */
  readonly index: (name: string) => string
}

/** @internal */
export const defaultPrefix = "batch_"

/**
 * A prefix that can be part of every name the tables need, with the name of a schema before a dot where the database
 * has schemas.
 *
 * @internal
 */
export const isPrefix = (dialect: DialectName, prefix: string): boolean =>
  (dialect === "pg" ? /^([A-Za-z_]\w{0,62}\.)?([A-Za-z_]\w{0,29})?$/ : /^([A-Za-z_]\w{0,29})?$/).test(prefix)

/** @internal */
export const names = (dialect: DialectName, prefix: string): Names => {
  const quoted = (name: string) => name.split(".").map((part) => `"${part}"`).join(".")
  return {
    dialect,
    table: (name) => quoted(`${prefix}${name}`),
    index: (name) => quoted(`${prefix}${name}`.replace(/^.*\./, ""))
  }
}

/** @internal */
export const migrationsTable = (names: Names): string =>
  `create table if not exists ${names.table("migrations")} (
  id integer primary key,
  name text not null,
  applied_at ${types[names.dialect].instant} not null
)`

/** @internal */
export const migrations: ReadonlyArray<Migration> = [
  { id: 1, name: "create_tables", statements: (names) => [...instances(names), ...executions(names), ...steps(names)] },
  { id: 2, name: "record_places_and_rounds", statements: (names) => placesAndRounds(names) },
  { id: 3, name: "add_token", statements: (names) => [token(names)] },
  { id: 4, name: "add_partitions", statements: (names) => partitions(names) },
  { id: 5, name: "views", statements: (names) => views(names) },
  { id: 6, name: "add_causes", statements: (names) => causes(names) },
  { id: 7, name: "visit_places_once", statements: (names) => visitedOnce(names) },
  { id: 8, name: "index_unsettled", statements: (names) => [unsettled(names)] },
  { id: 9, name: "add_partition_keys", statements: (names) => [partitionKeys(names)] }
]

/** @internal */
export const latest: number = Math.max(...migrations.map(({ id }) => id))

// internal

// json, not jsonb: it gives back the very text, and takes \u0000 and unpaired surrogates.
// Rows that are updated in every chunk stay on their page when it has room.
const types = {
  pg: {
    id: "bigint generated always as identity primary key",
    instant: "timestamptz",
    json: "json",
    flag: "boolean",
    count: "bigint not null default 0",
    updated: " with (fillfactor = 70)"
  },
  sqlite: {
    id: "integer primary key autoincrement",
    instant: "integer",
    json: "text",
    flag: "integer",
    count: "integer not null default 0",
    updated: ""
  }
} as const

/** Executions of version 0.1 have an empty one, which their owners compare no more than they did before. */
const token = ({ table }: Names): string =>
  `alter table ${table("job_execution")} add column token text not null default ''`

/** What is known of a failure, beside the line that tells of it. Nobody knows it of what older versions ran. */
const causes = ({ table }: Names): ReadonlyArray<string> => [
  `alter table ${table("job_execution")} add column causes text`,
  `alter table ${table("step_execution")} add column causes text`
]

/**
 * A step stands in a place once in a round of an execution. Where an insert without an answer has left a second row behind, which
 * nobody has gone on with, that one is put into a round of its own: the flow of a restart does not come by it.
 */
const visitedOnce = ({ index, table }: Names): ReadonlyArray<string> => [
  `update ${table("step_execution")} set round = round || '#' || id where place is not null and exists (
  select 1 from ${table("step_execution")} other
  where other.job_execution_id = ${table("step_execution")}.job_execution_id
    and other.place = ${table("step_execution")}.place and other.round = ${table("step_execution")}.round
    and (other.commit_count + other.rollback_count, -other.id) >
      (${table("step_execution")}.commit_count + ${table("step_execution")}.rollback_count, -${
    table("step_execution")
  }.id)
)`,
  `create unique index ${index("step_execution_place")} on ${table("step_execution")} (job_execution_id, place, round)
  where place is not null`
]

const statuses = "('COMPLETED', 'STARTING', 'STARTED', 'STOPPING', 'STOPPED', 'FAILED', 'ABANDONED', 'UNKNOWN')"

const running = "('STARTING', 'STARTED', 'STOPPING')"

const instances = ({ dialect, index, table }: Names): ReadonlyArray<string> => [
  `create table ${table("job_instance")} (
  id ${types[dialect].id},
  job_name text not null,
  job_key text not null,
  create_time ${types[dialect].instant} not null,
  unique (job_name, job_key)
)`,
  `create index ${index("job_instance_name")} on ${table("job_instance")} (job_name, id)`
]

const executions = ({ dialect, index, table }: Names): ReadonlyArray<string> => {
  const { flag, id, instant, json, updated } = types[dialect]
  return [
    `create table ${table("job_execution")} (
  id ${id},
  job_instance_id bigint not null references ${table("job_instance")} (id),
  status text not null check (status in ${statuses}),
  exit_code text not null,
  exit_message text not null,
  create_time ${instant} not null,
  start_time ${instant},
  end_time ${instant},
  last_updated ${instant} not null,
  context ${json} not null,
  owner text,
  epoch bigint not null,
  lease_millis bigint not null,
  lease_until ${instant},
  restart_of bigint
)${updated}`,
    `create unique index ${index("job_execution_one_running")} on ${table("job_execution")} (job_instance_id)
  where status in ${running}`,
    `create index ${index("job_execution_instance")} on ${table("job_execution")} (job_instance_id, id)`,
    `create table ${table("job_execution_params")} (
  job_execution_id bigint not null references ${table("job_execution")} (id),
  ordinal integer not null,
  name text not null,
  value ${json} not null,
  identifying ${flag} not null,
  redacted ${flag} not null,
  primary key (job_execution_id, name)
)`
  ]
}

const steps = ({ dialect, index, table }: Names): ReadonlyArray<string> => {
  const { count, id, instant, json, updated } = types[dialect]
  return [
    `create table ${table("step_execution")} (
  id ${id},
  job_execution_id bigint not null references ${table("job_execution")} (id),
  step_name text not null,
  status text not null check (status in ${statuses}),
  exit_code text not null,
  exit_message text not null,
  read_count ${count},
  write_count ${count},
  filter_count ${count},
  read_skip_count ${count},
  process_skip_count ${count},
  write_skip_count ${count},
  commit_count ${count},
  rollback_count ${count},
  create_time ${instant} not null,
  start_time ${instant},
  end_time ${instant},
  last_updated ${instant} not null,
  context ${json} not null,
  checkpoint ${json},
  epoch bigint not null
)${updated}`,
    `create index ${index("step_execution_job")} on ${table("step_execution")} (job_execution_id, id)`,
    `create index ${index("step_execution_name")} on ${table("step_execution")} (step_name, id)`,
    `create table ${table("skipped_item")} (
  id ${id},
  step_execution_id bigint not null references ${table("step_execution")} (id),
  phase text not null,
  position ${json},
  error_tag text not null,
  message text not null,
  item ${json},
  create_time ${instant} not null
)`,
    `create index ${index("skipped_item_step")} on ${table("skipped_item")} (step_execution_id, id)`
  ]
}

const placesAndRounds = ({ dialect, index, table }: Names): ReadonlyArray<string> => [
  `alter table ${table("step_execution")} add column place text`,
  `alter table ${table("step_execution")} add column round text`,
  `create table ${table("flow_answer")} (
  id ${types[dialect].id},
  job_execution_id bigint not null references ${table("job_execution")} (id),
  place text not null,
  round text not null,
  code text not null,
  create_time ${types[dialect].instant} not null
)`,
  `create index ${index("flow_answer_job")} on ${table("flow_answer")} (job_execution_id, id)`
]

/**
 * What an execution is a part of, and the plans of partitioned steps. A plan has the id of the step execution that made it.
 * `waiting` is 0 for what is to be taken again, 1 for what nobody has taken yet, null for what is not put up.
 */
const partitions = ({ dialect, index, table }: Names): ReadonlyArray<string> => {
  const { flag, id, json } = types[dialect]
  return [
    `alter table ${table("job_execution")} add column parent_execution_id bigint`,
    `alter table ${table("job_execution")} add column parent_instance_id bigint`,
    `create index ${index("job_execution_parent")} on ${table("job_execution")} (parent_execution_id)
  where parent_execution_id is not null`,
    `create index ${index("job_execution_root")} on ${table("job_execution")} (parent_instance_id)
  where parent_instance_id is not null`,
    `create table ${table("partition_plan")} (
  id bigint primary key,
  job_instance_id bigint not null references ${table("job_instance")} (id),
  job_execution_id bigint not null,
  step_execution_id bigint not null,
  step_name text not null,
  fingerprint text not null,
  size bigint not null,
  is_open ${flag} not null
)`,
    `create index ${index("partition_plan_instance")} on ${table("partition_plan")} (job_instance_id)`,
    `create index ${index("partition_plan_execution")} on ${table("partition_plan")} (job_execution_id)`,
    `create table ${table("partition")} (
  id ${id},
  plan_id bigint not null references ${table("partition_plan")} (id),
  ordinal bigint not null,
  name text not null,
  input ${json} not null,
  job_instance_id bigint references ${table("job_instance")} (id),
  waiting smallint,
  unique (plan_id, ordinal)
)`,
    `create unique index ${index("partition_instance")} on ${table("partition")} (job_instance_id)
  where job_instance_id is not null`,
    `create index ${index("partition_waiting")} on ${table("partition")} (plan_id, waiting, ordinal)
  where waiting is not null`
  ]
}

/** Of parts of an instance those that have not completed: who looks for lost partitions passes over none of 100,000 that have. */
const unsettled = ({ index, table }: Names): string =>
  `create index ${index("job_execution_unsettled")} on ${table("job_execution")} (parent_instance_id)
  where parent_instance_id is not null and status <> 'COMPLETED'`

/** What identifies a partition as an instance, so that one statement can claim it. Nobody has written it for what was planned before. */
const partitionKeys = ({ table }: Names): string => `alter table ${table("partition")} add column job_key text`

/** For people who look: pages of what there is, what was done by whom, and what was told. */
const views = ({ dialect, index, table }: Names): ReadonlyArray<string> => {
  const { id, instant } = types[dialect]
  return [
    `create index ${index("job_execution_created")} on ${table("job_execution")} (create_time)`,
    `create index ${index("job_execution_changed")} on ${table("job_execution")} (last_updated)`,
    `create index ${index("job_execution_status")} on ${table("job_execution")} (status, id)`,
    `create index ${index("skipped_item_error")} on ${table("skipped_item")} (${
      // A key of PostgreSQL is too short for a message.
      dialect === "pg" ? "step_execution_id, error_tag, id" : "step_execution_id, phase, error_tag, message"})`,
    `create table ${table("audit")} (
  id ${id},
  job_execution_id bigint references ${table("job_execution")} (id),
  job_name text not null,
  who text not null,
  what text not null,
  outcome text not null,
  create_time ${instant} not null
)`,
    `create index ${index("audit_execution")} on ${table("audit")} (job_execution_id, id)`,
    `create table ${table("notice")} (
  subject text not null,
  kind text not null,
  create_time ${instant} not null,
  primary key (subject, kind)
)`
  ]
}
