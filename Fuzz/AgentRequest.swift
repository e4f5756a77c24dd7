// Modules: NetworkTypes Threading LinuxIO WeirStream WeirAgent/Protocol

@testable import WeirAgent

/// The first bytes of a tunnel. Nothing may trap; more bytes never change a verdict; a demand for more is honest; and
/// what is written again is read again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    for bytes in [input, withChecksum(input)] {
        for tunnelProtocol in TunnelProtocol.allCases { check(bytes, tunnelProtocol) }
    }
    let status = TunnelStatus.parse(input.span)
    if case .needsMore = status { precondition(input.count < TunnelStatus.length) }
    return 0
}

/// A header is judged behind its checksum, which a fuzzer does not guess.
private func withChecksum(_ input: [UInt8]) -> [UInt8] {
    guard input.count >= TunnelRequest.headerLength else { return input }
    var bytes = input
    for index in 0..<8 { bytes[index] = TunnelRequest.versionText[index] }
    let checksum = CRC32.checksum(of: bytes.span, count: TunnelRequest.checksumOffset)
    for index in 0..<4 {
        bytes[TunnelRequest.checksumOffset + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(24 - 8 * index))
    }
    return bytes
}

private func check(_ bytes: [UInt8], _ tunnelProtocol: TunnelProtocol) {
    let scan = TunnelRequestParser.parse(bytes.span, tunnelProtocol)
    switch scan {
    case .needsMore(let wanted):
        precondition(wanted > bytes.count && wanted <= TunnelRequest.maxLength)
    case .invalid:
        precondition(TunnelRequestParser.parse((bytes + [0]).span, tunnelProtocol) == scan, "a byte behind changed it")
    case .complete(let request, let length):
        precondition(length <= min(bytes.count, TunnelRequest.maxLength))
        let whole = Array(bytes[..<length])
        precondition(TunnelRequestParser.parse(whole.span, tunnelProtocol) == scan, "bytes behind changed it")
        guard case .needsMore = TunnelRequestParser.parse(Array(whole.dropLast()).span, tunnelProtocol) else {
            preconditionFailure("complete too early")
        }
        let written = request.bytes(tunnelProtocol)
        guard case .complete(let again, written.count) = TunnelRequestParser.parse(written.span, tunnelProtocol)
        else { preconditionFailure("what was written cannot be read") }
        precondition(again == request)
    }
}
