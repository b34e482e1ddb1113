/**
 * The processes of a cluster and their connections: @effect/cluster over sockets, with what it stores in tables of our name, which
 * one process at a time creates.
 */
import * as MachineId from "@effect/cluster/MachineId"
import * as RunnerAddress from "@effect/cluster/RunnerAddress"
import * as RunnerHealth from "@effect/cluster/RunnerHealth"
import * as Runners from "@effect/cluster/Runners"
import type { Sharding } from "@effect/cluster/Sharding"
import * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as Singleton from "@effect/cluster/Singleton"
import * as Snowflake from "@effect/cluster/Snowflake"
import * as SocketRunner from "@effect/cluster/SocketRunner"
import * as SqlMessageStorage from "@effect/cluster/SqlMessageStorage"
import * as SqlRunnerStorage from "@effect/cluster/SqlRunnerStorage"
import { layerClientProtocol, layerSocketServer } from "@effect/platform-node/NodeClusterSocket"
import type { SocketServerError } from "@effect/platform/SocketServer"
import * as RpcSerialization from "@effect/rpc/RpcSerialization"
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { JobRepositoryError } from "../vocabulary/BatchError.js"
import { describe } from "../vocabulary/failure.js"

export interface Address {
  readonly host: string
  readonly port: number
}

export interface Options {
  readonly prefix: string
  readonly address: Address | undefined
  readonly listen: Address | undefined
  /** Of the jobs and schedules that this process has code for. */
  readonly groups: ReadonlyArray<string>
  readonly sharding: Partial<ShardingConfig.ShardingConfig["Type"]>
}

/**
 * A process that died is replaced in less than its lease of 10 seconds. Locks in a table, not those of sessions: a process that
 * is frozen loses its shards too, and two clusters in one database have no numbers in common.
 */
export const config = (
  { address, groups, listen, sharding }: Omit<Options, "prefix">
): ShardingConfig.ShardingConfig["Type"] => ({
  ...ShardingConfig.defaults,
  shardLockExpiration: "10 seconds",
  shardLockRefreshInterval: "3 seconds",
  runnerHealthCheckInterval: "5 seconds",
  refreshAssignmentsInterval: "1 second",
  entityMessagePollInterval: "1 second",
  entityReplyPollInterval: "500 millis",
  entityTerminationTimeout: "500 millis",
  shardLockDisableAdvisory: true,
  shardsPerGroup: 16,
  availableShardGroups: ["default", ...groups],
  assignedShardGroups: ["default", ...groups],
  runnerAddress: Option.map(Option.fromNullable(address), addressOf),
  runnerListenAddress: Option.map(Option.fromNullable(listen), addressOf),
  ...sharding
})

/** A process that runs jobs, or, without an address, one that only asks for them. */
export const layer = (
  options: Options
): Layer.Layer<Sharding, JobRepositoryError | SocketServerError, SqlClient.SqlClient> => {
  const settings = config(options)
  const isRunner = Option.isSome(settings.runnerAddress)
  const sharding: Layer.Layer<any, any, any> = isRunner
    ? Layer.provide(SocketRunner.layer, [layerSocketServer, layerClientProtocol])
    : Layer.provide(SocketRunner.layerClientOnly, layerClientProtocol)
  const health: Layer.Layer<any, any, any> = isRunner
    ? RunnerHealth.layerPing.pipe(Layer.provide(Runners.layerRpc), Layer.provide(layerClientProtocol))
    : Layer.empty as Layer.Layer<any>
  const connected = sharding.pipe(
    Layer.provide(health),
    Layer.provide([
      Layer.orDie(SqlMessageStorage.layerWith({ prefix: tables(options) })),
      Layer.orDie(SqlRunnerStorage.layerWith({ prefix: tables(options) }))
    ]),
    Layer.provide(ShardingConfig.layer(settings)),
    Layer.provide(RpcSerialization.layerMsgPack)
  )
  const forgetting: Layer.Layer<never, never, any> = isRunner ? forgetful(tables(options)) : Layer.empty
  return Layer.unwrapEffect(
    Effect.as(migrate(options.prefix, settings), Layer.provideMerge(forgetting, connected))
  ) as Layer.Layer<Sharding, JobRepositoryError | SocketServerError, SqlClient.SqlClient>
}

