/**
 * A TCP proxy whose connections can be cut.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"

export interface Proxy {
  readonly port: number
  /** Cuts the connections that `choose` takes, without a word to either side; gives their number. */
  readonly cut: (choose: (index: number) => boolean) => number
}

export const to = (host: string, port: number): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(Effect.promise(() => listen(host, port)), ({ close }) => Effect.sync(close)),
    ({ cut, port }) => ({ cut, port })
  )

const listen = (host: string, port: number) =>
  new Promise<Proxy & { readonly close: () => void }>((resolve) => {
    const pairs = new Set<() => void>()
    const server = Net.createServer((client) => {
      const upstream = Net.connect(port, host)
      const end = () => {
        pairs.delete(end)
        client.destroy()
        upstream.destroy()
      }
      pairs.add(end)
      for (const socket of [client, upstream]) {
        socket.on("error", end)
        socket.on("close", end)
      }
      client.pipe(upstream)
      upstream.pipe(client)
    })
    const cut = (choose: (index: number) => boolean) => {
      const chosen = [...pairs].filter((_, index) => choose(index))
      chosen.forEach((end) => end())
      return chosen.length
    }
    server.listen(0, "127.0.0.1", () =>
      resolve({
        port: (server.address() as Net.AddressInfo).port,
        cut,
        close: () => {
          cut(() => true)
          server.close()
        }
      }))
  })
