#if GeoIP
import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Access rules about countries and time zones")
    struct AccessCountryTests {
        private static func isDenied(_ host: String, _ port: UInt16) throws -> Bool {
            let client = try TestConnection(to: Endpoint(port), from: Endpoint(host, 0))
            // If the reset arrives first, the send fails with it, and the receive then sees an end.
            try? client.send("?")
            return client.receive(1).bytes.isEmpty
        }

        @Test("they decide as the database says, and a new database is taken as soon as it is there")
        func database() throws {
            let folder = try TemporaryDirectory("places")
            let path = try folder.write(
                "places.mmdb",
                GeoDatabaseFile.bytes([
                    .init("127.66.0.0/16", country: "DE"), .init("127.67.0.0/16", timezone: "Europe/Paris"),
                ]))
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("web", port, to: server.port),
                rest: "geoip: { database: \(path) }\nacl: { deny: [\"country:DE\", \"tz:Europe/Paris\"] }")
            #expect(try Self.isDenied("127.66.0.1", port))
            #expect(try Self.isDenied("127.67.0.1", port))
            #expect(try !Self.isDenied("127.68.0.1", port))
            let samples = try weir.scrapeWhenIdle("web")
            for (kind, count) in [("country", 1), ("timezone", 1)] {
                #expect(
                    samples.total("weir_acl_decisions_total", ["decision": "deny", "rule_kind": kind]) == count)
            }

            try folder.write(
                "next",
                GeoDatabaseFile.bytes([
                    .init("127.68.0.0/16", country: "DE"), .init("127.69.0.0/16", timezone: "Europe/Rome"),
                ]))
            #expect(rename(folder.file("next"), path) == 0)
            try weir.scrape(until: "the database is taken") { $0.reloads("success") == 1 }
            #expect(try !Self.isDenied("127.66.0.1", port))
            #expect(try Self.isDenied("127.68.0.1", port))

            // A file that is no database changes nothing.
            try folder.write("next", "no database")
            #expect(rename(folder.file("next"), path) == 0)
            try weir.scrape(until: "the database is refused") { $0.reloads("failure") == 1 }
            #expect(try Self.isDenied("127.68.0.1", port))

            // Nor does a database of another kind, in which the rules would match no client.
            try folder.write("next", GeoDatabaseFile.bytes([.init("127.68.0.0/16"), .init("127.69.0.0/16")]))
            #expect(rename(folder.file("next"), path) == 0)
            try weir.scrape(until: "the other kind is refused") { $0.reloads("failure") == 2 }
            try weir.waitForLog(
                "reload failed",
                "expected a database with countries, for `country:` rules and time zones, for `tz:` rules")
            #expect(try Self.isDenied("127.68.0.1", port))
        }
    }
}
#endif
