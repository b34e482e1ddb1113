/**
 * A port for a process that is yet to start, which takes a while. It lies below those that systems give to connections, of which
 * the tests beside this one open many: one of these would be likely to have it by then.
 */
import * as Net from "node:net"

const FIRST = 15_000
const LAST = 30_000

/** @param {string} host */
export const freePort = (host = "127.0.0.1", tries = 100) =>
  new Promise((resolve, reject) => {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    const server = Net.createServer()
    server.once("error", (error) => tries > 1 ? resolve(freePort(host, tries - 1)) : reject(error))
    server.listen(port, host, () => server.close(() => resolve(port)))
  })
