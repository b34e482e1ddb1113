/**
 * The steps of a job: chunk steps, which read, process and write items, and tasklets, which run one effect.
 *
 * A step is a value and a `Flow`. What is inferred together goes into the constructor; what refines a step is a
 * combinator.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { dual, identity } from "effect/Function"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import type * as Types from "effect/Types"
import { prototype } from "../base/values.js"
import * as CompletionPolicy from "../decisions/CompletionPolicy.js"
import * as ErrorKind from "../decisions/errorKind.js"
import * as RetryPolicy from "../decisions/RetryPolicy.js"
import * as SkipPolicy from "../decisions/SkipPolicy.js"
import type { Filtered, ItemProcessor } from "../item/ItemProcessor.js"
import type { ItemReader } from "../item/ItemReader.js"
import type { ItemWriter } from "../item/ItemWriter.js"
import { toProcessor } from "../item/openable.js"
import type { TransactionOptions } from "../ports/Transactor.js"
import type {
  EngineError,
  JobNotCompleted,
  LaunchError,
  SkipLimitExceeded,
  TransactionError
} from "../vocabulary/BatchError.js"
import { JobDefinitionError } from "../vocabulary/BatchError.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"
import type * as ChunkParts from "./chunkParts.js"
import { fingerprintOf } from "./fingerprint.js"
import type { Flow } from "./Flow.js"
import { Proto as FlowProto } from "./Flow.js"
import { lower } from "./graph.js"
import type { Job } from "./Job.js"
import type { StepListener } from "./Listener.js"
import type * as Partition from "./Partition.js"
import * as Quarantine from "./quarantine.js"
import type { Finished } from "./Tasklet.js"
import type { StepBody, StepDefinition, StepSettings } from "./tree.js"
import { defaultSettings, nodeOf, stepOf, withTree } from "./tree.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-batch/Step")

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

/**
 * What a step runs: chunks of items, an effect, a flow of steps, another job, or partitions of its work.
 *
 * @since 0.1.0
 * @category models
 */
export type Kind = "chunk" | "tasklet" | "flow" | "job" | "partition"

/**
 * A step that ends with one of the exit codes `Code`, may fail with `E` and needs `R`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Step<out Code extends string, out E = never, out R = never> extends Flow<Code, E, R> {
  readonly [TypeId]: { readonly kind: Kind }
  readonly name: string
}

/**
 * @since 0.1.0
 */
export declare namespace Step {
  /**
   * Any step.
   *
   * @since 0.1.0
   * @category models
   */
  export type Any = Step<string, any, any>

  /**
   * The exit codes of a step.
   *
   * @since 0.1.0
   * @category models
   */
  export type Code<S> = Flow.Code<S>

  /**
   * The errors of a step.
   *
   * @since 0.1.0
   * @category models
   */
  export type Error<S> = Flow.Error<S>

  /**
   * What a step needs.
   *
   * @since 0.1.0
   * @category models
   */
  export type Context<S> = Flow.Context<S>

  /**
   * The items that a chunk step reads.
   *
   * @since 0.1.0
   * @category models
   */
  export type Input<S> = S extends ChunkStep<infer In, any, any, any, any> ? In : never

  /**
   * The items that a chunk step writes.
   *
   * @since 0.1.0
   * @category models
   */
  export type Output<S> = S extends ChunkStep<any, infer Out, any, any, any> ? Out : never
}

/**
 * A step that reads items `In` and writes items `Out`, chunk by chunk.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChunkStep<out In, out Out, out Code extends string, out E = never, out R = never>
  extends Step<Code, E, R>
{
  readonly [TypeId]: {
    readonly kind: "chunk"
    readonly _In: Types.Covariant<In>
    readonly _Out: Types.Covariant<Out>
  }
}

/**
 * Whether the value is a `Step`.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isStep = (value: unknown): value is Step.Any => Predicate.hasProperty(value, TypeId)

/**
 * Whether the value is a step that reads and writes items.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isChunkStep = (value: unknown): value is ChunkStep<unknown, unknown, string, any, any> =>
  isStep(value) && value[TypeId].kind === "chunk"

/**
 * When a chunk is complete, and how its items are processed.
 *
 * - `chunkSize`: a number of items (at least 1), or a completion policy by count, time or predicate. A record that is
 *   skipped in reading does not use up a place.
 * - `concurrency`: how many items of a chunk are processed at once; their order is kept. Default 1.
 * - `prefetch`: whether the step reads and processes the next chunk while it writes one. Counts, restarts, skips,
 *   failures and stops do not change: after a failed chunk, a restart reads again what was read ahead of it. But the
 *   reader and the processor do not see yet what the previous chunk writes, and the processor may be called for items of
 *   a step that has failed. By default it is on where nobody can notice: the reader reads files or an array, the
 *   processor is a plain function (`ItemProcessor.map`, `filter`, …) or absent, and a chunk is one message to PostgreSQL
 *   (table writers, with the repository in the same database). Then two chunks are in flight at a time. Listeners of
 *   chunks and items switch it off, and so do `processInTransaction` and `readInTransaction`.
 *
 * @see CP-1
 * @since 0.1.0
 * @category models
 */
