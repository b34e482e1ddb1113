/**
 * One execution as one file of HTML without links, scripts or anything from elsewhere: to be mailed, kept and printed.
 */
import type * as DateTime from "effect/DateTime"
import type { FlowGraph } from "../definition/graph.js"
import type { ExecutionData } from "./data.js"
import { html } from "./html.js"
import { picture } from "./picture.js"
import * as Section from "./sections.js"
import { style } from "./style.js"
import { time } from "./words.js"

export const report = (data: ExecutionData, graph: FlowGraph | undefined, now: DateTime.Utc): string => {
  const { execution, steps } = data
  const title = `${execution.instance.jobName} – execution ${execution.id}`
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title><style>${style}</style></head><body><main>
<h1>${title}</h1>
${Section.causes(data)}
${Section.facts(data, now, undefined)}
${graph === undefined ? undefined : html`<h2>Flow</h2><div class="wide">${picture(graph, steps)}</div>`}
<h2>Steps</h2>${Section.stepTable(steps, now)}
${Section.partTable(data.parts, now, undefined)}
<h2>Control totals</h2>${Section.totals(steps)}
<h2>Skipped records</h2>${Section.skippedTable(data, undefined)}
<h2>Difference to the last execution that completed</h2>${Section.difference(data, now, undefined)}
<p class="dim">Made at ${time(now)} from the job repository.</p>
</main></body></html>
`.markup
}
