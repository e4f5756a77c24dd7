#if TLS
import Foundation
import TestSupport
import Testing

@testable import WeirAgent

@Suite("The archive with an agent's credentials") struct AgentBundleTests {
    /// Made by Python's zipfile: three deflated entries of equal content.
    private static let deflated = [UInt8](
        Data(
            base64Encoded:
                "UEsDBBQAAAAIAAAAIVw1VuvGJgAAAGsAAAAGAAAAY2EucGVt09UFAidXd08/hQgQU5crMNTLJcg1zD3IIN2WEjYX2DhXPxeY"
                + "wQBQSwMEFAAAAAgAAAAhXDVW68YmAAAAawAAAAgAAABjZXJ0LnBlbdPVBQInV3dPP4UIEFOXKzDUyyXINcw9yCDdlhI2F9g4"
                + "Vz8XmMEAUEsDBBQAAAAIAAAAIVw1VuvGJgAAAGsAAAAHAAAAa2V5LnBlbdPVBQInV3dPP4UIEFOXKzDUyyXINcw9yCDdlhI2"
                + "F9g4Vz8XmMEAUEsBAhQDFAAAAAgAAAAhXDVW68YmAAAAawAAAAYAAAAAAAAAAAAAAIABAAAAAGNhLnBlbVBLAQIUAxQAAAAI"
                + "AAAAIVw1VuvGJgAAAGsAAAAIAAAAAAAAAAAAAACAAUoAAABjZXJ0LnBlbVBLAQIUAxQAAAAIAAAAIVw1VuvGJgAAAGsAAAAH"
                + "AAAAAAAAAAAAAACAAZYAAABrZXkucGVtUEsFBgAAAAADAAMAnwAAAOEAAAAAAA==")!)
    /// Made by zlib: all bytes three times, and a text that repeats itself.
    private static let deflate = [UInt8](
        Data(
            base64Encoded:
                "Y2BkYmZhZWPn4OTi5uHl4xcQFBIWERUTl5CUkpaRlZNXUFRSVlFVU9fQ1NLW0dXTNzA0MjYxNTO3sLSytrG1s3dwdHJ2cXVz"
                + "9/D08vbx9fMPCAwKDgkNC4+IjIqOiY2LT0hMSk5JTUvPyMzKzsnNyy8oLCouKS0rr6isqq6pratvaGxqbmlta+/o7Oru6e3r"
                + "nzBx0uQpU6dNnzFz1uw5c+fNX7Bw0eIlS5ctX7Fy1eo1a9et37Bx0+YtW7dt37Fz1+49e/ftP3Dw0OEjR48dP3Hy1OkzZ8+d"
                + "v3Dx0uUrV69dv3Hz1u07d+/df/Dw0eMnT589f/Hy1es3b9+9//Dx0+cvX799//Hz1+8/f//9Zxj1/4j2P9B5o4gOCAA=")!)
    private static let content = Array(
        ("-----BEGIN X-----\n" + String(repeating: "QUJDREVGR0g=", count: 6) + "\n-----END X-----\n").utf8)