export interface ChunkOptions<in In> {
  readonly chunkSize: number | CompletionPolicy.CompletionPolicy<In>
  readonly concurrency?: number | undefined
  readonly prefetch?: boolean | undefined
}

/**
 * A step that reads, processes and writes chunk by chunk. The items of a chunk are written in one transaction together
 * with the position after them, so a restart continues after the last committed chunk.
 *
 * The processor is an `ItemProcessor`, a function from an item to an effect, or left out. Its items are processed
 * before the transaction opens, each of them once, whatever happens to the write.
 *
 * Guarantee: exactly once for writers that join the transaction or truncate to the committed state
 * (`ItemWriter.delivery`), at least once for all others.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ItemReader, ItemWriter, Step } from "effect-batch"
 *
 * const load = Step.chunk("load", {
 *   reader: ItemReader.fromIterable([1, 2, 3]),
 *   processor: (n) => Effect.succeed(n * 2),
 *   writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) => Effect.log(items)),
 *   chunkSize: 2
 * })
 *
 * assert.strictEqual(load.name, "load")
 * ```
 *
 * @see CHUNK-1 to CHUNK-10
 * @since 0.1.0
 * @category constructors
 */
export const chunk: {
  <In, ER, RR, Out, EP, RP, EW, RW>(
    name: string,
    options: ChunkOptions<In> & {
      readonly reader: ItemReader<In, ER, RR>
      readonly processor: ItemProcessor<In, Out, EP, RP>
      readonly writer: ItemWriter<Out, EW, RW>
    }
  ): ChunkStep<In, Out, "COMPLETED" | "FAILED", ER | EP | EW | TransactionError, RR | RP | RW>
  <In, ER, RR, Out, EP, RP, EW, RW>(
    name: string,
    options: ChunkOptions<In> & {
      readonly reader: ItemReader<In, ER, RR>
      readonly processor: (item: In) => Effect.Effect<Out | Filtered, EP, RP>
      readonly writer: ItemWriter<Out, EW, RW>
    }
  ): ChunkStep<In, Out, "COMPLETED" | "FAILED", ER | EP | EW | TransactionError, RR | RP | RW>
  <In, ER, RR, EW, RW>(
    name: string,
    options: ChunkOptions<In> & {
      readonly reader: ItemReader<In, ER, RR>
      readonly processor?: undefined
      readonly writer: ItemWriter<In, EW, RW>
    }
  ): ChunkStep<In, In, "COMPLETED" | "FAILED", ER | EW | TransactionError, RR | RW>
  <O extends ChunkParts.Any>(name: string, options: ChunkParts.Checked<O>): ChunkParts.StepOf<O>
} = (
  name: string,
  options: ChunkOptions<any> & {
    readonly reader: ItemReader<any, any, any>
    readonly processor?: ItemProcessor<any, any, any, any> | ((item: any) => Effect.Effect<any, any, any>) | undefined
    readonly writer: ItemWriter<any, any, any>
  }
): any =>
  make(name, {
    _tag: "Chunk",
    reader: options.reader,
    processor: options.processor === undefined ? undefined : toProcessor(options.processor),
    writer: options.writer,
    completion: typeof options.chunkSize === "number" ? CompletionPolicy.count(options.chunkSize) : options.chunkSize,
    concurrency: options.concurrency ?? 1,
    prefetch: options.prefetch
  })

/**
 * A step that runs one effect. Each call is one transaction, in which the step's own state is saved too.
 *
 * The effect answers `Tasklet.continuable` to be called again, `Tasklet.finishedWith(code)` to choose the exit code;
 * any other value means that it is finished.
 *
 * Guarantee: what the effect writes through the repository's database happens exactly once; anything else at least
 * once.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Step } from "effect-batch"
 *
 * assert.strictEqual(Step.tasklet("archive", Effect.log("archiving")).name, "archive")
 * ```
 *
 * @see TASK-3
 * @since 0.1.0
 * @category constructors
 */
export const tasklet = <A, E, R>(
  name: string,
  effect: Effect.Effect<A, E, R>
): Step<"COMPLETED" | "FAILED" | CodeOf<A>, E | TransactionError, R> => make(name, { _tag: "Tasklet", tasklet: effect })

/**
 * A step that runs a flow. It has a step execution of its own, the steps in the flow have theirs beside it in the same
 * job execution; those that start from the beginning get a copy of its context.
 *
 * It ends as the flow does: an `end`, `fail` or `stop` inside ends the step, not the job. A restart runs it again
 * unless it completed; completed steps inside are skipped.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Flow, Step } from "effect-batch"
 *
 * const post = Step.tasklet("post", Effect.log("posting"))
 * const check = Step.tasklet("check", Effect.log("checking"))
 *
 * assert.strictEqual(Step.flow("ledger", post.pipe(Flow.andThen(check))).name, "ledger")
 * ```
 *
 * @see FLOW-80
 * @since 0.1.0
 * @category constructors
 */
