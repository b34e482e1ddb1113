/**
 * What helps to test jobs and the components that you write for them.
 *
 * @since 0.1.0
 */

/**
 * The law that every `ItemReader` keeps, as a check for your own readers.
 *
 * @since 0.1.0
 */
export * as ReaderLaws from "./ReaderLaws.js"

/**
 * The laws behind the `delivery` of an `ItemWriter`, as a check for your own writers.
 *
 * @since 0.1.0
 */
export * as WriterLaws from "./WriterLaws.js"

/**
 * Tests of whole jobs: what becomes of yours when the process dies, wherever that happens.
 *
 * @since 0.1.0
 */
export * as BatchTest from "./BatchTest.js"

/**
 * Tests of one step alone, and of code that is meant to run inside a step.
 *
 * @since 0.1.0
 */
export * as StepTest from "./StepTest.js"

/**
 * Readers, processors and writers that do what a script says, and record how they were called.
 *
 * @since 0.1.0
 */
export * as Scripted from "./Scripted.js"

/**
 * Ready records of instances and executions, with fixed ids and times.
 *
 * @since 0.1.0
 */
export * as Fixture from "./Fixture.js"

/**
 * What a test expects of an execution, as effects that fail with a readable mismatch.
 *
 * @since 0.1.0
 */
export * as Expect from "./Expect.js"
