/**
 * The inert tree that steps, flows and jobs are made of. Public types carry what the compiler checks; the tree is
 * erased, and only the engine walks it.
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { CompletionPolicy } from "../CompletionPolicy.js"
import type { ItemReader } from "../ItemReader.js"
import type { ItemWriter } from "../ItemWriter.js"
import type { Declaration } from "../JobParameters.js"
import type { JobListener, StepListener } from "../Listener.js"
import type { RetryPolicy } from "../RetryPolicy.js"
import type { SkipPolicy } from "../SkipPolicy.js"
import type { StepExecution } from "../StepExecution.js"
import type { TransactionOptions } from "../Transactor.js"
import type { Openable } from "./processor.js"

export type AnyEffect = Effect.Effect<any, any, any>

export interface ChunkBody {
  readonly _tag: "Chunk"
  readonly reader: ItemReader<any, any, any>
  readonly processor: Openable | undefined
  readonly writer: ItemWriter<any, any, any>
  readonly completion: CompletionPolicy<any>
  readonly concurrency: number
}

export interface TaskletBody {
  readonly _tag: "Tasklet"
  readonly tasklet: AnyEffect
}

export type StepBody = ChunkBody | TaskletBody

export interface StepSettings {
  readonly startLimit: number
  readonly allowStartIfComplete: boolean
  readonly listeners: ReadonlyArray<StepListener<any, any, any, any>>
  readonly onListenerFailure: "fail" | "log"
  readonly skip: SkipPolicy<any, any> | undefined
  readonly retry: RetryPolicy<any, any> | undefined
  readonly noRollback: ((error: unknown) => boolean) | undefined
  readonly transaction: TransactionOptions
  readonly transactional: ReadonlyArray<"read" | "process">
  readonly scan: "bisect" | "one-by-one"
  readonly exitCode:
    | { readonly codes: ReadonlyArray<string>; readonly decide: (step: StepExecution) => string }
    | undefined
  readonly quarantine: ((item: unknown) => unknown) | undefined
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
  noRollback: undefined,
  transaction: {},
  transactional: [],
  scan: "bisect",
  exitCode: undefined,
  quarantine: undefined
}

export type FlowNode =
  | { readonly _tag: "Step"; readonly definition: StepDefinition }
  | { readonly _tag: "AndThen"; readonly self: FlowNode; readonly that: FlowNode }

export interface JobDefinition {
  readonly name: string
  readonly parameters: (Context.Tag<any, any> & Declaration<any>) | undefined
  readonly flow: FlowNode
  readonly restartable: boolean
  readonly listeners: ReadonlyArray<JobListener<any, any>>
}
