/**
 * Who a step works for, as far as outputs outside of the database need to know: they put it beside what they leave behind,
 * so that whoever goes on there can tell whether its writer may still be alive.
 */
import * as Context from "effect/Context"

/** @internal */
export class OutputOwner extends Context.Reference<OutputOwner>()("effect-batch/OutputOwner", {
  defaultValue: (): {
    /** Names the process; empty where nobody says. */
    readonly owner: string
    /** True only if the process is known to be gone. */
    readonly isGone: (owner: string) => boolean
  } => ({ owner: "", isGone: () => false })
}) {}
