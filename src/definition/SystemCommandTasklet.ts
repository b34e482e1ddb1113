/**
 * A tasklet that runs a program of the operating system and waits for its end.
 *
 * @see TASK-14
 * @since 0.1.0
 */
import * as Command from "@effect/platform/Command"
import type { CommandExecutor, Process } from "@effect/platform/CommandExecutor"
import type { PlatformError } from "@effect/platform/Error"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { oneLine } from "../base/text.js"
import * as StepScope from "../ports/StepScope.js"
import { JobDefinitionError } from "../vocabulary/BatchError.js"
import * as Tasklet from "./Tasklet.js"

/**
 * Represents a command that could not be started, was ended, or ended with an exit code that means failure.
 *
 * It holds neither values of the environment that was given to the command nor redacted arguments, also not where the
 * command has printed them.
 *
 * @since 0.1.0
 * @category errors
 */
export class SystemCommandError extends Schema.TaggedError<SystemCommandError>()("SystemCommandError", {
  command: Schema.String,
  /** Why, for policies that treat the cases differently. */
  reason: Schema.Literal("exitCode", "signal", "timeout", "workingDirectory", "notStarted"),
  exitCode: Schema.optional(Schema.Number),
  problem: Schema.String,
  /** The end of what the command wrote to its standard error, at most 2000 characters. */
  stderr: Schema.String
}) {
  override get message(): string {
    const said = oneLine(this.stderr)
    const words = said === "" ? "" : `; it said: ${said.length > 500 ? `…${said.slice(-500)}` : said}`
    return `Command ${this.command} ${this.problem}, ${ADVICE[this.reason]}${words}`
  }
}

const ADVICE: { readonly [K in SystemCommandError["reason"]]: string } = {
  exitCode: "solve what it complains about and restart, or map the code with `exitCode` if it is no failure",
  signal: "find out who ended it, and restart",
  timeout: "find out what it waits for, or give it a longer `timeout`",
  workingDirectory: "create it or correct `workingDirectory`",
  notStarted: "check the name of the program and the PATH"
}

/**
 * A part of a command, or a value of its environment. What is redacted is never printed.
 *
 * @since 0.1.0
 * @category models
 */
export type Text = string | Redacted.Redacted<string>

/**
 * - `timeout`: the longest time that the command may take; it is ended then, and the step fails. Must be longer than 0.
 * - `workingDirectory`: must exist; default is the one of this process.
 * - `environment`: on top of the environment of this process.
 * - `exitCode`: the exit code of the step for an exit code of the command, none to have 0 finish the step and any other
 *   fail it. Default: none for every code.
 * - `checkInterval`: how often it checks whether the step was asked to stop; default 1 second.
 * - `killAfter`: how long a command that has to end may take for it, before it is killed; default 5 seconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<out Code extends string = never> {
  readonly timeout: Duration.DurationInput
  readonly workingDirectory?: string | undefined
  readonly environment?: { readonly [name: string]: Text } | undefined
  readonly exitCode?: ((exitCode: number) => Code | undefined) | undefined
  readonly checkInterval?: Duration.DurationInput | undefined
  readonly killAfter?: Duration.DurationInput | undefined
}

/**
 * Runs the program with these arguments, without a shell, and waits for its end; for use in `Step.tasklet`. It gets no
 * input, and what it prints is not shown.
 *
 * An exit code other than 0 fails the step with `SystemCommandError`, unless `exitCode` maps it to an exit code of the
 * step. When the time is up, when the step is asked to stop, and when it is interrupted, the command is ended together
 * with the processes that it has started: it is asked to (SIGTERM), and killed after `killAfter`. A step that was asked
 * to stop is STOPPED, and its restart runs the command from its beginning.
 *
 * A transaction should not be open for as long as a command runs: databases end idle transactions, and SQLite lets
 * nobody else write meanwhile. So run the step without one, as in the example.
 *
 * Guarantee: at least once. The command runs again if the process dies before the end of the step is stored.
 *
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { Step, SystemCommandTasklet } from "effect-batch"
 *
 * const dump = Step.tasklet(
 *   "dump",
 *   SystemCommandTasklet.make(["pg_dump", "--file", "backup.sql", "bank"], {
 *     timeout: "1 hour",
 *     environment: { PGPASSWORD: Redacted.make("s3cret") },
 *     exitCode: (code) => code === 2 ? "DUMPED WITH WARNINGS" : undefined
 *   })
 * ).pipe(Step.withTransaction({ propagation: "notSupported" }))
 *
 * assert.strictEqual(dump.name, "dump")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <const Code extends string = never>(
  command: readonly [program: string, ...args: ReadonlyArray<Text>],
  options: Options<Code>
): Effect.Effect<Tasklet.RepeatStatus<Code>, SystemCommandError, CommandExecutor | StepScope.StepScope> => {
  const call = toCall(command, options)
  return Duration.lessThanOrEqualTo(options.timeout, Duration.zero)
    ? Effect.die(
      new JobDefinitionError({ defects: [`the timeout of the command ${call.shown} must be longer than 0`] })
    )
    : Effect.scoped(run(call, options))
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Call {
  readonly command: Command.Command
  /** As people may see it. */
  readonly shown: string
  /** Hides what people must not see. */
  readonly mask: (text: string) => string
}

