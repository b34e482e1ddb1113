/**
 * PgBouncer in transaction mode in front of a database, where it is installed.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn, spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { freePort } from "./freePort.mjs"

const binary = ["pgbouncer", "/usr/sbin/pgbouncer"].find((name) => spawnSync(name, ["--version"]).status === 0)

export const isInstalled = binary !== undefined

/** The URL of the database at `target`, through a pooler that dies with the scope. */
export const before = (target: string): Effect.Effect<string, Error, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.tryPromise({ try: () => start(new URL(target)), catch: (cause) => cause as Error }),
      ({ stop }) => Effect.promise(stop)
    ),
    ({ url }) => url
  )

// internal

const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = Net.connect(port, "127.0.0.1", () => {
      socket.destroy()
      resolve(true)
    })
    socket.on("error", () => resolve(false))
  })

const start = async (target: URL, tries = 3): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> => {
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-batch-pgbouncer-"))
  const port = await freePort()
  const [name, user, password] = [target.pathname.slice(1), target.username, target.password].map(decodeURIComponent)
  const users = Path.join(directory, "users.txt")
  const config = Path.join(directory, "pgbouncer.ini")
  Fs.writeFileSync(users, `"${user}" "${password}"\n`)
  Fs.writeFileSync(
    config,
    `[databases]
${name} = host=${target.hostname} port=${target.port} dbname=${name} user=${user} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = plain
auth_file = ${users}
pool_mode = transaction
default_pool_size = 3
ignore_startup_parameters = extra_float_digits
`
  )
  const isRoot = process.getuid?.() === 0
  if (isRoot) {
    Fs.chmodSync(directory, 0o755)
  }
  const child = spawn(binary!, [...(isRoot ? ["-u", "nobody"] : []), config], { stdio: "ignore" })
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  for (let i = 0; !(await answers(port)); i++) {
    if (child.exitCode !== null && tries > 1) {
      // Another process may have taken the port before.
      Fs.rmSync(directory, { recursive: true, force: true })
      return start(target, tries - 1)
    }
    if (i > 4000 || child.exitCode !== null) {
      throw new Error(`PgBouncer did not start (${child.exitCode})`)
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  const url = new URL(target)
  url.hostname = "127.0.0.1"
  url.port = String(port)
  return {
    url: url.href,
    stop: async () => {
      child.kill("SIGKILL")
      await ended
      Fs.rmSync(directory, { recursive: true, force: true })
    }
  }
}
