/**
 * Jobs in a browser.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 */
export * as Dashboard from "./Dashboard.js"
