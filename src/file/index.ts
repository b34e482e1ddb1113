/**
 * Readers and writers of files.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 */
export type * as CsvFormat from "./CsvFormat.js"

/**
 * @since 0.1.0
 */
export * as CsvItemReader from "./CsvItemReader.js"

/**
 * @since 0.1.0
 */
export * as CsvItemWriter from "./CsvItemWriter.js"

/**
 * @since 0.1.0
 */
export * as FileError from "./FileError.js"

/**
 * @since 0.1.0
 */
export * as FileItemReader from "./FileItemReader.js"

/**
 * @since 0.1.0
 */
export * as FilePartition from "./FilePartition.js"

/**
 * @since 0.1.0
 */
export * as JsonItemReader from "./JsonItemReader.js"

/**
 * @since 0.1.0
 */
export * as JsonItemWriter from "./JsonItemWriter.js"

/**
 * @since 0.1.0
 */
export * as NdjsonItemReader from "./NdjsonItemReader.js"

/**
 * @since 0.1.0
 */
export * as NdjsonItemWriter from "./NdjsonItemWriter.js"

/**
 * @since 0.1.0
 */
export * as TextItemWriter from "./TextItemWriter.js"