export const flow = <C extends string, E, R>(
  name: string,
  flow: Flow<C, E, R>
): Step<Flow.Inner<C> | "FAILED", E, R> => make(name, { _tag: "Flow", graph: lower(nodeOf(flow)) })

/**
 * A step that runs another job and waits for its end. The child has an instance and executions of its own.
 *
 * `parameters` makes the child's parameters: an effect, which may use the parameters of this job, `JobScope` and
 * `StepScope`. They are stored with the step before the child starts; a restart uses them again, so it addresses the
 * same child instance, and continues it where it failed. A child that had completed when the process died is not run
 * again.
 *
 * The step ends with the exit code of the child. When the child fails, the step fails with its error; when the child is
 * stopped, the step is, and the job with it. Stopping this job stops the child.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Job, JobParameters, Step } from "effect-batch"
 *
 * class Nightly extends JobParameters.Tag<Nightly>()("Nightly", { day: Schema.String }) {}
 * class Import extends JobParameters.Tag<Import>()("Import", { file: Schema.String }) {}
 *
 * const imports = Job.make("import", {
 *   parameters: Import,
 *   flow: Step.tasklet("load", Effect.flatMap(Import, ({ file }) => Effect.log(`loading ${file}`)))
 * })
 *
 * const nightly = Job.make("nightly", {
 *   parameters: Nightly,
 *   flow: Step.job("import", imports, {
 *     parameters: Effect.map(Nightly, ({ day }) => ({ file: `payments-${day}.csv` }))
 *   })
 * })
 * assert.strictEqual(nightly.name, "nightly")
 * ```
 *
 * @see JOBSTEP-1 to JOBSTEP-7
 * @since 0.1.0
 * @category constructors
 */
export const job: {
  <P, C extends string, EJ, RJ, E, R>(
    name: string,
    job: Job<P, C, EJ, RJ>,
    options: { readonly parameters: Effect.Effect<Types.NoInfer<P>, E, R> }
  ): Step<C | "FAILED", EJ | E | ChildJobError, RJ | R>
  <C extends string, EJ, RJ>(
    name: string,
    job: Job<{}, C, EJ, RJ>
  ): Step<C | "FAILED", EJ | ChildJobError, RJ>
} = (
  name: string,
  job: Job<any, string, any, any>,
  options?: { readonly parameters: Effect.Effect<any, any, any> }
): any => make(name, { _tag: "Job", job, parameters: options?.parameters ?? Effect.succeed({}) })

/**
 * What a step can fail with because it runs another job: the child can't be launched, or it ended without completing.
 *
 * @since 0.1.0
 * @category models
 */
export type ChildJobError = EngineError | LaunchError | JobNotCompleted

/**
 * A step whose work is divided: a plan names the partitions, and each of them runs a step or a flow of its own, side by side
 * in this process, and in any other one that runs a `PartitionWorker`.
 *
 * - `plan`: the partitions, each with a name and an input. It is made once per job instance, and stored before the first one
 *   begins; a restart plans nothing again.
 * - `input`: the schema by which inputs are stored and read back.
 * - `step`: the step or flow of a partition.
 * - `concurrency`: how many partitions this process runs at once. Default 1; 0 leaves all of them to workers.
 * - `onPartitionFailure`: when a partition has failed, `continue` (the default) runs the others to their end, `stop` begins no
 *   more.
 * - `restart`: whether a restart keeps the plan, which is the default, or makes it anew (`replan`): then all partitions begin from
 *   the beginning, and counts, results and failures are those of the new plan. That is refused with `ReplanRefused` while a
 *   partition of the old plan has not completed; `abandonAndReplan` gives those up that have failed, were stopped or have not
 *   begun. Partitions that run are never given up.
 * - `result`, `collect`: the schema of what a partition may give with `result` of its scope, and what becomes of all that,
 *   in the order of the plan, those of earlier executions included. `collect` is called once every partition has completed; if
 *   it fails, the step fails.
 * - `version`: tells other code apart. Workers take only partitions of the code they have. By default it is computed from the
 *   text of `step` and the schema of the input, which tells nothing of the functions that `step` calls.
 *
 * A partition is a job execution of its own, listed under this one. Its context begins as a copy of the job's, and what it
 * changes there stays its own. It sees the parameters of the job, and `skip`, `retry` and all else stand at its steps. A restart
 * runs the partitions that have not completed, each from its last commit; those that run elsewhere meanwhile are waited for.
 *
 * The step counts what all partitions have counted, in whichever execution, each once. It fails when one of them has failed,
 * with `PartitionsFailed`, and is stopped when one of them was stopped. Without partitions it completes.
 *
 * Guarantee: that of the steps of the partitions, whichever process dies.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Partition, Step } from "effect-batch"
 *
 * const load = Step.partition("load", {
 *   plan: Partition.values(["de", "fr", "es"]),
 *   input: Schema.String,
 *   step: (country) => Step.tasklet("rows", Effect.log(`loading ${country}`)),
 *   concurrency: 2
 * })
 *
 * assert.strictEqual(load.name, "load")
 * ```
 *
 * @see PART-1 to PART-16
 * @since 0.1.0
 * @category constructors
 */
