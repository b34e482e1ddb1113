/**
 * Readers and writers of files.
 *
 * @since 0.1.0
 */
export * as CsvItemReader from "./CsvItemReader.js"

/**
 * @since 0.1.0
 */
export * as FileError from "./FileError.js"
