#if TLS
import NetworkTypes
import TestSupport
import Testing
import WeirTLS

@Suite("Cookies of DTLS hellos")
struct HelloCookieTests {
    private let cookies: HelloCookies
    private let path = DTLSRig.path

    init() throws { cookies = try #require(HelloCookies()) }

    /// The first hello of a client, and its second one, which has the cookie of the answer.
    private func hellos(seconds: UInt64 = 1_000) throws -> (first: [UInt8], second: [UInt8]) {
        let (_, client) = try DTLSRig.mutual()
        let end = DTLSEnd(try #require(client.connect(to: "a.example.net")))
        let first = try #require(end.take().first)
        guard case .ask(let answer) = cookies.judge(first.span, of: path, seconds: seconds) else {
            throw WrongAnswer("no cookie for a first hello")
        }
        end.give(answer)
        return (first, try #require(end.take().first))
    }

    private func isProven(_ hello: [UInt8], _ path: AssociationPath, seconds: UInt64 = 1_000) -> Bool {
        if case .proven = cookies.judge(hello.span, of: path, seconds: seconds) { return true }
        return false
    }

    @Test("A first hello is answered with less than it has, and the second one is proven")
    func exchange() throws {
        let (first, second) = try hellos()
        guard case .ask(let answer) = cookies.judge(first.span, of: path, seconds: 1_000) else {
            Issue.record("no answer")
            return
        }
        #expect(answer.count == 45 && answer.count < first.count)
        // The number of the record is that of the hello (RFC 6347 section 4.2.1).
        #expect(answer[5..<11] == first[5..<11])
        #expect(isProven(second, path))
        // The shortest hello that is one is longer than its answer, too.
        #expect(Self.shortest.count > answer.count)
        guard case .ask = cookies.judge(Self.shortest.span, of: path, seconds: 1_000) else {
            Issue.record("the shortest hello is none")
            return
        }
    }

    /// A hello without session, cookie and extensions.
    private static let shortest: [UInt8] = {
        let body: [UInt8] = [0xFE, 0xFD] + [UInt8](repeating: 7, count: 32) + [0, 0, 0, 2, 0xC0, 0x2B, 1, 0]
        let length = UInt8(body.count)
        let message: [UInt8] = [1, 0, 0, length, 0, 0, 0, 0, 0, 0, 0, length] + body
        return [22, 0xFE, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, UInt8(message.count)] + message
    }()

    @Test("A cookie is worth nothing at another address, port or local address, nor for another key")
    func otherPaths() throws {
        let second = try hellos().second
        let peer = path.peer
        for other in [
            AssociationPath(peer: SocketAddress(IPAddress(v4: 0xC000_0203), port: peer.port), local: path.local),
            AssociationPath(peer: SocketAddress(peer.ip, port: peer.port + 1), local: path.local),
            AssociationPath(peer: SocketAddress(peer.ip, port: peer.port, scope: 1), local: path.local),
            AssociationPath(peer: peer, local: IPAddress(v4: 0xC633_6403)),
            AssociationPath(peer: peer, local: path.local, scope: 2),
        ] { #expect(!isProven(second, other)) }
        let others = try #require(HelloCookies())
        guard case .ask = others.judge(second.span, of: path, seconds: 1_000) else {
            Issue.record("the cookie of another key was taken, or not answered")
            return
        }
    }

    @Test("A cookie is valid to the end of the next period, and asked for anew behind it")
    func periods() throws {
        let start = 1_000 / HelloCookies.periodSeconds * HelloCookies.periodSeconds
        let second = try hellos(seconds: start).second
        for (seconds, isValid) in [
            (start, true), (start + 29, true), (start + 30, true), (start + 59, true), (start + 60, false),
            (start - 1, false), (start + 30 * 256, false), (0, false),
        ] { #expect(isProven(second, path, seconds: seconds) == isValid, "\(seconds)") }
    }

    @Test("A hello is proven only as it was answered: extensions and numbers of records may differ, and nothing else")
    func changedHellos() throws {
        let second = try hellos().second
        let extensions = try #require(Self.extensionsStart(of: second))
        for index in second.indices {
            var changed = second
            changed[index] ^= 0x10
            let mayDiffer = (5..<11).contains(index) || index == 2 || index >= extensions
            #expect(!isProven(changed, path) || mayDiffer, "byte \(index)")
            #expect(!isProven(Array(second[..<index]), path), "\(index) bytes")
        }
    }

    private static func extensionsStart(of hello: [UInt8]) -> Int? {
        guard case .hello(let parsed) = DTLSClientHello.parse(hello.span) else { return nil }
        let ciphers = parsed.cookie.upperBound
        let methods = ciphers + 2 + (Int(hello[ciphers]) << 8 | Int(hello[ciphers + 1]))
        return methods + 1 + Int(hello[methods])
    }

    @Test("Fragments, lengths that do not fit, and hellos that are too long are refused, and other records are none")
    func malformed() {
        func judge(_ change: (inout [UInt8]) -> Void) -> HelloCookies.Verdict {
            var hello = Self.shortest
            change(&hello)
            return cookies.judge(hello.span, of: path, seconds: 1_000)
        }
        #expect(judge { $0[24] -= 1 } == .malformed)
        #expect(judge { $0[21] = 1 } == .malformed)
        #expect(judge { $0[16] += 1 } == .malformed)
        #expect(judge { $0[12] += 1 } == .malformed)
        #expect(judge { $0[1] = 3 } == .malformed)
        #expect(judge { $0[25] = 3 } == .malformed)
        #expect(judge { $0[18] = 1 } == .malformed)
        #expect(judge { $0[59] = 33 } == .malformed)
        #expect(judge { $0 += [UInt8](repeating: 0, count: DTLSClientHello.maxLength) } == .malformed)
        #expect(judge { $0[0] = 23 } == .other)
        #expect(judge { $0[4] = 1 } == .other)
        #expect(judge { $0[13] = 2 } == .other)
        #expect(judge { $0 = [] } == .other)
        #expect(judge { $0 = Array($0[..<13]) } == .other)
        #expect(judge { $0 = Array($0[..<14]) } == .malformed)
    }

    @Test("A flood of hellos with guessed cookies is answered, and proves nothing")
    func flood() throws {
        let second = try hellos().second
        guard case .hello(let parsed) = DTLSClientHello.parse(second.span) else {
            Issue.record("no hello")
            return
        }
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<fuzzRounds(2_000) {
            var guess = second
            for index in parsed.cookie.dropFirst() { guess[index] = UInt8.random(in: 0...255, using: &generator) }
            guard case .ask(let answer) = cookies.judge(guess.span, of: path, seconds: 1_000) else {
                Issue.record("a guess was not answered with a cookie")
                return
            }
            #expect(answer.count < guess.count)
        }
    }

    @Test("OpenSSL takes no hello without a cookie, and nothing else, as the beginning of an association")
    func acceptNothingElse() throws {
        let (server, _) = try DTLSRig.mutual()
        let (first, second) = try hellos()
        for bytes in [first, [], [22], Self.shortest, [UInt8](repeating: 22, count: 3_000), Array(second.dropLast(9))] {
            #expect(bytes.withUnsafeBytes { server.accept(hello: $0) } == nil, "\(bytes.prefix(16))")
        }
        #expect(second.withUnsafeBytes { server.accept(hello: $0) }?.state == .handshaking)
    }
}
#endif
