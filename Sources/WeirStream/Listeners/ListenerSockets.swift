import Glibc
import LinuxIO
import NetworkTypes

/// The sockets of one listening address, bound and not yet served: one per worker, or one for all.
///
/// TCP sockets listen at once. Clients then wait in the kernel, and an address on which another process listens is
/// refused here: `SO_REUSEADDR` lets two sockets bind as long as neither listens (socket(7)).
///
/// The first socket binds without `SO_REUSEPORT`, so that another program on the port is an error. It then sets the
/// option, and the other sockets join it (socket(7)).
///
/// A Unix socket is one for all workers. One that joins listens at once, and its file takes the place of the other
/// listener's when it is served.
///
/// Sockets that *join* bind with the option at once, beside a listener of ours that a change removes and whose
/// address overlaps theirs. Over TCP they listen only when they are served, so that the other listener keeps every
/// client until then.
final class ListenerSockets: Sendable {
    /// The bound address, with the real port.
    let address: SocketAddress
    let family: Socket.Family
    /// Whether the bind is to every address, so that replies must choose their source address.
    let isWildcard: Bool
    /// The file of a Unix socket; nil for an abstract name, and for IP.
    let file: UnixSocketFile?
    private let numbers: [CInt]
    /// Whether the sockets do not listen yet.
    private let isListenDue: Bool
    /// The clients that may wait to be accepted, per socket; the kernel clamps the number to `somaxconn` (listen(2)).
    private static let backlog = 4096

    /// The number of sockets.
    var count: Int { numbers.count }

    /// Binds `count` sockets, which join those of an overlapping listener where `joins` is true.
    /// - Throws: ``StreamError/bindFailed(_:_:)``. After an error no socket is open.
    init(
        _ listen: ListenAddress, count: Int, options: ListenerSettings?, isFreeBind: Bool = false, joins: Bool = false
    ) throws(StreamError) {
        if let path = listen.path {
            do throws(SystemError) {
                let (number, file) = try Self.listen(at: path, mode: options?.unixMode ?? 0o660, replaces: joins)
                numbers = [number]
                self.file = file
            } catch {
                throw .bindFailed(listen, error)
            }
            (address, family, isWildcard, isListenDue) = (.unix, .unix, false, false)
            return
        }
        file = nil
        var numbers: [CInt] = []
        var listen = listen
        do throws(SystemError) {
            let first: Socket
            do throws(SystemError) {
                first = try Self.open(listen, options, isFreeBind)
            } catch  where error.code == EAFNOSUPPORT && listen.isDualStack {
                // The kernel has no IPv6: a dual-stack wildcard becomes the IPv4 wildcard.
                listen = listen.withoutIPv6
                first = try Self.open(listen, options, isFreeBind)
            }
            if joins { try first.set(.reusePort, true) }
            try first.bind(try listen.socketAddress())
            let bound = try first.localAddress()
            if !joins { try first.set(.reusePort, true) }
            let listensNow = listen.network.transport == .tcp && !joins
            if listensNow { try first.listen(backlog: Self.backlog) }
            address = bound
            family = first.family
            numbers.append(first.release())
            while numbers.count < count {
                let next = try Self.open(listen, options, isFreeBind)
                try next.set(.reusePort, true)
                try next.bind(bound)
                if listensNow { try next.listen(backlog: Self.backlog) }
                numbers.append(next.release())
            }
        } catch {
            for number in numbers { FileDescriptor(adopting: number).close() }
            throw .bindFailed(listen, error)
        }
        isWildcard = listen.address.ip.isWildcard
        isListenDue = joins && listen.network.transport == .tcp
        self.numbers = numbers
    }

    /// Lets joined TCP sockets listen, before they are served, and puts the file of a joined Unix socket in its place.
    func listenIfDue() throws(SystemError) {
        do throws(UnixSocketFile.Failure) { try file?.takePlace() } catch { throw error.systemError }
        guard isListenDue else { return }
        for number in numbers {
            var failure: SystemError?
            let socket = Socket(adopting: number, family: family)
            do throws(SystemError) { try socket.listen(backlog: Self.backlog) } catch { failure = error }
            _ = socket.release()
            if let failure { throw failure }
        }
    }

    /// Returns the sockets, in order. The caller owns them; an owner that does not call this must call ``close()``.
    func take() -> [CInt] { numbers }

    /// Closes the sockets of an address that was never served.
    func close() {
        file?.remove()
        for number in numbers { FileDescriptor(adopting: number).close() }
    }

    /// Opens a Unix socket that listens. An abstract name that is in use cannot be replaced.
    private static func listen(
        at path: UnixSocketPath, mode: UInt32, replaces: Bool
    ) throws(SystemError) -> (CInt, UnixSocketFile?) {
        let socket = try Socket(.stream, family: .unix)
        if path.abstractName != nil {
            try socket.bind(path)
            try socket.listen(backlog: backlog)
            return (socket.release(), nil)
        }
        let file: UnixSocketFile
        do throws(UnixSocketFile.Failure) {
            file = try UnixSocketFile.listen(
                socket, at: path, mode: mode, backlog: backlog, replacesListener: replaces)
        } catch {
            throw error.systemError
        }
        return (socket.release(), file)
    }