export const partition = <A, I, C extends string, E, R, EP = never, RP = never, B = never, EC = never, RC = never>(
  name: string,
  options: {
    readonly plan:
      | ReadonlyArray<Partition.Planned<Types.NoInfer<A>>>
      | Effect.Effect<ReadonlyArray<Partition.Planned<Types.NoInfer<A>>>, EP, RP>
    readonly input: Schema.Schema<A, I>
    readonly step: (input: A, scope: Partition.Scope<B>) => Flow<C, E, R>
    readonly concurrency?: number | undefined
    readonly onPartitionFailure?: "continue" | "stop" | undefined
    readonly restart?: "keep" | "replan" | "abandonAndReplan" | undefined
    readonly result?: Schema.Schema<B, any> | undefined
    readonly collect?:
      | ((results: ReadonlyArray<Partition.Result<Types.NoInfer<B>>>) => Effect.Effect<unknown, EC, RC>)
      | undefined
    readonly version?: string | undefined
  }
): Step<"COMPLETED" | "FAILED", EP | EC | Partition.PartitionError, R | RP | RC> =>
  make(name, {
    _tag: "Partition",
    plan: Effect.isEffect(options.plan) ? options.plan : Effect.succeed(options.plan),
    input: options.input,
    result: options.result,
    make: options.step,
    collect: options.collect,
    concurrency: options.concurrency ?? 1,
    onFailure: options.onPartitionFailure ?? "continue",
    restart: options.restart ?? "keep",
    fingerprint: fingerprintOf(options.version ?? [String(options.step), String(options.input.ast)])
  })

/**
 * How often the step may be started within a job instance, over all its executions. Default: without limit, which 0
 * means too. One start too many fails the job with `StepStartLimitExceeded`.
 *
 * @see HAND-6, BUILD-5
 * @since 0.1.0
 * @category combinators
 */
export const startLimit: {
  (starts: number): <S extends Any>(self: S) => S
  <S extends Any>(self: S, starts: number): S
} = dual(2, <S extends Any>(self: S, starts: number): S => refine(self, { startLimit: starts }))

/**
 * Runs the step in every execution of an instance, also when it completed before. It then starts from the beginning,
 * with an empty context.
 *
 * @see HAND-8, HAND-10
 * @since 0.1.0
 * @category combinators
 */
export const allowStartIfComplete = <S extends Any>(self: S): S => refine(self, { allowStartIfComplete: true })

/**
 * Chooses the exit code of a step that completed, from its counts and status. Takes the possible codes as a value, so
 * that the compiler and the drawing of the job know them.
 *
 * @since 0.1.0
 * @category combinators
 */
export const exitCode: {
  <const C2 extends string>(
    codes: ReadonlyArray<C2>,
    decide: (step: StepExecution) => Types.NoInfer<C2>
  ): <S extends Any>(self: S) => WithCode<S, C2>
  <S extends Any, const C2 extends string>(
    self: S,
    codes: ReadonlyArray<C2>,
    decide: (step: StepExecution) => Types.NoInfer<C2>
  ): WithCode<S, C2>
} = dual(
  3,
  (self: Any, codes: ReadonlyArray<string>, decide: (step: StepExecution) => string): any =>
    refine(self, { exitCode: { codes, decide } })
)

/**
 * Adds a listener after those that the step already has. Its errors become errors of the step; no policy skips or
 * retries them, so add listeners after the policies.
 *
 * @see LISTEN-1, LISTEN-4
 * @since 0.1.0
 * @category combinators
 */
export const listen: {
  <In, Out, EL, RL>(
    listener: StepListener<In, Out, EL, RL>
  ): <S extends Any>(self: S & Listenable<S, In, Out>) => WithListener<S, EL, RL>
  <S extends Any, In, Out, EL, RL>(
    self: S & Listenable<S, In, Out>,
    listener: StepListener<In, Out, EL, RL>
  ): WithListener<S, EL, RL>
} = dual(
  2,
  (self: Any, listener: StepListener<any, any, any, any>): any =>
    refine(self, { listeners: [...settings(self).listeners, listener] })
)

/**
 * What a failing `afterStep` does: `fail` (the default) fails the step, `log` only logs it. With `log` a listener can
 * still fail the step by `StepScope.upgradeStatus("FAILED")`.
 *
 * @see STEP-15, STEP-16
 * @since 0.1.0
 * @category combinators
 */
export const onListenerFailure: {
  (behaviour: "fail" | "log"): <S extends Any>(self: S) => S
  <S extends Any>(self: S, behaviour: "fail" | "log"): S
} = dual(2, <S extends Any>(self: S, behaviour: "fail" | "log"): S => refine(self, { onListenerFailure: behaviour }))

