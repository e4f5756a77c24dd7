// swift-format-ignore-file
// Made by live/generate.py of live/*.html, *.css and *.js: change those.

extension LivePage {
    static let part1 = #"""
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>Weir</title>
        <link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='%230b62c4'/%3E%3Cpath d='M2 6c2 0 2-2 4-2s2 2 4 2 2-2 4-2M2 12c2 0 2-2 4-2s2 2 4 2 2-2 4-2' fill='none' stroke='%23fff' stroke-width='1.8' stroke-linecap='round'/%3E%3C/svg%3E">
        <style>:root {
        --back: #f5f7f9; --face: #fff; --text: #17202b; --soft: #536172; --line: #e0e5eb; --hover: #f0f4f8;
        --link: #0b62c4; --in: #0b62c4; --out: #7446cc; --ok: #10713f; --warn: #8a5300; --bad: #b3261e; --idle: #5b6876;
        --ok-back: #e6f4ec; --warn-back: #fdf1dc; --bad-back: #fdeae8;
        }
        @media (prefers-color-scheme: dark) {
        :root {
        --back: #0f151c; --face: #171f29; --text: #e7ecf2; --soft: #9dabba; --line: #29343f; --hover: #1d2732;
        --link: #74b6ff; --in: #74b6ff; --out: #b9a0ff; --ok: #5acb92; --warn: #eab652; --bad: #ff8f85; --idle: #93a1b0;
        --ok-back: #14291f; --warn-back: #2d2413; --bad-back: #331b1a;
        }
        }
        * { box-sizing: border-box; margin: 0; padding: 0; }
        html { -webkit-text-size-adjust: 100%; }
        body {
        background: var(--back); color: var(--text); padding: 0 clamp(14px, 3vw, 40px) 28px; margin: auto; max-width: 1440px;
        font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
        font-variant-numeric: tabular-nums;
        }
        a { color: var(--link); text-underline-offset: .2em; text-decoration-thickness: 1px; }
        :focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 4px; }
        #routes:focus-visible { outline: none; }
        .muted { color: var(--soft); }
        .unseen, .skip:not(:focus) { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
        .skip:focus { position: absolute; top: 8px; background: var(--face); padding: 6px 12px; z-index: 2; }
        header { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; gap: 4px 24px; padding: 18px 0 14px; font-size: 13px; }
        .brand { display: flex; align-items: center; gap: 9px; font-size: 17px; font-weight: 650; letter-spacing: -.01em; }
        .brand svg { width: 22px; height: 22px; fill: none; stroke: var(--link); stroke-width: 1.9; stroke-linecap: round; }
        section { background: var(--face); border: 1px solid var(--line); border-radius: 12px; padding: 18px 20px; margin-bottom: 16px; }
        h2 { font-size: 15px; font-weight: 650; margin-bottom: 8px; }
        h3 { font-size: 12px; font-weight: 600; color: var(--soft); margin-bottom: 4px; }
        ul, ol { list-style: none; }
        #summary { border-left: 5px solid var(--idle); }
        #summary[data-state=ok] { border-left-color: var(--ok); }
        #summary[data-state=warn] { border-left-color: var(--warn); }
        #summary[data-state=bad] { border-left-color: var(--bad); }
        h1 { font-size: clamp(20px, 2.4vw, 26px); font-weight: 650; letter-spacing: -.015em; line-height: 1.25; }
        #trouble { margin-top: 12px; display: grid; gap: 6px; }
        #trouble li { padding: 7px 12px; border-radius: 8px; background: var(--warn-back); overflow-wrap: anywhere; }
        #trouble li[data-state=bad] { background: var(--bad-back); }
        #tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 14px 24px; margin-top: 18px; }
        #tiles dt { font-size: 12px; color: var(--soft); }
        #tiles dd { font-size: 20px; font-weight: 600; letter-spacing: -.01em; white-space: nowrap; }
        #tiles small { font-size: 12px; font-weight: 400; color: var(--soft); letter-spacing: 0; }
        #tiles svg { width: 100%; height: 26px; display: block; margin-top: 4px; }
        svg.chart { overflow: visible; }
        .chart path { fill: none; stroke: var(--in); stroke-width: 1.5; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
        .chart path.out { stroke: var(--out); }
        .chart path.bad { stroke: var(--bad); }
        .chart path.area { fill: var(--in); stroke: none; opacity: .12; }
        .bar { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: 8px 16px; margin-bottom: 6px; }
        .bar h2 { margin: 0; }
        input { font: inherit; color: inherit; background: var(--back); border: 1px solid var(--soft); border-radius: 8px; padding: 5px 11px; width: 220px; max-width: 100%; }
        input::placeholder { color: var(--soft); opacity: 1; }
        table { width: 100%; border-collapse: collapse; }
        th { text-align: left; font-size: 12px; font-weight: 600; color: var(--soft); border-bottom: 1px solid var(--line); white-space: nowrap; }
        th button { font: inherit; color: inherit; background: none; border: 0; padding: 7px 10px 7px 0; cursor: pointer; }
        th[aria-sort] button { color: var(--text); }
        th[aria-sort] button::after { content: " ↓"; }
        th.number, td.number { text-align: right; }
        th.number { padding-left: 18px; }
        th.number button { padding: 7px 0; }
        th.spark, td.spark { padding-left: 26px; }
        td { padding: 9px 10px 9px 0; border-bottom: 1px solid var(--line); vertical-align: middle; }
        td.number { padding: 9px 0 9px 18px; white-space: nowrap; }
        tbody tr:last-child > td { border-bottom: 0; }
        tr.route:hover { background: var(--hover); }
        tr.route { cursor: pointer; }
        .name { font: inherit; font-weight: 600; color: inherit; text-align: left; background: none; border: 0; cursor: pointer; overflow-wrap: anywhere; }
        .name::before { content: ""; display: inline-block; width: 0; height: 0; border: 4px solid transparent; border-left: 6px solid var(--soft); margin-right: 4px; }
        .name[aria-expanded=true]::before { border-left: 4px solid transparent; border-top: 6px solid var(--soft); border-bottom-width: 0; margin-right: 6px; vertical-align: 1px; }
        .where { font-size: 12px; color: var(--soft); padding-left: 14px; overflow-wrap: anywhere; }
        .why { font-size: 12px; color: var(--soft); white-space: normal; }
        td.spark { width: 160px; }
        .spark svg { width: 134px; height: 26px; display: block; }
        .state { display: inline-flex; align-items: center; gap: 6px; font-size: 12px; font-weight: 600; border-radius: 99px; padding: 2px 10px 2px 8px; white-space: nowrap; color: var(--idle); background: var(--hover); }
        .state::before { content: "○"; }
        [data-state=ok] > .state, .state[data-state=ok] { color: var(--ok); background: var(--ok-back); }
        .state[data-state=ok]::before { content: "●"; }
        .state[data-state=warn] { color: var(--warn); background: var(--warn-back); }
        .state[data-state=warn]::before { content: "▲"; }
        .state[data-state=bad] { color: var(--bad); background: var(--bad-back); }
        .state[data-state=bad]::before { content: "■"; }
        .bad { color: var(--bad); }
        .warn { color: var(--warn); }
        .detail > td { padding: 4px 0 20px 14px; }
        .grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(250px, 100%), 1fr)); gap: 20px 28px; }
        .grid .wide { grid-column: 1 / -1; }
        .plot svg { width: 100%; height: 74px; display: block; border-bottom: 1px solid var(--line); }
        .plot p { display: flex; justify-content: space-between; gap: 10px; font-size: 12px; color: var(--soft); }
        .key-in { color: var(--in); } .key-out { color: var(--out); }
        .counts { font-size: 13px; }
        .counts li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 2px 12px; padding: 2px 0; }
        .counts i { grid-column: 1 / -1; height: 3px; border-radius: 2px; background: var(--in); min-width: 2px; }
        .counts li.bad i { background: var(--bad); }
        .hint { font-size: 13px; padding: 2px 0; overflow-wrap: anywhere; }
        code { font: 12px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: var(--hover); border-radius: 4px; padding: 1px 5px; overflow-wrap: anywhere; }
        .columns { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 16px; align-items: start; }
        #events li, .list li { display: grid; grid-template-columns: 76px minmax(0, 1fr); gap: 2px 12px; padding: 7px 0; border-bottom: 1px solid var(--line); font-size: 14px; overflow-wrap: anywhere; }
        .list li { grid-template-columns: auto minmax(0, 1fr); align-items: baseline; }
        #events li:last-child, .list li:last-child { border-bottom: 0; }
        #events time { color: var(--soft); font-size: 12px; line-height: 1.75; }
        #events b { font-weight: 600; }
        footer { display: flex; flex-wrap: wrap; gap: 6px 20px; font-size: 13px; }
        @media (max-width: 900px) { .columns { grid-template-columns: minmax(0, 1fr); gap: 0; } th.spark, td.spark { display: none; } }
        @media (max-width: 640px) {
        section { padding: 14px; border-radius: 10px; }
        #tiles { grid-template-columns: repeat(2, 1fr); }
        thead, thead tr { display: block; position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
        table, tbody, tr, td { display: block; }
        tr.route { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 4px 12px; padding: 10px 0; border-bottom: 1px solid var(--line); }
        tr.route > td { border: 0; padding: 0; }
        tr.route > td.who { grid-column: 1 / 3; grid-row: 1; }
        tr.route > td.how { grid-column: 3; grid-row: 1; justify-self: end; }
        td.number { text-align: left; padding: 0; white-space: normal; }
        td[data-none] { display: none; }
        td.number::before { content: attr(data-label); display: block; font-size: 11px; color: var(--soft); }
        .detail > td { padding: 8px 0 16px; }
        input { width: 100%; }
        .search { flex: 1 1 160px; }
        }</style>
        </head>
        <body>
        <a class="skip" href="#routes">To the routes</a>
        <header>
        <p class="brand"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M1 6c2.3 0 2.3-2 4.6-2s2.3 2 4.7 2 2.3-2 4.7-2M1 12c2.3 0 2.3-2 4.6-2s2.3 2 4.7 2 2.3-2 4.7-2"></path></svg>Weir</p>
        <p id="facts" class="muted"></p>
        </header>
        <main>
        <section id="summary" data-state="wait" aria-label="Summary">
        <div role="status"><h1 id="verdict">Asking…</h1></div>
        <p id="flow" class="muted"></p>
        <ul id="trouble" hidden></ul>
        <dl id="tiles"></dl>
        </section>
        <noscript><p>This page needs JavaScript of its own. The same figures are at <a href="metrics">/metrics</a>.</p></noscript>
        <section aria-label="Routes">
        <div class="bar"><h2 id="routes" tabindex="-1">Routes</h2>
        <label class="search"><span class="unseen">Show routes whose name, port or upstream has</span><input id="filter" type="search" placeholder="Filter" autocomplete="off" spellcheck="false"></label></div>
        <table id="table" role="table" aria-label="Routes">
        <thead role="rowgroup"><tr role="row" id="head"></tr></thead>
        <tbody role="rowgroup" id="rows"></tbody>
        </table>
        <p id="none" class="muted" hidden>No route fits.</p>
        </section>
        <div class="columns">
        <section aria-label="Events"><h2 id="h-events">Events</h2><ol id="events"></ol></section>
        <div>
        <section aria-label="Upstreams"><h2 id="h-upstreams">Upstreams</h2><ul id="upstreams" class="list"></ul></section>
        <section id="s-certificates" aria-label="Certificates" hidden><h2 id="h-certificates">Certificates</h2><ul id="certificates" class="list"></ul></section>
        <section id="s-agents" aria-label="Agents" hidden><h2 id="h-agents">Agents</h2><ul id="agents" class="list"></ul></section>
        <section id="s-engines" aria-label="Containers" hidden><h2 id="h-engines">Containers</h2><ul id="engines" class="list"></ul></section>
        <section aria-label="Configuration"><h2 id="h-configuration">Configuration</h2><ul id="configuration" class="list"></ul></section>
        </div>
        </div>
        </main>
        <footer class="muted"><a href="metrics">/metrics</a><a href="api/v1/status">/api/v1/status</a><a href="healthz">/healthz</a><a href="readyz">/readyz</a></footer>
        <script>"use strict";
        const POINTS = 180;
        const SERIES = ["in", "out", "active", "opened", "failed", "dial", "lost"];
        const FRESH = 60000;
        const WORDS = {
        refused: "connection refused", timeout: "no answer in time", unreachable: "no way to the host",
        reset: "reset by the upstream", dns_not_found: "its name does not exist", dns_timeout: "no answer from the name server",
        dns_failure: "its name cannot be looked up", fd_limit: "no descriptor left here",
        address_unavailable: "no local port left here", permission: "forbidden by this host",
        loop: "its name leads back to Weir", tls: "the TLS handshake failed", agent: "no way through its agent",
        agent_denied: "its agent does not allow it", canceled: "the client went away first",
        other: "another error", too_big: "a datagram is too big for the way", memory: "no memory left here",
        aborted: "the client went away first",
        client_eof: "ended by the client", upstream_eof: "ended by the upstream", client_reset: "reset by the client",
        upstream_reset: "reset by the upstream", idle_timeout: "silent for too long", half_close_timeout: "half closed for too long",
        client_timeout: "the client was gone", upstream_timeout: "the upstream was gone", dial_failed: "dials failed",
        upstream_down: "its upstream went down", hook: "by a hook", drained: "the drain time was over", killed: "killed at the end",
        error: "an error here", admin: "by an operator", idle: "silent for long enough", responses: "all answers came",
        evicted: "made room for another", network_evicted: "made room for another network", upstream_error: "error of the upstream",
        route_removed: "the route was removed",
        acl: "denied by an access rule", route_limit: "the route's limit", session_limit: "too many sessions",
        per_ip_limit: "the limit of one address", rate_limit: "too fast", no_upstream: "no upstream is up",
        upstream_limit: "every upstream is full", proxy_protocol: "a wrong PROXY header", probe: "a health probe", draining: "drains",
        destination: "asked for a destination that it does not get",
        bandwidth: "over the bandwidth", queue_full: "a queue was full", send_buffer: "a socket was full", truncated: "truncated",
        too_large: "too large to send", amplification: "would amplify", stale_session: "of an old session",
        kernel_overflow: "the kernel's buffer was full",
        check: "a health check", unanswered: "left questions unanswered", network_error: "errors of the network",
        engine: "its container engine", recovered: "its time was over",
        up: "up", ejected: "ejected", down: "down", routed: "routed", not_stream: "of no route", not_running: "not running",
        unhealthy: "unhealthy",
        };
        const ADVICE = {
        refused: ["Nothing listens at the upstream's port: is the program running, and at this port?", "WeirDialFailures"],
        timeout: ["Packets vanish: a firewall, a full backlog, or a host that is down.", "WeirDialFailures"],
        unreachable: ["There is no route to the host: look at its address and at ip route.", "WeirDialFailures"],
        reset: ["It answers the dial with a reset: a proxy or firewall in front of it refuses.", "WeirDialFailures"],
        dns_not_found: ["The upstream's name does not exist: getent hosts NAME says what this host finds.", "WeirUpstreamNameStale"],
        dns_timeout: ["The name servers do not answer: look at /etc/resolv.conf.", "WeirUpstreamNameStale"],
        dns_failure: ["The name servers answer with an error.", "WeirUpstreamNameStale"],
        fd_limit: ["The process is out of descriptors: raise LimitNOFILE.", "WeirDescriptorsNearLimit"],
        address_unavailable: ["This host has no port left for the upstream: look at ip_local_port_range.", "WeirDialFailures"],
        permission: ["A firewall of this host forbids the dial.", "WeirDialFailures"],
        tls: ["Names, authorities or versions of the upstream's TLS do not fit.", "WeirTlsHandshakeFailures"],
        agent: ["The agent in front of the upstream is away, or takes no tunnel: does it run, and answer?", "WeirAgentDown"],
        agent_denied: ["The agent's allow list does not have the upstream.", "WeirAgentDenied"],
        acl: ["Access rules deny clients: the log has a line for each, with its rule.", "WeirDenialsSurge"],
        route_limit: ["max_connections of the route is reached.", "WeirRouteNearLimit"],
        session_limit: ["max_sessions of the route is reached.", "WeirRouteNearLimit"],
        per_ip_limit: ["One client has max_connections_per_ip.", "WeirLimitRejections"],
        rate_limit: ["Clients come faster than rate_limit.", "WeirLimitRejections"],
        no_upstream: ["Every upstream is out: the list below says since when, and why.", "WeirRouteWithoutUpstream"],
        destination: ["Clients ask this agent for what its allow list does not have: the log has a line for each.", "WeirAgentDenied"],
        proxy_protocol: ["Peers send no PROXY header, or a wrong one.", "WeirProxyHeaderErrors"],
        };
        const sum = (counts) => Object.values(counts || {}).reduce((a, b) => a + b, 0);
        const words = (reason) => WORDS[reason] || String(reason).replaceAll("_", " ");
        const blamable = (failures) => sum(failures) - (failures.canceled || 0);
        class Rings {
        constructor() { this.reset(); }
        reset() { this.times = new Float64Array(POINTS); this.next = 0; this.count = 0; this.rows = new Map(); this.total = this.row(); }
        row() { return Object.fromEntries(SERIES.map((name) => [name, new Float32Array(POINTS).fill(NaN)])); }
        begin(now) {
        this.at = this.next;
        this.times[this.at] = now;
        this.next = (this.next + 1) % POINTS;
        this.count = Math.min(this.count + 1, POINTS);
        for (const name of SERIES) {
        this.total[name][this.at] = this.count > 1 || name === "active" ? 0 : NaN;
        for (const row of this.rows.values()) row[name][this.at] = NaN;
        }
        }
        put(key, figures) {
        let row = this.rows.get(key);
        if (!row) this.rows.set(key, row = this.row());
        for (const name of SERIES) {
        row[name][this.at] = figures[name];
        if (figures[name] > 0) this.total[name][this.at] += figures[name];
        }
        }
        get oldest() { return this.times[this.count < POINTS ? 0 : this.next]; }
        keep(keys) { for (const key of this.rows.keys()) if (!keys.has(key)) this.rows.delete(key); }
        points(row, name, limit) {
        const found = [];
        for (let back = Math.min(this.count, limit || POINTS); back > 0; back--) {
        const index = (this.next - back + POINTS) % POINTS;
        found.push([this.times[index], row[name][index]]);
        }
        return found;
        }
        }
        class Model {
        constructor() { this.rings = new Rings(); this.routes = new Map(); this.document = null; }
        take(document) {
        const before = this.document;
        const isSame = before && before.started === document.started && document.now > before.now;
        if (before && !isSame) { this.rings.reset(); this.routes.clear(); }
        const seconds = isSame ? (document.now - before.now) / 1000 : 0;
        this.document = document;
        this.rings.begin(document.now);
        const keys = new Set();
        for (const [place, data] of document.routes.entries()) {
        const key = data.protocol + " " + data.name;
        keys.add(key);
        let route = this.routes.get(key);
        if (!route) this.routes.set(key, route = { key, upstreams: new Map() });
        route.place = place;
        this.advance(route, data, seconds, document);
        }
        for (const key of this.routes.keys()) if (!keys.has(key)) this.routes.delete(key);
        this.rings.keep(keys);
        }
        advance(route, data, seconds, document) {
        const old = route.data;
        route.data = data;
        const rate = (value, before) => old && seconds > 0 ? Math.max(0, value - before) / seconds : NaN;
        route.failures = {};
        let [dials, dialSeconds, failed, dialsBefore, secondsBefore, failedBefore] = [0, 0, 0, 0, 0, 0];
        for (const upstream of data.upstreams) {
        const known = route.upstreams.get(upstream.name);
        const counted = { dials: upstream.dials, failed: blamable(upstream.failures) + sum(upstream.errors), seconds: upstream.dial_seconds || 0 };
        counted.good = counted.dials - sum(upstream.failures);
        for (const counts of [upstream.failures, upstream.errors || {}]) {
        for (const reason in counts) route.failures[reason] = (route.failures[reason] || 0) + counts[reason];
        }
        const isGood = known && (data.protocol === "udp" ? old.bytes[1] < data.bytes[1] : counted.good > known.good);
        this.judge(upstream, known, counted, isGood, data, document);
        dials += counted.good; dialSeconds += counted.seconds; failed += counted.failed;
        if (known) { dialsBefore += known.good; secondsBefore += known.seconds; failedBefore += known.failed; }
        route.upstreams.set(upstream.name, counted);
        }
        for (const name of route.upstreams.keys()) {
        if (!data.upstreams.some((upstream) => upstream.name === name)) route.upstreams.delete(name);
        }
        route.dropped = sum(data.ingress_drops) + sum(data.egress_drops);
        route.denied = data.rejected.acl || 0;
        route.failed = failed;
        route.now = {
        in: rate(data.bytes[0], old && old.bytes[0]), out: rate(data.bytes[1], old && old.bytes[1]), active: data.active,
        opened: rate(data.accepted, old && old.accepted), failed: rate(failed, failedBefore),
        dial: old && dials > dialsBefore ? (dialSeconds - secondsBefore) / (dials - dialsBefore) * 1000 : NaN,
        lost: rate(route.dropped + sum(data.rejected), old && sum(old.ingress_drops) + sum(old.egress_drops) + sum(old.rejected)),
        };
        this.rings.put(route.key, route.now);
        if (old && data.accepted > old.accepted || route.now.in > 0 || route.now.out > 0) route.movedAt = document.now;
        Object.assign(route, this.verdict(route, document));
        }
        judge(upstream, known, counted, isGood, data, document) {
        counted.failedAt = known ? known.failedAt : 0;
        counted.goodAt = known ? known.goodAt : 0;
        counted.reason = known ? known.reason : "";
        if (!known) {
        const event = document.events.find((event) => event.route === data.name && event.reason && event.level === "error"
        && event.text.endsWith(": " + upstream.name));
        if (event && document.now - event.last < FRESH) { counted.failedAt = event.last; counted.reason = event.reason; }
        counted.counts = { ...upstream.failures, ...upstream.errors };
        return;
        }
        if (isGood) counted.goodAt = document.now;
        counted.counts = { ...upstream.failures, ...upstream.errors };
        if (counted.failed > known.failed) {
        counted.failedAt = document.now;
        for (const reason in counted.counts) {
        if (reason !== "canceled" && counted.counts[reason] > (known.counts[reason] || 0)) counted.reason = reason;
        }
        }
        }
        verdict(route, document) {
        const members = route.data.members || [];
        const out = members.filter((member) => member.state === "down" || member.state === "ejected");
        const drained = members.filter((member) => member.state === "draining");
        const named = (member) => member.name + " is " + words(member.state) + (member.cause ? " (" + words(member.cause) + ")" : "");
        if (members.length > 0 && out.length + drained.length === members.length && out.length > 0) {
        return { rank: 4, state: "bad", word: "Down", why: "no upstream is up: " + named(out[0]) };
        }
        if (route.data.draining) return { rank: 1, state: "warn", word: "Draining", why: "an operator drains the route" };
        const checked = [...route.upstreams].filter(([, upstream]) => upstream.failedAt > 0 && document.now - upstream.failedAt < FRESH);
        const failing = checked.filter(([, upstream]) => upstream.failedAt > upstream.goodAt);
        const because = ([name, upstream]) => name + ": " + words(upstream.reason || "other");
        if (members.length === 0 && failing.length > 0) {
        return { rank: 3, state: "bad", word: "Failing", why: because(failing[0]) };
        }
        if (out.length > 0) return { rank: 2, state: "warn", word: "Degraded", why: out.length + " of " + members.length + " upstreams out: " + named(out[0]) };
        if (checked.length > 0) return { rank: 2, state: "warn", word: "Failing at times", why: because(checked[0]) };
        if (members.length > 0 && drained.length === members.length) return { rank: 1, state: "warn", word: "Draining", why: "every upstream drains" };

        """#
}
