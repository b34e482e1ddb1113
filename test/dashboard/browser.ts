/** Chromium, if there is one on this machine. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { existsSync } from "node:fs"
import type { Browser, BrowserContextOptions, Page } from "playwright-core"
import { chromium } from "playwright-core"

const executablePath = [process.env["CHROMIUM"] ?? "", "/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) =>
  path !== "" && existsSync(path)
)

/** Of a busy machine; what is not there by then never comes. */
const PATIENCE_MILLIS = 120_000

export const isThere = executablePath !== undefined

export const browser: Effect.Effect<Browser, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() =>
    chromium.launch({ executablePath: executablePath!, args: ["--no-sandbox"], timeout: PATIENCE_MILLIS })
  ),
  (browser) => Effect.promise(() => browser.close())
)

/** A window of a viewer of its own. Whatever its console complains about is kept. */
export const openPage = (browser: Browser, options: BrowserContextOptions = {}) =>
  Effect.promise(async (): Promise<{ readonly page: Page; readonly complaints: ReadonlyArray<string> }> => {
    const page = await (await browser.newContext(options)).newPage()
    const complaints: Array<string> = []
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()))
    page.on("pageerror", (error) => complaints.push(String(error)))
    page.on("dialog", (dialog) => {
      complaints.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    page.setDefaultTimeout(PATIENCE_MILLIS)
    return { page, complaints }
  })
