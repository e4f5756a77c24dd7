"use strict";

// The figures: what one answer of /api/v1/status says, and what two of them say together.

const POINTS = 180;
const SERIES = ["in", "out", "active", "opened", "failed", "dial", "lost"];
const FRESH = 60000;

// Reasons in words. They are the words of the log and of the metrics.
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

// A ring of figures for each route, over the same moments.
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
      // A rate needs two answers.
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
  // The last `limit` points from the oldest on: [time, value].
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
      // Sockets of datagrams connect to anything: there, an answer is what is good.
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

  // When an upstream was last dialed with and without success.
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

  // How the route stands: a rank, a word and the reason.
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
    if (document.now - (route.movedAt || 0) < FRESH) return { rank: 0, state: "ok", word: "Carrying", why: "" };
    return { rank: 0, state: "idle", word: route.data.active > 0 ? "Quiet" : "Idle", why: "" };
  }
}

// Numbers for people.
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

// The least bound of the buckets that holds this share of all, in milliseconds.
function quantile(buckets, bounds, share) {
  const total = buckets.reduce((a, b) => a + b, 0);
  let seen = 0;
  for (const [index, count] of buckets.entries()) {
    seen += count;
    if (total > 0 && seen >= total * share) return index < bounds.length ? "≤ " + few(bounds[index] * 1000) + " ms" : "> " + few(bounds[bounds.length - 1] * 1000) + " ms";
  }
  return "–";
}