const toCall = (parts: readonly [string, ...ReadonlyArray<Text>], options: Options<string>): Call => {
  const [program, ...args] = parts
  const environment = Object.entries(options.environment ?? {})
  const command = Command.make(program, ...args.map(reveal)).pipe(
    Command.env(Object.fromEntries(environment.map(([name, value]) => [name, reveal(value)]))),
    Command.stdin(Stream.empty)
  )
  const { workingDirectory } = options
  return {
    command: workingDirectory === undefined ? command : Command.workingDirectory(command, workingDirectory),
    shown: shorten(parts.map((part) => Redacted.isRedacted(part) ? HIDDEN : quote(part)).join(" ")),
    mask: masking([...args.filter(Redacted.isRedacted), ...environment.map(([, value]) => value)])
  }
}

const HIDDEN = "<redacted>"

const reveal = (text: Text): string => Redacted.isRedacted(text) ? Redacted.value(text) : text

const quote = (part: string): string => /^[\w./:=@%+,-]+$/.test(part) ? part : JSON.stringify(part)

const shorten = (text: string): string => text.length > 200 ? `${text.slice(0, 200)}…` : text

/** A short value that is not redacted, such as "1" or "de", is no secret: hiding it would only garble the text. */
const masking = (values: ReadonlyArray<Text>): Call["mask"] => {
  const secrets = values.map((value) => ({ text: reveal(value), least: Redacted.isRedacted(value) ? 1 : 4 }))
    .filter(({ least, text }) => text.length >= least)
    .sort((one, other) => other.text.length - one.text.length)
  return (text) => secrets.reduce((masked, secret) => masked.replaceAll(secret.text, HIDDEN), text)
}

type Ending =
  | { readonly _tag: "Exited"; readonly code: number }
  | { readonly _tag: "Signalled"; readonly error: PlatformError }
  | { readonly _tag: "TimedOut" }
  | { readonly _tag: "Stopped" }

const run = <Code extends string>(
  call: Call,
  options: Options<Code>
): Effect.Effect<
  Tasklet.RepeatStatus<Code>,
  SystemCommandError,
  CommandExecutor | StepScope.StepScope | Scope.Scope
> =>
  Effect.gen(function*() {
    const process = yield* start(call, options)
    const words = yield* listen(process)
    // Behind the listening, so that a command that is asked to end can still say something.
    yield* Effect.addFinalizer(() => end(process, options.killAfter ?? "5 seconds"))
    const ending = yield* endingOf(process, options)
    switch (ending._tag) {
      case "Exited": {
        const { code } = ending
        const mapped = options.exitCode?.(code)
        return mapped !== undefined
          ? Tasklet.finishedWith(mapped)
          : code === 0
          ? Tasklet.finished
          : yield* failed(call, yield* words, "exitCode", `ended with exit code ${code}`, code)
      }
      case "Signalled": {
        const signal = /\bSIG[A-Z0-9]+\b/.exec(ending.error.message)?.[0] ?? "a signal"
        return yield* failed(call, yield* words, "signal", `was ended by ${signal}`)
      }
      case "TimedOut": {
        const timeout = Duration.format(options.timeout)
        return yield* failed(call, yield* words, "timeout", `took longer than its timeout of ${timeout}`)
      }
      case "Stopped":
        // Not finished: a restart has to run it again, also when this process dies before the step has ended.
        return Tasklet.continuable
    }
  })

