/**
 * A TCP proxy whose connections can be cut, and which can fall silent: then it takes what it is given, passes nothing on, and
 * tells nobody.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"

export interface Proxy {
  readonly port: number
  /** Cuts the connections that `choose` takes, without a word to either side; gives their number. */
  readonly cut: (choose: (index: number) => boolean) => number
  /**
   * Lets the connections that `choose` takes pass so many more bytes in each direction, and from then on nothing, in the middle
   * of a message if need be. Gives their number.
   */
  readonly silence: (choose: (index: number) => boolean, budget?: Budget) => number
  /** Whether new connections are silent from the beginning: the network is away. */
  readonly blackout: (isAway: boolean) => void
  /** Whether all connections are cut, and new ones refused: the server is away. */
  readonly refuse: (isRefusing: boolean) => void
}

export interface Budget {
  readonly toServer?: number
  readonly toClient?: number
}

export const to = (host: string, port: number): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(Effect.promise(() => listen(host, port)), ({ close }) => Effect.sync(close)),
    ({ close: _, ...proxy }) => proxy
  )

// internal

interface Pair {
  readonly end: () => void
  /** Bytes that still pass. */
  left: { toServer: number; toClient: number }
}

const listen = (host: string, port: number) =>
  new Promise<Proxy & { readonly close: () => void }>((resolve) => {
    const pairs = new Set<Pair>()
    let isAway = false
    let isRefusing = false
    const server = Net.createServer((client) => {
      if (isRefusing) {
        client.on("error", () => {})
        client.resetAndDestroy()
        return
      }
      const upstream = Net.connect(port, host)
      const end = () => {
        pairs.delete(pair)
        client.destroy()
        upstream.destroy()
      }
      const pair: Pair = {
        end,
        left: isAway ? { toServer: 0, toClient: 0 } : { toServer: Infinity, toClient: Infinity }
      }
      pairs.add(pair)
      for (const socket of [client, upstream]) {
        socket.on("error", end)
        // Whoever has fallen silent does not say that it has closed, either.
        socket.on("close", () => pair.left.toServer > 0 || pair.left.toClient > 0 ? end() : undefined)
      }
      forward(pair, "toServer", client, upstream)
      forward(pair, "toClient", upstream, client)
    })
    const choose = (chosen: (index: number) => boolean) => [...pairs].filter((_, index) => chosen(index))
    const cut = (chosen: (index: number) => boolean) => {
      const found = choose(chosen)
      found.forEach(({ end }) => end())
      return found.length
    }
    server.listen(0, "127.0.0.1", () =>
      resolve({
        port: (server.address() as Net.AddressInfo).port,
        cut,
        silence: (chosen, { toClient = 0, toServer = 0 } = {}) => {
          const found = choose(chosen)
          found.forEach((pair) => {
            pair.left = { toServer, toClient }
          })
          return found.length
        },
        blackout: (away) => {
          isAway = away
          if (away) {
            pairs.forEach((pair) => {
              pair.left = { toServer: 0, toClient: 0 }
            })
          }
        },
        refuse: (refuses) => {
          isRefusing = refuses
          if (refuses) {
            cut(() => true)
          }
        },
        close: () => {
          cut(() => true)
          server.close()
        }
      }))
  })

const forward = (pair: Pair, direction: "toServer" | "toClient", from: Net.Socket, to: Net.Socket): void => {
  from.on("data", (data: Buffer) => {
    const passed = data.subarray(0, Math.min(data.length, pair.left[direction]))
    pair.left[direction] -= passed.length
    if (passed.length > 0 && !to.write(passed)) {
      from.pause()
    }
  })
  to.on("drain", () => from.resume())
}
