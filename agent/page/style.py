"""The page's looks: one sheet for light and dark, wide and narrow; its hash, by which alone a browser applies it."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root{color-scheme:light dark;--ink:#1c2321;--paper:#fbfaf7;--card:#fff;--line:#d8d5cc;--good:#1f6f43;--bad:#a3241b;
--soft:#5c635f;--link:#1d5a8a}
@media(prefers-color-scheme:dark){:root{--ink:#e8e6e0;--paper:#171a19;--card:#1f2322;--line:#3a3f3c;--good:#7fd0a3;
--bad:#ff9a8f;--soft:#a9b0ab;--link:#8ec5f0}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem;
color:var(--ink);background:var(--paper)}
a{color:var(--link)}.skip{position:absolute;left:-99rem}.skip:focus{left:1rem}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;padding:0 0 .5rem;margin:.3rem 0 1.2rem;
border-bottom:1px solid var(--line)}
nav a{display:inline-block;padding:.35rem 0;text-decoration:none}nav a[aria-current]{color:var(--ink);font-weight:600;
border-bottom:3px solid var(--good)}
.coloc{font-weight:600;margin:0}h1{font-size:1.5rem;margin:.2rem 0 .6rem}h2{font-size:1.15rem;margin:1.8rem 0 .4rem}
h3{font-size:1rem;margin:1.2rem 0 .3rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .8rem .35rem 0;vertical-align:top;
border-bottom:1px solid var(--line)}th{font-weight:600;color:var(--soft);font-size:.9rem}
time{white-space:nowrap}td.n{font-variant-numeric:tabular-nums;white-space:nowrap}
.good{color:var(--good)}.bad{color:var(--bad)}
.soft{color:var(--soft);font-size:.9rem}.box{overflow-x:auto}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.8rem;padding:0;margin:1rem 0}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.7rem .9rem}
.tiles dt{color:var(--soft);font-size:.9rem}.tiles dd{margin:0;font-size:1.15rem;font-weight:600}
.tiles dd.soft{font-size:.9rem;font-weight:400}
code{font-size:.95em;overflow-wrap:anywhere}summary{cursor:pointer;padding:.2rem 0}
.calendars,.curves{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(17rem,100%),1fr));gap:.5rem 2rem}
.calendar th,.calendar td{padding:.2rem;font-size:.85rem;white-space:nowrap}
.calendar{table-layout:fixed}.calendar time{color:var(--soft);font-size:.8rem;display:block}
.calendar .bad{display:block}
.calendar td{border:1px solid var(--line)}
figure{margin:0}svg{width:100%;height:8rem;display:block;border:solid var(--line);border-width:0 0 1px 1px}
polyline,line{fill:none;stroke:var(--good);stroke-width:2;vector-effect:non-scaling-stroke}
polygon{fill:var(--good);opacity:.15}line{stroke:var(--bad);stroke-dasharray:6 4}
.ends{display:flex;justify-content:space-between;margin:.1rem 0}figcaption{font-size:.9rem}
@media(max-width:40rem){.box thead{position:absolute;left:-99rem}.box tr{display:block;padding:.4rem 0;
border-bottom:1px solid var(--line)}.box td{display:block;position:relative;border:0;
padding:.1rem 0 .1rem 8.6rem;min-height:1.7rem}
.box td::before{content:attr(data-head);color:var(--soft);font-size:.9rem;position:absolute;left:0;width:8.4rem}
.tiles time,.box time{white-space:normal}}
footer{margin-top:2.5rem;border-top:1px solid var(--line)}
"""

STYLE_HASH = f"sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}"
