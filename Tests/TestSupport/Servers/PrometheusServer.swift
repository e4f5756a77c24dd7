import Foundation

/// A Prometheus with one target and otherwise default settings but for those in `job`, asked through its HTTP
/// interface.
package final class PrometheusServer {
    package let port: UInt16
    private let directory: TemporaryDirectory
    private let process: ChildProcess

    /// - Parameter features: the values of `--enable-feature`, which turn on features that were new in Prometheus 2.
    package init(target: UInt16, interval: String = "1s", job: String = "", features: [String] = []) throws {
        port = try Ports.free()
        directory = try TemporaryDirectory("prometheus")
        let configuration = try directory.write(
            "prometheus.yml",
            """
            global: { scrape_interval: \(interval) }
            scrape_configs:
              - job_name: weir
                static_configs: [{ targets: ["127.0.0.1:\(target)"] }]
                \(job)

            """)
        process = try ChildProcess(
            "prometheus",
            [
                "--config.file=\(configuration)", "--storage.tsdb.path=\(directory.file("data"))",
                "--web.listen-address=127.0.0.1:\(port)", "--log.level=warn",
            ] + features.map { "--enable-feature=\($0)" })
        try process.waitUntilListening(on: port, deadline: .seconds(30))
        try waitUntil("prometheus is ready", deadline: .seconds(30)) {
            (try? HTTP.get("/-/ready", port: self.port).status) == 200
        }
    }

    /// The only current value of an expression, or nil if it has none.
    package func value(of expression: String) throws -> Double? {
        let allowed = CharacterSet.alphanumerics
        let query = expression.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
        let response = try HTTP.get("/api/v1/query?query=\(query)", port: port)
        let json = try JSONSerialization.jsonObject(with: Data(decoded(response))) as? [String: Any]
        let data = json?["data"] as? [String: Any]
        let result = data?["result"] as? [[String: Any]]
        let pair = result?.first?["value"] as? [Any]
        return (pair?.last as? String).flatMap { Double($0) }
    }

    /// Prometheus answers in chunks, even on a connection that closes.
    private func decoded(_ response: HTTP.Response) -> [UInt8] {
        guard response.headers["transfer-encoding"] == "chunked" else { return response.body }
        var rest = response.body[...]
        var body: [UInt8] = []
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")),
            let size = Int(String(decoding: rest[..<end].filter { $0 != 13 }, as: UTF8.self), radix: 16), size > 0
        {
            let start = rest.index(after: end)
            body += rest[start..<start + size]
            rest = rest[(start + size + 2)...]
        }
        return body
    }
}
