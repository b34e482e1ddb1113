/**
 * The tables of the job repository: creates and upgrades them, or gives the SQL to people who do that by hand.
 *
 * @since 0.1.0
 */
export * as Migrations from "./Migrations.js"

/**
 * The job repository in a PostgreSQL or SQLite database.
 *
 * @since 0.1.0
 */
export * as SqlJobRepository from "./SqlJobRepository.js"

/**
 * Transactions that commit together with the checkpoint of a chunk.
 *
 * @since 0.1.0
 */
export * as SqlTransactor from "./SqlTransactor.js"

/**
 * What can go wrong in SQL, told apart by what helps.
 *
 * @since 0.1.0
 */
export * as SqlFailure from "./SqlFailure.js"

/**
 * Readers of rows.
 *
 * @since 0.1.0
 */
export * as SqlItemReader from "./SqlItemReader.js"

/**
 * Writers of rows.
 *
 * @since 0.1.0
 */
export * as SqlItemWriter from "./SqlItemWriter.js"

/**
 * Plans for `Step.partition` over the rows of a query.
 *
 * @since 0.1.0
 */
export * as SqlPartition from "./SqlPartition.js"
