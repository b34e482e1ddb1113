/**
 * The command that shows the jobs of the program in a browser of this machine.
 */
import * as Terminal from "@effect/platform/Terminal"
import * as Effect from "effect/Effect"
import * as Dashboard from "../dashboard/Dashboard.js"
import type { Command } from "./command.js"
import { command } from "./command.js"
import type { CliContext, Work } from "./context.js"
import { print } from "./context.js"
import { integer, optional, toggle, withDefault } from "./flag.js"

/** @internal */
export const dashboard = (context: CliContext): Command<Work> =>
  command(
    {
      words: ["dashboard"],
      group: "Look",
      summary: "Show executions in a browser of this machine, until it is interrupted",
      flags: {
        port: withDefault(optional("port", "number", "The port of 127.0.0.1", integer), 8787),
        operate: toggle(
          "operate",
          "With buttons to run, stop, restart, recover and give up; without it one may only look"
        )
      },
      args: {}
    },
    ({ operate, port }) =>
      Effect.flatMap(Terminal.Terminal, (terminal) =>
        Effect.provide(
          Dashboard.serve({
            port,
            ...(operate ? { access: Dashboard.loopback("operate") } : {}),
            onListen: (url) =>
              Effect.provideService(
                print(`${context.name} is shown at ${url}${operate ? "" : " (read only)"}. Ctrl-C ends that.`),
                Terminal.Terminal,
                terminal
              )
          }),
          context.live
        ))
  )