/**
 * The attributes of the step's transactions, on top of earlier ones. They apply to the chunks and to the
 * calls of a tasklet, not of what the repository does on its own.
 *
 * A transaction that takes longer than `timeout` fails with a `TransactionError`. With `serializable` or
 * `repeatable read`, PostgreSQL refuses transactions that lost against another one: let the step try them again with
 * `Step.retry(["TransactionError", "SqlTransientError"])`. That includes the step's own heartbeat, which touches the
 * same row as the checkpoint. With `notSupported`, items written before a failure stay.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Step } from "effect-batch"
 *
 * const close = Step.tasklet("close", Effect.log("closing the books")).pipe(
 *   Step.withTransaction({ isolation: "serializable", timeout: "30 seconds" })
 * )
 *
 * assert.strictEqual(close.name, "close")
 * ```
 *
 * @see TX-1, TX-2, TX-4
 * @since 0.1.0
 * @category combinators
 */
export const withTransaction: {
  (options: TransactionOptions): <S extends Any>(self: S) => S
  <S extends Any>(self: S, options: TransactionOptions): S
} = dual(
  2,
  <S extends Any>(self: S, options: TransactionOptions): S =>
    refine(self, { transaction: { ...settings(self).transaction, ...options } })
)

/**
 * Skips records that fail with one of the given tags, in reading, processing and writing.
 *
 * `limit` is the number of skips that one step execution allows, over all three phases: with 10 the eleventh bad record
 * fails the step with `SkipLimitExceeded`. Several `skip` combinators have a limit each. A skipped tag leaves `E`; a
 * tag that the step can't fail with does not compile.
 *
 * Skips are counted and reported in the transaction that makes them durable, exactly once each.
 *
 * @example
 * ```ts
 * import { Data, Effect } from "effect"
 * import { ItemReader, ItemWriter, Step } from "effect-batch"
 *
 * class BadNumber extends Data.TaggedError("BadNumber")<{ readonly value: number }> {}
 *
 * const load = Step.chunk("load", {
 *   reader: ItemReader.fromIterable([1, 2, 3]),
 *   processor: (value) => value === 2 ? Effect.fail(new BadNumber({ value })) : Effect.succeed(value),
 *   writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) => Effect.log(items)),
 *   chunkSize: 2
 * }).pipe(Step.skip("BadNumber", { limit: 10 }))
 *
 * assert.strictEqual(load.name, "load")
 * ```
 *
 * @see SKIP-1 to SKIP-12, SKIP-4
 * @since 0.1.0
 * @category fault tolerance
 */
export const skip: {
  <E, const T extends TagsOf<E>>(
    tag: T | ReadonlyArray<T>,
    options: { readonly limit: number }
  ): <In, Out, C extends string, R>(
    self: ChunkStep<In, Out, C, E, R>
  ) => ChunkStep<In, Out, C, ExcludeTag<E, T> | SkipLimitExceeded, R>
  <In, Out, C extends string, E, R, const T extends TagsOf<E>>(
    self: ChunkStep<In, Out, C, E, R>,
    tag: T | ReadonlyArray<T>,
    options: { readonly limit: number }
  ): ChunkStep<In, Out, C, ExcludeTag<E, T> | SkipLimitExceeded, R>
} = dual(
  3,
  (self: Any, tag: string | ReadonlyArray<string>, { limit }: { readonly limit: number }): any =>
    addSkip(self, SkipPolicy.tags(SkipPolicy.limit<any>(limit), ...toArray(tag)))
)

/**
 * Skips as a policy says: any `SkipPolicy`, driven by a `Schedule`, by classes, by predicates, composed with `and` and
 * `or`. The errors that it skips stay in `E`, since a policy may let some of them through.
 *
 * @since 0.1.0
 * @category fault tolerance
 */
export const skipWith: {
  <E, RP>(
    policy: SkipPolicy.SkipPolicy<E, RP>
  ): <In, Out, C extends string, E1 extends E, R>(
    self: ChunkStep<In, Out, C, E1, R>
  ) => ChunkStep<In, Out, C, E1 | SkipLimitExceeded, R | RP>
  <In, Out, C extends string, E, R, RP>(
    self: ChunkStep<In, Out, C, E, R>,
    policy: SkipPolicy.SkipPolicy<E, RP>
  ): ChunkStep<In, Out, C, E | SkipLimitExceeded, R | RP>
} = dual(2, (self: Any, policy: SkipPolicy.SkipPolicy<any, any>): any => addSkip(self, policy))

/**
 * Tries again what failed with one of the given tags: a read in place, the processing of an item in place, a write by
 * rolling back and writing the same outputs in a new transaction. Retries come before skips.
 *
 * - `times`: how often to try again after the first attempt.
 * - `schedule`: when to try again, and until when. It is stepped with the error. No transaction is open in the pause.
 * - `while`: whether this very error is worth it.
 *
 * Without `times` and `schedule` it tries three times again, at once.
 *
 * @since 0.1.0
 * @category fault tolerance
 */
