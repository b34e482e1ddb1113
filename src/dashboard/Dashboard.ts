/**
 * Jobs in a browser: what is wrong now, what runs, what a restart would do, and the buttons for it. Pages are made by the
 * server and stay up to date by themselves; every page is also JSON (`?format=json`).
 *
 * It is read-only, and for this machine, unless `access` says otherwise.
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import type { ServeError } from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Cron from "effect/Cron"
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { createServer } from "node:http"
import { userInfo } from "node:os"
import type { Deadline } from "../decisions/deadline.js"
import type * as JobRegistry from "../operator/JobRegistry.js"
import type { JobRepository } from "../ports/JobRepository.js"
import type { Transactor } from "../ports/Transactor.js"
import { html, nameOf } from "../view/html.js"
import { messageOf } from "../vocabulary/failure.js"
import * as Actions from "./actions.js"
import * as Executions from "./executionPages.js"
import * as Guard from "./guard.js"
import * as Jobs from "./jobPages.js"
import * as Live from "./live.js"
import { overview } from "./overview.js"
import type { Page, View } from "./page.js"
import * as Pages from "./page.js"

/**
 * What a viewer may do: nothing, look, or look and act.
 *
 * @since 0.1.0
 * @category models
 */
export type Access = Guard.Access

/**
 * - `access`: what whoever sends a request may do, and who that is for the audit. Default: requests from this machine, to a
 *   name of this machine, may look; all others nothing.
 * - `prefix`: where the dashboard is mounted, such as `/batch`. Default: at the root.
 * - `refresh`: how often a page that somebody looks at is compared with the database. Default 1 second.
 * - `stalledAfter`: after what time without a commit an execution is shown as stalled. Default 5 minutes.
 * - `deadlines`: times at which jobs must have completed since the time before, as for `Watch`; the last one that was missed
 *   is shown. Default: none.
 * - `secret`: signs the tokens of forms. Give it when several processes serve one dashboard. Default: drawn at random.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly access?:
    | ((
      request: HttpServerRequest.HttpServerRequest
    ) => Effect.Effect<Access | { readonly access: Access; readonly who: string }>)
    | undefined
  readonly prefix?: string | undefined
  readonly refresh?: Duration.DurationInput | undefined
  readonly stalledAfter?: Duration.DurationInput | undefined
  readonly deadlines?: ReadonlyArray<{ readonly jobName: string; readonly at: Cron.Cron }> | undefined
  readonly secret?: Redacted.Redacted | undefined
}

/**
 * What the dashboard works with. Jobs that are launched or restarted here run in the Scope, not in the request.
 *
 * @since 0.1.0
 * @category models
 */
export type Services = JobRegistry.JobRegistry | JobRepository | Transactor

/**
 * The dashboard as an HTTP app, to be mounted in a server of yours: `HttpRouter.mountApp("/batch", app)`, with
 * `prefix: "/batch"`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<HttpApp.Default, never, Services | Scope.Scope> =>
  Effect.map(Effect.context<Services | Scope.Scope>(), (context) => {
    const settings: Settings = {
      access: options.access ?? loopback("read"),
      prefix: options.prefix ?? "",
      refresh: options.refresh ?? "1 seconds",
      stalledAfter: options.stalledAfter ?? "5 minutes",
      deadlines: options.deadlines ?? [],
      secret: options.secret === undefined ? Guard.random() : Redacted.value(options.secret)
    }
    const app = Effect.catchAll(
      router(settings) as unknown as HttpApp.Default<unknown, Services | Scope.Scope>,
      () => HttpServerResponse.text("There is no such page.\n", { status: 404 })
    )
    return Effect.mapInputContext(
      app,
      (request: Context.Context<HttpServerRequest.HttpServerRequest>) => Context.merge(request, context)
    )
  })

/**
 * The dashboard at the root of an HTTP server, which the layer needs: `NodeHttpServer.layer` of `@effect/platform-node`.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Job, JobRegistry, JobRepository, Step } from "effect-batch"
 * import { Dashboard } from "effect-batch/dashboard"
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { createServer } from "node:http"
 *
 * const tidy = Job.make("tidy", { flow: Step.tasklet("tidy", Effect.void) })
 *
 * const live = Dashboard.layer().pipe(
 *   Layer.provide(JobRegistry.layer([tidy])),
 *   Layer.provide(JobRepository.layerMemory),
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 8787, host: "127.0.0.1" }))
 * )
 * assert.ok(Layer.isLayer(live))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<never, never, Services | HttpServer.HttpServer> =>
  Layer.unwrapScoped(Effect.map(make(options), (app) => HttpServer.serve(app)))

/**
 * An `access` for this machine: requests from it, to a name of it, may do so much, all others nothing. With the name of the
 * user of the machine for the audit.
 *
 * @since 0.1.0
 * @category constructors
 */
