/**
 * Counts what goes over the wire: a proxy in front of PostgreSQL that reads the messages of both sides.
 */
import * as Net from "node:net"

/** What the clients have sent so far, over all their connections. */
export interface Traffic {
  /** Commands: simple queries, and executions of prepared ones. */
  readonly statements: number
  /** How often a client had to wait for the server: it sent something while nothing else was under way. */
  readonly roundTrips: number
  /** Messages of all kinds, from either side. */
  readonly messages: number
  readonly bytesSent: number
}

export interface Proxy {
  readonly url: string
  readonly traffic: () => Traffic
  readonly close: () => void
}

/** Opens a proxy before the server of a URL. */
export const proxy = async (url: string): Promise<Proxy> => {
  const { hostname, port } = new URL(url)
  const counted = { statements: 0, roundTrips: 0, messages: 0, bytesSent: 0 }
  const server = Net.createServer((client) => {
    const upstream = Net.connect(Number(port), hostname)
    const turns = new Turns(() => counted.roundTrips++)
    const fromClient = new Messages(true, (type) => {
      counted.messages++
      counted.statements += type === "Q" || type === "E" ? 1 : 0
      turns.sent(type)
    })
    const fromServer = new Messages(false, (type) => {
      counted.messages++
      turns.received(type)
    })
    client.setNoDelay(true).on("data", (bytes) => {
      counted.bytesSent += bytes.length
      fromClient.push(bytes)
      upstream.write(bytes)
    })
    upstream.setNoDelay(true).on("data", (bytes) => {
      fromServer.push(bytes)
      client.write(bytes)
    })
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      socket.on("error", () => other.destroy()).on("close", () => other.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const proxied = new URL(url)
  proxied.port = String((server.address() as Net.AddressInfo).port)
  return { url: proxied.href, traffic: () => ({ ...counted }), close: () => void server.close() }
}

/** Cuts a stream into messages: a type, a length and the rest. The first of a client has no type. */
class Messages {
  private rest: Buffer = Buffer.alloc(0)

  constructor(private untyped: boolean, private readonly each: (type: string) => void) {}

  push(bytes: Buffer): void {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes])
    while (true) {
      const start = this.untyped ? 0 : 1
      const length = this.rest.length < start + 4 ? undefined : start + this.rest.readInt32BE(start)
      if (length === undefined || this.rest.length < length) {
        return
      }
      if (!this.untyped) {
        this.each(String.fromCharCode(this.rest[0]!))
      }
      this.untyped = false
      this.rest = this.rest.subarray(length)
    }
  }
}

/**
 * A client waits for the server when it sends a command while none is under way, or rows only when the server has asked
 * for them. What it sends meanwhile, ahead of the answers, costs no round trip.
 */
class Turns {
  private unanswered = 0
  private rowsSent = false
  private rowsWanted = false

  constructor(private readonly count: () => void) {}

  sent(type: string): void {
    if (type === "Q" || type === "S") {
      if (this.unanswered++ === 0) {
        this.count()
      }
    } else if (type === "d") {
      if (this.rowsWanted) {
        this.count()
      }
      this.rowsSent = true
      this.rowsWanted = false
    }
  }

  received(type: string): void {
    if (type === "Z") {
      this.rowsSent = this.rowsWanted = false
      // The first one ends the greeting, which no command began.
      this.unanswered = Math.max(0, this.unanswered - 1)
    } else if (type === "G") {
      this.rowsWanted = !this.rowsSent
    }
  }
}
