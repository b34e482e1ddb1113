/**
 * Tells a page that what it shows has changed: the page is made again every now and then, and compared.
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Page, View } from "./page.js"
import { stateOf } from "./page.js"

/** What a page looks like while it cannot be made. */
const AWAY = "away"

/**
 * A stream of events for the page that the query names. It begins with what the page itself shows, so nothing that happens
 * between is missed. A page that takes long to make is made less often: at most a tenth of the time.
 */
export const events = <R>(
  view: View,
  page: (view: View) => Effect.Effect<Page, unknown, R>,
  refresh: Duration.DurationInput
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R> =>
  Effect.map(Effect.context<R>(), (context) => {
    const [of, known] = [view.query.get("of") ?? "/", view.query.get("state") ?? ""]
    const query = new URLSearchParams(of.split("?")[1] ?? "")
    const state = Effect.gen(function*() {
      const now = yield* DateTime.now
      const { live } = yield* page({ ...view, now, path: of, query })
      return stateOf(live)
    }).pipe(Effect.catchAllCause(() => Effect.succeed(AWAY)))
    const poll = (last: { readonly state: string; readonly pause: number }) =>
      Effect.gen(function*() {
        yield* Effect.sleep(last.pause)
        const began = yield* Clock.currentTimeMillis
        const next = yield* state
        const took = (yield* Clock.currentTimeMillis) - began
        const text = next === last.state ? ": still here\n\n" : "event: changed\ndata: \n\n"
        return [text, { state: next, pause: Math.max(Duration.toMillis(refresh), 9 * took) }] as const
      })
    const texts = Stream.unfoldEffect({ state: known, pause: 0 }, (last) => Effect.asSome(poll(last)))
    return HttpServerResponse.stream(
      Stream.encodeText(Stream.provideContext(texts, context)),
      { contentType: "text/event-stream", headers: { "x-accel-buffering": "no" } }
    )
  })
