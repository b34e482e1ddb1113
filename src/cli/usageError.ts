/**
 * A command line that makes no sense.
 */
import * as Schema from "effect/Schema"

/**
 * Represents a command line that this program does not understand: nothing was run.
 *
 * `problem` says what is wrong with it, `usage` how the command is called, if it is known which one was meant, and `help`
 * which command line tells more.
 *
 * @internal
 */
export class UsageError extends Schema.TaggedError<UsageError>()("UsageError", {
  problem: Schema.String,
  usage: Schema.optional(Schema.String),
  help: Schema.String
}) {
  override get message(): string {
    return `${this.problem} (see ${this.help})`
  }
}
