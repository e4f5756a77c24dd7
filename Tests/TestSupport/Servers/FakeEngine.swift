import Foundation
import Synchronization

/// A container engine as far as its API goes: version, list, inspection and events, over a Unix socket. Tests change
/// its containers, and how it answers.
package final class FakeEngine: Sendable {
    /// A container, in the words of the API.
    package struct Box: Sendable {
        package var id: String
        package var name: String
        package var labels: [String: String]
        package var state = "running"
        package var status = "Up 2 seconds"
        package var networks: [String: String] = ["bridge": "127.0.0.1"]
        /// `22/tcp`, and the host's port of published ones.
        package var ports: [(text: String, published: UInt16?)] = []
        package var networkMode = "bridge"
        package var created = 1
        /// Ports that only an inspection tells of.
        package var exposed: [String] = []
        /// The result of a health check that only an inspection tells of, as Podman's does.
        package var health = ""

        package init(_ name: String, id: String? = nil, _ labels: [String: String] = [:]) {
            self.name = name
            self.id = id ?? String(name.utf8.map { String($0, radix: 16) }.joined().prefix(64))
            self.labels = labels
        }

        fileprivate func json(isAbridged: Bool) -> String {
            let labels = labels.sorted { $0.key < $1.key }.map { "\(quote($0.key)):\(quote($0.value))" }
            let networks = networks.sorted { $0.key < $1.key }.map {
                "\(quote($0.key)):{\"IPAddress\":\(quote($0.value)),\"GlobalIPv6Address\":\"\"}"
            }
            let ports = ports.map { port in
                let parts = port.text.split(separator: "/")
                let published = port.published.map { ",\"PublicPort\":\($0),\"IP\":\"0.0.0.0\"" } ?? ""
                return "{\"PrivatePort\":\(parts[0]),\"Type\":\"\(parts[1])\"\(published)}"
            }
            return "{\"Id\":\"\(id)\",\"Names\":[\(quote("/" + name))],\"Labels\":{\(labels.joined(separator: ","))},"
                + "\"State\":\"\(state)\",\"Status\":\"\(status)\",\"Created\":\(created),"
                + (isAbridged ? "" : "\"HostConfig\":{\"NetworkMode\":\"\(networkMode)\"},")
                + "\"Ports\":[\(ports.joined(separator: ","))],"
                + "\"NetworkSettings\":{\"Networks\":{\(networks.joined(separator: ","))}}}"
        }
    }

    /// How it answers.
    package struct Manners: Sendable {
        package var version = "1.43"
        package var oldest = "1.24"
        /// The status of lists.
        package var status = 200
        /// The bytes of a list that are sent before the connection is closed; nil for all.
        package var cutAfter: Int?
        /// Bytes in place of a list.
        package var list: String?
        /// How long it takes to answer anything, while that is so.
        package var delay = Duration.zero
        /// Whether lists say no more than Podman's.
        package var isPodman = false

        package init() {}
    }

    private struct State {
        var boxes: [Box] = []
        var manners = Manners()
        var streams: [TestConnection] = []
        var lists = 0
        var inspections = 0
        var requests: [String] = []
    }

    private let state = Mutex(State())
    private let server = Mutex<UnixServer?>(nil)
    private let folder: TemporaryDirectory
    /// The path of its socket.
    package let path: String

    package init(_ boxes: [Box] = []) throws {
        folder = try TemporaryDirectory("engine")
        path = folder.file("docker.sock")
        state.withLock { $0.boxes = boxes }
        try start()
    }

    /// The value of `docker.endpoint`.
    package var endpoint: String { "unix://\(path)" }
    package var lists: Int { state.withLock { $0.lists } }
    package var inspections: Int { state.withLock { $0.inspections } }
    package var followers: Int { state.withLock { $0.streams.count } }
    package var requests: [String] { state.withLock { $0.requests } }

    /// Changes how it answers from now on.
    package func behave(_ change: (inout Manners) -> Void) { state.withLock { change(&$0.manners) } }

    /// Changes its containers, and tells nothing.
    package func change(_ change: (inout [Box]) -> Void) { state.withLock { change(&$0.boxes) } }

    /// Tells of an event of a container.
    package func tell(_ action: String, of id: String, _ attributes: [String: String] = [:]) {
        let attributes = attributes.map { "\(quote($0.key)):\(quote($0.value))" }.joined(separator: ",")
        tell(
            line:
                "{\"Type\":\"container\",\"Action\":\"\(action)\",\"Actor\":{\"ID\":\"\(id)\",\"Attributes\":{\(attributes)}}}"
        )
    }

    /// Sends a line to all that follow its events.
    package func tell(line: String) {
        let streams = state.withLock { $0.streams }
        let text = line + "\n"
        for stream in streams {
            try? stream.send(Array("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n".utf8))
        }
    }

    /// Adds a container and tells that it has started.
    package func begin(_ box: Box) {
        change { boxes in
            boxes.removeAll { $0.id == box.id }
            boxes.append(box)
        }
        tell("start", of: box.id)
    }

    /// Lets a container end, and tells of it.
    package func end(_ id: String) {
        change { boxes in
            for index in boxes.indices where boxes[index].id == id {
                boxes[index].state = "exited"
                boxes[index].networks = [:]
            }
        }
        tell("die", of: id)
    }

    /// Goes away: the socket, and all that is open.
    package func stop() {
        server.withLock { server in
            server?.stop()
            server = nil
        }
        try? FileManager.default.removeItem(atPath: path)
        let streams = state.withLock { state in
            defer { state.streams = [] }
            return state.streams
        }
        // A thread waits in each: closing alone would not end them.
        for stream in streams { try? stream.shutdownWriting() }
    }

    /// Comes back.
    package func start() throws {
        let new = try UnixServer(path: path) { [weak self] connection in
            try connection.setTimeouts(seconds: 60)
            while let self, let target = Self.request(connection) {
                guard try self.answer(target, connection) else { return }
            }
        }
        server.withLock { $0 = new }
    }

    private static func request(_ connection: TestConnection) -> String? {
        var head: [UInt8] = []
        while !String(decoding: head, as: UTF8.self).contains("\r\n\r\n") {
            let received = connection.receiveSome()
            guard !received.bytes.isEmpty, head.count < 65_536 else { return nil }
            head += received.bytes
        }
        let line = String(decoding: head, as: UTF8.self).split(separator: "\r\n").first ?? ""
        let words = line.split(separator: " ")
        return words.count == 3 ? String(words[1]) : nil
    }

    /// Whether the connection goes on.
    private func answer(_ target: String, _ connection: TestConnection) throws -> Bool {
        state.withLock { $0.requests.append(target) }
        let delay = state.withLock { $0.manners.delay }
        try? waitUntil("it is told to answer at once", deadline: delay) { state.withLock { $0.manners.delay } == .zero }
        let manners = state.withLock { $0.manners }
        if target == "/version" {
            try send("{\"ApiVersion\":\"\(manners.version)\",\"MinAPIVersion\":\"\(manners.oldest)\"}", connection)
        } else if target.contains("/events") {
            try connection.send(
                Array("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".utf8))
            state.withLock { $0.streams.append(connection) }
            _ = connection.receive()
            return false
        } else if target.contains("/containers/json") {
            let boxes = state.withLock { state in
                state.lists += 1
                return state.boxes
            }
            let list = manners.list ?? "[\(boxes.map { $0.json(isAbridged: manners.isPodman) }.joined(separator: ","))]"
            guard manners.status == 200 else {
                try send("{\"message\":\"not today\"}", connection, status: manners.status)
                return true
            }
            try send(list, connection, cutAfter: manners.cutAfter)
            if manners.cutAfter != nil {
                connection.close()
                return false
            }
        } else {
            let id = target.split(separator: "/").dropLast().last.map(String.init) ?? ""
            let box = state.withLock { state in
                state.inspections += 1
                return state.boxes.first { $0.id == id }
            }
            guard let box else {
                try send("{\"message\":\"no such container\"}", connection, status: 404)
                return true
            }
            let exposed = box.exposed.map { "\(quote($0)):{}" }.joined(separator: ",")
            try send(
                "{\"Id\":\"\(id)\",\"State\":{\"Health\":{\"Status\":\"\(box.health)\"}},"
                    + "\"HostConfig\":{\"NetworkMode\":\"\(box.networkMode)\"},"
                    + "\"Config\":{\"ExposedPorts\":{\(exposed)}}}", connection)
        }
        return true
    }

    private func send(
        _ body: String, _ connection: TestConnection, status: Int = 200, cutAfter: Int? = nil
    ) throws {
        let head =
            "HTTP/1.1 \(status) Answer\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        try connection.send(Array(head.utf8) + (cutAfter.map { Array(body.utf8.prefix($0)) } ?? Array(body.utf8)))
    }
}

private func quote(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": quoted += "\\\(scalar)"
        case _ where scalar.value < 0x20:
            let digits = String(scalar.value, radix: 16)
            quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: quoted.unicodeScalars.append(scalar)
        }
    }
    return quoted + "\""
}
