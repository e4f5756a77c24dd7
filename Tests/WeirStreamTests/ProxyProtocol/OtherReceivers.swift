import LinuxIO
import NetworkTypes
import TestSupport

/// Another program that reads PROXY headers and reports the addresses.
protocol HeaderReceiver {
    /// Returns the outcome of a stream that begins with the vector. A refusal has no reason, because the programs
    /// report none.
    func outcome(of vector: HeaderVector) throws -> HeaderVector.Outcome
}

extension HeaderReceiver {
    /// Sends the vector, and the end where only that can decide, and reads the answer.
    fileprivate func answer(of vector: HeaderVector, at port: UInt16) throws -> (answer: String, client: Endpoint)? {
        let client = try TestConnection(to: Endpoint(port))
        let own = try client.localEndpoint
        try client.send(vector.bytes)
        if [.refused("truncated"), .refused("missing")].contains(vector.outcome) || !client.isReadable(within: 2_000) {
            // A reset may be there before it.
            try? client.shutdownWriting()
        }
        let received = client.receive()
        return received.bytes.isEmpty ? nil : (received.text, own)
    }

    fileprivate func address(_ host: Substring, _ port: Substring) -> String {
        guard let ip = IPAddress(host), let port = PortNumber.parse(port.isEmpty ? "0" : port) else {
            return "\(host) \(port)"
        }
        return SocketAddress(ip, port: port).description
    }
}

/// HAProxy with `accept-proxy`. It tells its upstream with `send-proxy`, which tells the client.
final class HAProxy: HeaderReceiver {
    private let port: UInt16
    private let directory: TemporaryDirectory
    private let process: ChildProcess
    private let upstream: TCPServer

    init() throws {
        port = try Ports.free()
        directory = try TemporaryDirectory("haproxy")
        upstream = try TCPServer { connection in
            var line: [UInt8] = []
            while !line.suffix(2).elementsEqual([0x0d, 0x0a]) {
                let byte = connection.receive(1).bytes
                if byte.isEmpty { return }
                line += byte
            }
            try connection.send(line)
        }
        let path = try directory.write(
            "haproxy.cfg",
            """
            global
                maxconn 100
            defaults
                mode tcp
                timeout connect 5s
                timeout client 10s
                timeout server 10s
            listen headers
                bind 127.0.0.1:\(port) accept-proxy
                server told 127.0.0.1:\(upstream.port) send-proxy

            """)
        process = try ChildProcess("haproxy", ["-db", "-f", path])
        try waitUntil("haproxy listens") {
            if let exit = process.exitIfEnded() {
                throw DeadlineExceeded(description: "haproxy ended (\(exit)): \(process.errorOutput)")
            }
            return process.holds(port: port, protocol: "tcp")
        }
    }

    func outcome(of vector: HeaderVector) throws -> HeaderVector.Outcome {
        guard let (line, client) = try answer(of: vector, at: port) else { return .refused("") }
        let words = line.split { $0 == " " || $0 == "\r\n" }
        guard words.count == 6 else { return .refused(line) }
        let source = address(words[2], words[4])
        return source == client.description ? .peer : .client(source, at: address(words[3], words[5]))
    }
}

/// nginx with `listen … proxy_protocol`, which answers with what it read.
final class NginxStream: HeaderReceiver {
    private let port: UInt16
    private let directory: TemporaryDirectory
    private let process: ChildProcess

    init() throws {
        port = try Ports.free()
        directory = try TemporaryDirectory("nginx-stream")
        let fields = ["addr", "port", "server_addr", "server_port"].map { "$proxy_protocol_\($0)" }
        let path = try directory.write(
            "nginx.conf",
            """
            daemon off;
            master_process off;
            pid \(directory.file("nginx.pid"));
            load_module \(try Tool.nginxModule("ngx_stream_module"));
            events { worker_connections 100; }
            stream {
                server {
                    listen 127.0.0.1:\(port) proxy_protocol;
                    return "\(fields.joined(separator: "|"))";
                }
            }

            """)
        process = try ChildProcess(
            "nginx", ["-p", directory.path, "-e", directory.file("error.log"), "-c", path])
        try waitUntil("nginx listens") {
            if let exit = process.exitIfEnded() {
                throw DeadlineExceeded(description: "nginx ended (\(exit)): \(process.errorOutput)")
            }
            return process.holds(port: port, protocol: "tcp")
        }
    }

    func outcome(of vector: HeaderVector) throws -> HeaderVector.Outcome {
        guard let (line, _) = try answer(of: vector, at: port) else { return .refused("") }
        let words = line.split(separator: "|", omittingEmptySubsequences: false)
        guard words.count == 4 else { return .refused(line) }
        return words.allSatisfy(\.isEmpty)
            ? .peer : .client(address(words[0], words[1]), at: address(words[2], words[3]))
    }
}
