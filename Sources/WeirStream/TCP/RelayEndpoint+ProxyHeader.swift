import LinuxIO

/// The outcome of looking for a PROXY header at the beginning of a stream.
enum ProxyHeaderArrival {
    /// More must come.
    case waiting
    /// The header is there, and was taken out of the socket.
    case complete(ProxyHeader)
    case refused(ProxyHeaderError)
    /// The connection broke.
    case broken(SystemError)
}

extension RelayEndpoint {
    /// Looks for the header. The bytes stay in the socket until it is whole, and then exactly the header is taken: what the
    /// peer sent behind it is there for the relay, and nothing need be kept for a slow one. To be called once for each
    /// arrival, which edge-triggered events are. `buffer` holds the longest header.
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
