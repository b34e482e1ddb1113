/**
 * The end of the work of a step, stored in its checkpoint: what a step has committed is not called again, whatever
 * happened behind it (OWN-4). A step that ends COMPLETED needs it no more.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Json from "../base/json.js"
import * as BatchStatus from "../vocabulary/BatchStatus.js"
import * as ExitStatus from "../vocabulary/ExitStatus.js"

/**
 * A step whose work has ended.
 *
 * - `exitStatus`: the one with which it completes.
 * - `decided`: whether nothing in the definition of the step has to be asked for it any more.
 */
export interface DurableEnd {
  readonly exitStatus: ExitStatus.ExitStatus
  readonly decided: boolean
}

/** The checkpoint of a step that has nothing left to do. */
export const mark = (
  checkpoint: Option.Option<Json.Json>,
  { decided, exitStatus: { code, messages } }: DurableEnd
): Option.Option<Json.Json> =>
  Option.some({ ...fieldsOf(checkpoint), ended: { code, messages: [...messages], decided } })

/** The checkpoint without that. */
export const unmark = (checkpoint: Option.Option<Json.Json>): Option.Option<Json.Json> => {
  if (Option.isNone(read(checkpoint))) {
    return checkpoint
  }
  const { ended: _, finished: __, ...rest } = fieldsOf(checkpoint)
  return Object.keys(rest).length === 0 ? Option.none() : Option.some(rest)
}

/** How the work of the step ended, if it has. */
export const read = (checkpoint: Option.Option<Json.Json>): Option.Option<DurableEnd> =>
  Option.orElse(
    Option.map(Option.flatMap(checkpoint, decodeEnded), ({ ended: { code, decided, messages } }) => ({
      exitStatus: ExitStatus.make(code, ...messages),
      decided
    })),
    () =>
      Option.flatMap(
        Option.flatMap(checkpoint, decodeFinished),
        ({ finished: { code, messages, status } }) =>
          BatchStatus.upgradeTo(status, "COMPLETED") === "COMPLETED"
            ? Option.some({ exitStatus: ExitStatus.make(code, ...messages), decided: false })
            : Option.none()
      )
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const fieldsOf = (checkpoint: Option.Option<Json.Json>): Json.JsonRecord =>
  Option.getOrElse(Option.filter(checkpoint, Json.isRecord), () => ({} as Json.JsonRecord))

const Chosen = { code: Schema.String, messages: Schema.Array(Schema.String) }

const decodeEnded = Schema.decodeUnknownOption(
  Schema.Struct({ ended: Schema.Struct({ ...Chosen, decided: Schema.Boolean }) })
)

/** As 0.1 stored it, for tasklets. */
const decodeFinished = Schema.decodeUnknownOption(
  Schema.Struct({ finished: Schema.Struct({ ...Chosen, status: BatchStatus.BatchStatus }) })
)
