/**
 * @since 0.1.0
 */
export * as BatchError from "./vocabulary/BatchError.js"

/**
 * @since 0.1.0
 */
export * as BatchEvent from "./vocabulary/BatchEvent.js"

/**
 * @since 0.1.0
 */
export * as BatchRuntime from "./operator/BatchRuntime.js"

/**
 * @since 0.1.0
 */
export * as BatchMetrics from "./vocabulary/BatchMetrics.js"

/**
 * @since 0.1.0
 */
export * as BatchStatus from "./vocabulary/BatchStatus.js"

/**
 * @since 0.1.0
 */
export * as CompletionPolicy from "./decisions/CompletionPolicy.js"

/**
 * @since 0.1.0
 */
export * as Counts from "./vocabulary/Counts.js"

/**
 * @since 0.1.0
 */
export * as ExecutionContext from "./vocabulary/ExecutionContext.js"

/**
 * @since 0.1.0
 */
export * as ExitStatus from "./vocabulary/ExitStatus.js"

/**
 * @since 0.1.0
 */
export * as Flow from "./definition/Flow.js"

/**
 * @since 0.1.0
 */
export * as ItemProcessor from "./item/ItemProcessor.js"

/**
 * @since 0.1.0
 */
export * as ItemReader from "./item/ItemReader.js"

/**
 * @since 0.1.0
 */
export * as ItemWriter from "./item/ItemWriter.js"

/**
 * @since 0.1.0
 */
export * as Job from "./definition/Job.js"

/**
 * @since 0.1.0
 */
export * as JobExecution from "./vocabulary/JobExecution.js"

/**
 * @since 0.1.0
 */
export * as JobInstance from "./vocabulary/JobInstance.js"

/**
 * @since 0.1.0
 */
export * as JobOperator from "./operator/JobOperator.js"

/**
 * @since 0.1.0
 */
export * as JobParameters from "./vocabulary/JobParameters.js"

/**
 * @since 0.1.0
 */
export * as JobRegistry from "./operator/JobRegistry.js"

/**
 * @since 0.1.0
 */
export * as JobRepository from "./ports/JobRepository.js"

/**
 * @since 0.1.0
 */
export * as JobScope from "./ports/JobScope.js"

/**
 * @since 0.1.0
 */
export * as Listener from "./definition/Listener.js"

/**
 * @since 0.1.0
 */
export * as Partition from "./definition/Partition.js"

/**
 * @since 0.1.0
 */
export * as PartitionWorker from "./worker/PartitionWorker.js"

/**
 * @since 0.1.0
 */
export * as ProgressMeter from "./operator/ProgressMeter.js"

/**
 * @since 0.1.0
 */
export * as RestartPolicy from "./decisions/RestartPolicy.js"

/**
 * @since 0.1.0
 */
export * as RetryPolicy from "./decisions/RetryPolicy.js"

/**
 * @since 0.1.0
 */
export * as Sensitive from "./vocabulary/Sensitive.js"

/**
 * @since 0.1.0
 */
export * as SkipPolicy from "./decisions/SkipPolicy.js"

/**
 * @since 0.1.0
 */
export * as SkippedItem from "./vocabulary/SkippedItem.js"

/**
 * Ready-made listeners: promoting data to later steps, exit codes, logging of bad records.
 *
 * @since 0.1.0
 */
export * as StandardListeners from "./definition/StandardListeners.js"

/**
 * @since 0.1.0
 */
export * as Step from "./definition/Step.js"

/**
 * @since 0.1.0
 */
export * as StepExecution from "./vocabulary/StepExecution.js"

/**
 * @since 0.1.0
 */
export * as StepScope from "./ports/StepScope.js"

/**
 * @since 0.1.0
 */
export * as SystemCommandTasklet from "./definition/SystemCommandTasklet.js"

/**
 * @since 0.1.0
 */
export * as Tasklet from "./definition/Tasklet.js"

/**
 * @since 0.1.0
 */
export * as Transactor from "./ports/Transactor.js"

/**
 * @since 0.1.0
 */
export * as Transition from "./decisions/Transition.js"

/**
 * @since 0.1.0
 */
export * as WorkerError from "./item/WorkerError.js"

/**
 * @since 0.1.0
 */
export * as WorkerProcessor from "./item/WorkerProcessor.js"
