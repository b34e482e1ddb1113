/**
 * Who is told when a job fails, stands still or is late.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 */
export * as Watch from "./Watch.js"
