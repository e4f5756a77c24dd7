import Glibc

/// Just enough of an HTTP/1.1 client to see every byte that the exporter sends.
package enum HTTP {
    package struct Response: Sendable {
        package var status: Int
        /// Names in lower case; a repeated field keeps its last value.
        package var headers: [String: String]
        package var body: [UInt8]
        package var text: String { String(decoding: body, as: UTF8.self) }
    }

    package struct Malformed: Error, CustomStringConvertible {
        package let description: String
    }

    /// One request on a connection of its own.
    package static func get(
        _ path: String, port: UInt16, headers: [String: String] = [:], method: String = "GET"
    ) throws -> Response {
        let connection = try TestConnection(to: Endpoint(port))
        var head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) { head += "\(name): \(value)\r\n" }
        try connection.send(head + "\r\n")
        return try readResponse(from: connection, hasBody: method != "HEAD")
    }

    /// Reads one response: by `Content-Length` where there is one, else up to the end of the stream.
    package static func readResponse(from connection: TestConnection, hasBody: Bool = true) throws -> Response {
        var head: [UInt8] = []
        let blankLine = Array("\r\n\r\n".utf8)
        while !head.suffix(4).elementsEqual(blankLine) {
            let next = connection.receive(1)
            guard next.ending == .satisfied, head.count < 65_536 else {
                throw Malformed(description: "\(next.ending) in the head: \(String(decoding: head, as: UTF8.self))")
            }
            head += next.bytes
        }
        let lines = String(decoding: head.dropLast(4), as: UTF8.self).split(
            separator: "\r\n", omittingEmptySubsequences: false)
        let statusLine = lines[0].split(separator: " ", maxSplits: 2)
        guard statusLine.count >= 2, statusLine[0].hasPrefix("HTTP/1."), let status = Int(statusLine[1]) else {
            throw Malformed(description: "status line: \(lines[0])")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw Malformed(description: "header: \(line)") }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            headers[line[..<colon].lowercased()] = String(value)
        }
        guard hasBody, status != 204, status != 304 else {
            return Response(status: status, headers: headers, body: [])
        }
        guard let length = headers["content-length"].map({ Int($0) }) else {
            let rest = connection.receive()
            guard rest.ending == .endOfStream else { throw Malformed(description: "body: \(rest.ending)") }
            return Response(status: status, headers: headers, body: rest.bytes)
        }
        guard let length else { throw Malformed(description: "Content-Length: \(headers)") }
        let body = connection.receive(length)
        guard body.bytes.count == length else {
            throw Malformed(description: "\(body.bytes.count) of \(length) bytes of body, then \(body.ending)")
        }
        return Response(status: status, headers: headers, body: body.bytes)
    }
}