export const loopback = (access: Access): NonNullable<Options["access"]> => (request) =>
  Effect.sync(() => Guard.isLoopback(request) ? { access, who: `${userInfo().username} at this machine` } : "none")

/**
 * Serves the dashboard to this machine, on a port of 127.0.0.1, until it is interrupted. Needs the optional peer dependency
 * `@effect/platform-node`. Fails when the port is taken.
 *
 * - `port`: default 8787. `onListen`: is told the address. The other options are those of `make`.
 *
 * @since 0.1.0
 * @category utils
 */
export const serve = (
  options: Options & {
    readonly port?: number | undefined
    readonly onListen?: ((url: string) => Effect.Effect<void>) | undefined
  } = {}
): Effect.Effect<never, ServeError, Services> =>
  Effect.scoped(Effect.gen(function*() {
    const NodeHttpServer = yield* Effect.promise(() => import("@effect/platform-node/NodeHttpServer"))
    const app = yield* make(options)
    const server = yield* NodeHttpServer.make(() => createServer(), { port: options.port ?? 8787, host: "127.0.0.1" })
    yield* server.serve(app)
    const { address } = server
    const url = address._tag === "TcpAddress" ? `http://127.0.0.1:${address.port}/` : ""
    yield* options.onListen?.(url) ?? Effect.void
    return yield* Effect.never
  }))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Settings {
  readonly access: NonNullable<Options["access"]>
  readonly prefix: string
  readonly refresh: Duration.DurationInput
  readonly stalledAfter: Duration.DurationInput
  readonly deadlines: ReadonlyArray<Deadline>
  readonly secret: string
}

type Request = HttpServerRequest.HttpServerRequest

type Answer<R = Services | Scope.Scope> = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  unknown,
  R | Request | HttpRouter.RouteContext
>

const router = (settings: Settings) => {
  const page = (make: (view: View, params: Params) => Effect.Effect<Page, unknown, Services>) =>
    viewing(settings, (view, params) => Effect.map(make(view, params), (page) => shown(view, page)))
  const pageOf = (view: View) => routed(settings, view)
  return HttpRouter.empty.pipe(
    HttpRouter.get("/", page((view) => overview(view, settings))),
    HttpRouter.get("/executions", page(Executions.executionsPage)),
    HttpRouter.get("/executions/:id", page((view, { id }) => Executions.executionPage(view, idOf(id)))),
    HttpRouter.get("/executions/:id/skipped", page((view, { id }) => Executions.skippedPage(view, idOf(id)))),
    HttpRouter.get(
      "/executions/:id/report",
      viewing(settings, (view, { id }) =>
        Effect.map(Executions.reportOf(idOf(id), view.now), (report) =>
          Pages.protect(
            view,
            HttpServerResponse.text(report, {
              contentType: "text/html; charset=utf-8",
              headers: { "content-disposition": `attachment; filename="execution-${idOf(id)}.html"` }
            })
          )))
    ),
    HttpRouter.get("/jobs", page(Jobs.jobsPage)),
    HttpRouter.get("/jobs/:name", page((view, { name }) => Jobs.jobPage(view, nameOf(name ?? "")))),
    HttpRouter.get(
      "/events",
      viewing(
        settings,
        (view) => Effect.map(Live.events(view, pageOf, settings.refresh), (response) => Pages.protect(view, response))
      )
    ),
    HttpRouter.post(
      "/executions/:id/:action",
      acting(settings, (view, { action, id }) => Actions.onExecution(view, idOf(id), action ?? ""))
    ),
    HttpRouter.post(
      "/jobs/:name/launch",
      acting(settings, (view, { name }, form) => Actions.launch(view, nameOf(name ?? ""), form))
    )
  )
}

