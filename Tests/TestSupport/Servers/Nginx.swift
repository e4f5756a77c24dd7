import Foundation

/// nginx in the foreground with one process, serving files of known sizes.
package final class Nginx {
    package let port: UInt16
    private let directory: TemporaryDirectory
    private let process: ChildProcess

    /// One finished request, counted by nginx itself: head and body, in bytes on the wire.
    package struct Request: Sendable {
        package var path: String
        package var status: Int
        package var bytesIn: Int
        package var bytesOut: Int
    }

    /// The files that it serves: `/0`, `/1`, `/16384` and so on, each as long as its name says.
    package init(sizes: [Int]) throws {
        port = try Ports.free()
        directory = try TemporaryDirectory("nginx")
        for size in sizes { try directory.write("\(size)", Pattern.bytes(size)) }
        let configuration = """
            daemon off;
            master_process off;
            pid \(directory.file("nginx.pid"));
            error_log \(directory.file("error.log"));
            worker_rlimit_nofile 8192;
            events { worker_connections 4096; }
            http {
                log_format counted '$request_uri $status $request_length $bytes_sent';
                access_log \(directory.file("access.log")) counted;
                sendfile on;
                tcp_nopush on;
                keepalive_requests 1000000;
                lingering_close off;
                client_body_temp_path \(directory.file("body"));
                proxy_temp_path \(directory.file("proxy"));
                fastcgi_temp_path \(directory.file("fastcgi"));
                uwsgi_temp_path \(directory.file("uwsgi"));
                scgi_temp_path \(directory.file("scgi"));
                server {
                    listen 127.0.0.1:\(port) backlog=4096;
                    root \(directory.path);
                    default_type application/octet-stream;
                }
            }
            """
        let path = try directory.write("nginx.conf", configuration)
        process = try ChildProcess(
            "nginx", ["-p", directory.path, "-e", directory.file("error.log"), "-c", path])
        try process.waitUntilListening(on: port)
    }

    /// Waits for the log to hold `count` requests and returns them. The log is written when a request is over.
    package func requests(count: Int) throws -> [Request] {
        try waitUntil("nginx has logged \(count) requests") { logged().count >= count }
        return logged()
    }

    package func logged() -> [Request] {
        contents(of: directory.file("access.log")).split(separator: "\n").compactMap { line in
            let columns = line.split(separator: " ")
            guard columns.count == 4, let status = Int(columns[1]), let bytesIn = Int(columns[2]),
                let bytesOut = Int(columns[3])
            else { return nil }
            return Request(path: String(columns[0]), status: status, bytesIn: bytesIn, bytesOut: bytesOut)
        }
    }
}

extension ChildProcess {
    /// Waits until the process accepts TCP connections; fails at once when it ends instead.
    package func waitUntilListening(on port: UInt16, deadline: Duration = .seconds(15)) throws {
        try waitUntil("\(name) listens on \(port)", deadline: deadline) {
            if let exit = exitIfEnded() {
                throw DeadlineExceeded(description: "\(name) ended (\(exit)):\n\(output)\(errorOutput)")
            }
            return holds(port: port, protocol: "tcp")
        }
    }
}
