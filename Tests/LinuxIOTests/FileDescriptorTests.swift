import Foundation
import LinuxIO
import Testing

@Suite struct FileDescriptorTests {
    /// The file behind a number, as `socket:[inode]`, which is unique.
    private static func identity(_ number: CInt) throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")
    }

    /// How many descriptors of this process stand for it.
    private static func holders(of identity: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == identity
        }
    }

    @Test func `it is closed when its value ends`() throws {
        let identity = try open { try Self.identity($0.number) }
        #expect(try Self.holders(of: identity) == 0)
    }

    private func open(_ body: (borrowing Socket) throws -> String) throws -> String {
        let socket = try Socket(.datagram, family: .ipv4)
        let identity = try body(socket)
        #expect(try Self.holders(of: identity) == 1)
        return identity
    }

    @Test func `it is closed once by an explicit close`() throws {
        let socket = try Socket(.stream, family: .ipv6)
        let identity = try Self.identity(socket.number)
        socket.close()
        #expect(try Self.holders(of: identity) == 0)
    }

    @Test func `a number that was given away stays open, and its next owner closes it`() throws {
        let socket = try Socket(.stream, family: .ipv4)
        let identity = try Self.identity(socket.number)
        let number = socket.release()
        #expect(try Self.holders(of: identity) == 1)
        let owner = FileDescriptor(adopting: number)
        #expect(owner.rawValue == number)
        owner.close()
        #expect(try Self.holders(of: identity) == 0)
    }

    @Test func `many opened and dropped leave none behind`() throws {
        var identities: Set<String> = []
        for _ in 0..<500 { identities.insert(try open { try Self.identity($0.number) }) }
        #expect(identities.count == 500)
        let links = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
        }
        #expect(identities.isDisjoint(with: links))
    }

    @Test func `a socket is nonblocking and closed on exec`() throws {
        let socket = try Socket(.stream, family: .ipv4)
        #expect(fcntl(socket.number, F_GETFL) & O_NONBLOCK != 0)
        #expect(fcntl(socket.number, F_GETFD) & FD_CLOEXEC != 0)
    }
}
