/**
 * A command line for the jobs of a program. *
 * @since 0.1.0
 */

/**
 * A program that runs, stops, restarts and shows jobs.
 *
 * @since 0.1.0
 */
export * as BatchCli from "./BatchCli.js"
