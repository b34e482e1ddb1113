/**
 * What every random property tries: the same cases each time, so that a run says something of the change that is tried
 * and nothing of luck. `FAST_CHECK_TIMES=20` searches: twenty times as many cases, and others in each run.
 */

const asked = process.env["FAST_CHECK_TIMES"]

export const times = Number(asked ?? 1)

/** For the options of every property. */
export const seed = asked === undefined ? { seed: 20261126 } : {}

interface Options {
  readonly timeout?: number
  readonly fastCheck?: { readonly numRuns?: number }
}

/** The third argument of `it.prop` and its like with so many runs, and with the time for them. */
export const lengthened = (options: Options | number | undefined, factor: number): Options => {
  const { fastCheck = {}, timeout = USUAL_TIMEOUT, ...others } = typeof options === "number"
    ? { timeout: options }
    : options ?? {}
  return {
    ...others,
    timeout: timeout * factor,
    fastCheck: fastCheck.numRuns === undefined
      ? fastCheck
      : { ...fastCheck, numRuns: Math.ceil(fastCheck.numRuns * factor) }
  }
}

/** As vitest.config.ts says, in milliseconds. */
const USUAL_TIMEOUT = 300_000

/** `it.prop`, or one of its like, that does so. */
export const longer = <F extends (...call: [any, any, any, any?]) => unknown>(prop: F): F =>
  ((name: unknown, arbitraries: unknown, self: unknown, options?: Options | number) =>
    prop(name, arbitraries, self, lengthened(options, times))) as F
