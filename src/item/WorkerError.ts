/**
 * What may go wrong with items that `ItemProcessor.workerThreads` gives to threads. Each, but for {@link WorkerStartError}, is
 * the failure of one item, which the step may skip or retry; the line of a failed step and the record of a skip name it.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Represents what the function in the thread has thrown, or failed with, for an item. `tag` and `fields` are those of the
 * error in the thread, as far as they can be cloned, and `cause` is the error itself with its stack. Errors that
 * `workerThreads` is given a Schema for come back as themselves instead.
 *
 * @since 0.1.0
 * @category errors
 */
export class WorkerItemError extends Schema.TaggedError<WorkerItemError>()("WorkerItemError", {
  name: Schema.String,
  tag: Schema.optional(Schema.String),
  problem: Schema.String,
  fields: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  cause: Schema.optional(Schema.Defect)
}) {
  override get message(): string {
    return `The function in the thread failed with ${this.tag ?? this.name}: ${this.problem}`
  }
}

/**
 * Represents an item that killed its thread: it ended the thread, threw outside of the function, or needed more memory than
 * the thread had. It did so alone, in a new thread. All other items of its chunk are processed.
 *
 * @since 0.1.0
 * @category errors
 */
export class WorkerThreadDied extends Schema.TaggedError<WorkerThreadDied>()("WorkerThreadDied", {
  problem: Schema.String,
  exitCode: Schema.optional(Schema.Number)
}) {
  override get message(): string {
    return `The item killed the thread that processed it: ${this.problem}; ` +
      `mend the function, or skip the item with Step.skip("WorkerThreadDied")`
  }
}

/**
 * Represents an item that took longer than `timeout`. Its thread was ended.
 *
 * @since 0.1.0
 * @category errors
 */
export class WorkerItemTimeout extends Schema.TaggedError<WorkerItemTimeout>()("WorkerItemTimeout", {
  milliseconds: Schema.Number
}) {
  override get message(): string {
    return `The item was not processed within ${this.milliseconds} ms and its thread was ended; ` +
      `give it a longer timeout, or skip the item with Step.skip("WorkerItemTimeout")`
  }
}

/**
 * Represents an item, or what became of one, that cannot be sent between threads, and where in it that is.
 *
 * @since 0.1.0
 * @category errors
 */
export class WorkerCloneError extends Schema.TaggedError<WorkerCloneError>()("WorkerCloneError", {
  of: Schema.Literal("item", "output"),
  problem: Schema.String
}) {
  override get message(): string {
    return `The ${this.of} can't be sent ${this.of === "item" ? "to" : "from"} a thread (${this.problem}); ` +
      (this.of === "item"
        ? "encode items by `input`, or map them to plain values before"
        : "give plain values in the function, and decode them by `schema`")
  }
}

/**
 * Represents a module that does not start in a thread. It fails the step: when that opens, or as a defect when a thread that
 * died cannot be replaced.
 *
 * @since 0.1.0
 * @category errors
 */
export class WorkerStartError extends Schema.TaggedError<WorkerStartError>()("WorkerStartError", {
  module: Schema.String,
  problem: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  override get message(): string {
    return `The module ${this.module} does not start in a thread: ${this.problem}`
  }
}