export const retry: {
  <E, const T extends TagsOf<E>, O = unknown, RS = never>(
    tag: T | ReadonlyArray<T>,
    options?: RetryOptions<ExtractTag<Types.NoInfer<E>, T>, O, RS>
  ): <In, Out, C extends string, R>(self: ChunkStep<In, Out, C, E, R>) => ChunkStep<In, Out, C, E, R | RS>
  <In, Out, C extends string, E, R, const T extends TagsOf<E>, O = unknown, RS = never>(
    self: ChunkStep<In, Out, C, E, R>,
    tag: T | ReadonlyArray<T>,
    options?: RetryOptions<ExtractTag<Types.NoInfer<E>, T>, O, RS>
  ): ChunkStep<In, Out, C, E, R | RS>
} = dual(
  (args) => isStep(args[0]),
  (self: Any, tag: string | ReadonlyArray<string>, options: RetryOptions<any, any, any> = {}): any =>
    addRetry(self, retryPolicyOf(toArray(tag), options))
)

/**
 * How `retry` tries again.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryOptions<in E, out O = unknown, out R = never> {
  readonly times?: number | undefined
  readonly while?: ((error: E) => boolean) | undefined
  readonly schedule?: Schedule.Schedule<O, E, R> | undefined
}

/**
 * Retries as a policy says.
 *
 * @since 0.1.0
 * @category fault tolerance
 */
export const retryWith: {
  <E, RP>(
    policy: RetryPolicy.RetryPolicy<E, RP>
  ): <In, Out, C extends string, E1 extends E, R>(
    self: ChunkStep<In, Out, C, E1, R>
  ) => ChunkStep<In, Out, C, E1, R | RP>
  <In, Out, C extends string, E, R, RP>(
    self: ChunkStep<In, Out, C, E, R>,
    policy: RetryPolicy.RetryPolicy<E, RP>
  ): ChunkStep<In, Out, C, E, R | RP>
} = dual(2, (self: Any, policy: RetryPolicy.RetryPolicy<any, any>): any => addRetry(self, policy))

/**
 * How often the step may try something again, all its reads, items and writes together, in one execution: a service that
 * is down should not be asked a thousand times over. Beyond that a failure counts as if its own retries were used up: it
 * is skipped, or it fails the step. Default: without limit. A limit below 0, or that is not a whole number, is refused.
 *
 * @example
 * ```ts
 * import { Data, Effect } from "effect"
 * import { ItemReader, ItemWriter, Step } from "effect-batch"
 *
 * class Down extends Data.TaggedError("Down")<{}> {}
 *
 * const load = Step.chunk("load", {
 *   reader: ItemReader.fromIterable([1, 2, 3]),
 *   processor: (n) => n === 2 ? Effect.fail(new Down()) : Effect.succeed(n),
 *   writer: ItemWriter.discard,
 *   chunkSize: 2
 * }).pipe(Step.retry("Down", { times: 5 }), Step.retryLimit(100))
 *
 * assert.strictEqual(load.name, "load")
 * ```
 *
 * @see OWN-28
 * @since 0.1.0
 * @category fault tolerance
 */
export const retryLimit: {
  (limit: number): <In, Out, C extends string, E, R>(
    self: ChunkStep<In, Out, C, E, R>
  ) => ChunkStep<In, Out, C, E, R>
  <In, Out, C extends string, E, R>(
    self: ChunkStep<In, Out, C, E, R>,
    limit: number
  ): ChunkStep<In, Out, C, E, R>
} = dual(2, (self: Any, limit: number): any => {
  if (!Number.isSafeInteger(limit) || limit < 0) {
    throw new JobDefinitionError({
      defects: [`the retry limit of step "${self.name}" must be a whole number of at least 0, not ${limit}`]
    })
  }
  return refine(self, { retryLimit: limit })
})

/**
 * Failures with one of these tags leave the transaction open, if they are skipped, too: what the step has done in it
 * until then stays.
 *
 * It concerns what fails inside a transaction: the write of a single item, be it the only one of its chunk or found by
 * the search, and processing with `Step.processInTransaction`. A chunk of several items that is refused is rolled back
 * anyway, to find out which of them is bad; and so is a chunk that is retried first.
 *
 * PostgreSQL aborts a transaction when one of its statements fails. If the failure was one of those, the rollback
 * happens all the same, and the chunk is written again without the bad record: only the saving is lost.
 *
 * Give it before `Step.skip`, which takes the tag from the errors of the step.
 *
 * @example
 * ```ts
 * import { Data, Effect } from "effect"
 * import { ItemReader, ItemWriter, Step } from "effect-batch"
 *
 * class Rejected extends Data.TaggedError("Rejected")<{}> {}
 *
 * const send = Step.chunk("send", {
 *   reader: ItemReader.fromIterable([1, 2, 3]),
 *   writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
 *     items.includes(2) ? Effect.fail(new Rejected()) : Effect.log(items)
 *   ),
 *   chunkSize: 2
 * }).pipe(Step.noRollback("Rejected"), Step.skip("Rejected", { limit: 10 }))
 *
 * assert.strictEqual(send.name, "send")
 * ```
 *
 * @see TXO-1, FTC-13, FTC-8
 * @since 0.1.0
 * @category fault tolerance
 */
