// The page. Every text from outside becomes a text node, never markup.

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

// MARK: Charts

// What charts show: all there is, from half a minute on.
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
  // Draws lines of [time, value] over the same time, and returns the largest value.
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

// MARK: Summary

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

// Rebuilds a list where its content is another one.
const filled = new WeakMap();
function fill(list, rows, build) {
  const text = JSON.stringify(rows);
  if (filled.get(list) === text) return false;
  filled.set(list, text);
  list.replaceChildren(...rows.map(build));
  return true;
}

// MARK: Routes

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

// Puts the rows in order. While a row has the focus or the pointer nothing moves away from under it.
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

// MARK: One route

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

// The state of each upstream, when it began, why, and how fast dials are: [state, word, name, rest].
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
  }
  return route.data.upstreams.map((upstream) => {
    const known = route.upstreams.get(upstream.name);
    const isFailing = known.failedAt > known.goodAt && doc.now - known.failedAt < FRESH;
    return [isFailing ? "bad" : known.goodAt > 0 ? "ok" : "idle", isFailing ? "failing" : known.goodAt > 0 ? "answers" : "not dialed lately", upstream.name,
      [isFailing ? words(known.reason || "other") : "", `${number(upstream.active)} open`, counts(upstream), latency(upstream)].filter(Boolean).join(" · ")];
  });
}

function upstreamItem([state, word, name, rest]) {
  return make("li", {}, make("span", { class: "state", "data-state": state }, word), make("span", {}, make("b", {}, name), make("span", { class: "where" }, rest)));
}

// What the runbook would have one look at: texts and code by turns.
function lookRows(route) {
  const found = [];
  const seen = new Set();
  const reasons = [...route.upstreams.values()].filter((upstream) => upstream.failedAt > 0).map((upstream) => upstream.reason);
  for (const reason of [...reasons, ...Object.keys(route.data.rejected), ...Object.keys(route.failures)]) {
    const advice = ADVICE[reason];
    if (!advice || seen.has(advice[0])) continue;
    seen.add(advice[0]);
    found.push([`${advice[0]} Runbook: `, advice[1]]);
  }
  const name = JSON.stringify(route.data.name);
  found.push(["Its lines in the log: ", `route=${route.data.name}`, "; its series: ", `/metrics?route=${encodeURIComponent(route.data.name)}`]);
  if (route.failed > 0) found.push(["In Prometheus: ", `sum by (upstream, reason) (increase(weir_dial_failures_total{route=${name}}[15m])) > 0`]);
  return found.slice(0, 8);
}

// MARK: The rest

