/**
 * Who a step works for, as far as outputs outside of the database need to know: they put it beside what they leave behind,
 * so that whoever comes next there can tell whether its writer may still be alive, and whether anybody will ask for it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

/** @internal */
export class OutputOwner extends Context.Reference<OutputOwner>()("effect-batch/OutputOwner", {
  defaultValue: (): {
    /** Names the process; empty where nobody says. */
    readonly owner: string
    /** True only if the process is known to be gone. */
    readonly isGone: (owner: string) => boolean
    /** Names the execution in small letters, digits and underscores. */
    readonly run?: string
    /** True only if it is known that neither the execution of that name nor a restart of it will write any more. */
    readonly isOver?: (run: string) => Effect.Effect<boolean>
  } => ({ owner: "", isGone: () => false })
}) {}