    private static func open(
        _ listen: ListenAddress, _ options: ListenerSettings?, _ isFreeBind: Bool
    ) throws(SystemError) -> Socket {
        let isIPv6 = !listen.address.ip.isIPv4
        let isTCP = listen.network.transport == .tcp
        let socket = try Socket(isTCP ? .stream : .datagram, family: isIPv6 ? .ipv6 : .ipv4)
        if isIPv6 { try socket.set(.ipv6Only, !listen.isDualStack) }
        if isFreeBind { try socket.set(isIPv6 ? .freeBindIPv6 : .freeBindIPv4, true) }
        if isTCP {
            try socket.set(.reuseAddress, true)
            if let options { socket.setListenerOptions(options) }
        } else {
            if listen.address.ip.isWildcard {
                if isIPv6 { try socket.set(.packetInfoIPv6, true) } else { try socket.set(.packetInfoIPv4, true) }
                // Of a broadcast datagram only this one says which of our addresses can answer it.
                if listen.isDualStack { socket.setIfPossible(.packetInfoIPv4, 1) }
            }
            // Groups that other programs have joined are not ours; the kernel would give each datagram to all sockets.
            socket.setIfPossible(.multicastAllIPv4, 0)
            if isIPv6 { socket.setIfPossible(.multicastAllIPv6, 0) }
            socket.setIfPossible(.receiveOverflow, 1)
            // The default of 208 KiB holds three datagrams of the maximum length; the kernel clamps to rmem_max.
            socket.setIfPossible(.receiveBuffer, 4 << 20)
        }
        return socket
    }
}

extension UnixSocketFile.Failure {
    /// The call that failed, or would have failed.
    fileprivate var systemError: SystemError {
        switch self {
        case .system(let error): error
        case .inUse: SystemError(.bind, EADDRINUSE)
        case .occupied: SystemError(.bind, EEXIST)
        }
    }
}

extension ListenAddress {
    fileprivate var withoutIPv6: ListenAddress {
        // The initializer throws only for a family that the network excludes; a dual-stack network excludes none.
        (try? ListenAddress(network, address: .anyIPv4, port: port)) ?? self
    }

    /// The address for bind(2), with the current index of its interface.
    fileprivate func socketAddress() throws(SystemError) -> SocketAddress {
        guard let found = SocketAddress(resolving: address, port: port) else {
            throw SystemError(.interfaceIndex, ENODEV)
        }
        return found
    }

    /// The address before anything is bound to it.
    var unboundAddress: SocketAddress { path == nil ? SocketAddress(address.ip, port: port) : .unix }
}

extension Socket {
    /// Sets the options that sockets inherit from their listener at the accept (tcp(7)).
    /// `previous` are the settings that the listener has already.
    borrowing func setListenerOptions(_ settings: ListenerSettings, previous: ListenerSettings? = nil) {
        if settings.dscp != previous?.dscp { mark(settings.dscp) }
        setIfPossible(.noDelay, 1)
        setIfPossible(.urgentInline, 1)
        setIfPossible(.userTimeout, settings.userTimeout.userTimeoutMilliseconds)
        setIfPossible(.deferAccept, Int(clamping: settings.deferAccept?.components.seconds ?? 0))
        setIfPossible(.fastOpen, settings.fastOpen ?? 0)
        if let keepalive = settings.keepalive { startKeepalive(keepalive) } else { setIfPossible(.keepalive, 0) }
    }

    /// Sets the options that a socket needs before it connects to an upstream. ``RelayEndpoint`` sets the others when a
    /// connection needs them: most connections end before that.
    borrowing func setDialOptions(_ settings: TCPSettings) {
        // An urgent byte that came before the option was set would be left out.
        setIfPossible(.urgentInline, 1)
        if settings.userTimeout != nil { setIfPossible(.userTimeout, settings.userTimeout.userTimeoutMilliseconds) }
    }

    /// Starts the kernel's keepalive probes (tcp(7)).
    borrowing func startKeepalive(_ keepalive: Keepalive) {
        setIfPossible(.keepaliveIdle, max(1, Int(keepalive.idle.components.seconds)))
        setIfPossible(.keepaliveInterval, max(1, Int(keepalive.interval.components.seconds)))
        setIfPossible(.keepaliveCount, keepalive.count)
        setIfPossible(.keepalive, 1)
    }
}

extension Duration? {
    /// The value of `TCP_USER_TIMEOUT` in milliseconds; 0 is the kernel's default (tcp(7)).
    fileprivate var userTimeoutMilliseconds: Int { Int((self?.clampedNanoseconds ?? 0) / 1_000_000) }
}