function drawRest() {
  const doc = model.document;
  const isNew = fill($("events"), doc.events.map((event) => [event.level, event.route || "", event.text, [event.reason ? words(event.reason) : "", event.detail || ""].filter(Boolean).join(": "),
    event.count > 1 ? ` (${number(event.count)} times since ${clock(event.first)})` : "", event.last]), ([level, route, text, why, times, last]) =>
    make("li", {}, make("time", { datetime: new Date(last).toISOString() }, ""), make("span", {}, ...(route ? [make("b", {}, route), " "] : []),
      make("span", { class: level === "error" ? "bad" : level === "warning" ? "warn" : "" }, text), why ? " – " + why : "", make("span", { class: "muted" }, times))));
  if (isNew && doc.events.length === 0) $("events").append(make("li", { class: "muted" }, "None yet."));
  for (const time of $("events").querySelectorAll("time")) set(time, span(doc.now - Date.parse(time.dateTime)) + " ago");

  const out = [];
  let up = 0;
  for (const route of model.routes.values()) {
    if (route.rank === 0) {
      up += (route.data.members || route.data.upstreams).length;
      continue;
    }
    for (const row of upstreamRows(route)) {
      if (row[0] === "bad" || row[0] === "warn") out.push([row[0], row[1], row[2], route.data.name + " · " + row[3]]); else up++;
    }
  }
  fill($("upstreams"), [...out.slice(0, 30), ["ok", "well", plural(up, "upstream"), out.length > 30 ? `${out.length - 30} more are not` : ""]], upstreamItem);

  $("s-certificates").hidden = doc.certificates.length === 0;
  fill($("certificates"), doc.certificates.map((certificate) => {
    const where = certificate.path + (certificate.good ? "" : " · a changed file was refused, this one stays");
    if (certificate.ends === 0) return [certificate.good ? "ok" : "warn", "trusted", "authorities", where];
    const left = certificate.ends * 1000 - doc.now;
    const state = left <= 0 || left < 3 * 86400000 ? "bad" : left < 21 * 86400000 || !certificate.good ? "warn" : "ok";
    return [state, left > 0 ? span(left) + " left" : "ended", certificate.names || "no names", where];
  }), upstreamItem);

  $("s-agents").hidden = doc.agents.length === 0;
  fill($("agents"), doc.agents.map((agent) => [agent.up === undefined ? "idle" : agent.up ? "ok" : "bad", agent.up === undefined ? "not probed yet" : agent.up ? "up" : "down", agent.name,
    [agent.address, agent.up === undefined ? "" : `for ${span(doc.now - agent.since)}${agent.why ? ": " + agent.why : ""}`, agent.protocol || "", plural(agent.tunnels, "tunnel")].filter(Boolean).join(" · ")]), upstreamItem);

  $("s-engines").hidden = doc.engines.length === 0;
  fill($("engines"), doc.engines.map((engine) => [engine.up ? (engine.containers.error ? "warn" : "ok") : "bad", engine.up ? "followed" : "away", engine.name,
    Object.entries(engine.containers).map(([state, count]) => `${number(count)} ${state === "error" ? "left out" : words(state)}`).join(", ")]), upstreamItem);

  const configuration = doc.configuration;
  fill($("configuration"), [[configuration.problem ? "warn" : "ok", configuration.problem ? "last reload refused" : "in force", `Taken ${span(doc.now - configuration.taken)} ago`,
    [plural(configuration.reloads, "reload"), `${number(configuration.refused)} refused`, configuration.problem || ""].filter(Boolean).join(" · ")]], upstreamItem);
}
const clock = (milliseconds) => new Date(milliseconds).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

// MARK: Asking

let timer = 0;
let pause = 1000;
let request = null;
let answeredAt = 0;

async function ask() {
  stopTimer();
  if (document.hidden || request) return;
  const began = performance.now();
  request = new AbortController();
  const limit = setTimeout(() => request && request.abort(), 10000);
  try {
    const answer = await fetch("api/v1/status", { cache: "no-store", credentials: "same-origin", signal: request.signal });
    if (!answer.ok) throw new Error(answer.status === 401 ? "the credentials are not taken" : `answer ${answer.status}`);
    model.take(await answer.json());
    drawSummary();
    drawRoutes();
    drawRest();
    answeredAt = Date.now();
    pause = 1000;
  } catch (error) {
    if (!document.hidden) {
      mark($("summary"), "data-state", "bad");
      set($("verdict"), "Weir does not answer");
      set($("flow"), `${error.name === "AbortError" ? "no answer in time" : error.message}${answeredAt ? ", the figures are of " + clock(answeredAt) : ""}. The next try is in ${Math.min(30, Math.round(pause / 1000))} s.`);
      document.title = "■ Weir";
    }
    // Half of it is waited.
    pause = Math.min(pause * 2, 60000);
  } finally {
    clearTimeout(limit);
    request = null;
  }
  if (!document.hidden) timer = setTimeout(ask, pause > 1000 ? pause / 2 : Math.max(100, 1000 - (performance.now() - began)));
}

function stopTimer() {
  clearTimeout(timer);
  timer = 0;
}

document.addEventListener("visibilitychange", () => {
  stopTimer();
  if (document.hidden) { if (request) request.abort(); } else { pause = 1000; ask(); }
});
$("filter").addEventListener("input", () => { if (model.document) arrange(true); });
ask();
