/** A dashboard on a port of this machine, and requests as a browser sends them. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpServer from "@effect/platform/HttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"
import { Dashboard } from "../../src/dashboard/index.js"
import type { Job } from "../../src/index.js"
import { JobRegistry, JobRepository } from "../../src/index.js"
import type { Transactor } from "../../src/index.js"

export interface Served {
  readonly url: string
  readonly services: Context.Context<Dashboard.Services>
}

/** In the Scope: the dashboard of these jobs, with a repository. */
export const serve = (
  jobs: ReadonlyArray<Job.Job.Any>,
  options: Dashboard.Options = {},
  repository: Layer.Layer<JobRepository.JobRepository | Transactor.Transactor, unknown> = JobRepository.layerMemory
) =>
  Effect.gen(function*() {
    const registry = JobRegistry.layer(jobs) as unknown as Layer.Layer<JobRegistry.JobRegistry, unknown>
    const server = NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })
    const context = yield* Layer.build(
      Dashboard.layer({ refresh: "50 millis", ...options }).pipe(
        Layer.provideMerge(server),
        Layer.provideMerge(registry),
        Layer.provideMerge(repository)
      )
    )
    const { address } = Context.get(context, HttpServer.HttpServer)
    const served: Served = {
      url: address._tag === "TcpAddress" ? `http://127.0.0.1:${address.port}` : "",
      services: context
    }
    return served
  })

/** Who may do everything. */
export const operator: Dashboard.Options = { access: () => Effect.succeed({ access: "operate", who: "ada" }) }

export const get = (url: string, headers: Record<string, string> = {}) =>
  Effect.promise(async () => {
    const answer = await fetch(url, { headers, redirect: "manual" })
    return { status: answer.status, headers: answer.headers, text: await answer.text() }
  })

/** Sends a form of a page, as a browser does; `change` says what is different about a forged one. */
export const post = (
  url: string,
  path: string,
  page: { readonly text: string; readonly headers: Headers },
  fields: Record<string, string> = {},
  change: { readonly token?: string; readonly cookie?: string; readonly headers?: Record<string, string> } = {}
) =>
  Effect.promise(async () => {
    const token = /name="token" value="([^"]+)"/.exec(page.text)?.[1] ?? ""
    const cookie = page.headers.get("set-cookie")?.split(";")[0] ?? ""
    const answer = await fetch(`${url}${path}`, {
      method: "POST",
      redirect: "manual",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        cookie: change.cookie ?? cookie,
        origin: url,
        ...change.headers
      },
      body: new URLSearchParams({ token: change.token ?? token, ...fields }).toString()
    })
    return { status: answer.status, headers: answer.headers, text: await answer.text() }
  })
