/**
 * What every command does around its work: opens the layers, answers in words or as JSON, and remembers how the job
 * ended for the exit code of the process.
 */
import * as Terminal from "@effect/platform/Terminal"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { visible } from "../base/text.js"
import type { Job } from "../definition/Job.js"
import type { JobRegistry } from "../operator/JobRegistry.js"
import type { JobRepository } from "../ports/JobRepository.js"
import type { Transactor } from "../ports/Transactor.js"
import type { BatchStatus } from "../vocabulary/BatchStatus.js"
import { toggle } from "./flag.js"
import * as Json from "./json.js"
import { UNLIMITED } from "./layout.js"

/** @internal */
export type Services = JobRegistry | JobRepository | Transactor

/** @internal */
export interface CliContext {
  /** The program's own name. */
  readonly name: string
  readonly jobs: ReadonlyArray<Job.Any>
  readonly live: Layer.Layer<Services, unknown>
}

/** How a command ended: with an execution, with a refusal that it was only asked about, or with neither. @internal */
export type Outcome =
  | { readonly status: BatchStatus }
  | { readonly refusal: unknown }
  | undefined

/** What a command does: the layers are built when it needs them, so that help and `list jobs` need no database. @internal */
export type Work = Effect.Effect<Outcome, unknown, Terminal.Terminal>

/** @internal */
export interface Answer {
  /** For people, on lines of at most that width. */
  readonly text: (width: number) => string
  readonly json: unknown
  readonly outcome?: Outcome
}

/** @internal */
export const jsonFlag = toggle("json", "Answer with JSON, for programs")

/** How an execution may have ended. @internal */
export const ENDED = ["COMPLETED", "ABANDONED", "FAILED", "STOPPED", "UNKNOWN"] as const

/** Does the work with the services of the program, and answers. @internal */
export const answering = (
  context: CliContext,
  isJson: boolean,
  work: Effect.Effect<Answer, unknown, Services | Terminal.Terminal>
): Work => answeringAlone(isJson, Effect.provide(work, context.live))

/** Answers without any service. @internal */
export const answeringAlone = (isJson: boolean, work: Effect.Effect<Answer, unknown, Terminal.Terminal>): Work =>
  Effect.gen(function*() {
    const answer = yield* telling(isJson, work)
    yield* write(isJson ? jsonText(answer.json) : answer.text(yield* widthForRows))
    return answer.outcome
  })

/** Machines read the error, too; people are told it when the program ends. @internal */
export const telling = <A, E, R>(
  isJson: boolean,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | Terminal.Terminal> =>
  Effect.tapError(work, (error) => isJson ? write(jsonText(Json.error(error))) : Effect.void)

/** Text as it is: nothing of it comes from records. @internal */
export const print = (text: string): Effect.Effect<void, never, Terminal.Terminal> =>
  Effect.flatMap(Terminal.Terminal, (terminal) => Effect.ignore(terminal.display(`${text}\n`)))

/** The columns of a terminal; help has 80 everywhere else. @internal */
export const columns: Effect.Effect<number, never, Terminal.Terminal> = Effect.gen(function*() {
  const terminal = yield* Terminal.Terminal
  const known = (yield* terminal.isTTY) ? yield* terminal.columns : 0
  return known > 0 ? known : 80
})

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Into a pipe goes one row a line, whatever its length. */
const widthForRows: Effect.Effect<number, never, Terminal.Terminal> = Effect.flatMap(
  Terminal.Terminal,
  (terminal) => Effect.flatMap(terminal.isTTY, (isTTY) => isTTY ? columns : Effect.succeed(UNLIMITED))
)

const write = (text: string): Effect.Effect<void, never, Terminal.Terminal> => print(visible(text))

const jsonText = (value: unknown): string => JSON.stringify(value, undefined, 2)
