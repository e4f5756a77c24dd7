import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("The capacity of one process")
    struct CapacityTests {
        /// The process's limit of descriptors: 512 in reserve, two listening sockets, and pairs from the rest.
        private static let descriptors = 20_000
        private static let limit = (descriptors - 512 - 2) / 2
        private static let many = 9_500

        /// A client whose every question has an answer of its own, by a redis-server behind the route.
        private struct Client {
            let connection: TestConnection
            let question: String
            let answer: String

            init(_ number: Int, port: UInt16) throws {
                connection = try TestConnection(to: Endpoint(port))
                let word = "client-\(number)"
                question = "ECHO \(word)\r\n"
                answer = "$\(word.utf8.count)\r\n\(word)\r\n"
            }

            func ask() throws { try connection.send(question) }
            func isAnswered() -> Bool { connection.receive(answer.utf8.count).text == answer }
        }

        /// This process holds one descriptor for each client.
        private static func raiseOwnLimit() throws {
            var limits = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
            limits.rlim_cur = limits.rlim_max
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
            try #require(limits.rlim_cur >= UInt(limit + 1_000), "the hard limit of open files is too low here")
        }

        @Test("9,500 connections carry data at once; at the limit others wait, and are served when there is room")
        func manyConnections() throws {
            try Self.raiseOwnLimit()
            let redis = try Redis()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("many", port, to: redis.port), rest: "workers: 2\nlog: { level: error }",
                launcher: ["prlimit", "--nofile=\(Self.descriptors):\(Self.descriptors)"])
            let baseline = weir.process.descriptorCount
            #expect(try weir.scrape()["weir_connections_limit"] == Double(Self.limit))

            var clients: [Client] = []
            var asked = 0
            func open(upTo count: Int) throws {
                while clients.count < count { clients.append(try Client(clients.count, port: port)) }
            }
            /// All clients ask before the first one reads.
            func askAll() throws -> Int {
                for client in clients { try client.ask() }
                asked += clients.reduce(0) { $0 + $1.question.utf8.count }
                return clients.count { !$0.isAnswered() }
            }
            // The exporter answers while they come.
            for count in stride(from: 500, through: Self.many, by: 1_000) {
                try open(upTo: count)
                try weir.scrape(until: "\(count) connections are open") { $0.active("many") == count }
            }
            #expect(try askAll() == 0)
            let samples = try weir.scrape()
            #expect(samples.accepted("many") == Self.many && samples.active("many") == Self.many)
            #expect(samples["weir_connections_active"] == Double(Self.many))
            #expect(samples.bytes("many", "ingress") == asked)
            #expect(samples["process_open_fds"].map { Int($0) >= 2 * Self.many } == true)

            try open(upTo: Self.limit)
            #expect(try askAll() == 0)
            let waiting = try (0..<20).map { try Client(1_000_000 + $0, port: port) }
            for client in waiting { try client.ask() }
            let full = try weir.scrape(until: "the listeners pause") {
                $0.total("weir_accept_pauses_total", ["route": "many"]) > 0
            }
            #expect(full.accepted("many") == Self.limit && full.active("many") == Self.limit)
            #expect(full.total("weir_tcp_connections_rejected_total") == 0)
            #expect(full.total("weir_accept_errors_total") == 0)
            #expect(waiting.allSatisfy { !$0.connection.isReadable() })
            for client in clients.prefix(waiting.count) { client.connection.close() }
            #expect(waiting.allSatisfy { $0.isAnswered() })

            clients.removeFirst(waiting.count)
            clients += waiting
            #expect(try askAll() == 0)
            for client in clients { client.connection.close() }
            let end = try weir.scrapeWhenIdle("many")
            #expect(end.accepted("many") == Self.limit + waiting.count)
            #expect(end.closed("many", "client_eof") == Self.limit + waiting.count)
            asked += waiting.reduce(0) { $0 + $1.question.utf8.count }
            #expect(end.bytes("many", "ingress") == asked)
            #expect(end.total("weir_dial_failures_total") == 0)
            try waitUntil("its descriptors are given back", deadline: .seconds(60)) {
                weir.process.descriptorCount <= baseline
            }
        }

        @Test("1,000 routes start, and each of them serves")
        func manyRoutes() throws {
            let redis = try Redis()
            let count = 1_000
            let first = try Ports.freeRange(UInt16(count))
            let names = (0..<count).map { "route-\($0)" }
            let routes = names.enumerated().map { String.route($1, first + UInt16($0), to: redis.port) }
            let weir = try WeirProcess(routes: routes.joined(separator: "\n"), rest: "log: { level: error }")
            let baseline = weir.process.descriptorCount
            let clients = try (0..<count).map { try Client($0, port: first + UInt16($0)) }
            for client in clients { try client.ask() }
            #expect(clients.allSatisfy { $0.isAnswered() })
            let samples = try weir.scrape()
            #expect(samples.total("weir_route_info") == count)
            for name in names {
                #expect(samples["weir_tcp_connections_accepted_total", ["route": name]] == 1, "\(name)")
                #expect(samples["weir_tcp_connections_active", ["route": name]] == 1, "\(name)")
            }
            for client in clients { client.connection.close() }
            try waitUntil("its descriptors are given back", deadline: .seconds(60)) {
                weir.process.descriptorCount <= baseline
            }
            let end = try weir.scrape()
            #expect(end["weir_connections_active"] == 0)
            for name in names {
                let labels = ["route": name, "reason": "client_eof"]
                #expect(end["weir_tcp_connections_closed_total", labels] == 1, "\(name)")
            }
            #expect(try weir.stop() == .code(0))
        }
    }
}
