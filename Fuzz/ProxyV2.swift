// libFuzzer target: PROXY headers of version 2. It is compiled in one module with
//   Sources/WeirStream/ProxyProtocol/*.swift Sources/WeirStream/Interface/Network.swift
// against a module LinuxIO made of
//   Sources/LinuxIO/IPAddress.swift Sources/LinuxIO/IPAddress+Parsing.swift Sources/LinuxIO/SocketAddress.swift

/// The input as it is, and behind the signature, from a stream and as a datagram.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    for bytes in [input, ProxyHeaderParser.signatureOfV2 + input] {
        check(bytes) {
            ProxyHeaderParser.parse(stream: $0.span)
        } write: {
            ProxyHeaderWriter.bytes(.v2, for: $0)
        }
        let isWhole = ProxyHeaderParser.parse(datagram: bytes.span) != .incomplete
        precondition(isWhole, "nothing follows a datagram")
        check(bytes) { bytes in
            let scan = ProxyHeaderParser.parse(datagram: bytes.span)
            // A datagram that is cut off is what a stream still waits for.
            return scan == .invalid(.truncated) ? .incomplete : scan
        } write: {
            ProxyHeaderWriter.datagramBytes(for: $0)
        }
    }
    return 0
}

private func check(
    _ bytes: [UInt8], scan: ([UInt8]) -> ProxyHeaderScan, write: (ProxyHeader.Addresses) -> [UInt8]
) {
    switch scan(bytes) {
    case .incomplete:
        precondition(bytes.count < ProxyHeader.longestV2, "undecided however much came")
    case .invalid: break
    case .complete(let header):
        precondition(header.length <= min(bytes.count, ProxyHeader.longestV2))
        precondition(scan(Array(bytes[..<header.length])) == .complete(header), "payload changed it")
        precondition(scan(Array(bytes[..<(header.length - 1)])) == .incomplete, "complete too early")
        guard let addresses = header.addresses else { return }
        let written = write(addresses)
        let again = ProxyHeader(version: .v2, length: written.count, addresses: addresses)
        precondition(scan(written) == .complete(again), "written and read differ")
    }
}
