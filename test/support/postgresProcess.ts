/**
 * Starts and talks to `postgresServer.mjs`, and lets every worker of a vitest run share the one server of the run.
 *
 * `globalSetup` only opens a broker (a loopback socket guarded by a token); the server starts when the first test asks for
 * it, so a run of memory tests pays nothing.
 */
import { spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import * as Net from "node:net"
import type { Interface } from "node:readline"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** Where a running server is reached and what it occupies. */
export interface ServerInfo {
  readonly url: string
  readonly pid: number
  readonly directory: string
}

/** A server owned by this process. */
export interface ServerProcess {
  readonly info: ServerInfo
  /** Crashes the server (nothing is flushed) and waits until it has recovered on the same port. */
  readonly restart: () => Promise<ServerInfo>
  /** The same, with its data put aside meanwhile, or brought back from there. */
  readonly keep: () => Promise<ServerInfo>
  readonly fallBack: () => Promise<ServerInfo>
  /** Stops the server and waits until its process and its files are gone. */
  readonly stop: () => Promise<void>
}

type Answer = ServerInfo | { readonly error: string }

const brokerVariable = "EFFECT_BATCH_TEST_PG_BROKER"

/** Starts a server that dies with this process. */
export const startServer = async (options: { readonly fsync: boolean }): Promise<ServerProcess> => {
  const script = fileURLToPath(new URL("./postgresServer.mjs", import.meta.url))
  // Detached: Ctrl-C reaches the test runner only, which then lets go of the pipe.
  const child = spawn(process.execPath, [script, JSON.stringify(options)], {
    detached: true,
    stdio: ["pipe", "pipe", "inherit"]
  })
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const lines = createInterface({ input: child.stdout })
  const info = await nextAnswer(lines)
  // The server must not keep a finished program alive.
  child.unref()
  for (const stream of [child.stdin, child.stdout]) if (stream instanceof Net.Socket) stream.unref()
  const told = (line: string) => () => {
    const answer = nextAnswer(lines)
    child.stdin.write(`${line}\n`)
    return answer
  }
  return {
    info,
    restart: told("restart"),
    keep: told("keep"),
    fallBack: told("fallBack"),
    stop: () => {
      child.ref()
      child.stdin.end()
      return exited
    }
  }
}

/** Opens the broker for this run's workers; the result closes it and stops the server if one was started. */
export const startBroker = async (): Promise<() => Promise<void>> => {
  const token = randomUUID()
  let server: Promise<ServerProcess> | undefined
  const broker = Net.createServer((socket) => {
    socket.on("error", () => socket.destroy())
    createInterface({ input: socket }).once("line", (line) => {
      if (line !== token) return socket.destroy()
      server ??= startServer({ fsync: false })
      server.then(({ info }) => info, (cause) => ({ error: String(cause) })).then((answer: Answer) =>
        socket.end(`${JSON.stringify(answer)}\n`)
      )
    })
  })
  await new Promise<void>((resolve) => broker.listen(0, "127.0.0.1", resolve))
  broker.unref()
  const { port } = broker.address() as Net.AddressInfo
  process.env[brokerVariable] = JSON.stringify({ port, token })
  return async () => {
    broker.close()
    await server?.then((started) => started.stop(), () => undefined)
  }
}

/** The URL of the server all tests of this run share; outside of a test run, of this process's own. */
export const sharedUrl = async (): Promise<string> => {
  const external = process.env["EFFECT_BATCH_TEST_PG"]
  if (external !== undefined && external !== "") return external
  shared ??= process.env[brokerVariable] === undefined ? ownServer() : askBroker(process.env[brokerVariable])
  return (await shared).url
}

// internal

let shared: Promise<ServerInfo> | undefined

const ownServer = async (): Promise<ServerInfo> => (await startServer({ fsync: false })).info

const askBroker = async (address: string): Promise<ServerInfo> => {
  const { port, token } = JSON.parse(address) as { readonly port: number; readonly token: string }
  const socket = Net.connect(port, "127.0.0.1")
  const failed = new Promise<never>((_, reject) => socket.once("error", reject))
  socket.write(`${token}\n`)
  return Promise.race([nextAnswer(createInterface({ input: socket })), failed])
}

const nextAnswer = (lines: Interface): Promise<ServerInfo> =>
  new Promise((resolve, reject) => {
    const onClose = () => reject(new Error("The PostgreSQL test server ended without an answer"))
    lines.once("close", onClose)
    lines.once("line", (line) => {
      lines.off("close", onClose)
      const answer = JSON.parse(line) as Answer
      return "error" in answer ? reject(new Error(answer.error)) : resolve(answer)
    })
  })
