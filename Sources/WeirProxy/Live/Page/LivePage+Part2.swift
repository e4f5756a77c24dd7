// swift-format-ignore-file
// Made by live/generate.py of live/*.html, *.css and *.js: change those.

extension LivePage {
    static let part2 = #"""
        if (document.now - (route.movedAt || 0) < FRESH) return { rank: 0, state: "ok", word: "Carrying", why: "" };
        return { rank: 0, state: "idle", word: route.data.active > 0 ? "Quiet" : "Idle", why: "" };
        }
        }
        const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];
        function bytes(value, perSecond) {
        if (!(value >= 0)) return "–";
        let unit = 0;
        while (value >= 999.5 && unit < UNITS.length - 1) { value /= 1000; unit++; }
        return (unit === 0 || value >= 99.5 ? Math.round(value) : value.toPrecision(value < 9.95 ? 2 : 3)) + " " + UNITS[unit] + (perSecond ? "/s" : "");
        }
        const number = (value) => Number.isFinite(value) ? Math.round(value).toLocaleString("en") : "–";
        const few = (value) => Number.isFinite(value) ? (value >= 10 ? number(value) : String(Math.round(value * 10) / 10)) : "–";
        function span(milliseconds) {
        const seconds = Math.max(0, Math.round(milliseconds / 1000));
        if (seconds < 60) return seconds + " s";
        if (seconds < 3600) return Math.floor(seconds / 60) + " min";
        if (seconds < 172800) return Math.floor(seconds / 3600) + " h";
        return Math.floor(seconds / 86400) + " days";
        }
        const plural = (count, word) => number(count) + " " + word + (count === 1 ? "" : "s");
        function quantile(buckets, bounds, share) {
        const total = buckets.reduce((a, b) => a + b, 0);
        let seen = 0;
        for (const [index, count] of buckets.entries()) {
        seen += count;
        if (total > 0 && seen >= total * share) return index < bounds.length ? "≤ " + few(bounds[index] * 1000) + " ms" : "> " + few(bounds[bounds.length - 1] * 1000) + " ms";
        }
        return "–";
        }
        const $ = (id) => document.getElementById(id);
        const SVG = "http://www.w3.org/2000/svg";
        const model = new Model();
        function make(tag, attributes, ...children) {
        const node = document.createElement(tag);
        for (const name in attributes) node.setAttribute(name, attributes[name]);
        node.append(...children);
        return node;
        }
        function set(node, text) { text = String(text); if (node.textContent !== text) node.textContent = text; }
        function mark(node, name, value) { if (node.getAttribute(name) !== value) node.setAttribute(name, value); }
        const seconds = () => Math.min(POINTS, Math.max(30, (model.document.now - model.rings.oldest) / 1000));
        class Chart {
        constructor(classes, width, height) {
        [this.width, this.height] = [width, height];
        this.node = document.createElementNS(SVG, "svg");
        for (const [name, value] of [["viewBox", `0 0 ${width} ${height}`], ["preserveAspectRatio", "none"], ["class", "chart"], ["aria-hidden", "true"]]) this.node.setAttribute(name, value);
        this.paths = classes.map((name) => {
        const path = document.createElementNS(SVG, "path");
        path.setAttribute("class", name);
        this.node.append(path);
        return path;
        });
        }
        draw(lines) {
        const end = model.document.now;
        const begin = end - seconds() * 1000;
        let top = 0;
        for (const line of lines) for (const [time, value] of line) if (time >= begin && value > top) top = value;
        for (const [index, path] of this.paths.entries()) {
        const isArea = path.getAttribute("class") === "area";
        path.setAttribute("d", this.shape(lines[isArea ? 0 : index - (this.paths.length - lines.length)], begin, end, top || 1, isArea));
        }
        return top;
        }
        shape(line, begin, end, top, isArea) {
        let shape = "";
        let last = 0;
        let x = 0;
        for (const [time, value] of line) {
        if (time < begin || !Number.isFinite(value)) continue;
        const isNew = time - last > 5000;
        if (isArea && isNew && shape) shape += `L${x} ${this.height}Z`;
        x = ((time - begin) / (end - begin) * this.width).toFixed(1);
        const y = (this.height - 1 - value / top * (this.height - 2)).toFixed(1);
        shape += isNew ? (isArea ? `M${x} ${this.height}L${x} ${y}` : `M${x} ${y}`) : `L${x} ${y}`;
        last = time;
        }
        return isArea && shape ? shape + `L${x} ${this.height}Z` : shape;
        }
        }
        const TILES = [
        ["in", "From clients", "in"], ["out", "From upstreams", "out"], ["open", "Connections and sessions", "active"], ["opened", "New each second", "opened"],
        ["failed", "Failed dials", "failed"], ["load", "Processor and memory"],
        ].map(([id, title, series]) => {
        const tile = { id, series, value: make("dd"), chart: series ? new Chart(series === "failed" ? ["bad"] : ["area", series === "out" ? "out" : "in"], 150, 26) : null };
        $("tiles").append(make("div", {}, make("dt", {}, title), tile.value, ...(tile.chart ? [tile.chart.node] : [])));
        return tile;
        });
        let processBefore = null;
        function drawSummary() {
        const doc = model.document;
        const routes = [...model.routes.values()];
        const bad = routes.filter((route) => route.state === "bad");
        const warn = routes.filter((route) => route.state === "warn");
        const moving = routes.filter((route) => route.state === "ok").length;
        let [state, text] = ["ok", routes.length === 1 ? "The route is well" : `All ${routes.length} routes are well`];
        if (routes.length === 0) [state, text] = ["warn", "There are no routes"];
        if (warn.length > 0) [state, text] = ["warn", `${warn.length} of ${plural(routes.length, "route")} need${warn.length === 1 ? "s" : ""} a look`];
        const away = doc.agents.filter((agent) => agent.up === false);
        if (away.length > 0) [state, text] = ["warn", away.length === 1 ? `The agent ${away[0].name} takes no tunnels` : `${away.length} agents take no tunnels`];
        if (doc.configuration.problem) [state, text] = ["warn", "The last reload was refused, the old configuration goes on"];
        if (bad.length > 0) [state, text] = ["bad", `${bad.length} of ${plural(routes.length, "route")} ${bad.length === 1 ? "is" : "are"} in trouble`];
        if (doc.health.phase === "listing") [state, text] = ["warn", "Starting: the containers of an engine are not known yet"];
        else if (doc.health.phase === "starting") [state, text] = ["warn", "Starting: not every route is bound yet"];
        if (doc.health.phase === "draining") [state, text] = ["warn", "Draining: nothing new is taken"];
        if (!doc.health.live) [state, text] = ["bad", "Not well: " + doc.health.problem];
        mark($("summary"), "data-state", state);
        set($("verdict"), text);
        const total = model.rings.total;
        const at = model.rings.at;
        const isMeasured = model.rings.count > 1;
        set($("flow"), !isMeasured ? "Measuring…" : moving > 0 ? `Data flows: ${plural(moving, "route")} carried some in the last minute.` : "No data has flowed in the last minute.");
        document.title = (state === "ok" ? "" : state === "bad" ? "■ " : "▲ ") + "Weir";
        set($("facts"), `Version ${doc.version} · up for ${span(doc.now - doc.started)} · ${plural(doc.process.workers, "worker")}`);
        const trouble = [...bad, ...warn].sort((a, b) => b.rank - a.rank).map((route) => [route.state, route.data.name + ", " + route.data.protocol, route.why]);
        fill($("trouble"), [...trouble, ...away.map((agent) => ["bad", agent.name + ", agent", agent.why || ""])].slice(0, 6), (row) =>
        make("li", { "data-state": row[0] }, make("b", {}, row[1]), " – ", row[2]));
        $("trouble").hidden = bad.length + warn.length + away.length === 0;
        const count = (protocol) => routes.filter((route) => route.data.protocol === protocol).reduce((all, route) => all + route.data.active, 0);
        const values = {
        in: bytes(isMeasured ? total.in[at] : NaN, true), out: bytes(isMeasured ? total.out[at] : NaN, true), open: number(count("tcp")) + " · " + number(count("udp")),
        opened: few(isMeasured ? total.opened[at] : NaN), failed: few(isMeasured ? total.failed[at] : NaN) + "/s", load: load(doc),
        };
        for (const tile of TILES) {
        set(tile.value, values[tile.id]);
        if (tile.chart) tile.chart.draw([model.rings.points(total, tile.series)]);
        }
        }
        function load(doc) {
        const before = processBefore;
        processBefore = { now: doc.now, cpu: doc.process.cpu_seconds, started: doc.started };
        if (!before || before.started !== doc.started || doc.now <= before.now) return bytes(doc.process.resident_bytes);
        const share = (doc.process.cpu_seconds - before.cpu) / (doc.now - before.now) * 100000;
        return `${Math.round(share)} % · ${bytes(doc.process.resident_bytes)}`;
        }
        const filled = new WeakMap();
        function fill(list, rows, build) {
        const text = JSON.stringify(rows);
        if (filled.get(list) === text) return false;
        filled.set(list, text);
        list.replaceChildren(...rows.map(build));
        return true;
        }
        const COLUMNS = [
        ["state", "State", "how"], ["name", "Route", "who"], ["active", "Open", "number"], ["in", "In", "number"], ["out", "Out", "number"],
        ["spark", "Last minutes", "spark"], ["failed", "Failed dials", "number"], ["denied", "Denied", "number"],
        ];
        const COMPARE = {
        state: (a, b) => b.rank - a.rank, name: (a, b) => a.data.name.localeCompare(b.data.name), active: (a, b) => b.data.active - a.data.active,
        in: (a, b) => (b.now.in || 0) - (a.now.in || 0), out: (a, b) => (b.now.out || 0) - (a.now.out || 0),
        failed: (a, b) => b.failed - a.failed, denied: (a, b) => b.denied - a.denied,
        };
        let sortedBy = "state";
        let sortedAt = 0;
        const rows = new Map();
        const visible = new Set();
        const watcher = new IntersectionObserver((entries) => {
        for (const entry of entries) {
        const row = rows.get(entry.target.dataset.key);
        if (!row) continue;
        if (entry.isIntersecting) { visible.add(row); if (model.document) drawRow(row); } else visible.delete(row);
        }
        }, { rootMargin: "200px" });
        for (const [id, title, kind] of COLUMNS) {
        const cell = make("th", { role: "columnheader", scope: "col", class: kind });
        if (COMPARE[id]) {
        const button = make("button", { type: "button" }, title);
        button.addEventListener("click", () => { sortedBy = id; sortedAt = 0; arrange(true); });
        cell.append(button);
        cell.dataset.sort = id;
        } else {
        cell.append(title);
        }
        $("head").append(cell);
        }
        function makeRow(key) {
        const row = { key, cells: {}, chart: new Chart(["area", "in", "out"], 120, 26), detail: null };
        row.node = make("tr", { role: "row", class: "route" });
        row.node.dataset.key = key;
        for (const [id, title, kind] of COLUMNS) {
        const cell = make("td", { role: "cell", class: kind, "data-label": title });
        row.cells[id] = cell;
        row.node.append(cell);
        }
        row.state = make("span", { class: "state" });
        row.cells.state.append(row.state);
        row.button = make("button", { type: "button", class: "name", "aria-expanded": "false" });
        row.where = make("p", { class: "where" });
        row.cells.name.append(row.button, row.where);
        row.cells.spark.append(row.chart.node);
        row.failed = make("span");
        row.reason = make("p", { class: "why" });
        row.cells.failed.append(row.failed, row.reason);
        row.node.addEventListener("click", () => { if (!String(getSelection())) toggle(row); });
        watcher.observe(row.node);
        return row;
        }
        function drawRow(row) {
        const route = model.routes.get(row.key);
        if (!route) return;
        const data = route.data;
        mark(row.state, "data-state", route.state);
        set(row.state, route.word);
        set(row.button, data.name);
        const targets = data.upstreams.map((upstream) => upstream.name);
        set(row.where, `${data.listen} → ${targets.slice(0, 3).join(", ") || "–"}${targets.length > 3 ? ` and ${targets.length - 3} more` : ""}`);
        set(row.cells.active, number(data.active) + (data.limit ? " of " + number(data.limit) : ""));
        set(row.cells.in, bytes(route.now.in, true));
        set(row.cells.out, bytes(route.now.out, true));
        set(row.failed, number(route.failed));
        mark(row.failed, "class", route.state === "bad" ? "bad" : "");
        set(row.reason, Object.entries(route.failures).filter(([reason]) => reason !== "canceled").sort((a, b) => b[1] - a[1]).slice(0, 1).map(([reason]) => words(reason))[0] || "");
        set(row.cells.denied, number(route.denied));
        for (const [id, count] of [["failed", route.failed], ["denied", route.denied]]) row.cells[id].toggleAttribute("data-none", count === 0);
        const ring = model.rings.rows.get(row.key);
        row.chart.draw([model.rings.points(ring, "in"), model.rings.points(ring, "out")]);
        if (row.detail) drawDetail(row, route);
        }
        function matches(route, text) {
        return !text || [route.data.name, route.data.listen, route.data.protocol, ...route.data.upstreams.map((upstream) => upstream.name)]
        .some((part) => part.toLowerCase().includes(text));
        }
        function arrange(isAsked) {
        const text = $("filter").value.trim().toLowerCase();
        const body = $("rows");
        for (const cell of $("head").children) {
        if (cell.dataset.sort === sortedBy) cell.setAttribute("aria-sort", sortedBy === "name" ? "ascending" : "descending");
        else cell.removeAttribute("aria-sort");
        }
        let shown = 0;
        for (const [key, row] of rows) {
        const isShown = matches(model.routes.get(key), text);
        row.node.hidden = !isShown;
        if (row.detail) row.detail.node.hidden = !isShown;
        if (isShown) shown++;
        }
        $("none").hidden = shown > 0;
        const isBusy = body.contains(document.activeElement) || body.matches(":hover");
        if (!isAsked && (isBusy || Date.now() - sortedAt < 3000)) return;
        sortedAt = Date.now();
        const order = [...model.routes.values()].sort((a, b) => COMPARE[sortedBy](a, b) || a.place - b.place);
        let place = body.firstElementChild;
        for (const route of order) {
        const row = rows.get(route.key);
        for (const node of row.detail ? [row.node, row.detail.node] : [row.node]) {
        if (node === place) place = place.nextElementSibling; else body.insertBefore(node, place);
        }
        }
        }
        function drawRoutes() {
        let isChanged = false;
        for (const key of model.routes.keys()) {
        if (rows.has(key)) continue;
        const row = makeRow(key);
        rows.set(key, row);
        $("rows").append(row.node);
        set(row.button, model.routes.get(key).data.name);
        isChanged = true;
        }
        for (const [key, row] of rows) {
        if (model.routes.has(key)) continue;
        watcher.unobserve(row.node);
        visible.delete(row);
        row.node.remove();
        if (row.detail) row.detail.node.remove();
        rows.delete(key);
        }
        set($("routes"), rows.size > 1 ? `Routes (${rows.size})` : "Routes");
        arrange(isChanged);
        for (const row of visible) drawRow(row);
        for (const row of rows.values()) if (row.detail && !visible.has(row)) drawDetail(row, model.routes.get(row.key));
        }
        const PLOTS = [
        ["active", "Open", ["active"], number], ["bytes", "Bytes", ["in", "out"], (value) => bytes(value, true)],
        ["dial", "Time of a dial", ["dial"], (value) => few(value) + " ms"], ["opened", "New each second", ["opened"], few],
        ["failed", "Failed dials each second", ["failed"], few], ["lost", "Rejected or dropped each second", ["lost"], few],
        ];
        function toggle(row) {
        const isOpen = row.detail !== null;
        row.button.setAttribute("aria-expanded", String(!isOpen));
        if (isOpen) {
        row.detail.node.remove();
        row.detail = null;
        return;
        }
        const grid = make("div", { class: "grid" });
        const detail = { node: make("tr", { role: "row", class: "detail" }, make("td", { role: "cell", colspan: String(COLUMNS.length) }, grid)), plots: [], lists: {} };
        for (const [id, title, series, format] of PLOTS) {
        const chart = new Chart(series.length > 1 ? ["area", "in", "out"] : ["area", id === "failed" || id === "lost" ? "bad" : "in"], 300, 74);
        const value = make("span");
        grid.append(make("div", { class: "plot" }, make("h3", {}, title), chart.node, make("p", {}, value)));
        detail.plots.push({ series, format, chart, value });
        }
        for (const [id, title] of [["ends", "Ends by reason"], ["failures", "Failed dials by reason"], ["rejected", "Rejected by reason"], ["drops", "Dropped datagrams by reason"]]) {
        const list = make("ul", { class: "counts" });
        const box = make("div", {}, make("h3", {}, title), list);
        grid.append(box);
        detail.lists[id] = { list, box };
        }
        for (const [id, title] of [["upstreams", "Upstreams"], ["look", "Where to look"]]) {
        const list = make("ul", { class: id === "look" ? "" : "list" });
        grid.append(make("div", { class: "wide" }, make("h3", {}, title), list));
        detail.lists[id] = { list };
        }
        row.detail = detail;
        row.node.after(detail.node);
        drawDetail(row, model.routes.get(row.key));
        }
        function drawCounts(part, counts, isBad) {
        const entries = Object.entries(counts || {}).sort((a, b) => b[1] - a[1]);
        part.box.hidden = entries.length === 0;
        const top = entries.length > 0 ? entries[0][1] : 1;
        fill(part.list, entries, ([reason, count]) => {
        const bar = make("i");
        bar.style.width = count / top * 100 + "%";
        return make("li", isBad ? { class: "bad" } : {}, make("span", { title: reason }, words(reason)), make("span", {}, number(count)), bar);
        });
        }
        function drawDetail(row, route) {
        const { data } = route;
        const ring = model.rings.rows.get(row.key);
        for (const plot of row.detail.plots) {
        const top = plot.chart.draw(plot.series.map((name) => model.rings.points(ring, name)));
        const now = plot.series.map((name) => plot.format(route.now[name]));
        set(plot.value, (now.length > 1 ? `in ${now[0]}, out ${now[1]}` : now[0]) + `, at most ${plot.format(top)} in ${span(seconds() * 1000)}`);
        }
        const lists = row.detail.lists;
        drawCounts(lists.ends, data.closed, false);
        drawCounts(lists.failures, route.failures, true);
        drawCounts(lists.rejected, data.rejected, true);
        const drops = { ...data.ingress_drops };
        for (const reason in data.egress_drops) drops[reason] = (drops[reason] || 0) + data.egress_drops[reason];
        drawCounts(lists.drops, drops, true);
        fill(lists.upstreams.list, upstreamRows(route), upstreamItem);
        fill(lists.look.list, lookRows(route), (text) => make("li", { class: "hint" }, ...text.map((part, index) => index % 2 ? make("code", {}, part) : part)));
        }
        function upstreamRows(route) {
        const doc = model.document;
        const latency = (upstream) => upstream.dial_buckets
        ? `dials ${quantile(upstream.dial_buckets, doc.dial_bounds, 0.5)} (median), ${quantile(upstream.dial_buckets, doc.dial_bounds, 0.99)} (99 %)` : "";
        const counts = (upstream) => `${plural(upstream.dials, "dial")}, ${number(sum(upstream.failures))} failed`;
        if (route.data.members) {
        return route.data.members.map((member) => {
        const upstream = route.data.upstreams[member.upstream];
        const isOut = member.state === "down" || member.state === "ejected";
        const cause = member.cause && member.state !== "up" ? `: ${words(member.cause)}` : "";
        return [isOut ? "bad" : member.state === "draining" ? "warn" : "ok", words(member.state), member.name,
        [`for ${span(doc.now - member.since)}${cause}`, member.backup ? "backup" : "", `${number(member.active)} open`, upstream ? counts(upstream) : "", upstream ? latency(upstream) : ""].filter(Boolean).join(" · ")];
        });

        """#
}
