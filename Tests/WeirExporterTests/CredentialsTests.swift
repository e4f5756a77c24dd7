import Foundation
import Testing

import struct TestSupport.SeededGenerator

@testable import WeirExporter

@Suite struct CredentialsTests {
    private func credentials(_ value: String) throws -> Credentials {
        let head = Array(request("GET", "/", "Authorization: \(value)").utf8)
        let parsed = try RequestHead.parse(head.span)
        return Credentials(try #require(parsed.authorization), of: head.span)
    }

    @Test(
        "Tokens and passwords are read, whatever the case of their scheme",
        arguments: [
            ("Bearer abc", Credentials.bearer(Array("abc".utf8))), ("BEARER   abc", .bearer(Array("abc".utf8))),
            ("Basic YTpi", .basic(name: [97], password: [98])), ("basic YTo=", .basic(name: [97], password: [])),
            ("Basic YTo", .basic(name: [97], password: [])),
            ("Basic YTpiOmM=", .basic(name: [97], password: [98, 58, 99])),
            ("Basic OnB3", .basic(name: [], password: [112, 119])),
        ])
    func reads(value: String, expected: Credentials) throws {
        #expect(try credentials(value) == expected)
    }

    @Test(
        "What is neither is nothing",
        arguments: [
            "", "Bearer", "Basic", "Bearer a b", "Digest username=x", "Basic YQ==", "Basic YTpi=", "Basic YTpi====",
            "Basic Y", "Basic YTp*", "Basic YTp", "Bearer\u{e4} x", "Basic YTo==", "BasicYTpi",
        ])
    func refuses(value: String) throws {
        #expect(try credentials(value) == .unknown)
    }

    @Test("Two fields are no request, and none is no credential")
    func count() throws {
        let twice = Array(request("GET", "/", "Authorization: Bearer a", "authorization: Bearer a").utf8)
        #expect(throws: RequestError.malformed) { try RequestHead.parse(twice.span) }
        let none = Array(request().utf8)
        #expect(try RequestHead.parse(none.span).authorization == nil)
    }

    @Test("Base64 is read as Foundation writes it")
    func base64() throws {
        var chance = SeededGenerator(seed: 4648)
        for length in 0..<300 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &chance) }
            let text = Array(Data(bytes).base64EncodedString().utf8)
            #expect(Base64.decode(0..<text.count, of: text.span) == bytes && Base64.decode(text) == bytes)
        }
    }

    @Test("A cache keeps the latest, and no more than it may")
    func cache() {
        var cache = VerdictCache(capacity: 3)
        let values = (0..<7 as Range<UInt64>).map { KeyedDigest.Value(first: $0, second: 1) }
        for value in values {
            cache.insert(value)
            cache.insert(value)
            #expect(cache.contains(value) && cache.count <= 3)
        }
        #expect(values.map { cache.contains($0) } == [false, false, false, false, true, true, true])
    }

    @Test("A source may be wrong ten times at once and then once a second, and only so many are remembered")
    func throttle() {
        let second: UInt64 = 1_000_000_000
        var throttle = FailureThrottle<ClientSource>(burst: 10, interval: second, maxKeys: 256)
        let source = ClientSource(nil)
        var now = 100 * second
        for _ in 0..<10 {
            #expect(!throttle.isExhausted(source, now: now))
            throttle.charge(source, now: now)
        }
        #expect(throttle.isExhausted(source, now: now))
        now += second
        #expect(!throttle.isExhausted(source, now: now))
        throttle.charge(source, now: now)
        #expect(throttle.isExhausted(source, now: now))
        for index in 0..<1000 as Range<UInt32> {
            throttle.charge(ClientSource(.init(.init(v4: index << 8), port: 1)), now: now)
        }
        #expect(throttle.count == 256)
        // Who owes most is remembered longest.
        #expect(throttle.isExhausted(source, now: now))
    }

    private static let hashes = [
        "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        "$6$rounds=1000$weirtest$Qll0NVcpycHM/9KuqbUPZgIWPHShXbCscULmkwFuEtNxrYLqR75K2OhCP0QlPZCIskmG6fInbDpC6c9uLbW9..",
        "$y$j75$weirtest$Jm2TGsLRnEybLQJ/OZr9tfiOuydUM8mIcPO97nyZkL1",
    ]

    @Test("libcrypt knows the password of each kind of hash, and no other", arguments: hashes)
    func knowsHash(hash: String) {
        #expect(PasswordHash.matches(Array("correct horse".utf8), hash) == true)
        #expect(PasswordHash.matches(Array("correct horsf".utf8), hash) == false)
        #expect(PasswordHash.matches([], hash) == false)
    }

    @Test("What is no hash is no answer, and a password with a zero byte is never asked about")
    func noHash() {
        #expect(PasswordHash.matches(Array("x".utf8), "$2b$99$nonsense") == nil)
        #expect(PasswordHash.matches(Array("*0".utf8), "*0") == nil)
        #expect(!PasswordHash.isPossible([97, 0, 98]))
        #expect(!PasswordHash.isPossible([UInt8](repeating: 97, count: 512)))
        #expect(PasswordHash.isPossible([UInt8](repeating: 97, count: 511)))
    }
}
