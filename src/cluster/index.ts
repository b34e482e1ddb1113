/**
 * @since 0.1.0
 */
export * as BatchCluster from "./BatchCluster.js"
