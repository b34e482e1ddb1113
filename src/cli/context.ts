/**
 * What every command does around its work: opens the layers, answers in words or as JSON, and remembers how the job
 * ended for the exit code of the process.
 */
import * as Options from "@effect/cli/Options"
import * as Terminal from "@effect/platform/Terminal"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { visible } from "../base/text.js"
import type { Job } from "../definition/Job.js"
import type { JobRegistry } from "../operator/JobRegistry.js"
import type { JobRepository } from "../ports/JobRepository.js"
import type { Transactor } from "../ports/Transactor.js"
import type { BatchStatus } from "../vocabulary/BatchStatus.js"
import * as Json from "./json.js"

/** @internal */
export type Services = JobRegistry | JobRepository | Transactor

/** @internal */
export interface CliContext {
  readonly jobs: ReadonlyArray<Job.Any>
  readonly live: Layer.Layer<Services, unknown>
  /** How the job of this command ended. */
  ended: { readonly status: BatchStatus } | undefined
}

/** @internal */
export interface Answer {
  readonly text: string
  readonly json: unknown
  readonly ended?: { readonly status: BatchStatus } | undefined
}

/** @internal */
export const jsonFlag = Options.withDescription(Options.boolean("json"), "Answer with JSON, for machines")

/** How an execution may have ended. @internal */
export const ENDED = ["COMPLETED", "ABANDONED", "FAILED", "STOPPED", "UNKNOWN"] as const

/** The layers are built here and not before, so that `--help` needs no database. @internal */
export const answering = (
  context: CliContext,
  isJson: boolean,
  work: Effect.Effect<Answer, unknown, Services | Terminal.Terminal>
): Effect.Effect<void, unknown, Terminal.Terminal> =>
  Effect.gen(function*() {
    const answer = yield* telling(isJson, Effect.provide(work, context.live))
    context.ended = answer.ended
    yield* write(isJson ? jsonText(answer.json) : answer.text)
  })

/** Machines read the error, too; people are told it when the program ends. @internal */
export const telling = <A, E, R>(
  isJson: boolean,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | Terminal.Terminal> =>
  Effect.tapError(work, (error) => isJson ? write(jsonText(Json.error(error))) : Effect.void)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const write = (text: string): Effect.Effect<void, never, Terminal.Terminal> =>
  Effect.flatMap(Terminal.Terminal, (terminal) => Effect.ignore(terminal.display(`${visible(text)}\n`)))

const jsonText = (value: unknown): string => JSON.stringify(value, undefined, 2)
