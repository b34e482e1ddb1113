/**
 * Jobs over HTTP.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 */
export * as BatchApi from "./BatchApi.js"
