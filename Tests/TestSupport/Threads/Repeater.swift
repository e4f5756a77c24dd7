import Synchronization

/// Does one thing again and again on a thread of its own, until it is told to stop.
package final class Repeater: Sendable {
    private let begun = Atomic<Int>(0)
    private let errors = Shared<[String]>([])
    private let isStopped = Atomic<Bool>(false)
    private let done = TestSemaphore()

    /// How many rounds were begun; after ``stop()``, how many there were.
    package var rounds: Int { begun.load(ordering: .relaxed) }
    /// The errors of rounds; a round that throws does not end the repetition.
    package var failures: [String] { errors.withLock { $0 } }

    /// `body` gets the number of the round, from 0.
    package init(_ body: @escaping @Sendable (Int) throws -> Void) {
        TCPServer.start { [self] in
            while !isStopped.load(ordering: .relaxed) {
                let round = begun.add(1, ordering: .relaxed).oldValue
                do {
                    try body(round)
                } catch {
                    errors.withLock { if $0.count < 20 { $0.append("round \(round): \(error)") } }
                }
            }
            done.signal()
        }
    }

    /// Waits for the end of the round that runs.
    package func stop() {
        if !isStopped.exchange(true, ordering: .relaxed) { done.wait() }
    }
}

/// An answer that was not the right one.
package struct WrongAnswer: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

extension TestConnection {
    /// Sends bytes to a port that echoes and expects them back; a wrong answer throws.
    package func expectEcho(_ bytes: [UInt8]) throws {
        try send(bytes)
        let received = receive(bytes.count)
        guard received.bytes == bytes else {
            throw WrongAnswer("\(received.bytes.count) of \(bytes.count) bytes came back, \(received.ending)")
        }
    }

    /// Ends this side and expects the other one to have nothing more to say.
    package func expectEnd() throws {
        try shutdownWriting()
        let rest = receive()
        guard rest.bytes.isEmpty, rest.ending == .endOfStream else {
            throw WrongAnswer("\(rest.bytes.count) bytes too many, \(rest.ending)")
        }
    }

    /// A whole connection to a port that echoes.
    package static func exchange(_ port: UInt16) throws {
        let client = try TestConnection(to: Endpoint(port))
        try client.expectEcho(Array("hello".utf8))
        try client.expectEnd()
    }
}
