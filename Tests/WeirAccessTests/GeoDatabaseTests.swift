#if GeoIP
import Glibc
import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirAccess

struct GeoDatabaseTests {
    private func open(_ places: [GeoDatabaseFile.Place], in folder: TemporaryDirectory) throws -> GeoDatabase {
        try GeoDatabase(folder.write("places.mmdb", GeoDatabaseFile.bytes(places)))
    }

    private func words(_ database: GeoDatabase, _ address: String) throws -> String {
        let location = database.location(of: try #require(IPAddress(address)))
        return "\(location.country.map { "\($0)" } ?? "-") \(location.timezone ?? "-")"
    }

    @Test("Countries and time zones are found for both families, and an address without an entry is nowhere")
    func lookUp() throws {
        let folder = try TemporaryDirectory("geo")
        let database = try open(
            [
                .init("192.0.2.0/24", country: "DE", timezone: "Europe/Berlin"), .init("192.0.2.128/25", country: "FR"),
                .init("2001:db8::/32", timezone: "America/Argentina/Buenos_Aires"), .init("198.51.100.7/32"),
            ], in: folder)
        for (address, expected) in [
            ("192.0.2.1", "DE Europe/Berlin"), ("192.0.2.200", "FR -"), ("::ffff:192.0.2.1", "DE Europe/Berlin"),
            ("192.0.3.0", "- -"), ("198.51.100.7", "- -"), ("2001:db8::1", "- America/Argentina/Buenos_Aires"),
            ("2001:db9::1", "- -"), ("::1", "- -"),
        ] {
            #expect(try words(database, address) == expected, "\(address)")
        }
    }

    @Test("Writing over the file, or cutting it, changes nothing in an open database")
    func overwritten() throws {
        let folder = try TemporaryDirectory("geo")
        let database = try open([.init("192.0.2.0/24", country: "DE")], in: folder)
        try folder.write("places.mmdb", "")
        #expect(try words(database, "192.0.2.1") == "DE -")
    }

    @Test("What is no database is refused with the reason")
    func noDatabase() throws {
        let folder = try TemporaryDirectory("geo")
        for bytes in [[], Array("no database".utf8), [UInt8](repeating: 0, count: 100_000)] {
            let path = try folder.write("places.mmdb", bytes)
            #expect(throws: GeoDatabaseFailure.self) { try GeoDatabase(path) }
        }
        #expect(throws: GeoDatabaseFailure.self) { try GeoDatabase(folder.file("none")) }
        // A FIFO without a writer must not block the caller.
        #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
        #expect(throws: GeoDatabaseFailure.self) { try GeoDatabase(folder.file("pipe")) }
        #expect(throws: GeoDatabaseFailure.self) { try GeoDatabase(folder.path) }
    }

    @Test("A database is asked for what rules need, and what no entry of it has is missing")
    func missing() throws {
        let folder = try TemporaryDirectory("geo")
        func missing(_ places: [GeoDatabaseFile.Place]) throws -> [AccessRuleKind] {
            try GeoDatabase(folder.write("places.mmdb", GeoDatabaseFile.bytes(places)))
                .missing([.timezone, .ip, .country, .cidr])
        }
        let networks = (0..<200).map { GeoDatabaseFile.Place("10.\($0).0.0/16") }
        #expect(try missing(networks) == [.country, .timezone])
        #expect(try missing([]) == [.country, .timezone])
        #expect(try missing(networks + [.init("203.0.113.0/24", country: "DE")]) == [.timezone])
        #expect(try missing(networks + [.init("2001:db8::/32", timezone: "Europe/Rome")]) == [.country])
        let both = networks + [.init("10.255.0.0/16", country: "DE"), .init("::/2", timezone: "Europe/Rome")]
        #expect(try missing(both) == [])
        let path = try folder.write("places.mmdb", GeoDatabaseFile.bytes(networks))
        #expect(try GeoDatabase(path).missing([.ip]) == [])
    }

    @Test("The type that a file gives itself is escaped in messages")
    func escapedType() throws {
        let folder = try TemporaryDirectory("geo")
        let bytes = try GeoDatabaseFile.bytes([.init("192.0.2.0/24")], type: "\u{1b}[31m`x\n")
        let database = try GeoDatabase(folder.write("places.mmdb", bytes))
        #expect(database.shownType == "`\\x1b[31m`x\\x0a`")
    }

    @Test("A pipe, a device or a folder in the place of a database is an error, and is not waited for")
    func special() throws {
        let folder = try TemporaryDirectory("geo")
        try #require(mkfifo(folder.file("pipe"), 0o600) == 0)
        for path in [folder.file("pipe"), "/dev/zero", folder.path] {
            let error = #expect(throws: GeoDatabaseFailure.self) { try GeoDatabase(path) }
            #expect(error == .unusable("it is no regular file"))
        }
    }

    @Test("Damaged databases are refused or say little, and never trap")
    func damaged() throws {
        let folder = try TemporaryDirectory("geo")
        let good = try GeoDatabaseFile.bytes([
            .init("192.0.2.0/24", country: "DE", timezone: "Europe/Berlin"), .init("2001:db8::/32", country: "FR"),
        ])
        // Where the metadata is damaged, MMDB_open (libmaxminddb 1.7.1) keeps what it read of it, a few KiB for each
        // refused file. The leak sanitizer rightly says so, and it is not ours to mend.
        let marker = Array("\u{AB}\u{CD}\u{EF}MaxMind.com".unicodeScalars.map { UInt8($0.value) })
        let metadata = try #require((0..<good.count).last { good[$0...].starts(with: marker) })
        let damaged = 0..<(Sanitizer.isPresent ? metadata : good.count)
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<fuzzRounds(300) {
            var bytes = good
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                bytes[Int.random(in: damaged, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            guard let database = try? GeoDatabase(folder.write("places.mmdb", bytes)) else { continue }
            _ = database.missing([.country, .timezone])
            _ = try words(database, "192.0.2.1")
            _ = try words(database, "2001:db8::1")
        }
    }
}
#endif
