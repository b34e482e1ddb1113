/**
 * Every error the library itself can fail with.
 *
 * @since 0.1.0
 */
export * as BatchError from "./BatchError.js"

/**
 * The lifecycle status of a job or step execution, and the algebra that combines many into one.
 *
 * @since 0.1.0
 */
export * as BatchStatus from "./BatchStatus.js"

/**
 * Decides when a chunk is full: after a number of items, after a time, or at an item that ends a group.
 *
 * @since 0.1.0
 */
export * as CompletionPolicy from "./CompletionPolicy.js"

/**
 * What a step has counted so far.
 *
 * @since 0.1.0
 */
export * as Counts from "./Counts.js"

/**
 * What an execution remembers, saved with it and given back to it after a restart.
 *
 * @since 0.1.0
 */
export * as ExecutionContext from "./ExecutionContext.js"

/**
 * The exit status of a step or job: a code that the flow routes on, and the messages that explain it.
 *
 * @since 0.1.0
 */
export * as ExitStatus from "./ExitStatus.js"

/**
 * One attempt to run a job instance: what was asked, how far it got, and who works on it.
 *
 * @since 0.1.0
 */
export * as JobExecution from "./JobExecution.js"

/**
 * One job for one set of identifying parameters: the thing that gets done once.
 *
 * @since 0.1.0
 */
export * as JobInstance from "./JobInstance.js"

/**
 * The typed parameters of a job.
 *
 * @since 0.1.0
 */
export * as JobParameters from "./JobParameters.js"

/**
 * Decides whether a job may be launched and what is to be done with each of its steps.
 *
 * @since 0.1.0
 */
export * as RestartPolicy from "./RestartPolicy.js"

/**
 * Which failures are tried again, how often and after which pause.
 *
 * @since 0.1.0
 */
export * as RetryPolicy from "./RetryPolicy.js"

/**
 * Which bad records a step may leave out, and how many.
 *
 * @since 0.1.0
 */
export * as SkipPolicy from "./SkipPolicy.js"

/**
 * One attempt to run a step: how far it got, what it counted, and its checkpoint.
 *
 * @since 0.1.0
 */
export * as StepExecution from "./StepExecution.js"

/**
 * Matching of exit codes against transition patterns.
 *
 * @since 0.1.0
 */
export * as Transition from "./Transition.js"