/**
 * Creates the tables. Processes that begin together take turns: who comes second finds them there.
 */
export const migrate = (
  prefix: string,
  settings: ShardingConfig.ShardingConfig["Type"] = ShardingConfig.defaults
): Effect.Effect<void, JobRepositoryError, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    if (!PREFIX.test(prefix)) {
      return yield* Effect.fail(fatal(
        `the prefix ${
          JSON.stringify(prefix)
        } cannot be part of a table name: use at most 30 letters, digits and underscores that do ` +
          "not begin with a digit"
      ))
    }
    yield* sql.onDialectOrElse({
      pg: () => Effect.void,
      orElse: () => Effect.fail(fatal("a cluster needs PostgreSQL"))
    })
    yield* Effect.scoped(Effect.gen(function*() {
      const scope = yield* Effect.scope
      const connection = yield* sql.reserve
      // The first number makes the lock ours, see the migrations of the repository.
      yield* connection.executeRaw(`select pg_advisory_lock(1650553956, hashtext('cluster ' || $1))`, [prefix])
      yield* Scope.addFinalizer(
        scope,
        Effect.ignore(
          connection.executeRaw(`select pg_advisory_unlock(1650553956, hashtext('cluster ' || $1))`, [prefix])
        )
      )
      yield* SqlMessageStorage.make({ prefix: tables({ prefix }) }).pipe(Effect.provide(Snowflake.layerGenerator))
      yield* SqlRunnerStorage.make({ prefix: tables({ prefix }) })
    })).pipe(
      Effect.provide(ShardingConfig.layer({ ...settings, runnerAddress: Option.none() })),
      Effect.catchAllCause((cause) =>
        Effect.fail(fatal(`the tables of the cluster could not be made: ${describe(cause)}`, cause))
      )
    )
  })

/**
 * Deletes messages that were answered before that time, with their answers. They have no time, but their ids, and those of the
 * answers, begin with one.
 */
export const forget = (
  tablePrefix: string,
  before: DateTime.Utc
): Effect.Effect<void, SqlError, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const sql = (yield* SqlClient.SqlClient).withoutTransforms()
    const [messages, replies] = [sql(`${tablePrefix}_messages`), sql(`${tablePrefix}_replies`)]
    const first = String(firstIdOf(before.epochMillis))
    yield* sql`with gone as (
        delete from ${messages} where processed and coalesce(last_reply_id, id) < ${first}::bigint returning request_id
      ) delete from ${replies} where request_id in (select request_id from gone)`
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const addressOf = ({ host, port }: Address) => RunnerAddress.make(host, port)

/** Of the repository's tables, none is called so: one prefix is enough for both. */
const tables = ({ prefix }: { readonly prefix: string }): string => `${prefix}cluster`

const PREFIX = /^[A-Za-z_][A-Za-z0-9_]{0,29}$/

const fatal = (detail: string, cause?: unknown) =>
  new JobRepositoryError({ operation: "cluster", reason: "fatal", detail, ...(cause === undefined ? {} : { cause }) })

/** How long messages that were answered stay. What was asked twice within that time is known to be the same. */
const KEPT = Duration.days(1)

const forgetful = (prefix: string) =>
  Singleton.make(
    "effect-batch/forgetful",
    Effect.forever(
      Effect.zipRight(
        Effect.catchAllCause(
          Effect.flatMap(DateTime.now, (now) => forget(prefix, DateTime.subtractDuration(now, KEPT))),
          (cause) => Effect.logWarning(`Old messages could not be deleted: ${describe(cause)}`)
        ),
        Effect.sleep("1 hour")
      )
    )
  )

const firstIdOf = (timestamp: number): bigint =>
  Snowflake.make({ machineId: MachineId.make(0), sequence: 0, timestamp })
