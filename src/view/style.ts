/**
 * The looks of reports and of the dashboard: light and dark, on a phone and on paper.
 */
import { trusted } from "./html.js"

export const style = trusted(`
:root { color-scheme: light dark; --fg: #1b1f24; --bg: #fff; --soft: #f3f5f7; --line: #c9d1d9; --dim: #57606a;
  --good: #1a7f37; --bad: #cf222e; --warn: #8a5a00; --busy: #0757ba; --odd: #7a2fa0;
  --good-bg: #dafbe1; --bad-bg: #ffebe9; --warn-bg: #fff4d0; --busy-bg: #ddf0ff; --odd-bg: #f6e7ff }
@media (prefers-color-scheme: dark) { :root { --fg: #e6edf3; --bg: #0d1117; --soft: #161b22; --line: #3d444d;
  --dim: #9da7b3; --good: #56d364; --bad: #ff7b72; --warn: #e3b341; --busy: #79c0ff; --odd: #d2a8ff;
  --good-bg: #0f2a18; --bad-bg: #3a1315; --warn-bg: #33270a; --busy-bg: #0c2440; --odd-bg: #2a1840 } }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--fg); background: var(--bg); margin: 0 auto; max-width: 72rem;
  padding: 0 1rem 3rem; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin: 1rem 0 .5rem } h2 { font-size: 1.1rem; margin: 1.75rem 0 .5rem }
a { color: var(--busy) } a:focus-visible, button:focus-visible, summary:focus-visible, input:focus-visible,
select:focus-visible { outline: 3px solid var(--busy); outline-offset: 2px }
nav { display: flex; gap: 1rem; flex-wrap: wrap; padding: .75rem 0; border-bottom: 1px solid var(--line) }
.skip { position: absolute; left: -99rem } .skip:focus { left: 1rem; background: var(--bg); padding: .5rem }
.wide { overflow-x: auto } table { border-collapse: collapse; width: 100%; margin: .25rem 0 }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums } th { color: var(--dim); font-weight: 600 }
.dim { color: var(--dim) } pre { background: var(--soft); padding: .6rem; overflow-x: auto; white-space: pre-wrap }
.badge { display: inline-block; padding: 0 .5em; border-radius: 1em; font-weight: 600; border: 1px solid currentColor }
.COMPLETED { color: var(--good); background: var(--good-bg) } .FAILED { color: var(--bad); background: var(--bad-bg) }
.STARTING, .STARTED { color: var(--busy); background: var(--busy-bg) }
.STOPPING, .STOPPED { color: var(--warn); background: var(--warn-bg) }
.ABANDONED, .UNKNOWN { color: var(--odd); background: var(--odd-bg) }
.cause, .say { border-left: 4px solid var(--bad); background: var(--soft); padding: .5rem .8rem; margin: .5rem 0 }
.say { border-color: var(--busy) } dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem }
dt { color: var(--dim) } dd { margin: 0 } form.inline { display: inline } .actions { display: flex; gap: .5rem; flex-wrap: wrap }
button { font: inherit; padding: .3rem .8rem; border: 1px solid var(--line); border-radius: .4rem; background: var(--soft);
  color: var(--fg); cursor: pointer } label { display: block; margin: .6rem 0 .1rem; font-weight: 600 }
input, select { font: inherit; padding: .3rem; width: 100%; max-width: 30rem; color: var(--fg); background: var(--bg);
  border: 1px solid var(--line); border-radius: .3rem } .offline { display: none }
.lost .offline { display: block; border-left: 4px solid var(--warn); padding: .5rem .8rem; background: var(--warn-bg) }
svg { max-width: 100%; height: auto } svg text { fill: var(--fg); font: 12px system-ui, sans-serif }
svg .box { fill: var(--soft); stroke: var(--line) } svg .edge { fill: none; stroke: var(--dim) }
svg .tip { fill: var(--dim) } svg .small { fill: var(--dim); font-size: 10px } svg .bar { fill: var(--busy) }
svg .box.COMPLETED { fill: var(--good-bg); stroke: var(--good) } svg .box.FAILED { fill: var(--bad-bg); stroke: var(--bad) }
svg .box.STARTING, svg .box.STARTED { fill: var(--busy-bg); stroke: var(--busy) }
svg .box.STOPPING, svg .box.STOPPED { fill: var(--warn-bg); stroke: var(--warn) }
svg .box.ABANDONED, svg .box.UNKNOWN { fill: var(--odd-bg); stroke: var(--odd) }
svg .bar.COMPLETED { fill: var(--good) } svg .bar.FAILED { fill: var(--bad) } svg .bar.STOPPED { fill: var(--warn) }
@media print { nav, button, form { display: none } body { max-width: none } }
`)
