import LinuxIO
import NetworkTypes
import Testing

@testable import WeirStream

@Suite struct ProxyHeaderFieldsTests {
    private static let addresses = ProxyHeader.Addresses(
        source: SocketAddress(IPAddress(v4: 0xc000_0201), port: 56324),
        destination: SocketAddress(IPAddress(v4: 0xc633_6402), port: 443))

    private static func text(_ kind: UInt8, _ text: String) -> [UInt8] {
        [kind, 0, UInt8(text.utf8.count)] + Array(text.utf8)
    }

    @Test func `a client with a certificate is told byte for byte as the specification says`() {
        let facts = SecureSessionFacts(
            serverName: "a.example.net", applicationProtocol: "mqtt", version: .tls13,
            cipher: "TLS_AES_128_GCM_SHA256",
            peer: SecureSessionFacts.Peer(name: "device-7.example.net", commonName: "seven"))
        var inner: [UInt8] = [0x07, 0, 0, 0, 0]
        inner += Self.text(0x21, "TLSv1.3")
        inner += Self.text(0x22, "seven")
        inner += Self.text(0x23, "TLS_AES_128_GCM_SHA256")
        var fields = Self.text(0x01, "mqtt") + Self.text(0x02, "a.example.net")
        fields += [0x20, 0, UInt8(inner.count)]
        fields += inner
        var header: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0]
        header.append(UInt8(12 + fields.count))
        header += [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb]
        header += fields
        #expect(ProxyHeaderWriter.bytes(.v2, for: Self.addresses, facts) == header)
        #expect(
            ProxyHeaderParser.parse(stream: header.span)
                == .complete(ProxyHeader(version: .v2, length: header.count, addresses: Self.addresses)))
    }

    @Test func `a client without a certificate has no verified one, and a resumed one showed it before`() {
        let plain = SecureSessionFacts(version: .tls12)
        let plainClient: [UInt8] = [0x20, 0, 15, 0x01, 0, 0, 0, 1]
        #expect(ProxyHeaderFields.bytes(of: plain) == plainClient + Self.text(0x21, "TLSv1.2"))
        let resumed = SecureSessionFacts(
            version: .tls12, isResumed: true, peer: SecureSessionFacts.Peer(name: "", commonName: ""))
        let knownClient: [UInt8] = [0x20, 0, 15, 0x05, 0, 0, 0, 0]
        #expect(ProxyHeaderFields.bytes(of: resumed) == knownClient + Self.text(0x21, "TLSv1.2"))
    }

    @Test func `version 1 tells nothing of it, and what is too long is left out`() {
        let long = String(repeating: "a", count: 256)
        let facts = SecureSessionFacts(
            serverName: long, applicationProtocol: long, version: .tls13, cipher: long,
            peer: SecureSessionFacts.Peer(name: long, commonName: long))
        #expect(ProxyHeaderFields.bytes(of: facts).count == 3 + 5 + 3 + 7)
        #expect(
            ProxyHeaderWriter.bytes(.v1, for: Self.addresses, facts)
                == ProxyHeaderWriter.bytes(.v1, for: Self.addresses))
    }
}
