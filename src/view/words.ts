/**
 * Times, durations and numbers in words.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { Html } from "./html.js"
import { html } from "./html.js"

/** `4 min 12 s`; the two largest units. */
export const duration = (given: Duration.DurationInput): string => {
  const millis = Duration.toMillis(given)
  if (millis < 1000) {
    return `${Math.round(millis)} ms`
  }
  if (millis < 10_000) {
    return `${(millis / 1000).toFixed(1)} s`
  }
  const seconds = Math.round(millis / 1000)
  const units = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]] as const
  const first = units.findIndex(([, size]) => seconds >= size)
  return units.slice(first, first + 2).flatMap(([name, size], index) => {
    const above = index === 0 ? seconds : seconds % units[first]![1]
    const count = Math.floor(above / size)
    return index > 0 && count === 0 ? [] : [`${count} ${name}`]
  }).join(" ")
}

/** In UTC, to the second, for machines to the millisecond. */
export const time = (at: DateTime.Utc): Html => {
  const iso = DateTime.formatIso(at)
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace("T", " ")} UTC</time>`
}

export const timeOr = (at: Option.Option<DateTime.Utc>): Html =>
  Option.match(at, { onNone: () => html`–`, onSome: time })

/** `1,234,567`. */
export const number = (value: number): string => value.toLocaleString("en-US")

export const badge = (status: string, code?: string): Html =>
  html`<span class="badge ${status}">${status}</span>${
    code === undefined || code === status || code === "UNKNOWN" || code === "EXECUTING" ? undefined : html` ${code}`
  }`
