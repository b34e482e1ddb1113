import { startBroker } from "./postgresProcess.js"

/** Runs in vitest's main process, before the workers start; what it returns is the teardown. */
export default startBroker
