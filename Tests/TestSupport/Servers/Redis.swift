/// A redis-server that keeps nothing on disk.
package final class Redis {
    package let port: UInt16
    private let directory: TemporaryDirectory
    private let process: ChildProcess

    package init() throws {
        port = try Ports.free()
        directory = try TemporaryDirectory("redis")
        process = try ChildProcess(
            "redis-server",
            [
                "--port", "\(port)", "--bind", "127.0.0.1", "--dir", directory.path, "--save", "", "--appendonly", "no",
                "--daemonize", "no",
            ])
        try process.waitUntilListening(on: port)
    }

    /// The bytes that the server itself has read and written before this question. The lengths of the question and of
    /// its reply come along: they are part of the next answer.
    package func networkBytes() throws -> (input: Int, output: Int, question: Int, reply: Int) {
        let question = "INFO stats\r\n"
        let connection = try TestConnection(to: Endpoint(port))
        try connection.send(question)
        var text = ""
        while !text.contains("total_net_output_bytes:") || !text.hasSuffix("\r\n") {
            let received = connection.receiveSome()
            guard !received.bytes.isEmpty else { break }
            text += received.text
        }
        func field(_ name: String) -> Int {
            let line = text.split(separator: "\r\n").first { $0.hasPrefix(name + ":") }
            return line.flatMap { Int($0.dropFirst(name.count + 1)) } ?? -1
        }
        return (
            field("total_net_input_bytes") - question.utf8.count, field("total_net_output_bytes"), question.utf8.count,
            text.utf8.count
        )
    }
}
