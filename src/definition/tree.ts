/**
 * The inert tree that steps, flows and jobs are made of. Public types carry what the compiler checks; the tree is
 * erased, and only the engine walks it.
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type { CompletionPolicy } from "../decisions/CompletionPolicy.js"
import type { RetryPolicy } from "../decisions/RetryPolicy.js"
import type { SkipPolicy } from "../decisions/SkipPolicy.js"
import type { Transition } from "../decisions/Transition.js"
import type { ItemReader } from "../item/ItemReader.js"
import type { ItemWriter } from "../item/ItemWriter.js"
import type { Openable } from "../item/openable.js"
import type { TransactionOptions } from "../ports/Transactor.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import type { Declaration, Incrementer } from "../vocabulary/JobParameters.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"
import type { FlowGraph } from "./graph.js"
import type { JobListener, StepListener } from "./Listener.js"
import type { Quarantine } from "./quarantine.js"

/**
 * An effect of the user's code. It is `any` here and in the types below because values of every type are put into the same
 * tree; the engine takes them out as `Erased`.
 */
export type AnyEffect = Effect.Effect<any, any, any>

export interface ChunkBody {
  readonly _tag: "Chunk"
  readonly reader: ItemReader<any, any, any>
  readonly processor: Openable | undefined
  readonly writer: ItemWriter<any, any, any>
  readonly completion: CompletionPolicy<any>
  readonly concurrency: number
  readonly prefetch: boolean | undefined
}

export interface TaskletBody {
  readonly _tag: "Tasklet"
  readonly tasklet: AnyEffect
}

/** A step that runs a flow; its steps are recorded in the same job execution (FLOW-80). */
export interface FlowBody {
  readonly _tag: "Flow"
  readonly graph: FlowGraph
}

/** A step that runs another job, with an instance and executions of its own (JOBSTEP-1). */
export interface JobBody {
  readonly _tag: "Job"
  readonly job: { readonly name: string }
  readonly parameters: AnyEffect
}

/**
 * A step whose work is divided: its plan is made once, and each partition is run as a job execution of its own.
 *
 * - `make`: the flow of a partition, from its decoded input.
 * - `collect`: called with what all partitions gave, once all have completed.
 * - `fingerprint`: tells other code apart.
 */
export interface PartitionBody {
  readonly _tag: "Partition"
  readonly plan: AnyEffect
  readonly input: Schema.Schema<any, any>
  readonly result: Schema.Schema<any, any> | undefined
  readonly make: (input: any, scope: any) => object
  readonly collect: ((results: ReadonlyArray<any>) => AnyEffect) | undefined
  readonly concurrency: number
  readonly onFailure: "continue" | "stop"
  readonly restart: "keep" | "replan" | "abandonAndReplan"
  readonly fingerprint: string
}

export type StepBody = ChunkBody | TaskletBody | FlowBody | JobBody | PartitionBody

export interface StepSettings {
  readonly startLimit: number
  readonly allowStartIfComplete: boolean
  readonly listeners: ReadonlyArray<StepListener<any, any, any, any>>
  readonly onListenerFailure: "fail" | "log"
  readonly skip: SkipPolicy<any, any> | undefined
  readonly retry: RetryPolicy<any, any> | undefined
  /** How many retries a step execution may make, all items together. */
  readonly retryLimit: number
  readonly noRollback: ((error: unknown) => boolean) | undefined
  readonly transaction: TransactionOptions
  readonly transactional: ReadonlyArray<"read" | "process">
  readonly scan: "bisect" | "one-by-one"
  readonly exitCode:
    | { readonly codes: ReadonlyArray<string>; readonly decide: (step: StepExecution) => string }
    | undefined
  readonly quarantine: Quarantine | undefined
}

export interface StepDefinition {
  readonly name: string
  readonly body: StepBody
  readonly settings: StepSettings
}

export const defaultSettings: StepSettings = {
  startLimit: Number.POSITIVE_INFINITY,
  allowStartIfComplete: false,
  listeners: [],
  onListenerFailure: "fail",
  skip: undefined,
  retry: undefined,
  retryLimit: Number.POSITIVE_INFINITY,
  noRollback: undefined,
  transaction: {},
  transactional: [],
  scan: "bisect",
  exitCode: undefined,
  quarantine: undefined
}

export interface Decider {
  readonly name: string
  readonly codes: ReadonlyArray<string>
  readonly decide: (context: {
    readonly job: JobExecution
    readonly last: Option.Option<StepExecution>
    readonly branches: ReadonlyArray<StepExecution>
  }) => AnyEffect
}

export interface SplitSettings {
  readonly name: string | undefined
  readonly concurrency: number | "unbounded"
  readonly onBranchFailure: "wait" | "interrupt"
}

export type FlowNode =
  | { readonly _tag: "Step"; readonly definition: StepDefinition }
  | { readonly _tag: "AndThen"; readonly self: FlowNode; readonly that: FlowNode }
  | { readonly _tag: "Match"; readonly self: FlowNode; readonly cases: ReadonlyArray<Transition<FlowNode>> }
  | { readonly _tag: "Declare"; readonly self: FlowNode; readonly codes: ReadonlyArray<string> }
  | { readonly _tag: "Decide"; readonly decider: Decider }
  | { readonly _tag: "Split"; readonly branches: ReadonlyArray<FlowNode>; readonly settings: SplitSettings }
  | { readonly _tag: "End"; readonly status: "COMPLETED" | "FAILED"; readonly code: string }
  | { readonly _tag: "Stop"; readonly code: string; readonly abandon: boolean }
  | { readonly _tag: "Graph"; readonly start: string; readonly states: ReadonlyArray<GraphState> }

/** A named state of `Flow.graph`. Without `on` the graph ends as the state does. */
export interface GraphState {
  readonly name: string
  readonly run: FlowNode
  readonly on: ReadonlyArray<Transition<string>> | undefined
}

export interface JobDefinition {
  readonly name: string
  readonly parameters: (Context.Tag<any, any> & Declaration<any, any>) | undefined
  readonly incrementer: Incrementer<any> | undefined
  readonly graph: FlowGraph
  readonly restartable: boolean
  readonly listeners: ReadonlyArray<JobListener<any, any>>
}

// A public value keeps its tree under a symbol of its own: users see only what the compiler checks.

const Tree: unique symbol = Symbol.for("effect-batch/tree")

/** A value with this prototype and these properties, made of this tree. */
export const withTree = (prototype: object, properties: object, tree: FlowNode | JobDefinition): any =>
  Object.defineProperty(Object.assign(Object.create(prototype), properties), Tree, { value: tree })

/** What a flow is made of. */
export const nodeOf = (flow: object): FlowNode => (flow as { readonly [Tree]: FlowNode })[Tree]

/** What a step is made of. */
export const stepOf = (step: object): StepDefinition =>
  (nodeOf(step) as Extract<FlowNode, { readonly _tag: "Step" }>).definition

/** What a job is made of. */
export const definitionOf = (job: object): JobDefinition => (job as { readonly [Tree]: JobDefinition })[Tree]
