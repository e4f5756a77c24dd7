// swift-format-ignore-file
// Made by live/generate.py of live/*.html, *.css and *.js: change those.

extension LivePage {
    static let part3 = #"""
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
        ask();</script>
        </body>
        </html>

        """#
}
