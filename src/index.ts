/**
 * @since 0.1.0
 */
export * as BatchError from "./BatchError.js"

/**
 * @since 0.1.0
 */
export * as BatchEvent from "./BatchEvent.js"

/**
 * @since 0.1.0
 */
export * as BatchRuntime from "./BatchRuntime.js"

/**
 * @since 0.1.0
 */
export * as BatchStatus from "./BatchStatus.js"

/**
 * @since 0.1.0
 */
export * as CompletionPolicy from "./CompletionPolicy.js"

/**
 * @since 0.1.0
 */
export * as Counts from "./Counts.js"

/**
 * @since 0.1.0
 */
export * as ExecutionContext from "./ExecutionContext.js"

/**
 * @since 0.1.0
 */
export * as ExitStatus from "./ExitStatus.js"

/**
 * @since 0.1.0
 */
export * as Flow from "./Flow.js"

/**
 * @since 0.1.0
 */
export * as ItemProcessor from "./ItemProcessor.js"

/**
 * @since 0.1.0
 */
export * as ItemReader from "./ItemReader.js"

/**
 * @since 0.1.0
 */
export * as ItemWriter from "./ItemWriter.js"

/**
 * @since 0.1.0
 */
export * as Job from "./Job.js"

/**
 * @since 0.1.0
 */
export * as JobExecution from "./JobExecution.js"

/**
 * @since 0.1.0
 */
export * as JobInstance from "./JobInstance.js"

/**
 * @since 0.1.0
 */
export * as JobOperator from "./JobOperator.js"

/**
 * @since 0.1.0
 */
export * as JobParameters from "./JobParameters.js"

/**
 * @since 0.1.0
 */
export * as JobRegistry from "./JobRegistry.js"

/**
 * @since 0.1.0
 */
export * as JobRepository from "./JobRepository.js"

/**
 * @since 0.1.0
 */
export * as JobScope from "./JobScope.js"

/**
 * @since 0.1.0
 */
export * as Listener from "./Listener.js"

/**
 * Ready-made listeners: promoting data to later steps, exit codes, logging of bad records.
 *
 * @since 0.1.0
 */
export * as Listeners from "./Listeners.js"

/**
 * @since 0.1.0
 */
export * as ProgressMeter from "./ProgressMeter.js"

/**
 * @since 0.1.0
 */
export * as RestartPolicy from "./RestartPolicy.js"

/**
 * @since 0.1.0
 */
export * as RetryPolicy from "./RetryPolicy.js"

/**
 * @since 0.1.0
 */
export * as Sensitive from "./Sensitive.js"

/**
 * @since 0.1.0
 */
export * as SkipPolicy from "./SkipPolicy.js"

/**
 * @since 0.1.0
 */
export * as SkippedItem from "./SkippedItem.js"

/**
 * @since 0.1.0
 */
export * as Step from "./Step.js"

/**
 * @since 0.1.0
 */
export * as StepExecution from "./StepExecution.js"

/**
 * @since 0.1.0
 */
export * as StepScope from "./StepScope.js"

/**
 * @since 0.1.0
 */
export * as SystemCommandTasklet from "./SystemCommandTasklet.js"

/**
 * @since 0.1.0
 */
export * as Tasklet from "./Tasklet.js"

/**
 * @since 0.1.0
 */
export * as Transactor from "./Transactor.js"

/**
 * @since 0.1.0
 */
export * as Transition from "./Transition.js"
