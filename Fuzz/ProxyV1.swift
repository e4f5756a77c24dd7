// libFuzzer target: PROXY headers of version 1. It is compiled in one module with
//   Sources/WeirStream/ProxyProtocol/*.swift Sources/WeirStream/Interface/Network.swift
// against a module LinuxIO made of
//   Sources/LinuxIO/IPAddress.swift Sources/LinuxIO/IPAddress+Parsing.swift Sources/LinuxIO/SocketAddress.swift

/// The input as it is, and behind the word that every line begins with.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    check(input)
    check(Array("PROXY ".utf8) + input)
    return 0
}

private func scan(_ bytes: [UInt8]) -> ProxyHeaderScan { ProxyHeaderParser.parse(stream: bytes.span) }

private func check(_ bytes: [UInt8]) {
    switch scan(bytes) {
    case .incomplete:
        precondition(bytes.count < ProxyHeader.longestV2, "undecided however much came")
        precondition(bytes.first != 0x50 || bytes.count < ProxyHeader.longestV1, "a line without a bound")
    case .invalid(let error):
        guard case .invalid = scan(bytes + [0x0d, 0x0a]) else { preconditionFailure("\(error) was undone") }
    case .complete(let header):
        precondition(header.length <= bytes.count)
        precondition(header.version == .v2 || header.length <= ProxyHeader.longestV1)
        precondition(scan(Array(bytes[..<header.length])) == .complete(header), "payload changed it")
        precondition(scan(Array(bytes[..<(header.length - 1)])) == .incomplete, "complete too early")
        guard let addresses = header.addresses else { return }
        for version in ProxyHeader.Version.allCases {
            let written = ProxyHeaderWriter.bytes(version, for: addresses)
            let again = ProxyHeader(version: version, length: written.count, addresses: addresses)
            precondition(scan(written) == .complete(again), "written and read differ")
        }
    }
}
