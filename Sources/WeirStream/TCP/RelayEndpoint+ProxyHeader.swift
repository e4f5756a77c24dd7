import LinuxIO

/// The outcome of a peek for a PROXY header at the beginning of a stream.
enum ProxyHeaderArrival {
    /// More bytes are needed.
    case waiting
    /// The header is complete, and was read from the socket.
    case complete(ProxyHeader)
    case refused(ProxyHeaderError)
    /// The connection failed.
    case broken(SystemError)
}

extension RelayEndpoint {
    /// Peeks for the header. The bytes stay in the socket until the header is complete; then exactly the header is
    /// read, and the following bytes are left for the relay. A slow peer occupies no buffer. Call it once per
    /// edge-triggered event. `buffer` must hold the longest header.
    mutating func receiveProxyHeader(buffer: UnsafeMutableRawBufferPointer) -> ProxyHeaderArrival {
        let buffer = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<ProxyHeader.maxLengthV2])
        switch unsafe receiveCopy(into: buffer) {
        case .bytes(let count):
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count]).bindMemory(to: UInt8.self)
            switch unsafe ProxyHeaderParser.parse(stream: bytes.span) {
            case .incomplete: return sawEnd ? .refused(.truncated) : .waiting
            case .invalid(let reason): return .refused(reason)
            case .complete(let header):
                discard(header.length)
                return .complete(header)
            }
        case .wouldBlock:
            isReadable = false
            return .waiting
        case .endOfStream: return .refused(.missing)
        case .failed(let error): return .broken(error)
        }
    }
}
