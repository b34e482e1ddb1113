/**
 * The exit status of a step or job: a code that the flow routes on, and the
 * messages that explain it to a person.
 *
 * Any string is a legal code. The predefined ones carry a severity, and `and` keeps the more severe of two, so a
 * listener can add to a result but never make it look better.
 *
 * @see EXIT-1, EXIT-5
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import { dual } from "effect/Function"
import * as Order_ from "effect/Order"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

/**
 * A code and its messages, each message at most once, in order of arrival. Values made here are structurally equal
 * (`Equal.equals`).
 *
 * @see EXIT-7, EXIT-8
 * @since 0.1.0
 * @category models
 */
export interface ExitStatus {
  readonly code: string
  readonly messages: ReadonlyArray<string>
}

/**
 * @since 0.1.0
 * @category schemas
 */
export const ExitStatus: Schema.Schema<
  ExitStatus,
  { readonly code: string; readonly messages: ReadonlyArray<string> }
> = Schema.transform(
  Schema.Struct({ code: Schema.String, messages: Schema.Array(Schema.String) }),
  Schema.declare(
    (value: unknown): value is ExitStatus =>
      Predicate.hasProperty(value, "code") && Predicate.isString(value.code) &&
      Predicate.hasProperty(value, "messages") && Array.isArray(value.messages),
    {
      identifier: "ExitStatus",
      jsonSchema: {
        type: "object",
        required: ["code", "messages"],
        properties: { code: { type: "string" }, messages: { type: "array", items: { type: "string" } } }
      },
      arbitrary: () => (fc) =>
        fc.tuple(
          fc.oneof(fc.constantFrom(...FAMILIES, "COMPLETED WITH SKIPS", "FAILED EARLY"), fc.string()),
          fc.array(fc.string(), { maxLength: 3 })
        ).map(([code, messages]) => make(code, ...messages))
    }
  ),
  {
    strict: true,
    decode: ({ code, messages }) => make(code, ...messages),
    encode: ({ code, messages }) => ({ code, messages })
  }
)

const isNotBlank = (message: string): boolean => message.trim() !== ""

/**
 * An exit status with that code. Blank and repeated messages are left out.
 *
 * @example
 * ```ts
 * import { ExitStatus } from "effect-batch"
 *
 * const late = ExitStatus.make("COMPLETED LATE", "the file came at 23:10")
 * assert.strictEqual(ExitStatus.description(late), "the file came at 23:10")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (code: string, ...messages: ReadonlyArray<string>): ExitStatus =>
  Data.struct({ code, messages: Data.array(Array.from(new Set(messages.filter(isNotBlank)))) })

/**
 * The outcome is not known.
 *
 * @see EXIT-1
 * @since 0.1.0
 * @category constructors
 */
export const UNKNOWN: ExitStatus = make("UNKNOWN")

/**
 * The work continues.
 *
 * @see EXIT-1
 * @since 0.1.0
 * @category constructors
 */
export const EXECUTING: ExitStatus = make("EXECUTING")

/**
 * The work is done.
 *
 * @see EXIT-1
 * @since 0.1.0
 * @category constructors
 */
export const COMPLETED: ExitStatus = make("COMPLETED")

/**
 * There was nothing to do, for example because every step had already completed.
 *
 * @see EXIT-1
 * @since 0.1.0
 * @category constructors
 */
export const NOOP: ExitStatus = make("NOOP")

/**
 * The work failed.
 *
 * @see EXIT-1
 * @since 0.1.0
 * @category constructors
 */
export const FAILED: ExitStatus = make("FAILED")

/**
 * The work was stopped on request.
 *
 * @see EXIT-1
 * @since 0.1.0
 * @category constructors
 */
export const STOPPED: ExitStatus = make("STOPPED")

/**
 * How severe a code is, read off its prefix: `EXECUTING` 1, `COMPLETED` 2, `NOOP` 3, `STOPPED` 4, `FAILED` 5, `UNKNOWN`
 * 6, any other 7.
 *
 * @see EXIT-2
 * @since 0.1.0
 * @category utils
 */
export const severity = (self: ExitStatus): number => {
  const family = FAMILIES.findIndex((prefix) => self.code.startsWith(prefix))
  return family === -1 ? FAMILIES.length + 1 : family + 1
}

/**
 * Orders exit statuses by severity, then by code.
 *
 * @see EXIT-3
 * @since 0.1.0
 * @category instances
 */
export const Order: Order_.Order<ExitStatus> = Order_.combine(
  Order_.mapInput(Order_.number, severity),
  Order_.mapInput(Order_.string, (self: ExitStatus) => self.code)
)

/**
 * Combines two exit statuses: the greater code (by `Order`) and the messages of both, each once. Associative and
 * idempotent; never lowers the severity.
 *
 * @example
 * ```ts
 * import { ExitStatus } from "effect-batch"
 *
 * assert.strictEqual(ExitStatus.and(ExitStatus.FAILED, ExitStatus.COMPLETED).code, "FAILED")
 * assert.strictEqual(ExitStatus.and(ExitStatus.COMPLETED, ExitStatus.make("LATE")).code, "LATE")
 * ```
 *
 * @see EXIT-4, EXIT-7
 * @since 0.1.0
 * @category combinators
 */
export const and: {
  (that: ExitStatus): (self: ExitStatus) => ExitStatus
  (self: ExitStatus, that: ExitStatus): ExitStatus
} = dual(
  2,
  (self: ExitStatus, that: ExitStatus): ExitStatus =>
    make(Order_.lessThan(Order)(self, that) ? that.code : self.code, ...self.messages, ...that.messages)
)

/**
 * Adds a message unless it is blank or already there.
 *
 * @example
 * ```ts
 * import { ExitStatus } from "effect-batch"
 *
 * const failed = ExitStatus.addDescription(ExitStatus.FAILED, "disk full")
 * assert.strictEqual(ExitStatus.description(failed), "disk full")
 * ```
 *
 * @see EXIT-7
 * @since 0.1.0
 * @category combinators
 */
export const addDescription: {
  (message: string): (self: ExitStatus) => ExitStatus
  (self: ExitStatus, message: string): ExitStatus
} = dual(2, (self: ExitStatus, message: string): ExitStatus => make(self.code, ...self.messages, message))

/**
 * The messages as one text, joined by `"; "`; empty when there are none.
 *
 * @since 0.1.0
 * @category utils
 */
export const description = (self: ExitStatus): string => self.messages.join("; ")

/**
 * Whether the code says that the outcome is still open: `EXECUTING` or `UNKNOWN`.
 *
 * @see EXIT-6
 * @since 0.1.0
 * @category predicates
 */
export const isRunning = (self: ExitStatus): boolean => self.code === "EXECUTING" || self.code === "UNKNOWN"

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Ascending in severity; a code belongs to the family whose name it starts with. */
const FAMILIES = ["EXECUTING", "COMPLETED", "NOOP", "STOPPED", "FAILED", "UNKNOWN"] as const
