/** The processor that gives its items to threads: what goes there is encoded, and what comes back is decoded. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as ParseResult from "effect/ParseResult"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { availableParallelism } from "node:os"
import { JobDefinitionError } from "../vocabulary/BatchError.js"
import type * as Sensitive from "../vocabulary/Sensitive.js"
import type { ApplyAll, Filtered, Process, WorkerThreadsOptions } from "./ItemProcessor.js"
import * as process_ from "./process.js"
import { findModule } from "./threadModule.js"
import * as Threads from "./threads.js"
import type { EncodedError } from "./threadWire.js"
import * as validate from "./validate.js"
import type { WorkerCloneError, WorkerItemTimeout, WorkerThreadDied } from "./WorkerError.js"
import { WorkerItemError, WorkerStartError } from "./WorkerError.js"

type Options<A, R, In, InR, E> = WorkerThreadsOptions<A, any, R, In, any, InR, E, any>

type Failure = WorkerItemError | WorkerThreadDied | WorkerItemTimeout | WorkerCloneError

/** What this module cannot import: the modules would import each other in a circle. */
interface Given<Invalid> {
  readonly filtered: Filtered
  readonly invalid: (issues: ReadonlyArray<Sensitive.Issue>) => Invalid
}

/**
 * Refuses numbers that cannot work at once, and opens the processor in the Scope of the step.
 *
 * @internal
 */
export const open = <A, R, In, InR, E, Invalid>(
  url: URL,
  options: Options<A, R, In, InR, E>,
  given: Given<Invalid>
): Effect.Effect<
  Process<In, A, E | Invalid | Failure | WorkerStartError, R | InR>,
  WorkerStartError,
  Scope.Scope
> => {
  const settings = settingsOf(url, options)
  return Effect.gen(function*() {
    const module = findModule(url)
    if (module === undefined) {
      return yield* new WorkerStartError({
        module: url.href,
        problem: "there is no such file, nor one that ends with .ts"
      })
    }
    const pool = yield* Effect.acquireRelease(Threads.make({ ...settings, module }), Threads.close)
    yield* Threads.awaitReady(pool)
    const applyAll = applying(pool, options, given)
    return {
      _tag: "Effect",
      apply: (item) => Effect.flatMap(applyAll([item], 1), ([exit]) => exit!),
      applyAll
    }
  })
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const settingsOf = (url: URL, options: Options<any, any, any, any, any>): Omit<Threads.Options, "module"> => {
  const threads = options.threads ?? Math.max(1, availableParallelism() - 1)
  const timeout = options.timeout === undefined ? undefined : Duration.toMillis(options.timeout)
  const startTimeout = Duration.toMillis(options.startTimeout ?? "30 seconds")
  const defects = [
    ...(Number.isSafeInteger(threads) && threads >= 1 ? [] : [`needs at least 1 thread, not ${threads}`]),
    ...(timeout === undefined || timeout > 0 ? [] : ["needs a timeout above 0"]),
    ...(startTimeout > 0 ? [] : ["needs a startTimeout above 0"])
  ]
  if (defects.length > 0) {
    throw new JobDefinitionError({ defects: defects.map((defect) => `workerThreads with ${url.href} ${defect}`) })
  }
  return { threads, timeout, startTimeout, data: options.data, resourceLimits: options.resourceLimits }
}

const applying = <A, R, In, InR, E, Invalid>(
  pool: Threads.Pool,
  options: Options<A, R, In, InR, E>,
  given: Given<Invalid>
): ApplyAll<In, A, E | Invalid | Failure, R | InR> => {
  const encode = options.input && validate.encoder(options.input, given.invalid)
  const decode = validate.decoder(options.schema, given.invalid)
  const toError = decodingErrors(options.error)
  const answered = (answer: Threads.Answer): Effect.Effect<A | Filtered, E | Invalid | Failure, R> => {
    switch (answer._tag) {
      case "Output":
        return decode(answer.value)
      case "Filtered":
        return Exit.succeed<Filtered>(given.filtered)
      case "Failed":
        return Exit.fail(toError(answer.error))
      case "Died":
        return Exit.die(rebuilt(answer.error))
      case "NotCloneable":
        return Exit.fail(Threads.notCloneable("output", answer.problem))
      case "Lost":
        return Exit.fail(answer.error)
    }
  }
  const send = (items: ReadonlyArray<unknown>, concurrency: number) =>
    Threads.process(pool, items).pipe(
      Effect.tap(warn(pool)),
      Effect.flatMap((answers) => process_.each(answers, answered, concurrency))
    )
  return (items, concurrency) =>
    encode === undefined
      ? send(items, concurrency)
      : Effect.flatMap(
        process_.each(items, encode, concurrency),
        (exits) => process_.next(exits, given.filtered, (items) => send(items, concurrency))
      )
}

const warn = (pool: Threads.Pool): Effect.Effect<void> =>
  Effect.suspend(() => Effect.forEach(Threads.takeWarnings(pool), (line) => Effect.logWarning(line), { discard: true }))

/** Errors that the user has a Schema for come back as themselves. */
const decodingErrors = <E>(schema: Schema.Schema<E, any> | undefined): (error: EncodedError) => E | WorkerItemError => {
  const decode = schema && ParseResult.decodeUnknownEither(schema)
  return (error) => {
    const { fields, message, stack, tag } = error
    const decoded = decode?.({ message, ...fields, ...(tag === undefined ? {} : { _tag: tag }) })
    if (decoded === undefined || Either.isLeft(decoded)) {
      return wrapped(error)
    }
    if (stack !== undefined && decoded.right instanceof Error) {
      Object.defineProperty(decoded.right, "stack", { value: stack, configurable: true, writable: true })
    }
    return decoded.right
  }
}

const wrapped = (error: EncodedError): WorkerItemError => {
  const { fields, message, name, tag } = error
  return new WorkerItemError({ name, tag, problem: message, fields, cause: rebuilt(error) })
}

const rebuilt = ({ cause, fields, message, name, stack, tag }: EncodedError): Error => {
  const error = new Error(message, cause === undefined ? {} : { cause: rebuilt(cause) })
  const common = { name, ...(stack === undefined ? {} : { stack }) }
  for (const [key, value] of Object.entries(common)) {
    Object.defineProperty(error, key, { value, configurable: true, writable: true })
  }
  return Object.assign(error, fields, tag === undefined ? {} : { _tag: tag })
}
