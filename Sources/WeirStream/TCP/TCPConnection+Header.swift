import LinuxIO
import NetworkTypes

// PROXY headers: the one that a trusted peer begins with, and the one that the upstream gets.
extension TCPConnection {
    // MARK: From the peer

    /// Waits for the header: for so long and no longer, however slowly its bytes come.
    func awaitHeader() {
        phase = .awaitingHeader
        mainTimer = core.loop.schedule(
            after: route.settings.proxyHeaderTimeout.clampedNanoseconds, token: token.with(tag: TimerTag.main))
    }

    /// Something came. The bytes stay in the socket until the header is whole, and then exactly the header is taken: what
    /// the client sent behind it is there for the relay, and nothing need be kept for a slow peer. Edge-triggered, so each
    /// arrival is looked at once.
    func headerNews(_ events: EventSet) {
        client.note(events)
        if events.contains(.error) || events.contains(.hangup) {
            client.isBroken = true
            end(.clientReset, withReset: true)
            return
        }
        let buffer = unsafe UnsafeMutableRawBufferPointer(rebasing: core.readBuffer[..<ProxyHeader.longestV2])
        switch unsafe client.receiveCopy(into: buffer) {
        case .bytes(let count):
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count]).bindMemory(to: UInt8.self)
            scanned(unsafe ProxyHeaderParser.parse(stream: bytes.span))
        case .wouldBlock: client.isReadable = false
        case .endOfStream: refuseHeader(.missing)
        case .failed(let error):
            client.isBroken = true
            end(ConnectionCloseReason(error, isClient: true), withReset: true)
        }
    }

    private func scanned(_ scan: ProxyHeaderScan) {
        switch scan {
        case .incomplete:
            if client.sawEnd { refuseHeader(.truncated) }
        case .invalid(let reason): refuseHeader(reason)
        case .complete(let header):
            client.discard(header.length)
            core.loop.cancel(&mainTimer)
            context.adopt(header)
            lastActivity = core.loop.now
            route.observer?.proxyHeaderRead(context, version: header.version, worker: core.index)
            if let admit = route.hooks.admit, case .reject(let reason) = admit(context) {
                reject(reason)
            } else {
                connect()
            }
        }
    }

    func headerTimedOut() {
        mainTimer = .none
        route.observer?.timedOut(context, kind: .proxyHeader)
        refuseHeader(.timeout)
    }

    private func refuseHeader(_ reason: ProxyHeaderError) {
        route.observer?.proxyHeaderFailed(context, reason: reason, worker: core.index)
        reject(.proxyProtocol)
    }

    // MARK: To the upstream

    /// Sends the header as soon as the upstream is there: one that speaks first must know its client before that. Where
    /// the kernel does not take all of it, the rest goes before any byte of the client's.
    func sendHeader(_ version: ProxyHeader.Version) {
        let addresses = ProxyHeader.Addresses(source: context.clientAddress, destination: addressSpokenTo)
        let header = ProxyHeaderWriter.bytes(version, for: addresses)
        unsafe header.withUnsafeBytes { bytes in
            var sent = 0
            switch unsafe upstream.send(bytes, more: false) {
            case .bytes(let count): sent = count
            case .wouldBlock: break
            case .failed(let error):
                broke(&upstream, isClient: false, error)
                return
            }
            if sent < bytes.count { unsafe keepHeader(UnsafeRawBufferPointer(rebasing: bytes[sent...])) }
        }
    }

    /// Keeps the rest of a header where the client's bytes are kept: none of them is read before it is gone.
    func keepHeader(_ rest: UnsafeRawBufferPointer) {
        upstream.isWritable = false
        guard core.slabs.availableBytes >= rest.count else {
            end(.error, withReset: true)
            return
        }
        unsafe core.slabs.append(rest, to: &ingress.backlog)
    }

    /// Where the client connected to. A listener of every address asks the socket.
    private var addressSpokenTo: SocketAddress {
        guard context.localAddress.ip.isWildcard, let own = try? client.socket?.localAddress() else {
            return context.localAddress
        }
        return own
    }
}