export const noRollback: {
  <E, const T extends TagsOf<E>>(
    tag: T | ReadonlyArray<T>
  ): <In, Out, C extends string, R>(self: ChunkStep<In, Out, C, E, R>) => ChunkStep<In, Out, C, E, R>
  <In, Out, C extends string, E, R, const T extends TagsOf<E>>(
    self: ChunkStep<In, Out, C, E, R>,
    tag: T | ReadonlyArray<T>
  ): ChunkStep<In, Out, C, E, R>
} = dual(2, (self: Any, tag: string | ReadonlyArray<string>): any => {
  const known = settings(self).noRollback
  const matches = ErrorKind.classifier<any>({ include: toArray(tag) })
  return refine(self, {
    noRollback: known === undefined ? matches : (error: unknown) => known(error) || matches(error)
  })
})

/**
 * Processes the items inside the chunk's transaction: for processors that write to the database. Every attempt
 * processes its items again, and a failure rolls back what the others wrote. Only what a committed attempt filtered is
 * counted.
 *
 * Failures inside the transaction that are retried or skipped cost a rollback each, see also `Step.noRollback`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ItemReader, ItemWriter, Step } from "effect-batch"
 *
 * const post = Step.chunk("post", {
 *   reader: ItemReader.fromIterable([1, 2, 3]),
 *   processor: (id) => Effect.as(Effect.log(`booking ${id}`), id),
 *   writer: ItemWriter.discard,
 *   chunkSize: 100
 * }).pipe(Step.processInTransaction)
 *
 * assert.strictEqual(post.name, "post")
 * ```
 *
 * @see FTC-5, FTC-17
 * @since 0.1.0
 * @category fault tolerance
 */
export const processInTransaction = <In, Out, C extends string, E, R>(
  self: ChunkStep<In, Out, C, E, R>
): ChunkStep<In, Out, C, E, R> => transactional(self, "process")

/**
 * Reads the items inside the chunk's transaction: for readers that take what they read, as from a queue in the
 * database. The items are not kept: a rollback puts them back, the reader is opened again where the chunk begins, and
 * is expected to return the same items in the same order. The items are known only inside, so they are processed there
 * too, as with `Step.processInTransaction`.
 *
 * @see FTC-20, TX-5
 * @since 0.1.0
 * @category fault tolerance
 */
export const readInTransaction = <In, Out, C extends string, E, R>(
  self: ChunkStep<In, Out, C, E, R>
): ChunkStep<In, Out, C, E, R> => transactional(self, "read")

/**
 * How the bad item of a refused chunk is found: by halves (`bisect`, the default), which costs at most 2 log₂ n + 2
 * transactions for one bad item in n, or `one-by-one`, for writers that depend on getting single items. Either way the
 * order is kept, each attempt is a transaction of its own, and the checkpoint never runs ahead of it. What may be
 * skipped is not retried meanwhile. Where a table writer knows all rows that the database refuses, there is nothing to
 * search by halves: the others are written together.
 *
 * @see FT6-4
 * @since 0.1.0
 * @category fault tolerance
 */
export const scan: {
  (order: "bisect" | "one-by-one"): <In, Out, C extends string, E, R>(
    self: ChunkStep<In, Out, C, E, R>
  ) => ChunkStep<In, Out, C, E, R>
  <In, Out, C extends string, E, R>(
    self: ChunkStep<In, Out, C, E, R>,
    order: "bisect" | "one-by-one"
  ): ChunkStep<In, Out, C, E, R>
} = dual(2, (self: Any, order: "bisect" | "one-by-one"): any => refine(self, { scan: order }))

/**
 * Stores every skipped record with the transaction that makes the skip durable: step, phase, position, error and the
 * item, to be read with `JobOperator.skipped`.
 *
 * - `input`: schema of the items that are read, for skips while processing.
 * - `output`: schema of the items that are written, for skips while writing.
 *
 * Fields that the schema marks as sensitive are stored masked. Without a schema the item is stored as it is. An item
 * that neither JSON nor its schema can hold is left out. Items with a schema, and without sensitive values, can be run
 * again when the cause is mended: `JobOperator.replay`.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { ItemReader, ItemWriter, Sensitive, Step } from "effect-batch"
 *
 * const Payment = Schema.Struct({ id: Schema.Number, iban: Sensitive.make(Schema.String) })
 *
 * const load = Step.chunk("load", {
 *   reader: ItemReader.fromIterable([{ id: 1, iban: "DE02" }]),
 *   writer: ItemWriter.discard,
 *   chunkSize: 100
 * }).pipe(Step.quarantine({ input: Payment, output: Payment }))
 *
 * assert.strictEqual(load.name, "load")
 * ```
 *
 * @since 0.1.0
 * @category fault tolerance
 */
