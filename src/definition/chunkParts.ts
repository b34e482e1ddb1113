/**
 * The parts of a chunk step as types of their own, so that the compiler says once, at the part that does not fit, what is
 * wrong with it. Where there are more than three signatures it tells of the last one alone.
 */
import type * as Effect from "effect/Effect"
import type { CompletionPolicy } from "../decisions/CompletionPolicy.js"
import type { Filtered, ItemProcessor } from "../item/ItemProcessor.js"
import type { ItemReader } from "../item/ItemReader.js"
import type { ItemWriter } from "../item/ItemWriter.js"
import type { TransactionError } from "../vocabulary/BatchError.js"
import type { ChunkStep } from "./Step.js"

/** Whatever is given. */
export interface Any {
  readonly reader?: unknown
  readonly processor?: unknown
  readonly writer?: unknown
  readonly chunkSize?: unknown
}

/** The parts, if they fit, and otherwise what they have to be. */
export type Checked<O> = O extends Fitting<O> ? O : Fitting<O>

/** The step that has these parts. */
export type StepOf<O> = ChunkStep<Read<O>, Made<O>, "COMPLETED" | "FAILED", Error<O> | TransactionError, Context<O>>

/** What the reader gives; never where it is no reader, so that nothing else is to blame. */
export type Read<O> = O extends { readonly reader: ItemReader<infer In, infer _E, infer _R> } ? In : never

/** What is given to the writer: of a processor that may be there or not, what it makes and what it would be given. */
export type Made<O> = MadeBy<Processor<O>, Read<O>>

/** What the parts fail with. */
export type Error<O> = Each<O> extends infer Part ? Part extends ItemReader<infer _A, infer E, infer _R> ? E
  : Part extends ItemWriter<infer _A, infer E, infer _R> ? E
  : Part extends ItemProcessor<infer _In, infer _Out, infer E, infer _R> ? E
  : Part extends (item: never) => Effect.Effect<infer _Out, infer E, infer _R> ? E
  : never :
  never

/** What the parts need. */
export type Context<O> = Each<O> extends infer Part ? Part extends ItemReader<infer _A, infer _E, infer R> ? R
  : Part extends ItemWriter<infer _A, infer _E, infer R> ? R
  : Part extends ItemProcessor<infer _In, infer _Out, infer _E, infer R> ? R
  : Part extends (item: never) => Effect.Effect<infer _Out, infer _E, infer R> ? R
  : never :
  never

/** The parts of a step that reads `In` and writes `Out`. */
export interface PartsOf<In, Out, Processor> {
  readonly reader: ItemReader<In, unknown, unknown>
  readonly processor?: Processor | undefined
  readonly writer: ItemWriter<Out, unknown, unknown>
  readonly chunkSize: number | CompletionPolicy<In>
  readonly concurrency?: number | undefined
  readonly prefetch?: boolean | undefined
}

/** The parts as they have to be, given the others. */
export type Fitting<O> =
  & PartsOf<Read<O>, Made<O>, ProcessorFor<O>>
  & { readonly [K in Exclude<keyof O, Name>]: `Step.chunk has no such option${Meant<K>}` }

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Name = "reader" | "processor" | "writer" | "chunkSize" | "concurrency" | "prefetch"

type Processor<O> = O extends { readonly processor: infer P } ? P : undefined

type MadeBy<P, In> = P extends undefined ? In
  : P extends ItemProcessor<infer _In, infer Out, infer _E, infer _R> ? Out
  : P extends (item: never) => Effect.Effect<infer Out, infer _E, infer _R> ? Exclude<Out, Filtered>
  : never

type Each<O> = O extends { readonly reader: infer R; readonly writer: infer W } ? R | W | Processor<O> : never

type ProcessorFor<O> = Processor<O> extends (...args: infer _Args) => unknown
  ? (item: Read<O>) => Effect.Effect<unknown, unknown, unknown>
  : ItemProcessor<Read<O>, unknown, unknown, unknown>

type Meant<K> = K extends string
  ? { readonly [N in Name]: Lowercase<N> extends Lowercase<K> ? `: did you mean ${N}?` : never }[Name] extends
    infer Hint ? [Hint] extends [never] ? "" : Hint & string
  : ""
  : ""
