import Foundation

/// A network of the test's own (network_namespaces(7)), with its loopback interface up. It needs root.
///
/// Only an open descriptor of this process keeps it alive: it ends with its last owner, also after a crash.
package final class NetworkNamespace: Sendable {
    private let descriptor: Int32
    private static let newNetwork: Int32 = 0x4000_0000

    package init() throws {
        // Only the thread that unshares changes its network, and it ends: no other thread of the test is affected.
        let done = TestSemaphore()
        let made = Shared<Result<Int32, SystemFailure>?>(nil)
        Thread {
            let result = Result { () throws(SystemFailure) in try Self.make() }
            made.withLock { $0 = result }
            done.signal()
        }.start()
        done.wait()
        // The thread has signaled, so there is a result.
        descriptor = try made.withLock { $0! }.get()
        try ip("link set lo up")
    }

    deinit { close(descriptor) }

    private static func make() throws(SystemFailure) -> Int32 {
        guard try call("unshare", newNetwork) == 0 else {
            throw SystemFailure("unshare(CLONE_NEWNET), which needs root and a kernel or container that allows it")
        }
        return try current()
    }

    /// The network of the calling thread.
    private static func current() throws(SystemFailure) -> Int32 {
        let descriptor = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemFailure("open /proc/thread-self/ns/net") }
        return descriptor
    }

    private typealias OneNumber = @convention(c) (Int32) -> Int32
    private typealias TwoNumbers = @convention(c) (Int32, Int32) -> Int32

    /// unshare(2), which Swift's import of glibc hides.
    private static func call(_ name: String, _ flags: Int32) throws(SystemFailure) -> Int32 {
        guard let symbol = dlsym(nil, name) else { throw SystemFailure(name, code: ENOSYS) }
        return unsafeBitCast(symbol, to: OneNumber.self)(flags)
    }

    private static func enter(_ descriptor: Int32) throws(SystemFailure) {
        guard let symbol = dlsym(nil, "setns") else { throw SystemFailure("setns", code: ENOSYS) }
        guard unsafeBitCast(symbol, to: TwoNumbers.self)(descriptor, newNetwork) == 0 else {
            throw SystemFailure("setns")
        }
    }

    /// Runs `body` in this network: every socket that it opens belongs here, and stays here.
    package func run<Result>(_ body: () throws -> Result) throws -> Result {
        let home = try Self.current()
        defer { close(home) }
        try Self.enter(descriptor)
        defer {
            do { try Self.enter(home) } catch { fatalError("the thread cannot go back to its network: \(error)") }
        }
        return try body()
    }

    /// The path by which other programs open this network.
    package var path: String { "/proc/\(getpid())/fd/\(descriptor)" }
    /// A prefix for the command of a program that shall run in this network.
    package var launcher: [String] { ["nsenter", "--net=\(path)", "--"] }

    /// Runs a program here, to its end.
    package func command(_ program: String, _ arguments: String) throws {
        let words = arguments.split(separator: " ").map(String.init)
        let launcher = launcher
        let run = try ChildProcess.run(
            launcher[0], launcher.dropFirst() + [try Tool.path(program)] + words, deadline: .seconds(20))
        guard run.succeeded else { throw Failed(description: "\(program) \(arguments): \(run)") }
    }

    /// ip(8).
    package func ip(_ arguments: String) throws { try command("ip", arguments) }

    /// A setting of this network, such as `ipv4/ip_local_port_range`.
    package func set(_ setting: String, _ value: String) throws {
        try run {
            try checked("open /proc/sys/net/\(setting)") { open("/proc/sys/net/\(setting)", O_WRONLY | O_CLOEXEC) }
        }.closing { descriptor in
            try checked("write /proc/sys/net/\(setting)") { write(descriptor, value, value.utf8.count) }
        }
    }

    /// A cable between two networks. The first gets `10.NET.0.1`, the other `10.NET.0.2`, both on an interface that is
    /// called `cableNET` there. Neither forgets the other's hardware address, also while the cable is down.
    package static func connect(
        _ first: NetworkNamespace, _ second: NetworkNamespace, net: Int = 77
    ) throws {
        let name = "cable\(net)"
        let ends = [(first, 1), (second, 2)]
        try first.ip(
            "link add \(name) address \(hardwareAddress(1)) type veth peer name \(name)"
                + " address \(hardwareAddress(2)) netns \(second.path)")
        for (end, number) in ends {
            try end.ip("address add 10.\(net).0.\(number)/24 dev \(name)")
            try end.ip("link set \(name) up")
            let other = 3 - number
            try end.ip("neigh replace 10.\(net).0.\(other) lladdr \(hardwareAddress(other)) nud permanent dev \(name)")
        }
    }

    private static func hardwareAddress(_ number: Int) -> String { "02:00:00:00:00:0\(number)" }

    package struct Failed: Error, CustomStringConvertible {
        package let description: String
    }
}

extension Int32 {
    /// Uses an open descriptor and closes it.
    fileprivate func closing(_ body: (Int32) throws -> some BinaryInteger) throws {
        defer { close(self) }
        _ = try body(self)
    }
}