export const quarantine: {
  <In0 = any, Out0 = any>(
    options?: QuarantineOptions<In0, Out0>
  ): <In extends In0, Out extends Out0, C extends string, E, R>(
    self: ChunkStep<In, Out, C, E, R>
  ) => ChunkStep<In, Out, C, E, R>
  <In, Out, C extends string, E, R>(
    self: ChunkStep<In, Out, C, E, R>,
    options?: QuarantineOptions<In, Out>
  ): ChunkStep<In, Out, C, E, R>
} = dual(
  (args) => isStep(args[0]),
  (self: Any, options: QuarantineOptions<any, any> = {}): any => refine(self, { quarantine: Quarantine.make(options) })
)

/**
 * The schemas by which `quarantine` knows what to mask, and how an item comes back when it is run again.
 *
 * @since 0.1.0
 * @category models
 */
export interface QuarantineOptions<in out In, in out Out> {
  readonly input?: Schema.Schema<In, any, any> | undefined
  readonly output?: Schema.Schema<Out, any, any> | undefined
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Any = Step.Any

type CodeOf<A> = A extends Finished<infer C> ? C : never

type WithCode<S, C2 extends string> = S extends ChunkStep<infer In, infer Out, infer C, infer E, infer R>
  ? ChunkStep<In, Out, Exclude<C, "COMPLETED"> | C2, E, R>
  : S extends Step<infer C, infer E, infer R> ? Step<Exclude<C, "COMPLETED"> | C2, E, R>
  : never

type WithListener<S, EL, RL> = S extends ChunkStep<infer In, infer Out, infer C, infer E, infer R>
  ? ChunkStep<In, Out, C, E | EL, R | RL>
  : S extends Step<infer C, infer E, infer R> ? Step<C, E | EL, R | RL>
  : never

/** A listener must understand the items of the step. */
type Listenable<S, In, Out> = S extends ChunkStep<infer I, infer O, any, any, any>
  ? [I, O] extends [In, Out] ? unknown : { readonly "the listener expects other items": readonly [In, Out] }
  : unknown

type TagsOf<E> = E extends { readonly _tag: infer T extends string } ? T : never
type ExtractTag<E, T> = Extract<E, { readonly _tag: T }>
type ExcludeTag<E, T> = Exclude<E, { readonly _tag: T }>

const transactional = <S extends Any>(self: S, part: "read" | "process"): S =>
  refine(self, { transactional: [...settings(self).transactional, part] })

const toArray = (tag: string | ReadonlyArray<string>): ReadonlyArray<string> => typeof tag === "string" ? [tag] : tag

const addSkip = (self: Any, policy: SkipPolicy.SkipPolicy<any, any>): Any => {
  const known = settings(self).skip
  return refine(self, { skip: known === undefined ? policy : SkipPolicy.or(known, policy) })
}

const addRetry = (self: Any, policy: RetryPolicy.RetryPolicy<any, any>): Any => {
  const known = settings(self).retry
  return refine(self, { retry: known === undefined ? policy : RetryPolicy.or(known, policy) })
}

const retryPolicyOf = (
  tags: ReadonlyArray<string>,
  options: RetryOptions<any, any, any>
): RetryPolicy.RetryPolicy<any, any> => {
  const { schedule, times, while: condition } = options
  const bounded = schedule === undefined
    ? Schedule.recurs(times ?? 3)
    : times === undefined
    ? schedule
    : Schedule.intersect(schedule, Schedule.recurs(times))
  const policy = RetryPolicy.tags(RetryPolicy.fromSchedule<any, any, any>(bounded), ...tags)
  return condition === undefined ? policy : RetryPolicy.when(policy, condition)
}

const settings = (self: Any): StepSettings => stepOf(self).settings

const refine = <S extends Any>(self: S, changes: Partial<StepSettings>): S => {
  const definition = stepOf(self)
  return fromDefinition({ ...definition, settings: { ...definition.settings, ...changes } }) as S
}

const make = (name: string, body: StepBody): any => fromDefinition({ name, body, settings: defaultSettings })

const fromDefinition = (definition: StepDefinition): any =>
  withTree(Protos[definition.body._tag], { name: definition.name }, { _tag: "Step", definition })

/** A step is a flow, too. */
const protoOf = (kind: Kind): object => ({
  ...FlowProto,
  ...prototype<Any>(
    TypeId,
    { kind, _In: identity, _Out: identity },
    ({ name }) => ({ _id: "Step", kind, name })
  )
})

const Protos: { readonly [T in StepBody["_tag"]]: object } = {
  Chunk: protoOf("chunk"),
  Tasklet: protoOf("tasklet"),
  Flow: protoOf("flow"),
  Job: protoOf("job"),
  Partition: protoOf("partition")
}
