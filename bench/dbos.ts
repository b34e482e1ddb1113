/**
 * The load as a workflow of DBOS Transact: one transaction for each chunk, which holds the rows and the record that says
 * they are in. DBOS is no dependency of this package: the bench takes it when it is installed.
 */
import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import * as durable from "./durable.js"
import type { Files } from "./payments.js"

// Of the same release: the datasource accepts any SDK, but calls functions that another major does not have.
const version = "4.24.16"
const sdk = "@dbos-inc/dbos-sdk"
const datasource = "@dbos-inc/postgres-datasource"

/** The part of the SDK that the bench uses; its own types are not there where it isn't installed. */
interface Sdk {
  readonly DBOS: {
    readonly setConfig: (config: Readonly<Record<string, unknown>>) => void
    readonly registerWorkflow: <A>(
      work: (csv: string) => Promise<A>,
      options: { readonly name: string }
    ) => (csv: string) => Promise<A>
    readonly withNextWorkflowID: <A>(id: string, work: () => Promise<A>) => Promise<A>
    readonly launch: () => Promise<void>
    readonly shutdown: () => Promise<void>
  }
}

interface Datasource {
  readonly PostgresDataSource: new(name: string, options: Readonly<Record<string, unknown>>) => {
    readonly client: {
      readonly unsafe: (text: string, values: ReadonlyArray<unknown>, options: object) => Promise<unknown>
    }
    readonly runTransaction: <A>(work: () => Promise<A>, options: { readonly name: string }) => Promise<A>
  }
}

/** Starts DBOS on the database of the rows, or says how to install it. */
export const start = async (url: string, files: Files): Promise<durable.Engine> => {
  const installed = await load()
  if (installed === undefined) {
    process.stdout.write(
      `DBOS Transact is not installed and left out: npm install --no-save ${sdk}@${version} ${datasource}@${version}\n\n`
    )
    return { variants: {}, stop: () => Promise.resolve() }
  }
  const [{ DBOS }, { PostgresDataSource }] = installed
  DBOS.setConfig({ name: "bench", systemDatabaseUrl: url, logLevel: "error", runAdminServer: false })
  const database = new PostgresDataSource("payments", connection(url))
  const workflow = DBOS.registerWorkflow(async (csv) => {
    for await (const rows of durable.chunks(csv)) {
      await database.runTransaction(
        async () => {
          await database.client.unsafe(durable.insert, durable.parameters(rows), { prepare: true })
        },
        { name: "insert" }
      )
    }
  }, { name: "load" })
  await DBOS.launch()
  return {
    variants: {
      [`DBOS Transact ${installedVersion()}: parse by hand, a transaction of the workflow per 1,000`]: () =>
        DBOS.withNextWorkflowID(randomUUID(), () => workflow(files.csv))
    },
    stop: () => DBOS.shutdown()
  }
}

// internal

// The names are variables, as the compiler would look for the types of a literal.
const load = async (): Promise<readonly [Sdk, Datasource] | undefined> => {
  try {
    return [await import(sdk), await import(datasource)]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") {
      return undefined
    }
    throw error
  }
}

const installedVersion = (): string =>
  JSON.parse(readFileSync(new URL(`../node_modules/${sdk}/package.json`, import.meta.url), "utf8")).version

const connection = (url: string) => {
  const { hostname, password, pathname, port, username } = new URL(url)
  return {
    host: hostname,
    port: Number(port),
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: pathname.slice(1),
    onnotice: () => {}
  }
}
