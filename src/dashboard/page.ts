/**
 * The frame around every page: navigation, the part that is alive, and the headers that keep others out.
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type * as DateTime from "effect/DateTime"
import { createHash } from "node:crypto"
import type { Html } from "../view/html.js"
import { html, trusted, urlPart } from "../view/html.js"
import { style } from "../view/style.js"
import type { Access, Session } from "./guard.js"
import { COOKIE, random } from "./guard.js"

/** What a page knows of the request that it answers. */
export interface View {
  readonly prefix: string
  readonly access: Access
  readonly who: string
  readonly session: Session
  readonly now: DateTime.Utc
  /** Path and query below the prefix. */
  readonly path: string
  readonly query: URLSearchParams
  readonly wantsJson: boolean
}

/**
 * - `live`: refetched when something has changed. `rest`: stays as it is, such as forms that somebody fills in.
 * - `json`: the same for machines.
 */
export interface Page {
  readonly title: string
  readonly live: Html
  readonly rest?: Html | undefined
  readonly json: unknown
  readonly status?: number | undefined
}

export const link = (view: View) => (path: string): string => `${view.prefix}${path}`

/** What a viewer sees may have changed when this has. */
export const stateOf = (live: Html): string => createHash("sha256").update(live.markup).digest("base64url")

/** A button that does something; none for who may only look. */
export const action = (view: View, path: string, label: string, name = label): Html | undefined =>
  view.access !== "operate" ? undefined : html`<form class="inline" method="post" action="${link(view)(path)}">
    <input type="hidden" name="token" value="${view.session.token}"><button id="${name}">${label}</button></form>`

export const render = (view: View, page: Page): HttpServerResponse.HttpServerResponse => {
  const nonce = random()
  const at = link(view)
  const events = at(`/events?of=${urlPart(view.path)}&state=${urlPart(stateOf(page.live))}`)
  const body = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${page.title}</title><style nonce="${nonce}">${style}</style></head><body>
<a class="skip" href="#live">Skip to content</a>
<nav aria-label="Pages"><a href="${at("/")}">Now</a><a href="${at("/executions")}">Executions</a><a href="${
    at("/jobs")
  }">Jobs</a><span class="dim">${view.who}${view.access === "operate" ? "" : " (read only)"}</span></nav>
<p class="offline" role="alert">The connection to the dashboard is lost. What you see may be out of date; it comes back by
itself.</p>
<main><h1>${page.title}</h1><div id="live" tabindex="-1" data-events="${events}">${page.live}</div>${page.rest}</main>
<script nonce="${nonce}">${script}</script></body></html>
`
  return protect(
    view,
    HttpServerResponse.text(body.markup, {
      status: page.status ?? 200,
      contentType: "text/html; charset=utf-8",
      headers: {
        "content-security-policy":
          `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; connect-src 'self'; ` +
          "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
      }
    })
  )
}

export const json = (view: View, body: unknown, status = 200): HttpServerResponse.HttpServerResponse =>
  protect(
    view,
    HttpServerResponse.text(`${JSON.stringify(body, undefined, 2)}\n`, { status, contentType: "application/json" })
  )

export const protect = (
  view: View,
  response: HttpServerResponse.HttpServerResponse
): HttpServerResponse.HttpServerResponse => {
  const safe = HttpServerResponse.setHeaders(response, {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin"
  })
  return view.session.isNew
    ? HttpServerResponse.unsafeSetCookie(safe, COOKIE, view.session.id, {
      httpOnly: true,
      sameSite: "strict",
      path: view.prefix === "" ? "/" : view.prefix
    })
    : safe
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Fetches the live part again when the server says that it has changed; focus and reading position stay. */
const script = trusted(`
const live = document.getElementById("live")
const reload = async () => {
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } })
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live")
    if (next === null) return
    const focused = document.activeElement && live.contains(document.activeElement) ? document.activeElement.id : ""
    const open = [...live.querySelectorAll("details[open]")].map((each) => each.id)
    live.replaceChildren(...next.childNodes)
    open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""))
    if (focused !== "") document.getElementById(focused)?.focus({ preventScroll: true })
    document.body.classList.remove("lost")
  } catch { document.body.classList.add("lost") }
}
const events = new EventSource(live.dataset.events)
events.addEventListener("changed", reload)
events.onopen = () => document.body.classList.remove("lost")
events.onerror = () => document.body.classList.add("lost")
`)