    /// An archive of entries as they are.
    private func stored(_ entries: [(name: String, bytes: [UInt8])]) -> [UInt8] {
        func number(_ value: Int, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        var archive: [UInt8] = []
        var directory: [UInt8] = []
        for (name, bytes) in entries {
            let checksum = Int(CRC32.checksum(of: bytes.span, count: bytes.count))
            let facts =
                number(20, 2) + number(0, 8) + number(checksum, 4) + number(bytes.count, 4) + number(bytes.count, 4)
                + number(name.utf8.count, 2) + number(0, 2)
            directory += number(0x0201_4b50, 4) + number(20, 2) + facts + number(0, 10) + number(archive.count, 4)
            directory += name.utf8
            archive += number(0x0403_4b50, 4) + facts + Array(name.utf8) + bytes
        }
        let start = archive.count
        archive += directory
        return archive + number(0x0605_4b50, 4) + number(0, 4) + number(entries.count, 2) + number(entries.count, 2)
            + number(directory.count, 4) + number(start, 4) + number(0, 2)
    }

    private func fault(_ bytes: [UInt8]) -> String? {
        do {
            _ = try AgentBundle(zip: bytes)
            return nil
        } catch {
            return error.text
        }
    }

    @Test("Entries are deflated or stored, in any order, beside others")
    func good() throws {
        let bundle = try AgentBundle(zip: Self.deflated)
        #expect([bundle.authority, bundle.certificate, bundle.key].allSatisfy { $0 == Self.content })
        let other = try AgentBundle(
            zip: stored([("key.pem", [3]), ("README", []), ("ca.pem", [1]), ("cert.pem", [2, 2])]))
        #expect(other.authority == [1] && other.certificate == [2, 2] && other.key == [3])
    }

    @Test("Blocks of all kinds are decompressed, and never beyond the bound")
    func inflate() throws {
        let expected = (0..<3).flatMap { _ in (0..<256).map { UInt8($0) } } + Array("abcabcabc".utf8).repeated(40)
        #expect(try Inflate.bytes(of: Self.deflate[...], maxLength: expected.count) == expected)
        #expect(throws: Inflate.Fault.self) {
            try Inflate.bytes(of: Self.deflate[...], maxLength: expected.count - 1)
        }
        let stored: [UInt8] = [1, 3, 0, 0xfc, 0xff, 7, 8, 9]
        #expect(try Inflate.bytes(of: stored[...], maxLength: 3) == [7, 8, 9])
        for end in 0..<stored.count {
            #expect(throws: Inflate.Fault.self) { try Inflate.bytes(of: stored[..<end], maxLength: 3) }
        }
    }

    @Test("Empty blocks make no output, and yet they have a bound")
    func emptyBlocks() throws {
        func stream(_ count: Int) -> [UInt8] {
            let empty: [UInt8] = [0, 0, 0, 0xff, 0xff]
            return (1..<count).flatMap { _ in empty } + [1, 0, 0, 0xff, 0xff]
        }
        #expect(try Inflate.bytes(of: stream(Inflate.maxBlocks)[...], maxLength: 0) == [])
        #expect(throws: Inflate.Fault.self) {
            try Inflate.bytes(of: stream(Inflate.maxBlocks + 1)[...], maxLength: 0)
        }
    }

    @Test("An archive that lacks something, has it twice or is damaged is refused in words")
    func bad() {
        let all: [(name: String, bytes: [UInt8])] = [("ca.pem", [1]), ("cert.pem", [2]), ("key.pem", [3])]
        #expect(fault(stored(Array(all[..<2])))?.contains("`key.pem`") == true)
        #expect(fault(stored(all + [("ca.pem", [4])]))?.contains("`ca.pem`") == true)
        #expect(fault(stored(all)) == nil)
        var damaged = stored(all)
        damaged[30 + 6] ^= 1
        #expect(fault(damaged) == "the zip archive is damaged")
        var encrypted = stored(all)
        if let start = (0..<encrypted.count).first(where: { encrypted[$0...].starts(with: [0x50, 0x4b, 1, 2]) }) {
            encrypted[start + 8] = 1
        }
        #expect(fault(encrypted)?.contains("encrypted") == true)
        #expect(fault(stored((0..<65).map { ("\($0)", []) }))?.contains("a few files") == true)
        #expect(fault(stored([("ca.pem", [UInt8](repeating: 0, count: (256 << 10) + 1))]))?.contains("256 KiB") == true)
        #expect(fault([])?.contains("found none") == true && fault(Array("PK".utf8))?.contains("found none") == true)
    }

    @Test("No piece of an archive, and none with a changed byte, traps")
    func mutations() {
        let archive = Self.deflated
        for end in archive.indices { _ = fault(Array(archive[..<end])) }
        var generator = SeededGenerator(seed: 18)
        for _ in 0..<3_000 {
            var bytes = archive
            for _ in 0...Int.random(in: 0...2, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[index] = UInt8.random(in: .min ... .max, using: &generator)
            }
            _ = fault(bytes)
        }
    }
}

extension [UInt8] {
    fileprivate func repeated(_ count: Int) -> [UInt8] { (0..<count).flatMap { _ in self } }
}
#endif
