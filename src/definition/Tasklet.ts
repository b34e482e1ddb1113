/**
 * What a tasklet answers after each call: that it is finished, with which exit code, or that it wants to be called
 * again. Each call runs in a transaction of its own.
 *
 * @see TASK-1, TASK-3
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 * @category models
 */
export type RepeatStatus<Code extends string = never> = Continuable | Finished<Code>

/**
 * Commit, and call the tasklet again.
 *
 * @see REPEAT-1
 * @since 0.1.0
 * @category models
 */
export interface Continuable {
  readonly _tag: "Continuable"
}

/**
 * Commit, and end the step with this exit code.
 *
 * @see TASK-10
 * @since 0.1.0
 * @category models
 */
export interface Finished<out Code extends string = never> {
  readonly _tag: "Finished"
  readonly exitCode: Code | undefined
}

/**
 * Asks for another call, in a new transaction.
 *
 * @since 0.1.0
 * @category constructors
 */
export const continuable: Continuable = { _tag: "Continuable" }

/**
 * Ends the step. A tasklet that answers nothing is finished too.
 *
 * @since 0.1.0
 * @category constructors
 */
export const finished: Finished = { _tag: "Finished", exitCode: undefined }

/**
 * Ends the step with an exit code of its own; the batch status is COMPLETED whatever the code.
 *
 * @see TASK-10
 * @since 0.1.0
 * @category constructors
 */
export const finishedWith = <const Code extends string>(exitCode: Code): Finished<Code> => ({
  _tag: "Finished",
  exitCode
})

/**
 * CONTINUABLE only while the condition holds.
 *
 * @see REPEAT-1
 * @since 0.1.0
 * @category constructors
 */
export const continueIf = (condition: boolean): RepeatStatus => condition ? continuable : finished