type Params = Readonly<Record<string, string | undefined>>

/** The page at a path, for those who watch it. */
const routed = (settings: Settings, view: View): Effect.Effect<Page, unknown, Services> => {
  const [, section, name, more] = view.path.split("?")[0]!.split("/")
  return section === "executions"
    ? name === undefined
      ? Executions.executionsPage(view)
      : more === "skipped"
      ? Executions.skippedPage(view, idOf(name))
      : Executions.executionPage(view, idOf(name))
    : section === "jobs"
    ? name === undefined ? Jobs.jobsPage(view) : Jobs.jobPage(view, nameOf(decoded(name)))
    : overview(view, settings)
}

const idOf = (text: string | undefined): number => Executions.count(text) ?? 0

const decoded = (text: string | undefined): string =>
  Either.getOrElse(Either.try(() => decodeURIComponent(text ?? "")), () => text ?? "")

/** For who may look. Whatever goes wrong becomes a page that says so. */
const viewing = (settings: Settings, answer: (view: View, params: Params) => Answer): Answer =>
  Effect.gen(function*() {
    const view = yield* viewOf(settings)
    const { params } = yield* HttpRouter.RouteContext
    return view.access === "none" ? denied(view) : yield* told(view, answer(view, params))
  })

/** For who may act, and meant to. */
const acting = (
  settings: Settings,
  answer: (view: View, params: Params, form: ReadonlyMap<string, string>) => Answer
): Answer =>
  Effect.gen(function*() {
    const view = yield* viewOf(settings)
    const request = yield* HttpServerRequest.HttpServerRequest
    const { params } = yield* HttpRouter.RouteContext
    if (view.access !== "operate") {
      return denied(view)
    }
    const form = new Map(yield* request.urlParamsBody)
    const refusal = Guard.refusal(settings.secret, request, form.get("token"))
    return refusal === undefined
      ? yield* told(view, answer(view, params, form))
      : shown(view, message("Not done", `Nothing was done: ${refusal}.`, 403))
  })

const viewOf = (settings: Settings): Effect.Effect<View, never, Request> =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const given = yield* settings.access(request)
    const url = new URL(request.url, "http://localhost")
    const path = url.pathname.startsWith(settings.prefix) ? url.pathname.slice(settings.prefix.length) : url.pathname
    const wantsJson = url.searchParams.get("format") === "json" ||
      (request.headers["accept"] ?? "").startsWith("application/json")
    return {
      prefix: settings.prefix,
      access: typeof given === "string" ? given : given.access,
      who: typeof given === "string" ? Option.getOrElse(request.remoteAddress, () => "somebody") : given.who,
      session: Guard.sessionOf(settings.secret, request),
      now: yield* DateTime.now,
      path: `${path === "" ? "/" : path}${url.search}`,
      query: url.searchParams,
      wantsJson
    }
  })

const shown = (view: View, page: Page): HttpServerResponse.HttpServerResponse =>
  view.wantsJson ? Pages.json(view, page.json, page.status) : Pages.render(view, page)

const message = (title: string, text: string, status: number): Page => ({
  title,
  live: html`<p class="cause" role="alert">${text}</p>`,
  json: { error: text },
  status
})

const denied = (view: View) => Pages.protect(view, HttpServerResponse.text("You may not do this.\n", { status: 403 }))

const told = (view: View, answer: Answer): Answer =>
  Effect.catchAllCause(answer, (cause) => {
    const error = Cause.failureOption(cause)
    const tag = Option.match(error, { onNone: () => "", onSome: (failure: any) => String(failure?._tag) })
    const text = Option.match(error, { onNone: () => "", onSome: messageOf })
    switch (tag) {
      case "NoSuchJob":
      case "NoSuchJobExecution":
        return Effect.succeed(shown(view, message("There is no such thing", text, 404)))
      case "JobRepositoryError":
        return Effect.succeed(
          shown(view, message("The job repository does not answer", `${text}. This page comes back by itself.`, 503))
        )
      default:
        return Effect.zipRight(
          Effect.logError("A page of the dashboard failed", cause),
          Effect.succeed(shown(view, message("This page failed", "The log of the dashboard says why.", 500)))
        )
    }
  })
