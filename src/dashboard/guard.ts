/**
 * Who may do what, and whether a request that changes something was meant: it has to come from a page of this server, with
 * the token that the page was given for the session of its viewer.
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Option from "effect/Option"
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"

/** See `Dashboard.Access`. */
export type Access = "none" | "read" | "operate"

export interface Session {
  readonly id: string
  readonly token: string
  /** Whether the viewer has to be given the cookie. */
  readonly isNew: boolean
}

export const COOKIE = "batch_session"

/** The session of a request, or a new one. */
export const sessionOf = (secret: string, request: HttpServerRequest.HttpServerRequest): Session => {
  const known = request.cookies[COOKIE]
  const id = known !== undefined && /^[\w-]{32}$/.test(known) ? known : random()
  return { id, token: tokenOf(secret, id), isNew: id !== known }
}

/** 24 random bytes as text. */
export const random = (): string => randomBytes(24).toString("base64url")

/** Why a request that changes something is refused; nothing when it is fine. */
export const refusal = (
  secret: string,
  request: HttpServerRequest.HttpServerRequest,
  token: string | undefined
): string | undefined => {
  if (!isSameOrigin(request)) {
    return "it does not come from a page of this dashboard"
  }
  const id = request.cookies[COOKIE]
  return id === undefined || token === undefined || !isSame(token, tokenOf(secret, id))
    ? "the page that it comes from has expired; go back, reload it and try again"
    : undefined
}

/**
 * Whether somebody sits at this machine. A name in the address that is not that of this machine may be one that was pointed
 * here by somebody else's page.
 */
export const isLoopback = (request: HttpServerRequest.HttpServerRequest): boolean => {
  const host = (request.headers["host"] ?? "").replace(/:\d+$/, "")
  const address = Option.getOrElse(request.remoteAddress, () => "")
  return ["localhost", "127.0.0.1", "[::1]"].includes(host) && /^(::ffff:)?127\.|^::1$/.test(address)
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const tokenOf = (secret: string, id: string): string => createHmac("sha256", secret).update(id).digest("base64url")

const isSame = (one: string, other: string): boolean => {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Browsers say where a request comes from; one that does not is none that a page of ours has sent. */
const isSameOrigin = ({ headers }: HttpServerRequest.HttpServerRequest): boolean => {
  const { host, origin } = headers
  if (headers["sec-fetch-site"] !== undefined && headers["sec-fetch-site"] !== "same-origin") {
    return false
  }
  return origin !== undefined && host !== undefined && /^https?:\/\//.test(origin) &&
    origin.replace(/^https?:\/\//, "") === host
}
