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