const endingOf = (process: Process, options: Options<string>): Effect.Effect<Ending, never, StepScope.StepScope> => {
  const exited = Effect.match(process.exitCode, {
    onFailure: (error): Ending => ({ _tag: "Signalled", error }),
    onSuccess: (code): Ending => ({ _tag: "Exited", code })
  })
  const timedOut = Effect.as(Effect.sleep(options.timeout), { _tag: "TimedOut" } as Ending)
  const stopped = StepScope.stopRequested.pipe(
    Effect.delay(options.checkInterval ?? "1 second"),
    Effect.repeat({ until: (requested) => requested }),
    Effect.as({ _tag: "Stopped" } as Ending)
  )
  return Effect.raceFirst(exited, Effect.raceFirst(timedOut, stopped))
}

/**
 * Reads what the command prints, which would wait for a reader otherwise, and gives the end of its standard error. That
 * may stay open for longer than the command lives, when the command left a process behind.
 */
const listen = (process: Process): Effect.Effect<Effect.Effect<string>, never, Scope.Scope> =>
  Effect.gen(function*() {
    let tail = ""
    yield* Effect.forkScoped(Effect.ignore(Stream.runDrain(process.stdout)))
    const reading = yield* process.stderr.pipe(
      Stream.decodeText(),
      Stream.runForEach((text) => Effect.sync(() => void (tail = (tail + text).slice(-KEPT)))),
      Effect.ignore,
      Effect.forkScoped
    )
    return process.isRunning.pipe(
      Effect.orElseSucceed(() => false),
      Effect.flatMap((running) => running ? Effect.void : Effect.timeoutOption(Fiber.await(reading), "1 second")),
      Effect.map(() => tail)
    )
  })

/** More than an error holds, so that a secret at the cut is masked as a whole. */
const KEPT = 16 * 1024

/** Asks the command and all that it started to end, then kills what is left of them. */
const end = (process: Process, killAfter: Duration.DurationInput): Effect.Effect<void> =>
  Effect.gen(function*() {
    if (yield* process.isRunning) {
      yield* Effect.ignore(Effect.timeoutOption(Effect.interruptible(process.kill("SIGTERM")), killAfter))
      yield* process.kill("SIGKILL")
    }
  }).pipe(Effect.ignore)

const failed = (
  { mask, shown }: Call,
  words: string,
  reason: SystemCommandError["reason"],
  problem: string,
  exitCode?: number
): SystemCommandError =>
  new SystemCommandError({ command: shown, reason, exitCode, problem, stderr: mask(words).slice(-2000) })

const start = (call: Call, { workingDirectory }: Options<string>) => {
  const directory = (problem: string) =>
    failed(call, "", "workingDirectory", `cannot run in "${workingDirectory}", ${problem}`)
  const program = (problem: string) => failed(call, "", "notStarted", `cannot be started because ${problem}`)
  const refused = (error: PlatformError): SystemCommandError => {
    if (workingDirectory !== undefined && error.module === "FileSystem") {
      return directory("which does not exist")
    }
    return error._tag === "SystemError" && error.reason === "NotFound"
      ? program("there is no such program")
      : program(call.mask(error.description ?? error.message))
  }
  return Command.start(call.command).pipe(
    Effect.mapError(refused),
    // What Node refuses at once, such as arguments that are too long, arrives as a defect.
    Effect.catchSomeDefect((defect) =>
      !(defect instanceof Error && "code" in defect) ? Option.none() : Option.some(Effect.fail(
        workingDirectory !== undefined && defect.code === "ENOTDIR"
          ? directory("which is not a directory")
          : program(`the system refuses it (${String(defect.code)})`)
      ))
    )
  )
}
